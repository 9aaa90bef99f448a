//! An executor that runs nothing: a function says how each task ends. For tests of what is made of that.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::time::SystemTime;

use ifured_core::{Task, TaskId};

use super::{Executor, Happening, Job, settles};
use crate::attempt::{Attempt, Cost, Ending};
use crate::error::Result;

/// An executor that runs nothing.
pub struct NullExecutor<F> {
    output: PathBuf,
    ending: F,
    waiting: VecDeque<Job>,
    settled: HashSet<TaskId>,
    /// The tasks in the order in which they were run.
    pub ran: Vec<TaskId>,
}

impl<F: FnMut(&Task) -> Ending> NullExecutor<F> {
    /// One whose records go into the journal of an output directory.
    pub fn new(output: PathBuf, ending: F) -> Self {
        NullExecutor { output, ending, waiting: VecDeque::new(), settled: HashSet::new(), ran: Vec::new() }
    }
}

impl<F: FnMut(&Task) -> Ending> Executor for NullExecutor<F> {
    fn submit(&mut self, jobs: Vec<Job>) -> Result<()> {
        self.waiting.extend(jobs);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Happening>> {
        let Some(at) = self.waiting.iter().position(|job| job.after.iter().all(|id| self.settled.contains(id))) else {
            self.waiting.clear();
            return Ok(None);
        };
        let Some(job) = self.waiting.remove(at) else { return Ok(None) };
        let ending = (self.ending)(&job.task);
        let attempt = Attempt::of(&job.task, job.run, SystemTime::now(), ending, Cost::default(), String::new());
        self.ran.push(job.task.id.clone());
        if settles(&attempt) {
            self.settled.insert(job.task.id);
        }
        let record = attempt.write(&self.output)?;
        Ok(Some(Happening::Ended { record, attempt: Box::new(attempt) }))
    }
}
