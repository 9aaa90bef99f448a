//! Identification against spectra of known lines.

use super::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Hg, Cd, He and Rb lines in air (NIST), those that a mixed lamp shows.
const MIXED: &[f64] = &[
    3650.158, 4046.565, 4077.837, 4358.335, 4678.149, 4799.912, 4916.068, 5015.678, 5085.822, 5460.750, 5769.610, 5790.670, 5875.621,
    6438.470, 6678.151, 6907.46, 7065.190, 7281.349, 7345.670, 7800.268, 7947.603, 8115.311,
];
/// Ne lines in air (NIST).
const NEON: &[f64] = &[
    5330.778, 5341.094, 5400.562, 5764.419, 5852.488, 5881.895, 5944.834, 5975.534, 6029.997, 6074.338, 6096.163, 6128.450, 6143.063,
    6163.594, 6217.281, 6266.495, 6304.789, 6334.428, 6382.991, 6402.248, 6506.528, 6532.882, 6598.953, 6678.276, 6717.043, 6929.467,
    7032.413, 7173.938, 7245.167, 7438.898, 7488.871, 7535.774, 8082.458, 8377.608, 8495.360, 8654.383, 8783.753, 8919.501,
];

/// Lines of a list through a spectrograph of a dispersion that changes by a fraction over the spectrum, with some missing and some foreign.
fn observe(list: &[f64], centre: f64, dispersion: f64, change: f64, pixels: usize, rng: &mut ChaCha8Rng) -> Vec<(Detected, f64)> {
    let half = 0.5 * pixels as f64;
    let bend = change / (4.0 * half);
    let wavelength = |x: f64| {
        let t = x - (half - 0.5);
        centre + dispersion * (t + bend * t * t - 0.15 * change * t * (t / half).powi(2))
    };
    let mut seen = Vec::new();
    for &line in list {
        let x =
            (0..pixels * 4).map(|k| k as f64 / 4.0).min_by(|a, b| (wavelength(*a) - line).abs().total_cmp(&(wavelength(*b) - line).abs()));
        let mut x = x.unwrap();
        (0..20).for_each(|_| x -= (wavelength(x) - line) / (wavelength(x + 0.5) - wavelength(x - 0.5)));
        if x < 3.0 || x > pixels as f64 - 4.0 || rng.random_bool(0.15) {
            continue;
        }
        let noise: f64 = StandardNormal.sample(rng);
        let flux = 10f64.powf(rng.random_range(2.5..5.0));
        seen.push((Detected { position: x + 0.05 * noise, flux }, line));
    }
    for _ in 0..seen.len() / 4 {
        let flux = 10f64.powf(rng.random_range(2.0..4.5));
        seen.push((Detected { position: rng.random_range(3.0..pixels as f64 - 4.0), flux }, f64::NAN));
    }
    seen
}

#[test]
fn lines_of_any_grism_in_either_direction_are_named_rightly() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for (list, centre, dispersion, change) in [
        (MIXED, 6000.0, -4.6, 0.08),
        (MIXED, 6000.0, 4.6, -0.1),
        (MIXED, 5400.0, 2.1, 0.05),
        (MIXED, 6200.0, -3.3, -0.15),
        (NEON, 6700.0, 2.0, 0.1),
        (NEON, 6300.0, -1.1, 0.06),
    ] {
        for _ in 0..2 {
            let seen = observe(list, centre, dispersion, change, 1600, &mut rng);
            let detected: Vec<Detected> = seen.iter().map(|s| s.0).collect();
            let found = identify(&detected, list, &Matching::new(1600)).unwrap_or_else(|e| panic!("{centre} {dispersion}: {e}"));
            assert!((found.dispersion / dispersion - 1.0).abs() < 0.04, "{dispersion}: {found:?}");
            let wrong = found.matches.iter().filter(|(d, l)| (seen[*d].1 - list[*l]).abs() > 0.01).count();
            let real = seen.iter().filter(|s| s.1.is_finite()).count();
            assert!(wrong == 0 && found.matches.len() + 2 >= real, "{dispersion}: {} of {real}, {wrong} wrong", found.matches.len());
            assert!(found.rms < 3.0 * 0.05 * dispersion.abs(), "{}", found.rms);
        }
    }
}

#[test]
fn a_wrong_lamp_and_too_few_lines_are_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for _ in 0..2 {
        let neon: Vec<Detected> = observe(NEON, 6700.0, 2.0, 0.1, 1600, &mut rng).iter().map(|s| s.0).collect();
        let mixed: Vec<Detected> = observe(MIXED, 6000.0, -4.6, 0.08, 1600, &mut rng).iter().map(|s| s.0).collect();
        for (lines, list) in [(&neon, MIXED), (&mixed, NEON)] {
            let result = identify(lines, list, &Matching::new(1600));
            assert!(matches!(result, Err(IdentifyError::NoBetterThanChance { .. })), "{result:?}");
        }
        let few = identify(&mixed[..4], MIXED, &Matching::new(1600));
        assert!(matches!(few, Err(IdentifyError::TooFewLines { .. })), "{few:?}");
    }
}
