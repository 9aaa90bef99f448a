//! Planning without files: frames in memory, recipes as data.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use ifured_core::config::AssociationChange;
use ifured_core::recipe::{Engine, InputSpec, MainInput, Named, ProductSpec, RecipeDescription, Requirement, Take};
use ifured_core::{Config, Grade, InstrumentDescription, Signature, Tag, TaskId, Value};
use proptest::prelude::*;
use serde_json::json;

use super::associate::Candidates;
use super::group::tests::item;
use super::item::Item;
use super::reason::{Block, Defect, Lack, Obstacle};
use super::*;
use crate::frame::Frame;

fn ccd() -> Signature {
    Signature::exact(&["CCD"])
}

/// A recipe about frames of one tag that makes frames of another.
fn recipe(name: &str, from: &str, to: &str, inputs: Vec<InputSpec>) -> RecipeDescription {
    let schema = json!({"type": "object", "properties": {"method": {"type": "string"}}});
    RecipeDescription {
        name: name.into(),
        main: MainInput::groups(&[from], &ccd(), 1.0, 1),
        inputs,
        products: vec![ProductSpec::new(to, "", &format!("{name}/{{night}}/{{stem}}.fits"), &ccd())],
        engines: vec![Engine { schema, defaults: json!({"method": "mean"}), ..Engine::default() }],
        ..RecipeDescription::default()
    }
}

fn bias_input() -> InputSpec {
    InputSpec::required("bias", "MASTER_BIAS").same_night(&ccd()).within_days(30.0, &ccd())
}

struct Sky {
    frames: Vec<Arc<Frame>>,
    instrument: InstrumentDescription,
    config: Config,
    verdicts: Verdicts,
}

impl Sky {
    fn new(recipes: Vec<RecipeDescription>, frames: &[(&str, &str, &str, f64)]) -> Self {
        let frame = |(name, tag, night, mjd): &(&str, &str, &str, f64)| item(name, tag, night, *mjd, &[("CCD", "A".into())]).first.clone();
        let instrument = InstrumentDescription { name: "test".into(), recipes, ..InstrumentDescription::default() };
        assert_eq!(instrument.problems(), Vec::<String>::new());
        Sky { frames: frames.iter().map(frame).collect(), instrument, config: Config::default(), verdicts: Verdicts::default() }
    }

    fn set(mut self, config: serde_json::Value) -> Self {
        self.config = serde_json::from_value(config).unwrap();
        self
    }

    fn plan(&self) -> Plan {
        plan(&Request {
            frames: &self.frames,
            instrument: &Arc::new(self.instrument.clone()),
            config: &Arc::new(self.config.clone()),
            output: Path::new("/out"),
            hints: &[],
            verdicts: &self.verdicts,
        })
        .unwrap()
    }
}

/// What the only task of a recipe takes for an input.
fn taken(plan: &Plan, recipe: &str, role: &str) -> Vec<String> {
    let task = plan.tasks().find(|t| t.task.recipe == recipe).unwrap_or_else(|| panic!("no {recipe}"));
    task.task.role(role).map(|i| i.name.clone()).collect()
}

fn id_of(plan: &Plan, product: &str) -> TaskId {
    plan.producer(product).unwrap_or_else(|| panic!("no {product}")).task.id.clone()
}

fn night() -> Sky {
    let recipes = vec![recipe("bias", "BIAS", "MASTER_BIAS", vec![]), recipe("science", "OBJECT", "IMAGE", vec![bias_input()])];
    Sky::new(recipes, &[("b1.fits", "BIAS", "n1", 100.0), ("b2.fits", "BIAS", "n1", 100.5), ("s.fits", "OBJECT", "n1", 100.45)])
}

#[test]
fn of_two_of_one_level_the_better_grade_then_the_nearer() {
    let mut night = night();
    let plan = night.plan();
    assert_eq!(taken(&plan, "science", "bias"), ["bias/n1/b2.fits"]);
    night.verdicts.grades.insert(id_of(&plan, "b2.fits"), Grade::Questionable);
    let plan = night.plan();
    assert_eq!(taken(&plan, "science", "bias"), ["bias/n1/b1.fits"], "a good one before a questionable one that is nearer");
    let text = plan.associations(plan.tasks().last().unwrap())[0].candidates[1].why();
    assert!(text.contains("questionable"), "{text}");
    // Both the same again: the nearer, and its grade is said.
    night.verdicts.grades.insert(id_of(&plan, "b1.fits"), Grade::Questionable);
    let plan = night.plan();
    assert_eq!(taken(&plan, "science", "bias"), ["bias/n1/b2.fits"]);
    let last = plan.tasks().last().unwrap();
    assert_eq!(last.task.calibrations().next().unwrap().choice.fit().unwrap().grade, Some(Grade::Questionable));
}

