//! The frames of a sequence, aligned and added: the field with both images of each source.

use std::path::PathBuf;

use ifured_core::recipe::RejectedFrame;
use ifured_core::{Header, Host, Outcome, RecipeError, Task};
use ifured_pixels::fits::read_image;
use ifured_pixels::resample::{Kernel, ResampleOptions, resample};
use ifured_pixels::sources::{
    Alignment, BackgroundOptions, DetectionOptions, Interpolation, Source, align, detect_sources, measure_background, seeing,
};
use ifured_pixels::{Image, quality};
use ndarray::{Array2, Zip};

use super::options::Measurement;
use crate::wcs::Tan;

/// Side of the blocks of the background in pixels: large beside stars, small beside the field.
const BACKGROUND_BLOCK: usize = 64;
/// Stars of a frame that are compared with those of the others, at most.
const MOST_STARS: usize = 200;
/// Stars of a frame that its place is taken from where too few match, at most.
const FEW_STARS: usize = 4;
/// Sources that touch are parted where a peak rises above the saddle by so many sigma.
const DEBLEND: f64 = 5.0;
/// Pixels that do not count. Removed cosmic rays are estimates that do not spoil a star.
const UNUSABLE: u32 = quality::MISSING | quality::OUTSIDE | quality::DEAD | quality::HOT;
const SATURATED: u32 = quality::SATURATED_CONVERTER | quality::SATURATED_WELL;

/// A frame of the sequence.
pub struct Exposure {
    /// Where it is.
    pub path: PathBuf,
    /// Angle of the modulator in degrees.
    pub angle: f64,
    /// From the pixels of the first frame to its own.
    pub alignment: Alignment,
}

/// A field.
pub struct Field {
    /// Header of the frame whose pixels those of the field are.
    pub header: Header,
    /// Frames that are used.
    pub exposures: Vec<Exposure>,
    /// Mean of the frames above the sky, in ADU.
    pub image: Image,
    /// Sources of the mean, the brightest first.
    pub sources: Vec<Source>,
    /// Full width at half maximum of the stars in pixels.
    pub fwhm: f64,
}

/// A frame with its stars.
struct Seen {
    name: String,
    path: PathBuf,
    header: Header,
    angle: f64,
    stars: Vec<Source>,
}

impl Field {
    /// Aligns and adds the main frames of a task. Frames without an angle, without stars or without a place are rejected. `None` if none is left.
    pub fn of(task: &Task, options: &Measurement, outcome: &mut Outcome, host: &dyn Host) -> Result<Option<Field>, RecipeError> {
        let mut seen = Vec::new();
        let count = task.main().count().max(1) as f64;
        for (n, input) in task.main().enumerate() {
            host.progress(0.3 * n as f64 / count, "finding stars");
            let (header, image) = read_image(&input.path)?;
            let angle = header.real("INSPOROT").ok().map(|a| a * options.angle_step);
            let stars = find(&image, options.detection_sigma);
            match angle {
                Some(angle) if !stars.is_empty() => {
                    seen.push(Seen { name: input.name.clone(), path: input.path.clone(), header, angle, stars });
                }
                _ => {
                    let why = if angle.is_none() { "INSPOROT does not say its angle" } else { "no stars: cloud, or a closed shutter" };
                    outcome.rejected.push(RejectedFrame { name: input.name.clone(), why: why.into() });
                }
            }
        }
        // A frame through cloud, with few stars, cannot be the one that the others are compared with.
        let most = seen.iter().map(|s| s.stars.len()).max().unwrap_or(0);
        let Some(first) = seen.iter().position(|s| 2 * s.stars.len() >= most) else { return Ok(None) };
        let mut exposures = Vec::new();
        for frame in &seen {
            match placed(&seen[first], frame, options.search) {
                Some(alignment) => exposures.push(Exposure { path: frame.path.clone(), angle: frame.angle, alignment }),
                None => {
                    let why = format!("could not be aligned: none or too few of its {} stars match", frame.stars.len());
                    outcome.rejected.push(RejectedFrame { name: frame.name.clone(), why });
                }
            }
        }
        let header = seen.swap_remove(first).header;
        let image = mean(&exposures, host)?;
        let none = Array2::zeros(image.shape());
        let detection = DetectionOptions { deblend: Some(DEBLEND), ..detection(options.detection_sigma) };
        let sources = detect_sources(&image, none.view(), &detection).sources;
        let fwhm = seeing(&image, image.data.view(), &sources, UNUSABLE | SATURATED).unwrap_or(detection.fwhm);
        Ok(Some(Field { header, exposures, image, sources, fwhm }))
    }

