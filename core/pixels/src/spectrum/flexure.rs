//! Flexure: how far the night-sky lines of a frame lie from where the arc puts them.
//!
//! Few sky lines stand alone at the resolution of a long-slit spectrograph, and the mean of a blend lies where its parts are. So each
//! strong line is compared with all listed lines around it, as wide as the spectrograph makes them: amplitude, a straight background and the shift
//! are fitted by least squares in a window of four line widths. First a shift common to all windows is looked for, then each window is fitted on
//! its own, and a straight line in wavelength goes through the shifts that are well determined. Errors contain the misfit of each window: moonlight
//! puts the lines of the Sun below them.

use super::air::to_air;
use super::lines::FWHM_OF_SIGMA;
use crate::fit::{Basis, FitOptions, NormalEquations, PolynomialFit, fit_polynomial};
use crate::statistics::SigmaClip;

/// Vacuum wavelength in Angstrom and relative intensity of the night-sky lines.
pub fn sky_lines() -> Vec<(f64, f64)> {
    let line = |text: &str| {
        let mut words = text.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    include_str!("sky_lines.dat").lines().filter(|l| !l.starts_with('#')).filter_map(line).collect()
}

/// A pixel of a sky spectrum.
#[derive(Clone, Copy, Debug)]
pub struct SkySample {
    /// Wavelength that the arc gives it, Angstrom.
    pub wavelength: f64,
    /// Value.
    pub value: f64,
    /// Variance.
    pub variance: f64,
}

/// Choices.
#[derive(Clone, Copy, Debug)]
pub struct FlexureOptions {
    /// Whether wavelengths are those in air.
    pub air: bool,
    /// Full width at half maximum of the lines, Angstrom.
    pub fwhm: f64,
    /// Largest shift that is looked for, Angstrom.
    pub reach: f64,
    /// Degree of the shift in wavelength, if the lines allow it.
    pub degree: usize,
}

/// One sky line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkyLineShift {
    /// True wavelength of the strongest line of the window.
    pub wavelength: f64,
    /// Wavelength that the arc gives it minus its true one, Angstrom.
    pub shift: f64,
    /// Standard error.
    pub error: f64,
    /// Height over the error of the height.
    pub significance: f64,
    /// Whether the correction goes by it.
    pub used: bool,
}

/// The shift of the sky lines.
#[derive(Clone, Debug)]
pub struct Flexure {
    /// Wavelength of the arc minus true wavelength, as a function of the wavelength.
    pub fit: PolynomialFit,
    /// The lines.
    pub lines: Vec<SkyLineShift>,
    /// Root mean square distance of the lines used from the correction, Angstrom.
    pub rms: f64,
}

impl Flexure {
    /// Shift at a wavelength; beyond the lines that of the last one.
    pub fn at(&self, wavelength: f64) -> f64 {
        self.fit.polynomial.at(self.inside(wavelength))
    }

    /// Standard error of [`Flexure::at`]; where the lines scatter by more than their errors say, by that much larger.
    pub fn error_at(&self, wavelength: f64) -> f64 {
        let scatter = (self.fit.chi2 / self.fit.degrees_of_freedom.max(1) as f64).max(1.0);
        (scatter * self.fit.variance_at(self.inside(wavelength))).sqrt()
    }

    fn inside(&self, wavelength: f64) -> f64 {
        let (low, high) = self.fit.polynomial.interval;
        wavelength.clamp(low, high)
    }

    /// Lines that the correction goes by.
    pub fn used(&self) -> usize {
        self.lines.iter().filter(|l| l.used).count()
    }
}

/// The part of the spectrum around a strong line.
struct Window {
    centre: f64,
    samples: Vec<SkySample>,
    lines: Vec<(f64, f64)>,
}

/// A line has to be this many times its error high.
const SIGNIFICANT: f64 = 5.0;
/// Half a window, in line widths.
const HALF: f64 = 2.0;

