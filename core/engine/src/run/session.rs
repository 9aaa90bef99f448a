//! A session in an output directory: configuration, catalogue, frames.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ifured_core::config::{FrameSelection, Resources};
use ifured_core::recipe::Outcome;
use ifured_core::{Config, Grade, InstrumentDescription, LoadedInstrument, Tag};

use crate::catalogue::{Catalogue, ProductRow, ScannedRow};
use crate::classify;
use crate::config::{self, Document};
use crate::error::{Error, Result};
use crate::execute::{self, Happening, Limits};
use crate::file_parameters;
use crate::files::{self, DirectoryLock};
use crate::frame::{Frame, FrameState};
use crate::hints::{self, HintFile};
use crate::plan::{self, Blocked, Plan, Targets, Verdicts};
use crate::scan::{self, ScanSummary};
use crate::standing::{self, Known, Standing};

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
    /// What others say of which frames belong together.
    pub hints: Vec<HintFile>,
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
        let file = config::file(setup.config.as_deref(), &output);
        let written = config::document(file.as_deref(), &setup.set, setup.instrument.as_deref())?;
        let asked = asked_for(setup, &written, instruments)?;
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
        let mut rows: BTreeMap<PathBuf, ScannedRow> = catalogue.scanned()?.into_iter().map(|row| (row.path.clone(), row)).collect();
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
                let summary = scan::scan(&mut catalogue, &mut rows, &directory, statistics, &|done, all| reporter.scanning(done, all))?;
                for path in &summary.replaced {
                    reporter.note(&format!("{} has another content than before: what was made from it is made again", path.display()));
                }
                for problem in &summary.problems {
                    reporter.note(&format!("not looked into: {problem}"));
                }
                scans.push((directory, summary));
            }
        }
        let rows: Vec<ScannedRow> = rows.into_values().collect();
        let chosen = choose(asked, instruments, &rows).map_err(|e| plugin_is_missing(&catalogue, instruments).unwrap_or(e))?;
        let loaded = instruments.iter().find(|i| i.description().name == chosen.name);
        if let Some(loaded) = loaded {
            for (directory, _) in &scans {
                catalogue.store_hints(directory, &hints::read(directory, loaded)?)?;
            }
        }
        let instrument = &loaded.map_or_else(|| Ok(chosen.clone()), LoadedInstrument::as_installed)?;
        let mut config = config::checked(&written, instrument)?;
        file_parameters::resolve(&mut config, instrument, file.as_deref());
        let instrument = classify::configured(instrument.clone(), &config)?;
        let frames = classify::classify(rows, &instrument, &config);
        check_selections(&config, &frames, reporter);
        if scan.is_some() {
            catalogue.store_classification(&frames)?;
        }
        let threads = setup.threads.or(config.resources.threads).unwrap_or_else(cores);
        Ok(Session {
            output,
            hints: catalogue.hints()?,
            catalogue,
            config,
            config_text: written.to_value().to_string(),
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
            let plan = plan::plan(&self.frames, &self.instrument, &self.config, &self.output, &self.hints, &verdicts)?;
            let standings = self.standings(&plan)?;
            if !verdicts.learn(&plan, &standings) {
                return Ok(restricted(plan, targets, &self.instrument));
            }
        }
        Err(Error::Inconsistent("the plan does not settle".into()))
    }

    /// What is done of a plan: the outcome of each task that is, the reason of each that is not.
    pub fn standings(&mut self, plan: &Plan) -> Result<Vec<Standing>> {
        let mut known = self.known_products()?;
        plan.tasks.iter().map(|p| standing::standing(&mut self.catalogue, &mut known, &p.task, &self.output)).collect()
    }

    pub(super) fn known_products(&self) -> Result<Known> {
        Ok(self.catalogue.products()?.into_iter().map(|r| (r.name.clone(), r)).collect())
    }

    /// Frames that cannot be used and should have been.
    pub fn refused(&self) -> impl Iterator<Item = &Arc<Frame>> {
        self.frames.iter().filter(|f| f.state == FrameState::Refused)
    }

    /// Products of the catalogue that no task of the plan makes: left over from other frames or parameters.
    pub fn left_over(&self, plan: &Plan) -> Result<Vec<ProductRow>> {
        let current: BTreeSet<&str> = plan.tasks.iter().flat_map(|t| t.task.outputs.iter().map(|o| o.name.as_str())).collect();
        // A task may have made several files of one output.
        let tasks: BTreeSet<&str> = plan.tasks.iter().map(|t| t.task.id.as_str()).collect();
        let is_left = |p: &ProductRow| !current.contains(p.name.as_str()) && !tasks.contains(p.task.as_str());
        Ok(self.catalogue.products()?.into_iter().filter(is_left).collect())
    }

    /// The limits that configuration and machine set.
    pub fn limits(&self) -> Limits {
        let asked = self.config.resources.memory_gb.map(|gb| (gb * 1e9) as u64);
        Limits {
            threads: self.threads,
            memory: asked.unwrap_or_else(execute::available_memory),
            task_time: Some(Duration::from_secs_f64(60.0 * self.config.resources.task_minutes.unwrap_or(Resources::TASK_MINUTES))),
        }
    }
}

