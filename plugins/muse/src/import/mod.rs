//! The configuration of MUSEpack (`musereduce`) as one of ifured: a walk along the table of its keys.
//!
//! MUSEpack calls the recipes of the ESO pipeline; here recipes and parameters have the same names. A setting for a recipe that
//! is not there yet is handed over like any other: what this ifured does not know, its engine writes as a comment.

mod arguments;
mod command;
mod json;
mod keys;
mod special;

use ifured_core::words::closest;
use ifured_core::{ImportRequest, ImportSource, Imported, ImportedSetting, NotNeeded, RecipeError, UnknownKey, import};
use serde_json::{Value, json};

use keys::{KEYS, Key, Kind, Meaning};

/// What is wrong with a value.
pub type Problem = String;

/// A key that is being read.
pub struct Reading<'a> {
    key: &'static Key,
    value: &'a Value,
    from: String,
    imported: &'a mut Imported,
    command: &'a mut command::Command,
}

impl Reading<'_> {
    fn set(&mut self, key: &str, value: Value, note: &str) {
        let setting = ImportedSetting { key: key.into(), value, from: self.from.clone(), note: note.into(), ..ImportedSetting::default() };
        self.imported.settings.push(setting);
    }

    fn not_needed(&mut self, reason: &str) {
        let key = format!("{}.{}", self.key.block, self.key.name);
        let value = self.value.clone();
        self.imported.not_needed.push(NotNeeded { key, value, from: self.from.clone(), reason: reason.into() });
    }
}

/// What can be imported.
pub fn sources() -> Vec<ImportSource> {
    vec![ImportSource {
        program: "musepack".into(),
        title: "MUSEpack (musereduce): config.json of versions 1.1 to 2.0".into(),
        files: vec!["config.json".into()],
    }]
}

/// What MUSEpack's configuration means here.
pub fn import(request: &ImportRequest) -> Result<Imported, RecipeError> {
    let [path] = request.files.as_slice() else {
        return Err(RecipeError::new(format!("{} files: MUSEpack has one", request.files.len()), "import one after the other"));
    };
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| RecipeError::new(format!("{name}: cannot be read: {e}"), "check the path"))?;
    let text = import::text(bytes, &name)?;
    let mut problems = Vec::new();
    let blocks = json::blocks(&text, &name, &mut problems)?;
    let known: Vec<&str> = KEYS.iter().map(|k| k.block).collect();
    if !blocks.iter().any(|(block, _)| known.contains(&block.as_str())) {
        let what =
            format!("{name}: this is no configuration of MUSEpack: none of its blocks is there (global, sci_basic, sky, sci_post …)");
        return Err(RecipeError::new(what, "name the JSON file that musereduce is started with"));
    }
    let mut imported = Imported::default();
    let mut command = command::Command::default();
    for key in KEYS {
        let block = blocks.iter().find(|(block, _)| block == key.block);
        if let Some((_, value)) = block.and_then(|(_, entries)| entries.iter().find(|(name, _)| name == key.name)) {
            let from = format!("{name}: {}.{}", key.block, key.name);
            let mut reading = Reading { key, value, from, imported: &mut imported, command: &mut command };
            if let Err(problem) = take(&mut reading) {
                problems.push(format!("{}: {problem}", reading.from));
            }
        }
    }
    for (block, entries) in &blocks {
        imported.unknown.extend(unknown(&name, block, entries));
    }
    imported.advice.insert(0, command.line());
    imported.advice.extend(command.clean_line());
    if problems.is_empty() {
        Ok(imported)
    } else {
        Err(RecipeError::new(problems.join("\n"), "correct the file and import it again; nothing was written"))
    }
}

fn take(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.is_null() {
        reading.not_needed("null sets nothing");
        return Ok(());
    }
    expect(reading.key.kind, reading.value)?;
    match reading.key.meaning {
        Meaning::Setting(key, note) => reading.set(key, reading.value.clone(), note),
        Meaning::Step(recipes) => step(reading, recipes),
        Meaning::Arguments(recipe) => arguments::take(reading, recipe)?,
        Meaning::NotNeeded(reason) => reading.not_needed(reason),
        Meaning::Special(take) => take(reading)?,
    }
    Ok(())
}

fn step(reading: &mut Reading<'_>, recipes: &[&str]) {
    let off = "MUSEpack takes what an earlier run has left; here this would leave the recipe out altogether, and nothing that is done is done again";
    for recipe in recipes {
        let note = if *reading.value == json!(false) { off } else { "" };
        reading.set(&format!("recipes.{recipe}.enabled"), reading.value.clone(), note);
    }
}

/// Whether a value is of the right type.
fn expect(kind: Kind, value: &Value) -> Result<(), Problem> {
    let (fits, words) = match kind {
        Kind::Flag => (value.is_boolean(), "true or false"),
        Kind::Whole => (value.is_i64(), "a whole number"),
        Kind::Number => (value.is_number(), "a number"),
        Kind::Text => (value.is_string(), "text in quotes"),
        Kind::Texts => (value.as_array().is_some_and(|l| l.iter().all(Value::is_string)), "a list of texts"),
        Kind::FlagOrWhole => (*value == json!(false) || value.is_u64(), "false, or a whole number of seconds"),
    };
    let shown: String = value.to_string().chars().take(60).collect();
    if fits { Ok(()) } else { Err(format!("must be {words}, but is {shown}")) }
}

/// What nobody knows in a block, with the most similar key of the block, or of another one.
fn unknown(name: &str, block: &str, entries: &[(String, Value)]) -> Vec<UnknownKey> {
    let own: Vec<&str> = KEYS.iter().filter(|k| k.block == block).map(|k| k.name).collect();
    if own.is_empty() {
        let nearest = closest(block, KEYS.iter().map(|k| k.block)).map(str::to_owned);
        return vec![UnknownKey { key: block.into(), from: format!("{name}: {block}"), nearest }];
    }
    let strangers = entries.iter().map(|(key, _)| key.as_str()).filter(|key| !own.contains(key));
    let elsewhere = |key: &str| KEYS.iter().find(|k| k.name == key).map(|k| format!("{}.{}", k.block, k.name));
    let nearest = |key: &str| elsewhere(key).or_else(|| closest(key, own.iter().copied()).map(|k| format!("{block}.{k}")));
    strangers
        .map(|key| UnknownKey { key: format!("{block}.{key}"), from: format!("{name}: {block}.{key}"), nearest: nearest(key) })
        .collect()
}

#[cfg(test)]
mod tests;
