//! The finished plan: tasks and what they need of each other. It answers who made this, who needs it, in what order, and what is left of
//! it if only some of it is wanted. How it was planned is the draft's business ([`super::draft`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ifured_core::{InstrumentDescription, Tag, Task, TaskId, rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::associate::Association;
use super::evidence::{Evidence, Place};
use super::reason::{Block, Lack, Note, Skip};
use crate::files::stem;

/// One task of a plan.
#[derive(Clone, Debug, Default)]
pub struct PlannedTask {
    /// The task.
    pub task: Task,
    /// Why each of its missing inputs is missing, in their order.
    pub lacks: Vec<Lack>,
    /// Where the planner was when it planned this: for explanations.
    pub(super) place: Option<Place>,
}

/// A group that cannot be reduced because something it requires is missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Blocked {
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Tags of its main frames, and of the products it would have made.
    pub tags: Vec<Tag>,
    /// Extension that the task would have been about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Names of the main frames.
    pub frames: Vec<String>,
    /// What is missing and why.
    pub reasons: Vec<Block>,
    /// Where the planner was: for explanations.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) place: Option<Place>,
}

impl Blocked {
    /// What is missing and why, in words.
    pub fn why(&self) -> String {
        self.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Whether an input is the reason, or one of them.
    pub fn is_for_lack_of(&self, role: &ifured_core::Role) -> bool {
        self.reasons.iter().any(|r| matches!(r, Block::Input { role: r, .. } if r == role))
    }
}

/// A group that is left out on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Names of the main frames.
    pub frames: Vec<String>,
    /// Why.
    pub reason: Skip,
}

/// All tasks, in an order in which they can be done.
#[derive(Clone, Default)]
pub struct Plan {
    /// Name of the instrument.
    pub instrument: String,
    /// What cannot be done.
    pub blocked: Vec<Blocked>,
    /// What is left out.
    pub skipped: Vec<Skipped>,
    /// What a person should know before it runs.
    pub notes: Vec<Note>,
    tasks: Vec<Arc<PlannedTask>>,
    needs: Vec<Vec<usize>>,
    users: Vec<Vec<usize>>,
    by_id: HashMap<TaskId, usize>,
    by_product: HashMap<String, usize>,
    pub(super) evidence: Option<Arc<Evidence>>,
}

/// What is wanted of all that could be done.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Only what leads to products (or reduces frames) of these tags.
    pub to: Vec<Tag>,
    /// Only final tasks with a main frame or product whose name matches one of these patterns.
    pub only: Vec<String>,
}

impl Targets {
    /// Whether everything is wanted.
    pub fn is_all(&self) -> bool {
        self.to.is_empty() && self.only.is_empty()
    }
}

impl Plan {
    /// A plan of tasks, each after those that it needs; who needs whom follows from the names of inputs and outputs.
    pub fn new(instrument: &str, tasks: Vec<Arc<PlannedTask>>) -> Self {
        let mut plan = Plan { instrument: instrument.to_owned(), ..Plan::default() };
        for planned in tasks {
            let at = plan.tasks.len();
            let makers = planned.task.inputs.iter().filter_map(|i| plan.by_product.get(&i.name).filter(|m| plan.is_made(**m, i)).copied());
            let needs: Vec<usize> = makers.collect::<BTreeSet<_>>().into_iter().collect();
            needs.iter().for_each(|&maker| plan.users[maker].push(at));
            plan.by_id.insert(planned.task.id.clone(), at);
            for output in &planned.task.outputs {
                plan.by_product.insert(output.name.clone(), at);
            }
            plan.needs.push(needs);
            plan.users.push(Vec::new());
            plan.tasks.push(planned);
        }
        plan
    }

