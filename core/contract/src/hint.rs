//! Hints: what somebody else says belongs together, such as the archive that the frames were delivered by.
//!
//! A hint never makes a calibration fit that does not: it moves the quality level of one that does (see the engine's
//! association). Names are keys that are looked up among the frames, never paths.

use serde::{Deserialize, Serialize};

/// Frames that were put together, and the frames that they calibrate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// What they are, in the words of the source: `BIAS`.
    pub category: String,
    /// Their names without directory and ending: `MUSE.2018-04-25T10:00:00.000`.
    pub names: Vec<String>,
    /// The hint, by its place in the list, whose frames these calibrate; none for what the whole is about. Always an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrates: Option<usize>,
    /// Whether the source vouches for their quality; none where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certified: Option<bool>,
}

/// All that one file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    /// The hints, each after what it calibrates.
    pub hints: Vec<Hint>,
    /// What a person should know: entries that were left out, what the source says of missing calibrations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
