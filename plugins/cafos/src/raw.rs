//! Raw CAFOS frames: header with its corrections, the image portion, the overscan.
//!
//! CAFOS says "no overscan" with an empty section, `BIASSEC = '[0,1:0,2048]'`. Where the section is real, a strip of columns
//! at the left or right edge of the frame, each row's level is its clipped mean, and the strip is cut off. `DATASEC` counts in
//! pixels of the whole chip, so it says which window was read, not where in the frame the image is.

use std::ops::Range;

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, RecipeError, Section};
use ifured_pixels::fits::{HduSelect, ImageReader};
use ifured_pixels::statistics::clipped_moments;

/// A raw frame, open for reading.
pub struct RawFrame {
    /// Its name in messages and provenance.
    pub name: String,
    /// Its header, corrected.
    pub header: Header,
    reader: ImageReader,
    columns: Range<usize>,
    overscan: Option<Range<usize>>,
}

impl RawFrame {
    /// Opens a frame and applies the corrections of its header.
    pub fn open(input: &TaskInput) -> Result<Self, RecipeError> {
        let reader = ImageReader::open(&input.path, HduSelect::First)?;
        if reader.axes().len() != 2 {
            let what = format!("{}: {} axes, an image has 2", input.name, reader.axes().len());
            return Err(RecipeError::new(what, "leave the frame out with `frames.ignore`"));
        }
        let mut header = reader.header().clone();
        for (keyword, value) in &input.corrections {
            header.set(keyword, value.clone(), "");
        }
        let (rows, width) = reader.shape();
        let overscan = overscan_columns(&header, rows, width);
        let columns = match &overscan {
            Some(strip) if strip.start == 0 => strip.end..width,
            Some(strip) => 0..strip.start,
            None => 0..width,
        };
        Ok(RawFrame { name: input.name.clone(), header, reader, columns, overscan })
    }

    /// Rows and columns of the image portion.
    pub fn shape(&self) -> (usize, usize) {
        (self.reader.shape().0, self.columns.len())
    }

    /// The window of the chip that was read; whole frame from pixel 1 if the header does not say.
    pub fn window(&self) -> Section {
        window(&self.header, self.shape())
    }

    /// Whether each row has its own bias level.
    pub fn has_overscan(&self) -> bool {
        self.overscan.is_some()
    }

    /// Reads rows of the image portion as they are, row after row.
    pub fn read_rows(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), RecipeError> {
        let width = self.reader.shape().1;
        if self.columns.len() == width {
            return Ok(self.reader.read_rows(rows, out)?);
        }
        let mut whole = vec![0.0; rows.len() * width];
        self.reader.read_rows(rows, &mut whole)?;
        for (row, out) in whole.chunks(width).zip(out.chunks_mut(self.columns.len())) {
            out.copy_from_slice(&row[self.columns.clone()]);
        }
        Ok(())
    }

    /// Subtracts the overscan level from rows that [`RawFrame::read_rows`] has read, where there is an overscan.
    pub fn subtract_overscan(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), RecipeError> {
        let Some(strip) = &self.overscan else { return Ok(()) };
        let width = self.reader.shape().1;
        let mut whole = vec![0.0; rows.len() * width];
        self.reader.read_rows(rows, &mut whole)?;
        for (row, out) in whole.chunks(width).zip(out.chunks_mut(self.columns.len())) {
            let level = clipped_moments(&row[strip.clone()], 4.0).mean as f32;
            if level.is_finite() {
                out.iter_mut().for_each(|v| *v -= level);
            }
        }
        Ok(())
    }

    /// Reads rows of the image portion with the overscan subtracted.
    pub fn read_corrected(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), RecipeError> {
        self.read_rows(rows.clone(), out)?;
        self.subtract_overscan(rows, out)
    }
}

/// Opens all main frames of a task; their image portions must have one shape.
pub fn open_all<'a>(inputs: impl Iterator<Item = &'a TaskInput>) -> Result<Vec<RawFrame>, RecipeError> {
    let frames = inputs.map(RawFrame::open).collect::<Result<Vec<_>, _>>()?;
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

/// The window of a frame or product from `DATASEC`.
pub fn window(header: &Header, shape: (usize, usize)) -> Section {
    let whole = Section::of_shape(shape);
    header.text("DATASEC").ok().and_then(|t| Section::parse(t).ok()).filter(|s| s.width() > 0 && s.height() > 0).unwrap_or(whole)
}

/// Columns (from 0) of the overscan, if `BIASSEC` is a strip at an edge of the frame that is narrower than half of it.
fn overscan_columns(header: &Header, rows: usize, width: usize) -> Option<Range<usize>> {
    let section = Section::parse(header.text("BIASSEC").ok()?).ok()?;
    let frame = Section::of_shape((rows, width));
    let at_edge = section.x1 == 1 || section.x2 == width as i64;
    let useful = (3..width / 2).contains(&section.width()) && section.height() == rows;
    (frame.contains(&section) && at_edge && useful).then(|| section.x1 as usize - 1..section.x2 as usize)
}
