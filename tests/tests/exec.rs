//! Tasks run one by one: as a reduction does them, whoever runs them, and with the provenance of what was run.

use std::fs;
use std::path::Path;

use ifured_tests::raw_file::{changed, raw_files};
use ifured_tests::{Ran, Scenario, assert_same_products, products};
use serde_json::Value;

/// Tasks of `plan.json` in their order.
fn tasks(s: &Scenario, output: &str) -> Vec<Value> {
    plan(&s.join(output))["tasks"].as_array().expect("tasks").clone()
}

fn plan(output: &Path) -> Value {
    serde_json::from_slice(&fs::read(output.join("plan.json")).expect("plan.json")).expect("a plan")
}

/// Runs all tasks of a plan in its order, one command each.
fn exec_all(s: &Scenario, output: &str) -> Vec<Ran> {
    let run = |task: &Value| s.ifured(&["-o", output, "exec", task["id"].as_str().expect("an id")]);
    tasks(s, output).iter().map(run).collect()
}

/// A night whose arc is of another lamp than its header says: no wavelength solution can be made, and what was planned with it must do without.
fn night_with_a_bad_arc(s: &Scenario) {
    s.simulate(&[]);
    let arc = raw_files(&s.join("night/raw")).into_iter().find(|f| f.to_string_lossy().contains("18:10:00")).expect("the arc");
    let other = changed(&fs::read(&arc).expect("a frame"), "INSCALNM", Some("INSCALNM= 'Ne      /        /   '"));
    fs::write(arc, other).expect("a frame");
}

#[test]
fn all_tasks_by_hand_make_what_a_reduction_makes_also_where_the_plan_must_change() {
    let s = Scenario::new();
    night_with_a_bad_arc(&s);
    s.ifured(&["-i", "cafos", "-o", "reduced", "reduce", "night/raw"]).code(0);

    s.ifured(&["-i", "cafos", "-o", "by-hand", "plan", "night/raw"]).code(0);
    let before = tasks(&s, "by-hand");
    let ran = exec_all(&s, "by-hand");
    assert!(ran.iter().all(|r| r.code == Some(0)), "{}", ran.iter().find(|r| r.code != Some(0)).unwrap());
    assert!(ran.iter().any(|r| r.stderr.contains("is out of date")), "something was run in the place of what the plan had");
    assert_same_products(&products(&s.join("reduced")), &products(&s.join("by-hand")));

    // What was run alone is known to all commands, and nothing is left to be done.
    let again = s.ifured(&["-o", "by-hand", "reduce", "--json"]).code(0).json();
    assert_eq!(again["ran"], 0, "{again}");
    assert_ne!(tasks(&s, "by-hand"), before, "the plan is another one by now");
    let listed = s.ifured(&["-o", "by-hand", "ls", "tasks", "--json"]).code(0).json();
    assert!(listed.as_array().unwrap().iter().all(|t| t["state"] == "done" && t["cpu"].is_number()), "{listed}");
    s.ifured(&["-o", "by-hand", "ls", "tasks"]).code(0).says("bad");
}

#[test]
fn what_another_machine_ran_is_seen_by_all() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "-o", "here", "plan", "night/raw"]).code(0);
    // The other machine sees plan, frames and output, and has no catalogue of its own.
    let catalogue = s.join("here/ifured.sqlite");
    let kept = s.join("kept.sqlite");
    fs::rename(&catalogue, &kept).unwrap();
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(s.join(format!("here/ifured.sqlite{ending}")));
    }
    let first = tasks(&s, "here")[0]["id"].as_str().unwrap().to_owned();
    s.ifured(&["-o", "here", "exec", &first]).code(0).says("bias/");
    assert!(!catalogue.exists(), "it leaves a record and no catalogue");
    fs::rename(&kept, &catalogue).unwrap();
    let state = |id: &str| {
        let rows = s.ifured(&["-o", "here", "ls", "tasks", "--columns", "TASK", "--json"]).code(0).json();
        rows.as_array().unwrap().iter().find(|t| t["TASK"] == id).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&first), "done");
    s.ifured(&["-o", "here", "report"]).code(0);
    assert!(fs::read_to_string(s.join(format!("here/report/task-{first}.html"))).unwrap().contains("alone, by"));
    let run = s.ifured(&["-o", "here", "reduce", "--json"]).code(0).json();
    assert_eq!(run["ran"].as_u64().unwrap() + 1, run["tasks"].as_array().unwrap().len() as u64, "{run}");
}

