//! Read noise and gain of the detector: where they come from, and the keywords that carry them.
//!
//! The headers of CAFOS state both (`CCDRON`, `CCDSENS`), but not always what the pixels say: they are measured by photon transfer
//! ([`ifured_pixels::detector`]), the read noise in the master bias, the gain in the master flat.

use ifured_core::Header;
use ifured_pixels::detector;

/// Keyword of the read noise in ADU that ifured measured.
pub const READ_NOISE: &str = "IFURED READ NOISE";
/// Keyword of the gain in electrons per ADU that ifured measured or took from the header.
pub const GAIN: &str = "IFURED GAIN";
/// Keyword that says where the gain comes from.
pub const GAIN_FROM: &str = "IFURED GAIN FROM";

/// Gain of the SITe chip at its usual setting (e-/ADU), where neither frames nor headers say anything.
pub const USUAL_GAIN: f64 = 1.45;
/// A gain from the background of an image that is not within this (e-/ADU) is none.
pub const CREDIBLE_GAIN: std::ops::Range<f64> = 0.1..20.0;
/// Read noise of the SITe chip (ADU), where nothing else is known.
pub const USUAL_READ_NOISE: f64 = 5.0;

/// The noise of a pixel in ADU, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseModel {
    /// Read noise and gain.
    pub model: detector::NoiseModel,
    /// Where the gain comes from.
    pub gain_from: &'static str,
}

impl NoiseModel {
    /// A model; the read noise was measured in rounded frames, or is as good as that.
    pub fn new(read_noise: f64, gain: f64, gain_from: &'static str) -> Self {
        NoiseModel { model: detector::NoiseModel { gain, read_noise, quantisation: false }, gain_from }
    }

    /// Writes the model into the header of a product.
    pub fn write(&self, header: &mut Header) {
        header.set(READ_NOISE, self.model.read_noise, "[adu] read noise of one frame");
        header.set(GAIN, self.model.gain, "[e-/adu] gain");
        header.set(GAIN_FROM, self.gain_from, "where the gain comes from");
    }
}

/// The gain that the raw header states (e-/ADU), if it makes sense.
pub fn header_gain(header: &Header) -> Option<f64> {
    header.real("CCDSENS").ok().filter(|g| (0.05..100.0).contains(g))
}

/// The read noise that the raw header states, in ADU.
pub fn header_read_noise(header: &Header) -> Option<f64> {
    let electrons = header.real("CCDRON").ok().filter(|r| *r > 0.0)?;
    Some(electrons / header_gain(header)?)
}

/// A number in the header of a calibration that is positive.
pub fn measured(header: &Header, keyword: &str) -> Option<f64> {
    header.real(keyword).ok().filter(|v| *v > 0.0)
}
