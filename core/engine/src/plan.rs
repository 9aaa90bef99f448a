//! The plan: all tasks, what each needs, and why — before anything runs.
//!
//! Recipes are taken in the order in which their products feed each other. A task's identity is a hash of its recipe and
//! version, its parameters and the identities of its inputs; the identity of a product that is yet to be made is that of its
//! task and its tag. So the whole plan is known, and what is done can be told from what is not, without running anything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use ifured_core::config::AssociationChange;
use ifured_core::recipe::{InputSpec, MissingInput, ProductSpec, RecipeDescription, TaskInput, TaskOutput};
use ifured_core::rule::Verdict;
use ifured_core::{Compare, Config, InstrumentDescription, SignatureKey, Tag, Task, rule};
use serde::{Deserialize, Serialize};

use ifured_pixels::fits::hash_of_bytes;

use crate::associate::{Association, Choice, associate};
use crate::error::{Error, Result};
use crate::file_parameters;
use crate::files::stem;
use crate::frame::{Frame, FrameState};
use crate::group::group;
use crate::hints::{self, HintFile, HintIndex};
use crate::item::Item;

/// One task of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// Identifiers of the tasks whose products it needs.
    pub depends_on: Vec<String>,
    /// All candidates for its inputs.
    pub associations: Vec<Association>,
}

/// A group that cannot be reduced because something it requires is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blocked {
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Tags of its main frames and of the products it would have made.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Extension that the task would have been about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Names of the main frames.
    pub frames: Vec<String>,
    /// What is missing and why.
    pub why: String,
    /// All candidates.
    pub associations: Vec<Association>,
}

/// A group that is left out on purpose: too few frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Names of the main frames.
    pub frames: Vec<String>,
    /// Why.
    pub why: String,
}

/// All tasks in an order in which they can be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the format of this file.
    pub format: u32,
    /// Name of the instrument.
    pub instrument: String,
    /// The tasks.
    pub tasks: Vec<PlannedTask>,
    /// What cannot be done.
    pub blocked: Vec<Blocked>,
    /// What is left out.
    pub skipped: Vec<Skipped>,
    /// What a person should know before it runs: programs that are not installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What is wanted of all that could be done.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Only what leads to products (or reduces frames) of these tags.
    pub to: Vec<Tag>,
    /// Only final tasks with a main frame or product whose name matches one of these patterns.
    pub only: Vec<String>,
}

/// What is known of tasks that were run: why the products of some cannot or should not be used.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// Tasks that failed, with the reason.
    pub failed: HashMap<String, String>,
    /// Tasks whose products have the grade `bad`, with the reason.
    pub bad: HashMap<String, String>,
}

/// Plans everything that the frames and the configuration ask for.
pub fn plan(
    frames: &[Arc<Frame>],
    instrument: &InstrumentDescription,
    config: &Config,
    output: &Path,
    hints: &[HintFile],
    verdicts: &Verdicts,
) -> Result<Plan> {
    let mut planner = Planner {
        instrument,
        config,
        output,
        verdicts,
        items: frames.iter().filter(|f| f.state == FrameState::Good).map(|f| Arc::new(Item::raw(f.clone()))).collect(),
        plan: Plan { format: 2, instrument: instrument.name.clone(), ..Plan::default() },
        taken: HashSet::new(),
        hints: HintIndex::new(hints, frames),
    };
    for recipe in in_order(instrument, config)? {
        planner.plan_recipe(recipe)?;
    }
    planner.plan.notes = unavailable(instrument, &planner.plan);
    planner.plan.notes.extend(hints::notes(hints, frames));
    Ok(planner.plan)
}

/// Recipes of the plan that cannot run here, with the reason, once for each reason.
fn unavailable(instrument: &InstrumentDescription, plan: &Plan) -> Vec<String> {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for recipe in instrument.recipes.iter().filter(|r| plan.tasks.iter().any(|t| t.task.recipe == r.name)) {
        if let Some(why) = &recipe.unavailable {
            reasons.entry(why).or_default().push(&recipe.name);
        }
    }
    reasons.into_iter().map(|(why, recipes)| format!("{} cannot run here: {why}", recipes.join(", "))).collect()
}

