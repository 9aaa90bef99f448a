//! Images: bias, flat, illumination, field, cosmic rays, first world coordinates.

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::detector::calibration::{self, Calibration};
use ifured_pixels::detector::{Corrections, FrameNoise, RawFrame, correct, pedestal, treat_dead};
use ifured_pixels::statistics::clipped_moments;
use ifured_pixels::task;
use ifured_pixels::{Image, quality};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cosmic_rays::remove_rays;
use super::inputs;
use super::mode::Mode;
use super::parameters::{Detection, Exposure, ImageDefects};
use crate::Cafos;
use crate::detector::{CREDIBLE_GAIN, noise_of};
use crate::wcs::Tan;
use crate::{products, signatures, stars};

/// A bias level that has drifted by more, in ADU, is no drift: stray light, or a wrong bias.
const MOST_DRIFT: f64 = 10.0;

/// Radius of the apertures of stars, in FWHM.
const APERTURE: f64 = 1.5;

/// Parameters of `science-imaging`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Whether the drift of the bias level is measured in the dark corners of the frame and subtracted.
    pub pedestal: bool,
    /// Whether a dome flat is corrected for the illumination where there is such a correction.
    pub illumination: bool,
    #[serde(flatten)]
    defects: ImageDefects,
    /// Whether a first world coordinate system is written from the pointing.
    pub wcs: bool,
    /// Whether stars are found: for their number, the seeing, and the faintest star.
    pub stars: bool,
    #[serde(flatten)]
    detection: Detection,
    #[serde(flatten)]
    exposure: Exposure,
    /// Largest fraction of the field that may be saturated in a good image.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-unit" = "1"))]
    pub saturated_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            pedestal: true,
            illumination: true,
            defects: ImageDefects::default(),
            wcs: true,
            stars: true,
            detection: Detection::default(),
            exposure: Exposure::default(),
            saturated_high: 0.01,
        }
    }
}

/// The recipe, for direct images and for those through the Wollaston prism.
pub struct ScienceImaging(pub Mode);

