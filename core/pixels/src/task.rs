//! Frames of a task in, products out: what every recipe does around its arithmetic.
//!
//! Headers have the corrections of the configuration applied; products carry provenance and are written completely or not at all.

use std::path::Path;

use ifured_core::recipe::{TaskInput, TaskOutput};
use ifured_core::{Header, Outcome, QualityNumber, RecipeError, Task, provenance};
use ndarray::{Array2, ArrayView2};

use crate::Image;
use crate::combine::CombineError;
use crate::fits::{
    FitsError, HduSelect, HduToWrite, ImageReader, Layout, Table, Written, product_header, read_image, write_image_and_tables,
    write_product,
};

impl From<FitsError> for RecipeError {
    fn from(error: FitsError) -> Self {
        RecipeError::new(error.to_string(), "check the file with `ifured verify` or copy it again; `frames.ignore` leaves it out")
    }
}

impl<E: std::fmt::Display> From<CombineError<E>> for RecipeError {
    fn from(error: CombineError<E>) -> Self {
        RecipeError::new(error.to_string(), "frames of a group must have one size: put NAXIS1 and NAXIS2 into its signature")
    }
}

/// A two-dimensional raw frame: its header as a product may carry it, with the corrections of the configuration, and its values.
///
/// # Errors
/// If the file cannot be read or has no image of two axes.
pub fn read_raw(input: &TaskInput) -> Result<(Header, Array2<f32>), RecipeError> {
    let reader = ImageReader::open(&input.path, HduSelect::First)?;
    reader.image_shape().map_err(|e| RecipeError::new(e.to_string(), "leave the frame out with `frames.ignore`"))?;
    let mut header = product_header(reader.header());
    for (keyword, value) in &input.corrections {
        header.set(keyword, value.clone(), "");
    }
    Ok((header, reader.read_all()?))
}

/// The only main frame of a task.
///
/// # Errors
/// If there is none, or more than one.
pub fn single(task: &Task) -> Result<&TaskInput, RecipeError> {
    let mut main = task.main();
    match (main.next(), main.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(RecipeError::new(format!("{} takes one frame at a time", task.recipe), "give exactly one main frame")),
    }
}

/// The product that the task has for a role, none if there is none. It must have the shape of what it is used for (rows, columns).
///
/// # Errors
/// If it cannot be read or has another shape.
pub fn calibration(task: &Task, role: &str, shape: (usize, usize)) -> Result<Option<Image>, RecipeError> {
    let Some(input) = task.role(role).next() else { return Ok(None) };
    let (_, image) = read_image(&input.path)?;
    if image.shape() != shape {
        let what = format!("{role} {} is {:?} pixels (rows, columns), the frame {shape:?}", input.name, image.shape());
        return Err(RecipeError::new(what, "put the keywords of the window into the signature of this input"));
    }
    Ok(Some(image))
}

/// As [`calibration()`], for a role that the recipe cannot do without.
///
/// # Errors
/// As there, and if there is none.
pub fn required(task: &Task, role: &str, shape: (usize, usize)) -> Result<Image, RecipeError> {
    let missing = || RecipeError::new(format!("no {role} is given"), format!("add --input {role}=FILE; in a run, see `ifured why`"));
    calibration(task, role, shape)?.ok_or_else(missing)
}

/// The product of that tag, which the task must have.
///
/// # Errors
/// If it has not.
pub fn output<'a>(task: &'a Task, tag: &str) -> Result<&'a TaskOutput, RecipeError> {
    task.output(tag).ok_or_else(|| RecipeError::new(format!("the task has no output `{tag}`"), "make the plan again with `ifured plan`"))
}

/// Writes an image with its errors (data in the primary HDU, variance in `STAT`, quality in `DQ`) and adds it to the outcome. Quality
/// numbers and rejected frames must be in the outcome by then: they go into the header.
///
/// # Errors
/// If the task has no such product, or the file cannot be written.
pub fn write(task: &Task, outcome: &mut Outcome, tag: &str, header: Header, image: &Image) -> Result<(), RecipeError> {
    write_with_tables(task, outcome, tag, header, image, &[])
}

/// As [`write()`], with tables behind the image.
///
/// # Errors
/// As there.
pub fn write_with_tables(
    task: &Task,
    outcome: &mut Outcome,
    tag: &str,
    mut header: Header,
    image: &Image,
    tables: &[Table],
) -> Result<(), RecipeError> {
    let output = prepared(task, outcome, tag, &mut header)?;
    let written = write_image_and_tables(&output.path, &header, image, Layout::PrimaryData, tables)?;
    record(outcome, output, written);
    Ok(())
}

/// Writes a product of tables behind an empty primary HDU.
///
/// # Errors
/// As [`write()`].
pub fn write_tables(task: &Task, outcome: &mut Outcome, tag: &str, mut header: Header, tables: &[Table]) -> Result<(), RecipeError> {
    let output = prepared(task, outcome, tag, &mut header)?;
    let hdus: Vec<HduToWrite<'_>> = std::iter::once(HduToWrite::Empty(&header)).chain(tables.iter().map(HduToWrite::Table)).collect();
    let written = write_product(&output.path, &hdus)?;
    record(outcome, output, written);
    Ok(())
}

/// Ends a recipe of one product: writes it with its quality numbers and gives the outcome.
///
/// # Errors
/// As [`write()`].
pub fn finish(task: &Task, quality: Vec<QualityNumber>, header: Header, image: &Image) -> Result<Outcome, RecipeError> {
    let tag = task.outputs.first().map_or_else(String::new, |o| o.tag.to_string());
    let mut outcome = Outcome { quality, ..Outcome::default() };
    write(task, &mut outcome, &tag, header, image)?;
    Ok(outcome)
}

/// Writes a mask of bytes as the primary HDU.
///
/// # Errors
/// As [`write()`].
pub fn write_mask(task: &Task, outcome: &mut Outcome, tag: &str, mut header: Header, mask: ArrayView2<u8>) -> Result<(), RecipeError> {
    let output = prepared(task, outcome, tag, &mut header)?;
    let written = write_product(&output.path, &[HduToWrite::image(&header, mask)])?;
    record(outcome, output, written);
    Ok(())
}

fn prepared<'a>(task: &'a Task, outcome: &Outcome, tag: &str, header: &mut Header) -> Result<&'a TaskOutput, RecipeError> {
    let output = output(task, tag)?;
    provenance::write(header, task, outcome, tag);
    make_parent(&output.path)?;
    Ok(output)
}

fn record(outcome: &mut Outcome, output: &TaskOutput, written: Written) {
    outcome.add(output, written.hash, written.bytes);
}

/// Makes the directory that a file goes into.
pub(crate) fn make_parent(path: &Path) -> Result<(), RecipeError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|e| RecipeError::new(format!("cannot create {}: {e}", parent.display()), ""))
}