#[test]
fn a_worse_level_is_not_made_up_for_by_the_grade() {
    let mut night = night();
    night.frames[0] = item("b1.fits", "BIAS", "n0", 99.9, &[("CCD", "A".into())]).first.clone();
    let plan = night.plan();
    night.verdicts.grades.insert(id_of(&plan, "b2.fits"), Grade::Questionable);
    assert_eq!(taken(&night.plan(), "science", "bias"), ["bias/n1/b2.fits"]);
}

#[test]
fn what_is_bad_or_failed_is_planned_around_and_said() {
    let mut night = night();
    let plan = night.plan();
    night.verdicts.defects.insert(id_of(&plan, "b2.fits"), Defect::failed("no light\nlog"));
    let plan = night.plan();
    assert_eq!(taken(&plan, "science", "bias"), ["bias/n1/b1.fits"]);
    night.verdicts.defects.insert(id_of(&plan, "b1.fits"), Defect::Bad { numbers: vec![] });
    let blocked = &night.plan().blocked[0];
    assert!(blocked.is_for_lack_of(&"bias".into()) && !blocked.is_for_lack_of(&"flat".into()));
    let Block::Input { lack: Lack::NoneFits { nearest, obstacle: Obstacle::Defective { .. } }, .. } = &blocked.reasons[0] else {
        panic!("{blocked:?}")
    };
    assert_eq!(nearest, "bias/n1/b2.fits");
    assert_eq!(blocked.why(), "no bias: nearest candidate bias/n1/b2.fits: it could not be made: no light");
    let accepting =
        Sky { verdicts: night.verdicts.clone(), ..night }.set(json!({"association": {"science": {"bias": {"accept_bad": true}}}}));
    assert_eq!(taken(&accepting.plan(), "science", "bias"), ["bias/n1/b1.fits"], "a bad one, but none that failed");
}

#[test]
fn fewer_than_are_needed_are_none() {
    let input = InputSpec { take: Take::All, ..bias_input().at_least(3) };
    let recipes = vec![recipe("bias", "BIAS", "MASTER_BIAS", vec![]), recipe("science", "OBJECT", "IMAGE", vec![input])];
    let two = Sky { instrument: InstrumentDescription { name: "test".into(), recipes, ..Default::default() }, ..night() };
    let plan = two.plan();
    assert_eq!(plan.blocked[0].why(), "no bias: 2 of at least 3 fit");
    let mut three = two;
    three.frames.push(item("b3.fits", "BIAS", "n1", 100.6, &[("CCD", "A".into())]).first.clone());
    assert_eq!(taken(&three.plan(), "science", "bias").len(), 3);
}

#[test]
fn of_two_recipes_that_make_one_tag_the_plan_says_whose_is_taken() {
    let recipes = vec![
        recipe("bias", "BIAS", "MASTER_BIAS", vec![]),
        recipe("bias-by-row", "BIAS", "MASTER_BIAS", vec![]),
        recipe("science", "OBJECT", "IMAGE", vec![bias_input()]),
    ];
    let frames = [("b1.fits", "BIAS", "n1", 100.0), ("s.fits", "OBJECT", "n1", 100.45)];
    let why = |plan: &Plan| plan.tasks().last().unwrap().task.calibrations().next().unwrap().choice.to_string();
    let plan = Sky::new(recipes.clone(), &frames).plan();
    assert_eq!(taken(&plan, "science", "bias"), ["bias-by-row/n1/b1.fits"], "equal in all else: by name");
    assert_eq!(why(&plan), "same night, same CCD, 10.8 h earlier, made by bias-by-row");
    let config = json!({"association": {"science": {"bias": {"recipe": "bias"}}}});
    let plan = Sky::new(recipes.clone(), &frames).set(config).plan();
    assert_eq!(
        (taken(&plan, "science", "bias"), why(&plan)),
        (vec!["bias/n1/b1.fits".to_owned()], "same night, same CCD, 10.8 h earlier, made by bias".into())
    );
    let config = json!({"association": {"science": {"bias": {"recipe": "wolf"}}}});
    let why = Sky::new(recipes, &frames).set(config).plan().blocked[0].why();
    assert!(why.contains("bias-by-row makes it, and the configuration wants that of wolf"), "{why}");
}

