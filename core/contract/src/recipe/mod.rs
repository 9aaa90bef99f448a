//! Recipes: frames in, products out.
//!
//! A recipe is described by data (what it needs, how frames are grouped, what it makes) and has one function that does the
//! work. The engine reads the description to plan; only [`Recipe::run`] touches pixels, in a worker process.

mod choice;
mod description;
mod engine;
mod host;
mod memory;
mod outcome;
mod simulation;
mod task;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use choice::{Choice, Fit, Named, Span};
pub use description::{Grouping, InputSpec, Level, MainInput, ProductFormat, ProductSpec, RecipeDescription, Requirement, Take};
pub use engine::{Engine, EngineName, External};
pub use host::{Host, QuietHost};
pub use memory::{FrameSize, Memory};
pub use outcome::{Grade, Outcome, QualityNumber, RejectedFrame, SideFile, WrittenProduct};
pub use simulation::{ProductPath, Simulation, SimulationRequest, TruthRow};
pub use task::{MissingInput, Role, Task, TaskId, TaskInput, TaskOutput};

/// Why a recipe could not do its work.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[error("{what}")]
#[non_exhaustive]
pub struct RecipeError {
    /// What went wrong, where.
    pub what: String,
    /// What to do about it; may be empty.
    pub advice: String,
    /// What it left for a person to look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_files: Vec<SideFile>,
}

impl RecipeError {
    /// An error with advice.
    pub fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        RecipeError { what: what.into(), advice: advice.into(), side_files: Vec::new() }
    }

    /// With something that it left.
    pub fn with_side_file(mut self, file: SideFile) -> Self {
        self.side_files.push(file);
        self
    }
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

/// A recipe whose parameter type is forgotten: what an instrument hands out. Two of one name are two engines of one recipe.
pub trait AnyRecipe: Send + Sync {
    /// As [`Recipe::describe`], with its one engine.
    fn description(&self) -> RecipeDescription;
    /// As [`Recipe::run`], parameters from the task.
    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError>;
    /// Its engine.
    fn engine(&self) -> EngineName {
        EngineName::native()
    }
    /// Version of the program outside that does the work, as it is installed here; none if there is no such program, or it is not installed. It is asked
    /// when a plan is made, and may take its time.
    fn installed_version(&self) -> Option<String> {
        None
    }
}

impl<R: Recipe> AnyRecipe for R {
    fn description(&self) -> RecipeDescription {
        let mut description = self.describe();
        description.engines = vec![Engine {
            version: description.version,
            memory: description.memory,
            schema: schemars::schema_for!(R::Parameters).to_value(),
            defaults: serde_json::to_value(R::Parameters::default()).unwrap_or_default(),
            ..Engine::default()
        }];
        description
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let parameters = serde_json::from_value(task.parameters.clone()).map_err(|e| {
            RecipeError::new(format!("parameters of recipe {}: {e}", task.recipe), "see `ifured recipe show` for the parameters")
        })?;
        self.run(task, parameters, host)
    }
}
