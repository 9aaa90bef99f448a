//! Why these calibrations, and why not another: text of at most 80 columns, or JSON by serde.
//!
//! All that is said here comes from the plan: its associations keep every candidate with the first thing it failed at every
//! level. From that follows the smallest change of the configuration that would let a candidate through its last obstacle.

mod relax;
mod text;

use ifured_core::Role;
use schemars::JsonSchema;
use serde::Serialize;

use crate::classify::nearest;
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameState};
use crate::plan::associate::{Association, Candidate};
use crate::plan::reason::{Block, Lack, Obstacle, ToDo};
use crate::plan::{Blocked, Plan, PlannedTask};
use crate::standing::Standing;
use crate::view::{Planned, Snapshot};

pub use relax::{Relaxation, relaxation};

/// Why a task takes what it takes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Why {
    /// The product, or the first frame of a group that is blocked.
    pub name: String,
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Values that the group has in common.
    pub signature: String,
    /// Names of the main frames.
    pub frames: Vec<String>,
    /// The recipe of another program that does the work, with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// Whether the product is there as the plan has it, or why it will be made; none where that was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Quality level; none if the group is blocked.
    pub level: Option<i32>,
    /// What is missing, if the group is blocked, in words.
    pub blocked: Option<String>,
    /// The same as values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Block>,
    /// Each input with its candidates.
    pub inputs: Vec<WhyInput>,
}

/// How a product stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// It is there as the plan has it.
    Done,
    /// It will be made.
    ToDo {
        /// Why.
        because: ToDo,
    },
}

impl From<&Standing> for State {
    fn from(standing: &Standing) -> Self {
        standing.to_do().map_or(State::Done, |because| State::ToDo { because: because.clone() })
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            State::Done => f.write_str("done"),
            State::ToDo { because } => write!(f, "to do: {because}"),
        }
    }
}

/// One input of a task.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WhyInput {
    /// The role: `bias`.
    pub role: Role,
    /// What was taken.
    pub chosen: Vec<String>,
    /// What the recipe does instead, and the level of that, if nothing was taken.
    pub otherwise: Option<(String, i32)>,
    /// Why nothing was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lack: Option<Lack>,
    /// Whether the group cannot be reduced for lack of it.
    pub blocks: bool,
    /// All candidates, best first.
    pub candidates: Vec<WhyCandidate>,
}

/// One candidate.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WhyCandidate {
    /// Its name.
    pub name: String,
    /// The level at which it fits.
    pub level: Option<i32>,
    /// Why it fits, or why not.
    pub why: String,
    /// Time from the group to the candidate, in days; none if unknown.
    pub days: Option<f64>,
    /// The first thing that did not hold, for each level that it failed, strictest first, in words.
    pub failed: Vec<(i32, String)>,
    /// What keeps it from the loosest level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// The smallest change of the configuration that would let it through where it failed last.
    pub relaxation: Option<Relaxation>,
}

/// Why a frame is not calibrated with something.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum WhyNot {
    /// The frame itself is not reduced, for this reason.
    FrameNotReduced {
        /// Its name.
        frame: String,
        /// Why.
        why: String,
    },
    /// It is no candidate for any input, for this reason.
    NoCandidate {
        /// The frame.
        frame: String,
        /// What was asked for.
        calibration: String,
        /// Why.
        why: String,
    },
    /// It is a candidate.
    Candidate {
        /// The product or frame.
        frame: String,
        /// The recipe.
        recipe: String,
        /// The role.
        role: Role,
        /// What was taken instead, with its reason; none if nothing was.
        chosen: Option<(String, String)>,
        /// Its rank, from 1.
        rank: usize,
        /// Of so many.
        of: usize,
        /// The candidate.
        candidate: Box<WhyCandidate>,
    },
}

