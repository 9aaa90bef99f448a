//! One task of a plan, run alone: what a cluster or a person calls task by task.
//!
//! It does what [`crate::reduce`] would do with that task. Where what the task needs turned out otherwise than the plan counts on, the plan is made again and
//! the task that makes the same product now is run in its place. The record of the attempt is in the journal; the catalogue takes it in when nobody else is
//! at work, and otherwise whoever coordinates does.

use std::path::Path;

use ifured_core::recipe::Outcome;
use ifured_core::{EngineName, LoadedInstrument, RecipeError, Role, Task, TaskId};

use crate::attempt::Attempt;
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::execute::scratch::TaskLock;
use crate::execute::{Executor, Happening, Job};
use crate::files::DirectoryLock;
use crate::known;
use crate::plan::reason::Defect;
use crate::plan::{self, Plan, PlannedTask, Targets};
use crate::reduce;
use crate::session::{Opening, Reporter, Session, Setup};
use crate::standing::{self, Standing};

/// What was done about a task.
pub enum Executed {
    /// Nothing: it is done.
    Before(Box<Outcome>),
    /// It was run.
    Now(Box<Attempt>),
    /// Nothing: as things turned out, the plan makes no such product any more.
    NotAnyMore(String),
}

/// Runs the task of a plan whose identity begins so, unless it is done.
///
/// # Errors
/// If there is no such task, or what it needs is not made; if the plan cannot be read. A task that fails is no error here.
pub fn exec(
    setup: &Setup,
    instruments: &[LoadedInstrument],
    file: &Path,
    wanted: &str,
    executor: &mut dyn Executor,
    reporter: &dyn Reporter,
) -> Result<Executed> {
    let output = std::path::absolute(&setup.output).map_err(Error::io("cannot find", &setup.output))?;
    let saved = plan::read(file, &output)?;
    let Some(planned) = saved.beginning(wanted) else {
        let several = saved.plan.tasks().filter(|t| t.task.id.as_str().starts_with(wanted)).count();
        let what = match several {
            0 => format!("the plan has no task that begins with `{wanted}`; it may be another plan by now"),
            n => format!("{n} tasks begin with `{wanted}`"),
        };
        return Err(Error::usage(what, "`ifured ls tasks --columns TASK` lists them"));
    };
    fits_the_program(&planned.task, instruments)?;
    let known = known::of_directory(&output)?;
    let id = planned.task.id.clone();
    let place = saved.plan.place(&id).unwrap_or_default();
    if let Some(written) = saved.edited.iter().find(|(_, now)| **now == id).map(|(written, _)| written) {
        reporter.note(&format!("task {written} was edited, or something that it needs: it is task {id} now"));
    }
    match reduce::is_out_of_date(&saved.plan, place, &known) {
        None => run(&saved.plan, place, &output, executor, reporter),
        Some(defect) if saved.edited.values().any(|now| *now == id) => {
            Err(out_of_date(planned, &defect, "edit it again, or make it anew with `ifured plan`"))
        }
        Some(defect) => {
            let mut session = Session::open(setup, instruments, Opening::Look, reporter)
                .map_err(|_| out_of_date(planned, &defect, "make the plan anew with `ifured plan`"))?;
            let now = session.plan(&Targets::default())?;
            let Some(place) = planned.task.outputs.iter().find_map(|o| now.maker(&o.name)) else {
                return not_any_more(planned, &now, &defect);
            };
            if now.at(place).task.id != id {
                reporter.note(&format!("task {id} is out of date: {defect}. In its place runs task {}", now.at(place).task.id));
            }
            run(&now, place, &output, executor, reporter)
        }
    }
}

/// The plan makes the products of a task no longer: that is how a reduction ends, too, unless the group is blocked.
fn not_any_more(planned: &PlannedTask, now: &Plan, defect: &Defect) -> Result<Executed> {
    let is_same = |frames: &[String]| planned.task.main().any(|m| frames.iter().any(|f| f.ends_with(&m.name)));
    match now.blocked.iter().find(|b| b.recipe == planned.task.recipe && is_same(&b.frames)) {
        Some(blocked) => {
            let what = format!("{} cannot be made: {}", planned.task.name(), blocked.why());
            Err(Error::Recipe(RecipeError::new(what, "`ifured plan` shows what can be made")))
        }
        None => Ok(Executed::NotAnyMore(format!("{} is not made any more: of what it needs, {defect}", planned.task.name()))),
    }
}

