//! Recipes: frames in, products out.
//!
//! A recipe is described by data (what it needs, how frames are grouped, what it makes) and has one function that does the
//! work. The engine reads the description to plan; only [`Recipe::run`] touches pixels, in a worker process of its own.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
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

/// One frame that goes into a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskInput {
    /// `main`, or the role of the input.
    pub role: String,
    /// Its tag.
    pub tag: Tag,
    /// Where it is.
    pub path: PathBuf,
    /// Its name in provenance: path below the data or output directory.
    pub name: String,
    /// Identity of its content: a hash of a raw file, or of the task that makes a product together with its tag.
    pub identity: String,
    /// Quality level of the association; 0 for main frames.
    pub level: i32,
    /// How to adapt it (see [`Level::adapt`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<String>,
    /// Why it was chosen.
    #[serde(default)]
    pub why: String,
    /// Keywords that the configuration corrects in this frame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<(String, crate::Value)>,
    /// Time of the frame (modified Julian date), if known.
    #[serde(default)]
    pub mjd: Option<f64>,
}

/// One product that a task will write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskOutput {
    /// Its tag.
    pub tag: Tag,
    /// Where to write it.
    pub path: PathBuf,
    /// Path below the output directory.
    pub name: String,
}

/// One recipe on one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Hash of recipe, version, parameters and content of the inputs.
    pub id: String,
    /// Name of the instrument.
    pub instrument: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Version of the recipe.
    pub recipe_version: u32,
    /// Parameters, complete.
    pub parameters: serde_json::Value,
    /// Night of the first main frame.
    pub night: String,
    /// Signature of the group, as text.
    pub signature: String,
    /// Frames, main ones first, each role in a fixed order.
    pub inputs: Vec<TaskInput>,
    /// Products to write.
    pub outputs: Vec<TaskOutput>,
    /// Inputs that were not found, and what the recipe does instead.
    #[serde(default)]
    pub missing: Vec<MissingInput>,
    /// Quality level: the worst of all inputs.
    pub level: i32,
    /// Estimated memory in bytes.
    pub memory: u64,
}

/// An optional input that was not found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingInput {
    /// The role.
    pub role: String,
    /// What the recipe does instead.
    pub otherwise: String,
    /// Level that the product gets by that.
    pub level: i32,
    /// Why none of the candidates would do.
    pub why: String,
}

impl Task {
    /// The main frames.
    pub fn main(&self) -> impl Iterator<Item = &TaskInput> {
        self.role("main")
    }

    /// The frames of a role.
    pub fn role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a TaskInput> {
        self.inputs.iter().filter(move |i| i.role == role)
    }

    /// Where to write the product of that tag.
    pub fn output(&self, tag: &str) -> Option<&TaskOutput> {
        self.outputs.iter().find(|o| o.tag.as_str() == tag)
    }
}

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Inside its limits.
    Good,
    /// Usable; a person should look.
    Questionable,
    /// Not to be used where there is another.
    Bad,
}

impl Grade {
    /// The grade that a word says.
    pub fn of(word: &str) -> Option<Self> {
        [Grade::Good, Grade::Questionable, Grade::Bad].into_iter().find(|g| g.as_str() == word)
    }

    /// The word for it, in lists and in the headers of products.
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::Good => "good",
            Grade::Questionable => "questionable",
            Grade::Bad => "bad",
        }
    }
}

/// One number that says how good a product is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QualityNumber {
    /// Name, as a keyword: `READ NOISE`.
    pub name: String,
    /// Value; none where it could not be measured.
    pub value: Option<f64>,
    /// Standard error, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// Unit.
    pub unit: String,
    /// What it is.
    pub title: String,
    /// Verdict against the limits of the parameters.
    pub grade: Grade,
    /// Limits, in words; empty where there are none.
    #[serde(default)]
    pub limits: String,
}

impl QualityNumber {
    /// A number without limits.
    pub fn new(name: &str, value: f64, unit: &str, title: &str) -> Self {
        let value = value.is_finite().then_some(value);
        QualityNumber {
            name: name.into(),
            value,
            error: None,
            unit: unit.into(),
            title: title.into(),
            grade: Grade::Good,
            limits: String::new(),
        }
    }

    /// With its standard error.
    pub fn with_error(mut self, error: f64) -> Self {
        self.error = error.is_finite().then_some(error);
        self
    }

    /// Judged: `grade` unless `low <= value <= high`.
    pub fn within(mut self, low: f64, high: f64, grade: Grade) -> Self {
        self.limits = match (low.is_finite(), high.is_finite()) {
            (true, true) => format!("{low} to {high}"),
            (true, false) => format!("at least {low}"),
            (false, true) => format!("at most {high}"),
            (false, false) => String::new(),
        };
        if !self.value.is_some_and(|v| (low..=high).contains(&v)) {
            self.grade = self.grade.max(grade);
        }
        self
    }
}

