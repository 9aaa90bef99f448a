//! Polarimetry of simulated sequences through the Wollaston prism.

mod common;

use std::path::Path;

use common::{MiniEngine, quality, rewrite};
use ifured_cafos::Cafos;
use ifured_core::recipe::{ProductPath, QuietHost, SimulationRequest, TruthRow};
use ifured_core::{Figure, Grade, Instrument, Outcome};
use ifured_pixels::fits::{ColumnData, HduSelect, Table, read_table};
use ifured_pixels::statistics::Moments;

const RECIPES: &[&str] =
    &["master-bias", "master-flat-imaging-wollaston", "science-imaging-wollaston", "instrumental-polarisation", "polarimetry"];

fn simulate(directory: &Path, size: u32, seed: u64) {
    let request = SimulationRequest { directory: directory.to_owned(), seed, nights: 1, size: Some(size) };
    Cafos.simulate(&request, &QuietHost).unwrap();
}

/// The night, without frames that polarimetry does not need.
fn engine(directory: &Path, output: &str) -> MiniEngine {
    let mut engine = MiniEngine::new(&directory.join("raw"), &directory.join(output));
    engine.frames.retain(|f| f.tag == "bias" || f.tag.ends_with("-wollaston"));
    engine
}

fn reduced(directory: &Path, output: &str) -> MiniEngine {
    let mut engine = engine(directory, output);
    for recipe in RECIPES {
        engine.run(recipe);
    }
    assert!(engine.failures().is_empty(), "{:?}", engine.failures());
    engine
}

fn products(engine: &MiniEngine) -> Vec<ProductPath> {
    let made = engine.frames.iter().filter(|f| f.path.starts_with(&engine.output));
    made.map(|f| ProductPath { tag: f.tag.as_str().into(), path: f.path.clone(), name: f.name.clone() }).collect()
}

fn truth_rows(engine: &MiniEngine, directory: &Path) -> Vec<TruthRow> {
    let rows = Cafos.compare_with_truth(&directory.join("truth"), &products(engine)).unwrap();
    for row in &rows {
        println!("{:70} {:32} {:.5} truth {:.5} +- {:.5} {}", row.product, row.what, row.found, row.truth, row.tolerance, row.unit);
    }
    rows
}

fn table(engine: &MiniEngine, object: &str) -> Table {
    let frame = engine.frames.iter().find(|f| f.tag == "stokes" && f.header.text("OBJECT").unwrap().contains(object));
    read_table(&frame.expect("Stokes parameters of the field").path, HduSelect::Name("STOKES".into())).unwrap()
}

fn column(table: &Table, name: &str) -> Vec<f64> {
    match &table.column(name).unwrap_or_else(|| panic!("no column {name}")).data {
        ColumnData::F64(cells) => (0..table.rows).map(|n| cells.row(n).unwrap()[0]).collect(),
        other => panic!("{name} is {other:?}"),
    }
}

fn used(table: &Table) -> Vec<bool> {
    match &table.column("USED").unwrap().data {
        ColumnData::Logical(cells) => (0..table.rows).map(|n| cells.row(n).unwrap()[0] == Some(true)).collect(),
        other => panic!("{other:?}"),
    }
}

/// True stars of a field: column, row, flux, q, u.
fn true_stars(directory: &Path, n: usize) -> Vec<[f64; 5]> {
    let text = std::fs::read_to_string(directory.join("truth/truth.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(truth["polarimetry"][n]["stars"].clone()).unwrap()
}

fn outcome_of<'a>(engine: &'a MiniEngine, recipe: &str, object: &str) -> &'a Outcome {
    let of = |task: &ifured_core::Task| {
        let name = task.main().next().map(|i| i.path.clone()).unwrap();
        engine.frames.iter().any(|f| f.path == name && f.header.text("OBJECT").unwrap().contains(object))
    };
    engine.outcomes(recipe).into_iter().find(|(task, _)| of(task)).expect("the recipe ran on the field").1
}

