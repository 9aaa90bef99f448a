//! Association: which calibration for which group, at which quality level, and why not another.
//!
//! Every candidate is kept, ranked: those that fit by level, then by distance in time; then those that do not, each with
//! the first key it failed at every level and by how much.

use std::sync::Arc;

use ifured_core::config::AssociationChange;
use ifured_core::recipe::{InputSpec, Level};
use ifured_core::rule::Verdict;
use serde::{Deserialize, Serialize};

use crate::item::Item;

/// One candidate for one input of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Level at which it fits; none if it does not.
    pub level: Option<i32>,
    /// What that level means, or why it does not fit at the loosest.
    pub why: String,
    /// Time of the candidate minus time of the frame, in days.
    pub days: f64,
    /// For each stricter level: the first thing that did not hold.
    pub failed: Vec<(i32, String)>,
}

/// All candidates for one input of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// The input.
    pub role: String,
    /// Name of the one that was taken; none if none would do.
    pub chosen: Option<String>,
    /// All candidates, best first.
    pub candidates: Vec<Candidate>,
}

/// A choice: the item, its level, how to adapt it, and why it was taken.
pub struct Choice {
    /// The item.
    pub item: Arc<Item>,
    /// Quality level.
    pub level: i32,
    /// How the recipe adapts it.
    pub adapt: Option<String>,
    /// Why.
    pub why: String,
}

/// Ranks all items that may serve as an input of a group whose first item is `wanted`.
pub fn associate(wanted: &Item, spec: &InputSpec, change: &AssociationChange, items: &[Arc<Item>]) -> (Option<Choice>, Association) {
    let mut ranked: Vec<(Arc<Item>, Candidate, Option<&Level>)> = items
        .iter()
        .filter(|i| spec.tags.contains(&i.tag))
        .map(|i| {
            let (candidate, level) = judge(wanted, i, spec, change);
            (i.clone(), candidate, level)
        })
        .collect();
    ranked.sort_by(|(a, ca, _), (b, cb, _)| {
        let rank = |c: &Candidate| (c.level.is_none(), c.level.unwrap_or(0));
        rank(ca).cmp(&rank(cb)).then(ca.days.abs().total_cmp(&cb.days.abs())).then_with(|| a.name.cmp(&b.name))
    });
    let chosen = ranked.first().and_then(|(item, candidate, level)| {
        let level = (*level)?;
        Some(Choice { item: item.clone(), level: level.level, adapt: level.adapt.clone(), why: candidate.why.clone() })
    });
    let association = Association {
        role: spec.role.clone(),
        chosen: chosen.as_ref().map(|c| c.item.name.clone()),
        candidates: ranked.into_iter().map(|(_, c, _)| c).collect(),
    };
    (chosen, association)
}

fn judge<'a>(wanted: &Item, item: &Item, spec: &'a InputSpec, change: &AssociationChange) -> (Candidate, Option<&'a Level>) {
    let days = item.mjd - wanted.mjd;
    let mut candidate = Candidate { name: item.name.clone(), level: None, why: String::new(), days, failed: Vec::new() };
    let bad = item.bad.as_ref().filter(|_| !change.accept_bad.unwrap_or(false));
    if let Some(why) = item.failed.as_ref().or(bad) {
        candidate.why = why.clone();
        return (candidate, None);
    }
    for level in &spec.levels {
        match obstacle(wanted, item, level, change, days) {
            None => {
                candidate.level = Some(level.level);
                candidate.why = format!("{}, {}", level.title, span(days));
                return (candidate, Some(level));
            }
            Some(why) => candidate.failed.push((level.level, why)),
        }
    }
    candidate.why = candidate.failed.pop().map(|(_, why)| why).unwrap_or_else(|| "no level is declared".into());
    (candidate, None)
}

fn obstacle(wanted: &Item, item: &Item, level: &Level, change: &AssociationChange, days: f64) -> Option<String> {
    if change.max_level.is_some_and(|max| level.level > max) {
        return Some(format!("level {} is worse than max_level of the configuration", level.level));
    }
    for condition in &level.when {
        if let Verdict::Fails { why } | Verdict::Unknown { why } = condition.check(item) {
            return Some(why);
        }
    }
    if let Some(first) = level.signature.compare(wanted, item).first() {
        return Some(first.to_string());
    }
    if level.same_night && item.night != wanted.night {
        return Some(format!("night {}, needed {}", item.night, wanted.night));
    }
    let limit = change.max_age_days.or(level.max_age_days);
    // A time that is unknown (NaN) fails every limit.
    match limit {
        Some(limit) if days.is_nan() || days.abs() > limit => Some(format!("{}, limit {limit} d", span(days))),
        _ => None,
    }
}

