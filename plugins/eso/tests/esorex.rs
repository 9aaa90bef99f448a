//! The real esorex, where it is installed with the pipeline of MUSE (`apt install esorex cpl-plugin-muse`); elsewhere these tests say that
//! they are skipped.

use std::path::{Path, PathBuf};

use ifured_core::recipe::{MainInput, ProductSpec, QuietHost, TaskInput, TaskOutput};
use ifured_core::{AnyRecipe, Grade, Header, RecipeDescription, Signature, Task, provenance};
use ifured_eso::esorex::{self, EsorexRecipe, ProductRule, Program, QcNumber, RecipeParameters};
use ifured_pixels::fits::{ColumnData, HduSelect, HduToWrite, primary_header, read_table, write_product};
use ifured_test_support::skip;
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Normal};
use serde_json::json;

/// esorex, if it knows that recipe.
fn installed(recipe: &str) -> Option<&'static Program> {
    let found = Program::find().ok().filter(|p| p.recipes.iter().any(|r| r == recipe));
    if found.is_none() {
        skip(format_args!("esorex with {recipe} is not installed"));
    }
    found
}

/// The files of parameters that the plugins ship.
fn shipped() -> Vec<(PathBuf, RecipeParameters)> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let directories = std::fs::read_dir(plugins).unwrap().map(|e| e.unwrap().path().join("src/parameters"));
    let files = directories.filter(|d| d.is_dir()).flat_map(|d| std::fs::read_dir(d).unwrap().map(|e| e.unwrap().path()));
    files.map(|f| (f.clone(), RecipeParameters::parse(&std::fs::read_to_string(&f).unwrap()).unwrap())).collect()
}

#[test]
fn the_shipped_parameters_are_those_of_the_installed_pipeline() {
    let mut compared = 0;
    for (path, file) in shipped() {
        let names: Vec<&str> = file.recipes.keys().map(String::as_str).collect();
        let Some(program) = installed(names[0]) else { continue };
        let now = program.parameters(&file.pipeline, &names).unwrap();
        if now.version != file.version {
            skip(format_args!("{} is of version {}, installed is {}", path.display(), file.version, now.version));
            continue;
        }
        for name in names {
            assert_eq!(file.of(name).unwrap(), now.of(name).unwrap(), "{name} in {}: write it again with the example", path.display());
        }
        compared += 1;
    }
    eprintln!("{compared} files of parameters compared");
}

#[test]
fn every_shipped_file_has_parameters_with_help_and_defaults_that_are_allowed() {
    let files = shipped();
    assert!(files.len() >= 2);
    for (path, file) in files {
        for recipe in file.recipes.keys() {
            let schema = esorex::parameters::schema(recipe, &file.of(recipe).unwrap(), &[]);
            for (name, property) in schema["properties"].as_object().unwrap() {
                let place = format!("{}: {recipe}.{name}", path.display());
                assert!(["description", "type", "default", "examples"].iter().all(|k| property.get(*k).is_some()), "{place}");
                if property["type"] == "integer" || property["type"] == "number" {
                    assert!(property["maximum"].is_number() && property["x-unit"].is_string(), "{place}");
                }
            }
            for p in file.of(recipe).unwrap() {
                let place = format!("{}: {recipe}.{}", path.display(), p.name);
                assert!(!p.help.is_empty(), "{place}");
                assert!(p.choices.is_empty() || p.choices.contains(&p.default), "{place}");
                assert!(p.minimum.is_none_or(|m| p.default.as_f64().unwrap() >= m), "{place}");
            }
        }
    }
}

const SCALE_DEG: f64 = 0.2 / 3600.0;
const DEC_DEG: f64 = -27.8;

