//! Zero point and depth of an image, from stars of known magnitude.

use crate::sources::limiting_flux;
use crate::statistics::{median, robust_sigma};

/// Fewest stars that a zero point rests on.
const FEWEST: usize = 3;

/// Magnitude of a star with one count per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZeroPoint {
    /// The zero point in magnitudes.
    pub value: f64,
    /// Its standard error, from the scatter of the stars.
    pub error: f64,
    /// Robust standard deviation of a star, in magnitudes: colour terms and the errors of the fluxes.
    pub scatter: f64,
    /// Stars.
    pub stars: usize,
}

/// Median of `magnitude + 2.5 log10(flux)` over stars given by magnitude and flux (counts per second), without a colour term. `None` from
/// fewer than 3 stars.
///
/// *Accuracy*: pulls have standard deviation 1 (test).
pub fn zero_point(stars: &[(f64, f64)]) -> Option<ZeroPoint> {
    let usable = stars.iter().filter(|(magnitude, flux)| magnitude.is_finite() && *flux > 0.0);
    // The median of 32-bit numbers is taken relative to the first star: it loses no digits that matter.
    let values: Vec<f64> = usable.map(|(magnitude, flux)| magnitude + 2.5 * flux.log10()).collect();
    let first = *values.first()?;
    let relative: Vec<f32> = values.iter().map(|v| (v - first) as f32).collect();
    if relative.len() < FEWEST {
        return None;
    }
    let (n, scatter) = (relative.len() as f64, robust_sigma(&relative));
    // Standard error of the median of a normal distribution: 1.2533 times that of the mean.
    Some(ZeroPoint { value: first + median(&relative), error: 1.2533 * scatter / n.sqrt(), scatter, stars: relative.len() })
}

/// Magnitude of a star that is measured with `signal_to_noise` by its profile on a sky whose pixels scatter by `sky_noise` counts per second, see
/// [`limiting_flux`].
pub fn limiting_magnitude(zero_point: f64, sky_noise: f64, fwhm: f64, signal_to_noise: f64) -> f64 {
    zero_point - 2.5 * limiting_flux(sky_noise, fwhm, signal_to_noise).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn the_zero_point_comes_back_within_its_error() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        let mut pulls = Moments::default();
        for _ in 0..400 {
            let mut stars: Vec<(f64, f64)> = (0..60)
                .map(|_| {
                    let (magnitude, z): (f64, f64) = (rng.random_range(12.0..18.0), StandardNormal.sample(&mut rng));
                    (magnitude, 10f64.powf(-0.4 * (magnitude - 23.5 + 0.05 * z)))
                })
                .collect();
            stars.extend([(15.0, 1e6), (f64::NAN, 1.0), (14.0, -3.0)]);
            let found = zero_point(&stars).unwrap();
            assert_eq!(found.stars, 61);
            pulls.push((found.value - 23.5) / found.error);
        }
        assert!((pulls.std() - 1.0).abs() < 0.2 && pulls.mean().abs() < 0.3, "{} {}", pulls.std(), pulls.mean());
        assert!(zero_point(&[(15.0, 1.0), (16.0, 1.0)]).is_none());
    }
}
