//! The instrument KMOS: 24 integral-field units on movable arms, three near-infrared spectrographs, at the VLT.
//!
//! Frames are classified and the arms are read, nothing is reduced yet: [`Instrument::recipes`] is empty.
//!
//! Raw frames and the products of the ESO pipeline have `INS FILTn`, `INS GRATn`, `DET SEQ1 DIT`, `DET NDIT` and `DET
//! READ CURNAME` in their primary header; the extensions (one for each detector) only have what differs between
//! detectors (`DET CHIP GAIN`, `RON`, `INDEX`), which is no part of a signature.
#![deny(missing_docs)]

pub mod arms;
mod frames;
pub mod simulation;

use std::path::Path;

use ifured_core::recipe::{ProductPath, Simulation, SimulationRequest, TruthRow};
use ifured_core::{AnyRecipe, Host, Instrument, InstrumentDescription, RecipeError};
use ifured_eso::{classification, observatory};

pub use arms::{Arm, ArmState, SkyPosition, Target};

/// The instrument.
pub struct Kmos;

impl Instrument for Kmos {
    fn describe(&self) -> InstrumentDescription {
        InstrumentDescription {
            name: "kmos".into(),
            aliases: vec!["vlt-kmos".into()],
            title: "KMOS, K-band Multi Object Spectrograph, ESO VLT UT1".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            recognise: vec![classification::instrument_is("KMOS")],
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

ifured_core::export_instrument!(Kmos, builtin);
