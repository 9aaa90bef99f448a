//! Fringes: a pattern from many sky frames, and how much of it is in a frame.
//!
//! Night-sky lines interfere in the thin detector. The pattern is fixed, its strength follows the lines and not the continuum, so
//! it is taken from dithered sky frames, objects masked: each frame minus its sky level, divided by it, combined by the median,
//! minus what is smooth. Its amount in a frame is the coefficient of a linear least-squares fit of constant (and gradient) plus
//! pattern to the object-free pixels.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Zip};

use crate::Image;
use crate::combine::{CombineError, CombineOptions, Combined, FrameRows, combine};
use crate::filter::{convolve_normalised, gaussian_kernel};
use crate::fit::{FitError, NormalEquations};
use crate::image::quality;
use crate::statistics::{MAD_TO_SIGMA, SigmaClip, median};

/// A frame with more pixels marked: true in `mask` gets `bits`.
pub struct MaskedRows<F> {
    /// The frame.
    pub frame: F,
    /// What to mark, in the shape of the frame.
    pub mask: Array2<bool>,
    /// The quality bits to set.
    pub bits: u32,
}

impl<F: FrameRows> FrameRows for MaskedRows<F> {
    type Error = F::Error;

    fn shape(&self) -> (usize, usize) {
        self.frame.shape()
    }

    fn read_rows(&mut self, rows: Range<usize>, data: &mut [f32], variance: &mut [f32], quality: &mut [u32]) -> Result<(), F::Error> {
        self.frame.read_rows(rows.clone(), data, variance, quality)?;
        let mask = self.mask.slice(ndarray::s![rows, ..]);
        quality.iter_mut().zip(mask).for_each(|(q, &masked)| *q |= if masked { self.bits } else { 0 });
        Ok(())
    }
}

/// Median of the usable pixels of a sky frame: finite, not marked, true in `usable`. NaN without such pixels.
pub fn sky_level(image: &Image, usable: Option<ArrayView2<bool>>) -> f64 {
    let values: Vec<f32> = image
        .data
        .indexed_iter()
        .filter(|(p, _)| image.quality[*p] & !quality::QUESTIONABLE == 0 && usable.is_none_or(|u| u[*p]))
        .map(|(_, v)| *v)
        .collect();
    median(&values)
}

/// The pattern from sky frames whose objects are marked by quality bits (see [`MaskedRows`]) and whose sky levels are `levels`. The
/// combined `(frame - level) / level`, minus its own smooth part (normalised Gaussian of `smooth_sigma` pixels, longer than the
/// fringes; 0: none). Unit: fraction of the sky. `options` gives method and memory; its scales and offsets are replaced. The error
/// of the smooth part is neglected.
///
/// # Errors
/// [`CombineError`]; among them a level that is 0 or not finite.
pub fn fringe_pattern<F: FrameRows>(
    frames: &mut [F],
    levels: &[f64],
    smooth_sigma: f64,
    options: &CombineOptions,
) -> Result<Combined, CombineError<F::Error>> {
    let scales = levels.iter().map(|l| 1.0 / l).collect();
    let options = CombineOptions { scales, offsets: levels.to_vec(), ..options.clone() };
    let mut combined = combine(frames, &options)?;
    if smooth_sigma > 0.0 {
        let image = &mut combined.image;
        let good = image.quality.mapv(|q| if q & !quality::QUESTIONABLE == 0 { 1.0 } else { 0.0 });
        let kernel = gaussian_kernel(smooth_sigma, 3.0);
        let smooth = convolve_normalised(image.data.view(), good.view(), &kernel, &kernel, 0.0);
        Zip::from(&mut image.data).and(&smooth).for_each(|v, &s| *v -= if s.is_nan() { 0.0 } else { s });
    }
    Ok(combined)
}

