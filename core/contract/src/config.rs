//! The configuration: what a user can change, with its documentation in one place.
//!
//! The parameters of the recipes come from the instrument's plugin as JSON Schema and are merged in by the engine; here
//! they are an open table.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::header::Value;
use crate::recipe::EngineName;
use crate::rule::Condition;
use crate::signature::SignatureKey;
use crate::tag::Tag;

/// An ifured configuration (`ifured.toml` or `ifured.json`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Location of the JSON Schema, for editors: a path relative to this file, or a URL.
    #[schemars(extend("x-default" = "none: editors do not check the file", "examples" = ["./ifured-cafos.schema.json"]))]
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Name of the instrument; without it the frames are asked.
    #[schemars(extend("x-default" = "what the frames say", "examples" = ["cafos"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// Engine that does the work of the recipes that have it, for whatever instrument: `native`, `esorex`, or `both` to compare the two. A recipe
    /// that does not have it keeps its own.
    #[schemars(extend("x-default" = "the first engine of each recipe", "examples" = ["native"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineName>,
    /// Engine by instrument, before [`Config::engine`].
    #[schemars(extend("default" = {}, "examples" = [{"muse": "esorex"}]))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub engines: BTreeMap<String, EngineName>,
    /// Plugin libraries of instruments that are not built in: absolute paths, or relative to this file.
    #[schemars(extend("default" = [], "examples" = [["./libmyspec.so"]]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<std::path::PathBuf>,
    /// How much of the machine a run may take.
    pub resources: Resources,
    /// Single frames: leave out, force a tag, correct headers.
    pub frames: FrameOverrides,
    /// Changed classification rules, by tag. A list that is given replaces the instrument's list of that tag.
    pub classification: BTreeMap<String, ClassificationChange>,
    /// What holds for all calibrations unless [`Config::association`] says otherwise.
    pub calibrations: Calibrations,
    /// Changed association of calibrations, by recipe and role: `[association.science-imaging.bias]`.
    pub association: BTreeMap<String, BTreeMap<String, AssociationChange>>,
    /// Changed grouping of the main frames, by recipe.
    pub grouping: BTreeMap<String, GroupingChange>,
    /// Parameters of the recipes, by recipe; `enabled` switches a recipe on or off, `engine` says what does its work.
    pub recipes: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// How much of the machine a run may take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Processor cores; all there are if not given.
    #[schemars(range(min = 1, max = 4096), extend("x-unit" = "1", "x-default" = "all cores", "examples" = [8]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Memory for all tasks together, in GB; 80 % of what is free if not given.
    #[schemars(range(min = 0.1), extend("x-unit" = "GB", "x-default" = "80 % of what is free", "examples" = [16]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f64>,
    /// Longest time for one task, in minutes; a task that takes longer is ended and counts as failed.
    #[schemars(range(min = 0.01, max = 1e6), extend("x-unit" = "minutes", "x-default" = "120", "examples" = [30]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_minutes: Option<f64>,
}

impl Resources {
    /// Longest time for one task, in minutes, unless the configuration says otherwise: no task of a reduction takes so long, and a
    /// task that never ends must not hold up the others for ever.
    pub const TASK_MINUTES: f64 = 120.0;
}

/// What holds for all calibrations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Calibrations {
    /// Which of two that fit at the same level is taken first, where the association of the recipe and role does not say it: one that this
    /// reduction makes from raw frames, or one that was found in the data, such as a master calibration of an archive.
    #[schemars(extend("x-default" = "the nearest in time", "examples" = ["archive"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer: Option<Source>,
}

/// Single frames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FrameOverrides {
    /// Frames to leave out.
    #[schemars(extend("examples" = [[{"night": "170319_t2_CAFOS", "files": ["caf-*-16:0?:*.fits"], "why": "dome light on"}]]))]
    pub ignore: Vec<IgnoredFrames>,
    /// Frames whose tag is given by hand; where several match, the last wins.
    #[schemars(extend("examples" = [[{"files": ["caf-20170319-22:01:02-cal-krek.fits"], "tag": "flat-imaging"}]]))]
    pub force: Vec<ForcedFrames>,
    /// Headers to correct before classification; the files stay as they are.
    #[schemars(extend("examples" = [[{"files": ["caf-20170319-18:59:12-sci-krek.fits"], "set": {"IMAGETYP": "bias"}}]]))]
    pub correct: Vec<CorrectedFrames>,
    /// Science exposures that are reduced, all others are left out: names of exposures, as `ifured ls --columns EXPNAME` shows them, or of files; `*` and
    /// `?` are wild. An empty list takes all.
    #[schemars(extend("examples" = [["180431-242316_0900_*"]]))]
    pub exposures: Vec<String>,
}

