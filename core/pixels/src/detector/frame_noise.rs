//! Read noise and gain of a frame: from the user, measured in the calibrations, stated by the header, or the usual ones.
//!
//! Headers state both, but not always what the pixels say. Masters carry what was measured by photon transfer
//! ([`super::photon_transfer()`]): the read noise that of biases, the gain that of flats.

use std::ops::Range;

use ifured_core::{Header, RecipeError};

use super::calibration::Calibration;
use super::noise::NoiseModel;
use super::raw_frame::RawFrame;
use super::single::gain_from_background;

/// Keyword of the read noise in ADU that was measured.
pub const READ_NOISE: &str = "IFURED READ NOISE";
/// Keyword of the gain in electrons per ADU that was measured or used.
pub const GAIN: &str = "IFURED GAIN";
/// Keyword that says where the gain comes from.
pub const GAIN_FROM: &str = "IFURED GAIN FROM";

/// Rows in the middle of a frame that its background is measured in, at most.
const BACKGROUND_ROWS: usize = 64;

/// Where a gain comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GainSource {
    /// The user.
    Parameter,
    /// The master flat.
    Flat,
    /// Pairs of the flats that are being combined.
    FlatPairs,
    /// The header of the frame.
    Header,
    /// The photon noise of the background of the image.
    Background,
    /// Nothing says it: the usual value of the detector.
    Usual,
}

impl GainSource {
    /// In words, for headers and reports.
    pub fn words(self) -> &'static str {
        match self {
            GainSource::Parameter => "parameter",
            GainSource::Flat => "flat",
            GainSource::FlatPairs => "pairs of flats",
            GainSource::Header => "header",
            GainSource::Background => "background of the image",
            GainSource::Usual => "usual value of the chip",
        }
    }
}

/// Gain and read noise as one place knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stated {
    /// Electrons per ADU.
    pub gain: Option<f64>,
    /// Read noise in ADU.
    pub read_noise: Option<f64>,
}

impl Stated {
    /// Parameters of a recipe, where 0 stands for "not given".
    pub fn by_parameters(gain: f64, read_noise: f64) -> Self {
        let given = |value: f64| (value > 0.0).then_some(value);
        Stated { gain: given(gain), read_noise: given(read_noise) }
    }
}

/// The noise of the pixels of a frame in ADU, and where its gain comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameNoise {
    /// Read noise and gain.
    pub model: NoiseModel,
    /// Where the gain comes from.
    pub gain_from: GainSource,
}

impl FrameNoise {
    /// A read noise (ADU) that was measured in rounded frames, or is as good as that, and a gain (e/ADU).
    pub fn new(read_noise: f64, gain: f64, gain_from: GainSource) -> Self {
        FrameNoise { model: NoiseModel { gain, read_noise, quantisation: false }, gain_from }
    }

    /// Each of the two from the first that knows it: the user (`given`), the calibrations, the header of the frame (`stated`), the
    /// detector (`usual`).
    pub fn find(given: Stated, bias: &Header, flat: Option<&Header>, stated: Stated, usual: (f64, f64)) -> Self {
        let (usual_gain, usual_read_noise) = usual;
        let read_noise = given.read_noise.or_else(|| measured(bias, READ_NOISE)).or(stated.read_noise).unwrap_or(usual_read_noise);
        let from = |gain: Option<f64>, source| gain.map(|g| (g, source));
        let (gain, gain_from) = from(given.gain, GainSource::Parameter)
            .or_else(|| from(flat.and_then(|h| measured(h, GAIN)), GainSource::Flat))
            .or_else(|| from(stated.gain, GainSource::Header))
            .unwrap_or((usual_gain, GainSource::Usual));
        FrameNoise::new(read_noise, gain, gain_from)
    }

    /// The gain of the background of the frame in place of the usual one, if it is within `credible` (e/ADU).
    ///
    /// # Errors
    /// If frame or bias cannot be read.
    pub fn or_of_background(self, frame: &RawFrame, bias: &Calibration, credible: &Range<f64>) -> Result<Self, RecipeError> {
        if self.gain_from != GainSource::Usual {
            return Ok(self);
        }
        let (rows, columns) = frame.shape();
        let (middle, height) = (rows / 2, (rows / 2).min(BACKGROUND_ROWS));
        let mut pixels = vec![0.0; height * columns];
        frame.read_corrected(middle..middle + height, &mut pixels)?;
        let mut level = Vec::new();
        bias.read_data(middle..middle + height, &mut level)?;
        pixels.iter_mut().zip(&level).for_each(|(v, b)| *v -= b);
        let found = gain_from_background(&pixels, self.model.read_noise).filter(|g| credible.contains(g));
        Ok(found.map_or(self, |gain| FrameNoise::new(self.model.read_noise, gain, GainSource::Background)))
    }

    /// Writes gain, read noise and where they come from into the header of a product.
    pub fn write(&self, header: &mut Header) {
        header.set(READ_NOISE, self.model.read_noise, "[adu] read noise of one frame");
        header.set(GAIN, self.model.gain, "[e-/adu] gain");
        header.set(GAIN_FROM, self.gain_from.words(), "where the gain comes from");
    }
}

/// A number in the header of a calibration that is positive.
pub fn measured(header: &Header, keyword: &str) -> Option<f64> {
    header.real(keyword).ok().filter(|v| *v > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_comes_from_the_first_that_knows_it() {
        let mut bias = Header::new();
        bias.set(READ_NOISE, 6.0, "");
        let mut flat = Header::new();
        flat.set(GAIN, 1.3, "");
        let header = Stated { gain: Some(2.0), read_noise: Some(9.0) };
        let find = |given, flat, stated| {
            let found = FrameNoise::find(given, &bias, flat, stated, (1.5, 5.0));
            (found.model.gain, found.model.read_noise, found.gain_from)
        };
        let nobody = Stated::default();
        assert_eq!(find(Stated::by_parameters(1.1, 7.0), Some(&flat), header), (1.1, 7.0, GainSource::Parameter));
        assert_eq!(find(Stated::by_parameters(0.0, 0.0), Some(&flat), header), (1.3, 6.0, GainSource::Flat));
        assert_eq!(find(nobody, None, header), (2.0, 6.0, GainSource::Header));
        assert_eq!(find(nobody, None, nobody), (1.5, 6.0, GainSource::Usual));
        let without = FrameNoise::find(nobody, &Header::new(), None, nobody, (1.5, 5.0));
        assert_eq!(without.model.read_noise, 5.0);
    }
}
