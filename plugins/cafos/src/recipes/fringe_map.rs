//! Fringe map: the interference pattern of the night sky in red filters, as a fraction of the sky level.
//!
//! Each image, less its sky level and divided by it, shows the same pattern and other stars: the median of many, taken in different
//! fields, is the
//! pattern.

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec};
use ifured_core::{Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::combine::{BAND_MEMORY, CombineOptions, MethodChoice, combine_error};
use ifured_pixels::fits::{ImageBands, read_image};
use ifured_pixels::fringe::{fringe_pattern, sky_level};
use ifured_pixels::order_statistics::median_variance_factor;
use ifured_pixels::quality;
use ifured_pixels::statistics::clipped_moments;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::in_order;
use crate::{products, signatures, tags};

/// Keyword of the part of the variance of a map that it shares with each image it was made of.
pub(super) const SHARED_NOISE: &str = "IFURED SHARED NOISE";

/// Parameters of `fringe-map`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// How the values of a pixel are combined.
    pub method: MethodChoice,
    /// Lowest sky level of an image that is used, in ADU.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub sky_low: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { method: MethodChoice::Median, sky_low: 50.0 }
    }
}

/// The recipe.
pub struct FringeMap;

impl Recipe for FringeMap {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "fringe-map".into(),
            version: 1,
            title: "Fringe map from images of different fields".into(),
            description: "Subtracts the sky level from each image, divides by it, and takes the median of each pixel.".into(),
            main: MainInput {
                tags: vec![tags::REDUCED_IMAGING.into()],
                group: Grouping { signature: signatures::flat(), span_hours: None, within_night: true, apart: vec![], min_frames: 5 },
                ..MainInput::default()
            },
            inputs: vec![],
            products: vec![ProductSpec::new(
                tags::FRINGE_MAP,
                "Fringe map, fraction of the sky level",
                "fringe/{night}/fringe-map_{stem}.fits",
                &signatures::flat(),
            )],
            enabled: false,
            memory: Memory::streaming(110e6, 60.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let task = &in_order(task);
        let mut outcome = Outcome::default();
        let (mut rows, mut names, mut levels) = (Vec::new(), Vec::new(), Vec::new());
        for input in task.main() {
            let (_, image) = read_image(&input.path)?;
            let level = sky_level(&image, None);
            if level >= parameters.sky_low {
                rows.push(ImageBands::open(&input.path)?);
                names.push(input.name.as_str());
                levels.push(level);
            } else {
                let why = format!("sky level {level:.1} ADU is below {}", parameters.sky_low);
                outcome.rejected.push(ifured_core::recipe::RejectedFrame { name: input.name.clone(), why });
            }
        }
        let Some(first) = rows.first() else {
            return Err(RecipeError::new("no image has enough sky", "lower `sky_low`"));
        };
        let mut header = products::header_of(first.header());
        let options = CombineOptions {
            method: parameters.method.with_limits(3.0, 3.0),
            reject: !(quality::QUESTIONABLE | quality::LOW_SENSITIVITY),
            memory: BAND_MEMORY,
            counts: false,
            ..CombineOptions::default()
        };
        let mut image = fringe_pattern(&mut rows, &levels, 0.0, &options).map_err(|e| combine_error(e, &names))?.image;
        let values: Vec<f32> = image.data.iter().copied().filter(|v| v.is_finite()).collect();
        let found = clipped_moments(&values, 4.0);
        image.data.mapv_inplace(|v| v - found.mean as f32);
        outcome.quality.extend([
            QualityNumber::new("N FRAMES", levels.len() as f64, "", "images combined").within(5.0, f64::INFINITY, Grade::Questionable),
            QualityNumber::new("AMPLITUDE", found.sigma, "", "standard deviation of the map, fraction of the sky"),
        ]);
        header.set("BUNIT", "", "fraction of the sky level");
        let shared = if parameters.method == MethodChoice::Median { 1.0 / median_variance_factor(levels.len()) } else { 1.0 };
        header.set(SHARED_NOISE, shared, "part of the variance shared with each image");
        products::write_statistics(&mut header, &image);
        task::write(task, &mut outcome, tags::FRINGE_MAP, header, &image)?;
        Ok(outcome)
    }
}
