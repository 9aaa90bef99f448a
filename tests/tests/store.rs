//! The catalogue is a memory of frames and journal: lost, damaged, older or newer, it never costs a product and is never believed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ifured_tests::{Scenario, assert_same_products, copy, products};

/// A night that is reduced into `out`, with its products.
fn reduced() -> (Scenario, std::collections::BTreeMap<String, Vec<u8>>) {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "-o", "out", "reduce", "night/raw"]).code(0);
    let made = products(&s.join("out"));
    (s, made)
}

/// Changes the catalogue by SQL.
fn sql(s: &Scenario, text: &str) {
    let db = rusqlite::Connection::open(s.join("out/ifured.sqlite")).expect("the catalogue");
    db.execute_batch(text).expect("SQL");
}

#[test]
fn a_newer_catalogue_is_refused_in_words_and_left_alone() {
    let (s, _) = reduced();
    sql(&s, "PRAGMA user_version = 77");
    for command in [&["reduce"][..], &["ls"], &["plan"]] {
        s.ifured(&[&["-o", "out"], command].concat()).code(1).says("a newer ifured wrote it").says("version 77");
    }
    assert!(!s.join("out/ifured.sqlite.damaged").exists());
}

#[test]
fn damage_is_found_and_mended_from_what_is_true() {
    let (s, made) = reduced();
    let all_done = |what: &str| {
        let run = s.ifured(&["-i", "cafos", "-o", "out", "reduce", "night/raw", "--json"]).code(0).json();
        assert_eq!((run["ran"].as_u64(), run["failed"].as_array().map(Vec::len)), (Some(0), Some(0)), "{what}");
        assert_same_products(&made, &products(&s.join("out")));
    };
    // Another tag, another hash, another outcome: each is believed only with its digest.
    for change in [
        "UPDATE products SET hash = 'ffff'",
        "UPDATE frames SET hash = 'ffff'",
        "UPDATE headers SET cards = substr(cards, 100)",
        "UPDATE tasks SET outcome = replace(outcome, 'good', 'bad'), grade = 'bad'",
        "UPDATE tasks SET task = 'no task'",
        "DELETE FROM tasks",
        "DELETE FROM products",
        "DROP TABLE attempts",
        "ALTER TABLE frames DROP COLUMN axes",
    ] {
        sql(&s, change);
        all_done(change);
    }
    // Without a catalogue, without a journal, without either.
    fs::remove_file(s.join("out/ifured.sqlite")).unwrap();
    all_done("no catalogue");
    fs::remove_dir_all(s.join("out/journal")).unwrap();
    all_done("no journal");
    fs::remove_file(s.join("out/ifured.sqlite")).unwrap();
    all_done("neither");
    fs::write(s.join("out/ifured.sqlite"), "this is no database").unwrap();
    all_done("no database");
}

#[test]
fn a_directory_that_is_gone_is_forgotten_with_a_note() {
    let (s, _) = reduced();
    copy(&s.join("night/raw"), &s.join("more/raw"));
    for file in ifured_tests::raw_file::raw_files(&s.join("more/raw")) {
        // Other frames: the same content would be known.
        let mut bytes = fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] = bytes[last].wrapping_add(1);
        fs::write(&file, bytes).unwrap();
    }
    s.ifured(&["-i", "cafos", "-o", "out", "reduce", "more/raw"]).code(0);
    fs::remove_dir_all(s.join("more")).unwrap();
    s.ifured(&["-o", "out", "reduce"]).code(0).says("more/raw is not there any more").says("0 failed");
    let ran = s.ifured(&["-o", "out", "reduce"]).code(0);
    assert!(!ran.stderr.contains("not there"), "said once: {ran}");

    s.ifured(&["-o", "out", "scan", "--forget", "night/raw"]).code(0).says("forgot ");
    s.ifured(&["-o", "out", "scan", "--forget", "night/raw"]).code(2).says("was not scanned");
    let frames = s.ifured(&["-i", "cafos", "-o", "out", "ls", "--json"]).code(0).json();
    assert_eq!(frames.as_array().map(Vec::len), Some(0), "{frames}");
    assert!(s.join("night/raw").is_dir());
}

