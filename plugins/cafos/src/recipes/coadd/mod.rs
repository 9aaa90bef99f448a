//! Sum of images of one field.
//!
//! Stars are found in each image above its background. Images that the recipe `astrometry` has solved are placed by their fitted world coordinates,
//! distortion and all; the others by the shift and small turn between their stars and those of the first ([`grid`]). Each image, less its sky
//! level and scaled to the first by the fluxes of its stars, is interpolated onto one grid; samples of a pixel are averaged with the weights of
//! their images and without outliers ([`ifured_pixels::combine::samples`]). The weights are best for stars: inverse sky variance in the scale of the first image
//! (noise and transparency), over the area of the seeing. Interpolation correlates the noise of neighbours: the variance is that of single
//! pixels, and the number `NOISE CORR` says by how much the variance of a sum over many pixels is larger. Images are read by bands of rows.

mod add;
mod grid;
mod layer;

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec, RejectedFrame};
use ifured_core::{Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::resample::Kernel;
use ifured_pixels::sources::Alignment;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::add::Sum;
use self::grid::Grid;
use self::layer::{Layer, Placed};
use super::in_order;
use super::parameters::Detection;
use crate::products::sky;
use crate::stars::Magnitudes;
use crate::wcs::Tan;
use crate::{products, signatures, stars, tags};

/// Images further apart than this are not added, in arcseconds.
const SAME_FIELD: f64 = 120.0;
/// Radius of the apertures of stars, in FWHM.
const APERTURE: f64 = 1.5;

/// What the weights of the images are best for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// Stars: inverse variance of the sky over the area of the seeing.
    Stars,
    /// Extended objects: inverse variance of the sky.
    Surfaces,
    /// All images count the same.
    Equal,
}

/// How images are interpolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Linear: smooths a little, and loses fewest pixels beside bad ones.
    Bilinear,
    /// Cubic convolution.
    Bicubic,
    /// Lanczos to 3 pixels: smooths least; for well sampled stars.
    Lanczos3,
}

impl Interpolation {
    fn kernel(self) -> Kernel {
        match self {
            Interpolation::Bilinear => Kernel::Bilinear,
            Interpolation::Bicubic => Kernel::Bicubic,
            Interpolation::Lanczos3 => Kernel::Lanczos3,
        }
    }
}

/// Parameters of `coadd`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    #[serde(flatten)]
    detection: Detection,
    /// How far the pointing may be off, in pixels; not asked of images with fitted world coordinates.
    #[schemars(range(min = 1.0), extend("x-unit" = "pixels"))]
    pub search: f64,
    /// What the weights of the images are best for.
    pub weights: Weighting,
    /// How images are interpolated.
    pub interpolation: Interpolation,
    /// Rejection limit in units of the noise.
    #[schemars(range(min = 2.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_sigma: f64,
    /// Fraction of the brightest light within 1 FWHM by which a pixel may be off without being rejected, besides what the seeing changes.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-unit" = "1"))]
    pub clip_tolerance: f64,
    /// Largest root mean square of the distances of stars in a good alignment, in pixels.
    #[schemars(range(min = 0.0), extend("x-unit" = "pixels"))]
    pub alignment_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            detection: Detection::default(),
            search: 60.0,
            weights: Weighting::Stars,
            interpolation: Interpolation::Bilinear,
            clip_sigma: 5.0,
            clip_tolerance: 0.2,
            alignment_high: 0.5,
        }
    }
}

/// The recipe.
pub struct Coadd;

