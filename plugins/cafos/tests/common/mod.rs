//! A small engine for tests: scans a folder of nights, classifies, groups, associates by the recipes' descriptions, and runs.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ifured_cafos::Cafos;
use ifured_core::recipe::{Choice, EngineName, Fit, InputSpec, MissingInput, QuietHost, SimulationRequest, TaskInput, TaskOutput};
use ifured_core::rule::{Verdict, classify};
use ifured_core::{
    AnyRecipe, Classification, Header, Instrument, InstrumentDescription, Outcome, RecipeDescription, RecipeError, Rule, Task,
};
use ifured_pixels::fits::{HduSelect, HduToWrite, ImageReader, primary_header, scan_file, write_product};
use ndarray::Array2;

/// A raw frame or a product.
#[derive(Clone, Debug)]
pub struct Frame {
    pub path: PathBuf,
    pub name: String,
    pub night: String,
    pub tag: String,
    pub header: Header,
    pub mjd: f64,
    pub identity: String,
}

/// What was run.
pub struct Done {
    pub task: Task,
    pub result: Result<Outcome, RecipeError>,
}

pub struct MiniEngine {
    pub description: InstrumentDescription,
    pub recipes: Vec<Box<dyn AnyRecipe>>,
    pub frames: Vec<Frame>,
    pub output: PathBuf,
    pub done: Vec<Done>,
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// Header with pixel statistics, as the rules see a frame.
pub fn header_with_statistics(path: &Path) -> Header {
    let scanned = scan_file(path, true).unwrap();
    let mut header = scanned.hdus[0].header.clone();
    if let Some(s) = scanned.statistics {
        for (key, value) in [("QUANT500", s.q500), ("QUANT975", s.q975), ("QUANT025", s.q025), ("ROBUSTSTD", s.robust_std)] {
            header.set(key, value, "");
        }
    }
    header
}

pub fn rules() -> Vec<Rule> {
    Cafos.describe().frame_types.into_iter().map(|t| t.rule).collect()
}

pub fn classify_header(header: &Header) -> Classification {
    classify(&rules(), header)
}

fn holds(conditions: &[ifured_core::Condition], header: &Header) -> bool {
    conditions.iter().all(|c| c.check(header) == Verdict::Holds)
}

impl MiniEngine {
    pub fn new(raw: &Path, output: &Path) -> Self {
        let description = Cafos.description().unwrap();
        let mut frames = Vec::new();
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(raw).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                paths.extend(std::fs::read_dir(entry).unwrap().map(|f| f.unwrap().path()));
            } else {
                paths.push(entry);
            }
        }
        paths.sort();
        for path in paths.into_iter().filter(|p| p.extension().is_some_and(|e| e == "fits")) {
            let mut header = header_with_statistics(&path);
            if !holds(&description.recognise, &header) || !holds(&description.require, &header) {
                continue;
            }
            let tag = classify_header(&header).tag.as_str().to_owned();
            let night = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
            let name = format!("{night}/{}", path.file_name().unwrap().to_string_lossy());
            let mjd = header.real("MJD-OBS").unwrap_or(f64::NAN);
            description.name_known_objects(&mut header, Some(mjd));
            frames.push(Frame { identity: format!("raw:{name}"), path, name, night, tag, header, mjd });
        }
        MiniEngine {
            description,
            recipes: Cafos.recipes().unwrap(),
            frames,
            output: output.to_owned(),
            done: Vec::new(),
            parameters: BTreeMap::new(),
        }
    }

    pub fn set(&mut self, recipe: &str, key: &str, value: serde_json::Value) {
        self.parameters.entry(recipe.into()).or_insert_with(|| serde_json::json!({}))[key] = value;
    }

    /// Runs a recipe on all of its groups.
    pub fn run(&mut self, recipe: &str) -> &mut Self {
        let spec = self.description.recipe(recipe).unwrap().clone();
        for group in self.groups(&spec) {
            let task = self.task(&spec, &group);
            self.execute(&spec, task, &group[0]);
        }
        self
    }

    pub fn execute(&mut self, spec: &RecipeDescription, task: Task, first: &Frame) {
        let runner = self.recipes.iter().find(|r| r.description().name == spec.name).unwrap();
        let result = runner.execute(&task, &QuietHost);
        if let Ok(outcome) = &result {
            for product in &outcome.products {
                let output = task.output(product.tag.as_str()).unwrap();
                let mut header = primary_header(&output.path).unwrap();
                self.description.name_known_objects(&mut header, Some(first.mjd));
                self.frames.push(Frame {
                    path: output.path.clone(),
                    name: product.name.clone(),
                    night: first.night.clone(),
                    tag: product.tag.as_str().to_owned(),
                    header,
                    mjd: first.mjd,
                    identity: format!("{}:{}", task.id, product.tag),
                });
            }
        }
        self.done.push(Done { task, result });
    }

    pub fn groups(&self, spec: &RecipeDescription) -> Vec<Vec<Frame>> {
        let main = &spec.main;
        let tagged = |f: &&Frame| main.tags.iter().any(|t| t.as_str() == f.tag) && holds(&main.when, &f.header);
        let mut groups: Vec<Vec<Frame>> = Vec::new();
        for frame in self.frames.iter().filter(tagged) {
            let apart = |f: &Frame| main.group.apart.iter().map(|c| c.check(&f.header) == Verdict::Holds).collect::<Vec<_>>();
            let fits = |g: &&mut Vec<Frame>| {
                let first = &g[0];
                let span = main.group.span_hours;
                first.night == frame.night
                    && apart(first) == apart(frame)
                    && main.group.signature.agree(&first.header, &frame.header)
                    && span.is_none_or(|s| (frame.mjd - first.mjd).abs() * 24.0 < s)
            };
            match groups.iter_mut().find(fits) {
                Some(group) => group.push(frame.clone()),
                None => groups.push(vec![frame.clone()]),
            }
        }
        groups.retain(|g| g.len() >= main.group.min_frames);
        groups
    }

    pub fn task(&self, spec: &RecipeDescription, group: &[Frame]) -> Task {
        let first = &group[0];
        let stem = first.path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut inputs: Vec<TaskInput> = group.iter().map(|f| input("main", f, 0, None, Choice::Main)).collect();
        let mut missing = Vec::new();
        let mut level = 0;
        for wanted in &spec.inputs {
            match self.associate(wanted, first) {
                Some(found) => {
                    level = level.max(found.level);
                    inputs.push(found);
                }
                None => {
                    level = level.max(wanted.level_without);
                    missing.push(MissingInput {
                        role: wanted.role.clone(),
                        otherwise: wanted.otherwise.clone(),
                        level: wanted.level_without,
                    });
                }
            }
        }
        let outputs = spec
            .products
            .iter()
            .map(|p| {
                let name = p.path.replace("{night}", &first.night).replace("{stem}", &stem);
                TaskOutput { tag: p.tag.clone(), path: self.output.join(&name), name, ..TaskOutput::default() }
            })
            .collect();
        let mut parameters = spec.engines[0].defaults.clone();
        if let Some(changes) = self.parameters.get(&spec.name).and_then(|c| c.as_object()) {
            for (key, value) in changes {
                parameters[key] = value.clone();
            }
        }
        Task {
            id: format!("{}:{}", spec.name, first.identity).into(),
            instrument: "cafos".into(),
            plugin: None,
            recipe: spec.name.clone(),
            recipe_version: spec.version,
            engine: EngineName::native(),
            external: None,
            parameters,
            night: first.night.clone(),
            signature: spec.main.group.signature.extract(&first.header).to_string(),
            inputs,
            outputs,
            missing,
            level,
            memory: 0,
            extension: None,
        }
    }

    fn associate(&self, wanted: &InputSpec, frame: &Frame) -> Option<TaskInput> {
        for level in &wanted.levels {
            let fits = |c: &&Frame| {
                wanted.tags.iter().any(|t| t.as_str() == c.tag)
                    && c.path != frame.path
                    && level.signature.agree(&frame.header, &c.header)
                    && (!level.same_night || c.night == frame.night)
                    && level.max_age_days.is_none_or(|d| (c.mjd - frame.mjd).abs() <= d || c.mjd.is_nan() || frame.mjd.is_nan())
                    && holds(&level.when, &c.header)
            };
            let distance = |c: &&Frame| (c.mjd - frame.mjd).abs();
            let best = self.frames.iter().filter(fits).min_by(|a, b| distance(a).total_cmp(&distance(b)));
            if let Some(best) = best {
                let fit = Fit { title: level.title.clone(), ..Fit::default() };
                return Some(input(wanted.role.as_str(), best, level.level, level.adapt.clone(), Choice::Fits(fit)));
            }
        }
        None
    }

    /// The outcome of each task of a recipe that went well.
    pub fn outcomes(&self, recipe: &str) -> Vec<(&Task, &Outcome)> {
        self.done.iter().filter(|d| d.task.recipe == recipe).filter_map(|d| d.result.as_ref().ok().map(|o| (&d.task, o))).collect()
    }

    pub fn failures(&self) -> Vec<String> {
        self.done.iter().filter_map(|d| d.result.as_ref().err().map(|e| format!("{} {}: {e}", d.task.recipe, d.task.id))).collect()
    }
}

