//! Defects of the detector that calibrations show: hot pixels and columns in the bias, weak pixels in the flat.

use ifured_pixels::statistics::median;
use ifured_pixels::{Image, quality};

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
    let column_profile: Vec<f32> = (0..columns)
        .map(|x| median(&(0..rows).step_by(every(rows)).map(|y| image.data[[y, x]]).collect::<Vec<_>>()) as f32)
        .collect();
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