impl Recipe for Coadd {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "coadd".into(),
            version: 2,
            title: "Sum of images of one field".into(),
            description: "Places images of one field by their fitted world coordinates, or where there are none by their stars (shift and small \
                          turn; by the pointing where there are no stars), scales them to the flux of the first, subtracts their sky \
                          levels, and averages them on a common tangential grid, weighted by noise, transparency and seeing, with rejection of \
                          outliers. The table SOURCES behind the image lists its stars."
                .into(),
            main: MainInput {
                tags: vec![tags::REDUCED_IMAGING.into(), tags::SOLVED_IMAGING.into()],
                group: Grouping {
                    signature: signatures::same_field(SAME_FIELD),
                    span_hours: None,
                    within_night: true,
                    apart: vec![],
                    min_frames: 2,
                },
                ..MainInput::default()
            },
            inputs: vec![],
            products: vec![ProductSpec::new(
                tags::COADD,
                "Sum of images of one field, sky subtracted",
                "coadd/{night}/coadd_{stem}.fits",
                &signatures::same_field(SAME_FIELD),
            )],
            memory: Memory { per_pixel_and_frame: 1.0, ..Memory::streaming(120e6, 110.0) },
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let task = &in_order(task);
        let mut outcome = Outcome::default();
        let layers = placed(task, &parameters, &mut outcome, host)?;
        if layers.len() < 2 {
            outcome.notes.push(nothing_to_add(task, &outcome));
            return Ok(outcome);
        }
        let grid = Grid::of(&layers);
        let weights = add::weights(&layers, parameters.weights);
        let sum = add::add(&layers, &weights, &grid, &parameters, host)?;
        let correlation = add::correlation(&layers, &weights, &parameters);
        let field = stars::measure(&sum.image, parameters.detection.detection_sigma, APERTURE);
        host.progress(0.9, "stars of the sum");
        let magnitudes = magnitudes(&layers);
        let first = &layers[0].layer;
        let scale = grid.projection().map(|wcs| wcs.scale_arcsec()).or_else(|| first.header.real("INSTRSCL").ok()).unwrap_or(f64::NAN);
        judge(&mut outcome, &layers, &sum, correlation, &parameters);
        outcome.quality.extend(stars::numbers(&field, scale, first.exposure));
        outcome.quality.extend(stars::aperture_numbers(&field));
        if let Some(m) = &magnitudes {
            let per_second = m.of_one - 2.5 * first.exposure.log10();
            let title = format!("{} of a star of 1 adu/s in the first image", m.band);
            outcome.quality.push(QualityNumber::new("ZERO POINT", per_second, "mag", &title).with_error(m.error));
            outcome.quality.push(stars::depth(&field, m, correlation));
        }
        let header = header(&layers, &weights, &grid, magnitudes.as_ref(), correlation, &sum);
        let table = stars::sources(&field, wcs_of(&layers, &grid).as_ref(), magnitudes.as_ref(), correlation);
        task::write_with_tables(task, &mut outcome, tags::COADD, header, &sum.image, &[table])?;
        Ok(outcome)
    }
}

