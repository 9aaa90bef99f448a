//! The level of the electronics from overscan pixels, and its subtraction.
//!
//! Overscan columns give one level for each row (a readout along rows); overscan rows one level for each column. The level of a
//! line is the clipped mean or median of its overscan pixels. Neighbouring lines share drifts but not read noise, so the levels may
//! be smoothed: running median or mean, a polynomial, or one constant. The variance of the level goes into the pixels of the line;
//! it is common to all of them, which no variance plane can say.

use std::ops::Range;

use ndarray::{ArrayView2, s};

use crate::Image;
use crate::filter::{Edge, running_median};
use crate::fit::{FitError, FitOptions, fit_polynomial};
use crate::order_statistics::median_variance_factor;
use crate::statistics::{SigmaClip, mad, median, sigma_clipped};

/// Along what a detector is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadDirection {
    /// The overscan lies beside the rows: one level for each row.
    #[default]
    Rows,
    /// The overscan lies above or below the columns: one level for each column.
    Columns,
}

/// How levels of neighbouring lines are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Smoothing {
    /// Each line its own level.
    None,
    /// Running median over this many lines (odd).
    RunningMedian(usize),
    /// Running mean over this many lines (odd).
    RunningMean(usize),
    /// A polynomial of this degree.
    Polynomial(usize),
    /// The mean of all.
    Constant,
}

/// Choices of the overscan correction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverscanOptions {
    /// One level per row or per column.
    pub direction: ReadDirection,
    /// Median of the overscan pixels of a line instead of their clipped mean.
    pub median: bool,
    /// How lines are joined.
    pub smoothing: Smoothing,
}

impl Default for OverscanOptions {
    /// Clipped mean of each row, running median over 51 rows.
    fn default() -> Self {
        OverscanOptions { direction: ReadDirection::Rows, median: false, smoothing: Smoothing::RunningMedian(51) }
    }
}

/// Levels of all lines.
#[derive(Clone, Debug, PartialEq)]
pub struct OverscanLevel {
    /// Rows or columns.
    pub direction: ReadDirection,
    /// Level of each line, ADU.
    pub level: Vec<f64>,
    /// Variance of each level, ADU^2.
    pub variance: Vec<f64>,
    /// Robust scatter of overscan pixels about their line's level, ADU: the read noise.
    pub read_noise: f64,
}

/// Measures the level in the overscan `rows` and `columns` (indices from 0) of a raw frame. NaN pixels do not count. A line without
/// a pixel takes part only through smoothing; without smoothing its level is NaN.
///
/// # Errors
/// [`FitError`] when a polynomial cannot be determined.
///
/// # Panics
/// If the ranges are outside the image.
pub fn measure_overscan(
    data: ArrayView2<f32>,
    rows: Range<usize>,
    columns: Range<usize>,
    options: &OverscanOptions,
) -> Result<OverscanLevel, FitError> {
    let section = data.slice(s![rows, columns]);
    let lines = match options.direction {
        ReadDirection::Rows => section,
        ReadDirection::Columns => section.reversed_axes(),
    };
    let clip = SigmaClip { low: 4.0, high: 4.0, max_iterations: 5 };
    let mut residuals = Vec::with_capacity(lines.len());
    let (mut level, mut count) = (Vec::new(), Vec::new());
    for line in lines.rows() {
        let values = line.to_vec();
        let found = sigma_clipped(&values, &clip);
        let value = if options.median { median(&values) } else { found.mean };
        let factor = if options.median { median_variance_factor(found.count) } else { 1.0 };
        // The level took one degree of freedom out of the residuals of its line.
        let shrink = (found.count as f64 / (found.count as f64 - 1.0).max(1.0)).sqrt();
        residuals.extend(values.iter().map(|v| ((f64::from(*v) - value) * shrink) as f32));
        level.push(value);
        count.push(found.count as f64 / factor);
    }
    let read_noise = mad(&residuals);
    let single: Vec<f64> = count.iter().map(|n| read_noise * read_noise / n.max(f64::MIN_POSITIVE)).collect();
    let (level, variance) = smooth(&level, &single, options.smoothing)?;
    Ok(OverscanLevel { direction: options.direction, level, variance, read_noise })
}

