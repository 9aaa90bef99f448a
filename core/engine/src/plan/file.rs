//! `plan.json`: a plan as a file that people read and edit, and other machines run.
//!
//! Each thing is in it once: frames and files in a table, what a recipe is run with in another, ways in which calibrations fit in a third; tasks name
//! them by their place. The parameters of a task are those of its recipe, changed by its own, of which a plan that nobody edited has none.
//!
//! What is read is what will be run: identities are computed from what the file says, in the order of the tasks, and those that are written in it only
//! serve to find a task by. So an edited plan is a plan with other tasks.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ifured_core::recipe::{Choice, Fit, MissingInput, ProductFormat, TaskInput, TaskOutput};
use ifured_core::{EngineName, Role, Tag, Task, TaskId};
use ifured_pixels::fits::hash_of_bytes;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::graph::{Blocked, Plan, PlannedTask, Skipped};
use super::identity::{identity, product_identity};
use super::reason::{Lack, Note};
use crate::error::{Error, Result};
use crate::files;
use crate::indented::Indented;

/// Version of the format. It changes with everything that an earlier ifured would misread.
pub const FORMAT: u32 = 3;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    /// The schema that an editor checks the file with; a person may add it.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    format: u32,
    version: String,
    instrument: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    recipes: Vec<RecipeLine>,
    fits: Vec<Fit>,
    frames: Vec<FrameLine>,
    tasks: Vec<TaskLine>,
    blocked: Vec<Blocked>,
    skipped: Vec<Skipped>,
    notes: Vec<Note>,
}

/// What a recipe is run with.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RecipeLine {
    recipe: String,
    version: u32,
    engine: EngineName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external: Option<String>,
    parameters: Map<String, Value>,
}

/// A raw frame, or a file that a parameter names.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FrameLine {
    name: String,
    tag: Tag,
    #[serde(with = "ifured_core::path")]
    #[schemars(with = "String")]
    path: PathBuf,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mjd: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    corrections: Vec<(String, ifured_core::Value)>,
    /// Hash of all but the path: what a frame is may not be edited, where it lies may.
    seal: String,
}

impl FrameLine {
    fn seal(&self) -> String {
        seal(&serde_json::json!([self.name, self.tag, self.hash, self.mjd, self.corrections]))
    }
}

