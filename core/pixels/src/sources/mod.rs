//! Background, objects above it, their centres and fluxes, and the alignment of two lists of them: enough to mask objects and to
//! align and scale frames, not a photometry package.

mod align;
mod background;
mod detect;
mod photometry;

pub use align::{Alignment, align};
pub use background::{Background, BackgroundOptions, Interpolation, measure_background};
pub use detect::{Detection, DetectionOptions, Source, detect_sources, windowed_centroid};
pub use photometry::{Aperture, ApertureFlux, aperture_flux};
