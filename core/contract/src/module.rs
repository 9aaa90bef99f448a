//! The module object through which the host calls an instrument, whether it is built in or loaded.
//!
//! Few coarse calls, text (JSON) in and out, no type of the instrument ever crosses, and no panic either: a panic in a
//! plugin becomes an error with its message.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::instrument::{Instrument, InstrumentDescription};
use crate::recipe::{Host, Outcome, ProductPath, RecipeError, Simulation, SimulationRequest, Task, TruthRow};

/// Version of this interface: a plugin made for another is refused.
pub const INTERFACE_VERSION: u32 = 1;

/// One coarse call: JSON in, JSON out, or an error as JSON.
pub type Call = fn(&str, &dyn Host) -> Result<String, String>;

/// What a plugin hands to the host.
#[derive(Clone, Copy)]
pub struct Module {
    /// See [`INTERFACE_VERSION`].
    pub interface_version: u32,
    /// Nothing in, [`InstrumentDescription`] out.
    pub describe: Call,
    /// [`Task`] in, [`Outcome`] out.
    pub run: Call,
    /// [`SimulationRequest`] in, [`Simulation`] out.
    pub simulate: Call,
    /// [`TruthRequest`] in, list of [`TruthRow`] out.
    pub compare_with_truth: Call,
}

/// Products to be compared with the truth in a directory.
#[derive(Serialize, Deserialize)]
pub struct TruthRequest {
    /// Directory of the truth.
    pub truth: PathBuf,
    /// The products.
    pub products: Vec<ProductPath>,
}

/// Reads the argument of a call, does it guarded against panics, writes the result. Used by [`export_instrument!`](crate::export_instrument).
pub fn guarded<A: DeserializeOwned, R: Serialize>(
    argument: &str,
    work: impl FnOnce(A) -> Result<R, RecipeError>,
) -> Result<String, String> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let argument = serde_json::from_str(argument).map_err(|e| RecipeError::new(format!("argument of the call: {e}"), ""))?;
        let value = work(argument)?;
        serde_json::to_string(&value).map_err(|e| RecipeError::new(format!("result of the call: {e}"), ""))
    }));
    let result = result.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(RecipeError::new(
            format!("the plugin panicked: {}", message.unwrap_or_default()),
            "this is a fault of the plugin: report it to its author with the frames named above",
        ))
    });
    result.map_err(|e| serde_json::to_string(&e).unwrap_or(e.what))
}

/// A module with typed calls: how the host sees an instrument.
#[derive(Clone)]
pub struct LoadedInstrument {
    module: Module,
    description: InstrumentDescription,
}

impl LoadedInstrument {
    /// Asks a module for its description.
    pub fn new(module: Module) -> Result<Self, RecipeError> {
        if module.interface_version != INTERFACE_VERSION {
            return Err(RecipeError::new(
                format!("the plugin was made for interface version {}, this is version {INTERFACE_VERSION}", module.interface_version),
                "build the plugin again with the ifured-core of this release",
            ));
        }
        let description = call(module.describe, &(), &crate::recipe::QuietHost)?;
        Ok(LoadedInstrument { module, description })
    }

    /// What the instrument says of itself.
    pub fn description(&self) -> &InstrumentDescription {
        &self.description
    }

    /// Runs a task.
    pub fn run(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        call(self.module.run, task, host)
    }

    /// Simulates raw frames.
    pub fn simulate(&self, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
        call(self.module.simulate, request, host)
    }

    /// Compares products with the truth.
    pub fn compare_with_truth(&self, request: &TruthRequest) -> Result<Vec<TruthRow>, RecipeError> {
        call(self.module.compare_with_truth, request, &crate::recipe::QuietHost)
    }
}

fn call<A: Serialize, R: DeserializeOwned>(call: Call, argument: &A, host: &dyn Host) -> Result<R, RecipeError> {
    let text = serde_json::to_string(argument).map_err(|e| RecipeError::new(format!("argument of the call: {e}"), ""))?;
    match call(&text, host) {
        Ok(result) => serde_json::from_str(&result).map_err(|e| RecipeError::new(format!("result of the call: {e}"), "")),
        Err(error) => Err(serde_json::from_str(&error).unwrap_or(RecipeError { what: error, advice: String::new() })),
    }
}

/// Dispatches a task to the recipe of its name. Used by [`export_instrument!`](crate::export_instrument).
pub fn run_task(instrument: &impl Instrument, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
    let recipes = instrument.recipes();
    let recipe = recipes
        .iter()
        .find(|r| r.description().name == task.recipe)
        .ok_or_else(|| RecipeError::new(format!("no recipe `{}` for {}", task.recipe, task.instrument), "see `ifured recipe ls`"))?;
    recipe.execute(task, host)
}

/// The result of a simulation call. Used by [`export_instrument!`](crate::export_instrument).
pub fn simulate(instrument: &impl Instrument, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
    instrument.simulate(request, host)
}

/// The result of a comparison call. Used by [`export_instrument!`](crate::export_instrument).
pub fn compare_with_truth(instrument: &impl Instrument, request: &TruthRequest) -> Result<Vec<TruthRow>, RecipeError> {
    instrument.compare_with_truth(&request.truth, &request.products)
}

/// Makes `pub fn module() -> Module` for an instrument: `ifured_core::export_instrument!(MySpectrograph);`.
///
/// The argument is an expression that makes the instrument.
#[macro_export]
macro_rules! export_instrument {
    ($instrument:expr) => {
        /// The module object through which the host calls this instrument.
        pub fn module() -> $crate::module::Module {
            use $crate::instrument::Instrument as _;
            $crate::module::Module {
                interface_version: $crate::module::INTERFACE_VERSION,
                describe: |a, _| $crate::module::guarded(a, |(): ()| Ok($instrument.description())),
                run: |a, host| $crate::module::guarded(a, |task| $crate::module::run_task(&$instrument, &task, host)),
                simulate: |a, host| $crate::module::guarded(a, |r| $crate::module::simulate(&$instrument, &r, host)),
                compare_with_truth: |a, _| $crate::module::guarded(a, |r| $crate::module::compare_with_truth(&$instrument, &r)),
            }
        }
    };
}
