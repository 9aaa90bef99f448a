//! A plan as an answer: tasks with their choices and candidates, what is blocked, what is left out.

use ifured_core::Task;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan_groups::PlanGroups;
use super::{Snapshot, TaskState};
use crate::error::Result;
use crate::plan::associate::Association;
use crate::plan::reason::{Lack, Note, Skip};
use crate::plan::{Blocked, Plan, PlannedTask};

/// A plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanView {
    /// Name of the instrument.
    pub instrument: String,
    /// The tasks, each after those that it needs.
    pub tasks: Vec<TaskView>,
    /// What cannot be done.
    pub blocked: Vec<BlockedView>,
    /// What is left out on purpose.
    pub skipped: Vec<SkippedView>,
    /// What a person should know before it runs.
    pub notes: Vec<NoteView>,
    /// The same as a person reads it: what differs in the extension alone is one.
    pub groups: PlanGroups,
}

/// One task.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TaskView {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// How far it is.
    pub state: TaskState,
    /// Identities of the tasks whose products it needs.
    pub depends_on: Vec<String>,
    /// Why each of its missing inputs is missing, in their order.
    pub lacks: Vec<LackView>,
    /// All candidates for its inputs.
    pub associations: Vec<AssociationView>,
}

/// Why an input has nothing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LackView {
    /// The input.
    pub role: String,
    /// Why, in words.
    pub why: String,
    /// Why, as a value.
    pub reason: Lack,
}

/// All candidates for one input.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AssociationView {
    /// The input.
    pub role: String,
    /// Names of those that were taken.
    pub chosen: Vec<String>,
    /// All candidates, best first.
    pub candidates: Vec<CandidateView>,
}

/// One candidate.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CandidateView {
    /// Its level; none if it does not fit.
    pub level: Option<i32>,
    /// How it fits, or why not, in words.
    pub why: String,
    /// The same as values.
    #[serde(flatten)]
    pub candidate: crate::plan::associate::Candidate,
}

/// A group that cannot be reduced.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BlockedView {
    /// The group.
    #[serde(flatten)]
    pub blocked: Blocked,
    /// What is missing and why, in words; the reasons of the group are the same as values.
    pub why: String,
}

/// A group that is left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SkippedView {
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Names of the main frames.
    pub frames: Vec<String>,
    /// Why, in words.
    pub why: String,
    /// Why, as a value.
    pub reason: Skip,
}

/// A note.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NoteView {
    /// In words.
    pub text: String,
    /// As a value.
    pub note: Note,
}

impl PlanView {
    /// The view of a plan.
    ///
    /// # Errors
    /// If the snapshot was made without one.
    pub fn of(snapshot: &Snapshot) -> Result<Self> {
        let planned = snapshot.planned()?;
        let plan = &*planned.plan;
        let tasks = planned.tasks().enumerate();
        Ok(PlanView {
            instrument: plan.instrument.clone(),
            tasks: tasks.map(|(place, (task, standing))| task_view(plan, place, task, snapshot.state(task, standing))).collect(),
            blocked: plan.blocked.iter().map(|b| BlockedView { why: b.why(), blocked: b.clone() }).collect(),
            skipped: plan
                .skipped
                .iter()
                .map(|s| SkippedView {
                    recipe: s.recipe.clone(),
                    night: s.night.clone(),
                    frames: s.frames.clone(),
                    why: s.reason.to_string(),
                    reason: s.reason.clone(),
                })
                .collect(),
            notes: plan.notes.iter().map(|n| NoteView { text: n.to_string(), note: n.clone() }).collect(),
            groups: PlanGroups::of(planned),
        })
    }
}

fn task_view(plan: &Plan, place: usize, planned: &PlannedTask, state: TaskState) -> TaskView {
    let lack = |(m, lack): (&ifured_core::recipe::MissingInput, &Lack)| LackView {
        role: m.role.to_string(),
        why: lack.to_string(),
        reason: lack.clone(),
    };
    TaskView {
        task: planned.task.clone(),
        state,
        depends_on: plan.needs(place).iter().map(|&maker| plan.at(maker).task.id.to_string()).collect(),
        lacks: planned.task.missing.iter().zip(&planned.lacks).map(lack).collect(),
        associations: plan.associations(planned).into_iter().map(association).collect(),
    }
}

fn association(a: Association) -> AssociationView {
    let candidate = |c: crate::plan::associate::Candidate| CandidateView { level: c.level(), why: c.why(), candidate: c };
    AssociationView { role: a.role.to_string(), chosen: a.chosen, candidates: a.candidates.into_iter().map(candidate).collect() }
}
