//! Instruments: what an author describes so that a folder of raw frames can be reduced.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exposure_name::ExposureNames;
use crate::header::{Header, Value, normalise};
use crate::hint::Hints;
use crate::import::{ImportRequest, ImportSource, Imported};
use crate::known_objects::KnownObjects;
use crate::recipe::{AnyRecipe, EngineName, Host, ProductPath, RecipeDescription, RecipeError, Simulation, SimulationRequest, TruthRow};
use crate::rule::{Condition, Rule};
use crate::signature::Signature;

/// What a kind of frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Calibrates others.
    Calibration,
    /// What the night was for.
    Science,
    /// Neither: acquisition, focus.
    Other,
}

/// One kind of raw frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameType {
    /// When a frame is of this kind, and what a good one fulfils.
    #[serde(flatten)]
    pub rule: Rule,
    /// One line.
    pub title: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The values that identify a set-up.
    pub signature: Signature,
    /// Whether it may have no time: what belongs to the instrument and not to a night.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timeless: bool,
    /// Whether frames of this kind are products: one of an archive may take the place of one that a recipe makes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub product: bool,
}

impl FrameType {
    /// Frames for which all of `when` holds.
    pub fn new(tag: &str, title: &str, purpose: Purpose, signature: &Signature, when: Vec<Condition>) -> Self {
        let rule = Rule { tag: tag.into(), when, expect: Vec::new() };
        FrameType { rule, title: title.into(), purpose, signature: signature.clone(), timeless: false, product: false }
    }

    /// It may have no time.
    pub fn timeless(self) -> Self {
        FrameType { timeless: true, ..self }
    }

    /// They are products.
    pub fn product(self) -> Self {
        FrameType { product: true, ..self }
    }

    /// What a good one fulfils; one that does not is `wrong-…`.
    pub fn expecting(mut self, expect: Vec<Condition>) -> Self {
        self.rule.expect = expect;
        self
    }
}

/// Which night a frame belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NightRule {
    /// The name of the directory that holds the file.
    #[default]
    Directory,
    /// The date at the preceding local noon.
    Noon {
        /// Longitude of the observatory in degrees, east positive.
        longitude_deg: f64,
    },
}

/// Where the time of a frame is found. The first that gives a sensible value is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimeKeys {
    /// Modified Julian date.
    pub mjd: String,
    /// ISO date and time, UTC.
    pub date: String,
    /// Julian date.
    pub jd: Option<String>,
}

impl Default for TimeKeys {
    fn default() -> Self {
        TimeKeys { mjd: "MJD-OBS".into(), date: "DATE-OBS".into(), jd: Some("JD".into()) }
    }
}

/// The library that an instrument was loaded from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Library {
    /// Where it is.
    #[serde(with = "crate::path")]
    #[schemars(with = "String")]
    pub path: PathBuf,
    /// Its content hash.
    pub hash: String,
}

/// All that the engine needs to know of an instrument; data, so that it can cross a library boundary as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstrumentDescription {
    /// Name, lower case: `cafos`.
    pub name: String,
    /// Other names it is asked for by.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// One line.
    pub title: String,
    /// Version of the plugin.
    pub version: String,
    /// A frame is of this instrument when all of these hold.
    pub recognise: Vec<Condition>,
    /// What every usable raw frame fulfils, whatever its kind; a frame that does not is refused with the reason.
    #[serde(default)]
    pub require: Vec<Condition>,
    /// Whether pixel statistics of the primary array are wanted for each frame.
    pub statistics: bool,
    /// Which night a frame belongs to.
    pub night: NightRule,
    /// Where the time is found.
    #[serde(default)]
    pub time: TimeKeys,
    /// Objects by which frames are given a keyword before the rules are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_objects: Vec<KnownObjects>,
    /// Kinds of raw frames, in the order in which the rules are tried.
    pub frame_types: Vec<FrameType>,
    /// Recipes; filled in from [`Instrument::recipes`].
    #[serde(default)]
    pub recipes: Vec<RecipeDescription>,
    /// Keywords that lists show unless asked for others.
    pub columns: Vec<String>,
    /// How science exposures are named, and which products are collected.
    #[serde(default)]
    pub exposure_names: ExposureNames,
    /// Programs whose configuration [`Instrument::import`] understands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<ImportSource>,
    /// Names of files beside the frames that [`Instrument::hints`] reads, with `*` and `?`: `*.xml`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hint_files: Vec<String>,
    /// The library that it was loaded from; filled in by the host, none if it is built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<Library>,
}

impl InstrumentDescription {
    /// The recipe of that name.
    pub fn recipe(&self, name: &str) -> Option<&RecipeDescription> {
        self.recipes.iter().find(|r| r.name == name)
    }

