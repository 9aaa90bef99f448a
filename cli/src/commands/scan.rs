//! `scan` and `simulate`.

use std::path::{Path, PathBuf};

use ifured_core::path::shown;
use ifured_core::recipe::{QuietHost, SimulationRequest};
use ifured_engine::Error;
use ifured_engine::catalogue::Catalogue;
use ifured_engine::files::DirectoryLock;
use ifured_engine::frame::FrameState;
use ifured_engine::session::{Opening, Session};
use ifured_engine::view::frames::{CensusView, census};

use super::{named_instrument, print_json, say};
use crate::Context;

/// Finds, classifies and catalogues frames.
pub fn scan(context: &Context, directories: &[PathBuf]) -> Result<u8, Error> {
    let session = Session::open(&context.setup, &context.instruments, Opening::Work(directories), &context.progress)?;
    context.progress.finish();
    let view = census(&session.look()?);
    if context.json {
        print_json(&view)?;
    } else if !context.quiet {
        print_census(&view);
    }
    if view.frames == 0 {
        return Ok(3);
    }
    Ok(u8::from(!view.refused.is_empty()))
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
pub fn print_census(view: &CensusView) {
    say(&format!("{} frames of {} in {} night(s), {} read now", view.frames, view.instrument, view.nights, view.read_now));
    for row in &view.census {
        let state = if row.state == FrameState::Good { String::new() } else { format!("  {}", row.state.as_str()) };
        say(&format!("  {:>6}  {}{state}", row.frames, row.tag));
    }
    for frame in &view.refused {
        say(&format!("  refused {}: {}", frame.frame, frame.why));
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
