//! The instrument MYSPEC: a detector that takes biases and images. Change all of it; `cargo test` says what does not fit.

use std::path::Path;

use ifured_core::prelude::*;
use ifured_pixels::combine::{CombineOptions, combine};
use ifured_pixels::fits::read_image;
use ifured_pixels::simulate::{Detector, write_raw};
use ifured_pixels::{Image, task};
use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The values that frames must share to be used together.
fn read_out() -> Signature {
    Signature::exact(&["NAXIS1", "NAXIS2"])
}

/// Parameters of both recipes: documentation, range and default of each make the schema of the configuration.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Read noise of one frame, in ADU.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub read_noise: f64,
    /// Electrons per ADU.
    #[schemars(range(min = 0.01, max = 100.0))]
    pub gain: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { read_noise: READ_NOISE, gain: GAIN }
    }
}

struct MasterBias;

impl Recipe for MasterBias {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "master-bias".into(),
            title: "Master bias".into(),
            description: "Median of each pixel of the biases of a night.".into(),
            // At least 3 frames of one night and one read-out, all within 12 hours.
            main: MainInput::groups(&["bias"], &read_out(), 12.0, 3),
            products: vec![ProductSpec::new("master-bias", "Master bias", "bias/{night}/{stem}_bias.fits", &read_out())],
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let frames = task.main().map(task::read_raw).collect::<Result<Vec<_>, _>>()?;
        let header = frames.first().map(|(header, _)| header.clone()).unwrap_or_default();
        let noise = parameters.read_noise.powi(2) as f32;
        let images: Vec<Image> = frames.into_iter().map(|(_, data)| Image::new(data, noise)).collect();
        host.progress(0.5, "combining");
        let bias = combine(&mut images.iter().collect::<Vec<_>>(), &CombineOptions::default())?.image;
        let level = QualityNumber::new("LEVEL", bias.median(), "adu", "level of the bias");
        task::finish(task, vec![level.within(0.0, 5000.0, Grade::Bad)], header, &bias)
    }
}

struct ReducedImage;

impl Recipe for ReducedImage {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "image".into(),
            title: "Image without bias".into(),
            description: "Subtracts the bias; the variance is that of read noise, photons and bias.".into(),
            main: MainInput::single(&["object"], &read_out()),
            // Level 0 is what one wants; each further one is tried where those before find nothing.
            inputs: vec![InputSpec::required("bias", "master-bias").same_night(&read_out()).within_days(30.0, &read_out())],
            products: vec![ProductSpec::new("reduced-image", "Image", "image/{night}/{stem}_red.fits", &read_out())],
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let (mut header, data) = task::read_raw(task::single(task)?)?;
        let mut image = Image::new(data, parameters.read_noise.powi(2) as f32);
        let bias = task::required(task, "bias", image.shape())?;
        image.subtract(&bias);
        let gain = parameters.gain as f32;
        image.variance.zip_mut_with(&image.data, |variance, signal| *variance += signal.max(0.0) / gain);
        header.set("BUNIT", "adu", "unit of the pixels");
        let level = QualityNumber::new("LEVEL", image.median(), "adu", "median of all pixels");
        task::finish(task, vec![level], header, &image)
    }
}

// The truth of the simulated frames.
const GAIN: f64 = 1.5;
const READ_NOISE: f64 = 5.0;
const BIAS: f64 = 1000.0;
const LIGHT: f64 = 200.0;

/// The instrument.
pub struct MySpec;

impl Instrument for MySpec {
    fn describe(&self) -> InstrumentDescription {
        let bias = vec![key("IMAGETYP").is("bias")];
        let object = vec![key("IMAGETYP").is_one_of(&["object", "science"])];
        InstrumentDescription {
            name: "myspec".into(),
            title: "The instrument MYSPEC".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            // A frame is of this instrument when all of these hold.
            recognise: vec![key("INSTRUME").is("MYSPEC")],
            // QUANT… are percentiles of the pixels, here 97.5 %: they are there if `statistics` asks for them.
            statistics: true,
            frame_types: vec![
                FrameType::new("bias", "Bias", Purpose::Calibration, &read_out(), bias).expecting(vec![key("EXPTIME").is(0.0)]),
                FrameType::new("object", "Image", Purpose::Science, &read_out(), object).expecting(vec![key("QUANT975").below(60000.0)]),
            ],
            // The night is the date at noon before; give the longitude of the telescope, east positive.
            night: NightRule::Noon { longitude_deg: 0.0 },
            columns: ["IMAGETYP", "EXPTIME", "QUANT500"].map(String::from).to_vec(),
            ..InstrumentDescription::default()
        }
    }

    fn recipes(&self) -> Result<Vec<Box<dyn AnyRecipe>>, RecipeError> {
        Ok(vec![Box::new(MasterBias), Box::new(ReducedImage)])
    }

    fn simulate(&self, request: &SimulationRequest, _: &dyn Host) -> Result<Simulation, RecipeError> {
        let (raw, truth) = (request.directory.join("raw"), request.directory.join("truth"));
        let side = request.size.unwrap_or(128) as usize;
        let mut detector = Detector::new(GAIN, READ_NOISE, BIAS, request.seed);
        let frames = request.nights * 6;
        for n in 0..frames {
            let is_bias = n % 6 < 5;
            let mut header = Header::new();
            header.set("INSTRUME", "MYSPEC", "instrument");
            header.set("IMAGETYP", if is_bias { "bias" } else { "object" }, "type of observation");
            header.set("EXPTIME", if is_bias { 0.0 } else { 60.0 }, "[s] exposure time");
            header.set("MJD-OBS", 60000.8 + f64::from(n / 6) + f64::from(n % 6) / 1440.0, "[d] start, UTC");
            let light = Array2::from_elem((side, side), if is_bias { 0.0 } else { LIGHT * GAIN });
            write_raw(&raw.join(format!("myspec-{n:04}.fits")), &header, detector.read_out(light.view()).view())?;
        }
        Ok(Simulation { raw, truth, frames: frames as usize })
    }

    fn compare_with_truth(&self, _: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
        let mut rows = Vec::new();
        for product in products {
            let (_, image) = read_image(&product.path)?;
            let truth = if product.tag.as_str() == "master-bias" { BIAS } else { LIGHT };
            // Differences from the truth over their errors: mean 0, standard deviation 1.
            let pulls = image.pulls(|_| truth);
            rows.push(TruthRow::new(product, "mean of the pulls", pulls.mean(), 0.0, 0.1, ""));
            rows.push(TruthRow::new(product, "scatter of the pulls", pulls.std(), 1.0, 0.05, ""));
        }
        Ok(rows)
    }
}

ifured_core::export_instrument!(MySpec);

#[test]
fn it_fits_and_recovers_its_truth() {
    ifured_engine::conformance::assert_conforms(module());
}
