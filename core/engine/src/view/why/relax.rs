//! The smallest change of the configuration that lets a candidate through.

use ifured_core::Role;
use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::associate::Candidate;
use crate::plan::reason::{Defect, Obstacle};

/// A change of `[association.<recipe>.<role>]`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Relaxation {
    /// The table of the configuration: `association.science-imaging.flat`.
    pub table: String,
    /// The key.
    pub key: String,
    /// Its value, as it is written.
    pub value: String,
    /// The level at which the candidate may then fit, where that is known.
    pub level: Option<i32>,
    /// Whether more may stand in the way behind this.
    pub more: bool,
}

impl std::fmt::Display for Relaxation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {} = {}", self.table, self.key, self.value)
    }
}

/// What would have to be changed so that a candidate that does not fit passes what it failed last; none if it fits, or if no
/// setting does that (the signatures differ, the product could not be made).
///
/// An age is the last thing that is looked at, so a longer one is enough. A quality or a level is looked at first, so that
/// something else may stand behind it.
pub fn relaxation(recipe: &str, role: &Role, candidate: &Candidate) -> Option<Relaxation> {
    if candidate.fit.is_some() {
        return None;
    }
    let change = |key: &str, value: String, level: Option<i32>, more: bool| {
        Some(Relaxation { table: format!("association.{recipe}.{role}"), key: key.into(), value, level, more })
    };
    match &candidate.unusable {
        Some(Obstacle::Defective { defect: Defect::Bad { .. } }) => return change("accept_bad", "true".into(), None, true),
        Some(Obstacle::OtherRecipe { found: Some(found), .. }) => return change("recipe", format!("\"{found}\""), None, true),
        Some(_) => return None,
        None => {}
    }
    let too_far = candidate.failed.iter().find_map(|(level, o)| match o {
        Obstacle::TooFar { days, .. } => Some((*level, *days)),
        _ => None,
    });
    if let Some((level, days)) = too_far {
        return days.and_then(|days| change("max_age_days", whole_days(days), Some(level), false));
    }
    let closed = candidate.failed.iter().find_map(|(_, o)| match o {
        Obstacle::LevelClosed { level } => Some(*level),
        _ => None,
    });
    closed.and_then(|level| change("max_level", level.to_string(), Some(level), true))
}

/// Days, rounded up: to whole days from two on, else to tenths.
fn whole_days(days: f64) -> String {
    let d = days.abs();
    if d >= 2.0 { format!("{}", d.ceil()) } else { format!("{:.1}", ((d * 10.0).ceil() / 10.0).max(0.1)) }
}
