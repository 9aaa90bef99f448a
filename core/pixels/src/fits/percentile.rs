//! Percentiles of pixels: exact, from histograms of 8- and 16-bit integers, by selection for other types.
//!
//! Percentiles are interpolated linearly between order statistics (definition 7 of Hyndman & Fan 1996, Am. Stat. 50, 361,
//! which is the default of numpy).

use serde::{Deserialize, Serialize};

use super::scaling::Scaling;

/// Statistics of the pixels of an image, scaled with BSCALE and BZERO; NaN and BLANK pixels count in `npoints` alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelStatistics {
    /// Pixels, undefined ones included.
    pub npoints: u64,
    /// Undefined pixels: NaN or BLANK.
    pub nan: u64,
    /// Smallest value.
    pub minimum: f64,
    /// Largest value.
    pub maximum: f64,
    /// Percentile 2.5.
    pub q025: f64,
    /// Percentile 15.9.
    pub q159: f64,
    /// Percentile 25.
    pub q250: f64,
    /// Median.
    pub q500: f64,
    /// Percentile 75.
    pub q750: f64,
    /// Percentile 84.1.
    pub q841: f64,
    /// Percentile 97.5.
    pub q975: f64,
    /// `0.7413 * (q750 - q250)`: the standard deviation, if the pixels were Gaussian.
    pub robust_std: f64,
}

const PERCENTILES: [f64; 7] = [2.5, 15.9, 25.0, 50.0, 75.0, 84.1, 97.5];

/// Ranks on both sides of a percentile of `n` ordered values, and where between them it lies.
fn ranks(percentile: f64, n: u64) -> (u64, u64, f64) {
    let position = percentile / 100.0 * (n - 1) as f64;
    let low = position.floor();
    let rank = (low as u64).min(n - 1);
    (rank, (rank + 1).min(n - 1), position - low)
}

fn interpolate(a: f64, b: f64, t: f64) -> f64 {
    if a == b {
        a
    } else if t >= 0.5 {
        b - (b - a) * (1.0 - t)
    } else {
        a + (b - a) * t
    }
}

/// From the value at each rank (from 0, ascending) of `n` values.
fn from_ranks(n: u64, nan: u64, mut value: impl FnMut(u64) -> f64) -> Option<PixelStatistics> {
    if n == 0 {
        return None;
    }
    let q = PERCENTILES.map(|p| {
        let (low, high, t) = ranks(p, n);
        interpolate(value(low), value(high), t)
    });
    let [q025, q159, q250, q500, q750, q841, q975] = q;
    let (minimum, maximum, robust_std) = (value(0), value(n - 1), 0.7413 * (q750 - q250));
    Some(PixelStatistics { npoints: n + nan, nan, minimum, maximum, q025, q159, q250, q500, q750, q841, q975, robust_std })
}

/// Counts of the stored values of an image of 8 or 16 bits.
pub(super) struct Histogram {
    bitpix: i32,
    /// Two histograms, so that equal neighbours do not wait for each other's store.
    counts: Box<[[u32; BINS]; 2]>,
    /// First byte of a value that was cut by the end of a chunk.
    odd: Option<u8>,
}

const BINS: usize = 1 << 16;

impl Histogram {
    pub(super) fn new(bitpix: i32) -> Self {
        // On the heap from the beginning: half a megabyte is too much for the stack.
        let counts = vec![[0; BINS]; 2].into_boxed_slice().try_into().expect("two histograms are two");
        Histogram { bitpix, counts, odd: None }
    }

