//! Raw frames, open for reading: header with its corrections, image portion, overscan.
//!
//! Rows come by bands, so that many frames can be combined in little memory. Read by bands, each row loses the clipped mean of its
//! own overscan; [`RawFrame::without_overscan`] reads a whole frame and can smooth the levels over rows.

use std::ops::Range;

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, RecipeError};
use ndarray::{Array2, s};

use super::format::{Amplifier, Footprint, RawFormat, ReadOut};
use super::overscan::{OverscanOptions, measure_overscan, subtract_overscan};
use crate::Image;
use crate::fits::{HduSelect, ImageReader};
use crate::statistics::clipped_moments;

/// Limit of the clipping of overscan pixels, in standard deviations.
const CLIP: f64 = 4.0;

/// A raw frame, open for reading.
pub struct RawFrame {
    /// Its name in messages and provenance.
    pub name: String,
    /// Its header, corrected.
    pub header: Header,
    reader: ImageReader,
    /// Rows and columns with overscan.
    whole: (usize, usize),
    read_out: ReadOut,
    footprint: Footprint,
}

impl RawFrame {
    /// Opens a frame and applies the corrections of its header.
    ///
    /// # Errors
    /// If the file cannot be read, has no image of two axes, or a header that the format makes nothing of.
    pub fn open(input: &TaskInput, format: &dyn RawFormat) -> Result<Self, RecipeError> {
        let leave_out = |what: String| RecipeError::new(what, "leave the frame out with `frames.ignore`");
        let reader = ImageReader::open(&input.path, HduSelect::First)?;
        let whole = reader.image_shape().map_err(|e| leave_out(e.to_string()))?;
        let mut header = reader.header().clone();
        for (keyword, value) in &input.corrections {
            header.set(keyword, value.clone(), "");
        }
        let read_out = format.read_out(&header, whole).map_err(|e| leave_out(format!("{}: {e}", input.name)))?;
        if !read_out.fits(whole.1) {
            return Err(leave_out(format!("{}: {read_out:?} is not within its {} columns", input.name, whole.1)));
        }
        let footprint = format.footprint(&header, (whole.0, read_out.columns()));
        Ok(RawFrame { name: input.name.clone(), header, reader, whole, read_out, footprint })
    }

    /// Rows and columns of the image portion.
    pub fn shape(&self) -> (usize, usize) {
        self.footprint.shape
    }

    /// The pixels of the detector that the image portion shows.
    pub fn footprint(&self) -> Footprint {
        self.footprint
    }

    /// Whether there is an overscan: whether each row has its own bias level.
    pub fn has_overscan(&self) -> bool {
        self.read_out.0.iter().any(|a| a.overscan.is_some())
    }

    /// Reads rows of the image portion as they are, row after row.
    ///
    /// # Errors
    /// If the rows cannot be read.
    pub fn read_rows(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), RecipeError> {
        let width = self.whole.1;
        if self.shape().1 == width && self.read_out.0.len() == 1 {
            return Ok(self.reader.read_rows(rows, out)?);
        }
        self.each_row(rows, out, |row, amplifier, out| out.copy_from_slice(&row[amplifier.image.clone()]))
    }

    /// Subtracts from rows that [`RawFrame::read_rows`] has read the level of their overscan, where there is one.
    ///
    /// # Errors
    /// As there.
    pub fn subtract_overscan(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), RecipeError> {
        if !self.has_overscan() {
            return Ok(());
        }
        self.each_row(rows, out, |row, amplifier, out| {
            let Some(strip) = &amplifier.overscan else { return };
            let level = clipped_moments(&row[strip.clone()], CLIP).mean as f32;
            if level.is_finite() {
                out.iter_mut().for_each(|v| *v -= level);
            }
        })
    }

    /// Reads rows of the image portion with the overscan subtracted.
    ///
    /// # Errors
    /// As [`RawFrame::read_rows`].
    pub fn read_corrected(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), RecipeError> {
        self.read_rows(rows.clone(), out)?;
        self.subtract_overscan(rows, out)
    }

