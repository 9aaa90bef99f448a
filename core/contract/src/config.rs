//! The configuration: what a user can change, with its documentation in one place.
//!
//! The parameters of the recipes come from the instrument's plugin as JSON Schema and are merged in by the engine; here
//! they are an open table.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::header::Value;
use crate::rule::Condition;
use crate::signature::SignatureKey;
use crate::tag::Tag;

/// An ifured configuration (`ifured.toml` or `ifured.json`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Location of the JSON Schema, for editors.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Name of the instrument; without it the frames are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// Plugin libraries of instruments that are not built in: absolute paths, or relative to this file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<std::path::PathBuf>,
    /// How much of the machine a run may take.
    pub resources: Resources,
    /// Single frames: leave out, force a tag, correct headers.
    pub frames: FrameOverrides,
    /// Changed classification rules, by tag. A list that is given replaces the instrument's list of that tag.
    pub classification: BTreeMap<String, ClassificationChange>,
    /// Changed association of calibrations, by recipe and role: `[association.science-imaging.bias]`.
    pub association: BTreeMap<String, BTreeMap<String, AssociationChange>>,
    /// Changed grouping of the main frames, by recipe.
    pub grouping: BTreeMap<String, GroupingChange>,
    /// Parameters of the recipes, by recipe; `enabled` switches a recipe on or off.
    pub recipes: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// How much of the machine a run may take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Processor cores; all there are if not given.
    #[schemars(range(min = 1, max = 4096))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Memory for all tasks together, in GB; 80 % of what is free if not given.
    #[schemars(range(min = 0.1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f64>,
    /// Longest time for one task, in minutes; a task that takes longer is ended and counts as failed.
    #[schemars(range(min = 0.01))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_minutes: Option<f64>,
}

/// Single frames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FrameOverrides {
    /// Frames to leave out.
    pub ignore: Vec<IgnoredFrames>,
    /// Frames whose tag is given by hand; where several match, the last wins.
    pub force: Vec<ForcedFrames>,
    /// Headers to correct before classification; the files stay as they are.
    pub correct: Vec<CorrectedFrames>,
}

/// Which frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameSelection {
    /// Night (exact name); all nights if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub night: Option<String>,
    /// File names; `*` and `?` are wild.
    pub files: Vec<String>,
    /// Set to false to switch this entry off.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Why; kept in the catalogue.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

fn yes() -> bool {
    true
}

impl FrameSelection {
    /// Whether a frame is selected.
    pub fn selects(&self, night: &str, file_name: &str) -> bool {
        self.enabled
            && self.night.as_deref().is_none_or(|n| n == night)
            && self.files.iter().any(|pattern| crate::rule::like(pattern, file_name))
    }
}

/// Frames to leave out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IgnoredFrames {
    /// Which frames.
    #[serde(flatten)]
    pub frames: FrameSelection,
}

/// Frames whose tag is given by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForcedFrames {
    /// Which frames.
    #[serde(flatten)]
    pub frames: FrameSelection,
    /// Their tag.
    pub tag: Tag,
}

/// Headers to correct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CorrectedFrames {
    /// Which frames.
    #[serde(flatten)]
    pub frames: FrameSelection,
    /// Keywords and their right values.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub set: BTreeMap<String, Value>,
}

/// A changed classification rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationChange {
    /// When a frame has this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Vec<Condition>>,
    /// What a good frame of this kind fulfils.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Vec<Condition>>,
    /// The keys of its signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Vec<SignatureKey>>,
}

/// A changed association.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AssociationChange {
    /// Worst quality level that is accepted; what fits only worse counts as missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_level: Option<i32>,
    /// Largest time between calibration and frame, in days.
    #[schemars(range(min = 0.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_days: Option<f64>,
    /// Whether calibrations of grade `bad` may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept_bad: Option<bool>,
    /// Whether the recipe may go on without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

/// A changed grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupingChange {
    /// Longest time from the first frame of a group, in hours; 0 makes a group of each frame.
    #[schemars(range(min = 0.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_hours: Option<f64>,
    /// Groups with fewer frames are not reduced.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_frames: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_by_night_and_pattern() {
        let s: IgnoredFrames = serde_json::from_str(r#"{"night":"170319","files":["caf-*-16:0?:*.fits"],"why":"light leak"}"#).unwrap();
        assert!(s.frames.selects("170319", "caf-20170319-16:00:00-cal.fits"));
        assert!(!s.frames.selects("170320", "caf-20170319-16:00:00-cal.fits"));
        assert!(!s.frames.selects("170319", "caf-20170319-17:00:00-cal.fits"));
    }

    #[test]
    fn every_key_of_the_schema_is_described() {
        let schema = schemars::schema_for!(Config).to_value();
        let mut bare = Vec::new();
        walk(&schema, "", &mut bare);
        assert!(bare.is_empty(), "without description: {bare:?}");
    }

    fn walk(value: &serde_json::Value, at: &str, bare: &mut Vec<String>) {
        let Some(map) = value.as_object() else { return };
        if let Some(properties) = map.get("properties").and_then(|p| p.as_object()) {
            for (name, property) in properties {
                if property.get("description").is_none() && property.get("$ref").is_none() && property.get("const").is_none() {
                    bare.push(format!("{at}/{name}"));
                }
            }
        }
        for (name, inner) in map {
            walk(inner, &format!("{at}/{name}"), bare);
        }
    }
}
