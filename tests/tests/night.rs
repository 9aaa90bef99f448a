//! A simulated night from raw frames to products, and again.

use std::fs;

use ifured_tests::{Scenario, assert_same_products, products};

/// Tasks that found nothing to make: a catalogue that is lost cannot remember them, and they are tried again.
fn without_products(run: &serde_json::Value) -> usize {
    run["tasks"].as_array().unwrap().iter().filter(|t| t["outcome"]["products"].as_array().is_some_and(Vec::is_empty)).count()
}

#[test]
fn the_truth_comes_back_and_nothing_runs_twice() {
    let s = Scenario::new();
    s.simulate(&[]);
    let first = s.ifured(&["--instrument", "cafos", "reduce", "night/raw", "--json"]).code(0).json();
    assert!(first["ran"].as_u64().unwrap() > 5, "{first}");
    assert_eq!(first["failed"].as_array().unwrap().len(), 0);
    s.ifured(&["verify", "--truth", "night/truth"]).code(0).says("recover the truth");

    let before = products(s.path());
    let again = s.ifured(&["reduce", "--json"]).code(0).json();
    assert_eq!((again["ran"].as_u64(), again["failed"].as_array().map(Vec::len)), (Some(0), Some(0)), "{again}");
    assert_same_products(&before, &products(s.path()));
    assert!(s.join("report/index.html").is_file());
    assert!(s.join("plan.json").is_file());
}

#[test]
fn a_changed_parameter_runs_only_what_depends_on_it() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "reduce", "night/raw"]).code(0);
    let run = s.ifured(&["reduce", "--json", "--set", "recipes.science-imaging.cosmic_rays=false"]).code(0).json();
    let tasks = run["tasks"].as_array().unwrap();
    let science = tasks.iter().filter(|t| t["recipe"] == "science-imaging").count() as u64;
    let coadds = tasks.iter().filter(|t| t["recipe"] == "coadd").count() as u64;
    assert!(science > 0);
    assert_eq!(run["ran"].as_u64().unwrap(), science + coadds, "{run}");
}

#[test]
fn a_lost_catalogue_is_rebuilt_from_the_products() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "reduce", "night/raw"]).code(0);
    for file in ["ifured.sqlite", "ifured.sqlite-wal", "ifured.sqlite-shm"] {
        let _ = fs::remove_file(s.join(file));
    }
    let again = s.ifured(&["-i", "cafos", "reduce", "night/raw", "--json"]).code(0).json();
    assert_eq!(again["ran"], without_products(&again), "{again}");
    let count = products(s.path()).keys().filter(|k| !k.starts_with("night/")).count();
    let listed = s.ifured(&["ls", "products", "--json"]).code(0).json();
    assert_eq!(listed.as_array().unwrap().len(), count);
}

#[test]
fn a_damaged_catalogue_is_kept_and_rebuilt() {
    let s = Scenario::new();
    s.simulate(&[]);
    let first = s.ifured(&["-i", "cafos", "reduce", "night/raw", "--json"]).code(0).json();
    fs::write(s.join("ifured.sqlite"), b"this is no database, whatever its name says").unwrap();
    let again = s.ifured(&["-i", "cafos", "reduce", "night/raw"]).code(0);
    let again = again.says("the catalogue was damaged").says(&format!(" {} run now", without_products(&first)));
    assert!(s.join("ifured.sqlite.damaged").is_file(), "{again}");
}

#[test]
fn products_say_why_and_are_removed_with_what_was_made_from_them() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "reduce", "night/raw"]).code(0);
    let listed = s.ifured(&["ls", "products", "--json"]).code(0).json();
    let name = |tag: &str| {
        let row = listed.as_array().unwrap().iter().find(|r| r["tag"] == tag).unwrap_or_else(|| panic!("no {tag} in {listed}"));
        row["name"].as_str().unwrap().to_owned()
    };
    let (bias, science) = (name("master-bias"), name("reduced-imaging"));
    s.ifured(&["why", &science]).code(0).says(&bias).says("level 0: same night");
    let all = products(s.path()).len();
    s.ifured(&["clean", &bias, "--dry-run"]).code(0).says("would remove");
    assert_eq!(products(s.path()).len(), all);
    s.ifured(&["clean", &bias]).code(0);
    assert!(!s.join(&bias).exists());
    s.ifured(&["reduce"]).code(0);
    assert_eq!(products(s.path()).len(), all);
}

#[test]
fn targets_stop_early() {
    let s = Scenario::new();
    s.simulate(&[]);
    let run = s.ifured(&["-i", "cafos", "reduce", "night/raw", "--to", "master-bias", "--json"]).code(0).json();
    assert!(run["tasks"].as_array().unwrap().iter().all(|t| t["recipe"] == "master-bias"), "{run}");
    s.ifured(&["-i", "cafos", "reduce", "--to", "master-bia"]).code(2).says("did you mean `master-bias`?");
}

#[test]
fn a_dry_run_writes_no_product() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "reduce", "night/raw", "--dry-run"]).code(0).says("would run master-bias");
    assert!(!s.join("bias").exists());
}

#[test]
fn one_task_of_a_plan_by_hand_is_idempotent() {
    let s = Scenario::new();
    s.simulate(&[]);
    let plan = s.ifured(&["-i", "cafos", "plan", "night/raw", "--json"]).code(0).json();
    let id = plan["tasks"][0]["id"].as_str().unwrap();
    s.ifured(&["exec", &id[..12]]).code(0).says(".fits");
    s.ifured(&["exec", &id[..12]]).code(0).says("done already");
    s.ifured(&["plan", "--graph", "dot"]).code(0).says("digraph plan");
    s.ifured(&["plan", "--graph", "mermaid"]).code(0).says("flowchart LR");
}
