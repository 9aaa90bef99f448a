//! Association: which calibration for which group, at which quality level, and why not another.
//!
//! Candidates are ranked: those that fit by level, then by grade, then by distance in time; then those that do not. A plan of ten thousand
//! groups and as many calibrations must not compare each with each key by key: what the keys of a level say is taken from each item once, equal
//! items are one class, and classes are compared once ([`Candidates::choose`]). Why each candidate fits or not, with the first key it failed at
//! every level and by how much, is worked out where it is asked for ([`Candidates::explain`]), by the same rules.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ifured_core::config::{AssociationChange, Source};
use ifured_core::recipe::{Fit, InputSpec, Level, Named, Take};
use ifured_core::rule::Verdict;
use ifured_core::{Grade, Lookup, Role, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::belongings::Belongings;
use super::item::Item;
use super::reason::{Lack, Obstacle};

/// One candidate for one input of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Time of the candidate minus time of the frame, in days; none if one of them is unknown.
    pub days: Option<f64>,
    /// Level at which it fits, and how; none if it does not.
    pub fit: Option<(i32, Fit)>,
    /// The first thing that did not hold, for each level that was looked at and failed, strictest first.
    pub failed: Vec<(i32, Obstacle)>,
    /// What keeps it from all levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<Obstacle>,
    /// What hints say of it; it has moved the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Named>,
}

impl Candidate {
    /// Level at which it fits.
    pub fn level(&self) -> Option<i32> {
        self.fit.as_ref().map(|(level, _)| *level)
    }

    /// What keeps it from the loosest level; none if it fits.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        const NO_LEVEL: Obstacle = Obstacle::NoLevel;
        match self.fit {
            Some(_) => None,
            None => Some(self.unusable.as_ref().or(self.failed.last().map(|(_, o)| o)).unwrap_or(&NO_LEVEL)),
        }
    }

    /// How it fits, or why it does not.
    pub fn why(&self) -> String {
        match (&self.fit, self.obstacle()) {
            (Some((_, fit)), _) => fit.to_string(),
            (None, Some(obstacle)) => obstacle.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// All candidates for one input of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Association {
    /// The input.
    pub role: Role,
    /// Names of those that were taken; none if none would do.
    pub chosen: Vec<String>,
    /// All candidates, best first.
    pub candidates: Vec<Candidate>,
}

/// What was taken: the item, its level, how to adapt it, and why.
#[derive(Clone)]
pub struct Chosen {
    /// The item.
    pub item: Arc<Item>,
    /// Quality level.
    pub level: i32,
    /// How the recipe adapts it.
    pub adapt: Option<String>,
    /// Why.
    pub fit: Fit,
}

/// The items that may serve as one input of a recipe, prepared so that many groups can be matched with them.
pub struct Candidates<'a> {
    spec: &'a InputSpec,
    change: AssociationChange,
    /// Tags that several recipes make, so that it is said whose was taken.
    shared_tags: HashSet<Tag>,
    items: Vec<Arc<Item>>,
    unusable: Vec<bool>,
    levels: Vec<Classes>,
    /// Places of the items by the extension that they are about.
    by_extension: HashMap<Option<String>, Vec<usize>>,
}

/// The items, as one level sees them.
struct Classes {
    /// Whether the conditions of the level hold, for each item.
    holds: Vec<bool>,
    /// Class of each item: equal in all that the signature of the level asks of it.
    class: Vec<usize>,
    /// An item of each class.
    one: Vec<usize>,
    /// Classes of what is wanted, by all that the signature asks of it, and whether they agree with a class of what is offered.
    known: RefCell<HashMap<String, Vec<Option<bool>>>>,
}

/// How an item fits, for ranking.
#[derive(Clone, Copy)]
struct Rank {
    item: usize,
    /// Place of the level among those of the input, and the level as hints have moved it.
    level: Option<(usize, i32)>,
    named: Option<Named>,
}

