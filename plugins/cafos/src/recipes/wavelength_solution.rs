//! Wavelength of every pixel from an arc.
//!
//! Lines are found, identified with those of the lamps that the header names (no start is needed: any grism, either direction), followed
//! along the slit
//! and fitted by a polynomial of two variables (see `ifured_pixels::spectrum`). An arc of other lamps than its header says, a saturated
//! one or one with
//! too few lines makes no product: it is graded as bad, and says why.

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Figure, Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::Image;
use ifured_pixels::fits::{Table, read_image};
use ifured_pixels::spectrum::air;
use ifured_pixels::spectrum::lines::{LineSearch, find_lines};
use ifured_pixels::spectrum::slit::SlitView;
use ifured_pixels::spectrum::solution::{self, Solution, SolutionError, SolutionOptions};
use ifured_pixels::task;
use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spectra::Medium;
use crate::{lamps, products, signatures, tags};

/// Parameters of `wavelength-solution`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Whether wavelengths are those in air or in vacuum.
    pub medium: Medium,
    /// Height of a line above the background, in units of the noise.
    #[schemars(range(min = 3.0, max = 1000.0), extend("x-unit" = "1"))]
    pub threshold: f64,
    /// Degree of the polynomial along the dispersion; less where there are few lines.
    #[schemars(range(min = 1, max = 8), extend("x-unit" = "1"))]
    pub degree: usize,
    /// Degree of the polynomial along the slit: the tilt and bend of the lines.
    #[schemars(range(min = 0, max = 5), extend("x-unit" = "1"))]
    pub slit_degree: usize,
    /// Length of the slit over which the spectrum is averaged before lines are measured, in pixels.
    #[schemars(range(min = 1, max = 200), extend("x-unit" = "pixels"))]
    pub bin: usize,
    /// A line whose mean residual is above this is left out, in pixels.
    #[schemars(range(min = 0.01, max = 5.0), extend("x-unit" = "pixels"))]
    pub line_tolerance: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { medium: Medium::Air, threshold: 8.0, degree: 5, slit_degree: 2, bin: 20, line_tolerance: 0.25 }
    }
}

/// Keyword of the axis of the dispersion, 1 along rows, 2 along columns.
pub const AXIS: &str = "IFURED DISPERSION AXIS";

/// The recipe.
pub struct WavelengthSolution;

impl Recipe for WavelengthSolution {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "wavelength-solution".into(),
            version: 2,
            title: "Wavelength of every pixel".into(),
            description: "Finds the lines of an arc, identifies them with those of the lamps in its header without a start, \
            follows them along the slit \
                          and fits the wavelength as a polynomial of both axes. Tables `LINES` and `COEFFICIENTS` are behind \
                          the image. Without a \
                          believable identification there is no product."
                .into(),
            main: MainInput::single(&[tags::REDUCED_ARC], &signatures::science()),
            inputs: vec![],
            products: vec![ProductSpec::new(
                tags::WAVELENGTH_SOLUTION,
                "Wavelength of every pixel",
                "wavelength-solution/{night}/wavelength-solution_{stem}.fits",
                &signatures::slit(),
            )],
            memory: Memory::streaming(40e6, 40.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task::single(task)?;
        let (header, image) = read_image(&input.path)?;
        let lamps = lamps::lamps_on(&header);
        let list = lamps::lines_of(&lamps);
        let mut outcome = Outcome::default();
        let options = SolutionOptions {
            search: LineSearch { threshold: parameters.threshold, ..LineSearch::default() },
            degree: parameters.degree,
            slit_degree: parameters.slit_degree,
            bin: parameters.bin,
            tolerance: parameters.line_tolerance,
            ..SolutionOptions::default()
        };
        host.progress(0.1, "lines");
        let axis = dispersion_axis(&image, &options);
        match solution::solve(&SlitView::of(&image, axis), &list, &options) {
            Ok(found) => {
                host.progress(0.7, "wavelengths");
                judge(&mut outcome, &found);
                let wavelengths = wavelength_image(&found, image.shape(), axis, parameters.medium);
                let header = header_of(&header, axis, parameters.medium, &lamps);
                let tables = [lines_table(&found), coefficients_table(&found)];
                task::write_with_tables(task, &mut outcome, tags::WAVELENGTH_SOLUTION, header, &wavelengths, &tables)?;
            }
            Err(why) => refuse(&mut outcome, &why, &lamps, list.len()),
        }
        Ok(outcome)
    }
}

/// The axis along which there are more lines in the middle of the frame: 1 along rows, 2 along columns.
fn dispersion_axis(image: &Image, options: &SolutionOptions) -> u8 {
    let lines = |axis: u8| {
        let view = SlitView::of(image, axis);
        let middle = view.data.nrows() / 2;
        let half = (options.bin / 2 + 1).min(middle);
        find_lines(&solution::mean_spectrum(&view, middle - half..middle + half), &options.search).len()
    };
    if lines(1) > lines(2) { 1 } else { 2 }
}

