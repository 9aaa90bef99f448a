//! Cosmic rays in a single image, by the Laplacian of the image on a grid of half the pixel size.
//!
//! Method: van Dokkum (2001, PASP 113, 1420). A pixel is struck where the Laplacian, in units of the noise and without its local median, is
//! above a limit, and where it is large against the fine structure of the image, which tells cosmic rays from well-sampled
//! stars. The costly medians are taken only where the Laplacian alone is above the limit. Struck pixels get the median of
//! their good neighbours and the flag [`quality::COSMIC_RAY`].

use ifured_pixels::statistics::median_in_place;
use ifured_pixels::{Image, quality};
use ndarray::Array2;

/// Passes over the image; each finds what the replacement of the brighter pixels laid bare.
const MAX_PASSES: usize = 4;
/// Neighbours of struck pixels count from this fraction of the limit on.
const NEIGHBOUR_FRACTION: f32 = 0.5;
const UNUSABLE: u32 = quality::MISSING
    | quality::OUTSIDE
    | quality::DEAD
    | quality::HOT
    | quality::SATURATED_CONVERTER
    | quality::SATURATED_WELL
    | quality::LOW_SENSITIVITY;

/// Limits of the search.
#[derive(Clone, Copy, Debug)]
pub struct CosmicRays {
    /// Limit in units of the noise.
    pub sigma: f64,
    /// Smallest ratio of the Laplacian to the fine structure.
    pub contrast: f64,
}

/// Finds and removes cosmic rays; says how many pixels were struck. Unusable pixels are neither searched nor used.
pub fn remove_cosmic_rays(image: &mut Image, limits: &CosmicRays) -> usize {
    let mut struck = Array2::from_elem(image.shape(), false);
    let mut search: Option<Vec<(usize, usize)>> = None;
    for _ in 0..MAX_PASSES {
        let found = Pass { image, limits }.find(search.as_deref());
        let new: Vec<_> = found.into_iter().filter(|at| !struck[*at]).collect();
        if new.is_empty() {
            break;
        }
        for at in &new {
            struck[*at] = true;
            image.quality[*at] |= quality::COSMIC_RAY;
        }
        replace(image, &new);
        search = Some(surroundings(&new, image.shape()));
    }
    struck.iter().filter(|s| **s).count()
}

