//! Cosmic rays in single frames: L.A.Cosmic (van Dokkum 2001, PASP 113, 1420).
//!
//! A hit has sharper edges than anything the optics can make. The Laplacian of the frame subsampled by 2, negatives clipped and
//! binned back (section 3.1, eq. 6 to 9), is for a hit of one pixel its height `L`. A pixel is a hit when
//!
//! 1. `S' = (L - median5x5(L)) / N` exceeds `sigma_limit` (eq. 11 to 13), with the noise `N` of the *variance plane* (5x5 median,
//!    so that the hit's own photon noise does not hide it), and
//! 2. `L` exceeds `contrast` times the fine structure `F = M3 - median7x7(M3)`, `M3 = median3x3` (eq. 14), which is large on stars
//!    and small on hits.
//!
//! Neighbours of hits are hits already above `neighbour_limit` (they too must pass the contrast test, which protects the star under
//! a hit). Hits are replaced by a local median, and the surroundings of new hits are searched again until there are none.
//!
//! Differences from the paper, which do not change what it finds: `S'` is bounded by `L / N`, so medians are only worked out where
//! this exceeds the limit, and later passes look only near earlier hits. Pixels with bits of `exclude` are neither searched nor
//! used for medians; saturated ones keep their value as a lower limit in the Laplacian and the fine structure of their neighbours,
//! so that the rims of saturated stars are not taken for hits.
//!
//! Assumes a background-included, calibrated frame with honest variances, and stars of at least 2 pixels FWHM for the default
//! contrast.

mod local;
#[cfg(test)]
mod tests;

use ndarray::Array2;
use rayon::prelude::*;

use crate::Image;
use crate::image::quality;
use local::Local;

/// Choices of the search for cosmic rays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosmicOptions {
    /// Least height of a hit above its surroundings, in sigma of the variance plane.
    pub sigma_limit: f64,
    /// The same for neighbours of hits.
    pub neighbour_limit: f64,
    /// Least ratio of Laplacian and fine structure. Stars of 2 pixels FWHM reach 1.1, of 3 pixels 0.5.
    pub contrast: f64,
    /// Largest number of passes.
    pub max_iterations: usize,
    /// Pixels with any of these quality bits are not searched and not used.
    pub exclude: u32,
}

