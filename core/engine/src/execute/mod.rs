//! Execution: whoever runs tasks is an [`Executor`]. The one of this machine is [`local`]; one that runs nothing, for tests, is `null`.
//!
//! An executor takes jobs, starts each when those that it waits for are done, leaves a record of every attempt in the journal of the output
//! directory ([`crate::attempt`]), and tells what happens. It decides nothing: what a failed or doubtful product means for the plan is the business of
//! [`crate::reduce`].

pub mod local;
#[cfg(test)]
pub mod null;
pub mod process;
pub mod scratch;

use std::time::Duration;

use ifured_core::{Grade, Task, TaskId};

use crate::attempt::Attempt;
use crate::error::Result;

/// One task to be run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The task.
    pub task: Task,
    /// Tasks among the jobs that must be done before.
    pub after: Vec<TaskId>,
    /// Number of the run that it belongs to; none where a task is run alone.
    pub run: Option<i64>,
}

/// What happens while tasks run.
#[derive(Debug)]
pub enum Happening {
    /// A task starts.
    Started(TaskId),
    /// A task is so far.
    Progress {
        /// The task.
        task: TaskId,
        /// How far it is, from 0 to 1.
        fraction: f64,
        /// What is being done.
        what: String,
    },
    /// An attempt ended; its record is in the journal under that name.
    Ended {
        /// Name of the record.
        record: String,
        /// What it says.
        attempt: Box<Attempt>,
    },
}

impl Happening {
    /// The task that it happens to.
    pub fn task(&self) -> &TaskId {
        match self {
            Happening::Started(task) | Happening::Progress { task, .. } => task,
            Happening::Ended { attempt, .. } => &attempt.task.id,
        }
    }
}

/// Where tasks run.
pub trait Executor {
    /// Takes jobs over. A job is started once all that it waits for are settled (see [`settles`]).
    ///
    /// # Errors
    /// If they cannot be taken over.
    fn submit(&mut self, jobs: Vec<Job>) -> Result<()>;

    /// Waits for what happens next; none when nothing runs and nothing can be started any more. What still waits then is dropped.
    ///
    /// # Errors
    /// If tasks can no longer be run, or the record of an attempt cannot be written.
    fn next(&mut self) -> Result<Option<Happening>>;
}

/// Whether what needs the products of an attempt may go on with them. Where they are missing or not simply good, the plan is made again, with what is
/// known of them now.
pub fn settles(attempt: &Attempt) -> bool {
    attempt.outcome().is_some_and(|outcome| outcome.grade() == Grade::Good && !outcome.products.is_empty())
}

/// How much of the machine may be used.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Cores.
    pub threads: usize,
    /// Bytes of memory for all tasks together.
    pub memory: u64,
    /// Longest time for one task.
    pub task_time: Option<Duration>,
}