fn smooth(level: &[f64], variance: &[f64], smoothing: Smoothing) -> Result<(Vec<f64>, Vec<f64>), FitError> {
    let n = level.len();
    let window_mean = |window: usize, values: &[f64]| -> Vec<f64> {
        let half = window / 2;
        (0..n)
            .map(|i| {
                let part = &values[i.saturating_sub(half)..(i + half + 1).min(n)];
                let known: Vec<f64> = part.iter().copied().filter(|v| v.is_finite()).collect();
                known.iter().sum::<f64>() / known.len() as f64
            })
            .collect()
    };
    let window_size = |window: usize, i: usize| (i + window / 2 + 1).min(n) - i.saturating_sub(window / 2);
    Ok(match smoothing {
        Smoothing::None => (level.to_vec(), variance.to_vec()),
        Smoothing::RunningMean(window) => {
            let mean_variance = window_mean(window, variance);
            let shrunk = (0..n).map(|i| mean_variance[i] / window_size(window, i) as f64).collect();
            (window_mean(window, level), shrunk)
        }
        Smoothing::RunningMedian(window) => {
            // Single precision is not enough for a level of tens of thousands: filter the differences from the first known level.
            let zero = level.iter().copied().find(|v| v.is_finite()).unwrap_or(0.0);
            let offsets: Vec<f32> = level.iter().map(|v| (v - zero) as f32).collect();
            let filtered = running_median(&offsets, window, Edge::Ignore);
            let mean_variance = window_mean(window, variance);
            let shrunk =
                (0..n).map(|i| mean_variance[i] * median_variance_factor(window_size(window, i)) / window_size(window, i) as f64).collect();
            (filtered.iter().map(|v| f64::from(*v) + zero).collect(), shrunk)
        }
        Smoothing::Polynomial(degree) => {
            let x: Vec<f64> = (0..n).map(|i| i as f64).collect();
            let options = FitOptions { clip: Some(SigmaClip { low: 4.0, high: 4.0, max_iterations: 5 }), ..FitOptions::default() };
            let known: Vec<f64> = variance.iter().map(|v| v.max(1e-12)).collect();
            let fit = fit_polynomial(&x, level, Some(&known), degree, &options)?;
            (x.iter().map(|&x| fit.polynomial.at(x)).collect(), x.iter().map(|&x| fit.variance_at(x)).collect())
        }
        Smoothing::Constant => {
            let known: Vec<usize> = (0..n).filter(|&i| level[i].is_finite()).collect();
            let mean = known.iter().map(|&i| level[i]).sum::<f64>() / known.len() as f64;
            let error = known.iter().map(|&i| variance[i]).sum::<f64>() / (known.len() * known.len()) as f64;
            (vec![mean; n], vec![error; n])
        }
    })
}

