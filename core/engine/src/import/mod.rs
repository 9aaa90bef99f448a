//! A configuration of ours from what an instrument's plugin makes of a foreign one.
//!
//! Nothing that was found is dropped without a word, and nothing invalid is written: every setting is checked against the schema
//! of the instrument as it is now. One that does not pass becomes a comment with the reason, among them those for recipes that this
//! ifured does not have yet.

mod text;

use ifured_core::{Imported, ImportedSetting, InstrumentDescription, NotNeeded, UnknownKey};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::init::Format;
use crate::{classify, config};

/// What became of a foreign configuration.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Import {
    /// The settings in their order.
    pub settings: Vec<PlacedSetting>,
    /// What needs no place.
    pub not_needed: Vec<NotNeeded>,
    /// What nobody knows.
    pub unknown: Vec<UnknownKey>,
    /// What is done by hand.
    pub advice: Vec<String>,
    /// The configuration that is written.
    #[serde(skip)]
    pub text: String,
}

/// One setting, and whether it counts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlacedSetting {
    /// The setting.
    #[serde(flatten)]
    pub setting: ImportedSetting,
    /// Why it is a comment only; none if it is set.
    pub not_set: Option<String>,
}

/// Makes the configuration. `schema` is where the schema lies, as the file names it; `title` says in a line what was imported.
///
/// # Errors
/// If settings that are valid one by one are not so together: a fault of the plugin.
pub fn configuration(imported: Imported, instrument: &InstrumentDescription, format: Format, schema: &str, title: &str) -> Result<Import> {
    let mut settings: Vec<PlacedSetting> = imported
        .settings
        .into_iter()
        .map(|setting| PlacedSetting { not_set: Some(setting.obstacle.clone()).filter(|o| !o.is_empty()), setting })
        .collect();
    refuse_what_the_format_cannot_say(&mut settings, format);
    let mut live: Vec<usize> = (0..settings.len()).filter(|n| settings[*n].not_set.is_none()).collect();
    for (n, reason) in refused(&settings, &live, instrument) {
        settings[n].not_set = Some(reason);
    }
    // What waits for a recipe gives way too: it will be set one day.
    live.retain(|n| settings[*n].not_set.is_none() || waits_for(&settings[*n].setting.key, instrument).is_some());
    for (n, by) in replaced(&settings, &live) {
        settings[n].not_set = Some(format!("{} sets the same key, and counts", settings[by].setting.from));
    }
    let mut import =
        Import { settings, not_needed: imported.not_needed, unknown: imported.unknown, advice: imported.advice, text: String::new() };
    let value = import.value(instrument, schema)?;
    import.text = match format {
        Format::Json => serde_json::to_string_pretty(&value).unwrap_or_default() + "\n",
        Format::Toml => text::toml(&import, instrument, schema, title),
    };
    import.verify(value, instrument, format)?;
    Ok(import)
}

impl Import {
    /// The settings that count, as one configuration.
    fn value(&self, instrument: &InstrumentDescription, schema: &str) -> Result<Value> {
        let live: Vec<&ImportedSetting> = self.settings.iter().filter(|s| s.not_set.is_none()).map(|s| &s.setting).collect();
        let mut value = together(&live).map_err(Error::Inconsistent)?;
        if let Some(map) = value.as_object_mut() {
            map.shift_insert(0, "$schema".into(), json!(schema));
            if !map.contains_key("instrument") {
                map.shift_insert(1, "instrument".into(), json!(instrument.name));
            }
        }
        Ok(value)
    }

    /// Reads what will be written as every command does: it must be valid, and say what was meant.
    fn verify(&self, mut meant: Value, instrument: &InstrumentDescription, format: Format) -> Result<()> {
        let fault = |e: String| Error::Inconsistent(format!("the imported configuration cannot be read back: {e}"));
        let read: Value = match format {
            Format::Json => serde_json::from_str(&self.text).map_err(|e| fault(e.to_string()))?,
            Format::Toml => {
                // There the schema is a comment.
                meant.as_object_mut().map(|m| m.shift_remove("$schema"));
                toml::from_str(&self.text).map_err(|e| fault(e.to_string()))?
            }
        };
        if !same(&read, &meant) {
            return Err(fault("other values".into()));
        }
        accepted(read, instrument, "import").map_err(Error::Inconsistent)
    }
}

