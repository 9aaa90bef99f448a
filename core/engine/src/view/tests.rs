use std::sync::Arc;

use ifured_core::recipe::{Outcome, QualityNumber, RecipeError, TaskInput, TaskOutput};
use ifured_core::{Grade, Task};

use super::plan_groups::PlanGroups;
use super::quality::{Summary, quality};
use super::run::{Remark, RunView};
use super::why::tests::example;
use super::*;
use crate::attempt::{Attempt, Cause, Cost, Ending, MadeProduct};
use crate::known;
use crate::plan::reason::ToDo;
use crate::plan::{Plan, PlannedTask};
use crate::reduce::{FailedTask, RunSummary};
use crate::standing::Standing;

/// What comes out of a task: its products, a read noise, a remark or two.
fn outcome(planned: &PlannedTask, noise: f64) -> Outcome {
    let number = QualityNumber::new("READ NOISE", noise, "e-", "read noise").within(3.0, 6.0, Grade::Questionable);
    let mut outcome = Outcome { quality: vec![number], notes: vec!["cold".into()], ..Outcome::default() };
    planned.task.outputs.iter().for_each(|o| outcome.add(o, "hash".into(), 1));
    outcome
}

/// The example after a run in which the science task failed and the read noise grew from bias to bias.
fn after_a_run() -> (Snapshot, RunSummary) {
    let mut snapshot = example();
    let planned = snapshot.planned.clone().unwrap();
    let mut summary = RunSummary { run: 1, plan: (*planned.plan).clone(), seconds: 1.0, ..RunSummary::default() };
    let mut standings = planned.standings.to_vec();
    let all = Arc::make_mut(&mut snapshot.known);
    for (n, task) in planned.plan.tasks().enumerate() {
        let ending = if task.task.recipe == "science" {
            let error = RecipeError::new("no star", "look at it");
            summary.failed.push(FailedTask { planned: task.clone(), error: error.clone() });
            Ending::Failed { cause: Cause::Recipe(error) }
        } else {
            let made = outcome(task, 4.0 + n as f64);
            summary.ran += 1;
            summary.outcomes.insert(task.task.id.clone(), made.clone());
            standings[n] = Standing::Done(Box::new(made.clone()));
            let product = |p: &ifured_core::recipe::WrittenProduct| MadeProduct {
                name: p.name.clone(),
                tag: p.tag.clone(),
                hash: p.hash.clone(),
                bytes: p.bytes,
                fingerprint: None,
            };
            Ending::Done { products: made.products.iter().map(product).collect(), outcome: made }
        };
        let attempt = Attempt::of(&task.task, Some(1), std::time::SystemTime::now(), ending, Cost::default(), String::new());
        known::take_in(all, (format!("{n}"), attempt));
    }
    snapshot.planned = Some(Planned { standings: standings.into(), ..planned });
    (snapshot, summary)
}

#[test]
fn a_run_is_counted_once() {
    let (snapshot, summary) = after_a_run();
    let view = RunView::of(&snapshot, &summary);
    let c = view.counts;
    assert_eq!((c.tasks, c.ran, c.done, c.failed, c.failed_now, c.not_run), (6, 5, 5, 1, 1, 0));
    assert_eq!((c.blocked, c.products, c.questionable, c.bad), (1, 5, 2, 0), "{:?}", view.blocked_groups);
    assert_eq!((view.exit_code, view.failed[0].error.as_str()), (1, "no star"));
    // A dry run says of each task whether it would run; a remark is a value.
    let failed = view.tasks.iter().find(|t| t.recipe == "science").unwrap();
    assert_eq!((failed.state, failed.remarks.len()), (TaskState::Failed, 0));
    let worst = view.tasks.iter().filter(|t| t.grade == Some(Grade::Questionable)).flat_map(|t| &t.remarks);
    assert!(worst.clone().any(|r| matches!(r, Remark::Quality { number } if number.name == "READ NOISE")));
    assert_eq!((view.notes.len(), view.notes[0].count), (1, 5));
    assert_eq!(view.costs.last().map(|all| (all.recipe.clone(), all.tasks)), Some((None, 6)));
}

