//! The reduction: plan, run what is not done, plan again without what failed or is bad, record everything.

mod session;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use ifured_core::Task;
use ifured_core::recipe::{Outcome, RecipeError};
use serde::Serialize;

use crate::catalogue::{Attempt, Catalogue, ProductRow};
use crate::classify;
use crate::error::{Error, Result};
use crate::execute::{self, Happening, Job};
use crate::files::{self, Fingerprint};
use crate::indented::Indented;
use crate::plan::{self, Plan, PlannedTask, Targets, Verdicts};
use crate::standing::{self, Known, Standing};
use crate::worker_process::WorkerCommand;

use session::restricted;
pub use session::{Reporter, Session, Setup, why_bad};

/// Name of the plan in an output directory.
pub const PLAN_FILE: &str = "plan.json";

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
#[derive(Debug, Default)]
pub struct RunSummary {
    /// Number of the run in the catalogue.
    pub run: i64,
    /// The plan as it was at the end.
    pub plan: Plan,
    /// Tasks run now.
    pub ran: usize,
    /// Tasks that were done already.
    pub reused: usize,
    /// Outcomes of all tasks of the plan that are done, by task.
    pub outcomes: HashMap<String, Outcome>,
    /// Tasks that failed.
    pub failed: Vec<FailedTask>,
    /// Tasks not run in a dry run, with the reason.
    pub to_do: Vec<(String, String)>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl RunSummary {
    /// 0 if all is done, 1 if anything failed, is blocked or was refused.
    pub fn exit_code(&self, session: &Session) -> u8 {
        u8::from(!self.failed.is_empty() || !self.plan.blocked.is_empty() || session.refused().next().is_some())
    }
}

/// Reduces everything: plans, runs what is not done, plans again without what failed or turned out bad, until nothing changes.
pub fn reduce(session: &mut Session, worker: &WorkerCommand, options: &ReduceOptions, reporter: &dyn Reporter) -> Result<RunSummary> {
    let started = std::time::Instant::now();
    let mut summary = RunSummary::default();
    let mut verdicts = Verdicts::default();
    let mut ran: BTreeSet<String> = BTreeSet::new();
    let mut announced = false;
    loop {
        let plan = plan::plan(&session.frames, &session.instrument, &session.config, &session.output, &session.hints, &verdicts)?;
        let plan = restricted(plan, &options.targets, &session.instrument);
        if let Err(nothing) = nothing_to_do(session, &plan, &verdicts) {
            if announced {
                session.catalogue.end_run(summary.run, 1)?;
            }
            return Err(nothing);
        }
        let mut known = session.known_products()?;
        let mut standings = Vec::with_capacity(plan.tasks.len());
        for planned in &plan.tasks {
            let mut standing = standing::standing(&mut session.catalogue, &mut known, &planned.task, &session.output)?;
            if options.force && !ran.contains(&planned.task.id) {
                standing = Standing::ToDo("asked for by --force".into());
            }
            standings.push(standing);
        }
        // A plan that counts on what is known to be bad is made again before a word is said of it.
        if verdicts.learn(&plan, &standings) {
            continue;
        }
        for (planned, standing) in plan.tasks.iter().zip(&standings) {
            if let Standing::ToDo(why) = standing {
                tracing::info!(recipe = planned.task.recipe, task = planned.task.id, why, "to do");
            }
        }
        if !announced {
            summary.run = record_start(session, &plan, options)?;
            let done = standings.iter().filter(|s| matches!(s, Standing::Done(_))).count();
            summary.reused = done;
            reporter.planned(plan.tasks.len(), done);
            announced = true;
        }
        let to_do: Vec<usize> = (0..plan.tasks.len())
            .filter(|&i| matches!(standings[i], Standing::ToDo(_)) && !verdicts.failed.contains_key(&plan.tasks[i].task.id))
            .collect();
        summary.outcomes = outcomes(&plan, &standings);
        if options.dry_run {
            summary.to_do = to_do.iter().map(|&i| (plan.tasks[i].task.id.clone(), reason(&standings[i]))).collect();
        }
        if to_do.is_empty() || options.dry_run {
            summary.plan = plan;
            break;
        }
        let progress = run_round(session, worker, &plan, &standings, &to_do, &known, &mut verdicts, &mut summary, &mut ran, reporter)?;
        if !progress {
            summary.plan = plan;
            break;
        }
    }
    summary.ran = ran.len();
    summary.reused = summary.plan.tasks.len().saturating_sub(summary.ran + summary.failed.len());
    summary.seconds = started.elapsed().as_secs_f64();
    if !options.dry_run {
        write_plan(session, &summary.plan)?;
        session.catalogue.end_run(summary.run, summary.exit_code(session))?;
    }
    Ok(summary)
}

fn reason(standing: &Standing) -> String {
    match standing {
        Standing::ToDo(why) => why.clone(),
        Standing::Done(_) => String::new(),
    }
}

fn outcomes(plan: &Plan, standings: &[Standing]) -> HashMap<String, Outcome> {
    let done = plan.tasks.iter().zip(standings).filter_map(|(p, s)| match s {
        Standing::Done(outcome) => Some((p.task.id.clone(), (**outcome).clone())),
        Standing::ToDo(_) => None,
    });
    done.collect()
}

fn nothing_to_do(session: &Session, plan: &Plan, verdicts: &Verdicts) -> Result<()> {
    if !plan.tasks.is_empty() || !plan.blocked.is_empty() {
        return Ok(());
    }
    // What was made on the way turned out to be of no use.
    let why: BTreeSet<&str> = verdicts.failed.values().chain(verdicts.bad.values()).map(String::as_str).collect();
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
    let places: Vec<String> = roots.iter().map(|r| r.display().to_string()).collect();
    let census = classify::census(&session.frames.iter().map(|f| (**f).clone()).collect::<Vec<_>>(), &session.instrument);
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
    write_plan(session, plan)?;
    session.catalogue.start_run(&options.command, &session.instrument.name, &session.config_text, PLAN_FILE)
}

/// Writes the plan beside the catalogue.
pub fn write_plan(session: &Session, plan: &Plan) -> Result<()> {
    // Tens of megabytes for a thousand frames: never as one text.
    files::write_atomically_with(&session.output.join(PLAN_FILE), |file| {
        Ok(plan.serialize(&mut serde_json::Serializer::with_formatter(file, Indented::default()))?)
    })
}

/// Runs the jobs of one round; says whether another round makes sense.
#[allow(clippy::too_many_arguments)]
fn run_round(
    session: &mut Session,
    worker: &WorkerCommand,
    plan: &Plan,
    standings: &[Standing],
    to_do: &[usize],
    known: &Known,
    verdicts: &mut Verdicts,
    summary: &mut RunSummary,
    ran: &mut BTreeSet<String>,
    reporter: &dyn Reporter,
) -> Result<bool> {
    let place: HashMap<&str, usize> = to_do.iter().enumerate().map(|(n, &i)| (plan.tasks[i].task.id.as_str(), n)).collect();
    for &i in to_do {
        for note in standing::keep_foreign(known, &plan.tasks[i].task)? {
            reporter.note(&note);
        }
    }
    // A task that waits for one that failed is not run: the next plan does without.
    let jobs: Vec<Job<'_>> = to_do.iter().map(|&i| job(&plan.tasks[i], &place, verdicts, plan, standings, to_do.len())).collect();
    let limits = session.limits();
    let output = session.output.clone();
    let run = summary.run;
    let mut progress = false;
    let catalogue = &mut session.catalogue;
    execute::run(&jobs, &limits, worker, &mut |happening| {
        if let Happening::Finished(task, finished) = &happening {
            let mut attempt = Attempt {
                task: task.id.clone(),
                run,
                state: "done".into(),
                log: finished.log.clone(),
                seconds: finished.seconds,
                cpu_seconds: finished.usage.cpu_seconds,
                peak_memory: finished.usage.peak_memory,
                bytes_read: finished.usage.bytes_read,
                bytes_written: finished.usage.bytes_written,
                ..Attempt::default()
            };
            progress = true;
            match &finished.result {
                Ok(outcome) => {
                    catalogue.store_done(task, outcome, &product_rows(task, outcome, &output))?;
                    ran.insert(task.id.clone());
                }
                Err(error) => {
                    attempt.state = "failed".into();
                    (attempt.error, attempt.advice) = (error.what.clone(), error.advice.clone());
                    verdicts.failed.insert(task.id.clone(), error.what.clone());
                    if let Some(planned) = plan.task(&task.id) {
                        summary.failed.push(FailedTask { planned: planned.clone(), error: error.clone() });
                    }
                }
            }
            catalogue.store_attempt(&attempt)?;
        }
        reporter.happening(&happening);
        Ok(())
    })?;
    Ok(progress)
}

fn job<'a>(
    planned: &'a PlannedTask,
    place: &HashMap<&str, usize>,
    verdicts: &Verdicts,
    plan: &Plan,
    standings: &[Standing],
    never: usize,
) -> Job<'a> {
    let is_done = |id: &str| plan.tasks.iter().zip(standings).any(|(p, s)| p.task.id == id && matches!(s, Standing::Done(_)));
    let after = planned
        .depends_on
        .iter()
        .filter_map(|id| match place.get(id.as_str()) {
            Some(&n) => Some(n),
            None if is_done(id) && !verdicts.failed.contains_key(id) => None,
            // Its maker failed: an index that is never done.
            None => Some(never),
        })
        .collect();
    Job { task: &planned.task, after }
}

