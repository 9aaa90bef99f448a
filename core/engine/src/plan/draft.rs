//! A plan under construction: recipes are taken in the order in which their products feed each other, each plans its groups, and what these will
//! make are items for the recipes after it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use ifured_core::recipe::{
    Choice, Engine, FrameSize, Grouping, InputSpec, MissingInput, ProductSpec, RecipeDescription, TaskInput, TaskOutput,
};
use ifured_core::rule::Verdict;
use ifured_core::{Compare, Config, EngineName, Grade, InstrumentDescription, Role, SignatureKey, Tag, Task, TaskId, rule};
use ifured_pixels::compare::OTHER;
use serde_json::Value;

use super::associate::{Candidates, Chosen};
use super::belongings::HintIndex;
use super::enabled::enabled;
use super::evidence::{Evidence, Group, Place, calibrated_as, change, is_asked_for, raw_frames};
use super::graph::{Blocked, Plan, PlannedTask, Skipped};
use super::group::group;
use super::identity::{identity, product_identity};
use super::item::Item;
use super::naming::{self, Names};
use super::reason::{Block, Defect, FileLack, Lack, Note, Skip};
use crate::error::{Error, Result};
use crate::files::stem;
use crate::frame::{Frame, FrameState};
use crate::hints::{self, HintFile};
use crate::{config, file_parameters};

/// What is known of tasks that were run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// Why the products of some cannot or should not be used.
    pub defects: HashMap<TaskId, Defect>,
    /// Grades of those that are done.
    pub grades: HashMap<TaskId, Grade>,
}

/// All that a plan is made from.
pub struct Request<'a> {
    /// The frames.
    pub frames: &'a [Arc<Frame>],
    /// The instrument, with the configuration's changes.
    pub instrument: &'a Arc<InstrumentDescription>,
    /// The configuration.
    pub config: &'a Arc<Config>,
    /// The output directory.
    pub output: &'a Path,
    /// What others say of which frames belong together.
    pub hints: &'a [HintFile],
    /// What is known of tasks that were run.
    pub verdicts: &'a Verdicts,
}

/// Plans everything that the frames and the configuration ask for.
///
/// # Errors
/// If recipes need each other in a circle.
pub fn plan(request: &Request<'_>) -> Result<Plan> {
    let good = request.frames.iter().filter(|f| f.state == FrameState::Good);
    let mut draft = Draft {
        request,
        evidence: Evidence {
            instrument: request.instrument.clone(),
            config: request.config.clone(),
            items: good.map(|f| Arc::new(Item::raw(f.clone()))).collect(),
            hints: HintIndex::new(request.hints, request.frames),
            groups: Vec::new(),
        },
        tasks: Vec::new(),
        blocked: Vec::new(),
        skipped: Vec::new(),
        names: Names::default(),
        blocked_makers: HashMap::new(),
    };
    for recipe in in_order(request.instrument, request.config)? {
        draft.plan_recipe(recipe)?;
    }
    Ok(draft.finish())
}

/// Enabled recipes, makers before users.
fn in_order<'a>(instrument: &'a InstrumentDescription, config: &Config) -> Result<Vec<&'a RecipeDescription>> {
    let mut waiting = enabled(instrument, config)?;
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|r| {
            // What a recipe makes itself it does not wait for, whoever else makes it, too: it refines what lies in the data.
            let others = waiting.iter().filter(|o| o.name != r.name);
            let to_come: HashSet<&Tag> = others.flat_map(|o| o.products.iter().map(|p| &p.tag)).collect();
            let refined = |tag: &&Tag| r.products.iter().any(|p| p.tag == **tag);
            let mut needs = r.main.tags.iter().chain(r.inputs.iter().flat_map(|i| i.tags.iter()).filter(|tag| !refined(tag)));
            needs.all(|tag| !to_come.contains(tag))
        });
        match ready {
            Some(at) => ordered.push(waiting.remove(at)),
            None => {
                let names: Vec<&str> = waiting.iter().map(|r| r.name.as_str()).collect();
                return Err(Error::Inconsistent(format!(
                    "recipes of {} need each other in a circle: {}",
                    instrument.name,
                    names.join(", ")
                )));
            }
        }
    }
    Ok(ordered)
}

/// A plan under construction.
struct Draft<'a> {
    request: &'a Request<'a>,
    evidence: Evidence,
    tasks: Vec<Arc<PlannedTask>>,
    blocked: Vec<Blocked>,
    skipped: Vec<Skipped>,
    names: Names,
    /// The first recipe that would have made a tag and is blocked.
    blocked_makers: HashMap<Tag, String>,
}

