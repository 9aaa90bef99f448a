//! Adding images: star fluxes and sky come back, and a single image stays single.

mod common;

use std::path::Path;

use ifured_cafos::Cafos;
use ifured_core::recipe::{ProductPath, QuietHost};
use ifured_core::{Header, Instrument, Outcome};
use ifured_pixels::fits::{Layout, read_image, write_image};
use ifured_pixels::resample::Kernel;
use ifured_pixels::sources::{Aperture, aperture_flux};
use ifured_pixels::statistics::{Moments, median, robust_sigma};
use ifured_pixels::{Image, quality};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn write(directory: &Path, number: usize, header: &Header, image: &Image) -> common::Frame {
    let path = directory.join(format!("image{number}.fits"));
    write_image(&path, header, image, Layout::PrimaryData).unwrap();
    common::Frame {
        path,
        name: format!("night/image{number}.fits"),
        night: "night".into(),
        tag: "reduced-imaging".into(),
        header: header.clone(),
        mjd: 57_000.0 + number as f64,
        identity: format!("image{number}"),
    }
}

fn coadd_with(frames: &[common::Frame], to: &Path, change: &[(&str, serde_json::Value)]) -> Outcome {
    let description = Cafos.description().unwrap();
    let spec = description.recipe("coadd").unwrap();
    let mut parameters = spec.engines[0].defaults.clone();
    change.iter().for_each(|(key, value)| parameters[*key] = value.clone());
    let inputs = frames.iter().map(|f| common::input("main", f, 0, None, ifured_core::recipe::Choice::Main)).collect();
    let task = common::task(spec, parameters, inputs, to);
    let recipes = Cafos.recipes().unwrap();
    recipes.iter().find(|r| r.description().name == "coadd").unwrap().execute(&task, &QuietHost).unwrap()
}

fn coadd(frames: &[common::Frame], to: &Path) -> Outcome {
    coadd_with(frames, to, &[])
}

#[test]
fn a_single_image_stays_single_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let sky = Array2::from_shape_fn((64, 64), |(y, x)| 300.0 + ((y * 7 + x * 13) % 11) as f32);
    let frame = write(directory.path(), 1, &Header::new(), &Image::new(sky, 9.0));
    let outcome = coadd(&[frame], &directory.path().join("sum.fits"));
    assert!(outcome.products.is_empty());
    assert!(outcome.notes.iter().any(|n| n.contains("nothing was added") && n.contains("night/image1.fits")), "{:?}", outcome.notes);
}

const SIZE: usize = 400;
const GAIN: f64 = 1.45;
const READ_NOISE: f64 = 6.0;

/// Stars on a grid with 40 pixels between them, so that each stands alone: column, row, flux.
fn stars(rng: &mut ChaCha8Rng) -> Vec<[f64; 3]> {
    let mut star = |n: usize| {
        let place = |k: usize, rng: &mut ChaCha8Rng| 30.0 + 40.0 * k as f64 + rng.random_range(-4.0..4.0);
        [place(n % 9, rng), place(n / 9, rng), 10f64.powf(rng.random_range(4.0..5.0))]
    };
    (0..81).map(&mut star).collect()
}

/// Light of stars of a FWHM in pixels.
fn scene_of(stars: &[[f64; 3]], shape: (usize, usize), shift: (f64, f64), fwhm: f64) -> Array2<f64> {
    let sigma2 = (fwhm / 2.354_82f64).powi(2);
    let mut scene = Array2::zeros(shape);
    for [x, y, flux] in stars {
        let (x, y) = (x + shift.0, y + shift.1);
        let near = |centre: f64, n: usize| (centre - 18.0).max(0.0) as usize..((centre + 19.0).max(0.0) as usize).min(n);
        for v in near(y, shape.0) {
            for u in near(x, shape.1) {
                let r2 = (u as f64 - x).powi(2) + (v as f64 - y).powi(2);
                scene[[v, u]] += flux / (2.0 * std::f64::consts::PI * sigma2) * (-0.5 * r2 / sigma2).exp();
            }
        }
    }
    scene
}

fn scene(stars: &[[f64; 3]], shape: (usize, usize), shift: (f64, f64)) -> Array2<f64> {
    scene_of(stars, shape, shift, 3.2)
}

fn with_noise(truth: &Array2<f64>, rng: &mut ChaCha8Rng) -> Image {
    let variance = truth.mapv(|v| READ_NOISE * READ_NOISE + v / GAIN);
    let data = ndarray::Zip::from(truth).and(&variance).map_collect(|t, v| {
        let z: f64 = StandardNormal.sample(rng);
        (t + v.sqrt() * z) as f32
    });
    Image { quality: Array2::zeros(data.dim()), data, variance: variance.mapv(|v| v as f32) }
}