/// A field of view with the same ten stars, moved by some pixels.
fn image_fov(path: &Path, minute: i32, shift: [f64; 2], unit: bool) {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let stars: Vec<[f64; 2]> = (0..10).map(|_| [random.random_range(15.0..85.0), random.random_range(15.0..85.0)]).collect();
    let noise = Normal::new(0.0f64, 1.0).unwrap();
    let sigma = 5.0 / 2.3548;
    let pixel = |(y, x): (usize, usize)| {
        let light: f64 = stars
            .iter()
            .map(|s| ((x as f64 + 1.0 - s[0] - shift[0]).powi(2) + (y as f64 + 1.0 - s[1] - shift[1]).powi(2)) / (-2.0 * sigma * sigma))
            .map(|e| 200.0 * e.exp())
            .sum();
        (light + noise.sample(&mut random)) as f32
    };
    let image = Array2::from_shape_fn((100, 100), pixel);
    let (mut primary, mut data) = (Header::new(), Header::new());
    primary.set("INSTRUME", "MUSE", "");
    primary.set("MJD-OBS", 58000.1 + f64::from(minute) / 1440.0, "");
    primary.set("DATE-OBS", format!("2017-09-04T02:{minute:02}:00.000").as_str(), "");
    for (key, value) in [("EXPTIME", 600.0), ("RA", 53.1), ("DEC", DEC_DEG)] {
        primary.set(key, value, "");
    }
    primary.set("ESO INS MODE", "WFM-NOAO-N", "");
    primary.set("ESO PRO CATG", "IMAGE_FOV", "");
    let coordinates =
        [("CRPIX1", 50.0), ("CRPIX2", 50.0), ("CRVAL1", 53.1), ("CRVAL2", DEC_DEG), ("CD1_1", -SCALE_DEG), ("CD2_2", SCALE_DEG)];
    for (key, value) in [("EXTNAME", "DATA"), ("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CUNIT1", "deg"), ("CUNIT2", "deg")] {
        data.set(key, value, "");
    }
    for (key, value) in coordinates.into_iter().chain([("CD1_2", 0.0), ("CD2_1", 0.0)]) {
        data.set(key, value, "");
    }
    if unit {
        data.set("BUNIT", "10**(-20)*erg/s/cm**2/Angstrom", "");
    }
    write_product(path, &[HduToWrite::Empty(&primary), HduToWrite::image(&data, image.view())]).unwrap();
}

/// `muse_exp_align` on two images: the cheapest recipe of MUSE.
fn align(directory: &Path, shift: [f64; 2], unit: bool) -> (EsorexRecipe, Task) {
    let (_, file) = shipped().into_iter().find(|(_, f)| f.pipeline == "MUSE").unwrap();
    let none = Signature::default();
    let product = |tag: &str| ProductSpec::new(tag, tag, &format!("{{stem}}_{tag}.fits"), &none);
    let description = RecipeDescription {
        name: "align".into(),
        main: MainInput::groups(&["IMAGE_FOV"], &none, 24.0, 2),
        products: ["OFFSET_LIST", "SOURCE_LIST", "PREVIEW_FOV"].map(product).into(),
        ..RecipeDescription::default()
    };
    let mut recipe = EsorexRecipe::new(description, "muse_exp_align", &file).unwrap();
    recipe.products = vec![
        ProductRule::required("OFFSET_LIST").with_finite(0.0),
        ProductRule::optional("SOURCE_LIST"),
        ProductRule::optional("PREVIEW_FOV"),
    ];
    recipe.quality =
        vec![QcNumber::new("OFFSET_LIST", "ESO QC EXPALIGN NDET*", "SOURCES", "", "sources found").within(3.0, f64::INFINITY, Grade::Bad)];
    let input = |n: i32, shift| {
        let name = format!("exposure {n}.fits");
        image_fov(&directory.join(&name), n, shift, unit);
        TaskInput { role: "main".into(), tag: "IMAGE_FOV".into(), path: directory.join(&name), name, ..TaskInput::default() }
    };
    let output = |tag: &str| TaskOutput {
        tag: tag.into(),
        path: directory.join("out").join(format!("{tag}.fits")),
        name: format!("{tag}.fits"),
        ..TaskOutput::default()
    };
    let task = Task {
        id: "a1b2".into(),
        recipe: "align".into(),
        parameters: json!({"srcmin": 3}),
        inputs: vec![input(10, [0.0, 0.0]), input(24, shift)],
        outputs: ["OFFSET_LIST", "SOURCE_LIST", "PREVIEW_FOV"].map(output).into(),
        ..Task::default()
    };
    (recipe, task)
}

