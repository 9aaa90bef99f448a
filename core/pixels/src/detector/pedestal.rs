//! The pedestal: how far the bias level of a frame has drifted from that of the master bias, where there is no overscan to tell.
//!
//! Pixels that see no sky, as the corners of a chip that is larger than the field, hold `bias + pedestal + sky * response` with a
//! response near 0, which the flat tells. Assumes that what light does reach them does so in the frame as in the flat. A drift of
//! some tenths of an ADU is some tenths of a percent of a faint sky.

use ifured_core::RecipeError;

use super::calibration::Calibration;
use super::raw_frame::RawFrame;
use crate::statistics::{clipped_moments, median};

/// Response up to which a pixel is dark.
const DARK: f32 = 0.02;
/// Response from which a pixel shows the sky.
const LIT: f32 = 0.5;
/// Pixels that are looked at, at most.
const SAMPLE: usize = 400_000;
/// Fewest dark pixels.
const FEWEST: usize = 1000;

/// A level and its standard error in ADU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pedestal {
    /// Level above the bias.
    pub level: f64,
    /// Its standard error.
    pub error: f64,
}

/// The pedestal of a frame; `None` where a frame has overscan or too few dark pixels.
///
/// # Errors
/// If one of the three cannot be read.
pub fn pedestal(frame: &RawFrame, bias: &Calibration, flat: &Calibration) -> Result<Option<Pedestal>, RecipeError> {
    let (rows, columns) = frame.shape();
    if frame.has_overscan() {
        return Ok(None);
    }
    let step = (rows * columns).div_ceil(SAMPLE).max(1);
    let (mut above, mut level, mut response) = (vec![0.0; columns], Vec::new(), Vec::new());
    let (mut dark, mut lit) = (Vec::new(), Vec::new());
    for y in (step / 2..rows).step_by(step) {
        frame.read_rows(y..y + 1, &mut above)?;
        bias.read_data(y..y + 1, &mut level)?;
        flat.read_data(y..y + 1, &mut response)?;
        for ((v, b), &r) in above.iter().zip(&level).zip(&response) {
            if r < DARK && r > -DARK {
                dark.push((v - b, r));
            } else if r > LIT {
                lit.push((v - b) / r);
            }
        }
    }
    let sky = median(&lit) as f32;
    if dark.len() < FEWEST || !sky.is_finite() {
        return Ok(None);
    }
    let values: Vec<f32> = dark.into_iter().map(|(v, r)| v - sky * r).collect();
    let found = clipped_moments(&values, 4.0);
    Ok(Some(Pedestal { level: found.mean, error: found.mean_error() }))
}
