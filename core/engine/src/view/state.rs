//! The states of tasks and groups, with the words for them.

use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::Serialize;

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum TaskState {
    /// Its products are there and verified, or there was nothing to make.
    #[serde(rename = "done")]
    Done,
    /// The last attempt failed.
    #[serde(rename = "failed")]
    Failed,
    /// It is still to be run.
    #[serde(rename = "to do")]
    ToDo,
    /// The plan has no such task, but its products are there: another plan made them.
    #[serde(rename = "not planned")]
    NotPlanned,
}

impl TaskState {
    /// The word in lists and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskState::Done => "done",
            TaskState::Failed => "failed",
            TaskState::ToDo => "to do",
            TaskState::NotPlanned => "not planned",
        }
    }
}

impl Display for TaskState {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What becomes of a group of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// A task reduces it.
    Planned,
    /// Something required is missing.
    Blocked,
    /// It is left out on purpose.
    Skipped,
}

impl GroupState {
    /// The word in lists and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            GroupState::Planned => "planned",
            GroupState::Blocked => "blocked",
            GroupState::Skipped => "skipped",
        }
    }
}