/// Equal but for the order of keys.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w))),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(v, w)| same(v, w)),
        _ => one == other,
    }
}

/// TOML has no undefined values and no integers above 64 bits with a sign.
fn refuse_what_the_format_cannot_say(settings: &mut [PlacedSetting], format: Format) {
    for placed in settings.iter_mut().filter(|s| s.not_set.is_none() && format == Format::Toml) {
        if has_null(&placed.setting.value) {
            placed.not_set = Some("TOML cannot write an undefined value; `--to ifured.json` can".into());
        } else if let Err(e) = toml::Value::try_from(&placed.setting.value) {
            placed.not_set = Some(format!("TOML cannot write this value: {e}"));
        }
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

/// The settings that the schema does not take, with the reason. Halves that pass are not looked at one by one: checking is slow, and most pass.
fn refused(settings: &[PlacedSetting], which: &[usize], instrument: &InstrumentDescription) -> Vec<(usize, String)> {
    let some: Vec<&ImportedSetting> = which.iter().map(|n| &settings[*n].setting).collect();
    let origin = some.first().map_or("", |s| s.from.as_str());
    let Err(why) = together(&some).and_then(|value| accepted(value, instrument, origin)) else { return Vec::new() };
    match which {
        [] => Vec::new(),
        [n] => vec![(*n, waits_for(&settings[*n].setting.key, instrument).unwrap_or(why))],
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            [refused(settings, left, instrument), refused(settings, right, instrument)].concat()
        }
    }
}

/// What is said of a setting for a recipe that is not there.
fn waits_for(key: &str, instrument: &InstrumentDescription) -> Option<String> {
    let recipe = key.strip_prefix("recipes.")?.split('.').next()?;
    instrument.recipe(recipe).is_none().then(|| format!("waits for recipe {recipe}, which this ifured does not have yet"))
}

/// Settings whose key another one sets after them, and which one.
fn replaced(settings: &[PlacedSetting], live: &[usize]) -> Vec<(usize, usize)> {
    let key = |n: &usize| settings[*n].setting.key.as_str();
    let later = |n: &usize| live.iter().rev().find(|l| *l > n && key(l) == key(n)).copied();
    live.iter().filter(|n| !key(n).ends_with("[]")).filter_map(|n| later(n).map(|by| (*n, by))).collect()
}

/// Whether a configuration is valid for an instrument, tags included.
fn accepted(value: Value, instrument: &InstrumentDescription, origin: &str) -> std::result::Result<(), String> {
    let prefix = format!("{origin}: ");
    let said = |e: Error| e.to_string().lines().map(|l| l.strip_prefix(&prefix).unwrap_or(l).to_owned()).collect::<Vec<_>>().join("; ");
    let config = config::check(value, instrument, origin).map_err(said)?;
    classify::configured(instrument.clone(), &config).map(|_| ()).map_err(|e| e.to_string())
}

/// One configuration of several settings.
fn together(settings: &[&ImportedSetting]) -> std::result::Result<Value, String> {
    let mut root = json!({});
    for setting in settings {
        let (path, is_entry) = match setting.key.strip_suffix("[]") {
            Some(path) => (path, true),
            None => (setting.key.as_str(), false),
        };
        let mut at = &mut root;
        for part in path.split('.') {
            if part.is_empty() {
                return Err(format!("`{}` is no key", setting.key));
            }
            let table = at.as_object_mut().ok_or_else(|| format!("`{part}` of {} lies inside something that is no table", setting.key))?;
            at = table.entry(part).or_insert(Value::Null);
            if at.is_null() {
                *at = Value::Object(Map::new());
            }
        }
        if !is_entry {
            *at = setting.value.clone();
            continue;
        }
        if at.as_object().is_some_and(Map::is_empty) {
            *at = json!([]);
        }
        let list = at.as_array_mut().ok_or_else(|| format!("{path} is no list"))?;
        list.push(setting.value.clone());
    }
    Ok(root)
}

#[cfg(test)]
mod tests;
