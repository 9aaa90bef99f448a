//! Spectra of objects out of a long-slit frame, at the pixels where they were recorded: no resampling, no correlated noise.
//!
//! Two ways: the sum over an aperture, and the optimal extraction of Horne 1986, PASP 98, 609, which weighs each pixel by the profile of the
//! object and its variance. The profile is a cubic spline across the trace whose coefficients change along the dispersion as a
//! polynomial; it is fitted to all pixels, normalised at each wavelength, and not negative. Pixels that do not agree with it are left out, one at a time in
//! each column. The photon noise is that of the model, as that of the pixel itself would draw the weights to the low side.

use ndarray::ArrayView2;

use super::lines::FWHM_OF_SIGMA;
use super::slit::SlitView;
use super::trace::Trace;
use crate::filter::{Edge, running_median};
use crate::fit::{BandedEquations, Basis, CubicSplines, MOST_TERMS, products};

/// Choices of an extraction.
#[derive(Clone, Copy, Debug)]
pub struct ExtractOptions {
    /// Half the aperture in units of the full width at half maximum.
    pub radius: f64,
    /// Degree along the dispersion of the change of the profile.
    pub profile_degree: usize,
    /// Pixels this many times their noise off the profile are left out.
    pub clip: f64,
    /// Variance of a photon signal over the signal: 1 over the gain. 0 takes the variances as they are.
    pub photon: f64,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        ExtractOptions { radius: 1.5, profile_degree: 2, clip: 5.0, photon: 0.0 }
    }
}

/// What is known of the sky in a frame.
pub struct SkyOfFrame<'a> {
    /// The sky in each pixel.
    pub image: ArrayView2<'a, f32>,
    /// Variance of the sky model at a pixel along the dispersion and the slit; the errors of neighbours along the slit are alike.
    pub variance: &'a dyn Fn(usize, usize) -> f64,
}

/// One pixel of a spectrum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Flux by optimal extraction; NaN where less than half of the profile is left.
    pub flux: f64,
    /// Its standard error.
    pub error: f64,
    /// Flux in the aperture: the sum, pixels left out replaced by the profile.
    pub sum: f64,
    /// Its standard error.
    pub sum_error: f64,
    /// Sky in the aperture.
    pub sky: f64,
    /// Share of the profile on pixels that were used.
    pub share: f64,
    /// Whether a pixel of the aperture is saturated.
    pub saturated: bool,
}

/// A spectrum by pixel along the dispersion.
#[derive(Clone, Debug, Default)]
pub struct Extracted {
    /// Samples.
    pub samples: Vec<Sample>,
    /// Half the aperture, pixels.
    pub radius: f64,
    /// Pixels left out by the profile.
    pub rejected: usize,
}

/// The pixels of an object: values above the sky, by column.
struct Aperture {
    /// First row of the aperture in each column.
    first: Vec<usize>,
    rows: usize,
    /// By column and row of the aperture: value above the sky and variance; none where there is none.
    pixels: Vec<Option<(f64, f64)>>,
}

/// The spectrum of one object.
pub fn extract(view: &SlitView, sky: &SkyOfFrame, trace: &Trace, options: &ExtractOptions) -> Extracted {
    let (height, width) = view.shape();
    let radius = (options.radius * trace.fwhm).max(1.0).min(height as f64 / 2.0);
    let mut aperture = aperture(view, sky, trace, radius);
    let mut flux: Vec<f64> = (0..width).map(|x| aperture.column(x).iter().flatten().map(|(v, _)| v).sum()).collect();
    let mut profile = vec![0.0; aperture.pixels.len()];
    let mut rejected = 0;
    // Weights never follow the noise of their own pixel: they would draw everything to the low side.
    let mut models: Vec<Vec<f64>> = (0..width).map(|x| vec![aperture.mean_variance(x); aperture.rows]).collect();
    // From coarse to fine: a profile that a cosmic ray has bent is not yet a judge of others.
    for clip in [4.0, 2.0, 1.0, 1.0, 1.0, 1.0, f64::INFINITY].map(|c| c * options.clip) {
        profile = fit_profile(&aperture, &guide(&aperture, &flux), &models, trace, radius, options);
        models = (0..width).map(|x| variances(view, sky, &aperture, &profile, x, flux[x], options)).collect();
        for x in 0..width {
            flux[x] = optimal(&aperture, &profile, &models[x], x).0;
        }
        let worst: Vec<usize> = (0..width).filter_map(|x| worst_pixel(&aperture, &profile, &models[x], x, flux[x], clip)).collect();
        rejected += worst.len();
        worst.iter().for_each(|&i| aperture.pixels[i] = None);
        if worst.is_empty() && clip <= options.clip {
            break;
        }
    }
    let samples = (0..width).map(|x| sample(view, sky, &aperture, &profile, x, flux[x], options)).collect();
    Extracted { samples, radius, rejected }
}

