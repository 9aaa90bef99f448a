//! The archive's trees of association beside MUSE frames: what they change in a plan, and what becomes of bad ones. No recipe is run.

use std::path::PathBuf;

use ifured_core::Header;
use ifured_pixels::fits::{HduToWrite, write_product};
use ifured_tests::Scenario;
use ndarray::Array2;
use serde_json::Value;

/// Noon of 2024-01-01 at Paranal is some hours before.
const START_MJD: f64 = 60_310.9;

/// Biases of two nights, and flats in the second.
fn nights() -> Scenario {
    let s = Scenario::new();
    for n in 0..3 {
        raw(&s, &format!("early{n}"), "BIAS", START_MJD - 1.0 + f64::from(n) / 1440.0, "early");
        raw(&s, &format!("late{n}"), "BIAS", START_MJD + f64::from(n) / 1440.0, "late");
        raw(&s, &format!("flat{n}"), "FLAT,LAMP", START_MJD + 0.1 + f64::from(n) / 1440.0, "flat");
    }
    s
}

/// A frame, in a file of another name than that of the archive.
fn raw(s: &Scenario, name: &str, kind: &str, mjd: f64, template: &str) {
    let mut h = Header::new();
    for (key, value) in [
        ("INSTRUME", "MUSE"),
        ("ESO DPR CATG", "CALIB"),
        ("ESO DPR TYPE", kind),
        ("ESO DPR TECH", "IMAGE"),
        ("ESO INS MODE", "WFM-NOAO-N"),
        ("ESO TPL START", template),
        ("ARCFILE", &format!("MUSE.{name}.fits")),
    ] {
        h.set(key, value, "");
    }
    h.set("MJD-OBS", mjd, "");
    h.set("EXPTIME", 1.0, "");
    let mut channel = Header::new();
    channel.set("EXTNAME", "CHAN01", "");
    let pixels = Array2::from_elem((8, 8), (mjd * 1e4) as u16);
    std::fs::create_dir_all(s.join("raw")).unwrap();
    write_product(s.join(format!("raw/my_{name}.fits")), &[HduToWrite::Empty(&h), HduToWrite::image(&channel, pixels.view())]).unwrap();
}

fn files(category: &str, names: &[&str]) -> String {
    names.iter().map(|n| format!(r#"<file category="{category}" name="{n}"/>"#)).collect()
}

/// The flats with the biases that the archive has for them.
fn tree(biases: &[&str], attributes: &str) -> String {
    let (flats, biases) = (files("FLAT", &["MUSE.flat0", "MUSE.flat1.fits.fz", "MUSE.flat2"]), files("BIAS", biases));
    format!(
        r#"<?xml version="1.0"?><association category="FLAT"><mainFiles>{flats}</mainFiles><associatedFiles>
           <association category="BIAS" {attributes}><mainFiles>{biases}</mainFiles></association></associatedFiles></association>"#
    )
}

fn write(s: &Scenario, name: &str, text: &str) -> PathBuf {
    let path = s.join("raw").join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The association of the bias of the flat.
fn bias(s: &Scenario) -> Value {
    let plan = s.ifured(&["-i", "muse", "plan", "raw", "--json"]).code(0).json();
    let task = plan["tasks"].as_array().unwrap().iter().find(|t| t["recipe"] == "muse_flat").expect("a flat").clone();
    let mut associations = task["associations"].as_array().unwrap().iter();
    associations.find(|a| a["role"] == "bias").expect("a bias").clone()
}

/// Name, level and reason of the best candidate, and the level of the other.
fn best(s: &Scenario) -> (String, i64, String, i64) {
    let bias = bias(s);
    let candidate = |n: usize| bias["candidates"][n].clone();
    let (first, second) = (candidate(0), candidate(1));
    assert_eq!(bias["chosen"][0], first["name"]);
    (
        first["name"].as_str().unwrap().into(),
        first["level"].as_i64().unwrap(),
        first["why"].as_str().unwrap().into(),
        second["level"].as_i64().unwrap(),
    )
}

#[test]
fn the_archive_raises_and_lowers_levels() {
    let s = nights();
    let early = ["MUSE.early0", "MUSE.early1", "MUSE.early2"];
    let (name, level, why, other) = best(&s);
    assert!(name.contains("late0") && !why.contains("archive"), "{name} {why}");
    assert_eq!((level, other), (0, 1));

    let file = write(&s, "MUSE.flat0_raw2raw.xml", &tree(&early, r#"certified="true""#));
    let (name, level, why, other) = best(&s);
    assert!(name.contains("early0"), "{name}");
    assert_eq!((level, other), (0, 1));
    assert!(why.ends_with("raised: the archive associates it, certified"), "{why}");
    let lowered = bias(&s)["candidates"][1].clone();
    assert!(lowered["why"].as_str().unwrap().ends_with("lowered: the archive associates others"), "{lowered}");
    assert_eq!((bias(&s)["candidates"][0]["named"].clone(), lowered["named"].clone()), ("certified".into(), "others".into()));

    // Not certified: the others are as good as they were, this one is worse.
    write(&s, "MUSE.flat0_raw2raw.xml", &tree(&early, r#"certified="false""#));
    let (name, _, _, other) = best(&s);
    assert!(name.contains("late0") && other == 2, "{name} {other}");

    // A configuration that takes only the best level takes what was raised.
    write(&s, "MUSE.flat0_raw2raw.xml", &tree(&early, ""));
    let plan = s.ifured(&["-i", "muse", "plan", "raw", "--set", "association.muse_flat.bias.max_level=0"]).code(0);
    assert!(plan.stdout.contains("muse_flat") && plan.stdout.contains("0 blocked"), "{plan}");

    std::fs::remove_file(file).unwrap();
    assert!(best(&s).0.contains("late0"), "what is gone does not count");
}

#[test]
fn bad_trees_are_said_and_the_night_goes_on() {
    let s = nights();
    let early = ["MUSE.early0", "MUSE.early1", "MUSE.early2"];
    let laughs: String =
        r#"<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>"#.to_owned() + "<association category='&b;'/>";
    let deep = r#"<association category="A"><associatedFiles>"#.repeat(10_000);
    for (text, words) in [
        (laughs, "document type"),
        (deep, "64 elements inside each other"),
        (tree(&early, "")[..200].to_owned(), "cut off"),
        ("<VOTABLE/>".to_owned(), "no <association>"),
        (String::new(), "no <association>"),
    ] {
        write(&s, "bad.xml", &text);
        let plan = s.ifured(&["-i", "muse", "plan", "raw"]).code(0);
        let said = format!("{}{}", plan.stdout, plan.stderr);
        assert!(said.contains("bad.xml") && said.contains("not used") && said.contains(words), "{words}: {plan}");
        assert!(best(&s).0.contains("late0"));
    }

    // Names that are no names are left out; names of frames that are not here are said; the rest counts.
    let secret = s.join("secret.fits");
    std::fs::write(&secret, "").unwrap();
    let names = ["../secret.fits", secret.to_str().unwrap(), "MUSE.never.fits", "MUSE.early1"];
    write(&s, "bad.xml", &tree(&names, ""));
    let plan = s.ifured(&["-i", "muse", "plan", "raw"]).code(0);
    let said = format!("{}{}", plan.stdout, plan.stderr);
    assert!(said.contains("may not have directories") && said.contains("MUSE.never"), "{plan}");
    assert!(best(&s).0.contains("early0"), "{plan}");
}
