//! What a run did: counts, tasks with what is to be remarked of each, failures with their causes, what was not done and why.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ifured_core::recipe::{Outcome, QualityNumber, RecipeError};
use ifured_core::{Grade, Role, TaskId};
use schemars::JsonSchema;
use serde::Serialize;

use super::frames::{CensusRow, RefusedFrame, census};
use super::plan_groups::{BlockedGroup, SkippedGroup};
use super::{Snapshot, TaskState, plan_groups};
use crate::attempt::Cost;
use crate::plan::reason::ToDo;
use crate::plan::{Blocked, PlannedTask, Skipped};
use crate::reduce::RunSummary;

/// What a run did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunView {
    /// Name of the instrument.
    pub instrument: String,
    /// Output directory.
    pub output: String,
    /// 0 if all is done, 1 if anything failed, is blocked or was refused.
    pub exit_code: u8,
    /// The run in the catalogue; none for a dry run.
    pub run: Option<RunHead>,
    /// How many there are of what.
    pub counts: RunCounts,
    /// Number of frames.
    pub frames: usize,
    /// Frames that were refused.
    pub refused: Vec<RefusedFrame>,
    /// Frames by tag and state.
    pub census: Vec<CensusRow>,
    /// The tasks of the plan as it was at the end.
    pub tasks: Vec<RunTask>,
    /// Tasks that failed and that the plan does without by now.
    pub given_up: Vec<RunTask>,
    /// Tasks run now.
    pub ran: usize,
    /// Tasks that were done before.
    pub reused: usize,
    /// Tasks that failed now.
    pub failed: Vec<FailureView>,
    /// Groups for which something required is missing.
    pub blocked: Vec<Blocked>,
    /// The same, in several extensions one.
    pub blocked_groups: Vec<BlockedGroup>,
    /// Groups that are left out on purpose.
    pub left_out: Vec<Skipped>,
    /// The same, in several extensions one.
    pub left_out_groups: Vec<SkippedGroup>,
    /// Notes of tasks and frames, equal ones once.
    pub notes: Vec<NoteCount>,
    /// Cost of the last attempt at each task, by recipe.
    pub costs: Vec<RecipeCost>,
    /// The page of the run; none if it was not written.
    pub report: Option<String>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// A run as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunHead {
    /// Its number.
    pub number: i64,
    /// When it started, UTC.
    pub started: String,
    /// What was typed.
    pub command: String,
}

/// How many there are of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunCounts {
    /// Frames.
    pub frames: usize,
    /// Nights.
    pub nights: usize,
    /// Frames that were refused.
    pub refused: usize,
    /// Tasks of the plan.
    pub tasks: usize,
    /// Tasks run now.
    pub ran: usize,
    /// Tasks that were done before.
    pub reused: usize,
    /// Tasks that a dry run would run.
    pub would_run: usize,
    /// Tasks that are done.
    pub done: usize,
    /// Tasks whose last attempt failed, also those that the plan does without by now.
    pub failed: usize,
    /// Tasks that failed in this run.
    pub failed_now: usize,
    /// Tasks that were not run.
    pub not_run: usize,
    /// Groups that are blocked, each extension for itself.
    pub blocked: usize,
    /// Groups that are left out.
    pub left_out: usize,
    /// Products.
    pub products: usize,
    /// Tasks done whose grade is questionable.
    pub questionable: usize,
    /// Tasks done whose grade is bad.
    pub bad: usize,
}

/// A task in a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunTask {
    /// Its identity.
    pub id: TaskId,
    /// Its first product, or its first frame.
    pub name: String,
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Quality level.
    pub level: i32,
    /// Number of main frames.
    pub frames: usize,
    /// Names of its products.
    pub products: Vec<String>,
    /// How far it is.
    pub state: TaskState,
    /// Whether it is done.
    pub done: bool,
    /// What came out, if it is done.
    pub outcome: Option<Outcome>,
    /// The grade of that.
    pub grade: Option<Grade>,
    /// What went wrong, if it failed.
    pub error: Option<RecipeError>,
    /// Why a dry run would run it, in words.
    pub would_run_because: Option<String>,
    /// The same as a value.
    pub to_do: Option<ToDo>,
    /// What a person should look at.
    pub remarks: Vec<Remark>,
    /// Cost of the last attempt.
    pub cost: Option<Cost>,
}

