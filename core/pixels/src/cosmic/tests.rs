//! Simulated star fields with hits whose pixels are known.

use super::*;
use crate::detector::{NoiseModel, flag_saturated};
use crate::statistics::Moments;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

const SATURATION: f32 = 64_000.0;

struct Field {
    image: Image,
    scene: Array2<f64>,
    hit: Array2<bool>,
}

/// Stars with peaks from 10 to several times saturation, sky, noise (gain 2.3 e/ADU, 7 ADU), tracks as in the simulated raw frames.
fn field(side: usize, fwhm: f64, sky: f64, stars: usize, tracks: usize, seed: u64) -> Field {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut scene = Array2::from_elem((side, side), sky);
    let sigma = fwhm / 2.3548;
    for star in 0..stars {
        let (cy, cx) = (rng.random_range(0.0..side as f64), rng.random_range(0.0..side as f64));
        let peak = if star % 60 == 0 { 200_000.0 } else { 10f64.powf(rng.random_range(1.0..4.7)) };
        let half = 7.0 * sigma + 1.0;
        for y in (cy - half).max(0.0) as usize..((cy + half) as usize).min(side) {
            for x in (cx - half).max(0.0) as usize..((cx + half) as usize).min(side) {
                let r2 = (y as f64 - cy).powi(2) + (x as f64 - cx).powi(2);
                scene[[y, x]] += peak * (-0.5 * r2 / (sigma * sigma)).exp();
            }
        }
    }
    let mut data = scene.mapv(|s| {
        let read: f64 = StandardNormal.sample(&mut rng);
        let electrons: f64 = Poisson::new(s * 2.3).unwrap().sample(&mut rng);
        (electrons / 2.3 + 7.0 * read).round() as f32
    });
    let mut hit = Array2::from_elem((side, side), false);
    for _ in 0..tracks {
        let (cy, cx) = (rng.random_range(0..side) as f64, rng.random_range(0..side) as f64);
        let (length, angle) = (rng.random_range(1..8), rng.random_range(0.0..std::f64::consts::PI));
        let height = rng.random_range(300.0..9000.0f32);
        for step in 0..length {
            let (y, x) = (cy + f64::from(step) * f64::sin(angle), cx + f64::from(step) * f64::cos(angle));
            if (0.0..side as f64).contains(&y) && (0.0..side as f64).contains(&x) {
                data[[y as usize, x as usize]] += height;
                hit[[y as usize, x as usize]] = true;
            }
        }
    }
    data.mapv_inplace(|v| v.min(65_000.0));
    let mut image = Image::new(data, 0.0);
    NoiseModel { gain: 2.3, read_noise: 7.0, quantisation: true }.set_variance(&mut image);
    flag_saturated(&mut image, SATURATION, quality::SATURATED_CONVERTER);
    Field { image, scene, hit }
}

#[test]
fn hits_are_found_and_stars_are_left() {
    for (fwhm, sky, seed) in [(3.0, 480.0, 1), (2.0, 480.0, 2), (2.5, 144.0, 3), (3.0, 720.0, 4), (5.0, 300.0, 5)] {
        // Ten times the density of hits of a three-minute exposure.
        let mut field = field(800, fwhm, sky, 300, 250, seed);
        let found = remove_cosmic_rays(&mut field.image, &CosmicOptions::default());
        let hits = field.hit.iter().filter(|h| **h).count();
        let both = field.hit.iter().zip(&found.mask).filter(|(h, f)| **h && **f).count();
        let clean = found.pixels - both;
        println!("FWHM {fwhm}: {both} of {hits}, {clean} clean pixels touched, {:?}", found.per_iteration);
        assert!(both as f64 >= 0.95 * hits as f64, "FWHM {fwhm}: {both} of {hits}");
        assert!((clean as f64) < 1e-4 * 640_000.0, "FWHM {fwhm}: {clean} clean pixels touched");
    }
}

#[test]
fn a_field_without_hits_stays_as_it_is() {
    for (fwhm, seed) in [(2.0, 11), (3.0, 12)] {
        let field = field(800, fwhm, 240.0, 1200, 0, seed);
        let found = find_cosmic_rays(&field.image, &CosmicOptions::default());
        println!("FWHM {fwhm}: {} clean pixels touched", found.pixels);
        assert!((found.pixels as f64) < 1e-4 * 640_000.0, "{}", found.pixels);
    }
}

#[test]
fn replaced_pixels_carry_honest_variances_and_the_bit() {
    let mut field = field(600, 3.0, 480.0, 0, 400, 21);
    let before = field.image.clone();
    let found = remove_cosmic_rays(&mut field.image, &CosmicOptions::default());
    let mut pulls = Moments::default();
    for ((y, x), &hit) in found.mask.indexed_iter() {
        let (value, variance) = (field.image.data[[y, x]], field.image.variance[[y, x]]);
        if hit {
            assert!(field.image.quality[[y, x]] & quality::COSMIC_RAY != 0);
            // The variance is that of a measured pixel and more: against the noise-free sky pulls stay well below 1.
            pulls.push((f64::from(value) - field.scene[[y, x]]) / f64::from(variance).sqrt());
        } else {
            assert_eq!((value, variance), (before.data[[y, x]], before.variance[[y, x]]));
        }
    }
    assert!(pulls.count() > 1000 && pulls.std() < 1.0 && pulls.mean().abs() < 0.2, "{} {}", pulls.std(), pulls.mean());
}

#[test]
fn bad_pixels_are_neither_found_nor_used() {
    let mut field = field(120, 3.0, 300.0, 0, 0, 31);
    let hot = (0..30).map(|i| (i * 4 + 1, (i * 53) % 120)).collect::<Vec<_>>();
    for &(y, x) in &hot {
        field.image.data[[y, x]] = if x % 2 == 0 { 9000.0 } else { f32::NAN };
        field.image.quality[[y, x]] = quality::HOT;
    }
    let found = remove_cosmic_rays(&mut field.image, &CosmicOptions::default());
    assert!(found.pixels <= 2, "{}", found.pixels);
    assert!(hot.iter().all(|&(y, x)| field.image.quality[[y, x]] == quality::HOT));
    let mut nothing = Image::new(Array2::from_elem((5, 4), f32::NAN), 1.0);
    assert_eq!(remove_cosmic_rays(&mut nothing, &CosmicOptions::default()).pixels, 0);
}

#[test]
fn threads_do_not_change_a_bit() {
    let field = field(300, 3.0, 300.0, 60, 60, 41);
    let clean = |threads: usize| {
        let mut image = field.image.clone();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| remove_cosmic_rays(&mut image, &CosmicOptions::default()));
        image
    };
    assert_eq!(clean(1), clean(3));
}
