//! What an instrument's author needs: `use ifured_core::prelude::*;`.

pub use crate::exposure_name::{ExposureNames, NamePart};
pub use crate::instrument::{FrameType, Instrument, InstrumentDescription, NightRule, Purpose};
pub use crate::known_objects::{Equinox, KnownObject, KnownObjects};
pub use crate::recipe::{
    AnyRecipe, Grade, Host, InputSpec, MainInput, Outcome, ProductPath, ProductSpec, QualityNumber, Recipe, RecipeDescription, RecipeError,
    Role, Simulation, SimulationRequest, Task, TaskInput, TruthRow,
};
pub use crate::rule::{Condition, key};
pub use crate::{Figure, Header, Section, Signature};