impl Aperture {
    fn column(&self, x: usize) -> &[Option<(f64, f64)>] {
        &self.pixels[x * self.rows..(x + 1) * self.rows]
    }

    /// Mean variance of the pixels of a column; 1 where there are none.
    fn mean_variance(&self, x: usize) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for (_, variance) in self.column(x).iter().flatten() {
            sum += variance;
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 1.0 }
    }
}

fn aperture(view: &SlitView, sky: &SkyOfFrame, trace: &Trace, radius: f64) -> Aperture {
    let (height, width) = view.shape();
    let rows = ((2.0 * radius).ceil() as usize + 1).min(height);
    let first: Vec<usize> = (0..width).map(|x| ((trace.at(x as f64) - radius).round().max(0.0) as usize).min(height - rows)).collect();
    let mut pixels = Vec::with_capacity(width * rows);
    for (x, &first) in first.iter().enumerate() {
        for y in first..first + rows {
            // What is outside of the slit is nothing of the object's.
            let inside = (y as f64 - trace.at(x as f64)).abs() <= radius + 0.5;
            pixels.push(view.good(y, x).filter(|_| inside).map(|(v, s)| (v - f64::from(sky.image[[y, x]]), s)));
        }
    }
    Aperture { first, rows, pixels }
}

/// The flux that scales the profile in its fit: where single columns are noise, a running median of them.
fn guide(aperture: &Aperture, flux: &[f64]) -> Vec<f64> {
    let noise = |x: usize| aperture.column(x).iter().flatten().map(|(_, s)| s).sum::<f64>().sqrt();
    let mut ratios: Vec<f32> = (0..flux.len()).map(|x| (flux[x] / noise(x).max(1e-30)) as f32).filter(|r| r.is_finite()).collect();
    if ratios.is_empty() {
        return flux.to_vec();
    }
    let typical = crate::statistics::median_in_place(&mut ratios);
    let window = match typical {
        r if r > 20.0 => return flux.to_vec(),
        r if r > 5.0 => 9,
        _ => 51,
    };
    let values: Vec<f32> = flux.iter().map(|f| *f as f32).collect();
    running_median(&values, window, Edge::Ignore).into_iter().map(f64::from).collect()
}

/// Most that the noise of the profile may take from the flux: with `n` coefficients and a signal-to-noise ratio `s` of the whole spectrum it
/// takes about `n / s^2`, as the noise of the profile is squared in the sum of its squares.
const PROFILE_LOSS: f64 = 0.002;

/// Intervals of the spline across the trace and terms along the dispersion that the light of an object can bear; none if it bears no spline.
fn freedom(aperture: &Aperture, flux: &[f64], finest: usize, most_terms: usize) -> Option<(usize, usize)> {
    let square = |x: usize| {
        let variance: f64 = aperture.column(x).iter().flatten().map(|(_, s)| s).sum();
        if variance > 0.0 && flux[x].is_finite() { flux[x].max(0.0).powi(2) / variance } else { 0.0 }
    };
    let budget = PROFILE_LOSS * (0..flux.len()).map(square).sum::<f64>();
    let terms = (1..=most_terms.min(MOST_TERMS)).rev().find(|t| ((finest + 3) * t) as f64 <= budget).unwrap_or(1);
    let intervals = (8..=finest.max(8)).rev().find(|n| (n + 3) as f64 * terms as f64 <= budget)?;
    Some((intervals, terms))
}

