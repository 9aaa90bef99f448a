//! A run or a worker that is killed at any moment costs nothing but time.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ifured_tests::{Scenario, assert_same_products, products};
use rand::{Rng, SeedableRng};

const KILLS: usize = 50;

/// Only products, not the raw frames beside them.
fn reduced(s: &Scenario) -> std::collections::BTreeMap<String, Vec<u8>> {
    products(&s.join("out"))
}

#[test]
fn the_same_bytes_after_fifty_kills() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    let arguments = ["--instrument", "cafos", "--output", "out", "reduce", "night/raw"];
    let start = Instant::now();
    s.ifured(&arguments).code(0);
    let whole = start.elapsed();
    let expected = reduced(&s);
    assert!(expected.len() > 5);

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(20261121);
    fs::remove_dir_all(s.join("out")).unwrap();
    let mut completed = 0;
    for kill in 0..KILLS {
        let mut child = s.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(rng.random_range(0.0..0.9)));
        let workers = children(child.id());
        match workers.first() {
            // Every third time a worker, else the run itself.
            Some(&worker) if kill % 3 == 0 => {
                signal(worker);
                child.wait().unwrap();
            }
            _ => {
                signal(child.id());
                child.wait().unwrap();
                wait_until_gone(&workers);
            }
        }
        // No half file under a product's name: whatever is there is whole.
        let found = reduced(&s);
        for (name, bytes) in &found {
            assert!(expected.get(name) == Some(bytes), "kill {kill}: {name} is not what it should be");
        }
        // Start again from nothing once everything is there, so that every stage is hit.
        if found.len() == expected.len() {
            s.ifured(&arguments).code(0);
            assert_same_products(&expected, &reduced(&s));
            completed += 1;
            fs::remove_dir_all(s.join("out")).unwrap();
        }
    }
    s.ifured(&arguments).code(0);
    assert_same_products(&expected, &reduced(&s));
    let leftovers: Vec<_> = walk(&s.join("out")).into_iter().filter(|n| n.contains("ifured-tmp")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    println!("{KILLS} kills, {completed} times all products were there in between");
}

fn walk(directory: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            names.extend(walk(&entry.path()));
        } else {
            names.push(entry.path().display().to_string());
        }
    }
    names
}

fn children(process: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|n| n.parse().ok()).collect()
}

fn signal(process: u32) {
    let _ = std::process::Command::new("kill").args(["-9", &process.to_string()]).stderr(Stdio::null()).status();
}

/// Workers end by themselves when the run is gone.
fn wait_until_gone(processes: &[u32]) {
    let start = Instant::now();
    while processes.iter().any(|p| fs::metadata(format!("/proc/{p}")).is_ok_and(|_| !is_zombie(*p))) {
        assert!(start.elapsed() < Duration::from_secs(30), "a worker outlives its run");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_zombie(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|s| s.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}
