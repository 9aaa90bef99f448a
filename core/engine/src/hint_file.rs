//! A file of hints, as it is remembered.

use std::path::PathBuf;

use ifured_core::Hints;
use serde::{Deserialize, Serialize};

/// A file of hints: what it says, or why it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HintFile {
    /// Where it is.
    #[serde(with = "ifured_core::path")]
    pub path: PathBuf,
    /// What it says.
    pub hints: Hints,
    /// Why it cannot be used; empty if it can.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}
