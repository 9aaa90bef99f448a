//! Hot pixels and hot columns of a combined bias, from the profiles of its columns and rows.
//!
//! A bias has structure along rows and columns and little else: what is above both is hot. The profiles are medians of up to 200 pixels
//! of each line, so that it costs one pass over the image. For darks with structure in both directions there is
//! [`super::bad_pixels_from_dark`].

use crate::Image;
use crate::image::quality;
use crate::statistics::median;

/// Rows and columns that profiles are taken from, at most.
const PROFILE_SAMPLE: usize = 200;
/// Neighbours to each side of a column.
const NEIGHBOURS: usize = 15;

/// How far above its surroundings a pixel or column is hot, in the unit of the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HotLimits {
    /// A pixel above its column and row.
    pub pixel: f32,
    /// A column above the median of its 30 neighbours.
    pub column: f32,
}

/// Sets [`quality::HOT`] on hot pixels and on all pixels of hot columns.
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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn hot_pixels_and_columns_are_flagged_in_spite_of_rows_and_columns() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(6);
        let mut data = Array2::from_shape_fn((300, 250), |(y, x)| {
            let z: f32 = StandardNormal.sample(&mut rng);
            670.0 + 20.0 * (y as f32 / 30.0).sin() + 10.0 * (x as f32 / 25.0).cos() + 3.0 * z
        });
        data.column_mut(120).mapv_inplace(|v| v + 30.0);
        data[[17, 33]] += 90.0;
        let mut image = Image::new(data, 9.0);
        flag_hot(&mut image, &HotLimits { pixel: 50.0, column: 15.0 });
        let expected = |y: usize, x: usize| x == 120 || (y, x) == (17, 33);
        assert!(image.quality.indexed_iter().all(|((y, x), q)| *q == if expected(y, x) { quality::HOT } else { 0 }));
    }
}