    /// A raw frame may be called as a product is: the identity tells.
    fn is_made(&self, maker: usize, input: &ifured_core::recipe::TaskInput) -> bool {
        input.identity == super::identity::product_identity(&self.tasks[maker].task.id, &input.tag)
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The tasks, each after those that it needs.
    pub fn tasks(&self) -> impl DoubleEndedIterator<Item = &PlannedTask> + ExactSizeIterator {
        self.tasks.iter().map(|t| &**t)
    }

    /// The task at a place in the order.
    pub fn at(&self, place: usize) -> &PlannedTask {
        &self.tasks[place]
    }

    /// The place of a task.
    pub fn place(&self, id: &TaskId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The task of that identity.
    pub fn task(&self, id: &TaskId) -> Option<&PlannedTask> {
        self.place(id).map(|at| self.at(at))
    }

    /// The only task whose identity begins so.
    pub fn beginning(&self, id: &str) -> Option<&PlannedTask> {
        let mut found = self.tasks().filter(|t| t.task.id.as_str().starts_with(id));
        found.next().filter(|_| found.next().is_none())
    }

    /// Places of the tasks whose products a task needs, in order.
    pub fn needs(&self, place: usize) -> &[usize] {
        &self.needs[place]
    }

    /// Places of the tasks that need the products of a task, in order.
    pub fn users(&self, place: usize) -> &[usize] {
        &self.users[place]
    }

    /// The place of the task that makes a product, by its whole name.
    pub fn maker(&self, product: &str) -> Option<usize> {
        self.by_product.get(product).copied()
    }

    /// The task that writes a product: by name, or by the last parts of its path where they are unique.
    pub fn producer(&self, product: &str) -> Option<&PlannedTask> {
        // Never by a part of a file name, which may be the whole name of another frame.
        let ending = |name: &str| name.strip_suffix(product).is_some_and(|start| start.ends_with('/'));
        let by_ending = || {
            let mut all = self.tasks().filter(|t| t.task.outputs.iter().any(|o| ending(&o.name)));
            all.next().filter(|_| all.next().is_none())
        };
        self.maker(product).map(|at| self.at(at)).or_else(by_ending)
    }

    /// All candidates for the inputs of a task, worked out now; none for a plan that was read from a file.
    pub fn associations(&self, planned: &PlannedTask) -> Vec<Association> {
        self.explained(planned.place)
    }

    /// All candidates for the inputs of a group that is blocked.
    pub fn associations_of_blocked(&self, blocked: &Blocked) -> Vec<Association> {
        self.explained(blocked.place)
    }

    fn explained(&self, place: Option<Place>) -> Vec<Association> {
        self.evidence.as_ref().zip(place).map_or_else(Vec::new, |(evidence, place)| evidence.associations(place))
    }

    /// Places of all tasks that depend on a task, directly or not, in order.
    pub fn dependents(&self, place: usize) -> BTreeSet<usize> {
        closure([place], |at| self.users(at))
    }

    /// Places of all tasks that a task depends on, directly or not, in order.
    pub fn requirements(&self, place: usize) -> BTreeSet<usize> {
        closure([place], |at| self.needs(at))
    }

    /// What is left of it if only these targets are wanted: their tasks and what these need. What is blocked on the way to them stays.
    pub fn restricted(&self, targets: &Targets, instrument: &InstrumentDescription) -> Plan {
        if targets.is_all() {
            return self.clone();
        }
        let wanted: Vec<usize> = (0..self.len()).filter(|&at| targets.want(&self.at(at).task)).collect();
        let mut kept = closure(wanted.iter().copied(), |at| self.needs(at));
        kept.extend(wanted);
        let leads = leading_to(&targets.to, instrument);
        let on_the_way = |b: &Blocked| targets.only.is_empty() && b.tags.iter().skip(1).any(|t| leads.contains(t));
        let blocked = self
            .blocked
            .iter()
            .filter(|b| targets.want_blocked(b))
            .chain(self.blocked.iter().filter(|b| !targets.want_blocked(b) && on_the_way(b)));
        Plan {
            blocked: blocked.cloned().collect(),
            notes: self.notes.clone(),
            evidence: self.evidence.clone(),
            ..Plan::new(&self.instrument, kept.into_iter().map(|at| self.tasks[at].clone()).collect())
        }
    }
}

/// All places that can be reached from some, these left out unless they can be reached themselves.
fn closure<'a>(from: impl IntoIterator<Item = usize>, next: impl Fn(usize) -> &'a [usize]) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<usize> = from.into_iter().collect();
    while let Some(at) = waiting.pop() {
        waiting.extend(next(at).iter().filter(|n| found.insert(**n)));
    }
    found
}