/// Choices of the fit of a pattern to a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FringeScaleOptions {
    /// Fits a gradient in both directions besides the constant.
    pub gradient: bool,
    /// Removal of pixels that do not fit, in robust sigmas of the residuals over their own sigma.
    pub clip: SigmaClip,
    /// The part of the pattern's variance that it shares with the frame: 0 where the frame is none of those that the pattern was made
    /// of; else 1 for a mean, `1 / median_variance_factor(n)` for a median of `n` (their covariance with one sample is `sigma^2 / n`).
    /// Shared noise makes the scale too large, the noise of the pattern makes it too small. Good to some percent of the scale where the number of
    /// samples differs from pixel to pixel and the pattern's signal-to-noise ratio is near 1.
    pub shared: f64,
}

impl Default for FringeScaleOptions {
    /// With gradient, clipped at 4 sigma, nothing shared.
    fn default() -> Self {
        FringeScaleOptions { gradient: true, clip: SigmaClip { low: 4.0, high: 4.0, max_iterations: 5 }, shared: 0.0 }
    }
}

/// The amount of a pattern in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FringeScale {
    /// What the pattern is to be multiplied by before it is subtracted.
    pub scale: f64,
    /// Standard error of the scale.
    pub error: f64,
    /// The constant of the fit: the sky in the middle of the frame.
    pub sky: f64,
    /// Pixels used.
    pub pixels: usize,
}

/// Fits constant (and gradient) plus `scale * pattern` to the pixels of `image` that are true in `usable` (no objects) and good in
/// both. Weights are the inverse variances of the frame. The noise of the pattern would make the scale too small; its expected
/// part, from the pattern's variance, is taken out of the normal equations (errors in variables; Fuller 1987, *Measurement Error
/// Models*, 1.2).
///
/// *Accuracy*: pulls have standard deviation 1; unbiased also for a pattern with a signal-to-noise ratio of 1 per pixel (test).
///
/// # Errors
/// [`FitError`] when too few pixels are left or the pattern is constant.
///
/// # Panics
/// If the shapes differ.
pub fn fringe_scale(
    image: &Image,
    pattern: &Image,
    usable: Option<ArrayView2<bool>>,
    options: &FringeScaleOptions,
) -> Result<FringeScale, FitError> {
    assert_eq!(image.shape(), pattern.shape(), "frame and pattern must have the same shape");
    let shape = image.shape();
    let terms = if options.gradient { 4 } else { 2 };
    let good = |bits: u32| bits & !quality::QUESTIONABLE == 0;
    let mut points: Vec<Point> = Vec::new();
    for ((y, x), &value) in image.data.indexed_iter() {
        let p = [y, x];
        let variance = image.variance[p];
        if usable.is_none_or(|u| u[p]) && good(image.quality[p]) && good(pattern.quality[p]) && value.is_finite() && variance > 0.0 {
            let centred = |i: usize, n: usize| (2.0 * i as f64 / n as f64 - 1.0) as f32;
            let basis = [1.0, pattern.data[p], centred(x, shape.1), centred(y, shape.0)];
            if basis[1].is_finite() {
                points.push(Point { basis, value, variance, noise: pattern.variance[p].max(0.0) });
            }
        }
    }
    let mut passes = 0;
    loop {
        let mut equations = NormalEquations::new(terms);
        let mut basis = [0.0; 4];
        // The pattern's share in the errors of the residuals is neglected as long as the frame is noisier than the scaled pattern.
        let mut noise = 0.0;
        for point in &points {
            basis.iter_mut().zip(point.basis).for_each(|(b, p)| *b = f64::from(p));
            let weight = 1.0 / f64::from(point.variance);
            equations.add(&basis[..terms], f64::from(point.value), weight);
            noise += weight * (1.0 - options.shared) * f64::from(point.noise);
        }
        equations.reduce(1, noise);
        let solution = equations.solve()?;
        let residual = |point: &Point| {
            let model: f64 = point.basis.iter().zip(&solution.coefficients).map(|(b, c)| f64::from(*b) * c).sum();
            (f64::from(point.value) - model) / f64::from(point.variance).sqrt()
        };
        if passes < options.clip.max_iterations {
            passes += 1;
            let mut sizes: Vec<f32> = points.iter().map(|p| residual(p).abs() as f32).collect();
            let width = MAD_TO_SIGMA * crate::statistics::median_in_place(&mut sizes);
            let before = points.len();
            points.retain(|p| (-options.clip.low * width..=options.clip.high * width).contains(&residual(p)));
            if points.len() != before {
                continue;
            }
        }
        let (scale, variance) = (solution.coefficients[1], solution.covariance[[1, 1]]);
        // With a noisy pattern: C = M^-1 B M^-1 with B the weighted squares of the estimating function, here its leading part.
        let inflation: f64 = points
            .iter()
            .map(|p| {
                let own = scale * scale * f64::from(p.noise) / f64::from(p.variance);
                let square = f64::from(p.basis[1]).powi(2) / f64::from(p.variance);
                square * (1.0 + own)
            })
            .sum::<f64>()
            / (points.iter().map(|p| f64::from(p.basis[1]).powi(2) / f64::from(p.variance)).sum::<f64>() - noise);
        let error = (variance * inflation.max(1.0)).sqrt();
        return Ok(FringeScale { scale, error, sky: solution.coefficients[0], pixels: points.len() });
    }
}

