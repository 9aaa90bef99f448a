//! Recipes: frames in, products out.
//!
//! A recipe is described by data (what it needs, how frames are grouped, what it makes) and has one function that does the
//! work. The engine reads the description to plan; only [`Recipe::run`] touches pixels, in a worker process.

mod description;
mod outcome;
mod simulation;
mod task;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use description::{External, Grouping, InputSpec, Level, MainInput, Memory, ProductSpec, RecipeDescription, Take};
pub use outcome::{Grade, Outcome, QualityNumber, RejectedFrame, WrittenProduct};
pub use simulation::{ProductPath, Simulation, SimulationRequest, TruthRow};
pub use task::{MissingInput, Task, TaskInput, TaskOutput};

/// Why a recipe could not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{what}")]
#[non_exhaustive]
pub struct RecipeError {
    /// What went wrong, where.
    pub what: String,
    /// What to do about it; may be empty.
    pub advice: String,
}

impl RecipeError {
    /// An error with advice.
    pub fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        RecipeError { what: what.into(), advice: advice.into() }
    }
}

/// What a running recipe can ask of the program that runs it.
pub trait Host: Sync {
    /// Says how far the work is (0 to 1) and what is being done.
    fn progress(&self, fraction: f64, what: &str);
    /// Threads that the task may use.
    fn threads(&self) -> usize {
        1
    }
}

/// A host that says nothing: for tests.
pub struct QuietHost;

impl Host for QuietHost {
    fn progress(&self, _: f64, _: &str) {}
}

/// A recipe, as an instrument's author writes it.
pub trait Recipe: Send + Sync {
    /// Its parameters: a struct whose documentation, defaults and ranges make the schema of the configuration.
    type Parameters: Serialize + DeserializeOwned + JsonSchema + Default;

    /// What the engine needs to know; schema and defaults are filled in from the parameters.
    fn describe(&self) -> RecipeDescription;

    /// Does the work. Products are written under the paths of `task.outputs`, completely or not at all.
    fn run(&self, task: &Task, parameters: Self::Parameters, host: &dyn Host) -> Result<Outcome, RecipeError>;
}

/// A recipe whose parameter type is forgotten: what an instrument hands out.
pub trait AnyRecipe: Send + Sync {
    /// As [`Recipe::describe`], with schema and defaults.
    fn description(&self) -> RecipeDescription;
    /// As [`Recipe::run`], parameters from the task.
    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError>;
    /// Version of the program outside that does the work, as it is installed here; none if there is no such program, or it is not installed. It is asked
    /// when a plan is made, and may take its time.
    fn installed_version(&self) -> Option<String> {
        None
    }
}

impl<R: Recipe> AnyRecipe for R {
    fn description(&self) -> RecipeDescription {
        let mut description = self.describe();
        description.schema = schemars::schema_for!(R::Parameters).to_value();
        description.defaults = serde_json::to_value(R::Parameters::default()).unwrap_or_default();
        description
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let parameters = serde_json::from_value(task.parameters.clone()).map_err(|e| {
            RecipeError::new(format!("parameters of recipe {}: {e}", task.recipe), "see `ifured recipe show` for the parameters")
        })?;
        self.run(task, parameters, host)
    }
}
