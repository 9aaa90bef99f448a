//! Simulated raw frames with known tags, for scan and classification.
//!
//! The pixels are read-out noise on a bias level and mean nothing; the truth is the tag of each frame, in `tags.json`. The
//! raw frames of an instrument are described by [`RawFrame`]s, which carry the headers.

use std::collections::BTreeMap;
use std::path::Path;

use hifitime::Epoch;
use ifured_core::recipe::{ProductPath, Simulation, SimulationRequest, TruthRow};
use ifured_core::{Header, Host, RecipeError, Tag};

/// Name of the truth: a JSON object, file name to tag.
const TAGS: &str = "tags.json";

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
        h.set("ESO TPL START", self.date(0), "TPL start time");
        h.set("ARCFILE", self.file_name(), "Archive File Name");
        h
    }

    /// The name that the ESO archive gives: `MUSE.2017-06-16T01:34:56.867.fits`.
    pub fn file_name(&self) -> String {
        format!("{}.{}.fits", self.instrument, self.date(3))
    }

    fn date(&self, decimals: usize) -> String {
        let (year, month, day, hour, minute, second, nanos) = Epoch::from_mjd_utc(self.mjd).to_gregorian_utc();
        let whole = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        let fraction = format!("{nanos:09}");
        if decimals == 0 { whole } else { format!("{whole}.{}", &fraction[..decimals.min(9)]) }
    }
}

/// Writes the frames of a simulation and their tags.
///
/// Not possible yet: it needs the writer of FITS files.
pub fn write(request: &SimulationRequest, frames: &[RawFrame], _: &dyn Host) -> Result<Simulation, RecipeError> {
    Err(RecipeError::new(
        format!("the {} raw frames cannot be written to {}: this build has no FITS writer", frames.len(), request.directory.display()),
        "reduce real frames of this instrument, or simulate another one",
    ))
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
