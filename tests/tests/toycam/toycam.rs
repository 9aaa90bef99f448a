// ANCHOR: imports
//! The instrument Toycam: a camera with one detector, biases and images.

use std::path::Path;

use ifured_core::instrument::{FrameType, NightRule, Role, TimeKeys};
use ifured_core::recipe::{
    Grouping, InputSpec, Level, MainInput, Memory, ProductPath, ProductSpec, Simulation,
    SimulationRequest, TruthRow, WrittenProduct,
};
use ifured_core::{
    AnyRecipe, Condition, Grade, Header, Host, Instrument, InstrumentDescription, Outcome,
    QualityNumber, Recipe, RecipeDescription, RecipeError, Rule, Signature, Task, Test,
    provenance,
};
use ifured_pixels::Image;
use ifured_pixels::combine::{CombineOptions, combine};
use ifured_pixels::fits::{
    FitsError, HduSelect, HduToWrite, ImageReader, Layout, product_header, read_image,
    write_image, write_product,
};
use ifured_pixels::statistics::median;
use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
// ANCHOR_END: imports

// ANCHOR: frames
fn read_out() -> Signature {
    Signature::exact(&["NAXIS1", "NAXIS2", "BINNING"])
}

fn frame_types() -> Vec<FrameType> {
    vec![
        FrameType {
            rule: Rule {
                tag: "bias".into(),
                when: vec![Condition::new("IMAGETYP", Test::Equal, "bias")],
                expect: vec![
                    Condition::new("EXPTIME", Test::Equal, 0.0),
                    Condition::new("QUANT975", Test::Less, 2000.0),
                ],
            },
            title: "Bias".into(),
            role: Role::Calibration,
            signature: read_out(),
        },
        FrameType {
            rule: Rule {
                tag: "object".into(),
                when: vec![Condition::any("IMAGETYP", Test::Equal, &["object", "science"])],
                expect: vec![
                    Condition::new("EXPTIME", Test::Greater, 0.0),
                    Condition::new("QUANT975", Test::Less, 60000.0),
                ],
            },
            title: "Image".into(),
            role: Role::Science,
            signature: read_out(),
        },
    ]
}
// ANCHOR_END: frames

// ANCHOR: writing
fn fits_error(error: FitsError) -> RecipeError {
    RecipeError::new(error.to_string(), "check the file; `frames.ignore` leaves it out")
}

/// A raw frame: header and values, each pixel with the variance of the read noise.
fn read_raw(path: &Path, read_noise: f64) -> Result<(Header, Image), RecipeError> {
    let reader = ImageReader::open(path, HduSelect::First).map_err(fits_error)?;
    let data = reader.read_all().map_err(fits_error)?;
    Ok((product_header(reader.header()), Image::new(data, (read_noise * read_noise) as f32)))
}

/// Writes the product of that tag: data, `STAT` and `DQ`, under a temporary name that is renamed
/// when it is complete.
fn write(
    task: &Task,
    tag: &str,
    mut header: Header,
    image: &Image,
    outcome: &mut Outcome,
) -> Result<(), RecipeError> {
    let output = task.output(tag).ok_or_else(|| {
        RecipeError::new(format!("the task has no output `{tag}`"), "make the plan again")
    })?;
    header.set("BUNIT", "adu", "");
    provenance::write(&mut header, task, outcome, tag);
    let written =
        write_image(&output.path, &header, image, Layout::PrimaryData).map_err(fits_error)?;
    outcome.products.push(WrittenProduct {
        tag: output.tag.clone(),
        name: output.name.clone(),
        hash: written.hash,
        bytes: written.bytes,
    });
    Ok(())
}
// ANCHOR_END: writing

// ANCHOR: parameters
/// Parameters of both recipes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Read noise in ADU.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub read_noise: f64,
    /// Highest level of a good bias, in ADU.
    pub level_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { read_noise: 5.0, level_high: 1500.0 }
    }
}
// ANCHOR_END: parameters

// ANCHOR: master_bias
struct MasterBias;

