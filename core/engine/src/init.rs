//! A configuration file to start from: its schema line, and every default with its documentation, commented out.

use ifured_core::{InstrumentDescription, RecipeDescription};
use serde_json::{Map, Value};

use crate::config;

/// Format of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TOML, with comments.
    Toml,
    /// JSON; it has no comments, so editors take documentation from the schema.
    Json,
}

/// The text of a configuration for an instrument. `schema` is where the schema lies, as the file names it. With `full`, all
/// defaults are written out as settings instead of comments.
pub fn text(instrument: &InstrumentDescription, format: Format, full: bool, schema: &str) -> String {
    match format {
        Format::Json => json(instrument, full, schema),
        Format::Toml => toml(instrument, full, schema),
    }
}

fn json(instrument: &InstrumentDescription, full: bool, schema: &str) -> String {
    let mut root = Map::new();
    root.insert("$schema".into(), schema.into());
    root.insert("instrument".into(), instrument.name.clone().into());
    if let Some(library) = &instrument.library {
        root.insert("plugins".into(), vec![library.path.to_string_lossy()].into());
    }
    let recipes: Map<String, Value> = instrument
        .recipes
        .iter()
        .map(|r| {
            let mut parameters = if full { defaults(r).as_object().cloned().unwrap_or_default() } else { Map::new() };
            if full {
                parameters.retain(|_, v| !v.is_null());
                parameters.insert("enabled".into(), r.enabled.into());
            }
            (r.name.clone(), Value::Object(parameters))
        })
        .collect();
    root.insert("recipes".into(), Value::Object(recipes));
    serde_json::to_string_pretty(&Value::Object(root)).unwrap_or_default() + "\n"
}

fn toml(instrument: &InstrumentDescription, full: bool, schema: &str) -> String {
    let all = config::schema(instrument);
    let mut out = format!("#:schema {schema}\n\n");
    out += &format!("# Configuration of ifured for {}: {}.\n", instrument.name, instrument.title);
    out += "# What is commented out is the default. `ifured schema` prints all keys; unknown keys are errors.\n\n";
    out += &format!("instrument = \"{}\"\n", instrument.name);
    if let Some(library) = &instrument.library {
        out += &format!("plugins = {}\n", config::toml_text(&vec![library.path.to_string_lossy()].into()));
    }
    out.push('\n');
    out += "# ---- How much of the machine a run may take\n[resources]\n";
    out += &settings(&all["$defs"]["Resources"], None, false, false);
    out += "\n# ---- Single frames. Files are patterns (* and ?); night may be left out.\n";
    out += "# [[frames.ignore]]\n# night = \"170319_t2_CAFOS\"\n# files = [\"*-16:0?:*.fits\"]\n# why = \"light leak\"\n\n";
    let tag = instrument.frame_types.first().map_or("bias", |t| t.rule.tag.as_str());
    out += &format!("# [[frames.force]]\n# files = [\"odd.fits\"]\n# tag = \"{tag}\"\n\n");
    out += "# [[frames.correct]]\n# files = [\"odd.fits\"]\n# set = { IMAGETYP = \"bias\", OBJECT = \"[bias]\" }\n";
    for recipe in &instrument.recipes {
        out += &format!("\n# ---- {}: {}\n", recipe.name, recipe.title);
        out += &comment(&recipe.description);
        out += &format!("[recipes.{}]\n", recipe.name);
        out += &comment("Whether the recipe runs.");
        out += &setting("enabled", &recipe.enabled.into(), full);
        out +=
            &settings(&all["properties"]["recipes"]["properties"][&recipe.name], Some(&defaults(recipe)), recipe.engines.len() > 1, full);
    }
    out
}

/// Default parameters of the engine that does the work.
fn defaults(recipe: &RecipeDescription) -> Value {
    recipe.first_engine().map(|e| e.defaults.clone()).unwrap_or_default()
}

/// Every property of an object's schema with its description and default.
fn settings(schema: &Value, defaults: Option<&Value>, engines: bool, full: bool) -> String {
    let mut out = String::new();
    for (key, property) in
        schema["properties"].as_object().into_iter().flatten().filter(|(k, _)| *k != "enabled" && (engines || *k != "engine"))
    {
        // With values, unit, range and default in words.
        out += &comment(property["description"].as_str().unwrap_or_default());
        if let (Some(values), Some(texts)) = (property["enum"].as_array(), property["enumDescriptions"].as_array()) {
            for (value, text) in values.iter().zip(texts) {
                out += &comment(&format!("  {value}: {}", text.as_str().unwrap_or_default()));
            }
        }
        let default = defaults.and_then(|d| d.get(key)).or(property.get("default")).cloned().unwrap_or(Value::Null);
        out += &match default {
            Value::Null => format!("# {key} = {}\n", config::toml_text(&property["examples"][0])),
            // What belongs to an engine that is not at work must stay a comment.
            value => setting(key, &value, full && defaults.is_none_or(|d| d.get(key).is_some())),
        };
    }
    out
}

fn setting(key: &str, value: &Value, full: bool) -> String {
    format!("{}{key} = {}\n", if full { "" } else { "# " }, config::toml_text(value))
}

/// A paragraph as lines of comment.
pub(crate) fn comment(text: &str) -> String {
    let mut out = String::new();
    for paragraph in text.lines().filter(|p| !p.trim().is_empty()) {
        let mut line = String::from("#");
        for word in paragraph.split_whitespace() {
            if line.len() + word.len() > 110 {
                out += &line;
                out.push('\n');
                line = String::from("#");
            }
            line.push(' ');
            line += word;
        }
        out += &line;
        out.push('\n');
    }
    out
}
