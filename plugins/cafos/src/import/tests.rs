use std::path::Path;

use ifured_core::{ImportRequest, Imported, RecipeError};
use serde_json::{Value, json};

use super::import;

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn import_all(directory: &Path, names: &[&str]) -> Result<Imported, RecipeError> {
    import(&ImportRequest { program: "filabres".into(), files: names.iter().map(|n| directory.join(n)).collect() })
}

fn import_one(name: &str, text: &str) -> Result<Imported, RecipeError> {
    import_all(directory(&[(name, text)]).path(), &[name])
}

/// What is wrong with a file, without the directory.
fn problems(name: &str, text: &str) -> String {
    let directory = directory(&[(name, text)]);
    let error = import_all(directory.path(), &[name]).expect_err("this file is wrong");
    error.what.replace(&format!("{}/", directory.path().display()), "")
}

fn value(imported: &Imported, n: usize) -> Value {
    let mut value = imported.settings[n].value.clone();
    value.as_object_mut().map(|v| v.remove("why"));
    value
}

const SETUP: &str = "# created\ninstrument: cafos\ndatadir: /data/my night/\ngaiadr_source: gaiadr3.gaia_source\ntweak_order_astrometry: 2\n\
    ignored_images_file: ignored_images.yaml\nimage_header_corrections_file: corrections.yaml\nforced_classifications_file: none.yaml\n";

#[test]
fn a_setup_names_the_other_files() {
    let directory = directory(&[
        ("setup_filabres.yaml", SETUP),
        ("ignored_images.yaml", "# only comments, as --setup leaves them\n"),
        ("corrections.yaml", "night: n\nfiles: [a]\nreplace-keyword: [IMAGETYP: bias]\n"),
        ("image_header_corrections.yaml", "night: old\nfiles: [a]\nreplace-keyword: [IMAGETYP: bias]\n"),
    ]);
    let imported = import_all(directory.path(), &["setup_filabres.yaml", "ignored_images.yaml", "image_header_corrections.yaml"]).unwrap();
    let keys: Vec<&str> = imported.settings.iter().map(|s| s.key.as_str()).collect();
    assert_eq!(keys, ["instrument", "frames.correct[]"]);
    assert_eq!(value(&imported, 1), json!({"night": "n", "files": ["a"], "set": {"IMAGETYP": "bias"}}));
    assert_eq!(imported.advice, ["ifured --instrument cafos --output . reduce '/data/my night/'"]);
    let reason = |key: &str| imported.not_needed.iter().find(|n| n.key == key).map(|n| n.reason.clone()).unwrap();
    assert!(reason("gaiadr_source").contains("recipes.astrometry.catalogue"));
    assert!(reason("forced_classifications_file").contains("no such file"));
    assert!(reason("image_header_corrections.yaml").contains("the set-up names corrections.yaml"));
    assert_eq!(imported.not_needed.len(), 7, "{:?}", imported.not_needed);
    assert!(imported.unknown.is_empty());
}

#[test]
fn every_key_of_a_setup_is_known_and_others_are_not() {
    let text = SETUP.replace("# created", "default_param: d\nconfig_sex: c\nconfig_scamp: s\ngaiadr_sorce: x");
    let imported = import_one("setup_filabres.yaml", &text).unwrap();
    let unknown: Vec<_> = imported.unknown.iter().map(|u| (u.key.as_str(), u.nearest.as_deref())).collect();
    assert_eq!(unknown, [("gaiadr_sorce", Some("gaiadr_source"))]);
    assert_eq!(imported.settings.len() + imported.not_needed.len(), 10);
    assert!(problems("setup_filabres.yaml", "instrument: lsss\ndatadir: x\n").contains("no plugin for filabres' other instrument"));
    assert!(problems("setup_filabres.yaml", "instrument: caffos\ndatadir: x\n").contains("was `cafos` meant?"));
    assert!(problems("setup_filabres.yaml", "instrument: cafos\n").contains("`datadir` is missing"));
    assert!(problems("setup_filabres.yaml", "").contains("is empty"));
    assert!(problems("setup_filabres.yaml", "instrument: [cafos]\ndatadir:\n").contains("setup_filabres.yaml:2: `datadir` must be text"));
}

#[test]
fn blocks_keep_nights_patterns_and_switches() {
    let text = "night: 0170319\nfiles:\n  - caf-*-16:0?:*.fits\n  - a[12].fits\n---\n---\nnight: 0170319\nenabled: no\nfiles: [b]\n---\nnight: x\nenabled: False\n";
    let imported = import_one("ignored_images.yaml", text).unwrap();
    assert_eq!(value(&imported, 0), json!({"night": "0170319", "files": ["caf-*-16:0?:*.fits", "a1.fits", "a2.fits"]}));
    assert_eq!(value(&imported, 1), json!({"night": "0170319", "files": ["b"], "enabled": false}));
    assert!(imported.settings[1].note.contains("although it is switched off"));
    assert!(imported.settings[0].from.ends_with("ignored_images.yaml:1") && imported.settings[1].from.ends_with(":7"));
    assert_eq!((imported.settings.len(), imported.not_needed.len()), (2, 1));
}

