//! The journal: the record that whoever runs a task leaves beside the products, one file for each attempt.
//!
//! It says all that the run of a task told: state and cause, cost, log, products, side files. It is written to a temporary name, synced
//! and renamed, so that it is there completely or not at all, and it is never changed; its first key is a digest of the rest, so that a record that was
//! damaged or edited is not believed. The catalogue is a memory of these records: whoever
//! coordinates merges those that it has not seen, whichever machine wrote them.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{SystemTime, UNIX_EPOCH};

use ifured_core::recipe::{Outcome, SideFile};
use ifured_core::{Grade, RecipeError, Tag, Task};
use ifured_pixels::fits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{self, Fingerprint};
use crate::usage::Usage;

/// Directory of the records, below the output directory.
pub const DIRECTORY: &str = "journal";
/// Version of the format of a record. Records of another version are left alone.
pub const FORMAT: u32 = 2;

/// A record as it lies in the journal.
#[derive(JsonSchema)]
#[schemars(rename = "Attempt")]
pub struct AttemptFile {
    /// Content hash of all that follows this key, from the opening quote of the next one to the end of the file.
    #[allow(dead_code, reason = "written as text before the rest")]
    digest: String,
    #[allow(dead_code, reason = "read as `Attempt`")]
    #[schemars(flatten)]
    attempt: Attempt,
}

/// One attempt at a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Version of the format.
    pub format: u32,
    /// Version of ifured that made it.
    pub version: String,
    /// Name of the machine.
    pub machine: String,
    /// When it started, UTC, in milliseconds since 1970.
    pub started_ms: u64,
    /// Number of the run that it belongs to; none where a task was run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// The task as it was run.
    pub task: Task,
    /// How it ended.
    pub ending: Ending,
    /// What it cost.
    pub cost: Cost,
    /// What it wrote on its standard error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Ending {
    /// The work is done.
    Done {
        /// What came out.
        outcome: Outcome,
        /// The products as they lie on the disk, in the order of the outcome.
        products: Vec<MadeProduct>,
    },
    /// It is not.
    Failed {
        /// Why.
        cause: Cause,
    },
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
#[non_exhaustive]
pub enum Cause {
    /// The recipe says so.
    Recipe(RecipeError),
    /// It took longer than it may.
    TimeLimit {
        /// The limit, in minutes.
        minutes: f64,
    },
    /// The process was ended by a signal, and again when it was tried again.
    Signal {
        /// Its number.
        signal: i32,
    },
    /// The process ended without an answer, and again when it was tried again.
    NoAnswer {
        /// Its exit code, if it had one.
        code: Option<i32>,
    },
}

/// What an attempt cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Wall-clock time in seconds.
    pub seconds: f64,
    /// What the process used.
    #[serde(flatten)]
    pub usage: Usage,
}

/// A product as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MadeProduct {
    /// Path below the output directory.
    pub name: String,
    /// Its tag.
    pub tag: Tag,
    /// Content hash.
    pub hash: String,
    /// Size in bytes.
    pub bytes: u64,
    /// To tell whether it was touched afterwards.
    pub fingerprint: Option<Fingerprint>,
}

impl Attempt {
    /// An attempt that has just ended.
    pub fn of(task: &Task, run: Option<i64>, started: SystemTime, ending: Ending, cost: Cost, log: String) -> Self {
        let started_ms = started.duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Attempt {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            machine,
            started_ms,
            run,
            task: task.clone(),
            ending,
            cost,
            log,
        }
    }

    /// What came out, if it went well.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.ending {
            Ending::Done { outcome, .. } => Some(outcome),
            Ending::Failed { .. } => None,
        }
    }

    /// Why it failed, if it did.
    pub fn cause(&self) -> Option<&Cause> {
        match &self.ending {
            Ending::Done { .. } => None,
            Ending::Failed { cause } => Some(cause),
        }
    }

    /// Its grade, if it went well.
    pub fn grade(&self) -> Option<Grade> {
        self.outcome().map(Outcome::grade)
    }

    /// What lies beside the products, or what a failed attempt left.
    pub fn side_files(&self) -> &[SideFile] {
        match &self.ending {
            Ending::Done { outcome, .. } => &outcome.side_files,
            Ending::Failed { cause: Cause::Recipe(error) } => &error.side_files,
            Ending::Failed { .. } => &[],
        }
    }

    /// Writes the record of an attempt into the journal of an output directory; gives the name of its file.
    pub fn write(&self, output: &Path) -> Result<String> {
        let name = format!("{}-{}-{}.json", self.task.id.short(), self.started_ms, std::process::id());
        let text = serde_json::to_string(self).map_err(|e| Error::Inconsistent(e.to_string()))?;
        let rest = &text[1..];
        let record = format!("{}{}{SEPARATOR}{rest}", OPENING, fits::hash_of_bytes(rest.as_bytes()));
        files::write_atomically(&output.join(DIRECTORY).join(&name), record.as_bytes())?;
        Ok(name)
    }
}

