//! What is done to one frame: bias, saturation, variance, flat, dead pixels.

use ifured_core::RecipeError;
use ifured_pixels::cosmic::{CosmicOptions, remove_cosmic_rays};
use ifured_pixels::{Image, quality};
use ndarray::{Array2, Zip};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::noise::NoiseModel;
use crate::raw::RawFrame;

/// What becomes of pixels that have no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeadPixels {
    /// The mean of the nearest good pixels in row and column; the flag stays.
    Interpolate,
    /// NaN; the flag stays.
    Nan,
}

/// Levels from which a pixel is saturated.
#[derive(Clone, Copy, Debug)]
pub struct Saturation {
    /// Raw value in ADU at which the converter ends.
    pub converter: f32,
    /// Charge in electrons at which the pixel is full, where known.
    pub well: Option<f32>,
}

/// The frame with the bias subtracted: variance by the noise model, saturated and missing pixels flagged.
pub fn subtract_bias(frame: &RawFrame, bias: &Image, noise: &NoiseModel, saturation: Saturation) -> Result<Image, RecipeError> {
    let shape = frame.shape();
    let mut data = Array2::zeros(shape);
    let rows = 0..shape.0;
    if let Some(pixels) = data.as_slice_mut() {
        frame.read_rows(rows.clone(), pixels)?;
    }
    let flags = |v: &f32| {
        let missing = if v.is_nan() { quality::MISSING } else { 0 };
        missing | if *v >= saturation.converter { quality::SATURATED_CONVERTER } else { 0 }
    };
    let bits = data.map(flags);
    if let Some(pixels) = data.as_slice_mut() {
        frame.subtract_overscan(rows, pixels)?;
    }
    let mut image = Image { data, variance: Array2::zeros(shape), quality: bits };
    let well = saturation.well.map_or(f32::INFINITY, |electrons| electrons / noise.gain as f32);
    Zip::from(&mut image.data).and(&mut image.variance).and(&mut image.quality).and(&bias.data).and(&bias.variance).for_each(
        |v, s, q, &b, &bias_variance| {
            *v -= b;
            *s = noise.variance(*v) + bias_variance;
            if *v >= well {
                *q |= quality::SATURATED_WELL;
            }
        },
    );
    Zip::from(&mut image.quality).and(&bias.quality).for_each(|q, &b| *q |= b & (quality::HOT | quality::MISSING));
    Zip::from(&mut image.variance).and(&image.data).for_each(|s, v| {
        if v.is_nan() {
            *s = f32::NAN;
        }
    });
    Ok(image)
}

/// Divides by a flat; what the flat says of its pixels joins the quality.
pub fn divide_flat(image: &mut Image, flat: &Image) {
    Zip::from(&mut image.data).and(&mut image.variance).and(&flat.data).and(&flat.variance).for_each(|v, s, &f, &flat_variance| {
        let ratio = *v / f;
        *s = (*s + ratio * ratio * flat_variance) / (f * f);
        *v = ratio;
    });
    let of_flat = quality::LOW_SENSITIVITY | quality::DEAD | quality::OUTSIDE | quality::CALIBRATION_DEFECT | quality::HOT;
    Zip::from(&mut image.quality).and(&flat.quality).for_each(|q, &f| *q |= f & of_flat);
}

/// Outside the field: 0, as CAFOS users expect of a masked image.
pub fn blank_outside(image: &mut Image) {
    Zip::from(&mut image.data).and(&mut image.variance).and(&image.quality).for_each(|v, s, &q| {
        if q & quality::OUTSIDE != 0 {
            (*v, *s) = (0.0, 0.0);
        }
    });
}

/// Deals with pixels without response; says how many there are in the field.
pub fn treat_dead(image: &mut Image, how: DeadPixels) -> usize {
    let dead: Vec<(usize, usize)> =
        image.quality.indexed_iter().filter(|(_, q)| **q & quality::DEAD != 0 && **q & quality::OUTSIDE == 0).map(|(at, _)| at).collect();
    let estimates: Vec<(f32, f32)> = dead
        .iter()
        .map(|&at| match how {
            DeadPixels::Nan => (f32::NAN, f32::NAN),
            DeadPixels::Interpolate => from_neighbours(image, at),
        })
        .collect();
    for (at, (value, variance)) in dead.iter().zip(estimates) {
        image.data[*at] = value;
        image.variance[*at] = variance;
    }
    dead.len()
}

/// Mean of the nearest good pixels above, below, left and right within 5 pixels; NaN where there are none. The variance is that of one
/// neighbour plus their scatter: the pixel itself was not measured.
fn from_neighbours(image: &Image, (y, x): (usize, usize)) -> (f32, f32) {
    let unusable = quality::DEAD | quality::MISSING | quality::OUTSIDE | quality::SATURATED_CONVERTER | quality::COSMIC_RAY;
    let (rows, columns) = image.shape();
    let mut found = Vec::new();
    for (dy, dx) in [(0, 1), (0, -1), (1, 0), (-1, 0)] {
        let places = (1..=5_isize).map(|k| (y as isize + k * dy, x as isize + k * dx));
        let inside = places.filter(|(b, a)| (0..rows as isize).contains(b) && (0..columns as isize).contains(a));
        let good =
            inside.map(|(b, a)| [b as usize, a as usize]).find(|at| image.quality[*at] & unusable == 0 && image.data[*at].is_finite());
        if let Some(at) = good {
            found.push((image.data[at], image.variance[at]));
        }
    }
    let n = found.len() as f32;
    let mean = found.iter().map(|(v, _)| v).sum::<f32>() / n;
    let scatter = found.iter().map(|(v, _)| (v - mean).powi(2)).sum::<f32>() / n;
    (mean, found.iter().map(|(_, s)| s).sum::<f32>() / n + scatter)
}

/// Removes cosmic rays (van Dokkum 2001, PASP 113, 1420); says how many pixels were struck.
pub fn remove_rays(image: &mut Image, sigma: f64, contrast: f64) -> usize {
    // Weak pixels can be struck like others.
    let exclude = !(quality::QUESTIONABLE | quality::LOW_SENSITIVITY);
    remove_cosmic_rays(image, &CosmicOptions { sigma_limit: sigma, contrast, exclude, ..CosmicOptions::default() }).pixels
}