impl Recipe for ScienceImaging {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        let mode = self.0;
        let name = mode.science();
        let title = format!("Image{}, reduced", mode.title());
        RecipeDescription {
            name: name.into(),
            version: 2,
            title: title.clone(),
            description: "Subtracts overscan (where there is one) and bias, and the drift of the bias level where the \
            corners of the frame are dark; flags saturated pixels, sets the variance by the measured noise, \
                          divides by the flat and by the illumination correction (dome flats only), sets pixels outside the \
                          field to 0, removes \
                          cosmic rays, writes a first world coordinate system from the pointing, and finds the stars, which give \
                          the seeing and the depth."
                .into(),
            main: MainInput::single(&[mode.science()], &signatures::science()),
            inputs: vec![inputs::bias(), mode.flat_input(), mode.illumination_input()],
            products: vec![ProductSpec::new(
                mode.reduced(),
                &title,
                &format!("{name}/{{night}}/{name}_{{stem}}_red.fits"),
                &signatures::science(),
            )],
            memory: Memory::streaming(60e6, 60.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task.main().next().ok_or_else(|| RecipeError::new("no frame", "give one image"))?;
        let frame = RawFrame::open(input, &Cafos)?;
        let bias = calibration::require(task, "bias", &Cafos, frame.footprint())?;
        let flat = calibration::load(task, "flat", &Cafos, frame.footprint())?;
        host.progress(0.2, "bias and flat");
        let noise = noise_of(&frame.header, &bias.header, flat.as_ref().map(|f| &f.header), parameters.exposure.given());
        let noise = noise.or_of_background(&frame, &bias, &CREDIBLE_GAIN)?;
        let well = frame.header.real("CCDSAT").ok().filter(|w| *w > 0.0).map(|w| w as f32);
        let saturation = parameters.exposure.levels(well);
        let mut outcome = Outcome::default();
        let illumination = match &flat {
            Some(flat) if parameters.illumination => illumination(task, &frame, flat)?,
            _ => None,
        };
        if illumination.is_some() {
            outcome.notes.push("dome flat corrected for the illumination of the sky".into());
        }
        let pedestal = match &flat {
            Some(flat) if parameters.pedestal => pedestal(&frame, &bias, flat)?,
            _ => None,
        };
        let flats = flat.iter().chain(&illumination).collect();
        let mut image = correct(
            &frame,
            &Corrections {
                bias: &bias,
                pedestal: pedestal.map_or(0.0, |p| p.level as f32),
                flats,
                noise: noise.model,
                saturation,
                blank_outside: true,
            },
        )?;
        let dead = treat_dead(&mut image, parameters.defects.dead_pixels);
        let defects = &parameters.defects;
        let struck = if defects.cosmic_rays {
            host.progress(0.4, "cosmic rays");
            Some(remove_rays(&mut image, defects.cosmic_sigma, defects.cosmic_contrast))
        } else {
            None
        };
        judge(&mut outcome, &image, &noise, dead, struck, &parameters);
        if let Some(found) = pedestal {
            let number = QualityNumber::new("PEDESTAL", found.level, "adu", "drift of the bias level, subtracted");
            outcome.quality.push(number.with_error(found.error).within(-MOST_DRIFT, MOST_DRIFT, Grade::Questionable));
        }
        if parameters.stars {
            host.progress(0.7, "stars");
            let field = stars::measure(&image, parameters.detection.detection_sigma, APERTURE);
            let binning = frame.header.real("CCDBINX").ok().filter(|b| *b >= 1.0).unwrap_or(1.0);
            let scale = frame.header.real("INSTRSCL").map_or(f64::NAN, |s| s * binning);
            outcome.quality.extend(stars::numbers(&field, scale, frame.header.real("EXPTIME").unwrap_or(f64::NAN)));
        }
        let mut header = products::header_of(&frame.header);
        header.set("BUNIT", "adu", "");
        noise.write(&mut header);
        if parameters.wcs {
            match Tan::of_pointing(&frame.header, frame.shape()) {
                Some(tan) => tan.write(&mut header),
                None => outcome.notes.push("no world coordinates: RA, DEC, MJD-OBS or INSTRSCL is missing".into()),
            }
        }
        products::write_statistics(&mut header, &image);
        host.progress(0.8, "writing");
        task::write(task, &mut outcome, self.0.reduced(), header, &image)?;
        Ok(outcome)
    }
}

/// The illumination correction, which is relative to dome flats.
fn illumination(task: &Task, frame: &RawFrame, flat: &Calibration) -> Result<Option<Calibration>, RecipeError> {
    if flat.header.text("IMAGETYP").is_ok_and(|t| t.trim().eq_ignore_ascii_case("twilight")) {
        return Ok(None);
    }
    calibration::load(task, "illumination", &Cafos, frame.footprint())
}

fn judge(outcome: &mut Outcome, image: &Image, noise: &FrameNoise, dead: usize, struck: Option<usize>, parameters: &Parameters) {
    let unusable = quality::MISSING | quality::OUTSIDE | quality::DEAD;
    let field = image.quality.iter().filter(|q| **q & unusable == 0).count().max(1) as f64;
    let sky = clipped_moments(&products::sample(image, unusable, 300_000), 3.0);
    let count = |bits: u32| image.quality.iter().filter(|q| **q & bits != 0 && **q & quality::OUTSIDE == 0).count() as f64;
    let saturated = count(quality::SATURATED_CONVERTER | quality::SATURATED_WELL);
    outcome.quality.extend([
        QualityNumber::new("SKY", sky.mean, "adu", "sky level").with_error(sky.mean_error()),
        QualityNumber::new("SKY NOISE", sky.sigma, "adu", "standard deviation of the sky"),
        QualityNumber::new("SATURATED", saturated / field, "", "saturated fraction of the field").within(
            0.0,
            parameters.saturated_high,
            Grade::Questionable,
        ),
        QualityNumber::new("N DEAD", dead as f64, "", "pixels without response in the field"),
        QualityNumber::new("N MISSING", count(quality::MISSING), "", "pixels without data"),
        QualityNumber::new("READ NOISE", noise.model.read_noise, "adu", "read noise that was used"),
        QualityNumber::new("GAIN", noise.model.gain, "e-/adu", noise.gain_from.words()),
    ]);
    if let Some(struck) = struck {
        outcome.quality.push(QualityNumber::new("N COSMIC", struck as f64, "", "pixels struck by cosmic rays"));
    }
}
