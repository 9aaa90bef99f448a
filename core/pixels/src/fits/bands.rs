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
        self.planes[0].stacked_shape()
    }

    /// Rows `range` (from 0) of all three planes.
    ///
    /// # Errors
    /// If the rows are not in the image, or the file cannot be read.
    pub fn read_rows(&self, range: Range<usize>) -> Result<Image, FitsError> {
        let (rows, columns) = self.shape();
        let taken = (range.end.min(rows).saturating_sub(range.start), columns);
        let mut image = Image { data: Array2::zeros(taken), variance: Array2::zeros(taken), quality: Array2::zeros(taken) };
        let Image { data, variance, quality } = &mut image;
        let slices = (data.as_slice_mut(), variance.as_slice_mut(), quality.as_slice_mut());
        self.read_rows_into(range, slices.0.unwrap_or_default(), slices.1.unwrap_or_default(), slices.2.unwrap_or_default())?;
        Ok(image)
    }

    /// As [`ImageBands::read_rows`], into slices of `range.len() * columns` pixels each.
    ///
    /// # Errors
    /// As [`ImageBands::read_rows`]; if a slice has another length.
    pub fn read_rows_into(
        &self,
        range: Range<usize>,
        data: &mut [f32],
        variance: &mut [f32],
        quality: &mut [u32],
    ) -> Result<(), FitsError> {
        let [of_data, of_variance, of_quality] = &self.planes;
        of_data.read_rows(range.clone(), data)?;
        of_variance.read_rows(range.clone(), variance)?;
        of_quality.read_rows_bits(range, quality)
    }

    /// The data of these rows alone, without variance and quality.
    ///
    /// # Errors
    /// As [`ImageBands::read_rows_into`].
    pub fn read_data_into(&self, range: Range<usize>, data: &mut [f32]) -> Result<(), FitsError> {
        self.planes[0].read_rows(range, data)
    }
}
