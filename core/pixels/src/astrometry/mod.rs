//! Astrometry and photometric calibration against a catalogue in a file: no network, no external program.
//!
//! Stars of the image ([`crate::sources`]) are matched with those of a [`Catalogue`] near the expected pointing by the shapes of triangles
//! ([`matching`]), whatever the turn, the flip and an error of the scale; a tangential projection with SIP distortion is fitted to the pairs
//! ([`fit`]), and stars that did not take part in a fit say how good it is.

pub mod catalogue;
pub mod fit;
pub mod matching;
mod photometry;
mod solve;
mod tan_sip;
mod triangles;

pub use catalogue::{Catalogue, CatalogueError, CatalogueStar};
pub use photometry::{ZeroPoint, limiting_magnitude, zero_point};
pub use solve::{AstrometryError, Expected, ImageStar, Solution, SolveOptions, solve};
pub use tan_sip::{Distortion, TanSip, exponents};
