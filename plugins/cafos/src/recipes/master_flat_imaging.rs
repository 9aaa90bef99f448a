//! Master imaging flat: the relative response of each pixel, and the illuminated field.
//!
//! Model of a flat: `bias + level_i * response(x, y)`, with photon noise, and stars where it is the twilight sky. Each frame is divided by
//! its median in the field; the frames are combined with rejection by the noise model, so that stars, which lie elsewhere
//! in each frame, go; the result has the median 1 in the field. The gain comes from differences of consecutive frames.

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec, RejectedFrame};
use ifured_core::{Condition, Grade, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task, Test};
use ifured_pixels::badpixel::{ResponseLimits, flag_response};
use ifured_pixels::combine::{BAND_MEMORY, CombineOptions, MethodChoice, combine_error, combine_with};
use ifured_pixels::detector::calibration::{self, Calibration};
use ifured_pixels::detector::{FrameNoise, GainSample, GainSource, LitRows, MeasuredGain, RawFrame, SharedBias, open_all};
use ifured_pixels::statistics::{median, medians_of_each, percentile};
use ifured_pixels::task;
use ifured_pixels::{Image, quality};
use ndarray::{Array2, Zip};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mode::Mode;
use super::parameters::{Enough, Exposure, Response};
use super::{in_order, inputs};
use crate::Cafos;
use crate::detector::{header_gain, noise_of};
use crate::field_mask::{blocks_of, field_mask, lit_level};
use crate::products;

/// Pixels of each frame that levels and gain are measured from.
const SAMPLE: usize = 150_000;
/// A gain that is known less well than this is not better than the header's.
const WORST_GAIN_ERROR: f64 = 0.1;

/// Parameters of `master-flat-imaging`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// How the values of a pixel are combined. `sigma-clip` has the noise of the mean and removes stars.
    pub method: MethodChoice,
    /// Rejection limit of `sigma-clip` below the median, in units of the noise.
    #[schemars(range(min = 2.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_low: f64,
    /// Rejection limit of `sigma-clip` above the median, in units of the noise.
    #[schemars(range(min = 2.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_high: f64,
    #[serde(flatten)]
    enough: Enough,
    /// Largest loss of light at the edge of the field that is still inside the mask, as a fraction.
    #[schemars(range(min = 0.0001, max = 0.5), extend("x-unit" = "1"))]
    pub edge_loss: f64,
    /// A pixel with less than this fraction of the response around it is flagged as of low sensitivity.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-unit" = "1"))]
    pub low_response: f64,
    #[serde(flatten)]
    response: Response,
    #[serde(flatten)]
    exposure: Exposure,
    /// Lowest mean level of a good flat above the bias, in ADU.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub level_low: f64,
    /// Highest mean level of a good flat above the bias, in ADU.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub level_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            method: MethodChoice::SigmaClip,
            clip_low: 4.0,
            clip_high: 3.0,
            enough: Enough::default(),
            edge_loss: 0.002,
            low_response: 0.5,
            response: Response::default(),
            exposure: Exposure::default(),
            level_low: 4000.0,
            level_high: 55000.0,
        }
    }
}

/// The recipe, for flats of direct images and for those through the Wollaston prism.
pub struct MasterFlatImaging(pub Mode);

