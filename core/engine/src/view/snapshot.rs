//! All that is known of a reduction at one moment.

use std::path::Path;
use std::sync::Arc;

use ifured_core::{InstrumentDescription, TaskId};

use crate::catalogue::{Known, LastAttempt, RunRow};
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameState};
use crate::hints::HintFile;
use crate::plan::{Plan, PlannedTask};
use crate::standing::Standing;
use crate::view::TaskState;

/// A reduction at one moment: everything that views are made of, without lock and without connection. Cheap to clone and to send.
#[derive(Clone)]
pub struct Snapshot {
    /// Output directory, absolute.
    pub output: Arc<Path>,
    /// The instrument, with the configuration's changes.
    pub instrument: Arc<InstrumentDescription>,
    /// The configuration as it was resolved.
    pub config_text: Arc<str>,
    /// All raw frames, by name.
    pub frames: Arc<[Arc<Frame>]>,
    /// What others say of which frames belong together.
    pub hints: Arc<[HintFile]>,
    /// What is known of tasks and products.
    pub known: Arc<Known>,
    /// The last run of the command.
    pub last_run: Option<Arc<RunRow>>,
    /// Files that were read now, if any directory was scanned.
    pub read_now: usize,
    /// The plan and how its tasks stand; none where only frames and products are looked at, which need no plan.
    pub planned: Option<Planned>,
}

/// A plan and how each of its tasks stands, in the order of the plan.
#[derive(Clone)]
pub struct Planned {
    /// The plan.
    pub plan: Arc<Plan>,
    /// How each task stands.
    pub standings: Arc<[Standing]>,
}

/// A snapshot is handed to threads that render it.
const _: () = {
    const fn is_shareable<T: Send + Sync + Clone>() {}
    is_shareable::<Snapshot>();
};

impl Planned {
    /// A plan with how its tasks stand.
    pub fn new(plan: Plan, standings: Vec<Standing>) -> Self {
        Planned { plan: Arc::new(plan), standings: standings.into() }
    }

    /// The tasks, each with how it stands.
    pub fn tasks(&self) -> impl Iterator<Item = (&PlannedTask, &Standing)> {
        self.plan.tasks().zip(self.standings.iter())
    }
}

impl Snapshot {
    /// The plan with how its tasks stand.
    ///
    /// # Errors
    /// If the snapshot was made without one, which is a fault of this program.
    pub fn planned(&self) -> Result<&Planned> {
        self.planned.as_ref().ok_or_else(|| Error::Inconsistent("this view needs a plan".into()))
    }

    /// Frames that cannot be used and should have been.
    pub fn refused(&self) -> impl Iterator<Item = &Arc<Frame>> {
        self.frames.iter().filter(|f| f.state == FrameState::Refused)
    }

    /// The last attempt at a task.
    pub fn last_attempt(&self, task: &TaskId) -> Option<&LastAttempt> {
        self.known.attempts.get(task)
    }

    /// The state of a task: products that are there and verified count, also where a later attempt to make them again failed.
    pub fn state(&self, planned: &PlannedTask, standing: &Standing) -> TaskState {
        let failed = || self.last_attempt(&planned.task.id).is_some_and(|last| last.attempt.cause().is_some());
        match standing {
            Standing::Done(_) => TaskState::Done,
            Standing::ToDo(_) if failed() => TaskState::Failed,
            Standing::ToDo(_) => TaskState::ToDo,
        }
    }
}
