//! What goes wrong, or passes in silence, in programs that astronomers come from (the chapter "Coming from filabres" lists
//! it): here each has an answer. Broken files are in `bad_files.rs`, copies across nights in `faults.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use ifured_pixels::fits::{HduSelect, ImageReader, primary_header};
use ifured_tests::raw_file::{changed, filled, raw_files};
use ifured_tests::{Scenario, products};

const REDUCE: [&str; 6] = ["-i", "cafos", "-o", "out", "reduce", "night/raw"];

/// A raw frame whose name holds this.
fn frame(raw: &Path, part: &str) -> PathBuf {
    raw_files(raw).into_iter().find(|p| p.to_string_lossy().contains(part)).unwrap_or_else(|| panic!("no frame {part}"))
}

const BIAS: &str = "20170319-16:00:00";
const FLAT: &str = "20170319-17:00:00";
const SCIENCE: &str = "20170319-20:00:00";

#[test]
fn odd_frames_get_their_class_and_none_stops_the_night() {
    let s = Scenario::new();
    let raw = s.simulate(&["--size", "128"]);
    let read = |part| fs::read(frame(&raw, part)).unwrap();
    let (bias, flat, science) = (read(BIAS), read(FLAT), read(SCIENCE));
    let set = |bytes: &[u8], cards: &[(&str, Option<&str>)]| {
        cards.iter().fold(bytes.to_vec(), |bytes, (keyword, line)| changed(&bytes, keyword, *line))
    };
    let exposed = set(&bias, &[("EXPTIME", Some("EXPTIME =                  3.0"))]);
    let labelled = set(&bias, &[("IMAGETYP", Some("IMAGETYP= 'science '")), ("OBJECT", Some("OBJECT  = 'M 31    '"))]);
    let no_time = Some("MJD-OBS =            -678943.0");
    let shouted = set(&bias, &[("IMAGETYP", Some("IMAGETYP= 'BIAS    '")), ("MJD-OBS", no_time)]);
    let bare = set(&science, &[("AIRMASS", None), ("INSCALNM", None)]);
    let wollaston = set(&science, &[("INSPOFPI", Some("INSPOFPI= 'WOLLASTON'"))]);
    let table = [
        ("saturated_flat", filled(&flat, 65_535), "wrong-flat-imaging", "wrong"),
        ("faint_flat", filled(&flat, 900), "wrong-flat-imaging", "wrong"),
        ("exposed_bias", exposed, "wrong-bias", "wrong"),
        ("labelled_science", labelled, "wrong-science-imaging", "wrong"),
        ("shouted_bias", shouted, "bias", "good"),
        ("bare_science", bare, "science-imaging", "good"),
        ("wollaston", wollaston, "science-imaging-wollaston", "good"),
        ("busca", set(&science, &[("INSTRUME", Some("INSTRUME= 'BUSCA   '"))]), "wrong-instrument", "wrong"),
    ];
    let night = frame(&raw, BIAS).parent().unwrap().to_owned();
    for (name, bytes, ..) in &table {
        fs::write(night.join(format!("{name}.fits")), bytes).unwrap();
    }
    s.ifured(&REDUCE).code(0);
    let rows = s.ifured(&["-o", "out", "ls", "--columns", "MJD", "--json"]).code(0).json();
    let row =
        |name: &str| rows.as_array().unwrap().iter().find(|r| r["name"].as_str().unwrap().ends_with(&format!("/{name}.fits"))).unwrap();
    for (name, _, tag, state) in &table {
        assert_eq!((&row(name)["tag"], &row(name)["state"]), (&(*tag).into(), &(*state).into()), "{name}: {}", row(name));
    }
    // The time is that of DATE-OBS, and a note says so.
    let mjd = row("shouted_bias")["MJD"].as_f64().unwrap();
    assert!((mjd - 57_831.666_7).abs() < 1e-3, "{mjd}");
    assert!(row("shouted_bias")["notes"].to_string().contains("DATE-OBS"), "{}", row("shouted_bias"));

    // The polarimetric frame is not reduced as if it were an image; absent keywords stay absent.
    let made = products(&s.join("out"));
    assert!(
        !made.keys().any(|k| k.starts_with("science-imaging/") && k.contains("wollaston") || k.contains("exposed_bias")),
        "{:?}",
        made.keys()
    );
    let product = made.keys().find(|k| k.contains("bare_science_red")).expect("a reduced image");
    let header = primary_header(s.join("out").join(product)).unwrap();
    assert!(!header.contains("AIRMASS") && !header.contains("INSCALNM"));

    // A correction makes the mislabelled frame what it is.
    let correction = "[[frames.correct]]\nfiles = [\"labelled_*\"]\nset = { IMAGETYP = \"bias\", OBJECT = \"[bias]\" }\n";
    fs::write(s.join("out/ifured.toml"), correction).unwrap();
    s.ifured(&REDUCE).code(0);
    let master = s.ifured(&["-o", "out", "ls", "--tag", "bias", "--json"]).json().to_string();
    assert!(master.contains("labelled_science.fits"), "{master}");
}