impl Recipe for MasterFlatImaging {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        let mode = self.0;
        let directory = mode.flat();
        RecipeDescription {
            name: mode.master_flat().into(),
            version: 1,
            title: format!("Master imaging flat{} and mask of the field", mode.title()),
            description: "Subtracts the bias, measures level and gain, scales each frame by its median in the field and \
            combines them with \
                          rejection by the noise model. Normalised to the median 1 in the field; the mask holds the fully \
                          lit field. Dome and \
                          twilight flats are kept apart."
                .into(),
            main: MainInput {
                tags: vec![mode.flat().into()],
                group: Grouping {
                    signature: mode.flat_signature(),
                    span_hours: Some(1.0),
                    within_night: true,
                    apart: vec![Condition::any("IMAGETYP", Test::Equal, &["twilight"])],
                    min_frames: 1,
                },
                ..MainInput::default()
            },
            inputs: vec![inputs::bias()],
            products: vec![
                ProductSpec::new(
                    mode.master_flat(),
                    &format!("Master imaging flat{}", mode.title()),
                    &format!("{directory}/{{night}}/{directory}_{{stem}}_red.fits"),
                    &mode.flat_signature(),
                ),
                ProductSpec::new(
                    mode.flat_mask(),
                    "Mask of the illuminated field, 1 inside",
                    &format!("{directory}/{{night}}/{directory}_{{stem}}_mask.fits"),
                    &mode.flat_signature(),
                ),
            ],
            memory: Memory::streaming(40e6, 18.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let task = &in_order(task);
        let frames = open_all(task.main(), &Cafos)?;
        let bias = calibration::require(task, "bias", &Cafos, frames[0].footprint())?;
        host.progress(0.1, "level of each frame and gain");
        let mut outcome = Outcome::default();
        let combined = combine_flats(&frames, &bias, &Choice::from(&parameters), &mut outcome)?;
        if combined.kept.len() < parameters.enough.min_frames {
            let what = format!("{} of {} flats are left, {} are needed", combined.kept.len(), frames.len(), parameters.enough.min_frames);
            return Err(RecipeError::new(what, "look at the rejected frames, or lower `min_frames`"));
        }
        host.progress(0.7, "mask of the field");
        let mut image = combined.image;
        let blocks = blocks_of(image.data.view());
        let mask = field_mask(image.shape(), &blocks, parameters.edge_loss);
        normalise(&mut image, &mask);
        let limits = ResponseLimits { low: parameters.low_response, dead: parameters.response.dead_response };
        flag_response(&mut image, mask.view(), &blocks, lit_level(&blocks), &limits);
        judge(&mut outcome, &image, &mask, &combined.levels, combined.noise, combined.gain, &parameters);
        note_header_gain(&mut outcome, &frames[0], combined.gain);
        let mut header = products::header_of(&frames[combined.kept[0]].header);
        combined.noise.write(&mut header);
        header.set("IFURED FRAMES", combined.kept.len(), "number of frames combined");
        products::write_statistics(&mut header, &image);
        host.progress(0.8, "writing");
        task::write(task, &mut outcome, self.0.master_flat(), header.clone(), &image)?;
        header.retain(|c| !c.keyword.starts_with("IFURED READ") && !c.keyword.starts_with("IFURED GAIN"));
        task::write_mask(task, &mut outcome, self.0.flat_mask(), header, mask.view())?;
        Ok(outcome)
    }
}

/// What the combination of flats needs of the parameters.
pub(super) struct Choice<'a> {
    pub method: MethodChoice,
    pub clip_low: f64,
    pub clip_high: f64,
    pub exposure: &'a Exposure,
}

impl<'a> From<&'a Parameters> for Choice<'a> {
    fn from(p: &'a Parameters) -> Self {
        Choice { method: p.method, clip_low: p.clip_low, clip_high: p.clip_high, exposure: &p.exposure }
    }
}

/// Flats of one set-up combined, not yet normalised: about 1 in the lit part.
pub(super) struct CombinedFlats {
    pub image: Image,
    /// Frames that were used.
    pub kept: Vec<usize>,
    /// Their levels above the bias in ADU.
    pub levels: Vec<f64>,
    pub noise: FrameNoise,
    pub gain: Option<MeasuredGain>,
}

