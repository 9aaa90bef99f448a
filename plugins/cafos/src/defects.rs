//! Defects of the detector that calibrations show: hot pixels and columns in the bias, weak pixels in the flat.

use ifured_pixels::statistics::median;
use ifured_pixels::{Image, quality};
use ndarray::Array2;

use crate::field_mask::Blocks;

/// Rows and columns that profiles are taken from, at most.
const PROFILE_SAMPLE: usize = 200;
/// Neighbours to each side of a column.
const NEIGHBOURS: usize = 15;

/// How far above its surroundings a pixel or column of the bias is hot, in ADU.
pub struct HotLimits {
    /// A pixel above its column and row.
    pub pixel: f32,
    /// A column above its neighbours.
    pub column: f32,
}

/// Flags hot pixels and hot columns of a bias.
pub fn flag_hot(image: &mut Image, limits: &HotLimits) {
    let (rows, columns) = image.shape();
    let every = |n: usize| n.div_ceil(PROFILE_SAMPLE).max(1);
    let column_profile: Vec<f32> =
        (0..columns).map(|x| median(&(0..rows).step_by(every(rows)).map(|y| image.data[[y, x]]).collect::<Vec<_>>()) as f32).collect();
    let level = median(&column_profile) as f32;
    let row_profile: Vec<f32> = (0..rows)
        .map(|y| median(&(0..columns).step_by(every(columns)).map(|x| image.data[[y, x]] - column_profile[x]).collect::<Vec<_>>()) as f32)
        .collect();
    let hot_column: Vec<bool> = (0..columns).map(|x| column_profile[x] - surroundings(&column_profile, x, level) > limits.column).collect();
    for ((y, x), bits) in image.quality.indexed_iter_mut() {
        if hot_column[x] || image.data[[y, x]] - column_profile[x] - row_profile[y] > limits.pixel {
            *bits |= quality::HOT;
        }
    }
}

fn surroundings(profile: &[f32], at: usize, otherwise: f32) -> f32 {
    let (from, to) = (at.saturating_sub(NEIGHBOURS), (at + NEIGHBOURS + 1).min(profile.len()));
    let near: Vec<f32> = (from..to).filter(|x| *x != at).map(|x| profile[x]).collect();
    if near.is_empty() { otherwise } else { median(&near) as f32 }
}

/// Response below which a pixel of a flat is weak or dead.
pub struct ResponseLimits {
    /// Fraction of the response around it.
    pub low: f64,
    /// Response.
    pub dead: f64,
}

/// Flags weak and dead pixels of a normalised flat; the flat of dead pixels becomes 1, so that nothing is divided by nearly 0.
pub fn flag_response(image: &mut Image, mask: &Array2<u8>, blocks: &Blocks, limits: &ResponseLimits) {
    let level = blocks.level();
    for ((y, x), value) in image.data.indexed_iter_mut() {
        let around = f64::from(blocks.at(y, x)) / level;
        let response = f64::from(*value);
        let bits = &mut image.quality[[y, x]];
        if response < limits.dead || !(response > 0.0) {
            if mask[[y, x]] == 1 {
                *bits |= quality::DEAD;
            }
            *value = 1.0;
        } else if mask[[y, x]] == 1 && response < limits.low * around {
            *bits |= quality::LOW_SENSITIVITY;
        }
    }
}