#[test]
fn keywords_keep_their_types() {
    let text = "night: n\nfiles: [a]\nreplace-keyword:\n  - IMAGETYP: 'bias'\n  - OBJECT: '[bias]'\n  - exptime: 0.0\n  - CCDBINX: 2\n  - FLAG: True\n  \
                - INSCALNM: null\n  - RA: 10:20:30\n  - A: 1\n    B: 2\n  - TEXT: '12'\n";
    let imported = import_one("image_header_corrections.yaml", text).unwrap();
    let expected = json!({"IMAGETYP": "bias", "OBJECT": "[bias]", "EXPTIME": 0.0, "CCDBINX": 2, "FLAG": true, "INSCALNM": null, "RA": 37230,
        "A": 1, "B": 2, "TEXT": "12"});
    assert_eq!(value(&imported, 0)["set"], expected);
    let note = &imported.settings[0].note;
    assert!(note.contains("the number 37230") && note.contains("filabres takes `A` only"), "{note}");
}

#[test]
fn classes_become_tags_or_are_left_out() {
    let block = |files: &str, class: &str| format!("night: n\nfiles: [{files}]\nclassification: {class}\n---\n");
    let text = [block("a", "bias"), block("b", "wrong-bias"), block("c*", "unclassified"), block("cc", "arc"), block("d", "falt-imaging")];
    let imported = import_one("forced_classifications.yaml", &text.concat()).unwrap();
    let keys: Vec<&str> = imported.settings.iter().map(|s| s.key.as_str()).collect();
    assert_eq!(keys, ["frames.force[]", "frames.ignore[]", "frames.ignore[]", "frames.force[]"]);
    assert_eq!(value(&imported, 0), json!({"night": "n", "files": ["a"], "tag": "bias"}));
    assert_eq!(imported.settings[1].obstacle, "");
    assert!(imported.settings[2].obstacle.contains("line 13"), "{}", imported.settings[2].obstacle);
    assert_eq!(imported.unknown[0].nearest.as_deref(), Some("flat-imaging"));
}

#[test]
fn every_class_is_a_tag_of_the_instrument() {
    let tags: Vec<String> = crate::description::describe().frame_types.iter().map(|t| t.rule.tag.to_string()).collect();
    for tag in tags {
        let imported = import_one("forced_classifications.yaml", &format!("night: n\nfiles: [a]\nclassification: {tag}\n")).unwrap();
        assert_eq!(value(&imported, 0)["tag"], json!(tag));
    }
}

#[test]
fn files_of_other_names_are_known_by_their_keys() {
    let imported = import_one("mine.yaml", "night: n\nfiles: [a]\nclassification: arc\n").unwrap();
    assert_eq!(imported.settings[0].key, "frames.force[]");
    assert!(problems("mine.yaml", "a: b\n").contains("none of filabres' files"));
    assert!(problems("mine.yaml", "- a\n").contains("none of filabres' files"));
}

#[test]
fn what_is_wrong_is_said_at_once_with_its_line() {
    let text = "- night: n\n---\nfiles: 3\n---\nnight: [a]\nenabled: 'no'\nfile: [a]\n---\nnight: n\nfiles: [{a: b}, ~]\nfiles: [b]\n";
    let expected = "ignored_images.yaml:11: key `files` is here twice, first in line 10; are `---` lines missing between blocks?\n\
        ignored_images.yaml:1: a block must be lines of `key: value`, but is a list; write night:, files: and so on, and part blocks by ---\n\
        ignored_images.yaml:3: the block has no `night`\n\
        ignored_images.yaml:3: `files` must be a list, but is `3`; write each name on a line of its own: `  - name.fits`\n\
        ignored_images.yaml:5: `night` must be the name of a directory, but is a list\n\
        ignored_images.yaml:6: `enabled` must be True or False, but is `no`\n\
        ignored_images.yaml:5: the block has no `files`\n\
        ignored_images.yaml:10: a name of `files` must be text, but is a block of `key: value`\n\
        ignored_images.yaml:10: a name of `files` must be text, but is empty";
    assert_eq!(problems("ignored_images.yaml", text), expected);
    let text = "night: n\nfiles: [a]\nreplace-keyword: {A: 1}\n---\nnight: n\nfiles: [a]\nreplace-keyword: [A: [1], B: .inf, c]\n---\nnight: n\nfiles: []\n";
    let expected = "image_header_corrections.yaml:3: `replace-keyword` must be a list, but is a block of `key: value`; write each keyword on a line of its own: `  - KEYWORD: value`\n\
        image_header_corrections.yaml:7: the value of A must be one value, but is a list\n\
        image_header_corrections.yaml:7: value of B: `.inf`: a header holds finite numbers only\n\
        image_header_corrections.yaml:7: must be `KEYWORD: value`, but is `c`\n\
        image_header_corrections.yaml:9: the block has no `replace-keyword`";
    assert_eq!(problems("image_header_corrections.yaml", text), expected);
}

#[test]
fn files_that_cannot_be_read() {
    let directory = directory(&[]);
    let path = directory.path().join("ignored_images.yaml");
    assert!(import_all(directory.path(), &["ignored_images.yaml"]).unwrap_err().what.contains("cannot be read"));
    std::fs::write(&path, b"night: n\nfiles: [\xff]\n").unwrap();
    assert!(import_all(directory.path(), &["ignored_images.yaml"]).unwrap_err().what.contains(":2: not UTF-8"));
}
