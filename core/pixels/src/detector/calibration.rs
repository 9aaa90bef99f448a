//! Master calibrations as a frame needs them: as they are, cut to its window, or reduced to their level.
//!
//! Which of them is the association's choice: a [`Level`](ifured_core::recipe::Level) of an input says it in `adapt`.

use std::ops::Range;

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, RecipeError, Task};
use ndarray::{Array2, ShapeError, s};

use super::format::{Footprint, RawFormat};
use crate::fits::{FitsError, ImageBands};
use crate::statistics::clipped_moments;
use crate::{Image, quality};

/// Adaptation: a window is cut from a calibration of a larger one.
pub const CUT_WINDOW: &str = "cut-window";
/// Adaptation: only the level of the calibration is used.
pub const LEVEL_ONLY: &str = "level-only";

/// A calibration that fits the frames of a task pixel by pixel, read by bands of rows.
pub struct Calibration {
    /// Its header.
    pub header: Header,
    name: String,
    shape: (usize, usize),
    pixels: Pixels,
}

/// Where the pixels of a calibration come from.
enum Pixels {
    /// A file, from a row and a column on.
    File { file: Box<ImageBands>, row: usize, column: usize },
    /// One value and variance everywhere.
    Constant { value: f32, variance: f32 },
}

/// Rows of a calibration; a buffer that is used again and again.
#[derive(Default)]
pub struct Rows {
    /// Values, row after row.
    pub data: Vec<f32>,
    /// Variances.
    pub variance: Vec<f32>,
    /// Quality bits.
    pub quality: Vec<u32>,
}

impl Calibration {
    /// Reads rows (from 0, as those of the frames) into a buffer.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_rows(&self, rows: Range<usize>, into: &mut Rows) -> Result<(), RecipeError> {
        let columns = self.shape.1;
        let size = rows.len() * columns;
        into.data.resize(size, 0.0);
        into.variance.resize(size, 0.0);
        into.quality.resize(size, 0);
        match &self.pixels {
            Pixels::Constant { value, variance } => {
                into.data.fill(*value);
                into.variance.fill(*variance);
                into.quality.fill(0);
                Ok(())
            }
            Pixels::File { file, row, column } => {
                let range = rows.start + row..rows.end + row;
                if file.shape().1 == columns {
                    return file.read_rows_into(range, &mut into.data, &mut into.variance, &mut into.quality).map_err(|e| self.error(e));
                }
                let wide = file.read_rows(range).map_err(|e| self.error(e))?;
                let part = s![.., *column..column + columns];
                into.data.iter_mut().zip(wide.data.slice(part)).for_each(|(to, from)| *to = *from);
                into.variance.iter_mut().zip(wide.variance.slice(part)).for_each(|(to, from)| *to = *from);
                into.quality.iter_mut().zip(wide.quality.slice(part)).for_each(|(to, from)| *to = *from);
                Ok(())
            }
        }
    }

    /// Reads the values of rows alone.
    ///
    /// # Errors
    /// As [`Calibration::read_rows`].
    pub fn read_data(&self, rows: Range<usize>, into: &mut Vec<f32>) -> Result<(), RecipeError> {
        into.resize(rows.len() * self.shape.1, 0.0);
        match &self.pixels {
            Pixels::File { file, row, .. } if file.shape().1 == self.shape.1 => {
                file.read_data_into(rows.start + row..rows.end + row, into).map_err(|e| self.error(e))
            }
            _ => {
                let mut all = Rows::default();
                self.read_rows(rows, &mut all)?;
                *into = all.data;
                Ok(())
            }
        }
    }

    /// The whole calibration.
    ///
    /// # Errors
    /// As [`Calibration::read_rows`].
    pub fn image(&self) -> Result<Image, RecipeError> {
        let mut rows = Rows::default();
        self.read_rows(0..self.shape.0, &mut rows)?;
        let shape_error = |e: ShapeError| RecipeError::new(format!("{}: {e}", self.name), "");
        Ok(Image {
            data: Array2::from_shape_vec(self.shape, rows.data).map_err(shape_error)?,
            variance: Array2::from_shape_vec(self.shape, rows.variance).map_err(shape_error)?,
            quality: Array2::from_shape_vec(self.shape, rows.quality).map_err(shape_error)?,
        })
    }

    fn error(&self, error: FitsError) -> RecipeError {
        let RecipeError { what, advice, .. } = error.into();
        RecipeError::new(format!("{}: {what}", self.name), advice)
    }
}

