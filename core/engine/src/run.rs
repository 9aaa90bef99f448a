//! A session in an output directory: configuration, catalogue, frames; and the reduction itself.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ifured_core::config::FrameSelection;
use ifured_core::recipe::{Outcome, RecipeError};
use ifured_core::{Config, Grade, InstrumentDescription, LoadedInstrument, Task};

use crate::catalogue::{Attempt, Catalogue, ProductRow, ScannedRow};
use crate::classify;
use crate::config;
use crate::error::{Error, Result};
use crate::execute::{self, Happening, Job, Limits};
use crate::files::{self, DirectoryLock, Fingerprint};
use crate::frame::{Frame, FrameState};
use crate::plan::{self, Plan, PlannedTask, Targets, Verdicts};
use crate::scan::{self, ScanSummary};
use crate::standing::{self, Known, Standing};
use crate::worker_process::WorkerCommand;

/// Name of the plan in an output directory.
pub const PLAN_FILE: &str = "plan.json";

/// What was typed, before anything is looked at.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Output directory.
    pub output: PathBuf,
    /// Configuration file; without it `ifured.toml` or `ifured.json` in the output directory.
    pub config: Option<PathBuf>,
    /// Assignments of `--set`.
    pub set: Vec<String>,
    /// Name of the instrument.
    pub instrument: Option<String>,
    /// Cores.
    pub threads: Option<usize>,
}

/// What the user is told while things happen.
pub trait Reporter: Sync {
    /// Files are being read: so many of so many.
    fn scanning(&self, done: usize, all: usize);
    /// Something that a person should know.
    fn note(&self, text: &str);
    /// A plan is made: tasks in all, and of these already done.
    fn planned(&self, tasks: usize, done: usize);
    /// What a worker does.
    fn happening(&self, happening: &Happening<'_>);
}

/// An output directory with everything that is known about it.
pub struct Session {
    /// Output directory, absolute.
    pub output: PathBuf,
    /// The catalogue.
    pub catalogue: Catalogue,
    /// The configuration, checked.
    pub config: Config,
    /// The configuration as it was resolved, for the record.
    pub config_text: String,
    /// The instrument, with the configuration's changes.
    pub instrument: InstrumentDescription,
    /// All raw frames, by name.
    pub frames: Vec<Arc<Frame>>,
    /// What was found by scanning, by directory.
    pub scans: Vec<(PathBuf, ScanSummary)>,
    threads: usize,
    _lock: Option<DirectoryLock>,
}

impl Session {
    /// Opens an output directory. With `scan`, takes the lock and brings the catalogue up to date with these directories
    /// (or with those it knows, if none is given); without, looks at the catalogue as it is.
    pub fn open(setup: &Setup, instruments: &[LoadedInstrument], scan: Option<&[PathBuf]>, reporter: &dyn Reporter) -> Result<Session> {
        let output = std::path::absolute(&setup.output).map_err(Error::io("cannot find", &setup.output))?;
        for directory in scan.into_iter().flatten() {
            if !directory.is_dir() {
                return Err(Error::usage(
                    format!("{} is not a directory", directory.display()),
                    "give the directory that holds the raw frames",
                ));
            }
        }
        let raw_config = raw_config(setup, &output)?;
        asked_for(setup, &raw_config, instruments)?;
        if scan.is_none() && !Catalogue::exists(&output) {
            return Err(Error::usage(
                format!("there is no catalogue in {}", output.display()),
                "catalogue your frames first: ifured scan DIRECTORY, or ifured reduce DIRECTORY",
            ));
        }
        let lock = scan.is_some().then(|| DirectoryLock::take(&output)).transpose()?;
        let (mut catalogue, note) = Catalogue::open(&output)?;
        if let Some(note) = note {
            reporter.note(&note);
        }
        let mut scans = Vec::new();
        if let Some(directories) = scan {
            if files::remove_unfinished(&output) > 0 {
                reporter.note("removed what an interrupted run had left unfinished");
            }
            let known = catalogue.roots()?;
            let directories = if directories.is_empty() { known } else { directories.to_vec() };
            if directories.is_empty() {
                return Err(Error::usage(
                    format!("no directory is named, and {} knows none from before", output.display()),
                    "name the directory that holds the raw frames: ifured reduce DIRECTORY",
                ));
            }
            // Pixel statistics if any instrument that may be meant wants them.
            let statistics = instruments.iter().any(|i| i.description().statistics);
            for directory in directories {
                if !directory.is_dir() {
                    reporter.note(&format!("{} is not there any more; its frames are left as they are known", directory.display()));
                    continue;
                }
                let summary = scan::scan(&mut catalogue, &directory, statistics, &|done, all| reporter.scanning(done, all))?;
                for path in &summary.replaced {
                    reporter.note(&format!("{} has another content than before: what was made from it is made again", path.display()));
                }
                for problem in &summary.problems {
                    reporter.note(&format!("not looked into: {problem}"));
                }
                scans.push((directory, summary));
            }
        }
        let rows = catalogue.scanned()?;
        let instrument = choose(setup, &raw_config, instruments, &rows)?;
        let config = config::check(raw_config.clone(), instrument, "configuration")?;
        let instrument = classify::configured(instrument.clone(), &config)?;
        let frames = classify::classify(rows, &instrument, &config);
        check_selections(&config, &frames, reporter);
        if scan.is_some() {
            catalogue.store_classification(&frames)?;
        }
        let threads = setup.threads.or(config.resources.threads).unwrap_or_else(cores);
        Ok(Session {
            output,
            catalogue,
            config,
            config_text: raw_config.to_string(),
            instrument,
            frames: frames.into_iter().map(Arc::new).collect(),
            scans,
            threads,
            _lock: lock,
        })
    }

