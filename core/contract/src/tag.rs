//! What kind of frame a frame is.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of a raw frame or product: `bias`, `flat-imaging`, `MASTER_BIAS`. ESO names for ESO instruments.
#[derive(Clone, Default, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
    /// A tag of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Tag(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag of a frame that is of this kind but fails an expectation: `wrong-bias`.
    pub fn wrong(&self) -> Tag {
        Tag(format!("wrong-{}", self.0))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for Tag {
    fn from(name: &str) -> Self {
        Tag(name.to_owned())
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}
