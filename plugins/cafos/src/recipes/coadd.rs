//! Sum of images of one field.
//!
//! Stars are found in each image above its background; shift, small turn and flux ratio to the first image come from those that match.
//! Each image, less its sky
//! level and scaled to the first, is interpolated (bilinear) onto one grid, that of the first image enlarged so that it holds all;
//! samples of a
//! pixel are averaged with the weights of their frames and without outliers. Interpolation correlates the noise of neighbours:
//! the variance is that of single pixels. Images are read by bands of rows.

use std::ops::Range;

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec, RejectedFrame};
use ifured_core::{Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::fits::{ImageBands, read_image};
use ifured_pixels::resample::{Kernel, ResampleOptions, resample};
use ifured_pixels::sources::{
    Alignment, Aperture, BackgroundOptions, DetectionOptions, Interpolation, Source, align, aperture_flux, detect_sources,
    measure_background,
};
use ifured_pixels::task;
use ifured_pixels::{Image, quality};
use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::in_order;
use crate::products::sky;
use crate::raw::bands;
use crate::stack::{self, Rejection, Sample};
use crate::wcs::Tan;
use crate::{products, signatures, tags};

/// Images further apart than this are not added, in arcseconds.
const SAME_FIELD: f64 = 120.0;
/// Images with fewer stars are placed by the pointing.
const FEWEST_STARS: usize = 3;
/// Stars of an image that are compared with those of the others, at most.
const MOST_STARS: usize = 200;
/// Radius of the apertures that the flux ratios come from, in pixels.
const APERTURE: f64 = 5.0;
/// Side of the blocks of the background in pixels: large beside stars, small beside the field.
const BACKGROUND_BLOCK: usize = 128;
const UNUSABLE: u32 = quality::MISSING
    | quality::OUTSIDE
    | quality::DEAD
    | quality::HOT
    | quality::COSMIC_RAY
    | quality::SATURATED_CONVERTER
    | quality::SATURATED_WELL;

/// A pixel of the sum comes from pixels that are all usable: what is missing in one image others have.
const INTERPOLATION: ResampleOptions =
    ResampleOptions { kernel: Kernel::Bilinear, conserve_flux: false, exclude: UNUSABLE, least_weight: 0.999 };

/// Parameters of `coadd`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Stars are found above this many times the noise.
    #[schemars(range(min = 3.0), extend("x-unit" = "1"))]
    pub detection_sigma: f64,
    /// How far the pointing may be off, in pixels.
    #[schemars(range(min = 1.0), extend("x-unit" = "pixels"))]
    pub search: f64,
    /// Rejection limit in units of the noise.
    #[schemars(range(min = 2.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_sigma: f64,
    /// Fraction of its median by which a pixel may change with the seeing without being rejected.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-unit" = "1"))]
    pub clip_tolerance: f64,
    /// Largest root mean square of the distances of stars in a good alignment, in pixels.
    #[schemars(range(min = 0.0), extend("x-unit" = "pixels"))]
    pub alignment_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { detection_sigma: 8.0, search: 60.0, clip_sigma: 5.0, clip_tolerance: 0.3, alignment_high: 0.5 }
    }
}

/// The recipe.
pub struct Coadd;

impl Recipe for Coadd {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "coadd".into(),
            version: 1,
            title: "Sum of images of one field".into(),
            description: "Aligns reduced images on their stars (shift and small turn; by the pointing where there are no stars), \
                scales them to the flux of the first, subtracts their sky \
                          levels, and averages them on a common tangential grid with rejection of outliers."
                .into(),
            main: MainInput {
                tags: vec![tags::REDUCED_IMAGING.into()],
                when: vec![],
                group: Grouping {
                    signature: signatures::same_field(SAME_FIELD),
                    span_hours: None,
                    within_night: true,
                    apart: vec![],
                    min_frames: 2,
                },
            },
            inputs: vec![],
            products: vec![ProductSpec::new(
                tags::COADD,
                "Sum of images of one field, sky subtracted",
                "coadd/{night}/coadd_{stem}.fits",
                &signatures::same_field(SAME_FIELD),
            )],
            enabled: true,
            memory: Memory { fixed: 80e6, per_pixel: 60.0, per_pixel_and_frame: 0.0 },
            schema: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let task = &in_order(task);
        let mut outcome = Outcome::default();
        let mut layers: Vec<Layer> = Vec::new();
        let count = task.main().count().max(1) as f64;
        for (n, input) in task.main().enumerate() {
            host.progress(0.5 * n as f64 / count, "finding stars");
            let (header, image) = read_image(&input.path)?;
            let (level, noise) = sky(&image);
            let shape = image.shape();
            let stars = find_stars(image, parameters.detection_sigma);
            let exposure = header.real("EXPTIME").unwrap_or(0.0);
            let alignment = match layers.first() {
                None => Some(Alignment::identity()),
                Some(first) => {
                    let expected = expected_shift(&first.header, &header);
                    if first.stars.len() < FEWEST_STARS || stars.len() < FEWEST_STARS {
                        outcome.notes.push(format!("{}: too few stars, placed by the pointing", input.name));
                        Some(Alignment { shift: expected, flux_ratio: exposure / first.exposure, ..Alignment::identity() })
                    } else {
                        align(&first.stars, &stars, expected, parameters.search)
                    }
                }
            };
            match alignment.filter(|a| a.flux_ratio > 0.0 && noise > 0.0) {
                Some(alignment) => layers.push(Layer { path: input.path.clone(), header, shape, stars, level, noise, alignment, exposure }),
                None => outcome.rejected.push(RejectedFrame {
                    name: input.name.clone(),
                    why: format!("could not be aligned: {} stars found, none or too few match", stars.len()),
                }),
            }
        }
        if layers.len() < 2 {
            outcome.notes.push(nothing_to_add(task, &outcome));
            return Ok(outcome);
        }
        let grid = Grid::of(&layers);
        let image = add(&layers, &grid, &parameters, host)?;
        judge(&mut outcome, &layers, &image, &parameters);
        let mut header = products::header_of(&layers[0].header);
        header.set("EXPTIME", layers.iter().map(|l| l.exposure).sum::<f64>(), "[s] sum of all exposures");
        header.set("IFURED FRAMES", layers.len(), "number of images added");
        header.set("BUNIT", "adu", "");
        if let Some(mut tan) = Tan::of_header(&layers[0].header) {
            tan.crpix = (tan.crpix.0 - grid.origin.0 as f64, tan.crpix.1 - grid.origin.1 as f64);
            tan.write(&mut header);
        }
        products::write_statistics(&mut header, &image);
        task::write(task, &mut outcome, tags::COADD, header, &image)?;
        Ok(outcome)
    }
}

