//! Association: which calibration for which group, at which quality level, and why not another.
//!
//! Every candidate is kept, ranked: those that fit by level, then by distance in time; then those that do not, each with
//! the first key it failed at every level and by how much.

use std::collections::HashSet;
use std::sync::Arc;

use ifured_core::Lookup;
use ifured_core::config::{AssociationChange, Source};
use ifured_core::recipe::{InputSpec, Level, Take};
use ifured_core::rule::Verdict;
use serde::{Deserialize, Serialize};

use crate::hints::{Belongings, Named};
use crate::item::Item;

/// What keeps a candidate from a quality level, or from all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Obstacle {
    /// The task that makes it failed.
    NotMade {
        /// Why.
        why: String,
    },
    /// It was made, and its quality is bad.
    BadQuality {
        /// Which numbers.
        why: String,
    },
    /// The configuration does not allow this level.
    LevelClosed {
        /// The level.
        level: i32,
    },
    /// A condition of the level does not hold.
    Condition {
        /// Which, and what was found.
        why: String,
    },
    /// A value of the signature disagrees.
    Signature {
        /// Which, and by how much.
        why: String,
    },
    /// It is of another night.
    OtherNight {
        /// Its night.
        found: String,
        /// The night of the group.
        wanted: String,
    },
    /// It is too far away in time, or without a date.
    TooFar {
        /// Time of the candidate minus time of the frame, in days, if known.
        days: Option<f64>,
        /// Most that is allowed.
        limit: f64,
    },
    /// The recipe declares no level.
    NoLevel,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Obstacle::NotMade { why } | Obstacle::BadQuality { why } | Obstacle::Condition { why } | Obstacle::Signature { why } => {
                f.write_str(why)
            }
            Obstacle::LevelClosed { level } => write!(f, "level {level} is worse than max_level of the configuration"),
            Obstacle::OtherNight { found, wanted } => write!(f, "night {found}, needed {wanted}"),
            Obstacle::TooFar { days, limit } => write!(f, "{}, limit {limit} d", span(*days)),
            Obstacle::NoLevel => f.write_str("no level is declared"),
        }
    }
}

/// One candidate for one input of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Level at which it fits; none if it does not.
    pub level: Option<i32>,
    /// What that level means, or why it does not fit at the loosest.
    pub why: String,
    /// Time of the candidate minus time of the frame, in days; none if one of them is unknown.
    pub days: Option<f64>,
    /// The first thing that did not hold, for each level that was looked at and failed, strictest first.
    pub failed: Vec<(i32, Obstacle)>,
    /// What keeps it from all levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<Obstacle>,
    /// What hints say of it; it has moved the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Named>,
}

/// All candidates for one input of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// The input.
    pub role: String,
    /// Names of those that were taken; none if none would do.
    pub chosen: Vec<String>,
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

/// Ranks all items that may serve as an input of a group whose first item is `wanted`, and takes what the input asks for.
/// Hints about what belongs to the group move the levels by one, never beyond the best one, and make nothing fit that does not.
pub fn associate(
    wanted: &Item,
    spec: &InputSpec,
    change: &AssociationChange,
    items: &[Arc<Item>],
    belongings: Option<&Belongings<'_>>,
) -> (Vec<Choice>, Association) {
    let candidates: Vec<&Arc<Item>> = items.iter().filter(|i| spec.tags.contains(&i.tag) && !of_other_extension(wanted, i)).collect();
    let named = named(&candidates, belongings);
    let mut ranked: Vec<(Arc<Item>, Candidate, Option<&Level>)> = candidates
        .into_iter()
        .zip(named)
        .map(|(i, named)| {
            let (candidate, level) = judge(wanted, i, spec, change, named);
            (i.clone(), candidate, level)
        })
        .collect();
    // Of two ways of the same level the first that is declared.
    let place = |level: Option<&Level>| level.and_then(|l| spec.levels.iter().position(|other| std::ptr::eq(other, l)));
    ranked.sort_by(|(a, ca, la), (b, cb, lb)| {
        let rank = |c: &Candidate| (c.level.is_none(), c.level.unwrap_or(0));
        let away = |c: &Candidate| c.days.map_or(f64::INFINITY, f64::abs);
        let source = |i: &Item| if i.producer.is_some() { Source::Raw } else { Source::Archive };
        let second = |i: &Item| change.prefer.is_some_and(|p| p != source(i));
        rank(ca)
            .cmp(&rank(cb))
            .then(place(*la).cmp(&place(*lb)))
            .then(second(a).cmp(&second(b)))
            .then(away(ca).total_cmp(&away(cb)))
            .then_with(|| a.name.cmp(&b.name))
    });
    let fitting = ranked.iter().filter_map(|(item, candidate, level)| {
        let adapt = (*level)?.adapt.clone();
        Some(Choice { item: item.clone(), level: candidate.level?, adapt, why: candidate.why.clone() })
    });
    let mut chosen = taken(fitting, &spec.take);
    // Recipes get them in the order of time, whatever made them fit.
    chosen.sort_by(|a, b| a.item.mjd.total_cmp(&b.item.mjd).then_with(|| a.item.name.cmp(&b.item.name)));
    let association = Association {
        role: spec.role.clone(),
        chosen: chosen.iter().map(|c| c.item.name.clone()).collect(),
        candidates: ranked.into_iter().map(|(_, c, _)| c).collect(),
    };
    (chosen, association)
}