#[test]
fn outliers_go_and_stars_stay_whatever_the_seeing() {
    let mut rng = ChaCha8Rng::seed_from_u64(45);
    let directory = tempfile::tempdir().unwrap();
    let field = stars(&mut rng);
    // Shift, seeing, transparency.
    let exposures =
        [((0.0, 0.0), 2.8, 1.0), ((4.6, -3.3), 3.2, 0.9), ((-5.4, 2.7), 4.6, 0.5), ((2.2, 7.1), 3.0, 1.0), ((-3.1, -6.4), 3.8, 1.1)];
    let mut struck = Vec::new();
    let frames: Vec<common::Frame> = exposures
        .iter()
        .enumerate()
        .map(|(n, (shift, fwhm, transparency))| {
            let truth = scene_of(&field, (SIZE, SIZE), *shift, *fwhm).mapv(|v| v * transparency + 300.0);
            let mut image = with_noise(&truth, &mut rng);
            // Rays of one pixel away from stars, and in one image the trail of a satellite.
            for _ in 0..60 {
                let at = [rng.random_range(20..SIZE - 20), rng.random_range(20..SIZE - 20)];
                if truth[at] < 300.5 {
                    image.data[at] += 3000.0;
                    struck.push((at[1] as f64 - shift.0, at[0] as f64 - shift.1));
                }
            }
            if n == 3 {
                for x in 0..SIZE {
                    let y = 10 + (x * 9) / 10;
                    (y..y + 4).filter(|y| *y < SIZE).for_each(|y| image.data[[y, x]] += 400.0);
                }
            }
            let mut header = Header::new();
            header.set("EXPTIME", 60.0, "");
            write(directory.path(), n, &header, &image)
        })
        .collect();
    let path = directory.path().join("sum.fits");
    let outcome = coadd(&frames, &path);
    assert!(outcome.rejected.is_empty() && common::quality(&outcome, "CLIPPED") > 0.001, "{:?}", outcome.rejected);
    let (_, sum) = read_image(&path).unwrap();
    // The first pixel of the grid: the largest shifts to the right and up.
    let origin = (-5.0, -8.0);
    let residue = |(x, y): &(f64, f64)| {
        let at = [(y - origin.1).round() as usize, (x - origin.0).round() as usize];
        (f64::from(sum.data[at]) / f64::from(sum.variance[at]).sqrt()) as f32
    };
    let residues: Vec<f32> = struck.iter().map(residue).filter(|v| v.is_finite()).collect();
    let left = residues.iter().filter(|r| **r > 6.0).count();
    assert!(residues.len() > 200 && left * 200 < residues.len(), "{left} of {} rays are left", residues.len());
    let trail: Vec<f32> =
        (30..350).map(|x| residue(&(x as f64 - 2.2, 12.0 + (x * 9 / 10) as f64 - 7.1))).filter(|v| v.is_finite()).collect();
    assert!(median(&trail).abs() < 1.0, "the trail is left: {}", median(&trail));

    let aperture = Aperture { radius: 11.0, ring: Some((13.0, 19.0)), exclude: quality::MISSING };
    let measured = |s: &[f64; 3]| aperture_flux(&sum, (s[0] - origin.0, s[1] - origin.1), &aperture).map(|f| (f.flux / s[2]) as f32);
    let bright: Vec<f32> = field.iter().filter(|s| s[2] > 3e4).filter_map(measured).collect();
    let error = robust_sigma(&bright) / (bright.len() as f64).sqrt();
    assert!(bright.len() > 20 && (median(&bright) - 1.0).abs() < 4.0 * error + 0.003, "{} +- {error}", median(&bright));
}