impl<'a> Candidates<'a> {
    /// Prepares the items that have one of the tags of an input.
    pub fn new(spec: &'a InputSpec, change: AssociationChange, items: &[Arc<Item>]) -> Self {
        let items: Vec<Arc<Item>> = items.iter().filter(|i| spec.tags.contains(&i.tag)).cloned().collect();
        let unusable = items.iter().map(|i| unusable(i, &change).is_some()).collect();
        let mut by_extension: HashMap<Option<String>, Vec<usize>> = HashMap::new();
        for (n, item) in items.iter().enumerate() {
            by_extension.entry(item.extension.clone()).or_default().push(n);
        }
        let mut makers: HashMap<&Tag, HashSet<&str>> = HashMap::new();
        for item in &items {
            makers.entry(&item.tag).or_default().extend(item.recipe.as_deref());
        }
        let shared_tags = makers.into_iter().filter(|(_, recipes)| recipes.len() > 1).map(|(tag, _)| tag.clone()).collect();
        let levels = spec.levels.iter().map(|level| Classes::new(level, &items)).collect();
        Candidates { spec, change, shared_tags, items, unusable, levels, by_extension }
    }

    /// What the input takes for a group whose first item is `wanted`, or why it has nothing. Hints about what belongs to the group move the levels by
    /// one, never beyond the best one, and make nothing fit that does not.
    pub fn choose(&self, wanted: &Item, belongings: Option<&Belongings<'_>>) -> Result<Vec<Chosen>, Lack> {
        let mut ranks = self.ranks(wanted, belongings);
        if self.spec.take == Take::Nearest {
            // The usual case, and the first alone counts.
            ranks = ranks.into_iter().min_by(|a, b| self.order(wanted, a, b)).into_iter().collect();
        } else {
            ranks.sort_by(|a, b| self.order(wanted, a, b));
        }
        let nearest = ranks.first().copied();
        let mut taken = self.taken(ranks);
        if taken.is_empty() {
            return Err(match nearest {
                None => Lack::NoCandidate { tags: self.spec.tags.clone(), blocked: None },
                Some(nearest) => {
                    let candidate = self.judge(wanted, &nearest);
                    let obstacle = candidate.obstacle().cloned().unwrap_or(Obstacle::NoLevel);
                    Lack::NoneFits { nearest: candidate.name, obstacle }
                }
            });
        }
        if taken.len() < self.spec.at_least {
            return Err(Lack::TooFew { found: taken.len(), wanted: self.spec.at_least });
        }
        // Recipes get them in the order of time, whatever made them fit.
        taken.sort_by(|a, b| {
            let (a, b) = (&self.items[a.item], &self.items[b.item]);
            a.mjd.total_cmp(&b.mjd).then_with(|| a.name.cmp(&b.name))
        });
        Ok(taken.iter().filter_map(|rank| self.chosen(wanted, rank)).collect())
    }

    /// All candidates for a group, best first, with what was taken.
    pub fn explain(&self, wanted: &Item, belongings: Option<&Belongings<'_>>) -> Association {
        let mut ranks = self.ranks(wanted, belongings);
        ranks.sort_by(|a, b| self.order(wanted, a, b));
        let chosen = self.choose(wanted, belongings).unwrap_or_default();
        Association {
            role: self.spec.role.clone(),
            chosen: chosen.iter().map(|c| c.item.name.clone()).collect(),
            candidates: ranks.iter().map(|rank| self.judge(wanted, rank)).collect(),
        }
    }

    /// How each candidate fits. One of another extension than a frame is never worth a line: it is no candidate.
    fn ranks(&self, wanted: &Item, belongings: Option<&Belongings<'_>>) -> Vec<Rank> {
        let mut places: Vec<usize> = match &wanted.extension {
            None => (0..self.items.len()).collect(),
            own => [&None, own].into_iter().filter_map(|e| self.by_extension.get(e)).flatten().copied().collect(),
        };
        places.sort_unstable();
        let mut named: Vec<Option<Named>> = places.iter().map(|&n| belongings.and_then(|b| b.named(&self.items[n]))).collect();
        // Where the hints vouch for one of them, the others are second to it.
        if named.iter().flatten().any(|n| n.shift() < 0) {
            named.iter_mut().for_each(|n| *n = n.or(Some(Named::Others)));
        }
        let wanted_as: Vec<String> = self.spec.levels.iter().map(|level| as_wanted(level, wanted)).collect();
        let rank = |(&item, &named): (&usize, &Option<Named>)| Rank { item, level: self.level(wanted, &wanted_as, item, named), named };
        places.iter().zip(&named).map(rank).collect()
    }

