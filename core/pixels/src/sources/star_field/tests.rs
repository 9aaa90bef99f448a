use super::*;
use crate::image::quality;
use crate::statistics::Moments;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const SIZE: usize = 700;
const FWHM: f64 = 3.0;
const GAIN: f64 = 2.3;

fn options() -> StarOptions {
    StarOptions {
        sigma: 5.0,
        deblend: 5.0,
        block: 128,
        aperture: 1.5,
        unusable: quality::MISSING | quality::OUTSIDE | quality::DEAD,
        saturated: quality::SATURATED_CONVERTER,
        repaired: quality::COSMIC_RAY,
    }
}

/// Light of a star of flux 1 at a distance: a Gaussian, or a Moffat of beta 3, whose wings go on.
fn light(r2: f64, moffat: bool) -> f64 {
    let (sigma, alpha2) = (FWHM / 2.354_82, (0.5 * FWHM / (2f64.powf(1.0 / 3.0) - 1.0).sqrt()).powi(2));
    let gauss = (-0.5 * r2 / (sigma * sigma)).exp() / (2.0 * std::f64::consts::PI * sigma * sigma);
    if moffat { 2.0 / (std::f64::consts::PI * alpha2) * (1.0 + r2 / alpha2).powi(-3) } else { gauss }
}

/// A sky with a slope, stars (column, row, flux), photon and detector noise.
fn observe(stars: &[(f64, f64, f64)], moffat: bool, rng: &mut ChaCha8Rng) -> Image {
    let mut scene = Array2::from_shape_fn((SIZE, SIZE), |(y, x)| 300.0 + 0.02 * x as f64 - 0.01 * y as f64);
    for &(x, y, flux) in stars {
        for at in super::super::positions::pixels((SIZE, SIZE), (x, y), 25.0) {
            scene[at] += flux * light((at[1] as f64 - x).powi(2) + (at[0] as f64 - y).powi(2), moffat);
        }
    }
    let variance = scene.mapv(|s| (49.0 + s / GAIN) as f32);
    let data = ndarray::Zip::from(&scene).and(&variance).map_collect(|s, v| {
        let z: f32 = StandardNormal.sample(rng);
        *s as f32 + v.sqrt() * z
    });
    Image { quality: Array2::zeros((SIZE, SIZE)), data, variance }
}

fn field(count: usize, rng: &mut ChaCha8Rng) -> Vec<(f64, f64, f64)> {
    let mut place = || rng.random_range(20.0..SIZE as f64 - 20.0);
    let places: Vec<(f64, f64)> = (0..count).map(|_| (place(), place())).collect();
    places.into_iter().map(|(x, y)| (x, y, 10f64.powf(rng.random_range(3.2..5.3)))).collect()
}

/// Part of the light of a star within a radius, less the light in the ring, which counts as sky.
fn above_ring(radius: f64, fwhm: f64, moffat: bool) -> f64 {
    let step = 0.01;
    let annulus = |n: usize| {
        let r = step * (n as f64 + 0.5);
        light(r * r, moffat) * 2.0 * std::f64::consts::PI * r * step
    };
    let within = |radius: f64| (0..(radius / step) as usize).map(annulus).sum::<f64>();
    let (inner, outer) = (RING.0 * fwhm, RING.1 * fwhm);
    within(radius) - (within(outer) - within(inner)) * radius * radius / (outer * outer - inner * inner)
}

#[test]
fn fluxes_in_apertures_have_the_stated_errors() {
    for moffat in [false, true] {
        let mut rng = ChaCha8Rng::seed_from_u64(31);
        let (mut pulls, mut corrections, mut faint) = (Vec::new(), Moments::default(), Vec::new());
        for _ in 0..6 {
            let truth = field(180, &mut rng);
            let image = observe(&truth, moffat, &mut rng);
            let found = StarField::measure(&image, &options());
            let c = found.correction;
            let whole = above_ring(c.large_radius, found.fwhm, moffat);
            let expected = whole / above_ring(c.radius, found.fwhm, moffat);
            assert!(c.stars > 20 && c.error < 0.004, "{c:?}");
            corrections.push(c.factor / expected - 1.0);
            assert!(!moffat && (found.fwhm - FWHM).abs() < 0.05 || moffat && (3.0..3.8).contains(&found.fwhm), "{}", found.fwhm);
            let noise = (49.0 + found.sky / GAIN).sqrt();
            // The wings that a Gaussian does not have are left beside the stars.
            assert!((found.noise / noise - 1.0).abs() < if moffat { 0.1 } else { 0.03 }, "{} {noise}", found.noise);
            for &(x, y, flux) in &truth {
                let near = found.stars.iter().find(|s| (s.fit.x - x).hypot(s.fit.y - y) < 1.0);
                if let Some(star) = near.filter(|s| s.flags == 0) {
                    let pull = (star.flux - flux * whole) / star.flux_error;
                    pulls.push(pull as f32);
                    if flux < 1e4 {
                        faint.push(pull as f32);
                    }
                }
            }
        }
        let width = robust_sigma(&pulls);
        println!("moffat {moffat}: {} pulls {} {width}; corrections {}", pulls.len(), median(&pulls), corrections.mean());
        let most = if moffat { 0.15 } else { 0.1 };
        assert!(pulls.len() > 500 && (width - 1.0).abs() < most && median(&pulls).abs() < 0.3, "{moffat} {width} {}", median(&pulls));
        // A few are two stars on one place, which nothing can part.
        assert!((robust_sigma(&faint) - 1.0).abs() < 0.15, "{}", robust_sigma(&faint));
        // The edge of the aperture is softened by a pixel: what it holds differs from a sharp one by some 1e-3.
        assert!(corrections.mean().abs() < 4e-3, "{}", corrections.mean());
    }
}

