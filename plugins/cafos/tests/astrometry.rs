//! World coordinates of simulated nights: the truth comes back, and what cannot be solved says why.

mod common;

use std::path::{Path, PathBuf};

use common::{MiniEngine, quality, simulate};
use ifured_cafos::Cafos;
use ifured_core::Instrument;
use ifured_core::recipe::ProductPath;
use ifured_pixels::fits::{HduSelect, read_table};

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
}
