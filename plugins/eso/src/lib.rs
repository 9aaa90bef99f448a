//! What the ESO instruments share.
//!
//! ESO writes into each raw frame what it is (`DPR CATG`, `TYPE`, `TECH`: data product category, type and technique) and
//! into each pipeline product what it is (`PRO CATG`); one of the two is there, not both, because pipelines remove the DPR
//! keywords of the frames that they reduce. Source: ESO Data Interface Control Document, GEN-SPE-ESO-00000-794.
//!
//! * [`instrument`] is an instrument as data,
//! * [`classification`] makes rules of these keywords,
//! * [`sexagesimal`] reads positions that are packed into one number,
//! * [`observatory`] has night and time of Paranal,
//! * [`simulation`] writes raw frames with known tags.
//!
//! Keywords are written without the word `HIERARCH`: `ESO DPR CATG`.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod association_xml;
pub mod classification;
pub mod error;
pub mod esorex;
pub mod instrument;
pub mod observatory;
#[cfg(feature = "testing")]
pub mod questions;
#[cfg(feature = "testing")]
pub mod samples;
pub mod sexagesimal;
pub mod simulation;

pub use classification::{Dpr, product, product_like, raw};
pub use error::EsoError;
pub use instrument::{EsoInstrument, Recipes, nothing_to_import};
