//! Simulated frames with known tags, for scan, classification and plan.
//!
//! A night has all that the recipes of its instrument need, as far as headers say: raw frames in their templates, and the static calibrations. The
//! pixels are read-out noise on a bias level and mean nothing, so that no recipe of ESO can reduce them; the truth is the tag of each frame, in
//! `tags.json`. The frames of an instrument are described by [`RawFrame`]s, which carry the headers.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use hifitime::{Epoch, Unit};
use ifured_core::recipe::{ProductPath, Simulation, SimulationRequest, TruthRow};
use ifured_core::{Header, Host, RecipeError, Tag};
use ifured_pixels::fits::{HduToWrite, write_product};
use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// First night: 2024-01-01.
const FIRST_NIGHT_MJD: f64 = 60_310.0;
/// The first frame of a night is taken at 18 h UTC, shortly after local noon; the others follow every 20 minutes, so that a night
/// goes over midnight.
const FIRST_FRAME_H: f64 = 18.0;
const INTERVAL_H: f64 = 1.0 / 3.0;
/// Name of the truth: a JSON object, file name to tag.
const TAGS: &str = "tags.json";
/// Pixels along each axis of a simulated detector.
const SIDE: u32 = 16;
/// Bias level of a simulated detector.
const BIAS_ADU: f64 = 1000.0;
/// Read-out noise of a simulated detector.
const READ_OUT_NOISE_ADU: f64 = 3.0;

/// One simulated raw frame.
#[derive(Clone, Debug)]
pub struct RawFrame {
    /// Its true tag.
    pub tag: Tag,
    /// Name of the file.
    pub name: String,
    /// Primary header; there are no pixels with it.
    pub primary: Header,
    /// Headers of the detectors.
    pub detectors: Vec<Header>,
}

/// What is common to the primary headers of one exposure.
#[derive(Clone, Debug)]
pub struct Exposure<'a> {
    /// `INSTRUME`, first part of the file name.
    pub instrument: &'a str,
    /// `TELESCOP`.
    pub telescope: &'a str,
    /// `OBJECT`.
    pub object: &'a str,
    /// `DPR CATG`, `TYPE` and `TECH`.
    pub dpr: [&'a str; 3],
    /// `EXPTIME`.
    pub exptime_s: f64,
    /// `MJD-OBS`.
    pub mjd: f64,
    /// Start of its template.
    pub template_mjd: f64,
    /// Decimals of the seconds in `DATE-OBS`: 3 or 4, which differs between instruments.
    pub decimals: usize,
}

impl Exposure<'_> {
    /// The primary header.
    pub fn header(&self) -> Header {
        let mut h = Header::new();
        h.set("ORIGIN", "ESO-PARANAL", "European Southern Observatory");
        h.set("TELESCOP", self.telescope, "ESO Telescope Name");
        h.set("INSTRUME", self.instrument, "Instrument used");
        h.set("OBJECT", self.object, "Original target");
        h.set("EXPTIME", self.exptime_s, "[s] Integration time");
        h.set("MJD-OBS", self.mjd, "[d] Start of the exposure, UTC");
        h.set("DATE-OBS", self.date(self.decimals), "Start of the exposure, UTC");
        let [catg, kind, tech] = self.dpr;
        h.set(crate::classification::DPR_CATG, catg, "Observation category");
        h.set(crate::classification::DPR_TYPE, kind, "Observation type");
        h.set(crate::classification::DPR_TECH, tech, "Observation technique");
        h.set("ESO TPL START", date(self.template_mjd, 0), "TPL start time");
        h.set("ARCFILE", self.file_name(), "Archive File Name");
        h
    }

    /// The name that the ESO archive gives: `MUSE.2017-06-16T01:34:56.867.fits`.
    pub fn file_name(&self) -> String {
        format!("{}.{}.fits", self.instrument, self.date(3))
    }

    fn date(&self, decimals: usize) -> String {
        date(self.mjd, decimals)
    }
}

/// A date with so many decimals of the seconds.
fn date(mjd: f64, decimals: usize) -> String {
    // A date in a double is known to microseconds.
    let epoch = Epoch::from_mjd_utc(mjd).round(Unit::Millisecond * 1);
    let (year, month, day, hour, minute, second, nanos) = epoch.to_gregorian_utc();
    let whole = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    let fraction = format!("{nanos:09}");
    if decimals == 0 { whole } else { format!("{whole}.{}", &fraction[..decimals.min(9)]) }
}

/// When an exposure of a simulation starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Modified Julian Date of its start.
    pub mjd: f64,
    /// Of the start of its template.
    pub template_mjd: f64,
    /// Its place in its template, from 0.
    pub place: u32,
}

