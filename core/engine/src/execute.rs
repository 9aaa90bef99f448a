//! Execution: every task in a worker process of its own, as many at once as cores and memory allow.
//!
//! A worker gets its task on standard input and answers in lines of JSON on standard output. It watches its standard input:
//! when the run that started it is gone, it ends. A crash, a kill or a runaway plugin costs one task.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use ifured_core::recipe::Outcome;
use ifured_core::{RecipeError, Task};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a worker says, one line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// How far it is.
    Progress(f64, String),
    /// It is done.
    Done(Outcome, Usage),
    /// It failed.
    Failed(RecipeError, Usage),
}

/// What a task cost.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Processor seconds, user and system.
    pub cpu_seconds: f64,
    /// Peak resident memory in bytes.
    pub peak_memory: u64,
    /// Bytes read by system calls.
    pub bytes_read: u64,
    /// Bytes written by system calls.
    pub bytes_written: u64,
}

/// How one task ended.
#[derive(Debug)]
pub struct Finished {
    /// Index among the tasks that were given.
    pub index: usize,
    /// What came out.
    pub result: std::result::Result<Outcome, RecipeError>,
    /// What it cost.
    pub usage: Usage,
    /// Wall-clock time.
    pub seconds: f64,
    /// What it wrote on standard error.
    pub log: String,
    /// Whether it died without an answer (crash, kill, out of memory).
    pub died: bool,
}

/// How much of the machine may be used.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Cores.
    pub threads: usize,
    /// Bytes of memory for all workers together.
    pub memory: u64,
    /// Longest time for one task.
    pub task_time: Option<Duration>,
}

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// Program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// What happens while tasks run.
#[derive(Debug)]
pub enum Happening<'a> {
    /// A task starts.
    Started(&'a Task),
    /// A task is so far.
    Progress(&'a Task, f64, &'a str),
    /// A task ended.
    Finished(&'a Task, &'a Finished),
}

struct Running {
    child: Child,
    since: Instant,
    memory: u64,
    threads: usize,
    /// Kept open while the run lives: the worker ends when it closes.
    _stdin: std::process::ChildStdin,
    timed_out: bool,
}

enum Event {
    Line(usize, Message),
    Ended(usize, String),
}

/// One task to be run.
pub struct Job<'a> {
    /// The task.
    pub task: &'a Task,
    /// Indices (among the jobs) of the tasks that must be done before.
    pub after: Vec<usize>,
}

/// Runs jobs, makers before users. A job whose maker failed is not run. `on` is told what happens, and stores what is done.
pub fn run(jobs: &[Job<'_>], limits: &Limits, worker: &WorkerCommand, on: &mut dyn FnMut(Happening<'_>) -> Result<()>) -> Result<()> {
    let (tx, rx) = channel();
    let mut executor = Executor {
        jobs,
        limits,
        worker,
        tx,
        waiting: (0..jobs.len()).collect(),
        running: HashMap::new(),
        done: HashSet::new(),
        answers: HashMap::new(),
        retried: HashSet::new(),
    };
    let result = executor.run(&rx, on);
    // Whatever went wrong, no worker outlives the run.
    for running in executor.running.values_mut() {
        let _ = running.child.kill();
        let _ = running.child.wait();
    }
    result
}

struct Executor<'a> {
    jobs: &'a [Job<'a>],
    limits: &'a Limits,
    worker: &'a WorkerCommand,
    tx: Sender<Event>,
    waiting: Vec<usize>,
    running: HashMap<usize, Running>,
    done: HashSet<usize>,
    answers: HashMap<usize, (std::result::Result<Outcome, RecipeError>, Usage)>,
    retried: HashSet<usize>,
}

