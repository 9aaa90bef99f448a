// ANCHOR: frames
//! Lick Kast, blue side: a long-slit spectrograph whose detector is read through two amplifiers.

use std::path::Path;

use ifured_core::prelude::*;
use ifured_pixels::combine::{CombineOptions, combine};
use ifured_pixels::detector::{OverscanOptions, RawFormat, RawFrame, ReadOut};
use ifured_pixels::filter::local_parabolas;
use ifured_pixels::fits::{product_header, read_image};
use ifured_pixels::simulate::{Detector, write_raw};
use ifured_pixels::{Image, task};
use ndarray::{Array2, s};

/// The window of the detector, and with it the optics.
fn signature(optics: &[&str]) -> Signature {
    Signature::exact(&[&["NAXIS1", "NAXIS2", "DATASEC", "READ-SPD"], optics].concat())
}

/// What frames of one spectrum share. An arc is taken through a narrower slit.
const SPECTRUM: &[&str] = &["GRISM_N", "BSPLIT_N"];
const SLIT: &[&str] = &["GRISM_N", "BSPLIT_N", "SLIT_N"];

fn frame_types() -> Vec<FrameType> {
    let exposed = |more: Condition| vec![key("EXPTIME").above(0.0), more];
    let unsaturated = || vec![key("QUANT975").below(60000.0)];
    let arc = key("OBJECT").like(&["arc", "arcs", "arc *", "arcs *", "* arc", "* arcs"]);
    let calibration = |tag, title, when, optics| FrameType::new(tag, title, Purpose::Calibration, &signature(optics), when);
    vec![
        calibration("bias", "Bias", vec![key("EXPTIME").is(0.0)], &[]).expecting(vec![key("QUANT975").below(2000.0)]),
        calibration("flat", "Dome flat", exposed(key("OBJECT").like(&["*flat*"])), SLIT).expecting(unsaturated()),
        calibration("arc", "Arc", exposed(arc), SLIT).expecting(unsaturated()),
        // What is none of these was taken of the sky.
        FrameType::new("science", "Spectrum", Purpose::Science, &signature(SLIT), exposed(key("OBJECT").present())),
    ]
}
// ANCHOR_END: frames

// ANCHOR: electrons
/// Parameters of all recipes.
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Electrons per ADU of the left and of the right amplifier.
    pub gain: [f64; 2],
    /// Read noise of both amplifiers, in electrons.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub read_noise: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { gain: [1.21, 1.25], read_noise: 3.4 }
    }
}

/// Raw frames: the image on the left, and right of it the overscan of the left and of the right amplifier.
struct Blue;

impl RawFormat for Blue {
    fn read_out(&self, header: &Header, (_, width): (usize, usize)) -> Result<ReadOut, String> {
        let overscan = header.integer("COVER").map_err(|e| e.to_string())?.max(0) as usize;
        let columns = width.checked_sub(2 * overscan).filter(|_| overscan >= 8);
        Ok(ReadOut::side_by_side(2, columns.ok_or(format!("COVER {overscan} of {width} columns"))?, overscan))
    }
}

/// A raw frame in electrons: each row of each half loses the level of its own amplifier's overscan.
fn electrons(input: &TaskInput, parameters: &Parameters) -> Result<(Header, Image), RecipeError> {
    let frame = RawFrame::open(input, &Blue)?;
    let mut image = frame.electrons(&OverscanOptions::default(), &parameters.gain)?;
    image.variance.mapv_inplace(|v| v + parameters.read_noise.powi(2) as f32);
    let mut header = product_header(&frame.header);
    header.set("BUNIT", "electron", "unit of the pixels");
    Ok((header, image))
}

/// The same without the structure of the bias, and with the noise of the photons.
fn light(task: &Task, input: &TaskInput, parameters: &Parameters) -> Result<(Header, Image), RecipeError> {
    let (header, mut image) = electrons(input, parameters)?;
    image.subtract(&task::required(task, "bias", image.shape())?);
    image.variance.zip_mut_with(&image.data, |variance, signal| *variance += signal.max(0.0));
    Ok((header, image))
}

fn bias_input() -> InputSpec {
    InputSpec::required("bias", "master-bias").same_night(&signature(&[])).within_days(30.0, &signature(&[]))
}

// ANCHOR_END: electrons