/// The share of the light in each pixel of the aperture; they sum to 1 in each column. A faint object is taken for a Gaussian.
fn fit_profile(
    aperture: &Aperture,
    flux: &[f64],
    variances: &[Vec<f64>],
    trace: &Trace,
    radius: f64,
    options: &ExtractOptions,
) -> Vec<f64> {
    let width = flux.len();
    let reach = radius + 2.0;
    // As fine as the profile needs, and no finer than pixels are.
    let finest = (2.0 * reach / (trace.fwhm / 4.0).max(0.7)).ceil().clamp(8.0, 60.0) as usize;
    let Some((intervals, terms)) = freedom(aperture, flux, finest, options.profile_degree + 1) else {
        return gaussian(aperture, trace, radius);
    };
    let Some(splines) = CubicSplines::uniform(-reach, reach, intervals) else { return gaussian(aperture, trace, radius) };
    let mut equations = BandedEquations::new(splines.count() * terms, 4 * terms);
    let along = |x: usize| {
        let mut along = [0.0; MOST_TERMS];
        Basis::Legendre.evaluate(2.0 * x as f64 / (width.max(2) - 1) as f64 - 1.0, &mut along[..terms]);
        along
    };
    let mut basis = [0.0; 4 * MOST_TERMS];
    for x in (0..width).filter(|&x| flux[x] > 0.0 && flux[x].is_finite()) {
        let along = along(x).map(|a| a * flux[x]);
        for (k, pixel) in aperture.column(x).iter().enumerate() {
            let place = (aperture.first[x] + k) as f64 - trace.at(x as f64);
            if let (Some((value, _)), Some(local)) = (pixel, splines.at(place)) {
                let first = products(&local, &along[..terms], &mut basis);
                equations.add(first, &basis[..4 * terms], *value, 1.0 / variances[x][k]);
            }
        }
    }
    let Ok(solution) = equations.solve(1e-9) else { return gaussian(aperture, trace, radius) };
    let mut profile = vec![0.0; aperture.pixels.len()];
    let alongs: Vec<[f64; MOST_TERMS]> = (0..width).map(along).collect();
    fill(aperture, trace, radius, &mut profile, |x, y| {
        let mut basis = [0.0; 4 * MOST_TERMS];
        let Some(local) = splines.at(y as f64 - trace.at(x as f64)) else { return 0.0 };
        let first = products(&local, &alongs[x][..terms], &mut basis);
        solution.value(first, &basis[..4 * terms])
    });
    profile
}

/// A Gaussian as wide as the trace says.
fn gaussian(aperture: &Aperture, trace: &Trace, radius: f64) -> Vec<f64> {
    let mut profile = vec![0.0; aperture.pixels.len()];
    let sigma = trace.fwhm / FWHM_OF_SIGMA;
    fill(aperture, trace, radius, &mut profile, |x, y| (-0.5 * ((y as f64 - trace.at(x as f64)) / sigma).powi(2)).exp());
    profile
}

/// A profile from its values at pixels: not negative, nothing outside the aperture, sum 1 in each column.
fn fill(aperture: &Aperture, trace: &Trace, radius: f64, profile: &mut [f64], value: impl Fn(usize, usize) -> f64) {
    for (x, column) in profile.chunks_mut(aperture.rows).enumerate() {
        for (k, p) in column.iter_mut().enumerate() {
            let y = aperture.first[x] + k;
            let inside = (y as f64 - trace.at(x as f64)).abs() <= radius + 0.5;
            *p = if inside { value(x, y) } else { 0.0 };
        }
        // Normalised before what is negative goes: noise in the wings must not take from the core.
        let sum: f64 = column.iter().sum();
        if sum > 0.0 {
            column.iter_mut().for_each(|p| *p = (*p / sum).max(0.0));
        }
    }
}