#[test]
fn dithers_of_a_third_of_the_field_are_covered() {
    let mut rng = ChaCha8Rng::seed_from_u64(47);
    let directory = tempfile::tempdir().unwrap();
    let field: Vec<[f64; 3]> = stars(&mut rng).iter().map(|s| [1.6 * s[0] - 130.0, 1.6 * s[1] - 130.0, s[2]]).collect();
    let shifts = [(0.0, 0.0), (120.4, -40.2), (-110.7, 95.3), (15.2, -125.9)];
    let frames: Vec<common::Frame> = shifts
        .iter()
        .enumerate()
        .map(|(n, shift)| {
            let truth = scene_of(&field, (SIZE, SIZE), *shift, 3.2).mapv(|v| v + 300.0);
            let mut header = Header::new();
            header.set("EXPTIME", 60.0, "");
            write(directory.path(), n, &header, &with_noise(&truth, &mut rng))
        })
        .collect();
    let path = directory.path().join("sum.fits");
    let outcome = coadd_with(&frames, &path, &[("search", 250.0.into())]);
    assert!(outcome.rejected.is_empty(), "{:?}", outcome.rejected);
    let (_, sum) = read_image(&path).unwrap();
    let origin = (-121.0, -96.0);
    assert_eq!(sum.shape(), (400 + 96 + 126, 400 + 121 + 111));
    let aperture = Aperture { radius: 8.0, ring: Some((11.0, 17.0)), exclude: quality::MISSING };
    let ratio = |s: &[f64; 3]| aperture_flux(&sum, (s[0] - origin.0, s[1] - origin.1), &aperture).map(|f| (f.flux / s[2]) as f32);
    // Stars that the first image does not have.
    let beyond: Vec<f32> =
        field.iter().filter(|s| !(0.0..400.0).contains(&s[0]) || !(0.0..400.0).contains(&s[1])).filter_map(ratio).collect();
    let error = robust_sigma(&beyond) / (beyond.len() as f64).sqrt();
    assert!(
        beyond.len() > 10 && (median(&beyond) - 1.0).abs() < 4.0 * error + 0.004,
        "{} stars, {} +- {error}",
        beyond.len(),
        median(&beyond)
    );
}

/// Weights: of stars those images count most that see them best.
#[test]
fn weights_follow_noise_transparency_and_seeing() {
    let mut rng = ChaCha8Rng::seed_from_u64(46);
    let directory = tempfile::tempdir().unwrap();
    let field = stars(&mut rng);
    let exposures = [(300.0, 3.0, 1.0), (1200.0, 3.0, 1.0), (300.0, 4.5, 1.0), (300.0, 3.0, 0.5)];
    let frames: Vec<common::Frame> = exposures
        .iter()
        .enumerate()
        .map(|(n, (sky, fwhm, transparency))| {
            let truth = scene_of(&field, (SIZE, SIZE), (0.0, 0.0), *fwhm).mapv(|v| v * transparency + sky);
            let mut header = Header::new();
            header.set("EXPTIME", 60.0, "");
            write(directory.path(), n, &header, &with_noise(&truth, &mut rng))
        })
        .collect();
    let weights = |name: &str, choice: &str| {
        let path = directory.path().join(name);
        coadd_with(&frames, &path, &[("weights", choice.into())]);
        let header = read_image(&path).unwrap().0;
        let weight = |n: usize| header.real(&format!("IFURED LAYER{} WEIGHT", n + 1)).unwrap();
        [1, 2, 3].map(|n| weight(n) / weight(0))
    };
    let noise = (READ_NOISE * READ_NOISE + 300.0 / GAIN) / (READ_NOISE * READ_NOISE + 1200.0 / GAIN);
    let near = |found: [f64; 3], truth: [f64; 3]| found.iter().zip(truth).all(|(f, t)| (f / t - 1.0).abs() < 0.08);
    let [of_stars, of_surfaces, equal] = ["stars", "surfaces", "equal"].map(|choice| weights(&format!("{choice}.fits"), choice));
    assert!(near(of_stars, [noise, 1.0 / 2.25, 0.25]), "{of_stars:?}");
    assert!(near(of_surfaces, [noise, 1.0, 0.25]), "{of_surfaces:?}");
    assert!(near(equal, [1.0; 3]), "{equal:?}");
}

#[test]
fn solved_images_are_placed_by_their_coordinates() {
    let directory = tempfile::tempdir().unwrap();
    common::simulate(directory.path(), 512);
    let mut engine = common::MiniEngine::new(&directory.path().join("raw"), &directory.path().join("out"));
    engine.set("astrometry", "catalogue", directory.path().join("truth/catalogue.fits").to_str().into());
    for recipe in ["master-bias", "master-flat-imaging", "illumination", "science-imaging", "astrometry"] {
        engine.run(recipe);
    }
    // One image could not be solved: it is aligned with the others.
    let last = engine.frames.iter().rposition(|f| f.tag == "solved-imaging").unwrap();
    let unsolved = engine.frames.remove(last).mjd;
    engine.frames.retain(|f| f.tag != "reduced-imaging" || f.mjd == unsolved);
    engine.run("coadd");
    let outcomes = engine.outcomes("coadd");
    assert_eq!(outcomes.len(), 1, "{:?}", engine.failures());
    let outcome = outcomes[0].1;
    assert_eq!((common::quality(outcome, "N FRAMES"), common::quality(outcome, "N SOLVED")), (3.0, 2.0), "{:?}", outcome.rejected);
    let frame = engine.frames.iter().find(|f| f.tag == "coadd").unwrap();
    let product = [ProductPath { tag: "coadd".into(), path: frame.path.clone(), name: frame.name.clone() }];
    let rows = Cafos.compare_with_truth(&directory.path().join("truth"), &product).unwrap();
    assert!(rows.len() >= 3 && rows.iter().all(|r| r.recovered()), "{rows:#?}");
    let of_one = outcome.quality.iter().find(|q| q.name == "ZERO POINT").unwrap();
    assert!((of_one.value.unwrap() - 23.5).abs() < 4.0 * of_one.error.unwrap() + 0.003, "{of_one:?}");
    assert!(common::quality(outcome, "LIM MAG") > 15.0 && common::quality(outcome, "SEEING") > 1.5);
}

