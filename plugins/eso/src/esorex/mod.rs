//! ESO's own recipes, run through esorex, as recipes of ifured.
//!
//! A plugin says in an [`EsorexRecipe`] which recipe of ESO's pipeline does the work, what goes in and what comes out, and ships the
//! parameters of that recipe as a data file (see [`parameters`]). Here is the rest: the program is found and asked ([`program`]),
//! run apart from the user's own settings and within limits ([`run`]), its log is followed ([`log`]), and what it made is judged by its
//! products and not by its exit status ([`products`]).

mod group;
pub mod log;
mod memory;
pub mod parameters;
pub mod products;
pub mod program;
pub mod quality;
pub mod recipe;
pub mod run;
mod scratch;

pub use group::Ended;
pub use parameters::{Parameter, RecipeParameters};
pub use products::{Product, ProductRule};
pub use program::Program;
pub use quality::QcNumber;
pub use recipe::{Check, EsorexRecipe};