/// A frame of one extension is never calibrated with the product of another: that is not worth a line among the candidates.
fn of_other_extension(wanted: &Item, item: &Item) -> bool {
    matches!((&wanted.extension, &item.extension), (Some(a), Some(b)) if a != b)
}

/// Those that an input takes, of what fits, best first.
fn taken(fitting: impl Iterator<Item = Choice>, take: &Take) -> Vec<Choice> {
    let mut fitting = fitting.peekable();
    let Some(best) = fitting.peek().map(|c| c.level) else { return Vec::new() };
    match take {
        Take::Nearest => fitting.take(1).collect(),
        Take::All => fitting.take_while(|c| c.level == best).collect(),
        Take::EachOf(key) => {
            let mut seen = HashSet::new();
            fitting.filter(|c| seen.insert(c.item.lookup(key).map(|v| v.to_string()))).collect()
        }
    }
}

/// What the hints say of each candidate. Where they vouch for one of them, the others are second to it.
fn named(candidates: &[&Arc<Item>], belongings: Option<&Belongings<'_>>) -> Vec<Option<Named>> {
    let mut named: Vec<Option<Named>> = candidates.iter().map(|i| belongings.and_then(|b| b.named(i))).collect();
    if named.iter().flatten().any(|n| n.shift() < 0) {
        named.iter_mut().for_each(|n| *n = n.or(Some(Named::Others)));
    }
    named
}

fn judge<'a>(
    wanted: &Item,
    item: &Item,
    spec: &'a InputSpec,
    change: &AssociationChange,
    named: Option<Named>,
) -> (Candidate, Option<&'a Level>) {
    let days = Some(item.mjd - wanted.mjd).filter(|d| d.is_finite());
    let unusable = unusable(item, change);
    let mut candidate = Candidate { name: item.name.clone(), level: None, why: String::new(), days, failed: Vec::new(), unusable, named };
    if candidate.unusable.is_none() {
        let best = spec.levels.first().map_or(0, |l| l.level);
        for level in &spec.levels {
            let moved = (level.level + named.map_or(0, Named::shift)).max(best);
            match obstacle(wanted, item, level, moved, change, days) {
                None => {
                    candidate.level = Some(moved);
                    candidate.why = format!("{}, {}{}", level.title, span(days), named.map_or_else(String::new, |n| format!(", {n}")));
                    return (candidate, Some(level));
                }
                Some(obstacle) => candidate.failed.push((level.level, obstacle)),
            }
        }
    }
    let last = candidate.unusable.as_ref().or(candidate.failed.last().map(|(_, obstacle)| obstacle));
    candidate.why = last.unwrap_or(&Obstacle::NoLevel).to_string();
    (candidate, None)
}

fn unusable(item: &Item, change: &AssociationChange) -> Option<Obstacle> {
    let not_made = item.failed.clone().map(|why| Obstacle::NotMade { why });
    let bad = item.bad.clone().filter(|_| !change.accept_bad.unwrap_or(false));
    not_made.or(bad.map(|why| Obstacle::BadQuality { why }))
}

fn obstacle(wanted: &Item, item: &Item, level: &Level, moved: i32, change: &AssociationChange, days: Option<f64>) -> Option<Obstacle> {
    if change.max_level.is_some_and(|max| moved > max) {
        return Some(Obstacle::LevelClosed { level: moved });
    }
    for condition in &level.when {
        if let Verdict::Fails { why } | Verdict::Unknown { why } = condition.check(item) {
            return Some(Obstacle::Condition { why });
        }
    }
    if let Some(first) = level.signature.disagreements(wanted, item).next() {
        return Some(Obstacle::Signature { why: first.to_string() });
    }
    if level.same_night && item.night != wanted.night {
        return Some(Obstacle::OtherNight { found: item.night.clone(), wanted: wanted.night.clone() });
    }
    let limit = change.max_age_days.or(level.max_age_days)?;
    // An unknown time fails every limit.
    days.is_none_or(|d| d.abs() > limit).then_some(Obstacle::TooFar { days, limit })
}

