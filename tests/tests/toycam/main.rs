//! The instrument of the chapter "Writing an instrument" works as the chapter says. The chapter shows
//! `toycam.rs` whole and this file in parts.

mod toycam;

use std::path::Path;

use ifured_core::module::TruthRequest;
use ifured_core::recipe::{ProductPath, QuietHost, SimulationRequest, TaskInput, TaskOutput};
use ifured_core::rule::{Verdict, classify};
use ifured_core::{
    Classification, Grade, Header, LoadedInstrument, Outcome, Rule, State, Task,
};
use ifured_pixels::fits::{primary_header, scan_file};

// ANCHOR: host
/// Toycam as the host sees it: through its module.
fn toycam() -> LoadedInstrument {
    LoadedInstrument::new(toycam::module()).unwrap()
}

/// What Toycam takes a header for.
fn classified(header: &Header) -> Classification {
    let rules: Vec<Rule> =
        toycam().description().frame_types.iter().map(|t| t.rule.clone()).collect();
    classify(&rules, header)
}

/// Header of a raw frame with the statistic that the rules ask for, which the scan adds.
fn scanned(path: &Path) -> Header {
    let file = scan_file(path, true).unwrap();
    let mut header = file.hdus[0].header.clone();
    header.set("QUANT975", file.statistics.unwrap().q975, "");
    header
}
// ANCHOR_END: host

// ANCHOR: run
fn input(role: &str, tag: &str, path: &Path) -> TaskInput {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    TaskInput {
        role: role.into(),
        tag: tag.into(),
        path: path.into(),
        identity: format!("content of {name}"),
        name,
        level: 0,
        adapt: None,
        why: String::new(),
        corrections: vec![],
        mjd: None,
    }
}

/// Runs a recipe with its default parameters, as the engine would.
fn run(recipe: &str, inputs: Vec<TaskInput>, tag: &str, path: &Path) -> Outcome {
    let toycam = toycam();
    let description = toycam.description().recipe(recipe).unwrap();
    let task = Task {
        id: format!("identity of {recipe}"),
        instrument: "toycam".into(),
        recipe: recipe.into(),
        recipe_version: description.version,
        parameters: description.defaults.clone(),
        night: "night001".into(),
        signature: String::new(),
        inputs,
        outputs: vec![TaskOutput {
            tag: tag.into(),
            path: path.into(),
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
        }],
        missing: vec![],
        level: 0,
        memory: 0,
    };
    toycam.run(&task, &QuietHost).unwrap()
}
// ANCHOR_END: run

#[test]
fn the_description_is_complete() {
    let toycam = toycam();
    let description = toycam.description();
    assert!(description.is_called("toy") && description.is_called("TOYCAM"));
    let recipes: Vec<&str> = description.recipes.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(recipes, ["master-bias", "image"]);
    for recipe in &description.recipes {
        assert_eq!(recipe.defaults["read_noise"], 5.0, "defaults are filled in");
        assert_eq!(
            recipe.schema["properties"]["read_noise"]["description"], "Read noise in ADU.",
            "the schema is filled in"
        );
    }
}

// ANCHOR: headers
#[test]
fn frames_are_what_their_headers_say() {
    let frame = |kind: &str, exptime_s: f64, level_adu: f64| {
        let mut header = Header::new();
        header.set("INSTRUME", "TOYCAM", "");
        header.set("IMAGETYP", kind, "");
        header.set("EXPTIME", exptime_s, "");
        header.set("QUANT975", level_adu, "");
        header
    };
    let table = [
        (frame("bias", 0.0, 1010.0), "bias", State::Good),
        (frame("BIAS", 0.0, 1010.0), "bias", State::Good),
        (frame("bias", 3.0, 1010.0), "wrong-bias", State::Wrong),
        (frame("bias", 0.0, 30_000.0), "wrong-bias", State::Wrong),
        (frame("science", 60.0, 1300.0), "object", State::Good),
        (frame("object", 60.0, 65_535.0), "wrong-object", State::Wrong),
        (frame("focus", 1.0, 1300.0), "unclassified", State::Wrong),
    ];
    for (header, tag, state) in table {
        let found = classified(&header);
        assert_eq!((found.tag.as_str(), found.state), (tag, state), "{header:?}");
    }
    // A keyword that a rule needs is never guessed.
    let mut without = frame("bias", 0.0, 1010.0);
    without.remove("EXPTIME");
    let found = classified(&without);
    assert_eq!((found.state, found.why.as_str()), (State::Refused, "EXPTIME: keyword missing"));
}
// ANCHOR_END: headers

