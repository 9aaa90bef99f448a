//! The executor of this machine: every task in a worker process, as many at once as cores and memory allow. A crash, a kill or a runaway plugin
//! costs one task.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use ifured_core::{Outcome, RecipeError, TaskId};

use super::process::{Event, Order, WorkerCommand, WorkerProcess};
use super::scratch::Scratch;
use super::{Executor, Happening, Job, Limits, settles};
use crate::attempt::{self, Attempt, Cause, Cost, Ending};
use crate::error::{Error, Result};
use crate::usage::Usage;

/// The executor of this machine.
pub struct LocalExecutor {
    output: PathBuf,
    limits: Limits,
    worker: WorkerCommand,
    tx: Sender<Event>,
    rx: Receiver<Event>,
    waiting: Vec<Job>,
    /// By the number of the worker.
    running: HashMap<usize, Running>,
    /// Workers that wait for a task.
    idle: Vec<WorkerProcess>,
    /// Number of workers started.
    workers: usize,
    settled: HashSet<TaskId>,
    retried: HashSet<TaskId>,
    /// What happened and was not told yet.
    told: VecDeque<Happening>,
}

/// A task that runs.
struct Running {
    job: Job,
    worker: WorkerProcess,
    _scratch: Scratch,
    since: Instant,
    started: SystemTime,
    timed_out: bool,
}

impl LocalExecutor {
    /// One whose products and records go below `output`.
    pub fn new(output: PathBuf, limits: Limits, worker: WorkerCommand) -> Self {
        let (tx, rx) = channel();
        LocalExecutor {
            output,
            limits,
            worker,
            tx,
            rx,
            waiting: Vec::new(),
            running: HashMap::new(),
            idle: Vec::new(),
            workers: 0,
            settled: HashSet::new(),
            retried: HashSet::new(),
            told: VecDeque::new(),
        }
    }

    fn start_what_can_be(&mut self) -> Result<()> {
        loop {
            let used_threads: usize = self.running.values().map(|r| r.worker.threads).sum();
            let used_memory: u64 = self.running.values().map(|r| r.job.task.memory).sum();
            let is_ready = |job: &Job| job.after.iter().all(|id| self.settled.contains(id));
            let ready: Vec<usize> = (0..self.waiting.len()).filter(|&i| is_ready(&self.waiting[i])).collect();
            let fits = |&i: &usize| {
                self.running.is_empty()
                    || (used_threads < self.limits.threads && used_memory + self.waiting[i].task.memory <= self.limits.memory)
            };
            let Some(next) = ready.iter().copied().find(|i| fits(i)) else { return Ok(()) };
            // Few tasks on many cores: each gets its share.
            let free = self.limits.threads.saturating_sub(used_threads).max(1);
            let threads = (free / ready.len()).max(1);
            let job = self.waiting.remove(next);
            self.told.push_back(Happening::Started(job.task.id.clone()));
            self.start(job, threads, self.limits.memory.saturating_sub(used_memory))?;
        }
    }

    /// Gives a job to an idle worker of that many threads, or to a new one.
    fn start(&mut self, job: Job, threads: usize, memory: u64) -> Result<()> {
        let fitting = self.idle.iter().position(|w| w.threads == threads);
        let mut worker = match fitting {
            Some(n) => self.idle.swap_remove(n),
            None => {
                // Those that wait hold memory.
                for worker in self.idle.drain(..) {
                    let _ = worker.end();
                }
                self.workers += 1;
                WorkerProcess::start(&self.worker, self.workers, threads, &self.tx)?
            }
        };
        let scratch = Scratch::new(&self.output, &job.task.id)?;
        worker.give(&Order {
            task: job.task.clone(),
            seconds: self.limits.task_time.map(|t| t.as_secs_f64()),
            memory: memory.max(job.task.memory),
            threads,
            scratch: scratch.path().to_owned(),
        })?;
        let (since, started) = (Instant::now(), SystemTime::now());
        self.running.insert(worker.number, Running { job, worker, _scratch: scratch, since, started, timed_out: false });
        Ok(())
    }

