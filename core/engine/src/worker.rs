//! The worker's side of a task.

use std::io::{BufRead, Read, Write};
use std::sync::Mutex;

use ifured_core::{Host, LoadedInstrument, RecipeError, Task};

use crate::execute::{Message, Usage};

/// Reads one task from standard input, runs it, answers on standard output. Ends the process when standard input closes,
/// for then the run that wants the answer is gone. Gives the exit code.
pub fn serve(instruments: &[LoadedInstrument]) -> u8 {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let task: Task = match read.map_err(|e| e.to_string()).and_then(|_| serde_json::from_str(&line).map_err(|e| e.to_string())) {
        Ok(task) => task,
        Err(e) => {
            say(&Message::Failed(RecipeError::new(format!("no task on standard input: {e}"), ""), Usage::default()));
            return 2;
        }
    };
    std::thread::spawn(|| {
        let mut rest = [0u8; 64];
        while matches!(std::io::stdin().read(&mut rest), Ok(n) if n > 0) {}
        std::process::exit(4);
    });
    let host = WorkerHost { last: Mutex::new(std::time::Instant::now()) };
    let (message, code) = match run(instruments, &task, &host) {
        Ok(outcome) => (Message::Done(outcome, usage()), 0),
        Err(error) => (Message::Failed(error, usage()), 1),
    };
    say(&message);
    code
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
    instrument.run(task, host)
}

struct WorkerHost {
    last: Mutex<std::time::Instant>,
}

impl Host for WorkerHost {
    fn progress(&self, fraction: f64, what: &str) {
        let Ok(mut last) = self.last.lock() else { return };
        if last.elapsed().as_millis() > 100 {
            *last = std::time::Instant::now();
            say(&Message::Progress(fraction, what.to_owned()));
        }
    }

    fn threads(&self) -> usize {
        std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
    }
}

fn say(message: &Message) {
    if let Ok(mut line) = serde_json::to_string(message) {
        line.push('\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(line.as_bytes());
        let _ = out.flush();
    }
}

/// What this process has used so far, as the system counts it.
pub fn usage() -> Usage {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    let io = read("/proc/self/io");
    let number = |text: &str, name: &str| -> u64 {
        text.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    // Fields 14 and 15 of /proc/self/stat, counted after the name in parentheses, in ticks of 10 ms.
    let stat = read("/proc/self/stat");
    let after_name: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|&i| after_name.get(i)?.parse::<f64>().ok()).sum();
    Usage {
        cpu_seconds: ticks / 100.0,
        peak_memory: number(&status, "VmHWM:") * 1024,
        bytes_read: number(&io, "rchar:"),
        bytes_written: number(&io, "wchar:"),
    }
}
