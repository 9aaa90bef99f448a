//! What a recipe says of itself: how frames are grouped, which calibrations may serve, what is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule::Condition;
use crate::signature::Signature;
use crate::tag::Tag;

/// How the main input of a recipe is collected into groups.
///
/// Frames belong together when their signatures agree, they lie in one night (if `within_night`), and within `span_hours`
/// (strictly less) of the first frame of the group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// Keys whose values are equal in a group.
    pub signature: Signature,
    /// Longest time from the first frame of a group, in hours; 0 makes a group of each frame; none is no limit.
    #[serde(default)]
    pub span_hours: Option<f64>,
    /// Groups do not cross nights.
    #[serde(default)]
    pub within_night: bool,
    /// Frames that fulfil one of these conditions are kept apart from frames that do not (twilight from dome flats).
    #[serde(default)]
    pub apart: Vec<Condition>,
    /// A group with fewer frames is not reduced.
    #[serde(default = "one")]
    pub min_frames: usize,
}

fn one() -> usize {
    1
}

/// The frames that a recipe is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MainInput {
    /// Tags of raw frames or products.
    pub tags: Vec<Tag>,
    /// Only groups whose first frame fulfils these.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// How they are grouped.
    pub group: Grouping,
}

/// One way in which a calibration may fit, from the strictest to the loosest.
///
/// Levels follow the convention of ESO's EDPS: 0 is what the calibration plan foresees, 1 is sufficient, 2 probably
/// acceptable, 3 a significant risk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The quality level.
    pub level: i32,
    /// What this level means, in a few words: `same night, same set-up`.
    pub title: String,
    /// Keys that must agree.
    pub signature: Signature,
    /// Only from the same night.
    #[serde(default)]
    pub same_night: bool,
    /// Largest time between calibration and frame, in days.
    #[serde(default)]
    pub max_age_days: Option<f64>,
    /// How the recipe has to adapt the calibration (`cut-window`, `level-only`); the recipe defines the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<String>,
    /// What else must hold for the calibration itself.
    #[serde(default)]
    pub when: Vec<Condition>,
}

/// A calibration that a recipe uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// What it is for: `bias`, `flat`.
    pub role: String,
    /// Tags that may serve, products or raw frames.
    pub tags: Vec<Tag>,
    /// Whether the recipe can do without.
    pub required: bool,
    /// How it may fit, in order of preference; inside a level the nearest in time is taken.
    pub levels: Vec<Level>,
    /// What the recipe does if there is none: `a flat of ones`.
    #[serde(default)]
    pub otherwise: String,
    /// Quality level of the product if there is none.
    #[serde(default)]
    pub level_without: i32,
    /// Name of the logical parameter that switches this input off when it is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

/// What a recipe makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductSpec {
    /// Tag of the product.
    pub tag: Tag,
    /// What it is.
    pub title: String,
    /// Path below the output directory; `{night}`, `{stem}` (name of the first main frame without `.fits`) and `{tag}`
    /// (of the main input) are filled in.
    pub path: String,
    /// Keys that make it findable as a calibration and that make up its signature.
    pub signature: Signature,
}

/// How much memory one task takes, from the size of its main frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Bytes whatever the frames are.
    pub fixed: f64,
    /// Bytes for each pixel of a frame.
    pub per_pixel: f64,
    /// Bytes for each pixel of each frame; 0 for recipes that stream.
    pub per_pixel_and_frame: f64,
}

impl Memory {
    /// Bytes for frames of so many pixels.
    pub fn bytes(&self, pixels: f64, frames: usize) -> u64 {
        (self.fixed + self.per_pixel * pixels + self.per_pixel_and_frame * pixels * frames as f64).ceil() as u64
    }
}

/// What the engine needs to know of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipeDescription {
    /// Name: `master-bias`.
    pub name: String,
    /// Version of what it computes; a change makes its products out of date.
    pub version: u32,
    /// One line.
    pub title: String,
    /// What it does, step by step, with sources.
    pub description: String,
    /// The frames it is about.
    pub main: MainInput,
    /// The calibrations it uses.
    pub inputs: Vec<InputSpec>,
    /// The products it makes; the first is the main one.
    pub products: Vec<ProductSpec>,
    /// Whether it runs unless the configuration says otherwise.
    pub enabled: bool,
    /// Memory of one task.
    pub memory: Memory,
    /// JSON Schema of the parameters; filled in from the type of the parameters.
    #[serde(default)]
    pub schema: serde_json::Value,
    /// Default parameters; filled in from the type of the parameters.
    #[serde(default)]
    pub defaults: serde_json::Value,
}
