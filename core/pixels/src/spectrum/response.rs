//! Response of telescope and instrument from a star of known flux.
//!
//! Counts and known fluxes are averaged over the same bins, wide enough that the resolution of neither matters; bins that a telluric band
//! touches are left out. A cubic spline goes through the logarithm of their ratio, so that the response is positive and smooth; bins that disagree
//! (lines of the star) are clipped. Beyond the outermost bins used there is no response.

use crate::fit::{BandedEquations, BandedSolution, CubicSplines};
use crate::statistics::{MAD_TO_SIGMA, median};

/// Bands of telluric absorption, air wavelengths in Angstrom: O2 (B, A, gamma weak), H2O.
pub const TELLURIC: &[(f64, f64)] = &[(6860.0, 6975.0), (7160.0, 7350.0), (7580.0, 7720.0), (8120.0, 8370.0), (8920.0, 9850.0)];

/// Whether an air wavelength lies within `margin` of a telluric band.
pub fn is_telluric(wavelength: f64, margin: f64) -> bool {
    TELLURIC.iter().any(|(low, high)| (low - margin..=high + margin).contains(&wavelength))
}

/// A pixel of the spectrum of the star.
#[derive(Clone, Copy, Debug)]
pub struct CountSample {
    /// Wavelength in air, Angstrom.
    pub wavelength: f64,
    /// Counts per second and Angstrom above the atmosphere.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// Choices of a response.
#[derive(Clone, Copy, Debug)]
pub struct ResponseOptions {
    /// Width of a bin, Angstrom.
    pub bin: f64,
    /// Distance of the breakpoints of the spline, Angstrom.
    pub spacing: f64,
    /// Bins this many times the scatter off are left out.
    pub clip: f64,
}

impl Default for ResponseOptions {
    fn default() -> Self {
        ResponseOptions { bin: 50.0, spacing: 350.0, clip: 3.0 }
    }
}

/// A bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResponseBin {
    /// Middle in air, Angstrom.
    pub wavelength: f64,
    /// Known flux over counts per second and Angstrom.
    pub ratio: f64,
    /// Its standard error.
    pub error: f64,
    /// Ratio over the curve, minus 1.
    pub residual: f64,
    /// Whether the curve goes by it.
    pub used: bool,
}

/// Flux in erg/s/cm2/Angstrom for one count per second and Angstrom.
#[derive(Clone, Debug)]
pub struct Response {
    splines: CubicSplines,
    solution: BandedSolution,
    /// The bins.
    pub bins: Vec<ResponseBin>,
    /// Root mean square residual of the bins used, relative.
    pub rms: f64,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the spectrum and the table of the star have {0} bins in common that are free of telluric bands and have light: {FEWEST} are needed"
)]
pub struct TooFewBins(pub usize);

const FEWEST: usize = 8;

impl Response {
    /// Response and its relative error at a wavelength in air; none outside the bins.
    pub fn at(&self, wavelength: f64) -> Option<(f64, f64)> {
        let (first, values) = self.splines.at(wavelength)?;
        let variance = self.solution.variance(first, &values);
        Some((self.solution.value(first, &values).exp(), variance.sqrt()))
    }
}

/// The response from a spectrum and the known fluxes (air wavelength, mean flux of each step) of its star.
///
/// # Errors
/// If too few bins have both.
pub fn response(spectrum: &[CountSample], known: &[(f64, f64)], options: &ResponseOptions) -> Result<Response, TooFewBins> {
    let low = spectrum.iter().map(|s| s.wavelength).fold(f64::INFINITY, f64::min);
    let high = spectrum.iter().map(|s| s.wavelength).fold(f64::NEG_INFINITY, f64::max);
    // Multiples of the width, so that the bins are the same wherever a spectrum begins.
    let first = (low / options.bin).ceil();
    let count = ((high / options.bin).floor() - first).max(0.0);
    let mut bins = Vec::new();
    for k in 0..if count.is_finite() { count as usize } else { 0 } {
        let (from, to) = (options.bin * (first + k as f64), options.bin * (first + k as f64 + 1.0));
        let middle = 0.5 * (from + to);
        if let (Some((value, error)), Some(flux)) = (mean_counts(spectrum, from, to), mean_known(known, from, to))
            && value > 5.0 * error
        {
            let ratio = flux / value;
            let used = !is_telluric(middle, 0.5 * options.bin);
            bins.push(ResponseBin { wavelength: middle, ratio, error: ratio * error / value, residual: f64::NAN, used });
        }
    }
    fit(bins, options)
}

