//! Exposures of one field: how they are grouped, and what is made of them together.

use ifured_core::Signature;
use ifured_core::recipe::{Grouping, MainInput, ProductSpec};
use ifured_core::signature::{Compare, SignatureKey};

use super::of_exposure;
use crate::frames::MODE;

/// Arcseconds within which exposures are of one field.
const SAME_FIELD: f64 = 30.0;
/// Tag of the list of offsets that is tied to the sky.
pub const REGISTERED_OFFSETS: &str = "OFFSET_LIST_REGISTERED";

/// What exposures of one field share: instrument mode and pointing.
pub fn same_field() -> Signature {
    let pointing = SignatureKey { key: "RA".into(), compare: Compare::Sky { declination: "DEC".into(), arcsec: SAME_FIELD } };
    let mut signature = Signature::exact(&[MODE]);
    signature.0.push(pointing);
    signature
}

/// Exposures of one field, at least so many.
pub fn one_field(tag: &str, least: usize) -> MainInput {
    let group = Grouping { signature: same_field(), min_frames: least, ..Grouping::default() };
    MainInput { tags: vec![tag.into()], group, ..MainInput::default() }
}

/// A product of all exposures of a field.
pub fn of_field(recipe: &str, tag: &str, title: &str) -> ProductSpec {
    of_exposure(recipe, tag, title, &same_field())
}