#[test]
fn known_polarisation_comes_back_within_its_errors() {
    let (mut pulls, mut degrees, mut chi2, mut below, mut lost) = (Moments::default(), Moments::default(), Moments::default(), 0.0, 0);
    for seed in 1..=6 {
        let directory = tempfile::tempdir().unwrap();
        simulate(directory.path(), 400, seed);
        let engine = reduced(directory.path(), "out");
        let failed: Vec<_> =
            truth_rows(&engine, directory.path()).into_iter().filter(|r| r.product.contains("olari") && !r.recovered()).collect();
        assert!(failed.is_empty(), "seed {seed}: {failed:#?}");
        let table = table(&engine, "Dark cloud");
        let get = |name: &str| column(&table, name);
        let (x, y, used) = (get("X"), get("Y"), used(&table));
        for [star_x, star_y, _, q, u] in true_stars(directory.path(), 0) {
            let near = (0..table.rows).find(|&n| used[n] && (x[n] - 1.0 - star_x).hypot(y[n] - 1.0 - star_y) < 1.5);
            let Some(n) = near else {
                lost += 1;
                continue;
            };
            pulls.push((get("Q")[n] - q) / get("Q_ERR")[n]);
            pulls.push((get("U")[n] - u) / get("U_ERR")[n]);
            degrees.push((get("P_DEBIASED")[n] - q.hypot(u)) / get("P_ERR")[n]);
            chi2.push(get("CHI2")[n]);
            below += f64::from(u8::from(get("CHI2")[n] < 0.455));
        }
    }
    println!("pulls of q, u {} {} of {}", pulls.mean(), pulls.std(), pulls.count());
    println!("pulls of p {} {}; chi2 {}; lost {lost}", degrees.mean(), degrees.std(), chi2.mean());
    assert!(pulls.count() > 200 && lost < 60, "{} {lost}", pulls.count());
    assert!((pulls.std() - 1.0).abs() < 0.1 && pulls.mean().abs() < 0.2, "{} {}", pulls.mean(), pulls.std());
    assert!((degrees.std() - 1.0).abs() < 0.15 && degrees.mean().abs() < 0.25, "{} {}", degrees.mean(), degrees.std());
    // Of one degree of freedom: mean 1, median 0.455.
    let half = below / chi2.count() as f64;
    assert!((chi2.mean() - 1.0).abs() < 0.35 && (half - 0.5).abs() < 0.13, "{} {half}", chi2.mean());
}

/// The paths of the frames of a field.
fn frames_of(engine: &MiniEngine, object: &str) -> Vec<std::path::PathBuf> {
    let of = |f: &&common::Frame| f.tag == "science-imaging-wollaston" && f.header.text("OBJECT").unwrap().contains(object);
    engine.frames.iter().filter(of).map(|f| f.path.clone()).collect()
}

/// Changes the frames of the field of stars, reduces, and gives what polarimetry said of it.
fn changed(
    size: u32,
    change: impl Fn(usize, &mut ndarray::Array2<f32>, &mut ifured_core::Header),
) -> (tempfile::TempDir, MiniEngine, Outcome) {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), size, 3);
    for (n, path) in frames_of(&engine(directory.path(), "out"), "Dark cloud").iter().enumerate() {
        rewrite(path, |data, header| change(n, data, header));
    }
    let engine = reduced(directory.path(), "out");
    let outcome = outcome_of(&engine, "polarimetry", "Dark cloud").clone();
    (directory, engine, outcome)
}

fn refused(outcome: &Outcome, number: &str, why: &str) {
    assert!(outcome.products.is_empty() && outcome.grade() == Grade::Bad, "{outcome:?}");
    let bad = outcome.quality.iter().find(|q| q.name == number).expect("the number that is bad");
    assert_eq!(bad.grade, Grade::Bad, "{outcome:?}");
    assert!(outcome.notes.iter().any(|n| n.contains(why)), "{:?}", outcome.notes);
}

#[test]
fn three_angles_are_too_few_and_the_night_goes_on() {
    // The second frame was taken at the angle of the first.
    let (_directory, engine, outcome) = changed(200, |n, _, header| header.set("INSPOROT", [0.0, 0.0, 45.0, 67.5][n], ""));
    refused(&outcome, "N ANGLES", "frames at 3 angles");
    assert!(!outcome_of(&engine, "polarimetry", "BD+28").products.is_empty(), "the other field is measured");
}

#[test]
fn angles_that_are_mixed_up_show_in_chi_square() {
    let (_directory, engine, outcome) = changed(300, |n, _, header| header.set("INSPOROT", [0.0, 45.0, 22.5, 67.5][n], ""));
    assert!(quality(&outcome, "CHI2") > 10.0 && outcome.grade() == Grade::Questionable, "{:?}", outcome.quality);
    assert!(used(&table(&engine, "Dark cloud")).iter().filter(|u| **u).count() < quality(&outcome, "N PAIRS") as usize);
}

#[test]
fn a_frame_in_cloud_is_named_and_left_out() {
    let (_directory, _, outcome) = changed(200, |n, data, _| {
        if n == 2 {
            data.mapv_inplace(|v| v.clamp(0.0, 1000.0));
        }
    });
    refused(&outcome, "N ANGLES", "no stars");
    assert_eq!(outcome.rejected.len(), 1, "{:?}", outcome.rejected);
}

