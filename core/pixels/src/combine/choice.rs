//! How the frames of a master are combined: the choice as a parameter of a recipe.

use ifured_core::RecipeError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CombineError, Method};
use crate::statistics::SigmaClip;

/// Bytes for [`super::CombineOptions::memory`] with which the bands of all frames stay in the cache from reading to the sums.
pub const BAND_MEMORY: usize = 1 << 20;

/// How the values of a pixel are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MethodChoice {
    /// Median: robust, with 25 % more noise than the mean.
    Median,
    /// Mean of all values: not robust.
    Mean,
    /// Mean of the values within a number of standard deviations of the median: as good as the mean, and robust.
    SigmaClip,
    /// Mean without the lowest and the highest value.
    MinMax,
}

impl MethodChoice {
    /// The method with its limits, in standard deviations of the noise model.
    pub fn with_limits(self, low: f64, high: f64) -> Method {
        match self {
            MethodChoice::Median => Method::Median,
            MethodChoice::Mean => Method::Mean,
            MethodChoice::SigmaClip => Method::SigmaClip(SigmaClip { low, high, max_iterations: 3 }),
            MethodChoice::MinMax => Method::MinMax { low: 1, high: 1 },
        }
    }
}

/// An error of the combination as that of a recipe; `names` are those of the frames.
pub fn combine_error<E: Into<RecipeError> + std::fmt::Display>(error: CombineError<E>, names: &[&str]) -> RecipeError {
    match error {
        CombineError::Read { frame, source } => {
            let source = source.into();
            RecipeError::new(format!("{}: {}", names.get(frame).unwrap_or(&"frame"), source.what), source.advice)
        }
        other => RecipeError::new(other.to_string(), "frames of a group must have one read-out window"),
    }
}