// ANCHOR: truth
#[test]
fn the_truth_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let request = SimulationRequest {
        directory: directory.path().into(),
        seed: 7,
        nights: 1,
        size: Some(64),
    };
    let simulation = toycam().simulate(&request, &QuietHost).unwrap();
    assert_eq!(simulation.frames, 6);

    let mut files: Vec<_> = std::fs::read_dir(simulation.raw.join("night001"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    for path in &files {
        let header = scanned(path);
        assert!(
            toycam().description().recognise.iter().all(|c| c.check(&header) == Verdict::Holds)
        );
        assert_eq!(classified(&header).state, State::Good, "{}", path.display());
    }

    let (biases, object) = (&files[..5], &files[5]);
    let (bias, image) =
        (directory.path().join("bias.fits"), directory.path().join("image.fits"));
    let outcome = run(
        "master-bias",
        biases.iter().map(|p| input("main", "bias", p)).collect(),
        "master-bias",
        &bias,
    );
    assert_eq!(outcome.grade(), Grade::Good);
    run(
        "image",
        vec![input("main", "object", object), input("bias", "master-bias", &bias)],
        "reduced-image",
        &image,
    );

    let products =
        [("master-bias", bias), ("reduced-image", image)].map(|(tag, path)| ProductPath {
            tag: tag.into(),
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            path,
        });
    let rows = toycam()
        .compare_with_truth(&TruthRequest {
            truth: simulation.truth,
            products: products.to_vec(),
        })
        .unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.recovered()), "{rows:?}");
}
// ANCHOR_END: truth

#[test]
fn products_say_what_they_were_made_from() {
    let directory = tempfile::tempdir().unwrap();
    let request = SimulationRequest {
        directory: directory.path().into(),
        seed: 7,
        nights: 1,
        size: Some(16),
    };
    let raw = toycam().simulate(&request, &QuietHost).unwrap().raw.join("night001");
    let bias = directory.path().join("bias.fits");
    let names: Vec<String> = (0..3).map(|n| format!("toy-001-{n:02}.fits")).collect();
    run(
        "master-bias",
        names.iter().map(|n| input("main", "bias", &raw.join(n))).collect(),
        "master-bias",
        &bias,
    );
    let header = primary_header(&bias).unwrap();
    assert_eq!(header.text("IFURED TASK").unwrap(), "identity of master-bias");
    assert_eq!(header.text("IFURED TAG").unwrap(), "master-bias");
    for (n, name) in names.iter().enumerate() {
        assert_eq!(header.text(&format!("IFURED RAW{} NAME", n + 1)).unwrap(), name);
    }
}

#[test]
fn a_bias_of_another_size_is_an_error_that_names_the_frame() {
    let directory = tempfile::tempdir().unwrap();
    let simulated = |name: &str, size| {
        let request = SimulationRequest {
            directory: directory.path().join(name),
            seed: 7,
            nights: 1,
            size: Some(size),
        };
        toycam().simulate(&request, &QuietHost).unwrap().raw.join("night001")
    };
    let (small, large) = (simulated("small", 16), simulated("large", 32));
    let bias = directory.path().join("bias.fits");
    let biases =
        (0..3).map(|n| input("main", "bias", &small.join(format!("toy-001-{n:02}.fits"))));
    run("master-bias", biases.collect(), "master-bias", &bias);
    let toycam = toycam();
    let task = serde_json::json!({
        "id": "x", "instrument": "toycam", "recipe": "image", "recipe_version": 1,
        "parameters": toycam.description().recipe("image").unwrap().defaults,
        "night": "night001", "signature": "", "outputs": [], "level": 0, "memory": 0,
        "inputs": [
            input("main", "object", &large.join("toy-001-05.fits")),
            input("bias", "master-bias", &bias),
        ],
    });
    let error = toycam.run(&serde_json::from_value(task).unwrap(), &QuietHost).unwrap_err();
    assert!(error.what.contains("toy-001-05.fits"), "{error:?}");
}
