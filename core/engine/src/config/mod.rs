//! The configuration of a run: reading, `--set`, checking against the schema, the schema itself.
//!
//! Precedence: default of the recipe < file < `--set`. All errors are reported at once, each with its place in the file and,
//! for a key or value that does not exist, the nearest one that does.
//!
//! A [`Document`] is what was written, with the place of each key; [`rules`](schema()) say what may be written; a
//! [`Config`] is what it means.

mod document;
mod engines;
mod explain;
mod json;
mod lookup;
mod schema;
mod show;
mod toml;
mod tree;

use std::path::{Path, PathBuf};

use ifured_core::recipe::{Engine, RecipeDescription};
use ifured_core::words::closest;
use ifured_core::{Config, InstrumentDescription, LoadedInstrument};
use serde_json::{Value, json};

pub use crate::problem::{Problem, Problems};
pub use document::Document;
pub use engines::engines;
pub use schema::{Demand, schema, schema_of_any, undocumented};
pub use show::{Setting, settings, toml_text};

use crate::error::{Error, Result};
use tree::Content;

/// Names under which a configuration is looked for in the output directory.
pub const NAMES: &[&str] = &["ifured.toml", "ifured.json"];

/// The configuration of a run: the file that is named, or else the one in the output directory, if there is one.
pub fn file(named: Option<&Path>, output: &Path) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(|| NAMES.iter().map(|n| output.join(n)).find(|p| p.is_file()))
}

/// What was written: the file, if there is one, then each `--set`, then the instrument that the command line names.
///
/// # Errors
/// If the file cannot be read or a `--set` has no `=`. What is wrong with the text of either is in the document.
pub fn document(file: Option<&Path>, set: &[String], instrument: Option<&str>) -> Result<Document> {
    let mut document = file.map_or_else(|| Ok(Document::empty()), Document::read)?;
    for assignment in set {
        document.assign(assignment)?;
    }
    if let Some(name) = instrument {
        document.name_instrument(name);
    }
    Ok(document)
}

/// The plugin libraries that a configuration names, relative ones seen from the file. What is wrong with the file is said
/// when it is checked.
///
/// # Errors
/// If the file cannot be read.
pub fn plugins(named: Option<&Path>, output: &Path) -> Result<Vec<PathBuf>> {
    let Some(path) = file(named, output) else { return Ok(Vec::new()) };
    let list = Document::read(&path)?.to_value();
    let base = path.parent().unwrap_or(Path::new("."));
    Ok(list["plugins"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|p| base.join(p)).collect())
}

/// The instrument that a document names, if it names one that is known.
pub fn instrument<'a>(document: &Document, instruments: &'a [LoadedInstrument]) -> Option<&'a InstrumentDescription> {
    let value = document.to_value();
    let name = value["instrument"].as_str()?;
    instruments.iter().map(LoadedInstrument::description).find(|d| d.is_called(name))
}

/// All that is wrong with a document: its syntax, and what the schema of its instrument finds; without an instrument, or if
/// it is unknown, what can be said without one.
///
/// # Errors
/// If a schema is wrong, which is a fault of a plugin.
pub fn problems(document: &Document, instrument: Option<&InstrumentDescription>, all: &[&InstrumentDescription]) -> Result<Vec<Problem>> {
    let rules = instrument.map_or_else(|| schema::rules_of_any(all), schema::rules);
    let mut found = explain::problems(&in_canonical_case(document, instrument), &rules)?;
    // A slip in the name of the instrument must not hide the other slips.
    if let (None, Some(meant)) = (instrument, instrument_meant(document, all)) {
        found.retain(|p| p.key == "instrument");
        found.extend(explain::problems(document, &schema::rules(meant))?.into_iter().filter(|p| p.key != "instrument"));
    }
    if let (Some(instrument), true) = (instrument, found.is_empty()) {
        found = of_other_engines(document, instrument);
    }
    // What stands on a line whose syntax is wrong was perhaps not understood.
    found.retain(|p| !document.syntax.iter().any(|s| (&s.file, s.line) == (&p.file, p.line)));
    found.extend(document.syntax.iter().cloned());
    found.sort_by_key(Problem::order);
    Ok(found)
}

/// Parameters of engines that are not the one that does the work.
fn of_other_engines(document: &Document, instrument: &InstrumentDescription) -> Vec<Problem> {
    let Ok(config) = serde_json::from_value::<Config>(document.to_value()) else { return Vec::new() };
    let mut found = Vec::new();
    for recipe in instrument.recipes.iter().filter(|r| r.engines.len() > 1) {
        let at_work = engines(recipe, &instrument.name, &config);
        let given = config.recipes.get(&recipe.name).into_iter().flat_map(|p| p.keys());
        for key in given.filter(|k| !NO_PARAMETERS.contains(&k.as_str()) && !at_work.iter().any(|e| e.has_parameter(k))) {
            let Some(other) = recipe.engines.iter().find(|e| e.has_parameter(key)) else { continue };
            let path = ["recipes".to_owned(), recipe.name.clone(), key.clone()];
            let node = document.nearest_node(&path);
            let names: Vec<&str> = at_work.iter().map(|e| e.name.as_str()).collect();
            let what =
                format!("`{key}` is a parameter of engine {}, and {} does the work of {}", other.name, names.join(" and "), recipe.name);
            let problem = document.problem(Some(node.key.as_ref().unwrap_or(&node.value)), &explain::dotted(&path), what);
            found.push(problem.suggesting(None, format!("set recipes.{}.engine to `{}`, or take `{key}` out", recipe.name, other.name)));
        }
    }
    found
}