#[test]
fn states_are_those_of_products_and_attempts() {
    let (snapshot, _) = after_a_run();
    let planned = snapshot.planned().unwrap();
    let states = |snapshot: &Snapshot| tasks::tasks(snapshot, planned).iter().map(|t| t.state).collect::<Vec<_>>();
    assert_eq!(states(&snapshot).iter().filter(|s| **s == TaskState::Done).count(), 5);
    assert_eq!(states(&snapshot).last(), Some(&TaskState::Failed));
    assert!(tasks::tasks(&example(), example().planned().unwrap()).iter().all(|t| t.state == TaskState::ToDo));
    assert!(Snapshot { planned: None, ..snapshot.clone() }.planned().is_err());
    // A plan without what was made: it is still there.
    let other = Planned::new(Plan::default(), Vec::new());
    let left: Vec<TaskState> = tasks::tasks(&snapshot, &other).iter().map(|t| t.state).collect();
    assert_eq!(left, [TaskState::NotPlanned; 5]);
}

#[test]
fn groups_of_a_plan_have_its_calibrations_and_what_is_missing() {
    let snapshot = example();
    let view = PlanGroups::of(snapshot.planned().unwrap());
    assert_eq!((view.counts.tasks, view.counts.done, view.counts.blocked), (6, 0, 1));
    let science = view.tasks.iter().find(|t| t.recipe == "science").unwrap();
    assert_eq!(science.calibrations[0].name, "bias/n1/b1_red.fits");
    assert_eq!((science.missing[0].role.as_str(), science.missing[0].level), ("flat", 3));
    let blocked = view.blocked[0].to_string();
    assert!(blocked.starts_with("blocked: science of data/n1/s2.fits: no bias: nearest candidate"), "{blocked}");
}

#[test]
fn a_series_is_in_the_order_of_time_and_its_summary_is_robust() {
    let (snapshot, _) = after_a_run();
    let view = quality(&snapshot);
    let tags: Vec<&str> = view.series.iter().map(|s| s.tag.as_str()).collect();
    assert_eq!(tags, ["master-bias", "master-flat"]);
    let bias = &view.series[0];
    let names: Vec<&str> = bias.points.iter().map(|p| p.product.as_str()).collect();
    assert_eq!(names, ["bias/n0/b0_red.fits", "bias/n1/b1_red.fits", "bias/n2/b3_red.fits"]);
    let values = [4.0, 4.1, 3.9, 4.0, 400.0];
    let summary = Summary::of(&values).unwrap();
    assert!(summary.values == 5 && (summary.median - 4.0).abs() < 1e-12 && (summary.mad - 0.1).abs() < 1e-9, "{summary:?}");
    assert_eq!(Summary::of(&[]), None);
}

#[test]
fn every_answer_and_file_has_a_schema_with_descriptions() {
    for entry in schemas::ANSWERS.iter().chain(schemas::FILES) {
        let schema = entry.schema();
        assert!(jsonschema::meta::is_valid(schema.as_value()), "{}", entry.name);
    }
    let mut names: Vec<&str> = schemas::ANSWERS.iter().map(|e| e.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn tasks_that_differ_in_the_extension_alone_are_one() {
    let task = |extension: &str, from: &str, night: &str| {
        let bias = TaskInput { role: "bias".into(), name: from.into(), ..TaskInput::default() };
        let output = TaskOutput { tag: "FLAT".into(), name: format!("{night}/flat-{extension}.fits"), ..TaskOutput::default() };
        let mut planned = PlannedTask::default();
        planned.task = Task {
            id: format!("{night}{extension}").into(),
            recipe: "flat".into(),
            night: night.into(),
            extension: Some(extension.into()),
            inputs: vec![bias],
            outputs: vec![output],
            ..Task::default()
        };
        Arc::new(planned)
    };
    let of = |extension: &str| task(extension, "bias.fits", "n1");
    let plan = Plan::new("test", vec![of("CHAN01"), of("CHAN02"), of("CHAN03"), task("CHAN01", "bias.fits", "n2")]);
    let standings = vec![Standing::ToDo(ToDo::NotMade); 4];
    let view = PlanGroups::of(&Planned::new(plan, standings));
    let groups: Vec<_> = view.tasks.iter().map(|g| (g.product.as_str(), g.extensions.join(" "), g.calibrations[0].count)).collect();
    assert_eq!(groups, [("n1/flat-*.fits", "CHAN01 CHAN02 CHAN03".to_owned(), 1), ("n2/flat-CHAN01.fits", "CHAN01".to_owned(), 1)]);
    assert_eq!(view.counts.tasks, 4);
}
