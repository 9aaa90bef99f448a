//! Master calibrations as a recipe needs them: as they are, cut to the window of a frame, or reduced to their level.

use std::ops::Range;

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, RecipeError, Section, Task};
use ifured_pixels::fits::{FitsError, ImageBands};
use ifured_pixels::statistics::clipped_moments;
use ifured_pixels::{Image, quality};
use ndarray::{Array2, ShapeError, s};

use crate::noise::{self, GAIN, NoiseModel, READ_NOISE, USUAL_GAIN, USUAL_READ_NOISE};
use crate::raw::window;

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

/// The first input of a role, adapted to frames of that shape and window; `None` if the task has none.
pub fn load(task: &Task, role: &str, shape: (usize, usize), frame: Section) -> Result<Option<Calibration>, RecipeError> {
    task.role(role).next().map(|input| adapt(input, shape, frame)).transpose()
}

/// As [`load`], for a calibration that the recipe cannot do without.
pub fn require(task: &Task, role: &str, shape: (usize, usize), frame: Section) -> Result<Calibration, RecipeError> {
    load(task, role, shape, frame)?.ok_or_else(|| {
        RecipeError::new(format!("no {role} among the inputs"), format!("make one first, or see `ifured why` for the {role}"))
    })
}

fn adapt(input: &TaskInput, shape: (usize, usize), frame: Section) -> Result<Calibration, RecipeError> {
    let file = ImageBands::open(&input.path)?;
    let mut header = file.header().clone();
    for (keyword, value) in &input.corrections {
        header.set(keyword, value.clone(), "");
    }
    let pixels = match input.adapt.as_deref() {
        None if file.shape() == shape => Pixels::File { file: Box::new(file), row: 0, column: 0 },
        None | Some(CUT_WINDOW) => {
            let (row, column) = cut(&header, file.shape(), shape, frame).map_err(|what| mismatch(input, what))?;
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
fn cut(header: &Header, has: (usize, usize), shape: (usize, usize), frame: Section) -> Result<(usize, usize), String> {
    let have = window(header, has);
    let fail = |what: &str| Err(format!("window {have} of {has:?} pixels, needed {frame} of {shape:?}: {what}"));
    if !have.contains(&frame) {
        return fail("it does not hold the window of the frame");
    }
    let (binning_x, binning_y) = (have.width() / has.1.max(1), have.height() / has.0.max(1));
    if binning_x == 0 || binning_y == 0 {
        return fail("DATASEC is smaller than the image");
    }
    let x = (frame.x1 - have.x1) as usize / binning_x;
    let y = (frame.y1 - have.y1) as usize / binning_y;
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

/// Gain and read noise for a frame: measured in the calibrations, else stated by the header, else the usual ones of the chip.
///
/// `gain` and `read_noise` are given by the user where they are positive.
pub fn noise_model(raw: &Header, bias: &Header, flat: Option<&Header>, gain: f64, read_noise: f64) -> NoiseModel {
    let given = |value: f64| (value > 0.0).then_some(value);
    let read_noise = given(read_noise)
        .or_else(|| noise::measured(bias, READ_NOISE))
        .or_else(|| noise::header_read_noise(raw))
        .unwrap_or(USUAL_READ_NOISE);
    let flat_gain = flat.and_then(|h| noise::measured(h, GAIN));
    let (gain, gain_from) = given(gain)
        .map(|g| (g, "parameter"))
        .or_else(|| flat_gain.map(|g| (g, "flat")))
        .or_else(|| noise::header_gain(raw).map(|g| (g, "header")))
        .unwrap_or((USUAL_GAIN, "usual value of the chip"));
    NoiseModel::new(read_noise, gain, gain_from)
}
