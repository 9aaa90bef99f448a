//! Bad pixels: finding them in flats and biases, and interpolating.

mod interpolate;
mod profile;
mod response;

pub use interpolate::{interpolate, interpolate_at, mark};
pub use profile::{HotLimits, flag_hot};
pub use response::{ResponseLimits, flag_response};