impl Default for CosmicOptions {
    /// 5 sigma, neighbours 2 sigma, contrast 2.5, up to 6 passes, all quality bits except "questionable" exclude.
    fn default() -> Self {
        CosmicOptions { sigma_limit: 5.0, neighbour_limit: 2.0, contrast: 2.5, max_iterations: 6, exclude: !quality::QUESTIONABLE }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct CosmicRays {
    /// True for pixels that were hit.
    pub mask: Array2<bool>,
    /// Number of pixels hit.
    pub pixels: usize,
    /// New pixels of each pass.
    pub per_iteration: Vec<usize>,
}

/// Bits whose pixels hold at least the value recorded.
const SATURATED: u32 = quality::SATURATED_WELL | quality::SATURATED_CONVERTER;

/// Finds hits, replaces them by the median of the nearest good pixels, sets [`quality::COSMIC_RAY`], and gives them a variance that
/// covers the noise of the pixel, the error of the median, and the structure around (a star under the hit).
///
/// *Accuracy* (tests; star fields with FWHM 2 and 3 pixels, saturated stars, tracks of 1 to 7 pixels of 300 to 9000 ADU, noise 10
/// to 20 ADU): more than 95 % of hit pixels found, less than 0.01 % of clean pixels touched.
pub fn remove_cosmic_rays(image: &mut Image, options: &CosmicOptions) -> CosmicRays {
    let (search, found) = search(image, options);
    for &index in &found.1 {
        let (value, variance) = search.replacement(index, image.variance.as_slice().unwrap_or(&[]));
        let (y, x) = (index / search.columns, index % search.columns);
        image.data[[y, x]] = value;
        image.variance[[y, x]] = variance;
        image.quality[[y, x]] |= quality::COSMIC_RAY;
    }
    found.0
}

/// Finds hits without changing the image.
pub fn find_cosmic_rays(image: &Image, options: &CosmicOptions) -> CosmicRays {
    let mut copy = Image { data: image.data.clone(), variance: image.variance.clone(), quality: image.quality.clone() };
    search(&mut copy, options).1.0
}

fn search(image: &mut Image, options: &CosmicOptions) -> (Local, (CosmicRays, Vec<usize>)) {
    let shape = image.shape();
    for plane in [&mut image.data, &mut image.variance] {
        if !plane.is_standard_layout() {
            *plane = plane.as_standard_layout().into_owned();
        }
    }
    let variance = image.variance.as_slice().expect("made contiguous above");
    let mut local = Local::new(image, options.exclude, SATURATED);
    let mut hits = Vec::new();
    let mut per_iteration = Vec::new();
    let mut candidates = first_candidates(&local, variance, 0.5 * options.sigma_limit);
    for _ in 0..options.max_iterations {
        let mut new: Vec<usize> =
            candidates.par_iter().copied().filter(|&i| is_hit(&local, variance, i, options.sigma_limit, options.contrast)).collect();
        if new.is_empty() {
            break;
        }
        new.iter().for_each(|&i| local.set_hit(i));
        let around = local.within(&new, 1);
        let grown: Vec<usize> =
            around.into_par_iter().filter(|&i| is_hit(&local, variance, i, options.neighbour_limit, options.contrast)).collect();
        grown.iter().for_each(|&i| local.set_hit(i));
        new.extend(grown);
        new.sort_unstable();
        // All values first, so that the order of replacing does not matter.
        let values: Vec<f32> = new.par_iter().map(|&i| local.replacement(i, variance).0).collect();
        new.iter().zip(values).for_each(|(&i, value)| local.set_value(i, value));
        per_iteration.push(new.len());
        candidates = local.within(&new, 2);
        hits.extend(new);
    }
    hits.sort_unstable();
    let mut mask = Array2::from_elem(shape, false);
    hits.iter().for_each(|&i| mask[[i / shape.1, i % shape.1]] = true);
    (local, (CosmicRays { mask, pixels: hits.len(), per_iteration }, hits))
}

/// Pixels whose Laplacian exceeds `limit` times their own noise, in row order.
fn first_candidates(local: &Local, variance: &[f32], limit: f64) -> Vec<usize> {
    let square = (limit * limit) as f32;
    let columns = local.columns;
    let rows: Vec<Vec<usize>> = (0..local.rows)
        .into_par_iter()
        .map_init(
            || vec![0.0f32; columns],
            |laplacian, y| {
                local.laplacian_row(y, laplacian);
                let noise = &variance[y * columns..(y + 1) * columns];
                let mut found = Vec::new();
                for (chunk, (part, noise)) in laplacian.chunks(16).zip(noise.chunks(16)).enumerate() {
                    let mut any = false;
                    part.iter().zip(noise).for_each(|(l, v)| any |= l * l > square * v);
                    if any {
                        let first = y * columns + chunk * 16;
                        let above = part.iter().zip(noise).enumerate().filter(|(_, (l, v))| **l * **l > square * **v);
                        found.extend(above.map(|(i, _)| first + i).filter(|&i| local.is_good(i)));
                    }
                }
                found
            },
        )
        .collect();
    rows.concat()
}

/// The two conditions of the paper for a pixel.
fn is_hit(local: &Local, variance: &[f32], index: usize, limit: f64, contrast: f64) -> bool {
    let laplacian = f64::from(local.laplacian(index));
    let noise = local.noise(index, variance);
    if laplacian <= limit * noise || noise.is_nan() {
        return false;
    }
    let excess = laplacian - local.median_laplacian(index);
    excess > limit * noise && excess > contrast * local.fine_structure(index)
}