    fn answered(&mut self, number: usize, result: std::result::Result<Outcome, RecipeError>, usage: Usage, log: String) -> Result<()> {
        let Some(Running { job, worker, since, started, .. }) = self.running.remove(&number) else { return Ok(()) };
        if result.is_ok() {
            self.idle.push(worker);
        } else {
            let _ = worker.end();
        }
        let ending = match result {
            Ok(outcome) => Ending::Done { products: attempt::made(&outcome, &self.output), outcome },
            Err(error) => Ending::Failed { cause: Cause::Recipe(error) },
        };
        let cost = Cost { seconds: since.elapsed().as_secs_f64(), usage };
        self.ended(Attempt::of(&job.task, job.run, started, ending, cost, log))
    }

    fn died(&mut self, number: usize, log: String) -> Result<()> {
        if let Some(n) = self.idle.iter().position(|w| w.number == number) {
            let _ = self.idle.swap_remove(n).end();
        }
        let Some(Running { job, worker, since, started, timed_out, .. }) = self.running.remove(&number) else { return Ok(()) };
        let status = worker.end().map_err(Error::io("cannot wait for a worker", &self.worker.program))?;
        if !timed_out && self.retried.insert(job.task.id.clone()) {
            // Killed from outside or out of memory: once more.
            self.waiting.insert(0, job);
            return Ok(());
        }
        let cause = match timed_out {
            true => Cause::TimeLimit { minutes: self.limits.task_time.unwrap_or_default().as_secs_f64() / 60.0 },
            false => Cause::of_death(status),
        };
        let cost = Cost { seconds: since.elapsed().as_secs_f64(), usage: Usage::default() };
        self.ended(Attempt::of(&job.task, job.run, started, Ending::Failed { cause }, cost, log))
    }

    fn ended(&mut self, attempt: Attempt) -> Result<()> {
        if settles(&attempt) {
            self.settled.insert(attempt.task.id.clone());
        }
        let record = attempt.write(&self.output)?;
        self.told.push_back(Happening::Ended { record, attempt: Box::new(attempt) });
        Ok(())
    }

    fn end_overdue(&mut self) {
        let Some(limit) = self.limits.task_time else { return };
        for running in self.running.values_mut().filter(|r| r.since.elapsed() > limit && !r.timed_out) {
            running.timed_out = true;
            running.worker.kill();
        }
    }
}

