use std::collections::BTreeSet;

use ifured_core::{ImportRequest, Imported, RecipeError};
use serde_json::{Map, Value, json};

use super::import;
use super::keys::KEYS;

fn import_text(text: &str) -> Result<Imported, RecipeError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    std::fs::write(&path, text).unwrap();
    import(&ImportRequest { program: "musepack".into(), files: vec![path] }).map_err(|mut e| {
        e.what = e.what.replace(&format!("{}/", directory.path().display()), "");
        e
    })
}

fn import_value(value: Value) -> Imported {
    import_text(&value.to_string()).unwrap()
}

fn problem(text: &str) -> String {
    import_text(text).unwrap_err().what
}

/// Every key of MUSEpack in all its versions, with its default or an example where the default is nothing.
const ALL: &[(&str, &str)] = &[
    (
        "global",
        r#"{"pipeline_path": "/usr/local/esorex", "static_calib_path": "/opt/local/share/esopipes", "rootpath": "/data/ngc", "n_CPU": -1,
        "mode": "WFM-NOAO", "withrvcorr": true, "auto_sort_data": true, "auto_create_OB_folders": true, "auto_create_OB_list": true,
        "using_specific_exposure_time": false, "using_ESO_calibration": true, "renew_statics": false, "dither_multiple_OBs": false,
        "OB": "", "OB_list": [], "exp_list": []}"#,
    ),
    ("cleanup", r#"{"execute": false, "include_std": false, "include_combined": false, "include_calibrations": false}"#),
    (
        "calibration",
        r#"{"execute": true, "using_ESO_calibration": true, "dark": false, "renew_statics": false, "esorex_kwargs_bias": null,
        "esorex_kwargs_dark": "none", "esorex_kwargs_flat": "--samples=true", "esorex_kwargs_wavecal": "", "esorex_kwargs_lsf": "--merge",
        "esorex_kwargs_twilight": "--vignette 0.5", "create_sof": true}"#,
    ),
    (
        "sci_basic",
        r#"{"execute": true, "execute_std": true, "execute_sci": true, "skyreject": "15.,15.,1", "skylines": "5577.339,6300.304",
        "esorex_kwargs": null, "create_sof": true}"#,
    ),
    ("std_flux", r#"{"execute": true, "esorex_kwargs": null, "create_sof": true}"#),
    (
        "sky",
        r#"{"execute": true, "modified": false, "sky_field": "auto", "fraction": 0.05, "ignore": 0.05, "method": "model",
        "esorex_kwargs": null, "create_sof": true}"#,
    ),
    (
        "sci_post",
        r#"{"execute": true, "autocalib": "none", "subtract_sky": true, "raman": false, "esorex_kwargs": "--lambdamin=4650 --resample=pixtable",
        "create_sof": true}"#,
    ),
    ("dither_collect", r#"{"execute": true, "user_list": []}"#),
    ("exp_align", r#"{"execute": true, "srcmin": 5, "srcmax": 80, "esorex_kwargs": null, "create_sof": true}"#),
    ("exp_combine", r#"{"execute": true, "weight": "exptime", "esorex_kwargs": null, "create_sof": true}"#),
];

fn complete() -> Map<String, Value> {
    ALL.iter().map(|(block, text)| (block.to_string(), serde_json::from_str(text).unwrap())).collect()
}

#[test]
fn every_key_is_mapped_or_listed_with_its_reason() {
    let imported = import_value(Value::Object(complete()));
    assert_eq!(imported.unknown, []);
    assert!(imported.not_needed.iter().all(|n| n.reason.len() > 10), "{:?}", imported.not_needed);
    let from = |from: &str| from.rsplit(": ").next().unwrap_or_default().to_owned();
    let mut found: BTreeSet<String> = imported.settings.iter().map(|s| from(&s.from)).collect();
    found.extend(imported.not_needed.iter().map(|n| n.key.clone()));
    let written = |(block, entries): (&String, &Value)| -> Vec<String> {
        entries.as_object().unwrap().keys().map(|k| format!("{block}.{k}")).collect()
    };
    let all: BTreeSet<String> = complete().iter().flat_map(written).collect();
    assert_eq!(found, all);
    let table: BTreeSet<String> = KEYS.iter().map(|k| format!("{}.{}", k.block, k.name)).collect();
    assert_eq!(table, all);
}

#[test]
fn the_book_has_every_key() {
    let book = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/from-musepack.md")).unwrap();
    for key in KEYS.iter().filter(|k| k.name != "create_sof") {
        let names = [format!("`{}.{}`", key.block, key.name), format!("`.{}`", key.name)];
        let short = key.name.strip_prefix("esorex_kwargs_").map(|n| format!("`_{n}`"));
        assert!(names.iter().chain(&short).any(|n| book.contains(n.as_str())), "{}.{}", key.block, key.name);
    }
}

#[test]
fn each_key_alone_is_known_too() {
    for (block, entries) in complete() {
        for (key, value) in entries.as_object().unwrap() {
            let imported = import_value(json!({&block: {key: value}}));
            assert!(imported.unknown.is_empty() && imported.settings.len() + imported.not_needed.len() > 0, "{block}.{key}");
            let nothing = import_value(json!({&block: {key: null}}));
            assert_eq!((nothing.settings.len(), nothing.not_needed.len()), (0, 1), "{block}.{key}");
        }
    }
}

fn settings(value: Value) -> Vec<(String, Value)> {
    import_value(value).settings.into_iter().map(|s| (s.key, s.value)).collect()
}

#[test]
fn values_go_where_the_recipes_have_them() {
    let one = |key: &str, value: Value| vec![(key.to_owned(), value)];
    assert_eq!(settings(json!({"global": {"n_CPU": 4}})), one("resources.threads", json!(4)));
    let side = |key: &str| one(&format!("recipes.muse_scipost_{key}.enabled"), json!(true));
    assert_eq!(settings(json!({"global": {"withrvcorr": false}})), side("with_sky_without_rv"));
    assert_eq!(settings(json!({"global": {"withrvcorr": true}})), one("recipes.muse_scipost.rvcorr", json!("bary")));
    assert_eq!(settings(json!({"sci_post": {"subtract_sky": false}})), side("with_sky"));
    assert_eq!(settings(json!({"sci_post": {"raman": false}})), one("association.muse_scipost.raman-lines.enabled", json!(false)));
    assert_eq!(settings(json!({"global": {"using_ESO_calibration": true}})), one("calibrations.prefer", json!("archive")));
    let named = json!(["180431-242316_0005_180_00"]);
    assert_eq!(settings(json!({"dither_collect": {"user_list": named}})), one("frames.exposures", named));
    assert_eq!(settings(json!({"global": {"dither_multiple_OBs": false}})).len(), 3);
    assert_eq!(settings(json!({"sky": {"fraction": 0.1}})), one("recipes.muse_create_sky.fraction", json!(0.1)));
    assert_eq!(settings(json!({"exp_align": {"srcmax": 60}})), one("recipes.muse_exp_align.srcmax", json!(60)));
    assert_eq!(settings(json!({"std_flux": {"execute": false}})), one("recipes.muse_standard.enabled", json!(false)));
    let expected =
        [("recipes.muse_scipost.lambdamin".to_owned(), json!(4650)), ("recipes.muse_scipost.resample".to_owned(), json!("pixtable"))];
    assert_eq!(settings(json!({"sci_post": {"esorex_kwargs": "--lambdamin=4650 --resample=pixtable"}})), expected);
    let [(key, value)] = settings(json!({"global": {"using_specific_exposure_time": 900}})).try_into().unwrap();
    assert_eq!(key, "classification.OBJECT.expect");
    assert_eq!(value, json!([{"key": "EXPTIME", "is": ">=", "value": 900}, {"key": "EXPTIME", "is": "<", "value": 901}]));
}

#[test]
fn traps_are_not_carried_over() {
    let imported = import_value(json!({"sky": {"method": "model"}, "sci_post": {"subtract_sky": false}}));
    let last = imported.settings.last().unwrap();
    assert!(last.note.contains("still subtracts") && last.key.contains("with_sky"), "{last:?}");
    let imported = import_value(json!({"sky": {"modified": true, "sky_field": "object"}, "global": {"exp_list": ["a"]}}));
    assert_eq!((imported.settings.len(), imported.not_needed.len(), imported.advice.len()), (6, 0, 1));
    let sky = |key: &str| imported.settings.iter().find(|s| s.key == key).map(|s| s.value.clone());
    assert_eq!(sky("recipes.muse_create_sky_object.enabled"), Some(json!(true)));
    assert_eq!(sky("recipes.muse_scipost.skymethod"), Some(json!("subtract-model")));
}

#[test]
fn the_command_names_the_directories() {
    let line = |global: Value| import_value(json!({"global": global})).advice[0].clone();
    let begin = "ifured --instrument muse --output . reduce";
    assert_eq!(line(json!({})), format!("{begin} DIRECTORY"));
    assert_eq!(line(json!({"rootpath": "/d/my data", "OB_list": ["a", "b"]})), format!("{begin} '/d/my data/raw/a' '/d/my data/raw/b'"));
    assert_eq!(
        line(json!({"rootpath": "/d", "OB": "p", "OB_list": ["a"], "pipeline_path": "/eso"})),
        format!("{begin} /d/raw/p/a /eso/calib")
    );
    assert_eq!(line(json!({"rootpath": "manual", "static_calib_path": "/st"})), format!("{begin} DIRECTORY /st"));
}

#[test]
fn what_is_removed_becomes_a_command() {
    let advice = |cleanup: Value| import_value(json!({"cleanup": cleanup})).advice[1..].to_vec();
    let none: [String; 0] = [];
    assert_eq!(advice(json!({"execute": false, "include_std": true})), none);
    let tables = "ifured clean --tag PIXTABLE_OBJECT --tag PIXTABLE_SKY --tag 'PIXTABLE_REDUCED*'";
    assert_eq!(advice(json!({"execute": true})), [tables]);
    assert_eq!(
        advice(json!({"execute": true, "include_std": true, "include_combined": true})),
        [format!("{tables} --tag PIXTABLE_STD --tag muse_standard --tag 'muse_exp_combine*'")]
    );
}

#[test]
fn unknown_keys_have_a_nearest() {
    let imported = import_value(json!({"sky": {"fracton": 0.1, "skylines": "x", "zzzzzzzzz": 1}, "sci_posd": {"execute": true}}));
    let unknown: Vec<_> = imported.unknown.iter().map(|u| (u.key.as_str(), u.nearest.as_deref())).collect();
    let expected = [
        ("sky.fracton", Some("sky.fraction")),
        ("sky.skylines", Some("sci_basic.skylines")),
        ("sky.zzzzzzzzz", None),
        ("sci_posd", Some("sci_post")),
    ];
    assert_eq!(unknown, expected);
    let imported = import_value(json!({"sky": {"esorex_kwargs": "--a=1 stray"}}));
    assert_eq!(imported.unknown[0].key, "stray");
}

#[test]
fn what_is_wrong_is_said() {
    assert_eq!(
        problem(r#"{"sky": {"fraction": "0.05", "execute": 1}, "exp_align": {"srcmin": 2.5}, "global": {"OB_list": "a"}}"#),
        "config.json: global.OB_list: must be a list of texts, but is \"a\"\n\
         config.json: sky.execute: must be true or false, but is 1\n\
         config.json: sky.fraction: must be a number, but is \"0.05\"\n\
         config.json: exp_align.srcmin: must be a whole number, but is 2.5"
    );
    assert_eq!(problem(r#"{"sky": {"fraction": 1, "fraction": 2}}"#), "config.json: `sky.fraction` is there twice; leave one");
    assert_eq!(problem("{\"sky\": {\n\"a\": 1,}}"), "config.json:2:8: trailing comma");
    assert!(problem("{\"sky\": 3}").starts_with("config.json:1:9: invalid type: integer `3`, expected a block of keys in braces"));
    assert!(problem("{\"instrument\": {}}").contains("no configuration of MUSEpack"));
    assert!(problem(r#"{"sky": {"sky_field": "other"}}"#).contains("must be \"auto\" or \"object\""));
    assert!(problem(r#"{"sky": {"esorex_kwargs": "--a='x"}}"#).contains("never closed"));
    assert!(problem(r#"{"global": {"using_specific_exposure_time": true}}"#).contains("a whole number of seconds"));
}