/// The flexure of a spectrum of the sky, by wavelength; none if no sky line is seen.
pub fn flexure(spectrum: &[SkySample], options: &FlexureOptions) -> Option<Flexure> {
    let lines: Vec<(f64, f64)> = sky_lines().into_iter().map(|(w, i)| (if options.air { to_air(w) } else { w }, i)).collect();
    let widths = [0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5].map(|f| f * options.fwhm);
    // Shift common to all windows, for several widths.
    let mut best: Option<(f64, f64, f64)> = None;
    let chosen = windows(spectrum, &lines, options.fwhm, options.reach);
    for width in widths {
        let steps = (options.reach / (0.1 * width)).ceil() as i32;
        for shift in (-steps..=steps).map(|k| f64::from(k) * 0.1 * width) {
            let gain: f64 = chosen.iter().map(|w| fit(w, width, shift).map_or(0.0, |f| f.gain)).sum();
            if best.is_none_or(|(g, ..)| gain > g) {
                best = Some((gain, shift, width));
            }
        }
    }
    let (gain, shift, width) = best?;
    if gain.is_nan() || gain <= SIGNIFICANT * SIGNIFICANT {
        return None;
    }
    let mut found: Vec<SkyLineShift> = chosen.iter().filter_map(|w| refine(w, width, shift)).collect();
    found.retain(|l| l.significance > SIGNIFICANT && l.error < 0.25 * width && (l.shift - shift).abs() < 0.5 * width);
    correction(found, options.degree, width)
}

/// Windows around the lines that are the strongest within a window of the list, where the spectrum covers all of it.
fn windows(spectrum: &[SkySample], lines: &[(f64, f64)], fwhm: f64, reach: f64) -> Vec<Window> {
    let half = HALF * fwhm;
    let mut found = Vec::new();
    for (n, (centre, intensity)) in lines.iter().enumerate() {
        let near = |l: &&(f64, f64)| (l.0 - centre).abs() < 1.5 * fwhm;
        if lines.iter().enumerate().any(|(m, l)| m != n && near(&l) && l.1 > *intensity) {
            continue;
        }
        let samples: Vec<SkySample> = spectrum
            .iter()
            .filter(|s| (s.wavelength - centre).abs() < half + reach && s.value.is_finite() && s.variance > 0.0)
            .copied()
            .collect();
        let covered = |side: f64| samples.iter().any(|s| (s.wavelength - centre) * side > half);
        if samples.len() >= 8 && covered(1.0) && covered(-1.0) {
            let lines = lines.iter().filter(|l| (l.0 - centre).abs() < half + 2.0 * fwhm).map(|(w, i)| (*w, i / intensity)).collect();
            found.push(Window { centre: *centre, samples, lines });
        }
    }
    found
}

/// Fit of a window at a given shift: how much better than without lines in chi-square, amplitude and shift to go, their errors.
struct WindowFit {
    gain: f64,
    amplitude: f64,
    amplitude_error: f64,
    step: f64,
    step_error: f64,
}

fn fit(window: &Window, fwhm: f64, shift: f64) -> Option<WindowFit> {
    let sigma = fwhm / FWHM_OF_SIGMA;
    let half = HALF * fwhm;
    // The lines, their derivative by wavelength, and a straight background.
    let functions = |wavelength: f64| {
        let (mut value, mut slope) = (0.0, 0.0);
        for (centre, intensity) in &window.lines {
            let t = (wavelength - shift - centre) / sigma;
            if t.abs() < 5.0 {
                let g = intensity * (-0.5 * t * t).exp();
                value += g;
                slope -= g * t / sigma;
            }
        }
        [value, slope, 1.0, (wavelength - shift - window.centre) / half]
    };
    let inside: Vec<&SkySample> = window.samples.iter().filter(|s| (s.wavelength - shift - window.centre).abs() < half).collect();
    if inside.len() < 7 {
        return None;
    }
    let (mut with, mut without) = (NormalEquations::new(4), NormalEquations::new(2));
    for s in &inside {
        let f = functions(s.wavelength);
        with.add(&f, s.value, 1.0 / s.variance);
        without.add(&f[2..], s.value, 1.0 / s.variance);
    }
    let (with, without) = (with.solve().ok()?, without.solve().ok()?);
    let chi2 = |coefficients: &[f64], from: usize| -> f64 {
        let residual = |s: &SkySample| s.value - functions(s.wavelength)[from..].iter().zip(coefficients).map(|(a, b)| a * b).sum::<f64>();
        inside.iter().map(|s| residual(s).powi(2) / s.variance).sum()
    };
    let after = chi2(&with.coefficients, 0);
    let misfit = (after / (inside.len() - 4) as f64).max(1.0);
    let [amplitude, slope] = [with.coefficients[0], with.coefficients[1]];
    let error = |k: usize| (with.covariance[[k, k]] * misfit).sqrt();
    // Lines that go down are none.
    let gain = if amplitude > 0.0 { (chi2(&without.coefficients, 2) - after) / misfit } else { 0.0 };
    Some(WindowFit { gain, amplitude, amplitude_error: error(0), step: -slope / amplitude, step_error: error(1) / amplitude.abs() })
}

