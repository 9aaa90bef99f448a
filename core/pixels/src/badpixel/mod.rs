//! Bad pixels: finding them in flats and biases, growing and interpolating.
//!
//! A pixel is judged against the local median, so illumination and slow structure do not matter. It is bad when it deviates
//! significantly (in sigma of the frame's variance and of the scatter of its neighbourhood) *and* by a relevant amount: with many
//! flats, everything is significant. Maps are arrays of quality bits (see [`crate::quality`]), 0 where nothing is wrong.

mod detect;
mod interpolate;
mod profile;
mod response;

pub use detect::{ColumnDefectOptions, FlatDefectOptions, HotPixelOptions, bad_columns, bad_pixels_from_dark, bad_pixels_from_flat, grow};
pub use interpolate::{interpolate, interpolate_at, mark};
pub use profile::{HotLimits, flag_hot};
pub use response::{ResponseLimits, flag_response};