/// Subtracts the levels from the part `rows`, `columns` (indices from 0) of an image, for example what one amplifier has read; adds their
/// variances. The first level is that of the first line of the part.
///
/// # Panics
/// If the part is outside the image, or has not as many lines as there are levels.
pub fn subtract_overscan(image: &mut Image, level: &OverscanLevel, rows: Range<usize>, columns: Range<usize>) {
    let axis = ndarray::Axis(if level.direction == ReadDirection::Rows { 0 } else { 1 });
    let mut data = image.data.slice_mut(s![rows.clone(), columns.clone()]);
    let mut variance = image.variance.slice_mut(s![rows, columns]);
    assert_eq!(data.len_of(axis), level.level.len(), "one level for each line");
    let lines = data.axis_iter_mut(axis).zip(variance.axis_iter_mut(axis)).zip(level.level.iter().zip(&level.variance));
    for ((mut data, mut variance), (&level, &error)) in lines {
        data.mapv_inplace(|v| (f64::from(v) - level) as f32);
        variance.mapv_inplace(|v| (f64::from(v) + error) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    fn frame(shape: (usize, usize), drift: impl Fn(usize) -> f64, seed: u64) -> Array2<f32> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_fn(shape, |(y, _)| {
            let z: f64 = StandardNormal.sample(&mut rng);
            (drift(y) + 5.0 * z) as f32
        })
    }

    #[test]
    fn levels_have_the_stated_errors_for_every_smoothing() {
        let drift = |y: usize| 30_000.0 + 0.01 * y as f64;
        for median in [false, true] {
            for smoothing in [Smoothing::None, Smoothing::RunningMean(11), Smoothing::RunningMedian(11), Smoothing::Polynomial(1)] {
                let options = OverscanOptions { direction: ReadDirection::Rows, median, smoothing };
                let mut pulls = Moments::default();
                for seed in 0..60 {
                    let data = frame((400, 40), drift, seed);
                    let found = measure_overscan(data.view(), 0..400, 8..40, &options).unwrap();
                    assert!((found.read_noise / 5.0 - 1.0).abs() < 0.05, "{}", found.read_noise);
                    for y in (10..390).step_by(20) {
                        pulls.push((found.level[y] - drift(y)) / found.variance[y].sqrt());
                    }
                }
                assert!((pulls.std() - 1.0).abs() < 4.0 / (2.0 * 1140f64).sqrt(), "{options:?} {}", pulls.std());
            }
        }
    }

    #[test]
    fn subtraction_leaves_zero_and_adds_the_variance() {
        let data = frame((300, 80), |y| 600.0 + 20.0 * (y as f64 / 40.0).sin(), 7);
        let mut image = Image::new(data.reversed_axes().as_standard_layout().into_owned(), 25.0);
        let options =
            OverscanOptions { direction: ReadDirection::Columns, smoothing: Smoothing::RunningMean(5), ..OverscanOptions::default() };
        let level = measure_overscan(image.data.view(), 40..80, 0..300, &options).unwrap();
        subtract_overscan(&mut image, &level, 0..80, 0..300);
        let rest: Moments = image.data.slice(s![0..40, 5..295]).iter().map(|&v| f64::from(v)).collect();
        assert!(rest.mean().abs() < 0.2 && (rest.std() - 5.0).abs() < 0.2);
        assert!((image.variance[[3, 100]] - 25.0 - 25.0 / 200.0).abs() < 0.02);
    }

    #[test]
    fn an_amplifier_is_a_part_of_the_image() {
        let mut image = Image::new(Array2::from_shape_fn((3, 4), |(y, x)| if x < 2 { 10.0 } else { 20.0 + y as f32 }), 1.0);
        let level =
            |level: Vec<f64>| OverscanLevel { direction: ReadDirection::Rows, variance: vec![0.5; level.len()], level, read_noise: 1.0 };
        subtract_overscan(&mut image, &level(vec![10.0; 3]), 0..3, 0..2);
        subtract_overscan(&mut image, &level(vec![21.0, 22.0]), 1..3, 2..4);
        assert_eq!(
            image.data.rows().into_iter().map(|r| r.to_vec()).collect::<Vec<_>>(),
            [[0.0, 0.0, 20.0, 20.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
        );
        assert_eq!((image.variance[[0, 0]], image.variance[[0, 3]], image.variance[[2, 3]]), (1.5, 1.0, 1.5));
    }

    #[test]
    fn a_line_without_pixels_takes_the_level_of_its_neighbours() {
        let mut data = frame((50, 20), |_| 100.0, 9);
        data.row_mut(20).fill(f32::NAN);
        let options = OverscanOptions { smoothing: Smoothing::RunningMedian(9), ..OverscanOptions::default() };
        let found = measure_overscan(data.view(), 0..50, 0..20, &options).unwrap();
        assert!((found.level[20] - 100.0).abs() < 3.0 && found.level.iter().all(|v| v.is_finite()));
    }
}
