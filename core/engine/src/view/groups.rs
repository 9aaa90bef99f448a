//! Groups of frames that belong together: planned, blocked or left out.

use std::collections::HashMap;
use std::sync::Arc;

use ifured_core::Tag;
use schemars::JsonSchema;
use serde::Serialize;

use super::tasks::{FrameIndex, tags_of};
use super::{GroupState, Planned, Snapshot};
use crate::frame::Frame;
use crate::plan::PlannedTask;

/// One group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GroupView {
    /// Its first frame.
    pub name: String,
    /// Night.
    pub night: String,
    /// The recipe that reduces it.
    pub recipe: String,
    /// What becomes of it.
    pub state: GroupState,
    /// Names of its frames.
    pub members: Vec<String>,
    /// Tag of its first frame, if that is known.
    pub tag: Option<Tag>,
    /// Tags of its frames, and of the products of a planned one.
    pub tags: Vec<Tag>,
    /// Quality level; none if it is not planned.
    pub level: Option<i32>,
    /// Values that it has in common; empty if it is not planned.
    pub signature: String,
    /// Why it is not planned; empty if it is.
    pub why: String,
    /// Its first frame.
    #[serde(skip)]
    #[schemars(skip)]
    pub frame: Option<Arc<Frame>>,
}

/// All groups: those of the tasks, those that are blocked and those that are left out.
pub fn groups(snapshot: &Snapshot, planned: &Planned) -> Vec<GroupView> {
    let index = FrameIndex::of(snapshot);
    let plan = &planned.plan;
    let blocked = plan.blocked.iter().map(|b| (&b.recipe, &b.night, &b.frames, b.why(), GroupState::Blocked));
    let skipped = plan.skipped.iter().map(|s| (&s.recipe, &s.night, &s.frames, s.reason.to_string(), GroupState::Skipped));
    let not_planned = blocked.chain(skipped).map(|(recipe, night, members, why, state)| {
        let frame = members.first().and_then(|m| index.named(m)).cloned();
        let tag = frame.as_ref().map(|f| f.tag.clone());
        GroupView {
            name: members.first().cloned().unwrap_or_default(),
            night: night.clone(),
            recipe: recipe.clone(),
            state,
            members: members.clone(),
            tags: tag.iter().cloned().collect(),
            tag,
            level: None,
            signature: String::new(),
            why,
            frame,
        }
    });
    plan.tasks().map(|t| of_task(t, &index)).chain(not_planned).collect()
}

fn of_task(planned: &PlannedTask, index: &FrameIndex<'_>) -> GroupView {
    let task = &planned.task;
    let first = task.main().next();
    let frame = first.and_then(|m| index.first(m, &HashMap::new())).cloned();
    GroupView {
        name: frame.as_ref().map(|f| f.name.clone()).or(first.map(|m| m.name.clone())).unwrap_or_default(),
        night: task.night.clone(),
        recipe: task.recipe.clone(),
        state: GroupState::Planned,
        members: task.main().map(|m| m.name.clone()).collect(),
        tag: first.map(|m| m.tag.clone()),
        tags: tags_of(task),
        level: Some(task.level),
        signature: task.signature.clone(),
        why: String::new(),
        frame,
    }
}