/// Which frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameSelection {
    /// Night (exact name); all nights if not given.
    #[schemars(extend("x-default" = "all nights", "examples" = ["170319_t2_CAFOS"]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub night: Option<String>,
    /// File names without directory; `*` and `?` are wild.
    #[schemars(extend("examples" = [["caf-*-16:0?:*.fits"]]))]
    pub files: Vec<String>,
    /// Set to false to switch this entry off.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Why; kept in the catalogue and shown in lists.
    #[schemars(extend("default" = "", "examples" = ["dome light on"]))]
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
#[schemars(extend("additionalProperties" = false))]
pub struct IgnoredFrames {
    /// Which frames.
    #[serde(flatten)]
    pub frames: FrameSelection,
}

/// Frames whose tag is given by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub struct ForcedFrames {
    /// Which frames.
    #[serde(flatten)]
    pub frames: FrameSelection,
    /// Their tag.
    #[schemars(extend("examples" = ["flat-imaging"]))]
    pub tag: Tag,
}

/// Headers to correct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub struct CorrectedFrames {
    /// Which frames.
    #[serde(flatten)]
    pub frames: FrameSelection,
    /// Keywords and their right values.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    #[schemars(extend(
        "additionalProperties" = {"type": ["boolean", "number", "string", "null"]},
        "examples" = [{"IMAGETYP": "bias", "OBJECT": "[bias]"}]
    ))]
    pub set: BTreeMap<String, Value>,
}

/// A changed classification rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationChange {
    /// When a frame has this tag.
    #[schemars(extend("x-default" = "that of the instrument", "examples" = [[{"key": "IMAGETYP", "is": "=", "value": "bias"}]]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Vec<Condition>>,
    /// What a good frame of this kind fulfils.
    #[schemars(extend("x-default" = "that of the instrument", "examples" = [[{"key": "QUANT975", "is": "<", "value": 1500}]]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Vec<Condition>>,
    /// The keys of its signature.
    #[schemars(extend("x-default" = "that of the instrument", "examples" = [[{"key": "CCDNAME"}, {"key": "CCDTEMP", "compare": {"within": 2.0}}]]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Vec<SignatureKey>>,
}

/// Where a calibration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Made by this reduction from raw frames.
    Raw,
    /// Found in the data.
    Archive,
}

/// A changed association.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AssociationChange {
    /// Worst quality level that is accepted; what fits only worse counts as missing.
    #[schemars(range(min = 0, max = 100), extend("x-unit" = "1", "x-default" = "the loosest level of the recipe", "examples" = [1]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_level: Option<i32>,
    /// Largest time between calibration and frame, in days.
    #[schemars(range(min = 0.0), extend("x-unit" = "days", "x-default" = "the limit of each level", "examples" = [3]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_days: Option<f64>,
    /// Which of two that fit at the same level is taken first: one that this reduction makes from raw frames, or one that was found in the data,
    /// such as a master calibration of an archive. Otherwise the nearest in time.
    #[schemars(extend("x-default" = "the nearest in time", "examples" = ["archive"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer: Option<Source>,
    /// Name of the recipe whose products are taken, where several recipes make such a calibration.
    #[schemars(extend("x-default" = "that of any recipe", "examples" = ["master-flat-imaging"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// False leaves this calibration out although there is one; the recipe does what it does without.
    #[schemars(extend("default" = true, "examples" = [false]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether calibrations of grade `bad` may be used.
    #[schemars(extend("default" = false))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept_bad: Option<bool>,
    /// Whether the recipe needs this calibration; `false` lets it go on without.
    #[schemars(extend("x-default" = "as the recipe says", "examples" = [true]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

/// A changed grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupingChange {
    /// Longest time from the first frame of a group, in hours; 0 makes a group of each frame.
    #[schemars(range(min = 0.0), extend("x-unit" = "hours", "x-default" = "as the recipe says", "examples" = [15]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_hours: Option<f64>,
    /// Groups with fewer frames are not reduced.
    #[schemars(range(min = 1), extend("x-unit" = "frames", "x-default" = "as the recipe says", "examples" = [3]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_frames: Option<usize>,
    /// Keywords whose values must agree in a group as well: `ESO OBS NAME` keeps observing blocks apart.
    #[schemars(extend("default" = [], "examples" = [["ESO OBS NAME"]]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<String>,
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