    /// The first level at which an item fits.
    fn level(&self, wanted: &Item, wanted_as: &[String], n: usize, named: Option<Named>) -> Option<(usize, i32)> {
        if self.unusable[n] {
            return None;
        }
        let item = &self.items[n];
        let fits = |place: &usize| {
            let (level, classes) = (&self.spec.levels[*place], &self.levels[*place]);
            !self.is_closed(self.moved(level, named))
                && classes.holds[n]
                && (!level.same_night || item.night == wanted.night)
                && self.is_near(level, days(wanted, item))
                && classes.agree(n, &wanted_as[*place], |one| level.signature.agree(wanted, &*self.items[one]))
        };
        (0..self.spec.levels.len()).find(fits).map(|place| (place, self.moved(&self.spec.levels[place], named)))
    }

    /// A level as the hints move it: by one, never beyond the best.
    fn moved(&self, level: &Level, named: Option<Named>) -> i32 {
        let best = self.spec.levels.first().map_or(0, |l| l.level);
        (level.level + named.map_or(0, Named::shift)).max(best)
    }

    fn is_closed(&self, level: i32) -> bool {
        self.change.max_level.is_some_and(|max| level > max)
    }

    fn limit(&self, level: &Level) -> Option<f64> {
        self.change.max_age_days.or(level.max_age_days)
    }

    /// An unknown time fails every limit.
    fn is_near(&self, level: &Level, days: Option<f64>) -> bool {
        self.limit(level).is_none_or(|limit| days.is_some_and(|d| d.abs() <= limit))
    }

    /// Level, then grade, then of two ways of the same level the first that is declared, then what the configuration prefers, then distance in time.
    fn order(&self, wanted: &Item, a: &Rank, b: &Rank) -> Ordering {
        let (ia, ib) = (&self.items[a.item], &self.items[b.item]);
        let level = |r: &Rank| (r.level.is_none(), r.level.map_or(0, |(_, level)| level));
        let grade = |i: &Item| i.grade.unwrap_or(Grade::Good);
        let place = |r: &Rank| r.level.map(|(place, _)| place);
        let source = |i: &Item| if i.producer.is_some() { Source::Raw } else { Source::Archive };
        let second = |i: &Item| self.change.prefer.is_some_and(|p| p != source(i));
        let away = |i: &Item| days(wanted, i).map_or(f64::INFINITY, f64::abs);
        level(a)
            .cmp(&level(b))
            .then_with(|| grade(ia).cmp(&grade(ib)))
            .then_with(|| place(a).cmp(&place(b)))
            .then_with(|| second(ia).cmp(&second(ib)))
            .then_with(|| away(ia).total_cmp(&away(ib)))
            .then_with(|| ia.name.cmp(&ib.name))
    }

    /// Those that an input takes, of all candidates, best first.
    fn taken(&self, ranks: Vec<Rank>) -> Vec<Rank> {
        let mut fitting = ranks.into_iter().filter(|r| r.level.is_some()).peekable();
        let best = fitting.peek().and_then(|r| r.level).map(|(_, level)| level);
        match &self.spec.take {
            Take::Nearest => fitting.take(1).collect(),
            Take::All => fitting.take_while(|r| r.level.map(|(_, level)| level) == best).collect(),
            Take::EachOf(key) => {
                let mut seen = HashSet::new();
                fitting.filter(|r| seen.insert(self.items[r.item].lookup(key).map(|v| v.to_string()))).collect()
            }
        }
    }

    fn fit(&self, wanted: &Item, rank: &Rank) -> Option<(i32, Fit)> {
        let (place, level) = rank.level?;
        let item = &self.items[rank.item];
        let fit = Fit {
            title: self.spec.levels[place].title.clone(),
            days: days(wanted, item),
            named: rank.named,
            grade: item.grade.filter(|g| *g != Grade::Good),
            made_by: item.recipe.as_ref().filter(|_| self.shared_tags.contains(&item.tag)).map(|r| r.to_string()),
        };
        Some((level, fit))
    }

