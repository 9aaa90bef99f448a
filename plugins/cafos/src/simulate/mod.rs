//! stub
use ifured_core::{Host, RecipeError};
use ifured_core::recipe::{Simulation, SimulationRequest};
/// stub
pub fn simulate(_: &SimulationRequest, _: &dyn Host) -> Result<Simulation, RecipeError> { Ok(Simulation::default()) }
