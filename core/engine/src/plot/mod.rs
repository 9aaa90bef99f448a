//! Plots as SVG, written by hand: keyword against keyword, images with axes and a colour bar, and the figures of tables.

pub mod figure;
mod image;
mod pairs;
pub(crate) mod svg;
mod ticks;

pub use image::image;
pub use pairs::pairs;
pub use ticks::{Axis, nice_ticks};

#[cfg(test)]
mod tests;
