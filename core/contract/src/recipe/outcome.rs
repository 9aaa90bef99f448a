//! What came out of a task: products, quality numbers, frames that were left out.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TaskOutput;
use crate::tag::Tag;

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RejectedFrame {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// A file or directory that a recipe leaves beside its products: a log, the set of frames of a program, what a failed run left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SideFile {
    /// What it is: `log of muse_bias`.
    pub what: String,
    /// Where it is.
    #[serde(with = "crate::path")]
    #[schemars(with = "String")]
    pub path: PathBuf,
}

/// What came out of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Products, in the order of the task's outputs; an optional one may be absent.
    pub products: Vec<WrittenProduct>,
    /// Quality numbers.
    pub quality: Vec<QualityNumber>,
    /// Main frames that were left out, with the reason.
    pub rejected: Vec<RejectedFrame>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What lies beside the products.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_files: Vec<SideFile>,
}

impl Outcome {
    /// That an output was written, with its content hash and size.
    pub fn add(&mut self, output: &TaskOutput, hash: String, bytes: u64) {
        self.products.push(WrittenProduct { tag: output.tag.clone(), name: output.name.clone(), hash, bytes });
    }

    /// The worst grade of all quality numbers.
    pub fn grade(&self) -> Grade {
        self.quality.iter().map(|q| q.grade).max().unwrap_or(Grade::Good)
    }
}
