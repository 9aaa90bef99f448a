//! Median filters of images.
//!
//! Windows of up to 25 pixels go through sorting networks, [`LANES`] pixels at once. Larger ones work in blocks: the pixels a
//! block's windows touch are ranked once, a window is a set of bits over the ranks, and the median's rank is followed as pixels
//! enter and leave (the scheme of Suomela 2014, arXiv:1406.1717; the moving pointer is Huang, Yang & Tang 1979, IEEE Trans. ASSP
//! 27, 13). The cost per pixel then grows with the side of the window, not its area.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::Edge;
use crate::network::{LANES, Lanes, Network};
use crate::statistics::median_in_place;

/// Median over a window of `(rows, columns)`, both odd, centred on each pixel. NaN pixels do not count; NaN where no pixel is left.
///
/// # Panics
/// If a side of the window is even.
pub fn median_filter(data: ArrayView2<f32>, window: (usize, usize), edge: Edge) -> Array2<f32> {
    assert!(window.0 % 2 == 1 && window.1 % 2 == 1, "the sides of the window must be odd: {window:?}");
    let shape = data.dim();
    let mut out = Array2::zeros(shape);
    if shape.0 == 0 || shape.1 == 0 {
        return out;
    }
    let source = padded(data, (window.0 / 2, window.1 / 2), edge);
    if window.0 * window.1 <= 25 {
        let network = Network::median(window.0 * window.1);
        let rows = out.as_slice_mut().expect("a new array is contiguous").par_chunks_mut(shape.1);
        rows.enumerate().for_each(|(y, row)| network_row(&network, &source, window, y, row));
    } else {
        const BLOCK_ROWS: usize = 64;
        let strips = out.as_slice_mut().expect("a new array is contiguous").par_chunks_mut(shape.1 * BLOCK_ROWS);
        strips.enumerate().for_each(|(i, strip)| ranked_strip(&source, window, i * BLOCK_ROWS, shape.1, strip));
    }
    out
}

/// The data with a border of `by` (rows, columns) on each side.
fn padded(data: ArrayView2<f32>, by: (usize, usize), edge: Edge) -> Array2<f32> {
    let (rows, columns) = data.dim();
    let mut out = Array2::from_elem((rows + 2 * by.0, columns + 2 * by.1), edge.outside());
    for (y, mut row) in out.rows_mut().into_iter().enumerate() {
        let Some(from) = edge.index(y as isize - by.0 as isize, rows) else { continue };
        let from = data.row(from);
        for (x, to) in row.iter_mut().enumerate() {
            if x >= by.1 && x < by.1 + columns {
                *to = from[x - by.1];
            } else if let Some(x) = edge.index(x as isize - by.1 as isize, columns) {
                *to = from[x];
            }
        }
    }
    out
}

fn network_row(network: &Network, source: &Array2<f32>, window: (usize, usize), y: usize, out: &mut [f32]) {
    let width = source.dim().1;
    let source = source.as_slice().expect("a padded copy is contiguous");
    let mut lanes: Vec<Lanes> = vec![[0.0; LANES]; window.0 * window.1];
    let mut medians = [0.0; LANES];
    let mut values = Vec::new();
    for (chunk, out) in out.chunks_mut(LANES).enumerate() {
        let x = chunk * LANES;
        let mut missing = 0;
        for (i, lane) in lanes.iter_mut().enumerate() {
            let start = (y + i / window.1) * width + x + i % window.1;
            let part = &source[start..start + out.len()];
            lane[..out.len()].copy_from_slice(part);
            missing |= part.iter().fold(0, |bits, v| bits | u32::from(v.is_nan()));
        }
        if missing == 0 {
            network.medians(&mut lanes, &mut medians);
            out.copy_from_slice(&medians[..out.len()]);
        } else {
            for (i, out) in out.iter_mut().enumerate() {
                values.clear();
                values.extend(lanes.iter().map(|lane| lane[i]));
                *out = median_in_place(&mut values) as f32;
            }
        }
    }
}

/// A set of ranks as bits, with a pointer that follows the median.
struct BitSet {
    words: Vec<u64>,
    /// Number of bits set in words before `word`.
    below: usize,
    word: usize,
    count: usize,
}

impl BitSet {
    fn new(size: usize) -> Self {
        BitSet { words: vec![0; size / 64 + 1], below: 0, word: 0, count: 0 }
    }

    fn add(&mut self, rank: u32) {
        let word = rank as usize / 64;
        self.words[word] |= 1 << (rank % 64);
        self.below += usize::from(word < self.word);
        self.count += 1;
    }

    fn remove(&mut self, rank: u32) {
        let word = rank as usize / 64;
        self.words[word] &= !(1 << (rank % 64));
        self.below -= usize::from(word < self.word);
        self.count -= 1;
    }

