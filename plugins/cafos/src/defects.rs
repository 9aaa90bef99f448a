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
    for ((y, values), mut bits) in image.data.rows().into_iter().enumerate().zip(image.quality.rows_mut()) {
        let row = row_profile[y];
        for (((v, q), column), hot) in values.iter().zip(bits.iter_mut()).zip(&column_profile).zip(&hot_column) {
            *q |= if *hot || v - column - row > limits.pixel { quality::HOT } else { 0 };
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

/// Flags weak and dead pixels of a normalised flat; the flat of dead pixels in the field becomes 1, so that nothing is divided
/// by nearly 0. Outside the field the flat stays the response that was measured.
pub fn flag_response(image: &mut Image, mask: &Array2<u8>, blocks: &Blocks, limits: &ResponseLimits) {
    let (level, dead) = (blocks.level(), limits.dead.max(0.0) as f32);
    let mut weak = vec![0.0; image.shape().1];
    for ((y, mut values), mut bits) in image.data.rows_mut().into_iter().enumerate().zip(image.quality.rows_mut()) {
        if y % blocks.size == 0 {
            let medians = blocks.medians.row(y / blocks.size);
            let limits = medians.iter().map(|m| (limits.low * (f64::from(*m) / level)) as f32);
            weak.chunks_mut(blocks.size).zip(limits).for_each(|(weak, limit)| weak.fill(limit));
        }
        let mask = mask.row(y);
        let rows = (values.as_slice_mut(), bits.as_slice_mut(), mask.as_slice());
        let (Some(values), Some(bits), Some(mask)) = rows else { continue };
        for (((value, q), inside), weak) in values.iter_mut().zip(bits).zip(mask).zip(&weak) {
            let inside = *inside == 1;
            // NaN is dead too.
            let is_dead = inside & !((*value >= dead) & (*value > 0.0));
            let is_weak = inside & !is_dead & (*value < *weak);
            *q |= if is_dead { quality::DEAD } else { 0 } | if is_weak { quality::LOW_SENSITIVITY } else { 0 };
            *value = if is_dead { 1.0 } else { *value };
        }
    }
}