    fn chosen(&self, wanted: &Item, rank: &Rank) -> Option<Chosen> {
        let (level, fit) = self.fit(wanted, rank)?;
        let adapt = rank.level.and_then(|(place, _)| self.spec.levels[place].adapt.clone());
        Some(Chosen { item: self.items[rank.item].clone(), level, adapt, fit })
    }

    /// A candidate with all that is to be said of it.
    fn judge(&self, wanted: &Item, rank: &Rank) -> Candidate {
        let item = &self.items[rank.item];
        let unusable = unusable(item, &self.change);
        let looked_at = match (&unusable, rank.level) {
            (Some(_), _) => 0,
            (None, Some((place, _))) => place,
            (None, None) => self.spec.levels.len(),
        };
        let failed = |level: &Level| Some((level.level, self.obstacle(wanted, item, level, rank.named)?));
        Candidate {
            name: item.name.clone(),
            days: days(wanted, item),
            fit: self.fit(wanted, rank),
            failed: self.spec.levels[..looked_at].iter().filter_map(failed).collect(),
            unusable,
            named: rank.named,
        }
    }

    /// The first thing that keeps an item from a level.
    fn obstacle(&self, wanted: &Item, item: &Item, level: &Level, named: Option<Named>) -> Option<Obstacle> {
        let moved = self.moved(level, named);
        if self.is_closed(moved) {
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
        let days = days(wanted, item);
        let limit = self.limit(level)?;
        (!self.is_near(level, days)).then_some(Obstacle::TooFar { days, limit })
    }
}

impl Classes {
    fn new(level: &Level, items: &[Arc<Item>]) -> Self {
        let holds = items.iter().map(|i| level.when.iter().all(|c| c.check(&**i) == Verdict::Holds)).collect();
        let mut classes: HashMap<String, usize> = HashMap::new();
        let mut one = Vec::new();
        let class = items.iter().enumerate().map(|(n, item)| {
            *classes.entry(level.signature.asks_of_found(&**item)).or_insert_with(|| {
                one.push(n);
                one.len() - 1
            })
        });
        let class = class.collect();
        Classes { holds, class, one, known: RefCell::default() }
    }

    /// Whether what is wanted agrees with an item; `compare` is asked once for each pair of classes.
    fn agree(&self, item: usize, wanted_as: &str, compare: impl Fn(usize) -> bool) -> bool {
        let class = self.class[item];
        let mut known = self.known.borrow_mut();
        if !known.contains_key(wanted_as) {
            known.insert(wanted_as.to_owned(), vec![None; self.one.len()]);
        }
        let Some(answers) = known.get_mut(wanted_as) else { return compare(self.one[class]) };
        *answers[class].get_or_insert_with(|| compare(self.one[class]))
    }
}

fn as_wanted(level: &Level, wanted: &Item) -> String {
    level.signature.asks_of_wanted(wanted)
}

/// Time of an item minus time of what is wanted.
fn days(wanted: &Item, item: &Item) -> Option<f64> {
    Some(item.mjd - wanted.mjd).filter(|d| d.is_finite())
}

/// What keeps an item from every level.
fn unusable(item: &Item, change: &AssociationChange) -> Option<Obstacle> {
    let accepted = |d: &super::reason::Defect| d.is_made() && change.accept_bad.unwrap_or(false);
    if let Some(defect) = item.defect.as_ref().filter(|d| !accepted(d)) {
        return Some(Obstacle::Defective { defect: defect.clone() });
    }
    let wanted = change.recipe.as_ref()?;
    let found = item.recipe.as_ref().map(|r| r.to_string());
    (found.as_ref() != Some(wanted)).then(|| Obstacle::OtherRecipe { found, wanted: wanted.clone() })
}

#[cfg(test)]
mod tests {
    use ifured_core::{Compare, Signature, SignatureKey, Value};

    use super::*;
    use crate::plan::group::tests::item;

