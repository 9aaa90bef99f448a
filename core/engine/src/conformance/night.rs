//! The full way of simulated frames: scan, classify, plan, reduce, verify, compare with the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ifured_core::header::normalise;
use ifured_core::lookup::STATISTICS;
use ifured_core::module::TruthRequest;
use ifured_core::recipe::{ProductPath, QuietHost, RecipeDescription, SimulationRequest};
use ifured_core::{Condition, FrameType, InstrumentDescription, LoadedInstrument, Lookup, Outcome, Signature, Tag, Task, Test};

use super::{Check, all_right};
use crate::attempt::{self, Attempt, Cost, Ending};
use crate::error::Result;
use crate::frame::{Frame, FrameState};
use crate::plan::reason::Defect;
use crate::plan::{Plan, Targets};
use crate::session::{Opening, Reporter, Session, Setup};
use crate::view::plan_groups;
use crate::{verify, worker};

/// Seed of the simulated frames.
const SEED: u64 = 20_240_720;

struct Silent;

impl Reporter for Silent {
    fn scanning(&self, _: usize, _: usize) {}
    fn note(&self, _: &str) {}
    fn planned(&self, _: usize, _: usize) {}
    fn happening(&self, _: &Task, _: &crate::execute::Happening) {}
}

/// Goes the whole way; stops at the first step that leaves nothing to go on with.
pub fn check(instrument: &LoadedInstrument, directory: &Path, tell: &mut impl FnMut(Check)) {
    if let Err(e) = steps(instrument, directory, tell) {
        tell(Check { what: "the way to the end".into(), right: Some(false), found: e.to_string() });
    }
}

fn steps(instrument: &LoadedInstrument, directory: &Path, tell: &mut impl FnMut(Check)) -> Result<()> {
    let request = |name: &str| SimulationRequest { directory: directory.join(name), seed: SEED, nights: 1, size: None };
    let simulation = instrument.simulate(&request("night"), &QuietHost)?;
    let again = instrument.simulate(&request("again"), &QuietHost)?;
    let frames = format!("{} raw frames", simulation.frames);
    tell(all_right("one seed simulates the same frames twice", differences(&simulation.raw, &again.raw), frames));

    let setup = Setup { output: directory.join("reduced"), instrument: Some(instrument.description().name.clone()), ..Setup::default() };
    let instruments = std::slice::from_ref(instrument);
    let mut session = Session::open(&setup, instruments, Opening::Work(std::slice::from_ref(&simulation.raw)), &Silent)?;
    let frames: Vec<&Frame> = session.frames.iter().map(|f| &**f).collect();
    let good = not_good(&session.instrument, &frames, simulation.frames);
    tell(all_right("simulated frames are recognised and good", good, format!("{} frames", frames.len())));
    tell(all_right(
        "every key of a rule or signature is in the frames",
        unwritten_keys(&session.instrument, &frames),
        "of the kind it is about",
    ));
    let seen: BTreeSet<&str> = frames.iter().map(|f| f.tag.as_str()).collect();
    let unseen = |t: &&FrameType| !seen.contains(t.rule.tag.as_str());
    for kind in session.instrument.frame_types.iter().filter(unseen).filter(|t| !t.product) {
        tell(Check { what: format!("{} is simulated", kind.rule.tag), right: None, found: "no: its rule is not tried here".into() });
    }
    let products: Vec<&str> =
        session.instrument.frame_types.iter().filter(unseen).filter(|t| t.product).map(|t| t.rule.tag.as_str()).collect();
    if !products.is_empty() {
        let found = format!("no: the rules of {} kinds are not tried here ({})", products.len(), products.join(", "));
        tell(Check { what: "products of an archive are simulated".into(), right: None, found });
    }

    let plan = session.plan(&Targets::default())?;
    tell(all_right("every recipe has something to do", idle(&session.instrument, &plan), format!("{} tasks", plan.len())));
    let (here, left_out) = runnable(&session.instrument, &plan);
    left_out.iter().for_each(|check| tell(check.clone()));
    let made = reduce(&mut session, instruments, &here, directory, tell)?;
    let products: Vec<ProductPath> = made
        .iter()
        .flat_map(|(task, outcome)| {
            outcome.products.iter().filter_map(|p| {
                let output = task.outputs.iter().find(|o| o.tag == p.tag)?;
                Some(ProductPath { tag: p.tag.clone(), path: output.path.clone(), name: output.name.clone() })
            })
        })
        .collect();
    if here.is_empty() {
        return truth(instrument, simulation.truth, raw_frames(&session), tell);
    }
    tell(all_right(
        "products verify",
        unverified(&session, &products),
        format!("{} products: checksums, provenance, inputs", products.len()),
    ));
    // Where not all is reduced, the truth may be about the frames themselves.
    let more = if left_out.is_empty() { Vec::new() } else { raw_frames(&session) };
    truth(instrument, simulation.truth, products.into_iter().chain(more).collect(), tell)
}

