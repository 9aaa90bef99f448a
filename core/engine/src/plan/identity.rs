//! The identity of tasks and products: hashes of everything that decides what is computed.

use std::collections::BTreeMap;

use ifured_core::{Tag, Task, TaskId};
use ifured_pixels::fits::hash_of_bytes;
use serde_json::Value;

/// Hash of everything that decides what a task computes. Paths do not: the same frames elsewhere give the same products.
pub fn identity(task: &Task) -> TaskId {
    let inputs: Vec<_> = task.inputs.iter().map(|i| (&i.role, &i.tag, &i.name, &i.identity, i.level, &i.adapt, &i.corrections)).collect();
    let missing: Vec<_> = task.missing.iter().map(|m| (&m.role, &m.otherwise)).collect();
    // Whole frames hash as they did before tasks went by extensions, and recipes of ifured itself as before there were engines.
    let recipe = task.extension.as_ref().map_or_else(|| task.recipe.clone(), |e| format!("{} {e}", task.recipe));
    let recipe = task.external.as_ref().map_or(recipe.clone(), |e| format!("{recipe} by {e}"));
    let recipe = if is_usual(task) { recipe } else { format!("{recipe} with {}", task.engine) };
    let text = serde_json::json!([
        task.instrument,
        task.plugin,
        recipe,
        task.recipe_version,
        canonical(&task.parameters),
        task.night,
        inputs,
        missing
    ]);
    TaskId::new(hash_of_bytes(text.to_string().as_bytes()))
}

/// Whether the engine follows from what else is hashed: `native` does the work itself, a program outside is named with its version.
fn is_usual(task: &Task) -> bool {
    let native = task.engine.as_str().is_empty() || task.engine == ifured_core::EngineName::NATIVE;
    native != task.external.is_some()
}

/// Keys sorted, so that equal parameters hash equal.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(k, v)| (k.clone(), canonical(v))).collect();
            serde_json::to_value(sorted).unwrap_or_default()
        }
        Value::Array(list) => list.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

/// Identity of a product that a task makes.
pub fn product_identity(task: &TaskId, tag: &Tag) -> String {
    hash_of_bytes(format!("{task} {tag}").as_bytes())
}

#[cfg(test)]
mod tests {
    use ifured_core::recipe::TaskInput;
    use serde_json::json;

    use super::*;

    fn task() -> Task {
        let input = TaskInput {
            role: "main".into(),
            name: "a.fits".into(),
            identity: "1".into(),
            path: "/data/a.fits".into(),
            ..Default::default()
        };
        Task {
            recipe: "flat".into(),
            recipe_version: 1,
            parameters: json!({"a": 1, "b": {"c": 2, "d": 3}}),
            inputs: vec![input],
            ..Task::default()
        }
    }

    #[test]
    fn what_decides_the_result_counts_and_nothing_else() {
        let of = |change: &dyn Fn(&mut Task)| {
            let mut task = task();
            change(&mut task);
            identity(&task)
        };
        let same: [&dyn Fn(&mut Task); 4] = [
            &|t| t.parameters = json!({"b": {"d": 3, "c": 2}, "a": 1}),
            &|t| t.inputs[0].path = "/elsewhere/a.fits".into(),
            &|t| t.memory = 7,
            &|t| t.engine = "native".into(),
        ];
        let other: [&dyn Fn(&mut Task); 6] = [
            &|t| t.parameters["a"] = json!(2),
            &|t| t.inputs[0].identity = "2".into(),
            &|t| t.inputs[0].corrections = vec![("OBJECT".into(), "x".into())],
            &|t| t.recipe_version = 2,
            &|t| t.engine = "esorex".into(),
            &|t| (t.engine, t.external) = ("esorex".into(), Some("muse_flat 2.8 (esorex)".into())),
        ];
        assert!(same.iter().all(|change| of(change) == identity(&task())));
        let mut all: Vec<TaskId> = other.iter().map(|change| of(change)).collect();
        all.push(identity(&task()));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), other.len() + 1);
    }

    #[test]
    fn the_identity_is_that_of_earlier_versions() {
        // Products of version 0.1.0 are not made again.
        assert_eq!(identity(&task()).as_str(), IDENTITY_OF_0_1_0);
    }

    // Computed by the code of commit e0606ff for an equal task.
    const IDENTITY_OF_0_1_0: &str = "77bdc9875a19632eb14a3f24ee968070";
}
