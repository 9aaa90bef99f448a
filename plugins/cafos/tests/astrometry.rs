//! World coordinates of simulated nights: the truth comes back, and what cannot be solved says why.

mod common;

use std::path::{Path, PathBuf};

use common::{Frame, MiniEngine, quality, simulate};
use ifured_cafos::Cafos;
use ifured_core::recipe::{ProductPath, QuietHost};
use ifured_core::{Figure, Instrument, Outcome, RecipeError};
use ifured_pixels::Image;
use ifured_pixels::fits::{Cells, ColumnData, HduSelect, Table, read_table};
use ifured_pixels::statistics::{median, robust_sigma};

fn reduced(directory: &Path, size: u32) -> MiniEngine {
    simulate(directory, size);
    let mut engine = MiniEngine::new(&directory.join("raw"), &directory.join("out"));
    for recipe in ["master-bias", "master-flat-imaging", "illumination", "science-imaging"] {
        engine.run(recipe);
    }
    engine
}

fn solved(engine: &mut MiniEngine, catalogue: &Path) {
    engine.set("astrometry", "catalogue", catalogue.to_str().into());
    engine.run("astrometry");
}

/// The catalogue of a simulated night, with its right ascensions off by some degrees, as text.
fn as_text(directory: &Path, off: f64) -> PathBuf {
    let table = read_table(directory.join("truth/catalogue.fits"), HduSelect::First).unwrap();
    let column = |name: &str| match &table.column(name).unwrap().data {
        ifured_pixels::fits::ColumnData::F64(ifured_pixels::fits::Cells::Fixed { values, .. }) => values.clone(),
        other => panic!("{other:?}"),
    };
    let (ra, dec) = (column("ra"), column("dec"));
    let rows: String = ra.iter().zip(&dec).map(|(a, d)| format!("{},{d}\n", a + off)).collect();
    let path = directory.join("list.csv");
    std::fs::write(&path, format!("ra,dec\n{rows}")).unwrap();
    path
}

#[test]
fn the_true_coordinates_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut engine = reduced(directory.path(), 512);
    solved(&mut engine, &directory.path().join("truth/catalogue.fits"));
    assert!(engine.failures().is_empty(), "{:?}", engine.failures());
    let products: Vec<ProductPath> = engine
        .frames
        .iter()
        .filter(|f| f.tag == "solved-imaging")
        .map(|f| ProductPath { tag: f.tag.as_str().into(), path: f.path.clone(), name: f.name.clone() })
        .collect();
    let rows = Cafos.compare_with_truth(&directory.path().join("truth"), &products).unwrap();
    for row in &rows {
        println!("{:60} {:40} {:.4} truth {:.4} +- {:.4} {}", row.product, row.what, row.found, row.truth, row.tolerance, row.unit);
    }
    for (_, outcome) in engine.outcomes("astrometry") {
        outcome.quality.iter().for_each(|q| println!("{:16} {:?} +- {:?} {}", q.name, q.value, q.error, q.unit));
    }
    assert!(rows.len() == 12 && rows.iter().all(|r| r.recovered()), "{rows:#?}");
    assert!(rows.iter().filter(|r| r.what == "error of the world coordinates").all(|r| r.found < 0.02));
}

