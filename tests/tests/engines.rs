//! One recipe, two engines: CAFOS with a second engine for its master bias, which here is the first one under another name.

use std::collections::VecDeque;
use std::path::Path;
use std::time::SystemTime;

use ifured_cafos::Cafos;
use ifured_core::recipe::{External, ProductPath, QuietHost, Simulation, SimulationRequest, TruthRow};
use ifured_core::{
    AnyRecipe, EngineName, Host, Instrument, InstrumentDescription, LoadedInstrument, Outcome, RecipeDescription, RecipeError, Task,
};
use ifured_engine::attempt::{self, Attempt, Cause, Cost, Ending};
use ifured_engine::execute::{Executor, Happening, Job};
use ifured_engine::reduce::{ReduceOptions, RunSummary, reduce};
use ifured_engine::session::{Opening, Reporter, Session, Setup};
use ifured_engine::{Error, worker};
use ifured_tests::Scenario;
use serde_json::json;

const RECIPE: &str = "master-bias";
const OTHER: &str = "esorex";

/// CAFOS with a second engine.
struct TwoEngines;

impl Instrument for TwoEngines {
    fn describe(&self) -> InstrumentDescription {
        Cafos.describe()
    }

    fn recipes(&self) -> Result<Vec<Box<dyn AnyRecipe>>, RecipeError> {
        let mut all = Cafos.recipes()?;
        all.push(Box::new(Second));
        Ok(all)
    }

    fn simulate(&self, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
        Cafos.simulate(request, host)
    }

    fn compare_with_truth(&self, truth: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
        Cafos.compare_with_truth(truth, products)
    }
}

ifured_core::export_instrument!(TwoEngines, builtin);

/// The second engine: it has one parameter, and does what the first does with its defaults.
struct Second;

fn first() -> Box<dyn AnyRecipe> {
    Cafos.recipes().unwrap().into_iter().find(|r| r.description().name == RECIPE).expect("the recipe")
}

impl AnyRecipe for Second {
    fn description(&self) -> RecipeDescription {
        let mut description = first().description();
        let engine = &mut description.engines[0];
        engine.name = self.engine();
        engine.external =
            Some(External { program: OTHER.into(), recipe: "other_bias".into(), version: "2.0".into(), reduces_simulated: true });
        engine.schema =
            json!({"type": "object", "properties": {"kappa": {"type": "number", "description": "Clipping.", "title": "kappa"}}});
        engine.defaults = json!({"kappa": 3.0});
        description
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let parameters = first().description().engines[0].defaults.clone();
        first().execute(&Task { parameters, ..task.clone() }, host)
    }

    fn engine(&self) -> EngineName {
        OTHER.into()
    }
}

/// Runs tasks in this process.
struct Here<'a> {
    instruments: &'a [LoadedInstrument],
    output: &'a Path,
    waiting: VecDeque<Job>,
}

impl Executor for Here<'_> {
    fn submit(&mut self, jobs: Vec<Job>) -> Result<(), Error> {
        self.waiting.extend(jobs);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Happening>, Error> {
        let Some(Job { task, run, .. }) = self.waiting.pop_front() else { return Ok(None) };
        let ending = match worker::run(self.instruments, &task, &QuietHost) {
            Ok(outcome) => Ending::Done { products: attempt::made(&outcome, self.output), outcome },
            Err(error) => Ending::Failed { cause: Cause::Recipe(error) },
        };
        let attempt = Attempt::of(&task, run, SystemTime::now(), ending, Cost::default(), String::new());
        Ok(Some(Happening::Ended { record: attempt.write(self.output)?, attempt: Box::new(attempt) }))
    }
}

struct Silent;

impl Reporter for Silent {
    fn scanning(&self, _: usize, _: usize) {}
    fn note(&self, _: &str) {}
    fn planned(&self, _: usize, _: usize) {}
    fn happening(&self, _: &Task, _: &Happening) {}
}

