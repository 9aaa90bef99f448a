//! The instrument MUSE: 24 integral-field units of 48 slices each, at the VLT.
//!
//! Frames are reduced by ESO's own recipes, which esorex runs.
//!
//! Signatures are read from the header that the catalogue has of a frame, which is the primary one. Real products have
//! `DET BINX`, `DET BINY`, `DET READ CURID` there, copied from the primary header of the raw frame. The ESO pipeline also
//! accepts them in the extensions `CHAN01` to `CHAN24`; a frame that has them only there has no value for them, and agrees
//! only with frames that have none either. What differs from channel to channel (`DET CHIP`, `DET OUTn`) is in the
//! extensions and is no part of a signature.
#![deny(missing_docs)]

mod frames;
mod import;
mod recipes;
pub mod simulation;

use ifured_eso::EsoInstrument;

/// The instrument.
pub const MUSE: EsoInstrument = EsoInstrument {
    name: "muse",
    aliases: &["vlt-muse"],
    title: "MUSE, Multi Unit Spectroscopic Explorer, ESO VLT UT4",
    version: env!("CARGO_PKG_VERSION"),
    instrume: "MUSE",
    frame_types: frames::frame_types,
    recipes: recipes::recipes,
    columns: &frames::COLUMNS,
    exposure_names: frames::exposure_names,
    raw_frames: simulation::raw_frames,
    imports: import::sources,
    import: import::import,
};

ifured_core::export_instrument!(MUSE, builtin);
