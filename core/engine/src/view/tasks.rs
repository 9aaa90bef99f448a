//! Tasks of the plan, and those of others whose products are there, with what is known of the last attempt at each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ifured_core::recipe::{QualityNumber, TaskInput};
use ifured_core::{Grade, Role, Tag, Task, TaskId};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Planned, Snapshot, TaskState};
use crate::attempt::Cost;
use crate::frame::{Frame, FrameState};
use crate::plan::reason::{Defect, Lack};

/// One task.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TaskSummary {
    /// Its identity.
    pub id: TaskId,
    /// Its first product, or its first frame.
    pub name: String,
    /// Where its first product is or will be.
    pub path: String,
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// How far it is.
    pub state: TaskState,
    /// What went wrong in the last attempt, or why what it made is bad; empty if nothing is wrong.
    pub why: String,
    /// Quality level: the worst of all inputs.
    pub level: i32,
    /// Grade of what it made.
    pub grade: Option<Grade>,
    /// Number of main frames.
    pub frames: usize,
    /// Tag of its first product.
    pub tag: Option<Tag>,
    /// Tags of its products and main frames.
    pub tags: Vec<Tag>,
    /// Values that the group has in common.
    pub signature: String,
    /// Memory that it is planned with, in bytes.
    pub memory: u64,
    /// What the last attempt cost.
    pub cost: Option<Cost>,
    /// What it is calibrated with.
    pub calibrations: Vec<CalibrationView>,
    /// Quality numbers of what it made.
    pub quality: Vec<QualityNumber>,
    /// Number of main frames that were rejected.
    pub rejected: Option<usize>,
    /// The frame whose keywords it has: the first that it was made from.
    #[serde(skip)]
    #[schemars(skip)]
    pub frame: Option<Arc<Frame>>,
}

/// What one role of a task was filled with.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CalibrationView {
    /// The role: `bias`.
    pub role: Role,
    /// What was taken; empty if nothing was.
    pub names: Vec<String>,
    /// The worst level of it, or that of doing without.
    pub level: i32,
    /// Why it was taken, or why nothing was.
    pub why: String,
    /// Time of the first of it minus mean time of the main frames, in days, where both are known.
    pub days: Option<f64>,
}

/// All tasks in the order of the plan, then those of other plans whose products are still there.
pub fn tasks(snapshot: &Snapshot, planned: &Planned) -> Vec<TaskSummary> {
    let index = FrameIndex::of(snapshot);
    let not_planned = not_planned(snapshot, planned);
    let tasks = planned.plan.tasks().map(|p| &p.task).chain(not_planned.iter().copied());
    let outputs = tasks.flat_map(|task| task.outputs.iter().map(move |o| (o.name.as_str(), task)));
    // Of two tasks that make one product the plan's is the first.
    let mut makers: HashMap<&str, &Task> = HashMap::new();
    outputs.for_each(|(name, task)| {
        makers.entry(name).or_insert(task);
    });
    let of_plan = planned.tasks().map(|(planned, standing)| (&planned.task, &*planned.lacks, snapshot.state(planned, standing)));
    let of_others = not_planned.iter().map(|task| (*task, &[][..], TaskState::NotPlanned));
    of_plan.chain(of_others).map(|(task, lacks, state)| summary(snapshot, task, lacks, state, &index, &makers)).collect()
}

/// Tasks that the plan does not have and whose products are there, by name.
fn not_planned<'a>(snapshot: &'a Snapshot, planned: &Planned) -> Vec<&'a Task> {
    let of_plan: HashSet<&TaskId> = planned.plan.tasks().map(|p| &p.task.id).collect();
    let known = &snapshot.known;
    let makers: HashSet<&TaskId> = known.products.values().map(|p| &p.task).filter(|id| !of_plan.contains(id)).collect();
    let mut tasks: Vec<&Task> = makers.into_iter().filter_map(|id| known.tasks.get(id)).map(|row| &row.task).collect();
    tasks.sort_by(|a, b| (a.name(), &a.id).cmp(&(b.name(), &b.id)));
    tasks
}

