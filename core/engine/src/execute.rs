//! Execution: every task in a worker process, as many at once as cores and memory allow. A crash, a kill or a runaway plugin
//! costs one task.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use ifured_core::recipe::Outcome;
use ifured_core::{RecipeError, Task};

use crate::error::{Error, Result};
use crate::usage::Usage;
use crate::worker_process::{Event, WorkerCommand, WorkerProcess};

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
    /// Which job it does.
    index: usize,
    worker: WorkerProcess,
    since: Instant,
    timed_out: bool,
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
        idle: Vec::new(),
        workers: 0,
        done: HashSet::new(),
        retried: HashSet::new(),
    };
    let result = executor.run(&rx, on);
    // Whatever went wrong, no worker outlives the run.
    for worker in executor.running.into_values().map(|r| r.worker).chain(executor.idle) {
        let _ = worker.end();
    }
    result
}

struct Executor<'a> {
    jobs: &'a [Job<'a>],
    limits: &'a Limits,
    worker: &'a WorkerCommand,
    tx: Sender<Event>,
    waiting: Vec<usize>,
    /// By the number of the worker.
    running: HashMap<usize, Running>,
    /// Workers that wait for a task.
    idle: Vec<WorkerProcess>,
    /// Number of workers started.
    workers: usize,
    done: HashSet<usize>,
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
                Ok(Event::Progress(number, fraction, what)) => {
                    if let Some(running) = self.running.get(&number) {
                        on(Happening::Progress(self.jobs[running.index].task, fraction, &what))?;
                    }
                }
                Ok(Event::Answered(number, result, usage, log)) => self.answered(number, result, usage, log, on)?,
                Ok(Event::Died(number, log)) => self.died(number, log, on)?,
                Err(RecvTimeoutError::Timeout) => self.end_overdue(),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn start_what_can_be(&mut self, on: &mut dyn FnMut(Happening<'_>) -> Result<()>) -> Result<()> {
        loop {
            let used_threads: usize = self.running.values().map(|r| r.worker.threads).sum();
            let used_memory: u64 = self.running.values().map(|r| self.jobs[r.index].task.memory).sum();
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

    /// Gives a job to an idle worker of that many threads, or to a new one.
    fn start(&mut self, index: usize, threads: usize) -> Result<()> {
        let fitting = self.idle.iter().position(|w| w.threads == threads);
        let mut worker = match fitting {
            Some(n) => self.idle.swap_remove(n),
            None => {
                // Those that wait hold memory.
                for worker in self.idle.drain(..) {
                    let _ = worker.end();
                }
                self.workers += 1;
                WorkerProcess::start(self.worker, self.workers, threads, self.limits.task_time, &self.tx)?
            }
        };
        worker.give(self.jobs[index].task)?;
        self.running.insert(worker.number, Running { index, worker, since: Instant::now(), timed_out: false });
        Ok(())
    }

    fn answered(
        &mut self,
        number: usize,
        result: std::result::Result<Outcome, RecipeError>,
        usage: Usage,
        log: String,
        on: &mut dyn FnMut(Happening<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(Running { index, worker, since, .. }) = self.running.remove(&number) else { return Ok(()) };
        if result.is_ok() {
            self.idle.push(worker);
        } else {
            let _ = worker.end();
        }
        // What needs a bad product waits: the plan is made again without it.
        if result.as_ref().is_ok_and(|outcome| outcome.grade() != ifured_core::Grade::Bad && !outcome.products.is_empty()) {
            self.done.insert(index);
        }
        let finished = Finished { index, result, usage, seconds: since.elapsed().as_secs_f64(), log, died: false };
        on(Happening::Finished(self.jobs[index].task, &finished))
    }

    fn died(&mut self, number: usize, log: String, on: &mut dyn FnMut(Happening<'_>) -> Result<()>) -> Result<()> {
        if let Some(n) = self.idle.iter().position(|w| w.number == number) {
            let _ = self.idle.swap_remove(n).end();
        }
        let Some(Running { index, worker, since, timed_out }) = self.running.remove(&number) else { return Ok(()) };
        let status = worker.end().map_err(Error::io("cannot wait for a worker", &self.worker.program))?;
        if !timed_out && self.retried.insert(index) {
            // Killed from outside or out of memory: once more, and then with the machine to itself.
            self.waiting.insert(0, index);
            return Ok(());
        }
        let result = Err(self.death(&status, timed_out));
        let finished = Finished { index, result, usage: Usage::default(), seconds: since.elapsed().as_secs_f64(), log, died: true };
        on(Happening::Finished(self.jobs[index].task, &finished))
    }

    fn death(&self, status: &std::process::ExitStatus, timed_out: bool) -> RecipeError {
        use std::os::unix::process::ExitStatusExt;
        if timed_out {
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
            running.worker.kill();
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that is a shell script: `$n` is the number of its task, `$task` the task.
    fn shell(script: &str) -> WorkerCommand {
        let loop_ = format!("n=0; while read -r task; do n=$((n + 1)); {script}; done");
        WorkerCommand { program: "/bin/sh".into(), arguments: vec!["-c".into(), loop_.into()] }
    }

    /// Says in the log which process did it, then that it is done.
    const DONE: &str = r#"echo "pid $$" >&2; printf '\036' >&2; echo '{"done":[{"products":[{"tag":"T","name":"p","hash":"h","bytes":1}],"quality":[],"rejected":[],"notes":[]},{"cpu_seconds":0,"peak_memory":0,"bytes_read":0,"bytes_written":0}]}'"#;

    fn finished(worker: &WorkerCommand, tasks: usize, limit: Option<Duration>) -> Vec<(Option<String>, String, bool)> {
        let tasks: Vec<Task> = (0..tasks).map(|n| Task { id: format!("task{n}"), ..Task::default() }).collect();
        let jobs: Vec<Job<'_>> = tasks.iter().map(|task| Job { task, after: Vec::new() }).collect();
        let limits = Limits { threads: 1, memory: 1 << 30, task_time: limit };
        let mut all = Vec::new();
        run(&jobs, &limits, worker, &mut |happening| {
            if let Happening::Finished(_, f) = happening {
                all.push((f.result.as_ref().err().map(|e| e.what.clone()), f.log.clone(), f.died));
            }
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn one_worker_does_one_task_after_another() {
        let all = finished(&shell(DONE), 3, None);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|(error, log, died)| error.is_none() && !died && log.starts_with("pid ") && *log == all[0].1), "{all:?}");
    }

    #[test]
    fn a_worker_that_failed_a_task_is_not_used_again() {
        let failed = r#"echo "pid $$" >&2; printf '\036' >&2; echo '{"failed":[{"what":"no star","advice":""},{"cpu_seconds":0,"peak_memory":0,"bytes_read":0,"bytes_written":0}]}'"#;
        let all = finished(&shell(failed), 2, None);
        assert!(all.iter().all(|(error, _, died)| error.as_deref() == Some("no star") && !died), "{all:?}");
        assert_ne!(all[0].1, all[1].1);
    }

    #[test]
    fn a_death_in_the_second_task_costs_nothing_and_two_deaths_one_task() {
        // The second task of each worker kills it: what it did not do is done by the next one.
        let all = finished(&shell(&format!("if [ $n = 2 ]; then kill -9 $$; fi; {DONE}")), 3, None);
        assert!(all.len() == 3 && all.iter().all(|(error, ..)| error.is_none()), "{all:?}");
        let all = finished(&shell(&format!("case $task in *task1*) echo broken >&2; exit 7;; esac; {DONE}")), 3, None);
        let lost: Vec<_> = all.iter().filter(|(error, ..)| error.is_some()).collect();
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].0.as_deref(), Some("the worker died twice: exit code 7 without an answer"));
        assert_eq!((lost[0].1.as_str(), lost[0].2), ("broken\n", true));
    }

    #[test]
    fn a_task_that_takes_too_long_is_ended() {
        let all = finished(&shell("exec sleep 60"), 1, Some(Duration::from_millis(300)));
        assert!(all[0].0.as_deref().unwrap().starts_with("the task took longer than"), "{all:?}");
    }
}
