//! Generated files that are checked in are not stale.

use ifured_engine::config::{Demand, undocumented};
use ifured_tests::{Scenario, workspace};

#[test]
fn the_schemas_are_those_of_the_program() {
    let s = Scenario::new();
    for name in ["cafos", "kmos", "muse", "any"] {
        let now = match name {
            "any" => s.ifured(&["schema"]).code(0).stdout,
            _ => s.ifured(&["-i", name, "schema"]).code(0).stdout,
        };
        let kept = std::fs::read_to_string(workspace().join(format!("schemas/{name}.json"))).unwrap_or_default();
        assert!(now == kept, "schemas/{name}.json is stale: run `make schemas` and commit it");
    }
}

#[test]
fn every_key_has_title_description_type_default_range_unit_and_example() {
    let s = Scenario::new();
    for arguments in [&["-i", "cafos", "schema"][..], &["-i", "kmos", "schema"], &["-i", "muse", "schema"], &["schema", "--quiet"]] {
        let schema = s.ifured(arguments).code(0).json();
        let missing = undocumented(&schema, Demand::Full);
        assert!(missing.is_empty(), "{arguments:?}: {missing:#?}");
    }
}

#[test]
fn a_key_that_loses_its_documentation_is_found() {
    let s = Scenario::new();
    let schema = s.ifured(&["-i", "cafos", "schema"]).code(0).json();
    let parameter = "/properties/recipes/properties/master-bias/properties/hot_pixel";
    for (keyword, what) in
        [("description", "description"), ("x-unit", "unit"), ("minimum", "range"), ("examples", "example"), ("default", "default")]
    {
        let mut spoilt = schema.clone();
        spoilt.pointer_mut(parameter).unwrap().as_object_mut().unwrap().remove(keyword).unwrap();
        let missing = undocumented(&spoilt, Demand::Full);
        assert!(
            missing.len() == 1 && missing[0].starts_with("recipes.master-bias.hot_pixel: no") && missing[0].contains(what),
            "{missing:?}"
        );
    }
}

#[test]
fn without_an_instrument_the_schema_is_that_of_the_configuration_or_of_any() {
    let s = Scenario::new();
    let ran = s.ifured(&["schema"]).code(0).says("no instrument is named");
    assert_eq!(ran.json()["title"], "ifured configuration for any instrument");
    std::fs::write(s.join("ifured.toml"), "instrument = \"muse\"\n").unwrap();
    assert_eq!(s.ifured(&["schema"]).code(0).json()["title"], "ifured configuration for muse");
}

#[test]
fn completions_and_manual_pages_are_made() {
    let s = Scenario::new();
    for shell in ["bash", "zsh", "fish"] {
        s.ifured(&["completions", shell]).code(0).says("whynot");
    }
    s.ifured(&["man", "man"]).code(0);
    let page = std::fs::read_to_string(s.join("man/ifured-reduce.1")).unwrap();
    assert!(page.contains("dry"), "{page}");
}
