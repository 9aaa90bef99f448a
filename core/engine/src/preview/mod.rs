//! Previews: an image made small (mean of blocks of pixels, NaN left out), stretched to 8 bits and written as PNG.
//!
//! Files are read by bands of rows and made small on the way. Of a cube the mean of some planes, evenly spread, is shown.
//! The first row of a FITS image is the lowest of a preview.

mod encode;
mod reduce;
mod stretch;

use std::path::Path;

use ifured_core::Header;
use ifured_pixels::fits::{HduSelect, ImageReader, hdus};
use ndarray::{Array2, ArrayView2};

use crate::error::{Error, Result};

pub use encode::{ColourMap, png};
pub use reduce::Reducer;
pub use stretch::{Stretch, limits};

/// Most planes of a cube that are read for a preview.
const PLANES: u64 = 24;

/// One plane of an image, small.
#[derive(Clone, Debug)]
pub struct Small {
    /// Means of blocks; NaN where a block has no valid pixel.
    pub values: Array2<f32>,
    /// Pixels of the image along one side of a block.
    pub factor: usize,
    /// Rows and columns of the image.
    pub shape: (usize, usize),
    /// What is shown if it is not simply the image: `mean of 24 of 3681 planes`.
    pub note: String,
}

/// Quality, small.
#[derive(Clone, Debug)]
pub struct SmallQuality {
    /// Fraction of pixels of each block that have any bit set.
    pub flagged: Small,
    /// Pixels with each of the bits, lowest bit first.
    pub counts: [u64; 32],
    /// Pixels in all.
    pub pixels: u64,
}

/// Makes an image small: its longer side gets at most `size` blocks.
pub fn small(image: ArrayView2<'_, f32>, size: usize) -> Small {
    let (rows, columns) = image.dim();
    let mut reducer = Reducer::new(rows, columns, size);
    for row in image.rows() {
        match row.as_slice() {
            Some(row) => reducer.push(row),
            None => reducer.push(&row.to_vec()),
        }
    }
    reducer.finish(String::new())
}

fn failed(path: &Path) -> impl Fn(ifured_pixels::fits::FitsError) -> Error {
    let path = path.to_owned();
    move |e| Error::usage(format!("no preview of {}: {e}", path.display()), "")
}

/// Rows of one plane of a reader, band by band.
fn each_row(
    reader: &ImageReader,
    first: usize,
    rows: usize,
    mut on: impl FnMut(&[f32]),
) -> std::result::Result<(), ifured_pixels::fits::FitsError> {
    let columns = reader.stacked_shape().1;
    let band = ((1 << 18) / columns.max(1)).clamp(1, rows.max(1));
    let mut buffer = vec![0f32; band * columns];
    let mut row = 0;
    while row < rows {
        let taken = band.min(rows - row);
        let part = &mut buffer[..taken * columns];
        reader.read_rows(first + row..first + row + taken, part)?;
        part.chunks(columns.max(1)).for_each(&mut on);
        row += taken;
    }
    Ok(())
}

/// Rows of each block that are read for a preview of a large image: a mean of two of five rows looks like that of all.
const SAMPLED: usize = 2;

/// Reads the sampled rows of one plane into a reducer.
fn sample_rows(
    reader: &ImageReader,
    first: usize,
    rows: usize,
    reducer: &mut Reducer,
) -> std::result::Result<(), ifured_pixels::fits::FitsError> {
    let factor = reducer.factor();
    if factor <= SAMPLED {
        return each_row(reader, first, rows, |row| reducer.push(row));
    }
    let columns = reader.stacked_shape().1;
    let mut buffer = vec![0f32; SAMPLED * columns];
    for block in (0..rows).step_by(factor) {
        let height = factor.min(rows - block);
        let taken = SAMPLED.min(height);
        let from = block + (height - taken) / 2;
        let part = &mut buffer[..taken * columns];
        reader.read_rows(first + from..first + from + taken, part)?;
        part.chunks(columns.max(1)).for_each(|row| reducer.push(row));
        reducer.skip(height - taken);
    }
    Ok(())
}

/// Whether there is an image of more than one column: pixel tables of MUSE keep their columns as images, which show nothing.
pub fn is_picture(path: &Path, hdu: &HduSelect) -> bool {
    ImageReader::open(path, hdu.clone()).is_ok_and(|reader| reader.stacked_shape().1 > 1)
}

