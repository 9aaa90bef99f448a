//! The configuration of a run: reading, `--set`, checking against the schema, the schema itself.
//!
//! Precedence: default of the recipe < file < `--set`. All errors are reported at once, each with its key and, for a key that
//! does not exist, the nearest one that does.

use std::path::{Path, PathBuf};

use ifured_core::recipe::RecipeDescription;
use ifured_core::{Config, InstrumentDescription};
use serde_json::{Map, Value, json};

use crate::classify::nearest;
use crate::error::{Error, Result};

/// Names under which a configuration is looked for in the output directory.
pub const NAMES: &[&str] = &["ifured.toml", "ifured.json"];

/// Reads a configuration file (TOML, or JSON by its ending) without checking it.
pub fn read(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(Error::io("cannot read the configuration", path))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        Error::Config(format!("{}: not UTF-8 text: byte {} is no part of a character", path.display(), e.utf8_error().valid_up_to()))
    })?;
    let json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    if json {
        serde_json::from_str(&text).map_err(|e| Error::Config(format!("{}:{}:{}: {e}", path.display(), e.line(), e.column())))
    } else {
        toml::from_str(&text).map_err(|e: toml::de::Error| Error::Config(format!("{}: {e}", path.display())))
    }
}

/// The configuration of a run: the file that is named, or else the one in the output directory, if there is one.
pub fn file(named: Option<&Path>, output: &Path) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(|| NAMES.iter().map(|n| output.join(n)).find(|p| p.is_file()))
}

/// The plugin libraries that a configuration names, relative ones seen from the file. What else is wrong with the file is said later.
///
/// # Errors
/// If the file cannot be read, or `plugins` is no list of texts.
pub fn plugins(named: Option<&Path>, output: &Path) -> Result<Vec<PathBuf>> {
    let Some(path) = file(named, output) else { return Ok(Vec::new()) };
    let Some(list) = read(&path)?.get("plugins").cloned() else { return Ok(Vec::new()) };
    let list: Vec<PathBuf> = serde_json::from_value(list)
        .map_err(|e| Error::Config(format!("{}: plugins: {e}; write plugins = [\"/path/to/libmyspec.so\"]", path.display())))?;
    let base = path.parent().unwrap_or(Path::new("."));
    Ok(list.into_iter().map(|p| base.join(p)).collect())
}

/// Sets `recipes.master-bias.clip_sigma=4` in a configuration. The value is read as JSON, or else taken as text.
pub fn set(config: &mut Value, assignment: &str) -> Result<()> {
    let (key, value) = assignment.split_once('=').ok_or_else(|| {
        Error::usage(format!("--set {assignment}: no `=`"), "write --set KEY=VALUE, for example --set recipes.master-bias.method=median")
    })?;
    let value = serde_json::from_str(value.trim()).unwrap_or_else(|_| Value::String(value.trim().to_owned()));
    let mut at = config;
    let mut parts = key.trim().split('.').peekable();
    while let Some(part) = parts.next() {
        if !at.is_object() {
            return Err(Error::Config(format!("--set {key}: `{part}` lies inside something that is no table")));
        }
        if parts.peek().is_none() {
            at[part] = value;
            return Ok(());
        }
        if at.get(part).is_none() {
            at[part] = Value::Object(Map::new());
        }
        at = &mut at[part];
    }
    Ok(())
}

/// Checks a configuration against the schema of an instrument and gives it its type.
pub fn check(value: Value, instrument: &InstrumentDescription, origin: &str) -> Result<Config> {
    let schema = schema(instrument);
    let validator = jsonschema::validator_for(&schema).map_err(|e| Error::Inconsistent(format!("schema of {}: {e}", instrument.name)))?;
    let mut errors: Vec<String> = validator.iter_errors(&value).map(|e| explain(&e, &schema)).collect();
    errors.sort();
    errors.dedup();
    if !errors.is_empty() {
        let list: Vec<String> = errors.iter().map(|e| format!("{origin}: {e}")).collect();
        return Err(Error::Config(list.join("\n")));
    }
    serde_json::from_value(value).map_err(|e| Error::Config(format!("{origin}: {e}")))
}

fn explain(error: &jsonschema::ValidationError<'_>, schema: &Value) -> String {
    use jsonschema::error::ValidationErrorKind as Kind;
    let at = error.instance_path().to_string().trim_start_matches('/').replace('/', ".");
    let place = if at.is_empty() { "at the top".to_owned() } else { at };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let pointer = error.schema_path().to_string();
            let parent = pointer.trim_end_matches("/additionalProperties");
            let known: Vec<String> = schema
                .pointer(parent)
                .and_then(|s| s.get("properties")?.as_object())
                .map(|p| p.keys().cloned().collect())
                .unwrap_or_default();
            let each: Vec<String> = unexpected.iter().map(|key| format!("unknown key `{key}`{}", nearest(key, &known))).collect();
            format!("{place}: {}", each.join("; "))
        }
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } | Kind::AnyOf { .. } => {
            let options = constants(schema, &error.schema_path().to_string());
            let found = error.instance().as_str().unwrap_or_default();
            match options.is_empty() {
                true => format!("{place}: {error}"),
                false => format!("{place}: {} is not allowed{}", error.instance(), nearest(found, &options)),
            }
        }
        _ => format!("{place}: {error}"),
    }
}

