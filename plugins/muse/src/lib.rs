//! The instrument MUSE: 24 integral-field units of 48 slices each, at the VLT.
//!
//! Frames are classified, nothing is reduced yet: [`Instrument::recipes`] is empty.
//!
//! Signatures are read from the header that the catalogue has of a frame, which is the primary one. Real products have
//! `DET BINX`, `DET BINY`, `DET READ CURID` there, copied from the primary header of the raw frame. The ESO pipeline also
//! accepts them in the extensions `CHAN01` to `CHAN24`; a frame that has them only there has no value for them, and agrees
//! only with frames that have none either. What differs from channel to channel (`DET CHIP`, `DET OUTn`) is in the
//! extensions and is no part of a signature.
#![deny(missing_docs)]

mod frames;
pub mod simulation;

use std::path::Path;

use ifured_core::recipe::{ProductPath, Simulation, SimulationRequest, TruthRow};
use ifured_core::{AnyRecipe, Host, Instrument, InstrumentDescription, RecipeError};
use ifured_eso::{classification, observatory};

/// The instrument.
pub struct Muse;

impl Instrument for Muse {
    fn describe(&self) -> InstrumentDescription {
        InstrumentDescription {
            name: "muse".into(),
            aliases: vec!["vlt-muse".into()],
            title: "MUSE, Multi Unit Spectroscopic Explorer, ESO VLT UT4".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            recognise: vec![classification::instrument_is("MUSE")],
            require: vec![],
            statistics: false,
            night: observatory::paranal_night(),
            time: observatory::time_keys(),
            frame_types: frames::frame_types(),
            recipes: vec![],
            columns: frames::columns(),
            ..InstrumentDescription::default()
        }
    }

    fn recipes(&self) -> Vec<Box<dyn AnyRecipe>> {
        Vec::new()
    }

    fn simulate(&self, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
        ifured_eso::simulation::write(request, &simulation::raw_frames(request), host)
    }

    fn compare_with_truth(&self, truth: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
        ifured_eso::simulation::compare_tags(truth, products)
    }
}

ifured_core::export_instrument!(Muse, builtin);
