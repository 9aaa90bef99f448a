//! Hints about which frames belong together, such as the archive's trees of association.
//!
//! What they say of a candidate is looked up in [`plan::belongings`](crate::plan).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ifured_core::{Hints, LoadedInstrument, rule};

use crate::error::Result;
use crate::files::{self, stem};
use crate::frame::Frame;
pub use crate::hint_file::HintFile;

/// Reads the files of hints below a directory, in the order of their paths.
///
/// # Errors
/// If the directory cannot be looked into.
pub fn read(directory: &Path, instrument: &LoadedInstrument) -> Result<Vec<HintFile>> {
    let patterns = &instrument.description().hint_files;
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let (paths, _) = files::find(directory, &|name| patterns.iter().any(|p| rule::like(p, name)))?;
    let read = |path: PathBuf| match instrument.hints(&path) {
        Ok(hints) => HintFile { path, hints, error: String::new() },
        Err(e) => HintFile { path, hints: Hints::default(), error: format!("{}; {}", e.what, e.advice) },
    };
    Ok(paths.into_iter().map(read).collect())
}

/// Names of a file of hints that a note spells out.
const NAMED_IN_NOTES: usize = 3;
/// Notes about single files; what goes beyond is counted.
const NOTES: usize = 5;

/// What a person should know of the files of hints.
pub fn notes(files: &[HintFile], frames: &[Arc<Frame>]) -> Vec<String> {
    let known: std::collections::HashSet<String> = frames.iter().filter(|_| !files.is_empty()).flat_map(|f| keys(f)).collect();
    let mut notes = Vec::new();
    for file in files {
        let name = file.path.display();
        if !file.error.is_empty() {
            notes.push(format!("{name}: its hints are not used: {}", file.error));
        }
        notes.extend(file.hints.notes.iter().map(|note| format!("{name}: {note}")));
        let mut absent: Vec<&str> =
            file.hints.hints.iter().flat_map(|h| &h.names).filter(|n| !known.contains(*n)).map(String::as_str).collect();
        absent.sort_unstable();
        absent.dedup();
        if !absent.is_empty() {
            let more = if absent.len() > NAMED_IN_NOTES { ", ..." } else { "" };
            let first = absent.iter().take(NAMED_IN_NOTES).copied().collect::<Vec<_>>().join(", ");
            notes.push(format!("{name}: {} of the files that it names are not here ({first}{more}); the rest counts", absent.len()));
        }
    }
    if notes.len() > NOTES {
        notes.iter().for_each(|note| tracing::info!("{note}"));
        let more = notes.len() - NOTES;
        notes.truncate(NOTES);
        notes.push(format!("and {more} more notes on files of hints (-v shows all)"));
    }
    notes
}

/// Names by which others may know a frame.
pub fn keys(frame: &Frame) -> Vec<String> {
    let archive = frame.header.text("ARCFILE").ok().map(|name| stem(name.trim())).filter(|name| !name.is_empty());
    let mut keys = vec![stem(&frame.name)];
    keys.extend(archive.filter(|name| *name != keys[0]));
    keys
}