pub(super) fn restricted(mut plan: Plan, targets: &Targets, instrument: &InstrumentDescription) -> Plan {
    let all = plan.blocked.clone();
    plan.restrict(targets);
    // What is blocked on the way to the targets keeps them from being made, too.
    let leads = leading_to(&targets.to, instrument);
    let on_the_way = |b: &Blocked| targets.only.is_empty() && b.tags.iter().skip(1).any(|t| leads.contains(t));
    let more = all.into_iter().filter(|b| on_the_way(b) && !plan.blocked.contains(b)).collect::<Vec<_>>();
    plan.blocked.extend(more);
    plan
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

impl Verdicts {
    /// Takes in what is done: products that are bad, tasks that found nothing to make. Says whether that is news.
    pub(super) fn learn(&mut self, plan: &Plan, standings: &[Standing]) -> bool {
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

/// The instrument that is named on the command line or in the configuration. If one is named, the configuration is checked at
/// once, so that a slip is not found after a long scan.
fn asked_for<'a>(setup: &Setup, written: &Document, instruments: &'a [LoadedInstrument]) -> Result<Option<&'a InstrumentDescription>> {
    let all: Vec<&InstrumentDescription> = instruments.iter().map(LoadedInstrument::description).collect();
    if let Some(name) = &setup.instrument
        && !all.iter().any(|d| d.is_called(name))
    {
        let known: Vec<String> = all.iter().map(|d| d.name.clone()).collect();
        let what = format!("unknown instrument `{name}`{}", classify::nearest(name, &known));
        return Err(Error::usage(what, "`ifured plugin ls` shows all instruments"));
    }
    let asked = config::instrument(written, instruments);
    let problems = config::problems(written, asked, &all)?;
    if problems.is_empty() { Ok(asked) } else { Err(Error::Configuration(config::Problems(problems))) }
}

/// Which instrument: as asked for, or as the frames say.
fn choose<'a>(
    asked: Option<&'a InstrumentDescription>,
    instruments: &'a [LoadedInstrument],
    rows: &[ScannedRow],
) -> Result<&'a InstrumentDescription> {
    if let Some(asked) = asked {
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
            let list: Vec<String> = several.iter().map(|(n, d)| format!("{} ({n} frames, {})", d.name, d.origin())).collect();
            let claims = |d: &InstrumentDescription, r: &ScannedRow| !classify::recognised(&r.header, std::slice::from_ref(d)).is_empty();
            let disputed = rows.iter().find(|r| several.iter().filter(|(_, d)| claims(d, r)).count() > 1);
            let (what, advice) = match disputed {
                Some(row) => (
                    format!("several instruments take the same frames for their own, {} for one: ", row.path.display()),
                    "choose one with --instrument NAME, or load only one of the plugins",
                ),
                None => ("frames of several instruments: ".to_owned(), "choose one with --instrument NAME"),
            };
            Err(Error::usage(what + &list.join(", "), advice))
        }
    }
}

/// If the last run in this directory was of an instrument that is not known now.
fn plugin_is_missing(catalogue: &Catalogue, instruments: &[LoadedInstrument]) -> Option<Error> {
    let name = catalogue.last_run().ok()??.instrument;
    let known = instruments.iter().any(|i| i.description().is_called(&name));
    (!known).then(|| {
        Error::usage(
            format!("this directory was reduced for `{name}`, an instrument of a plugin that is not loaded now"),
            "add --plugin LIBRARY, or name it in `plugins` of the configuration; `ifured plugin ls` shows what is known",
        )
    })
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
    for pattern in overrides.exposures.iter().filter(|pattern| !frames.iter().any(|f| classify::is_called(f, pattern))) {
        reporter.note(&format!("frames.exposures: no frame matches {pattern}"));
    }
}
