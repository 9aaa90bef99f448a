//! Percentiles and medians by selection, without sorting everything.
//!
//! Percentiles interpolate linearly between the two neighbouring order statistics (type 7 of Hyndman & Fan 1996, American
//! Statistician 50, 361; the default of numpy). The median of an even number of values is the mean of the two middle ones.
//! Selection works on integer keys with the order of the values, which is branch-free and about twice as fast as on floats.

use super::{IQR_TO_SIGMA, MAD_TO_SIGMA};
use crate::network::{LANES, Lanes, Network};

/// Beyond this many rows a selection is faster than a network.
const LARGEST_NETWORK: usize = 64;

/// Below this many values an insertion sort is faster than a selection.
const SMALL: usize = 24;

/// An integer with the order of the float (the order of [`f32::total_cmp`]).
pub(crate) fn key(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// The inverse of [`key`].
pub(crate) fn value_of(key: i32) -> f32 {
    f32::from_bits((key ^ (((key >> 31) as u32) >> 1) as i32) as u32)
}

/// Percentiles of the values that are not NaN, each `percent` from 0 to 100, in the order asked for.
///
/// Returns NaN for each when there are no values. Linear in the number of values.
///
/// # Panics
/// If a percentage is outside 0 to 100 or NaN.
pub fn percentiles(values: &[f32], percent: &[f64]) -> Vec<f64> {
    assert!(percent.iter().all(|p| (0.0..=100.0).contains(p)), "percentages must be from 0 to 100: {percent:?}");
    let count = values.iter().filter(|v| !v.is_nan()).count();
    let Some(last) = count.checked_sub(1) else { return vec![f64::NAN; percent.len()] };
    let mut ranks: Vec<usize> = percent
        .iter()
        .flat_map(|p| {
            let position = p / 100.0 * last as f64;
            [position.floor() as usize, position.ceil() as usize]
        })
        .collect();
    ranks.sort_unstable();
    ranks.dedup();
    let found = at_ranks(values, &ranks);
    let value_at = |rank: usize| ranks.binary_search(&rank).map_or(f64::NAN, |n| f64::from(found[n]));
    percent
        .iter()
        .map(|p| {
            let position = p / 100.0 * last as f64;
            let (below, above) = (value_at(position.floor() as usize), value_at(position.ceil() as usize));
            let fraction = position - position.floor();
            if fraction == 0.0 { below } else { below + (above - below) * fraction }
        })
        .collect()
}

/// Below this many values a histogram does not pay.
const LARGE: usize = 1 << 14;
const BINS: usize = 1 << 12;

/// The values at ranks (ascending, each once, below the number of values that are not NaN) in the order of [`f32::total_cmp`].
fn at_ranks(values: &[f32], ranks: &[usize]) -> Vec<f32> {
    if values.len() < LARGE {
        let mut keys: Vec<i32> = values.iter().filter(|v| !v.is_nan()).map(|&v| key(v)).collect();
        return select(&mut keys, ranks, 0);
    }
    // Bins of equal width where most of the values are; each value of a lower bin is below all of a higher one.
    let mut sample: Vec<f32> = values.iter().copied().step_by(values.len() / 1000).filter(|v| v.is_finite()).collect();
    sample.sort_unstable_by(f32::total_cmp);
    let (low, high) = match sample.as_slice() {
        [] => (0.0, 0.0),
        s => (s[s.len() / 100], s[s.len() - 1 - s.len() / 100]),
    };
    let width = f64::from(high) - f64::from(low);
    let scale = if width > 0.0 { ((BINS - 2) as f64 / width) as f32 } else { 0.0 };
    if !(scale > 0.0 && scale.is_finite() && (high - low).is_finite()) {
        let mut keys: Vec<i32> = values.iter().filter(|v| !v.is_nan()).map(|&v| key(v)).collect();
        return select(&mut keys, ranks, 0);
    }
    // Rounding is monotonic, and so is the conversion, which ends at 0 and at the largest integer.
    let bin = |v: f32| (((v - low) * scale) as i32).saturating_add(1).clamp(0, BINS as i32 - 1) as usize;
    let mut counts = vec![0usize; BINS + 1];
    values.iter().filter(|v| !v.is_nan()).for_each(|&v| counts[bin(v) + 1] += 1);
    for n in 0..BINS {
        counts[n + 1] += counts[n];
    }
    let mut wanted = vec![false; BINS];
    ranks.iter().for_each(|r| wanted[counts.partition_point(|c| c <= r) - 1] = true);
    let mut bins: Vec<(usize, Vec<i32>)> =
        (0..BINS).filter(|b| wanted[*b]).map(|b| (b, Vec::with_capacity(counts[b + 1] - counts[b]))).collect();
    let mut place = vec![0u16; BINS];
    bins.iter().enumerate().for_each(|(n, (b, _))| place[*b] = n as u16);
    for &v in values.iter().filter(|v| !v.is_nan()) {
        let b = bin(v);
        if wanted[b] {
            bins[usize::from(place[b])].1.push(key(v));
        }
    }
    let mut found = Vec::with_capacity(ranks.len());
    for (b, keys) in &mut bins {
        let inside: Vec<usize> = ranks.iter().copied().filter(|r| (counts[*b]..counts[*b + 1]).contains(r)).collect();
        found.extend(select(keys, &inside, counts[*b]));
    }
    found
}

/// The values at ranks, of which those below `first` are not among the keys.
fn select(keys: &mut [i32], ranks: &[usize], first: usize) -> Vec<f32> {
    // Each selection leaves everything above its rank to the right, where the next one looks.
    let mut start = 0;
    for &rank in ranks {
        keys[start..].select_nth_unstable(rank - first - start);
        start = rank - first + 1;
    }
    ranks.iter().map(|rank| value_of(keys[rank - first])).collect()
}

/// One percentile (0 to 100) of the values that are not NaN; NaN when there are none. See [`percentiles`].
pub fn percentile(values: &[f32], percent: f64) -> f64 {
    percentiles(values, &[percent])[0]
}

/// Median of the values that are not NaN; NaN when there are none.
pub fn median(values: &[f32]) -> f64 {
    if values.len() < LARGE {
        return median_in_place(&mut values.to_vec());
    }
    match values.iter().filter(|v| !v.is_nan()).count() {
        0 => f64::NAN,
        n if n % 2 == 1 => f64::from(at_ranks(values, &[n / 2])[0]),
        n => {
            let found = at_ranks(values, &[n / 2 - 1, n / 2]);
            0.5 * (f64::from(found[0]) + f64::from(found[1]))
        }
    }
}

/// As [`median`], without a copy: the slice is reordered.
pub fn median_in_place(values: &mut [f32]) -> f64 {
    let mut n = 0;
    for i in 0..values.len() {
        if !values[i].is_nan() {
            values.swap(i, n);
            n += 1;
        }
    }
    let values = &mut values[..n];
    if n == 0 {
        return f64::NAN;
    }
    if n <= SMALL {
        insertion_sort(values);
        return median_sorted(values);
    }
    let (below, middle, _) = values.select_nth_unstable_by(n / 2, f32::total_cmp);
    let middle = f64::from(*middle);
    if n % 2 == 1 {
        middle
    } else {
        let lower = below.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        0.5 * (f64::from(lower) + middle)
    }
}

/// The median of each place over several rows of equal length, NaN left out.
///
/// # Panics
/// If a row is shorter than the first.
pub fn medians_of_each(rows: &[Vec<f32>]) -> Vec<f32> {
    let mut medians = vec![f32::NAN; rows.first().map_or(0, Vec::len)];
    let network = Network::median(rows.len().min(LARGEST_NETWORK));
    let mut lanes: Vec<Lanes> = vec![[0.0; LANES]; rows.len()];
    let mut centre: Lanes = [0.0; LANES];
    let mut values = vec![0.0; rows.len()];
    for (n, out) in medians.chunks_mut(LANES).enumerate() {
        let part = n * LANES..n * LANES + out.len();
        for (lane, row) in lanes.iter_mut().zip(rows) {
            lane[..out.len()].copy_from_slice(&row[part.clone()]);
        }
        if rows.len() <= LARGEST_NETWORK && !lanes.iter().flatten().fold(false, |any, v| any | v.is_nan()) {
            network.medians(&mut lanes, &mut centre);
            out.copy_from_slice(&centre[..out.len()]);
            continue;
        }
        for (k, out) in out.iter_mut().enumerate() {
            values.iter_mut().zip(&lanes).for_each(|(v, lane)| *v = lane[k]);
            *out = median_in_place(&mut values) as f32;
        }
    }
    medians
}

/// Median of values in ascending order, without NaN; NaN when there are none.
pub(crate) fn median_sorted(values: &[f32]) -> f64 {
    let n = values.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => f64::from(values[n / 2]),
        _ => 0.5 * (f64::from(values[n / 2 - 1]) + f64::from(values[n / 2])),
    }
}

