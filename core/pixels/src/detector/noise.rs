//! The noise of a detector pixel: read noise, photon noise, quantisation.
//!
//! `variance = read_noise^2 + max(signal, 0) / gain [+ 1/12]` in ADU^2, for a signal in ADU above bias and a gain in e/ADU. A
//! negative signal has no photon noise. The signal is the measured one, so the variance of a single pixel is itself uncertain and
//! correlated with the value; at more than about 20 electrons this is small.

use ndarray::{Array2, ArrayView2, Zip};

use crate::Image;

/// Noise parameters of a detector (or of one of its amplifiers).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseModel {
    /// Electrons per ADU.
    pub gain: f64,
    /// Read noise in ADU.
    pub read_noise: f64,
    /// Adds the 1/12 ADU^2 of rounding to whole numbers. Not for a read noise that was measured on rounded frames: that contains
    /// it.
    pub quantisation: bool,
}

impl NoiseModel {
    /// Variance (ADU^2) of a signal in ADU above bias. NaN for NaN.
    #[inline]
    pub fn variance(&self, signal: f32) -> f32 {
        self.floor() + positive(signal) * self.photon()
    }

    /// Variances (ADU^2) of a frame in ADU above bias.
    pub fn variance_plane(&self, signal: ArrayView2<f32>) -> Array2<f32> {
        let (floor, photon) = (self.floor(), self.photon());
        signal.map(|&s| floor + positive(s) * photon)
    }

    /// Replaces the variance of an image (ADU above bias, not yet divided by anything).
    pub fn set_variance(&self, image: &mut Image) {
        let (floor, photon) = (self.floor(), self.photon());
        Zip::from(&mut image.variance).and(&image.data).for_each(|v, &s| *v = floor + positive(s) * photon);
    }

    #[inline]
    fn floor(&self) -> f32 {
        (self.read_noise * self.read_noise + if self.quantisation { 1.0 / 12.0 } else { 0.0 }) as f32
    }

    #[inline]
    fn photon(&self) -> f32 {
        (1.0 / self.gain) as f32
    }
}

/// The value, or 0 for a negative one; NaN stays.
#[inline]
fn positive(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// Sets `bits` ([`crate::quality::SATURATED_CONVERTER`] or [`crate::quality::SATURATED_WELL`]) where the value is at least `level`.
/// Apply to raw values, before bias and flat. Returns the number of such pixels.
pub fn flag_saturated(image: &mut Image, level: f32, bits: u32) -> usize {
    let mut count = 0;
    Zip::from(&mut image.quality).and(&image.data).for_each(|q, &v| {
        if v >= level {
            *q |= bits;
            count += 1;
        }
    });
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::quality;
    use crate::statistics::Moments;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal, Poisson};

    #[test]
    fn pulls_of_simulated_pixels_are_one() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        let model = NoiseModel { gain: 2.3, read_noise: 7.0, quantisation: true };
        for level in [200.0, 5000.0] {
            let (photons, read) = (Poisson::new(level * 2.3).unwrap(), Normal::new(0.0, 7.0).unwrap());
            let pulls: Moments = (0..40_000)
                .map(|_| {
                    let value: f64 = f64::round(photons.sample(&mut rng) / 2.3 + read.sample(&mut rng));
                    (value - level) / f64::from(model.variance(value as f32)).sqrt()
                })
                .collect();
            assert!((pulls.std() - 1.0).abs() < 0.02, "{level}: {}", pulls.std());
        }
    }

    #[test]
    fn negative_and_missing_signals() {
        let model = NoiseModel { gain: 2.0, read_noise: 3.0, quantisation: false };
        assert_eq!((model.variance(-50.0), model.variance(10.0)), (9.0, 14.0));
        assert!(model.variance(f32::NAN).is_nan());
        let mut image = Image::new(ndarray::arr2(&[[1.0, 65535.0, f32::NAN, -2.0]]), 0.0);
        assert_eq!(flag_saturated(&mut image, 65535.0, quality::SATURATED_CONVERTER), 1);
        assert_eq!(image.quality[[0, 1]], quality::SATURATED_CONVERTER);
        model.set_variance(&mut image);
        assert_eq!((image.variance[[0, 0]], image.variance[[0, 3]]), (9.5, 9.0));
    }
}