/// Variances of the pixels of a column, their photon noise by the model.
fn variances(
    view: &SlitView,
    sky: &SkyOfFrame,
    aperture: &Aperture,
    profile: &[f64],
    x: usize,
    flux: f64,
    options: &ExtractOptions,
) -> Vec<f64> {
    let model = |k: usize| {
        let y = aperture.first[x] + k;
        let (value, variance) = view.good(y, x).unwrap_or((0.0, 1.0));
        let light = (f64::from(sky.image[[y, x]]) + flux.max(0.0) * profile[x * aperture.rows + k]).max(0.0);
        let without = variance - options.photon * value.max(0.0);
        // The photon noise is part of the variance, but never all of it.
        without.max(0.02 * variance) + options.photon * light
    };
    if options.photon > 0.0 {
        return (0..aperture.rows).map(model).collect();
    }
    aperture.column(x).iter().map(|p| p.map_or(1.0, |(_, s)| s)).collect()
}

/// Flux, its variance without that of the sky, and the sum of the weights of the pixels.
fn optimal(aperture: &Aperture, profile: &[f64], variances: &[f64], x: usize) -> (f64, f64, f64) {
    let (mut numerator, mut denominator, mut weights) = (0.0, 0.0, 0.0);
    for (k, pixel) in aperture.column(x).iter().enumerate() {
        if let Some((value, _)) = pixel {
            let p = profile[x * aperture.rows + k];
            numerator += p * value / variances[k];
            denominator += p * p / variances[k];
            weights += p / variances[k];
        }
    }
    if denominator > 0.0 { (numerator / denominator, 1.0 / denominator, weights / denominator) } else { (f64::NAN, f64::NAN, f64::NAN) }
}

