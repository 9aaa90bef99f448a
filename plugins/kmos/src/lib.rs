//! The instrument KMOS: 24 integral-field units on movable arms, three near-infrared spectrographs, at the VLT.
//!
//! Frames are reduced by ESO's own recipes, which esorex runs; they come with ESO's kit. Which sky belongs to which object is decided here
//! ([`pairing`]), and what the recipes have made is checked.
//!
//! Raw frames and the products of the ESO pipeline have `INS FILTn`, `INS GRATn`, `DET SEQ1 DIT`, `DET NDIT` and `DET
//! READ CURNAME` in their primary header; the extensions (one for each detector) only have what differs between
//! detectors (`DET CHIP GAIN`, `RON`, `INDEX`), which is no part of a signature.
#![deny(missing_docs)]

pub mod arms;
mod frames;
pub mod pairing;
mod recipes;
pub mod simulation;

use ifured_eso::EsoInstrument;

pub use arms::{Arm, ArmState, SkyPosition, Target};

/// The instrument.
pub const KMOS: EsoInstrument = EsoInstrument {
    name: "kmos",
    aliases: &["vlt-kmos"],
    title: "KMOS, K-band Multi Object Spectrograph, ESO VLT UT1",
    version: env!("CARGO_PKG_VERSION"),
    instrume: "KMOS",
    frame_types: frames::frame_types,
    recipes: recipes::recipes,
    columns: &frames::COLUMNS,
    exposure_names: frames::exposure_names,
    raw_frames: simulation::raw_frames,
    imports: Vec::new,
    import: ifured_eso::nothing_to_import,
};

ifured_core::export_instrument!(KMOS, builtin);