/// Says which images stay single, and why.
fn nothing_to_add(task: &Task, outcome: &Outcome) -> String {
    let reason = |name: &str| match outcome.rejected.iter().find(|r| r.name == name) {
        Some(rejected) => format!("{name} ({})", rejected.why),
        None => format!("{name} (no other image to add to it)"),
    };
    let images: Vec<String> = task.main().map(|input| reason(&input.name)).collect();
    format!("nothing was added: {}; lower `detection_sigma` or raise `search` to align more", images.join(", "))
}

/// The brightest stars whose apertures are whole, brightest first, with their fluxes in the aperture.
fn find_stars(mut image: Image, sigma: f64) -> Vec<Source> {
    // Cosmic rays that were removed are estimates: they do not spoil a star.
    let exclude = UNUSABLE & !quality::COSMIC_RAY;
    let blocks =
        BackgroundOptions { block: BACKGROUND_BLOCK, interpolation: Interpolation::Bilinear, exclude, ..BackgroundOptions::default() };
    let background = measure_background(&image, None, &blocks).image();
    let found = detect_sources(&image, background.view(), &DetectionOptions { sigma, exclude, ..DetectionOptions::default() });
    image.data -= &background;
    let aperture = Aperture { radius: APERTURE, ring: None, exclude };
    let whole = |s: &Source| aperture_flux(&image, (s.x, s.y), &aperture).filter(|f| f.flux > 0.0).map(|f| (f, *s));
    let measured = found.sources.iter().filter_map(whole).map(|(f, s)| Source { flux: f.flux, flux_error: f.error, ..s });
    let mut stars: Vec<Source> = measured.take(MOST_STARS).collect();
    stars.sort_by(|a, b| b.flux.total_cmp(&a.flux));
    stars
}

/// One image with what places it on the grid.
struct Layer {
    path: std::path::PathBuf,
    header: Header,
    shape: (usize, usize),
    stars: Vec<Source>,
    level: f64,
    noise: f64,
    alignment: Alignment,
    exposure: f64,
}

/// The shift from the first image that the coordinates let expect.
fn expected_shift(first: &Header, other: &Header) -> (f64, f64) {
    let (Some(a), Some(b)) = (Tan::of_header(first), Tan::of_header(other)) else { return (0.0, 0.0) };
    let (x, y) = b.to_pixel(a.crval.0, a.crval.1);
    (x - a.crpix.0, y - a.crpix.1)
}

/// The common grid: pixels of the first image, from `origin` (column, row) on.
struct Grid {
    origin: (isize, isize),
    shape: (usize, usize),
}

impl Grid {
    fn of(layers: &[Layer]) -> Grid {
        let (rows, columns) = layers[0].shape;
        let (mut low, mut high) = ((0.0_f64, 0.0_f64), (columns as f64 - 1.0, rows as f64 - 1.0));
        for layer in layers {
            let Alignment { shift, .. } = layer.alignment;
            // Turns are small: the corners of the frame move by the shift, the rest is lost in rounding.
            let (h, w) = (layer.shape.0 as f64 - 1.0, layer.shape.1 as f64 - 1.0);
            low = (low.0.min(-shift.0), low.1.min(-shift.1));
            high = (high.0.max(w - shift.0), high.1.max(h - shift.1));
        }
        let origin = (low.0.floor().max(-(columns as f64)) as isize, low.1.floor().max(-(rows as f64)) as isize);
        let far = (high.0.ceil().min(2.0 * columns as f64) as isize, high.1.ceil().min(2.0 * rows as f64) as isize);
        Grid { origin, shape: ((far.1 - origin.1 + 1) as usize, (far.0 - origin.0 + 1) as usize) }
    }
}

