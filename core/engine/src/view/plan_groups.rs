//! The plan as a person reads it: tasks that differ in the extension alone are one, and so is what is blocked or left out for the same reason.

use std::collections::HashMap;

use ifured_core::recipe::{MissingInput, TaskInput};
use ifured_core::{Role, TaskId};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Planned, TaskState};
use crate::calplan::shared_name;
use crate::plan::reason::{Block, Lack, Skip};
use crate::plan::{Blocked, Plan, PlannedTask};
use crate::standing::Standing;

/// A plan in groups.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanGroups {
    /// Groups of tasks, in the order of the plan.
    pub tasks: Vec<TaskGroup>,
    /// What cannot be done.
    pub blocked: Vec<BlockedGroup>,
    /// What is left out on purpose.
    pub skipped: Vec<SkippedGroup>,
    /// What a person should know before it runs, in words.
    pub notes: Vec<String>,
    /// How many there are of what.
    pub counts: PlanCounts,
}

/// How many there are of what in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanCounts {
    /// Tasks, each extension for itself.
    pub tasks: usize,
    /// Of these, done.
    pub done: usize,
    /// Groups that are blocked, each extension for itself.
    pub blocked: usize,
}

/// One task, or several that differ in the extension alone.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TaskGroup {
    /// Night.
    pub night: String,
    /// The recipe.
    pub recipe: String,
    /// Whether they are done or to be run, also where the last attempt failed.
    pub state: TaskState,
    /// First product; `*` stands for the extension where there are several tasks.
    pub product: String,
    /// Number of main frames of each.
    pub frames: usize,
    /// Quality level.
    pub level: i32,
    /// Identities of the tasks.
    pub tasks: Vec<TaskId>,
    /// Their extensions; empty for a task of whole frames.
    pub extensions: Vec<String>,
    /// Calibrations; those that differ in the extension alone are one.
    pub calibrations: Vec<ChosenGroup>,
    /// What is missing.
    pub missing: Vec<MissingGroup>,
}

/// A calibration, or several that differ in the extension alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct ChosenGroup {
    /// What it is for.
    pub role: Role,
    /// Its name; `*` stands for the extension where there are several.
    pub name: String,
    /// Why it was taken, in words.
    pub why: String,
    /// So many.
    pub count: usize,
}

/// An input that has nothing.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MissingGroup {
    /// What it would be for.
    pub role: Role,
    /// What the recipe does instead.
    pub otherwise: String,
    /// Level of the product by that.
    pub level: i32,
    /// Why there is nothing, in words.
    pub why: String,
    /// Why, as a value.
    pub lack: Lack,
}

/// A group that is blocked, or one in several extensions.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BlockedGroup {
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Extensions; empty for whole frames.
    pub extensions: Vec<String>,
    /// Names of the main frames.
    pub frames: Vec<String>,
    /// What is missing and why, in words: of the first extension.
    pub why: String,
    /// The same as values.
    pub reasons: Vec<Block>,
}

/// A group that is left out, or one in several extensions.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SkippedGroup {
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
    /// So many groups.
    pub count: usize,
}

impl PlanGroups {
    /// The groups of a plan.
    pub fn of(planned: &Planned) -> Self {
        let plan = &*planned.plan;
        PlanGroups {
            tasks: tasks(planned),
            blocked: blocked(plan),
            skipped: skipped(plan),
            notes: plan.notes.iter().map(ToString::to_string).collect(),
            counts: PlanCounts {
                tasks: plan.len(),
                done: planned.standings.iter().filter(|s| matches!(s, Standing::Done(_))).count(),
                blocked: plan.blocked.len(),
            },
        }
    }
}

fn tasks(all: &Planned) -> Vec<TaskGroup> {
    let general = |name: &str| shared_name(name, all.plan.maker(name).map(|at| &all.plan.at(at).task));
    let mut groups: Vec<TaskGroup> = Vec::new();
    let mut firsts: Vec<(&PlannedTask, TaskState)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (planned, standing) in all.tasks() {
        let state = if standing.outcome().is_some() { TaskState::Done } else { TaskState::ToDo };
        let group = group(planned, state, &general, &general);
        let place = *places.entry(key(&group)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => {
                group.tasks.push(planned.task.id.clone());
                group.extensions.extend(planned.task.extension.clone());
            }
            None => {
                groups.push(group);
                firsts.push((planned, state));
            }
        }
    }
    // One task alone is called by its own names.
    for (one, (planned, state)) in groups.iter_mut().zip(firsts).filter(|(g, _)| g.tasks.len() == 1) {
        *one = group(planned, state, &str::to_owned, &general);
    }
    groups
}

