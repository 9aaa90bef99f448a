//! Subtraction of a fringe map, scaled to the image by least squares over pixels without stars.

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec};
use ifured_core::{Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::fits::read_image;
use ifured_pixels::{Image, quality};
use ndarray::Zip;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs;
use crate::calibration;
use crate::products::sky;
use crate::raw::{fits_error, window};
use crate::{products, signatures, tags};

/// Parameters of `defringe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Pixels further from the sky level than this many times its noise do not count for the scale.
    #[schemars(range(min = 1.0, max = 100.0))]
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
            main: MainInput {
                tags: vec![tags::REDUCED_IMAGING.into()],
                when: vec![],
                group: Grouping {
                    signature: signatures::science(),
                    span_hours: Some(0.0),
                    within_night: true,
                    apart: vec![],
                    min_frames: 1,
                },
            },
            inputs: vec![inputs::fringe_map()],
            products: vec![ProductSpec {
                tag: tags::DEFRINGED_IMAGING.into(),
                title: "Image with its fringes subtracted".into(),
                path: "defringe/{night}/defringe_{stem}.fits".into(),
                signature: signatures::science(),
            }],
            enabled: false,
            memory: Memory { fixed: 20e6, per_pixel: 40.0, per_pixel_and_frame: 0.0 },
            schema: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task.main().next().ok_or_else(|| RecipeError::new("no frame", "give one reduced image"))?;
        let (header, mut image) = read_image(&input.path).map_err(fits_error)?;
        let map = calibration::require(task, "fringe-map", image.shape(), window(&header, image.shape()))?.image()?;
        let (scale, error) = fit_scale(&image, &map, parameters.clip_sigma);
        let factor = scale as f32;
        Zip::from(&mut image.data).and(&mut image.variance).and(&image.quality).and(&map.data).and(&map.variance).for_each(
            |v, s, &q, &m, &map_variance| {
                if q & quality::OUTSIDE == 0 && m.is_finite() {
                    *v -= factor * m;
                    *s += factor * factor * map_variance;
                }
            },
        );
        let mut outcome = Outcome::default();
        outcome.quality.push(QualityNumber::new("FRINGE SCALE", scale, "adu", "sky level that the fringes belong to").with_error(error));
        let mut header = products::header_of(&header);
        products::write_statistics(&mut header, &image);
        products::write(task, &mut outcome, tags::DEFRINGED_IMAGING, header, &image)?;
        Ok(outcome)
    }
}

/// The factor of the map in the image, and its standard error. The noise of the map, which would make the factor too small, is
/// taken out of its square (errors in variables; Fuller 1987, *Measurement Error Models*, section 1.2).
fn fit_scale(image: &Image, map: &Image, clip: f64) -> (f64, f64) {
    let (level, noise) = sky(image);
    let (mut product, mut square) = (0.0, 0.0);
    Zip::from(&image.data).and(&image.quality).and(&map.data).and(&map.variance).and(&map.quality).for_each(|v, q, m, map_variance, mq| {
        let d = f64::from(*v) - level;
        if (q | mq) & !quality::LOW_SENSITIVITY == 0 && m.is_finite() && d.abs() <= clip * noise {
            let m = f64::from(*m);
            product += d * m;
            square += m * m - f64::from(*map_variance);
        }
    });
    if square > 0.0 { (product / square, noise / square.sqrt()) } else { (0.0, f64::NAN) }
}
