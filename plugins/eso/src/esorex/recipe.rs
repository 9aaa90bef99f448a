//! A recipe of ESO's pipeline as a recipe of ifured.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ifured_core::recipe::{Engine, External, SideFile, TaskInput, TaskOutput};
use ifured_core::sof::SofEntry;
use ifured_core::words::closest;
use ifured_core::{AnyRecipe, EngineName, Host, Outcome, QualityNumber, RecipeDescription, RecipeError, Tag, Task, provenance};
use ifured_pixels::fits;
use serde_json::{Map, Value};

use super::parameters::{self, Parameter, RecipeParameters};
use super::products::{Judged, Product, ProductRule, judge};
use super::program::{self, InstalledRecipe, Program};
use super::quality::{self, QcNumber};
use super::run::{Call, Ran, RunLimits, SOF, run};
use super::scratch::{Scratch, moved};

/// Name of the engine, and of the program.
const ENGINE: &str = "esorex";
/// Time that is left to say that a run took too long, before the task is ended.
const TIME_TO_SAY: Duration = Duration::from_secs(10);

/// What a recipe of ESO's pipeline is told besides its parameters, from the task: the number of the IFU, for example.
pub type OptionsOfTask = fn(&Task) -> Result<Vec<(String, Value)>, RecipeError>;

/// What an instrument finds out about products beyond what [`judge`] does: quality numbers and notes.
pub type Check<'a> = &'a dyn Fn(&[Product]) -> Result<(Vec<QualityNumber>, Vec<String>), RecipeError>;

/// A recipe of ESO's pipeline, run by esorex.
///
/// A task's frames go in, in its order, each once and under its own tag or under that of `as:TAG`; files that parameters name do not. What comes out is judged by the products, gets
/// provenance and the paths of the task's outputs. Where a recipe makes several files of one tag, the first has the path of the output
/// and the others the same with `_2`, `_3`…, in the order of their names. The log stays beside the first product, as `….esorex.log`,
/// and so does the set of frames, as `….sof`: with the call in its first line, so that the run can be repeated without ifured. Both are side files of the
/// outcome.
///
/// What a run leaves behind when it fails is kept beside the outputs, in `failed-RECIPE-TASK`, until the task is run again: a side file of the error.
pub struct EsorexRecipe {
    /// What ifured needs to know; the engine is filled in.
    pub description: RecipeDescription,
    /// Name of the recipe of ESO: `muse_bias`.
    pub recipe: String,
    /// Its parameters, as the plugin ships them.
    pub parameters: Vec<Parameter>,
    /// Version of the pipeline that they are of.
    pub version: String,
    /// Parameters that users do not see; they keep the default of the installed recipe unless fixed.
    pub hidden: Vec<String>,
    /// Parameters that have this value always; users do not see them.
    pub fixed: Vec<(String, Value)>,
    /// Parameters that follow from the task; hide them, too.
    pub of_task: Option<OptionsOfTask>,
    /// What its products must be; one for each product of the description.
    pub products: Vec<ProductRule>,
    /// QC keywords that become quality numbers.
    pub quality: Vec<QcNumber>,
    /// What its log counts while it works, for the progress: `("slice", 48)` where it says `… in slice 12 of …`.
    pub counted: Option<(&'static str, u32)>,
    /// Longest time, in minutes, if the host does not end the task before.
    pub minutes: f64,
    /// Largest memory, in bytes; none is what the host allows, or nine tenths of what is free when it starts.
    pub memory: Option<u64>,
    /// The program, if not [`Program::find`]: for tests.
    pub program: Option<PathBuf>,
}

impl EsorexRecipe {
    /// A recipe whose first product is required, with the parameters of a plugin's file.
    ///
    /// # Errors
    /// If the file does not have the recipe.
    pub fn new(description: RecipeDescription, recipe: &str, parameters: &RecipeParameters) -> Result<Self, RecipeError> {
        let rule = |(n, tag): (usize, &str)| if n == 0 { ProductRule::required(tag) } else { ProductRule::optional(tag) };
        let products = description.products.iter().map(|p| p.tag.as_str()).enumerate().map(rule).collect();
        Ok(EsorexRecipe {
            description,
            recipe: recipe.into(),
            parameters: parameters.of(recipe)?,
            version: parameters.version.clone(),
            hidden: Vec::new(),
            fixed: Vec::new(),
            of_task: None,
            products,
            quality: Vec::new(),
            counted: None,
            minutes: 24.0 * 60.0,
            memory: None,
            program: None,
        })
    }