#[test]
fn star_fluxes_and_sky_of_shifted_images_come_back_with_honest_errors() {
    let mut rng = ChaCha8Rng::seed_from_u64(44);
    let directory = tempfile::tempdir().unwrap();
    let field = stars(&mut rng);
    // Shift, sky, transparency.
    let exposures = [((0.0, 0.0), 300.0, 1.0), ((5.3, -3.6), 420.0, 0.8), ((-4.4, 6.7), 350.0, 1.1)];
    let frames: Vec<common::Frame> = exposures
        .iter()
        .enumerate()
        .map(|(n, (shift, sky, transparency))| {
            let truth = scene(&field, (SIZE, SIZE), *shift).mapv(|v| v * transparency + sky);
            let variance = truth.mapv(|v| READ_NOISE * READ_NOISE + v / GAIN);
            let mut data = ndarray::Zip::from(&truth).and(&variance).map_collect(|t, v| {
                let z: f64 = StandardNormal.sample(&mut rng);
                (t + v.sqrt() * z) as f32
            });
            // Rays of one pixel beside the stars, not removed: two of three images outvote them.
            for _ in 0..100 {
                let at = [rng.random_range(0..SIZE), rng.random_range(0..SIZE)];
                data[at] += if truth[at] < sky + 2.0 { 3000.0 } else { 0.0 };
            }
            let mut image = Image { quality: Array2::zeros(data.dim()), data, variance: variance.mapv(|v| v as f32) };
            image.quality.column_mut(200).fill(quality::DEAD);
            let mut header = Header::new();
            header.set("EXPTIME", 60.0, "");
            write(directory.path(), n, &header, &image)
        })
        .collect();
    let path = directory.path().join("sum.fits");
    let outcome = coadd(&frames, &path);
    assert!(outcome.rejected.is_empty() && common::quality(&outcome, "N ALIGNED") > 50.0 && common::quality(&outcome, "ALIGNMENT") < 0.1);
    let (header, sum) = read_image(&path).unwrap();
    assert_eq!(header.real("EXPTIME"), Ok(180.0));

    // The grid holds all images: its first pixel is that of the image that lies furthest to the lower left.
    let origin = (-6.0, -7.0);
    let truth = scene(&field, sum.shape(), (-origin.0, -origin.1));
    let inner = |y: usize, x: usize| y > 20 && x > 20 && y + 20 < sum.shape().0 && x + 20 < sum.shape().1;
    let of_sky = |((y, x), t): ((usize, usize), &f64)| {
        let good = inner(y, x) && *t < 0.1 && sum.quality[[y, x]] == 0;
        good.then(|| sum.data[[y, x]] / sum.variance[[y, x]].sqrt())
    };
    let pulls: Vec<f32> = truth.indexed_iter().filter_map(of_sky).collect();
    assert!(
        pulls.len() > 40_000 && (robust_sigma(&pulls) - 1.0).abs() < 0.03 && median(&pulls).abs() < 0.1,
        "{} {}",
        robust_sigma(&pulls),
        median(&pulls)
    );

    // Interpolated neighbours are correlated, the first image is not interpolated: the errors of sums are larger than the variances say.
    let correlation = (2.0 * Kernel::Bilinear.covariance_factor() + 1.0) / 3.0;
    let aperture = Aperture { radius: 8.0, ring: Some((11.0, 17.0)), exclude: quality::MISSING };
    let (mut ratios, mut pulls) = (Vec::new(), Moments::default());
    for [x, y, flux] in &field {
        let Some(found) = aperture_flux(&sum, (x - origin.0, y - origin.1), &aperture) else { continue };
        ratios.push((found.flux / flux) as f32);
        pulls.push((found.flux - flux) / (found.error * correlation.sqrt()));
    }
    assert!(ratios.len() >= 70, "{}", ratios.len());
    let error = robust_sigma(&ratios) / (ratios.len() as f64).sqrt();
    assert!((median(&ratios) - 1.0).abs() < 4.0 * error + 0.002, "{} +- {error}", median(&ratios));
    let tolerance = 4.0 / (2.0 * ratios.len() as f64).sqrt();
    assert!((pulls.std() - 1.0).abs() < tolerance && pulls.mean().abs() < 0.6, "{} {}", pulls.std(), pulls.mean());
}