/// The tasks that can be run here on simulated frames, and what is to be said of the others: a recipe of another program may not be installed, or need
/// more than simulated frames have.
fn runnable<'a>(instrument: &InstrumentDescription, plan: &'a Plan) -> (Vec<&'a Task>, Vec<Check>) {
    let obstacle = |task: &Task| {
        let recipe = instrument.recipe(&task.recipe)?;
        let engine = recipe.engine(&task.engine)?;
        let external = engine.external.as_ref()?;
        let light = format!("simulated frames have not all that the recipes of {} need", external.program);
        engine.unavailable.clone().or((!external.reduces_simulated).then_some(light))
    };
    let mut here: Vec<&Task> = Vec::new();
    let mut reasons: BTreeMap<String, (usize, BTreeSet<&str>)> = BTreeMap::new();
    let mut without: BTreeSet<usize> = BTreeSet::new();
    for (place, planned) in plan.tasks().enumerate() {
        let waits = plan.needs(place).iter().any(|maker| without.contains(maker));
        match obstacle(&planned.task).or(waits.then(|| "they need products of these".to_owned())) {
            None => here.push(&planned.task),
            Some(why) => {
                without.insert(place);
                let (tasks, recipes) = reasons.entry(why).or_default();
                *tasks += 1;
                recipes.insert(&planned.task.recipe);
            }
        }
    }
    let check = |(why, (tasks, recipes)): (String, (usize, BTreeSet<&str>))| Check {
        what: format!("what {tasks} of {} tasks make", plan.len()),
        right: None,
        found: format!("not checked, because {why}: {}", recipes.into_iter().collect::<Vec<_>>().join(", ")),
    };
    (here, reasons.into_iter().map(check).collect())
}

fn raw_frames(session: &Session) -> Vec<ProductPath> {
    let raw = |f: &std::sync::Arc<Frame>| ProductPath { tag: f.tag.clone(), path: f.path.clone(), name: f.file_name() };
    session.frames.iter().map(raw).collect()
}

/// Files that are not the same in two directories.
fn differences(one: &Path, other: &Path) -> Vec<String> {
    let names = |root: &Path| -> BTreeSet<PathBuf> {
        let files = walkdir::WalkDir::new(root).into_iter().flatten().filter(|e| e.file_type().is_file());
        files.filter_map(|e| e.path().strip_prefix(root).ok().map(Path::to_owned)).collect()
    };
    let (first, second) = (names(one), names(other));
    let same = |name: &PathBuf| matches!((std::fs::read(one.join(name)), std::fs::read(other.join(name))), (Ok(a), Ok(b)) if a == b);
    first.union(&second).filter(|name| !same(name)).map(|name| format!("{} differs", name.display())).collect()
}

fn not_good(instrument: &InstrumentDescription, frames: &[&Frame], simulated: usize) -> Vec<String> {
    let timeless = |f: &Frame| instrument.frame_types.iter().any(|t| t.timeless && t.rule.tag == f.tag);
    let mut wrong: Vec<String> = frames
        .iter()
        .filter(|f| f.state != FrameState::Good || (f.mjd.is_none() && !timeless(f)))
        .map(|f| match f.mjd {
            None if f.state == FrameState::Good => {
                format!("{} has no time (MJD-OBS, DATE-OBS, or what `time` of the instrument names)", f.name)
            }
            _ => format!("{} is {} ({}): {}", f.name, f.tag, f.state.as_str(), f.why),
        })
        .collect();
    if frames.len() != simulated {
        wrong.push(format!("{simulated} were simulated, {} are found", frames.len()));
    }
    wrong
}