/// Whether a recipe runs: as the configuration says, or as the instrument says, or because the file or the list that it needs is given.
fn is_enabled(recipe: &RecipeDescription, config: &Config) -> bool {
    let asked = config.recipes.get(&recipe.name).and_then(|p| p.get("enabled")).and_then(|v| v.as_bool());
    asked.unwrap_or_else(|| recipe.enabled || file_parameters::are_given(recipe, config) || is_meant(recipe, config))
}

/// Whether a list is given that has a meaning only if the recipe runs: `x-enables` in the schema of the parameter.
fn is_meant(recipe: &RecipeDescription, config: &Config) -> bool {
    let parameters = recipe.schema["properties"].as_object().into_iter().flatten();
    let mut names = parameters.filter(|(_, schema)| schema["x-enables"] == serde_json::Value::Bool(true)).map(|(name, _)| name);
    let given = |name: &String| config.recipes.get(&recipe.name)?.get(name)?.as_array().map(|list| !list.is_empty());
    names.any(|name| given(name).unwrap_or(false))
}

/// Enabled recipes, makers before users.
fn in_order<'a>(instrument: &'a InstrumentDescription, config: &Config) -> Result<Vec<&'a RecipeDescription>> {
    let mut waiting: Vec<&RecipeDescription> = instrument.recipes.iter().filter(|r| is_enabled(r, config)).collect();
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

struct Planner<'a> {
    instrument: &'a InstrumentDescription,
    config: &'a Config,
    output: &'a Path,
    verdicts: &'a Verdicts,
    items: Vec<Arc<Item>>,
    plan: Plan,
    taken: HashSet<String>,
    hints: HintIndex,
}

