//! Means of blocks of pixels, row by row.

use ndarray::Array2;

use super::Small;

/// Takes an image row by row and gives the means of square blocks. Blocks at the upper and right edge may be cut.
///
/// Sums are `f64`: the mean of all blocks, weighted with their pixels, is the mean of the image to rounding.
pub struct Reducer {
    shape: (usize, usize),
    factor: usize,
    values: Array2<f32>,
    sums: Vec<f64>,
    counts: Vec<u32>,
    row: usize,
}

impl Reducer {
    /// For an image of that shape; the longer side gets at most `size` blocks.
    pub fn new(rows: usize, columns: usize, size: usize) -> Self {
        let factor = rows.max(columns).div_ceil(size.max(1)).max(1);
        let blocks = columns.div_ceil(factor);
        Reducer {
            shape: (rows, columns),
            factor,
            values: Array2::from_elem((rows.div_ceil(factor), blocks), f32::NAN),
            sums: vec![0.0; blocks],
            counts: vec![0; blocks],
            row: 0,
        }
    }

    /// The next row. Values that are not finite are left out; rows beyond the last are not regarded.
    pub fn push(&mut self, row: impl Iterator<Item = f32>) {
        if self.row >= self.shape.0 {
            return;
        }
        let (mut block, mut within) = (0, 0);
        for value in row.take(self.shape.1) {
            if value.is_finite() {
                self.sums[block] += f64::from(value);
                self.counts[block] += 1;
            }
            within += 1;
            if within == self.factor {
                (block, within) = (block + 1, 0);
            }
        }
        self.row += 1;
        if self.row.is_multiple_of(self.factor) || self.row == self.shape.0 {
            let mut target = self.values.row_mut((self.row - 1) / self.factor);
            for (block, value) in target.iter_mut().enumerate() {
                if self.counts[block] > 0 {
                    *value = (self.sums[block] / f64::from(self.counts[block])) as f32;
                }
            }
            self.sums.fill(0.0);
            self.counts.fill(0);
        }
    }

    /// Pixels along one side of a block.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// Passes over rows up to the end of a block: its mean is that of the rows there were.
    pub fn skip(&mut self, rows: usize) {
        if rows > 0 {
            self.row += rows - 1;
            self.push(std::iter::empty());
        }
    }

    /// The small image.
    pub fn finish(self, note: String) -> Small {
        Small { values: self.values, factor: self.factor, shape: self.shape, note }
    }
}
