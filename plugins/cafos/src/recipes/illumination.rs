//! Illumination correction: the large-scale difference between twilight sky and dome.
//!
//! A dome screen does not light the telescope as the sky does. The ratio of a twilight flat to a dome flat of the same set-up, a smooth
//! surface fitted to its block medians, is what an image reduced with the dome flat has to be divided by.

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec};
use ifured_core::{Condition, Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task, Test};
use ifured_pixels::fits::read_image;
use ifured_pixels::statistics::clipped_moments;
use ifured_pixels::{Image, quality};
use ndarray::{Array2, Zip};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs;
use crate::calibration;
use crate::field_mask::Blocks;
use crate::raw::{fits_error, window};
use crate::surface::{block_points, fit_points};
use crate::{products, signatures, tags};

/// Parameters of `illumination`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Degree of the smooth surface.
    #[schemars(range(min = 1, max = 10))]
    pub degree: usize,
    /// Blocks that are off the surface by more than this many robust standard deviations are left out.
    #[schemars(range(min = 2.0, max = 100.0))]
    pub clip_sigma: f64,
    /// Largest correction of a good flat, as a fraction.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub correction_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { degree: 4, clip_sigma: 4.0, correction_high: 0.1 }
    }
}

/// The recipe.
pub struct IlluminationRecipe;

impl Recipe for IlluminationRecipe {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "illumination".into(),
            version: 1,
            title: "Illumination correction from a twilight and a dome flat".into(),
            description: "Fits a smooth surface to the ratio of a twilight flat to a dome flat of the same set-up.".into(),
            main: MainInput {
                tags: vec![tags::MASTER_FLAT_IMAGING.into()],
                when: vec![Condition::any("IMAGETYP", Test::Equal, &["twilight"])],
                group: Grouping { signature: signatures::flat(), span_hours: Some(0.0), within_night: true, apart: vec![], min_frames: 1 },
            },
            inputs: vec![inputs::dome_flat()],
            products: vec![ProductSpec {
                tag: tags::ILLUMINATION.into(),
                title: "Illumination correction".into(),
                path: "illumination/{night}/illumination_{stem}.fits".into(),
                signature: signatures::flat(),
            }],
            enabled: true,
            memory: Memory { fixed: 30e6, per_pixel: 60.0, per_pixel_and_frame: 0.0 },
            schema: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task.main().next().ok_or_else(|| RecipeError::new("no frame", "give one twilight flat"))?;
        let (raw, twilight) = read_image(&input.path).map_err(fits_error)?;
        let dome = calibration::require(task, "dome", twilight.shape(), window(&raw, twilight.shape()))?.image()?;
        let unusable = quality::OUTSIDE | quality::DEAD | quality::LOW_SENSITIVITY | quality::MISSING;
        let mut ratio = Array2::from_elem(twilight.shape(), f32::NAN);
        Zip::from(&mut ratio).and(&twilight.data).and(&twilight.quality).and(&dome.data).and(&dome.quality).for_each(|r, t, tq, d, dq| {
            if (tq | dq) & unusable == 0 {
                *r = t / d;
            }
        });
        let blocks = Blocks::of(ratio.view());
        let points = block_points(&blocks);
        let surface = fit_points(&points, twilight.shape(), parameters.degree, parameters.clip_sigma)
            .ok_or_else(|| RecipeError::new("too little of the field is lit in both flats", "check the masks of the two flats"))?;
        let residuals: Vec<f32> = points.iter().filter(|p| p.value.is_finite()).map(|p| (p.value - surface.at(p.x, p.y)) as f32).collect();
        let scatter = clipped_moments(&residuals, 4.0);
        let mut image = Image::new(surface.image(twilight.shape()), (scatter.mean_error() * scatter.mean_error()) as f32);
        // Both flats have the median 1 in the same field, so that dome flat times correction has that of the sky: no normalisation.
        image.data.mapv_inplace(|v| v.max(0.1));
        // Inside the field the surface is known everywhere: weak pixels are no gaps of it.
        Zip::from(&mut image.quality).and(&twilight.quality).for_each(|q, t| *q = t & quality::OUTSIDE);
        let largest = image.data.iter().zip(&image.quality).filter(|(_, q)| **q == 0).map(|(v, _)| (v - 1.0).abs()).fold(0.0, f32::max);
        let mut outcome = Outcome::default();
        outcome.quality.extend([
            QualityNumber::new("CORRECTION", f64::from(largest), "", "largest correction in the field").within(
                0.0,
                parameters.correction_high,
                Grade::Questionable,
            ),
            QualityNumber::new("SCATTER", scatter.sigma, "", "scatter of the blocks about the surface"),
        ]);
        let mut header = products::header_of(&raw);
        products::write_statistics(&mut header, &image);
        products::write(task, &mut outcome, tags::ILLUMINATION, header, &image)?;
        Ok(outcome)
    }
}