    /// Adds the keywords of the known objects that a raw header is of, those that it does not have, and says which they are.
    pub fn name_known_objects(&self, header: &mut Header, mjd: Option<f64>) -> Vec<(String, Value)> {
        let mut named = Vec::new();
        for known in &self.known_objects {
            if header.contains(&known.keyword) {
                continue;
            }
            if let Some(object) = known.find(header, mjd) {
                header.set(&known.keyword, object.name.as_str(), "known object that the frame points at");
                named.push((normalise(&known.keyword), object.name.as_str().into()));
            }
        }
        named
    }

    /// What contradicts itself in the recipes, in words; empty if all is well. A recipe that is broken must not merely be missing.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        for recipe in &self.recipes {
            if !names.insert(&recipe.name) {
                problems.push(format!("two recipes are called {}", recipe.name));
            }
            problems.extend(recipe.problems().into_iter().map(|p| format!("recipe {}: {p}", recipe.name)));
        }
        for recipe in &self.recipes {
            let enabled = recipe.requirements.iter().flat_map(|r| &r.enables);
            let known = |name: &str| self.recipe(name).is_some();
            problems.extend(enabled.filter(|n| !known(n)).map(|n| format!("recipe {} enables `{n}`, which is not there", recipe.name)));
            let original = recipe.variant_of.iter().filter(|n| !known(n));
            problems.extend(original.map(|n| format!("recipe {} is a variant of `{n}`, which is not there", recipe.name)));
        }
        problems
    }

    /// Where it comes from, in words: its library, or `built in`.
    pub fn origin(&self) -> String {
        self.library.as_ref().map_or_else(|| "built in".to_owned(), |l| l.path.display().to_string())
    }

    /// Whether it answers to that name.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
    }
}

/// An instrument, as its author writes it.
pub trait Instrument: Send + Sync {
    /// Name, rules, signatures; recipes are filled in.
    fn describe(&self) -> InstrumentDescription;

    /// The recipes. Two of one name are two engines of one recipe, the first of which does the work unless the configuration says otherwise.
    ///
    /// # Errors
    /// What is wrong with the description of a recipe: it is told, and the instrument is not used.
    fn recipes(&self) -> Result<Vec<Box<dyn AnyRecipe>>, RecipeError>;

    /// Writes raw frames with known truth: for the demo, the tests and `ifured plugin check`.
    fn simulate(&self, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError>;

    /// Compares products with the truth that [`Instrument::simulate`] wrote.
    fn compare_with_truth(&self, truth: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError>;

    /// What the configuration of another program means here, for programs of [`InstrumentDescription::imports`].
    ///
    /// # Errors
    /// What is wrong with the files, all of it at once, with file and line.
    fn import(&self, request: &ImportRequest) -> Result<Imported, RecipeError> {
        let what = format!("there is nothing that {} imports (asked for {})", self.describe().name, request.program);
        Err(RecipeError::new(what, "write the configuration by hand: `ifured init` makes one to start from"))
    }

    /// What a file of [`InstrumentDescription::hint_files`] says of which frames belong together.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn hints(&self, file: &Path) -> Result<Hints, RecipeError> {
        let what = format!("{}: {} reads no such files", file.display(), self.describe().name);
        Err(RecipeError::new(what, "take its name out of the instrument's `hint_files`"))
    }

    /// Versions of the programs outside that do the work of recipes, as they are installed here.
    ///
    /// # Errors
    /// As [`Instrument::recipes`].
    fn installed_versions(&self) -> Result<Vec<InstalledVersion>, RecipeError> {
        let of = |r: &dyn AnyRecipe| {
            Some(InstalledVersion { recipe: r.description().name, engine: r.engine(), version: r.installed_version()? })
        };
        Ok(self.recipes()?.iter().filter_map(|r| of(&**r)).collect())
    }

    /// As [`Instrument::describe`], with the recipes.
    ///
    /// # Errors
    /// As [`Instrument::recipes`]; engines of one recipe that do not take and make the same.
    fn description(&self) -> Result<InstrumentDescription, RecipeError> {
        let mut description = self.describe();
        for recipe in self.recipes()? {
            let mut described = recipe.description();
            match description.recipes.iter_mut().find(|r| r.name == described.name) {
                None => description.recipes.push(described),
                Some(first) if first.is_same_work(&described) => first.engines.append(&mut described.engines),
                Some(first) => {
                    let what = format!("the engines of recipe {} do not take and make the same frames", first.name);
                    return Err(RecipeError::new(what, "give them the same main frames, inputs, products and requirements"));
                }
            }
        }
        Ok(description)
    }
}

/// Version of a program that does the work of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstalledVersion {
    /// The recipe.
    pub recipe: String,
    /// The engine.
    pub engine: EngineName,
    /// The version.
    pub version: String,
}