/// Keys that the frames they are about do not have: a rule with one can never hold, and a signature with one agrees with anything.
fn unwritten_keys(instrument: &InstrumentDescription, frames: &[&Frame]) -> Vec<String> {
    let mut wrong = BTreeSet::new();
    let mut need = |what: &str, key: &str, tags: &[&str]| {
        let about: Vec<&&Frame> = frames.iter().filter(|f| tags.is_empty() || tags.contains(&f.tag.as_str())).collect();
        let statistic = STATISTICS.contains(&key) && !instrument.statistics;
        if statistic {
            wrong.insert(format!("{what}: {key} is a statistic of the pixels, and the instrument asks for none (`statistics`)"));
        } else if let Some(frame) = about.iter().find(|f| f.lookup(key).is_none()) {
            wrong.insert(format!("{what}: {key} is not in {}", frame.name));
        }
    };
    let names_objects = |key: &str| instrument.known_objects.iter().any(|o| normalise(&o.keyword) == normalise(key));
    let conditions = |list: &[Condition]| -> Vec<String> {
        let asked = |c: &&Condition| !matches!(c.is, Test::Absent | Test::Present) && !names_objects(&c.key);
        list.iter().filter(asked).map(|c| c.key.clone()).collect()
    };
    let keys = |signature: &Signature| -> Vec<String> { signature.0.iter().map(|k| k.key.clone()).collect() };
    for key in conditions(&instrument.recognise).iter().chain(&conditions(&instrument.require)) {
        need("recognise and require", key, &[]);
    }
    for t in &instrument.frame_types {
        let tag = [t.rule.tag.as_str()];
        for key in conditions(&t.rule.when).iter().chain(&conditions(&t.rule.expect)).chain(&keys(&t.signature)) {
            need(&format!("{} frames", t.rule.tag), key, &tag);
        }
    }
    for recipe in &instrument.recipes {
        let tags: Vec<&str> = recipe.main.tags.iter().map(|t| t.as_str()).collect();
        let levels = recipe.inputs.iter().flat_map(|i| &i.levels).map(|l| &l.signature);
        let products = recipe.products.iter().map(|p| &p.signature);
        // Frames without any raw tag (recipes of products) look at no frame here: their first raw frame has been looked at.
        // The extension is that of the task, where it goes by extensions.
        let of_task = |key: &String| recipe.main.each_extension.is_some() && key == "EXTNAME";
        for key in [&recipe.main.group.signature].into_iter().chain(levels).chain(products).flat_map(keys).filter(|k| !of_task(k)) {
            need(&format!("recipe {}", recipe.name), &key, &tags);
        }
    }
    wrong.into_iter().collect()
}

fn idle(instrument: &InstrumentDescription, plan: &Plan) -> Vec<String> {
    let mut wrong: Vec<String> = plan_groups::blocked(plan).iter().map(ToString::to_string).collect();
    let busy: BTreeSet<&str> = plan.tasks().map(|t| t.task.recipe.as_str()).collect();
    // What goes on from a recipe that is off until it is asked for has nothing to do until then.
    let makers =
        |tag: &Tag| instrument.recipes.iter().filter(|r| r.products.iter().any(|p| p.tag == *tag)).map(|r| r.enabled).collect::<Vec<_>>();
    let waits = |r: &RecipeDescription| r.main.tags.iter().map(makers).all(|m| !m.is_empty() && m.iter().all(|enabled| !enabled));
    for recipe in instrument.recipes.iter().filter(|r| r.enabled && !busy.contains(r.name.as_str()) && !waits(r)) {
        let skipped = plan.skipped.iter().find(|s| s.recipe == recipe.name).map(|s| format!(": {}", s.reason));
        wrong.push(format!("{} finds no frames{}", recipe.name, skipped.unwrap_or_default()));
    }
    wrong
}

