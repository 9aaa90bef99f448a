//! What is done to one frame: overscan, bias, saturation, variance, flats, dead pixels.
//!
//! All of it happens to a band of rows while the band is in the cache.

use ifured_core::RecipeError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, Rows};
use super::noise::NoiseModel;
use super::raw_frame::RawFrame;
use crate::badpixel::interpolate_at;
use crate::{GrowingImage, Image, quality};

/// What becomes of pixels that have no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeadPixels {
    /// A weighted mean of the good pixels around, the nearest first; the flag stays.
    Interpolate,
    /// NaN; the flag stays.
    Nan,
}

/// Levels from which a pixel is saturated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    /// Raw value in ADU at which the converter ends.
    pub converter: f32,
    /// Charge in electrons at which the pixel is full, where known.
    pub well: Option<f32>,
}

/// Pixels that dead ones are not interpolated from.
const UNUSABLE: u32 = quality::DEAD | quality::MISSING | quality::OUTSIDE | quality::SATURATED_CONVERTER | quality::COSMIC_RAY;

/// Bytes of the frame that go through all corrections at a time: small enough for the cache, with the calibrations.
const BAND_BYTES: usize = 1 << 16;

/// What is applied to a frame, in this order.
pub struct Corrections<'a> {
    /// Subtracted.
    pub bias: &'a Calibration,
    /// Subtracted too: how far the bias level has drifted, in ADU.
    pub pedestal: f32,
    /// The frame is divided by them.
    pub flats: Vec<&'a Calibration>,
    /// Noise of the frame.
    pub noise: NoiseModel,
    /// Levels of saturation.
    pub saturation: Saturation,
    /// Whether pixels that a flat flags as outside the field become 0, as in a masked image.
    pub blank_outside: bool,
}

/// The corrected frame, variance by the noise model and the calibrations, saturated and missing pixels flagged. What the flats say of
/// their pixels joins the quality.
///
/// # Errors
/// If frame or calibrations cannot be read.
pub fn correct(frame: &RawFrame, corrections: &Corrections) -> Result<Image, RecipeError> {
    let shape = frame.shape();
    let mut image = GrowingImage::new(shape);
    let columns = shape.1.max(1);
    let height = (BAND_BYTES / (4 * columns)).max(1);
    let mut calibration = Rows::default();
    for first in (0..shape.0).step_by(height) {
        let rows = first..(first + height).min(shape.0);
        let (data, variance, bits) = image.next_rows(height);
        frame.read_rows(rows.clone(), data)?;
        let converter = corrections.saturation.converter;
        bits.iter_mut().zip(data.iter()).for_each(|(q, v)| {
            let missing = if v.is_nan() { quality::MISSING } else { 0 };
            *q = missing | if *v >= converter { quality::SATURATED_CONVERTER } else { 0 };
        });
        frame.subtract_overscan(rows.clone(), data)?;
        corrections.bias.read_rows(rows.clone(), &mut calibration)?;
        subtract_bias(data, variance, bits, &calibration, corrections);
        for flat in &corrections.flats {
            flat.read_rows(rows.clone(), &mut calibration)?;
            divide_flat(data, variance, bits, &calibration);
        }
        if corrections.blank_outside {
            for ((v, s), q) in data.iter_mut().zip(variance).zip(bits) {
                let outside = *q & quality::OUTSIDE != 0;
                *v = if outside { 0.0 } else { *v };
                *s = if outside { 0.0 } else { *s };
            }
        }
    }
    Ok(image.finish())
}

fn subtract_bias(data: &mut [f32], variance: &mut [f32], bits: &mut [u32], bias: &Rows, corrections: &Corrections) {
    let (noise, pedestal) = (corrections.noise, corrections.pedestal);
    let well = corrections.saturation.well.map_or(f32::INFINITY, |electrons| electrons / noise.gain as f32);
    let of_bias = bias.data.iter().zip(&bias.variance).zip(&bias.quality);
    for (((v, s), q), ((b, bias_variance), bias_bits)) in data.iter_mut().zip(variance).zip(bits).zip(of_bias) {
        *v -= b + pedestal;
        *s = if v.is_nan() { f32::NAN } else { noise.variance(*v) + bias_variance };
        let full = if *v >= well { quality::SATURATED_WELL } else { 0 };
        *q |= full | bias_bits & (quality::HOT | quality::MISSING);
    }
}

/// Divides by a flat; what the flat says of its pixels joins the quality.
fn divide_flat(data: &mut [f32], variance: &mut [f32], bits: &mut [u32], flat: &Rows) {
    let of_flat = quality::LOW_SENSITIVITY | quality::DEAD | quality::OUTSIDE | quality::CALIBRATION_DEFECT | quality::HOT;
    let flats = flat.data.iter().zip(&flat.variance).zip(&flat.quality);
    for (((v, s), q), ((f, flat_variance), flat_bits)) in data.iter_mut().zip(variance).zip(bits).zip(flats) {
        let ratio = *v / f;
        *s = (*s + ratio * ratio * flat_variance) / (f * f);
        *v = ratio;
        *q |= flat_bits & of_flat;
    }
}

/// Deals with pixels without response; says how many there are in the field.
pub fn treat_dead(image: &mut Image, how: DeadPixels) -> usize {
    let columns = image.shape().1;
    let is_dead = |q: u32| q & (quality::DEAD | quality::OUTSIDE) == quality::DEAD;
    let dead: Vec<(usize, usize)> =
        image.quality.iter().enumerate().filter(|(_, q)| is_dead(**q)).map(|(p, _)| (p / columns, p % columns)).collect();
    // Where there is no good neighbour the pixel is not known.
    for at in &dead {
        (image.data[*at], image.variance[*at]) = (f32::NAN, f32::NAN);
    }
    if how == DeadPixels::Interpolate {
        interpolate_at(image, &dead, UNUSABLE);
    }
    dead.len()
}
