//! Read noise and gain of the detector, measured.
//!
//! The headers of CAFOS state both (`CCDRON`, `CCDSENS`), but not always what the pixels say. The read noise comes from differences
//! of bias frames, the gain from differences of flats by photon statistics: the variance of the difference of two flats that
//! are scaled to one level is the sum of their photon and read noise (Janesick 2001, *Scientific Charge-Coupled Devices*,
//! ch. 2; differences of neighbouring pixels are taken so that a change of the illumination does not count).

use ifured_core::Header;
use ifured_pixels::detector;
use ifured_pixels::statistics::{ClippedMoments, clipped_moments};

/// Keyword of the read noise in ADU that ifured measured.
pub const READ_NOISE: &str = "IFURED READ NOISE";
/// Keyword of the gain in electrons per ADU that ifured measured or took from the header.
pub const GAIN: &str = "IFURED GAIN";
/// Keyword that says where the gain comes from.
pub const GAIN_FROM: &str = "IFURED GAIN FROM";

/// Gain of the SITe chip at its usual setting (e-/ADU), where neither frames nor headers say anything.
pub const USUAL_GAIN: f64 = 1.45;
/// Read noise of the SITe chip (ADU), where nothing else is known.
pub const USUAL_READ_NOISE: f64 = 5.0;

/// Noise of a pixel: `read_noise^2 + signal / gain`, all in ADU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseModel {
    /// Read noise in ADU.
    pub read_noise: f64,
    /// Gain in electrons per ADU.
    pub gain: f64,
    /// Where the gain comes from.
    pub gain_from: &'static str,
}

impl NoiseModel {
    /// Variance in ADU^2 of one pixel with so much signal above the bias.
    pub fn variance(&self, signal: f32) -> f32 {
        detector::NoiseModel { gain: self.gain, read_noise: self.read_noise, quantisation: false }.variance(signal)
    }

    /// Writes the model into the header of a product.
    pub fn write(&self, header: &mut Header) {
        header.set(READ_NOISE, self.read_noise, "[adu] read noise of one frame");
        header.set(GAIN, self.gain, "[e-/adu] gain");
        header.set(GAIN_FROM, self.gain_from, "where the gain comes from");
    }
}

/// The gain that the raw header states (e-/ADU), if it makes sense.
pub fn header_gain(header: &Header) -> Option<f64> {
    header.real("CCDSENS").ok().filter(|g| (0.05..100.0).contains(g))
}

/// The read noise that the raw header states, in ADU.
pub fn header_read_noise(header: &Header) -> Option<f64> {
    let electrons = header.real("CCDRON").ok().filter(|r| *r > 0.0)?;
    Some(electrons / header_gain(header)?)
}

/// A number in the header of a calibration that is positive.
pub fn measured(header: &Header, keyword: &str) -> Option<f64> {
    header.real(keyword).ok().filter(|v| *v > 0.0)
}

/// The noise of one frame from two: half the variance of their difference.
pub fn from_pair(first: &[f32], second: &[f32]) -> ClippedMoments {
    let difference: Vec<f32> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let found = clipped_moments(&difference, 5.0);
    ClippedMoments { sigma: found.sigma / std::f64::consts::SQRT_2, ..found }
}

/// The noise of one frame from itself: half the variance of the difference of neighbours. Includes the structure between them.
pub fn from_neighbours(values: &[f32]) -> f64 {
    let difference: Vec<f32> = values.windows(2).map(|w| w[1] - w[0]).collect();
    clipped_moments(&difference, 5.0).sigma / std::f64::consts::SQRT_2
}

/// Differences of two flats that were scaled to one level, for the gain.
///
/// For a neighbouring pair of pixels of flats `a` and `b` with levels `m` and `n`, `e = d_1 - d_2` with `d = a/m - b/n` has the variance
/// `C / gain + R`, where `C` is the sum of `a/m^2 + b/n^2` and `R` that of the read noise, `2 read_noise^2 (1/m^2 + 1/n^2)`.
#[derive(Default)]
pub struct GainSample {
    scaled: Vec<f32>,
    read_out: f64,
}

/// A gain and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredGain {
    /// Electrons per ADU.
    pub gain: f64,
    /// Its standard error.
    pub error: f64,
}

impl GainSample {
    /// Adds a piece of row of two flats, bias subtracted; NaN where a pixel is not to be used.
    pub fn add(&mut self, a: &[f32], b: &[f32], levels: (f64, f64), read_noise: f64) {
        let (m, n) = levels;
        let read_out = 2.0 * read_noise * read_noise * (1.0 / (m * m) + 1.0 / (n * n));
        for (a, b) in a.chunks_exact(2).zip(b.chunks_exact(2)) {
            let difference = |k: usize| f64::from(a[k]) / m - f64::from(b[k]) / n;
            let coefficient: f64 = (0..2).map(|k| f64::from(a[k]) / (m * m) + f64::from(b[k]) / (n * n)).sum();
            if coefficient > 0.0 {
                self.scaled.push(((difference(0) - difference(1)) / coefficient.sqrt()) as f32);
                self.read_out += read_out / coefficient;
            }
        }
    }

    /// The gain; none from fewer than 1000 pairs of pixels or where the photon noise does not show.
    pub fn gain(&self) -> Option<MeasuredGain> {
        let found = clipped_moments(&self.scaled, 5.0);
        if found.count < 1000 {
            return None;
        }
        let inverse = found.sigma * found.sigma - self.read_out / self.scaled.len() as f64;
        let error = 2.0 * found.sigma * found.sigma_error();
        (inverse > 5.0 * error).then(|| MeasuredGain { gain: 1.0 / inverse, error: error / (inverse * inverse) })
    }
}

/// The gain from the background of one image: differences of neighbours have twice the noise of a pixel.
///
/// A last resort where no flats and no header say it; `None` unless the photon noise of the background dominates the read noise.
pub fn gain_from_background(values: &[f32], read_noise: f64) -> Option<f64> {
    let level = clipped_moments(values, 4.0).mean;
    let photon = from_neighbours(values).powi(2) - read_noise * read_noise;
    (level > 0.0 && photon > read_noise * read_noise).then(|| level / photon).filter(|g| (0.1..20.0).contains(g))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal, Poisson};

    use super::*;

    #[test]
    fn gain_comes_back_from_two_flats() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let read = Normal::new(0.0, 7.0).unwrap();
        let mut sample = GainSample::default();
        for _ in 0..100 {
            let mut flat = |level: f64| -> Vec<f32> {
                let photons = Poisson::new(level * 2.3).unwrap();
                (0..400).map(|_| (photons.sample(&mut rng) / 2.3 + read.sample(&mut rng)) as f32).collect()
            };
            let (a, b) = (flat(28_000.0), flat(20_000.0));
            sample.add(&a, &b, (28_000.0, 20_000.0), 7.0);
        }
        let found = sample.gain().unwrap();
        assert!((found.gain - 2.3).abs() < 4.0 * found.error && found.error < 0.05, "{found:?}");
    }
}