// ANCHOR: recipes
struct MasterBias;
impl Recipe for MasterBias {
    type Parameters = Parameters;
    fn describe(&self) -> RecipeDescription {
        let sig = signature(&[]);
        RecipeDescription {
            name: "master-bias".into(),
            title: "Master bias".into(),
            description: "Median of the biases of a night, each without its overscan level, in electrons.".into(),
            main: MainInput::groups(&["bias"], &sig, 14.0, 3),
            products: vec![ProductSpec::new("master-bias", "Master bias", "bias/{night}/{stem}_bias.fits", &sig)],
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let frames = task.main().map(|i| electrons(i, &parameters)).collect::<Result<Vec<_>, _>>()?;
        let bias = combine(&mut frames.iter().map(|(_, image)| image).collect::<Vec<_>>(), &CombineOptions::default())?.image;
        let level = QualityNumber::new("LEVEL", bias.median(), "electron", "level above the overscan");
        task::finish(task, vec![level.within(-20.0, 20.0, Grade::Bad)], frames[0].0.clone(), &bias)
    }
}

/// Columns over which the light of a flat is smooth.
const SMOOTH: usize = 101;
struct MasterFlat;
impl Recipe for MasterFlat {
    type Parameters = Parameters;
    fn describe(&self) -> RecipeDescription {
        let sig = signature(SLIT);
        RecipeDescription {
            name: "master-flat".into(),
            title: "Response of the pixels".into(),
            description: "Median of the flats at one level; each row divided by its own smooth light.".into(),
            main: MainInput::groups(&["flat"], &sig, 14.0, 2),
            inputs: vec![bias_input()],
            products: vec![ProductSpec::new("master-flat", "Response", "flat/{night}/{stem}_flat.fits", &sig)],
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let frames = task.main().map(|i| light(task, i, &parameters)).collect::<Result<Vec<_>, _>>()?;
        let levels: Vec<f64> = frames.iter().map(|(_, image)| image.median()).collect();
        let options = CombineOptions { scales: levels.iter().map(|l| levels[0] / l).collect(), ..CombineOptions::default() };
        let mut flat = combine(&mut frames.iter().map(|(_, image)| image).collect::<Vec<_>>(), &options)?.image;
        let mut smooth = Image::new(flat.data.clone(), 0.0);
        for mut row in smooth.data.rows_mut() {
            let light = local_parabolas(&row.mapv(f64::from).to_vec(), SMOOTH / 2);
            row.iter_mut().zip(light).for_each(|(v, l)| *v = l as f32);
        }
        flat.divide(&smooth);
        let level = QualityNumber::new("LEVEL", levels[0], "electron", "level of the first flat");
        let mut header = frames[0].0.clone();
        header.set("BUNIT", "", "a ratio");
        task::finish(task, vec![level.within(1000.0, f64::INFINITY, Grade::Bad)], header, &flat)
    }
}

/// Arcs and spectra of the sky differ in their tag and title only.
struct Spectrum(&'static str, &'static str);

impl Recipe for Spectrum {
    type Parameters = Parameters;
    fn describe(&self) -> RecipeDescription {
        let flat = InputSpec::optional("flat", "master-flat", "a flat of ones").same_night(&signature(SLIT));
        let flat = flat.same_night(&signature(SPECTRUM)).within_days(30.0, &signature(SPECTRUM));
        let path = format!("{}/{{night}}/{{stem}}_red.fits", self.0);
        RecipeDescription {
            name: self.0.into(),
            title: self.1.into(),
            description: "Overscan, bias, gain, response of the pixels.".into(),
            main: MainInput::single(&[self.0], &signature(SLIT)),
            inputs: vec![bias_input(), flat],
            products: vec![ProductSpec::new(&format!("reduced-{}", self.0), self.1, &path, &signature(SLIT))],
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let (header, mut image) = light(task, task::single(task)?, &parameters)?;
        if let Some(flat) = task::calibration(task, "flat", image.shape())? {
            image.divide(&flat);
        }
        task::finish(task, vec![QualityNumber::new("LEVEL", image.median(), "electron", "median of all pixels")], header, &image)
    }
}
// ANCHOR_END: recipes

// ANCHOR: instrument
const ROWS: usize = 120;
const OVERSCAN: usize = 32;

/// Truth of each product, and light of the flats, at a pixel (row, column): electrons, or a response.
fn truth(kind: &str, (y, x): (usize, usize)) -> f64 {
    let line = (-((x % 100) as f64 - 50.0).powi(2) / 8.0).exp();
    match kind {
        "bias" => 2.0, // above the overscan
        "flat" => 0.98 + 0.004 * ((7 * x + 13 * y) % 11) as f64,
        "lamp" => 20000.0 * (1.0 + x as f64 / 500.0),
        "arc" => 30.0 + 5000.0 * line,
        _ => 400.0 + 3000.0 * (-(y as f64 - 60.0).powi(2) / 18.0).exp() + 800.0 * line,
    }
}

/// Kast, blue side.
pub struct Kast;
impl Instrument for Kast {
    fn describe(&self) -> InstrumentDescription {
        InstrumentDescription {
            name: "kast".into(),
            title: "Kast spectrograph at the Lick 3 m Shane telescope, blue side".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            // There is no INSTRUME: the name of the read-out program is all there is.
            recognise: vec![key("VERSION").is("kastb")],
            statistics: true,
            night: NightRule::Noon { longitude_deg: -121.64 },
            frame_types: frame_types(),
            columns: ["OBJECT", "EXPTIME", "SLIT_N", "GRISM_N", "QUANT500"].map(String::from).to_vec(),
            ..InstrumentDescription::default()
        }
    }