impl Executor<'_> {
    fn run(&mut self, rx: &Receiver<Event>, on: &mut dyn FnMut(Happening<'_>) -> Result<()>) -> Result<()> {
        loop {
            self.start_what_can_be(on)?;
            if self.running.is_empty() {
                return Ok(());
            }
            match rx.recv_timeout(Duration::from_millis(200)) {
                Ok(Event::Line(index, Message::Progress(fraction, what))) => {
                    on(Happening::Progress(self.jobs[index].task, fraction, &what))?;
                }
                Ok(Event::Line(index, Message::Done(outcome, usage))) => {
                    self.answers.insert(index, (Ok(outcome), usage));
                }
                Ok(Event::Line(index, Message::Failed(error, usage))) => {
                    self.answers.insert(index, (Err(error), usage));
                }
                Ok(Event::Ended(index, log)) => self.ended(index, log, on)?,
                Err(RecvTimeoutError::Timeout) => self.end_overdue(),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn start_what_can_be(&mut self, on: &mut dyn FnMut(Happening<'_>) -> Result<()>) -> Result<()> {
        loop {
            let used_threads: usize = self.running.values().map(|r| r.threads).sum();
            let used_memory: u64 = self.running.values().map(|r| r.memory).sum();
            let ready: Vec<usize> =
                self.waiting.iter().copied().filter(|&i| self.jobs[i].after.iter().all(|a| self.done.contains(a))).collect();
            let fits = |&i: &usize| {
                self.running.is_empty()
                    || (used_threads < self.limits.threads && used_memory + self.jobs[i].task.memory <= self.limits.memory)
            };
            let Some(next) = ready.iter().copied().find(|i| fits(i)) else { return Ok(()) };
            // Few tasks on many cores: each gets its share.
            let free = self.limits.threads.saturating_sub(used_threads).max(1);
            let threads = (free / ready.len()).max(1);
            self.waiting.retain(|&i| i != next);
            self.start(next, threads)?;
            on(Happening::Started(self.jobs[next].task))?;
        }
    }

    fn start(&mut self, index: usize, threads: usize) -> Result<()> {
        let task = self.jobs[index].task;
        let mut child = Command::new(&self.worker.program)
            .args(&self.worker.arguments)
            .env("OPENBLAS_NUM_THREADS", "1")
            .env("RAYON_NUM_THREADS", threads.to_string())
            // Planes of many megabytes on huge pages: a tenth of the page faults (glibc 2.35 and newer; others ignore it).
            .env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io("cannot start a worker", &self.worker.program))?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(Error::Inconsistent("a worker has no standard streams".into()));
        };
        let mut line = serde_json::to_vec(task).map_err(|e| Error::Inconsistent(e.to_string()))?;
        line.push(b'\n');
        // A worker that dies at once closes its end; its exit is reported below.
        let _ = stdin.write_all(&line);
        let tx = self.tx.clone();
        std::thread::spawn(move || listen(index, stdout, stderr, &tx));
        let running = Running { child, since: Instant::now(), memory: task.memory, threads, _stdin: stdin, timed_out: false };
        self.running.insert(index, running);
        Ok(())
    }

    fn ended(&mut self, index: usize, log: String, on: &mut dyn FnMut(Happening<'_>) -> Result<()>) -> Result<()> {
        let Some(mut running) = self.running.remove(&index) else { return Ok(()) };
        let status = running.child.wait().map_err(Error::io("cannot wait for a worker", &self.worker.program))?;
        let answer = self.answers.remove(&index);
        let died = answer.is_none();
        if died && !running.timed_out && self.retried.insert(index) {
            // Killed from outside or out of memory: once more, and then with the machine to itself.
            self.waiting.insert(0, index);
            return Ok(());
        }
        let (result, usage) = answer.unwrap_or_else(|| (Err(self.death(&status, &running)), Usage::default()));
        // What needs a bad product waits: the plan is made again without it.
        if result.as_ref().is_ok_and(|outcome| outcome.grade() != ifured_core::Grade::Bad && !outcome.products.is_empty()) {
            self.done.insert(index);
        }
        let finished = Finished { index, result, usage, seconds: running.since.elapsed().as_secs_f64(), log, died };
        on(Happening::Finished(self.jobs[index].task, &finished))
    }

    fn death(&self, status: &std::process::ExitStatus, running: &Running) -> RecipeError {
        use std::os::unix::process::ExitStatusExt;
        if running.timed_out {
            let limit = self.limits.task_time.unwrap_or_default().as_secs_f64() / 60.0;
            return RecipeError::new(
                format!("the task took longer than {limit} minutes and was ended"),
                "raise resources.task_minutes, or see the task's log for what it was doing",
            );
        }
        let how = match (status.signal(), status.code()) {
            (Some(9), _) => "killed (signal 9: by someone, or by the system for lack of memory)".to_owned(),
            (Some(n), _) => format!("ended by signal {n}: a crash"),
            (None, Some(code)) => format!("exit code {code} without an answer"),
            (None, None) => "no exit status".to_owned(),
        };
        RecipeError::new(
            format!("the worker died twice: {how}"),
            "give the same command again; if memory is short, lower resources.memory_gb so that fewer tasks run at once",
        )
    }

    fn end_overdue(&mut self) {
        let Some(limit) = self.limits.task_time else { return };
        for running in self.running.values_mut().filter(|r| r.since.elapsed() > limit && !r.timed_out) {
            running.timed_out = true;
            let _ = running.child.kill();
        }
    }
}

fn listen(index: usize, stdout: impl Read, mut stderr: impl Read + Send + 'static, tx: &Sender<Event>) {
    let log = std::thread::spawn(move || {
        let mut text = Vec::new();
        // A runaway log must not fill the memory.
        let _ = stderr.by_ref().take(1 << 20).read_to_end(&mut text);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        String::from_utf8_lossy(&text).into_owned()
    });
    for line in BufReader::new(stdout).lines().map_while(|l| l.ok()) {
        if let Ok(message) = serde_json::from_str(&line)
            && tx.send(Event::Line(index, message)).is_err()
        {
            return;
        }
    }
    let _ = tx.send(Event::Ended(index, log.join().unwrap_or_default()));
}

/// Memory that may be used: 80 % of what is free now, within the limit of the control group.
pub fn available_memory() -> u64 {
    let kib = |name: &str| -> Option<u64> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|l| l.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|k| k * 1024)
    };
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|t| t.trim().parse::<u64>().ok());
    let free = kib("MemAvailable:").unwrap_or(4 << 30);
    free.min(group.unwrap_or(u64::MAX)) / 5 * 4
}