fn summary(
    snapshot: &Snapshot,
    task: &Task,
    lacks: &[Lack],
    state: TaskState,
    index: &FrameIndex<'_>,
    makers: &HashMap<&str, &Task>,
) -> TaskSummary {
    let attempt = snapshot.last_attempt(&task.id).map(|last| &last.attempt);
    let made = snapshot.known.tasks.get(&task.id);
    TaskSummary {
        id: task.id.clone(),
        name: task.name().to_owned(),
        path: task.outputs.first().map(|o| o.path.display().to_string()).unwrap_or_default(),
        recipe: task.recipe.clone(),
        night: task.night.clone(),
        state,
        why: match (attempt.and_then(|a| a.cause()), made) {
            (Some(cause), _) => cause.error().what,
            (None, Some(made)) => Defect::of(&made.outcome).map_or_else(String::new, |defect| defect.to_string()),
            (None, None) => String::new(),
        },
        level: task.level,
        grade: made.map(|m| m.grade),
        frames: task.main().count(),
        tag: task.outputs.first().map(|o| o.tag.clone()),
        tags: tags_of(task),
        signature: task.signature.clone(),
        memory: task.memory,
        cost: attempt.map(|a| a.cost),
        calibrations: calibrations(task, lacks),
        quality: made.map(|m| m.outcome.quality.clone()).unwrap_or_default(),
        rejected: made.map(|m| m.outcome.rejected.len()),
        frame: task.main().next().and_then(|m| index.first(m, makers)).cloned(),
    }
}

/// Tags of the products and of the main frames, each once.
pub(super) fn tags_of(task: &Task) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    for tag in task.outputs.iter().map(|o| &o.tag).chain(task.main().map(|m| &m.tag)) {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    tags
}

/// What each role of a task was filled with; `lacks` says why the missing ones are missing, where that is known.
pub(super) fn calibrations(task: &Task, lacks: &[Lack]) -> Vec<CalibrationView> {
    let mut roles: Vec<&Role> = task.calibrations().map(|i| &i.role).collect();
    roles.dedup();
    let of_role = |role: &Role| {
        let inputs: Vec<&TaskInput> = task.role(role.as_str()).collect();
        let first = inputs.first();
        let days = first.and_then(|i| i.mjd).map(|mjd| mjd - mean_mjd(task)).filter(|d| d.is_finite());
        CalibrationView {
            role: role.clone(),
            names: inputs.iter().map(|i| i.name.clone()).collect(),
            level: inputs.iter().map(|i| i.level).max().unwrap_or(0),
            why: first.map_or_else(String::new, |i| i.choice.to_string()),
            days,
        }
    };
    let missing = task.missing.iter().enumerate().map(|(n, m)| CalibrationView {
        role: m.role.clone(),
        names: Vec::new(),
        level: m.level,
        why: lacks.get(n).map_or_else(String::new, ToString::to_string),
        days: None,
    });
    roles.into_iter().map(of_role).chain(missing).collect()
}

/// Mean time of the main frames; not a number if none has one.
pub(super) fn mean_mjd(task: &Task) -> f64 {
    let times: Vec<f64> = task.main().filter_map(|m| m.mjd).collect();
    times.iter().sum::<f64>() / times.len() as f64
}

/// Raw frames by content, and by file name: to find the first frame of a task.
pub(super) struct FrameIndex<'a> {
    by_hash: HashMap<&'a str, &'a Arc<Frame>>,
    by_name: HashMap<&'a str, &'a Arc<Frame>>,
}

impl<'a> FrameIndex<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let good = || snapshot.frames.iter().filter(|f| f.state == FrameState::Good).chain(snapshot.frames.iter()).rev();
        FrameIndex {
            by_hash: good().filter(|f| !f.hash.is_empty()).map(|f| (f.hash.as_str(), f)).collect(),
            by_name: good().map(|f| (f.name.as_str(), f)).collect(),
        }
    }

    pub(super) fn named(&self, name: &str) -> Option<&'a Arc<Frame>> {
        self.by_name.get(name).copied()
    }

    /// The raw frame of an input, or the first one of the product that it is.
    pub(super) fn first(&self, input: &TaskInput, makers: &HashMap<&str, &Task>) -> Option<&'a Arc<Frame>> {
        let mut input = input;
        // A product of a product of …; a circle cannot be planned, but a catalogue could be damaged.
        for _ in 0..20 {
            if let Some(frame) = self.by_hash.get(input.identity.as_str()).or_else(|| self.by_name.get(input.name.as_str())) {
                return Some(frame);
            }
            input = makers.get(input.name.as_str())?.main().next()?;
        }
        None
    }
}