impl Planner<'_> {
    fn plan_recipe(&mut self, recipe: &RecipeDescription) -> Result<()> {
        let mut grouping = recipe.main.group.clone();
        let of = |name: &String| self.config.grouping.get(name);
        if let Some(change) = of(&recipe.name).or_else(|| of(recipe.variant_of.as_ref()?)) {
            grouping.span_hours = change.span_hours.or(grouping.span_hours);
            grouping.min_frames = change.min_frames.unwrap_or(grouping.min_frames);
            grouping.signature.0.extend(change.same.iter().map(|key| SignatureKey { key: key.clone(), compare: Compare::Exact }));
        }
        let mut parameters = crate::config::parameters(recipe, self.config)?;
        let files = file_parameters::take(recipe, &mut parameters);
        let fits = |i: &Arc<Item>| {
            recipe.main.tags.contains(&i.tag)
                && i.failed.is_none()
                && i.bad.is_none()
                && recipe.main.when.iter().all(|c| c.check(&**i) == Verdict::Holds)
        };
        let mut main: Vec<Arc<Item>> = self.items.iter().filter(|i| fits(i)).cloned().collect();
        self.leave_out_replaced(&mut main);
        let mut made = Vec::new();
        let groups = match &recipe.main.each_extension {
            Some(pattern) => by_extension(main, pattern).into_iter().flat_map(|part| group(part, &grouping)).collect(),
            None => group(main, &grouping),
        };
        for members in groups {
            if members.len() < grouping.min_frames {
                let skipped = Skipped {
                    recipe: recipe.name.clone(),
                    night: members[0].night.clone(),
                    frames: members.iter().map(|m| m.name.clone()).collect(),
                    why: format!("{} of at least {} frames", members.len(), grouping.min_frames),
                };
                // Once for all extensions of the same frames.
                if self.plan.skipped.last() != Some(&skipped) {
                    self.plan.skipped.push(skipped);
                }
                continue;
            }
            self.plan_group(recipe, &parameters, &files, &members, &mut made);
        }
        self.items.extend(made);
        Ok(())
    }

    /// What was made of a frame takes its place: an image and the same image with world coordinates are not used together.
    fn leave_out_replaced(&self, main: &mut Vec<Arc<Item>>) {
        let makers = main.iter().filter_map(|i| i.producer);
        let replaced: HashSet<String> = makers.flat_map(|p| self.plan.tasks[p].task.main().map(|m| m.identity.clone())).collect();
        main.retain(|i| !replaced.contains(&i.identity));
    }

    fn plan_group(
        &mut self,
        recipe: &RecipeDescription,
        parameters: &serde_json::Value,
        files: &std::result::Result<Vec<TaskInput>, String>,
        members: &[Arc<Item>],
        made: &mut Vec<Arc<Item>>,
    ) {
        let first = &members[0];
        let raw = raw_frames(members);
        let belongings = self.hints.about(&raw);
        let wanted = calibrated_as(members);
        let mut chosen: Vec<(&InputSpec, Choice)> = Vec::new();
        let mut missing = Vec::new();
        let mut associations = Vec::new();
        let (mut blocked, mut absent) = (Vec::new(), Vec::new());
        for spec in &recipe.inputs {
            let switched_off = spec.parameter.as_ref().is_some_and(|p| parameters.get(p) == Some(&serde_json::Value::Bool(false)));
            let change = self.association_change(recipe, spec);
            if switched_off || !spec.when.iter().all(|c| c.check(&**first) == Verdict::Holds) {
                continue;
            }
            let left_out = change.enabled == Some(false);
            let items: &[Arc<Item>] = if left_out { &[] } else { &self.items };
            let (choices, association) = associate(&wanted, spec, &change, items, belongings.as_ref());
            let why = match (left_out, association.candidates.first()) {
                (true, _) => "left out by the configuration".to_owned(),
                (_, Some(c)) => format!("nearest candidate {}: {}", c.name, c.why),
                (_, None) => self.there_is_none(spec),
            };
            let candidates = !association.candidates.is_empty();
            associations.push(association);
            if !choices.is_empty() {
                chosen.extend(choices.into_iter().map(|choice| (spec, choice)));
            } else if change.required.unwrap_or(spec.required) {
                blocked.push(format!("no {}: {why}", spec.role));
                absent.extend((!left_out && !candidates).then_some(spec));
            } else {
                let (role, otherwise) = (spec.role.clone(), spec.otherwise.clone());
                missing.push(MissingInput { role, otherwise, level: spec.level_without, why });
            }
        }
        let files = files.as_deref().unwrap_or_else(|why| {
            blocked.push(why.clone());
            &[]
        });
        blocked.extend(self.where_else(&absent));
        if !blocked.is_empty() {
            self.plan.blocked.push(Blocked {
                recipe: recipe.name.clone(),
                night: first.night.clone(),
                tags: members.iter().map(|m| m.tag.clone()).take(1).chain(recipe.products.iter().map(|p| p.tag.clone())).collect(),
                extension: task_extension(recipe, members).cloned(),
                frames: members.iter().map(|m| m.name.clone()).collect(),
                why: blocked.join("; "),
                associations,
            });
            return;
        }
        let index = self.plan.tasks.len();
        let mut task = self.task(recipe, parameters, files, members, &chosen, missing);
        task.outputs = recipe.products.iter().map(|p| self.output_of(p, first, &task)).collect();
        let mut producers: Vec<usize> = members.iter().filter_map(|m| m.producer).collect();
        producers.extend(chosen.iter().filter_map(|(_, c)| c.item.producer));
        producers.sort_unstable();
        producers.dedup();
        let depends_on = producers.iter().map(|&p| self.plan.tasks[p].task.id.clone()).collect();
        let failed = self.verdicts.failed.get(&task.id).map(|why| format!("it could not be made: {}", first_line(why)));
        let bad = self.verdicts.bad.get(&task.id).cloned();
        let frames: usize = members.iter().map(|m| m.frames).sum();
        for output in &task.outputs {
            made.push(Arc::new(Item {
                tag: output.tag.clone(),
                name: output.name.clone(),
                path: output.path.clone(),
                identity: product_identity(&task.id, &output.tag),
                night: first.night.clone(),
                mjd: members.iter().map(|m| m.mjd * m.frames as f64).sum::<f64>() / frames as f64,
                first: first.first.clone(),
                frames,
                raw: raw.clone(),
                extension: task_extension(recipe, members).cloned(),
                producer: Some(index),
                level: task.level,
                failed: failed.clone(),
                bad: bad.clone(),
            }));
        }
        self.plan.tasks.push(PlannedTask { task, depends_on, associations });
    }

    /// That there is no frame of an input, and which group would have made one.
    fn there_is_none(&self, spec: &InputSpec) -> String {
        let tags = spec.tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(" or ");
        let makes = |b: &&Blocked| b.tags.iter().skip(1).any(|t| spec.tags.contains(t));
        let maker = self.plan.blocked.iter().find(makes).map(|b| format!(", for {} is blocked", b.recipe)).unwrap_or_default();
        format!("there is no {tags}{maker}")
    }

    /// Where to look for what belongs to the instrument and not to a night, and which no recipe makes.
    fn where_else(&self, absent: &[&InputSpec]) -> Option<String> {
        let is_static = |t: &&Tag| {
            let made = self.instrument.recipes.iter().any(|r| r.products.iter().any(|p| p.tag == **t));
            !made && self.instrument.frame_types.iter().any(|f| f.rule.tag == **t && f.timeless)
        };
        let tags: Vec<&str> = absent.iter().flat_map(|s| &s.tags).filter(is_static).map(Tag::as_str).collect();
        let (be, them) = if tags.len() == 1 { ("is", "it") } else { ("are", "them") };
        (!tags.is_empty())
            .then(|| format!("{} {be} of the instrument and of no night: name the directory with {them}, too", tags.join(", ")))
    }

    /// What the configuration says of an input: of the recipe, of the one that it is a variant of, of all calibrations.
    fn association_change(&self, recipe: &RecipeDescription, spec: &InputSpec) -> AssociationChange {
        let of = |name: &String| self.config.association.get(name).and_then(|r| r.get(&spec.role));
        let mut change = of(&recipe.name).or_else(|| of(recipe.variant_of.as_ref()?)).cloned().unwrap_or_default();
        change.prefer = change.prefer.or(self.config.calibrations.prefer);
        change
    }

    fn task(
        &self,
        recipe: &RecipeDescription,
        parameters: &serde_json::Value,
        files: &[TaskInput],
        members: &[Arc<Item>],
        chosen: &[(&InputSpec, Choice)],
        missing: Vec<MissingInput>,
    ) -> Task {
        let input = |role: &str, item: &Item, level: i32, adapt: Option<String>, why: String| TaskInput {
            role: role.to_owned(),
            tag: item.tag.clone(),
            path: item.path.clone(),
            name: if item.producer.is_some() { item.name.clone() } else { item.first.file_name() },
            identity: item.identity.clone(),
            level,
            adapt,
            why,
            corrections: if item.producer.is_none() { item.first.corrections.clone() } else { Vec::new() },
            mjd: Some(item.mjd).filter(|m| m.is_finite()),
        };
        let mut inputs: Vec<TaskInput> =
            members.iter().map(|m| input("main", m, m.level, recipe.main.adapt.clone(), String::new())).collect();
        for (spec, choice) in chosen {
            let level = choice.level.max(choice.item.level);
            inputs.push(input(&spec.role, &choice.item, level, choice.adapt.clone(), choice.why.clone()));
        }
        inputs.extend(files.iter().cloned());
        let level = inputs.iter().map(|i| i.level).chain(missing.iter().map(|m| m.level)).max().unwrap_or(0);
        let pixels = members.iter().map(|m| m.first.pixels()).fold(0.0, f64::max);
        let signature = recipe.products.first().map(|p| p.signature.extract(&*members[0]).to_string()).unwrap_or_default();
        let mut task = Task {
            id: String::new(),
            instrument: self.instrument.name.clone(),
            plugin: self.instrument.library.as_ref().map(|l| l.hash.clone()),
            recipe: recipe.name.clone(),
            recipe_version: recipe.version,
            external: recipe.external.as_ref().map(ToString::to_string),
            parameters: parameters.clone(),
            night: members[0].night.clone(),
            signature,
            extension: task_extension(recipe, members).cloned(),
            inputs,
            outputs: Vec::new(),
            missing,
            level,
            memory: recipe.memory.bytes(pixels, members.len()),
        };
        task.id = identity(&task);
        task
    }

    fn output_of(&mut self, product: &ProductSpec, first: &Item, task: &Task) -> TaskOutput {
        let extension = task.extension.as_ref().map_or_else(String::new, |e| format!("-{e}"));
        let stem = stem(&first.first.name);
        let parts = [("night", first.night.as_str()), ("stem", &stem), ("tag", first.tag.as_str()), ("extension", &extension)];
        let name = fill(&product.path, &parts);
        let id = &task.id;
        let name = if self.taken.contains(&name) {
            // Two groups that would write the same file: the later one says so in its name.
            match name.strip_suffix(".fits") {
                Some(start) => format!("{start}-{}.fits", &id[..8]),
                None => format!("{name}-{}", &id[..8]),
            }
        } else {
            name
        };
        self.taken.insert(name.clone());
        TaskOutput { tag: product.tag.clone(), path: self.output.join(&name), name }
    }
}

