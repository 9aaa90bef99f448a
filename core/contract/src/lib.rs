//! What an instrument plugin and ifured agree on.
//!
//! An author describes an instrument by implementing [`Instrument`] and one [`Recipe`] for each step, and ends the crate
//! with one line, `ifured_core::export_instrument!(MySpectrograph);`. Most of both is data:
//!
//! * [`header`] is what a file says, [`Lookup`] is how rules ask it;
//! * [`Rule`]s made of [`Condition`]s say what kind of frame ([`Tag`]) a header describes;
//! * [`KnownObjects`] say by which keyword rules ask whether a frame is of one of them, a standard star for example;
//! * a [`Signature`] is the list of values that must agree, between the frames of a group and between a group and its calibrations;
//! * a [`recipe::RecipeDescription`] says how frames are grouped, which calibrations at which quality level may serve, and what is made;
//! * [`Config`] is what a user may change of all that;
//! * [`provenance`] is what every product says of where it comes from;
//! * [`sof`] is a set of frames as ESO's programs read it.
//!
//! Code is written only where pixels are touched: [`Recipe::run`], [`Instrument::simulate`] and
//! [`Instrument::compare_with_truth`]. This crate opens no files.
#![deny(missing_docs)]

pub mod angle;
pub mod config;
pub mod exposure_name;
pub mod figure;
pub mod header;
pub mod hint;
pub mod import;
pub mod instrument;
pub mod known_objects;
pub mod lookup;
pub mod module;
mod name;
pub mod path;
pub mod precession;
pub mod prelude;
pub mod provenance;
pub mod recipe;
pub mod rule;
pub mod section;
pub mod signature;
pub mod sof;
pub mod tag;
pub mod words;

pub use config::Config;
pub use exposure_name::{ExposureNames, NamePart};
pub use figure::Figure;
pub use header::{Card, Header, HeaderError, HeaderIssue, Value};
pub use hint::{Hint, Hints};
pub use import::{ImportRequest, ImportSource, Imported, ImportedSetting, NotNeeded, UnknownKey};
pub use instrument::{FrameType, Instrument, InstrumentDescription, Library, NightRule, Purpose, TimeKeys};
pub use known_objects::{Equinox, KnownObject, KnownObjects};
pub use lookup::Lookup;
pub use module::{LoadedInstrument, Module};
pub use recipe::{AnyRecipe, EngineName, Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Role, Task, TaskId};
pub use rule::{Classification, Condition, Rule, State, Test, key};
pub use section::Section;
pub use signature::{Compare, Disagreement, Signature, SignatureKey, SignatureValues};
pub use tag::Tag;
