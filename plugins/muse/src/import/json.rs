//! `config.json`: blocks of keys, in their order, none of them twice.

use std::fmt;
use std::marker::PhantomData;

use ifured_core::RecipeError;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// A block: its keys and their values.
pub type Block = Vec<(String, Value)>;

/// The blocks of a file. A key that is there twice is a problem: MUSEpack takes the last one, without a word.
///
/// # Errors
/// Text that is no JSON, or no blocks: with line and column.
pub fn blocks(text: &str, name: &str, problems: &mut Vec<String>) -> Result<Vec<(String, Block)>, RecipeError> {
    let blocks: Entries<Entries<Value>> = serde_json::from_str(text).map_err(|e| {
        let message = e.to_string();
        let what = message.split(" at line ").next().unwrap_or_default();
        RecipeError::new(
            format!("{name}:{}:{}: {what}", e.line(), e.column()),
            "it must be JSON as MUSEpack reads it: blocks of keys in braces",
        )
    })?;
    let mut twice = |key: &str| problems.push(format!("{name}: `{key}` is there twice; leave one"));
    repeated(&blocks.0).for_each(&mut twice);
    for (block, entries) in &blocks.0 {
        repeated(&entries.0).for_each(|key| twice(&format!("{block}.{key}")));
    }
    Ok(blocks.0.into_iter().map(|(name, block)| (name, block.0)).collect())
}

fn repeated<T>(entries: &[(String, T)]) -> impl Iterator<Item = &str> {
    entries.iter().enumerate().filter(|(n, (key, _))| entries[..*n].iter().any(|(k, _)| k == key)).map(|(_, (key, _))| key.as_str())
}

/// An object with all its keys.
struct Entries<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collector(PhantomData))
    }
}

struct Collector<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Collector<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a block of keys in braces")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