    /// Hides parameters that the engine has no use for.
    pub fn hide(mut self, names: &[&str]) -> Self {
        self.hidden.extend(names.iter().map(|n| (*n).to_owned()));
        self
    }

    /// Gives a parameter a value for good.
    pub fn fix(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fixed.push((name.to_owned(), value.into()));
        self
    }

    fn unseen(&self) -> Vec<&str> {
        self.hidden.iter().chain(self.fixed.iter().map(|(name, _)| name)).map(String::as_str).collect()
    }

    /// Options of the command line, and notes about those that the installed recipe does not have.
    fn options(&self, task: &Task, installed: &InstalledRecipe) -> Result<(Vec<String>, Vec<String>), RecipeError> {
        let unseen = self.unseen();
        let mut wanted: Vec<(String, Value)> = Vec::new();
        for (name, value) in task.parameters.as_object().unwrap_or(&Map::new()) {
            if unseen.contains(&name.as_str()) || !self.parameters.iter().any(|p| p.name == *name) {
                let known = self.parameters.iter().map(|p| p.name.as_str()).filter(|n| !unseen.contains(n));
                let near = closest(name, known).map(|n| format!("; is `{n}` meant?")).unwrap_or_default();
                let what = format!("parameters of recipe {}: there is no `{name}`{near}", task.recipe);
                return Err(RecipeError::new(what, "see `ifured recipe show` for the parameters"));
            }
            wanted.push((name.clone(), value.clone()));
        }
        wanted.extend(self.fixed.iter().cloned());
        if let Some(of_task) = self.of_task {
            wanted.extend(of_task(task)?);
        }
        let (mut options, mut notes) = (Vec::new(), Vec::new());
        for (name, value) in &wanted {
            let shipped = self.parameters.iter().find(|p| p.name == *name).map(|p| &p.default);
            match installed.parameters.iter().find(|p| p.name == *name) {
                Some(p) if parameters::same(&p.default, value) => {}
                Some(_) => options.push(parameters::option(name, value)?),
                None if shipped.is_some_and(|default| parameters::same(default, value)) => {}
                None => notes.push(format!(
                    "parameter {name} = {value} has no effect: {} {} does not have it (version {} does)",
                    self.recipe, installed.version, self.version
                )),
            }
        }
        Ok((options, notes))
    }

    /// Limits of a run. It is ended a little before the task is, so that there is something to be said of it.
    fn limits(&self, host: &dyn Host) -> RunLimits {
        let own = Duration::try_from_secs_f64(self.minutes * 60.0).unwrap_or(Duration::MAX);
        let left = host.time_left().map(|t| t - (t / 10).min(TIME_TO_SAY));
        RunLimits { time: own.min(left.unwrap_or(Duration::MAX)), memory: self.memory.or_else(|| host.memory()) }
    }