fn constants(schema: &Value, pointer: &str) -> Vec<String> {
    let options = schema.pointer(pointer).and_then(|v| v.as_array().cloned()).unwrap_or_default();
    options.iter().filter_map(|o| o.get("const")?.as_str().map(str::to_owned)).collect()
}

/// The parameters of a recipe: its defaults, changed by the configuration.
pub fn parameters(recipe: &RecipeDescription, config: &Config) -> Result<Value> {
    let mut parameters = recipe.defaults.clone();
    if !parameters.is_object() {
        parameters = json!({});
    }
    for (key, value) in config.recipes.get(&recipe.name).into_iter().flatten().filter(|(k, _)| *k != "enabled") {
        parameters[key] = value.clone();
    }
    Ok(parameters)
}

/// JSON Schema (Draft 2020-12) of the configuration for an instrument: every key, recipe parameters included.
pub fn schema(instrument: &InstrumentDescription) -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    schema["title"] = json!(format!("ifured configuration for {}", instrument.name));
    schema["$id"] = json!(format!("https://ifured.example/schemas/{}.json", instrument.name));
    let mut definitions = Map::new();
    let mut recipes = Map::new();
    let mut roles = Map::new();
    let mut groups = Map::new();
    for recipe in &instrument.recipes {
        let (own, inner) = recipe_schema(recipe);
        recipes.insert(recipe.name.clone(), own);
        definitions.extend(inner);
        groups.insert(
            recipe.name.clone(),
            json!({"$ref": "#/$defs/GroupingChange", "description": format!("Grouping of the frames of {}.", recipe.name)}),
        );
        let inputs: Map<String, Value> = recipe
            .inputs
            .iter()
            .map(|i| {
                (
                    i.role.clone(),
                    json!({"$ref": "#/$defs/AssociationChange", "description": format!("Which {} {} takes.", i.role, recipe.name)}),
                )
            })
            .collect();
        roles.insert(recipe.name.clone(), closed(format!("Calibrations of {}.", recipe.name), inputs));
    }
    let tags: Map<String, Value> = instrument
        .frame_types
        .iter()
        .map(|t| {
            (
                t.rule.tag.to_string(),
                json!({"$ref": "#/$defs/ClassificationChange", "description": format!("Rule of {}: {}.", t.rule.tag, t.title)}),
            )
        })
        .collect();
    let properties = &mut schema["properties"];
    for (key, content) in [("recipes", recipes), ("association", roles), ("grouping", groups), ("classification", tags)] {
        let description = properties[key]["description"].as_str().unwrap_or_default().to_owned();
        properties[key] = closed(description, content);
    }
    if !schema["$defs"].is_object() {
        schema["$defs"] = json!({});
    }
    if let Some(all) = schema["$defs"].as_object_mut() {
        all.extend(definitions);
    }
    schema
}

fn closed(description: String, properties: Map<String, Value>) -> Value {
    json!({"type": "object", "description": description, "properties": properties, "additionalProperties": false})
}

/// Schema of the parameters of one recipe, with `enabled`, and its definitions under names of their own.
fn recipe_schema(recipe: &RecipeDescription) -> (Value, Map<String, Value>) {
    let mut own = recipe.schema.clone();
    if !own.is_object() {
        own = json!({"type": "object", "properties": {}});
    }
    let mut inner = Map::new();
    if let Some(definitions) = own.as_object_mut().and_then(|o| o.remove("$defs"))
        && let Value::Object(definitions) = definitions
    {
        for (name, mut definition) in definitions {
            rename_references(&mut definition, &recipe.name);
            inner.insert(format!("{}.{name}", recipe.name), definition);
        }
    }
    rename_references(&mut own, &recipe.name);
    if let Some(map) = own.as_object_mut() {
        map.remove("$schema");
        map.insert("title".into(), json!(recipe.title));
        map.insert("description".into(), json!(recipe.description));
        map.insert("additionalProperties".into(), json!(false));
        // Defaults live in the parameters themselves; a configuration names only what it changes.
        map.remove("required");
        let properties = map.entry("properties").or_insert_with(|| json!({}));
        properties["enabled"] = json!({"type": "boolean", "default": recipe.enabled, "description": "Whether the recipe runs."});
        if let Some(properties) = properties.as_object_mut() {
            for (key, value) in recipe.defaults.as_object().into_iter().flatten() {
                if let Some(property) = properties.get_mut(key).and_then(|p| p.as_object_mut()) {
                    property.entry("default").or_insert_with(|| value.clone());
                }
            }
        }
    }
    (own, inner)
}

fn rename_references(value: &mut Value, recipe: &str) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/$defs/{recipe}.{name}");
            }
            map.values_mut().for_each(|v| rename_references(v, recipe));
        }
        Value::Array(list) => list.iter_mut().for_each(|v| rename_references(v, recipe)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_make_the_tables_they_need() {
        let mut config = json!({"recipes": {"master-bias": {"method": "median"}}});
        set(&mut config, "recipes.master-bias.clip_sigma=4").unwrap();
        set(&mut config, "recipes.science.cosmic_rays=false").unwrap();
        set(&mut config, "instrument=cafos").unwrap();
        assert_eq!(
            config,
            json!({"recipes": {"master-bias": {"method": "median", "clip_sigma": 4}, "science": {"cosmic_rays": false}}, "instrument": "cafos"})
        );
        assert!(set(&mut config, "instrument.name=x").is_err());
        assert!(set(&mut config, "nothing").is_err());
    }
}
