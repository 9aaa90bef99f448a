//! Growing and shrinking of masks by a disc.

use ndarray::{Array2, ArrayView2};

/// True within `radius` pixels (centre to centre) of a true pixel.
pub fn dilate(mask: ArrayView2<bool>, radius: f64) -> Array2<bool> {
    let (rows, columns) = mask.dim();
    let reach = radius.max(0.0).floor() as usize;
    let near = row_distances(mask);
    let mut out = Array2::from_elem((rows, columns), false);
    for (y, mut row) in out.rows_mut().into_iter().enumerate() {
        for from in y.saturating_sub(reach)..(y + reach + 1).min(rows) {
            let dy = from.abs_diff(y) as f64;
            let half = (radius * radius - dy * dy).max(0.0).sqrt() as u32;
            row.iter_mut().zip(near.row(from)).for_each(|(to, &distance)| *to |= distance <= half);
        }
    }
    out
}

/// True where all pixels within `radius` are true; pixels outside the image do not shrink anything.
pub fn erode(mask: ArrayView2<bool>, radius: f64) -> Array2<bool> {
    let mut out = dilate(mask.map(|m| !m).view(), radius);
    out.mapv_inplace(|m| !m);
    out
}

/// Distance in columns to the nearest true pixel of the same row.
fn row_distances(mask: ArrayView2<bool>) -> Array2<u32> {
    let mut out = mask.map(|&m| if m { 0 } else { u32::MAX });
    for mut row in out.rows_mut() {
        for x in 1..row.len() {
            row[x] = row[x].min(row[x - 1].saturating_add(1));
        }
        for x in (1..row.len()).rev() {
            row[x - 1] = row[x - 1].min(row[x].saturating_add(1));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn growing_is_the_union_of_discs(points in prop::collection::vec((0usize..20, 0usize..25), 0..8), radius in 0.0..6.0f64) {
            let mut mask = Array2::from_elem((20, 25), false);
            for &(y, x) in &points { mask[[y, x]] = true; }
            let grown = dilate(mask.view(), radius);
            let square = |a: usize, b: usize| (a as f64 - b as f64).powi(2);
            for ((y, x), &found) in grown.indexed_iter() {
                prop_assert_eq!(found, points.iter().any(|&(v, u)| square(y, v) + square(x, u) <= radius * radius));
            }
            prop_assert_eq!(erode(mask.map(|m| !m).view(), radius), grown.map(|m| !m));
        }
    }
}