#[test]
fn an_edited_plan_is_a_plan_with_other_tasks() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "-o", "reduced", "plan", "night/raw"]).code(0);
    let mut edited = plan(&s.join("reduced"));
    let at = edited["tasks"].as_array().unwrap().iter().position(|t| t["recipe"] == "master-bias").unwrap();
    let id = edited["tasks"][at]["id"].as_str().unwrap().to_owned();
    let with = edited["tasks"][at]["run_with"].as_u64().unwrap() as usize;
    let (name, value) = edited["recipes"][with]["parameters"].as_object().unwrap().iter().find(|(_, v)| v.is_f64()).unwrap();
    let (name, value) = (name.clone(), value.as_f64().unwrap() * 1.25);
    edited["tasks"][at]["parameters"][&name] = value.into();
    fs::write(s.join("reduced/plan.json"), edited.to_string()).unwrap();

    s.ifured(&["-o", "reduced", "exec", &id]).code(0).says("was edited");
    let product = edited["tasks"][at]["outputs"][0]["name"].as_str().unwrap();
    let header = s.ifured(&["show", &format!("reduced/{product}"), "--header"]).code(0).stdout;
    assert!(!header.contains(&id), "the product names the task that made it: {header}");
    let parameter = header.lines().find(|l| l.contains("VALUE") && l.contains(&value.to_string()));
    assert!(parameter.is_some(), "{name} = {value} is in the provenance: {header}");
    s.ifured(&["-o", "reduced", "verify", &format!("reduced/{product}")]).code(0);

    // The list has it, and says so where it shows it.
    s.ifured(&["-o", "reduced", "ls", "tasks"]).code(0).says("note: 1 task not planned: made with other settings");
    let done = s.ifured(&["-o", "reduced", "ls", "tasks", "--where", "STATE = 'done'"]).code(0);
    assert!(!done.stderr.contains("not planned"), "{done}");
    // For the configuration as it is, this is the product of another task: it is made anew.
    let run = s.ifured(&["-i", "cafos", "-o", "reduced", "reduce", "night/raw", "--json"]).code(0).json();
    assert_eq!(run["reused"], 0, "{run}");
    s.ifured(&["-i", "cafos", "-o", "fresh", "reduce", "night/raw"]).code(0);
    assert_same_products(&products(&s.join("fresh")), &products(&s.join("reduced")));
}

#[test]
fn a_plan_that_does_not_fit_is_refused_in_words() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "plan", "night/raw"]).code(0);
    let right = plan(s.path());
    let id = right["tasks"][1]["id"].as_str().unwrap().to_owned();
    let refused = |change: &dyn Fn(&mut Value), words: &str| {
        let mut wrong = right.clone();
        change(&mut wrong);
        fs::write(s.join("plan.json"), wrong.to_string()).unwrap();
        s.ifured(&["exec", &id]).code(2).says(words);
    };
    refused(&|p| p["format"] = 99.into(), "this plan has format 99; this ifured reads format 3");
    refused(&|p| p["format"] = 2.into(), "this plan has format 2");
    refused(&|p| p["tasks"][1]["parameters"]["wolf"] = 1.into(), "has no parameter `wolf`");
    refused(&|p| p["tasks"][1]["inputs"][0]["frame"] = 100_000.into(), "there is no frame 100000");
    for name in ["../../etc/x.fits", "", "ifured.sqlite", "plan.json"] {
        refused(&|p| p["tasks"][0]["outputs"][0]["name"] = name.into(), "edit its parameters or inputs");
    }
    refused(&|p| p["tasks"][1]["level"] = 3.into(), "edit its parameters or inputs");
    refused(&|p| p["tasks"][1]["inputs"][0]["role"] = "wolf".into(), "has no input `wolf`");
    for (key, value) in [("mjd", Value::from(1e300)), ("hash", "0000".into()), ("tag", "bias".into())] {
        let at = right["tasks"][1]["inputs"][0]["frame"].as_u64().unwrap() as usize;
        refused(&|p| p["frames"][at][key] = value.clone(), "only its path may be");
    }
    let with = right["tasks"][1]["run_with"].as_u64().unwrap() as usize;
    refused(&|p| p["recipes"][with]["version"] = 7.into(), "is for version 7 of recipe");
    refused(&|p| p["tasks"][0]["wolf"] = 1.into(), "unknown field `wolf`");
    refused(&|p| *p = Value::Array(vec![]), "this is no plan");
    fs::write(s.join("plan.json"), right.to_string()).unwrap();
    s.ifured(&["exec", "zzz"]).code(2).says("begins with `zzz`");
    s.ifured(&["exec", ""]).code(2).says("tasks begin with ``");
    // What it needs comes first.
    let last = right["tasks"].as_array().unwrap().iter().rfind(|t| t["recipe"] == "coadd").unwrap()["id"].as_str().unwrap().to_owned();
    s.ifured(&["exec", &last]).code(2).says("which is to be made first").says("ifured exec");
}

#[test]
fn a_frame_that_is_another_one_by_now_is_refused() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    s.ifured(&["-i", "cafos", "plan", "night/raw"]).code(0);
    let right = plan(s.path());
    let task = &right["tasks"].as_array().unwrap().iter().find(|t| t["recipe"] == "master-bias").unwrap().clone();
    let at = task["inputs"][1]["frame"].as_u64().unwrap() as usize;
    let frame = std::path::PathBuf::from(right["frames"][at]["path"].as_str().unwrap());
    let original = fs::read(&frame).unwrap();
    let mut other = original.clone();
    let last = other.len() - 2000;
    other[last] ^= 1;
    fs::write(&frame, &other).unwrap();
    let id = task["id"].as_str().unwrap();
    s.ifured(&["exec", id]).code(1).says("has another content (").says("than the plan counts on (");
    assert!(products(s.path()).keys().all(|name| name.starts_with("night/")), "nothing is made of it");
    fs::write(&frame, &original).unwrap();
    s.ifured(&["exec", id]).code(0).says("bias/");
}

#[test]
fn one_task_at_the_same_time_is_run_once() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    s.ifured(&["-i", "cafos", "plan", "night/raw"]).code(0);
    let id = plan(s.path())["tasks"][0]["id"].as_str().unwrap().to_owned();
    let running: Vec<_> = (0..4).map(|_| s.command(&["exec", &id]).spawn().unwrap()).collect();
    assert!(running.into_iter().all(|mut r| r.wait().unwrap().success()));
    assert_eq!(fs::read_dir(s.join("journal")).unwrap().count(), 1, "one attempt");
    assert!(!s.join(".ifured-scratch").exists());
}