/// Stores what a task that was run outside of [`reduce`] has made.
pub fn store_outcome(catalogue: &mut Catalogue, task: &Task, outcome: &Outcome, output: &Path) -> Result<()> {
    catalogue.store_done(task, outcome, &product_rows(task, outcome, output))
}

/// The state of a plan as a summary, without running anything: for reports.
pub fn summary_of(session: &Session, plan: Plan, standings: Vec<Standing>) -> Result<RunSummary> {
    let outcomes = outcomes(&plan, &standings);
    let mut failed = Vec::new();
    for planned in plan.tasks.iter().filter(|t| !outcomes.contains_key(&t.task.id)) {
        if let Some(attempt) = session.catalogue.last_attempt(&planned.task.id)?.filter(|a| a.state == "failed") {
            failed.push(FailedTask { planned: planned.clone(), error: RecipeError::new(attempt.error, attempt.advice) });
        }
    }
    let run = session.catalogue.last_run()?.map_or(0, |r| r.number);
    Ok(RunSummary { run, reused: outcomes.len(), plan, outcomes, failed, ..RunSummary::default() })
}

fn product_rows(task: &Task, outcome: &Outcome, output: &Path) -> Vec<ProductRow> {
    let row = |p: &ifured_core::recipe::WrittenProduct| ProductRow {
        name: p.name.clone(),
        tag: p.tag.clone(),
        task: task.id.clone(),
        hash: p.hash.clone(),
        bytes: p.bytes,
        fingerprint: Fingerprint::of(&output.join(&p.name)).ok(),
    };
    outcome.products.iter().map(row).collect()
}
