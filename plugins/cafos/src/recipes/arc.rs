//! Arcs: bias subtracted, with variance and flags of saturated lines.

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::detector::{Corrections, RawFrame, calibration, correct};
use ifured_pixels::quality;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs;
use super::parameters::Exposure;
use crate::Cafos;
use crate::detector::noise_of;
use crate::{products, signatures, tags};

/// Parameters of `arc`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    #[serde(flatten)]
    exposure: Exposure,
}

/// The recipe.
pub struct Arc;

impl Recipe for Arc {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "arc".into(),
            version: 1,
            title: "Arc lamp frame, bias subtracted".into(),
            description: "Subtracts the bias, sets the variance by the noise model and flags saturated pixels.".into(),
            main: MainInput::single(&[tags::ARC], &signatures::science()),
            inputs: vec![inputs::bias()],
            products: vec![ProductSpec::new(
                tags::REDUCED_ARC,
                "Arc, bias subtracted",
                "arc/{night}/arc_{stem}_red.fits",
                &signatures::science(),
            )],
            memory: Memory::streaming(40e6, 16.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task.main().next().ok_or_else(|| RecipeError::new("no frame", "give one arc"))?;
        let frame = RawFrame::open(input, &Cafos)?;
        let bias = calibration::require(task, "bias", &Cafos, frame.footprint())?;
        let noise = noise_of(&frame.header, &bias.header, None, parameters.exposure.given());
        let saturation = parameters.exposure.levels(None);
        let image = correct(
            &frame,
            &Corrections { bias: &bias, pedestal: 0.0, flats: vec![], noise: noise.model, saturation, blank_outside: false },
        )?;
        let saturated = image.quality.iter().filter(|q| **q & quality::SATURATED_CONVERTER != 0).count();
        let mut outcome = Outcome::default();
        outcome.quality.extend([
            QualityNumber::new("N SATURATED", saturated as f64, "", "saturated pixels"),
            QualityNumber::new("READ NOISE", noise.model.read_noise, "adu", "read noise that was used"),
            QualityNumber::new("GAIN", noise.model.gain, "e-/adu", "gain that was used"),
        ]);
        let mut header = products::header_of(&frame.header);
        header.set("BUNIT", "adu", "");
        noise.write(&mut header);
        products::write_statistics(&mut header, &image);
        task::write(task, &mut outcome, tags::REDUCED_ARC, header, &image)?;
        Ok(outcome)
    }
}
