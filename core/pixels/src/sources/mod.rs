//! Background, objects above it, and their centres: enough to mask objects and to align frames, not a photometry package.

mod background;
mod detect;

pub use background::{Background, BackgroundOptions, Interpolation, measure_background};
pub use detect::{Detection, DetectionOptions, Source, detect_sources, windowed_centroid};