/// A time difference as a person says it: `3.2 h later`.
pub fn span(days: Option<f64>) -> String {
    let Some(days) = days else { return "without a date".into() };
    let side = if days < 0.0 { "earlier" } else { "later" };
    let d = days.abs();
    if d < 1.0 / 24.0 {
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
            ..InputSpec::default()
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
        let (choice, association) = associate(&wanted, &spec(), &AssociationChange::default(), &items, None);
        let choice = &choice[0];
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
        let other_night = Obstacle::OtherNight { found: "n1".into(), wanted: "n2".into() };
        assert_eq!(association.candidates[1].failed, [(0, other_night)]);
        let (level, obstacle) = &association.candidates[3].failed[1];
        assert_eq!((*level, obstacle.to_string().as_str()), (1, "40.0 d earlier, limit 30 d"));
    }

    #[test]
    fn a_candidate_without_a_time_comes_last_and_survives_the_plan_file() {
        let wanted = bias("science", "n2", 100.0, "A", "[11,11:20,20]");
        let items = vec![bias("no-time", "n2", f64::NAN, "A", "[11,11:20,20]"), bias("far", "n2", 160.0, "A", "[11,11:20,20]")];
        let (choice, association) = associate(&wanted, &spec(), &AssociationChange::default(), &items, None);
        assert_eq!(choice[0].item.name, "far");
        let text = serde_json::to_string(&association).unwrap();
        assert_eq!(serde_json::from_str::<Association>(&text).unwrap(), association);
        let limited = AssociationChange { max_age_days: Some(5.0), ..Default::default() };
        let (_, association) = associate(&wanted, &spec(), &limited, &items, None);
        assert_eq!(association.candidates[1].why, "without a date, limit 5 d");
    }

    #[test]
    fn as_many_are_taken_as_the_input_asks_for() {
        let section = "[11,11:20,20]";
        let wanted = bias("science", "n2", 100.0, "A", section);
        let of =
            |name: &str, night: &str, mjd: f64, extension: &str| Arc::new(bias(name, night, mjd, "A", section).of_extension(extension));
        let items = vec![
            of("1-late", "n2", 100.5, "CHAN01"),
            of("1", "n2", 100.1, "CHAN01"),
            of("2", "n2", 100.2, "CHAN02"),
            of("3", "n1", 99.0, "CHAN03"),
        ];
        let names = |take: Take, wanted: &Item| {
            let spec = spec().take(take);
            let (chosen, association) = associate(wanted, &spec, &AssociationChange::default(), &items, None);
            assert_eq!(association.chosen, chosen.iter().map(|c| c.item.name.clone()).collect::<Vec<_>>());
            association.chosen.join(" ")
        };
        assert_eq!(names(Take::Nearest, &wanted), "1");
        assert_eq!(names(Take::All, &wanted), "1 2 1-late");
        assert_eq!(names(Take::EachOf("EXTNAME".into()), &wanted), "3 1 2");
        assert_eq!(names(Take::All, &wanted.of_extension("CHAN02")), "2");
        assert_eq!(names(Take::Nearest, &wanted.of_extension("CHAN04")), "");
    }

    #[test]
    fn what_is_preferred_comes_first_at_the_same_level_only() {
        let section = "[11,11:20,20]";
        let wanted = bias("science", "n2", 100.0, "A", section);
        let made =
            |name: &str, night: &str, mjd: f64| Arc::new(Item { producer: Some(0), ..(*bias(name, night, mjd, "A", section)).clone() });
        let items = vec![made("made", "n2", 100.3), bias("found", "n2", 100.2, "A", section), made("made-before", "n1", 99.9)];
        for (prefer, first) in [(None, "found"), (Some(Source::Raw), "made"), (Some(Source::Archive), "found")] {
            let change = AssociationChange { prefer, ..Default::default() };
            assert_eq!(associate(&wanted, &spec(), &change, &items, None).0[0].item.name, first);
        }
    }

    #[test]
    fn of_two_ways_of_one_level_the_first_that_is_declared_counts() {
        let section = "[11,11:20,20]";
        let wanted = bias("science", "n2", 100.0, "A", section);
        let way = |tag: &str| Level { title: tag.into(), when: vec![ifured_core::key("TAG").is(tag)], ..Level::default() };
        let tagged = |tag: &str, mjd: f64| Arc::new(Item { tag: tag.into(), ..(*bias(tag, "n2", mjd, "A", section)).clone() });
        let spec = InputSpec { levels: vec![way("tied"), way("plain")], ..InputSpec::required("offsets", "plain").or_tag("tied") };
        let names = |items: &[Arc<Item>]| associate(&wanted, &spec, &AssociationChange::default(), items, None).1.chosen;
        assert_eq!(names(&[tagged("plain", 100.0), tagged("tied", 105.0)]), ["tied"]);
        assert_eq!(names(&[tagged("plain", 100.0)]), ["plain"]);
    }

    #[test]
    fn configuration_limits_level_and_age() {
        let wanted = bias("science", "n2", 100.0, "A", "[11,11:20,20]");
        let items = vec![bias("full", "n2", 100.01, "A", "[1,1:100,100]"), bias("old", "n0", 90.0, "A", "[11,11:20,20]")];
        let change = AssociationChange { max_level: Some(1), max_age_days: Some(5.0), ..Default::default() };
        let (choice, association) = associate(&wanted, &spec(), &change, &items, None);
        assert!(choice.is_empty());
        assert_eq!(association.candidates[0].why, "level 2 is worse than max_level of the configuration");
    }
}