pub fn input(role: &str, frame: &Frame, level: i32, adapt: Option<String>, choice: Choice) -> TaskInput {
    TaskInput {
        role: role.into(),
        tag: frame.tag.as_str().into(),
        path: frame.path.clone(),
        name: frame.name.clone(),
        identity: frame.identity.clone(),
        level,
        adapt,
        choice,
        corrections: vec![],
        mjd: frame.mjd.is_finite().then_some(frame.mjd),
    }
}

/// A task by hand, with one product.
pub fn task(spec: &RecipeDescription, parameters: serde_json::Value, inputs: Vec<TaskInput>, to: &Path) -> Task {
    Task {
        id: spec.name.as_str().into(),
        instrument: "cafos".into(),
        recipe: spec.name.clone(),
        recipe_version: spec.version,
        parameters,
        night: "night".into(),
        inputs,
        outputs: vec![TaskOutput {
            tag: spec.products[0].tag.clone(),
            path: to.to_owned(),
            name: "out.fits".into(),
            ..TaskOutput::default()
        }],
        ..Task::default()
    }
}

/// A simulated night below a directory: `raw` and `truth`.
pub fn simulate(directory: &Path, size: u32) {
    let request = SimulationRequest { directory: directory.to_owned(), seed: 5, nights: 1, size: Some(size) };
    Cafos.simulate(&request, &QuietHost).unwrap();
}