/// A product that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenProduct {
    /// Its tag.
    pub tag: Tag,
    /// Path below the output directory.
    pub name: String,
    /// Content hash.
    pub hash: String,
    /// Size.
    pub bytes: u64,
}

/// A main frame that a recipe did not use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectedFrame {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What came out of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Products, in the order of the task's outputs; an optional one may be absent.
    pub products: Vec<WrittenProduct>,
    /// Quality numbers.
    pub quality: Vec<QualityNumber>,
    /// Main frames that were left out, with the reason.
    pub rejected: Vec<RejectedFrame>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Outcome {
    /// The worst grade of all quality numbers.
    pub fn grade(&self) -> Grade {
        self.quality.iter().map(|q| q.grade).max().unwrap_or(Grade::Good)
    }
}

/// Why a recipe could not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{what}")]
#[non_exhaustive]
pub struct RecipeError {
    /// What went wrong, where.
    pub what: String,
    /// What to do about it; may be empty.
    pub advice: String,
}

impl RecipeError {
    /// An error with advice.
    pub fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        RecipeError { what: what.into(), advice: advice.into() }
    }
}

/// What a running recipe can ask of the program that runs it.
pub trait Host: Sync {
    /// Says how far the work is (0 to 1) and what is being done.
    fn progress(&self, fraction: f64, what: &str);
    /// Threads that the task may use.
    fn threads(&self) -> usize {
        1
    }
}

/// A host that says nothing: for tests.
pub struct QuietHost;

impl Host for QuietHost {
    fn progress(&self, _: f64, _: &str) {}
}

/// A recipe, as an instrument's author writes it.
pub trait Recipe: Send + Sync {
    /// Its parameters: a struct whose documentation, defaults and ranges make the schema of the configuration.
    type Parameters: Serialize + DeserializeOwned + JsonSchema + Default;

    /// What the engine needs to know; schema and defaults are filled in from the parameters.
    fn describe(&self) -> RecipeDescription;

    /// Does the work. Products are written under the paths of `task.outputs`, completely or not at all.
    fn run(&self, task: &Task, parameters: Self::Parameters, host: &dyn Host) -> Result<Outcome, RecipeError>;
}

/// A recipe whose parameter type is forgotten: what an instrument hands out.
pub trait AnyRecipe: Send + Sync {
    /// As [`Recipe::describe`], with schema and defaults.
    fn description(&self) -> RecipeDescription;
    /// As [`Recipe::run`], parameters from the task.
    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError>;
}

impl<R: Recipe> AnyRecipe for R {
    fn description(&self) -> RecipeDescription {
        let mut description = self.describe();
        description.schema = schemars::schema_for!(R::Parameters).to_value();
        description.defaults = serde_json::to_value(R::Parameters::default()).unwrap_or_default();
        description
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let parameters = serde_json::from_value(task.parameters.clone()).map_err(|e| {
            RecipeError::new(format!("parameters of recipe {}: {e}", task.recipe), "see `ifured recipe show` for the parameters")
        })?;
        self.run(task, parameters, host)
    }
}

/// Where simulated frames are wanted and how many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulationRequest {
    /// Directory to write into (created).
    pub directory: PathBuf,
    /// Seed of everything random.
    pub seed: u64,
    /// Nights.
    pub nights: u32,
    /// Pixels along each axis; none is the instrument's small default.
    pub size: Option<u32>,
}

/// What was simulated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// Directory of the raw frames.
    pub raw: PathBuf,
    /// Directory of the truth.
    pub truth: PathBuf,
    /// Raw frames written.
    pub frames: usize,
}

/// One comparison of a product with the truth it was simulated from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthRow {
    /// Name of the product.
    pub product: String,
    /// What was compared.
    pub what: String,
    /// What came back.
    pub found: f64,
    /// What went in.
    pub truth: f64,
    /// How far apart they may be.
    pub tolerance: f64,
    /// Unit.
    pub unit: String,
}

impl TruthRow {
    /// Whether the truth came back.
    pub fn recovered(&self) -> bool {
        (self.found - self.truth).abs() <= self.tolerance
    }
}

/// A product to compare with the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductPath {
    /// Its tag.
    pub tag: Tag,
    /// Where it is.
    pub path: PathBuf,
    /// Path below the output directory.
    pub name: String,
}

impl ProductPath {
    /// File name without directories.
    pub fn file_name(&self) -> String {
        Path::new(&self.name).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
