//! What lists answer as JSON: one object a row, with the usual columns and those that were asked for. A row that has no value in a column has `null`.

use std::collections::BTreeMap;

use ifured_core::Value;
use schemars::JsonSchema;
use serde::Serialize;

/// Columns that were asked for, by name.
type More = BTreeMap<String, Option<Value>>;

/// A raw frame in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FrameRow {
    /// Path below the directory that was scanned.
    pub name: String,
    /// Night.
    pub night: String,
    /// What kind of frame it is.
    pub tag: String,
    /// `good`, `wrong`, `refused`, `ignored` or `duplicate`.
    pub state: String,
    /// Why it is not good; empty where it is.
    pub why: String,
    /// What was odd about it.
    pub notes: String,
    /// Columns of the instrument, and those that were asked for.
    #[serde(flatten)]
    pub more: More,
}

/// A group in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupRow {
    /// Its first frame.
    pub name: String,
    /// Night.
    pub night: String,
    /// The recipe that reduces it.
    pub recipe: String,
    /// `planned`, `blocked` or `skipped`.
    pub state: String,
    /// Number of frames.
    pub frames: usize,
    /// Why it is not planned.
    pub why: Option<String>,
    /// Columns that were asked for.
    #[serde(flatten)]
    pub more: More,
}

/// A task in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaskRow {
    /// Its first product.
    pub name: String,
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// `done`, `failed`, `to do`, or `not planned` for a task that other settings or other frames had made, whose products are there.
    pub state: String,
    /// Quality level.
    pub level: i32,
    /// Grade of what it made.
    pub grade: Option<String>,
    /// CPU seconds of the last attempt.
    pub cpu: Option<f64>,
    /// Peak memory of the last attempt, in megabytes.
    pub peak_mb: Option<f64>,
    /// Columns that were asked for.
    #[serde(flatten)]
    pub more: More,
}

/// A product in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProductRow {
    /// Path below the output directory.
    pub name: String,
    /// Its tag.
    pub tag: String,
    /// Night.
    pub night: String,
    /// Quality level.
    pub level: Option<i32>,
    /// Its grade.
    pub grade: Option<String>,
    /// Number of main frames.
    pub frames: Option<usize>,
    /// Columns that were asked for.
    #[serde(flatten)]
    pub more: More,
}

/// A value of a quality number in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct QualityRow {
    /// The product: the first of its task, whose number it is.
    pub name: String,
    /// Its tag.
    pub tag: String,
    /// Night.
    pub night: String,
    /// Name of the number: `READ NOISE`.
    pub number: String,
    /// The value; none where it could not be measured.
    pub value: Option<f64>,
    /// Standard error, where known.
    pub error: Option<f64>,
    /// Unit.
    pub unit: Option<String>,
    /// Median of the series: of all values of this number of products of this tag.
    pub median: Option<f64>,
    /// Median absolute deviation of the series.
    pub mad: Option<f64>,
    /// The limits that it was judged by, in words.
    pub limits: Option<String>,
    /// The verdict.
    pub grade: String,
    /// Columns that were asked for.
    #[serde(flatten)]
    pub more: More,
}

/// Where a product comes from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Origin {
    /// Name of the product.
    pub product: String,
    /// The main frames; `WHY` says why one was rejected.
    pub frames: Vec<More>,
    /// Products of the same tag and signature.
    pub siblings: Vec<More>,
}
