//! One run of esorex: its own directory, its own process group, limits of time and memory, its log followed.
//!
//! The memory that is limited is what the processes of the group really occupy, looked at once a second, and not their address space
//! (`RLIMIT_AS`): CPL and OpenMP reserve several times of what they use, so a limit on the reserve ends healthy recipes, and a refused
//! reservation shows as an obscure error of the recipe instead of as lack of memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ifured_core::sof::{self, SofEntry};
use ifured_core::{Host, RecipeError};

use super::group::{Ended, Group};
use super::log::Followed;
use super::memory::free_memory;
use super::program::Program;

/// File with the set of frames, in the directory of the run.
pub const SOF: &str = "frames.sof";
/// What esorex printed, in the directory of the run.
pub const PRINTED: &str = "printed.txt";
/// The log, in the directory of the run. Until it ends, esorex calls it `.logfile`: so it is called still if esorex was killed.
pub const LOG: &str = "esorex.log";
const UNFINISHED_LOG: &str = ".logfile";

/// What may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunLimits {
    /// Longest time.
    pub time: Duration,
    /// Largest memory of all its processes together, in bytes; none is nine tenths of what is free at the start.
    pub memory: Option<u64>,
}

/// A run to be done.
pub struct Call<'a> {
    /// The program.
    pub program: &'a Program,
    /// Name of the recipe.
    pub recipe: &'a str,
    /// Options of the recipe: `--nifu=1`.
    pub options: &'a [String],
    /// What goes in, in this order.
    pub frames: &'a [SofEntry],
    /// Threads that the recipe may use.
    pub threads: usize,
    /// Limits.
    pub limits: RunLimits,
    /// What its log counts, see [`Followed::of`].
    pub counted: Option<(&'static str, u32)>,
    /// Empty directory for it; must be absolute.
    pub directory: &'a Path,
}

/// What a run was.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub time: Duration,
    /// Largest memory that was seen, in bytes; 0 if it was too short to be looked at.
    pub memory: u64,
    /// The last lines of errors.
    pub errors: VecDeque<String>,
    /// Warnings of the recipe.
    pub warnings: usize,
    /// The log.
    pub log: PathBuf,
}

/// Runs a recipe. Its products are in the directory of the call then.
///
/// # Errors
/// If it cannot be started; how it ended is no error here.
pub fn run(call: &Call<'_>, host: &dyn Host) -> Result<Ran, RecipeError> {
    let directory = call.directory;
    let failed = |what: &str, e: io::Error| {
        let what = format!("cannot {what} in {} for {}: {e}", directory.display(), call.recipe);
        RecipeError::new(what, "see whether the disk is full or not yours to write")
    };
    let frames = linked(call.frames, directory).map_err(|e| failed("link the frames", e))?;
    std::fs::write(directory.join(SOF), sof::text(&frames)?).map_err(|e| failed("write the set of frames", e))?;
    let printed = directory.join(PRINTED);
    let output = File::create(&printed).map_err(|e| failed("write what esorex prints", e))?;
    let followed = File::open(&printed).map_err(|e| failed("read what esorex prints", e))?;
    let start = Instant::now();
    let mut group = command(call, output)
        .and_then(|mut command| Group::start(&mut command))
        .map_err(|e| RecipeError::new(format!("cannot start {}: {e}", call.program.path.display()), "see whether it is a program"))?;
    let mut log = Followed::of(call.frames.len(), call.counted);
    host.progress(0.0, &format!("{} starts", call.recipe));
    let allowed = call.limits.memory.unwrap_or_else(|| free_memory() / 10 * 9);
    let ended = group.watch(call.limits.time, allowed, || {
        if log.read_on(&followed).is_ok_and(|new| new) && !log.last.is_empty() {
            host.progress(log.fraction, &format!("{}: {}", call.recipe, log.last));
        }
    });
    let ended = ended.map_err(|e| failed("watch esorex", e))?;
    let _ = log.read_on(&followed);
    let (unfinished, finished) = (directory.join(UNFINISHED_LOG), directory.join(LOG));
    if !finished.is_file() && std::fs::rename(&unfinished, &finished).is_err() {
        // It ended before it had a log: what it printed is all there is.
        let _ = std::fs::copy(&printed, &finished);
    }
    Ok(Ran { ended, time: start.elapsed(), memory: group.memory, errors: log.errors, warnings: log.warnings, log: finished })
}

/// Frames whose path cannot stand in a set of frames are linked into the directory of the run.
fn linked(frames: &[SofEntry], directory: &Path) -> io::Result<Vec<SofEntry>> {
    let one = |(n, frame): (usize, &SofEntry)| {
        if sof::unwritable(&frame.path).is_none() {
            return Ok(frame.clone());
        }
        let name = frame.path.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-+:".contains(c) { c } else { '_' }).collect();
        // A directory for each: two frames may have the same name.
        let place = Path::new("linked").join(n.to_string());
        std::fs::create_dir_all(directory.join(&place))?;
        std::os::unix::fs::symlink(&frame.path, directory.join(&place).join(&name))?;
        Ok(SofEntry { path: place.join(name), ..frame.clone() })
    };
    frames.iter().enumerate().map(one).collect()
}

/// The options of esorex itself: products as the recipe names them, in the working directory, and nothing left to configuration.
fn options_of_esorex() -> [String; 10] {
    [
        "--suppress-prefix=TRUE".to_owned(),
        "--suppress-link=TRUE".to_owned(),
        "--output-readonly=FALSE".to_owned(),
        "--output-dir=.".to_owned(),
        "--check-sof-exist=TRUE".to_owned(),
        "--no-checksum=FALSE".to_owned(),
        "--msg-level=info".to_owned(),
        "--log-level=info".to_owned(),
        "--log-dir=.".to_owned(),
        format!("--log-file={LOG}"),
    ]
}

fn command(call: &Call<'_>, output: File) -> io::Result<Command> {
    let mut command = call.program.command(call.directory);
    command.args(options_of_esorex()).arg(call.recipe).args(call.options).arg(SOF);
    command.current_dir(call.directory).env("OMP_NUM_THREADS", call.threads.max(1).to_string());
    command.stdout(output.try_clone()?).stderr(output);
    Ok(command)
}
