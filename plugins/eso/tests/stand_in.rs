//! How runs of esorex end, well and otherwise. esorex itself is stood in for by shell scripts that the tests write: no recipe of ESO can be
//! made to crash, hang or lie at will. The real program is asked in `esorex.rs`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use ifured_core::recipe::{MainInput, ProductSpec, QuietHost, SideFile, TaskInput, TaskOutput};
use ifured_core::{AnyRecipe, Grade, Header, Host, Outcome, QualityNumber, RecipeDescription, RecipeError, Signature, Task, provenance};
use ifured_eso::esorex::{EsorexRecipe, Product, ProductRule, QcNumber, RecipeParameters};
use ifured_pixels::fits::{HduToWrite, Verdict, primary_header, verify, write_product};
use ndarray::Array2;
use serde_json::json;

/// What every stand-in answers when it is asked; what it does when it is run follows.
const ANSWERS: &str = r#"#!/bin/sh
# Stand-in for esorex, written by a test.
for argument in "$@"; do
  case $argument in
    --recipes) echo ' ***** ESO Recipe Execution Tool, version 3.13.6  *****'; echo '  toy_bias              : Makes a toy.'; exit 0;;
    --man-page) echo '  toy_bias -- version 1.0'; exit 0;;
    --create-config=*) cat "$HERE/parameters.json" > "${argument#--create-config=}"; exit 0;;
  esac
done
"#;

/// What the installed recipe knows: not the parameter `new`, which the plugin ships.
const INSTALLED: &str = r#"[
  {"name": "t.nifu", "value": 0, "valtype": "int", "partype": "value", "display_name": "nifu", "description": "IFU."},
  {"name": "t.sigma", "value": 3, "valtype": "double", "partype": "value", "display_name": "sigma", "description": "Sigma."}]"#;

const SHIPPED: &str = r#"{"pipeline": "TOY", "version": "1.1", "source": "test", "recipes": {"toy_bias": [
  {"name": "nifu", "type": "int", "default": 0, "help": "IFU."},
  {"name": "sigma", "type": "double", "default": 3, "help": "Sigma."},
  {"name": "new", "type": "string", "default": "a", "help": "New."}]}}"#;

/// A directory with a stand-in, products that it can copy, and a place for outputs.
struct Stage {
    directory: PathBuf,
    /// Removes the directory; none for who only uses it.
    _owned: Option<tempfile::TempDir>,
}