fn insertion_sort(values: &mut [f32]) {
    for i in 1..values.len() {
        let value = values[i];
        let mut j = i;
        while j > 0 && values[j - 1] > value {
            values[j] = values[j - 1];
            j -= 1;
        }
        values[j] = value;
    }
}

/// Robust standard deviation: 0.7413 times the interquartile range of the values that are not NaN.
pub fn robust_sigma(values: &[f32]) -> f64 {
    let quartiles = percentiles(values, &[25.0, 75.0]);
    IQR_TO_SIGMA * (quartiles[1] - quartiles[0])
}

/// Standard deviation from the median absolute deviation from the median ([`MAD_TO_SIGMA`] included) of the values that are not
/// NaN.
pub fn mad(values: &[f32]) -> f64 {
    let mut scratch = values.to_vec();
    let centre = median_in_place(&mut scratch);
    scratch.iter_mut().for_each(|v| *v = (f64::from(*v) - centre).abs() as f32);
    MAD_TO_SIGMA * median_in_place(&mut scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_rows_are_those_of_the_columns() {
        let mut rows: Vec<Vec<f32>> = (0..5_u32).map(|n| (0..150_u32).map(|x| ((x * 7 + n * 13) % 31) as f32).collect()).collect();
        rows[2][70] = f32::NAN;
        for (x, found) in medians_of_each(&rows).into_iter().enumerate() {
            assert_eq!(found, median(&rows.iter().map(|r| r[x]).collect::<Vec<_>>()) as f32, "{x}");
        }
        assert!(medians_of_each(&[]).is_empty());
    }

    #[test]
    fn many_values_are_ordered_as_by_sorting() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        let mut narrow: Vec<f32> = (0..60_001).map(|_| 300.0 + rng.random_range(-5.0..5.0_f32)).collect();
        narrow.extend([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 0.0, -0.0]);
        let whole: Vec<f32> = (0..40_000).map(|_| rng.random_range(0..300) as f32).collect();
        let wide: Vec<f32> = (0..40_000).map(|_| f32::from_bits(rng.random::<u32>())).collect();
        for values in [narrow, whole, wide, vec![7.0; 30_000], vec![f32::NAN; 30_000]] {
            let mut sorted: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let ranks: Vec<usize> = (0..sorted.len()).step_by(977).collect();
            let expected: Vec<u32> = ranks.iter().map(|r| sorted[*r].to_bits()).collect();
            let found: Vec<u32> = if ranks.is_empty() { vec![] } else { at_ranks(&values, &ranks).iter().map(|v| v.to_bits()).collect() };
            assert_eq!(found, expected);
            let middle = median_sorted(&sorted);
            assert!(median(&values) == middle || middle.is_nan());
        }
    }
    use proptest::prelude::*;

    #[test]
    fn percentiles_interpolate_as_numpy_does() {
        // numpy.percentile([1, 2, 3, 4, 10], [0, 10, 25, 50, 75, 97.5, 100])
        let found = percentiles(&[10.0, 3.0, 1.0, 4.0, 2.0], &[0.0, 10.0, 25.0, 50.0, 75.0, 97.5, 100.0]);
        for (found, expected) in found.iter().zip([1.0, 1.4, 2.0, 3.0, 4.0, 9.4, 10.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }

    #[test]
    fn no_values_give_nan() {
        assert!(median(&[]).is_nan() && median(&[f32::NAN]).is_nan() && percentile(&[f32::NAN], 50.0).is_nan());
        assert!(mad(&[]).is_nan() && robust_sigma(&[]).is_nan());
    }

    proptest! {
        #[test]
        fn selection_equals_sorting(mut values in prop::collection::vec(-1e6f32..1e6, 1..200), percent in 0.0..100.0f64, gaps in 0usize..5) {
            let clean = { let mut v = values.clone(); v.sort_by(f32::total_cmp); v };
            for i in 0..gaps { values.insert((i * 7) % (values.len() + 1), f32::NAN); }
            prop_assert_eq!(median(&values), median_sorted(&clean));
            let position = percent / 100.0 * (clean.len() - 1) as f64;
            let (a, b) = (f64::from(clean[position.floor() as usize]), f64::from(clean[position.ceil() as usize]));
            prop_assert!((percentile(&values, percent) - (a + (b - a) * position.fract())).abs() < 1e-6);
        }

        #[test]
        fn keys_keep_order_and_value(a: f32, b: f32) {
            prop_assert_eq!(value_of(key(a)).to_bits(), a.to_bits());
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
        }
    }
}