#[test]
fn offsets_come_back_from_the_real_recipe() {
    if installed("muse_exp_align").is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let shift = [3.3, -2.1];
    let (recipe, task) = align(directory.path(), shift, true);
    let outcome = recipe.execute(&task, &QuietHost).unwrap();
    eprintln!("{:?} {:?}", outcome.quality, outcome.notes);
    let table = read_table(&task.outputs[0].path, HduSelect::Index(1)).unwrap();
    let column = |name: &str| match &table.columns.iter().find(|c| c.name == name).unwrap().data {
        ColumnData::F64(cells) => cells.row(1).unwrap()[0] / SCALE_DEG,
        other => panic!("{other:?}"),
    };
    // The image moved by x pixels to the right, so its coordinates are wrong by as much to the east, which is left. A star of 200 sigma is
    // placed to better than 0.05 pixels, and ten of them far better.
    assert!((column("RA_OFFSET") * DEC_DEG.to_radians().cos() + shift[0]).abs() < 0.05, "{}", column("RA_OFFSET"));
    assert!((column("DEC_OFFSET") - shift[1]).abs() < 0.05, "{}", column("DEC_OFFSET"));
    let header = primary_header(&task.outputs[0].path).unwrap();
    assert_eq!((header.text(provenance::TASK), header.text("ESO PRO REC1 ID")), (Ok("a1b2"), Ok("muse_exp_align")));
    // One source list for each exposure.
    let lists: Vec<&str> = outcome.products.iter().filter(|p| p.tag.as_str() == "SOURCE_LIST").map(|p| p.name.as_str()).collect();
    assert_eq!(lists, ["SOURCE_LIST.fits", "SOURCE_LIST_2.fits"]);
    assert!(outcome.quality.iter().filter(|q| q.name.starts_with("SOURCES")).all(|q| q.value >= Some(5.0)));
    // Equal inputs, equal bytes: no time of day is left in the products.
    let again = recipe.execute(&task, &QuietHost).unwrap();
    assert_eq!(again.products, outcome.products);
}

#[test]
fn too_few_sources_are_an_error_in_the_words_of_the_recipe() {
    if installed("muse_exp_align").is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (recipe, task) = align(directory.path(), [1.0, 1.0], true);
    let task = Task { parameters: json!({"srcmin": 70, "iterations": 2}), ..task };
    let error = recipe.execute(&task, &QuietHost).unwrap_err();
    assert!(error.what.contains("muse_exp_align failed") && error.what.contains("it said:"), "{}", error.what);
}

#[test]
fn the_users_own_settings_have_no_effect() {
    if installed("muse_exp_align").is_none() {
        return;
    }
    // A home directory with settings that would rename the products and find no sources.
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".esorex")).unwrap();
    std::fs::write(home.path().join(".esorex/esorex.rc"), "esorex.caller.suppress-prefix=FALSE\n").unwrap();
    std::fs::write(home.path().join(".esorex/muse_exp_align.rc"), "muse.muse_exp_align.srcmin=1000\n").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (recipe, task) = align(directory.path(), [1.0, 1.0], true);
    std::fs::write(directory.path().join("task.json"), serde_json::to_vec(&task).unwrap()).unwrap();
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "in_a_process_of_its_own"])
        .env("HOME", home.path())
        .env("ESOREX_OUTPUT_PREFIX", "renamed")
        .env("ESOREX_RECIPE_CONFIG", home.path().join(".esorex/muse_exp_align.rc"))
        .env("IFURED_TEST_TASK", directory.path().join("task.json"))
        .output()
        .unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
    assert!(task.outputs[0].path.is_file());
    drop(recipe);
}

/// Runs the task of [`the_users_own_settings_have_no_effect`], in an environment that must not be that of other tests.
#[test]
#[ignore = "run by the test about the user's settings"]
fn in_a_process_of_its_own() {
    let task: Task = serde_json::from_slice(&std::fs::read(std::env::var("IFURED_TEST_TASK").unwrap()).unwrap()).unwrap();
    let other = tempfile::tempdir().unwrap();
    let (recipe, _) = align(other.path(), [1.0, 1.0], true);
    recipe.execute(&task, &QuietHost).unwrap();
}