/// A recipe at work: what is the same for all of its groups.
struct Work<'a> {
    recipe: &'a RecipeDescription,
    /// Engines, with their parameters and the files that these name; the products of the first are those that others use.
    engines: Vec<EngineWork<'a>>,
    /// Its inputs with their candidates.
    inputs: Vec<(&'a InputSpec, Candidates<'a>, Wish)>,
}

struct EngineWork<'a> {
    engine: &'a Engine,
    parameters: Value,
    files: std::result::Result<Vec<TaskInput>, FileLack>,
}

/// What configuration and parameters say of an input.
struct Wish {
    left_out: bool,
    required: bool,
    /// The parameter that makes it necessary, with its value.
    for_parameter: Option<String>,
}

/// What a group takes.
#[derive(Default)]
struct Taken<'a> {
    chosen: Vec<(&'a InputSpec, Chosen)>,
    missing: Vec<MissingInput>,
    lacks: Vec<Lack>,
}

impl<'a> Draft<'a> {
    fn finish(self) -> Plan {
        let Draft { request, evidence, tasks, blocked, skipped, .. } = self;
        let mut notes = unavailable(request.instrument, &tasks);
        notes.extend(hints::notes(request.hints, request.frames).into_iter().map(|text| Note::Hints { text }));
        let mut plan = Plan::new(&request.instrument.name, tasks);
        (plan.blocked, plan.skipped, plan.notes, plan.evidence) = (blocked, skipped, notes, Some(Arc::new(evidence)));
        plan
    }

    fn plan_recipe(&mut self, recipe: &'a RecipeDescription) -> Result<()> {
        let grouping = self.grouping(recipe);
        let mut main: Vec<Arc<Item>> = self.evidence.items.iter().filter(|i| is_main(recipe, i)).cloned().collect();
        self.leave_out_replaced(&mut main);
        let groups = match &recipe.main.each_extension {
            Some(pattern) => by_extension(main, pattern).into_iter().flat_map(|part| group(part, &grouping)).collect(),
            None => group(main, &grouping),
        };
        if groups.is_empty() {
            return Ok(());
        }
        let work = self.work(recipe)?;
        let mut made = Vec::new();
        for members in groups {
            if members.len() < grouping.min_frames {
                let skipped = Skipped {
                    recipe: recipe.name.clone(),
                    night: members[0].night.clone(),
                    frames: members.iter().map(|m| m.name.clone()).collect(),
                    reason: Skip::TooFewFrames { found: members.len(), wanted: grouping.min_frames },
                };
                // Once for all extensions of the same frames.
                if self.skipped.last() != Some(&skipped) {
                    self.skipped.push(skipped);
                }
                continue;
            }
            self.plan_group(&work, members, &mut made);
        }
        self.evidence.items.extend(made);
        Ok(())
    }

    fn grouping(&self, recipe: &RecipeDescription) -> Grouping {
        let mut grouping = recipe.main.group.clone();
        let of = |name: &String| self.request.config.grouping.get(name);
        if let Some(change) = of(&recipe.name).or_else(|| of(recipe.variant_of.as_ref()?)) {
            grouping.span_hours = change.span_hours.or(grouping.span_hours);
            grouping.min_frames = change.min_frames.unwrap_or(grouping.min_frames);
            grouping.signature.0.extend(change.same.iter().map(|key| SignatureKey { key: key.clone(), compare: Compare::Exact }));
        }
        grouping
    }

    fn work(&self, recipe: &'a RecipeDescription) -> Result<Work<'a>> {
        let config = self.request.config;
        let mut all = Vec::new();
        for engine in config::engines(recipe, &self.request.instrument.name, config) {
            let mut parameters = config::parameters(recipe, engine, config)?;
            let files = file_parameters::take(recipe, engine, &mut parameters);
            all.push(EngineWork { engine, parameters, files });
        }
        let wish = |spec: &InputSpec, change: &ifured_core::config::AssociationChange| {
            let holding = recipe.requirements.iter().filter(|r| r.role == spec.role);
            let values = |name: &str| all.iter().find_map(|e| e.parameters.get(name)).map_or_else(String::new, ToString::to_string);
            let parameter = holding.filter(|r| all.iter().any(|e| r.holds(&e.parameters))).map(|r| &r.parameter).next();
            Wish {
                left_out: change.enabled == Some(false),
                required: change.required.unwrap_or(spec.required || parameter.is_some()),
                for_parameter: parameter.filter(|_| !spec.required).map(|name| format!("{name} = {}", values(name))),
            }
        };
        let input = |spec: &'a InputSpec| {
            let change = change(config, recipe, spec);
            let wish = wish(spec, &change);
            let items = if wish.left_out { &[][..] } else { &self.evidence.items[..] };
            (spec, Candidates::new(spec, change, items), wish)
        };
        let inputs = recipe.inputs.iter().map(input).collect();
        Ok(Work { recipe, engines: all, inputs })
    }