/// The raw frames that the members of a group were made from, each once.
fn raw_frames(members: &[Arc<Item>]) -> Arc<[Arc<Frame>]> {
    match members {
        [one] => one.raw.clone(),
        _ => {
            let mut seen = HashSet::new();
            members.iter().flat_map(|m| m.raw.iter()).filter(|f| seen.insert(Arc::as_ptr(f))).cloned().collect()
        }
    }
}

/// What went wrong, without the log that follows: that is with the task that failed.
fn first_line(why: &str) -> &str {
    why.lines().next().unwrap_or_default()
}

/// What the calibrations of a group must fit: its first frame. That is of no extension where the group merges several, for then calibrations of all
/// of them are wanted.
fn calibrated_as(members: &[Arc<Item>]) -> Arc<Item> {
    let first = &members[0];
    if members.iter().all(|m| m.extension == first.extension) {
        return first.clone();
    }
    Arc::new(Item { extension: None, ..(**first).clone() })
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

fn fill(pattern: &str, values: &[(&str, &str)]) -> String {
    let safe = |v: &str| v.replace(['/', '\0'], "_");
    values.iter().fold(pattern.to_owned(), |text, (key, value)| text.replace(&format!("{{{key}}}"), &safe(value)))
}

/// Hash of everything that decides what a task computes. Paths do not: the same frames elsewhere give the same products.
pub fn identity(task: &Task) -> String {
    let inputs: Vec<_> = task.inputs.iter().map(|i| (&i.role, &i.tag, &i.name, &i.identity, i.level, &i.adapt, &i.corrections)).collect();
    let missing: Vec<_> = task.missing.iter().map(|m| (&m.role, &m.otherwise)).collect();
    // Whole frames hash as they did before tasks went by extensions.
    let recipe = task.extension.as_ref().map_or_else(|| task.recipe.clone(), |e| format!("{} {e}", task.recipe));
    let recipe = task.external.as_ref().map_or(recipe.clone(), |e| format!("{recipe} by {e}"));
    let text = serde_json::json!([
        task.instrument,
        task.plugin,
        recipe,
        task.recipe_version,
        canonical(&task.parameters),
        task.night,
        inputs,
        missing
    ]);
    hash_of_bytes(text.to_string().as_bytes())
}

/// Keys sorted, so that equal parameters hash equal.
fn canonical(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(k, v)| (k.clone(), canonical(v))).collect();
            serde_json::to_value(sorted).unwrap_or_default()
        }
        serde_json::Value::Array(list) => list.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

