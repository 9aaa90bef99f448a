//! Views: serialisable answers, each computed once from a [`Snapshot`] and only rendered by tables, pages, JSON, and whoever else shows them.
//!
//! A view holds values; what is said of them in words is beside them, made from the same values. Nothing here reads the disk, takes a lock or asks the
//! catalogue.

pub mod answer;
pub mod frames;
pub mod groups;
pub mod plan;
pub mod plan_groups;
pub mod products;
pub mod quality;
pub mod run;
pub mod schemas;
mod snapshot;
mod state;
pub mod tasks;
pub mod why;

pub use snapshot::{Planned, Snapshot};
pub use state::{GroupState, TaskState};

#[cfg(test)]
mod tests;
