//! The worker's side of a task.

use std::fs::File;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ifured_core::{EngineName, Host, LoadedInstrument, RecipeError, Task};

use crate::execute::process::{END_OF_LOG, Message, Order};
use crate::usage::{Usage, usage};

/// Reads tasks from standard input, a line of JSON each, runs them and writes into `answers`, which is standard output (see
/// [`take_stdout`](crate::answers::take_stdout)). Ends the process when standard
/// input closes, for then the run that wants the answers is gone. Gives the exit code.
pub fn serve(instruments: &[LoadedInstrument], answers: File) -> u8 {
    let (tx, tasks) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(|l| l.ok()) {
            let _ = tx.send(line);
        }
        std::process::exit(4);
    });
    let voice = Arc::new(Voice { last: Mutex::new(Instant::now()), answers: Mutex::new(answers) });
    let mut before = Usage::default();
    for line in tasks {
        let result = serde_json::from_str(&line).map_err(|e| RecipeError::new(format!("no order on standard input: {e}"), "")).and_then(
            |order: Order| {
                let host = WorkerHost::of(&order, voice.clone());
                run(instruments, &order.task, &host)
            },
        );
        let now = usage();
        let cost = now.since(&before);
        before = now;
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(&[END_OF_LOG]).and_then(|()| stderr.flush());
        drop(stderr);
        voice.say(&match result {
            Ok(outcome) => Message::Done(outcome, cost),
            Err(error) => Message::Failed(error, cost),
        });
        forget_peak_memory();
    }
    0
}

/// Runs one task in this process.
pub fn run(instruments: &[LoadedInstrument], task: &Task, host: &dyn Host) -> Result<ifured_core::Outcome, RecipeError> {
    let instrument = instruments
        .iter()
        .find(|i| i.description().is_called(&task.instrument))
        .ok_or_else(|| RecipeError::new(format!("no instrument `{}`", task.instrument), "load its plugin as the planning command did"))?;
    for output in &task.outputs {
        if let Some(directory) = output.path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|e| RecipeError::new(format!("cannot create {}: {e}", directory.display()), "choose another --output DIR"))?;
        }
    }
    if task.engine == EngineName::BOTH {
        return ifured_pixels::compare::run(task, host);
    }
    instrument.run(task, host)
}

/// What answers the run.
struct Voice {
    last: Mutex<Instant>,
    answers: Mutex<File>,
}

impl Voice {
    fn say(&self, message: &Message) {
        if let (Ok(mut line), Ok(mut answers)) = (serde_json::to_string(message), self.answers.lock()) {
            line.push('\n');
            let _ = answers.write_all(line.as_bytes());
        }
    }
}

/// What a task in a worker can ask for: what the order says.
struct WorkerHost {
    voice: Arc<Voice>,
    since: Instant,
    time: Option<Duration>,
    memory: u64,
    threads: usize,
    scratch: PathBuf,
}

impl WorkerHost {
    fn of(order: &Order, voice: Arc<Voice>) -> Self {
        let time = order.seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        WorkerHost { voice, since: Instant::now(), time, memory: order.memory, threads: order.threads, scratch: order.scratch.clone() }
    }
}

impl Host for WorkerHost {
    fn progress(&self, fraction: f64, what: &str) {
        let Ok(mut last) = self.voice.last.lock() else { return };
        if last.elapsed().as_millis() > 100 {
            *last = Instant::now();
            self.voice.say(&Message::Progress(fraction, what.to_owned()));
        }
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn time_left(&self) -> Option<Duration> {
        self.time.map(|time| time.saturating_sub(self.since.elapsed()))
    }

    fn memory(&self) -> Option<u64> {
        Some(self.memory)
    }

    fn scratch(&self) -> Option<PathBuf> {
        Some(self.scratch.clone())
    }
}

/// Lets the system count the peak of the resident memory anew. Where it cannot, the peak stays that of the largest task.
fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