    /// The plan for all frames, with what the catalogue knows of bad products.
    pub fn plan(&mut self, targets: &Targets) -> Result<Plan> {
        let mut verdicts = Verdicts::default();
        for _ in 0..50 {
            let plan = plan::plan(&self.frames, &self.instrument, &self.config, &self.output, &verdicts)?;
            let standings = self.standings(&plan)?;
            if !verdicts.learn(&plan, &standings) {
                return Ok(restricted(plan, targets));
            }
        }
        Err(Error::Inconsistent("the plan does not settle".into()))
    }

    /// What is done of a plan: the outcome of each task that is, the reason of each that is not.
    pub fn standings(&mut self, plan: &Plan) -> Result<Vec<Standing>> {
        let mut known = self.known_products()?;
        plan.tasks.iter().map(|p| standing::standing(&mut self.catalogue, &mut known, &p.task, &self.output)).collect()
    }

    fn known_products(&self) -> Result<Known> {
        Ok(self.catalogue.products()?.into_iter().map(|r| (r.name.clone(), r)).collect())
    }

    /// Frames that cannot be used and should have been.
    pub fn refused(&self) -> impl Iterator<Item = &Arc<Frame>> {
        self.frames.iter().filter(|f| f.state == FrameState::Refused)
    }

    /// Products of the catalogue that no task of the plan makes: left over from other frames or parameters.
    pub fn left_over(&self, plan: &Plan) -> Result<Vec<ProductRow>> {
        let current: BTreeSet<&str> = plan.tasks.iter().flat_map(|t| t.task.outputs.iter().map(|o| o.name.as_str())).collect();
        Ok(self.catalogue.products()?.into_iter().filter(|p| !current.contains(p.name.as_str())).collect())
    }

    /// The limits that configuration and machine set.
    pub fn limits(&self) -> Limits {
        let asked = self.config.resources.memory_gb.map(|gb| (gb * 1e9) as u64);
        Limits {
            threads: self.threads,
            memory: asked.unwrap_or_else(execute::available_memory),
            task_time: self.config.resources.task_minutes.map(|m| Duration::from_secs_f64(m * 60.0)),
        }
    }
}

fn restricted(mut plan: Plan, targets: &Targets) -> Plan {
    plan.restrict(targets);
    plan
}

impl Verdicts {
    /// Takes in what is done: products that are bad, tasks that found nothing to make. Says whether that is news.
    fn learn(&mut self, plan: &Plan, standings: &[Standing]) -> bool {
        let before = (self.bad.len(), self.failed.len());
        for (planned, standing) in plan.tasks.iter().zip(standings) {
            let Standing::Done(outcome) = standing else { continue };
            if outcome.products.is_empty() {
                self.failed.entry(planned.task.id.clone()).or_insert_with(|| outcome.notes.join("; "));
            } else if outcome.grade() == Grade::Bad {
                self.bad.entry(planned.task.id.clone()).or_insert_with(|| why_bad(outcome));
            }
        }
        before != (self.bad.len(), self.failed.len())
    }
}

/// Why a product is bad: the quality numbers outside their limits.
pub fn why_bad(outcome: &Outcome) -> String {
    let worst = outcome.quality.iter().filter(|q| q.grade == Grade::Bad);
    let texts: Vec<String> = worst
        .map(|q| {
            let value = q.value.map_or("not measurable".to_owned(), |v| format!("{v:.4}"));
            format!("{} {value} {} ({})", q.name, q.unit, q.limits)
        })
        .collect();
    format!("its quality is bad: {}", texts.join(", "))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

fn raw_config(setup: &Setup, output: &Path) -> Result<serde_json::Value> {
    let found = config::NAMES.iter().map(|n| output.join(n)).find(|p| p.is_file());
    let mut value = match setup.config.clone().or(found) {
        Some(path) => config::read(&path)?,
        None => serde_json::json!({}),
    };
    for assignment in &setup.set {
        config::set(&mut value, assignment)?;
    }
    Ok(value)
}

/// The instrument that is named on the command line or in the configuration.
fn asked_for<'a>(
    setup: &Setup,
    config: &serde_json::Value,
    instruments: &'a [LoadedInstrument],
) -> Result<Option<&'a InstrumentDescription>> {
    let asked = setup.instrument.as_deref().or_else(|| config.get("instrument").and_then(|v| v.as_str()));
    let Some(name) = asked else { return Ok(None) };
    let known: Vec<String> = instruments.iter().map(|i| i.description().name.clone()).collect();
    let chosen = instruments.iter().map(|i| i.description()).find(|d| d.is_called(name));
    chosen.map(Some).ok_or_else(|| {
        Error::usage(format!("unknown instrument `{name}`{}", classify::nearest(name, &known)), "`ifured plugin ls` shows all instruments")
    })
}

