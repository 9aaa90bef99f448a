//! Why things are as they are in a plan: blocked, missing, second choice, to do, out of date. Values with their data; their text is made
//! here and nowhere else, and no code reads it again.

use std::fmt::{self, Display, Formatter};

use ifured_core::recipe::{Outcome, Span};
use ifured_core::{Grade, Role, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why the products of a task cannot or should not be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Defect {
    /// The task failed.
    Failed {
        /// What went wrong, without the log that follows.
        what: String,
    },
    /// It found nothing to make.
    Nothing {
        /// What it says of that.
        notes: Vec<String>,
    },
    /// Quality numbers outside their limits.
    Bad {
        /// Which.
        numbers: Vec<Shortfall>,
    },
}

/// A quality number outside its limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shortfall {
    /// Its name.
    pub name: String,
    /// Its value; none where it could not be measured.
    pub value: Option<f64>,
    /// Unit.
    pub unit: String,
    /// The limits, in words.
    pub limits: String,
}

impl Defect {
    /// That a task failed: the first line of what it said.
    pub fn failed(what: &str) -> Self {
        Defect::Failed { what: what.lines().next().unwrap_or_default().to_owned() }
    }

    /// What is wrong with what came out of a task, if it is of no use.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        if outcome.products.is_empty() {
            return Some(Defect::Nothing { notes: outcome.notes.clone() });
        }
        (outcome.grade() == Grade::Bad).then(|| {
            let worst = outcome.quality.iter().filter(|q| q.grade == Grade::Bad);
            let short = |q: &ifured_core::QualityNumber| Shortfall {
                name: q.name.clone(),
                value: q.value,
                unit: q.unit.clone(),
                limits: q.limits.clone(),
            };
            Defect::Bad { numbers: worst.map(short).collect() }
        })
    }

    /// Whether there is a product, although it should not be used.
    pub fn is_made(&self) -> bool {
        matches!(self, Defect::Bad { .. })
    }
}

impl Display for Defect {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Defect::Failed { what } => write!(f, "it could not be made: {what}"),
            Defect::Nothing { notes } => {
                write!(f, "it could not be made: {}", notes.join("; ").lines().next().unwrap_or_default())
            }
            Defect::Bad { numbers } => {
                let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                write!(f, "its quality is bad: {}", texts.join(", "))
            }
        }
    }
}

impl Display for Shortfall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = self.value.map_or("not measurable".to_owned(), |v| format!("{v:.4}"));
        write!(f, "{} {value} {} ({})", self.name, self.unit, self.limits)
    }
}

/// What keeps a candidate from a quality level, or from all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Obstacle {
    /// The task that makes it is of no use.
    Defective {
        /// Why.
        defect: Defect,
    },
    /// The configuration wants the product of another recipe.
    OtherRecipe {
        /// The recipe that makes it; none for a frame of the data.
        found: Option<String>,
        /// The recipe that is wanted.
        wanted: String,
    },
    /// The configuration does not allow this level.
    LevelClosed {
        /// The level.
        level: i32,
    },
    /// A condition of the level does not hold.
    Condition {
        /// Which, and what was found.
        why: String,
    },
    /// A value of the signature disagrees.
    Signature {
        /// Which, and by how much.
        why: String,
    },
    /// It is of another night.
    OtherNight {
        /// Its night.
        found: String,
        /// The night of the group.
        wanted: String,
    },
    /// It is too far away in time, or without a date.
    TooFar {
        /// Time of the candidate minus time of the frame, in days, if known.
        days: Option<f64>,
        /// Most that is allowed.
        limit: f64,
    },
    /// The recipe declares no level.
    NoLevel,
}

impl Display for Obstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Defective { defect } => defect.fmt(f),
            Obstacle::OtherRecipe { found: Some(found), wanted } => {
                write!(f, "{found} makes it, and the configuration wants that of {wanted}")
            }
            Obstacle::OtherRecipe { found: None, wanted } => write!(f, "it lies in the data, and the configuration wants that of {wanted}"),
            Obstacle::Condition { why } | Obstacle::Signature { why } => f.write_str(why),
            Obstacle::LevelClosed { level } => write!(f, "level {level} is worse than max_level of the configuration"),
            Obstacle::OtherNight { found, wanted } => write!(f, "night {found}, needed {wanted}"),
            Obstacle::TooFar { days, limit } => write!(f, "{}, limit {limit} d", Span(*days)),
            Obstacle::NoLevel => f.write_str("no level is declared"),
        }
    }
}

/// Why an input has nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Lack {
    /// The configuration leaves it out.
    LeftOut,
    /// There is no frame of its tags.
    NoCandidate {
        /// The tags that would serve.
        tags: Vec<Tag>,
        /// The recipe that would have made one and is blocked, if there is one.
        blocked: Option<String>,
    },
    /// There are some, and none fits.
    NoneFits {
        /// The best of them.
        nearest: String,
        /// What keeps it from the loosest level.
        obstacle: Obstacle,
    },
    /// Fewer fit than are needed.
    TooFew {
        /// So many fit.
        found: usize,
        /// So many are needed.
        wanted: usize,
    },
    /// It was not given by hand.
    NotGiven,
}