fn add(layers: &[Layer], grid: &Grid, parameters: &Parameters, host: &dyn Host) -> Result<Image, RecipeError> {
    let files = layers.iter().map(|l| ImageBands::open(&l.path)).collect::<Result<Vec<_>, _>>()?;
    let rejection = Rejection { sigma: parameters.clip_sigma as f32, tolerance: parameters.clip_tolerance as f32 };
    let mut image = Image::new(Array2::from_elem(grid.shape, f32::NAN), f32::NAN);
    let mut samples = Vec::with_capacity(layers.len());
    for band in bands(grid.shape, 3 * layers.len()) {
        host.progress(0.5 + 0.4 * band.start as f64 / grid.shape.0 as f64, "adding");
        let parts = layers.iter().zip(&files).map(|(l, f)| Part::read(l, f, grid, &band)).collect::<Result<Vec<_>, _>>()?;
        for y in band.clone() {
            for x in 0..grid.shape.1 {
                samples.clear();
                samples.extend(parts.iter().filter_map(|p| p.sample([y - band.start, x])));
                if let Some((value, variance, _)) = stack::combine(&mut samples, rejection) {
                    let at = [y, x];
                    (image.data[at], image.variance[at], image.quality[at]) = (value, variance, 0);
                }
            }
        }
    }
    Ok(image)
}

/// A layer on a band of the grid.
struct Part {
    image: Image,
    level: f32,
    scale: f32,
    weight: f32,
}

impl Part {
    fn read(layer: &Layer, file: &ImageBands, grid: &Grid, band: &Range<usize>) -> Result<Self, RecipeError> {
        // Shift and turn are an affine map: where the first pixel of the band lies, and one step along rows and columns.
        let place = |x: f64, y: f64| layer.alignment.apply(x + grid.origin.0 as f64, y + grid.origin.1 as f64);
        let first = place(0.0, band.start as f64);
        let (right, down) = (place(1.0, band.start as f64), place(0.0, band.start as f64 + 1.0));
        let (right, down) = ((right.0 - first.0, right.1 - first.1), (down.0 - first.0, down.1 - first.1));
        let (width, height) = (grid.shape.1 as f64, band.len() as f64);
        let rows = [0.0, width].map(|x| [0.0, height].map(|y| first.1 + right.1 * x + down.1 * y)).concat();
        let limit = |v: f64| v.clamp(0.0, layer.shape.0 as f64) as usize;
        let low = limit(rows.iter().copied().fold(f64::INFINITY, f64::min).floor() - 2.0);
        let high = limit(rows.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil() + 3.0);
        let image = file.read_rows(low..high.max(low))?;
        let origin = (first.0, first.1 - low as f64);
        let map = |x: f64, y: f64| (origin.0 + right.0 * x + down.0 * y, origin.1 + right.1 * x + down.1 * y);
        let image = resample(&image, (band.len(), grid.shape.1), map, &INTERPOLATION);
        let scale = 1.0 / layer.alignment.flux_ratio;
        let weight = (1.0 / (layer.noise * scale).powi(2)) as f32;
        Ok(Part { image, level: layer.level as f32, scale: scale as f32, weight })
    }

    /// The layer at a pixel of the band, sky subtracted and scaled; `None` where it has no usable pixels.
    fn sample(&self, at: [usize; 2]) -> Option<Sample> {
        let value = self.image.data[at];
        let sample = Sample {
            value: (value - self.level) * self.scale,
            variance: self.image.variance[at] * self.scale * self.scale,
            weight: self.weight,
        };
        value.is_finite().then_some(sample)
    }
}

fn judge(outcome: &mut Outcome, layers: &[Layer], image: &Image, parameters: &Parameters) {
    let worst = layers.iter().map(|l| l.alignment.rms).fold(0.0, f64::max);
    let fewest = layers.iter().skip(1).map(|l| l.alignment.stars).min().unwrap_or(0);
    let (level, noise) = sky(image);
    outcome.quality.extend([
        QualityNumber::new("N FRAMES", layers.len() as f64, "", "images added"),
        QualityNumber::new("ALIGNMENT", worst, "pixel", "largest root mean square of the star distances").within(
            0.0,
            parameters.alignment_high,
            Grade::Questionable,
        ),
        QualityNumber::new("N STARS", fewest as f64, "", "fewest stars that an alignment rests on").within(
            5.0,
            f64::INFINITY,
            Grade::Questionable,
        ),
        QualityNumber::new("SKY", level, "adu", "level of the sky that is left"),
        QualityNumber::new("SKY NOISE", noise, "adu", "standard deviation of the sky"),
    ]);
}
