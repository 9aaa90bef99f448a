//! Why a frame was taken for an input, as a value. Its text is made here, and nothing reads that text again.

use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Grade;

/// Why a frame was taken for an input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
#[non_exhaustive]
pub enum Choice {
    /// The task is about it.
    #[default]
    Main,
    /// It fits at a quality level.
    Fits(Fit),
    /// It was given by hand.
    ByHand,
    /// The configuration names it.
    Configured,
}

/// How a candidate fits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fit {
    /// What the level means: `same set-up, same night`.
    pub title: String,
    /// Time of the candidate minus time of the group, in days; none if one of them is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
    /// What hints say of it; it has moved the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Named>,
    /// Its grade, where it is made and is not simply good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// The recipe that makes it, where several make frames of its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

/// What the hints say of one candidate for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// It belongs to the frame, and its quality is vouched for.
    Certified,
    /// It belongs to the frame.
    Associated,
    /// It belongs to the frame, and its quality is not vouched for.
    NotCertified,
    /// Others of its kind belong to the frame.
    Others,
}

impl Named {
    /// What is added to its quality level.
    pub fn shift(self) -> i32 {
        match self {
            Named::Certified | Named::Associated => -1,
            Named::NotCertified | Named::Others => 1,
        }
    }
}

/// A time difference in days as a person says it: `3.2 h later`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span(pub Option<f64>);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(days) = self.0 else { return f.write_str("without a date") };
        let side = if days < 0.0 { "earlier" } else { "later" };
        let d = days.abs();
        if d < 1.0 / 24.0 {
            write!(f, "{:.0} min {side}", d * 1440.0)
        } else if d < 2.0 {
            write!(f, "{:.1} h {side}", d * 24.0)
        } else {
            write!(f, "{d:.1} d {side}")
        }
    }
}

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Named::Certified => "raised: the archive associates it, certified",
            Named::Associated => "raised: the archive associates it",
            Named::NotCertified => "lowered: the archive associates it, not certified",
            Named::Others => "lowered: the archive associates others",
        })
    }
}

impl Display for Fit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.title, Span(self.days))?;
        self.remarks().try_for_each(|remark| write!(f, ", {remark}"))
    }
}

impl Fit {
    /// What is to be said besides the level and the time.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let grade = self.grade.filter(|g| *g != Grade::Good).map(|g| g.as_str().to_owned());
        let made_by = self.made_by.as_ref().map(|recipe| format!("made by {recipe}"));
        self.named.map(|n| n.to_string()).into_iter().chain(grade).chain(made_by)
    }
}

impl Choice {
    /// How it fits, if it was chosen for that.
    pub fn fit(&self) -> Option<&Fit> {
        match self {
            Choice::Fits(fit) => Some(fit),
            _ => None,
        }
    }
}

impl Display for Choice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Main => Ok(()),
            Choice::Fits(fit) => fit.fmt(f),
            Choice::ByHand => f.write_str("given by hand"),
            Choice::Configured => f.write_str("named in the configuration"),
        }
    }
}
