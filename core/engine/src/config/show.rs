//! Every value of a configuration with where it came from.

use ifured_core::InstrumentDescription;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::document::Document;
use super::explain::dotted;
use super::lookup::resolved;
use super::schema;
use super::tree::{Content, Node};
use crate::problem::line_and_column;

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Setting {
    /// Its key, from the outermost table on.
    pub key: String,
    /// The same as TOML would quote it.
    #[serde(skip)]
    pub toml_key: String,
    /// The value; none where nothing is set and no value is the default.
    pub value: Option<Value>,
    /// What holds where there is no value.
    pub otherwise: Option<String>,
    /// Unit of a number.
    pub unit: Option<String>,
    /// Where it came from: `built-in default`, `ifured.toml:3`, `--set KEY=VALUE`, `--instrument NAME`.
    pub origin: String,
    /// Whether someone has set it.
    pub set: bool,
}

/// All values of a document and, where it sets none, the defaults; tables key by key, lists as one.
pub fn settings(document: &Document, instrument: Option<&InstrumentDescription>, all: &[&InstrumentDescription]) -> Vec<Setting> {
    let rules = instrument.map_or_else(|| schema::rules_of_any(all), schema::rules);
    let mut out = Vec::new();
    collect(document, &rules, &rules, Some(&document.root), &mut Vec::new(), &mut out);
    instrument.into_iter().for_each(|i| inherit(&mut out, i));
    // The rules of the tags are long and seldom what is looked for.
    out.sort_by_key(|s| s.key.starts_with("classification."));
    out
}

/// What is set for a recipe holds for its variants, parameter by parameter, association by association, and for the grouping, where they have nothing of
/// their own.
fn inherit(settings: &mut [Setting], instrument: &InstrumentDescription) {
    for (variant, base) in instrument.recipes.iter().filter_map(|r| Some((&r.name, r.variant_of.as_ref()?))) {
        for (section, is_whole) in [("recipes", false), ("association", true), ("grouping", true)] {
            let (own, other) = (format!("{section}.{variant}."), format!("{section}.{base}."));
            let given: Vec<Setting> = settings.iter().filter(|s| s.set && s.key.starts_with(&other)).cloned().collect();
            for from in given.iter().filter(|s| s.key != format!("{other}enabled")) {
                let rest = &from.key[other.len()..];
                let group = if is_whole { rest.rsplit_once('.').map_or("", |(role, _)| role) } else { rest };
                if settings.iter().any(|s| s.set && s.key.starts_with(&format!("{own}{group}"))) {
                    continue;
                }
                if let Some(to) = settings.iter_mut().find(|s| s.key == format!("{own}{rest}")) {
                    (to.value, to.otherwise, to.origin) = (from.value.clone(), None, from.origin.clone());
                }
            }
        }
    }
}

fn collect(document: &Document, root: &Value, table: &Value, node: Option<&Node>, path: &mut Vec<String>, out: &mut Vec<Setting>) {
    let known = table["properties"].as_object();
    for (key, property) in known.into_iter().flatten() {
        let inner = resolved(root, property);
        let child = node.and_then(|n| n.child(key));
        path.push(key.clone());
        let is_table = inner.get("properties").is_some();
        if is_table {
            collect(document, root, inner, child, path, out);
        } else if let Some(Node { content: Content::Table(_), .. }) = child {
            collect_written(document, child, path, out);
        } else if inner["type"] != "object" || child.is_some() {
            out.push(setting(document, property, child, path));
        }
        path.pop();
    }
    // What a table with open keys holds.
    if let Some(Node { content: Content::Table(entries), .. }) = node {
        for (key, child) in entries.iter().filter(|(k, _)| known.is_none_or(|p| !p.contains_key(k))) {
            path.push(key.clone());
            collect_written(document, Some(child), path, out);
            path.pop();
        }
    }
}

fn collect_written(document: &Document, node: Option<&Node>, path: &mut Vec<String>, out: &mut Vec<Setting>) {
    if let Some(Node { content: Content::Table(entries), .. }) = node {
        for (key, child) in entries {
            path.push(key.clone());
            collect_written(document, Some(child), path, out);
            path.pop();
        }
        return;
    }
    out.push(setting(document, &Value::Null, node, path));
}

fn setting(document: &Document, property: &Value, node: Option<&Node>, path: &[String]) -> Setting {
    let text = |key: &str| property[key].as_str().map(str::to_owned);
    Setting {
        key: dotted(path),
        toml_key: path.iter().map(|p| quoted(p)).collect::<Vec<_>>().join("."),
        value: node.map(Node::to_value).or_else(|| property.get("default").cloned()),
        otherwise: text("x-default").filter(|_| node.is_none()),
        unit: text("x-unit").filter(|u| u != "1"),
        origin: node.map_or_else(|| "built-in default".to_owned(), |n| origin(document, n)),
        set: node.is_some(),
    }
}

fn origin(document: &Document, node: &Node) -> String {
    match document.sources.get(node.value.source) {
        Some(source) if source.is_file => format!("{}:{}", source.name, line_and_column(&source.text, node.value.bytes.start).0),
        Some(source) => source.name.clone(),
        None => "configuration".to_owned(),
    }
}

/// A key as TOML writes it.
fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

/// A value as TOML writes it, on one line.
pub fn toml_text(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| format!("{} = {}", quoted(k), toml_text(v))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(toml_text).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
