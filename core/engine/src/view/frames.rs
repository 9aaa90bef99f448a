//! Raw frames, and how many there are of which kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use ifured_core::Tag;
use schemars::JsonSchema;
use serde::Serialize;

use super::Snapshot;
use crate::classify;
use crate::frame::{Frame, FrameState};

/// One raw frame.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FrameView {
    /// Path below the directory that was scanned.
    pub name: String,
    /// Night.
    pub night: String,
    /// What kind of frame it is.
    pub tag: Tag,
    /// What the engine can do with it.
    pub state: FrameState,
    /// Why it is not good; empty where it is.
    pub why: String,
    /// What was odd about it.
    pub notes: Vec<String>,
    /// Where it is.
    pub path: String,
    /// Name without directories.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Values that identify its set-up; empty where its kind has none.
    pub signature: String,
    /// The frame, for its keywords.
    #[serde(skip)]
    #[schemars(skip)]
    pub frame: Arc<Frame>,
}

/// All raw frames, by name.
pub fn frames(snapshot: &Snapshot) -> Vec<FrameView> {
    snapshot.frames.iter().map(frame).collect()
}

fn frame(frame: &Arc<Frame>) -> FrameView {
    FrameView {
        name: frame.name.clone(),
        night: frame.night.clone(),
        tag: frame.tag.clone(),
        state: frame.state,
        why: if frame.state == FrameState::Good { String::new() } else { frame.why.clone() },
        notes: frame.notes.clone(),
        path: frame.path.display().to_string(),
        file: frame.file_name(),
        bytes: frame.bytes,
        signature: if frame.signature.0.is_empty() { String::new() } else { frame.signature.to_string() },
        frame: frame.clone(),
    }
}

/// How many frames there are of which kind: what `ifured scan` answers.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CensusView {
    /// Name of the instrument.
    pub instrument: String,
    /// Number of frames.
    pub frames: usize,
    /// Number of nights.
    pub nights: usize,
    /// Files that were read now; the others were known.
    pub read_now: usize,
    /// Frames by tag and state.
    pub census: Vec<CensusRow>,
    /// Frames that cannot be read or judged.
    pub refused: Vec<RefusedFrame>,
}

/// Frames of one tag and state.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CensusRow {
    /// The tag.
    pub tag: Tag,
    /// The state.
    pub state: FrameState,
    /// So many.
    pub frames: usize,
}

/// A frame that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RefusedFrame {
    /// Its name.
    pub frame: String,
    /// Its tag.
    pub tag: Tag,
    /// Why.
    pub why: String,
}

/// Counts the frames.
pub fn census(snapshot: &Snapshot) -> CensusView {
    let nights: BTreeSet<&str> = snapshot.frames.iter().map(|f| f.night.as_str()).collect();
    let rows = classify::census(&snapshot.frames, &snapshot.instrument).into_iter();
    let refused = snapshot.refused().map(|f| RefusedFrame { frame: f.name.clone(), tag: f.tag.clone(), why: f.why.clone() });
    CensusView {
        instrument: snapshot.instrument.name.clone(),
        frames: snapshot.frames.len(),
        nights: nights.len(),
        read_now: snapshot.read_now,
        census: rows.map(|(tag, state, frames)| CensusRow { tag, state, frames }).collect(),
        refused: refused.collect(),
    }
}