/// The pixel of a column that is furthest off the profile, if that is further than noise and the error of the profile reach.
fn worst_pixel(aperture: &Aperture, profile: &[f64], variances: &[f64], x: usize, flux: f64, clip: f64) -> Option<usize> {
    let off = |k: usize| {
        let (value, _) = aperture.column(x)[k]?;
        let model = flux * profile[x * aperture.rows + k];
        // The profile itself is known to a few per cent.
        let sigma = (variances[k] + (0.05 * model).powi(2)).sqrt();
        Some((value - model).abs() / sigma)
    };
    let (worst, size) = (0..aperture.rows).filter_map(|k| Some((k, off(k)?))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    (size > clip).then_some(x * aperture.rows + worst)
}

fn sample(
    view: &SlitView,
    sky: &SkyOfFrame,
    aperture: &Aperture,
    profile: &[f64],
    x: usize,
    flux: f64,
    options: &ExtractOptions,
) -> Sample {
    let models = variances(view, sky, aperture, profile, x, flux, options);
    let (flux, variance, weights) = optimal(aperture, profile, &models, x);
    let column = aperture.column(x);
    let shares = &profile[x * aperture.rows..(x + 1) * aperture.rows];
    let whole: f64 = shares.iter().sum();
    let share = column.iter().zip(shares).filter(|(p, _)| p.is_some()).map(|(_, s)| s).sum::<f64>() / whole;
    let middle = aperture.first[x] + aperture.rows / 2;
    let sky_variance = (sky.variance)(middle, x).max(0.0);
    let mut sample = Sample { share, ..Sample::default() };
    let mut sum_variance = 0.0;
    let mut pixels = 0.0;
    for (k, pixel) in column.iter().enumerate() {
        let y = aperture.first[x] + k;
        if shares[k] > 0.0 || pixel.is_some() {
            sample.sky += f64::from(sky.image[[y, x]]);
            sample.saturated |= view.quality[[y, x]] & super::slit::SATURATED != 0;
        }
        if let Some((value, _)) = pixel {
            sample.sum += value;
            sum_variance += models[k];
            pixels += 1.0;
        } else if shares[k] > 0.0 {
            sample.sum += flux * shares[k];
            sum_variance += variance * shares[k];
        }
    }
    let enough = share > 0.5 && variance.is_finite();
    sample.flux = if enough { flux } else { f64::NAN };
    sample.error = if enough { (variance + weights * weights * sky_variance).sqrt() } else { f64::NAN };
    sample.sum_error = (sum_variance + pixels * pixels * sky_variance).sqrt();
    if !enough {
        (sample.sum, sample.sum_error) = (f64::NAN, f64::NAN);
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::super::objects::{find_objects, median_sky, sky_rows, slit_profile, subtracted_profile};
    use super::super::sky::{SkyOptions, fit_sky};
    use super::super::tests::{GAIN, scene};
    use super::super::trace::trace;
    use super::*;
    use crate::statistics::Moments;

    #[test]
    fn flux_and_error_of_a_star_are_right_for_any_brightness() {
        for (brightness, tolerance) in [(100.0, 0.015), (400.0, 0.004), (20_000.0, 0.002)] {
            let (mut optimal, mut sums, mut ratio) = (Moments::default(), Moments::default(), Moments::default());
            let (mut gain, mut bias) = (Moments::default(), Moments::default());
            for seed in 0..6 {
                let scene = scene(seed, brightness);
                let view = scene.view();
                let rough = median_sky(&view);
                let rows = sky_rows(&slit_profile(&view, |_, x| rough[x]), 1);
                let model = fit_sky(&view, scene.wavelengths.view(), &rows, &SkyOptions::default()).unwrap();
                let sky = model.image(scene.wavelengths.view());
                let object = find_objects(&subtracted_profile(&view, sky.view()), 5.0)[0];
                let pixel = |y: usize, x: usize| view.good(y, x).map(|(v, s)| (v - f64::from(sky[[y, x]]), s));
                let trace = trace(view.shape(), pixel, &object, 2);
                let variance = |y: usize, x: usize| model.at(f64::from(scene.wavelengths[[y, x]]), y as f64).map_or(0.0, |v| v.1);
                let options = ExtractOptions { photon: 1.0 / GAIN, ..ExtractOptions::default() };
                let found = extract(&view, &SkyOfFrame { image: sky.view(), variance: &variance }, &trace, &options);
                for (x, s) in found.samples.iter().enumerate().skip(5).take(390) {
                    let truth = scene.flux(x);
                    optimal.push((s.flux - truth) / s.error);
                    sums.push((s.sum - truth) / s.sum_error);
                    ratio.push(s.flux / truth);
                    bias.push(s.sum / truth);
                    gain.push(s.sum_error / s.error);
                }
            }
            assert!((optimal.std() - 1.0).abs() < 0.1 && (sums.std() - 1.0).abs() < 0.1, "{brightness}: {} {}", optimal.std(), sums.std());
            assert!((ratio.mean() - 1.0).abs() < tolerance, "{brightness}: {}", ratio.mean());
            assert!((bias.mean() - 1.0).abs() < tolerance + 0.005, "{brightness}: {}", bias.mean());
            assert!(gain.mean() > if brightness < 1000.0 { 1.15 } else { 0.999 }, "{brightness}: {}", gain.mean());
        }
    }

    #[test]
    fn cosmic_rays_do_not_reach_the_spectrum() {
        let mut scene = scene(3, 2000.0);
        for k in 0..60 {
            scene.data[[66 + k % 9, 20 + 6 * k]] += 3000.0;
        }
        let sky = ndarray::Array2::from_shape_fn(scene.data.dim(), |(y, x)| scene.sky(y, x) as f32);
        let view = scene.view();
        let object = find_objects(&subtracted_profile(&view, sky.view()), 5.0)[0];
        let pixel = |y: usize, x: usize| view.good(y, x).map(|(v, s)| (v - f64::from(sky[[y, x]]), s));
        let trace = trace(view.shape(), pixel, &object, 2);
        let options = ExtractOptions { photon: 1.0 / GAIN, ..ExtractOptions::default() };
        let found = extract(&view, &SkyOfFrame { image: sky.view(), variance: &|_, _| 0.0 }, &trace, &options);
        let mut pulls = Moments::default();
        (5..395).for_each(|x| pulls.push((found.samples[x].flux - scene.flux(x)) / found.samples[x].error));
        assert!(found.rejected >= 58 && found.rejected < 75, "{}", found.rejected);
        assert!(pulls.std() < 1.2, "{}", pulls.std());
    }
}
