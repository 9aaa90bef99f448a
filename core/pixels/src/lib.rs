//! Everything with pixels and no instrument.
#![deny(missing_docs)]

pub mod astrometry;
pub mod badpixel;
pub mod combine;
pub mod compare;
pub mod cosmic;
pub mod detector;
pub mod filter;
pub mod fit;
pub mod fits;
pub mod fringe;
pub mod illumination;
pub mod image;
mod network;
pub mod order_statistics;
pub mod polarimetry;
pub mod resample;
pub mod simulate;
pub mod sources;
pub mod spectrum;
pub mod statistics;
pub mod task;

pub use image::{GrowingImage, Image, quality};
