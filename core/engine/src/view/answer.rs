//! Answers of commands that are about single files, configurations and plugins rather than about a reduction.

use std::collections::BTreeMap;
use std::path::Path;

use ifured_core::{Header, InstrumentDescription, Value};
use ifured_pixels::fits::ScannedFile;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::{Problem, Problems};
use crate::error::Error;
use crate::import::Import;
use crate::verify::Check;

/// What went wrong: the answer of every command that fails.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ErrorView {
    /// What, on what, and why.
    pub error: String,
    /// What to do about it; may be empty.
    pub advice: String,
    /// The exit code.
    pub exit_code: u8,
    /// All that is wrong with a configuration, if that is what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problems: Option<Problems>,
}

impl From<&Error> for ErrorView {
    fn from(error: &Error) -> Self {
        let problems = match error {
            Error::Configuration(problems) => Some(problems.clone()),
            _ => None,
        };
        ErrorView { error: error.to_string(), advice: error.advice(), exit_code: error.exit_code(), problems }
    }
}

/// A product that was verified.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerifiedView {
    /// Its path, as it was given.
    pub product: String,
    /// Whether nothing is wrong with it.
    pub right: bool,
    /// What was checked.
    pub checks: Vec<Check>,
}

impl VerifiedView {
    /// The checks of a product.
    pub fn of(product: &Path, checks: Vec<Check>) -> Self {
        let right = checks.iter().all(|c| c.right != Some(false));
        VerifiedView { product: product.display().to_string(), right, checks }
    }
}

/// What `clean` did with a file or directory.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RemovedView {
    /// Path below the output directory.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
    /// What it is, where it is no product: `left by a failed run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<&'static str>,
}

/// What became of a file that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is gone.
    Removed,
    /// It would be removed: a dry run.
    WouldBeRemoved,
    /// It is still there: it was changed since it was written.
    Kept,
}

/// As in a list.
impl std::fmt::Display for RemovedView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.fate {
            Fate::Removed => write!(f, "removed {}", self.name)?,
            Fate::WouldBeRemoved => write!(f, "would remove {}", self.name)?,
            Fate::Kept => write!(f, "kept {}, which was changed since it was written", self.name)?,
        }
        self.what.map_or(Ok(()), |what| write!(f, ", {what}"))
    }
}

/// A report that was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReportView {
    /// Path of its first page.
    pub report: String,
}

/// A FITS file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShowView {
    /// Its path, as it was given.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Content hash.
    pub hash: String,
    /// Names of the instruments that recognise it.
    pub instruments: Vec<String>,
    /// Its HDUs.
    pub hdus: Vec<HduView>,
    /// What breaks the FITS standard in its primary header, in words.
    pub issues: Vec<String>,
    /// Statistics of the pixels of its first image, by name; none if it has no image.
    pub statistics: Option<BTreeMap<String, f64>>,
    /// Titles of the figures that its tables hold.
    pub figures: Vec<String>,
    /// The cards of its primary header.
    pub header: Vec<CardView>,
}

/// One HDU.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HduView {
    /// Place in the file, from 0.
    pub index: usize,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it is: `image 1024 x 1024, 16-bit integers`.
    pub kind: String,
    /// What is wrong with it.
    pub issues: Vec<String>,
}

/// One card of a header.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CardView {
    /// The keyword.
    pub keyword: String,
    /// Its value; none for commentary.
    pub value: Option<Value>,
    /// Text of commentary.
    pub text: Option<String>,
    /// The comment.
    pub comment: String,
}

impl ShowView {
    /// A file that was read, with the instruments that recognise it and the figures in it.
    pub fn of(path: &Path, file: &ScannedFile, instruments: Vec<String>, figures: Vec<String>) -> Self {
        let none = Header::default();
        let header = file.hdus.first().map_or(&none, |h| &h.header);
        let statistics = file.statistics.as_ref().and_then(|s| serde_json::to_value(s).ok());
        ShowView {
            file: path.display().to_string(),
            bytes: file.bytes,
            hash: file.hash.clone(),
            instruments,
            hdus: file
                .hdus
                .iter()
                .map(|h| HduView { index: h.index, name: h.name().map(str::to_owned), kind: h.kind.describe(), issues: h.issues.clone() })
                .collect(),
            issues: header.issues().iter().map(ToString::to_string).collect(),
            statistics: statistics.and_then(|s| serde_json::from_value(s).ok()),
            figures,
            header: header
                .cards()
                .iter()
                .map(|c| CardView {
                    keyword: c.keyword.clone(),
                    value: c.value().cloned(),
                    text: c.text().map(str::to_owned),
                    comment: c.comment().to_owned(),
                })
                .collect(),
        }
    }
}

/// An instrument that is known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PluginView {
    /// Version of the interface that it is built for.
    pub interface_version: u32,
    /// What it says of itself.
    pub description: InstrumentDescription,
}

/// A configuration that was checked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConfigCheckView {
    /// The file; none if only settings were typed.
    pub file: Option<String>,
    /// Name of the instrument that it is for; none if none is named.
    pub instrument: Option<String>,
    /// Whether nothing is wrong.
    pub valid: bool,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// A configuration that was imported.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ImportView {
    /// What became of the settings.
    #[serde(flatten)]
    pub import: Import,
    /// The other program.
    pub program: String,
    /// Name of the instrument.
    pub instrument: String,
    /// The file that was written; none if it was only shown.
    pub written: Option<String>,
    /// The configuration, where it was only shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
