//! Images on another pixel grid: shifts, rotations, tangential projections, or any mapping.
//!
//! An output pixel is a weighted mean of the input pixels around the place it maps to. Bad input pixels are left out and the
//! weights of the others renormalised; with too little of the weight left the pixel is missing. Values may be multiplied by the
//! area of the output pixel in input pixels (the Jacobian), which keeps fluxes; without, surface brightnesses are kept.
//!
//! Variances are propagated, covariances are not: neighbouring output pixels share input pixels, so the noise of a sum over many
//! pixels is larger than the variance plane says, by [`Kernel::covariance_factor`] (bilinear 2.25, bicubic 1.51, Lanczos-3 1.25 in
//! variance for random sub-pixel shifts; measured in the tests).

mod kernel;
mod smooth_map;
mod tan;

pub use kernel::Kernel;
pub use smooth_map::SmoothMap;
pub use tan::TanGrid;

use ndarray::Array2;
use rayon::prelude::*;

use crate::Image;
use crate::image::quality;
use kernel::{LARGEST, WeightTable};

/// Choices of a resampling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResampleOptions {
    /// The interpolation.
    pub kernel: Kernel,
    /// Multiply by the area of the output pixel in input pixels.
    pub conserve_flux: bool,
    /// Input pixels with any of these quality bits are left out.
    pub exclude: u32,
    /// Least part of the weight that must be left, above 0 and up to 1; with less the output pixel is missing.
    pub least_weight: f64,
}

impl Default for ResampleOptions {
    /// Lanczos-3, fluxes kept, only questionable pixels and removed cosmic rays are used besides good ones, half of the weight.
    fn default() -> Self {
        ResampleOptions {
            kernel: Kernel::Lanczos3,
            conserve_flux: true,
            exclude: !(quality::QUESTIONABLE | quality::COSMIC_RAY),
            least_weight: 0.5,
        }
    }
}

/// Resamples to `shape` (rows, columns). `map` gives for an output place (column, row from 0, pixel centres at whole numbers) the
/// input place. Quality bits of input pixels used with a weight above 0.1 are joined; where pixels were left out the result is
/// marked [`quality::QUESTIONABLE`]; NaN and [`quality::MISSING`] (with the bits of the pixels left out) where nothing can be said.
pub fn resample(image: &Image, shape: (usize, usize), map: impl Fn(f64, f64) -> (f64, f64) + Sync, options: &ResampleOptions) -> Image {
    let mut out = Image { data: Array2::zeros(shape), variance: Array2::zeros(shape), quality: Array2::zeros(shape) };
    if shape.0 == 0 || shape.1 == 0 {
        return out;
    }
    let table = WeightTable::new(options.kernel);
    let contiguous = "a new array is contiguous";
    (
        out.data.as_slice_mut().expect(contiguous).par_chunks_mut(shape.1),
        out.variance.as_slice_mut().expect(contiguous).par_chunks_mut(shape.1),
        out.quality.as_slice_mut().expect(contiguous).par_chunks_mut(shape.1),
    )
        .into_par_iter()
        .enumerate()
        .for_each(|(row, (data, variance, quality))| {
            let y = row as f64;
            for column in 0..shape.1 {
                let x = column as f64;
                let area = if options.conserve_flux {
                    let ((ax, ay), (bx, by)) = (map(x - 0.5, y), map(x + 0.5, y));
                    let ((cx, cy), (dx, dy)) = (map(x, y - 0.5), map(x, y + 0.5));
                    ((bx - ax) * (dy - cy) - (by - ay) * (dx - cx)).abs()
                } else {
                    1.0
                };
                let (value, error, bits) = sample(image, &table, map(x, y), options);
                data[column] = (value * area) as f32;
                variance[column] = (error * area * area) as f32;
                quality[column] = bits;
            }
        });
    out
}