impl Recipe for MasterBias {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "master-bias".into(),
            version: 1,
            title: "Master bias".into(),
            description: "The median of each pixel.".into(),
            main: MainInput {
                tags: vec!["bias".into()],
                when: vec![],
                group: Grouping {
                    signature: read_out(),
                    span_hours: Some(1.0),
                    within_night: true,
                    apart: vec![],
                    min_frames: 3,
                },
            },
            inputs: vec![],
            products: vec![ProductSpec {
                tag: "master-bias".into(),
                title: "Master bias".into(),
                path: "bias/{night}/{stem}_bias.fits".into(),
                signature: read_out(),
            }],
            enabled: true,
            memory: Memory { fixed: 50e6, per_pixel: 12.0, per_pixel_and_frame: 12.0 },
            schema: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
        }
    }

    fn run(
        &self,
        task: &Task,
        parameters: Parameters,
        host: &dyn Host,
    ) -> Result<Outcome, RecipeError> {
        let mut frames = Vec::new();
        for input in task.main() {
            frames.push(read_raw(&input.path, parameters.read_noise)?);
        }
        let Some((header, _)) = frames.first() else {
            return Err(RecipeError::new("no frames", "give at least one"));
        };
        host.progress(0.5, "combining");
        let mut images: Vec<&Image> = frames.iter().map(|(_, image)| image).collect();
        let combined = combine(&mut images, &CombineOptions::default()).map_err(|e| {
            RecipeError::new(e.to_string(), "frames of a group must have one size")
        })?;
        let values: Vec<f32> = combined.image.data.iter().copied().collect();
        let mut outcome = Outcome::default();
        let level =
            QualityNumber::new("LEVEL", median(&values), "adu", "level of the master bias");
        outcome.quality.push(level.within(0.0, parameters.level_high, Grade::Bad));
        write(task, "master-bias", header.clone(), &combined.image, &mut outcome)?;
        Ok(outcome)
    }
}
// ANCHOR_END: master_bias

// ANCHOR: image
struct ReducedImage;

impl Recipe for ReducedImage {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        let level = |level, title: &str, same_night, max_age_days| Level {
            level,
            title: title.into(),
            signature: read_out(),
            same_night,
            max_age_days,
            adapt: None,
            when: vec![],
        };
        RecipeDescription {
            name: "image".into(),
            version: 1,
            title: "Image, bias subtracted".into(),
            description: "Subtracts the bias; variances add.".into(),
            main: MainInput {
                tags: vec!["object".into()],
                when: vec![],
                // Each frame alone.
                group: Grouping {
                    signature: read_out(),
                    span_hours: Some(0.0),
                    within_night: true,
                    apart: vec![],
                    min_frames: 1,
                },
            },
            inputs: vec![InputSpec {
                role: "bias".into(),
                tags: vec!["master-bias".into()],
                required: true,
                levels: vec![
                    level(0, "same night, same read-out", true, None),
                    level(1, "same read-out", false, Some(30.0)),
                ],
                otherwise: String::new(),
                level_without: 3,
                parameter: None,
            }],
            products: vec![ProductSpec {
                tag: "reduced-image".into(),
                title: "Image, bias subtracted".into(),
                path: "image/{night}/{stem}_red.fits".into(),
                signature: read_out(),
            }],
            enabled: true,
            memory: Memory { fixed: 50e6, per_pixel: 36.0, per_pixel_and_frame: 0.0 },
            schema: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
        }
    }

    fn run(
        &self,
        task: &Task,
        parameters: Parameters,
        _: &dyn Host,
    ) -> Result<Outcome, RecipeError> {
        let (Some(frame), Some(bias)) = (task.main().next(), task.role("bias").next()) else {
            return Err(RecipeError::new(
                "a frame and a bias are needed",
                "see `ifured why` for the bias",
            ));
        };
        let (header, mut image) = read_raw(&frame.path, parameters.read_noise)?;
        let (_, bias) = read_image(&bias.path).map_err(fits_error)?;
        if bias.shape() != image.shape() {
            return Err(RecipeError::new(
                format!(
                    "the bias has {:?} pixels, {} {:?}",
                    bias.shape(),
                    frame.name,
                    image.shape()
                ),
                "",
            ));
        }
        image.subtract(&bias);
        let values: Vec<f32> = image.data.iter().copied().collect();
        let mut outcome = Outcome::default();
        outcome.quality.push(QualityNumber::new(
            "SKY",
            median(&values),
            "adu",
            "median of the image",
        ));
        write(task, "reduced-image", header, &image, &mut outcome)?;
        Ok(outcome)
    }
}
// ANCHOR_END: image

// ANCHOR: simulation
const BIAS_ADU: f64 = 1000.0;
const SKY_ADU: f64 = 200.0;
const READ_NOISE_ADU: f64 = 5.0;

