//! The sky of a long-slit frame, fitted where it was recorded: no pixel is resampled before its sky is gone.
//!
//! Method: Kelson 2003, PASP 115, 688. As lines are tilted against the rows of the detector, the pixels of a slit sample the sky
//! spectrum at ever other phases; a cubic spline in wavelength with breakpoints one pixel apart follows it without interpolation. Its
//! coefficients may change along the slit as a polynomial. Weighted by the mean variance of each wavelength, not by that of each pixel, which
//! would draw the fit to the low side of the photon noise.

use ndarray::{Array2, ArrayView2};

use super::slit::SlitView;
use crate::fit::{BandedEquations, BandedSolution, Basis, CubicSplines, FitError, MOST_TERMS, products};
use crate::statistics::MAD_TO_SIGMA;

/// Choices of a sky fit.
#[derive(Clone, Copy, Debug)]
pub struct SkyOptions {
    /// Distance of the breakpoints in pixels.
    pub spacing: f64,
    /// Degree of the polynomial along the slit.
    pub slit_degree: usize,
    /// Pixels this many times their noise away are left out.
    pub clip: f64,
}

impl Default for SkyOptions {
    fn default() -> Self {
        SkyOptions { spacing: 1.0, slit_degree: 1, clip: 5.0 }
    }
}

/// The sky at any wavelength and place along the slit.
#[derive(Clone, Debug)]
pub struct SkyModel {
    splines: CubicSplines,
    solution: BandedSolution,
    terms: usize,
    height: usize,
    /// Pixels that were used.
    pub pixels: usize,
}

const BASIS: Basis = Basis::Legendre;

impl SkyModel {
    /// Value and variance at a wavelength and a pixel along the slit (from 0); none outside the wavelengths of the fit.
    pub fn at(&self, wavelength: f64, y: f64) -> Option<(f64, f64)> {
        let mut basis = [0.0; MOST];
        let first = products(&self.splines.at(wavelength)?, &self.along(y)[..self.terms], &mut basis);
        let basis = &basis[..4 * self.terms];
        Some((self.solution.value(first, basis), self.solution.variance(first, basis)))
    }

    /// The sky in each pixel; 0 outside the wavelengths of the fit.
    pub fn image(&self, wavelengths: ArrayView2<f32>) -> Array2<f32> {
        let mut basis = [0.0; MOST];
        let mut sky = Array2::zeros(wavelengths.dim());
        for (y, (mut out, wavelengths)) in sky.rows_mut().into_iter().zip(wavelengths.rows()).enumerate() {
            let along = self.along(y as f64);
            let mut hint = 0;
            for (out, wavelength) in out.iter_mut().zip(wavelengths) {
                if let Some(local) = self.splines.at_near(f64::from(*wavelength), hint) {
                    hint = local.0;
                    let first = products(&local, &along[..self.terms], &mut basis);
                    *out = self.solution.value(first, &basis[..4 * self.terms]) as f32;
                }
            }
        }
        sky
    }

    fn along(&self, y: f64) -> [f64; MOST_TERMS] {
        along_slit(self.terms, self.height, y)
    }
}

/// Room for the products of four splines and the terms along the slit.
const MOST: usize = 4 * MOST_TERMS;

/// The polynomials along the slit at a pixel of it.
fn along_slit(terms: usize, height: usize, y: f64) -> [f64; MOST_TERMS] {
    let mut along = [0.0; MOST_TERMS];
    let middle = 0.5 * (height as f64 - 1.0);
    BASIS.evaluate(if middle > 0.0 { (y - middle) / middle } else { 0.0 }, &mut along[..terms]);
    along
}

/// Fits the sky of the rows of the slit where `is_sky` says so. Wavelengths are those of the pixels, in the orientation of the view.
///
/// # Errors
/// If no pixel with a wavelength is sky.
pub fn fit_sky(view: &SlitView, wavelengths: ArrayView2<f32>, is_sky: &[bool], options: &SkyOptions) -> Result<SkyModel, FitError> {
    let (height, width) = view.shape();
    let rows: Vec<usize> = (0..height).filter(|&y| is_sky[y]).collect();
    let terms = (options.slit_degree + 1).min(MOST_TERMS).min(rows.len().max(1));
    let splines = splines(wavelengths, options.spacing).ok_or(FitError::TooFewPoints { points: 0, coefficients: 4 })?;
    let mean_variance = mean_variances(view, wavelengths, &rows, &splines);
    let (low, high) = splines.range();
    let variance_at = |wavelength: f64| {
        let k = (wavelength - low) / (high - low) * mean_variance.len() as f64;
        mean_variance[(k as usize).min(mean_variance.len() - 1)]
    };
    let mut kept = Array2::from_elem((rows.len(), width), true);
    let mut basis = [0.0; MOST];
    let mut scale = f64::INFINITY;
    let mut model: Option<SkyModel> = None;
    for _ in 0..3 {
        let mut equations = BandedEquations::new(splines.count() * terms, 4 * terms);
        let mut pixels = 0;
        let mut sizes: Vec<f32> = Vec::new();
        for (n, &y) in rows.iter().enumerate() {
            let along = along_slit(terms, height, y as f64);
            let mut hint = 0;
            for x in 0..width {
                let wavelength = f64::from(wavelengths[[y, x]]);
                let (Some((value, _)), true) = (view.good(y, x), kept[[n, x]]) else { continue };
                let variance = variance_at(wavelength);
                let Some(local) = splines.at_near(wavelength, hint).filter(|_| variance > 0.0) else { continue };
                hint = local.0;
                let first = products(&local, &along[..terms], &mut basis);
                let basis = &basis[..4 * terms];
                if let Some(model) = &model {
                    let off = (value - model.solution.value(first, basis)) / variance.sqrt();
                    sizes.push(off.abs() as f32);
                    if off.abs() > options.clip * scale {
                        kept[[n, x]] = false;
                        continue;
                    }
                }
                equations.add(first, basis, value, 1.0 / variance);
                pixels += 1;
            }
        }
        // Where a model is known, its residuals say how far noise reaches: no less than the variances say.
        scale = if sizes.is_empty() { 1.0 } else { (MAD_TO_SIGMA * crate::statistics::median(&sizes)).max(1.0) };
        let solution = equations.solve(1e-9)?;
        model = Some(SkyModel { splines: splines.clone(), solution, terms, height, pixels });
    }
    model.ok_or(FitError::TooFewPoints { points: 0, coefficients: 4 })
}

