//! What CAFOS says of its detector: window, overscan, gain and read noise.
//!
//! CAFOS says "no overscan" with an empty section, `BIASSEC = '[0,1:0,2048]'`. Where the section is real it is a strip of columns
//! at the left or right edge of the frame. `DATASEC` counts in pixels of the whole chip, so it says which window was read, not where
//! in the frame the image is. Headers state read noise and gain (`CCDRON` in electrons, `CCDSENS`), but not always what the pixels say.

use std::ops::Range;

use ifured_core::{Header, Section};
use ifured_pixels::detector::{FrameNoise, RawFormat, ReadOut, Stated, overscan_strip};

use crate::Cafos;

/// Gain of the SITe chip at its usual setting (e-/ADU), where neither frames nor headers say anything.
pub const USUAL_GAIN: f64 = 1.45;
/// Read noise of the SITe chip (ADU), where nothing else is known.
const USUAL_READ_NOISE: f64 = 5.0;
/// A gain from the background of an image that is not within this (e-/ADU) is none.
pub const CREDIBLE_GAIN: Range<f64> = 0.1..20.0;

impl RawFormat for Cafos {
    fn read_out(&self, header: &Header, shape: (usize, usize)) -> Result<ReadOut, String> {
        let section = header.text("BIASSEC").ok().and_then(|t| Section::parse(t).ok());
        let strip = section.and_then(|s| overscan_strip(&s, shape));
        Ok(strip.map_or_else(|| ReadOut::whole(shape.1), |strip| ReadOut::with_strip(shape.1, strip)))
    }

    /// `DATASEC`; from pixel 1 on if the header does not say.
    fn window(&self, header: &Header, shape: (usize, usize)) -> Section {
        let whole = Section::of_shape(shape);
        header.text("DATASEC").ok().and_then(|t| Section::parse(t).ok()).filter(|s| s.width() > 0 && s.height() > 0).unwrap_or(whole)
    }
}

/// The gain that a raw header states (e-/ADU), if it makes sense.
pub fn header_gain(header: &Header) -> Option<f64> {
    header.real("CCDSENS").ok().filter(|g| (0.05..100.0).contains(g))
}

/// The read noise that a raw header states, in ADU.
pub fn header_read_noise(header: &Header) -> Option<f64> {
    let electrons = header.real("CCDRON").ok().filter(|r| *r > 0.0)?;
    Some(electrons / header_gain(header)?)
}

/// Gain and read noise for a frame, from the user where positive, else from its calibrations, its header, or as usual.
pub fn noise_of(raw: &Header, bias: &Header, flat: Option<&Header>, given: Stated) -> FrameNoise {
    let stated = Stated { gain: header_gain(raw), read_noise: header_read_noise(raw) };
    FrameNoise::find(given, bias, flat, stated, (USUAL_GAIN, USUAL_READ_NOISE))
}