fn candidate(recipe: &str, role: &Role, c: &Candidate) -> WhyCandidate {
    WhyCandidate {
        name: c.name.clone(),
        level: c.level(),
        why: c.why(),
        days: c.days,
        failed: c.failed.iter().map(|(level, o)| (*level, o.to_string())).collect(),
        obstacle: c.obstacle().cloned(),
        relaxation: relaxation(recipe, role, c),
    }
}

fn input(recipe: &str, a: &Association) -> WhyInput {
    WhyInput {
        role: a.role.clone(),
        chosen: a.chosen.clone(),
        otherwise: None,
        lack: None,
        blocks: false,
        candidates: a.candidates.iter().map(|c| candidate(recipe, &a.role, c)).collect(),
    }
}

fn why_task(all: &Planned, planned: &PlannedTask) -> Why {
    let (plan, task) = (&all.plan, &planned.task);
    let standing = plan.place(&task.id).and_then(|at| all.standings.get(at));
    let of_task = |a: &Association| {
        let missing = task.missing.iter().zip(&planned.lacks).find(|(m, _)| m.role == a.role);
        WhyInput {
            otherwise: missing.map(|(m, _)| (m.otherwise.clone(), m.level)),
            lack: missing.map(|(_, lack)| lack.clone()),
            ..input(&task.recipe, a)
        }
    };
    Why {
        name: task.name().to_owned(),
        recipe: task.recipe.clone(),
        night: task.night.clone(),
        signature: task.signature.clone(),
        frames: task.main().map(|m| m.name.clone()).collect(),
        external: task.external.clone(),
        state: standing.map(State::from),
        level: Some(task.level),
        blocked: None,
        reasons: Vec::new(),
        inputs: plan.associations(planned).iter().map(of_task).collect(),
    }
}

fn why_blocked(plan: &Plan, blocked: &Blocked) -> Why {
    let of_group = |a: &Association| WhyInput { blocks: blocked.is_for_lack_of(&a.role), ..input(&blocked.recipe, a) };
    Why {
        name: blocked.frames.first().cloned().unwrap_or_default(),
        recipe: blocked.recipe.clone(),
        night: blocked.night.clone(),
        signature: String::new(),
        frames: blocked.frames.clone(),
        external: None,
        state: None,
        level: None,
        blocked: Some(blocked.why()),
        reasons: blocked.reasons.clone(),
        inputs: plan.associations_of_blocked(blocked).iter().map(of_group).collect(),
    }
}

fn ends(name: &str, wanted: &str) -> bool {
    let stem = crate::files::stem(name);
    name == wanted || stem == wanted || name.strip_suffix(wanted).is_some_and(|start| start.is_empty() || start.ends_with('/'))
}

/// Explains a product: by its name or the end of it, or by the name of a main frame of its task.
///
/// # Errors
/// If nothing in the plan is called so.
pub fn why(snapshot: &Snapshot, product: &str) -> Result<Why> {
    let all = snapshot.planned()?;
    let (plan, frames) = (&all.plan, &snapshot.frames);
    let by_frame = || plan.tasks().rev().find(|t| t.task.main().any(|m| ends(&m.name, product)));
    let by_stem = || plan.tasks().find(|t| t.task.outputs.iter().any(|o| ends(&o.name, product)));
    if let Some(planned) = plan.producer(product).or_else(by_stem).or_else(by_frame) {
        return Ok(why_task(all, planned));
    }
    if let Some(blocked) = plan.blocked.iter().find(|b| b.frames.iter().any(|f| ends(f, product))) {
        return Ok(why_blocked(plan, blocked));
    }
    if let Some(reason) = not_reduced(plan, frames, product) {
        return Err(Error::usage(format!("{product} is not reduced: {reason}"), "`ifured ls frames` shows all frames with their state"));
    }
    let names: Vec<String> = plan.tasks().flat_map(|t| t.task.outputs.iter().map(|o| o.name.clone())).collect();
    let near = if names.is_empty() { String::new() } else { short(nearest(product, &names)) };
    Err(Error::usage(format!("the plan makes nothing called `{product}`{near}"), "`ifured plan` shows all products"))
}

