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
    /// Of each column in the rows of the present blocks: sum and number of the finite values.
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
            sums: vec![0.0; columns],
            counts: vec![0; columns],
            row: 0,
        }
    }

    /// The next row. Values that are not finite are left out; rows beyond the last are not regarded.
    pub fn push(&mut self, row: &[f32]) {
        for ((sum, count), &value) in self.sums.iter_mut().zip(&mut self.counts).zip(row) {
            let finite = value.is_finite();
            *sum += if finite { f64::from(value) } else { 0.0 };
            *count += u32::from(finite);
        }
        self.skip(1);
    }

    /// Passes over rows: the mean of a block is that of the rows it was given.
    pub fn skip(&mut self, rows: usize) {
        for _ in 0..rows.min(self.shape.0 - self.row) {
            self.row += 1;
            if self.row.is_multiple_of(self.factor) || self.row == self.shape.0 {
                self.end_of_blocks();
            }
        }
    }

    fn end_of_blocks(&mut self) {
        let columns = self.sums.chunks(self.factor).zip(self.counts.chunks(self.factor));
        for (value, (sums, counts)) in self.values.row_mut((self.row - 1) / self.factor).iter_mut().zip(columns) {
            let count: u32 = counts.iter().sum();
            if count > 0 {
                *value = (sums.iter().sum::<f64>() / f64::from(count)) as f32;
            }
        }
        self.sums.fill(0.0);
        self.counts.fill(0);
    }

    /// Pixels along one side of a block.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// The small image.
    pub fn finish(self, note: String) -> Small {
        Small { values: self.values, factor: self.factor, shape: self.shape, note }
    }
}