/// All that tasks of one group have in common.
fn key(group: &TaskGroup) -> String {
    let common = (&group.night, &group.recipe, group.state, &group.product, group.frames, group.level);
    serde_json::to_string(&(common, &group.calibrations, &group.missing)).unwrap_or_default()
}

/// A task as a group, with names as `named` has them; what `general` calls the same is one line.
fn group(planned: &PlannedTask, state: TaskState, named: &dyn Fn(&str) -> String, general: &dyn Fn(&str) -> String) -> TaskGroup {
    let task = &planned.task;
    let missing = |(m, lack): (&MissingInput, &Lack)| MissingGroup {
        role: m.role.clone(),
        otherwise: m.otherwise.clone(),
        level: m.level,
        why: lack.to_string(),
        lack: lack.clone(),
    };
    TaskGroup {
        night: task.night.clone(),
        recipe: task.recipe.clone(),
        state,
        product: task.outputs.first().map(|o| named(&o.name)).unwrap_or_default(),
        frames: task.main().count(),
        level: task.level,
        tasks: vec![task.id.clone()],
        extensions: task.extension.iter().cloned().collect(),
        calibrations: chosen(task.calibrations(), named, general),
        missing: task.missing.iter().zip(&planned.lacks).map(missing).collect(),
    }
}

fn chosen<'a>(
    inputs: impl Iterator<Item = &'a TaskInput>,
    named: &dyn Fn(&str) -> String,
    general: &dyn Fn(&str) -> String,
) -> Vec<ChosenGroup> {
    // Each with the name that it has if there is only one of it.
    let mut groups: Vec<(ChosenGroup, String)> = Vec::new();
    for input in inputs {
        let (name, why) = (general(&input.name), input.choice.to_string());
        match groups.iter_mut().find(|(g, _)| g.role == input.role && g.name == name && g.why == why) {
            Some((group, _)) => group.count += 1,
            None => groups.push((ChosenGroup { role: input.role.clone(), name, why, count: 1 }, named(&input.name))),
        }
    }
    let final_name = |(group, own): (ChosenGroup, String)| if group.count == 1 { ChosenGroup { name: own, ..group } } else { group };
    groups.into_iter().map(final_name).collect()
}

/// What is blocked; what is blocked for the same reason in several extensions is one.
pub fn blocked(plan: &Plan) -> Vec<BlockedGroup> {
    let mut groups: Vec<(&Blocked, BlockedGroup)> = Vec::new();
    // The names of products have the extension in them.
    let reason = |b: &Blocked| b.why().replace(b.extension.as_deref().filter(|e| !e.is_empty()).unwrap_or("\0"), "*");
    for blocked in &plan.blocked {
        let same = |b: &Blocked| b.recipe == blocked.recipe && b.frames == blocked.frames && reason(b) == reason(blocked);
        match groups.iter_mut().find(|(b, _)| same(b)) {
            Some((_, group)) => group.extensions.extend(blocked.extension.clone()),
            None => groups.push((
                blocked,
                BlockedGroup {
                    recipe: blocked.recipe.clone(),
                    night: blocked.night.clone(),
                    extensions: blocked.extension.iter().cloned().collect(),
                    frames: blocked.frames.clone(),
                    why: blocked.why(),
                    reasons: blocked.reasons.clone(),
                },
            )),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// What is left out; what is left out for the same reason in several extensions is one.
pub fn skipped(plan: &Plan) -> Vec<SkippedGroup> {
    let mut groups: Vec<SkippedGroup> = Vec::new();
    for s in &plan.skipped {
        let same = |g: &&mut SkippedGroup| g.recipe == s.recipe && g.night == s.night && g.frames == s.frames && g.reason == s.reason;
        match groups.iter_mut().find(same) {
            Some(group) => group.count += 1,
            None => groups.push(SkippedGroup {
                recipe: s.recipe.clone(),
                night: s.night.clone(),
                frames: s.frames.clone(),
                why: s.reason.to_string(),
                reason: s.reason.clone(),
                count: 1,
            }),
        }
    }
    groups
}

/// As in lists of what a run left undone: `blocked: science [CHAN01 to CHAN24] of a.fits and 2 more: no bias …`.
impl std::fmt::Display for BlockedGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "blocked: {}", self.recipe)?;
        match self.extensions.as_slice() {
            [] => {}
            [one] => write!(f, " [{one}]")?,
            [first, .., last] => write!(f, " [{first} to {last}]")?,
        }
        write!(f, " of {}", self.frames.first().map_or("", |n| n))?;
        if self.frames.len() > 1 {
            write!(f, " and {} more", self.frames.len() - 1)?;
        }
        write!(f, ": {}", self.why)
    }
}