fn mean_counts(spectrum: &[CountSample], from: f64, to: f64) -> Option<(f64, f64)> {
    let (mut sum, mut variance, mut n) = (0.0, 0.0, 0.0);
    for s in spectrum.iter().filter(|s| (from..to).contains(&s.wavelength)) {
        // A bin with a hole is no mean.
        if !(s.value.is_finite() && s.error > 0.0) {
            return None;
        }
        sum += s.value;
        variance += s.error * s.error;
        n += 1.0;
    }
    (n > 0.0).then(|| (sum / n, variance.sqrt() / n))
}

/// Mean of the known flux from one wavelength to another: steps count by the part that lies inside.
fn mean_known(known: &[(f64, f64)], from: f64, to: f64) -> Option<f64> {
    let step = known.get(1)?.0 - known[0].0;
    let (mut sum, mut width) = (0.0, 0.0);
    for (wavelength, flux) in known {
        let part = (to.min(wavelength + 0.5 * step) - from.max(wavelength - 0.5 * step)).max(0.0);
        sum += part * flux;
        width += part;
    }
    (width > 0.95 * (to - from)).then(|| sum / width)
}

fn fit(mut bins: Vec<ResponseBin>, options: &ResponseOptions) -> Result<Response, TooFewBins> {
    loop {
        let used: Vec<&ResponseBin> = bins.iter().filter(|b| b.used).collect();
        let few = TooFewBins(used.len());
        let (Some(first), Some(last)) = (used.first(), used.last()) else { return Err(few) };
        if used.len() < FEWEST {
            return Err(few);
        }
        let span = last.wavelength - first.wavelength;
        let intervals = ((span / options.spacing).round() as usize).clamp(1, used.len() / 4);
        let splines = CubicSplines::uniform(first.wavelength, last.wavelength, intervals).ok_or(few.clone())?;
        let mut equations = BandedEquations::new(splines.count(), 4);
        for bin in &used {
            if let Some((first, values)) = splines.at(bin.wavelength) {
                // Tables and flats are worth half a per cent.
                let error = (bin.error / bin.ratio).hypot(0.005);
                equations.add(first, &values, bin.ratio.ln(), 1.0 / (error * error));
            }
        }
        let solution = equations.solve(1e-9).map_err(|_| few)?;
        for bin in &mut bins {
            let curve = splines.at(bin.wavelength).map_or(f64::NAN, |(first, values)| solution.value(first, &values));
            bin.residual = bin.ratio / curve.exp() - 1.0;
        }
        let sizes: Vec<f32> = bins.iter().filter(|b| b.used).map(|b| b.residual.abs() as f32).collect();
        let limit = (options.clip * MAD_TO_SIGMA * median(&sizes)).max(0.005);
        // The worst one first: a line bends the curve beside it.
        let worst = bins.iter_mut().filter(|b| b.used).max_by(|a, b| a.residual.abs().total_cmp(&b.residual.abs()));
        if let Some(worst) = worst.filter(|w| w.residual.abs() > limit && sizes.len() > FEWEST) {
            worst.used = false;
            continue;
        }
        let squares: f64 = bins.iter().filter(|b| b.used).map(|b| b.residual * b.residual).sum();
        return Ok(Response { rms: (squares / sizes.len() as f64).sqrt(), splines, solution, bins });
    }
}

#[cfg(test)]
mod tests {
    use super::super::standards::named;
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn a_smooth_response_comes_back_between_the_tellurics() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        let truth = |w: f64| 3e-17 * (1.0 + ((w - 6500.0) / 2200.0).powi(2));
        let known = named("Feige 66").unwrap().fluxes();
        let spectrum: Vec<CountSample> = (0..1150)
            .map(|k| {
                let wavelength = 3900.0 + 4.5 * f64::from(k);
                let flux = mean_known(&known, wavelength - 6.0, wavelength + 6.0).unwrap();
                let absorbed = if is_telluric(wavelength, 0.0) { 0.6 } else { 1.0 };
                let noise: f64 = StandardNormal.sample(&mut rng);
                let value = flux / truth(wavelength) * absorbed;
                CountSample { wavelength, value: value * (1.0 + 0.01 * noise), error: 0.01 * value }
            })
            .collect();
        let found = response(&spectrum, &known, &ResponseOptions::default()).unwrap();
        assert!(found.rms < 0.01, "{}", found.rms);
        for w in [4200.0, 5000.0, 6563.0, 7650.0, 8600.0] {
            let (value, error) = found.at(w).unwrap();
            assert!((value / truth(w) - 1.0).abs() < 0.015 && error < 0.02, "{w}: {} {error}", value / truth(w));
        }
        assert!(found.at(3000.0).is_none());
        assert_eq!(response(&spectrum[..40], &known, &ResponseOptions::default()).unwrap_err(), TooFewBins(3));
    }
}