/// Exposures of each night, template by template; `exposures` says how many of a kind each template has, and whether the kind goes on with the template
/// of the one before it.
pub fn each_night<K: Copy>(
    request: &SimulationRequest,
    kinds: &[K],
    exposures: impl Fn(&K) -> (u32, bool),
    frame: impl Fn(K, Start) -> RawFrame,
) -> Vec<RawFrame> {
    let mut frames = Vec::new();
    for night in 0..request.nights {
        let mut taken = 0u32;
        let mut template_mjd = 0.0;
        for &kind in kinds {
            let (count, goes_on) = exposures(&kind);
            for place in 0..count {
                let seconds = (3600.0 * (FIRST_FRAME_H + INTERVAL_H * f64::from(taken))).round();
                let mjd = FIRST_NIGHT_MJD + f64::from(night) + seconds / 86_400.0;
                if place == 0 && !goes_on {
                    template_mjd = mjd;
                }
                frames.push(frame(kind, Start { mjd, template_mjd, place }));
                taken += 1;
            }
        }
    }
    frames
}

/// A static calibration, as the pipeline ships it: of no time, a header that says what it is.
pub fn static_calibration(instrument: &str, category: &str, keys: &[(&str, &str)]) -> RawFrame {
    let mut primary = Header::new();
    primary.set("INSTRUME", instrument, "Instrument used");
    primary.set(crate::classification::PRO_CATG, category, "Category of pipeline product frame");
    let mut name = format!("{}_{}", instrument.to_lowercase(), category.to_lowercase());
    for (key, value) in keys {
        primary.set(key, *value, "");
        name = format!("{name}_{}", value.to_lowercase());
    }
    RawFrame { tag: category.into(), name: format!("{name}.fits"), primary, detectors: Vec::new() }
}

/// Writes the frames of a simulation below `raw` and their tags below `truth` of the directory that is asked for.
///
/// Each detector is a square of `request.size` pixels (16 if not given), unsigned 16 bit: Gaussian read-out noise of 3 adu
/// on a bias of 1000 adu, from the seed, whatever the kind of frame.
///
/// An error if a file cannot be written.
pub fn write(request: &SimulationRequest, frames: &[RawFrame], host: &dyn Host) -> Result<Simulation, RecipeError> {
    let (raw, truth) = (request.directory.join("raw"), request.directory.join("truth"));
    let cannot_write = |path: &Path, why: &dyn Display| {
        RecipeError::new(format!("{}: {why}", path.display()), "choose a directory that can be written and has space")
    };
    for directory in [&raw, &truth] {
        std::fs::create_dir_all(directory).map_err(|e| cannot_write(directory, &e))?;
    }
    let side = request.size.unwrap_or(SIDE) as usize;
    let mut random = ChaCha8Rng::seed_from_u64(request.seed);
    for (n, frame) in frames.iter().enumerate() {
        host.progress(n as f64 / frames.len() as f64, &frame.name);
        let pixels: Vec<Array2<u16>> = frame.detectors.iter().map(|_| read_out(side, &mut random)).collect();
        let detectors = frame.detectors.iter().zip(&pixels).map(|(header, pixels)| HduToWrite::image(header, pixels.view()));
        let hdus: Vec<HduToWrite> = std::iter::once(HduToWrite::Empty(&frame.primary)).chain(detectors).collect();
        let path = raw.join(&frame.name);
        write_product(&path, &hdus).map_err(|e| cannot_write(&path, &e))?;
    }
    let tags: BTreeMap<&str, &Tag> = frames.iter().map(|f| (f.name.as_str(), &f.tag)).collect();
    let path = truth.join(TAGS);
    let text = serde_json::to_string_pretty(&tags).map_err(|e| cannot_write(&path, &e))?;
    std::fs::write(&path, text).map_err(|e| cannot_write(&path, &e))?;
    Ok(Simulation { raw, truth, frames: frames.len() })
}

fn read_out(side: usize, random: &mut ChaCha8Rng) -> Array2<u16> {
    Array2::from_shape_simple_fn((side, side), || {
        let noise: f64 = StandardNormal.sample(random);
        (BIAS_ADU + READ_OUT_NOISE_ADU * noise).round() as u16
    })
}

/// Compares tags with the truth: one row for each frame in it, 1 for the true tag and 0 for another.
///
/// An error if none of the `products` is one of the simulated raw frames: then nothing can be compared, since the truth
/// has tags and nothing that recipes could recover.
pub fn compare_tags(truth: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
    let path = truth.join(TAGS);
    let advice = "simulate raw frames first; the truth is written beside them";
    let text = std::fs::read_to_string(&path).map_err(|e| RecipeError::new(format!("{}: {e}", path.display()), advice))?;
    let tags: BTreeMap<String, Tag> =
        serde_json::from_str(&text).map_err(|e| RecipeError::new(format!("{}: {e}", path.display()), advice))?;
    let rows: Vec<TruthRow> = products.iter().filter_map(|p| tags.get(&p.file_name()).map(|tag| row(p, tag))).collect();
    if rows.is_empty() {
        return Err(RecipeError::new(
            format!("none of the {} products is a simulated raw frame, so nothing was compared", products.len()),
            "the truth of this simulation is the tag of each raw frame: give the raw frames with the tags that they were found to have",
        ));
    }
    Ok(rows)
}

fn row(frame: &ProductPath, tag: &Tag) -> TruthRow {
    TruthRow {
        product: frame.name.clone(),
        what: format!("tag {tag}"),
        found: if frame.tag == *tag { 1.0 } else { 0.0 },
        truth: 1.0,
        tolerance: 0.0,
        unit: String::new(),
    }
}
