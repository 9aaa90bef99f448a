//! What a recipe says of itself: how frames are grouped, which calibrations may serve, what is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Engine, EngineName, Memory, Role};
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputSpec {
    /// What it is for: `bias`, `flat`.
    pub role: Role,
    /// Tags that may serve, products or raw frames. Several recipes may make frames of one tag; which of them was taken is said with the choice.
    pub tags: Vec<Tag>,
    /// Whether the recipe cannot do without.
    pub required: bool,
    /// Fewest frames that will do; if fewer fit there is none.
    #[serde(default = "one")]
    pub at_least: usize,
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

impl Default for InputSpec {
    /// Optional, one frame, no tag and no level yet.
    fn default() -> Self {
        InputSpec {
            role: Role::default(),
            tags: Vec::new(),
            required: false,
            at_least: 1,
            levels: Vec::new(),
            take: Take::default(),
            when: Vec::new(),
            otherwise: String::new(),
            level_without: 0,
            parameter: None,
        }
    }
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

    /// Fewest frames that will do.
    pub fn at_least(mut self, frames: usize) -> Self {
        self.at_least = frames;
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What kind of file it is.
    #[serde(default)]
    pub format: ProductFormat,
}

/// What kind of file a product is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProductFormat {
    /// FITS, with provenance in its primary header.
    #[default]
    Fits,
    /// Anything else: a text, a region file. Its provenance is the record of the attempt that made it.
    Text,
}

impl ProductFormat {
    /// Whether it is FITS.
    pub fn is_fits(&self) -> bool {
        *self == ProductFormat::Fits
    }
}

impl ProductSpec {
    /// A product; see [`ProductSpec::path`] for what may stand in the path.
    pub fn new(tag: &str, title: &str, path: &str, signature: &Signature) -> Self {
        ProductSpec { tag: tag.into(), title: title.into(), path: path.into(), signature: signature.clone(), format: ProductFormat::Fits }
    }

    /// It is a text and not FITS.
    pub fn text(self) -> Self {
        ProductSpec { format: ProductFormat::Text, ..self }
    }
}

/// What a parameter makes necessary: where it has one of these values, the input is required, and recipes that make it are switched on unless the
/// configuration switches them off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Requirement {
    /// Name of the parameter.
    pub parameter: String,
    /// Its values that have this consequence.
    pub values: Vec<serde_json::Value>,
    /// The input that is required then.
    pub role: Role,
    /// Recipes that are switched on then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enables: Vec<String>,
}

impl Requirement {
    /// With this value the parameter makes the input required.
    pub fn new(parameter: &str, value: impl Into<serde_json::Value>, role: &str) -> Self {
        Requirement { parameter: parameter.into(), values: vec![value.into()], role: role.into(), enables: Vec::new() }
    }

    /// That recipe is switched on then.
    pub fn enables(mut self, recipe: &str) -> Self {
        self.enables.push(recipe.into());
        self
    }

    /// Whether these parameters have the consequence.
    pub fn holds(&self, parameters: &serde_json::Value) -> bool {
        parameters.get(&self.parameter).is_some_and(|value| self.values.contains(value))
    }
}

/// What the engine needs to know of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What its parameters make necessary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<Requirement>,
    /// Memory of one task, unless an engine says otherwise.
    pub memory: Memory,
    /// The engines that can do the work, with their parameters; filled in. The first does it unless the configuration says otherwise.
    #[serde(default)]
    pub engines: Vec<Engine>,
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
            requirements: Vec::new(),
            memory: Memory::default(),
            engines: Vec::new(),
        }
    }
}

impl RecipeDescription {
    /// What contradicts itself, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |wrong: bool, what: String| {
            if wrong {
                problems.push(what);
            }
        };
        say(self.name.is_empty(), "it has no name".into());
        say(self.main.tags.is_empty(), "it is about no frames".into());
        say(self.products.is_empty(), "it makes no products".into());
        say(self.engines.is_empty(), "it has no engine".into());
        let roles: Vec<&Role> = self.inputs.iter().map(|i| &i.role).collect();
        for (n, input) in self.inputs.iter().enumerate() {
            say(roles[..n].contains(&&input.role), format!("two inputs are called {}", input.role));
            say(input.role.is_main(), "an input is called main".into());
            say(input.tags.is_empty(), format!("no frame can be its {}", input.role));
            let alone = input.take == Take::Nearest && input.at_least > 1;
            say(alone, format!("its {} is one frame, and at least {} are wanted", input.role, input.at_least));
        }
        for engine in &self.engines {
            say(!engine.schema.is_object(), format!("engine {} has no schema of its parameters", engine.name));
            let switches = self.inputs.iter().filter_map(|i| i.parameter.as_ref());
            for name in switches.chain(self.requirements.iter().map(|r| &r.parameter)).filter(|n| !engine.has_parameter(n)) {
                // Another engine may have it.
                say(!self.engines.iter().any(|e| e.has_parameter(name)), format!("it has no parameter `{name}`"));
            }
        }
        for requirement in &self.requirements {
            say(
                !roles.contains(&&requirement.role),
                format!("parameter {} requires `{}`, which is no input", requirement.parameter, requirement.role),
            );
        }
        problems
    }

    /// Whether another description takes and makes the same: that of another engine.
    pub(crate) fn is_same_work(&self, other: &Self) -> bool {
        self.main == other.main
            && self.inputs == other.inputs
            && self.products == other.products
            && self.requirements == other.requirements
            && self.variant_of == other.variant_of
    }

    /// The engine of that name.
    pub fn engine(&self, name: &EngineName) -> Option<&Engine> {
        self.engines.iter().find(|e| e.name == *name)
    }

    /// The engine that does the work unless the configuration says otherwise.
    pub fn first_engine(&self) -> Option<&Engine> {
        self.engines.first()
    }
}
