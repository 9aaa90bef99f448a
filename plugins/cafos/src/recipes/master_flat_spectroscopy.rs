//! Master spectroscopic flat: the pixel-to-pixel response.
//!
//! Model of a flat: `lamp(wavelength) * slit(position) * pixel(x, y)`. The frames are combined as imaging flats are. The lamp, a smooth
//! curve
//! along the dispersion, and the slit, a smooth curve across it, are medians of the rows and columns, smoothed by local parabolas;
//! what is left of their bend is a polynomial surface. The flat divided by all three is the pixel response, about 1, including the
//! sharp shadows of dust on the slit. For CAFOS grisms the dispersion runs along axis 2, the wavelength falling with the row.

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec};
use ifured_core::{Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::combine::MethodChoice;
use ifured_pixels::detector::{calibration, open_all};
use ifured_pixels::filter::local_parabolas;
use ifured_pixels::fit::SurfaceDegree;
use ifured_pixels::illumination::{block_medians, fit_blocks};
use ifured_pixels::statistics::{SigmaClip, clipped_moments, median};
use ifured_pixels::task;
use ifured_pixels::{Image, quality};
use ndarray::Axis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::master_flat_imaging::{Choice, combine_flats, note_header_gain};
use super::parameters::{Exposure, Response};
use super::{in_order, inputs};
use crate::Cafos;
use crate::{products, signatures, tags};

/// Side of the blocks that the surface is fitted to, in pixels.
const BLOCK: usize = 16;
/// Blocks of a flat of level 1 that belong to the spectrum.
const LIT: std::ops::Range<f64> = 0.2..5.0;

/// Parameters of `master-flat-spectroscopy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// How the values of a pixel are combined.
    pub method: MethodChoice,
    /// Rejection limit of `sigma-clip`, in units of the noise.
    #[schemars(range(min = 2.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_sigma: f64,
    /// Axis of the dispersion: 1 along rows, 2 along columns.
    #[schemars(range(min = 1, max = 2), extend("x-unit" = "1"))]
    pub dispersion_axis: u8,
    /// Half the length over which lamp and slit are smoothed, in pixels.
    #[schemars(range(min = 3, max = 1000), extend("x-unit" = "pixels"))]
    pub smoothing: usize,
    /// Degree of the surface that takes up the bend of the spectrum.
    #[schemars(range(min = 0, max = 10), extend("x-unit" = "1"))]
    pub degree: usize,
    /// Where the relative noise of the flat is above this it is 1, and flagged.
    #[schemars(range(min = 0.001, max = 1.0), extend("x-unit" = "1"))]
    pub noise_high: f64,
    /// A pixel with less than this response is flagged as of low sensitivity.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-unit" = "1"))]
    pub low_response: f64,
    #[serde(flatten)]
    response: Response,
    #[serde(flatten)]
    exposure: Exposure,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            method: MethodChoice::SigmaClip,
            clip_sigma: 4.0,
            dispersion_axis: 2,
            smoothing: 25,
            degree: 5,
            noise_high: 0.05,
            low_response: 0.5,
            response: Response::default(),
            exposure: Exposure::default(),
        }
    }
}

/// The recipe.
pub struct MasterFlatSpectroscopy;