/// Something to look at in the outcome of a task.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Remark {
    /// A quality number outside its limits.
    Quality {
        /// The number.
        number: QualityNumber,
    },
    /// An input that has nothing.
    Missing {
        /// The input.
        role: Role,
    },
    /// Main frames that were rejected.
    Rejected {
        /// So many.
        frames: usize,
    },
    /// Notes that it left.
    Notes {
        /// So many.
        notes: usize,
    },
}

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FailureView {
    /// Its identity.
    pub task: TaskId,
    /// Its first product, or its first frame.
    pub name: String,
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// What went wrong.
    pub error: String,
    /// What to do about it; may be empty.
    pub advice: String,
}

/// A note, with where it was first made and how often.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NoteCount {
    /// The note.
    pub text: String,
    /// The first that has it.
    pub first: NoteSource,
    /// So many have it.
    pub count: usize,
}

/// What a note is about.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoteSource {
    /// A task.
    Task(TaskId),
    /// A frame, by name.
    Frame(String),
}

/// Cost of the last attempts at all tasks of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct RecipeCost {
    /// The recipe; none for the sum of all.
    pub recipe: Option<String>,
    /// Number of tasks.
    pub tasks: usize,
    /// CPU seconds of all.
    pub cpu_seconds: f64,
    /// Wall-clock seconds of all.
    pub seconds: f64,
    /// Wall-clock seconds of the longest.
    pub longest: f64,
    /// Peak memory of the largest, in bytes.
    pub peak_memory: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
}

impl RunView {
    /// What a run did. `snapshot` is of its end; it needs no plan, for the run has its own.
    pub fn of(snapshot: &Snapshot, summary: &RunSummary) -> Self {
        let plan = &summary.plan;
        let to_do: HashMap<&TaskId, &ToDo> = summary.to_do.iter().map(|(id, why)| (id, why)).collect();
        let task = |planned: &PlannedTask| run_task(snapshot, summary, &to_do, planned);
        let tasks: Vec<RunTask> = plan.tasks().map(task).collect();
        let gone = summary.failed.iter().map(|f| &f.planned).filter(|p| plan.task(&p.task.id).is_none());
        let given_up: Vec<RunTask> = gone.map(task).collect();
        let census = census(snapshot);
        let head = snapshot.last_run.as_ref().filter(|last| last.number == summary.run);
        RunView {
            instrument: snapshot.instrument.name.clone(),
            output: snapshot.output.display().to_string(),
            exit_code: summary.exit_code(&snapshot.frames),
            run: head.map(|r| RunHead { number: r.number, started: r.started.clone(), command: r.command.clone() }),
            counts: counts(snapshot, summary, &tasks, &given_up),
            frames: census.frames,
            refused: census.refused,
            census: census.census,
            ran: summary.ran,
            reused: summary.reused,
            failed: summary.failed.iter().map(|f| failure(&f.planned, &f.error)).collect(),
            blocked: plan.blocked.clone(),
            blocked_groups: plan_groups::blocked(plan),
            left_out: plan.skipped.clone(),
            left_out_groups: plan_groups::skipped(plan),
            notes: notes(snapshot, tasks.iter().chain(&given_up)),
            costs: costs(tasks.iter().chain(&given_up)),
            tasks,
            given_up,
            report: None,
            seconds: summary.seconds,
        }
    }

    /// All tasks that are told of: those of the plan, and those that it does without by now.
    pub fn all_tasks(&self) -> impl Iterator<Item = &RunTask> {
        self.tasks.iter().chain(&self.given_up)
    }
}

fn run_task(snapshot: &Snapshot, summary: &RunSummary, to_do: &HashMap<&TaskId, &ToDo>, planned: &PlannedTask) -> RunTask {
    let task = &planned.task;
    let attempt = snapshot.last_attempt(&planned.task.id).map(|last| &last.attempt);
    let failed_now = summary.failed.iter().find(|f| f.planned.task.id == task.id).map(|f| f.error.clone());
    let outcome = summary.outcomes.get(&task.id).filter(|_| failed_now.is_none());
    let would_run = to_do.get(&task.id).copied().filter(|_| outcome.is_none() && failed_now.is_none());
    let failed_before = || attempt.and_then(|a| a.cause()).map(|cause| cause.error()).filter(|_| outcome.is_none() && would_run.is_none());
    let error = failed_now.or_else(failed_before);
    RunTask {
        id: task.id.clone(),
        name: task.name().to_owned(),
        recipe: task.recipe.clone(),
        night: task.night.clone(),
        level: task.level,
        frames: task.main().count(),
        products: task.outputs.iter().map(|o| o.name.clone()).collect(),
        state: match (outcome, &error) {
            (Some(_), _) => TaskState::Done,
            (None, Some(_)) => TaskState::Failed,
            (None, None) => TaskState::ToDo,
        },
        done: outcome.is_some(),
        outcome: outcome.cloned(),
        grade: outcome.map(Outcome::grade),
        error,
        would_run_because: would_run.map(ToString::to_string),
        to_do: would_run.cloned(),
        remarks: outcome.map(|o| remarks(planned, o)).unwrap_or_default(),
        cost: attempt.map(|a| a.cost),
    }
}