/// Identity of a product that a task makes.
pub fn product_identity(task: &str, tag: &Tag) -> String {
    hash_of_bytes(format!("{task} {tag}").as_bytes())
}

impl Plan {
    /// What is blocked, in words; what is blocked for the same reason in several extensions is said once.
    pub fn blocked_lines(&self) -> Vec<String> {
        let mut lines: Vec<(&Blocked, Vec<&str>)> = Vec::new();
        for blocked in &self.blocked {
            // The names of products have the extension in them.
            let reason = |b: &Blocked| b.why.replace(b.extension.as_deref().filter(|e| !e.is_empty()).unwrap_or("\0"), "*");
            let same = |b: &Blocked| b.recipe == blocked.recipe && b.frames == blocked.frames && reason(b) == reason(blocked);
            let extension = blocked.extension.as_deref().unwrap_or_default();
            match lines.iter_mut().find(|(b, _)| same(b)) {
                Some((_, extensions)) => extensions.push(extension),
                None => lines.push((blocked, vec![extension])),
            }
        }
        let line = |(b, extensions): &(&Blocked, Vec<&str>)| {
            let of = match extensions.as_slice() {
                [""] => String::new(),
                [one] => format!(" [{one}]"),
                many => format!(" [{} to {}]", many[0], many[many.len() - 1]),
            };
            let more = if b.frames.len() > 1 { format!(" and {} more", b.frames.len() - 1) } else { String::new() };
            format!("blocked: {}{of} of {}{more}: {}", b.recipe, b.frames[0], b.why)
        };
        lines.iter().map(line).collect()
    }

