//! Running median of a sequence, in O(log w) per sample for a window of w.
//!
//! The sequence is cut into blocks about as long as the window. The samples a block's windows touch are ranked once by sorting; a
//! window is then a set of ranks in a Fenwick tree (Fenwick 1994, Software: Practice and Experience 24, 327), where adding,
//! removing and finding the k-th are logarithmic. (That sorting blocks is the natural way to medians: Suomela 2014,
//! arXiv:1406.1717.)

use rayon::prelude::*;

use super::Edge;

/// Running median over `window` samples centred on each (an even window reaches one further to the left), NaN left out; NaN where
/// no sample is left. The same length as `values`.
///
/// # Panics
/// If the window is 0.
pub fn running_median(values: &[f32], window: usize, edge: Edge) -> Vec<f32> {
    assert!(window > 0, "a window has at least one sample");
    let block = window.max(256);
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(block).enumerate().for_each(|(i, out)| block_medians(values, i * block, window, edge, out));
    out
}

fn block_medians(values: &[f32], first: usize, window: usize, edge: Edge, out: &mut [f32]) {
    let left = window / 2;
    let count = out.len() + window - 1;
    let samples: Vec<f32> =
        (0..count).map(|i| edge.index((first + i) as isize - left as isize, values.len()).map_or(edge.outside(), |j| values[j])).collect();
    let mut order: Vec<u32> = (0..count as u32).filter(|&i| !samples[i as usize].is_nan()).collect();
    order.sort_unstable_by(|&a, &b| samples[a as usize].total_cmp(&samples[b as usize]).then(a.cmp(&b)));
    let mut rank = vec![u32::MAX; count];
    order.iter().enumerate().for_each(|(r, &i)| rank[i as usize] = r as u32);
    let mut tree = RankSet::new(order.len());
    let value = |k: usize, tree: &RankSet| samples[order[tree.kth(k)] as usize];
    rank[..window - 1].iter().for_each(|&r| tree.change(r, 1));
    for (i, out) in out.iter_mut().enumerate() {
        tree.change(rank[i + window - 1], 1);
        let n = tree.count;
        *out = match n {
            0 => f32::NAN,
            _ if n % 2 == 1 => value(n / 2, &tree),
            _ => (0.5 * (f64::from(value(n / 2 - 1, &tree)) + f64::from(value(n / 2, &tree)))) as f32,
        };
        tree.change(rank[i], -1);
    }
}

/// A set of ranks: a Fenwick tree of counts.
struct RankSet {
    sums: Vec<i32>,
    count: usize,
    top: usize,
}

impl RankSet {
    fn new(size: usize) -> Self {
        RankSet { sums: vec![0; size + 1], count: 0, top: (size + 1).next_power_of_two() / 2 }
    }

    /// Adds (1) or removes (-1) a rank; `u32::MAX` stands for a sample that does not count.
    fn change(&mut self, rank: u32, by: i32) {
        if rank == u32::MAX {
            return;
        }
        self.count = self.count.wrapping_add_signed(by as isize);
        let mut i = rank as usize + 1;
        while i < self.sums.len() {
            self.sums[i] += by;
            i += i & i.wrapping_neg();
        }
    }

    /// The k-th smallest rank in the set, from 0.
    fn kth(&self, k: usize) -> usize {
        let (mut position, mut rest, mut step) = (0, k as i32, self.top.max(1));
        while step > 0 {
            let next = position + step;
            if next < self.sums.len() && self.sums[next] <= rest {
                rest -= self.sums[next];
                position = next;
            }
            step /= 2;
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::median;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_median_of_each_window(mut values in prop::collection::vec(-50i32..50, 1..700), window in 1usize..90, edge in 0usize..4, gaps in any::<bool>()) {
            let edge = [Edge::Reflect, Edge::Nearest, Edge::Zero, Edge::Ignore][edge];
            let mut values: Vec<f32> = values.drain(..).map(|v| v as f32).collect();
            if gaps { values.iter_mut().step_by(7).for_each(|v| *v = f32::NAN); }
            let found = running_median(&values, window, edge);
            for (i, found) in found.iter().enumerate() {
                let start = i as isize - (window / 2) as isize;
                let samples: Vec<f32> = (start..start + window as isize)
                    .map(|j| edge.index(j, values.len()).map_or(edge.outside(), |j| values[j])).collect();
                let expected = median(&samples) as f32;
                prop_assert!(*found == expected || (found.is_nan() && expected.is_nan()), "{} {} {}", i, found, expected);
            }
        }
    }
}
