//! The configuration of another program becomes one of ifured, and has the effect that it had.

use ifured_tests::{Ran, Scenario};
use serde_json::Value;

/// filabres' four files for the simulated night, with everything that they can say.
const FILABRES: &[(&str, &str)] = &[
    (
        "setup_filabres.yaml",
        "# file setup_filabres.yaml\n#\n# generated automatically by filabres v.1.5.1\n#\ninstrument: cafos\ndatadir: night/raw/\n\
         gaiadr_source: gaiadr3.gaia_source\ntweak_order_astrometry: 2\nignored_images_file: ignored_images.yaml\n\
         image_header_corrections_file: image_header_corrections.yaml\nforced_classifications_file: forced_classifications.yaml\n",
    ),
    (
        "ignored_images.yaml",
        "# file ignored_images.yaml\nnight: 170319_t2_CAFOS\nenabled: True\nfiles:\n  - caf-20170319-16:0[01]:*.fits\n---\n\
         night: 170319_t2_CAFOS\nenabled: False\nfiles:\n  - caf-20170319-16:02:*.fits\n---\n\
         night: 170320_t2_CAFOS\nfiles:\n  - '*.fits'\n---\n",
    ),
    (
        "image_header_corrections.yaml",
        "night: 170319_t2_CAFOS\nfiles:\n  - caf-20170319-18:10:00-*\nreplace-keyword:\n  - IMAGETYP: 'science'\n  - OBJECT: 'corrected'\n  - EXPTIME: 7.5\n  - CCDBINX: 1\n",
    ),
    (
        "forced_classifications.yaml",
        "night: 170319_t2_CAFOS\nfiles:\n  - caf-20170319-17:04:00-*\nclassification: arc\n---\n\
         night: 170319_t2_CAFOS\nfiles:\n  - caf-20170319-17:03:00-*\nclassification: wrong-bias\n",
    ),
];

fn write(s: &Scenario, directory: &str, files: &[(&str, &str)]) {
    std::fs::create_dir_all(s.join(directory)).unwrap();
    for (name, text) in files {
        std::fs::write(s.join(directory).join(name), text).unwrap();
    }
}

/// The frame whose name has this in it.
fn row(listed: &Ran, name: &str) -> Value {
    let json = listed.json();
    let has = |r: &&Value| r["name"].as_str().is_some_and(|n| n.contains(name));
    json.as_array().and_then(|rows| rows.iter().find(has)).unwrap_or_else(|| panic!("no {name}\n{listed}")).clone()
}

#[test]
fn four_files_of_filabres_have_the_effect_that_they_had() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    write(&s, ".", FILABRES);
    let ran = s.ifured(&["import", "filabres", "."]).code(0);
    insta::assert_snapshot!("filabres", ran.stdout);
    insta::assert_snapshot!("filabres-toml", std::fs::read_to_string(s.join("ifured.toml")).unwrap());
    assert!(s.join("ifured-cafos.schema.json").is_file());
    s.ifured(&["--config", "ifured.toml", "reduce", "night/raw", "--dry-run"]).code(0);
    let listed = s.ifured(&["--json", "ls", "--columns", "OBJECT,EXPTIME"]).code(0);
    let tags = ["16:00:00", "16:01:11", "16:02:22", "18:10:00", "17:04:00", "17:03:00"].map(|name| row(&listed, name)["tag"].clone());
    assert_eq!(tags, ["ignored", "ignored", "bias", "science-spectroscopy", "arc", "ignored"]);
    let corrected = row(&listed, "18:10:00");
    assert_eq!((&corrected["OBJECT"], &corrected["EXPTIME"]), (&"corrected".into(), &7.5.into()));
    assert_eq!(row(&listed, "17:03:00")["why"], "left out by the configuration: forced_classifications.yaml:6");
    // Nothing is replaced without being asked.
    s.ifured(&["import", "filabres", "."]).code(2).says("ifured.toml is there already").says("--force");
    s.ifured(&["import", "filabres", ".", "--to", "ifured.json"]).code(2).says("is there already");
    s.ifured(&["import", "filabres", ".", "--force"]).code(0);
    let shown = s.ifured(&["-q", "import", "filabres", ".", "--to", "-"]).code(0);
    assert_eq!(shown.stdout, std::fs::read_to_string(s.join("ifured.toml")).unwrap());
    let json = s.ifured(&["--json", "import", "filabres", ".", "--to", "other/x.json"]).code(0).json();
    assert_eq!((json["instrument"].as_str(), json["settings"].as_array().map(Vec::len)), (Some("cafos"), Some(7)));
    s.ifured(&["--config", "other/x.json", "reduce", "night/raw", "--dry-run"]).code(0);
}