/// Breakpoints as far apart as the pixels of the middle of the slit, over all wavelengths of the frame.
fn splines(wavelengths: ArrayView2<f32>, spacing: f64) -> Option<CubicSplines> {
    let (height, width) = wavelengths.dim();
    let mut breakpoints: Vec<f64> = wavelengths.row(height / 2).iter().map(|w| f64::from(*w)).filter(|w| w.is_finite()).collect();
    breakpoints.sort_by(f64::total_cmp);
    let (low, high) = (*breakpoints.first()?, *breakpoints.last()?);
    let pixel = (high - low) / (width.max(2) - 1) as f64;
    let all = wavelengths.iter().map(|w| f64::from(*w)).filter(|w| w.is_finite());
    let (lowest, highest) = all.fold((low, high), |(a, b), w| (a.min(w), b.max(w)));
    // Where the slit is tilted its ends reach further than its middle.
    let before = ((low - lowest) / pixel).ceil() as usize;
    let after = ((highest - high) / pixel).ceil() as usize;
    let start = (0..before).rev().map(|k| low - pixel * (k + 1) as f64);
    let end = (0..after).map(|k| high + pixel * (k + 1) as f64);
    let all: Vec<f64> = start.chain(breakpoints.iter().copied()).chain(end).collect();
    let step = spacing.max(0.1);
    if step < 1.0 {
        return CubicSplines::uniform(*all.first()?, *all.last()?, ((all.len() - 1) as f64 / step) as usize);
    }
    let mut taken: Vec<f64> = (0..).map_while(|k| all.get((f64::from(k) * step).round() as usize).copied()).collect();
    if let Some(last) = all.last().filter(|l| taken.last().is_some_and(|t| t < l)) {
        taken.push(*last);
    }
    taken.dedup_by(|b, a| *b - *a < 1e-3 * pixel);
    CubicSplines::new(&taken)
}

/// Mean variance of the sky pixels in equal intervals of wavelength; those of empty intervals are those of their neighbours.
fn mean_variances(view: &SlitView, wavelengths: ArrayView2<f32>, rows: &[usize], splines: &CubicSplines) -> Vec<f64> {
    let (low, high) = splines.range();
    let bins = splines.count();
    let (mut sums, mut counts) = (vec![0.0; bins], vec![0.0; bins]);
    for &y in rows {
        for x in 0..view.shape().1 {
            if let (Some((_, variance)), wavelength) = (view.good(y, x), f64::from(wavelengths[[y, x]]))
                && wavelength.is_finite()
            {
                let k = (((wavelength - low) / (high - low) * bins as f64) as usize).min(bins - 1);
                sums[k] += variance;
                counts[k] += 1.0;
            }
        }
    }
    let mut means: Vec<f64> = sums.iter().zip(&counts).map(|(s, n)| if *n > 0.0 { s / n } else { f64::NAN }).collect();
    for forward in [true, false] {
        let mut last = f64::NAN;
        for k in 0..bins {
            let k = if forward { k } else { bins - 1 - k };
            if means[k].is_nan() {
                means[k] = last;
            }
            last = means[k];
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use super::super::tests::scene;
    use super::*;
    use crate::statistics::Moments;

    #[test]
    fn the_sky_of_a_tilted_slit_goes_with_its_noise_alone() {
        let (mut residuals, mut pulls) = (Moments::default(), Moments::default());
        for seed in 0..8 {
            let scene = scene(seed, 0.0);
            let view = scene.view();
            let is_sky: Vec<bool> = (0..scene.data.nrows()).map(|y| !(50..90).contains(&y)).collect();
            let sky = fit_sky(&view, scene.wavelengths.view(), &is_sky, &SkyOptions::default()).unwrap();
            for y in (0..scene.data.nrows()).step_by(3) {
                for x in (5..scene.data.ncols() - 5).step_by(7) {
                    let (value, variance) = sky.at(f64::from(scene.wavelengths[[y, x]]), y as f64).unwrap();
                    if is_sky[y] {
                        residuals.push((f64::from(scene.data[[y, x]]) - value) / f64::from(scene.variance[[y, x]]).sqrt());
                    }
                    pulls.push((value - scene.sky(y, x)) / variance.sqrt());
                }
            }
        }
        assert!((residuals.std() - 1.0).abs() < 0.03, "{}", residuals.std());
        assert!((pulls.std() - 1.0).abs() < 0.15 && pulls.mean().abs() < 0.1, "{} {}", pulls.std(), pulls.mean());
    }
}
