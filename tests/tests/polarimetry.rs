//! Sequences through the Wollaston prism, from raw frames to Stokes parameters, with a standard and without.

use std::fs;

use ifured_core::Figure;
use ifured_pixels::fits::{HduSelect, read_table};
use ifured_tests::Scenario;

/// The simulated frame whose name has this time.
fn frame(s: &Scenario, time: &str) -> std::path::PathBuf {
    let night = fs::read_dir(s.join("night/raw")).unwrap().next().unwrap().unwrap().path();
    let mut frames = fs::read_dir(night).unwrap().map(|f| f.unwrap().path());
    frames.find(|f| f.to_string_lossy().contains(time)).expect("a frame of that time")
}

#[test]
fn a_night_gives_stokes_parameters_and_says_what_was_subtracted() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&["-i", "cafos", "reduce", "night/raw", "--to", "stokes"]).code(0);
    s.ifured(&["verify", "--truth", "night/truth"]).code(0).says("pull of q and u").says("q instr");
    let listed = s.ifured(&["ls", "products", "--tag", "stokes", "--columns", "OBJECT", "--json"]).code(0).json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(names.len(), 2, "{listed}");
    for name in &names {
        let table = read_table(s.join(name), HduSelect::name("STOKES")).unwrap();
        assert!(table.rows > 2 && Figure::of(&table.header).len() == 3, "{name}");
    }
    let field = names.iter().find(|n| n.contains("22:00:00")).unwrap();
    s.ifured(&["why", field]).code(0).says("instrumental-polarisation_caf-20170319-23:00:00");
}

#[test]
fn a_missing_angle_costs_one_field_and_not_the_night() {
    let s = Scenario::new();
    s.simulate(&[]);
    fs::remove_file(frame(&s, "23:05:00")).unwrap();
    let run = s.ifured(&["-i", "cafos", "reduce", "night/raw", "--json"]).code(0).json();
    assert_eq!(run["failed"].as_array().unwrap().len(), 0, "{run}");
    let listed = s.ifured(&["ls", "products", "--tag", "stokes", "--json"]).code(0).json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["level"]), (1, &2.into()), "{listed}");
    let name = listed[0]["name"].as_str().unwrap();
    s.ifured(&["why", name]).code(0).says("frames at 3").says("nothing is subtracted");
}
