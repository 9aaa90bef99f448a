//! The rows of lists, from a session.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ifured_core::header::normalise;
use ifured_core::recipe::TaskInput;
use ifured_core::{Lookup, Task, Value};

use crate::catalogue::{ProductRow, TaskRow};
use crate::frame::{Frame, FrameState};
use crate::plan::reason::Lack;
use crate::plan::{Plan, PlannedTask};
use crate::session::Session;

/// One row of a list.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Where its file is; empty if there is none.
    pub path: String,
    /// Night.
    pub night: String,
    /// Its tag; for groups and tasks all tags and the recipe.
    pub tags: Vec<String>,
    /// Values of its own, by normalised name.
    pub fields: Vec<(String, Value)>,
    /// The frame whose keywords it has.
    pub frame: Option<Arc<Frame>>,
}

impl Row {
    fn new(name: &str, night: &str) -> Row {
        let mut row = Row { name: name.to_owned(), night: night.to_owned(), ..Row::default() };
        row.set("NAME", name);
        row.set("NIGHT", night);
        row
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.fields.push((normalise(key), value.into()));
    }

    fn set_text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.set(key, text);
        }
    }

    /// Whether it has a value under that name.
    pub fn has(&self, key: &str) -> bool {
        self.lookup(key).is_some()
    }

    /// All names under which it has a value.
    pub fn keys(&self) -> BTreeSet<String> {
        let mut keys: BTreeSet<String> = self.fields.iter().map(|(k, _)| k.clone()).collect();
        if let Some(frame) = &self.frame {
            keys.extend(
                frame.header.cards().iter().filter(|c| c.value().is_some_and(|v| *v != Value::Undefined)).map(|c| c.keyword.clone()),
            );
            keys.extend(frame.statistics.iter().map(|(k, _)| k.clone()));
            keys.extend(frame.mjd.map(|_| "MJD".to_owned()));
        }
        keys
    }
}

impl Lookup for Row {
    fn lookup(&self, key: &str) -> Option<Value> {
        let key = normalise(key);
        let own = self.fields.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        let of_frame = || self.frame.as_ref()?.lookup(&key);
        let without_blanks = || self.fields.iter().find(|(k, _)| joined(k) == joined(&key)).map(|(_, v)| v.clone());
        own.or_else(of_frame).or_else(without_blanks).filter(|v| *v != Value::Undefined)
    }
}

/// All raw frames.
pub fn frames(session: &Session) -> Vec<Row> {
    let row = |frame: &Arc<Frame>| {
        let mut row = Row::new(&frame.name, &frame.night);
        row.path = frame.path.display().to_string();
        row.tags = vec![frame.tag.to_string()];
        row.set("TAG", frame.tag.as_str());
        row.set("STATE", frame.state.as_str());
        row.set("PATH", row.path.clone());
        row.set("FILE", frame.file_name());
        row.set("BYTES", frame.bytes as i64);
        let why = if frame.state == FrameState::Good { "" } else { &frame.why };
        row.set("WHY", why);
        row.set("NOTES", frame.notes.join("; "));
        if !frame.signature.0.is_empty() {
            row.set("SIGNATURE", frame.signature.to_string());
        }
        row.frame = Some(frame.clone());
        row
    };
    session.frames.iter().map(row).collect()
}

/// A name without blanks and lines: the quality number `ZERO POINT` is also found as `ZEROPOINT` and `ZERO_POINT`, which need no quotes.
fn joined(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, ' ' | '_')).collect()
}

/// Raw frames by content, and by file name: to find the first frame of a task.
struct FrameIndex<'a> {
    by_hash: HashMap<&'a str, &'a Arc<Frame>>,
    by_name: HashMap<&'a str, &'a Arc<Frame>>,
}

impl<'a> FrameIndex<'a> {
    fn of(session: &'a Session) -> Self {
        let good = || session.frames.iter().filter(|f| f.state == FrameState::Good).chain(session.frames.iter()).rev();
        FrameIndex {
            by_hash: good().filter(|f| !f.hash.is_empty()).map(|f| (f.hash.as_str(), f)).collect(),
            by_name: good().map(|f| (f.name.as_str(), f)).collect(),
        }
    }

