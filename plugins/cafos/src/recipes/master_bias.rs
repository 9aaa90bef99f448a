//! Master bias: the electronic offset of each pixel.
//!
//! Model of a bias frame: `level_i + structure(x, y) + noise`, where the level drifts by some tenths of an ADU from frame to frame
//! and the noise is Gaussian, plus cosmic rays. Frames are brought to their common mean level before outliers are sought, so that
//! the drift cannot make outliers; the master keeps the mean level. The read noise is measured from differences of consecutive
//! frames and gives both the limit of the rejection and the variance. Frames of another level or noise are left out and named.

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec, RejectedFrame};
use ifured_core::{Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::badpixel::{HotLimits, flag_hot};
use ifured_pixels::combine::{BAND_MEMORY, CombineOptions, MethodChoice, combine as pixels_combine, combine_error};
use ifured_pixels::detector::{self, DarkRows, READ_NOISE, RawFrame, ReadNoise, open_all};
use ifured_pixels::statistics::{clipped_moments, mad, median, medians_of_each};
use ifured_pixels::task;
use ifured_pixels::{Image, quality};
use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::in_order;
use super::parameters::Enough;
use crate::Cafos;
use crate::detector::header_read_noise;
use crate::signatures;
use crate::{products, tags};

/// Pixels of each frame that levels and noise are measured from.
const SAMPLE: usize = 150_000;

/// Parameters of `master-bias`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// How the values of a pixel are combined. `sigma-clip` has the noise of the mean, 20 % below that of the median, and is robust.
    pub method: MethodChoice,
    /// Rejection limit of `sigma-clip`, in units of the read noise.
    #[schemars(range(min = 2.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_sigma: f64,
    /// A frame whose level is off by more than this many robust standard deviations of the levels is left out.
    #[schemars(range(min = 1.0), extend("x-unit" = "1"))]
    pub outlier_sigma: f64,
    /// Levels within this many ADU of the median are never outliers.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub level_tolerance: f64,
    /// A frame whose noise is above that of the others by more than this fraction is left out.
    #[schemars(range(min = 0.01), extend("x-unit" = "1"))]
    pub noise_tolerance: f64,
    #[serde(flatten)]
    enough: Enough,
    /// Read noise in ADU; 0 measures it from pairs of frames.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub read_noise: f64,
    /// A pixel that is this many ADU above its column and row is flagged as hot.
    #[schemars(range(min = 1.0), extend("x-unit" = "ADU"))]
    pub hot_pixel: f64,
    /// A column that is this many ADU above its neighbours is flagged as hot.
    #[schemars(range(min = 1.0), extend("x-unit" = "ADU"))]
    pub hot_column: f64,
    /// Lowest level of a good bias, in ADU.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub level_low: f64,
    /// Highest level of a good bias, in ADU.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub level_high: f64,
    /// Largest read noise of a good bias, in ADU.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub read_noise_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            method: MethodChoice::SigmaClip,
            clip_sigma: 4.0,
            outlier_sigma: 8.0,
            level_tolerance: 5.0,
            noise_tolerance: 0.3,
            enough: Enough::default(),
            read_noise: 0.0,
            hot_pixel: 50.0,
            hot_column: 15.0,
            level_low: 400.0,
            level_high: 1000.0,
            read_noise_high: 12.0,
        }
    }
}

/// The recipe.
pub struct MasterBias;

impl Recipe for MasterBias {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "master-bias".into(),
            version: 1,
            title: "Master bias from bias frames of one set-up".into(),
            description: "Measures level and noise of each frame and leaves out the odd ones; brings the others to their mean level; \
                          combines them pixel by pixel with rejection by the read noise, which is measured from differences of \
                          consecutive frames; flags hot pixels and columns."
                .into(),
            main: MainInput {
                tags: vec![tags::BIAS.into()],
                group: Grouping {
                    signature: signatures::bias(),
                    span_hours: Some(1.0),
                    within_night: true,
                    apart: vec![],
                    // The nearest master is taken: one of a single stray frame must not displace one of many.
                    min_frames: 3,
                },
                ..MainInput::default()
            },
            inputs: vec![],
            products: vec![ProductSpec::new(tags::MASTER_BIAS, "Master bias", "bias/{night}/bias_{stem}_red.fits", &signatures::bias())],
            memory: Memory::streaming(40e6, 16.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let task = &in_order(task);
        let frames = open_all(task.main(), &Cafos)?;
        host.progress(0.0, "level and noise of each frame");
        let survey = Survey::of(&frames)?;
        let mut outcome = Outcome::default();
        let kept = survey.keep(&frames, &parameters, &mut outcome);
        if kept.len() < parameters.enough.min_frames {
            let what = format!("{} of {} bias frames are left, {} are needed", kept.len(), frames.len(), parameters.enough.min_frames);
            return Err(RecipeError::new(what, "look at the rejected frames, or lower `min_frames`"));
        }
        let header_noise = header_read_noise(&frames[0].header);
        let read_noise = survey.read_noise(&kept, parameters.read_noise);
        host.progress(0.2, "combining");
        let image = combine(&frames, &kept, &survey, read_noise.value, &parameters)?;
        judge(&mut outcome, &image, &kept, &survey, read_noise, header_noise, &parameters);
        let mut header = products::header_of(&frames[kept[0]].header);
        header.set("BUNIT", "adu", "");
        header.set(READ_NOISE, read_noise.value, "[adu] read noise of one frame");
        header.set("IFURED FRAMES", kept.len(), "number of frames combined");
        products::write_statistics(&mut header, &image);
        host.progress(0.9, "writing");
        task::write(task, &mut outcome, tags::MASTER_BIAS, header, &image)?;
        Ok(outcome)
    }
}

