//! What a recipe says of itself: how frames are grouped, which calibrations may serve, what is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule::Condition;
use crate::signature::Signature;
use crate::sof::AS_TAG;
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

impl Default for Grouping {
    /// All frames in one group.
    fn default() -> Self {
        Grouping { signature: Signature::default(), span_hours: None, within_night: false, apart: Vec::new(), min_frames: 1 }
    }
}

/// The frames that a recipe is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MainInput {
    /// Tags of raw frames or products. Where a frame and a product made of it both have one of them, the product takes the place of the frame.
    pub tags: Vec<Tag>,
    /// Only groups whose first frame fulfils these.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// How they are grouped.
    pub group: Grouping,
    /// Names of extensions (`*` and `?` are wild) that are reduced one by one: a task for each extension of the frames whose name matches. In
    /// the signatures of its inputs `EXTNAME` is that name. Frames that have no such extension make one task as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each_extension: Option<String>,
    /// How the recipe has to adapt the frames, as [`Level::adapt`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<String>,
}

impl MainInput {
    /// Frames of equal signature in one night, less than `span_hours` from the first, at least `min_frames` of them.
    pub fn groups(tags: &[&str], signature: &Signature, span_hours: f64, min_frames: usize) -> Self {
        let group =
            Grouping { signature: signature.clone(), span_hours: Some(span_hours), within_night: true, apart: Vec::new(), min_frames };
        MainInput { tags: tags.iter().map(|t| Tag::new(*t)).collect(), group, ..MainInput::default() }
    }

    /// Frames and products of one exposure of the telescope, of whatever extension.
    pub fn exposure(tags: &[&str]) -> Self {
        let group = Grouping { signature: Signature::exact(&[crate::lookup::FRAME]), ..Grouping::default() };
        MainInput { tags: tags.iter().map(|t| Tag::new(*t)).collect(), group, ..MainInput::default() }
    }

    /// A task for each extension whose name matches.
    pub fn each_extension(mut self, pattern: &str) -> Self {
        self.each_extension = Some(pattern.into());
        self
    }

    /// For a recipe of another program that takes the frames under that tag.
    pub fn go_in_as(mut self, tag: &str) -> Self {
        self.adapt = Some(format!("{AS_TAG}{tag}"));
        self
    }

    /// Each frame alone.
    pub fn single(tags: &[&str], signature: &Signature) -> Self {
        MainInput::groups(tags, signature, 0.0, 1)
    }
}

/// One way in which a calibration may fit, from the strictest to the loosest.
///
/// Levels follow the convention of ESO's EDPS: 0 is what the calibration plan foresees, 1 is sufficient, 2 probably
/// acceptable, 3 a significant risk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// How many of the candidates a recipe takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Take {
    /// The one that fits best: lowest level, then nearest in time.
    #[default]
    Nearest,
    /// All that fit at the best level that any of them fits at.
    All,
    /// For each value of a keyword the one that fits best: `EXTNAME` takes one for each extension.
    EachOf(String),
}

/// A calibration that a recipe uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// What it is for: `bias`, `flat`.
    pub role: String,
    /// Tags that may serve, products or raw frames.
    pub tags: Vec<Tag>,
    /// Whether the recipe can do without.
    pub required: bool,
    /// How it may fit, in order of preference; inside a level the nearest in time is taken.
    pub levels: Vec<Level>,
    /// How many are taken.
    #[serde(default)]
    pub take: Take,
    /// What the first main frame must fulfil for this input to be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
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

impl InputSpec {
    /// A calibration without which the recipe cannot work; say with [`InputSpec::same_night`] and [`InputSpec::within_days`] which
    /// will do.
    pub fn required(role: &str, tag: &str) -> Self {
        InputSpec { role: role.into(), tags: vec![tag.into()], required: true, level_without: 3, ..InputSpec::default() }
    }

    /// A calibration that improves the product; `otherwise` is what the recipe does without (`a flat of ones`), which is quality level 3.
    pub fn optional(role: &str, tag: &str, otherwise: &str) -> Self {
        InputSpec { required: false, otherwise: otherwise.into(), ..InputSpec::required(role, tag) }
    }