/// Value, variance and quality at a place.
fn sample(image: &Image, table: &WeightTable, (x, y): (f64, f64), options: &ResampleOptions) -> (f64, f64, u32) {
    let (rows, columns) = image.shape();
    let reach = table.reach() as f64;
    let missing = (f64::NAN, f64::NAN, quality::MISSING);
    if !(x > -reach && y > -reach && x < columns as f64 + reach && y < rows as f64 + reach) {
        return missing;
    }
    let (mut in_x, mut in_y) = ([0.0; LARGEST], [0.0; LARGEST]);
    let (left, top) = (table.weights(x, &mut in_x), table.weights(y, &mut in_y));
    let n = 2 * table.reach();
    let (mut weights, mut sum, mut squares, mut used, mut unused, mut left_out) = (0.0, 0.0, 0.0, 0, 0, false);
    for (j, wy) in in_y.iter().enumerate().take(n) {
        let v = top + j as isize;
        for (i, wx) in in_x.iter().enumerate().take(n) {
            let (u, weight) = (left + i as isize, wx * wy);
            if weight == 0.0 {
                continue;
            }
            if v < 0 || u < 0 || v >= rows as isize || u >= columns as isize {
                left_out = true;
                continue;
            }
            let p = [v as usize, u as usize];
            let (value, variance, bits) = (f64::from(image.data[p]), f64::from(image.variance[p]), image.quality[p]);
            if bits & options.exclude != 0 || !value.is_finite() || !variance.is_finite() {
                unused |= bits;
                left_out = true;
                continue;
            }
            weights += weight;
            sum += weight * value;
            squares += weight * weight * variance;
            if weight.abs() > 0.1 {
                used |= bits;
            }
        }
    }
    if weights < options.least_weight {
        return (f64::NAN, f64::NAN, unused | quality::MISSING);
    }
    let flag = if left_out { quality::QUESTIONABLE } else { 0 };
    (sum / weights, squares / (weights * weights), used | flag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    const KERNELS: [Kernel; 3] = [Kernel::Bilinear, Kernel::Bicubic, Kernel::Lanczos3];

    fn star(shape: (usize, usize), cx: f64, cy: f64, fwhm: f64) -> Image {
        let sigma = fwhm / 2.354_82;
        let data = Array2::from_shape_fn(shape, |(y, x)| {
            (1e4 * (-0.5 * ((x as f64 - cx).powi(2) + (y as f64 - cy).powi(2)) / (sigma * sigma)).exp()) as f32
        });
        Image::new(data, 1.0)
    }

    fn centre_and_flux(image: &Image) -> (f64, f64, f64) {
        let (mut flux, mut x, mut y) = (0.0, 0.0, 0.0);
        for ((v, u), &value) in image.data.indexed_iter().filter(|(_, v)| v.is_finite()) {
            flux += f64::from(value);
            x += f64::from(value) * u as f64;
            y += f64::from(value) * v as f64;
        }
        (x / flux, y / flux, flux)
    }

    #[test]
    fn position_and_flux_survive_rotation_and_scaling() {
        let image = star((60, 60), 31.3, 27.8, 4.0);
        let (sin, cos) = 0.3f64.sin_cos();
        let scale = 0.8;
        for kernel in KERNELS {
            let map = |x: f64, y: f64| {
                let (u, v) = (scale * (x - 40.0), scale * (y - 40.0));
                (30.0 + cos * u - sin * v, 30.0 + sin * u + cos * v)
            };
            let out = resample(&image, (80, 80), map, &ResampleOptions { kernel, ..ResampleOptions::default() });
            let (x, y, flux) = centre_and_flux(&out);
            let (u, v) = map(x, y);
            assert!((u - 31.3).hypot(v - 27.8) < 0.01, "{kernel:?} {u} {v}");
            assert!((flux / centre_and_flux(&image).2 - 1.0).abs() < 2e-3, "{kernel:?} {flux}");
        }
    }

    #[test]
    fn the_identity_changes_nothing() {
        let image = star((30, 30), 14.2, 15.1, 2.0);
        for kernel in KERNELS {
            let out = resample(&image, (30, 30), |x, y| (x, y), &ResampleOptions { kernel, ..ResampleOptions::default() });
            assert!(out.data.iter().zip(&image.data).all(|(a, b)| (a - b).abs() < 1e-2));
            assert!(out.variance.iter().all(|v| (v - 1.0).abs() < 1e-4) && out.quality.iter().all(|q| *q == 0));
        }
    }

    #[test]
    fn variances_and_the_covariance_factor_are_right() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(15);
        for kernel in KERNELS {
            let (mut pulls, mut sums, mut variances) = (Moments::default(), Moments::default(), Moments::default());
            for trial in 0..200 {
                let data = Array2::from_shape_simple_fn((70, 70), || {
                    let z: f32 = StandardNormal.sample(&mut rng);
                    z
                });
                let image = Image::new(data, 1.0);
                let shift = (f64::from(trial % 14) / 14.0, f64::from(trial / 14) / 14.3);
                let options = ResampleOptions { kernel, ..ResampleOptions::default() };
                let out = resample(&image, (60, 60), |x, y| (x + 5.0 + shift.0, y + 5.0 + shift.1), &options);
                out.data.iter().zip(&out.variance).step_by(37).for_each(|(&d, &v)| pulls.push(f64::from(d) / f64::from(v).sqrt()));
                sums.push(out.data.iter().map(|&v| f64::from(v)).sum());
                variances.push(out.variance.iter().map(|&v| f64::from(v)).sum());
            }
            assert!((pulls.std() - 1.0).abs() < 4.0 / (2.0 * pulls.count() as f64).sqrt(), "{kernel:?} {}", pulls.std());
            let measured = sums.variance() / variances.mean();
            println!("{kernel:?}: {measured} measured, {} computed", kernel.covariance_factor());
            assert!((measured / kernel.covariance_factor() - 1.0).abs() < 4.0 * (2.0 / 200f64).sqrt(), "{kernel:?} {measured}");
        }
    }

    #[test]
    fn bad_pixels_are_left_out_and_the_outside_is_missing() {
        let mut image = Image::new(Array2::from_elem((20, 20), 5.0), 1.0);
        image.data[[10, 10]] = 1e6;
        image.quality[[10, 10]] = quality::HOT;
        image.quality[[5, 5]] = quality::COSMIC_RAY;
        let out =
            resample(&image, (20, 20), |x, y| (x + 0.4, y), &ResampleOptions { kernel: Kernel::Bilinear, ..ResampleOptions::default() });
        assert!(out.data.iter().filter(|v| v.is_finite()).all(|v| (v - 5.0).abs() < 1e-4));
        assert_eq!((out.quality[[10, 9]], out.quality[[10, 10]]), (quality::QUESTIONABLE, quality::HOT | quality::MISSING));
        assert_eq!(out.quality[[5, 5]], quality::COSMIC_RAY);
        let strict = ResampleOptions { kernel: Kernel::Bilinear, least_weight: 0.999, ..ResampleOptions::default() };
        let out = resample(&image, (20, 20), |x, y| (x + 0.4, y), &strict);
        assert!(out.data.indexed_iter().all(|((y, x), v)| v.is_nan() == (x == 19 || (y == 10 && (x == 9 || x == 10)))));
        let out = resample(&image, (4, 4), |x, y| (x + 40.0, y), &ResampleOptions::default());
        assert!(out.data.iter().all(|v| v.is_nan()) && out.quality.iter().all(|q| *q == quality::MISSING));
    }

    #[test]
    fn tangential_grids_map_onto_each_other() {
        let source = TanGrid::north_up((303.7, 37.2), (30.0, 30.0), 0.5 / 3600.0);
        let (sin, cos) = 0.2f64.sin_cos();
        let s = 0.5 / 3600.0;
        let target = TanGrid { crval: (303.702, 37.201), crpix: (41.0, 38.0), cd: [[-s * cos, s * sin], [s * sin, s * cos]] };
        let image = star((60, 60), 31.3, 27.8, 4.0);
        let out = resample(&image, (80, 80), |x, y| target.pixel_in(&source, x, y), &ResampleOptions::default());
        let (x, y, flux) = centre_and_flux(&out);
        let (a, b) = (target.to_sky(x, y), source.to_sky(31.3, 27.8));
        assert!((a.0 - b.0).abs() < 0.01 * s && (a.1 - b.1).abs() < 0.01 * s, "{a:?} {b:?}");
        assert!((flux / centre_and_flux(&image).2 - 1.0).abs() < 1e-3);
        let (u, v) = source.to_pixel(b.0, b.1);
        assert!((u - 31.3).abs() < 1e-6 && (v - 27.8).abs() < 1e-6);
    }
}
