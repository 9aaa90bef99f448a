//! What a detector makes of light: raw frames with known truth, for tests and demonstrations.
//!
//! Photons are Poisson distributed, read noise is Gaussian, the converter rounds and saturates. Everything random comes from a seed.

use std::path::Path;

use ifured_core::{Header, RecipeError};
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

use crate::fits::{HduToWrite, write_product};
use crate::task::make_parent;

/// A detector of one amplifier.
#[derive(Clone, Debug)]
pub struct Detector {
    /// Electrons per ADU.
    pub gain: f64,
    /// Read noise in ADU.
    pub read_noise: f64,
    /// Level of the electronics in ADU.
    pub bias: f64,
    random: ChaCha8Rng,
}

impl Detector {
    /// A detector whose noise comes from a seed.
    pub fn new(gain: f64, read_noise: f64, bias: f64, seed: u64) -> Self {
        Detector { gain, read_noise, bias, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Reads out an image of expected electrons: Poisson noise, gain, bias level, read noise, 16 bits without sign.
    pub fn read_out(&mut self, electrons: ArrayView2<f64>) -> Array2<u16> {
        electrons.map(|&expected| {
            let detected = match Poisson::new(expected) {
                Ok(photons) => photons.sample(&mut self.random),
                // No light, no photons.
                Err(_) => 0.0,
            };
            let noise: f64 = StandardNormal.sample(&mut self.random);
            (self.bias + detected / self.gain + self.read_noise * noise).round().clamp(0.0, 65535.0) as u16
        })
    }
}

/// Writes a raw frame, with its directory if that is not there yet.
///
/// # Errors
/// If it cannot be written.
pub fn write_raw(path: &Path, header: &Header, pixels: ArrayView2<u16>) -> Result<(), RecipeError> {
    make_parent(path)?;
    write_product(path, &[HduToWrite::image(header, pixels)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;

    #[test]
    fn a_read_out_has_the_noise_of_its_light_and_of_its_electronics() {
        let mut detector = Detector::new(2.0, 5.0, 1000.0, 3);
        for light in [0.0, 8000.0] {
            let pixels = detector.read_out(Array2::from_elem((200, 200), light).view());
            let found: Moments = pixels.iter().map(|v| f64::from(*v)).collect();
            // Rounding adds 1/12.
            let variance = light / 4.0 + 25.0 + 1.0 / 12.0;
            assert!((found.mean() - 1000.0 - light / 2.0).abs() < 4.0 * (variance / 4e4).sqrt(), "{}", found.mean());
            assert!((found.std().powi(2) / variance - 1.0).abs() < 4.0 * (2.0 / 4e4_f64).sqrt(), "{}", found.std());
        }
        assert_eq!(detector.read_out(Array2::from_elem((1, 1), 1e6).view())[[0, 0]], 65535);
    }
}