fn judge(outcome: &mut Outcome, found: &Solution) {
    let pixel = found.dispersion.abs();
    outcome.quality.extend([
        QualityNumber::new("RMS", found.rms, "Angstrom", "root mean square residual of the lines used").within(
            0.0,
            0.1 * pixel,
            Grade::Questionable,
        ),
        QualityNumber::new("N LINES", found.used() as f64, "", "lines used").within(8.0, f64::INFINITY, Grade::Questionable),
        QualityNumber::new("N IDENTIFIED", found.identification.matches.len() as f64, "", "lines identified in the middle of the slit"),
        QualityNumber::new("DISPERSION", found.dispersion, "Angstrom/pixel", "mean dispersion, negative where wavelengths fall"),
        QualityNumber::new("LINE WIDTH", found.fwhm * pixel, "Angstrom", "full width at half maximum of the lines"),
        QualityNumber::new("FALSE ALARM", found.identification.false_alarm, "", "probability of the identification by chance"),
    ]);
}

/// No solution: a bad grade, and the reason.
fn refuse(outcome: &mut Outcome, why: &SolutionError, lamps: &[String], listed: usize) {
    outcome.quality.push(QualityNumber::new("N LINES", 0.0, "", "lines used").within(8.0, f64::INFINITY, Grade::Bad));
    let lamps = if lamps.is_empty() { "no lamp".to_owned() } else { lamps.join(", ") };
    outcome.notes.push(format!(
        "no wavelength solution: {why}; the header names {lamps} ({listed} lines in the list): if other lamps were on, name them with \
         `frames.correct` (INSCALNM), else take another arc of this grism"
    ));
}

fn header_of(arc: &Header, axis: u8, medium: Medium, lamps: &[String]) -> Header {
    let mut header = products::header_of(arc);
    header.set("BUNIT", "Angstrom", "");
    header.set(AXIS, i64::from(axis), "axis of the dispersion");
    medium.write(&mut header);
    header.set("IFURED LAMPS", lamps.join("/"), "lamps whose lines were used");
    header
}

/// Wavelength of each pixel with its variance.
fn wavelength_image(found: &Solution, shape: (usize, usize), axis: u8, medium: Medium) -> Image {
    let place = |(row, column): (usize, usize)| if axis == 1 { (column as f64, row as f64) } else { (row as f64, column as f64) };
    let wavelength = |(x, y): (f64, f64)| match medium {
        Medium::Air => found.at(x, y),
        Medium::Vacuum => air::to_vacuum(found.at(x, y)),
    };
    Image {
        data: Array2::from_shape_fn(shape, |at| wavelength(place(at)) as f32),
        variance: Array2::from_shape_fn(shape, |at| {
            let (x, y) = place(at);
            found.fit.variance_at(x, y) as f32
        }),
        quality: Array2::zeros(shape),
    }
}

fn lines_table(found: &Solution) -> Table {
    let mut header = Header::new();
    header.set("EXTNAME", "LINES", "");
    Figure::new("Residuals of the wavelength solution", "WAVELENGTH_AIR")
        .points("RESIDUAL")
        .error("RESIDUAL_ERROR")
        .used("USED")
        .write(&mut header);
    let mut table = Table::new(header, found.lines.len());
    let column = |f: &dyn Fn(&solution::SolvedLine) -> f64| found.lines.iter().map(f).collect::<Vec<f64>>();
    table.push("WAVELENGTH_AIR", "Angstrom", column(&|l| l.wavelength).into());
    table.push("POSITION", "pixel", column(&|l| l.position + 1.0).into());
    table.push("POSITION_ERROR", "pixel", column(&|l| l.position_error).into());
    table.push("FLUX", "adu", column(&|l| l.flux).into());
    table.push("RESIDUAL", "Angstrom", column(&|l| l.residual).into());
    // That of the position: the wavelengths of the laboratory are better by far.
    table.push("RESIDUAL_ERROR", "Angstrom", column(&|l| l.position_error * found.dispersion.abs()).into());
    table.push("BINS", "", found.lines.iter().map(|l| l.bins as i32).collect::<Vec<i32>>().into());
    table.push("USED", "", found.lines.iter().map(|l| l.used).collect::<Vec<bool>>().into());
    table
}

/// Chebyshev coefficients of the wavelength in air, with the intervals in FITS pixels that are scaled to -1..1.
fn coefficients_table(found: &Solution) -> Table {
    let surface = &found.fit.surface;
    let terms = surface.degree.terms();
    let mut header = Header::new();
    header.set("EXTNAME", "COEFFICIENTS", "");
    header.set("BASIS", "Chebyshev", "of pixels scaled to -1..1");
    for (key, value) in [
        ("DISPMIN", surface.x_interval.0 + 1.0),
        ("DISPMAX", surface.x_interval.1 + 1.0),
        ("SLITMIN", surface.y_interval.0 + 1.0),
        ("SLITMAX", surface.y_interval.1 + 1.0),
    ] {
        header.set(key, value, "pixel");
    }
    let mut table = Table::new(header, terms.len());
    table.push("DISPERSION_DEGREE", "", terms.iter().map(|t| t.0 as i32).collect::<Vec<i32>>().into());
    table.push("SLIT_DEGREE", "", terms.iter().map(|t| t.1 as i32).collect::<Vec<i32>>().into());
    table.push("COEFFICIENT", "Angstrom", surface.coefficients.clone().into());
    let errors: Vec<f64> = (0..terms.len()).map(|k| found.fit.covariance[[k, k]].max(0.0).sqrt()).collect();
    table.push("ERROR", "Angstrom", errors.into());
    table
}
