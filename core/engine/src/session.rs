//! A session in an output directory: configuration, catalogue, frames, and what is known of tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ifured_core::config::{FrameSelection, Resources};
use ifured_core::path::shown;
use ifured_core::{Config, InstrumentDescription, LoadedInstrument, Task, TaskId};

use crate::attempt::Attempt;
use crate::catalogue::{Catalogue, Known, KnownProduct, ScannedRow};
use crate::classify;
use crate::config::{self, Document};
use crate::error::{Error, Result};
use crate::execute::local::available_memory;
use crate::execute::{Happening, Limits, scratch};
use crate::file_parameters;
use crate::files::{self, DirectoryLock};
use crate::frame::Frame;
use crate::hints::{self, HintFile};
use crate::known;
use crate::plan::{self, Plan, Request, Targets, Verdicts};
use crate::scan::{self, ScanSummary};
use crate::standing::{self, Found, Standing};
use crate::view::{Planned, Snapshot};

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
    /// What happens to a task.
    fn happening(&self, task: &Task, happening: &Happening);
}

/// What a session is opened for.
#[derive(Clone, Copy, Debug)]
pub enum Opening<'a> {
    /// To look at what is known. Nothing is written, and others may be at work.
    Look,
    /// To change what is known without looking for new frames: the only one in the directory.
    Change,
    /// To work: the only one in the directory, which brings the catalogue up to date with these directories, or with those it knows if none is given.
    Work(&'a [PathBuf]),
    /// As to work, but where another is at work, with what it has written so far and what the directories have now. Then nothing is written.
    Preview(&'a [PathBuf]),
}

/// An output directory with everything that is known about it.
pub struct Session {
    /// Output directory, absolute.
    pub output: PathBuf,
    /// The catalogue.
    pub catalogue: Catalogue,
    /// The configuration, checked.
    pub config: Arc<Config>,
    /// The configuration as it was resolved, for the record.
    pub config_text: Arc<str>,
    /// The instrument, with the configuration's changes.
    pub instrument: Arc<InstrumentDescription>,
    /// All raw frames, by name.
    pub frames: Arc<[Arc<Frame>]>,
    /// What others say of which frames belong together.
    pub hints: Arc<[HintFile]>,
    /// What is known of tasks and products; snapshots share it.
    pub known: Arc<Known>,
    /// What was found by scanning, by directory.
    pub scans: Vec<(PathBuf, ScanSummary)>,
    threads: usize,
    /// Held while this is the only session that writes.
    lock: Option<DirectoryLock>,
}

impl Session {
    /// Opens an output directory.
    ///
    /// # Errors
    /// If it cannot be used, or another works in it; what is wrong with the configuration; a directory that is not there.
    pub fn open(setup: &Setup, instruments: &[LoadedInstrument], opening: Opening<'_>, reporter: &dyn Reporter) -> Result<Session> {
        let output = std::path::absolute(&setup.output).map_err(Error::io("cannot find", &setup.output))?;
        let scanned = match opening {
            Opening::Look | Opening::Change => None,
            Opening::Work(directories) | Opening::Preview(directories) => Some(directories),
        };
        if let Some(missing) = scanned.into_iter().flatten().find(|d| !d.is_dir()) {
            return Err(Error::usage(format!("{} is not a directory", shown(missing)), "give the directory that holds the raw frames"));
        }
        let file = config::file(setup.config.as_deref(), &output);
        let written = config::document(file.as_deref(), &setup.set, setup.instrument.as_deref())?;
        let asked = asked_for(setup, &written, instruments)?;
        if scanned.is_none() && !Catalogue::exists(&output) {
            return Err(Error::usage(
                format!("there is no catalogue in {}", shown(&output)),
                "catalogue your frames first: ifured scan DIRECTORY, or ifured reduce DIRECTORY",
            ));
        }
        let lock = lock(&output, opening, reporter)?;
        let (mut catalogue, remarks) = if lock.is_some() { Catalogue::open(&output)? } else { Catalogue::open_to_read(&output)? };
        remarks.iter().for_each(|remark| reporter.note(&remark.to_string()));
        let known = known::known(&mut catalogue, &output, lock.is_some())?;
        known.remarks.iter().for_each(|remark| reporter.note(&remark.to_string()));
        let (rows, remarks) = catalogue.scanned()?;
        remarks.iter().for_each(|remark| reporter.note(&remark.to_string()));
        let mut rows: BTreeMap<PathBuf, ScannedRow> = rows.into_iter().map(|row| (row.path.clone(), row)).collect();
        let mut scans = Vec::new();
        if let Some(directories) = scanned {
            if lock.is_some() && clear_up(&output) > 0 {
                reporter.note("removed what an interrupted run had left unfinished");
            }
            let mut store = lock.is_some().then_some(&mut catalogue);
            let roots = forget_what_is_gone(store.as_deref_mut(), &mut rows, reporter)?;
            let directories = if directories.is_empty() { roots } else { directories.to_vec() };
            if directories.is_empty() {
                return Err(Error::usage(
                    format!("no directory is named, and {} knows none from before", shown(&output)),
                    "name the directory that holds the raw frames: ifured reduce DIRECTORY",
                ));
            }
            // Pixel statistics if any instrument that may be meant wants them.
            let statistics = instruments.iter().any(|i| i.description().statistics);
            for directory in directories {
                let progress = |done, all| reporter.scanning(done, all);
                let summary = scan::scan(store.as_deref_mut(), &mut rows, &directory, statistics, &progress)?;
                for path in &summary.replaced {
                    reporter.note(&format!("{} has another content than before: what was made from it is made again", shown(path)));
                }
                summary.problems.iter().for_each(|problem| reporter.note(&format!("not looked into: {problem}")));
                scans.push((directory, summary));
            }
        }
        let rows: Vec<ScannedRow> = rows.into_values().collect();
        let before = catalogue.last_run()?.map(|run| run.instrument).filter(|_| rows.is_empty());
        // Products stay where their frames are forgotten.
        let asked = asked.or_else(|| {
            instruments.iter().map(LoadedInstrument::description).find(|d| before.as_ref().is_some_and(|name| d.is_called(name)))
        });
        let chosen = choose(asked, instruments, &rows).map_err(|e| plugin_is_missing(&catalogue, instruments).unwrap_or(e))?;
        let loaded = instruments.iter().find(|i| i.description().name == chosen.name);
        let mut hints = catalogue.hints()?;
        if let Some(loaded) = loaded {
            for (directory, _) in &scans {
                let read = hints::read(directory, loaded)?;
                if lock.is_some() {
                    catalogue.store_hints(directory, &read)?;
                    hints = catalogue.hints()?;
                } else {
                    hints.retain(|h| !read.iter().any(|r| r.path == h.path));
                    hints.extend(read);
                }
            }
        }
        let instrument = &loaded.map_or_else(|| Ok(chosen.clone()), LoadedInstrument::as_installed)?;
        let mut config = config::checked(&written, instrument)?;
        file_parameters::resolve(&mut config, instrument, file.as_deref());
        let instrument = classify::configured(instrument.clone(), &config)?;
        let frames: Arc<[Arc<Frame>]> = classify::classify(rows, &instrument, &config).into_iter().map(Arc::new).collect();
        check_selections(&config, &frames, reporter);
        if lock.is_some() && scanned.is_some() {
            catalogue.store_classification(&frames)?;
        }
        let threads = setup.threads.or(config.resources.threads).unwrap_or_else(cores);
        Ok(Session {
            output,
            hints: hints.into(),
            catalogue,
            config: Arc::new(config),
            config_text: written.to_value().to_string().into(),
            instrument: Arc::new(instrument),
            frames,
            known: Arc::new(known),
            scans,
            threads,
            lock,
        })
    }

    /// Whether this session may write into the output directory.
    pub fn writes(&self) -> bool {
        self.lock.is_some()
    }

    /// What a plan is made from.
    pub fn request<'a>(&'a self, verdicts: &'a Verdicts) -> Request<'a> {
        Request {
            frames: &self.frames,
            instrument: &self.instrument,
            config: &self.config,
            output: &self.output,
            hints: &self.hints,
            verdicts,
        }
    }

    /// The plan for all frames, with what is known of bad products.
    pub fn plan(&mut self, targets: &Targets) -> Result<Plan> {
        let mut verdicts = Verdicts::default();
        for _ in 0..50 {
            let plan = plan::plan(&self.request(&verdicts))?;
            let standings = self.standings(&plan)?;
            if !verdicts.learn(&plan, &standings) {
                return Ok(plan.restricted(targets, &self.instrument));
            }
        }
        Err(Error::Inconsistent("the plan does not settle".into()))
    }

    /// How each task of a plan stands: the outcome of each that is done, the reason of each that is not.
    pub fn standings(&mut self, plan: &Plan) -> Result<Vec<Standing>> {
        let mut found = Vec::new();
        let standings = standing::standings(Arc::make_mut(&mut self.known), plan, &self.output, &mut found)?;
        self.remember(&found)?;
        Ok(standings)
    }

    /// What is known now, without a plan: for views of frames and products.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn look(&self) -> Result<Snapshot> {
        Ok(Snapshot {
            output: self.output.as_path().into(),
            instrument: self.instrument.clone(),
            config_text: self.config_text.clone(),
            frames: self.frames.clone(),
            hints: self.hints.clone(),
            known: self.known.clone(),
            last_run: self.catalogue.last_run()?.map(Arc::new),
            read_now: self.scans.iter().map(|(_, summary)| summary.read).sum(),
            planned: None,
        })
    }

    /// What is known now, with the plan and how its tasks stand.
    ///
    /// # Errors
    /// If there is no plan, or a product cannot be read.
    pub fn snapshot(&mut self, targets: &Targets) -> Result<Snapshot> {
        let plan = self.plan(targets)?;
        let standings = self.standings(&plan)?;
        Ok(Snapshot { planned: Some(Planned::new(plan, standings)), ..self.look()? })
    }

    /// Remembers what was found out about products on the disk.
    fn remember(&mut self, found: &[Found]) -> Result<()> {
        if self.lock.is_none() {
            return Ok(());
        }
        found.iter().try_for_each(|f| self.catalogue.store_done(&f.task, &f.outcome, &f.products))
    }

    /// Takes in an attempt that has just ended, into the catalogue and into what is known.
    pub fn take_in(&mut self, record: String, attempt: Attempt) -> Result<()> {
        let record = (record, attempt);
        if self.lock.is_some() {
            self.catalogue.merge(std::slice::from_ref(&record))?;
        }
        known::take_in(Arc::make_mut(&mut self.known), record);
        Ok(())
    }

    /// Writes the plan beside the catalogue.
    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        plan::write(&self.output.join(plan::FILE), plan)
    }

    /// Products that no task of the plan makes: left over from other frames or parameters.
    pub fn left_over(&self, plan: &Plan) -> Vec<&KnownProduct> {
        // A task may have made several files of one output.
        let tasks: BTreeSet<&TaskId> = plan.tasks().map(|t| &t.task.id).collect();
        self.known.products.values().filter(|p| plan.maker(&p.name).is_none() && !tasks.contains(&p.task)).collect()
    }

    /// The limits that configuration and machine set.
    pub fn limits(&self) -> Limits {
        limits(&self.config, self.threads)
    }
}

