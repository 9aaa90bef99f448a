//! What is printed when it cannot be printed, and what files and people make the program print.

use std::fs::OpenOptions;
use std::io::pipe;

use ifured_tests::{Scenario, shared};

#[test]
fn a_reader_that_goes_away_does_not_stop_a_run() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut run = s.command(&["-i", "cafos", "-o", "out", "reduce", "night/raw"]);
    run.stdout(writer.try_clone().unwrap()).stderr(writer);
    let status = run.status().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
    s.ifured(&["-o", "out", "ls", "tasks", "--where", "STATE != 'done'", "--json"]).code(0).says("[]");
    // An error that nobody reads is one all the same.
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut wrong = s.command(&["-o", "out", "ls", "--where", "("]);
    wrong.stdout(writer.try_clone().unwrap()).stderr(writer);
    assert_eq!(wrong.status().unwrap().code(), Some(2));
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let s = Scenario::new();
    for arguments in [&["-i", "cafos", "schema"][..], &["plugin", "ls", "--json"], &["completions", "bash"]] {
        let mut command = s.command(arguments);
        command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap());
        let output = command.output().unwrap();
        s.ran(arguments.join(" "), output).code(1).says("cannot write to standard output: No space left on device");
    }
}

#[test]
fn numbers_of_decimals_have_a_limit() {
    let s = Scenario::new();
    s.ifured(&["ls", "--decimals", "70000"]).code(2).says("70000 is not in 0..=30");
}

#[test]
fn hostile_texts_are_errors_with_words() {
    let s = Scenario::new();
    std::fs::write(s.join("cr.toml"), "=\r").unwrap();
    s.ifured(&["config", "check", "cr.toml"]).code(2).says("cr.toml:1:");
    let Some(shared) = shared("cases/hostile/config-cr.toml") else { return };
    s.ifured(&["config", "check", shared.to_str().unwrap()]).code(2).says("config-cr.toml:1:");
}
