//! Illumination correction: the large-scale difference between twilight sky and dome.
//!
//! A dome screen does not light the telescope as the sky does. The ratio of a twilight flat to a dome flat of the same set-up, a smooth
//! surface fitted to its block medians, is what an image reduced with the dome flat has to be divided by.

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec};
use ifured_core::{Condition, Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task, Test};
use ifured_pixels::detector::{RawFormat, calibration};
use ifured_pixels::fit::SurfaceDegree;
use ifured_pixels::fits::read_image;
use ifured_pixels::illumination::{IlluminationOptions, fit_illumination};
use ifured_pixels::quality;
use ifured_pixels::statistics::SigmaClip;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs;
use crate::Cafos;
use crate::{products, signatures, tags};

/// Side of the blocks in pixels.
const BLOCK: usize = 16;
/// Passes of the rejection of blocks.
const CLIP_PASSES: usize = 5;
/// An image is divided by the correction: no less than this.
const LOWEST: f32 = 0.1;

/// Parameters of `illumination`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Degree of the smooth surface.
    #[schemars(range(min = 1, max = 10), extend("x-unit" = "1"))]
    pub degree: usize,
    /// Blocks that are off the surface by more than this many robust standard deviations are left out.
    #[schemars(range(min = 2.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_sigma: f64,
    /// Largest correction of a good flat, as a fraction.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-unit" = "1"))]
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
                tags: vec![tags::MASTER_FLAT_IMAGING.into(), tags::MASTER_FLAT_IMAGING_WOLLASTON.into()],
                when: vec![Condition::any("IMAGETYP", Test::Equal, &["twilight"])],
                group: Grouping { signature: signatures::flat(), span_hours: Some(0.0), within_night: true, apart: vec![], min_frames: 1 },
                ..MainInput::default()
            },
            inputs: vec![inputs::dome_flat()],
            products: vec![ProductSpec::new(
                tags::ILLUMINATION,
                "Illumination correction",
                "illumination/{night}/illumination_{stem}.fits",
                &signatures::flat(),
            )],
            memory: Memory::streaming(60e6, 45.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task.main().next().ok_or_else(|| RecipeError::new("no frame", "give one twilight flat"))?;
        let (raw, twilight) = read_image(&input.path)?;
        let dome = calibration::require(task, "dome", &Cafos, Cafos.footprint(&raw, twilight.shape()))?.image()?;
        let mut ratio = twilight.clone();
        ratio.divide(&dome);
        let clip = SigmaClip { low: parameters.clip_sigma, high: parameters.clip_sigma, max_iterations: CLIP_PASSES };
        // Both flats have the median 1 in the same field, so that dome flat times correction has that of the sky: no normalisation.
        let options = IlluminationOptions { block: BLOCK, degree: SurfaceDegree::total(parameters.degree), clip, normalise: false };
        let found = fit_illumination(&ratio, None, &options).map_err(|e| {
            RecipeError::new(format!("too little of the field is lit in both flats: {e}"), "check the masks of the two flats")
        })?;
        let mut image = found.image;
        image.data.mapv_inplace(|v| v.max(LOWEST));
        // Inside the field the surface is known everywhere: weak pixels are no gaps of it.
        image.quality = twilight.quality.mapv(|q| q & quality::OUTSIDE);
        let largest = image.data.iter().zip(&image.quality).filter(|(_, q)| **q == 0).map(|(v, _)| (v - 1.0).abs()).fold(0.0, f32::max);
        let mut outcome = Outcome::default();
        outcome.quality.extend([
            QualityNumber::new("CORRECTION", f64::from(largest), "", "largest correction in the field").within(
                0.0,
                parameters.correction_high,
                Grade::Questionable,
            ),
            QualityNumber::new("SCATTER", found.fit.rms, "", "scatter of the blocks about the surface"),
        ]);
        let mut header = products::header_of(&raw);
        products::write_statistics(&mut header, &image);
        task::write(task, &mut outcome, tags::ILLUMINATION, header, &image)?;
        Ok(outcome)
    }
}