/// Combines flats scaled to one level.
pub(super) fn combine_flats(
    frames: &[RawFrame],
    bias: &Calibration,
    choice: &Choice<'_>,
    outcome: &mut Outcome,
) -> Result<CombinedFlats, RecipeError> {
    let mut noise = noise_of(&frames[0].header, &bias.header, None, choice.exposure.given());
    let sample = Sample::of(frames, bias, choice.exposure.saturation)?;
    let mut kept = Vec::new();
    for (i, frame) in frames.iter().enumerate() {
        if sample.levels[i] > 3.0 * noise.model.read_noise {
            kept.push(i);
        } else {
            let why = format!("no light: level {:.1} ADU above the bias", sample.levels[i]);
            outcome.rejected.push(RejectedFrame { name: frame.name.clone(), why });
        }
    }
    if kept.is_empty() {
        return Err(RecipeError::new("no flat has light", "check the bias and the lamp; `ifured show` shows the frames"));
    }
    let gain = sample.gain(&kept, noise.model.read_noise);
    if let Some(found) = gain.filter(|g| choice.exposure.gain <= 0.0 && g.error < WORST_GAIN_ERROR * g.gain) {
        noise = FrameNoise::new(noise.model.read_noise, found.gain, GainSource::FlatPairs);
    }
    let levels: Vec<f64> = kept.iter().map(|&i| sample.levels[i]).collect();
    let shared = SharedBias::new(bias);
    let mut rows: Vec<_> = kept
        .iter()
        .map(|&i| LitRows { frame: &frames[i], bias: &shared, noise: noise.model, saturation: choice.exposure.saturation as f32 })
        .collect();
    let options = CombineOptions {
        method: choice.method.with_limits(choice.clip_low, choice.clip_high),
        scales: levels.iter().map(|l| 1.0 / l).collect(),
        memory: BAND_MEMORY,
        counts: false,
        ..CombineOptions::default()
    };
    let names: Vec<&str> = kept.iter().map(|&i| frames[i].name.as_str()).collect();
    let scale = levels.iter().map(|l| 1.0 / l).sum::<f64>() / levels.len() as f64;
    let image =
        combine_with(&mut rows, &options, |combined| shared.add_error(combined, scale)).map_err(|e| combine_error(e, &names))?.image;
    Ok(CombinedFlats { image, kept, levels, noise, gain })
}

/// Evenly spread rows of all flats, bias subtracted.
struct Sample {
    levels: Vec<f64>,
    rows: Vec<Vec<f32>>,
    lit: Vec<bool>,
    columns: usize,
}

impl Sample {
    fn of(frames: &[RawFrame], bias: &Calibration, saturation: f64) -> Result<Self, RecipeError> {
        let (rows, columns) = frames[0].shape();
        let wanted = SAMPLE.min(64 * SAMPLE / frames.len().max(1)).max(columns);
        let step = (rows * columns).div_ceil(wanted).max(1);
        let mut samples = Vec::new();
        for frame in frames {
            let mut sample = Vec::new();
            let (mut row, mut level) = (vec![0.0; columns], Vec::new());
            for y in (step / 2..rows).step_by(step) {
                frame.read_rows(y..y + 1, &mut row)?;
                row.iter_mut().filter(|v| f64::from(**v) >= saturation).for_each(|v| *v = f32::NAN);
                frame.subtract_overscan(y..y + 1, &mut row)?;
                bias.read_data(y..y + 1, &mut level)?;
                sample.extend(row.iter().zip(&level).map(|(v, b)| v - b));
            }
            samples.push(sample);
        }
        let typical = medians_of_each(&samples);
        let bright = 0.5 * percentile(&typical, 90.0);
        let level = median(&typical.iter().copied().filter(|v| f64::from(*v) > bright).collect::<Vec<_>>());
        let lit: Vec<bool> = typical.iter().map(|v| f64::from(*v) > 0.75 * level).collect();
        let levels =
            samples.iter().map(|s| median(&s.iter().zip(&lit).filter(|(_, lit)| **lit).map(|(v, _)| *v).collect::<Vec<_>>())).collect();
        Ok(Sample { levels, rows: samples, lit, columns })
    }

    /// The gain from consecutive frames.
    fn gain(&self, kept: &[usize], read_noise: f64) -> Option<MeasuredGain> {
        let mut sample = GainSample::default();
        for pair in kept.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            for from in (0..self.lit.len()).step_by(self.columns) {
                let row = from..from + self.columns;
                let (first, second) = (&self.rows[a][row.clone()], &self.rows[b][row.clone()]);
                sample.add_row(first, second, Some(&self.lit[row]), (self.levels[a], self.levels[b]), read_noise);
            }
        }
        let found = sample.gain().ok()?;
        // Neighbouring pairs share a frame, so that they are correlated by 1/4.
        let pairs = kept.len() as f64 - 1.0;
        Some(MeasuredGain { error: found.error * (1.5 - 0.5 / pairs).sqrt(), ..found })
    }
}