/// A time difference as a person says it: `3.2 h later`.
pub fn span(days: f64) -> String {
    let side = if days < 0.0 { "earlier" } else { "later" };
    let d = days.abs();
    if !d.is_finite() {
        "at an unknown time".into()
    } else if d < 1.0 / 24.0 {
        format!("{:.0} min {side}", d * 1440.0)
    } else if d < 2.0 {
        format!("{:.1} h {side}", d * 24.0)
    } else {
        format!("{d:.1} d {side}")
    }
}

#[cfg(test)]
mod tests {
    use ifured_core::{Compare, Signature, SignatureKey, Value};

    use super::*;
    use crate::group::tests::item;

    fn spec() -> InputSpec {
        let level = |level, title: &str, signature, same_night, max_age_days, adapt: Option<&str>| Level {
            level,
            title: title.into(),
            signature,
            same_night,
            max_age_days,
            adapt: adapt.map(str::to_owned),
            when: vec![],
        };
        let window = Signature(vec![
            SignatureKey { key: "CCD".into(), compare: Compare::Exact },
            SignatureKey { key: "SEC".into(), compare: Compare::Contains },
        ]);
        InputSpec {
            role: "bias".into(),
            tags: vec!["master-bias".into()],
            required: true,
            levels: vec![
                level(0, "same set-up, same night", Signature::exact(&["CCD", "SEC"]), true, None, None),
                level(1, "same set-up", Signature::exact(&["CCD", "SEC"]), false, Some(30.0), None),
                level(2, "larger window", window, false, None, Some("cut-window")),
            ],
            otherwise: String::new(),
            level_without: 3,
            parameter: None,
        }
    }

    fn bias(name: &str, night: &str, mjd: f64, ccd: &str, section: &str) -> Arc<Item> {
        item(name, "master-bias", night, mjd, &[("CCD", Value::from(ccd)), ("SEC", Value::from(section))])
    }

    #[test]
    fn level_first_then_time_and_every_candidate_says_why() {
        let small = "[11,11:20,20]";
        let wanted = bias("science", "n2", 100.0, "A", small);
        let items = vec![
            bias("far", "n0", 60.0, "A", small),
            bias("near-other-night", "n1", 99.5, "A", small),
            bias("same-night", "n2", 100.9, "A", small),
            bias("full", "n2", 100.01, "A", "[1,1:100,100]"),
            bias("other-ccd", "n2", 100.0, "B", small),
        ];
        let (choice, association) = associate(&wanted, &spec(), &AssociationChange::default(), &items);
        let choice = choice.unwrap();
        assert_eq!(
            (choice.item.name.as_str(), choice.level, choice.why.as_str()),
            ("same-night", 0, "same set-up, same night, 21.6 h later")
        );
        let rows: Vec<_> = association.candidates.iter().map(|c| (c.name.as_str(), c.level)).collect();
        assert_eq!(
            rows,
            [("same-night", Some(0)), ("near-other-night", Some(1)), ("full", Some(2)), ("far", Some(2)), ("other-ccd", None)]
        );
        assert_eq!(association.candidates[4].why, "CCD is `B`, needed `A`");
        assert_eq!(association.candidates[1].failed, [(0, "night n1, needed n2".to_owned())]);
        assert_eq!(association.candidates[3].failed[1], (1, "40.0 d earlier, limit 30 d".to_owned()));
    }

    #[test]
    fn configuration_limits_level_and_age() {
        let wanted = bias("science", "n2", 100.0, "A", "[11,11:20,20]");
        let items = vec![bias("full", "n2", 100.01, "A", "[1,1:100,100]"), bias("old", "n0", 90.0, "A", "[11,11:20,20]")];
        let change = AssociationChange { max_level: Some(1), max_age_days: Some(5.0), ..Default::default() };
        let (choice, association) = associate(&wanted, &spec(), &change, &items);
        assert!(choice.is_none());
        assert_eq!(association.candidates[0].why, "level 2 is worse than max_level of the configuration");
    }
}
