//! The instrument CAFOS: focal reducer at the 2.2 m telescope of Calar Alto, imaging and long-slit spectroscopy.
//!
//! [`Cafos`] describes the frames and recipes; the recipes make masters, reduce single frames and add images of one field.

// `!(a > b)` is meant where NaN must count as "not above".
#![allow(clippy::neg_cmp_op_on_partial_ord)]

mod description;
mod detector;
mod field_mask;
mod import;
mod lamps;
mod polarimetry;
mod products;
mod recipes;
mod signatures;
mod simulate;
mod spectra;
mod stars;
mod tags;
mod truth;
mod wcs;

use std::path::Path;

use ifured_core::recipe::{ProductPath, Simulation, SimulationRequest, TruthRow};
use ifured_core::{AnyRecipe, Host, ImportRequest, Imported, Instrument, InstrumentDescription, RecipeError};

/// CAFOS.
pub struct Cafos;

impl Instrument for Cafos {
    fn describe(&self) -> InstrumentDescription {
        description::describe()
    }

    fn recipes(&self) -> Result<Vec<Box<dyn AnyRecipe>>, RecipeError> {
        Ok(recipes::all())
    }

    fn simulate(&self, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
        simulate::simulate(request, host)
    }

    fn compare_with_truth(&self, truth: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
        truth::compare(truth, products)
    }

    fn import(&self, request: &ImportRequest) -> Result<Imported, RecipeError> {
        import::import(request)
    }
}

ifured_core::export_instrument!(Cafos, builtin);
