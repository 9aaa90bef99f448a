//! Subtraction of a fringe map, scaled to the image by least squares together with the sky and its gradient; stars are clipped.

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task, Value};
use ifured_pixels::detector::{RawFormat, calibration};
use ifured_pixels::fits::read_image;
use ifured_pixels::fringe::{FringeScaleOptions, fringe_scale, subtract_fringes};
use ifured_pixels::statistics::SigmaClip;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fringe_map::SHARED_NOISE;
use super::inputs;
use crate::Cafos;
use crate::{products, signatures, tags};

/// Passes of the rejection of stars.
const CLIP_PASSES: usize = 5;

/// Parameters of `defringe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Pixels that are off by more than this many robust standard deviations (stars) do not count for the scale.
    #[schemars(range(min = 1.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_sigma: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { clip_sigma: 3.0 }
    }
}

/// The recipe.
pub struct Defringe;

impl Recipe for Defringe {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "defringe".into(),
            version: 1,
            title: "Image with its fringes subtracted".into(),
            description: "Scales the fringe map to the image by least squares over sky pixels and subtracts it.".into(),
            main: MainInput::single(&[tags::REDUCED_IMAGING], &signatures::science()),
            inputs: vec![inputs::fringe_map()],
            products: vec![ProductSpec::new(
                tags::DEFRINGED_IMAGING,
                "Image with its fringes subtracted",
                "defringe/{night}/defringe_{stem}.fits",
                &signatures::science(),
            )],
            enabled: false,
            memory: Memory::streaming(20e6, 75.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task.main().next().ok_or_else(|| RecipeError::new("no frame", "give one reduced image"))?;
        let (header, mut image) = read_image(&input.path)?;
        let map = calibration::require(task, "fringe-map", &Cafos, Cafos.footprint(&header, image.shape()))?;
        let is_part = has_input(&map.header, &input.identity);
        let shared = if is_part { map.header.real(SHARED_NOISE).unwrap_or(1.0) } else { 0.0 };
        let map = map.image()?;
        let clip = SigmaClip { low: parameters.clip_sigma, high: parameters.clip_sigma, max_iterations: CLIP_PASSES };
        let options = FringeScaleOptions { clip, shared, ..FringeScaleOptions::default() };
        let found = fringe_scale(&image, &map, None, &options).map_err(|e| {
            RecipeError::new(format!("the fringes cannot be scaled to the image: {e}"), "check the fringe map, or raise `clip_sigma`")
        })?;
        subtract_fringes(&mut image, &map, &found);
        let mut outcome = Outcome::default();
        let number = QualityNumber::new("FRINGE SCALE", found.scale, "adu", "sky level that the fringes belong to");
        outcome.quality.push(number.with_error(found.error));
        let mut header = products::header_of(&header);
        products::write_statistics(&mut header, &image);
        task::write(task, &mut outcome, tags::DEFRINGED_IMAGING, header, &image)?;
        Ok(outcome)
    }
}

/// Whether a product was made of a frame of that content, by its provenance.
fn has_input(product: &Header, identity: &str) -> bool {
    let identity = Value::from(identity);
    product.cards().iter().any(|c| c.keyword.starts_with("IFURED RAW") && c.value() == Some(&identity))
}