/// Tags of the frames that recipes make these of, directly or not.
fn leading_to<'a>(tags: &'a [Tag], instrument: &'a InstrumentDescription) -> BTreeSet<&'a Tag> {
    let mut found: BTreeSet<&Tag> = tags.iter().collect();
    loop {
        let makers = instrument.recipes.iter().filter(|r| r.products.iter().any(|p| found.contains(&p.tag)));
        let more: Vec<&Tag> = makers.flat_map(|r| &r.main.tags).filter(|t| !found.contains(t)).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

impl Targets {
    fn want(&self, task: &Task) -> bool {
        let tagged = |t: &Task| t.outputs.iter().any(|o| self.to.contains(&o.tag)) || t.main().any(|m| self.to.contains(&m.tag));
        let named = |t: &Task| {
            let names = t.main().map(|m| m.name.as_str()).chain(t.outputs.iter().map(|o| o.name.as_str()));
            let base = |n: &str| n.rsplit('/').next().unwrap_or(n).to_owned();
            let names: Vec<String> = names.flat_map(|n| [n.to_owned(), base(n), stem(n)]).collect();
            self.only.iter().any(|p| names.iter().any(|n| rule::like(p, n)))
        };
        (self.to.is_empty() || tagged(task)) && (self.only.is_empty() || named(task))
    }

    fn want_blocked(&self, blocked: &Blocked) -> bool {
        let named = |f: &String| self.only.iter().any(|p| rule::like(p, &stem(f)) || rule::like(p, f));
        (self.to.is_empty() || blocked.tags.iter().any(|t| self.to.contains(t)))
            && (self.only.is_empty() || blocked.frames.iter().any(named))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ifured_core::recipe::{TaskInput, TaskOutput};

    use super::super::identity::product_identity;
    use super::*;

    /// A plan of tasks that are called as their products; `a: b c` needs the products `b` and `c`.
    pub(crate) fn plan_of(lines: &[&str]) -> Plan {
        let task = |line: &&str| {
            let (name, needs) = line.split_once(':').unwrap_or((line, ""));
            let input = |n: &str| TaskInput {
                role: "main".into(),
                tag: "T".into(),
                name: n.to_owned(),
                identity: product_identity(&n.into(), &"T".into()),
                ..TaskInput::default()
            };
            let inputs = needs.split_whitespace().map(input).collect();
            let outputs = vec![TaskOutput { tag: "T".into(), path: name.into(), name: name.into(), ..TaskOutput::default() }];
            Arc::new(PlannedTask { task: Task { id: name.into(), inputs, outputs, ..Task::default() }, ..PlannedTask::default() })
        };
        Plan::new("test", lines.iter().map(task).collect())
    }

    fn names(plan: &Plan, places: &BTreeSet<usize>) -> String {
        places.iter().map(|&at| plan.at(at).task.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn it_knows_who_made_what_and_who_needs_it() {
        let plan = plan_of(&["bias", "flat: bias", "night/image.fits: bias flat", "other", "sum: night/image.fits other"]);
        assert_eq!(plan.maker("flat"), Some(1));
        assert_eq!(plan.producer("image.fits").map(|t| t.task.id.as_str()), Some("night/image.fits"));
        assert!(plan.producer("mage.fits").is_none());
        assert_eq!((plan.needs(2), plan.users(0)), (&[0, 1][..], &[1, 2][..]));
        assert_eq!(names(&plan, &plan.dependents(1)), "night/image.fits sum");
        assert_eq!(names(&plan, &plan.requirements(4)), "bias flat night/image.fits other");
        assert_eq!(plan.beginning("su").map(|t| t.task.id.as_str()), Some("sum"));
        assert!(plan.beginning("").is_none(), "more than one");
    }

    #[test]
    fn a_raw_frame_that_is_called_as_a_product_is_none() {
        let mut raw = (*plan_of(&["x: a"]).tasks[0]).clone();
        raw.task.inputs[0].identity = "hash of a file".into();
        let a = plan_of(&["a"]).tasks[0].clone();
        let plan = Plan::new("test", vec![a, Arc::new(raw)]);
        assert!(plan.needs(1).is_empty());
    }

    #[test]
    fn what_is_left_is_what_the_targets_need() {
        let plan = plan_of(&["bias", "flat: bias", "image: flat", "other: bias"]);
        let only = |pattern: &str| {
            let targets = Targets { only: vec![pattern.into()], ..Targets::default() };
            let left = plan.restricted(&targets, &InstrumentDescription::default());
            left.tasks().map(|t| t.task.id.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(only("image"), "bias flat image");
        assert_eq!(only("other"), "bias other");
        assert_eq!(only("nothing"), "");
        assert_eq!(plan.restricted(&Targets::default(), &InstrumentDescription::default()).len(), 4);
    }
}