    /// Counts big-endian values. At most 2^32 of them in all.
    pub(super) fn add(&mut self, mut raw: &[u8]) {
        let [a, b] = &mut *self.counts;
        if self.bitpix == 8 {
            let (pairs, rest) = raw.as_chunks::<2>();
            for v in pairs {
                a[usize::from(v[0])] += 1;
                b[usize::from(v[1])] += 1;
            }
            rest.iter().for_each(|&v| a[usize::from(v)] += 1);
            return;
        }
        let bin = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]) ^ 0x8000);
        if let (Some(high), Some((&low, rest))) = (self.odd, raw.split_first()) {
            a[bin(high, low)] += 1;
            self.odd = None;
            raw = rest;
        }
        let (fours, rest) = raw.as_chunks::<8>();
        for v in fours {
            // The sign bit flipped, so that bins are in the order of the values.
            let v = u64::from_be_bytes(*v) ^ 0x8000_8000_8000_8000;
            a[usize::from((v >> 48) as u16)] += 1;
            b[usize::from((v >> 32) as u16)] += 1;
            a[usize::from((v >> 16) as u16)] += 1;
            b[usize::from(v as u16)] += 1;
        }
        let (ones, odd) = rest.as_chunks::<2>();
        ones.iter().for_each(|v| a[bin(v[0], v[1])] += 1);
        self.odd = odd.first().copied().or(self.odd);
    }

    /// Statistics of the scaled values; `None` if there are none.
    pub(super) fn statistics(&self, scaling: &Scaling) -> Option<PixelStatistics> {
        let offset = if self.bitpix == 8 { 0 } else { 32768 };
        let blank = scaling.blank.and_then(|b| usize::try_from(b + offset).ok());
        let mut nan = 0;
        // Number of values up to and including each bin.
        let mut upto = Vec::with_capacity(BINS);
        let mut total = 0u64;
        for bin in 0..BINS {
            let count = self.counts.iter().map(|part| u64::from(part[bin])).sum::<u64>();
            if Some(bin) == blank {
                nan = count;
            } else {
                total += count;
            }
            upto.push(total);
        }
        from_ranks(total, nan, |rank| {
            let rank = if scaling.scale < 0.0 { total - 1 - rank } else { rank };
            let bin = upto.partition_point(|&n| n <= rank);
            (bin as i64 - offset) as f64 * scaling.scale + scaling.zero
        })
    }
}

/// Statistics of `f32` values.
pub(super) fn of_f32(values: &[f32]) -> Option<PixelStatistics> {
    // Bits in an order that integers have too: negative numbers upside down, positive ones above them.
    let mut keys: Vec<u32> = values.iter().filter(|v| !v.is_nan()).map(|v| flip32(v.to_bits())).collect();
    let nan = values.len() - keys.len();
    by_selection(&mut keys, nan, |k| f64::from(f32::from_bits(unflip32(k))))
}

/// Statistics of `f64` values.
pub(super) fn of_f64(values: &[f64]) -> Option<PixelStatistics> {
    let mut keys: Vec<u64> = values.iter().filter(|v| !v.is_nan()).map(|v| flip64(v.to_bits())).collect();
    let nan = values.len() - keys.len();
    by_selection(&mut keys, nan, |k| f64::from_bits(unflip64(k)))
}

fn flip32(bits: u32) -> u32 {
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn unflip32(key: u32) -> u32 {
    if key >> 31 == 1 { key & !(1 << 31) } else { !key }
}

fn flip64(bits: u64) -> u64 {
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn unflip64(key: u64) -> u64 {
    if key >> 63 == 1 { key & !(1 << 63) } else { !key }
}

fn by_selection<K: Ord + Copy>(keys: &mut [K], nan: usize, value: impl Fn(K) -> f64) -> Option<PixelStatistics> {
    let n = keys.len() as u64;
    if n == 0 {
        return None;
    }
    let mut wanted: Vec<usize> = PERCENTILES.iter().flat_map(|&p| [ranks(p, n).0 as usize, ranks(p, n).1 as usize]).collect();
    wanted.extend([0, keys.len() - 1]);
    wanted.sort_unstable();
    wanted.dedup();
    // Each selection parts what is left, so the next one has less to do.
    let mut from = 0;
    for &rank in &wanted {
        keys[from..].select_nth_unstable(rank - from);
        from = rank + 1;
    }
    from_ranks(n, nan as u64, |rank| value(keys[rank as usize]))
}
