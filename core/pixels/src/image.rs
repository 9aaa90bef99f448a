//! Images that know their errors: data, variance and quality of the same shape.
//!
//! Shapes are `(rows, columns)`, which is `(NAXIS2, NAXIS1)`; index `[[0, 0]]` is FITS pixel (1, 1). Data are `f32` in the
//! unit of the frame (ADU or electrons), variances the square of that unit. Sums over pixels are made in `f64`.

use ndarray::{Array2, Zip};

use crate::statistics::{Moments, median};

/// Quality bits of the Euro3D standard (Kissler-Patig et al. 2004, AN 325, 159), as the MUSE pipeline writes them.
/// 0 is a good pixel.
pub mod quality {
    /// Cosmic ray, removed (the value is an estimate).
    pub const COSMIC_RAY: u32 = 1 << 4;
    /// Cosmic ray, not removed.
    pub const COSMIC_RAY_LEFT: u32 = 1 << 5;
    /// Low sensitivity (less than 20 % of the neighbourhood, or as the recipe says).
    pub const LOW_SENSITIVITY: u32 = 1 << 6;
    /// A calibration frame is defective here.
    pub const CALIBRATION_DEFECT: u32 = 1 << 7;
    /// Hot pixel.
    pub const HOT: u32 = 1 << 8;
    /// Dark (dead) pixel.
    pub const DEAD: u32 = 1 << 9;
    /// Questionable.
    pub const QUESTIONABLE: u32 = 1 << 10;
    /// Potential well full: the signal is at least this.
    pub const SATURATED_WELL: u32 = 1 << 11;
    /// Converter saturated.
    pub const SATURATED_CONVERTER: u32 = 1 << 12;
    /// Permanent defect such as a blocked column.
    pub const DEFECT: u32 = 1 << 13;
    /// Bad for another reason.
    pub const BAD: u32 = 1 << 14;
    /// There are no data here (NaN or BLANK in the raw frame, outside every input).
    pub const MISSING: u32 = 1 << 30;
    /// Outside the useful range: here, outside the illuminated field.
    pub const OUTSIDE: u32 = 1 << 31;

    /// Bits and their names, lowest first.
    pub const NAMES: &[(u32, &str)] = &[
        (COSMIC_RAY, "cosmic ray, removed"),
        (COSMIC_RAY_LEFT, "cosmic ray, not removed"),
        (LOW_SENSITIVITY, "low sensitivity"),
        (CALIBRATION_DEFECT, "calibration defect"),
        (HOT, "hot"),
        (DEAD, "dead"),
        (QUESTIONABLE, "questionable"),
        (SATURATED_WELL, "saturated well"),
        (SATURATED_CONVERTER, "saturated converter"),
        (DEFECT, "permanent defect"),
        (BAD, "bad"),
        (MISSING, "missing"),
        (OUTSIDE, "outside the field"),
    ];
}

/// Data with variance and quality. All three arrays have the same shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Values.
    pub data: Array2<f32>,
    /// Variances, in the square of the unit of the data.
    pub variance: Array2<f32>,
    /// Quality bits (see [`quality`]).
    pub quality: Array2<u32>,
}

impl Image {
    /// An image of known data with the same variance everywhere and all pixels good; NaN pixels become [`quality::MISSING`].
    pub fn new(data: Array2<f32>, variance: f32) -> Self {
        let shape = data.raw_dim();
        let quality = data.map(|v| if v.is_nan() { quality::MISSING } else { 0 });
        Image { data, variance: Array2::from_elem(shape, variance), quality }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.data.dim()
    }

    /// Median of all pixels that are not missing.
    pub fn median(&self) -> f64 {
        let known = self.data.iter().zip(&self.quality).filter(|(_, bits)| **bits & quality::MISSING == 0);
        median(&known.map(|(v, _)| *v).collect::<Vec<_>>())
    }

    /// Differences from a truth, given for each pixel (row, column), in units of their errors: mean 0 and standard deviation 1 where values and
    /// variances are right. Missing pixels are left out.
    pub fn pulls(&self, truth: impl Fn((usize, usize)) -> f64) -> Moments {
        let known = self.data.indexed_iter().filter(|(at, v)| v.is_finite() && self.quality[*at] & quality::MISSING == 0);
        known.map(|(at, v)| (f64::from(*v) - truth(at)) / f64::from(self.variance[at]).sqrt()).collect()
    }

    /// Subtracts another image: variances add, quality bits join.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn subtract(&mut self, other: &Image) {
        Zip::from(&mut self.data).and(&other.data).for_each(|a, &b| *a -= b);
        Zip::from(&mut self.variance).and(&other.variance).for_each(|a, &b| *a += b);
        Zip::from(&mut self.quality).and(&other.quality).for_each(|a, &b| *a |= b);
    }

    /// Divides by another image, both with errors: `var(a/b) = (var(a) + (a/b)^2 var(b)) / b^2`; quality bits join.
    /// Where the divisor is not positive the result is NaN with [`quality::MISSING`].
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn divide(&mut self, other: &Image) {
        Zip::from(&mut self.data).and(&mut self.variance).and(&mut self.quality).and(&other.data).and(&other.variance).for_each(
            |a, va, q, &b, &vb| {
                if b > 0.0 {
                    let ratio = *a / b;
                    *va = (*va + ratio * ratio * vb) / (b * b);
                    *a = ratio;
                } else {
                    (*a, *va) = (f32::NAN, f32::NAN);
                    *q |= quality::MISSING;
                }
            },
        );
        Zip::from(&mut self.quality).and(&other.quality).for_each(|a, &b| *a |= b);
    }
}

/// An image that is made band by band of rows, from the first row on. Each band is touched while it is in the cache.
pub struct GrowingImage {
    shape: (usize, usize),
    data: Vec<f32>,
    variance: Vec<f32>,
    quality: Vec<u32>,
}

impl GrowingImage {
    /// For an image of that shape.
    pub fn new(shape: (usize, usize)) -> Self {
        let size = shape.0 * shape.1;
        GrowingImage { shape, data: Vec::with_capacity(size), variance: Vec::with_capacity(size), quality: Vec::with_capacity(size) }
    }

    /// The next rows of the three planes, zero, row after row; fewer if the image has no more.
    pub fn next_rows(&mut self, rows: usize) -> (&mut [f32], &mut [f32], &mut [u32]) {
        let from = self.data.len();
        let end = (from + rows * self.shape.1).min(self.shape.0 * self.shape.1);
        self.data.resize(end, 0.0);
        self.variance.resize(end, 0.0);
        self.quality.resize(end, 0);
        (&mut self.data[from..], &mut self.variance[from..], &mut self.quality[from..])
    }

    /// The image; rows that were not made are zero.
    pub fn finish(mut self) -> Image {
        self.next_rows(self.shape.0);
        let right = "as many values as the shape has";
        Image {
            data: Array2::from_shape_vec(self.shape, self.data).expect(right),
            variance: Array2::from_shape_vec(self.shape, self.variance).expect(right),
            quality: Array2::from_shape_vec(self.shape, self.quality).expect(right),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_grows_by_bands() {
        let mut growing = GrowingImage::new((5, 3));
        growing.next_rows(2).0.fill(1.0);
        let (data, variance, bits) = growing.next_rows(2);
        assert_eq!((data.len(), variance.len(), bits.len()), (6, 6, 6));
        bits.fill(quality::HOT);
        let image = growing.finish();
        assert_eq!(image.data.column(0).to_vec(), [1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(image.quality.column(2).to_vec(), [0, 0, quality::HOT, quality::HOT, 0]);
    }
}
