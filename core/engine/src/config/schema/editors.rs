//! What editors need beyond the rules.
//!
//! * The language server of Even Better TOML marks the table, not the key, when `additionalProperties` is false. A pattern of
//!   all names but the known ones, with the schema that nothing fulfils, makes it mark the key, as that of VS Code does anyway.
//! * Documentation of the values of an enumeration goes by `enumDescriptions` in VS Code, by `x-taplo` in Even Better TOML.

use serde_json::{Value, json};

/// Adds it to all tables and enumerations of a schema.
pub fn dress(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if map.get("additionalProperties") == Some(&Value::Bool(false))
        && let Some(Value::Object(properties)) = map.get("properties")
    {
        let known: Vec<String> = properties.keys().map(|k| literal(k)).collect();
        map.insert("patternProperties".into(), json!({format!("^(?!(?:{})$)", known.join("|")): false}));
    }
    if let Some(texts) = map.get("enumDescriptions").cloned()
        && map.contains_key("enum")
    {
        map.insert("x-taplo".into(), json!({"docs": {"enumValues": texts}}));
    }
    for (key, inner) in map.iter_mut() {
        match (key.as_str(), inner) {
            ("properties" | "$defs", Value::Object(all)) => all.values_mut().for_each(dress),
            ("items" | "additionalProperties", inner) => dress(inner),
            ("oneOf" | "anyOf" | "allOf", Value::Array(all)) => all.iter_mut().for_each(dress),
            _ => {}
        }
    }
}

/// A name as a regular expression that matches nothing else.
fn literal(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_punctuation() && c != '_' && c != '-' { format!("\\{c}") } else { c.to_string() }).collect()
}