#[test]
fn a_night_in_cloud_and_frames_without_angle_have_no_product() {
    let (_directory, _, outcome) = changed(200, |_, data, _| data.mapv_inplace(|v| v.clamp(0.0, 1000.0)));
    refused(&outcome, "N ANGLES", "no stars");
    let (_directory, _, outcome) = changed(200, |_, _, header| {
        header.remove("INSPOROT");
    });
    refused(&outcome, "N ANGLES", "INSPOROT");
}

#[test]
fn saturated_stars_and_single_images_are_not_measured() {
    let (_directory, _, outcome) = changed(200, |_, data, _| data.mapv_inplace(|v| if v > 1600.0 { 65531.0 } else { v }));
    refused(&outcome, "N PAIRS", "saturated stars cannot be used");
    // Half of the frame is covered, with it one image of every source.
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 200, 3);
    let mut engine = engine(directory.path(), "out");
    engine.set("polarimetry", "separation_columns", 77.0.into());
    RECIPES.iter().for_each(|r| _ = engine.run(r));
    refused(outcome_of(&engine, "polarimetry", "Dark cloud"), "N PAIRS", "separation_columns");
}

/// Angles, x of the sources that count, brightest first.
fn angles(engine: &MiniEngine, object: &str) -> Vec<(f64, f64, f64)> {
    let table = table(engine, object);
    let (x, p, theta, used) = (column(&table, "X"), column(&table, "P"), column(&table, "THETA"), used(&table));
    (0..table.rows).filter(|n| used[*n]).map(|n| (x[n], p[n], theta[n])).collect()
}

fn turned_by(a: &[(f64, f64, f64)], b: &[(f64, f64, f64)], by: f64) {
    assert!(!a.is_empty() && a.len() == b.len(), "{} {}", a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        let off = (b.2 - a.2 - by + 90.0).rem_euclid(180.0) - 90.0;
        assert!(off.abs() < 1e-6 && (a.1 - b.1).abs() < 1e-9, "{a:?} {b:?} {by}");
    }
}

#[test]
fn parameters_do_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 200, 4);
    let with = |name: &str, settings: &[(&str, serde_json::Value)]| {
        let mut engine = engine(directory.path(), name);
        settings.iter().for_each(|(key, value)| engine.set("polarimetry", key, value.clone()));
        RECIPES.iter().for_each(|r| _ = engine.run(r));
        assert!(engine.failures().is_empty(), "{:?}", engine.failures());
        engine
    };
    let plain = with("plain", &[("instrumental", false.into())]);
    let start = angles(&plain, "Dark cloud");
    let turned = with("turned", &[("instrumental", false.into()), ("angle_zero", 25.0.into())]);
    turned_by(&start, &angles(&turned, "Dark cloud"), 25.0);
    // The other image is the ordinary one.
    let swapped = with("swapped", &[("instrumental", false.into()), ("extraordinary", "below".into())]);
    let swapped = angles(&swapped, "Dark cloud");
    assert_eq!(swapped.len(), start.len());
    for (a, b) in start.iter().zip(&swapped) {
        let off = (b.2 - a.2 - 90.0 + 90.0).rem_euclid(180.0) - 90.0;
        assert!(off.abs() < 1e-6 && (b.0 - a.0 - 1.7).abs() < 0.5, "{a:?} {b:?}");
    }
    let given = with("given", &[("instrumental", false.into()), ("separation_columns", 1.7.into()), ("separation_rows", 35.4.into())]);
    turned_by(&start, &angles(&given, "Dark cloud"), 0.0);
    assert!(outcome_of(&given, "polarimetry", "Dark cloud").quality.iter().all(|q| q.name != "N SEPARATION"));
    // Half the steps of an analyser that turns by twice as much.
    let steps = with("steps", &[("instrumental", false.into()), ("modulator", "analyser".into()), ("angle_step", 2.0.into())]);
    turned_by(&start, &angles(&steps, "Dark cloud"), 0.0);
    for (debias, least) in [("none", 0.0), ("wardle-kronberg", 0.0)] {
        let table = table(&with(debias, &[("debias", debias.into())]), "Dark cloud");
        let (p, debiased) = (column(&table, "P"), column(&table, "P_DEBIASED"));
        let lower = p.iter().zip(&debiased).filter(|(p, d)| d < p && **d >= least).count();
        assert_eq!(lower > 0, debias != "none", "{debias}");
    }
    // What is subtracted is what the standard said.
    let corrected = with("corrected", &[]);
    let header = |e: &MiniEngine, tag: &str| e.frames.iter().find(|f| f.tag == tag).unwrap().header.clone();
    let said = header(&corrected, "instrumental-polarisation").real("IFURED POL Q").unwrap();
    let (before, after) = (column(&table(&plain, "Dark cloud"), "Q"), column(&table(&corrected, "Dark cloud"), "Q"));
    assert!(before.iter().zip(&after).all(|(b, a)| b.is_nan() || (b - a - said).abs() < 1e-12));
    let errors = (column(&table(&plain, "Dark cloud"), "Q_ERR"), column(&table(&corrected, "Dark cloud"), "Q_ERR"));
    assert!(errors.0.iter().zip(&errors.1).all(|(b, a)| b.is_nan() || a > b));
    let figures = Figure::of(&table(&plain, "Dark cloud").header);
    assert_eq!(figures.len(), 3);
    for name in figures.iter().flat_map(|f| f.series.iter().map(|s| s.y.as_str()).chain([f.x.as_str()])) {
        assert!(table(&plain, "Dark cloud").column(name).is_some(), "{name}");
    }
}