#[test]
fn files_that_are_wrong_are_named_with_their_lines() {
    let s = Scenario::new();
    write(
        &s,
        "old",
        &[
            ("setup_filabres.yaml", "instrument: cafos\ngaiadr_source: x\n"),
            ("ignored_images.yaml", "files: a.fits\n---\nnight: n\nfiles: [a]\nfiles: [b]\n"),
            ("image_header_corrections.yaml", "night: n\n\tfiles: [a]\n"),
            ("forced_classifications.yaml", "night: n\nfiles: [a]\n"),
        ],
    );
    let ran = s.ifured(&["import", "filabres", "old"]);
    insta::assert_snapshot!("filabres-wrong", format!("{:?}\n{}", ran.code, ran.stderr));
    assert!(!s.join("ifured.toml").exists());
    std::fs::write(s.join("old/ignored_images.yaml"), b"night: \xff\n").unwrap();
    s.ifured(&["import", "filabres", "old/ignored_images.yaml"]).says("old/ignored_images.yaml:1: not UTF-8 text");
    s.ifured(&["import", "filabres", "missing.yaml"]).says("missing.yaml");
    s.ifured(&["import", "filabres", "."]).code(2).says("setup_filabres.yaml");
    s.ifured(&["import", "filabers", "old"]).code(2).says("did you mean `filabres`?").says("filabres, musepack");
    s.ifured(&["-i", "muse", "import", "filabres", "old"]).code(2).says("but cafos does");
    s.ifured(&["import", "filabres", "old", "--to", "x.yaml"]).code(2).says("ends with .toml or .json");
    std::fs::write(s.join("config.json"), "{\"sky\": {\"fraction\": \"much\"}}").unwrap();
    s.ifured(&["import", "musepack", "."]).says("config.json: sky.fraction: must be a number, but is \"much\"");
}

const MUSEPACK: &str = r#"{
"global": {"pipeline_path": "/usr/local/esorex", "rootpath": "/data/ngc", "n_CPU": 4, "mode": "WFM-AO", "withrvcorr": true,
  "auto_sort_data": true, "using_specific_exposure_time": 900, "dither_multiple_OBs": false, "OB": "", "OB_list": ["OB1", "OB2"], "exp_list": []},
"calibration": {"execute": true, "using_ESO_calibration": true, "dark": false, "renew_statics": false, "esorex_kwargs_bias": null, "create_sof": true},
"sci_basic": {"execute": true, "execute_std": true, "skyreject": "15.,15.,1", "skylines": "5577.339,6300.304", "esorex_kwargs": null, "create_sof": true},
"std_flux": {"execute": true, "esorex_kwargs": null, "create_sof": true},
"sky": {"execute": true, "modified": false, "sky_field": "auto", "fraction": 0.05, "ignore": 0.05, "method": "model", "create_sof": true},
"sci_post": {"execute": true, "autocalib": "none", "subtract_sky": false, "raman": false, "esorex_kwargs": "--lambdamin=4650 --resample=pixtable", "create_sof": true},
"dither_collect": {"execute": true},
"exp_align": {"execute": true, "srcmin": 5, "srcmax": 80, "create_sof": true},
"exp_combine": {"execute": true, "weight": "exptime", "create_sof": true, "wieght": "fwhm"}
}"#;

#[test]
fn a_configuration_of_musepack_is_taken_over_as_far_as_recipes_are_there() {
    let s = Scenario::new();
    s.ifured(&["-i", "muse", "simulate", "m"]).code(0);
    std::fs::write(s.join("config.json"), MUSEPACK).unwrap();
    let ran = s.ifured(&["import", "musepack", "config.json"]).code(0);
    insta::assert_snapshot!("musepack", ran.stdout);
    s.ifured(&["scan", "m/raw"]).says("OBJECT");
    // A core more than none is a matter of range: said, and written as a comment.
    std::fs::write(s.join("config.json"), "{\"global\": {\"n_CPU\": 0}}").unwrap();
    s.ifured(&["import", "musepack", ".", "--force"]).code(0).says("resources.threads is 0, but must be a whole number from 1 to 4096");
    assert!(std::fs::read_to_string(s.join("ifured.toml")).unwrap().contains("# threads = 0"));
}
