//! A channel of MUSE through the command and ESO's own recipes: bias, flat, wavelengths.
//!
//! Where esorex or the recipes of MUSE are not installed, it says that it is skipped. The frames are the test's own (`night.rs`), so their wavelengths are known.

mod night;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ifured_pixels::fits::{ColumnData, HduSelect, read_table};
use ifured_tests::{Ran, Scenario, assert_same_products, products, skip};
use serde_json::Value;

/// Whether the recipes are there; says so if not.
fn installed() -> bool {
    let home = tempfile::tempdir().unwrap();
    let log = format!("--log-dir={}", home.path().display());
    let answer = std::process::Command::new("esorex").args([log.as_str(), "--recipes"]).output();
    let there = answer.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("muse_wavecal"));
    if !there {
        skip("esorex with the recipes of MUSE is not installed");
    }
    there
}

fn ifured(scenario: &Scenario, arguments: &[&str]) -> Ran {
    let all: Vec<&str> = ["-i", "muse", "--output", "out"].into_iter().chain(arguments.iter().copied()).collect();
    scenario.ifured(&all)
}

/// All files below a directory with that extension, by the name of the recipe's directory.
fn files(directory: &Path, extension: &str) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for recipe in std::fs::read_dir(directory).unwrap().flatten().filter(|e| e.path().is_dir()) {
        for night in std::fs::read_dir(recipe.path()).unwrap().flatten().filter(|e| e.path().is_dir()) {
            for file in std::fs::read_dir(night.path()).unwrap().flatten() {
                if file.path().extension().is_some_and(|e| e == extension) {
                    found.insert(format!("{}/{}", recipe.file_name().display(), file.file_name().display()), file.path());
                }
            }
        }
    }
    found
}

/// Tags and file names of the set of frames of a recipe, in its order.
fn frames(scenario: &Scenario, recipe: &str) -> Vec<(String, String)> {
    let sofs = files(&scenario.join("out"), "sof");
    let (_, sof) =
        sofs.iter().find(|(name, _)| name.starts_with(&format!("{recipe}/"))).unwrap_or_else(|| panic!("no set of frames in {sofs:?}"));
    let text = std::fs::read_to_string(sof).unwrap();
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    let words = lines.map(|l| l.split_once(' ').unwrap());
    words.map(|(path, tag)| (tag.to_owned(), Path::new(path).file_name().unwrap().display().to_string())).collect()
}

/// The recipes that a dry run would run, in their order.
fn would_run(scenario: &Scenario, more: &[&str]) -> Vec<String> {
    let all: Vec<&str> = ["reduce", "raw", "--dry-run"].into_iter().chain(more.iter().copied()).collect();
    let ran = ifured(scenario, &all).code(0);
    let words = ran.stdout.lines().chain(ran.stderr.lines()).filter_map(|l| l.strip_prefix("would run "));
    words.filter_map(|l| Some(l.split([' ', ':']).next()?.to_owned())).collect()
}

const CALIBRATIONS: [&str; 4] = ["--to", "WAVECAL_TABLE", "--to", "WAVECAL_RESIDUALS"];

#[test]
fn a_channel_is_calibrated_by_the_real_recipes_in_their_order_and_only_what_changed_again() {
    if !installed() {
        return;
    }
    let scenario = Scenario::new();
    night::write_calibrations(&scenario.join("raw"));
    assert_eq!(would_run(&scenario, &CALIBRATIONS), ["muse_bias", "muse_flat", "muse_wavecal"]);
    let reduce = ["reduce", "raw", "--to", "WAVECAL_TABLE", "--to", "WAVECAL_RESIDUALS"];
    ifured(&scenario, &reduce).code(0).says("3 run now, 0 done before, 0 failed");

    // What went into each recipe, and what was made of it before.
    let bias = ("MASTER_BIAS", "MASTER_BIAS_bias0-CHAN07.fits");
    let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(t, n)| ((*t).to_owned(), (*n).to_owned())).collect::<Vec<_>>();
    let three = |tag: &'static str, stem: &str| (0..3).map(|n| (tag.to_owned(), format!("{stem}{n}.fits"))).collect::<Vec<_>>();
    assert_eq!(frames(&scenario, "muse_bias"), three("BIAS", "bias"));
    assert_eq!(frames(&scenario, "muse_flat"), [three("FLAT", "flat"), own(&[bias])].concat());
    let tables = [bias, ("TRACE_TABLE", "TRACE_TABLE_flat0-CHAN07.fits"), ("LINE_CATALOG", "line_catalog.fits")];
    assert_eq!(frames(&scenario, "muse_wavecal"), [three("ARC", "arc"), own(&tables)].concat());

    // The products are in the catalogue, and hold what was put in.
    let listed = ifured(&scenario, &["ls", "products", "--json"]).code(0);
    let tags = ["MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "TRACE_SAMPLES", "WAVECAL_TABLE", "WAVECAL_RESIDUALS"];
    assert!(tags.iter().all(|tag| listed.stdout.contains(&format!("\"{tag}\""))), "{listed}");
    wavelengths_are_right(&scenario);

    // Again: nothing. Another parameter of the wavelengths: they alone; of the flat: it and what is made with it.
    let before = products(&scenario.join("out"));
    ifured(&scenario, &reduce).code(0).says("0 run now, 3 done before");
    assert_same_products(&before, &products(&scenario.join("out")));
    let changed = |setting: &str| would_run(&scenario, &[&CALIBRATIONS[..], &["--set", setting]].concat());
    assert_eq!(changed("recipes.muse_wavecal.yorder=5"), ["muse_wavecal"]);
    assert_eq!(changed("recipes.muse_flat.ovscignore=4"), ["muse_flat", "muse_wavecal"]);
    ifured(&scenario, &[&reduce[..], &["--set", "recipes.muse_wavecal.yorder=5"]].concat()).code(0).says("1 run now, 2 done before");
    let after = products(&scenario.join("out"));
    let kept = |name: &&String| !name.starts_with("muse_wavecal/");
    assert!(before.keys().filter(kept).all(|name| before[name] == after[name]));
    assert!(before.keys().filter(|n| n.contains("WAVECAL_TABLE")).all(|name| before[name] != after[name]));
}

