//! Adding images where there is nothing to add.

mod common;

use ifured_cafos::Cafos;
use ifured_core::recipe::QuietHost;
use ifured_core::{Header, Instrument, Task};
use ifured_pixels::Image;
use ifured_pixels::fits::{Layout, write_image};
use ndarray::Array2;

#[test]
fn a_single_image_stays_single_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alone.fits");
    let sky = Array2::from_shape_fn((64, 64), |(y, x)| 300.0 + ((y * 7 + x * 13) % 11) as f32);
    write_image(&path, &Header::new(), &Image::new(sky, 9.0), Layout::PrimaryData).unwrap();
    let frame = common::Frame {
        path,
        name: "night/alone.fits".into(),
        night: "night".into(),
        tag: "reduced-imaging".into(),
        header: Header::new(),
        mjd: 57_000.0,
        identity: "alone".into(),
    };
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
        inputs: vec![common::input("main", &frame, 0, None, String::new())],
        outputs: vec![],
        missing: vec![],
        level: 0,
        memory: 0,
    };
    let recipes = Cafos.recipes();
    let coadd = recipes.iter().find(|r| r.description().name == "coadd").unwrap();
    let outcome = coadd.execute(&task, &QuietHost).unwrap();
    assert!(outcome.products.is_empty());
    assert!(outcome.notes.iter().any(|n| n.contains("nothing was added") && n.contains("night/alone.fits")), "{:?}", outcome.notes);
}