    /// The whole image portion without the levels of the overscan, which are one for each row of each amplifier; the variance is
    /// that of the levels, missing pixels are flagged. Without overscan the image is as it was read, with variance 0.
    ///
    /// # Errors
    /// If the frame cannot be read, or the levels cannot be smoothed as `options` say.
    pub fn without_overscan(&self, options: &OverscanOptions) -> Result<Image, RecipeError> {
        let rows = 0..self.whole.0;
        let raw = self.reader.read_all()?;
        let mut data = Array2::zeros(self.shape());
        for (amplifier, at) in self.amplifiers() {
            data.slice_mut(s![.., at]).assign(&raw.slice(s![.., amplifier.image.clone()]));
        }
        let mut image = Image::new(data, 0.0);
        for (amplifier, at) in self.amplifiers() {
            let Some(strip) = &amplifier.overscan else { continue };
            let level = measure_overscan(raw.view(), rows.clone(), strip.clone(), options)
                .map_err(|e| RecipeError::new(format!("{}: overscan: {e}", self.name), "choose another smoothing of the overscan"))?;
            subtract_overscan(&mut image, &level, rows.clone(), at);
        }
        Ok(image)
    }

    /// As [`RawFrame::without_overscan`], in electrons; `gains` (e/ADU) are those of the amplifiers.
    ///
    /// # Errors
    /// As there; if there is not one gain for each amplifier.
    pub fn electrons(&self, options: &OverscanOptions, gains: &[f64]) -> Result<Image, RecipeError> {
        let amplifiers = self.read_out.0.len();
        if gains.len() != amplifiers {
            let what = format!("{}: {} gains for {amplifiers} amplifiers", self.name, gains.len());
            return Err(RecipeError::new(what, "give one gain for each amplifier"));
        }
        let mut image = self.without_overscan(options)?;
        for ((_, at), &gain) in self.amplifiers().zip(gains) {
            image.data.slice_mut(s![.., at.clone()]).mapv_inplace(|v| v * gain as f32);
            image.variance.slice_mut(s![.., at]).mapv_inplace(|v| v * (gain * gain) as f32);
        }
        Ok(image)
    }

    /// The amplifiers with their columns in the image portion.
    fn amplifiers(&self) -> impl Iterator<Item = (&Amplifier, Range<usize>)> {
        self.read_out.0.iter().scan(0, |end, amplifier| {
            let from = *end;
            *end += amplifier.image.len();
            Some((amplifier, from..*end))
        })
    }

    /// Reads rows with their overscan and shows each to each amplifier, with its part of the row of the image portion.
    fn each_row(&self, rows: Range<usize>, out: &mut [f32], see: impl Fn(&[f32], &Amplifier, &mut [f32])) -> Result<(), RecipeError> {
        let width = self.whole.1;
        let mut whole = vec![0.0; rows.len() * width];
        self.reader.read_rows(rows, &mut whole)?;
        for (row, out) in whole.chunks(width).zip(out.chunks_mut(self.shape().1)) {
            for (amplifier, at) in self.amplifiers() {
                see(row, amplifier, &mut out[at]);
            }
        }
        Ok(())
    }
}

/// Opens all main frames of a task; their image portions must have one shape.
///
/// # Errors
/// If there are none, one cannot be opened, or the shapes differ.
pub fn open_all<'a>(inputs: impl Iterator<Item = &'a TaskInput>, format: &dyn RawFormat) -> Result<Vec<RawFrame>, RecipeError> {
    let frames = inputs.map(|input| RawFrame::open(input, format)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = frames.first() else {
        return Err(RecipeError::new("no frames", "give at least one main frame"));
    };
    for frame in &frames {
        if frame.shape() != first.shape() {
            let what = format!("{} is {:?} pixels (rows, columns), {} is {:?}", frame.name, frame.shape(), first.name, first.shape());
            return Err(RecipeError::new(what, "frames of a group must have one read-out window"));
        }
    }
    Ok(frames)
}
