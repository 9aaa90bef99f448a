//! Which recipes run.

use std::collections::BTreeSet;

use ifured_core::recipe::RecipeDescription;
use ifured_core::{Config, InstrumentDescription};
use serde_json::Value;

use crate::error::Result;
use crate::{config, file_parameters};

/// Recipes that run: those of the instrument, those that the configuration switches on, those whose file or list is given, and those that a parameter
/// of another makes necessary; but none that the configuration switches off.
///
/// # Errors
/// If parameters cannot be made out.
pub fn enabled<'a>(instrument: &'a InstrumentDescription, config: &Config) -> Result<Vec<&'a RecipeDescription>> {
    let asked = |recipe: &RecipeDescription| config.recipes.get(&recipe.name).and_then(|p| p.get("enabled")).and_then(Value::as_bool);
    let own = |r: &RecipeDescription| asked(r).unwrap_or_else(|| r.enabled || file_parameters::are_given(r, config) || is_meant(r, config));
    let mut on: BTreeSet<&str> = instrument.recipes.iter().filter(|r| own(r)).map(|r| r.name.as_str()).collect();
    loop {
        let mut needed: BTreeSet<&str> = BTreeSet::new();
        for recipe in instrument.recipes.iter().filter(|r| on.contains(r.name.as_str())) {
            for engine in config::engines(recipe, &instrument.name, config) {
                let parameters = config::parameters(recipe, engine, config)?;
                let holding = recipe.requirements.iter().filter(|r| r.holds(&parameters));
                needed.extend(holding.flat_map(|r| &r.enables).map(String::as_str));
            }
        }
        let more = |r: &&RecipeDescription| needed.contains(r.name.as_str()) && !on.contains(r.name.as_str()) && asked(r) != Some(false);
        let more: Vec<&str> = instrument.recipes.iter().filter(more).map(|r| r.name.as_str()).collect();
        if more.is_empty() {
            return Ok(instrument.recipes.iter().filter(|r| on.contains(r.name.as_str())).collect());
        }
        on.extend(more);
    }
}

/// Whether a list is given that has a meaning only if the recipe runs: `x-enables` in the schema of the parameter.
fn is_meant(recipe: &RecipeDescription, config: &Config) -> bool {
    let properties = recipe.engines.iter().filter_map(|e| e.schema["properties"].as_object()).flatten();
    let mut names = properties.filter(|(_, schema)| schema["x-enables"] == Value::Bool(true)).map(|(name, _)| name);
    let given = |name: &String| config.recipes.get(&recipe.name)?.get(name)?.as_array().map(|list| !list.is_empty());
    names.any(|name| given(name).unwrap_or(false))
}