fn out_of_date(planned: &PlannedTask, defect: &Defect, advice: &str) -> Error {
    Error::usage(format!("the plan is out of date for {}: of what it needs, {defect}", planned.task.name()), advice)
}

/// Refuses a task that was planned for another version of a recipe, or that gives it what it does not know.
fn fits_the_program(task: &Task, instruments: &[LoadedInstrument]) -> Result<()> {
    let anew = "make the plan anew with `ifured plan`";
    let description = instruments.iter().map(LoadedInstrument::description).find(|d| d.is_called(&task.instrument));
    let Some(recipe) = description.and_then(|d| d.recipe(&task.recipe)) else {
        return Err(Error::usage(format!("{} has no recipe {}", task.instrument, task.recipe), anew));
    };
    if task.engine == EngineName::BOTH && recipe.engines.len() > 1 {
        return Ok(());
    }
    let Some(engine) = recipe.engine(&task.engine) else {
        return Err(Error::usage(format!("recipe {} has no engine {}", recipe.name, task.engine), anew));
    };
    if engine.version != task.recipe_version {
        let what = format!("the plan is for version {} of recipe {}; here is version {}", task.recipe_version, recipe.name, engine.version);
        return Err(Error::usage(what, anew));
    }
    let known = |role: &Role| role.is_main() || recipe.inputs.iter().any(|i| i.role == *role) || engine.has_parameter(role.as_str());
    match task.inputs.iter().find(|i| !known(&i.role)) {
        Some(input) => Err(Error::usage(format!("recipe {} has no input `{}`", recipe.name, input.role), anew)),
        None => Ok(()),
    }
}

/// Refuses a task whose frames do not have the content that was planned with.
fn frames_are_the_same(task: &Task, made: impl Fn(&str) -> bool) -> Result<()> {
    for input in task.inputs.iter().filter(|i| !made(&i.name)) {
        let hash = standing::content_hash(&input.path)?;
        if hash != input.identity {
            let path = ifured_core::path::shown(&input.path);
            let what = format!("{path} has another content ({hash}) than the plan counts on ({})", input.identity);
            return Err(Error::Recipe(RecipeError::new(what, "make the plan anew with `ifured plan`")));
        }
    }
    Ok(())
}

fn run(plan: &Plan, place: usize, output: &Path, executor: &mut dyn Executor, reporter: &dyn Reporter) -> Result<Executed> {
    let task = &plan.at(place).task;
    // Two that run one task: the second finds it done, and so must not decide by what was known before it waited.
    let _lock = TaskLock::take(output, &task.id)?;
    let mut known = known::of_directory(output)?;
    let mut found = Vec::new();
    if let Standing::Done(outcome) = standing::standing(&mut known, task, output, &mut found)? {
        return Ok(Executed::Before(outcome));
    }
    for &maker in plan.needs(place) {
        let maker = &plan.at(maker).task;
        if let Standing::ToDo(why) = standing::standing(&mut known, maker, output, &mut found)? {
            let what = format!("{} needs {}, which is to be made first: {why}", task.name(), maker.name());
            return Err(Error::usage(what, format!("ifured exec {}", maker.id)));
        }
    }
    frames_are_the_same(task, |name| plan.maker(name).is_some_and(|maker| plan.needs(place).contains(&maker)))?;
    for note in standing::keep_foreign(&known, task)? {
        reporter.note(&note);
    }
    let attempt = run_one(task, executor, reporter)?;
    remember(output, &attempt.0, &attempt.1)?;
    Ok(Executed::Now(Box::new(attempt.1)))
}

fn run_one(task: &Task, executor: &mut dyn Executor, reporter: &dyn Reporter) -> Result<(String, Attempt)> {
    executor.submit(vec![Job { task: task.clone(), after: Vec::<TaskId>::new(), run: None }])?;
    let mut ended = None;
    while let Some(happening) = executor.next()? {
        reporter.happening(task, &happening);
        if let Happening::Ended { record, attempt } = happening {
            ended = Some((record, *attempt));
        }
    }
    ended.ok_or_else(|| Error::Inconsistent(format!("task {} was not run", task.id)))
}

/// Lets the catalogue take the record in, if there is one and nobody else is at work.
fn remember(output: &Path, record: &str, attempt: &Attempt) -> Result<()> {
    if !Catalogue::exists(output) {
        return Ok(());
    }
    match DirectoryLock::take(output) {
        Ok(_lock) => Catalogue::open(output)?.0.merge(&[(record.to_owned(), attempt.clone())]),
        Err(Error::Busy { .. }) => Ok(()),
        Err(e) => Err(e),
    }
}