/// A short hash of what may not be edited.
fn seal(value: &Value) -> String {
    hash_of_bytes(value.to_string().as_bytes()).chars().take(12).collect()
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskLine {
    id: TaskId,
    /// Place in the table of recipes.
    run_with: usize,
    /// Its name again, for the reader.
    recipe: String,
    /// What differs from the parameters of the recipe.
    parameters: Map<String, Value>,
    night: String,
    signature: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extension: Option<String>,
    level: i32,
    memory: u64,
    inputs: Vec<InputLine>,
    outputs: Vec<OutputLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<MissingLine>,
    /// Hash of what follows from the frames and is no part of the identity: night, signature, level, memory, outputs, what is missing.
    seal: String,
}

impl TaskLine {
    fn seal(&self) -> String {
        let outputs: Vec<_> = self.outputs.iter().map(|o| (&o.tag, &o.name, o.format)).collect();
        let missing: Vec<_> = self.missing.iter().map(|m| (&m.role, &m.otherwise, m.level)).collect();
        seal(&serde_json::json!([self.recipe, self.night, self.signature, self.extension, self.level, self.memory, outputs, missing]))
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InputLine {
    role: Role,
    /// Place in the table of frames, for what no task makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frame: Option<usize>,
    /// Output of an earlier task: place of the task, place of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    product: Option<(usize, usize)>,
    /// Time of a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mjd: Option<f64>,
    level: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adapt: Option<String>,
    /// Place in the table of fits, if it was chosen for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fit: Option<usize>,
    /// Whether the configuration names it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    configured: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OutputLine {
    tag: Tag,
    name: String,
    #[serde(default, skip_serializing_if = "ProductFormat::is_fits")]
    format: ProductFormat,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MissingLine {
    role: Role,
    otherwise: String,
    level: i32,
    lack: Lack,
}

/// A table in which each value stands once.
struct Table<T, K> {
    rows: Vec<T>,
    places: HashMap<K, usize>,
}

impl<T, K: Hash + Eq> Table<T, K> {
    fn new() -> Self {
        Table { rows: Vec::new(), places: HashMap::new() }
    }

    fn place(&mut self, key: K, row: impl FnOnce() -> T) -> usize {
        let rows = &mut self.rows;
        *self.places.entry(key).or_insert_with(|| {
            rows.push(row());
            rows.len() - 1
        })
    }
}

/// Writes a plan.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, plan: &Plan) -> Result<()> {
    let file = to_file(plan);
    // Tens of megabytes for many frames: never as one text.
    files::write_atomically_with(path, |out| Ok(file.serialize(&mut serde_json::Serializer::with_formatter(out, Indented::default()))?))
}

fn to_file(plan: &Plan) -> PlanFile {
    let mut recipes: Table<RecipeLine, String> = Table::new();
    let mut fits: Table<Fit, String> = Table::new();
    let mut frames: Table<FrameLine, String> = Table::new();
    let mut tasks = Vec::with_capacity(plan.len());
    for planned in plan.tasks() {
        let task = &planned.task;
        let parameters = task.parameters.as_object().cloned().unwrap_or_default();
        let line = RecipeLine {
            recipe: task.recipe.clone(),
            version: task.recipe_version,
            engine: task.engine.clone(),
            external: task.external.clone(),
            parameters,
        };
        let run_with = recipes.place(serde_json::to_string(&line).unwrap_or_default(), || line);
        let mut input = |i: &TaskInput| {
            let made = plan.maker(&i.name).filter(|&m| i.identity == product_identity(&plan.at(m).task.id, &i.tag));
            let output = made.and_then(|m| Some((m, plan.at(m).task.outputs.iter().position(|o| o.name == i.name)?)));
            let line = || {
                let line = FrameLine {
                    name: i.name.clone(),
                    tag: i.tag.clone(),
                    path: i.path.clone(),
                    hash: i.identity.clone(),
                    mjd: i.mjd,
                    corrections: i.corrections.clone(),
                    seal: String::new(),
                };
                FrameLine { seal: line.seal(), ..line }
            };
            let key = || format!("{} {} {:?}", i.tag, i.name, i.path);
            // The time follows from those of the frames.
            let fit = i.choice.fit().map(|fit| Fit { days: None, ..fit.clone() });
            InputLine {
                role: i.role.clone(),
                frame: output.is_none().then(|| frames.place(key(), line)),
                product: output,
                mjd: i.mjd.filter(|_| output.is_some()),
                level: i.level,
                adapt: i.adapt.clone(),
                fit: fit.map(|fit| fits.place(serde_json::to_string(&fit).unwrap_or_default(), || fit)),
                configured: i.choice == Choice::Configured,
            }
        };
        let inputs = task.inputs.iter().map(&mut input).collect();
        let missing = |(m, lack): (&MissingInput, &Lack)| MissingLine {
            role: m.role.clone(),
            otherwise: m.otherwise.clone(),
            level: m.level,
            lack: lack.clone(),
        };
        let line = TaskLine {
            id: task.id.clone(),
            run_with,
            recipe: task.recipe.clone(),
            parameters: Map::new(),
            night: task.night.clone(),
            signature: task.signature.clone(),
            extension: task.extension.clone(),
            level: task.level,
            memory: task.memory,
            inputs,
            outputs: task.outputs.iter().map(|o| OutputLine { tag: o.tag.clone(), name: o.name.clone(), format: o.format }).collect(),
            missing: task.missing.iter().zip(&planned.lacks).map(missing).collect(),
            seal: String::new(),
        };
        tasks.push(TaskLine { seal: line.seal(), ..line });
    }
    PlanFile {
        schema: None,
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instrument: plan.instrument.clone(),
        plugin: plan.tasks().next().and_then(|t| t.task.plugin.clone()),
        recipes: recipes.rows,
        fits: fits.rows,
        frames: frames.rows,
        tasks,
        blocked: plan.blocked.clone(),
        skipped: plan.skipped.clone(),
        notes: plan.notes.clone(),
    }
}

/// JSON Schema of the file, for the editor of a person who changes it.
pub fn file_schema() -> Schema {
    let mut schema = schema_for!(PlanFile);
    schema.insert("title".into(), "ifured plan".into());
    schema
}

/// A plan that was read.
pub struct Saved {
    /// The plan, as the file has it now.
    pub plan: Plan,
    /// Tasks that the file has under another identity than theirs: somebody edited them, or what they need.
    pub edited: BTreeMap<TaskId, TaskId>,
}

impl Saved {
    /// The only task whose identity, or that under which the file has it, begins so.
    pub fn beginning(&self, id: &str) -> Option<&PlannedTask> {
        let mut written = self.edited.iter().filter(|(w, _)| w.as_str().starts_with(id)).map(|(_, now)| now);
        self.plan.beginning(id).or_else(|| written.next().filter(|_| written.next().is_none()).and_then(|now| self.plan.task(now)))
    }
}

/// What is read first of a plan.
#[derive(Deserialize)]
struct Head {
    format: u32,
    #[serde(default)]
    instrument: String,
}

/// The instrument that a plan is for.
///
/// # Errors
/// As [`read`].
pub fn instrument_of(path: &Path) -> Result<String> {
    Ok(head(path)?.1.instrument)
}

/// The text of a plan and its head, if it is of this version.
fn head(path: &Path) -> Result<(Vec<u8>, Head)> {
    if path.exists() && !path.is_file() {
        return Err(Error::usage(
            format!("{} is no regular file", ifured_core::path::shown(path)),
            "make the plan anew with `ifured plan`",
        ));
    }
    let bytes = std::fs::read(path).map_err(Error::io("cannot read the plan", path))?;
    let head: Head = serde_json::from_slice(&bytes).map_err(|e| broken(path, format!("this is no plan: {e}")))?;
    if head.format != FORMAT {
        return Err(broken(path, format!("this plan has format {}; this ifured reads format {FORMAT}", head.format)));
    }
    Ok((bytes, head))
}

fn broken(path: &Path, what: String) -> Error {
    Error::usage(format!("{}: {what}", ifured_core::path::shown(path)), "make it anew with `ifured plan`")
}

/// Reads a plan whose products go below `output`.
///
/// # Errors
/// If the file cannot be read, is of another version, or does not fit together; with the task that does not.
pub fn read(path: &Path, output: &Path) -> Result<Saved> {
    let (bytes, _) = head(path)?;
    let file: PlanFile = serde_json::from_slice(&bytes).map_err(|e| broken(path, e.to_string()))?;
    from_file(file, output).map_err(|what| broken(path, what))
}

fn from_file(file: PlanFile, output: &Path) -> std::result::Result<Saved, String> {
    let mut tasks: Vec<Arc<PlannedTask>> = Vec::with_capacity(file.tasks.len());
    let mut edited = BTreeMap::new();
    let mut ids = HashMap::new();
    for (n, line) in file.tasks.iter().enumerate() {
        let problem = |what: String| format!("task {} ({}): {what}", n + 1, line.id);
        let task = task_of(line, &file, &tasks, output).map_err(problem)?;
        if let Some(other) = ids.insert(task.id.clone(), n + 1) {
            return Err(problem(format!("it is the same as task {other}")));
        }
        if task.id != line.id {
            edited.insert(line.id.clone(), task.id.clone());
        }
        let lacks = line.missing.iter().map(|m| m.lack.clone()).collect();
        tasks.push(Arc::new(PlannedTask { task, lacks, place: None }));
    }
    let mut plan = Plan::new(&file.instrument, tasks);
    (plan.blocked, plan.skipped, plan.notes) = (file.blocked, file.skipped, file.notes);
    Ok(Saved { plan, edited })
}

fn task_of(line: &TaskLine, file: &PlanFile, before: &[Arc<PlannedTask>], output: &Path) -> std::result::Result<Task, String> {
    let with = file.recipes.get(line.run_with).ok_or_else(|| format!("there is no recipe {} in the table", line.run_with))?;
    if with.recipe != line.recipe {
        return Err(format!("recipe {} in the table is {}, not {}", line.run_with, with.recipe, line.recipe));
    }
    let mut parameters = with.parameters.clone();
    for (name, value) in &line.parameters {
        if !parameters.contains_key(name) {
            return Err(format!("{} has no parameter `{name}`", line.recipe));
        }
        parameters.insert(name.clone(), value.clone());
    }
    let inputs: Vec<TaskInput> = line.inputs.iter().map(|i| input_of(i, file, before, output)).collect::<std::result::Result<_, _>>()?;
    let first = inputs.iter().find(|i| i.role.is_main()).and_then(|i| i.mjd);
    let inputs = inputs.into_iter().map(|i| with_days(i, first)).collect();
    if line.seal != line.seal() {
        return Err(
            "its night, signature, level, memory, outputs and what is missing follow from the frames: edit its parameters or inputs".into(),
        );
    }
    let mut task = Task {
        id: TaskId::default(),
        instrument: file.instrument.clone(),
        plugin: file.plugin.clone(),
        recipe: with.recipe.clone(),
        recipe_version: with.version,
        engine: with.engine.clone(),
        external: with.external.clone(),
        parameters: Value::Object(parameters),
        night: line.night.clone(),
        signature: line.signature.clone(),
        extension: line.extension.clone(),
        inputs,
        outputs: line
            .outputs
            .iter()
            .map(|o| TaskOutput { tag: o.tag.clone(), path: output.join(&o.name), name: o.name.clone(), format: o.format })
            .collect(),
        missing: line
            .missing
            .iter()
            .map(|m| MissingInput { role: m.role.clone(), otherwise: m.otherwise.clone(), level: m.level })
            .collect(),
        level: line.level,
        memory: line.memory,
    };
    task.id = identity(&task);
    Ok(task)
}

fn input_of(line: &InputLine, file: &PlanFile, before: &[Arc<PlannedTask>], output: &Path) -> std::result::Result<TaskInput, String> {
    let choice = match line.fit {
        Some(fit) => Choice::Fits(file.fits.get(fit).cloned().ok_or_else(|| format!("there is no fit {fit} in the table"))?),
        None if line.configured => Choice::Configured,
        None => Choice::Main,
    };
    let common = TaskInput { role: line.role.clone(), level: line.level, adapt: line.adapt.clone(), choice, ..TaskInput::default() };
    match (line.frame, line.product) {
        (Some(frame), None) => {
            let frame = file.frames.get(frame).ok_or_else(|| format!("there is no frame {frame} in the table"))?;
            if frame.seal != frame.seal() {
                return Err(format!("frame {} was edited: only its path may be", frame.name));
            }
            Ok(TaskInput {
                tag: frame.tag.clone(),
                path: frame.path.clone(),
                name: frame.name.clone(),
                identity: frame.hash.clone(),
                mjd: frame.mjd,
                corrections: frame.corrections.clone(),
                ..common
            })
        }
        (None, Some((task, place))) => {
            let maker = before.get(task).ok_or_else(|| format!("task {} is not before it", task + 1))?;
            let made = maker.task.outputs.get(place).ok_or_else(|| format!("task {} has no output {}", task + 1, place + 1))?;
            Ok(TaskInput {
                tag: made.tag.clone(),
                path: output.join(&made.name),
                name: made.name.clone(),
                identity: product_identity(&maker.task.id, &made.tag),
                mjd: line.mjd,
                ..common
            })
        }
        _ => Err(format!("an input for {} is neither a frame nor a product", line.role)),
    }
}

/// The time of a calibration minus that of the first main frame.
fn with_days(mut input: TaskInput, first: Option<f64>) -> TaskInput {
    if let Choice::Fits(fit) = &mut input.choice {
        fit.days = input.mjd.zip(first).map(|(own, first)| own - first);
    }
    input
}