/// Runs every task twice, the second time beside the products; gives what the first made.
fn reduce(
    session: &mut Session,
    instruments: &[LoadedInstrument],
    tasks: &[&Task],
    directory: &Path,
    tell: &mut impl FnMut(Check),
) -> Result<Vec<(Task, Outcome)>> {
    let (mut failed, mut unequal, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    let mut made = Vec::new();
    if tasks.is_empty() {
        // What was said of the tasks that were left out is all there is to say.
        return Ok(Vec::new());
    }
    for &task in tasks {
        let first = main_name(task);
        let outcome = match worker::run(instruments, task, &QuietHost) {
            Ok(outcome) => outcome,
            Err(e) => {
                failed.push(format!("{} of {first}: {} {}", task.recipe, e.what, e.advice));
                continue;
            }
        };
        for absent in outcome.products.iter().filter(|p| task.output(p.tag.as_str()).is_none_or(|o| !o.path.is_file())) {
            failed.push(format!("{} of {first}: {} is in the outcome and not on the disk", task.recipe, absent.name));
        }
        if outcome.products.is_empty() {
            failed.push(format!("{} of {first}: no product: {}", task.recipe, outcome.notes.join("; ")));
        }
        if let Some(defect) = Defect::of(&outcome).filter(Defect::is_made) {
            bad.push(format!("{} of {first}: {defect}", task.recipe));
        }
        let mut twin = task.clone();
        for output in &mut twin.outputs {
            output.path = directory.join("twice").join(&output.name);
        }
        let hashes = |o: &Outcome| o.products.iter().map(|p| p.hash.clone()).collect::<Vec<_>>();
        if worker::run(instruments, &twin, &QuietHost).ok().map(|o| hashes(&o)) != Some(hashes(&outcome)) {
            unequal.push(format!("{} of {first}", task.recipe));
        }
        let ending = Ending::Done { products: attempt::made(&outcome, &session.output), outcome: outcome.clone() };
        let attempt = Attempt::of(task, None, SystemTime::now(), ending, Cost::default(), String::new());
        session.take_in(attempt.write(&session.output)?, attempt)?;
        made.push((task.clone(), outcome));
    }
    tell(all_right("every task makes its products", failed, format!("{} tasks", made.len())));
    tell(all_right("products of simulated frames are not bad", bad, "quality numbers within their limits"));
    tell(all_right("a task done twice gives the same bytes", unequal, format!("{} tasks", made.len())));
    Ok(made)
}

fn main_name(task: &Task) -> &str {
    task.main().next().map_or("no frame", |i| i.name.as_str())
}

fn unverified(session: &Session, products: &[ProductPath]) -> Vec<String> {
    let checks = |p: &ProductPath| verify::verify(&p.path, Some(&session.known));
    let name = |p: &ProductPath, c: &Check| format!("{}: {} {}", p.name, c.what, c.found);
    let mut wrong: Vec<String> =
        products.iter().flat_map(|p| checks(p).into_iter().filter(|c| c.right == Some(false)).map(move |c| name(p, &c))).collect();
    for p in products {
        if ifured_pixels::fits::primary_header(&p.path).is_ok_and(|h| !h.contains(ifured_core::provenance::TASK)) {
            wrong.push(format!("{}: no provenance; use ifured_pixels::task::write, or provenance::write", p.name));
        }
    }
    wrong
}

fn truth(instrument: &LoadedInstrument, truth: PathBuf, products: Vec<ProductPath>, tell: &mut impl FnMut(Check)) -> Result<()> {
    let tags: BTreeSet<String> = products.iter().map(|p| p.tag.to_string()).collect();
    let of: std::collections::HashMap<String, String> = products.iter().map(|p| (p.name.clone(), p.tag.to_string())).collect();
    let rows = instrument.compare_with_truth(&TruthRequest { truth, products })?;
    let mut wrong: Vec<String> = rows
        .iter()
        .filter(|r| !r.recovered())
        .map(|r| format!("{}: {} is {} {}, put in were {} +- {}", r.product, r.what, r.found, r.unit, r.truth, r.tolerance))
        .collect();
    if rows.is_empty() {
        wrong.push("nothing is compared: write compare_with_truth".into());
    }
    tell(all_right("the truth comes back", wrong, format!("{} comparisons", rows.len())));
    let compared: BTreeSet<&str> = rows.iter().filter_map(|r| of.get(&r.product)).map(String::as_str).collect();
    for tag in tags.iter().filter(|t| !compared.contains(t.as_str())) {
        tell(Check {
            what: format!("{tag} is compared with the truth"),
            right: None,
            found: "no: nothing says whether it is right".into(),
        });
    }
    Ok(())
}
