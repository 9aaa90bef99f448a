//! What `--json` prints is what its schema says, and the schemas that are checked in are those of the program.

use std::collections::BTreeSet;

use ifured_engine::view::schemas;
use ifured_tests::{Ran, Scenario, workspace};
use serde_json::Value;

/// Answers that are not asked for here: the conformance kit takes minutes, and answers with checks as `verify` does.
const ELSEWHERE: [&str; 1] = ["plugin-check"];

#[test]
fn the_schemas_of_answers_and_files_are_those_of_the_program() {
    let all = schemas::all();
    for (name, now) in &all {
        let kept = std::fs::read_to_string(workspace().join("schemas").join(name)).unwrap_or_default();
        assert!(*now == kept, "schemas/{name} is stale: run `make schemas` and commit it");
    }
    let kept = ["answers", "files"].map(|d| std::fs::read_dir(workspace().join("schemas").join(d)).into_iter().flatten().count());
    assert_eq!(kept.iter().sum::<usize>(), all.len(), "schemas/ has a schema of nothing: remove it");
}

#[test]
fn a_schema_is_printed_by_its_name() {
    let s = Scenario::new();
    let printed = s.ifured(&["schema", "--of", "why"]).code(0);
    assert_eq!(Some(printed.stdout), schemas::all().into_iter().find(|(name, _)| name == "answers/why.json").map(|(_, text)| text));
    s.ifured(&["schema", "--of", "plan.json"]).code(0).says("ifured plan");
    s.ifured(&["schema", "--of", "wy"]).code(2).says("did you mean `why`?");
}

/// Answers that were checked, by name.
#[derive(Default)]
struct Checked(BTreeSet<&'static str>);

impl Checked {
    /// Checks an answer; gives it.
    #[track_caller]
    fn answer(&mut self, name: &'static str, ran: Ran) -> Value {
        let entry = schemas::ANSWERS.iter().find(|e| e.name == name).unwrap_or_else(|| panic!("no schema of {name}"));
        let (schema, answer) = (entry.schema().to_value(), ran.json());
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&answer).map(|e| format!("{} {e}", e.instance_path())).take(5).collect();
        assert!(wrong.is_empty(), "{name} is not as its schema says: {wrong:#?}\n{ran}");
        let unknown = unknown_keys(&schema, &answer);
        assert!(unknown.is_empty(), "the schema of {name} does not know {unknown:?}");
        self.0.insert(name);
        answer
    }
}

/// Keys of an answer, or of the first row of a list, that the schema does not describe.
fn unknown_keys(schema: &Value, answer: &Value) -> Vec<String> {
    let resolved = |s: &Value| match s["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
        Some(place) => schema.pointer(place).cloned().unwrap_or_default(),
        None => s.clone(),
    };
    let (described, object) = match answer.as_array() {
        Some(rows) => (resolved(&schema["items"]), rows.first().cloned().unwrap_or_default()),
        None => (resolved(schema), answer.clone()),
    };
    let Some(properties) = described["properties"].as_object() else { return Vec::new() };
    let open = !described["additionalProperties"].is_null();
    object.as_object().into_iter().flatten().map(|(k, _)| k.clone()).filter(|k| !open && !properties.contains_key(k)).collect()
}

