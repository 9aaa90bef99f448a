//! Everything with a run and no pixel arithmetic: catalogue, classification, association, plan, execution, provenance, reports.
#![deny(missing_docs)]

pub mod associate;
pub mod catalogue;
pub mod classify;
pub mod config;
pub mod error;
pub mod execute;
pub mod files;
pub mod filter;
pub mod frame;
pub mod graph;
pub mod group;
pub mod item;
pub mod list;
pub mod plan;
pub mod plot;
pub mod preview;
pub mod report;
pub mod run;
pub mod scan;
pub mod standing;
pub mod time;
pub mod why;
pub mod worker;

pub use error::{Error, Result};