/// The limits that a configuration and this machine set.
pub fn limits(config: &Config, threads: usize) -> Limits {
    let asked = config.resources.memory_gb.map(|gb| (gb * 1e9) as u64);
    Limits {
        threads,
        memory: asked.unwrap_or_else(available_memory),
        task_time: Some(Duration::from_secs_f64(60.0 * config.resources.task_minutes.unwrap_or(Resources::TASK_MINUTES))),
    }
}

/// The lock of an output directory, if the opening wants it and it can be had.
fn lock(output: &Path, opening: Opening<'_>, reporter: &dyn Reporter) -> Result<Option<DirectoryLock>> {
    if matches!(opening, Opening::Look) {
        return Ok(None);
    }
    match (opening, DirectoryLock::take(output)) {
        (Opening::Preview(_), Err(Error::Busy { holder, .. })) if Catalogue::exists(output) => {
            reporter.note(&format!("another ifured is at work here ({holder}): this is how things stand now, and nothing is written"));
            Ok(None)
        }
        (_, lock) => lock.map(Some),
    }
}

/// Removes what a killed run left unfinished. Only with the lock held.
fn clear_up(output: &Path) -> usize {
    scratch::remove_lone_locks(output);
    let abandoned = scratch::abandoned(output);
    files::remove_unfinished(output) + abandoned.iter().filter(|s| scratch::remove(s)).count()
}

/// Forgets the directories that are not there any more, with their frames; gives those that are.
fn forget_what_is_gone(
    mut store: Option<&mut Catalogue>,
    rows: &mut BTreeMap<PathBuf, ScannedRow>,
    reporter: &dyn Reporter,
) -> Result<Vec<PathBuf>> {
    let mut known: BTreeSet<PathBuf> = rows.values().map(|r| r.root.clone()).collect();
    if let Some(catalogue) = &store {
        known.extend(catalogue.roots()?);
    }
    let (there, gone): (Vec<PathBuf>, Vec<PathBuf>) = known.into_iter().partition(|root| root.is_dir());
    for root in gone {
        let before = rows.len();
        rows.retain(|_, row| row.root != root);
        reporter.note(&format!("{} is not there any more: its {} files are forgotten", shown(&root), before - rows.len()));
        if let Some(catalogue) = store.as_deref_mut() {
            catalogue.forget_root(&root)?;
        }
    }
    Ok(there)
}

/// The cores of this machine.
pub fn cores() -> usize {
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
fn check_selections(config: &Config, frames: &[Arc<Frame>], reporter: &dyn Reporter) {
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