/// Rewrites a raw frame with changed pixels or header.
pub fn rewrite(path: &Path, change: impl FnOnce(&mut Array2<f32>, &mut Header)) {
    let reader = ImageReader::open(path, HduSelect::First).unwrap();
    let (mut header, mut data) = (reader.header().clone(), reader.read_all().unwrap());
    drop(reader);
    change(&mut data, &mut header);
    header.retain(|c| !matches!(c.keyword.as_str(), "BZERO" | "BSCALE"));
    write_product(path, &[HduToWrite::image(&header, data.view())]).unwrap();
}

/// The first frame with a tag.
pub fn first<'a>(engine: &'a MiniEngine, tag: &str) -> &'a Frame {
    engine.frames.iter().find(|f| f.tag == tag).unwrap_or_else(|| panic!("no {tag}"))
}

pub fn quality(outcome: &Outcome, name: &str) -> f64 {
    outcome.quality.iter().find(|q| q.name == name).and_then(|q| q.value).unwrap_or(f64::NAN)
}

/// All recipes that run by default, in order.
pub const DEFAULT_RECIPES: &[&str] = &[
    "master-bias",
    "master-flat-imaging",
    "master-flat-spectroscopy",
    "illumination",
    "arc",
    "wavelength-solution",
    "science-imaging",
    "science-spectroscopy",
    "coadd",
];