/// Lines are found where the simulation put them, and the solution gives their wavelengths back: half of all measurements within a twentieth of a pixel.
fn wavelengths_are_right(scenario: &Scenario) {
    let path = scenario.join("out/muse_wavecal/2017-09-03/WAVECAL_RESIDUALS_arc0-CHAN07.fits");
    let table = read_table(&path, HduSelect::Index(1)).unwrap();
    let number = |name: &str, row: usize| match &table.column(name).unwrap().data {
        ColumnData::U8(c) => f64::from(c.row(row).unwrap()[0]),
        ColumnData::I32(c) => f64::from(c.row(row).unwrap()[0]),
        ColumnData::F32(c) => f64::from(c.row(row).unwrap()[0]),
        ColumnData::F64(c) => c.row(row).unwrap()[0],
        other => panic!("{name}: {other:?}"),
    };
    assert!(table.rows > 48 * 20 * 50, "{} measurements in 48 slices", table.rows);
    let sizes = |size: &dyn Fn(usize) -> f64| {
        let mut all: Vec<f64> = (0..table.rows).map(size).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    // FITS counts from 1.
    let place = |row: usize| night::row_of_line(number("slice", row) as usize - 1, number("x", row) - 1.0, number("lambda", row));
    let (pixels, angstrom) = (sizes(&|row| (number("y", row) - 1.0 - place(row)).abs()), sizes(&|row| number("residual", row).abs()));
    assert!(pixels < 0.05 && angstrom < 0.06, "median {pixels} pixels, {angstrom} Angstrom");
}

#[test]
fn one_exposure_more_costs_that_exposure_and_the_combination() {
    let scenario = Scenario::new();
    let plan = |s: &Scenario| ifured(s, &["plan", "raw", "--json"]).code(0).json()["tasks"].as_array().unwrap().clone();
    let text = |task: &Value, key: &str| task[key].as_str().unwrap().to_owned();
    night::write_headers(&scenario.join("raw"), 0..2);
    let before = plan(&scenario);
    let known: Vec<String> = before.iter().map(|t| text(t, "id")).collect();
    night::write_headers(&scenario.join("raw"), 2..3);
    let after = plan(&scenario);
    let mut new: Vec<String> = after.iter().filter(|t| !known.contains(&text(t, "id"))).map(|t| text(t, "recipe")).collect();
    new.sort();
    // Two channels.
    assert_eq!(new, ["muse_exp_align", "muse_exp_combine", "muse_scibasic", "muse_scibasic", "muse_scipost"]);
    assert_eq!(after.len(), before.len() + 3);

    // Sky of the science exposures themselves: from the list of lines, and not from what another recipe measures.
    let sky = ifured(&scenario, &["plan", "raw", "--json", "--set", "recipes.muse_create_sky_object.enabled=true"]).code(0).json();
    let sky: Vec<&Value> = sky["tasks"].as_array().unwrap().iter().filter(|t| t["recipe"] == "muse_create_sky_object").collect();
    let lines = |t: &Value| t["inputs"].as_array().unwrap().iter().find(|i| i["tag"] == "SKY_LINES").unwrap()["name"].clone();
    assert_eq!(sky.iter().map(|t| lines(t)).collect::<Vec<_>>(), ["sky_lines.fits"; 3]);

    // A recipe that merges channels gets the calibrations of all of them.
    for task in after.iter().filter(|t| t["recipe"] == "muse_scipost") {
        let tags: Vec<&str> = task["inputs"].as_array().unwrap().iter().map(|i| i["tag"].as_str().unwrap()).collect();
        let count = |tag: &str| tags.iter().filter(|t| **t == tag).count();
        assert_eq!((count("PIXTABLE_OBJECT"), count("LSF_PROFILE")), (2, 2), "{tags:?}");
        assert_eq!((count("STD_RESPONSE"), count("SKY_LINES")), (1, 1), "{tags:?}");
    }
}
