//! What a tired astronomer types at four in the morning.

use ifured_tests::{Scenario, shared};

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
    s.ifured(&["-o", "b", "reduce", "m/raw"]).code(3).says("muse has no recipes in this version");
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
    let ran =
        ran.says("unknown key `clip_sgima`; did you mean `clip_sigma`?").says("unknown key `master-biass`; did you mean `master-bias`?");
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

#[test]
fn real_frames_of_another_instrument_are_counted() {
    let Some(kast) = shared("data/kast") else { return };
    let s = Scenario::new();
    s.ifured(&["-i", "cafos", "reduce", kast.to_str().unwrap()]).code(3).says("wrong-instrument (refused)");
}
