//! What kind of frame a frame is.

use crate::name::name;

name! {
    /// The kind of a raw frame or product: `bias`, `flat-imaging`, `MASTER_BIAS`. ESO names for ESO instruments.
    Tag
}

impl Tag {
    /// The tag of a frame that is of this kind but fails an expectation: `wrong-bias`.
    pub fn wrong(&self) -> Tag {
        Tag::new(format!("wrong-{self}"))
    }
}