/// The columns of a table as numbers.
fn numbers(table: &Table, name: &str) -> Vec<f64> {
    match &table.column(name).unwrap_or_else(|| panic!("no column {name}")).data {
        ColumnData::F64(Cells::Fixed { values, .. }) => values.clone(),
        ColumnData::I16(Cells::Fixed { values, .. }) => values.iter().map(|v| f64::from(*v)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn fluxes_of_all_stars_have_honest_errors_and_the_zero_point_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let mut engine = reduced(directory.path(), 768);
    solved(&mut engine, &directory.path().join("truth/catalogue.fits"));
    let truth = std::fs::read_to_string(directory.path().join("truth/truth.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_str(&truth).unwrap();
    let (mut pulls, mut zero_points) = (Vec::new(), Vec::new());
    for frame in engine.frames.iter().filter(|f| f.tag == "solved-imaging") {
        let is_it = |t: &&serde_json::Value| frame.name.contains(t["file"].as_str().unwrap().trim_end_matches(".fits"));
        let known = truth["frames"].as_array().unwrap().iter().find(is_it).unwrap();
        let table = read_table(&frame.path, HduSelect::name("SOURCES")).unwrap();
        let [x, y, flux, error, flags] = ["X", "Y", "FLUX", "FLUX_ERR", "FLAGS"].map(|name| numbers(&table, name));
        assert!(x.len() > 150 && numbers(&table, "MAG_ERR").iter().any(|e| *e < 0.01), "{}", x.len());
        for star in known["stars"].as_array().unwrap() {
            let [a, b, light] = [0, 1, 2].map(|n| star[n].as_f64().unwrap());
            let near = (0..x.len()).find(|&n| (x[n] - a - 1.0).hypot(y[n] - b - 1.0) < 1.0 && flags[n] == 0.0);
            pulls.extend(near.map(|n| ((flux[n] - light) / error[n]) as f32));
        }
        let header = ifured_pixels::fits::read_image(&frame.path).unwrap().0;
        let outcome = ifured_core::provenance::outcome(&header);
        let zero = outcome.quality.iter().find(|q| q.name == "ZERO POINT").unwrap();
        zero_points.push((zero.value.unwrap() - 23.5) / zero.error.unwrap());
        let residuals = read_table(&frame.path, HduSelect::name("STARS")).unwrap();
        let figures = Figure::of(&residuals.header);
        assert_eq!(figures.len(), 3);
        let named = figures.iter().flat_map(|f| f.series.iter().map(|s| &s.y).chain([&f.x]));
        named.for_each(|name| assert!(residuals.column(name).is_some(), "{name}"));
    }
    println!("{} pulls: {} {}; zero points {zero_points:?}", pulls.len(), median(&pulls), robust_sigma(&pulls));
    assert!(pulls.len() > 300 && (robust_sigma(&pulls) - 1.0).abs() < 0.1 && median(&pulls).abs() < 0.3);
    assert!(zero_points.iter().all(|p| p.abs() < 3.5), "{zero_points:?}");
}

#[test]
fn what_cannot_be_solved_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let mut engine = reduced(directory.path(), 256);
    // A list without magnitudes and motions is enough for the coordinates.
    solved(&mut engine, &as_text(directory.path(), 0.0));
    assert_eq!(engine.outcomes("astrometry").len(), 3, "{:?}", engine.failures());
    let (_, outcome) = engine.outcomes("astrometry")[0];
    assert!(quality(outcome, "WCS ERROR") < 0.1 && outcome.notes.iter().any(|n| n.contains("no zero point")));
    let says = |engine: &MiniEngine, words: &str| {
        let failures = engine.failures();
        assert!(failures.len() >= 3 && failures[failures.len() - 3..].iter().all(|f| f.contains(words)), "{failures:?}");
    };
    let elsewhere = as_text(directory.path(), 3.0);
    solved(&mut engine, &elsewhere);
    says(&engine, "only 0 stars of the catalogue");
    let nearby = as_text(directory.path(), 0.06);
    engine.set("astrometry", "search", 60.0.into());
    solved(&mut engine, &nearby);
    says(&engine, "no world coordinates");
    engine.set("astrometry", "detection_sigma", 1e6.into());
    solved(&mut engine, &nearby);
    says(&engine, "stars in the image");
    solved(&mut engine, Path::new(""));
    says(&engine, "no catalogue is given");
    solved(&mut engine, Path::new("/nowhere/gaia.fits"));
    says(&engine, "/nowhere/gaia.fits");
    let text = |content: &str| {
        let path = directory.path().join("wrong.csv");
        std::fs::write(&path, content).unwrap();
        path
    };
    engine.set("astrometry", "detection_sigma", 5.0.into());
    solved(&mut engine, &text("name,alpha,delta\nA,10.0,20.0\n"));
    says(&engine, "has no column of");
    solved(&mut engine, &text("ra,dec\n"));
    says(&engine, "0 stars of the catalogue");
    solved(&mut engine, &text(""));
    says(&engine, "wrong.csv");
}

/// A reduced image that is changed by hand.
fn changed(directory: &Path, name: &str, image: &dyn Fn(&mut Image)) -> Frame {
    let mut frame = reduced_frame(directory);
    let (header, mut pixels) = ifured_pixels::fits::read_image(&frame.path).unwrap();
    image(&mut pixels);
    frame.path = directory.join(name);
    ifured_pixels::fits::write_image(&frame.path, &header, &pixels, ifured_pixels::fits::Layout::PrimaryData).unwrap();
    frame
}

fn reduced_frame(directory: &Path) -> Frame {
    let mut engine = reduced(directory, 256);
    let found = engine.frames.iter().position(|f| f.tag == "reduced-imaging").unwrap();
    engine.frames.swap_remove(found)
}

fn outcome_of(frame: &Frame, catalogue: &Path, to: &Path) -> Result<Outcome, RecipeError> {
    let description = Cafos.description().unwrap();
    let spec = description.recipe("astrometry").unwrap();
    let mut parameters = spec.engines[0].defaults.clone();
    parameters["catalogue"] = catalogue.to_str().into();
    let task = common::task(spec, parameters, vec![common::input("main", frame, 0, None, ifured_core::recipe::Choice::Main)], to);
    let recipes = Cafos.recipes().unwrap();
    recipes.iter().find(|r| r.description().name == "astrometry").unwrap().execute(&task, &QuietHost)
}

/// File name, what is done to the image, and what the error says.
type Broken<'a> = (&'a str, &'a dyn Fn(&mut Image), &'a str);

#[test]
fn cloud_a_lone_star_and_a_saturated_frame_are_errors_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let catalogue = directory.path().join("truth/catalogue.fits");
    let noise = |at: (usize, usize)| 8.0 * ((at.0 * 7919 + at.1 * 104_729) as f32).sin();
    let cloud = |image: &mut Image| image.data.indexed_iter_mut().for_each(|(at, v)| *v = 300.0 + noise(at));
    let lone = |image: &mut Image| {
        cloud(image);
        for ((y, x), v) in image.data.indexed_iter_mut() {
            let r2 = (x as f32 - 130.0).powi(2) + (y as f32 - 120.0).powi(2);
            *v += 5000.0 * (-0.3 * r2).exp();
        }
    };
    let saturated = |image: &mut Image| {
        image.data.fill(64_900.0);
        image.quality.mapv_inplace(|q| q | ifured_pixels::quality::SATURATED_CONVERTER);
    };
    let all: [Broken; 3] =
        [("cloud.fits", &cloud, "cloud"), ("lone.fits", &lone, "only 1 star"), ("saturated.fits", &saturated, "stars in the image")];
    for (name, change, words) in all {
        let error = outcome_of(&changed(directory.path(), name, change), &catalogue, &directory.path().join("out.fits")).unwrap_err();
        let said = format!("{} {}", error.what, error.advice);
        assert!(said.contains(words), "{name}: {said}");
    }
}