    /// What is taken, and all candidates.
    fn associate(wanted: &Item, spec: &InputSpec, change: &AssociationChange, items: &[Arc<Item>]) -> (Vec<Chosen>, Association) {
        let candidates = Candidates::new(spec, change.clone(), items);
        (candidates.choose(wanted, None).unwrap_or_default(), candidates.explain(wanted, None))
    }

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
        let (choice, association) = associate(&wanted, &spec(), &AssociationChange::default(), &items);
        let choice = &choice[0];
        assert_eq!(
            (choice.item.name.as_str(), choice.level, choice.fit.to_string().as_str()),
            ("same-night", 0, "same set-up, same night, 21.6 h later")
        );
        let rows: Vec<_> = association.candidates.iter().map(|c| (c.name.as_str(), c.level())).collect();
        assert_eq!(
            rows,
            [("same-night", Some(0)), ("near-other-night", Some(1)), ("full", Some(2)), ("far", Some(2)), ("other-ccd", None)]
        );
        assert_eq!(association.candidates[4].why(), "CCD is `B`, needed `A`");
        let other_night = Obstacle::OtherNight { found: "n1".into(), wanted: "n2".into() };
        assert_eq!(association.candidates[1].failed, [(0, other_night)]);
        let (level, obstacle) = &association.candidates[3].failed[1];
        assert_eq!((*level, obstacle.to_string().as_str()), (1, "40.0 d earlier, limit 30 d"));
    }

    #[test]
    fn a_candidate_without_a_time_comes_last_and_survives_the_plan_file() {
        let wanted = bias("science", "n2", 100.0, "A", "[11,11:20,20]");
        let items = vec![bias("no-time", "n2", f64::NAN, "A", "[11,11:20,20]"), bias("far", "n2", 160.0, "A", "[11,11:20,20]")];
        let (choice, association) = associate(&wanted, &spec(), &AssociationChange::default(), &items);
        assert_eq!(choice[0].item.name, "far");
        let text = serde_json::to_string(&association).unwrap();
        assert_eq!(serde_json::from_str::<Association>(&text).unwrap(), association);
        let limited = AssociationChange { max_age_days: Some(5.0), ..Default::default() };
        let (_, association) = associate(&wanted, &spec(), &limited, &items);
        assert_eq!(association.candidates[1].why(), "without a date, limit 5 d");
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
            let (chosen, association) = associate(wanted, &spec, &AssociationChange::default(), &items);
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
            assert_eq!(associate(&wanted, &spec(), &change, &items).0[0].item.name, first);
        }
    }

    #[test]
    fn of_two_ways_of_one_level_the_first_that_is_declared_counts() {
        let section = "[11,11:20,20]";
        let wanted = bias("science", "n2", 100.0, "A", section);
        let way = |tag: &str| Level { title: tag.into(), when: vec![ifured_core::key("TAG").is(tag)], ..Level::default() };
        let tagged = |tag: &str, mjd: f64| Arc::new(Item { tag: tag.into(), ..(*bias(tag, "n2", mjd, "A", section)).clone() });
        let spec = InputSpec { levels: vec![way("tied"), way("plain")], ..InputSpec::required("offsets", "plain").or_tag("tied") };
        let names = |items: &[Arc<Item>]| associate(&wanted, &spec, &AssociationChange::default(), items).1.chosen;
        assert_eq!(names(&[tagged("plain", 100.0), tagged("tied", 105.0)]), ["tied"]);
        assert_eq!(names(&[tagged("plain", 100.0)]), ["plain"]);
    }

    #[test]
    fn configuration_limits_level_and_age() {
        let wanted = bias("science", "n2", 100.0, "A", "[11,11:20,20]");
        let items = vec![bias("full", "n2", 100.01, "A", "[1,1:100,100]"), bias("old", "n0", 90.0, "A", "[11,11:20,20]")];
        let change = AssociationChange { max_level: Some(1), max_age_days: Some(5.0), ..Default::default() };
        let (choice, association) = associate(&wanted, &spec(), &change, &items);
        assert!(choice.is_empty());
        assert_eq!(association.candidates[0].why(), "level 2 is worse than max_level of the configuration");
    }
}