fn refine(window: &Window, fwhm: f64, start: f64) -> Option<SkyLineShift> {
    let mut shift = start;
    let mut last = None;
    for _ in 0..8 {
        let found = fit(window, fwhm, shift).filter(|f| f.amplitude > 0.0)?;
        shift += found.step.clamp(-0.3 * fwhm, 0.3 * fwhm);
        let done = found.step.abs() < 1e-3 * fwhm;
        last = Some(found);
        if done {
            break;
        }
    }
    let found = last?;
    let significance = found.amplitude / found.amplitude_error;
    Some(SkyLineShift { wavelength: window.centre, shift, error: found.step_error, significance, used: true })
}

/// A straight line through the shifts, or a constant where they are too few or too close together.
fn correction(mut lines: Vec<SkyLineShift>, degree: usize, width: f64) -> Option<Flexure> {
    let column = |f: &dyn Fn(&SkyLineShift) -> f64| lines.iter().map(f).collect::<Vec<f64>>();
    // What the list and its relative intensities are worth.
    let floor = 0.02 * width;
    let variances = column(&|l| l.error * l.error + floor * floor);
    let degree = degree.min(lines.len().saturating_sub(1) / 3);
    let options = FitOptions { basis: Basis::Legendre, clip: Some(SigmaClip { low: 3.5, high: 3.5, max_iterations: 10 }) };
    let fit = fit_polynomial(&column(&|l| l.wavelength), &column(&|l| l.shift), Some(&variances), degree, &options).ok()?;
    lines.iter_mut().zip(&fit.used).for_each(|(l, u)| l.used = *u);
    Some(Flexure { rms: fit.rms, fit, lines })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    /// A sky of listed lines, shifted, at 4.5 Angstrom a pixel.
    fn sky(seed: u64, shift: impl Fn(f64) -> f64, height: f64, range: (f64, f64)) -> Vec<SkySample> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let lines = sky_lines();
        let sigma = 12.0 / FWHM_OF_SIGMA;
        let count = ((range.1 - range.0) / 4.5) as usize;
        let sample = |k: usize| {
            let wavelength = range.0 + 4.5 * k as f64;
            let light: f64 = lines
                .iter()
                .map(|(w, i)| (wavelength - to_air(*w) - shift(*w)) / sigma * 1.0_f64.min(i + 1.0))
                .zip(&lines)
                .filter(|(t, _)| t.abs() < 6.0)
                .map(|(t, (_, i))| height * i / 100.0 * (-0.5 * t * t).exp())
                .sum();
            let noise: f64 = StandardNormal.sample(&mut rng);
            let level = 200.0 + 0.01 * wavelength + light;
            let variance = 0.02 * level;
            SkySample { wavelength, value: level + noise * variance.sqrt(), variance }
        };
        (0..count).map(sample).collect()
    }

    fn options() -> FlexureOptions {
        FlexureOptions { air: true, fwhm: 11.0, reach: 40.0, degree: 1 }
    }

    #[test]
    fn a_shift_of_any_size_is_found_within_its_error() {
        let mut pulls = Moments::default();
        for (seed, size) in [(1, 0.0), (2, 12.0), (3, -27.0), (4, 3.3)] {
            let truth = |w: f64| size + 0.0004 * (w - 7000.0);
            let found = flexure(&sky(seed, truth, 300.0, (4800.0, 9200.0)), &options()).unwrap();
            assert!(found.used() >= 10, "{}", found.used());
            for w in [5577.0, 7000.0, 8800.0] {
                assert!((found.at(w) - truth(w)).abs() < 0.15, "{size} {w}: {} {}", found.at(w), truth(w));
                assert!((found.at(w) - truth(w)).abs() < 4.0 * found.error_at(w) && found.error_at(w) < 0.2, "{w}: {}", found.error_at(w));
            }
            found.lines.iter().filter(|l| l.used).for_each(|l| pulls.push((l.shift - truth(l.wavelength)) / l.error));
        }
        assert!((0.7..1.4).contains(&pulls.std()), "{}", pulls.std());
    }

    #[test]
    fn a_blue_grism_has_one_line_and_a_dark_sky_none() {
        let found = flexure(&sky(5, |_| 4.0, 300.0, (3800.0, 5900.0)), &options()).unwrap();
        assert!((found.at(4000.0) - 4.0).abs() < 0.4 && found.used() >= 1, "{:?}", found.lines);
        for seed in 0..5 {
            assert!(flexure(&sky(seed, |_| 0.0, 0.0, (4800.0, 9200.0)), &options()).is_none_or(|f| f.used() <= 1));
        }
    }
}