#[test]
fn neighbours_are_subtracted_and_flagged() {
    let mut rng = ChaCha8Rng::seed_from_u64(32);
    let mut pulls = Moments::default();
    // Lone bright stars for the correction; pairs 2 FWHM apart.
    let lone: Vec<(f64, f64, f64)> = (0..16).map(|n| (60.0 + 40.0 * n as f64, 640.0, 6e4)).collect();
    for _ in 0..3 {
        let pairs: Vec<(f64, f64, f64)> = (0..60)
            .flat_map(|n| {
                let (x, y) = (60.0 + 60.0 * (n % 10) as f64 + rng.random_range(-0.5..0.5), 50.0 + 90.0 * (n / 10) as f64);
                let angle: f64 = rng.random_range(0.0..std::f64::consts::TAU);
                [(x, y, 4e4), (x + 6.0 * angle.cos(), y + 6.0 * angle.sin(), 2e4)]
            })
            .collect();
        let image = observe(&[lone.clone(), pairs.clone()].concat(), false, &mut rng);
        let found = StarField::measure(&image, &options());
        for (x, y, flux) in pairs {
            let star = found.stars.iter().find(|s| (s.fit.x - x).hypot(s.fit.y - y) < 1.0).expect("both are found");
            assert!(star.flags & flags::NEIGHBOUR != 0);
            pulls.push((star.flux - flux) / star.flux_error);
        }
    }
    // The error of the aperture correction, from a few stars here, moves all fluxes together.
    assert!((pulls.std() - 1.0).abs() < 0.15 && pulls.mean().abs() < 0.8, "{} {}", pulls.std(), pulls.mean());
}

#[test]
fn spoilt_apertures_say_so() {
    let mut rng = ChaCha8Rng::seed_from_u64(33);
    let stars = [(100.0, 100.0, 5e4), (200.0, 100.0, 5e4), (300.0, 100.0, 5e4), (400.0, 100.0, 5e4)];
    let mut image = observe(&stars, false, &mut rng);
    image.quality[[100, 200]] = quality::SATURATED_CONVERTER;
    image.quality[[102, 301]] = quality::COSMIC_RAY;
    image.quality[[100, 403]] = quality::DEAD;
    let found = StarField::measure(&image, &options());
    let flags_at = |x: f64| found.stars.iter().find(|s| (s.fit.x - x).hypot(s.fit.y - 100.0) < 1.0).map(|s| (s.flags, s.flux.is_nan()));
    assert_eq!(flags_at(100.0), Some((0, false)));
    assert!(flags_at(200.0).is_some_and(|f| f.0 & flags::SATURATED != 0));
    assert_eq!(flags_at(300.0), Some((flags::REPAIRED, false)));
    assert_eq!(flags_at(400.0), Some((flags::INCOMPLETE, true)));
}

#[test]
fn an_empty_sky_has_no_stars_and_no_seeing() {
    let mut rng = ChaCha8Rng::seed_from_u64(34);
    let found = StarField::measure(&observe(&[], false, &mut rng), &options());
    assert!(found.stars.is_empty() && found.fwhm.is_nan() && found.limiting_flux(5.0).is_nan());
    assert!(
        (found.noise / (49.0 + 300.0 / GAIN).sqrt() - 1.0).abs() < 0.02 && (found.sky - 303.5).abs() < 1.0,
        "{} {}",
        found.noise,
        found.sky
    );
}