    /// The raw frame of an input, or the first one of the product that it is.
    fn first(&self, input: &TaskInput, makers: &HashMap<&str, &Task>) -> Option<&'a Arc<Frame>> {
        let mut input = input;
        // A product of a product of …; a circle cannot be planned, but a catalogue could be damaged.
        for _ in 0..20 {
            if let Some(frame) = self.by_hash.get(input.identity.as_str()).or_else(|| self.by_name.get(input.name.as_str())) {
                return Some(frame);
            }
            input = makers.get(input.name.as_str())?.main().next()?;
        }
        None
    }
}

/// Mean time of the main frames.
fn mean_mjd(task: &Task) -> f64 {
    let times: Vec<f64> = task.main().filter_map(|m| m.mjd).collect();
    times.iter().sum::<f64>() / times.len() as f64
}

/// Calibrations of a task: `BIAS`, `BIAS-DAYS`, `BIAS-LEVEL`, `BIAS-WHY`; several of a role are joined.
fn associations(row: &mut Row, task: &Task, lacks: &[Lack]) {
    let mut roles: Vec<&str> = task.calibrations().map(|i| i.role.as_str()).collect();
    roles.dedup();
    for role in roles {
        let inputs: Vec<&TaskInput> = task.role(role).collect();
        let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
        row.set(role, names.join(" "));
        row.set(&format!("{role}-LEVEL"), inputs.iter().map(|i| i64::from(i.level)).max().unwrap_or(0));
        row.set_text(&format!("{role}-WHY"), &inputs[0].choice.to_string());
        if let Some(mjd) = inputs[0].mjd {
            let days = mjd - mean_mjd(task);
            if days.is_finite() {
                row.set(&format!("{role}-DAYS"), days);
            }
        }
    }
    for missing in &task.missing {
        row.set(&format!("{}-LEVEL", missing.role), i64::from(missing.level));
    }
    for (missing, lack) in task.missing.iter().zip(lacks) {
        row.set_text(&format!("{}-WHY", missing.role), &lack.to_string());
    }
}

fn quality(row: &mut Row, done: &TaskRow) {
    for q in &done.outcome.quality {
        if let Some(value) = q.value {
            row.set(&q.name, value);
        }
        if let Some(error) = q.error {
            row.set(&format!("{} ERROR", q.name), error);
        }
    }
    row.set("REJECTED", done.outcome.rejected.len());
}

/// All products of the catalogue.
pub fn products(session: &Session) -> Vec<Row> {
    let done = &session.known.tasks;
    let index = FrameIndex::of(session);
    let known = session.known.products.values();
    let makers: HashMap<&str, &Task> = known.clone().filter_map(|p| Some((p.name.as_str(), &done.get(&p.task)?.task))).collect();
    let row = |product: &ProductRow| {
        let made = done.get(&product.task);
        let mut row = Row::new(&product.name, made.map_or("", |m| &m.task.night));
        let path = session.output.join(&product.name);
        row.path = path.display().to_string();
        row.tags = vec![product.tag.to_string()];
        row.set("TAG", product.tag.as_str());
        row.set("PATH", row.path.clone());
        row.set("FILE", path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default());
        row.set("BYTES", product.bytes as i64);
        row.set("TASK", product.task.as_str());
        if let Some(made) = made {
            row.set("RECIPE", made.task.recipe.as_str());
            row.set("LEVEL", i64::from(made.task.level));
            row.set("GRADE", made.grade.as_str());
            row.set("FRAMES", made.task.main().count());
            row.set_text("SIGNATURE", &made.task.signature);
            row.set("MJD", mean_mjd(&made.task));
            associations(&mut row, &made.task, &[]);
            quality(&mut row, made);
            row.frame = made.task.main().next().and_then(|m| index.first(m, &makers)).cloned();
        }
        row
    };
    known.map(row).collect()
}

fn tags_of(task: &Task) -> Vec<String> {
    let mut tags = vec![task.recipe.clone()];
    for tag in task.outputs.iter().map(|o| &o.tag).chain(task.main().map(|m| &m.tag)) {
        if !tags.iter().any(|t| t == tag.as_str()) {
            tags.push(tag.to_string());
        }
    }
    tags
}