#[test]
fn what_a_parameter_makes_necessary_is_a_requirement() {
    let sky = || InputSpec::optional("sky", "SKY_MODEL", "no sky").any_time(&ccd());
    let mut science = recipe("science", "OBJECT", "IMAGE", vec![sky()]);
    science.requirements = vec![Requirement::new("method", "model", "sky").enables("sky")];
    let off = RecipeDescription { enabled: false, ..recipe("sky", "SKY", "SKY_MODEL", vec![]) };
    let recipes = vec![off, science];
    let object = ("s.fits", "OBJECT", "n1", 100.4);
    let model = json!({"recipes": {"science": {"method": "model"}}});
    let plan = Sky::new(recipes.clone(), &[object]).plan();
    assert_eq!((plan.len(), plan.blocked.len()), (1, 0), "optional by default");
    let plan = Sky::new(recipes.clone(), &[object]).set(model.clone()).plan();
    assert_eq!(plan.blocked[0].why(), "no sky, which method = \"model\" needs: there is no SKY_MODEL");
    let both = [object, ("k.fits", "SKY", "n1", 100.3)];
    assert_eq!(Sky::new(recipes.clone(), &both).plan().len(), 1, "the recipe of the sky is off");
    assert_eq!(
        taken(&Sky::new(recipes.clone(), &both).set(model).plan(), "science", "sky"),
        ["sky/n1/k.fits"],
        "and on where it is needed"
    );
    let refused = json!({"recipes": {"science": {"method": "model"}, "sky": {"enabled": false}}});
    assert_eq!(Sky::new(recipes, &both).set(refused).plan().blocked.len(), 1, "who switches it off has the last word");
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plan.json");
    let mut night = night();
    night.frames.push(item("lonely.fits", "OBJECT", "n9", 500.0, &[("CCD", "A".into())]).first.clone());
    let plan = night.plan();
    assert_eq!((plan.len(), plan.blocked.len()), (3, 1));
    write(&file, &plan).unwrap();
    let saved = read(&file, Path::new("/elsewhere")).unwrap();
    assert!(saved.edited.is_empty());
    for (at, (was, is)) in plan.tasks().zip(saved.plan.tasks()).enumerate() {
        let mut moved = was.task.clone();
        let elsewhere = |path: &Path| path.strip_prefix("/out").map_or(path.to_owned(), |rest| Path::new("/elsewhere").join(rest));
        moved.inputs.iter_mut().for_each(|i| i.path = elsewhere(&i.path));
        moved.outputs.iter_mut().for_each(|o| o.path = elsewhere(&o.path));
        assert_eq!(moved, is.task);
        assert_eq!((was.lacks.clone(), plan.needs(at)), (is.lacks.clone(), saved.plan.needs(at)));
    }
    assert_eq!(plan.blocked[0].why(), saved.plan.blocked[0].why());

    // What is edited changes what is run, and what needs it.
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    text["tasks"][1]["parameters"]["method"] = "median".into();
    std::fs::write(&file, text.to_string()).unwrap();
    let saved = read(&file, Path::new("/out")).unwrap();
    let ids: Vec<TaskId> = plan.tasks().map(|t| t.task.id.clone()).collect();
    assert_eq!(saved.edited.keys().collect::<std::collections::BTreeSet<_>>(), [&ids[1], &ids[2]].into());
    let edited = saved.beginning(ids[1].as_str()).unwrap();
    assert_eq!((edited.task.parameters["method"].as_str(), edited.task.id == ids[1]), (Some("median"), false));
    assert_eq!(identity(&edited.task), edited.task.id);
}

#[test]
fn a_task_whose_maker_turned_out_bad_is_out_of_date_and_others_are_not() {
    let night = night();
    let plan = night.plan();
    let bias = plan.producer("b2.fits").unwrap().task.clone();
    let (own, other) = (plan.place(&bias.id).unwrap(), plan.place(&id_of(&plan, "b1.fits")).unwrap());
    let science = plan.len() - 1;
    let mut known = crate::catalogue::Known::default();
    assert_eq!(crate::reduce::is_out_of_date(&plan, science, &known), None);
    let outcome = ifured_core::Outcome { notes: vec!["no light".into()], ..Default::default() };
    known.tasks.insert(bias.id.clone(), crate::catalogue::KnownTask { task: bias, outcome, grade: Grade::Good });
    assert_eq!(crate::reduce::is_out_of_date(&plan, science, &known), Some(Defect::Nothing { notes: vec!["no light".into()] }));
    assert_eq!([own, other].map(|at| crate::reduce::is_out_of_date(&plan, at, &known)), [None, None]);
}

