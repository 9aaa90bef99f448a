//! Master calibrations as a recipe needs them: as they are, cut to the window of a frame, or reduced to their level.

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, RecipeError, Section, Task};
use ifured_pixels::fits::read_image;
use ifured_pixels::{Image, quality};
use ndarray::{Array2, s};

use crate::moments::clipped_moments;
use crate::noise::{self, GAIN, NoiseModel, READ_NOISE, USUAL_GAIN, USUAL_READ_NOISE};
use crate::raw::{fits_error, window};

/// Adaptation: a window is cut from a calibration of a larger one.
pub const CUT_WINDOW: &str = "cut-window";
/// Adaptation: only the level of the calibration is used.
pub const LEVEL_ONLY: &str = "level-only";

/// A calibration that fits the frames of a task pixel by pixel.
pub struct Calibration {
    /// Its header.
    pub header: Header,
    /// Its pixels.
    pub image: Image,
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
    let (mut header, image) = read_image(&input.path).map_err(fits_error)?;
    for (keyword, value) in &input.corrections {
        header.set(keyword, value.clone(), "");
    }
    let image = match input.adapt.as_deref() {
        None if image.shape() == shape => image,
        None | Some(CUT_WINDOW) => cut(&header, &image, shape, frame).map_err(|what| mismatch(input, what))?,
        Some(LEVEL_ONLY) => level(&image, shape),
        Some(other) => return Err(mismatch(input, format!("adaptation `{other}` is not known"))),
    };
    Ok(Calibration { header, image })
}

fn mismatch(input: &TaskInput, what: String) -> RecipeError {
    RecipeError::new(format!("{}: {what}", input.name), "choose another calibration, or reduce without it")
}

/// Cuts the window of a frame out of a calibration of the same binning.
fn cut(header: &Header, image: &Image, shape: (usize, usize), frame: Section) -> Result<Image, String> {
    let have = window(header, image.shape());
    let fail = |what: &str| Err(format!("window {have} of {:?} pixels, needed {frame} of {shape:?}: {what}", image.shape()));
    if !have.contains(&frame) {
        return fail("it does not hold the window of the frame");
    }
    let (binning_x, binning_y) = (have.width() / image.shape().1.max(1), have.height() / image.shape().0.max(1));
    if binning_x == 0 || binning_y == 0 {
        return fail("DATASEC is smaller than the image");
    }
    let x = (frame.x1 - have.x1) as usize / binning_x;
    let y = (frame.y1 - have.y1) as usize / binning_y;
    if y + shape.0 > image.shape().0 || x + shape.1 > image.shape().1 {
        return fail("the sizes do not fit");
    }
    let part = s![y..y + shape.0, x..x + shape.1];
    Ok(Image {
        data: image.data.slice(part).to_owned(),
        variance: image.variance.slice(part).to_owned(),
        quality: image.quality.slice(part).to_owned(),
    })
}

/// A constant image: the level of a calibration, with its structure as variance.
fn level(image: &Image, shape: (usize, usize)) -> Image {
    let values: Vec<f32> = image.data.iter().zip(&image.quality).filter(|(_, q)| **q & quality::MISSING == 0).map(|(v, _)| *v).collect();
    let found = clipped_moments(&values, 4.0);
    let mut constant = Image::new(Array2::from_elem(shape, found.mean as f32), (found.sigma * found.sigma) as f32);
    constant.quality.fill(0);
    constant
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
    NoiseModel { read_noise, gain, gain_from }
}