/// Which instrument: as asked for, or as the frames say.
fn choose<'a>(
    setup: &Setup,
    config: &serde_json::Value,
    instruments: &'a [LoadedInstrument],
    rows: &[ScannedRow],
) -> Result<&'a InstrumentDescription> {
    if let Some(asked) = asked_for(setup, config, instruments)? {
        return Ok(asked);
    }
    let known: Vec<String> = instruments.iter().map(|i| i.description().name.clone()).collect();
    let descriptions: Vec<&InstrumentDescription> = instruments.iter().map(|i| i.description()).collect();
    let mut counts: Vec<(usize, &InstrumentDescription)> = Vec::new();
    for d in &descriptions {
        let n = rows.iter().filter(|r| classify::recognised(&r.header, std::slice::from_ref(*d)).len() == 1).count();
        if n > 0 {
            counts.push((n, d));
        }
    }
    match counts.as_slice() {
        [(_, one)] => Ok(one),
        [] => Err(Error::Nothing {
            what: format!("none of the {} files is a frame of {}", rows.len(), known.join(", ")),
            advice: "check the directory; if the instrument is right, name it with --instrument to see what is wrong with each frame"
                .into(),
        }),
        several => {
            let list: Vec<String> = several.iter().map(|(n, d)| format!("{} ({n} frames)", d.name)).collect();
            Err(Error::usage(format!("frames of several instruments: {}", list.join(", ")), "choose one with --instrument NAME"))
        }
    }
}

/// Says which overrides of the configuration select nothing: most likely a slip.
fn check_selections(config: &Config, frames: &[Frame], reporter: &dyn Reporter) {
    let overrides = &config.frames;
    let all = (overrides.ignore.iter().map(|i| ("ignore", &i.frames)))
        .chain(overrides.force.iter().map(|f| ("force", &f.frames)))
        .chain(overrides.correct.iter().map(|c| ("correct", &c.frames)));
    let selects = |s: &FrameSelection| frames.iter().any(|f| s.selects(&f.night, &f.file_name()));
    for (kind, selection) in all.filter(|(_, s)| s.enabled && !selects(s)) {
        let night = selection.night.as_deref().map(|n| format!(" in night {n}")).unwrap_or_default();
        reporter.note(&format!("[[frames.{kind}]]: no frame matches {}{night}", selection.files.join(", ")));
    }
}

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
    /// The task.
    pub task: Task,
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
        let plan = plan::plan(&session.frames, &session.instrument, &session.config, &session.output, &verdicts)?;
        let plan = restricted(plan, &options.targets);
        nothing_to_do(session, &plan)?;
        let mut known = session.known_products()?;
        let mut standings = Vec::with_capacity(plan.tasks.len());
        for planned in &plan.tasks {
            let mut standing = standing::standing(&mut session.catalogue, &mut known, &planned.task, &session.output)?;
            if options.force && !ran.contains(&planned.task.id) {
                standing = Standing::ToDo("asked for by --force".into());
            }
            if let Standing::ToDo(why) = &standing {
                tracing::info!(recipe = planned.task.recipe, task = planned.task.id, why, "to do");
            }
            standings.push(standing);
        }
        if verdicts.learn(&plan, &standings) {
            continue;
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

fn nothing_to_do(session: &Session, plan: &Plan) -> Result<()> {
    if !plan.tasks.is_empty() || !plan.blocked.is_empty() {
        return Ok(());
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
    let text = serde_json::to_vec_pretty(plan).map_err(|e| Error::Inconsistent(e.to_string()))?;
    files::write_atomically(&session.output.join(PLAN_FILE), &text)
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
                    summary.failed.push(FailedTask { task: (*task).clone(), error: error.clone() });
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
            failed.push(FailedTask { task: planned.task.clone(), error: RecipeError::new(attempt.error, attempt.advice) });
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