/// The instrument whose name is most similar to the one that a document has.
fn instrument_meant<'a>(document: &Document, all: &[&'a InstrumentDescription]) -> Option<&'a InstrumentDescription> {
    let value = document.to_value();
    let names = all.iter().flat_map(|d| std::iter::once(&d.name).chain(&d.aliases));
    let closest = closest(value["instrument"].as_str()?, names.map(String::as_str))?;
    all.iter().copied().find(|d| d.is_called(closest))
}

/// The name of an instrument may be written in any case.
fn in_canonical_case(document: &Document, instrument: Option<&InstrumentDescription>) -> Document {
    let mut document = document.clone();
    if let Some(d) = instrument
        && let Content::Table(entries) = &mut document.root.content
    {
        for (_, node) in entries.iter_mut().filter(|(k, _)| k == "instrument") {
            if matches!(&node.content, Content::Leaf(Value::String(name)) if d.is_called(name)) {
                node.content = Content::Leaf(Value::String(d.name.clone()));
            }
        }
    }
    document
}

/// Checks a document against the schema of an instrument and gives it its type.
///
/// # Errors
/// All that is wrong with it.
pub fn checked(document: &Document, instrument: &InstrumentDescription) -> Result<Config> {
    let found = problems(document, Some(instrument), &[instrument])?;
    if !found.is_empty() {
        return Err(Error::Configuration(Problems(found)));
    }
    let name = document.sources.first().map_or("configuration", |s| s.name.as_str());
    serde_json::from_value(document.to_value()).map_err(|e| Error::Config(format!("{name}: {e}")))
}

/// As [`checked`], of a value that no text stands for; `origin` is its name in messages.
///
/// # Errors
/// All that is wrong with it.
pub fn check(value: Value, instrument: &InstrumentDescription, origin: &str) -> Result<Config> {
    checked(&Document::of_value(&value, origin), instrument)
}

/// Keys of a recipe in the configuration that are no parameters.
pub const NO_PARAMETERS: [&str; 2] = ["enabled", "engine"];

/// The parameters of a recipe with an engine: the defaults of the engine, changed by the configuration of the recipe that it is a variant of and by its own.
pub fn parameters(recipe: &RecipeDescription, engine: &Engine, config: &Config) -> Result<Value> {
    let mut parameters = engine.defaults.clone();
    if !parameters.is_object() {
        parameters = json!({});
    }
    let given = |name: &String| config.recipes.get(name).into_iter().flatten().filter(|(k, _)| !NO_PARAMETERS.contains(&k.as_str()));
    for (key, value) in recipe.variant_of.iter().flat_map(given) {
        // What is fixed in the variant is no parameter of it.
        if engine.defaults.get(key).is_some() {
            parameters[key] = value.clone();
        }
    }
    // What belongs to another engine is refused when the configuration is checked; where both run, each takes its own.
    let of_another = |key: &str| !engine.has_parameter(key) && recipe.engines.iter().any(|e| e.has_parameter(key));
    for (key, value) in given(&recipe.name).filter(|(key, _)| !of_another(key)) {
        parameters[key] = value.clone();
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_make_the_tables_they_need() {
        let mut document = Document::parse("a.toml", b"[recipes.master-bias]\nmethod = \"median\"\n", false);
        for assignment in ["recipes.master-bias.clip_sigma=4", "recipes.science.cosmic_rays=false", "instrument=cafos"] {
            document.assign(assignment).unwrap();
        }
        assert_eq!(
            document.to_value(),
            json!({"recipes": {"master-bias": {"method": "median", "clip_sigma": 4}, "science": {"cosmic_rays": false}}, "instrument": "cafos"})
        );
        assert!(document.syntax.is_empty());
        document.assign("instrument.name=x").unwrap();
        document.assign("recipes..x=1").unwrap();
        document.assign("plugins=[1,").unwrap();
        assert_eq!(document.syntax.len(), 3, "{:?}", document.syntax);
        assert!(document.assign("nothing").is_err());
    }

    #[test]
    fn both_formats_make_the_same_tree() {
        let toml = "plugins = ['a', 'b']\nresources = { threads = 0x10, memory_gb = 1.5 }\n[[frames.ignore]]\nfiles = []\n";
        let json = r#"{"plugins": ["a", "b"], "resources": {"threads": 16, "memory_gb": 1.5}, "frames": {"ignore": [{"files": []}]}}"#;
        let (toml, json) = (Document::parse("a.toml", toml.as_bytes(), false), Document::parse("a.json", json.as_bytes(), true));
        assert_eq!(toml.to_value(), json.to_value());
        assert!(toml.syntax.is_empty() && json.syntax.is_empty());
    }
}