#[test]
fn every_answer_is_as_its_schema_says() {
    let s = Scenario::new();
    let mut checked = Checked::default();
    let json = |arguments: &[&str]| {
        let mut all = vec!["--json"];
        all.extend(arguments);
        s.ifured(&all)
    };
    checked.answer("simulate", json(&["-i", "cafos", "simulate", "night"]).code(0));
    checked.answer("scan", json(&["-i", "cafos", "scan", "night/raw"]).code(0));
    let plan = checked.answer("plan", json(&["plan", "night/raw"]).code(0));
    let bias = plan["tasks"].as_array().unwrap().iter().find(|t| t["recipe"] == "master-bias").unwrap();
    checked.answer("reduce", json(&["reduce", "--dry-run"]).code(0));
    checked.answer("exec", json(&["exec", bias["id"].as_str().unwrap()]).code(0));
    let run = checked.answer("reduce", json(&["reduce"]).code(0));
    let counts = &run["counts"];
    assert_eq!(run["tasks"].as_array().unwrap().len() as u64, counts["tasks"].as_u64().unwrap());
    assert_eq!((&run["ran"], &run["reused"]), (&counts["ran"], &counts["reused"]));

    let frames = checked.answer("ls-frames", json(&["ls", "--tag", "bias", "--columns", "PATH,OBJECT"]).code(0));
    checked.answer("ls-groups", json(&["ls", "groups"]).code(0));
    checked.answer("ls-tasks", json(&["ls", "tasks"]).code(0));
    checked.answer("ls-columns", json(&["ls", "--columns", "all"]).code(0));
    let products = checked.answer("ls-products", json(&["ls", "products", "--tag", "reduced-imaging"]).code(0));
    let product = products[0]["name"].as_str().unwrap();
    checked.answer("ls-made-from", json(&["ls", "--made-from", product]).code(0));
    let quality =
        checked.answer("ls-quality", json(&["ls", "quality", "--tag", "master-bias", "--where", "NUMBER = 'READ NOISE'"]).code(0));
    assert!(quality[0]["value"].as_f64().unwrap() > 0.0 && quality[0]["median"].is_number(), "{quality}");
    s.ifured(&["ls", "quality", "--tag", "master-bias", "--columns", "MJD", "--csv"]).code(0).says("READ NOISE");

    let why = checked.answer("why", json(&["why", product]).code(0));
    let calibration = why["inputs"][0]["candidates"][0]["name"].as_str().unwrap();
    checked.answer("whynot", json(&["whynot", product, calibration]).code(0));
    checked.answer("verify", json(&["verify", product]).code(0));
    checked.answer("verify-truth", json(&["verify", "--truth", "night/truth"]).code(0));
    checked.answer("show", json(&["show", product]).code(0));
    checked.answer("report", json(&["report"]).code(0));
    let removed = checked.answer("clean", json(&["clean", product, "--dry-run"]).code(0));
    assert_eq!((removed[0]["name"].as_str(), removed[0]["fate"].as_str()), (Some(product), Some("would-be-removed")));
    checked.answer("collect", json(&["collect", "cubes", "--tag", "reduced-imaging", "--dry-run"]).code(0));

    checked.answer("recipe-ls", json(&["-i", "cafos", "recipe", "ls"]).code(0));
    checked.answer("recipe-show", json(&["-i", "cafos", "recipe", "show", "master-bias"]).code(0));
    let mut by_hand = vec!["-i", "cafos", "-o", "hand", "recipe", "run", "master-bias"];
    by_hand.extend(frames.as_array().unwrap().iter().filter_map(|f| f["PATH"].as_str()));
    checked.answer("recipe-run", json(&by_hand).code(0));

    checked.answer("config-check", json(&["-i", "cafos", "--set", "recipes.master-bias.clip_sigma=7", "config", "check"]).code(0));
    checked.answer("config-show", json(&["-i", "cafos", "config", "show", "--resolved"]).code(0));
    checked.answer("plugin-ls", json(&["plugin", "ls"]).code(0));
    checked.answer("plugin-new", json(&["plugin", "new", "myspec"]).code(0));
    std::fs::write(s.join("musepack.json"), r#"{"global": {"OB_list": ["a"]}}"#).unwrap();
    checked.answer("import", json(&["import", "musepack", "musepack.json", "--to", "-"]).code(0));
    checked.answer("error", json(&["why", "nothing"]).code(2));

    let all: BTreeSet<&str> = schemas::ANSWERS.iter().map(|e| e.name).filter(|n| !ELSEWHERE.contains(n)).collect();
    assert_eq!(checked.0, all, "an answer is not checked");
    files(&s);
}

/// The plan and the records of attempts are as their schemas say.
fn files(s: &Scenario) {
    let validator = |name: &str| {
        let entry = schemas::FILES.iter().find(|e| e.name == name).unwrap();
        jsonschema::validator_for(entry.schema().as_value()).unwrap()
    };
    let read = |path: &std::path::Path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
    let mut plan = read(&s.join("plan.json"));
    let of_plan = validator("plan");
    let wrong: Vec<String> = of_plan.iter_errors(&plan).map(|e| format!("{} {e}", e.instance_path())).take(5).collect();
    assert!(wrong.is_empty(), "plan.json: {wrong:#?}");
    plan["tasks"][0]["lvel"] = 1.into();
    assert!(!of_plan.is_valid(&plan), "an editor sees a slip");
    let records = std::fs::read_dir(s.join("journal")).unwrap().map(|e| e.unwrap().path());
    let records: Vec<_> = records.filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
    assert!(!records.is_empty());
    let of_attempt = validator("attempt");
    for record in records {
        let wrong: Vec<String> = of_attempt.iter_errors(&read(&record)).map(|e| e.to_string()).take(5).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", record.display());
    }
}
