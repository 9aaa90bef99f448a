//! JSON Schema (Draft 2020-12) of the configuration: the general keys from their Rust types, the parameters of the recipes
//! from the instrument, merged into one document that editors can use.
//!
//! Keywords of our own: `x-unit`, the unit of a number (`1` for a number without one), and `x-default`, in words, what holds
//! where no value is the default. Both are also in the description, which is what editors show.

mod complete;
mod editors;
mod instrument;
mod undocumented;

use ifured_core::{Config, InstrumentDescription};
use serde_json::{Value, json};

pub(super) use complete::number;
pub use undocumented::{Demand, undocumented};

/// JSON Schema of the configuration for an instrument: every key, recipe parameters included, in the form for editors.
pub fn schema(instrument: &InstrumentDescription) -> Value {
    let mut schema = rules(instrument);
    editors::dress(&mut schema);
    schema
}

/// JSON Schema of the configuration for any of several instruments: the general keys are checked; recipes, roles and tags
/// may have any name.
pub fn schema_of_any(instruments: &[&InstrumentDescription]) -> Value {
    let mut schema = rules_of_any(instruments);
    editors::dress(&mut schema);
    schema
}

/// As [`schema`], for checking.
pub(super) fn rules(instrument: &InstrumentDescription) -> Value {
    let mut schema = general();
    schema["title"] = json!(format!("ifured configuration for {}", instrument.name));
    schema["$id"] = json!(format!("https://ifured.example/schemas/{}.json", instrument.name));
    name_instruments(&mut schema, &[instrument]);
    instrument::merge(&mut schema, instrument);
    complete::complete(&mut schema);
    schema
}

/// As [`schema_of_any`], for checking.
pub(super) fn rules_of_any(instruments: &[&InstrumentDescription]) -> Value {
    let mut schema = general();
    schema["title"] = json!("ifured configuration for any instrument");
    schema["$id"] = json!("https://ifured.example/schemas/any.json");
    name_instruments(&mut schema, instruments);
    let recipes = &mut schema["properties"]["recipes"];
    recipes["additionalProperties"] = json!({
        "type": "object",
        "description": "Parameters of a recipe.",
        "properties": {
            "enabled": {"type": "boolean", "description": "Whether the recipe runs.", "x-default": "as the recipe says", "examples": [true]},
            "engine": {"type": "string", "description": "What does the work.", "x-default": "the first engine of the recipe", "examples": ["native"]}
        },
        "additionalProperties": true
    });
    complete::complete(&mut schema);
    schema
}

fn general() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    complete::nothing_is_null(&mut schema);
    schema["description"] = json!("Configuration of ifured: what is left out keeps its default.");
    schema
}

fn name_instruments(schema: &mut Value, instruments: &[&InstrumentDescription]) {
    let names: Vec<&String> = instruments.iter().flat_map(|i| std::iter::once(&i.name).chain(&i.aliases)).collect();
    let key = &mut schema["properties"]["instrument"];
    key["enum"] = json!(names);
    key["examples"] = json!(names.first().into_iter().collect::<Vec<_>>());
}
