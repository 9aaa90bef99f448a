//! Everything with pixels and no instrument.
#![deny(missing_docs)]

pub mod fits;
pub mod image;

pub use image::{Image, quality};