    /// What was made of a frame takes its place: an image and the same image with world coordinates are not used together.
    fn leave_out_replaced(&self, main: &mut Vec<Arc<Item>>) {
        let makers = main.iter().filter_map(|i| i.producer);
        let replaced: HashSet<&str> = makers.flat_map(|p| self.tasks[p].task.main().map(|m| m.identity.as_str())).collect();
        main.retain(|i| !replaced.contains(i.identity.as_str()));
    }

    fn plan_group(&mut self, work: &Work<'a>, members: Vec<Arc<Item>>, made: &mut Vec<Arc<Item>>) {
        let place = Place(self.evidence.groups.len());
        let taken = self.take(work, &members);
        match taken {
            Ok(taken) => {
                let mut first: Option<usize> = None;
                for engine in &work.engines {
                    let task = self.task(work.recipe, engine, &members, &taken, first.is_some());
                    let index = self.tasks.len();
                    match first {
                        None => made.extend(self.products(&task, index, &members)),
                        Some(other) => {
                            let comparison = self.comparison(&self.tasks[other].task.clone(), &task);
                            self.push(task, taken.lacks.clone(), place);
                            self.push(comparison, Vec::new(), place);
                            continue;
                        }
                    }
                    first = Some(index);
                    self.push(task, taken.lacks.clone(), place);
                }
            }
            Err(reasons) => {
                let recipe = work.recipe;
                for product in &recipe.products {
                    self.blocked_makers.entry(product.tag.clone()).or_insert_with(|| recipe.name.clone());
                }
                self.blocked.push(Blocked {
                    recipe: recipe.name.clone(),
                    night: members[0].night.clone(),
                    tags: members.iter().map(|m| m.tag.clone()).take(1).chain(recipe.products.iter().map(|p| p.tag.clone())).collect(),
                    extension: task_extension(recipe, &members).cloned(),
                    frames: members.iter().map(|m| m.name.clone()).collect(),
                    reasons,
                    place: Some(place),
                });
            }
        }
        let recipe = self.evidence.instrument.recipes.iter().position(|r| r.name == work.recipe.name).unwrap_or_default();
        self.evidence.groups.push(Group { recipe, members, known: self.evidence.items.len() });
    }

    fn push(&mut self, task: Task, lacks: Vec<Lack>, place: Place) {
        self.tasks.push(Arc::new(PlannedTask { task, lacks, place: Some(place) }));
    }