/// Divides by the median in the field, from some 300 000 pixels; outside is flagged.
fn normalise(image: &mut Image, mask: &Array2<u8>) {
    let inside = inside(&image.data, mask, 300_000);
    let level = median(&inside) as f32;
    let level = if level > 0.0 { level } else { 1.0 };
    let square = level * level;
    Zip::from(&mut image.data).and(&mut image.variance).and(&mut image.quality).and(mask).for_each(|v, s, q, &m| {
        *v /= level;
        *s /= square;
        *q |= if m == 0 { quality::OUTSIDE } else { 0 };
    });
}

/// Values inside the mask, from at most about `most` pixels evenly spread.
fn inside(values: &Array2<f32>, mask: &Array2<u8>, most: usize) -> Vec<f32> {
    let stride = mask.len().div_ceil(most).max(1);
    let (Some(values), Some(mask)) = (values.as_slice(), mask.as_slice()) else { return Vec::new() };
    (0..mask.len()).step_by(stride).filter(|p| mask[*p] == 1).map(|p| values[p]).collect()
}

fn judge(
    outcome: &mut Outcome,
    image: &Image,
    mask: &Array2<u8>,
    levels: &[f64],
    noise: FrameNoise,
    gain: Option<MeasuredGain>,
    parameters: &Parameters,
) {
    let n = levels.len() as f64;
    let variances = inside(&image.variance, mask, 100_000);
    let inside = mask.iter().filter(|m| **m == 1).count() as f64;
    let count = |bits: u32| image.quality.iter().filter(|q| **q & bits != 0 && **q & quality::OUTSIDE == 0).count() as f64;
    outcome.quality.extend([
        QualityNumber::new("LEVEL", levels.iter().sum::<f64>() / n, "adu", "mean level of the frames above the bias").within(
            parameters.level_low,
            parameters.level_high,
            Grade::Questionable,
        ),
        QualityNumber::new("FLAT NOISE", median(&variances).sqrt(), "", "relative noise of the master in the field").within(
            0.0,
            0.02,
            Grade::Questionable,
        ),
        QualityNumber::new("FIELD", inside / mask.len() as f64, "", "fraction of the frame in the fully lit field").within(
            0.1,
            1.0,
            Grade::Bad,
        ),
        QualityNumber::new("READ NOISE", noise.model.read_noise, "adu", "read noise that was used"),
        QualityNumber::new("N FRAMES", n, "", "frames combined").within(3.0, f64::INFINITY, Grade::Questionable),
        QualityNumber::new("N REJECTED", outcome.rejected.len() as f64, "", "frames left out"),
        QualityNumber::new("N LOW", count(quality::LOW_SENSITIVITY), "", "pixels of low sensitivity in the field"),
        QualityNumber::new("N DEAD", count(quality::DEAD), "", "dead pixels in the field"),
    ]);
    if let Some(found) = gain {
        outcome.quality.push(QualityNumber::new("GAIN", found.gain, "e-/adu", "gain from pairs of flats").with_error(found.error));
    }
}

/// Says where the gain of the header is not that of the pixels.
pub(super) fn note_header_gain(outcome: &mut Outcome, frame: &RawFrame, gain: Option<MeasuredGain>) {
    let (Some(found), Some(stated)) = (gain, header_gain(&frame.header)) else { return };
    outcome.quality.push(QualityNumber::new("GAIN HEADER", stated, "e-/adu", "gain that the header states"));
    if (found.gain - stated).abs() > 5.0 * found.error.max(0.01 * stated) {
        outcome.notes.push(format!("the header states a gain of {stated:.3} e-/ADU, the flats show {:.3} e-/ADU", found.gain));
    }
}