/// Pixels within 3 of the given ones, each once, in the order of the image.
fn surroundings(pixels: &[(usize, usize)], (rows, columns): (usize, usize)) -> Vec<(usize, usize)> {
    let mut all: Vec<(usize, usize)> = pixels
        .iter()
        .flat_map(|&(y, x)| {
            let across = move |b: usize| (x.saturating_sub(3)..(x + 4).min(columns)).map(move |a| (b, a));
            (y.saturating_sub(3)..(y + 4).min(rows)).flat_map(across)
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The median of the good pixels around, with their scatter as variance.
fn replace(image: &mut Image, pixels: &[(usize, usize)]) {
    let estimates: Vec<Option<(f32, f32)>> = pixels
        .iter()
        .map(|&at| {
            let good = |q: u32| q & (UNUSABLE | quality::COSMIC_RAY) == 0;
            let mut values = around(image, at, 2, good);
            if values.is_empty() {
                values = around(image, at, 4, good);
            }
            if values.is_empty() {
                return None;
            }
            let centre = median_in_place(&mut values);
            let scatter = values.iter().map(|v| (f64::from(*v) - centre).powi(2)).sum::<f64>() / values.len() as f64;
            Some((centre as f32, scatter as f32))
        })
        .collect();
    for (at, estimate) in pixels.iter().zip(estimates) {
        if let Some((value, scatter)) = estimate {
            image.data[*at] = value;
            image.variance[*at] = scatter.max(f32::MIN_POSITIVE);
        }
    }
}

/// Values of usable pixels within `half` of a place.
fn around(image: &Image, (y, x): (usize, usize), half: usize, usable: impl Fn(u32) -> bool) -> Vec<f32> {
    let (rows, columns) = image.shape();
    let mut values = Vec::with_capacity((2 * half + 1) * (2 * half + 1));
    for b in y.saturating_sub(half)..(y + half + 1).min(rows) {
        for a in x.saturating_sub(half)..(x + half + 1).min(columns) {
            if usable(image.quality[[b, a]]) && image.data[[b, a]].is_finite() {
                values.push(image.data[[b, a]]);
            }
        }
    }
    values
}

struct Pass<'a> {
    image: &'a Image,
    limits: &'a CosmicRays,
}

impl Pass<'_> {
    /// Struck pixels, in the whole image or among the given places.
    fn find(&self, places: Option<&[(usize, usize)]>) -> Vec<(usize, usize)> {
        let (rows, columns) = self.image.shape();
        let limit = self.limits.sigma as f32;
        let mut candidates = Vec::new();
        let mut test = |y: usize, x: usize| {
            if self.significance(y, x) > limit {
                candidates.push((y, x));
            }
        };
        match places {
            Some(places) => places.iter().for_each(|&(y, x)| test(y, x)),
            None => (0..rows).for_each(|y| (0..columns).for_each(|x| test(y, x))),
        }
        let seeds: Vec<_> = candidates.into_iter().filter(|&at| self.is_struck(at, limit)).collect();
        let mut all = seeds.clone();
        for &(y, x) in &seeds {
            for b in y.saturating_sub(1)..(y + 2).min(rows) {
                for a in x.saturating_sub(1)..(x + 2).min(columns) {
                    if (b, a) != (y, x)
                        && self.significance(b, a) > NEIGHBOUR_FRACTION * limit
                        && self.is_struck((b, a), NEIGHBOUR_FRACTION * limit)
                    {
                        all.push((b, a));
                    }
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Value of a pixel for a neighbour: the pixel's own value stands in for what cannot be used.
    fn value(&self, y: isize, x: isize, own: f32) -> f32 {
        let (rows, columns) = self.image.shape();
        if y < 0 || x < 0 || y >= rows as isize || x >= columns as isize {
            return own;
        }
        let at = [y as usize, x as usize];
        let v = self.image.data[at];
        if self.image.quality[at] & (quality::MISSING | quality::OUTSIDE) != 0 || !v.is_finite() { own } else { v }
    }

    /// The Laplacian: mean over the four quarters of a pixel of the positive part of `2 v - (neighbour in x) - (neighbour in y)`.
    fn laplacian(&self, y: usize, x: usize) -> f32 {
        let own = self.image.data[[y, x]];
        let (y, x) = (y as isize, x as isize);
        let (left, right) = (self.value(y, x - 1, own), self.value(y, x + 1, own));
        let (below, above) = (self.value(y - 1, x, own), self.value(y + 1, x, own));
        let quarter = |a: f32, b: f32| (2.0 * own - a - b).max(0.0);
        0.25 * (quarter(left, below) + quarter(right, below) + quarter(left, above) + quarter(right, above))
    }

    /// Laplacian in units of the noise of the quietest neighbour, which the ray has not struck.
    fn significance(&self, y: usize, x: usize) -> f32 {
        if self.image.quality[[y, x]] & (UNUSABLE | quality::COSMIC_RAY) != 0 {
            return 0.0;
        }
        let laplacian = self.laplacian(y, x);
        if laplacian <= 0.0 {
            return 0.0;
        }
        let (rows, columns) = self.image.shape();
        let mut variance = self.image.variance[[y, x]];
        for (b, a) in [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)] {
            if b < rows && a < columns && self.image.variance[[b, a]] > 0.0 {
                variance = variance.min(self.image.variance[[b, a]]);
            }
        }
        if variance > 0.0 { laplacian / (2.0 * variance.sqrt()) } else { 0.0 }
    }

    /// The two costly tests: above the local median of the significance, and sharper than the fine structure.
    fn is_struck(&self, (y, x): (usize, usize), limit: f32) -> bool {
        let (rows, columns) = self.image.shape();
        let mut local = Vec::with_capacity(25);
        for b in y.saturating_sub(2)..(y + 3).min(rows) {
            for a in x.saturating_sub(2)..(x + 3).min(columns) {
                local.push(self.significance(b, a));
            }
        }
        let significance = self.significance(y, x) - median_in_place(&mut local) as f32;
        if significance <= limit {
            return false;
        }
        let noise = self.noise_around(y, x);
        let fine = (self.median3(y, x) - self.median7_of_3(y, x)).max(0.01 * noise);
        self.laplacian(y, x) > self.limits.contrast as f32 * fine
    }

    fn noise_around(&self, y: usize, x: usize) -> f32 {
        let (rows, columns) = self.image.shape();
        let mut variances = Vec::with_capacity(25);
        for b in y.saturating_sub(2)..(y + 3).min(rows) {
            for a in x.saturating_sub(2)..(x + 3).min(columns) {
                variances.push(self.image.variance[[b, a]]);
            }
        }
        (median_in_place(&mut variances) as f32).max(0.0).sqrt()
    }

    fn median3(&self, y: usize, x: usize) -> f32 {
        let mut values = around(self.image, (y, x), 1, |q| q & (quality::MISSING | quality::OUTSIDE) == 0);
        median_in_place(&mut values) as f32
    }

    fn median7_of_3(&self, y: usize, x: usize) -> f32 {
        let (rows, columns) = self.image.shape();
        let mut values = Vec::with_capacity(49);
        for b in y.saturating_sub(3)..(y + 4).min(rows) {
            for a in x.saturating_sub(3)..(x + 4).min(columns) {
                values.push(self.median3(b, a));
            }
        }
        median_in_place(&mut values) as f32
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, Normal};

    use super::*;

    #[test]
    fn rays_go_and_stars_stay() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
        let noise = Normal::new(0.0_f32, 15.0).unwrap();
        let n = 200;
        let mut data = Array2::from_shape_fn((n, n), |_| 400.0 + noise.sample(&mut rng));
        let sigma = 3.0_f32 / 2.3548;
        let stars: Vec<(f32, f32, f32)> = (0..40).map(|_| (rng.random_range(10.0..190.0), rng.random_range(10.0..190.0), rng.random_range(2e3..2e5))).collect();
        for ((y, x), v) in data.indexed_iter_mut() {
            for (sx, sy, flux) in &stars {
                let r2 = (x as f32 - sx).powi(2) + (y as f32 - sy).powi(2);
                *v += flux / (2.0 * std::f32::consts::PI * sigma * sigma) * (-0.5 * r2 / (sigma * sigma)).exp();
            }
        }
        let clean = data.clone();
        let mut rays = Vec::new();
        while rays.len() < 60 {
            let at = (rng.random_range(3..n - 3), rng.random_range(3..n - 3));
            if stars.iter().all(|s| (s.0 - at.1 as f32).hypot(s.1 - at.0 as f32) > 12.0) {
                data[at] += rng.random_range(300.0..5000.0);
                rays.push(at);
            }
        }
        let variance = data.mapv(|v| v / 2.3 + 49.0);
        let quality = Array2::zeros((n, n));
        let mut image = Image { data, variance, quality };
        let found = remove_cosmic_rays(&mut image, &CosmicRays { sigma: 5.0, contrast: 4.0 });
        let hit = rays.iter().filter(|at| image.quality[**at] & quality::COSMIC_RAY != 0).count();
        assert!(hit >= 59, "{hit} of {}", rays.len());
        assert!(found <= rays.len() + 4, "{found} pixels");
        assert!(rays.iter().all(|at| (image.data[*at] - clean[*at]).abs() < 80.0));
    }
}