    /// What a group takes for its inputs, or what keeps it from being reduced.
    fn take(&self, work: &Work<'a>, members: &[Arc<Item>]) -> std::result::Result<Taken<'a>, Vec<Block>> {
        let raw = raw_frames(members);
        let belongings = self.evidence.hints.about(&raw);
        let wanted = calibrated_as(members);
        let mut taken = Taken::default();
        let (mut blocks, mut absent) = (Vec::new(), Vec::new());
        for (spec, candidates, wish) in &work.inputs {
            if !work.engines.iter().any(|e| is_asked_for(spec, &e.parameters, &members[0])) {
                continue;
            }
            let lack = match candidates.choose(&wanted, belongings.as_ref()) {
                Ok(chosen) => {
                    taken.chosen.extend(chosen.into_iter().map(|choice| (*spec, choice)));
                    continue;
                }
                Err(_) if wish.left_out => Lack::LeftOut,
                Err(Lack::NoCandidate { tags, .. }) => {
                    absent.extend(wish.required.then_some(*spec));
                    let blocked = tags.iter().find_map(|t| self.blocked_makers.get(t)).cloned();
                    Lack::NoCandidate { tags, blocked }
                }
                Err(lack) => lack,
            };
            if wish.required {
                blocks.push(Block::Input { role: spec.role.clone(), lack, for_parameter: wish.for_parameter.clone() });
            } else {
                let (role, otherwise) = (spec.role.clone(), spec.otherwise.clone());
                taken.missing.push(MissingInput { role, otherwise, level: spec.level_without });
                taken.lacks.push(lack);
            }
        }
        blocks.extend(work.engines.iter().filter_map(|e| e.files.as_ref().err()).cloned().map(Block::File));
        blocks.extend(self.static_frames(&absent));
        if blocks.is_empty() { Ok(taken) } else { Err(blocks) }
    }

    /// What belongs to the instrument and not to a night, and which no recipe makes: it has to be looked for elsewhere.
    fn static_frames(&self, absent: &[&InputSpec]) -> Option<Block> {
        let instrument = self.request.instrument;
        let is_static = |t: &&Tag| {
            let made = instrument.recipes.iter().any(|r| r.products.iter().any(|p| p.tag == **t));
            !made && instrument.frame_types.iter().any(|f| f.rule.tag == **t && f.timeless)
        };
        let tags: Vec<Tag> = absent.iter().flat_map(|s| &s.tags).filter(is_static).cloned().collect();
        (!tags.is_empty()).then_some(Block::StaticFrames { tags })
    }

    fn task(&mut self, recipe: &RecipeDescription, work: &EngineWork<'_>, members: &[Arc<Item>], taken: &Taken<'_>, second: bool) -> Task {
        let mut inputs: Vec<TaskInput> =
            members.iter().map(|m| input(&Role::new(Role::MAIN), m, m.level, recipe.main.adapt.clone(), Choice::Main)).collect();
        for (spec, chosen) in &taken.chosen {
            let level = chosen.level.max(chosen.item.level);
            inputs.push(input(&spec.role, &chosen.item, level, chosen.adapt.clone(), Choice::Fits(chosen.fit.clone())));
        }
        inputs.extend(work.files.iter().flatten().cloned());
        let level = inputs.iter().map(|i| i.level).chain(taken.missing.iter().map(|m| m.level)).max().unwrap_or(0);
        let size = members.iter().map(|m| m.first.size()).fold(FrameSize::default(), FrameSize::max);
        let mut task = Task {
            id: TaskId::default(),
            instrument: self.request.instrument.name.clone(),
            plugin: self.request.instrument.library.as_ref().map(|l| l.hash.clone()),
            recipe: recipe.name.clone(),
            recipe_version: work.engine.version,
            engine: work.engine.name.clone(),
            external: work.engine.external.as_ref().map(ToString::to_string),
            parameters: work.parameters.clone(),
            night: members[0].night.clone(),
            signature: recipe.products.first().map(|p| p.signature.extract(&*members[0]).to_string()).unwrap_or_default(),
            extension: task_extension(recipe, members).cloned(),
            inputs,
            outputs: Vec::new(),
            missing: taken.missing.clone(),
            level,
            memory: work.engine.memory.bytes(size, members.len()),
        };
        task.id = identity(&task);
        task.outputs = recipe.products.iter().map(|p| self.output_of(p, &members[0], &task, second)).collect();
        task
    }

    fn output_of(&mut self, product: &ProductSpec, first: &Item, task: &Task, second: bool) -> TaskOutput {
        let extension = task.extension.as_ref().map_or_else(String::new, |e| format!("-{e}"));
        let stem = stem(&first.first.name);
        let parts = [("night", first.night.as_str()), ("stem", &stem), ("tag", first.tag.as_str()), ("extension", &extension)];
        let name = naming::fill(&product.path, &parts);
        let name = if second { naming::of_engine(&name, &task.engine) } else { name };
        let name = self.names.take(name, &task.id);
        TaskOutput { tag: product.tag.clone(), path: self.request.output.join(&name), name, format: product.format }
    }

    /// The task that compares the products of two engines: it belongs to the recipe, and has no parameters.
    fn comparison(&mut self, one: &Task, other: &Task) -> Task {
        let product = |task: &Task, output: &TaskOutput, role: &str| TaskInput {
            role: role.into(),
            tag: output.tag.clone(),
            path: output.path.clone(),
            name: output.name.clone(),
            identity: product_identity(&task.id, &output.tag),
            level: task.level,
            choice: if role == Role::MAIN { Choice::Main } else { Choice::Configured },
            mjd: task.main().next().and_then(|m| m.mjd),
            ..TaskInput::default()
        };
        let of = |task: &Task, role: &str| {
            task.outputs.iter().filter(|o| o.format.is_fits()).map(|o| product(task, o, role)).collect::<Vec<_>>()
        };
        let mut task = Task {
            engine: EngineName::new(EngineName::BOTH),
            external: None,
            parameters: serde_json::json!({}),
            inputs: [of(one, Role::MAIN), of(other, OTHER)].concat(),
            missing: Vec::new(),
            memory: COMPARISON_MEMORY,
            ..one.clone()
        };
        task.id = identity(&task);
        let first = one.outputs.first().map_or("", |o| o.name.as_str());
        let name = self.names.take(naming::of_engine(first, &"comparison".into()), &task.id);
        task.outputs = vec![TaskOutput { tag: Tag::new(COMPARISON), path: self.request.output.join(&name), name, ..TaskOutput::default() }];
        task
    }

    /// The items that the products of a task will be.
    fn products(&self, task: &Task, index: usize, members: &[Arc<Item>]) -> Vec<Arc<Item>> {
        let verdicts = self.request.verdicts;
        let first = &members[0];
        let frames: usize = members.iter().map(|m| m.frames).sum();
        let raw = raw_frames(members);
        let recipe: Arc<str> = task.recipe.as_str().into();
        let item = |output: &TaskOutput| Item {
            tag: output.tag.clone(),
            name: output.name.clone(),
            path: output.path.clone(),
            identity: product_identity(&task.id, &output.tag),
            night: first.night.clone(),
            mjd: members.iter().map(|m| m.mjd * m.frames as f64).sum::<f64>() / frames as f64,
            first: first.first.clone(),
            frames,
            raw: raw.clone(),
            extension: task.extension.clone(),
            producer: Some(index),
            level: task.level,
            recipe: Some(recipe.clone()),
            defect: verdicts.defects.get(&task.id).cloned(),
            grade: verdicts.grades.get(&task.id).copied(),
        };
        task.outputs.iter().map(|o| Arc::new(item(o))).collect()
    }
}

/// Tag of the comparison of two engines.
pub const COMPARISON: &str = "engine-comparison";
/// A comparison goes through images plane by plane.
const COMPARISON_MEMORY: u64 = 512 << 20;

fn input(role: &Role, item: &Item, level: i32, adapt: Option<String>, choice: Choice) -> TaskInput {
    TaskInput {
        role: role.clone(),
        tag: item.tag.clone(),
        path: item.path.clone(),
        name: if item.producer.is_some() { item.name.clone() } else { item.first.file_name() },
        identity: item.identity.clone(),
        level,
        adapt,
        choice,
        corrections: if item.producer.is_none() { item.first.corrections.clone() } else { Vec::new() },
        mjd: Some(item.mjd).filter(|m| m.is_finite()),
    }
}

/// Whether a recipe is about an item.
fn is_main(recipe: &RecipeDescription, item: &Item) -> bool {
    recipe.main.tags.contains(&item.tag) && item.defect.is_none() && recipe.main.when.iter().all(|c| c.check(item) == Verdict::Holds)
}

/// The extension that a task of a group is about, if its recipe goes by extensions.
fn task_extension<'a>(recipe: &RecipeDescription, members: &'a [Arc<Item>]) -> Option<&'a String> {
    members[0].extension.as_ref().filter(|_| recipe.main.each_extension.is_some())
}