fn remarks(planned: &PlannedTask, outcome: &Outcome) -> Vec<Remark> {
    let outside = outcome.quality.iter().filter(|q| q.grade != Grade::Good).map(|q| Remark::Quality { number: q.clone() });
    let missing = planned.task.missing.iter().map(|m| Remark::Missing { role: m.role.clone() });
    let rejected = Some(outcome.rejected.len()).filter(|n| *n > 0).map(|frames| Remark::Rejected { frames });
    let notes = Some(outcome.notes.len()).filter(|n| *n > 0).map(|notes| Remark::Notes { notes });
    outside.chain(missing).chain(rejected).chain(notes).collect()
}

fn failure(planned: &PlannedTask, error: &RecipeError) -> FailureView {
    let task = &planned.task;
    FailureView {
        task: task.id.clone(),
        name: task.name().to_owned(),
        recipe: task.recipe.clone(),
        night: task.night.clone(),
        error: error.what.clone(),
        advice: error.advice.clone(),
    }
}

fn counts(snapshot: &Snapshot, summary: &RunSummary, tasks: &[RunTask], given_up: &[RunTask]) -> RunCounts {
    let of = |state: TaskState| tasks.iter().chain(given_up).filter(|t| t.state == state).count();
    let graded = |grade: Grade| tasks.iter().filter(|t| t.grade == Some(grade)).count();
    let nights: BTreeSet<&str> = snapshot.frames.iter().map(|f| f.night.as_str()).collect();
    RunCounts {
        frames: snapshot.frames.len(),
        nights: nights.len(),
        refused: snapshot.refused().count(),
        tasks: tasks.len(),
        ran: summary.ran,
        reused: summary.reused,
        would_run: summary.to_do.len(),
        done: of(TaskState::Done),
        failed: of(TaskState::Failed),
        failed_now: summary.failed.len(),
        not_run: of(TaskState::ToDo),
        blocked: summary.plan.blocked.len(),
        left_out: summary.plan.skipped.len(),
        products: tasks.iter().filter_map(|t| t.outcome.as_ref()).map(|o| o.products.len()).sum(),
        questionable: graded(Grade::Questionable),
        bad: graded(Grade::Bad),
    }
}

/// Equal notes are told once, in the order of the alphabet.
fn notes<'a>(snapshot: &Snapshot, tasks: impl Iterator<Item = &'a RunTask>) -> Vec<NoteCount> {
    let mut all: BTreeMap<String, NoteCount> = BTreeMap::new();
    let mut add = |text: &str, source: NoteSource| {
        let first = || NoteCount { text: text.to_owned(), first: source, count: 0 };
        all.entry(text.to_owned()).or_insert_with(first).count += 1;
    };
    for task in tasks {
        let of_task = task.outcome.iter().flat_map(|o| &o.notes);
        of_task.for_each(|note| add(note, NoteSource::Task(task.id.clone())));
    }
    for frame in snapshot.frames.iter() {
        frame.notes.iter().for_each(|note| add(note, NoteSource::Frame(frame.name.clone())));
    }
    all.into_values().collect()
}

/// By recipe, in the order of the alphabet; the sum of all at the end.
fn costs<'a>(tasks: impl Iterator<Item = &'a RunTask>) -> Vec<RecipeCost> {
    let mut recipes: BTreeMap<String, RecipeCost> = BTreeMap::new();
    let mut all = RecipeCost::default();
    for (recipe, cost) in tasks.filter_map(|t| Some((&t.recipe, t.cost?))) {
        all.add(&cost);
        let new = || RecipeCost { recipe: Some(recipe.clone()), ..RecipeCost::default() };
        recipes.entry(recipe.clone()).or_insert_with(new).add(&cost);
    }
    let sum = (all.tasks > 0).then_some(all);
    recipes.into_values().chain(sum).collect()
}

impl RecipeCost {
    fn add(&mut self, cost: &Cost) {
        self.tasks += 1;
        self.cpu_seconds += cost.usage.cpu_seconds;
        self.seconds += cost.seconds;
        self.longest = self.longest.max(cost.seconds);
        self.peak_memory = self.peak_memory.max(cost.usage.peak_memory);
        self.bytes_read += cost.usage.bytes_read;
        self.bytes_written += cost.usage.bytes_written;
    }
}