fn expose(
    directory: &Path,
    name: &str,
    kind: &str,
    mjd: f64,
    level: f64,
    side: usize,
    random: &mut ChaCha8Rng,
) -> Result<(), RecipeError> {
    let pixels: Array2<u16> = Array2::from_shape_simple_fn((side, side), || {
        let noise: f64 = StandardNormal.sample(random);
        (level + READ_NOISE_ADU * noise).round() as u16
    });
    let mut header = Header::new();
    header.set("INSTRUME", "TOYCAM", "instrument");
    header.set("IMAGETYP", kind, "type of observation");
    header.set("EXPTIME", if kind == "bias" { 0.0 } else { 60.0 }, "[s] exposure time");
    header.set("MJD-OBS", mjd, "[d] start, UTC");
    header.set("BINNING", 1_i64, "binning");
    write_product(directory.join(name), &[HduToWrite::image(&header, pixels.view())])
        .map_err(fits_error)?;
    Ok(())
}

fn simulate(request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
    let (raw, truth) = (request.directory.join("raw"), request.directory.join("truth"));
    let side = request.size.unwrap_or(128) as usize;
    let mut random = ChaCha8Rng::seed_from_u64(request.seed);
    let mut frames = 0;
    for night in 0..request.nights {
        host.progress(f64::from(night) / f64::from(request.nights), "simulating a night");
        let directory = raw.join(format!("night{:03}", night + 1));
        for made in [&directory, &truth] {
            std::fs::create_dir_all(made).map_err(|e| {
                RecipeError::new(format!("cannot create {}: {e}", made.display()), "")
            })?;
        }
        let start = 60_000.75 + f64::from(night);
        for n in 0..6 {
            let (kind, level) =
                if n < 5 { ("bias", BIAS_ADU) } else { ("object", BIAS_ADU + SKY_ADU) };
            let mjd = start + f64::from(n) / 1440.0;
            expose(
                &directory,
                &format!("toy-{:03}-{n:02}.fits", night + 1),
                kind,
                mjd,
                level,
                side,
                &mut random,
            )?;
            frames += 1;
        }
    }
    Ok(Simulation { raw, truth, frames })
}

fn compare(products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
    let mut rows = Vec::new();
    for product in products {
        let (what, truth) = match product.tag.as_str() {
            "master-bias" => ("bias level", BIAS_ADU),
            "reduced-image" => ("sky level", SKY_ADU),
            _ => continue,
        };
        let (_, image) = read_image(&product.path).map_err(fits_error)?;
        let values: Vec<f32> = image.data.iter().copied().collect();
        // Error of the median of n pixels, 4 times; raw values are rounded to whole numbers.
        let noise = f64::from(image.variance.iter().sum::<f32>() / values.len() as f32).sqrt();
        let tolerance = 4.0 * 1.2533 * noise / (values.len() as f64).sqrt() + 0.5;
        rows.push(TruthRow {
            product: product.name.clone(),
            what: what.into(),
            found: median(&values),
            truth,
            tolerance,
            unit: "adu".into(),
        });
    }
    Ok(rows)
}
// ANCHOR_END: simulation

// ANCHOR: instrument
/// The instrument.
pub struct Toycam;

impl Instrument for Toycam {
    fn describe(&self) -> InstrumentDescription {
        InstrumentDescription {
            name: "toycam".into(),
            aliases: vec!["toy".into()],
            title: "Toycam, an example".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            recognise: vec![Condition::new("INSTRUME", Test::Equal, "TOYCAM")],
            require: vec![Condition::new("NAXIS", Test::Equal, 2_i64)],
            statistics: true,
            night: NightRule::Directory,
            time: TimeKeys::default(),
            frame_types: frame_types(),
            recipes: Vec::new(),
            columns: ["IMAGETYP", "EXPTIME", "QUANT500"].map(str::to_owned).to_vec(),
            ..InstrumentDescription::default()
        }
    }

    fn recipes(&self) -> Vec<Box<dyn AnyRecipe>> {
        vec![Box::new(MasterBias), Box::new(ReducedImage)]
    }

    fn simulate(
        &self,
        request: &SimulationRequest,
        host: &dyn Host,
    ) -> Result<Simulation, RecipeError> {
        simulate(request, host)
    }

    fn compare_with_truth(
        &self,
        _: &Path,
        products: &[ProductPath],
    ) -> Result<Vec<TruthRow>, RecipeError> {
        compare(products)
    }
}

ifured_core::export_instrument!(Toycam);
// ANCHOR_END: instrument