    /// More tags that may serve.
    pub fn or_tag(mut self, tag: &str) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// How many are taken, if not the nearest.
    pub fn take(mut self, take: Take) -> Self {
        self.take = take;
        self
    }

    /// Asked for only where the first main frame fulfils this as well.
    pub fn when(mut self, condition: Condition) -> Self {
        self.when.push(condition);
        self
    }

    /// The next level: whatever the time, with these values equal.
    pub fn any_time(self, signature: &Signature) -> Self {
        let title = if signature.0.is_empty() { "any".to_owned() } else { format!("same {}", words(signature)) };
        self.or(title, signature, false, None)
    }

    /// The next level: of the same night, with these values equal.
    pub fn same_night(self, signature: &Signature) -> Self {
        self.or(format!("same night, same {}", words(signature)), signature, true, None)
    }

    /// The next level: not further away in time, with these values equal.
    pub fn within_days(self, days: f64, signature: &Signature) -> Self {
        self.or(format!("within {days} days, same {}", words(signature)), signature, false, Some(days))
    }

    fn or(mut self, title: String, signature: &Signature, same_night: bool, max_age_days: Option<f64>) -> Self {
        let level = self.levels.last().map_or(0, |l| l.level + 1);
        self.levels.push(Level { level, title, signature: signature.clone(), same_night, max_age_days, adapt: None, when: Vec::new() });
        self
    }
}

/// The keys of a signature, for a title.
fn words(signature: &Signature) -> String {
    signature.0.iter().map(|k| k.key.as_str()).collect::<Vec<_>>().join(", ")
}

/// What a recipe makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductSpec {
    /// Tag of the product.
    pub tag: Tag,
    /// What it is.
    pub title: String,
    /// Path below the output directory; `{night}`, `{stem}` (name of the first main frame without `.fits`), `{tag}`
    /// (of the main input) and `{extension}` (with a hyphen before it; nothing in tasks of whole frames) are filled in.
    pub path: String,
    /// Keys that make it findable as a calibration and that make up its signature.
    pub signature: Signature,
}

impl ProductSpec {
    /// A product; see [`ProductSpec::path`] for what may stand in the path.
    pub fn new(tag: &str, title: &str, path: &str, signature: &Signature) -> Self {
        ProductSpec { tag: tag.into(), title: title.into(), path: path.into(), signature: signature.clone() }
    }
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

impl Default for Memory {
    /// For a recipe that holds all its frames with variance and quality, and a few images beside.
    fn default() -> Self {
        Memory { fixed: 64e6, per_pixel: 48.0, per_pixel_and_frame: 16.0 }
    }
}

impl Memory {
    /// Bytes for frames of so many pixels.
    pub fn bytes(&self, pixels: f64, frames: usize) -> u64 {
        (self.fixed + self.per_pixel * pixels + self.per_pixel_and_frame * pixels * frames as f64).ceil() as u64
    }
}

/// The recipe of a program outside of ifured that does the work of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Name of the recipe that it is a variant of: parameters and associations that the configuration does not give to it are those that it gives to
    /// that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_of: Option<String>,
    /// Memory of one task.
    pub memory: Memory,
    /// Why it cannot run on this machine, and what to do about it: a program that it needs is not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// The recipe of another program that does the work, if ifured does not do it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// JSON Schema of the parameters; filled in from the type of the parameters.
    #[serde(default)]
    pub schema: serde_json::Value,
    /// Default parameters; filled in from the type of the parameters.
    #[serde(default)]
    pub defaults: serde_json::Value,
}

impl Default for RecipeDescription {
    /// Version 1, enabled, memory for a recipe that holds its frames; name, frames and products are still to be said.
    fn default() -> Self {
        RecipeDescription {
            name: String::new(),
            version: 1,
            title: String::new(),
            description: String::new(),
            main: MainInput::single(&[], &Signature::default()),
            inputs: Vec::new(),
            products: Vec::new(),
            enabled: true,
            variant_of: None,
            memory: Memory::default(),
            unavailable: None,
            external: None,
            schema: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
        }
    }
}
