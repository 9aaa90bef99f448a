//! The run's side of a worker: a process that does one task after another.
//!
//! A worker gets an [`Order`] as a line of JSON on standard input and answers in lines of JSON on standard output. It watches its
//! standard input: when the run that started it is gone, it ends. What a task writes on standard error ends with [`END_OF_LOG`].
//! Starting a process and touching fresh memory costs more than many a task, so a worker is kept while its tasks succeed; one
//! that failed a task is not used again.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use ifured_core::recipe::Outcome;
use ifured_core::{RecipeError, Task};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::usage::Usage;

/// What a worker says, one line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// How far the task is.
    Progress(f64, String),
    /// The task is done.
    Done(Outcome, Usage),
    /// The task failed.
    Failed(RecipeError, Usage),
}

/// What a worker is to do, a line of JSON: the task and what its host tells it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// The task.
    pub task: Task,
    /// Seconds until it is ended.
    pub seconds: Option<f64>,
    /// Bytes of memory that it may use.
    pub memory: u64,
    /// Threads that it may use.
    pub threads: usize,
    /// Its scratch directory.
    #[serde(with = "ifured_core::path")]
    pub scratch: PathBuf,
}

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// Program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// The byte on standard error after the last word of a task (the ASCII record separator).
pub const END_OF_LOG: u8 = 0x1e;

/// Longest log of a task that is kept: a runaway log must not fill the memory.
const LONGEST_LOG: u64 = 1 << 20;

/// What is heard of a worker, by its number.
pub(crate) enum Event {
    /// How far its task is.
    Progress(usize, f64, String),
    /// Its task ended: result, cost and log.
    Answered(usize, std::result::Result<Outcome, RecipeError>, Usage, String),
    /// The process ended; the log of the task it had not ended.
    Died(usize, String),
}

/// A worker.
pub(crate) struct WorkerProcess {
    /// Its number in this run.
    pub number: usize,
    /// Threads it was started with.
    pub threads: usize,
    child: Child,
    /// Kept open while the run lives: the worker ends when it closes.
    stdin: ChildStdin,
}

impl WorkerProcess {
    /// Starts a worker whose events go to `tx`.
    pub(crate) fn start(command: &WorkerCommand, number: usize, threads: usize, tx: &Sender<Event>) -> Result<Self> {
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .args(["--threads", &threads.to_string()])
            .env("OPENBLAS_NUM_THREADS", "1")
            // Planes of many megabytes on huge pages: a tenth of the page faults (glibc 2.35 and newer; others ignore it). Up to
            // 256 MB stay with the worker for its next task, which saves the system from clearing pages again.
            .env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=268435456")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io("cannot start a worker", &command.program))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(Error::Inconsistent("a worker has no standard streams".into()));
        };
        let tx = tx.clone();
        std::thread::spawn(move || listen(number, stdout, stderr, &tx));
        Ok(WorkerProcess { number, threads, child, stdin })
    }

    /// Gives it a task.
    pub(crate) fn give(&mut self, order: &Order) -> Result<()> {
        let mut line = serde_json::to_vec(order).map_err(|e| Error::Inconsistent(e.to_string()))?;
        line.push(b'\n');
        // A worker that is dead has closed its end; its death is reported as an event.
        let _ = self.stdin.write_all(&line);
        Ok(())
    }

    /// Ends it, whatever it does, and says how it ended.
    pub(crate) fn end(mut self) -> std::io::Result<ExitStatus> {
        let _ = self.child.kill();
        self.child.wait()
    }

    /// Ends what it does; [`Event::Died`] follows.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
    }
}

fn listen(number: usize, stdout: impl Read, stderr: impl Read + Send + 'static, tx: &Sender<Event>) {
    let (log_tx, logs) = channel();
    std::thread::spawn(move || send_logs(BufReader::new(stderr), &log_tx));
    for line in BufReader::new(stdout).lines().map_while(|l| l.ok()) {
        let event = match serde_json::from_str(&line) {
            Ok(Message::Progress(fraction, what)) => Event::Progress(number, fraction, what),
            Ok(Message::Done(outcome, usage)) => Event::Answered(number, Ok(outcome), usage, next(&logs)),
            Ok(Message::Failed(error, usage)) => Event::Answered(number, Err(error), usage, next(&logs)),
            // Something a library prints.
            Err(_) => continue,
        };
        if tx.send(event).is_err() {
            return;
        }
    }
    let _ = tx.send(Event::Died(number, next(&logs)));
}

fn next(logs: &Receiver<String>) -> String {
    logs.recv().unwrap_or_default()
}

/// Sends the log of each task.
fn send_logs(mut stderr: impl BufRead, logs: &Sender<String>) {
    loop {
        let mut text = Vec::new();
        let read = stderr.by_ref().take(LONGEST_LOG).read_until(END_OF_LOG, &mut text);
        let ended = text.pop_if(|last| *last == END_OF_LOG).is_some();
        if logs.send(String::from_utf8_lossy(&text).into_owned()).is_err() || !matches!(read, Ok(n) if n > 0) {
            return;
        }
        if !ended && text.len() as u64 == LONGEST_LOG && stderr.skip_until(END_OF_LOG).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs_of(stderr: &[u8]) -> Vec<String> {
        let (tx, rx) = channel();
        send_logs(stderr, &tx);
        drop(tx);
        rx.iter().collect()
    }

    #[test]
    fn each_task_has_its_own_log() {
        assert_eq!(logs_of(b"one\ntwo\n\x1e\x1ethree"), ["one\ntwo\n", "", "three", ""]);
        assert_eq!(logs_of(b""), [""]);
    }

    #[test]
    fn a_long_log_is_cut_and_the_next_is_whole() {
        let mut text = vec![b'x'; 3 << 20];
        text.extend(b"\x1enext\x1e");
        let logs = logs_of(&text);
        assert_eq!((logs[0].len(), logs[1].as_str()), (1 << 20, "next"));
    }
}