fn run(s: &Scenario, output: &str, set: &[&str]) -> Result<RunSummary, Error> {
    let instruments = [LoadedInstrument::new(module()).unwrap()];
    let output = s.join(output);
    let setup = Setup { output: output.clone(), set: set.iter().map(|s| (*s).to_owned()).collect(), ..Setup::default() };
    let mut session = Session::open(&setup, &instruments, Opening::Work(&[s.join("night/raw")]), &Silent)?;
    let mut executor = Here { instruments: &instruments, output: &output, waiting: VecDeque::new() };
    let targets = ifured_engine::plan::Targets { to: vec!["master-bias".into(), "reduced-imaging".into()], only: Vec::new() };
    let options = ReduceOptions { targets, ..ReduceOptions::default() };
    reduce(&mut session, &mut executor, &options, &Silent)
}

fn biases(summary: &RunSummary) -> Vec<&Task> {
    summary.plan.tasks().map(|t| &t.task).filter(|t| t.recipe == RECIPE).collect()
}

#[test]
fn an_engine_is_chosen_for_all_for_an_instrument_or_for_a_recipe() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    let engines = |set: &[&str]| {
        let summary = run(&s, "out", set).unwrap();
        assert!(summary.failed.is_empty(), "{:?}", summary.failed.iter().map(|f| &f.error).collect::<Vec<_>>());
        let others: Vec<_> = summary.plan.tasks().filter(|t| t.task.recipe != RECIPE).collect();
        assert!(others.len() > 3 && others.iter().all(|t| t.task.engine == EngineName::NATIVE));
        let all = biases(&summary);
        assert_eq!(all.len(), 1);
        (all[0].engine.to_string(), all[0].id.clone(), all[0].parameters.get("kappa").is_some())
    };
    let (native, id, kappa) = engines(&[]);
    assert_eq!((native.as_str(), kappa), ("native", false));
    for set in [&["engine=esorex"][..], &["engines.cafos=esorex"], &["recipes.master-bias.engine=esorex", "recipes.master-bias.kappa=3.0"]]
    {
        let (name, other, kappa) = engines(set);
        assert_eq!((name.as_str(), kappa), (OTHER, true), "{set:?}");
        assert_ne!(other, id, "engine and version are part of the identity");
    }
    // The nearer word counts.
    assert_eq!(engines(&["engine=esorex", "engines.cafos=native"]).1, id);
    assert_eq!(engines(&["engines.cafos=esorex", "recipes.master-bias.engine=native"]).1, id);
}

#[test]
fn a_parameter_of_the_other_engine_is_an_error_that_says_so() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    let wrong = |set: &[&str]| run(&s, "out", set).err().expect("an error").to_string();
    let text = wrong(&["recipes.master-bias.kappa=4.0"]);
    assert!(text.contains("`kappa` is a parameter of engine esorex, and native does the work of master-bias"), "{text}");
    let text = wrong(&["recipes.master-bias.engine=wolf"]);
    assert!(text.contains("native") && text.contains("esorex") && text.contains("both"), "{text}");
    assert!(run(&s, "out", &["recipes.master-bias.engine=both", "recipes.master-bias.kappa=4.0"]).is_ok());
}

#[test]
fn both_engines_are_run_and_compared() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    let summary = run(&s, "out", &["recipes.master-bias.engine=both"]).unwrap();
    assert!(summary.failed.is_empty(), "{:?}", summary.failed.iter().map(|f| &f.error).collect::<Vec<_>>());
    let all = biases(&summary);
    let engines: Vec<&str> = all.iter().map(|t| t.engine.as_str()).collect();
    assert_eq!(engines, ["native", OTHER, EngineName::BOTH]);
    let comparison = &summary.outcomes[&all[2].id];
    let number = |name: &str| comparison.quality.iter().find(|q| q.name == name).and_then(|q| q.value);
    assert_eq!((comparison.products[0].tag.as_str(), number("EQUAL")), ("engine-comparison", Some(1.0)), "{comparison:?}");
    // Everything else goes on with the product of the first.
    let mut users = summary.plan.tasks().flat_map(|t| t.task.calibrations()).filter(|i| i.role == "bias");
    assert!(users.all(|i| i.name == all[0].outputs[0].name));
}
