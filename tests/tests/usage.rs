//! What a tired astronomer types at four in the morning.

use ifured_tests::{Ran, Scenario, shared};

#[test]
fn wrong_flags_and_names_say_what_there_is() {
    let s = Scenario::new();
    s.ifured(&["reduce", "--forse"]).code(2).says("unexpected argument '--forse'").says("--force");
    s.ifured(&["redcue"]).code(2).says("reduce");
    s.ifured(&["-i", "cafoss", "scan", "."]).code(2).says("unknown instrument `cafoss`; did you mean `cafos`?");
    s.ifured(&["-i", "cafos", "reduce", "not-here"]).code(2).says("not-here is not a directory");
    s.ifured(&["-i", "cafos", "-o", "fresh", "reduce"]).code(2).says("no directory is named").says("ifured reduce DIRECTORY");
    s.ifured(&["ls"]).code(2).says("there is no catalogue in").says("ifured scan");
    s.ifured(&["-i", "cafos", "recipe", "show", "master-flat"]).code(2).says("cafos has no recipe `master-flat`");
    s.ifured::<&str>(&[]).code(2).says("Usage");
    s.ifured(&["--help"]).code(0).says("Exit codes");
}

#[test]
fn an_empty_directory() {
    let s = Scenario::new();
    std::fs::create_dir(s.join("empty")).unwrap();
    s.ifured(&["-i", "cafos", "reduce", "empty"]).code(3).says("no frames (*.fits, also .gz .fz .Z) in").says("INSTRUME = CAFOS 2.2");
    s.ifured(&["-o", "other", "reduce", "empty"]).code(3);
}

#[test]
fn a_directory_of_another_instrument() {
    let s = Scenario::new();
    s.ifured(&["-i", "muse", "simulate", "m"]).code(0);
    s.ifured(&["-i", "cafos", "reduce", "m/raw"]).code(3).says("wrong-instrument").says("frames of cafos have INSTRUME = CAFOS 2.2");
    s.ifured(&["-o", "b", "reduce", "m/raw"]).code(1).says("blocked: muse_wavecal [CHAN01 to CHAN24] of raw/");
}

#[test]
fn frames_of_several_instruments_ask_for_a_choice() {
    let s = Scenario::new();
    s.ifured(&["-i", "muse", "simulate", "all/m"]).code(0);
    s.ifured(&["-i", "kmos", "simulate", "all/k"]).code(0);
    s.ifured(&["scan", "all"]).code(2).says("frames of several instruments: kmos (").says("--instrument NAME");
    s.ifured(&["-i", "kmos", "scan", "all"]).code(0).says("SCIENCE");
}

#[test]
fn configuration_errors_come_all_at_once() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    std::fs::write(
        s.join("ifured.toml"),
        "instrument = \"cafos\"\n[recipes.master-bias]\nclip_sgima = 3\n[recipes.master-biass]\n[resources]\nthreads = 0\n",
    )
    .unwrap();
    let ran = s.ifured(&["reduce", "night/raw"]).code(2);
    let ran = ran.says("unknown key `clip_sgima` in recipes.master-bias; did you mean `clip_sigma` (").says("did you mean `master-bias`?");
    ran.says("resources.threads");
    s.ifured(&["--set", "recipes.master-bias.method=medain", "-c", "/dev/null", "reduce", "night/raw"]).code(2).says("median");
}

#[test]
fn a_configuration_to_start_from_is_valid() {
    for (format, full) in [("toml", false), ("toml", true), ("json", false), ("json", true)] {
        let s = Scenario::new();
        s.simulate(&["--size", "128"]);
        let mut arguments = vec!["-i", "cafos", "init", "--format", format];
        if full {
            arguments.push("--full");
        }
        s.ifured(&arguments).code(0);
        s.ifured(&arguments).code(2).says("is there already");
        s.ifured(&["scan", "night/raw"]).code(0);
    }
}

/// Standard output without what differs from run to run: name of the output directory, duration.
fn facts(ran: &Ran, output: &str) -> String {
    let lines = ran.stdout.lines().map(|l| l.replace(&format!("/{output}"), "/OUT"));
    lines.map(|l| l.rsplit_once(" (").filter(|_| l.ends_with(" s)")).map_or(l.clone(), |(kept, _)| kept.to_owned()) + "\n").collect()
}

#[test]
fn verbose_runs_say_what_is_read_and_why_and_print_the_same() {
    let s = Scenario::new();
    let raw = s.simulate(&["--size", "128"]);
    let run = |verbosity: &[&str], output: &str| {
        let mut arguments = verbosity.to_vec();
        arguments.extend(["-i", "cafos", "-o", output, "reduce", "night/raw"]);
        s.ifured(&arguments).code(0)
    };
    let (plain, once, twice) = (run(&[], "plain"), run(&["-v"], "once"), run(&["-vv"], "twice"));
    assert_eq!(facts(&once, "once"), facts(&plain, "plain"));
    assert_eq!(facts(&twice, "twice"), facts(&plain, "plain"));
    let lines = |ran: &Ran, level: &str| ran.stderr.lines().filter(|l| l.trim_start().starts_with(level)).count();
    assert_eq!((lines(&plain, "INFO"), lines(&plain, "DEBUG")), (0, 0), "{plain}");

    // -v: one line for each task that runs, with its recipe and the reason.
    // A task that is planned anew, since a calibration could not be made, has another identity then.
    let again = s.ifured(&["-i", "cafos", "-o", "once", "reduce", "night/raw", "--json"]).code(0).json();
    let is_reason = |line: &str, id: &str| line.contains("to do recipe=") && line.contains("does not exist yet") && line.contains(id);
    for task in again["tasks"].as_array().unwrap() {
        let id = task["id"].as_str().unwrap();
        assert_eq!(once.stderr.lines().filter(|l| is_reason(l, id)).count(), 1, "{task} {once}");
    }
    assert_eq!(lines(&once, "DEBUG"), 0, "{once}");
    // -vv: also one line for each file that is read, with its hash.
    for file in ifured_tests::raw_file::raw_files(&raw) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(twice.stderr.lines().any(|l| l.contains("read file=") && l.contains(&name) && l.contains("hash=")), "{name}: {twice}");
    }

    // What is done is neither read nor run again, and the log says nothing of it.
    let again = run(&["-vv"], "twice");
    assert_eq!((lines(&again, "INFO"), lines(&again, "DEBUG")), (0, 0), "{again}");
    // What a parameter changes, and nothing else, is named.
    let changed = run(&["-v", "--set", "recipes.coadd.enabled=false", "--set", "recipes.science-imaging.cosmic_sigma=6"], "once");
    let named = changed.stderr.lines().filter(|l| l.contains("to do recipe="));
    assert!(named.clone().count() == 3 && named.clone().all(|l| l.contains("\"science-imaging\"") && l.contains("why=")), "{changed}");
    // For machines the log keeps off standard output.
    s.ifured(&["-vv", "-o", "twice", "--json", "reduce", "--force"]).code(0).json();
}

#[test]
fn real_frames_of_another_instrument_are_counted() {
    let Some(kast) = shared("data/kast") else { return };
    let s = Scenario::new();
    s.ifured(&["-i", "cafos", "reduce", kast.to_str().unwrap()]).code(3).says("wrong-instrument (refused)");
}
