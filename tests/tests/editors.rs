//! Configurations in editors: the engines with which VS Code completes and checks JSON and, with Even Better TOML, TOML,
//! run without a window on the files that `init` writes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ifured_tests::{Scenario, skip, workspace};
use serde_json::{Value, json};

/// The engines, as `make test` installs them; says so where they are not.
fn engines() -> Option<PathBuf> {
    let directory = workspace().join("target/editors");
    let node = Command::new("node").arg("--version").output().is_ok_and(|o| o.status.success());
    if node && directory.join("node_modules").is_dir() {
        return Some(directory);
    }
    let why = if node { "the engines of the editors are not in target/editors" } else { "there is no node" };
    skip(format_args!("{why}; `make test` installs what is needed"));
    None
}

/// What an editor says of a file: diagnostics, and answers to the questions.
fn ask(engines: &Path, file: &Path, questions: &Value) -> Value {
    let mut node = Command::new("node");
    node.arg(engines.join("ask.mjs")).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = node.spawn().unwrap();
    child.stdin.take().unwrap().write_all(questions.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Writes a configuration beside its schema and the position (line, character; from 0) of the mark `|` in it.
fn place(text: &str, mark: &str) -> Value {
    let before = &text[..text.find(mark).unwrap_or_else(|| panic!("no {mark} in\n{text}")) + mark.len()];
    let line = before.matches('\n').count();
    json!({"line": line, "character": before.rsplit('\n').next().unwrap().encode_utf16().count()})
}

fn labels(answer: &Value) -> Vec<&str> {
    answer["completion"][0].as_array().unwrap().iter().map(|l| l.as_str().unwrap().trim_matches('"')).collect()
}

/// Line, and column of a diagnostic, from 0.
fn marked(answer: &Value) -> Vec<(u64, u64)> {
    let mut all: Vec<(u64, u64)> =
        answer["diagnostics"].as_array().unwrap().iter().map(|d| (d["line"].as_u64().unwrap(), d["character"].as_u64().unwrap())).collect();
    all.sort_unstable();
    all
}

#[test]
fn files_to_start_from_are_valid_in_editors() {
    let Some(engines) = engines() else { return };
    for (instrument, both) in [("cafos", true), ("kmos", false), ("muse", false)] {
        for format in ["toml", "json"] {
            // One start of the engine for TOML takes seconds.
            for full in [false, true].into_iter().filter(|full| both || !full) {
                let s = Scenario::new();
                let mut arguments = vec!["-i", instrument, "init", "--format", format];
                arguments.extend(full.then_some("--full"));
                s.ifured(&arguments).code(0);
                let file = s.join(format!("ifured.{format}"));
                let answer = ask(&engines, &file, &json!({}));
                assert_eq!(answer["diagnostics"], json!([]), "{arguments:?}");
                if !both || full {
                    continue;
                }
                // Without errors because it was checked, not because it was not.
                let text = fs::read_to_string(&file).unwrap();
                let wrong = match format {
                    "toml" => text.replacen("instrument = ", "instrumnet = ", 1),
                    _ => text.replacen("\"instrument\"", "\"instrumnet\"", 1),
                };
                fs::write(&file, &wrong).unwrap();
                let at = place(&wrong, if format == "toml" { "\ninstrumnet" } else { "\"instrumnet" });
                let at = (at["line"].as_u64().unwrap(), at["character"].as_u64().unwrap() - if format == "toml" { 10 } else { 11 });
                assert_eq!(marked(&ask(&engines, &file, &json!({}))), [at], "{arguments:?}");
            }
        }
    }
}

/// Settings that are commented out are right, too: taking the `#` away is how the file is used.
#[test]
fn every_commented_setting_is_valid_when_it_is_taken_in() {
    let engines = engines();
    for instrument in ["cafos", "kmos", "muse"] {
        let s = Scenario::new();
        s.ifured(&["-i", instrument, "init"]).code(0);
        let file = s.join("ifured.toml");
        let text = fs::read_to_string(&file).unwrap();
        let is_setting = |line: &str| {
            let rest = line.strip_prefix("# ").unwrap_or_default();
            let key = rest.split_once(" = ").map_or("", |(k, _)| k);
            rest.starts_with('[') || (!key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        };
        let taken: String = text.lines().map(|l| if is_setting(l) { l.strip_prefix("# ").unwrap() } else { l }.to_owned() + "\n").collect();
        assert!(taken.contains("\nthreads = 8\n") && taken.contains("\n[[frames.force]]\n"), "{taken}");
        fs::write(&file, taken).unwrap();
        s.ifured(&["config", "check"]).code(0).says("nothing is wrong");
        if let Some(engines) = engines.as_ref().filter(|_| instrument == "cafos") {
            assert_eq!(ask(engines, &file, &json!({}))["diagnostics"], json!([]), "{instrument}");
        }
    }
}

#[test]
fn toml_is_completed_explained_and_checked_in_vs_code_with_even_better_toml() {
    let Some(engines) = engines() else { return };
    let s = Scenario::new();
    s.ifured(&["-i", "cafos", "init"]).code(0);
    let text = "\
#:schema ./ifured-cafos.schema.json
instrument = \"cafos\"

[recipes.master-bias]
clip_sgima = 3
clip_sigma = 1000
method = \"medain\"
level_tolerance = \"5 ADU\"

[recipes.science-imaging]


[[frames.ignore]]
files = [\"a\"]
nihgt = \"20240101\"
[[frames.force]]
files = [\"a\"]
tag = \"bais\"
";
    let file = s.join("edited.toml");
    fs::write(&file, text).unwrap();
    let questions = json!({
        "completion": [place(text, "[recipes.science-imaging]\n"), place(text, "method = \"")],
        "hover": [place(text, "level_tol"), place(text, "\nmeth"), place(text, "clip_sig")]
    });
    let answer = ask(&engines, &file, &questions);
    assert_eq!(marked(&answer), [(4, 0), (5, 0), (6, 0), (7, 0), (14, 0), (17, 0)], "{answer:#}");
    let offered = labels(&answer);
    for key in ["cosmic_sigma", "dead_pixels", "pedestal", "enabled"] {
        assert!(offered.contains(&key), "{key}: {offered:?}");
    }
    assert!(answer["completion"][1].to_string().contains("sigma-clip"), "{answer:#}");
    let hover = |i: usize| answer["hover"][i].as_str().unwrap();
    assert!(hover(0).contains("never outliers") && hover(0).contains("Unit: ADU. Range: at least 0. Default: 5."), "{}", hover(0));
    assert!(hover(1).contains("How the values of a pixel are combined"), "{}", hover(1));
}

#[test]
fn json_is_completed_explained_and_checked_in_vs_code() {
    let Some(engines) = engines() else { return };
    let s = Scenario::new();
    s.ifured(&["-i", "cafos", "init", "--format", "json"]).code(0);
    let text = r#"{
  "$schema": "./ifured-cafos.schema.json",
  "instrument": "cafos",
  "recipes": {
    "master-bias": {
      "clip_sgima": 3,
      "clip_sigma": 1000,
      "method": "medain",
      "level_tolerance": "5 ADU"
    },
    "science-imaging": {

    }
  },
  "frames": { "ignore": [ { "files": ["a"], "nihgt": "20240101" } ],
              "force": [ { "files": ["a"], "tag": "bais" } ] }
}
"#;
    let file = s.join("edited.json");
    fs::write(&file, text).unwrap();
    let questions = json!({
        "completion": [place(text, "\"science-imaging\": {\n"), place(text, "\"method\": ")],
        "hover": [place(text, "level_tol"), place(text, "\"meth")]
    });
    let answer = ask(&engines, &file, &questions);
    assert_eq!(marked(&answer), [(5, 6), (6, 20), (7, 16), (8, 25), (14, 44), (15, 50)], "{answer:#}");
    let offered = labels(&answer);
    for key in ["cosmic_sigma", "dead_pixels", "pedestal", "enabled"] {
        assert!(offered.contains(&key), "{key}: {offered:?}");
    }
    assert!(answer["completion"][1].to_string().contains("sigma-clip"), "{answer:#}");
    // Its Markdown escapes punctuation.
    let hover = |i: usize| answer["hover"][i].as_str().unwrap().replace('\\', "");
    assert!(hover(0).contains("never outliers") && hover(0).contains("Unit: ADU. Range: at least 0. Default: 5."), "{}", hover(0));
    assert!(hover(1).contains("How the values of a pixel are combined"), "{}", hover(1));
}