/// The first input of a role, adapted to frames of that footprint; `None` if the task has none.
///
/// # Errors
/// If the file cannot be read, or does not show the pixels of the frames.
pub fn load(task: &Task, role: &str, format: &dyn RawFormat, frame: Footprint) -> Result<Option<Calibration>, RecipeError> {
    task.role(role).next().map(|input| adapt(input, format, frame)).transpose()
}

/// As [`load`], for a calibration that the recipe cannot do without.
///
/// # Errors
/// As there, and if there is none.
pub fn require(task: &Task, role: &str, format: &dyn RawFormat, frame: Footprint) -> Result<Calibration, RecipeError> {
    load(task, role, format, frame)?.ok_or_else(|| {
        RecipeError::new(format!("no {role} among the inputs"), format!("make one first, or see `ifured why` for the {role}"))
    })
}

fn adapt(input: &TaskInput, format: &dyn RawFormat, frame: Footprint) -> Result<Calibration, RecipeError> {
    let file = ImageBands::open(&input.path)?;
    let mut header = file.header().clone();
    for (keyword, value) in &input.corrections {
        header.set(keyword, value.clone(), "");
    }
    let shape = frame.shape;
    let pixels = match input.adapt.as_deref() {
        None if file.shape() == shape => Pixels::File { file: Box::new(file), row: 0, column: 0 },
        None | Some(CUT_WINDOW) => {
            let (row, column) = cut(format.footprint(&header, file.shape()), frame).map_err(|what| mismatch(input, what))?;
            Pixels::File { file: Box::new(file), row, column }
        }
        Some(LEVEL_ONLY) => level(&file)?,
        Some(other) => return Err(mismatch(input, format!("adaptation `{other}` is not known"))),
    };
    Ok(Calibration { header, name: input.name.clone(), shape, pixels })
}

fn mismatch(input: &TaskInput, what: String) -> RecipeError {
    RecipeError::new(format!("{}: {what}", input.name), "choose another calibration, or reduce without it")
}

/// Row and column at which the window of a frame begins in a calibration of the same binning.
fn cut(calibration: Footprint, frame: Footprint) -> Result<(usize, usize), String> {
    let (have, has) = (calibration.window, calibration.shape);
    let (need, shape) = (frame.window, frame.shape);
    let fail = |what: &str| Err(format!("window {have} of {has:?} pixels, needed {need} of {shape:?}: {what}"));
    if !have.contains(&need) {
        return fail("it does not hold the window of the frame");
    }
    let (binning_x, binning_y) = (have.width() / has.1.max(1), have.height() / has.0.max(1));
    if binning_x == 0 || binning_y == 0 {
        return fail("it is smaller than the image");
    }
    let x = (need.x1 - have.x1) as usize / binning_x;
    let y = (need.y1 - have.y1) as usize / binning_y;
    if y + shape.0 > has.0 || x + shape.1 > has.1 {
        return fail("the sizes do not fit");
    }
    Ok((y, x))
}

/// The level of a calibration, with its structure as variance.
fn level(file: &ImageBands) -> Result<Pixels, RecipeError> {
    let image = file.read_rows(0..file.shape().0)?;
    let values: Vec<f32> = image.data.iter().zip(&image.quality).filter(|(_, q)| **q & quality::MISSING == 0).map(|(v, _)| *v).collect();
    let found = clipped_moments(&values, 4.0);
    Ok(Pixels::Constant { value: found.mean as f32, variance: (found.sigma * found.sigma) as f32 })
}
