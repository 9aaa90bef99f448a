//! The reduction: plan, run what is not done, plan again with what is known now, until nothing changes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ifured_core::recipe::{Outcome, RecipeError};
use ifured_core::{Role, TaskId};

use crate::attempt::Attempt;
use crate::catalogue::Known;
use crate::classify;
use crate::error::{Error, Result};
use crate::execute::{Executor, Happening, Job};
use crate::frame::{Frame, FrameState};
use crate::plan::reason::{Defect, ToDo};
use crate::plan::{self, Plan, PlannedTask, Targets, Verdicts};
use crate::session::{Reporter, Session};
use crate::standing::{self, Standing};
use crate::view::Snapshot;

/// What to reduce, and how.
#[derive(Clone, Debug, Default)]
pub struct ReduceOptions {
    /// What is wanted.
    pub targets: Targets,
    /// Do again what is done.
    pub force: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// What was typed, for the record.
    pub command: String,
}

/// A task that could not be done.
#[derive(Clone, Debug)]
pub struct FailedTask {
    /// The task, as it was planned: the plan at the end may do without.
    pub planned: PlannedTask,
    /// Why.
    pub error: RecipeError,
}

/// What a reduction did.
#[derive(Clone, Default)]
pub struct RunSummary {
    /// Number of the run in the catalogue; 0 for a dry run.
    pub run: i64,
    /// The plan as it was at the end.
    pub plan: Plan,
    /// Tasks run now.
    pub ran: usize,
    /// Tasks that were done already.
    pub reused: usize,
    /// Outcomes of all tasks of the plan that are done, by task.
    pub outcomes: HashMap<TaskId, Outcome>,
    /// Tasks that failed.
    pub failed: Vec<FailedTask>,
    /// Tasks not run in a dry run, with the reason.
    pub to_do: Vec<(TaskId, ToDo)>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl RunSummary {
    /// 0 if all is done, 1 if anything failed, is blocked or was refused.
    pub fn exit_code(&self, frames: &[Arc<Frame>]) -> u8 {
        let refused = frames.iter().any(|f| f.state == FrameState::Refused);
        u8::from(!self.failed.is_empty() || !self.plan.blocked.is_empty() || refused)
    }
}

/// Reduces everything: plans, runs what is not done, plans again without what failed or turned out bad, until nothing changes.
///
/// # Errors
/// If there is nothing to reduce; if catalogue or journal cannot be written.
pub fn reduce(session: &mut Session, executor: &mut dyn Executor, options: &ReduceOptions, reporter: &dyn Reporter) -> Result<RunSummary> {
    let started = std::time::Instant::now();
    let mut summary = RunSummary::default();
    let mut verdicts = Verdicts::default();
    let mut ran: HashSet<TaskId> = HashSet::new();
    let mut announced = false;
    loop {
        let plan = plan::plan(&session.request(&verdicts))?.restricted(&options.targets, &session.instrument);
        if let Err(nothing) = something_to_do(session, &plan, &verdicts) {
            if announced {
                session.catalogue.end_run(summary.run, 1)?;
            }
            return Err(nothing);
        }
        let mut standings = session.standings(&plan)?;
        if options.force {
            let again = plan.tasks().zip(&mut standings).filter(|(p, _)| !ran.contains(&p.task.id));
            again.for_each(|(_, standing)| *standing = Standing::ToDo(ToDo::Forced));
        }
        // A plan that counts on what is known to be otherwise is made again before a word is said of it.
        if verdicts.learn(&plan, &standings) {
            continue;
        }
        if !announced {
            summary.run = record_start(session, &plan, options)?;
            let done = standings.iter().filter(|s| s.outcome().is_some()).count();
            reporter.planned(plan.len(), done);
            announced = true;
        }
        let is_to_do = |&at: &usize| standings[at].to_do().is_some() && !verdicts.defects.contains_key(&plan.at(at).task.id);
        let to_do: Vec<usize> = (0..plan.len()).filter(is_to_do).collect();
        summary.outcomes = outcomes(&plan, &standings);
        if options.dry_run {
            let why = |&at: &usize| Some((plan.at(at).task.id.clone(), standings[at].to_do()?.clone()));
            summary.to_do = to_do.iter().filter_map(why).collect();
        }
        let ended =
            if options.dry_run { Vec::new() } else { run_round(session, executor, &plan, &standings, &to_do, summary.run, reporter)? };
        if ended.is_empty() {
            summary.plan = plan;
            break;
        }
        for attempt in ended {
            let id = attempt.task.id.clone();
            match attempt.cause() {
                None => drop(ran.insert(id)),
                Some(cause) => {
                    let error = cause.error();
                    verdicts.defects.insert(id.clone(), Defect::failed(&error.what));
                    summary.failed.extend(plan.task(&id).map(|planned| FailedTask { planned: planned.clone(), error }));
                }
            }
        }
    }
    summary.ran = ran.len();
    summary.reused = summary.plan.len().saturating_sub(summary.ran + summary.failed.len());
    summary.seconds = started.elapsed().as_secs_f64();
    if !options.dry_run {
        session.write_plan(&summary.plan)?;
        session.catalogue.end_run(summary.run, summary.exit_code(&session.frames))?;
    }
    Ok(summary)
}

impl Verdicts {
    /// Takes in what is done: products that are bad, tasks that found nothing to make, grades. Says whether that is news that changes the plan.
    pub(crate) fn learn(&mut self, plan: &Plan, standings: &[Standing]) -> bool {
        let before = self.clone();
        for (planned, outcome) in plan.tasks().zip(standings).filter_map(|(p, s)| Some((p, s.outcome()?))) {
            let id = &planned.task.id;
            if let Some(defect) = Defect::of(outcome).filter(|_| !self.defects.contains_key(id)) {
                self.defects.insert(id.clone(), defect);
            }
            if outcome.grade() != ifured_core::Grade::Good {
                self.grades.insert(id.clone(), outcome.grade());
            }
        }
        before != *self
    }
}

fn outcomes(plan: &Plan, standings: &[Standing]) -> HashMap<TaskId, Outcome> {
    plan.tasks().zip(standings).filter_map(|(p, s)| Some((p.task.id.clone(), s.outcome()?.clone()))).collect()
}

/// Says what is wrong where a plan has neither tasks nor anything that is blocked.
fn something_to_do(session: &Session, plan: &Plan, verdicts: &Verdicts) -> Result<()> {
    if !plan.is_empty() || !plan.blocked.is_empty() {
        return Ok(());
    }
    // What was made on the way turned out to be of no use.
    let why: BTreeSet<String> = verdicts.defects.values().map(ToString::to_string).collect();
    if !why.is_empty() {
        return Err(Error::Nothing {
            what: format!("what was asked for cannot be made: {}", why.into_iter().collect::<Vec<_>>().join("; ")),
            advice: "without --to and --only all the rest is made; `ifured why` and `ifured whynot` show what each task could choose from"
                .into(),
        });
    }
    let name = &session.instrument.name;
    if session.instrument.recipes.is_empty() {
        return Err(Error::Nothing {
            what: format!("{name} has no recipes in this version: its frames are classified, not reduced"),
            advice: "`ifured ls` shows what they were classified as".into(),
        });
    }
    let roots = session.catalogue.roots()?;
    let places: Vec<String> = roots.iter().map(ifured_core::path::shown).collect();
    let census = classify::census(&session.frames, &session.instrument);
    let found: Vec<String> = census.iter().map(|(tag, state, n)| format!("{n} {tag} ({})", state.as_str())).collect();
    let expected: Vec<String> = session.instrument.recognise.iter().map(ToString::to_string).collect();
    let what = match found.is_empty() {
        true => format!("no frames (*.fits, also .gz .fz .Z) in {}", places.join(", ")),
        false => format!("nothing to reduce for {name} in {}: found {}", places.join(", "), found.join(", ")),
    };
    Err(Error::Nothing {
        what,
        advice: format!(
            "frames of {name} have {}; `ifured ls --columns INSTRUME` shows what there is and why it was not taken; another instrument is chosen with --instrument",
            expected.join(" and ")
        ),
    })
}

fn record_start(session: &mut Session, plan: &Plan, options: &ReduceOptions) -> Result<i64> {
    if options.dry_run {
        return Ok(0);
    }
    session.write_plan(plan)?;
    session.catalogue.start_run(&options.command, &session.instrument.name, &session.config_text, plan::FILE)
}

/// Runs what is to do of a plan as far as it goes; gives the attempts.
fn run_round(
    session: &mut Session,
    executor: &mut dyn Executor,
    plan: &Plan,
    standings: &[Standing],
    to_do: &[usize],
    run: i64,
    reporter: &dyn Reporter,
) -> Result<Vec<Attempt>> {
    for &at in to_do {
        let planned = plan.at(at);
        tracing::info!(
            recipe = planned.task.recipe,
            task = planned.task.id.as_str(),
            why = standings[at].to_do().map(tracing::field::display),
            "to do"
        );
        for note in standing::keep_foreign(&session.known, &planned.task)? {
            reporter.note(&note);
        }
    }
    let ready: HashSet<usize> = to_do.iter().copied().collect();
    // What needs a product that neither is there nor will be is not run: the next plan does without.
    let possible = |at: &usize| plan.needs(*at).iter().all(|maker| ready.contains(maker) || standings[*maker].outcome().is_some());
    let job = |&at: &usize| Job {
        task: plan.at(at).task.clone(),
        after: plan.needs(at).iter().filter(|maker| ready.contains(maker)).map(|&maker| plan.at(maker).task.id.clone()).collect(),
        run: Some(run),
    };
    executor.submit(to_do.iter().filter(|at| possible(at)).map(job).collect())?;
    let mut ended = Vec::new();
    while let Some(happening) = executor.next()? {
        let id = happening.task().clone();
        if let Some(planned) = plan.task(&id) {
            reporter.happening(&planned.task, &happening);
        }
        if let Happening::Ended { record, attempt } = happening {
            session.take_in(record, (*attempt).clone())?;
            ended.push(*attempt);
        }
    }
    Ok(ended)
}

/// The state of a plan as a summary, without running anything: for reports.
///
/// # Errors
/// If the snapshot has no plan.
pub fn summary_of(snapshot: &Snapshot) -> Result<RunSummary> {
    let planned = snapshot.planned()?;
    let outcomes = outcomes(&planned.plan, &planned.standings);
    let failure = |planned: &PlannedTask| {
        let cause = snapshot.last_attempt(&planned.task.id)?.attempt.cause()?;
        Some(FailedTask { planned: planned.clone(), error: cause.error() })
    };
    let failed = planned.plan.tasks().filter(|t| !outcomes.contains_key(&t.task.id)).filter_map(failure).collect();
    let run = snapshot.last_run.as_ref().map_or(0, |run| run.number);
    Ok(RunSummary { run, reused: outcomes.len(), plan: (*planned.plan).clone(), outcomes, failed, ..RunSummary::default() })
}

/// Whether something that a task needs, directly or not, turned out otherwise than the plan counts on: the plan is to be made again.
pub fn is_out_of_date(plan: &Plan, place: usize, known: &Known) -> Option<Defect> {
    let mut all = plan.requirements(place);
    all.insert(place);
    all.into_iter().find_map(|at| turned_out_otherwise(plan, at, known))
}

/// The first of what a task needs itself that turned out otherwise.
fn turned_out_otherwise(plan: &Plan, place: usize, known: &Known) -> Option<Defect> {
    let task = &plan.at(place).task;
    for &maker in plan.needs(place) {
        let maker = &plan.at(maker).task;
        let Some(row) = known.tasks.get(&maker.id) else { continue };
        let counted_on = |i: &&ifured_core::recipe::TaskInput| maker.outputs.iter().any(|o| o.name == i.name);
        let input = task.inputs.iter().find(counted_on);
        let grade = input.and_then(|i| i.choice.fit()).and_then(|fit| fit.grade).unwrap_or(ifured_core::Grade::Good);
        let is_main = input.is_some_and(|i| i.role == Role::MAIN);
        let defect = Defect::of(&row.outcome);
        if let Some(defect) = defect.filter(|d| !d.is_made() || is_main || grade != ifured_core::Grade::Bad) {
            return Some(defect);
        }
    }
    None
}