/// The tasks of a plan, with what is known of the last attempt at each.
pub fn tasks(session: &Session, plan: &Plan) -> Vec<Row> {
    let (done, attempts) = (&session.known.tasks, &session.known.attempts);
    let index = FrameIndex::of(session);
    let makers: HashMap<&str, &Task> = plan.tasks().flat_map(|p| p.task.outputs.iter().map(move |o| (o.name.as_str(), &p.task))).collect();
    let row = |planned: &PlannedTask| {
        let task = &planned.task;
        let mut row = Row::new(task.name(), &task.night);
        row.path = task.outputs.first().map(|o| o.path.display().to_string()).unwrap_or_default();
        row.tags = tags_of(task);
        row.set("RECIPE", task.recipe.as_str());
        row.set("TAG", task.outputs.first().map_or("", |o| o.tag.as_str()));
        row.set("TASK", task.id.as_str());
        row.set("LEVEL", i64::from(task.level));
        row.set("FRAMES", task.main().count());
        row.set_text("SIGNATURE", &task.signature);
        row.set("PLANNED_MB", task.memory as f64 / 1e6);
        let attempt = attempts.get(&task.id).map(|last| &last.attempt);
        let made = done.get(&task.id);
        let cause = attempt.and_then(|a| a.cause());
        let failed = cause.is_some();
        row.set(
            "STATE",
            if failed {
                "failed"
            } else if made.is_some() {
                "done"
            } else {
                "to do"
            },
        );
        if let Some(made) = made {
            row.set("GRADE", made.grade.as_str());
            quality(&mut row, made);
        }
        if let Some(a) = attempt {
            row.set("CPU", a.cost.usage.cpu_seconds);
            row.set("SECONDS", a.cost.seconds);
            row.set("PEAK_MB", a.cost.usage.peak_memory as f64 / 1e6);
            row.set("READ_MB", a.cost.usage.bytes_read as f64 / 1e6);
            row.set("WRITTEN_MB", a.cost.usage.bytes_written as f64 / 1e6);
            row.set_text("WHY", &cause.map_or_else(String::new, |c| c.error().what));
        }
        associations(&mut row, task, &planned.lacks);
        row.frame = task.main().next().and_then(|m| index.first(m, &makers)).cloned();
        row
    };
    plan.tasks().map(row).collect()
}

/// All groups: those of the tasks, those that are blocked and those that are skipped.
pub fn groups(session: &Session, plan: &Plan) -> Vec<Row> {
    let index = FrameIndex::of(session);
    let mut rows = Vec::new();
    for planned in plan.tasks() {
        let task = &planned.task;
        let first = task.main().next();
        let frame = first.and_then(|m| index.first(m, &HashMap::new()));
        let name = frame.map(|f| &f.name).or(first.map(|m| &m.name));
        let mut row = Row::new(name.map_or("", |n| n), &task.night);
        row.tags = tags_of(task);
        row.set("TAG", first.map_or("", |m| m.tag.as_str()));
        row.set("STATE", "planned");
        row.set("RECIPE", task.recipe.as_str());
        row.set("FRAMES", task.main().count());
        row.set("MEMBERS", task.main().map(|m| m.name.as_str()).collect::<Vec<_>>().join(" "));
        row.set_text("SIGNATURE", &task.signature);
        row.set("LEVEL", i64::from(task.level));
        row.frame = frame.cloned();
        row.path = row.frame.as_ref().map(|f| f.path.display().to_string()).unwrap_or_default();
        rows.push(row);
    }
    let blocked = plan.blocked.iter().map(|b| (&b.recipe, &b.night, &b.frames, b.why(), "blocked"));
    let skipped = plan.skipped.iter().map(|s| (&s.recipe, &s.night, &s.frames, s.reason.to_string(), "skipped"));
    for (recipe, night, members, why, state) in blocked.chain(skipped) {
        let mut row = Row::new(members.first().map_or("", |m| m), night);
        row.frame = members.first().and_then(|m| index.by_name.get(m.as_str())).map(|f| Arc::clone(f));
        row.path = row.frame.as_ref().map(|f| f.path.display().to_string()).unwrap_or_default();
        row.tags = vec![recipe.clone()];
        row.tags.extend(row.frame.as_ref().map(|f| f.tag.to_string()));
        row.set("STATE", state);
        row.set("RECIPE", recipe.as_str());
        row.set("FRAMES", members.len());
        row.set("MEMBERS", members.join(" "));
        row.set("WHY", why.as_str());
        rows.push(row);
    }
    rows
}