impl Display for Lack {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Lack::LeftOut => f.write_str("left out by the configuration"),
            Lack::NoCandidate { tags, blocked } => {
                write!(f, "there is no {}", joined(tags, " or "))?;
                blocked.as_ref().map_or(Ok(()), |recipe| write!(f, ", for {recipe} is blocked"))
            }
            Lack::NoneFits { nearest, obstacle } => write!(f, "nearest candidate {nearest}: {obstacle}"),
            Lack::TooFew { found, wanted } => write!(f, "{found} of at least {wanted} fit"),
            Lack::NotGiven => f.write_str("not given"),
        }
    }
}

fn joined(tags: &[Tag], by: &str) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(by)
}

/// What keeps a group from being reduced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Block {
    /// A required input has nothing.
    Input {
        /// The input.
        role: Role,
        /// Why.
        lack: Lack,
        /// The parameter that makes it necessary, with its value, if one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_parameter: Option<String>,
    },
    /// A file that a parameter names.
    File(FileLack),
    /// Frames of the instrument that belong to no night were not given.
    StaticFrames {
        /// Their tags.
        tags: Vec<Tag>,
    },
}

impl Display for Block {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Block::Input { role, lack, for_parameter: None } => write!(f, "no {role}: {lack}"),
            Block::Input { role, lack, for_parameter: Some(parameter) } => write!(f, "no {role}, which {parameter} needs: {lack}"),
            Block::File(lack) => lack.fmt(f),
            Block::StaticFrames { tags } => {
                let (be, them) = if tags.len() == 1 { ("is", "it") } else { ("are", "them") };
                write!(f, "{} {be} of the instrument and of no night: name the directory with {them}, too", joined(tags, ", "))
            }
        }
    }
}

/// Why the file that a parameter names cannot be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "file")]
pub enum FileLack {
    /// None is named.
    NotNamed {
        /// The recipe.
        recipe: String,
        /// Its parameter.
        parameter: String,
    },
    /// It cannot be read.
    Unreadable {
        /// The parameter.
        parameter: String,
        /// Why.
        why: String,
    },
}

impl Display for FileLack {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            FileLack::NotNamed { recipe, parameter } => write!(f, "no {parameter}: set recipes.{recipe}.{parameter} to a file"),
            FileLack::Unreadable { parameter, why } => write!(f, "no {parameter}: {why}"),
        }
    }
}

/// Why a group is left out on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Skip {
    /// It has too few frames.
    TooFewFrames {
        /// So many.
        found: usize,
        /// So many are needed.
        wanted: usize,
    },
}

impl Display for Skip {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Skip::TooFewFrames { found, wanted } => write!(f, "{found} of at least {wanted} frames"),
        }
    }
}

/// Why a task has to be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ToDo {
    /// Its product does not exist yet.
    NotMade,
    /// It has no products.
    NoProducts,
    /// Asked for by `--force`.
    Forced,
    /// A product is not there any more.
    Gone {
        /// Its name.
        name: String,
    },
    /// A product is not as it was written.
    Changed {
        /// Its name.
        name: String,
    },
    /// A product cannot be read.
    Unreadable {
        /// Its name.
        name: String,
    },
    /// A product fails its checksum.
    Damaged {
        /// Its name.
        name: String,
    },
    /// The file is the product of another task.
    OfAnotherTask {
        /// Its name.
        name: String,
    },
    /// A product was made from other frames, with other parameters or another version.
    OutOfDate {
        /// Its name.
        name: String,
        /// The program outside that made it and the one that would, if they differ.
        program: Option<(String, String)>,
    },
}

impl Display for ToDo {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ToDo::NotMade => f.write_str("its product does not exist yet"),
            ToDo::NoProducts => f.write_str("it has no products"),
            ToDo::Forced => f.write_str("asked for by --force"),
            ToDo::Gone { name } => write!(f, "{name} is gone"),
            ToDo::Changed { name } => write!(f, "{name} is not as it was written"),
            ToDo::Unreadable { name } => write!(f, "{name} cannot be read"),
            ToDo::Damaged { name } => write!(f, "{name} fails its checksum"),
            ToDo::OfAnotherTask { name } => write!(f, "{name} belongs to another task"),
            ToDo::OutOfDate { name, program: None } => write!(f, "{name} is out of date"),
            ToDo::OutOfDate { name, program: Some((was, is)) } => write!(f, "{name} is out of date: made by {was}, now it is {is}"),
        }
    }
}

/// What a person should know before a plan runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Note {
    /// Recipes that cannot run here.
    Unavailable {
        /// Their names.
        recipes: Vec<String>,
        /// Why, and what to do.
        why: String,
    },
    /// What is to be said of a file of hints.
    Hints {
        /// What.
        text: String,
    },
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Note::Unavailable { recipes, why } => write!(f, "{} cannot run here: {why}", recipes.join(", ")),
            Note::Hints { text } => f.write_str(text),
        }
    }
}
