//! Frames as the engine knows them: header with corrections, pixel statistics, night, time, tag.

use std::path::PathBuf;

use ifured_core::header::normal;
use ifured_core::lookup::{EXPOSURE_NAME, EXTENSIONS, FRAME, STATISTICS};
use ifured_core::recipe::FrameSize;
use ifured_core::{Header, Lookup, SignatureValues, Tag, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pixel statistics by name (see [`STATISTICS`]); what is not finite is left out.
pub type Statistics = Vec<(String, f64)>;

/// What the engine can do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FrameState {
    /// Usable as what its tag says.
    Good,
    /// Of a kind, but not as good frames of it are; or of no kind that is reduced.
    Wrong,
    /// It cannot be read or judged.
    Refused,
    /// Left out by the configuration.
    Ignored,
    /// The same content as another frame.
    Duplicate,
}

impl FrameState {
    /// As in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            FrameState::Good => "good",
            FrameState::Wrong => "wrong",
            FrameState::Refused => "refused",
            FrameState::Ignored => "ignored",
            FrameState::Duplicate => "duplicate",
        }
    }
}

/// One raw frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Where it is.
    pub path: PathBuf,
    /// Path below the directory that was scanned, the directory's own name in front.
    pub name: String,
    /// Night it belongs to.
    pub night: String,
    /// Hash of the file's content; empty if it could not be read.
    pub hash: String,
    /// Size of the file.
    pub bytes: u64,
    /// Primary header, with the corrections of the configuration and the keywords of known objects.
    pub header: Header,
    /// Names of its extensions, those that have one.
    pub extensions: Vec<String>,
    /// Lengths of the axes of its largest image, `NAXIS1` first; empty if it has none.
    pub axes: Vec<usize>,
    /// Pixel statistics of the whole frame.
    pub statistics: Statistics,
    /// Modified Julian date of the start of the exposure.
    pub mjd: Option<f64>,
    /// Name of the instrument that recognises it.
    pub instrument: Option<String>,
    /// What kind of frame it is.
    pub tag: Tag,
    /// What can be done with it.
    pub state: FrameState,
    /// Why, if it is not simply good.
    pub why: String,
    /// What was odd and could be mended.
    pub notes: Vec<String>,
    /// For each rule that was tried: the first condition that did not hold.
    pub trace: Vec<(Tag, Option<String>)>,
    /// Values of the signature of its kind.
    pub signature: SignatureValues,
    /// Keywords that the header of the file does not have so: corrections of the configuration, and names of known objects.
    pub corrections: Vec<(String, Value)>,
    /// Name of a science exposure that is made of what its header says, if the instrument has such names.
    pub exposure_name: Option<String>,
}

impl Frame {
    /// File name without directories.
    pub fn file_name(&self) -> String {
        self.path.file_name().map(ifured_core::path::shown).unwrap_or_default()
    }

    /// Its size, for estimates of memory.
    pub fn size(&self) -> FrameSize {
        FrameSize::of_axes(&self.axes, self.bytes)
    }
}

impl Lookup for Frame {
    fn lookup(&self, key: &str) -> Option<Value> {
        let key = normal(key);
        if STATISTICS.contains(&&*key) {
            return self.statistics.iter().find(|(k, _)| **k == *key).map(|(_, v)| Value::Real(*v));
        }
        match &*key {
            "NIGHT" => Some(Value::Text(self.night.clone())),
            "MJD" => self.mjd.map(Value::Real),
            FRAME => Some(Value::Text(self.name.clone())),
            EXTENSIONS => Some(Value::Text(self.extensions.join(","))),
            EXPOSURE_NAME if self.exposure_name.is_some() => self.exposure_name.clone().map(Value::Text),
            _ => self.header.get(&key).cloned(),
        }
    }
}
