//! Adding images: star fluxes and sky come back, and a single image stays single.

mod common;

use std::path::Path;

use ifured_cafos::Cafos;
use ifured_core::recipe::{QuietHost, TaskOutput};
use ifured_core::{Header, Instrument, Outcome, Task};
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

fn coadd(frames: &[common::Frame], to: &Path) -> Outcome {
    let description = Cafos.description();
    let spec = description.recipe("coadd").unwrap();
    let task = Task {
        id: "coadd".into(),
        instrument: "cafos".into(),
        plugin: None,
        recipe: spec.name.clone(),
        recipe_version: spec.version,
        parameters: spec.defaults.clone(),
        night: "night".into(),
        signature: String::new(),
        inputs: frames.iter().map(|f| common::input("main", f, 0, None, String::new())).collect(),
        outputs: vec![TaskOutput { tag: spec.products[0].tag.clone(), path: to.to_owned(), name: "sum.fits".into() }],
        missing: vec![],
        level: 0,
        memory: 0,
    };
    let recipes = Cafos.recipes();
    recipes.iter().find(|r| r.description().name == "coadd").unwrap().execute(&task, &QuietHost).unwrap()
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

fn scene(stars: &[[f64; 3]], shape: (usize, usize), shift: (f64, f64)) -> Array2<f64> {
    let sigma2 = (3.2 / 2.354_82f64).powi(2);
    let mut scene = Array2::zeros(shape);
    for [x, y, flux] in stars {
        let (x, y) = (x + shift.0, y + shift.1);
        let near = |centre: f64, n: usize| (centre - 12.0).max(0.0) as usize..((centre + 13.0).max(0.0) as usize).min(n);
        for v in near(y, shape.0) {
            for u in near(x, shape.1) {
                let r2 = (u as f64 - x).powi(2) + (v as f64 - y).powi(2);
                scene[[v, u]] += flux / (2.0 * std::f64::consts::PI * sigma2) * (-0.5 * r2 / sigma2).exp();
            }
        }
    }
    scene
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
    assert!(outcome.rejected.is_empty() && common::quality(&outcome, "N STARS") > 50.0 && common::quality(&outcome, "ALIGNMENT") < 0.1);
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