/// The frames of each extension whose name matches a pattern, in the order of the names; frames that have none as they are, last.
fn by_extension(items: Vec<Arc<Item>>, pattern: &str) -> Vec<Vec<Arc<Item>>> {
    let mut parts: BTreeMap<String, Vec<Arc<Item>>> = BTreeMap::new();
    let mut whole = Vec::new();
    for item in items {
        if let Some(name) = &item.extension {
            parts.entry(name.clone()).or_default().push(item);
            continue;
        }
        let names: Vec<&String> = item.first.extensions.iter().filter(|e| rule::like(pattern, e)).collect();
        for name in &names {
            parts.entry((*name).clone()).or_default().push(Arc::new(item.of_extension(name)));
        }
        if names.is_empty() {
            whole.push(item);
        }
    }
    parts.into_values().chain(Some(whole).filter(|w| !w.is_empty())).collect()
}

/// Recipes of the plan that cannot run here, with the reason, once for each reason.
fn unavailable(instrument: &InstrumentDescription, tasks: &[Arc<PlannedTask>]) -> Vec<Note> {
    let used: HashSet<(&str, &EngineName)> = tasks.iter().map(|t| (t.task.recipe.as_str(), &t.task.engine)).collect();
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for recipe in &instrument.recipes {
        for engine in recipe.engines.iter().filter(|e| used.contains(&(recipe.name.as_str(), &e.name))) {
            if let Some(why) = &engine.unavailable {
                reasons.entry(why).or_default().push(recipe.name.clone());
            }
        }
    }
    reasons.into_iter().map(|(why, recipes)| Note::Unavailable { recipes, why: why.to_owned() }).collect()
}
