//! Parameters that name a file: their content counts, not their place.
//!
//! A recipe marks such a parameter in its schema with `x-file`. The file becomes an input of the task under the name of the parameter, with the
//! hash of its content, so that a changed file makes products out of date and a moved one does not; the parameter keeps the name of
//! the file alone. A parameter with `x-optional` as well may be empty: then there is no such input.

use std::collections::BTreeSet;
use std::path::Path;

use ifured_core::recipe::{Choice, Engine, RecipeDescription, TaskInput};
use ifured_core::sof::NO_FRAME;
use ifured_core::{Config, InstrumentDescription, Tag};
use serde_json::Value;

use crate::files::stem;
use crate::plan::reason::FileLack;
use crate::standing::content_hash;

/// Names of the parameters of a recipe that name files.
pub fn names(engine: &Engine) -> Vec<&str> {
    let properties = engine.schema["properties"].as_object();
    properties.into_iter().flatten().filter(|(_, p)| p["x-file"] == Value::Bool(true)).map(|(name, _)| name.as_str()).collect()
}

/// Whether a recipe does without the file of that parameter.
fn is_optional(engine: &Engine, name: &str) -> bool {
    engine.schema["properties"][name]["x-optional"] == Value::Bool(true)
}

/// Makes paths absolute that the configuration names: they are seen from the directory of its file, or from the current one where there is none.
pub fn resolve(config: &mut Config, instrument: &InstrumentDescription, file: Option<&Path>) {
    let base = std::env::current_dir().unwrap_or_default().join(file.and_then(Path::parent).unwrap_or(Path::new("")));
    for recipe in &instrument.recipes {
        let Some(settings) = config.recipes.get_mut(&recipe.name) else { continue };
        let named: BTreeSet<&str> = recipe.engines.iter().flat_map(names).collect();
        for name in named {
            if let Some(Value::String(path)) = settings.get_mut(name)
                && !path.is_empty()
            {
                *path = base.join(&*path).to_string_lossy().into_owned();
            }
        }
    }
}

/// Whether all files that a recipe needs are given, if it needs some: it is then meant to run.
pub fn are_given(recipe: &RecipeDescription, config: &Config) -> bool {
    let named =
        |engine: &'_ Engine| names(engine).into_iter().filter(|name| !is_optional(engine, name)).map(str::to_owned).collect::<Vec<_>>();
    let names: BTreeSet<String> = recipe.engines.iter().flat_map(named).collect();
    let settings = config.recipes.get(&recipe.name);
    let is_given = |name: &String| settings.and_then(|s| s.get(name)).and_then(Value::as_str).is_some_and(|p| !p.is_empty());
    !names.is_empty() && names.iter().all(is_given)
}

/// Inputs of the files that the parameters name; in the parameters their names take the place of the paths. `Err` says which file is missing.
pub fn take(recipe: &RecipeDescription, engine: &Engine, parameters: &mut Value) -> Result<Vec<TaskInput>, FileLack> {
    let mut inputs = Vec::new();
    for name in names(engine) {
        let path = parameters[name].as_str().unwrap_or_default().to_owned();
        if path.is_empty() && is_optional(engine, name) {
            continue;
        }
        if path.is_empty() {
            return Err(FileLack::NotNamed { recipe: recipe.name.clone(), parameter: name.to_owned() });
        }
        let identity =
            content_hash(Path::new(&path)).map_err(|e| FileLack::Unreadable { parameter: name.to_owned(), why: e.to_string() })?;
        let file = Path::new(&path).file_name().map_or_else(|| stem(&path), |f| f.to_string_lossy().into_owned());
        parameters[name] = Value::String(file.clone());
        inputs.push(TaskInput {
            role: name.into(),
            tag: Tag::new(NO_FRAME),
            path: path.into(),
            name: file,
            identity,
            choice: Choice::Configured,
            ..TaskInput::default()
        });
    }
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn recipe() -> RecipeDescription {
        let schema = json!({"properties": {"catalogue": {"x-file": true}, "search": {}}});
        RecipeDescription {
            name: "astrometry".into(),
            engines: vec![Engine { schema, ..Engine::default() }],
            ..RecipeDescription::default()
        }
    }

    #[test]
    fn the_content_of_a_file_counts_and_its_place_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let inputs = |place: &str, content: &str| {
            let path = directory.path().join(place).join("stars.csv");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            let mut parameters = json!({"catalogue": path, "search": 3});
            let inputs = take(&recipe(), &recipe().engines[0], &mut parameters).unwrap();
            assert_eq!(parameters, json!({"catalogue": "stars.csv", "search": 3}));
            assert_eq!((inputs.len(), inputs[0].role.as_str(), &inputs[0].path), (1, "catalogue", &path));
            inputs[0].identity.clone()
        };
        assert_eq!(inputs("a", "1"), inputs("b", "1"));
        assert_ne!(inputs("a", "1"), inputs("a", "2"));
    }

    #[test]
    fn a_file_that_is_not_needed_may_be_missing_but_not_be_wrong() {
        let schema = json!({"properties": {"pairing": {"x-file": true, "x-optional": true}}});
        let recipe = RecipeDescription {
            name: "science".into(),
            engines: vec![Engine { schema, ..Engine::default() }],
            ..RecipeDescription::default()
        };
        let mut parameters = json!({"pairing": ""});
        assert_eq!(take(&recipe, &recipe.engines[0], &mut parameters), Ok(vec![]));
        assert!(
            take(&recipe, &recipe.engines[0], &mut json!({"pairing": "/nowhere/pairing.txt"}))
                .unwrap_err()
                .to_string()
                .contains("/nowhere/pairing.txt")
        );
        assert!(!are_given(&recipe, &Config::default()));
    }

    #[test]
    fn missing_files_are_named() {
        let mut parameters = json!({"catalogue": "/nowhere/stars.csv"});
        assert!(take(&recipe(), &recipe().engines[0], &mut parameters).unwrap_err().to_string().contains("/nowhere/stars.csv"));
        assert!(
            take(&recipe(), &recipe().engines[0], &mut json!({"catalogue": ""}))
                .unwrap_err()
                .to_string()
                .contains("recipes.astrometry.catalogue")
        );
        let mut config = Config::default();
        assert!(!are_given(&recipe(), &config));
        config.recipes.insert("astrometry".into(), json!({"catalogue": "stars.csv"}).as_object().cloned().unwrap());
        assert!(are_given(&recipe(), &config));
        let instrument = InstrumentDescription { recipes: vec![recipe()], ..InstrumentDescription::default() };
        resolve(&mut config, &instrument, Some(Path::new("/night/ifured.toml")));
        assert_eq!(config.recipes["astrometry"]["catalogue"], "/night/stars.csv");
    }
}
