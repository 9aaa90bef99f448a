//! Background, objects above it, parted where they touch, their places and fluxes with errors, the seeing, and the alignment of two lists of
//! them.

mod align;
mod background;
mod deblend;
mod detect;
mod photometry;
mod positions;
pub mod star_field;

pub use align::{Alignment, align};
pub use background::{Background, BackgroundOptions, Interpolation, measure_background};
pub use detect::{Detection, DetectionOptions, Source, detect_sources, windowed_centroid};
pub use photometry::{Aperture, ApertureFlux, aperture_flux};
pub use positions::{FittedStar, fit_stars, seeing};
pub use star_field::{ApertureCorrection, MeasuredStar, StarField, StarOptions, limiting_flux};
