//! Sorting networks applied to many pixels at once.
//!
//! Batcher's odd-even merge sort (1968, AFIPS Proc. 32, 307) for any number of inputs, reduced to the comparators on which the
//! wanted outputs depend. A comparator is a minimum and a maximum over [`LANES`] neighbouring pixels, which the compiler turns into
//! vector instructions. Inputs must not be NaN.

/// Pixels handled together.
pub(crate) const LANES: usize = 64;

/// One value of each of [`LANES`] pixels.
pub(crate) type Lanes = [f32; LANES];

/// Comparators in the order they are applied.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    inputs: usize,
    pairs: Vec<(u16, u16)>,
}

impl Network {
    /// A network that puts the middle (odd) or the two middle (even) order statistics in place.
    pub(crate) fn median(inputs: usize) -> Self {
        let mut network = Self::sort(inputs);
        let mut wanted = vec![false; inputs];
        if inputs > 0 {
            wanted[inputs / 2] = true;
            wanted[(inputs - 1) / 2] = true;
        }
        let mut kept: Vec<(u16, u16)> = Vec::new();
        for &(a, b) in network.pairs.iter().rev() {
            if wanted[a as usize] || wanted[b as usize] {
                wanted[a as usize] = true;
                wanted[b as usize] = true;
                kept.push((a, b));
            }
        }
        kept.reverse();
        network.pairs = kept;
        network
    }

    /// A network that sorts ascending.
    pub(crate) fn sort(inputs: usize) -> Self {
        let mut pairs = Vec::new();
        let mut p = 1;
        while p < inputs {
            let mut k = p;
            while k >= 1 {
                let mut j = k % p;
                while j + k < inputs {
                    for i in 0..k.min(inputs - j - k) {
                        if (i + j) / (p * 2) == (i + j + k) / (p * 2) {
                            pairs.push(((i + j) as u16, (i + j + k) as u16));
                        }
                    }
                    j += 2 * k;
                }
                k /= 2;
            }
            p *= 2;
        }
        Network { inputs, pairs }
    }

    /// Applies the network to `inputs` rows of lanes.
    pub(crate) fn apply(&self, rows: &mut [Lanes]) {
        assert_eq!(rows.len(), self.inputs);
        for &(a, b) in &self.pairs {
            let (low, high) = rows.split_at_mut(b as usize);
            let (low, high) = (&mut low[a as usize], &mut high[0]);
            // Small arrays by value: written in place, the compiler makes conditional stores of these, ten times slower.
            for (low, high) in low.as_chunks_mut::<8>().0.iter_mut().zip(high.as_chunks_mut::<8>().0) {
                let (x, y) = (*low, *high);
                *low = std::array::from_fn(|i| if x[i] < y[i] { x[i] } else { y[i] });
                *high = std::array::from_fn(|i| if x[i] < y[i] { y[i] } else { x[i] });
            }
        }
    }

    /// Applies the network and writes the median of each lane.
    pub(crate) fn medians(&self, rows: &mut [Lanes], out: &mut Lanes) {
        self.apply(rows);
        let n = self.inputs;
        if n % 2 == 1 {
            *out = rows[n / 2];
        } else {
            let (a, b) = (&rows[n / 2 - 1], &rows[n / 2]);
            for lane in 0..LANES {
                out[lane] = (0.5 * (f64::from(a[lane]) + f64::from(b[lane]))) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::median;
    use rand::{Rng, SeedableRng};

    #[test]
    fn networks_sort_and_find_medians_for_all_sizes() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        for n in 1..=66 {
            let rows: Vec<Lanes> = (0..n).map(|_| std::array::from_fn(|_| rng.random_range(0..2 * n as i32) as f32)).collect();
            let (mut sorted, mut out) = (rows.clone(), [0.0; LANES]);
            Network::sort(n).apply(&mut sorted);
            assert!((1..n).all(|i| (0..LANES).all(|l| sorted[i - 1][l] <= sorted[i][l])), "{n}");
            Network::median(n).medians(&mut rows.clone(), &mut out);
            for lane in 0..LANES {
                let values: Vec<f32> = rows.iter().map(|r| r[lane]).collect();
                assert_eq!(out[lane], median(&values) as f32, "{n}");
            }
        }
    }
}
