//! Engines: the programs that can do the work of a recipe. A recipe has one name and one or more of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Memory;
use crate::name::name;

name! {
    /// Name of an engine: [`EngineName::NATIVE`], `esorex`.
    EngineName
}

impl EngineName {
    /// The recipe does the work itself.
    pub const NATIVE: &'static str = "native";

    /// Two engines do the work, and their products are compared: a choice, not an engine. It is also the engine of the task that compares.
    pub const BOTH: &'static str = "both";

    /// The engine that a recipe has unless it says otherwise.
    pub fn native() -> Self {
        EngineName::new(Self::NATIVE)
    }
}

/// The recipe of a program outside of ifured that does the work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct External {
    /// The program: `esorex`.
    pub program: String,
    /// Its recipe: `muse_bias`.
    pub recipe: String,
    /// Its version, as installed, or where it is not installed that which this recipe was written for: part of the identity of tasks.
    pub version: String,
    /// Whether the frames that the instrument simulates have all that it needs.
    #[serde(default)]
    pub reduces_simulated: bool,
}

impl std::fmt::Display for External {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.recipe, self.version, self.program)
    }
}

/// One way to do the work of a recipe, with what is its own: version, parameters, memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Engine {
    /// Its name.
    pub name: EngineName,
    /// Version of what it computes; a change makes its products out of date.
    pub version: u32,
    /// The recipe of another program that does the work, if ifured does not do it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// Why it cannot run on this machine, and what to do about it: a program that it needs is not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// Memory of one task.
    pub memory: Memory,
    /// JSON Schema of the parameters.
    pub schema: serde_json::Value,
    /// Default parameters.
    pub defaults: serde_json::Value,
}

impl Default for Engine {
    /// `native`, version 1, without parameters.
    fn default() -> Self {
        Engine {
            name: EngineName::native(),
            version: 1,
            external: None,
            unavailable: None,
            memory: Memory::default(),
            schema: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
        }
    }
}

impl Engine {
    /// Whether it has a parameter of that name.
    pub fn has_parameter(&self, name: &str) -> bool {
        self.schema["properties"].get(name).is_some()
    }
}
