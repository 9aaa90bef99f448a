//! The plan: all tasks, what each needs, and why — before anything runs.
//!
//! A task's identity is a hash of its recipe and version, its parameters and the identities of its inputs; the identity of a product that is yet to be
//! made is that of its task and its tag. So the whole plan is known, and what is done can be told from what is not, without running anything.
//!
//! A draft (`draft.rs`) becomes a finished graph (`graph.rs`); what is said of either are values ([`reason`]).

pub mod associate;
mod belongings;
mod draft;
pub mod drawing;
mod enabled;
mod evidence;
mod file;
mod graph;
pub mod group;
mod identity;
pub mod item;
mod naming;
pub mod reason;
#[cfg(test)]
mod tests;

pub use draft::{COMPARISON, Request, Verdicts, plan};
pub use enabled::enabled;
pub use file::{FORMAT, Saved, file_schema, instrument_of, read, write};
pub use graph::{Blocked, Plan, PlannedTask, Skipped, Targets};
pub use identity::{identity, product_identity};

/// Name of the plan in an output directory.
pub const FILE: &str = "plan.json";
