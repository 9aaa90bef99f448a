//! All that was known when a plan was made: what explains its choices afterwards, one group at a time. Kept beside a plan and not in it: ten
//! thousand groups with as many candidates each would be a gigabyte of reasons that nobody asks for.

use std::collections::HashSet;
use std::sync::Arc;

use ifured_core::config::AssociationChange;
use ifured_core::recipe::{InputSpec, RecipeDescription};
use ifured_core::rule::Verdict;
use ifured_core::{Config, InstrumentDescription};
use serde_json::Value;

use super::associate::{Association, Candidates};
use super::belongings::HintIndex;
use super::item::Item;
use crate::config;
use crate::frame::Frame;

/// What is known when a plan is made.
pub struct Evidence {
    /// The instrument, with the configuration's changes.
    pub(super) instrument: Arc<InstrumentDescription>,
    /// The configuration.
    pub(super) config: Arc<Config>,
    /// Frames and products, in the order in which they came to be known.
    pub(super) items: Vec<Arc<Item>>,
    /// What belongs together.
    pub(super) hints: HintIndex,
    /// The groups that were planned or are blocked.
    pub(super) groups: Vec<Group>,
}

/// A group, and what was known when it was planned.
pub(super) struct Group {
    /// Place of its recipe in the instrument.
    pub(super) recipe: usize,
    /// Its frames.
    pub(super) members: Vec<Arc<Item>>,
    /// So many of the items were known.
    pub(super) known: usize,
}

/// The place of a group in the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) usize);

impl Evidence {
    /// All candidates for the inputs of a group.
    pub(super) fn associations(&self, place: Place) -> Vec<Association> {
        let group = &self.groups[place.0];
        let recipe = &self.instrument.recipes[group.recipe];
        let engine = config::engines(recipe, &self.instrument.name, &self.config).first().copied();
        let parameters = engine.and_then(|e| config::parameters(recipe, e, &self.config).ok()).unwrap_or_default();
        let wanted = calibrated_as(&group.members);
        let raw = raw_frames(&group.members);
        let belongings = self.hints.about(&raw);
        let asked = recipe.inputs.iter().filter(|spec| is_asked_for(spec, &parameters, &group.members[0]));
        let association = |spec| {
            let change = change(&self.config, recipe, spec);
            let items = if change.enabled == Some(false) { &[][..] } else { &self.items[..group.known] };
            Candidates::new(spec, change, items).explain(&wanted, belongings.as_ref())
        };
        asked.map(association).collect()
    }
}

/// Whether a group wants an input at all.
pub(super) fn is_asked_for(spec: &InputSpec, parameters: &Value, first: &Item) -> bool {
    let switched_off = spec.parameter.as_ref().is_some_and(|p| parameters.get(p) == Some(&Value::Bool(false)));
    !switched_off && spec.when.iter().all(|c| c.check(first) == Verdict::Holds)
}

/// What the configuration says of an input: of the recipe, of the one that it is a variant of, of all calibrations.
pub(super) fn change(config: &Config, recipe: &RecipeDescription, spec: &InputSpec) -> AssociationChange {
    let of = |name: &String| config.association.get(name).and_then(|r| r.get(spec.role.as_str()));
    let mut change = of(&recipe.name).or_else(|| of(recipe.variant_of.as_ref()?)).cloned().unwrap_or_default();
    change.prefer = change.prefer.or(config.calibrations.prefer);
    change
}

/// What the calibrations of a group must fit: its first frame. That is of no extension where the group merges several, for then calibrations of all
/// of them are wanted.
pub(super) fn calibrated_as(members: &[Arc<Item>]) -> Arc<Item> {
    let first = &members[0];
    if members.iter().all(|m| m.extension == first.extension) {
        return first.clone();
    }
    Arc::new(Item { extension: None, ..(**first).clone() })
}

/// The raw frames that the members of a group were made from, each once.
pub(super) fn raw_frames(members: &[Arc<Item>]) -> Arc<[Arc<Frame>]> {
    match members {
        [one] => one.raw.clone(),
        _ => {
            let mut seen = HashSet::new();
            members.iter().flat_map(|m| m.raw.iter()).filter(|f| seen.insert(Arc::as_ptr(f))).cloned().collect()
        }
    }
}
