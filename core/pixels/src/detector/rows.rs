//! Raw frames on their way into a master: less overscan and bias, with their noise, band by band (see [`crate::combine`]).

use std::cell::RefCell;
use std::ops::Range;

use ifured_core::RecipeError;

use super::calibration::{Calibration, Rows};
use super::noise::NoiseModel;
use super::raw_frame::RawFrame;
use crate::combine::{CombinedRows, FrameRows};
use crate::quality;

/// A frame without light, less its overscan; its variance is that of the read noise.
pub struct DarkRows<'a> {
    /// The frame.
    pub frame: &'a RawFrame,
    /// Variance of a pixel, ADU^2.
    pub variance: f32,
}

impl FrameRows for DarkRows<'_> {
    type Error = RecipeError;

    fn shape(&self) -> (usize, usize) {
        self.frame.shape()
    }

    fn read_rows(&mut self, rows: Range<usize>, data: &mut [f32], variance: &mut [f32], quality: &mut [u32]) -> Result<(), RecipeError> {
        self.frame.read_corrected(rows, data)?;
        variance.fill(self.variance);
        quality.fill(0);
        Ok(())
    }
}

/// The bias of all frames of a master, with the rows that were read last: the frames need them one after the other.
pub struct SharedBias<'a> {
    calibration: &'a Calibration,
    band: RefCell<(Range<usize>, Rows)>,
}

impl<'a> SharedBias<'a> {
    /// Of that bias.
    pub fn new(calibration: &'a Calibration) -> Self {
        SharedBias { calibration, band: RefCell::default() }
    }

    /// Adds the error of the bias, and its hot and missing pixels, to combined rows that were scaled by `scale` on average. It was
    /// subtracted from all frames, so its error does not average out. For [`crate::combine::combine_with`].
    pub fn add_error(&self, combined: CombinedRows, scale: f64) {
        let common = (scale * scale) as f32;
        let (_, bias) = &*self.band.borrow();
        for (v, b) in combined.variance.iter_mut().zip(&bias.variance) {
            *v += if b.is_finite() { common * b } else { 0.0 };
        }
        combined.quality.iter_mut().zip(&bias.quality).for_each(|(q, b)| *q |= b & (quality::HOT | quality::MISSING));
    }
}

/// A frame with light, less overscan and bias; its variance is that of the noise model without the error of the bias.
pub struct LitRows<'a> {
    /// The frame.
    pub frame: &'a RawFrame,
    /// Subtracted.
    pub bias: &'a SharedBias<'a>,
    /// Noise of the frame.
    pub noise: NoiseModel,
    /// Raw value in ADU from which a pixel is saturated.
    pub saturation: f32,
}

impl FrameRows for LitRows<'_> {
    type Error = RecipeError;

    fn shape(&self) -> (usize, usize) {
        self.frame.shape()
    }

    fn read_rows(&mut self, rows: Range<usize>, data: &mut [f32], variance: &mut [f32], quality: &mut [u32]) -> Result<(), RecipeError> {
        let (held, bias) = &mut *self.bias.band.borrow_mut();
        if *held != rows {
            self.bias.calibration.read_rows(rows.clone(), bias)?;
            held.clone_from(&rows);
        }
        self.frame.read_rows(rows.clone(), data)?;
        quality
            .iter_mut()
            .zip(data.iter())
            .for_each(|(q, v)| *q = if *v >= self.saturation { crate::quality::SATURATED_CONVERTER } else { 0 });
        self.frame.subtract_overscan(rows, data)?;
        let noise = self.noise;
        for ((v, s), b) in data.iter_mut().zip(variance).zip(&bias.data) {
            *v -= b;
            *s = noise.variance(*v);
        }
        Ok(())
    }
}
