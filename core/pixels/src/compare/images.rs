//! Two images of any number of axes, by bands of rows.

use std::path::Path;

use ifured_core::RecipeError;

use super::HduPair;
use super::hdus::{self, Errors};
use super::measure::{Block, Meaning, Pairs, measure};
use super::row::{Label, Row};
use crate::fits::{FitsError, HduInfo, HduSelect, ImageReader};

/// Pixels in memory at a time, of each image.
const BAND: usize = 1 << 17;

/// The row of a pair of images.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn compare(pair: &HduPair<'_>, label: Label) -> Result<Row, RecipeError> {
    let meaning = if hdus::is_flags(pair.hdu(0)) || hdus::is_flags(pair.hdu(1)) { Meaning::Flags } else { Meaning::Numbers };
    let images = [Image::open(pair, 0, meaning)?, Image::open(pair, 1, meaning)?];
    let axes = [images[0].axes(), images[1].axes()];
    if axes[0] != axes[1] {
        return Ok(Row::differing(label, "image", &format!("axes {} and {}", text(axes[0]), text(axes[1]))));
    }
    let images = Images(images);
    let numbers = measure(&images, meaning)?;
    let mut row = Row::new(label, "image").with_units([0, 1].map(|n| pair.hdu(n).header.text("BUNIT").unwrap_or_default().trim()));
    row.place = numbers.at.map_or_else(String::new, |at| pixel(axes_of(&images), at));
    row.numbers = numbers;
    Ok(row)
}

fn axes_of(images: &Images) -> &[u64] {
    images.0[0].axes()
}

fn text(axes: &[u64]) -> String {
    axes.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}

/// FITS coordinates of a pixel, from 1.
fn pixel(axes: &[u64], mut at: u64) -> String {
    let mut place = Vec::with_capacity(axes.len());
    for length in axes {
        place.push(at % length + 1);
        at /= length;
    }
    place.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// An image, and its errors if it has any.
struct Image {
    values: ImageReader,
    errors: Option<(ImageReader, Errors)>,
}

impl Image {
    fn open(pair: &HduPair<'_>, engine: usize, meaning: Meaning) -> Result<Self, FitsError> {
        let (path, index) = (pair.paths[engine], pair.index[engine]);
        let values = ImageReader::open(path, HduSelect::Index(index))?;
        let errors = if meaning == Meaning::Numbers { errors(path, pair.hdus[engine], index)? } else { None };
        let errors = errors.filter(|(errors, _)| errors.axes() == values.axes());
        Ok(Image { values, errors })
    }

    /// Without axes of length 1 at the end.
    fn axes(&self) -> &[u64] {
        let axes = self.values.axes();
        let used = axes.iter().rposition(|n| *n > 1).map_or(1, |last| last + 1);
        &axes[..used.min(axes.len())]
    }
}

fn errors(path: &Path, hdus: &[HduInfo], data: usize) -> Result<Option<(ImageReader, Errors)>, FitsError> {
    let Some((index, kind)) = hdus::errors_of(hdus, data) else { return Ok(None) };
    Ok(Some((ImageReader::open(path, HduSelect::Index(index))?, kind)))
}

/// Two images of the same axes.
struct Images([Image; 2]);

impl Pairs for Images {
    fn each(&self, take: &mut dyn FnMut(&Block<'_>)) -> Result<(), FitsError> {
        let [first, second] = &self.0;
        let (rows, columns) = first.values.stacked_shape();
        let band = (BAND / columns.max(1)).clamp(1, rows.max(1));
        let mut values = [vec![0.0; band * columns], vec![0.0; band * columns]];
        let mut variances = values.clone();
        let both_errors = first.errors.as_ref().zip(second.errors.as_ref());
        for start in (0..rows).step_by(band) {
            let range = start..(start + band).min(rows);
            let count = range.len() * columns;
            first.values.read_rows_f64(range.clone(), &mut values[0][..count])?;
            second.values.read_rows_f64(range.clone(), &mut values[1][..count])?;
            let mut with_errors = 0;
            if let Some((first, second)) = both_errors {
                for ((reader, errors), variances) in [first, second].into_iter().zip(&mut variances) {
                    reader.read_rows_f64(range.clone(), &mut variances[..count])?;
                    errors.into_variance(&mut variances[..count]);
                }
                with_errors = count;
            }
            take(&Block {
                values: [&values[0][..count], &values[1][..count]],
                variances: [&variances[0][..with_errors], &variances[1][..with_errors]],
            });
        }
        Ok(())
    }
}