impl Executor for LocalExecutor {
    fn submit(&mut self, jobs: Vec<Job>) -> Result<()> {
        self.waiting.extend(jobs);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Happening>> {
        loop {
            self.start_what_can_be()?;
            if let Some(happening) = self.told.pop_front() {
                return Ok(Some(happening));
            }
            if self.running.is_empty() {
                self.waiting.clear();
                return Ok(None);
            }
            match self.rx.recv_timeout(Duration::from_millis(200)) {
                Ok(Event::Progress(number, fraction, what)) => {
                    if let Some(running) = self.running.get(&number) {
                        return Ok(Some(Happening::Progress { task: running.job.task.id.clone(), fraction, what }));
                    }
                }
                Ok(Event::Answered(number, result, usage, log)) => self.answered(number, result, usage, log)?,
                Ok(Event::Died(number, log)) => self.died(number, log)?,
                Err(RecvTimeoutError::Timeout) => self.end_overdue(),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }
}

/// Whatever went wrong, no worker outlives the executor.
impl Drop for LocalExecutor {
    fn drop(&mut self) {
        for worker in self.running.drain().map(|(_, r)| r.worker).chain(self.idle.drain(..)) {
            let _ = worker.end();
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
    use ifured_core::Task;

    use super::*;

    /// A worker that is a shell script: `$n` is the number of its task, `$task` the task. What it is told after `--threads` is not used.
    fn shell(script: &str) -> WorkerCommand {
        let loop_ = format!("n=0; while read -r task; do n=$((n + 1)); {script}; done");
        WorkerCommand { program: "/bin/sh".into(), arguments: vec!["-c".into(), loop_.into()] }
    }

    /// Says in the log which process did it, then that it is done.
    const DONE: &str = r#"echo "pid $$" >&2; printf '\036' >&2; echo '{"done":[{"products":[{"tag":"T","name":"p","hash":"h","bytes":1}],"quality":[],"rejected":[],"notes":[]},{"cpu_seconds":0,"peak_memory":0,"bytes_read":0,"bytes_written":0}]}'"#;

    fn ended(worker: WorkerCommand, tasks: &[(&str, &[&str])], limit: Option<Duration>) -> Vec<Attempt> {
        let output = tempfile::tempdir().unwrap();
        let job = |(id, after): &(&str, &[&str])| Job {
            task: Task { id: (*id).into(), ..Task::default() },
            after: after.iter().map(|a| (*a).into()).collect(),
            run: Some(1),
        };
        let limits = Limits { threads: 1, memory: 1 << 30, task_time: limit };
        let mut executor = LocalExecutor::new(output.path().to_owned(), limits, worker);
        executor.submit(tasks.iter().map(job).collect()).unwrap();
        let mut all = Vec::new();
        while let Some(happening) = executor.next().unwrap() {
            if let Happening::Ended { record, attempt } = happening {
                assert_eq!(attempt::read(output.path(), &record).as_ref(), Some(&*attempt), "the journal has what was told");
                all.push(*attempt);
            }
        }
        drop(executor);
        assert!(super::super::scratch::abandoned(output.path()).is_empty());
        all
    }

    fn what(attempt: &Attempt) -> Option<String> {
        attempt.cause().map(|c| c.error().what)
    }

    #[test]
    fn one_worker_does_one_task_after_another() {
        let all = ended(shell(DONE), &[("a", &[]), ("b", &["a"]), ("c", &[])], None);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|a| what(a).is_none() && a.log.starts_with("pid ") && a.log == all[0].log), "{all:?}");
    }

    #[test]
    fn a_worker_that_failed_a_task_is_not_used_again_and_what_needs_it_does_not_run() {
        let failed = r#"echo "pid $$" >&2; printf '\036' >&2; echo '{"failed":[{"what":"no star","advice":""},{"cpu_seconds":0,"peak_memory":0,"bytes_read":0,"bytes_written":0}]}'"#;
        let all = ended(shell(failed), &[("a", &[]), ("b", &[]), ("c", &["a"])], None);
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|a| what(a).as_deref() == Some("no star")), "{all:?}");
        assert_ne!(all[0].log, all[1].log);
    }

    #[test]
    fn what_needs_a_doubtful_product_waits_for_another_plan() {
        let doubtful =
            DONE.replace(r#""quality":[]"#, r#""quality":[{"name":"N","value":1.0,"unit":"1","title":"","grade":"questionable"}]"#);
        let all = ended(shell(&doubtful), &[("a", &[]), ("b", &["a"])], None);
        assert_eq!(all.iter().map(|a| a.task.id.as_str()).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_death_in_the_second_task_costs_nothing_and_two_deaths_one_task() {
        // The second task of each worker kills it: what it did not do is done by the next one.
        let three: &[(&str, &[&str])] = &[("task0", &[]), ("task1", &[]), ("task2", &[])];
        let all = ended(shell(&format!("if [ $n = 2 ]; then kill -9 $$; fi; {DONE}")), three, None);
        assert!(all.len() == 3 && all.iter().all(|a| a.cause().is_none()), "{all:?}");
        let all = ended(shell(&format!("case $task in *task1*) echo broken >&2; exit 7;; esac; {DONE}")), three, None);
        let lost: Vec<_> = all.iter().filter(|a| a.cause().is_some()).collect();
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].cause(), Some(&Cause::NoAnswer { code: Some(7) }));
        assert_eq!(lost[0].log, "broken\n");
    }

    #[test]
    fn a_task_that_takes_too_long_is_ended() {
        let all = ended(shell("exec sleep 60"), &[("a", &[])], Some(Duration::from_millis(300)));
        assert!(matches!(all[0].cause(), Some(Cause::TimeLimit { .. })), "{all:?}");
    }
}
