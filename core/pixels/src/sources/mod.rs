//! Background, objects above it, parted where they touch, their places and fluxes, the seeing, and the alignment of two lists of them: enough to mask
//! objects, to align and scale frames and to calibrate them, not a photometry package.

mod align;
mod background;
mod deblend;
mod detect;
mod photometry;
mod positions;

pub use align::{Alignment, align};
pub use background::{Background, BackgroundOptions, Interpolation, measure_background};
pub use detect::{Detection, DetectionOptions, Source, detect_sources, windowed_centroid};
pub use photometry::{Aperture, ApertureFlux, aperture_flux};
pub use positions::{FittedStar, fit_stars, seeing};