impl Stage {
    fn new(behaviour: &str) -> Self {
        let owned = tempfile::tempdir().unwrap();
        let stage = Stage { directory: owned.path().to_owned(), _owned: Some(owned) };
        let here = stage.path("").display().to_string();
        let script = ANSWERS.replacen('\n', &format!("\nHERE='{}'\n", here.trim_end_matches('/')), 1) + behaviour + "\n";
        std::fs::write(stage.path("esorex"), script).unwrap();
        std::fs::set_permissions(stage.path("esorex"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(stage.path("parameters.json"), INSTALLED).unwrap();
        std::fs::create_dir_all(stage.path("raw frames")).unwrap();
        std::fs::create_dir_all(stage.path("out")).unwrap();
        stage.product("good.fits", "MASTER_TOY", 1.0);
        stage.product("second.fits", "MASTER_TOY", 2.0);
        stage.product("other.fits", "OTHER_TOY", 1.0);
        stage.product("nan.fits", "MASTER_TOY", f32::NAN);
        stage.empty("empty.fits");
        let mut damaged = std::fs::read(stage.path("good.fits")).unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(stage.path("damaged.fits"), damaged).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn product(&self, name: &str, catg: &str, value: f32) {
        let (mut primary, mut data) = (Header::new(), Header::new());
        primary.set("ESO PRO CATG", catg, "");
        primary.set("ESO QC TOY1 RON", 2.5, "");
        data.set("EXTNAME", "DATA", "");
        let pixels = Array2::from_elem((24, 30), value);
        write_product(self.path(name), &[HduToWrite::Empty(&primary), HduToWrite::image(&data, pixels.view())]).unwrap();
    }

    fn empty(&self, name: &str) {
        let mut primary = Header::new();
        primary.set("ESO PRO CATG", "MASTER_TOY", "");
        write_product(self.path(name), &[HduToWrite::Empty(&primary)]).unwrap();
    }

    fn recipe(&self) -> EsorexRecipe {
        let none = Signature::default();
        let description = RecipeDescription {
            name: "toy-bias".into(),
            main: MainInput::groups(&["TOY"], &none, 10.0, 1),
            products: vec![
                ProductSpec::new("MASTER_TOY", "Toy", "{stem}.fits", &none),
                ProductSpec::new("OTHER_TOY", "Other", "{stem}_o.fits", &none),
            ],
            ..RecipeDescription::default()
        };
        let mut recipe = EsorexRecipe::new(description, "toy_bias", &RecipeParameters::parse(SHIPPED).unwrap()).unwrap().fix("nifu", 7);
        recipe.program = Some(self.path("esorex"));
        recipe.minutes = 0.5;
        recipe.quality = vec![QcNumber::new("MASTER_TOY", "ESO QC TOY? RON", "READ NOISE", "electrons", "read noise")];
        recipe
    }

    fn task(&self) -> Task {
        let input = |name: &str, tag: &str, adapt: Option<&str>| {
            std::fs::write(self.path(name), "").unwrap();
            TaskInput {
                role: "main".into(),
                tag: tag.into(),
                path: self.path(name),
                name: name.into(),
                adapt: adapt.map(str::to_owned),
                ..TaskInput::default()
            }
        };
        let output = |tag: &str, name: &str| TaskOutput {
            tag: tag.into(),
            path: self.path("out").join(name),
            name: name.into(),
            ..TaskOutput::default()
        };
        Task {
            id: "0123456789abcdef".into(),
            recipe: "toy-bias".into(),
            parameters: json!({"sigma": 5.0, "new": "a"}),
            inputs: vec![
                input("z.fits", "TOY", None),
                input("a.fits", "TOY", None),
                input("raw frames/b c.fits", "MASTER_X", Some("as:TOY_SKY")),
            ],
            outputs: vec![output("MASTER_TOY", "toy.fits"), output("OTHER_TOY", "toy_o.fits")],
            ..Task::default()
        }
    }

    fn run(&self) -> Result<Outcome, RecipeError> {
        self.recipe().execute(&self.task(), &QuietHost)
    }

    fn error(&self) -> String {
        self.error_with(&QuietHost)
    }

    fn error_with(&self, host: &dyn Host) -> String {
        let error = self.recipe().execute(&self.task(), host).expect_err("an error");
        assert!(!error.advice.is_empty());
        let kept = self.path("out/failed-toy_bias-0123456789ab");
        assert!(kept.join("frames.sof").is_file() && error.what.contains(&kept.display().to_string()), "{}", error.what);
        assert_eq!(error.side_files, [SideFile { what: "failed run of toy_bias".into(), path: kept }]);
        assert_eq!(self.outputs(), ["failed-toy_bias-0123456789ab"]);
        error.what
    }

    fn outputs(&self) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(self.path("out")).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

#[derive(Default)]
struct Listener(Mutex<Vec<(f64, String)>>);

impl Host for Listener {
    fn progress(&self, fraction: f64, what: &str) {
        self.0.lock().unwrap().push((fraction, what.to_owned()));
    }

    fn threads(&self) -> usize {
        3
    }
}

#[test]
fn a_good_run_gives_products_with_provenance_and_a_log() {
    let stage = Stage::new(
        r#"cp frames.sof "$HERE/sof"; env > "$HERE/environment"; echo "$@" > "$HERE/arguments"; cp linked/2/b_c.fits "$HERE/linked" 
           echo '10:00:00 [ INFO  ] toy_bias: [tid=000] loaded "z.fits"'; sleep 0.3
           echo '10:00:00 [WARNING] esorex: no directory'; echo '10:00:00 [WARNING] toy_bias: odd'; echo '10:00:01 [ INFO  ] toy_bias: 50% done'; sleep 0.3
           cp "$HERE/good.fits" "$HERE/other.fits" .; echo 'the log' > esorex.log"#,
    );
    let host = Listener::default();
    let outcome = stage.recipe().execute(&stage.task(), &host).unwrap();
    assert_eq!(stage.outputs(), ["toy.esorex.log", "toy.fits", "toy.sof", "toy_o.fits"]);
    assert_eq!(
        outcome.products.iter().map(|p| (p.tag.as_str(), p.name.as_str())).collect::<Vec<_>>(),
        [("MASTER_TOY", "toy.fits"), ("OTHER_TOY", "toy_o.fits")]
    );
    let header = primary_header(stage.path("out/toy.fits")).unwrap();
    assert_eq!((header.text(provenance::TASK), header.text("ESO PRO CATG")), (Ok("0123456789abcdef"), Ok("MASTER_TOY")));
    assert_eq!(provenance::outcome(&header).quality, outcome.quality);
    assert!(verify(stage.path("out/toy.fits")).unwrap().iter().all(|v| v.checksum == Verdict::Right && v.datasum == Verdict::Right));
    let numbers: Vec<_> = outcome.quality.iter().map(|q| (q.name.as_str(), q.value)).collect();
    assert_eq!(numbers, [("FINITE MASTER_TOY", Some(1.0)), ("FINITE OTHER_TOY", Some(1.0)), ("READ NOISE", Some(2.5))]);
    assert_eq!(outcome.grade(), Grade::Good);
    assert!(
        outcome.notes.iter().any(|n| n == "log of toy_bias: toy.esorex.log")
            && outcome.notes.iter().any(|n| n == "1 warning in the log of toy_bias")
    );
    let side = |what: &str, name: &str| SideFile { what: what.into(), path: stage.path("out").join(name) };
    assert_eq!(outcome.side_files, [side("log of toy_bias", "toy.esorex.log"), side("frames of toy_bias", "toy.sof")]);

    // In order, under their tags; a path with a blank by way of a link.
    let sof = std::fs::read_to_string(stage.path("sof")).unwrap();
    let here = stage.path("").display().to_string();
    assert_eq!(sof, format!("{here}z.fits TOY\n{here}a.fits TOY\nlinked/2/b_c.fits TOY_SKY\n"));
    assert!(stage.path("linked").is_file());
    // The same stays beside the product, with the call.
    let kept = std::fs::read_to_string(stage.path("out/toy.sof")).unwrap();
    assert_eq!(kept, format!("# OMP_NUM_THREADS=3 esorex toy_bias --sigma=5 --nifu=7 THIS_FILE\n{sof}"));
    // Only what differs from the defaults of the installed recipe.
    let arguments = std::fs::read_to_string(stage.path("arguments")).unwrap();
    assert!(arguments.trim_end().ends_with("toy_bias --sigma=5 --nifu=7 frames.sof"), "{arguments}");
    let environment = std::fs::read_to_string(stage.path("environment")).unwrap();
    let names: Vec<&str> = environment.lines().filter_map(|l| Some(l.split_once('=')?.0)).collect();
    let allowed = |n: &&str| {
        ["PATH", "HOME", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_", "OMP_NUM_THREADS", "ESOREX_PLUGIN_DIR"].contains(n)
            || n.starts_with("LD_")
    };
    assert!(names.iter().all(allowed), "{names:?}");
    assert!(
        environment.contains("OMP_NUM_THREADS=3")
            && environment.contains("LC_ALL=C")
            && environment.contains("HOME=")
            && environment.contains("ifured-esorex")
    );
    // The log was followed.
    let said = host.0.into_inner().unwrap();
    assert!(
        said.iter().any(|(_, w)| w == "toy_bias: loaded \"z.fits\"") && said.iter().any(|(f, w)| *f > 0.4 && w == "toy_bias: 50% done"),
        "{said:?}"
    );
    assert!(said.windows(2).all(|w| w[0].0 <= w[1].0));
}

#[test]
fn a_frame_goes_in_once_and_a_file_that_a_parameter_names_does_not() {
    let stage = Stage::new(r#"cp "$HERE/good.fits" .; cp frames.sof "$HERE/sof""#);
    let mut task = stage.task();
    let again = TaskInput { role: "lamp-off".into(), ..task.inputs[0].clone() };
    let named = TaskInput { role: "table".into(), tag: "file".into(), path: stage.path("table.txt"), ..TaskInput::default() };
    task.inputs.extend([again, named]);
    let number = QualityNumber::new("CHECKED", 2.0, "", "").within(0.0, 1.0, Grade::Bad);
    let check = |products: &[Product]| Ok((vec![number.clone()], vec![format!("{} looked at", products.len())]));
    let outcome = stage.recipe().execute_checked(&task, &QuietHost, &check).unwrap();
    assert_eq!(std::fs::read_to_string(stage.path("sof")).unwrap().lines().count(), 3);
    // What the check found is in the header of the product, too.
    assert!(outcome.notes.contains(&"1 looked at".to_owned()) && outcome.grade() == Grade::Bad);
    let header = primary_header(stage.path("out/toy.fits")).unwrap();
    assert_eq!(provenance::outcome(&header).quality, outcome.quality);
}

#[test]
fn a_bad_status_after_good_products_is_a_note_and_questionable() {
    let outcome = Stage::new(r#"cp "$HERE/good.fits" .; echo '1 [ ERROR ] toy_bias: at the end'; exit 3"#).run().unwrap();
    assert_eq!((outcome.grade(), outcome.products.len()), (Grade::Questionable, 1));
    assert!(
        outcome.notes.iter().any(|n| n.contains("exit status 3 (it said: at the end), but its products are good")),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn success_without_a_product_is_an_error_with_the_words_of_the_log() {
    let error = Stage::new("echo '1 [ ERROR ] toy_bias: [tid=000] first cause'; echo '2 [ ERROR ] toy_bias: second'").error();
    for part in ["as if all were well (exit status 0)", "no good MASTER_TOY", "first cause", "second"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_failure_says_status_and_cause() {
    let error = Stage::new("echo '1 [ ERROR ] toy_bias: no flat'; exit 13").error();
    assert!(error.contains("exit status 13") && error.contains("no flat"), "{error}");
}

#[test]
fn a_crash_says_the_signal_whatever_was_made() {
    let error = Stage::new(r#"cp "$HERE/good.fits" .; kill -SEGV $$"#).error();
    assert!(error.contains("crashed") && error.contains("signal 11 (SIGSEGV"), "{error}");
}

#[test]
fn a_recipe_that_hangs_is_ended_with_all_that_it_started() {
    let stage = Stage::new(r#"sleep 1000 & echo $! > "$HERE/child"; sleep 1000"#);
    let mut recipe = stage.recipe();
    recipe.minutes = 1.0 / 60.0;
    let error = recipe.execute(&stage.task(), &QuietHost).unwrap_err();
    assert!(error.what.contains("longer than 1 s"), "{}", error.what);
    assert!(is_gone(&stage.path("child")));
}

#[test]
fn what_a_recipe_leaves_running_is_ended() {
    let stage = Stage::new(r#"sleep 1000 & echo $! > "$HERE/child"; cp "$HERE/good.fits" ."#);
    assert_eq!(stage.run().unwrap().grade(), Grade::Good);
    assert!(is_gone(&stage.path("child")));
}

#[test]
fn esorex_ends_when_we_are_killed() {
    let stage = Stage::new(
        r#"sleep 1000 & echo $! > "$HERE/child"; echo $$ > "$HERE/started.new"; mv "$HERE/started.new" "$HERE/started"; exec sleep 1000"#,
    );
    let mut us = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "hangs_in_a_process_of_its_own"])
        .env("IFURED_TEST_STAGE", stage.path(""))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let started = (0..3000).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        stage.path("started").is_file()
    });
    us.kill().unwrap();
    us.wait().unwrap();
    // Esorex, and what it has started.
    assert!(started && is_gone(&stage.path("started")) && is_gone(&stage.path("child")));
    // What it left is removed by the next run.
    assert!(stage.outputs().iter().any(|n| n.starts_with(".ifured-esorex-")));
    let next = Stage::new(r#"cp "$HERE/good.fits" ."#);
    let mut recipe = stage.recipe();
    recipe.program = Some(next.path("esorex"));
    recipe.execute(&stage.task(), &QuietHost).unwrap();
    assert!(!stage.outputs().iter().any(|n| n.starts_with(".ifured-esorex-")));
}

/// Runs the recipe of [`esorex_ends_when_we_are_killed`], to be killed.
#[test]
#[ignore = "run by the test that kills it"]
fn hangs_in_a_process_of_its_own() {
    let stage = Stage { directory: std::env::var_os("IFURED_TEST_STAGE").unwrap().into(), _owned: None };
    let _ = stage.run();
}

/// Whether the process whose number is in a file has ended, or does so soon.
fn is_gone(file: &Path) -> bool {
    let process = std::fs::read_to_string(file).unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", process.trim()));
    let runs = || std::fs::read_to_string(&stat).is_ok_and(|s| !s.contains(") Z "));
    (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        !runs()
    })
}

#[test]
fn a_recipe_that_takes_too_much_memory_is_ended() {
    // `tail` holds a line without end.
    let stage = Stage::new("(head -c 300000000 /dev/zero; sleep 1000) | tail -n 1 > /dev/null");
    let mut recipe = stage.recipe();
    recipe.memory = Some(100_000_000);
    let error = recipe.execute(&stage.task(), &QuietHost).unwrap_err();
    assert!(error.what.contains("and 0.1 GB were free for it"), "{}", error.what);
}

/// A host with limits and a place.
#[derive(Default)]
struct Limits {
    time_left: Option<Duration>,
    memory: Option<u64>,
    scratch: Option<PathBuf>,
}

impl Host for Limits {
    fn progress(&self, _: f64, _: &str) {}

    fn time_left(&self) -> Option<Duration> {
        self.time_left
    }

    fn memory(&self) -> Option<u64> {
        self.memory
    }

    fn scratch(&self) -> Option<PathBuf> {
        self.scratch.clone()
    }
}

#[test]
fn the_limits_of_the_host_are_those_of_a_run() {
    // A tenth of the time is left to say what happened.
    let error = Stage::new("sleep 1000").error_with(&Limits { time_left: Some(Duration::from_secs(2)), ..Limits::default() });
    assert!(error.contains("longer than 2 s"), "{error}");
    let stage = Stage::new("(head -c 300000000 /dev/zero; sleep 1000) | tail -n 1 > /dev/null");
    let error = stage.error_with(&Limits { memory: Some(100_000_000), ..Limits::default() });
    assert!(error.contains("and 0.1 GB were free for it"), "{error}");
}

#[test]
fn a_run_is_in_the_scratch_directory_of_the_host_and_its_failure_beside_the_outputs() {
    // On the file system of the outputs, and on another one.
    let others = [None, Some("/dev/shm")].map(|place| match place {
        None => tempfile::tempdir(),
        Some(place) => tempfile::tempdir_in(place),
    });
    for scratch in others {
        let Ok(scratch) = scratch else {
            eprintln!("SKIPPED: no second file system here");
            continue;
        };
        let host = Limits { scratch: Some(scratch.path().into()), ..Limits::default() };
        let good = Stage::new(r#"pwd > "$HERE/place"; cp "$HERE/good.fits" .; echo 'the log' > esorex.log"#);
        let outcome = good.recipe().execute(&good.task(), &host).unwrap();
        let place = std::fs::read_to_string(good.path("place")).unwrap();
        assert!(Path::new(place.trim()).parent() == Some(scratch.path()), "{place}");
        assert_eq!(good.outputs(), ["toy.esorex.log", "toy.fits", "toy.sof"]);
        assert!(outcome.side_files.len() == 2 && outcome.side_files.iter().all(|f| f.path.is_file()));

        let bad = Stage::new("mkdir plots; echo plot > plots/a; echo 'the log' > esorex.log; exit 13");
        assert!(bad.error_with(&host).contains("exit status 13"));
        let kept = bad.path("out/failed-toy_bias-0123456789ab");
        assert_eq!(std::fs::read_to_string(kept.join("plots/a")).unwrap(), "plot\n");
        assert!(kept.join("linked/2/b_c.fits").is_symlink());
        assert!(std::fs::read_dir(scratch.path()).unwrap().next().is_none(), "something was left in the scratch directory");
    }
}

#[test]
fn products_that_are_no_good_are_refused_with_the_reason() {
    for (file, why) in [
        ("empty.fits", "it has no data"),
        ("nan.fits", "none of its pixels is a number"),
        ("damaged.fits", "the checksum of HDU 1 is wrong"),
        ("other.fits", "no good MASTER_TOY"),
    ] {
        let error = Stage::new(&format!("cp \"$HERE/{file}\" product.fits")).error();
        assert!(error.contains(why), "{file}: {error}");
    }
    let error = Stage::new("head -c 3000 \"$HERE/good.fits\" > product.fits").error();
    assert!(error.contains("END") || error.contains("truncated"), "{error}");
    // Another category is left out, and named.
    let stage = Stage::new(r#"cp "$HERE/good.fits" "$HERE/other.fits" ."#);
    let mut recipe = stage.recipe();
    recipe.products = vec![ProductRule::required("MASTER_TOY").with_extensions(&["DATA"])];
    let outcome = recipe.execute(&stage.task(), &QuietHost).unwrap();
    assert!(
        outcome.products.len() == 1 && outcome.notes.iter().any(|n| n.contains("made other.fits, which is a OTHER_TOY")),
        "{:?}",
        outcome.notes
    );
    recipe.products = vec![ProductRule::required("MASTER_TOY").with_extensions(&["DATA", "STAT"])];
    assert!(recipe.execute(&stage.task(), &QuietHost).unwrap_err().what.contains("it has no extension STAT"));
}

#[test]
fn several_files_of_a_tag_are_numbered_and_older_ones_removed() {
    let stage = Stage::new(r#"cp "$HERE/good.fits" m_1.fits; cp "$HERE/second.fits" m_2.fits; cp "$HERE/good.fits" m_3.fits"#);
    let names = |o: &Outcome| o.products.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&stage.run().unwrap()), ["toy.fits", "toy_2.fits", "toy_3.fits"]);
    let second = primary_header(stage.path("out/toy_2.fits")).unwrap();
    assert_eq!(second.text("IFURED TAG"), Ok("MASTER_TOY"));
    std::fs::remove_file(stage.path("second.fits")).unwrap();
    let fewer = stage.run().unwrap();
    assert_eq!(names(&fewer), ["toy.fits", "toy_2.fits"]);
    assert!(!stage.path("out/toy_3.fits").exists());
}

#[test]
fn parameters_are_checked_and_those_that_are_not_installed_are_noted() {
    let stage = Stage::new(r#"cp "$HERE/good.fits" ."#);
    let with = |parameters| stage.recipe().execute(&Task { parameters, ..stage.task() }, &QuietHost);
    let notes = with(json!({"sigma": 3, "new": "b"})).unwrap().notes;
    assert!(
        notes.iter().any(|n| n == "parameter new = \"b\" has no effect: toy_bias 1.0 does not have it (version 1.1 does)"),
        "{notes:?}"
    );
    assert!(with(json!({"sigmo": 3})).unwrap_err().what.contains("is `sigma` meant?"));
    assert!(with(json!({"nifu": 3})).unwrap_err().what.contains("there is no `nifu`"));
    let engine = stage.recipe().description().engines.remove(0);
    assert_eq!(engine.defaults, json!({"sigma": 3, "new": "a"}));
    assert_eq!(engine.name, stage.recipe().engine());
    assert!(engine.schema["properties"].get("nifu").is_none());
}

#[test]
fn corrected_headers_reach_the_recipe_in_a_copy() {
    let stage = Stage::new(r#"cp corrected/0/good.fits "$HERE/seen.fits"; cp "$HERE/good.fits" ."#);
    let mut task = stage.task();
    task.inputs[0] =
        TaskInput { path: stage.path("good.fits"), corrections: vec![("ESO DPR TYPE".into(), "BIAS".into())], ..task.inputs[0].clone() };
    stage.recipe().execute(&task, &QuietHost).unwrap();
    assert_eq!(primary_header(stage.path("seen.fits")).unwrap().text("ESO DPR TYPE"), Ok("BIAS"));
    assert!(!primary_header(stage.path("good.fits")).unwrap().contains("ESO DPR TYPE"));
}

#[test]
fn a_recipe_that_is_not_installed_says_so() {
    let stage = Stage::new("");
    let mut recipe = stage.recipe();
    recipe.recipe = "toy_bais".into();
    let error = recipe.execute(&stage.task(), &QuietHost).unwrap_err();
    assert!(error.what.contains("no recipe toy_bais (there is toy_bias)") && error.advice.contains("apt install"), "{error:?}");
    assert!(stage.outputs().is_empty());
}
