//! What a plugin says of itself, asked in a process of its own: a plugin that crashes or never answers costs that process and
//! nothing else. It is loaded into this process only when something is to be done with it.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ifured_core::{InstrumentDescription, LoadedInstrument, RecipeError};
use serde_json::Value;

use super::load::load;
use crate::error::{Error, Result};

/// How long a plugin may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a plugin is asked: a command that prints the description of the library that is its last argument as JSON, or an error.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Program.
    pub program: PathBuf,
    /// Its arguments, the library follows.
    pub arguments: Vec<String>,
}

/// An instrument of a library, described and not loaded yet.
///
/// # Errors
/// As [`load()`], and if it crashes or does not answer.
pub fn deferred(library: &Path, probe: &Probe) -> Result<LoadedInstrument> {
    let fail = |what: String| {
        let advice = "it is not used; report this to its author, who finds more with `ifured plugin check`";
        Error::usage(format!("plugin {}: {what}", library.display()), advice)
    };
    let (answer, status) = ask(library, probe)?;
    let value: Option<Value> = serde_json::from_str(&answer).ok();
    if let (Some(what), true) = (value.as_ref().and_then(|v| v["error"].as_str()), status.is_some_and(|s| !s.success())) {
        let advice = value.as_ref().and_then(|v| v["advice"].as_str()).unwrap_or_default();
        return Err(Error::usage(what, advice));
    }
    match (status, value.and_then(|v| serde_json::from_value::<InstrumentDescription>(v).ok())) {
        (Some(status), Some(description)) if status.success() => {
            let library = library.to_owned();
            let later = move || load(&library).map_err(|e| RecipeError::new(e.to_string(), e.advice()))?.module();
            Ok(LoadedInstrument::deferred(description, later))
        }
        (None, _) => Err(fail(format!("it did not describe itself within {} seconds", PATIENCE.as_secs()))),
        (Some(status), _) => Err(fail(format!("it died while it described itself ({})", how(status)))),
    }
}

/// How a process ended.
fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(n), _) => format!("signal {n}"),
        (None, code) => format!("exit code {}", code.unwrap_or_default()),
    }
}

/// The answer and the exit status; none if it had to be ended.
fn ask(library: &Path, probe: &Probe) -> Result<(String, Option<ExitStatus>)> {
    let failed = Error::io("cannot start", &probe.program);
    let mut child = Command::new(&probe.program)
        .args(&probe.arguments)
        .arg(library)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.as_mut().map(|s| s.read_to_string(&mut text));
        text
    });
    let since = Instant::now();
    let status = loop {
        match child.try_wait().map_err(Error::io("cannot wait for", &probe.program))? {
            Some(status) => break Some(status),
            None if since.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    Ok((reader.join().unwrap_or_default(), status))
}
