//! `scan` and `simulate`.

use std::path::{Path, PathBuf};

use ifured_core::path::shown;
use ifured_core::recipe::{QuietHost, SimulationRequest};
use ifured_engine::catalogue::Catalogue;
use ifured_engine::files::DirectoryLock;
use ifured_engine::frame::FrameState;
use ifured_engine::session::{Opening, Session};
use ifured_engine::{Error, classify};

use super::{named_instrument, print_json, say};
use crate::Context;

/// Finds, classifies and catalogues frames.
pub fn scan(context: &Context, directories: &[PathBuf]) -> Result<u8, Error> {
    let session = Session::open(&context.setup, &context.instruments, Opening::Work(directories), &context.progress)?;
    context.progress.finish();
    let frames = &session.frames;
    let census = classify::census(frames, &session.instrument);
    if context.json {
        let rows: Vec<_> = census.iter().map(|(tag, state, n)| serde_json::json!({"tag": tag, "state": state, "frames": n})).collect();
        print_json(&serde_json::json!({"instrument": session.instrument.name, "frames": frames.len(), "census": rows}))?;
    } else if !context.quiet {
        print_census(&session);
    }
    if frames.is_empty() {
        return Ok(3);
    }
    Ok(u8::from(session.refused().next().is_some()))
}

/// Forgets directories that were scanned, with their frames.
pub fn forget(context: &Context, directories: &[PathBuf]) -> Result<u8, Error> {
    let output = &context.setup.output;
    if !Catalogue::exists(output) {
        return Err(Error::usage(format!("there is no catalogue in {}", shown(output)), "nothing was scanned here, so nothing is known"));
    }
    let _lock = DirectoryLock::take(output)?;
    let (mut catalogue, _) = Catalogue::open(output)?;
    let known = catalogue.roots()?;
    for directory in directories {
        let whole = directory.canonicalize().or_else(|_| std::path::absolute(directory)).map_err(Error::io("cannot find", directory))?;
        let Some(root) = known.iter().find(|root| **root == whole || *root == directory) else {
            let names: Vec<String> = known.iter().map(shown).collect();
            let advice = if names.is_empty() { "no directory is known".to_owned() } else { format!("known are {}", names.join(", ")) };
            return Err(Error::usage(format!("{} was not scanned", shown(directory)), advice));
        };
        catalogue.forget_root(root)?;
        if !context.quiet {
            say(&format!("forgot {} and its frames; the files are untouched", shown(root)));
        }
    }
    Ok(0)
}

/// How many frames of which kind, and every frame that was refused.
pub fn print_census(session: &Session) {
    let frames = &session.frames;
    let nights: std::collections::BTreeSet<&str> = frames.iter().map(|f| f.night.as_str()).collect();
    let read: usize = session.scans.iter().map(|(_, s)| s.read).sum();
    say(&format!("{} frames of {} in {} night(s), {read} read now", frames.len(), session.instrument.name, nights.len()));
    for (tag, state, n) in classify::census(frames, &session.instrument) {
        let state = if state == FrameState::Good { String::new() } else { format!("  {}", state.as_str()) };
        say(&format!("  {n:>6}  {tag}{state}"));
    }
    for frame in session.refused() {
        say(&format!("  refused {}: {}", frame.name, frame.why));
    }
}

/// Writes raw frames with known truth.
pub fn simulate(context: &Context, directory: &Path, seed: u64, nights: u32, size: Option<u32>) -> Result<u8, Error> {
    let instrument = named_instrument(context)?;
    let request = SimulationRequest { directory: directory.to_owned(), seed, nights, size };
    let simulation = instrument.simulate(&request, &QuietHost)?;
    if context.json {
        print_json(&simulation)?;
    } else if !context.quiet {
        say(&format!("{} raw frames in {}, their truth in {}", simulation.frames, simulation.raw.display(), simulation.truth.display()));
    }
    Ok(0)
}