/// Candidates as they may come: any night, time, detector, temperature, grade, or of no use.
fn candidates() -> impl Strategy<Value = Vec<Arc<Item>>> {
    let one = (0..3u8, 0.0..40.0f64, 0..3u8, -120.0..-100.0f64, 0..5u8, 0..3u8);
    proptest::collection::vec(one, 0..12).prop_map(|all| {
        let item = |(n, (night, mjd, ccd, temperature, quality, maker)): (usize, (u8, f64, u8, f64, u8, u8))| {
            let keys = [("CCD", Value::from(format!("{ccd}").as_str())), ("TEMP", temperature.into())];
            let mut item = (*item(&format!("c{n}"), "T", &format!("n{night}"), 100.0 + mjd, &keys)).clone();
            item.producer = (maker > 0).then_some(n);
            item.recipe = (maker > 0).then(|| format!("r{maker}").into());
            item.grade = [None, Some(Grade::Good), Some(Grade::Questionable), None, None][usize::from(quality)];
            item.defect = (quality == 4).then(|| Defect::failed("x"));
            Arc::new(item)
        };
        all.into_iter().enumerate().map(item).collect()
    })
}

proptest! {
    /// The quick way by classes takes what the slow way, which looks at every candidate key by key, finds to fit best.
    #[test]
    fn what_is_chosen_is_what_is_explained(items in candidates(), max_level in proptest::option::of(0..3i32), each in any::<bool>()) {
        let temperature = ifured_core::SignatureKey { key: "TEMP".into(), compare: ifured_core::Compare::Within(5.0) };
        let loose = Signature(vec![temperature]);
        let take = if each { Take::EachOf("CCD".into()) } else { Take::Nearest };
        let spec = InputSpec::required("t", "T").same_night(&ccd()).within_days(10.0, &ccd()).any_time(&loose).take(take);
        let change = AssociationChange { max_level, ..Default::default() };
        let all = Candidates::new(&spec, change, &items);
        let wanted = item("w", "W", "n1", 110.0, &[("CCD", "1".into()), ("TEMP", (-110.0).into())]);
        let explained = all.explain(&wanted, None);
        prop_assert_eq!(explained.candidates.len(), items.len());
        let by_name: HashMap<&str, &Arc<Item>> = items.iter().map(|i| (i.name.as_str(), i)).collect();
        for c in &explained.candidates {
            let own = by_name[c.name.as_str()];
            let fails = |level: &ifured_core::recipe::Level| {
                !level.signature.agree(&*wanted, &**own)
                    || (level.same_night && own.night != wanted.night)
                    || level.max_age_days.is_some_and(|d| (own.mjd - wanted.mjd).abs() > d)
                    || max_level.is_some_and(|max| level.level > max)
            };
            let expected = spec.levels.iter().find(|l| own.defect.is_none() && !fails(l)).map(|l| l.level);
            prop_assert_eq!(c.level(), expected, "{:?}", c);
            prop_assert_eq!(c.failed.len(), match expected { _ if own.defect.is_some() => 0, Some(level) => level as usize, None => 3 });
        }
        let levels: Vec<i32> = explained.candidates.iter().filter_map(|c| c.level()).collect();
        prop_assert!(levels.is_sorted());
        match all.choose(&wanted, None) {
            Ok(chosen) => {
                let names: Vec<String> = chosen.iter().map(|c| c.item.name.clone()).collect();
                prop_assert_eq!(&names, &explained.chosen);
                prop_assert!(names.contains(&explained.candidates[0].name), "the best is taken");
                for c in &chosen {
                    let same = explained.candidates.iter().find(|e| e.name == c.item.name).and_then(|e| e.fit.clone());
                    prop_assert_eq!(same, Some((c.level, c.fit.clone())));
                }
            }
            Err(_) => prop_assert!(levels.is_empty() && explained.chosen.is_empty()),
        }
    }
}

#[test]
fn hints_move_a_level_by_one_and_never_beyond_the_best() {
    let moved = [Named::Certified, Named::Associated, Named::NotCertified, Named::Others].map(Named::shift);
    assert_eq!(moved, [-1, -1, 1, 1]);
    assert_eq!(Tag::new("T"), "T");
}
