//! An image binned by the medians of blocks: single defects do not matter, and no filter runs over the whole image.

use ndarray::{Array2, ArrayView2};

use super::medians_of_each;

/// Medians of square blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockMedians {
    /// Side of a block in pixels.
    pub size: usize,
    /// Median of each block, NaN left out; the last blocks of rows and columns may be smaller. NaN for a block without values.
    pub medians: Array2<f32>,
}

impl BlockMedians {
    /// Bins an image; quick for sizes up to 8.
    ///
    /// # Panics
    /// If the size is 0.
    pub fn of(image: ArrayView2<f32>, size: usize) -> Self {
        assert!(size > 0, "a block has at least one pixel");
        let (rows, columns) = image.dim();
        let mut medians = Array2::zeros((rows.div_ceil(size), columns.div_ceil(size)));
        // Pixels of one place in all blocks of a row; the last blocks may have fewer.
        let mut places = vec![vec![f32::NAN; medians.ncols()]; size * size];
        for (j, mut medians) in medians.rows_mut().into_iter().enumerate() {
            places.iter_mut().for_each(|p| p.fill(f32::NAN));
            for y in j * size..((j + 1) * size).min(rows) {
                let row = image.row(y);
                for (k, place) in places[y % size * size..][..size].iter_mut().enumerate() {
                    place.iter_mut().zip(row.iter().skip(k).step_by(size)).for_each(|(to, v)| *to = *v);
                }
            }
            medians.iter_mut().zip(medians_of_each(&places)).for_each(|(to, v)| *to = v);
        }
        BlockMedians { size, medians }
    }

    /// Centre (column, row, from 0) of a block in the `j`-th row of blocks and the `i`-th column.
    pub fn centre(&self, j: usize, i: usize) -> (f32, f32) {
        let half = (self.size as f32 - 1.0) / 2.0;
        ((i * self.size) as f32 + half, (j * self.size) as f32 + half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::median;

    #[test]
    fn blocks_have_the_medians_of_their_pixels() {
        let mut image = Array2::from_shape_fn((11, 14), |(y, x)| ((y * 37 + x * 61) % 101) as f32);
        image[[9, 2]] = f32::NAN;
        let blocks = BlockMedians::of(image.view(), 4);
        assert_eq!(blocks.medians.dim(), (3, 4));
        for ((j, i), found) in blocks.medians.indexed_iter() {
            let part = image.slice(ndarray::s![4 * j..(4 * j + 4).min(11), 4 * i..(4 * i + 4).min(14)]);
            assert_eq!(f64::from(*found), median(&part.iter().copied().collect::<Vec<_>>()));
        }
        assert_eq!(blocks.centre(1, 2), (9.5, 5.5));
    }
}
