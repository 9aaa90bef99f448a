//! Everything with a run and no pixel arithmetic: catalogue, classification, association, plan, execution, provenance, reports.
#![deny(missing_docs)]

pub mod answers;
pub mod attempt;
pub mod calplan;
pub mod catalogue;
pub mod classify;
pub mod collect;
pub mod config;
pub mod conformance;
pub mod error;
pub mod exec;
pub mod execute;
pub mod file_parameters;
pub mod files;
pub mod filter;
pub mod frame;
mod hint_file;
pub mod hints;
pub mod import;
mod indented;
pub mod init;
pub mod known;
pub mod list;
pub mod manual;
pub mod plan;
pub mod plot;
pub mod plugin;
pub mod preview;
pub mod problem;
pub mod reduce;
pub mod remove;
pub mod report;
pub mod scan;
pub mod session;
pub mod sof;
pub mod standing;
pub mod time;
pub mod usage;
pub mod verify;
pub mod view;
pub mod worker;

pub use error::{Error, Result};