    /// Runs the recipe in a directory and judges what it made.
    fn made(
        &self,
        task: &Task,
        host: &dyn Host,
        program: &Program,
        directory: &Path,
        check: Check<'_>,
    ) -> Result<(Outcome, Judged, Ran), RecipeError> {
        let installed = program.recipe(&self.recipe)?;
        let (options, mut notes) = self.options(task, &installed)?;
        if installed.version != self.version {
            notes.push(format!("the parameters are those of {} {}; installed is {}", self.recipe, self.version, installed.version));
        }
        let frames = frames(task, directory)?;
        let (threads, limits) = (host.threads(), self.limits(host));
        let call =
            Call { program, recipe: &self.recipe, options: &options, frames: &frames, threads, limits, counted: self.counted, directory };
        let ran = run(&call, &Scaled(host))?;
        let mut judged = judge(&self.recipe, &ran, directory, &self.products)?;
        remember_call(&call)?;
        let mut quality = quality::of(&judged, &self.products, &self.quality);
        notes.append(&mut judged.notes);
        let (numbers, found) = check(&judged.products)?;
        quality.extend(numbers);
        notes.extend(found);
        match ran.warnings {
            0 => {}
            1 => notes.push(format!("1 warning in the log of {}", self.recipe)),
            many => notes.push(format!("{many} warnings in the log of {}", self.recipe)),
        }
        Ok((Outcome { quality, notes, ..Outcome::default() }, judged, ran))
    }
}

impl EsorexRecipe {
    /// As [`AnyRecipe::execute`], with a check of the products whose numbers go into their headers.
    ///
    /// # Errors
    /// As [`AnyRecipe::execute`], and those of the check.
    pub fn execute_checked(&self, task: &Task, host: &dyn Host, check: Check<'_>) -> Result<Outcome, RecipeError> {
        let own;
        let program = match &self.program {
            Some(path) => {
                own = Program::at(path)?;
                &own
            }
            None => Program::find()?,
        };
        let task = &each_once(task);
        let first =
            task.outputs.first().ok_or_else(|| RecipeError::new("the task has no outputs", "make the plan again with `ifured plan`"))?;
        let first_path = absolute(&first.path)?;
        let beside = first_path.parent().unwrap_or(Path::new("/"));
        let scratch = Scratch::new(beside, host, &self.recipe, &task.id)?;
        let (mut outcome, judged, ran) = match self.made(task, host, program, &scratch.directory, check) {
            Ok(made) => made,
            Err(error) => return Err(scratch.keep(error)),
        };
        if let Err(error) = place(task, &mut outcome, judged) {
            return Err(scratch.keep(error));
        }
        for (what, from, extension) in [("log", ran.log, "esorex.log"), ("frames", scratch.directory.join(SOF), "sof")] {
            let path = first_path.with_extension(extension);
            if moved(&from, &path).is_ok() {
                let what = format!("{what} of {}", self.recipe);
                outcome.notes.push(format!("{what}: {}", Path::new(&first.name).with_extension(extension).display()));
                outcome.side_files.push(SideFile { what, path });
            }
        }
        host.progress(1.0, &format!("{} is done", self.recipe));
        Ok(outcome)
    }
}

impl AnyRecipe for EsorexRecipe {
    fn description(&self) -> RecipeDescription {
        let unseen = self.unseen();
        let engine = Engine {
            name: self.engine(),
            version: self.description.version,
            external: Some(External {
                program: ENGINE.into(),
                recipe: self.recipe.clone(),
                version: self.version.clone(),
                reduces_simulated: false,
            }),
            unavailable: if self.program.is_some() { None } else { Program::missing() },
            memory: self.description.memory,
            schema: parameters::schema(&self.description.name, &self.parameters, &unseen),
            defaults: parameters::defaults(&self.parameters, &unseen),
        };
        RecipeDescription { engines: vec![engine], ..self.description.clone() }
    }

    fn engine(&self) -> EngineName {
        EngineName::new(ENGINE)
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        self.execute_checked(task, host, &|_| Ok((Vec::new(), Vec::new())))
    }

    fn installed_version(&self) -> Option<String> {
        match &self.program {
            Some(path) => program::version_of_pipeline(path, &self.recipe),
            None => program::installed_version(&self.recipe),
        }
    }
}

/// The task with each file once: an input may ask for one of the main frames, to be sure that there is one of its kind.
fn each_once(task: &Task) -> Task {
    let mut task = task.clone();
    let main: Vec<_> = task.main().map(|i| i.path.clone()).collect();
    task.inputs.retain(|i| i.role.is_main() || !main.contains(&i.path));
    task
}

/// What is left of the progress when esorex is done: the products are copied.
struct Scaled<'a>(&'a dyn Host);

