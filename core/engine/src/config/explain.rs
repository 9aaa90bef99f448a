//! What the validator finds, in words, at its place in the text.

use ifured_core::words::closest;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::document::Document;
use super::lookup::{constants, keys, schema_at, wants};
use super::schema::number;
use super::tree::Node;
use crate::error::{Error, Result};
use crate::problem::Problem;

/// All that a schema finds wrong with a document, in the order of the text.
///
/// # Errors
/// If the schema itself is wrong.
pub fn problems(document: &Document, schema: &Value) -> Result<Vec<Problem>> {
    let value = document.to_value();
    let validator = jsonschema::validator_for(schema).map_err(|e| Error::Inconsistent(format!("the schema of the configuration: {e}")))?;
    let mut found = Vec::new();
    for error in validator.iter_errors(&value) {
        explain(document, schema, &error, &mut found);
    }
    found.sort_by_key(Problem::order);
    found.dedup();
    Ok(found)
}

fn explain(document: &Document, schema: &Value, error: &ValidationError<'_>, found: &mut Vec<Problem>) {
    let pointer = error.instance_path().to_string();
    let path: Vec<String> = pointer.split('/').skip(1).map(|p| p.replace("~1", "/").replace("~0", "~")).collect();
    let node = document.nearest_node(&path);
    let here = schema_at(schema, &path).unwrap_or(&Value::Null);
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            found.extend(unexpected.iter().map(|key| unknown_key(document, schema, here, node, &path, key)));
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let mut full = path.clone();
            full.push(name.to_owned());
            let wanted = schema_at(schema, &full).map(|s| format!(": {}", wants(schema, s))).unwrap_or_default();
            let what = format!("{} has no `{name}`, which it needs{wanted}", called(&path));
            found.push(document.problem(Some(node.key.as_ref().unwrap_or(&node.value)), &dotted(&full), what));
        }
        Kind::OneOfNotValid { context } | Kind::AnyOf { context } => {
            let known = keys(schema, here);
            let unknown: Vec<&String> =
                error.instance().as_object().into_iter().flat_map(|o| o.keys()).filter(|k| !known.contains(k)).collect();
            if !known.is_empty() && !unknown.is_empty() {
                found.extend(unknown.into_iter().map(|key| unknown_key(document, schema, here, node, &path, key)));
                return;
            }
            // The alternative that fits furthest is the one that was meant.
            let depth = |errors: &[ValidationError<'_>]| errors.iter().map(|e| e.instance_path().to_string().matches('/').count()).max();
            match context.iter().max_by_key(|errors| depth(errors)) {
                Some(errors) if depth(errors) > Some(path.len()) => errors.iter().for_each(|e| explain(document, schema, e, found)),
                _ => found.push(wrong_value(document, schema, here, node, &path, error.instance())),
            }
        }
        _ => found.push(wrong_value(document, schema, here, node, &path, error.instance())),
    }
}

fn unknown_key(document: &Document, root: &Value, table: &Value, node: &Node, path: &[String], key: &str) -> Problem {
    let known = keys(root, table);
    let mut full = path.to_vec();
    full.push(key.to_owned());
    let place = node.child(key).and_then(|n| n.key.as_ref()).unwrap_or(&node.value);
    let problem = document.problem(Some(place), &dotted(&full), format!("unknown key `{key}` in {}", called(path)));
    match closest(key, known.iter().map(String::as_str)) {
        Some(meant) => {
            let schema = schema_at(root, &[path, &[meant.to_owned()]].concat());
            let unit = schema.filter(|s| s["x-unit"].is_string()).map(|s| wants(root, s)).unwrap_or_default();
            problem.suggesting(Some(meant), unit)
        }
        None if known.is_empty() => problem.suggesting(None, "it has no keys".into()),
        None => problem.suggesting(None, format!("there are {}", known.join(", "))),
    }
}

fn wrong_value(document: &Document, root: &Value, schema: &Value, node: &Node, path: &[String], instance: &Value) -> Problem {
    let key = dotted(path);
    let shown = shown(instance);
    let number_wanted = matches!(schema["type"].as_str(), Some("number" | "integer"));
    // `"3 days"`: the unit belongs to the key.
    let quoted = instance.as_str().filter(|t| number_wanted && t.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    let advice = match (quoted, schema["x-unit"].as_str()) {
        (Some(_), Some(unit)) if unit != "1" => " (without quotes and without the unit)",
        (Some(_), _) => " (without quotes)",
        _ => "",
    };
    let what =
        format!("{} is {shown}, but must be {}{advice}", if key.is_empty() { "the configuration" } else { &key }, wants(root, schema));
    let problem = document.problem(Some(&node.value), &key, what);
    let nearest = instance.as_str().and_then(|typed| closest(typed, constants(root, schema).iter().map(String::as_str)).map(str::to_owned));
    problem.suggesting(nearest.as_deref(), String::new())
}

/// A value as it is shown in a message.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a table".into(),
        Value::String(text) if text.chars().count() > 40 => format!("the text \"{}…\"", text.chars().take(40).collect::<String>()),
        Value::String(_) => format!("the text {value}"),
        other => number(other),
    }
}

fn called(path: &[String]) -> String {
    if path.is_empty() { "the configuration".to_owned() } else { dotted(path) }
}

/// `frames.ignore[0].files`.
pub fn dotted(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            text += &format!("[{part}]");
        } else {
            text += if text.is_empty() { "" } else { "." };
            text += part;
        }
    }
    text
}
