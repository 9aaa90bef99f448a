use ifured_core::instrument::Purpose;
use ifured_core::recipe::{Engine, MainInput};
use ifured_core::{FrameType, Imported, ImportedSetting, InstrumentDescription, NotNeeded, RecipeDescription, Signature, UnknownKey};
use serde_json::{Value, json};

use super::{Import, configuration};
use crate::init::Format;

fn instrument() -> InstrumentDescription {
    let signature = Signature::default();
    let engine =
        Engine { schema: json!({"type": "object", "properties": {"sigma": {"type": "number", "minimum": 1}}}), ..Engine::default() };
    let recipe = RecipeDescription {
        name: "master-bias".into(),
        main: MainInput::single(&["bias"], &signature),
        engines: vec![engine],
        ..RecipeDescription::default()
    };
    InstrumentDescription {
        name: "fix".into(),
        frame_types: vec![FrameType::new("bias", "Bias", Purpose::Calibration, &signature, vec![])],
        recipes: vec![recipe],
        ..InstrumentDescription::default()
    }
}

fn setting(key: &str, value: Value) -> ImportedSetting {
    ImportedSetting { key: key.into(), value, from: format!("old.cfg: {key}"), ..ImportedSetting::default() }
}

fn import_as(format: Format, settings: Vec<ImportedSetting>) -> Import {
    configuration(Imported { settings, ..Imported::default() }, &instrument(), format, "./s.json", "Imported.").unwrap()
}

fn import(settings: Vec<ImportedSetting>) -> Import {
    import_as(Format::Toml, settings)
}

fn reasons(import: &Import) -> Vec<&str> {
    import.settings.iter().map(|s| s.not_set.as_deref().unwrap_or("")).collect()
}

#[test]
fn what_is_valid_is_set_and_the_rest_is_a_comment_with_its_reason() {
    let import = import(vec![
        setting("resources.threads", json!(4)),
        setting("resources.memory_gb", json!(-1)),
        setting("recipes.master-bias.sigma", json!(3.5)),
        setting("recipes.master-bias.sgima", json!(3)),
        setting("recipes.later.depth", json!("deep")),
        setting("frames.force[]", json!({"files": ["a"], "tag": "bias"})),
        setting("frames.force[]", json!({"files": ["b"], "tag": "biass"})),
        setting("nonsense", json!(1)),
    ]);
    let reasons = reasons(&import);
    assert_eq!((reasons[0], reasons[2], reasons[5]), ("", "", ""));
    assert!(reasons[1].contains("resources.memory_gb is -1"), "{}", reasons[1]);
    assert!(reasons[3].contains("unknown key `sgima` in recipes.master-bias; did you mean `sigma`"));
    assert_eq!(reasons[4], "waits for recipe later, which this ifured does not have yet");
    assert!(reasons[6].contains("did you mean `bias`?") && reasons[7].contains("unknown key `nonsense`"));
    let read: Value = toml::from_str(&import.text).unwrap();
    let expected = json!({"instrument": "fix", "resources": {"threads": 4}, "recipes": {"master-bias": {"sigma": 3.5}},
        "frames": {"force": [{"files": ["a"], "tag": "bias"}]}});
    assert_eq!(read, expected);
    for line in ["# depth = \"deep\"", "# [recipes.later]", "# memory_gb = -1", "# NOT SET: waits for recipe later"] {
        assert!(import.text.contains(line), "{line}\n{}", import.text);
    }
}

#[test]
fn the_later_of_two_settings_counts() {
    let import = import(vec![setting("resources.threads", json!(4)), setting("resources.threads", json!(2))]);
    assert_eq!(reasons(&import), ["old.cfg: resources.threads sets the same key, and counts", ""]);
    let import = self::import(vec![setting("recipes.later.x", json!(4)), setting("recipes.later.x", json!(2))]);
    assert!(reasons(&import)[0].ends_with("sets the same key, and counts") && reasons(&import)[1].starts_with("waits for recipe"));
    // One that is not valid takes nothing away from another.
    let import = self::import(vec![setting("resources.threads", json!(4)), setting("resources.threads", json!(0))]);
    assert_eq!(reasons(&import)[0], "");
    let import = self::import(vec![setting("resources", json!({"threads": 1})), setting("resources.threads.x", json!(1))]);
    assert!(reasons(&import)[0].is_empty() && !reasons(&import)[1].is_empty(), "{:?}", reasons(&import));
}

#[test]
fn odd_values_come_through_and_comments_stay_comments() {
    let odd = "a\"b\\c\nd\u{7}e\u{7f}é";
    let set = json!({"OBJECT": odd, "ESO INS MODE": true, "EXPTIME": 0.0, "N": i64::MIN, "E": 1e300, "": "empty"});
    let mut strange = setting("frames.correct[]", json!({"files": [odd], "set": set}));
    (strange.from, strange.note) = (odd.into(), odd.into());
    let mut undefined = setting("frames.correct[]", json!({"files": ["a"], "set": {"X": null}}));
    undefined.note = "x\ninstrument = 3".into();
    let huge = setting("frames.correct[]", json!({"files": ["a"], "set": {"X": u64::MAX}}));
    let mut imported = Imported { settings: vec![strange, undefined, huge], ..Imported::default() };
    imported.not_needed.push(NotNeeded { key: odd.into(), value: json!(odd), from: odd.into(), reason: odd.into() });
    imported.unknown.push(UnknownKey { key: odd.into(), from: odd.into(), nearest: Some(odd.into()) });
    imported.advice.push(odd.into());
    let as_toml = configuration(imported.clone(), &instrument(), Format::Toml, "./s.json", odd).unwrap();
    let read: Value = toml::from_str(&as_toml.text).unwrap();
    assert_eq!(read["frames"]["correct"], json!([{"files": [odd], "set": set}]));
    assert!(reasons(&as_toml)[1].contains("--to ifured.json") && reasons(&as_toml)[2].contains("TOML cannot write"));
    let as_json = configuration(imported, &instrument(), Format::Json, "./s.json", odd).unwrap();
    assert_eq!(reasons(&as_json), ["", "", ""]);
    assert!(as_json.text.starts_with("{\n  \"$schema\": \"./s.json\",\n  \"instrument\": \"fix\""));
}

#[test]
fn nothing_to_set_is_a_configuration_too() {
    assert_eq!(toml::from_str::<Value>(&import(vec![]).text).unwrap(), json!({"instrument": "fix"}));
    assert!(import_as(Format::Json, vec![]).text.contains("\"instrument\": \"fix\""));
}
