//! Simulated raw frames and the comparison of products with their truth.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tag::Tag;

/// Where simulated frames are wanted and how many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulationRequest {
    /// Directory to write into (created).
    #[serde(with = "crate::path")]
    #[schemars(with = "String")]
    pub directory: PathBuf,
    /// Seed of everything random.
    pub seed: u64,
    /// Nights.
    pub nights: u32,
    /// Pixels along each axis; none is the instrument's small default.
    pub size: Option<u32>,
}

/// What was simulated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Simulation {
    /// Directory of the raw frames.
    #[serde(with = "crate::path")]
    #[schemars(with = "String")]
    pub raw: PathBuf,
    /// Directory of the truth.
    #[serde(with = "crate::path")]
    #[schemars(with = "String")]
    pub truth: PathBuf,
    /// Raw frames written.
    pub frames: usize,
}

/// One comparison of a product with the truth it was simulated from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// A comparison with one product.
    pub fn new(product: &ProductPath, what: &str, found: f64, truth: f64, tolerance: f64, unit: &str) -> Self {
        TruthRow { product: product.name.clone(), what: what.into(), found, truth, tolerance, unit: unit.into() }
    }

    /// Whether the truth came back.
    pub fn recovered(&self) -> bool {
        (self.found - self.truth).abs() <= self.tolerance
    }
}

/// A product to compare with the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProductPath {
    /// Its tag.
    pub tag: Tag,
    /// Where it is.
    #[serde(with = "crate::path")]
    #[schemars(with = "String")]
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
