//! Noise and gain from a single frame, where there is no pair: from differences of neighbouring pixels.
//!
//! The difference of two neighbours has twice the variance of a pixel. What structure lies between them is counted as noise, so the
//! noise comes out too large and the gain too small; pairs of frames ([`super::read_noise`], [`super::GainSample`]) have no such error.

use crate::statistics::clipped_moments;

/// Standard deviation of a pixel from values in the order of the row, clipped at 5 sigma; NaN values are left out.
pub fn noise_of_neighbours(values: &[f32]) -> f64 {
    let differences: Vec<f32> = values.windows(2).map(|w| w[1] - w[0]).collect();
    clipped_moments(&differences, 5.0).sigma / std::f64::consts::SQRT_2
}

/// The gain (e/ADU) from the background of one frame above bias, values in the order of the row; `read_noise` in ADU.
///
/// `None` unless the background is positive and its photon noise above the read noise.
pub fn gain_from_background(values: &[f32], read_noise: f64) -> Option<f64> {
    let level = clipped_moments(values, 4.0).mean;
    let photon = noise_of_neighbours(values).powi(2) - read_noise * read_noise;
    (level > 0.0 && photon > read_noise * read_noise).then(|| level / photon)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal, Poisson};

    #[test]
    fn gain_and_noise_of_a_background_with_a_slope() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(19);
        let read = Normal::new(0.0, 5.0).unwrap();
        let values: Vec<f32> = (0..100_000)
            .map(|x| {
                let electrons: f64 = Poisson::new(2.0 * (400.0 + 1e-3 * f64::from(x))).unwrap().sample(&mut rng);
                (electrons / 2.0 + read.sample(&mut rng)) as f32
            })
            .collect();
        // Differences of neighbours share pixels: their variance is known to sqrt(3 / n).
        let error = (3.0 / 1e5f64).sqrt();
        let gain = gain_from_background(&values, 5.0).unwrap();
        assert!((gain / 2.0 - 1.0).abs() < 5.0 * error, "{gain}");
        assert!((noise_of_neighbours(&values) / 250f64.sqrt() - 1.0).abs() < 2.0 * error);
        assert!(gain_from_background(&values, 20.0).is_none());
    }
}