/// The products of an outcome as they lie below an output directory.
pub fn made(outcome: &Outcome, output: &Path) -> Vec<MadeProduct> {
    let one = |p: &ifured_core::recipe::WrittenProduct| MadeProduct {
        name: p.name.clone(),
        tag: p.tag.clone(),
        hash: p.hash.clone(),
        bytes: p.bytes,
        fingerprint: Fingerprint::of(&output.join(&p.name)).ok(),
    };
    outcome.products.iter().map(one).collect()
}

/// Names of the files of all records in the journal of an output directory, in order.
pub fn records(output: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(output.join(DIRECTORY)).into_iter().flatten().flatten();
    let names = entries.filter_map(|e| e.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|n| n.ends_with(".json") && !n.starts_with('.')).collect();
    names.sort();
    names
}

/// What stands before the digest in a record.
const OPENING: &str = "{\"digest\":\"";
/// What stands after it.
const SEPARATOR: &str = "\",";

/// Reads a record; none if it is of another version, damaged or edited.
pub fn read(output: &Path, record: &str) -> Option<Attempt> {
    let path: PathBuf = output.join(DIRECTORY).join(record);
    if !path.is_file() {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let (digest, rest) = text.strip_prefix(OPENING)?.split_once(SEPARATOR)?;
    if fits::hash_of_bytes(rest.as_bytes()) != digest {
        return None;
    }
    let attempt: Attempt = serde_json::from_str(&format!("{{{rest}")).ok()?;
    (attempt.format == FORMAT).then_some(attempt)
}

impl Cause {
    /// How a process ended that gave no answer.
    pub fn of_death(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Cause::Signal { signal },
            None => Cause::NoAnswer { code: status.code() },
        }
    }

    /// What went wrong, and what to do about it.
    pub fn error(&self) -> RecipeError {
        match self {
            Cause::Recipe(error) => error.clone(),
            Cause::TimeLimit { minutes } => RecipeError::new(
                format!("the task took longer than {minutes} minutes and was ended"),
                "raise resources.task_minutes, or see the task's log for what it was doing",
            ),
            Cause::Signal { signal: 9 } => died("killed (signal 9: by someone, or by the system for lack of memory)"),
            Cause::Signal { signal } => died(&format!("ended by signal {signal}: a crash")),
            Cause::NoAnswer { code: Some(code) } => died(&format!("exit code {code} without an answer")),
            Cause::NoAnswer { code: None } => died("no exit status"),
        }
    }
}

fn died(how: &str) -> RecipeError {
    RecipeError::new(
        format!("the worker died twice: {how}"),
        "give the same command again; if memory is short, lower resources.memory_gb so that fewer tasks run at once",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_one_that_was_edited_or_of_another_version_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let task = Task { id: "0123456789abcdef".into(), ..Task::default() };
        let ending = Ending::Failed { cause: Cause::Recipe(RecipeError::new("no star", "look")) };
        let attempt = Attempt::of(&task, Some(3), SystemTime::now(), ending, Cost::default(), "log".into());
        let name = attempt.write(directory.path()).unwrap();
        assert!(name.starts_with("0123456789ab-"));
        assert_eq!(records(directory.path()), std::slice::from_ref(&name));
        assert_eq!(read(directory.path(), &name), Some(attempt.clone()));
        let path = directory.path().join(DIRECTORY).join(&name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("no star", "no moon")).unwrap();
        assert_eq!(read(directory.path(), &name), None, "an edited record is not believed");
        let later = Attempt { format: 99, started_ms: 1, ..attempt };
        assert_eq!(read(directory.path(), &later.write(directory.path()).unwrap()), None);
    }
}