impl Recipe for MasterFlatSpectroscopy {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "master-flat-spectroscopy".into(),
            version: 1,
            title: "Master spectroscopic flat".into(),
            description: "Subtracts the bias, scales and combines the frames with rejection by the noise model, and divides \
            by smooth curves along \
                          and across the dispersion and by a smooth surface, so that the pixel-to-pixel response is left. 1 \
                          with a flag where \
                          there is too little light."
                .into(),
            main: MainInput {
                tags: vec![tags::FLAT_SPECTROSCOPY.into()],
                group: Grouping { signature: signatures::flat(), span_hours: Some(1.0), within_night: true, apart: vec![], min_frames: 1 },
                ..MainInput::default()
            },
            inputs: vec![inputs::bias()],
            products: vec![ProductSpec::new(
                tags::MASTER_FLAT_SPECTROSCOPY,
                "Master spectroscopic flat",
                "flat-spectroscopy/{night}/flat-spectroscopy_{stem}_red.fits",
                &signatures::flat(),
            )],
            memory: Memory::streaming(40e6, 25.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let task = &in_order(task);
        let frames = open_all(task.main(), &Cafos)?;
        let bias = calibration::require(task, "bias", &Cafos, frames[0].footprint())?;
        host.progress(0.1, "level of each frame and gain");
        let choice = Choice {
            method: parameters.method,
            clip_low: parameters.clip_sigma,
            clip_high: parameters.clip_sigma,
            exposure: &parameters.exposure,
        };
        let mut outcome = Outcome::default();
        let combined = combine_flats(&frames, &bias, &choice, &mut outcome)?;
        let mut image = combined.image;
        host.progress(0.6, "lamp and slit");
        remove_lamp(&mut image, &parameters);
        flag(&mut image, &parameters);
        let good: Vec<f32> = image.data.iter().zip(&image.quality).filter(|(_, q)| **q == 0).map(|(v, _)| *v).collect();
        let found = clipped_moments(&good, 5.0);
        let count = |bits: u32| image.quality.iter().filter(|q| **q & bits != 0).count() as f64;
        outcome.quality.extend([
            QualityNumber::new("RESPONSE", found.mean, "", "mean pixel response").within(0.99, 1.01, Grade::Questionable),
            QualityNumber::new("SCATTER", found.sigma, "", "scatter of the pixel responses, with their noise"),
            QualityNumber::new("N FRAMES", combined.kept.len() as f64, "", "frames combined").within(
                3.0,
                f64::INFINITY,
                Grade::Questionable,
            ),
            QualityNumber::new("N DARK", count(quality::CALIBRATION_DEFECT), "", "pixels with too little light"),
            QualityNumber::new("N DEAD", count(quality::DEAD), "", "dead pixels"),
        ]);
        if let Some(gain) = combined.gain {
            outcome.quality.push(QualityNumber::new("GAIN", gain.gain, "e-/adu", "gain from pairs of flats").with_error(gain.error));
        }
        note_header_gain(&mut outcome, &frames[0], combined.gain);
        let mut header = products::header_of(&frames[combined.kept[0]].header);
        combined.noise.write(&mut header);
        header.set("IFURED FRAMES", combined.kept.len(), "number of frames combined");
        products::write_statistics(&mut header, &image);
        task::write(task, &mut outcome, tags::MASTER_FLAT_SPECTROSCOPY, header, &image)?;
        Ok(outcome)
    }
}

/// Divides by lamp, slit and surface.
fn remove_lamp(image: &mut Image, parameters: &Parameters) {
    let along = Axis(usize::from(parameters.dispersion_axis == 1));
    let across = Axis(1 - along.0);
    let lamp = local_parabolas(&profile(image, along), parameters.smoothing);
    divide_profile(image, &lamp, along);
    let slit = local_parabolas(&profile(image, across), parameters.smoothing);
    divide_profile(image, &slit, across);
    let mut blocks = block_medians(image, None, BLOCK);
    blocks.retain(|b| LIT.contains(&b.value));
    let clip = SigmaClip { low: 5.0, high: 5.0, max_iterations: 5 };
    if let Ok(fit) = fit_blocks(&blocks, image.shape(), SurfaceDegree::total(parameters.degree), clip) {
        let values = fit.surface.image(image.shape());
        ndarray::Zip::from(&mut image.data).and(&mut image.variance).and(&values).for_each(|v, s, &m| {
            let m = if m > 0.1 { m } else { f32::NAN };
            *v /= m;
            *s /= m * m;
        });
    }
}

/// Median of each row (axis 0) or column (axis 1), from up to about 400 of its pixels in the lit part.
fn profile(image: &Image, axis: Axis) -> Vec<f64> {
    let other = image.data.len_of(Axis(1 - axis.0));
    let step = other.div_ceil(400).max(1);
    // The middle half of the slit or spectrum is lit in every mode.
    let (from, to) = (other / 4, other - other / 4);
    (0..image.data.len_of(axis))
        .map(|k| {
            let line = image.data.index_axis(axis, k);
            median(&line.iter().take(to).skip(from).step_by(step).copied().collect::<Vec<_>>())
        })
        .collect()
}

fn divide_profile(image: &mut Image, profile: &[f64], axis: Axis) {
    for (k, &level) in profile.iter().enumerate() {
        let level = if level > 0.0 { level as f32 } else { f32::NAN };
        image.data.index_axis_mut(axis, k).mapv_inplace(|v| v / level);
        image.variance.index_axis_mut(axis, k).mapv_inplace(|v| v / (level * level));
    }
}

/// Flags weak, dead and dark pixels; the flat of the last two is 1.
fn flag(image: &mut Image, parameters: &Parameters) {
    let limit = (parameters.noise_high * parameters.noise_high) as f32;
    ndarray::Zip::from(&mut image.data).and(&mut image.variance).and(&mut image.quality).for_each(|v, s, q| {
        if !(*s <= limit) {
            *q |= quality::CALIBRATION_DEFECT;
            (*v, *s) = (1.0, 0.0);
        } else if !(f64::from(*v) >= parameters.response.dead_response) {
            *q |= quality::DEAD;
            (*v, *s) = (1.0, 0.0);
        } else if f64::from(*v) < parameters.low_response {
            *q |= quality::LOW_SENSITIVITY;
        }
    });
}
