//! Frames with a real overscan: a strip of columns beside the image.

mod common;

use common::{MiniEngine, first, quality, rewrite, simulate};
use ifured_pixels::fits::read_image;
use ifured_pixels::statistics::{Moments, median};
use ndarray::{Array2, Axis, concatenate};
use rand::SeedableRng;
use rand_distr::{Distribution, Normal};

const SIZE: usize = 128;
const STRIP: usize = 24;
const LEVEL: f64 = 640.0;
const READ_NOISE: f64 = 7.0;

/// Adds a strip at the right edge. Image and strip share a level that changes from row to row, and from frame to frame.
fn add_overscan(directory: &std::path::Path) {
    let frames = MiniEngine::new(&directory.join("raw"), &directory.join("none")).frames;
    let noise = Normal::new(0.0, READ_NOISE).unwrap();
    for (n, frame) in frames.iter().enumerate() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(n as u64);
        let drift = |y: usize| (12.0 * (y as f64 / 7.0 + n as f64).sin() + 3.0 * n as f64) as f32;
        rewrite(&frame.path, |data, header| {
            data.indexed_iter_mut().for_each(|((y, _), v)| *v += drift(y));
            let strip = Array2::from_shape_fn((SIZE, STRIP), |(y, _)| (LEVEL + noise.sample(&mut rng)).round() as f32 + drift(y));
            *data = concatenate(Axis(1), &[data.view(), strip.view()]).unwrap();
            header.set("BIASSEC", format!("[{},1:{},{SIZE}]", SIZE + 1, SIZE + STRIP), "");
        });
    }
}

#[test]
fn the_overscan_is_subtracted_and_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), SIZE as u32);
    let reduce = |out: &str| {
        let mut engine = MiniEngine::new(&directory.path().join("raw"), &directory.path().join(out));
        engine.run("master-bias").run("master-flat-imaging").run("science-imaging");
        assert!(engine.failures().is_empty(), "{:?}", engine.failures());
        engine
    };
    let without = reduce("without");
    add_overscan(directory.path());
    let with = reduce("with");

    let product = |engine: &MiniEngine, tag: &str| read_image(&first(engine, tag).path).unwrap().1;
    let (plain, corrected) = (product(&without, "master-bias"), product(&with, "master-bias"));
    assert_eq!(corrected.shape(), (SIZE, SIZE));
    // What is left of the strip's level is its noise: one level a row, from the pixels of the strip in all frames.
    let rows = plain.data.rows().into_iter().zip(corrected.data.rows());
    let levels: Moments = rows.map(|(a, b)| median(&(&a - &b).to_vec()) - LEVEL).collect();
    let error = READ_NOISE / (STRIP as f64 * quality(with.outcomes("master-bias")[0].1, "N FRAMES")).sqrt();
    assert!(levels.mean().abs() < 4.0 * error / (SIZE as f64).sqrt() + 0.05, "{}", levels.mean());
    assert!((levels.std() / error - 1.0).abs() < 4.0 / (2.0 * SIZE as f64).sqrt(), "{} {error}", levels.std());

    let (plain, corrected) = (product(&without, "reduced-imaging"), product(&with, "reduced-imaging"));
    assert_eq!(corrected.shape(), (SIZE, SIZE));
    let differences = plain.data.rows().into_iter().zip(corrected.data.rows()).map(|(a, b)| (&b - &a).to_vec());
    let rows: Moments = differences.map(|d| median(&d)).collect();
    // One frame: its own strip, and that of the master bias.
    let error = READ_NOISE / (STRIP as f64).sqrt();
    assert!(rows.mean().abs() < 0.5 && rows.std() < 1.5 * error, "{} {}", rows.mean(), rows.std());
    // The level of each frame is known from its overscan: no drift is sought in the corners.
    let named = |q: &ifured_core::QualityNumber| q.name == "PEDESTAL";
    assert!(with.outcomes("science-imaging").iter().all(|(_, o)| !o.quality.iter().any(named)));
}