    /// World coordinates of the field, if it has any.
    pub fn wcs(&self) -> Option<Tan> {
        Tan::of_header(&self.header)
    }
}

fn detection(sigma: f64) -> DetectionOptions {
    DetectionOptions { sigma, exclude: UNUSABLE, ..DetectionOptions::default() }
}

fn background(image: &Image) -> Array2<f32> {
    let exclude = UNUSABLE | SATURATED;
    let blocks =
        BackgroundOptions { block: BACKGROUND_BLOCK, interpolation: Interpolation::Bilinear, exclude, ..BackgroundOptions::default() };
    measure_background(image, None, &blocks).image()
}

/// The brightest stars of a frame.
fn find(image: &Image, sigma: f64) -> Vec<Source> {
    let mut found = detect_sources(image, background(image).view(), &detection(sigma)).sources;
    found.truncate(MOST_STARS);
    found
}

/// From the pixels of the first frame to those of another.
fn placed(first: &Seen, other: &Seen, search: f64) -> Option<Alignment> {
    let expected = match (Tan::of_header(&first.header), Tan::of_header(&other.header)) {
        (Some(a), Some(b)) => {
            let (x, y) = b.to_pixel(a.crval.0, a.crval.1);
            (x - a.crpix.0, y - a.crpix.1)
        }
        _ => (0.0, 0.0),
    };
    align(&first.stars, &other.stars, expected, search).or_else(|| nearest(&first.stars, &other.stars, expected, search))
}

/// The shift of few stars, a standard alone: the one nearest to what the pointing says, between stars that are alike.
fn nearest(first: &[Source], other: &[Source], expected: (f64, f64), search: f64) -> Option<Alignment> {
    let pairs = first.iter().take(FEW_STARS).flat_map(|a| other.iter().take(FEW_STARS).map(move |b| (a, b)));
    let shifts = pairs.filter(|(a, b)| (0.2..5.0).contains(&(b.flux / a.flux))).map(|(a, b)| {
        let shift = (b.x - a.x, b.y - a.y);
        Alignment { shift, stars: 1, flux_ratio: b.flux / a.flux, ..Alignment::identity() }
    });
    let off = |a: &Alignment| (a.shift.0 - expected.0).hypot(a.shift.1 - expected.1);
    shifts.min_by(|a, b| off(a).total_cmp(&off(b))).filter(|a| off(a) <= search)
}

/// The mean of all frames above their sky in the pixels of the first, each scaled to the flux of the first.
fn mean(exposures: &[Exposure], host: &dyn Host) -> Result<Image, RecipeError> {
    let options = ResampleOptions { kernel: Kernel::Bilinear, conserve_flux: false, exclude: UNUSABLE, least_weight: 0.999 };
    let mut sum: Option<(Image, Array2<f32>)> = None;
    for (n, exposure) in exposures.iter().enumerate() {
        host.progress(0.3 + 0.3 * n as f64 / exposures.len() as f64, "adding");
        let (_, mut image) = read_image(&exposure.path)?;
        image.data -= &background(&image);
        let shape = sum.as_ref().map_or(image.shape(), |(s, _)| s.shape());
        let moved = resample(&image, shape, |x, y| exposure.alignment.apply(x, y), &options);
        let scale = (1.0 / exposure.alignment.flux_ratio) as f32;
        let (total, number) = sum.get_or_insert_with(|| {
            let empty = Image { data: Array2::zeros(shape), variance: Array2::zeros(shape), quality: Array2::zeros(shape) };
            (empty, Array2::zeros(shape))
        });
        Zip::from(&mut total.data).and(number).and(&moved.data).for_each(|d, n, &v| {
            if v.is_finite() {
                *d += scale * v;
                *n += 1.0;
            }
        });
        Zip::from(&mut total.variance).and(&mut total.quality).and(&moved.data).and(&moved.variance).and(&moved.quality).for_each(
            |s, q, v, &variance, &bits| {
                if v.is_finite() {
                    *s += scale * scale * variance;
                    *q |= bits & (SATURATED | quality::COSMIC_RAY);
                }
            },
        );
    }
    let (mut image, number) = sum.ok_or_else(|| RecipeError::new("no frames", "give the frames of a sequence"))?;
    Zip::from(&mut image.data).and(&mut image.variance).and(&mut image.quality).and(&number).for_each(|v, s, q, &n| {
        *v /= n;
        *s /= n * n;
        *q |= if n == 0.0 { quality::MISSING } else { 0 };
    });
    Ok(image)
}
