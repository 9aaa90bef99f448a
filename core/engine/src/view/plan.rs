//! A plan as an answer: tasks with their choices and candidates, what is blocked, what is left out.

use ifured_core::recipe::{MissingInput, TaskInput, TaskOutput};
use ifured_core::{EngineName, TaskId};
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

/// One task: its fields, with the reasons in words.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TaskView {
    /// Identity.
    pub id: TaskId,
    /// Name of the instrument.
    pub instrument: String,
    /// Content hash of the plugin library, if the instrument is not built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Name of the recipe.
    pub recipe: String,
    /// Version of the recipe.
    pub recipe_version: u32,
    /// The engine that does the work.
    pub engine: EngineName,
    /// The recipe of another program that does the work, with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// Parameters, complete.
    pub parameters: serde_json::Value,
    /// Night of the first main frame.
    pub night: String,
    /// Signature of the group.
    pub signature: String,
    /// Extension that it is about; none for whole frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Frames, main ones first.
    pub inputs: Vec<InputView>,
    /// Products to write.
    pub outputs: Vec<TaskOutput>,
    /// Optional inputs that were not found.
    pub missing: Vec<MissingView>,
    /// Quality level: the worst of all inputs.
    pub level: i32,
    /// Estimated memory in bytes.
    pub memory: u64,
    /// How far it is.
    pub state: TaskState,
    /// Identities of the tasks whose products it needs.
    pub depends_on: Vec<TaskId>,
    /// All candidates for its inputs.
    pub associations: Vec<AssociationView>,
}

/// A frame that goes into a task.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InputView {
    /// The frame.
    #[serde(flatten)]
    pub input: TaskInput,
    /// Why it was chosen, in words.
    pub why: String,
}

/// An input that was not found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MissingView {
    /// The input, and what is done without.
    #[serde(flatten)]
    pub missing: MissingInput,
    /// Why it is missing, in words.
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
    let task = planned.task.clone();
    let missing = |(missing, lack): (MissingInput, &Lack)| MissingView { missing, why: lack.to_string(), reason: lack.clone() };
    TaskView {
        id: task.id,
        instrument: task.instrument,
        plugin: task.plugin,
        recipe: task.recipe,
        recipe_version: task.recipe_version,
        engine: task.engine,
        external: task.external,
        parameters: task.parameters,
        night: task.night,
        signature: task.signature,
        extension: task.extension,
        inputs: task.inputs.into_iter().map(|input| InputView { why: input.choice.to_string(), input }).collect(),
        outputs: task.outputs,
        missing: task.missing.into_iter().zip(&planned.lacks).map(missing).collect(),
        level: task.level,
        memory: task.memory,
        state,
        depends_on: plan.needs(place).iter().map(|&maker| plan.at(maker).task.id.clone()).collect(),
        associations: plan.associations(planned).into_iter().map(association).collect(),
    }
}

fn association(a: Association) -> AssociationView {
    let candidate = |c: crate::plan::associate::Candidate| CandidateView { level: c.level(), why: c.why(), candidate: c };
    AssociationView { role: a.role.to_string(), chosen: a.chosen, candidates: a.candidates.into_iter().map(candidate).collect() }
}
