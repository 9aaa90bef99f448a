//! What an instrument adds to the schema: its recipes with their parameters, the roles of its calibrations, its tags.

use ifured_core::recipe::{InputSpec, RecipeDescription};
use std::collections::BTreeSet;

use ifured_core::{EngineName, InstrumentDescription};
use serde_json::{Map, Value, json};

/// Puts the recipes, roles and tags of an instrument in the place of the open tables.
pub fn merge(schema: &mut Value, instrument: &InstrumentDescription) {
    let mut recipes = Map::new();
    let mut roles = Map::new();
    let mut groups = Map::new();
    let mut definitions = Map::new();
    for recipe in &instrument.recipes {
        let (own, inner) = recipe_schema(recipe);
        recipes.insert(recipe.name.clone(), own);
        definitions.extend(inner);
        groups.insert(recipe.name.clone(), grouping(&schema["$defs"]["GroupingChange"], recipe));
        let change = &schema["$defs"]["AssociationChange"];
        let inputs = recipe.inputs.iter().map(|i| (i.role.to_string(), association(change, recipe, i))).collect();
        roles.insert(recipe.name.clone(), closed(&format!("Calibrations of {}.", recipe.name), inputs));
    }
    let change = &schema["$defs"]["ClassificationChange"];
    let tags: Map<String, Value> = instrument
        .frame_types
        .iter()
        .map(|t| {
            let mut own = described(change, &format!("Rule of {}: {}.", t.rule.tag, t.title));
            let properties = &mut own["properties"];
            default(&mut properties["when"], &json!(t.rule.when));
            default(&mut properties["expect"], &json!(t.rule.expect));
            default(&mut properties["signature"], &json!(t.signature));
            (t.rule.tag.to_string(), own)
        })
        .collect();
    let names: Vec<&String> = tags.keys().collect();
    if let Some(first) = names.first() {
        let examples = json!([first]);
        let tag = &mut schema["$defs"]["ForcedFrames"]["properties"]["tag"];
        let description = tag["description"].take();
        *tag = json!({"type": "string", "description": description, "enum": names, "examples": examples});
    }
    let properties = &mut schema["properties"];
    let mut engines: BTreeSet<&str> = instrument.recipes.iter().flat_map(|r| &r.engines).map(|e| e.name.as_str()).collect();
    // For whatever instrument.
    engines.extend([EngineName::NATIVE, "esorex", EngineName::BOTH]);
    properties["engine"]["enum"] = json!(engines);
    properties["engines"]["additionalProperties"] = json!({"type": "string", "enum": engines});
    for (key, content) in [("recipes", recipes), ("association", roles), ("grouping", groups), ("classification", tags)] {
        let description = properties[key]["description"].as_str().unwrap_or_default().to_owned();
        properties[key] = closed(&description, content);
    }
    if let Some(all) = schema["$defs"].as_object_mut() {
        all.extend(definitions);
    }
}

fn closed(description: &str, properties: Map<String, Value>) -> Value {
    json!({"type": "object", "description": description, "properties": properties, "additionalProperties": false})
}

fn described(schema: &Value, description: &str) -> Value {
    let mut own = schema.clone();
    own["description"] = json!(description);
    own
}

/// Gives a key the default that the instrument has for it.
fn default(property: &mut Value, value: &Value) {
    if let Some(map) = property.as_object_mut() {
        map.remove("x-default");
        map.insert("default".into(), value.clone());
    }
}

fn grouping(change: &Value, recipe: &RecipeDescription) -> Value {
    let mut own = described(change, &format!("Grouping of the frames of {}.", recipe.name));
    let group = &recipe.main.group;
    match group.span_hours {
        Some(hours) => default(&mut own["properties"]["span_hours"], &json!(hours)),
        None => own["properties"]["span_hours"]["x-default"] = json!("no limit"),
    }
    default(&mut own["properties"]["min_frames"], &json!(group.min_frames));
    own
}

fn association(change: &Value, recipe: &RecipeDescription, input: &InputSpec) -> Value {
    let mut own = described(change, &format!("Which {} {} takes.", input.role, recipe.name));
    let properties = &mut own["properties"];
    if let Some(loosest) = input.levels.iter().map(|l| l.level).max() {
        default(&mut properties["max_level"], &json!(loosest));
    }
    default(&mut properties["required"], &json!(input.required));
    own
}

/// Schema of the parameters of one recipe, those of all its engines, with `enabled` and `engine`, and its definitions under names of their own.
fn recipe_schema(recipe: &RecipeDescription) -> (Value, Map<String, Value>) {
    let mut properties = Map::new();
    let mut inner = Map::new();
    for engine in &recipe.engines {
        let mut own = engine.schema.clone();
        if let Some(Value::Object(definitions)) = own.as_object_mut().and_then(|o| o.remove("$defs")) {
            for (name, mut definition) in definitions {
                rename_references(&mut definition, &recipe.name);
                inner.insert(format!("{}.{name}", recipe.name), definition);
            }
        }
        rename_references(&mut own, &recipe.name);
        let Some(Value::Object(of_engine)) = own.as_object_mut().and_then(|o| o.remove("properties")) else { continue };
        for (name, mut property) in of_engine {
            if let (Some(property), Some(value)) = (property.as_object_mut(), engine.defaults.get(&name)) {
                property.entry("default").or_insert_with(|| value.clone());
            }
            if !recipe.engines.iter().all(|e| e.has_parameter(&name)) {
                let text = property["description"].as_str().unwrap_or_default().trim_end();
                property["description"] = json!(format!("{text}\n\nOnly with engine {}.", engine.name));
            }
            properties.entry(name).or_insert(property);
        }
    }
    properties.insert("enabled".into(), json!({"type": "boolean", "default": recipe.enabled, "description": "Whether the recipe runs."}));
    properties.insert("engine".into(), engine_schema(recipe));
    let own = json!({
        "type": "object", "title": recipe.title, "description": recipe.description,
        // Defaults live in the parameters themselves; a configuration names only what it changes.
        "properties": properties, "additionalProperties": false
    });
    (own, inner)
}

/// What may be said of the engine of a recipe.
fn engine_schema(recipe: &RecipeDescription) -> Value {
    let mut names: Vec<&str> = recipe.engines.iter().map(|e| e.name.as_str()).collect();
    if names.len() > 1 {
        names.push(EngineName::BOTH);
    }
    let description = if names.len() > 1 { "What does the work; `both` compares the two." } else { "What does the work." };
    json!({"type": "string", "enum": names, "default": names.first(), "description": description})
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
