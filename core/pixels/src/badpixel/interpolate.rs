//! Interpolation over bad pixels.

use ndarray::Array2;

use crate::Image;

/// Half side of the square in which neighbours are looked for.
const REACH: isize = 4;

/// Replaces all pixels with any of `bits`, and NaN pixels, as [`interpolate_at`] does. Returns the number of pixels replaced.
pub fn interpolate(image: &mut Image, bits: u32) -> usize {
    let is_bad = |p: (usize, usize), q: u32| q & bits != 0 || !image.data[p].is_finite();
    let bad: Vec<(usize, usize)> = image.quality.indexed_iter().filter(|&(p, &q)| is_bad(p, q)).map(|(p, _)| p).collect();
    interpolate_at(image, &bad, bits)
}

/// Replaces the pixels at `places` (row, column) by a weighted mean of the good pixels within 4 pixels, those that are finite and have none of the bits
/// `unusable`, weights
/// `exp(-r^2 / 2)`: next neighbours decide, and a column is bridged from both sides. A plane is reproduced exactly where the good neighbours
/// lie symmetrically. The variance is that of the mean plus the weighted scatter of the neighbours beyond their noise plus their
/// mean variance, so it is never smaller than that of a measured pixel. Quality bits stay. Pixels with no good neighbour stay as
/// they are. Returns the number of pixels replaced.
pub fn interpolate_at(image: &mut Image, places: &[(usize, usize)], unusable: u32) -> usize {
    let (rows, columns) = image.shape();
    let good = |q: u32, v: f32| q & unusable == 0 && v.is_finite();
    let replacements: Vec<Option<(f32, f32)>> = places
        .iter()
        .map(|&(y, x)| {
            let mut sums = Sums::default();
            for dy in -REACH..=REACH {
                for dx in -REACH..=REACH {
                    let (v, u) = (y as isize + dy, x as isize + dx);
                    if v < 0 || u < 0 || v >= rows as isize || u >= columns as isize {
                        continue;
                    }
                    let place = [v as usize, u as usize];
                    if good(image.quality[place], image.data[place]) {
                        let weight = (-0.5 * (dy * dy + dx * dx) as f64).exp();
                        sums.add(f64::from(image.data[place]), f64::from(image.variance[place]), weight);
                    }
                }
            }
            sums.result()
        })
        .collect();
    let mut replaced = 0;
    for (&(y, x), new) in places.iter().zip(replacements) {
        if let Some((value, variance)) = new {
            (image.data[[y, x]], image.variance[[y, x]]) = (value, variance);
            replaced += 1;
        }
    }
    replaced
}

#[derive(Default)]
struct Sums {
    weight: f64,
    square_weight_variance: f64,
    value: f64,
    square: f64,
    variance: f64,
    shift: Option<f64>,
}

impl Sums {
    fn add(&mut self, value: f64, variance: f64, weight: f64) {
        // About the first value, so that squares do not cancel.
        let value = value - *self.shift.get_or_insert(value);
        self.weight += weight;
        self.value += weight * value;
        self.square += weight * value * value;
        self.variance += weight * variance;
        self.square_weight_variance += weight * weight * variance;
    }

    fn result(&self) -> Option<(f32, f32)> {
        let shift = self.shift?;
        let mean = self.value / self.weight;
        let variance = self.variance / self.weight;
        let structure = (self.square / self.weight - mean * mean - variance).max(0.0);
        let total = variance + structure + self.square_weight_variance / (self.weight * self.weight);
        Some(((mean + shift) as f32, total as f32))
    }
}

/// The pixels of `map` joined into the quality of an image of the same shape.
///
/// # Panics
/// If the shapes differ.
pub fn mark(image: &mut Image, map: &Array2<u32>) {
    ndarray::Zip::from(&mut image.quality).and(map).for_each(|q, &bits| *q |= bits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::quality;
    use crate::statistics::Moments;
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn interpolated_values_lie_within_their_errors() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        let truth = |y: usize, x: usize| 500.0 + 0.7 * x as f64 - 0.3 * y as f64;
        let data = Array2::from_shape_fn((150, 150), |(y, x)| {
            let z: f64 = StandardNormal.sample(&mut rng);
            (truth(y, x) + 4.0 * z) as f32
        });
        let mut image = Image::new(data, 16.0);
        let mut map = Array2::zeros((150, 150));
        map.column_mut(70).fill(quality::DEFECT);
        (0..400).for_each(|_| map[[rng.random_range(0..150), rng.random_range(0..150)]] = quality::DEAD);
        ndarray::Zip::from(&mut image.data).and(&map).for_each(|v, &q| {
            if q != 0 {
                *v = f32::NAN;
            }
        });
        mark(&mut image, &map);
        let count = map.iter().filter(|q| **q != 0).count();
        assert_eq!(interpolate(&mut image, quality::DEFECT | quality::DEAD), count);
        let pulls: Moments = map
            .indexed_iter()
            .filter(|(_, q)| **q != 0)
            .map(|((y, x), _)| (f64::from(image.data[[y, x]]) - truth(y, x)) / f64::from(image.variance[[y, x]]).sqrt())
            .collect();
        assert!(pulls.std() < 1.0 && pulls.mean().abs() < 0.2, "{} {}", pulls.std(), pulls.mean());
        assert!(image.data.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn without_neighbours_nothing_happens() {
        let mut image = Image::new(Array2::from_elem((3, 3), f32::NAN), 1.0);
        assert_eq!(interpolate(&mut image, quality::MISSING), 0);
    }
}