/// The images that can be added, one with fitted world coordinates first if there is one; the others are in the outcome.
fn placed(task: &Task, parameters: &Parameters, outcome: &mut Outcome, host: &dyn Host) -> Result<Vec<Placed>, RecipeError> {
    let mut layers: Vec<Layer> = Vec::new();
    let count = task.main().count().max(1) as f64;
    for (n, input) in task.main().enumerate() {
        host.progress(0.5 * n as f64 / count, "finding stars");
        layers.push(Layer::read(input, parameters)?);
    }
    // A stable order: solved images first, each in the order of time.
    layers.sort_by_key(|l| l.wcs.is_none());
    let mut all: Vec<Placed> = Vec::new();
    for layer in layers {
        let (alignment, note) = match all.first() {
            None => (Some(Alignment::identity()), None),
            Some(first) => layer.placed(&first.layer, parameters.search),
        };
        outcome.notes.extend(note);
        match alignment.filter(|a| a.flux_ratio > 0.0 && layer.noise > 0.0) {
            Some(alignment) => all.push(Placed { layer, alignment }),
            None => {
                let why = format!("could not be aligned: {} stars found, none or too few match", layer.count());
                outcome.rejected.push(RejectedFrame { name: layer.name.clone(), why });
            }
        }
    }
    Ok(all)
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

/// Magnitude of 1 adu of the sum, which has the scale of the first image: the mean over the calibrated images. Their errors are those of one
/// catalogue and are taken as common.
fn magnitudes(layers: &[Placed]) -> Option<Magnitudes> {
    let calibrated = || layers.iter().filter_map(|p| p.layer.magnitudes.as_ref().map(|m| (m, p.alignment.flux_ratio)));
    let band = calibrated().next()?.0.band.clone();
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / calibrated().count() as f64;
    let of_one = mean(&mut calibrated().map(|(m, flux_ratio)| m.of_one - 2.5 * flux_ratio.log10()));
    Some(Magnitudes { band, of_one, error: mean(&mut calibrated().map(|(m, _)| m.error)) })
}

/// World coordinates of the sum: fitted, or those of the pointing.
fn wcs_of(layers: &[Placed], grid: &Grid) -> Option<ifured_pixels::astrometry::TanSip> {
    let approximate = || {
        let wcs = ifured_pixels::astrometry::TanSip::of_header(&layers[0].layer.header)?;
        let crpix = (wcs.tan.crpix.0 - grid.origin.0 as f64, wcs.tan.crpix.1 - grid.origin.1 as f64);
        let tan = ifured_pixels::resample::TanGrid { crpix, ..wcs.tan };
        Some(ifured_pixels::astrometry::TanSip { tan, ..wcs })
    };
    grid.projection().or_else(approximate)
}

fn header(
    layers: &[Placed],
    weights: &[f64],
    grid: &Grid,
    magnitudes: Option<&Magnitudes>,
    correlation: f64,
    sum: &Sum,
) -> ifured_core::Header {
    let first = &layers[0].layer;
    let mut header = products::header_of(&first.header);
    header.retain(|card| card.keyword != "PHOTZP");
    header.set("EXPTIME", layers.iter().map(|p| p.layer.exposure).sum::<f64>(), "[s] sum of all exposures");
    header.set("IFURED FRAMES", layers.len(), "number of images added");
    header.set("IFURED SCALE EXPTIME", first.exposure, "[s] exposure of the image whose flux scale this is");
    header.set("IFURED NOISE CORR", correlation, "variance of sums of pixels over that of STAT");
    for (n, (placed, weight)) in layers.iter().zip(weights).enumerate() {
        header.set(&format!("IFURED LAYER{} NAME", n + 1), placed.layer.name.as_str(), "image added");
        header.set(&format!("IFURED LAYER{} WEIGHT", n + 1), *weight, "its weight");
        header.set(&format!("IFURED LAYER{} FLUX", n + 1), placed.alignment.flux_ratio, "its flux relative to the first");
    }
    header.set("BUNIT", "adu", "");
    if let Some(m) = magnitudes {
        header.set("PHOTZP", m.of_one, "[mag] magnitude of 1 adu");
    }
    if let Some(wcs) = grid.projection() {
        wcs.write(&mut header);
        header.set("IFURED WCS", "fitted", "fitted to stars of a catalogue");
    } else if let Some(mut tan) = Tan::of_header(&first.header) {
        tan.crpix = (tan.crpix.0 - grid.origin.0 as f64, tan.crpix.1 - grid.origin.1 as f64);
        tan.write(&mut header);
    }
    products::write_statistics(&mut header, &sum.image);
    header
}

fn judge(outcome: &mut Outcome, layers: &[Placed], sum: &Sum, correlation: f64, parameters: &Parameters) {
    let worst = layers.iter().map(|p| p.alignment.rms).fold(0.0, f64::max);
    let fewest = layers.iter().skip(1).map(|p| p.alignment.stars).min().unwrap_or(0);
    let fitted = layers.iter().filter(|p| p.layer.wcs.is_some()).count();
    let (level, noise) = sky(&sum.image);
    outcome.quality.extend([
        QualityNumber::new("N FRAMES", layers.len() as f64, "", "images added"),
        QualityNumber::new("N SOLVED", fitted as f64, "", "of these placed by fitted world coordinates"),
        QualityNumber::new("ALIGNMENT", worst, "pixel", "largest root mean square of the star distances").within(
            0.0,
            parameters.alignment_high,
            Grade::Questionable,
        ),
        QualityNumber::new("N ALIGNED", fewest as f64, "", "fewest stars that an image has in common with the first").within(
            5.0,
            f64::INFINITY,
            Grade::Questionable,
        ),
        QualityNumber::new("CLIPPED", sum.rejected as f64 / sum.samples.max(1) as f64, "", "part of the pixels left out as outliers"),
        QualityNumber::new("NOISE CORR", correlation, "", "variance of sums of pixels over that of STAT"),
        QualityNumber::new("SKY", level, "adu", "level of the sky that is left"),
        QualityNumber::new("SKY NOISE", noise, "adu", "standard deviation of the sky"),
    ]);
}