struct Point {
    basis: [f32; 4],
    value: f32,
    variance: f32,
    noise: f32,
}

/// Subtracts `scale * pattern`; variances add: `scale^2 var(pattern) + error^2 pattern^2`. Where the pattern is not known nothing
/// is subtracted and the pixel is marked [`quality::QUESTIONABLE`]; pixels outside the field ([`quality::OUTSIDE`]) stay as they are.
///
/// # Panics
/// If the shapes differ.
pub fn subtract_fringes(image: &mut Image, pattern: &Image, scale: &FringeScale) {
    let (factor, square, error) = (scale.scale as f32, (scale.scale * scale.scale) as f32, (scale.error * scale.error) as f32);
    Zip::from(&mut image.data).and(&mut image.variance).and(&mut image.quality).and(&pattern.data).and(&pattern.variance).for_each(
        |d, v, q, &p, &pv| {
            if *q & quality::OUTSIDE != 0 {
                return;
            }
            if p.is_finite() && pv.is_finite() {
                *d -= factor * p;
                *v += square * pv + error * p * p;
            } else {
                *q |= quality::QUESTIONABLE;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::Method;
    use crate::order_statistics::median_variance_factor;
    use crate::statistics::Moments;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn truth(y: usize, x: usize) -> f64 {
        0.02 * (2.0 * std::f64::consts::PI * (x as f64 * 0.013 * 5.0 + y as f64 * 0.021 * 4.0)).sin()
    }

    fn sky_frame(sky: f64, strength: f64, shape: (usize, usize), rng: &mut ChaCha8Rng) -> (Image, Array2<bool>) {
        let variance = 49.0 + sky / 2.3;
        let mut data = Array2::from_shape_fn(shape, |(y, x)| {
            let z: f64 = StandardNormal.sample(rng);
            (sky * (1.0 + strength * truth(y, x)) + variance.sqrt() * z) as f32
        });
        let mut objects = Array2::from_elem(shape, false);
        for _ in 0..30 {
            let (cy, cx) = (rng.random_range(5..shape.0 - 5), rng.random_range(5..shape.1 - 5));
            let mut part = data.slice_mut(ndarray::s![cy - 3..cy + 4, cx - 3..cx + 4]);
            part += 500.0;
            objects.slice_mut(ndarray::s![cy - 3..cy + 4, cx - 3..cx + 4]).fill(true);
        }
        (Image::new(data, variance as f32), objects)
    }

    #[test]
    fn pattern_and_scale_are_recovered() {
        let mut rng = ChaCha8Rng::seed_from_u64(31);
        let shape = (150, 160);
        let frames: Vec<_> = (0..12).map(|i| sky_frame(2000.0 + 200.0 * f64::from(i), 1.0, shape, &mut rng)).collect();
        let levels: Vec<f64> = frames.iter().map(|(f, o)| sky_level(f, Some(o.map(|o| !o).view()))).collect();
        let mut readers: Vec<_> = frames.iter().map(|(f, o)| MaskedRows { frame: f, mask: o.clone(), bits: quality::BAD }).collect();
        let pattern = fringe_pattern(&mut readers, &levels, 0.0, &CombineOptions::default()).unwrap().image;
        let pulls: Moments = pattern
            .data
            .indexed_iter()
            .map(|((y, x), &v)| (f64::from(v) - truth(y, x)) / f64::from(pattern.variance[[y, x]]).sqrt())
            .collect();
        assert!((pulls.std() - 1.0).abs() < 4.0 / (2.0 * 24_000f64).sqrt(), "{}", pulls.std());

        let mut scales = Moments::default();
        for _ in 0..60 {
            let (mut image, objects) = sky_frame(3000.0, 0.6, shape, &mut rng);
            let usable = objects.map(|o| !o);
            let found = fringe_scale(&image, &pattern, Some(usable.view()), &FringeScaleOptions::default()).unwrap();
            scales.push((found.scale - 1800.0) / found.error);
            subtract_fringes(&mut image, &pattern, &found);
        }
        // All share the errors of one pattern, so the mean pull scatters more than one over the root of their number.
        assert!((scales.std() - 1.0).abs() < 4.0 / 120f64.sqrt() && scales.mean().abs() < 1.0, "{scales:?}");
    }

    #[test]
    fn a_frame_of_which_the_pattern_was_made_is_not_scaled_too_high() {
        let mut rng = ChaCha8Rng::seed_from_u64(33);
        let (mut of_mean, mut of_median) = (Moments::default(), Moments::default());
        for _ in 0..10 {
            let frames: Vec<_> = (0..5).map(|_| sky_frame(1000.0, 1.0, (120, 130), &mut rng)).collect();
            let scales = |method: Method, shared: f64, into: &mut Moments| {
                let mut readers: Vec<_> =
                    frames.iter().map(|(f, o)| MaskedRows { frame: f, mask: o.clone(), bits: quality::BAD }).collect();
                let options = CombineOptions { method, ..CombineOptions::default() };
                let pattern = fringe_pattern(&mut readers, &[1000.0; 5], 0.0, &options).unwrap().image;
                let options = FringeScaleOptions { shared, ..FringeScaleOptions::default() };
                for (image, objects) in &frames {
                    let usable = objects.map(|o| !o);
                    into.push(fringe_scale(image, &pattern, Some(usable.view()), &options).unwrap().scale / 1000.0 - 1.0);
                }
            };
            scales(Method::Mean, 1.0, &mut of_mean);
            scales(Method::Median, 1.0 / median_variance_factor(5), &mut of_median);
        }
        assert!(of_mean.mean().abs() < 4.0 * of_mean.std() / 50f64.sqrt(), "{of_mean:?}");
        // Where objects are masked the median is of 4 or 3 samples, which share more with a frame: the error is some percent.
        assert!(of_median.mean().abs() < 0.06, "{of_median:?}");
    }

    #[test]
    fn a_noisy_pattern_does_not_bias_the_scale() {
        let mut rng = ChaCha8Rng::seed_from_u64(32);
        let shape = (200, 200);
        let mut pulls = Moments::default();
        let mut relative = Moments::default();
        for _ in 0..80 {
            let noise = 0.014;
            let pattern = Array2::from_shape_fn(shape, |(y, x)| {
                let z: f64 = StandardNormal.sample(&mut rng);
                (truth(y, x) + noise * z) as f32
            });
            let pattern = Image::new(pattern, (noise * noise) as f32);
            let (image, objects) = sky_frame(1000.0, 1.0, shape, &mut rng);
            let usable = objects.map(|o| !o);
            let found = fringe_scale(&image, &pattern, Some(usable.view()), &FringeScaleOptions::default()).unwrap();
            pulls.push((found.scale - 1000.0) / found.error);
            relative.push(found.scale / 1000.0 - 1.0);
        }
        assert!(relative.mean().abs() < 4.0 * relative.std() / 80f64.sqrt(), "{}", relative.mean());
        assert!((pulls.std() - 1.0).abs() < 4.0 / 160f64.sqrt(), "{}", pulls.std());
    }
}