    /// The task of that identifier.
    pub fn task(&self, id: &str) -> Option<&PlannedTask> {
        self.tasks.iter().find(|t| t.task.id == id)
    }

    /// The task that writes a product: by name, or by the last parts of its path where they are unique.
    pub fn producer(&self, product: &str) -> Option<&PlannedTask> {
        let makes = |t: &&PlannedTask, wanted: &dyn Fn(&str) -> bool| t.task.outputs.iter().any(|o| wanted(&o.name));
        let exact = self.tasks.iter().find(|t| makes(t, &|name| name == product));
        // The last parts of a path; never a part of a file name, which may be the whole name of another frame.
        let ending = |name: &str| name.strip_suffix(product).is_some_and(|start| start.ends_with('/'));
        exact.or_else(|| {
            let mut all = self.tasks.iter().filter(|t| makes(t, &ending));
            all.next().filter(|_| all.next().is_none())
        })
    }

    /// Keeps what the targets ask for, and what that needs.
    pub fn restrict(&mut self, targets: &Targets) {
        if targets.to.is_empty() && targets.only.is_empty() {
            return;
        }
        let to = |t: &Task| {
            targets.to.is_empty() || t.outputs.iter().any(|o| targets.to.contains(&o.tag)) || t.main().any(|m| targets.to.contains(&m.tag))
        };
        let only = |t: &Task| {
            let names = t.main().map(|m| m.name.as_str()).chain(t.outputs.iter().map(|o| o.name.as_str()));
            let base = |n: &str| n.rsplit('/').next().unwrap_or(n).to_owned();
            let names: Vec<String> = names.flat_map(|n| [n.to_owned(), base(n), stem(n)]).collect();
            targets.only.is_empty() || targets.only.iter().any(|p| names.iter().any(|n| rule::like(p, n)))
        };
        let mut wanted: HashSet<String> = HashSet::new();
        for planned in self.tasks.iter().rev() {
            if wanted.contains(&planned.task.id) || (to(&planned.task) && only(&planned.task)) {
                wanted.insert(planned.task.id.clone());
                wanted.extend(planned.depends_on.iter().cloned());
            }
        }
        self.tasks.retain(|t| wanted.contains(&t.task.id));
        let blocked_wanted = |b: &Blocked| {
            (targets.to.is_empty() || b.tags.iter().any(|t| targets.to.contains(t)))
                && (targets.only.is_empty()
                    || b.frames.iter().any(|f| targets.only.iter().any(|p| rule::like(p, &stem(f)) || rule::like(p, f))))
        };
        self.blocked.retain(blocked_wanted);
        self.skipped.clear();
    }

    /// Names of products in the plan that depend on a task, directly or not.
    pub fn dependents(&self, id: &str) -> Vec<&PlannedTask> {
        let mut affected: HashSet<&str> = HashSet::from([id]);
        let mut found = Vec::new();
        for planned in &self.tasks {
            if planned.depends_on.iter().any(|d| affected.contains(d.as_str())) {
                affected.insert(&planned.task.id);
                found.push(planned);
            }
        }
        found
    }
}
