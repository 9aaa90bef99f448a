//! Smooth illumination: a low-order surface through robust block medians.
//!
//! A dome flat and the sky light a detector differently, but the difference is smooth: the ratio of a sky flat to the dome flat is
//! modelled by a polynomial of both coordinates. Block medians make stars and bad pixels harmless and the fit cheap; each block
//! weighs by the error of its median.

use ndarray::{Array2, ArrayView2, Zip, s};

use crate::Image;
use crate::fit::{FitError, FitOptions, SurfaceDegree, SurfaceFit, fit_surface};
use crate::image::quality;
use crate::order_statistics::median_variance_factor;
use crate::statistics::{SigmaClip, clipped_moments_of_block, median_in_place};

/// Rejection limit in a block, in standard deviations.
const CLIP: f64 = 4.0;

/// The median of a block of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockMedian {
    /// Mean column of the pixels used, from 0.
    pub x: f64,
    /// Mean row of the pixels used, from 0.
    pub y: f64,
    /// Median after clipping at 4 sigma.
    pub value: f64,
    /// Variance of the median, from the scatter in the block.
    pub variance: f64,
    /// Pixels used.
    pub count: usize,
}

/// Medians of blocks of about `block` pixels side. Pixels that are NaN, marked (other than [`quality::QUESTIONABLE`]) or false in
/// `field` are left out; a block needs a quarter of its pixels.
///
/// # Panics
/// If the block is 0 or the shapes differ.
pub fn block_medians(image: &Image, field: Option<ArrayView2<bool>>, block: usize) -> Vec<BlockMedian> {
    assert!(block > 0, "a block has at least one pixel");
    let (rows, columns) = image.shape();
    let (mut blocks, mut values) = (Vec::new(), Vec::with_capacity(block * block));
    for top in (0..rows).step_by(block) {
        for left in (0..columns).step_by(block) {
            let (bottom, right) = ((top + block).min(rows), (left + block).min(columns));
            values.clear();
            let (mut x, mut y) = (0.0, 0.0);
            for row in top..bottom {
                let before = values.len();
                let line = image.data.slice(s![row, left..right]);
                for ((column, &value), &bits) in (left..right).zip(line).zip(image.quality.slice(s![row, left..right])) {
                    let inside = field.is_none_or(|f| f[[row, column]]);
                    if inside && value.is_finite() && bits & !quality::QUESTIONABLE == 0 {
                        values.push(value);
                        x += column as f64;
                    }
                }
                y += row as f64 * (values.len() - before) as f64;
            }
            if values.len() < 5 || 4 * values.len() < (bottom - top) * (right - left) {
                continue;
            }
            let n = values.len() as f64;
            let found = clipped_moments_of_block(&values, CLIP);
            values.retain(|v| (f64::from(*v) - found.mean).abs() <= CLIP * found.sigma);
            let variance = found.sigma * found.sigma * median_variance_factor(found.count) / found.count as f64;
            blocks.push(BlockMedian { x: x / n, y: y / n, value: median_in_place(&mut values), variance, count: found.count });
        }
    }
    blocks
}

/// Choices of the illumination model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IlluminationOptions {
    /// Side of the blocks, pixels.
    pub block: usize,
    /// Degree of the surface.
    pub degree: SurfaceDegree,
    /// Removal of blocks that do not fit (bright stars).
    pub clip: SigmaClip,
    /// Brings the model to the mean 1 over the field; else it is as bright as the ratio.
    pub normalise: bool,
}

impl Default for IlluminationOptions {
    /// Blocks of 32 pixels, total degree 3, clipped at 4 sigma, mean 1.
    fn default() -> Self {
        let clip = SigmaClip { low: 4.0, high: 4.0, max_iterations: 10 };
        IlluminationOptions { block: 32, degree: SurfaceDegree::total(3), clip, normalise: true }
    }
}

/// A smooth illumination model.
#[derive(Clone, Debug, PartialEq)]
pub struct Illumination {
    /// The model, with mean 1 over the field if wanted, and its variance from the covariance of the fit.
    pub image: Image,
    /// The fit to the block medians, before normalisation.
    pub fit: SurfaceFit,
    /// Mean of the fitted surface over the field.
    pub mean: f64,
}

/// Models the smooth part of `ratio` (a sky flat divided by the dome flat, [`Image::divide`]) where `field` is true. The model is
/// evaluated everywhere; outside the field it is marked [`quality::OUTSIDE`].
///
/// *Accuracy*: an injected cubic illumination of 6 % is recovered within its errors (test).
///
/// # Errors
/// [`FitError`] when there are not enough blocks.
///
/// # Panics
/// If the shapes differ.
pub fn fit_illumination(ratio: &Image, field: Option<ArrayView2<bool>>, options: &IlluminationOptions) -> Result<Illumination, FitError> {
    let shape = ratio.shape();
    let fit = fit_blocks(&block_medians(ratio, field, options.block), shape, options.degree, options.clip)?;
    let mut data = fit.surface.image(shape);
    let (mut sum, mut count) = (0.0, 0.0);
    for (place, &value) in data.indexed_iter() {
        if field.is_none_or(|f| f[place]) {
            sum += f64::from(value);
            count += 1.0;
        }
    }
    let mean = sum / count;
    let scale = if options.normalise { mean } else { 1.0 };
    data.mapv_inplace(|v| (f64::from(v) / scale) as f32);
    let variance = variance_image(&fit, shape, scale);
    let mut quality = Array2::zeros(shape);
    if let Some(field) = field {
        Zip::from(&mut quality).and(&field).for_each(|q, &inside| *q = if inside { 0 } else { quality::OUTSIDE });
    }
    Ok(Illumination { image: Image { data, variance, quality }, fit, mean })
}

