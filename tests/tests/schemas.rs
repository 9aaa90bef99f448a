//! Generated files that are checked in are not stale.

use ifured_tests::{Scenario, workspace};

#[test]
fn the_schemas_are_those_of_the_program() {
    let s = Scenario::new();
    for name in ["cafos", "kmos", "muse"] {
        let now = s.ifured(&["-i", name, "schema"]).code(0).stdout;
        let kept = std::fs::read_to_string(workspace().join(format!("schemas/{name}.json"))).unwrap_or_default();
        assert!(now == kept, "schemas/{name}.json is stale: run `make schemas` and commit it");
    }
}

#[test]
fn every_key_is_described() {
    let s = Scenario::new();
    let schema = s.ifured(&["-i", "cafos", "schema"]).code(0).json();
    let mut bare = Vec::new();
    walk(&schema, "", &mut bare);
    assert!(bare.is_empty(), "no description: {bare:#?}");
}

fn walk(value: &serde_json::Value, at: &str, bare: &mut Vec<String>) {
    let Some(map) = value.as_object() else { return };
    for (name, property) in map.get("properties").and_then(|p| p.as_object()).into_iter().flatten() {
        if property.get("description").is_none() && property.get("const").is_none() {
            bare.push(format!("{at}/{name}"));
        }
    }
    for (name, inner) in map {
        walk(inner, &format!("{at}/{name}"), bare);
    }
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
