//! How the frames of a master are combined: the choice as a parameter.

use ifured_core::RecipeError;
use ifured_pixels::combine::{self, CombineError};
use ifured_pixels::statistics::SigmaClip;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes for the bands of all frames together: they stay in the cache from reading to the sums.
pub const BAND_MEMORY: usize = 1 << 20;

/// How the values of a pixel are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Median: robust, with 25 % more noise than the mean.
    Median,
    /// Mean of all values: not robust.
    Mean,
    /// Mean of the values within a number of standard deviations of the median: as good as the mean, and robust.
    SigmaClip,
    /// Mean without the lowest and the highest value.
    MinMax,
}

impl Method {
    /// The method with its limits, in standard deviations of the noise model.
    pub fn with_limits(self, low: f64, high: f64) -> combine::Method {
        match self {
            Method::Median => combine::Method::Median,
            Method::Mean => combine::Method::Mean,
            Method::SigmaClip => combine::Method::SigmaClip(SigmaClip { low, high, max_iterations: 3 }),
            Method::MinMax => combine::Method::MinMax { low: 1, high: 1 },
        }
    }
}

/// An error of the combination as that of a recipe; `names` are those of the frames.
pub fn combine_error(error: CombineError<RecipeError>, names: &[&str]) -> RecipeError {
    match error {
        CombineError::Read { frame, source } => {
            RecipeError::new(format!("{}: {}", names.get(frame).unwrap_or(&"frame"), source.what), source.advice)
        }
        other => RecipeError::new(other.to_string(), "frames of a group must have one read-out window"),
    }
}