/// A number and its standard error.
#[derive(Clone, Copy, Debug)]
struct Measured {
    value: f64,
    error: f64,
}

/// Level and noise of each frame, measured on the same evenly spread rows of all.
struct Survey {
    levels: Vec<f64>,
    noises: Vec<f64>,
    /// Rows of the sample of each frame.
    samples: Vec<Vec<f32>>,
    columns: usize,
}

impl Survey {
    fn of(frames: &[RawFrame]) -> Result<Self, RecipeError> {
        let (rows, columns) = frames[0].shape();
        let wanted = SAMPLE.min(64 * SAMPLE / frames.len().max(1));
        let step = (rows * columns).div_ceil(wanted.max(columns)).max(1);
        let mut samples = Vec::with_capacity(frames.len());
        for frame in frames {
            let mut sample = Vec::with_capacity(rows.div_ceil(step) * columns);
            let mut row = vec![0.0; columns];
            for y in (step / 2..rows).step_by(step) {
                frame.read_corrected(y..y + 1, &mut row)?;
                sample.extend_from_slice(&row);
            }
            samples.push(sample);
        }
        let reference = medians_of_each(&samples);
        let centre = clipped_moments(&reference, 4.0).mean;
        let mut survey = Survey { levels: Vec::new(), noises: Vec::new(), samples, columns };
        for sample in &survey.samples {
            let residual: Vec<f32> = sample.iter().zip(&reference).map(|(v, r)| v - r).collect();
            let found = clipped_moments(&residual, 5.0);
            survey.levels.push(centre + found.mean);
            survey.noises.push(found.sigma);
        }
        Ok(survey)
    }

    /// Indices of the frames that agree with the others; the rest is named in the outcome. Two frames cannot outvote each other.
    fn keep(&self, frames: &[RawFrame], parameters: &Parameters, outcome: &mut Outcome) -> Vec<usize> {
        let all = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<_>>();
        let (levels, noises) = (all(&self.levels), all(&self.noises));
        let (level, noise) = (median(&levels), median(&noises));
        let tolerance = (parameters.outlier_sigma * mad(&levels)).max(parameters.level_tolerance);
        let mut kept = Vec::new();
        for (i, frame) in frames.iter().enumerate() {
            let off = self.levels[i] - level;
            let why = if frames.len() < 3 {
                None
            } else if !self.levels[i].is_finite() {
                Some("no valid pixels".to_owned())
            } else if off.abs() > tolerance {
                Some(format!("level {:.2} ADU is off by {off:+.2} ADU (limit {tolerance:.2})", self.levels[i]))
            } else if self.noises[i] > noise * (1.0 + parameters.noise_tolerance) {
                let (found, limit) = (self.noises[i], noise * (1.0 + parameters.noise_tolerance));
                Some(format!("noise {found:.2} ADU against the other frames (limit {limit:.2})"))
            } else {
                None
            };
            match why {
                Some(why) => outcome.rejected.push(RejectedFrame { name: frame.name.clone(), why }),
                None => kept.push(i),
            }
        }
        kept
    }