/// A plane of a FITS file, made small while it is read, with the header of its HDU.
///
/// # Errors
/// If the file or the HDU cannot be read, or has no image.
pub fn small_of_file(path: &Path, hdu: &HduSelect, size: usize) -> Result<(Header, Small)> {
    let fail = failed(path);
    let reader = ImageReader::open(path, hdu.clone()).map_err(&fail)?;
    let (all_rows, columns) = reader.stacked_shape();
    let planes: u64 = reader.axes().iter().skip(2).product();
    let rows = all_rows / planes.max(1) as usize;
    let taken = planes.clamp(1, PLANES);
    let mut sum: Option<(Array2<f64>, Array2<f64>)> = None;
    let mut last = None;
    for n in 0..taken {
        let plane = (n * planes.max(1) / taken) as usize;
        let mut reducer = Reducer::new(rows, columns, size);
        sample_rows(&reader, plane * rows, rows, &mut reducer).map_err(&fail)?;
        let small = reducer.finish(String::new());
        if taken > 1 {
            let (total, count) = sum.get_or_insert_with(|| (Array2::zeros(small.values.dim()), Array2::zeros(small.values.dim())));
            ndarray::Zip::from(total).and(count).and(&small.values).for_each(|t, c, v| {
                if v.is_finite() {
                    *t += f64::from(*v);
                    *c += 1.0;
                }
            });
        }
        last = Some(small);
    }
    let mut small = last.ok_or_else(|| Error::Inconsistent("an image without planes".into()))?;
    if let Some((total, count)) = sum {
        small.values = ndarray::Zip::from(&total).and(&count).map_collect(|t, c| (t / c) as f32);
        small.note = format!("mean of {taken} of {planes} planes");
    }
    Ok((reader.header().clone(), small))
}

/// The quality plane of a product (`DQ`), made small; `None` if it has none.
///
/// # Errors
/// If the file cannot be read.
pub fn small_quality(path: &Path, size: usize) -> Result<Option<SmallQuality>> {
    let fail = failed(path);
    if !hdus(path).map_err(&fail)?.iter().any(|h| h.name() == Some("DQ")) {
        return Ok(None);
    }
    let reader = ImageReader::open(path, HduSelect::name("DQ")).map_err(&fail)?;
    if reader.axes().len() > 2 || !matches!(reader.bitpix(), 8 | 16 | 32) {
        return Ok(None);
    }
    let (rows, columns) = reader.stacked_shape();
    let mut reducer = Reducer::new(rows, columns, size);
    let mut counts = [0u64; 32];
    let band = ((1 << 16) / columns.max(1)).clamp(1, rows.max(1));
    let mut bits = vec![0i32; band * columns];
    let mut flags = vec![0f32; columns];
    for from in (0..rows).step_by(band) {
        let taken = band.min(rows - from);
        let part = &mut bits[..taken * columns];
        reader.read_rows_i32(from..from + taken, part).map_err(&fail)?;
        count_bits(part, &mut counts);
        for row in part.chunks(columns.max(1)) {
            flags.iter_mut().zip(row).for_each(|(flag, &b)| *flag = f32::from(u8::from(b != 0)));
            reducer.push(&flags);
        }
    }
    Ok(Some(SmallQuality { flagged: reducer.finish(String::new()), counts, pixels: (rows * columns) as u64 }))
}

/// Pixels with each bit. Most pixels have none: they are passed over sixteen at a time.
fn count_bits(quality: &[i32], counts: &mut [u64; 32]) {
    for piece in quality.chunks(16).filter(|p| p.iter().fold(0, |a, b| a | b) != 0) {
        for &value in piece {
            let mut bits = value as u32;
            while bits != 0 {
                counts[bits.trailing_zeros() as usize] += 1;
                bits &= bits - 1;
            }
        }
    }
}

impl Small {
    /// The limits of a stretch, and the PNG. Blocks of which `overlay` says so are marked.
    ///
    /// # Errors
    /// If the PNG cannot be encoded.
    pub fn png(&self, stretch: Stretch, map: ColourMap, overlay: Option<&SmallQuality>) -> Result<((f32, f32), Vec<u8>)> {
        let range = limits(self.values.view(), stretch);
        // A line of flagged pixels through a block is to be seen.
        let mask = overlay.filter(|q| q.flagged.values.dim() == self.values.dim()).map(|q| {
            let enough = 0.999 / q.flagged.factor as f32;
            q.flagged.values.mapv(|f| f >= enough)
        });
        Ok((range, png(self.values.view(), range, map, mask.as_ref().map(|m| m.view()))?))
    }

    /// A copy with each value replaced: for the square root of a variance.
    pub fn map(&self, f: impl Fn(f32) -> f32) -> Small {
        Small { values: self.values.mapv(f), note: self.note.clone(), factor: self.factor, shape: self.shape }
    }
}

#[cfg(test)]
mod tests;
