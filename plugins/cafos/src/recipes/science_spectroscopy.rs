//! Long-slit spectra in two dimensions: bias, flat, cosmic rays. Extraction is another step.

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::detector::{Corrections, RawFrame, calibration, correct, treat_dead};
use ifured_pixels::quality;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cosmic_rays::remove_rays;
use super::inputs;
use super::parameters::{Exposure, SpectrumDefects};
use crate::Cafos;
use crate::detector::noise_of;
use crate::{products, signatures, tags};

/// Parameters of `science-spectroscopy`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    #[serde(flatten)]
    defects: SpectrumDefects,
    #[serde(flatten)]
    exposure: Exposure,
}

/// The recipe.
pub struct ScienceSpectroscopy;

impl Recipe for ScienceSpectroscopy {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "science-spectroscopy".into(),
            version: 1,
            title: "Two-dimensional spectrum, reduced".into(),
            description: "Subtracts the bias, flags saturated pixels, sets the variance by the measured noise, divides by the \
                pixel-to-pixel flat \
                          and removes cosmic rays. The bias may have been taken with another grism or aperture."
                .into(),
            main: MainInput::single(&[tags::SCIENCE_SPECTROSCOPY], &signatures::science()),
            inputs: vec![inputs::bias(), inputs::spectroscopic_flat()],
            products: vec![ProductSpec::new(
                tags::REDUCED_SPECTROSCOPY,
                "Two-dimensional spectrum, reduced",
                "science-spectroscopy/{night}/science-spectroscopy_{stem}_red.fits",
                &signatures::science(),
            )],
            memory: Memory::streaming(40e6, 42.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task.main().next().ok_or_else(|| RecipeError::new("no frame", "give one spectrum"))?;
        let frame = RawFrame::open(input, &Cafos)?;
        let bias = calibration::require(task, "bias", &Cafos, frame.footprint())?;
        let flat = calibration::load(task, "flat", &Cafos, frame.footprint())?;
        let noise = noise_of(&frame.header, &bias.header, flat.as_ref().map(|f| &f.header), parameters.exposure.given());
        host.progress(0.2, "bias and flat");
        let saturation = parameters.exposure.levels(None);
        let corrections =
            Corrections { bias: &bias, pedestal: 0.0, flats: flat.iter().collect(), noise: noise.model, saturation, blank_outside: false };
        let mut image = correct(&frame, &corrections)?;
        let dead = treat_dead(&mut image, parameters.defects.dead_pixels);
        let mut outcome = Outcome::default();
        let defects = &parameters.defects;
        if defects.cosmic_rays {
            host.progress(0.4, "cosmic rays");
            let struck = remove_rays(&mut image, defects.cosmic_sigma, defects.cosmic_contrast);
            outcome.quality.push(QualityNumber::new("N COSMIC", struck as f64, "", "pixels struck by cosmic rays"));
        }
        let saturated = image.quality.iter().filter(|q| **q & quality::SATURATED_CONVERTER != 0).count();
        outcome.quality.extend([
            QualityNumber::new("N SATURATED", saturated as f64, "", "saturated pixels"),
            QualityNumber::new("N DEAD", dead as f64, "", "pixels without response"),
            QualityNumber::new("READ NOISE", noise.model.read_noise, "adu", "read noise that was used"),
            QualityNumber::new("GAIN", noise.model.gain, "e-/adu", noise.gain_from.words()),
        ]);
        let mut header = products::header_of(&frame.header);
        header.set("BUNIT", "adu", "");
        noise.write(&mut header);
        products::write_statistics(&mut header, &image);
        task::write(task, &mut outcome, tags::REDUCED_SPECTROSCOPY, header, &image)?;
        Ok(outcome)
    }
}