    /// The read noise from differences of consecutive frames; from neighbouring pixels where there is one frame only.
    fn read_noise(&self, kept: &[usize], given: f64) -> Measured {
        if given > 0.0 {
            return Measured { value: given, error: f64::NAN };
        }
        let sample = |i: usize| ArrayView2::from_shape((self.samples[i].len() / self.columns.max(1), self.columns), &self.samples[i]);
        let pair = |p: &[usize]| detector::read_noise(sample(p[0]).ok()?, sample(p[1]).ok()?, None).ok();
        let pairs: Vec<ReadNoise> = kept.windows(2).filter_map(pair).collect();
        let n = pairs.len() as f64;
        let Some(first) = pairs.first() else {
            let value = kept.first().map_or(f64::NAN, |&i| detector::noise_of_neighbours(&self.samples[i]));
            return Measured { value, error: f64::NAN };
        };
        let variance = pairs.iter().map(|p| p.read_noise * p.read_noise).sum::<f64>() / n;
        // Neighbouring pairs share a frame, so that they are correlated by 1/4.
        let error = first.error * ((1.5 - 0.5 / n) / n).sqrt();
        Measured { value: variance.sqrt(), error }
    }

    fn mean_level(&self, kept: &[usize]) -> f64 {
        kept.iter().map(|&i| self.levels[i]).sum::<f64>() / kept.len() as f64
    }

    fn drift(&self, kept: &[usize]) -> f64 {
        let mean = self.mean_level(kept);
        let squares: f64 = kept.iter().map(|&i| (self.levels[i] - mean).powi(2)).sum();
        (squares / (kept.len() as f64 - 1.0)).sqrt()
    }
}

/// Combines the kept frames, brought to their mean level, by bands of rows.
fn combine(frames: &[RawFrame], kept: &[usize], survey: &Survey, read_noise: f64, parameters: &Parameters) -> Result<Image, RecipeError> {
    let mean_level = survey.mean_level(kept);
    let variance = (read_noise * read_noise) as f32;
    let mut rows: Vec<_> = kept.iter().map(|&i| DarkRows { frame: &frames[i], variance }).collect();
    let options = CombineOptions {
        method: parameters.method.with_limits(parameters.clip_sigma, parameters.clip_sigma),
        offsets: kept.iter().map(|&i| survey.levels[i] - mean_level).collect(),
        memory: BAND_MEMORY,
        counts: false,
        ..CombineOptions::default()
    };
    let names: Vec<&str> = kept.iter().map(|&i| frames[i].name.as_str()).collect();
    let mut image = pixels_combine(&mut rows, &options).map_err(|e| combine_error(e, &names))?.image;
    flag_hot(&mut image, &HotLimits { pixel: parameters.hot_pixel as f32, column: parameters.hot_column as f32 });
    Ok(image)
}

/// The quality numbers of a master bias.
fn judge(
    outcome: &mut Outcome,
    image: &Image,
    kept: &[usize],
    survey: &Survey,
    read_noise: Measured,
    header_noise: Option<f64>,
    parameters: &Parameters,
) {
    let sample = products::sample(image, u32::MAX, 400_000);
    let n = kept.len() as f64;
    let found = clipped_moments(&sample, 4.0);
    let drift = survey.drift(kept);
    let level_error = if drift.is_finite() { drift / n.sqrt() } else { f64::NAN };
    let expected = read_noise.value * read_noise.value / n;
    let structure = (found.sigma * found.sigma - expected).max(0.0).sqrt();
    let count = |bits: u32| image.quality.iter().filter(|q| **q & bits != 0).count() as f64;
    outcome.quality.extend([
        QualityNumber::new("LEVEL", found.mean, "adu", "mean level of the master bias").with_error(level_error).within(
            parameters.level_low,
            parameters.level_high,
            Grade::Questionable,
        ),
        QualityNumber::new("READ NOISE", read_noise.value, "adu", "read noise of one frame").with_error(read_noise.error).within(
            0.0,
            parameters.read_noise_high,
            Grade::Questionable,
        ),
        QualityNumber::new("STRUCTURE", structure, "adu", "structure of the master beyond its noise"),
        QualityNumber::new("DRIFT", drift, "adu", "standard deviation of the levels of the frames"),
        QualityNumber::new("N FRAMES", n, "", "frames combined").within(3.0, f64::INFINITY, Grade::Questionable),
        QualityNumber::new("N REJECTED", outcome.rejected.len() as f64, "", "frames left out"),
        QualityNumber::new("N HOT", count(quality::HOT), "", "hot pixels"),
        QualityNumber::new("N MISSING", count(quality::MISSING), "", "pixels without data"),
    ]);
    if let Some(stated) = header_noise {
        outcome.quality.push(QualityNumber::new("READ NOISE HEADER", stated, "adu", "read noise that the header states"));
        if (stated / read_noise.value - 1.0).abs() > 0.1 {
            outcome.notes.push(format!("the header states a read noise of {stated:.2} ADU, the frames show {:.2} ADU", read_noise.value));
        }
    }
}