#[test]
fn names_are_bytes_and_need_not_be_text() {
    let s = Scenario::new();
    let raw = s.simulate(&["--size", "128"]);
    let night = fs::read_dir(&raw).unwrap().flatten().next().unwrap().path();
    let science = ifured_tests::raw_file::raw_files(&night).into_iter().find(|f| f.to_string_lossy().contains("20:00:00-sci")).unwrap();
    fs::rename(&science, night.join(OsStr::from_bytes(b"NGC_Mu\xf1oz.fits"))).unwrap();
    fs::rename(&night, raw.join(OsStr::from_bytes(b"170319_M\xfcller"))).unwrap();
    let output: PathBuf = s.join(OsStr::from_bytes(b"out_\xff"));
    let run = |arguments: &[&str]| {
        let mut all = vec![OsStr::new("-i"), OsStr::new("cafos"), OsStr::new("-o"), output.as_os_str()];
        all.extend(arguments.iter().map(OsStr::new));
        s.ifured(&all)
    };
    run(&["reduce", "night/raw"]).code(0).says("0 failed");
    run(&["reduce"]).code(0).says("all of them done already");
    run(&["ls", "--where", r"NAME like '*Mu\xF1oz*'"]).code(0).says(r"170319_M\xFCller/NGC_Mu\xF1oz.fits");
    fs::remove_file(output.join("ifured.sqlite")).unwrap();
    run(&["reduce", "night/raw", "--json"]).code(0).says("\"ran\": 0");
}

#[test]
fn a_plan_is_shown_while_a_run_is_on() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).code(0);
    // Somebody is at work: the lock is held, the catalogue is open.
    let lock = fs::File::options().read(true).write(true).open(s.join(".ifured.lock")).unwrap();
    lock.lock().unwrap();
    fs::write(s.join(".ifured.lock"), "process 1: somebody").unwrap();
    let since = Instant::now();
    s.ifured(&["-i", "cafos", "plan", "night/raw"])
        .code(0)
        .says("30 tasks, 0 done")
        .says("another ifured is at work here (process 1: somebody)");
    assert!(since.elapsed() < Duration::from_secs(60), "it waits for nobody");
    assert!(!s.join("plan.json").exists(), "nothing is written");
    s.ifured(&["ls"]).code(0);
    s.ifured(&["why", "coadd"]).code(2);
    s.ifured(&["-i", "cafos", "reduce", "night/raw"]).code(1).says("another ifured is working");
}

#[test]
fn the_scratch_of_a_killed_task_goes_with_the_next_run_or_with_clean() {
    let (s, _) = reduced();
    let left = s.join("out/.ifured-scratch/0123456789ab-1-0");
    let old = s.join("out/bias/.ifured-esorex-muse_bias-0123456789ab");
    let leave = || {
        for directory in [&left, &old] {
            fs::create_dir_all(directory.join("deep")).unwrap();
            fs::write(directory.join("deep/PIXTABLE.fits"), vec![0; 1 << 20]).unwrap();
        }
        fs::write(left.with_extension("lock"), "").unwrap();
    };
    leave();
    s.ifured(&["-o", "out", "clean", "--left-over", "--dry-run"]).code(0).says("would remove .ifured-scratch/0123456789ab-1-0");
    assert!(left.exists());
    s.ifured(&["-o", "out", "clean", "--left-over"]).code(0).says("the scratch of a task that was killed");
    assert!(!left.exists());
    leave();
    // What is in use stays.
    let used = s.join("out/.ifured-scratch/abcdef-2-0");
    fs::create_dir_all(&used).unwrap();
    let lock = fs::File::create(used.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    s.ifured(&["-o", "out", "reduce"]).code(0).says("removed what an interrupted run had left unfinished");
    assert!(!left.exists() && !old.exists() && used.exists());
}