#[test]
fn a_filter_without_a_flat_is_said_in_the_product() {
    let s = Scenario::new();
    let raw = s.simulate(&["--size", "128"]);
    let path = frame(&raw, SCIENCE);
    fs::write(&path, changed(&fs::read(&path).unwrap(), "INSFLID", Some("INSFLID = 'FILT-77 '"))).unwrap();
    s.ifured(&REDUCE).code(0);
    let listed = s.ifured(&["-o", "out", "ls", "products", "--where", "missing(FLAT) && TAG = 'reduced-imaging'", "--json"]).json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["level"]), (1, &3.into()), "{listed}");
    let header = primary_header(s.join("out").join(listed[0]["name"].as_str().unwrap())).unwrap();
    assert_eq!(header.integer("IFURED LEVEL").unwrap(), 3);
    assert_eq!(header.text("IFURED MISS1 ROLE").unwrap(), "flat");
    // Who wants no such image says so, and gets a reason instead.
    let s2 = s.ifured(&[&["--set", "association.science-imaging.flat.required=true"], &REDUCE[..]].concat()).code(1);
    s2.says("blocked").says("no flat");
}

#[test]
fn old_calibrations_are_not_taken_in_silence() {
    let s = Scenario::new();
    let raw = s.simulate(&["--size", "128"]);
    let later = raw.join("170429_t2_CAFOS");
    fs::create_dir(&later).unwrap();
    let path = frame(&raw, SCIENCE);
    let bytes = changed(&fs::read(&path).unwrap(), "MJD-OBS", Some("MJD-OBS =           57872.8333"));
    let bytes = changed(&bytes, "DATE-OBS", Some("DATE-OBS= '2017-04-29T20:00:00'"));
    fs::write(later.join("later.fits"), bytes).unwrap();
    s.ifured(&REDUCE).code(1).says("blocked").says("later.fits");
    let bias = "bias_caf-20170319-16:00:00-cal-simu_red.fits";
    s.ifured(&["-o", "out", "whynot", "later.fits", bias]).code(0).says("limit 30 d").says("max_age_days");
    s.ifured(&[&["--set", "association.science-imaging.bias.max_age_days=60"], &REDUCE[..]].concat()).code(0);
}

#[test]
fn an_entry_that_is_switched_off_stays_off_beside_one_that_is_on() {
    let s = Scenario::new();
    let raw = s.simulate(&["--size", "128"]);
    let night = frame(&raw, BIAS).parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let entry = |part: &str, enabled: bool| {
        format!("[[frames.ignore]]\nnight = \"{night}\"\nfiles = [\"*{part}*\"]\nenabled = {enabled}\nwhy = \"a test\"\n")
    };
    fs::write(s.join("ifured.toml"), entry("16:00:00", false) + &entry("16:01:11", true)).unwrap();
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).code(0);
    let ignored = s.ifured(&["ls", "--where", "STATE = 'ignored'", "--json"]).json();
    let names: Vec<&str> = ignored.as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert!(names.len() == 1 && names[0].contains("16:01:11"), "{names:?}");
}

#[test]
fn a_filter_runs_no_code_and_a_wrong_key_names_the_right_one() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).code(0);
    for code in ["__import__('os').system('touch ran')", "$(touch ran)", "EXPTIME > 0; touch ran", "k[exptime] > 50"] {
        s.ifured(&["ls", "--where", code]).code(2).says("filter not understood");
    }
    assert!(!s.join("ran").exists());
    s.ifured(&["ls", "--where", "EXPTME > 1"]).code(2).says("no row has a key `EXPTME`").says("EXPTIME");
}

#[test]
fn masks_are_zero_or_one() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&REDUCE).code(0);
    let made = products(&s.join("out"));
    let masks: Vec<&String> = made.keys().filter(|k| k.ends_with("_mask.fits")).collect();
    assert_eq!(masks.len(), 3);
    for mask in masks {
        let values = ImageReader::open(s.join("out").join(mask), HduSelect::First).unwrap().read_all().unwrap();
        assert!(values.iter().all(|&v| v == 0.0 || v == 1.0), "{mask}");
        assert!(values.iter().any(|&v| v == 1.0), "{mask}");
    }
}

#[test]
fn a_frame_without_any_time_is_refused_and_the_julian_date_is_the_last_resort() {
    let s = Scenario::new();
    let raw = s.simulate(&["--size", "128"]);
    let path = frame(&raw, BIAS);
    let bytes = changed(&fs::read(&path).unwrap(), "MJD-OBS", None);
    fs::write(path.with_file_name("timeless.fits"), changed(&bytes, "DATE-OBS", None)).unwrap();
    let julian = changed(&bytes, "DATE-OBS", Some("JD      =        2457832.16667"));
    fs::write(path.with_file_name("julian.fits"), julian).unwrap();
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).code(1);
    let rows = s.ifured(&["ls", "--columns", "MJD", "--json"]).json();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|r| r["name"].as_str().unwrap().ends_with(name)).unwrap();
    assert_eq!(row("timeless.fits")["state"], "refused", "{}", row("timeless.fits"));
    assert_eq!(row("julian.fits")["state"], "good", "{}", row("julian.fits"));
    assert!((row("julian.fits")["MJD"].as_f64().unwrap() - 57_831.666_67).abs() < 1e-3, "{}", row("julian.fits"));
}
