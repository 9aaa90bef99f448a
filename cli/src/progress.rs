//! What the user sees while things happen: one line a running task on a terminal, plain lines in a pipe.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ifured_core::{Grade, Task, TaskId};
use ifured_engine::attempt::Attempt;
use ifured_engine::execute::Happening;
use ifured_engine::session::Reporter;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::commands::tell;

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Loudness {
    Quiet,
    Normal,
    Verbose,
}

/// Tells the user on standard error.
pub struct Progress {
    loudness: Loudness,
    terminal: bool,
    bars: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    scanning: Option<ProgressBar>,
    overall: Option<ProgressBar>,
    tasks: HashMap<TaskId, ProgressBar>,
    last_scan_line: Option<Instant>,
    finished: usize,
    to_do: usize,
}

impl Progress {
    pub fn new(loudness: Loudness) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Progress { loudness, terminal, bars: MultiProgress::new(), state: Mutex::default() }
    }

    fn line(&self, text: &str) {
        if self.terminal {
            let _ = self.bars.println(text);
        } else {
            tell(text);
        }
    }

    /// Takes the progress lines away.
    pub fn finish(&self) {
        let _ = self.bars.clear();
    }

    fn show(&self) -> bool {
        self.loudness > Loudness::Quiet
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What a task is about, in a few words.
pub fn title(recipe: &str, name: &str) -> String {
    format!("{recipe:<20} {name}")
}

impl Reporter for Progress {
    fn scanning(&self, done: usize, all: usize) {
        if !self.show() {
            return;
        }
        let Ok(mut state) = self.state.lock() else { return };
        if self.terminal {
            let bar = state.scanning.get_or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new(all as u64));
                bar.set_style(style("  reading {pos}/{len} files {bar:30} {eta}"));
                bar
            });
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            if done == all {
                bar.finish_and_clear();
                state.scanning = None;
            }
        } else if done == all || state.last_scan_line.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(10) {
            state.last_scan_line = Some(Instant::now());
            tell(&format!("read {done} of {all} files"));
        }
    }

    fn note(&self, text: &str) {
        if self.show() {
            self.line(&format!("note: {text}"));
        }
    }

    fn planned(&self, tasks: usize, done: usize) {
        if !self.show() {
            return;
        }
        let Ok(mut state) = self.state.lock() else { return };
        state.to_do = tasks - done;
        if state.to_do == 0 {
            let text = if tasks == 0 { "no task can run".to_owned() } else { format!("{tasks} tasks, all of them done already") };
            self.line(&text);
            return;
        }
        self.line(&format!("{tasks} tasks, {done} of them done already"));
        if self.terminal {
            let bar = self.bars.add(ProgressBar::new(state.to_do as u64));
            bar.set_style(style("  {pos}/{len} tasks {bar:30} {elapsed} gone, {eta} to go"));
            state.overall = Some(bar);
        }
    }

    fn happening(&self, task: &Task, happening: &Happening) {
        if !self.show() {
            return;
        }
        let Ok(mut state) = self.state.lock() else { return };
        match happening {
            Happening::Started(_) if self.terminal => {
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(style("  {spinner} {msg}"));
                bar.set_message(title(&task.recipe, task.name()));
                bar.enable_steady_tick(Duration::from_millis(120));
                state.tasks.insert(task.id.clone(), bar);
            }
            Happening::Progress { fraction, what, .. } => {
                if let Some(bar) = state.tasks.get(&task.id) {
                    bar.set_message(format!("{}  {:.0} % {what}", title(&task.recipe, task.name()), fraction * 100.0));
                }
            }
            Happening::Ended { attempt, .. } => {
                if let Some(bar) = state.tasks.remove(&task.id) {
                    bar.finish_and_clear();
                }
                state.finished += 1;
                if let Some(bar) = &state.overall {
                    bar.inc(1);
                }
                self.ended(task, attempt, state.finished, state.to_do);
            }
            Happening::Started(_) => {}
        }
    }
}

impl Progress {
    fn ended(&self, task: &Task, attempt: &Attempt, n: usize, of: usize) {
        let of = of.max(n);
        match (attempt.cause(), attempt.outcome()) {
            (Some(cause), _) => self.line(&format!("[{n}/{of}] FAILED {}: {}", title(&task.recipe, task.name()), cause.error().what)),
            (None, None) => {}
            (None, Some(outcome)) => {
                let grade = match outcome.grade() {
                    Grade::Good => "",
                    Grade::Questionable => "  questionable",
                    Grade::Bad => "  BAD: not used as a calibration",
                };
                let level = if task.level > 0 { format!("  level {}", task.level) } else { String::new() };
                self.line(&format!("[{n}/{of}] {}  {:.1} s{level}{grade}", title(&task.recipe, task.name()), attempt.cost.seconds));
                for rejected in &outcome.rejected {
                    self.line(&format!("        left out {}: {}", rejected.name, rejected.why));
                }
                if self.loudness == Loudness::Verbose {
                    for q in &outcome.quality {
                        let value = q.value.map_or("-".to_owned(), |v| format!("{v:.5}"));
                        self.line(&format!("        {:<24} {value} {}", q.name, q.unit));
                    }
                    for note in &outcome.notes {
                        self.line(&format!("        {note}"));
                    }
                }
            }
        }
    }
}