/// Fits a surface to block medians, weighted by their errors, over an image of `shape` (rows, columns).
///
/// # Errors
/// [`FitError`] when there are not enough blocks.
pub fn fit_blocks(blocks: &[BlockMedian], shape: (usize, usize), degree: SurfaceDegree, clip: SigmaClip) -> Result<SurfaceFit, FitError> {
    let column = |pick: fn(&BlockMedian) -> f64| -> Vec<f64> { blocks.iter().map(pick).collect() };
    let (x, y, values, variances) = (column(|b| b.x), column(|b| b.y), column(|b| b.value), column(|b| b.variance));
    let interval = |n: usize| (0.0, n.saturating_sub(1) as f64);
    let options = FitOptions { clip: Some(clip), ..FitOptions::default() };
    fit_surface(&x, &y, &values, Some(&variances), interval(shape.1), interval(shape.0), degree, &options)
}

/// Variance of the fitted surface over `scale^2`. A quadratic form of the terms, which is worked out on every 16th pixel and
/// interpolated: it is as smooth as the surface.
fn variance_image(fit: &SurfaceFit, shape: (usize, usize), scale: f64) -> Array2<f32> {
    const STEP: usize = 16;
    let nodes = |n: usize| n.saturating_sub(1) / STEP + 2;
    let terms = fit.surface.coefficients.len();
    let mut unit = fit.surface.clone();
    let grid = Array2::from_shape_fn((nodes(shape.0), nodes(shape.1)), |(v, u)| {
        let values: Vec<f64> = (0..terms)
            .map(|k| {
                unit.coefficients.fill(0.0);
                unit.coefficients[k] = 1.0;
                unit.at((u * STEP) as f64, (v * STEP) as f64)
            })
            .collect();
        fit.covariance.indexed_iter().map(|((i, j), c)| values[i] * values[j] * c).sum::<f64>() / (scale * scale)
    });
    Array2::from_shape_fn(shape, |(y, x)| {
        let (v, u) = (y / STEP, x / STEP);
        let (fy, fx) = ((y % STEP) as f64 / STEP as f64, (x % STEP) as f64 / STEP as f64);
        let row = |v: usize| grid[[v, u]] * (1.0 - fx) + grid[[v, u + 1]] * fx;
        (row(v) * (1.0 - fy) + row(v + 1) * fy) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn an_injected_illumination_is_recovered_within_its_errors() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(10);
        let truth = |y: usize, x: usize| {
            let (v, u) = (y as f64 / 150.0 - 1.0, x as f64 / 200.0 - 1.0);
            1.0 + 0.06 * (0.5 * u - 0.3 * v * v + 0.2 * u * u * u + 0.3 * u * v)
        };
        let field = Array2::from_shape_fn((300, 400), |(y, x)| (y as f64 - 150.0).hypot(x as f64 - 200.0) < 190.0);
        let mean = field.indexed_iter().filter(|(_, f)| **f).map(|((y, x), _)| truth(y, x)).sum::<f64>()
            / field.iter().filter(|f| **f).count() as f64;
        let mut pulls = Moments::default();
        for _ in 0..40 {
            let mut data = Array2::from_shape_fn((300, 400), |(y, x)| {
                let z: f64 = StandardNormal.sample(&mut rng);
                (7.0 * truth(y, x) * (1.0 + 0.01 * z)) as f32
            });
            (0..200).for_each(|_| data[[rng.random_range(0..300), rng.random_range(0..400)]] += 50.0);
            let ratio = Image::new(data, 0.0049);
            let found = fit_illumination(&ratio, Some(field.view()), &IlluminationOptions::default()).unwrap();
            for (y, x) in [(150, 200), (60, 250), (220, 80), (150, 330)] {
                let error = f64::from(found.image.variance[[y, x]]).sqrt();
                pulls.push((f64::from(found.image.data[[y, x]]) - truth(y, x) / mean) / error);
                assert!(error < 2e-3);
            }
            assert_eq!(found.image.quality[[0, 0]], quality::OUTSIDE);
        }
        // The normalisation takes a part of the error away: pulls may be a little narrower than 1.
        assert!(pulls.std() < 1.2 && pulls.std() > 0.7 && pulls.mean().abs() < 0.3, "{} {}", pulls.std(), pulls.mean());
    }
}