    /// The k-th smallest rank, `k < count`.
    fn kth(&mut self, k: usize) -> usize {
        while self.below > k {
            self.word -= 1;
            self.below -= self.words[self.word].count_ones() as usize;
        }
        loop {
            let here = self.words[self.word].count_ones() as usize;
            if self.below + here > k {
                break;
            }
            self.below += here;
            self.word += 1;
        }
        let mut bits = self.words[self.word];
        for _ in self.below..k {
            bits &= bits - 1;
        }
        self.word * 64 + bits.trailing_zeros() as usize
    }
}

const NO_RANK: u32 = u32::MAX;

/// Medians of the rows from `first` on that fit in `out`, `columns` wide, in blocks of columns.
fn ranked_strip(source: &Array2<f32>, window: (usize, usize), first: usize, columns: usize, out: &mut [f32]) {
    let rows = out.len() / columns;
    let block = 64.max(2 * window.1);
    for left in (0..columns).step_by(block) {
        let width = block.min(columns - left);
        ranked_block(source, window, (first, left), (rows, width), columns, out);
    }
}

fn ranked_block(
    source: &Array2<f32>,
    window: (usize, usize),
    corner: (usize, usize),
    shape: (usize, usize),
    columns: usize,
    out: &mut [f32],
) {
    let (height, width) = (shape.0 + window.0 - 1, shape.1 + window.1 - 1);
    let part = source.slice(ndarray::s![corner.0..corner.0 + height, corner.1..corner.1 + width]);
    // Sorting one integer, value above and position below, is faster than sorting positions by value.
    let mut keys: Vec<u64> = part
        .iter()
        .enumerate()
        .filter(|(_, v)| !v.is_nan())
        .map(|(i, &v)| {
            let bits = v.to_bits();
            let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
            u64::from(ordered) << 32 | i as u64
        })
        .collect();
    keys.sort_unstable();
    let mut ranks = vec![NO_RANK; height * width];
    keys.iter().enumerate().for_each(|(rank, key)| ranks[(key & 0xffff_ffff) as usize] = rank as u32);
    let value = |rank: usize| -> f32 {
        let ordered = (keys[rank] >> 32) as u32;
        f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
    };
    let mut set = BitSet::new(keys.len());
    let (mut x, mut right) = (0, true);
    for row in &ranks.chunks(width).take(window.0).collect::<Vec<_>>() {
        row[..window.1].iter().filter(|&&r| r != NO_RANK).for_each(|&r| set.add(r));
    }
    // The window goes to and fro, so that it always moves by one pixel.
    for y in 0..shape.0 {
        loop {
            let n = set.count;
            out[y * columns + corner.1 + x] = match n {
                0 => f32::NAN,
                _ if n % 2 == 1 => value(set.kth(n / 2)),
                _ => (0.5 * (f64::from(value(set.kth(n / 2 - 1))) + f64::from(value(set.kth(n / 2))))) as f32,
            };
            if if right { x + 1 == shape.1 } else { x == 0 } {
                break;
            }
            let (leaving, entering) = if right { (x, x + window.1) } else { (x + window.1 - 1, x - 1) };
            for row in y..y + window.0 {
                let (gone, new) = (ranks[row * width + leaving], ranks[row * width + entering]);
                if gone != NO_RANK {
                    set.remove(gone);
                }
                if new != NO_RANK {
                    set.add(new);
                }
            }
            x = if right { x + 1 } else { x - 1 };
        }
        right = !right;
        if y + 1 < shape.0 {
            for column in x..x + window.1 {
                let (gone, new) = (ranks[y * width + column], ranks[(y + window.0) * width + column]);
                if gone != NO_RANK {
                    set.remove(gone);
                }
                if new != NO_RANK {
                    set.add(new);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::median;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn equals_the_median_of_each_window(seed in any::<u64>(), rows in 1usize..90, columns in 1usize..150, half_y in 0usize..6, half_x in 0usize..6, edge in 0usize..4, gaps in any::<bool>()) {
            let edge = [Edge::Reflect, Edge::Nearest, Edge::Zero, Edge::Ignore][edge];
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let data = Array2::from_shape_simple_fn((rows, columns), || {
                if gaps && rng.random_bool(0.1) { f32::NAN } else { rng.random_range(-100..100) as f32 }
            });
            let found = median_filter(data.view(), (2 * half_y + 1, 2 * half_x + 1), edge);
            for ((y, x), found) in found.indexed_iter().step_by(17) {
                let mut window = Vec::new();
                for v in y as isize - half_y as isize..=(y + half_y) as isize {
                    for u in x as isize - half_x as isize..=(x + half_x) as isize {
                        window.push(match (edge.index(v, rows), edge.index(u, columns)) {
                            (Some(v), Some(u)) => data[[v, u]],
                            _ => edge.outside(),
                        });
                    }
                }
                let expected = median(&window) as f32;
                prop_assert!(*found == expected || (found.is_nan() && expected.is_nan()), "{} {}: {} {}", y, x, found, expected);
            }
        }
    }
}
