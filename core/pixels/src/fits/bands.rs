//! Products with errors, read by bands of rows: for combining more exposures than memory holds.

use std::ops::Range;
use std::path::Path;

use ifured_core::Header;
use ndarray::Array2;

use super::error::FitsError;
use super::image_reader::ImageReader;
use super::layout::open_planes;
use crate::image::Image;

/// Data, variance and quality of a product, open for reading bands of rows.
#[derive(Debug)]
pub struct ImageBands {
    header: Header,
    planes: [ImageReader; 3],
}

impl ImageBands {
    /// Opens a product in either layout.
    ///
    /// # Errors
    /// As [`super::read_image`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FitsError> {
        let (header, planes) = open_planes(path.as_ref())?;
        Ok(ImageBands { header, planes })
    }

    /// The header, as [`super::read_image`] gives it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.planes[0].shape()
    }

    /// Rows `range` (from 0) of all three planes.
    ///
    /// # Errors
    /// If the rows are not in the image, or the file cannot be read.
    pub fn read_rows(&self, range: Range<usize>) -> Result<Image, FitsError> {
        let (rows, columns) = self.shape();
        let taken = range.end.min(rows).saturating_sub(range.start);
        let mut data = Array2::zeros((taken, columns));
        let mut variance = Array2::zeros((taken, columns));
        let mut bits = Array2::<i32>::zeros((taken, columns));
        let [of_data, of_variance, of_quality] = &self.planes;
        of_data.read_rows(range.clone(), data.as_slice_mut().unwrap_or_default())?;
        of_variance.read_rows(range.clone(), variance.as_slice_mut().unwrap_or_default())?;
        of_quality.read_rows_i32(range, bits.as_slice_mut().unwrap_or_default())?;
        Ok(Image { data, variance, quality: bits.mapv(|b| b as u32) })
    }
}