/// A suggestion, unless it is the list of everything.
fn short(suggestion: String) -> String {
    if suggestion.len() > 200 { String::new() } else { suggestion }
}

/// Why a raw frame is not in any task; none if there is no such frame.
fn not_reduced(plan: &Plan, frames: &[std::sync::Arc<Frame>], name: &str) -> Option<String> {
    if let Some(skipped) = plan.skipped.iter().find(|s| s.frames.iter().any(|f| ends(f, name))) {
        return Some(format!("its group for {} is left out: {}", skipped.recipe, skipped.reason));
    }
    let frame = frames.iter().find(|f| ends(&f.name, name))?;
    Some(match frame.state {
        FrameState::Good => format!("no recipe that is enabled reduces frames of tag {} like this one", frame.tag),
        state => format!("its state is `{}`, as {}: {}", state.as_str(), frame.tag, frame.why),
    })
}

/// Explains why a frame (or product) is not calibrated with a calibration.
///
/// # Errors
/// If there is no such frame in the plan nor among the frames.
pub fn why_not(snapshot: &Snapshot, frame: &str, calibration: &str) -> Result<WhyNot> {
    let (plan, frames) = (&snapshot.planned()?.plan, &snapshot.frames);
    let explained = match why(snapshot, frame) {
        Ok(explained) => explained,
        Err(e) => {
            return match not_reduced(plan, frames, frame) {
                Some(why) => Ok(WhyNot::FrameNotReduced { frame: frame.to_owned(), why }),
                None => Err(e),
            };
        }
    };
    for input in &explained.inputs {
        let Some(rank) = input.candidates.iter().position(|c| ends(&c.name, calibration)) else { continue };
        let taken = input.candidates.iter().find(|c| input.chosen.contains(&c.name));
        return Ok(WhyNot::Candidate {
            frame: explained.name.clone(),
            recipe: explained.recipe.clone(),
            role: input.role.clone(),
            chosen: taken.map(|c| (c.name.clone(), c.why.clone())),
            rank: rank + 1,
            of: input.candidates.len(),
            candidate: Box::new(input.candidates[rank].clone()),
        });
    }
    Ok(WhyNot::NoCandidate {
        frame: explained.name.clone(),
        calibration: calibration.to_owned(),
        why: no_candidate(plan, frames, &explained, calibration),
    })
}

fn no_candidate(plan: &Plan, frames: &[std::sync::Arc<Frame>], explained: &Why, calibration: &str) -> String {
    let roles: Vec<&str> = explained.inputs.iter().map(|i| i.role.as_str()).collect();
    let takes = if roles.is_empty() { "no calibrations".to_owned() } else { roles.join(", ") };
    let recipe = &explained.recipe;
    if let Some(planned) = plan.producer(calibration) {
        let tag = planned.task.outputs.first().map_or("", |o| o.tag.as_str());
        return format!("it is a product of tag {tag}, which {recipe} does not take; {recipe} takes {takes}");
    }
    let main = |t: &&PlannedTask| t.task.main().any(|m| ends(&m.name, calibration));
    if let Some(planned) = plan.tasks().find(main) {
        let product = planned.task.outputs.first().map_or("", |o| o.name.as_str());
        return format!("it is a raw frame that goes into {product}; ask for that product");
    }
    if let Some(reason) = not_reduced(plan, frames, calibration) {
        return format!("nothing is made from it: {reason}");
    }
    let names: Vec<String> = explained.inputs.iter().flat_map(|i| i.candidates.iter().map(|c| c.name.clone())).collect();
    let near = if names.is_empty() { String::new() } else { short(nearest(calibration, &names)) };
    format!("nothing is called so{near}; {recipe} takes {takes}")
}

#[cfg(test)]
pub(crate) mod tests;
