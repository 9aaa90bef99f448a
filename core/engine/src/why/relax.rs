//! The smallest change of the configuration that lets a candidate through.

use serde::Serialize;

use crate::associate::Candidate;

/// A change of `[association.<recipe>.<role>]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
pub fn relaxation(recipe: &str, role: &str, candidate: &Candidate) -> Option<Relaxation> {
    if candidate.level.is_some() {
        return None;
    }
    let change = |key: &str, value: String, level: Option<i32>, more: bool| {
        Some(Relaxation { table: format!("association.{recipe}.{role}"), key: key.into(), value, level, more })
    };
    if candidate.why.starts_with("its quality is bad") {
        return change("accept_bad", "true".into(), None, true);
    }
    // From the strictest level to the loosest; the reason of the loosest is the candidate's own.
    let last = (None, candidate.why.as_str());
    let reasons: Vec<(Option<i32>, &str)> = candidate.failed.iter().map(|(l, w)| (Some(*l), w.as_str())).chain([last]).collect();
    if let Some((level, _)) = reasons.iter().find(|(_, why)| is_age(why)) {
        if candidate.days.is_finite() {
            return change("max_age_days", whole_days(candidate.days), *level, false);
        }
        return None;
    }
    let closed = reasons.iter().find_map(|(level, why)| Some((level, level_of(why)?)));
    closed.and_then(|(_, level)| change("max_level", level.to_string(), Some(level), true))
}

/// `40.0 d earlier, limit 30 d`
fn is_age(why: &str) -> bool {
    let limit = why.rsplit_once(", limit ").and_then(|(_, l)| l.strip_suffix(" d"));
    limit.is_some_and(|l| l.parse::<f64>().is_ok())
}

/// `level 2 is worse than max_level of the configuration`
fn level_of(why: &str) -> Option<i32> {
    why.strip_prefix("level ")?.strip_suffix(" is worse than max_level of the configuration")?.parse().ok()
}

/// Days, rounded up: to whole days from two on, else to tenths.
fn whole_days(days: f64) -> String {
    let d = days.abs();
    if d >= 2.0 { format!("{}", d.ceil()) } else { format!("{:.1}", ((d * 10.0).ceil() / 10.0).max(0.1)) }
}