impl Host for Scaled<'_> {
    fn progress(&self, fraction: f64, what: &str) {
        self.0.progress(0.95 * fraction, what);
    }

    fn threads(&self) -> usize {
        self.0.threads()
    }

    fn time_left(&self) -> Option<Duration> {
        self.0.time_left()
    }

    fn memory(&self) -> Option<u64> {
        self.0.memory()
    }

    fn scratch(&self) -> Option<PathBuf> {
        self.0.scratch()
    }
}

fn absolute(path: &Path) -> Result<PathBuf, RecipeError> {
    std::path::absolute(path).map_err(|e| RecipeError::new(format!("{}: {e}", path.display()), "give an absolute path"))
}

/// The frames of a task, in its order. esorex cannot be told of a header that the configuration corrects: it gets a corrected copy.
fn frames(task: &Task, directory: &Path) -> Result<Vec<SofEntry>, RecipeError> {
    let one = |(n, (input, entry)): (usize, (&TaskInput, SofEntry))| {
        let path = absolute(&entry.path)?;
        if input.corrections.is_empty() {
            return Ok(SofEntry { path, ..entry });
        }
        let place = directory.join("corrected").join(n.to_string());
        // The copy is not compressed any more, and esorex goes by the name.
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.trim_end_matches(".gz").trim_end_matches(".Z");
        std::fs::create_dir_all(&place).map_err(|e| RecipeError::new(format!("cannot create {}: {e}", place.display()), ""))?;
        fits::copy_with_header(&path, &place.join(name), |header| {
            for (keyword, value) in &input.corrections {
                header.set(keyword, value.clone(), "");
            }
        })?;
        Ok(SofEntry { path: place.join(name), ..entry })
    };
    task.inputs.iter().filter_map(|i| Some((i, SofEntry::of_input(i)?))).enumerate().map(one).collect()
}

/// Writes the call above the set of frames, as a comment.
fn remember_call(call: &Call<'_>) -> Result<(), RecipeError> {
    let path = call.directory.join(SOF);
    let failed = |e: std::io::Error| RecipeError::new(format!("cannot write {}: {e}", path.display()), "see whether the disk is full");
    let frames = std::fs::read_to_string(&path).map_err(failed)?;
    let options: String = call.options.iter().map(|o| format!(" {o}")).collect();
    let text = format!("# OMP_NUM_THREADS={} esorex {}{options} THIS_FILE\n{frames}", call.threads, call.recipe);
    std::fs::write(&path, text).map_err(failed)
}

/// Copies the products to the paths of the task's outputs, with provenance.
fn place(task: &Task, outcome: &mut Outcome, judged: Judged) -> Result<(), RecipeError> {
    let files = |output: &TaskOutput| judged.products.iter().filter(|p| p.tag == output.tag.as_str()).count();
    let made: Vec<(Tag, usize)> = task.outputs.iter().map(|o| (o.tag.clone(), files(o))).collect();
    for output in &task.outputs {
        let of_tag: Vec<_> = judged.products.iter().filter(|p| p.tag == output.tag.as_str()).collect();
        for (n, product) in of_tag.iter().enumerate() {
            let output = output.numbered(n + 1);
            if let Some(parent) = output.path.parent() {
                std::fs::create_dir_all(parent)
                    .map_err(|e| RecipeError::new(format!("cannot create {}: {e}", parent.display()), "choose another --output DIR"))?;
            }
            let stamp = |header: &mut _| {
                provenance::write(header, task, outcome, output.tag.as_str());
                provenance::write_made(header, &made);
            };
            let written = fits::copy_with_header(&product.path, &output.path, stamp)?;
            // Before the system writes to the disk what is not needed any more.
            let _ = std::fs::remove_file(&product.path);
            outcome.add(&output, written.hash, written.bytes);
        }
        remove_older(output, of_tag.len());
    }
    Ok(())
}

/// Removes what an earlier run has made of this output and this one has not.
fn remove_older(output: &TaskOutput, made: usize) {
    let older = (made + 1..).map(|n| output.numbered(n).path);
    for path in older.take_while(|path| fits::primary_header(path).is_ok_and(|h| h.contains(provenance::TASK))) {
        let _ = std::fs::remove_file(path);
    }
}