#[test]
fn the_adapter_turns_the_angles_and_a_polarised_standard_tells_their_zero() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 300, 8);
    let plain = reduced(directory.path(), "plain");
    let start = angles(&plain, "Dark cloud");
    // HD 204827, with its precession to 2017.
    let (a, d) = (322.2400_f64, 58.7400_f64);
    let (ra, dec) = (
        a + 17.2 / 240.0 * (3.075 + 1.336 * a.to_radians().sin() * d.to_radians().tan()),
        d + 17.2 * 20.04 / 3600.0 * a.to_radians().cos(),
    );
    for path in frames_of(&plain, "Dark cloud") {
        rewrite(&path, |_, header| {
            header.set("RA", ra, "");
            header.set("DEC", dec, "");
            header.set("CAHA ADA POSANG", 40.0, "");
        });
    }
    let engine = reduced(directory.path(), "out");
    turned_by(&start, &angles(&engine, "Dark cloud"), 40.0);
    let outcome = outcome_of(&engine, "polarimetry", "Dark cloud");
    let zero = quality(outcome, "ANGLE ZERO");
    let by_star = angles(&engine, "Dark cloud").iter().any(|s| ((s.2 + zero - 59.10 + 90.0).rem_euclid(180.0) - 90.0).abs() < 0.01);
    assert!(by_star && quality(outcome, "P STANDARD") > 0.0, "{zero}");
    let note = &outcome_of(&engine, "instrumental-polarisation", "Dark cloud").notes[0];
    assert!(note.contains("HD 204827 is polarised"), "{note}");
    // With that zero the standard has its angle, and then it says the instrumental polarisation, too.
    let mut again = self::engine(directory.path(), "again");
    for recipe in ["polarimetry", "instrumental-polarisation"] {
        again.set(recipe, "angle_zero", zero.into());
    }
    again.set("instrumental-polarisation", "polarised", true.into());
    again.set("instrumental-polarisation", "p_high", 0.2.into());
    again.set("polarimetry", "instrumental", false.into());
    RECIPES.iter().for_each(|r| _ = again.run(r));
    let same = outcome_of(&again, "polarimetry", "Dark cloud");
    let _ = quality(same, "ANGLE ZERO");
    let table = self::table(&again, "Dark cloud");
    let said = outcome_of(&again, "instrumental-polarisation", "Dark cloud");
    let p = (quality(said, "Q INSTR").powi(2) + quality(said, "U INSTR").powi(2)).sqrt();
    // The star is none: what it lacks of the standard's polarisation counts as instrumental.
    let truth = 0.04893;
    let nearest = column(&table, "P").iter().map(|star| (star - truth).abs()).fold(f64::INFINITY, f64::min);
    assert!(p + 1e-3 >= nearest && p < 0.2, "{p} {nearest}");
}

#[test]
fn the_order_of_the_frames_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 200, 5);
    let mut engine = reduced(directory.path(), "out");
    let spec = engine.description.recipe("polarimetry").unwrap().clone();
    let group = engine.groups(&spec).remove(0);
    assert_eq!(group.len(), 4, "all angles are one group");
    let mut hashes = Vec::new();
    for reverse in [false, true] {
        let mut task = engine.task(&spec, &group);
        if reverse {
            task.inputs[..4].reverse();
        }
        engine.execute(&spec, task, &group[0]);
        hashes.push(engine.done.last().unwrap().result.as_ref().unwrap().products[0].hash.clone());
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn one_flat_serves_all_angles() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 128, 6);
    let engine = reduced(directory.path(), "out");
    assert_eq!(engine.outcomes("master-flat-imaging-wollaston").len(), 1);
    for (task, _) in engine.outcomes("science-imaging-wollaston") {
        assert_eq!(task.role("flat").next().map(|i| (i.tag.as_str(), i.level)), Some(("master-flat-imaging-wollaston", 0)));
    }
}