    fn recipes(&self) -> Result<Vec<Box<dyn AnyRecipe>>, RecipeError> {
        let spectrum = |tag, title| Box::new(Spectrum(tag, title));
        Ok(vec![Box::new(MasterBias), Box::new(MasterFlat), spectrum("arc", "Arc"), spectrum("science", "Spectrum")])
    }

    fn simulate(&self, request: &SimulationRequest, _: &dyn Host) -> Result<Simulation, RecipeError> {
        let half = request.size.unwrap_or(400) as usize / 2;
        let (wide, narrow) = ("2.0 arcsec", "0.5 arcsec");
        let kinds =
            [("bias", "Bias", wide, 5), ("lamp", "Dome Flat", wide, 3), ("arc", "Arcs", narrow, 1), ("science", "Feige 66", wide, 1)];
        let Parameters { gain, read_noise } = Parameters::default();
        let mut amplifiers = [0, 1].map(|n| Detector::new(gain[n], read_noise / gain[n], 945.0 + 20.0 * n as f64, request.seed + n as u64));
        let mut frames = 0;
        for (night, (kind, object, slit, count)) in (0..request.nights).flat_map(|n| kinds.map(|k| (n, k))) {
            for _ in 0..count {
                let mut header = Header::new();
                for (keyword, text) in
                    [("VERSION", "kastb"), ("OBJECT", object), ("SLIT_N", slit), ("GRISM_N", "600/4310"), ("BSPLIT_N", "d55")]
                {
                    header.set(keyword, text, "");
                }
                header.set("DATASEC", format!("[1:{},1:{ROWS}]", 2 * half), "");
                header.set("EXPTIME", if kind == "bias" { 0.0 } else { 60.0 }, "[s]");
                header.set("MJD-OBS", 57162.1 + f64::from(night) + (frames % 10) as f64 / 100.0, "[d]");
                header.set("COVER", OVERSCAN as i64, "overscan columns");
                header.set("READ-SPD", 80_i64, "");
                let light = |at| if kind == "bias" { 0.0 } else { truth(kind, at) * truth("flat", at) };
                let mut pixels = Array2::zeros((ROWS, 2 * (half + OVERSCAN)));
                for (n, amplifier) in amplifiers.iter_mut().enumerate() {
                    let seen = amplifier.read_out(Array2::from_shape_fn((ROWS, half), |(y, x)| light((y, x + n * half))).view());
                    pixels.slice_mut(s![.., n * half..(n + 1) * half]).assign(&seen);
                    let strip = 2 * half + n * OVERSCAN;
                    amplifier.bias -= truth("bias", (0, 0)) / gain[n];
                    pixels.slice_mut(s![.., strip..strip + OVERSCAN]).assign(&amplifier.read_out(Array2::zeros((ROWS, OVERSCAN)).view()));
                    amplifier.bias += truth("bias", (0, 0)) / gain[n];
                }
                frames += 1;
                write_raw(&request.directory.join(format!("raw/b{frames}.fits")), &header, pixels.view())?;
            }
        }
        Ok(Simulation { raw: request.directory.join("raw"), truth: request.directory.join("truth"), frames })
    }

    fn compare_with_truth(&self, _: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
        let mut rows = Vec::new();
        for product in products {
            let kind = product.tag.as_str().rsplit('-').next().unwrap_or_default();
            let (_, image) = read_image(&product.path)?;
            // Differences from the truth over their errors: mean 0, standard deviation 1.
            let pulls = image.pulls(|at| truth(kind, at));
            rows.push(TruthRow::new(product, "mean pull", pulls.mean(), 0.0, 0.1, ""));
            rows.push(TruthRow::new(product, "scatter of the pulls", pulls.std(), 1.0, 0.05, ""));
        }
        Ok(rows)
    }
}

ifured_core::export_instrument!(Kast);

#[test]
fn it_fits_and_recovers_its_truth() {
    ifured_engine::conformance::assert_conforms(module());
}
// ANCHOR_END: instrument
