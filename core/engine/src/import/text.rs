//! The imported configuration as TOML: every setting with a comment that says where it comes from.

use ifured_core::InstrumentDescription;
use serde_json::Value;

use super::{Import, PlacedSetting};
use crate::init;

/// The text of the file.
pub fn toml(import: &Import, instrument: &InstrumentDescription, schema: &str, title: &str) -> String {
    let mut out = format!("#:schema {schema}\n\n");
    out += &comment(title);
    out += &comment(
        "Lines that are commented out have no effect, and say why. `ifured schema` prints all keys, `ifured init` documents them.",
    );
    out.push('\n');
    let top: Vec<&PlacedSetting> = import.settings.iter().filter(|s| table(&s.setting.key).is_empty()).collect();
    if !top.iter().any(|s| s.setting.key == "instrument" && s.not_set.is_none()) {
        out += &format!("instrument = {}\n\n", literal(&Value::from(instrument.name.as_str())));
    }
    for setting in top {
        out += &lines(setting);
        out.push('\n');
    }
    for name in tables(import) {
        let members: Vec<&PlacedSetting> = import.settings.iter().filter(|s| table(&s.setting.key) == name).collect();
        if name.ends_with("[]") {
            for entry in members {
                out += &list_entry(entry);
                out.push('\n');
            }
            continue;
        }
        let is_live = members.iter().any(|s| s.not_set.is_none());
        out += &format!("{}[{}]\n", if is_live { "" } else { "# " }, path(&name));
        members.iter().for_each(|s| out += &lines(s));
        out.push('\n');
    }
    out += &remarks(import);
    out
}

/// The table of a key: `resources` of `resources.threads`, `frames.ignore[]` of an entry of that list, nothing for keys at the top.
fn table(key: &str) -> String {
    match key.rsplit_once('.') {
        _ if key.ends_with("[]") => key.to_owned(),
        Some((table, _)) => table.to_owned(),
        None => String::new(),
    }
}

/// All tables in the order in which they appear.
fn tables(import: &Import) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in import.settings.iter().map(|s| table(&s.setting.key)).filter(|n| !n.is_empty()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A setting with its comments, one key.
fn lines(placed: &PlacedSetting) -> String {
    let key = placed.setting.key.rsplit('.').next().unwrap_or_default();
    format!("{}{}{} = {}\n", origin(placed), mark(placed), path(key), literal(&placed.setting.value))
}

/// An entry of a list, one line for each of its keys.
fn list_entry(placed: &PlacedSetting) -> String {
    let mark = mark(placed);
    let name = placed.setting.key.trim_end_matches("[]");
    let mut out = format!("{}{mark}[[{}]]\n", origin(placed), path(name));
    for (key, value) in placed.setting.value.as_object().into_iter().flatten() {
        out += &format!("{mark}{} = {}\n", path_part(key), literal(value));
    }
    out
}

fn mark(placed: &PlacedSetting) -> &'static str {
    if placed.not_set.is_some() { "# " } else { "" }
}

fn origin(placed: &PlacedSetting) -> String {
    let mut out = comment(&placed.setting.from);
    if !placed.setting.note.is_empty() {
        out += &comment(&placed.setting.note);
    }
    if let Some(why) = &placed.not_set {
        out += &comment(&format!("NOT SET: {why}"));
    }
    out
}

fn remarks(import: &Import) -> String {
    let mut out = String::new();
    if !import.unknown.is_empty() {
        out += "# ---- Not understood\n";
        for unknown in &import.unknown {
            let nearest = unknown.nearest.as_ref().map(|n| format!("; was `{n}` meant?")).unwrap_or_default();
            out += &comment(&format!("{} ({}){nearest}", unknown.key, unknown.from));
        }
        out.push('\n');
    }
    if !import.not_needed.is_empty() {
        out += "# ---- Not needed\n";
        for unneeded in &import.not_needed {
            out += &comment(&format!("{} = {}: {}", unneeded.key, unneeded.value, unneeded.reason));
        }
        out.push('\n');
    }
    if !import.advice.is_empty() {
        out += "# ---- What to type\n";
        import.advice.iter().for_each(|a| out += &format!("# {}\n", without_controls(a)));
    }
    out
}

fn comment(text: &str) -> String {
    init::comment(&without_controls(text))
}

/// A comment is one line, and TOML allows no control characters in it.
fn without_controls(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn path(key: &str) -> String {
    key.split('.').map(path_part).collect::<Vec<_>>().join(".")
}

/// A key as TOML writes it: bare, or in quotes.
fn path_part(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { without_controls(&literal(&Value::from(key))) }
}

/// A value on one line. What TOML cannot write stands in a comment only, as JSON.
fn literal(value: &Value) -> String {
    let text = match value {
        // The TOML writer would make several lines of a text that has them.
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("[{}]", list.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".into(),
        Value::Object(map) => {
            let members: Vec<String> = map.iter().map(|(k, v)| format!("{} = {}", path_part(k), literal(v))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => toml::Value::try_from(other).map_or_else(|_| other.to_string(), |v| v.to_string()),
    };
    without_controls(&text)
}

/// A basic string: what JSON escapes TOML escapes too, and the deletion character besides.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
