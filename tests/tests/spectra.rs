//! Simulated spectra to the end, and arcs and standards that are of no use: each costs what needs it and says so, and the night goes on.

use std::fs;
use std::path::PathBuf;

use ifured_tests::Scenario;
use ifured_tests::raw_file::{changed, raw_files, with_pixels};
use serde_json::Value;

/// Times of the arc, the standard and the target.
const ARC: &str = "18:10:00";
const STANDARD: &str = "02:30:00";
const TARGET: &str = "03:00:00";
/// Pixels along each axis.
const SIZE: usize = 256;

fn frame(s: &Scenario, time: &str) -> PathBuf {
    raw_files(&s.join("night/raw")).into_iter().find(|f| f.to_string_lossy().contains(time)).expect("a frame of that time")
}

/// A night of which the spectra, and what they need, are left.
fn spectra() -> Scenario {
    let s = Scenario::new();
    s.simulate(&[]);
    let needed = |name: &str| [ARC, STANDARD, TARGET, "-16:", "-18:0"].iter().any(|time| name.contains(time));
    for file in raw_files(&s.join("night/raw")) {
        if !needed(&file.file_name().unwrap().to_string_lossy()) {
            fs::remove_file(file).unwrap();
        }
    }
    s
}

fn edit(s: &Scenario, time: &str, change: impl FnOnce(&[u8]) -> Vec<u8>) {
    let path = frame(s, time);
    let new = change(&fs::read(&path).unwrap());
    fs::write(path, new).unwrap();
}

/// Reduces all that is there; nothing fails.
fn reduce(s: &Scenario) -> Value {
    let run = s.ifured(&["-i", "cafos", "reduce", "night/raw", "--json"]).code(0).json();
    assert_eq!(run["failed"].as_array().unwrap().len(), 0, "{run}");
    run
}

/// The task of a recipe on the frame of a time.
#[track_caller]
fn task<'a>(run: &'a Value, recipe: &str, time: &str) -> &'a Value {
    let mut tasks = run["tasks"].as_array().unwrap().iter();
    let found = tasks.find(|t| t["recipe"] == recipe && t.to_string().contains(time));
    found.unwrap_or_else(|| panic!("no {recipe} at {time}: {run}"))
}

/// What a task says, in one text.
fn notes(task: &Value) -> String {
    task["outcome"]["notes"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

fn grade(task: &Value, number: &str) -> String {
    let mut all = task["outcome"]["quality"].as_array().unwrap().iter();
    all.find(|q| q["name"] == number).and_then(|q| q["grade"].as_str()).unwrap_or("none").to_owned()
}

fn makes_nothing(task: &Value) -> bool {
    task["outcome"]["products"].as_array().unwrap().iter().all(|p| p["tag"] != "extracted-spectrum" && p["tag"] != "wavelength-solution")
}

#[test]
fn wavelengths_and_fluxes_come_back() {
    let s = spectra();
    let run = reduce(&s);
    for (recipe, time) in [
        ("wavelength-solution", ARC),
        ("extraction", STANDARD),
        ("extraction", TARGET),
        ("response", STANDARD),
        ("flux-calibration", TARGET),
    ] {
        let task = task(&run, recipe, time);
        let grades: Vec<&Value> = task["outcome"]["quality"].as_array().unwrap().iter().map(|q| &q["grade"]).collect();
        assert!(task["level"] == 0 && grades.iter().all(|g| *g == "good" || g.is_null()), "{task}");
    }
    let verified = s.ifured(&["verify", "--truth", "night/truth"]).code(0).says("recover the truth");
    for row in ["error of the wavelengths", "pull of the counts", "response, median ratio", "flux, ratio of the block furthest off"] {
        assert!(verified.stdout.contains(row), "no `{row}`\n{verified}");
    }
}

#[test]
fn an_arc_of_another_lamp_is_refused_and_the_night_goes_on() {
    let s = Scenario::new();
    s.simulate(&[]);
    edit(&s, ARC, |arc| changed(arc, "INSCALNM", Some("INSCALNM= 'Ne      /        /   '")));
    let run = reduce(&s);
    let solution = task(&run, "wavelength-solution", ARC);
    assert!(makes_nothing(solution) && grade(solution, "N LINES") == "bad", "{solution}");
    let text = notes(solution);
    assert!(text.contains("the header names NE (38 lines in the list)") && text.contains("frames.correct"), "{text}");
    let extraction = task(&run, "extraction", TARGET);
    assert!(makes_nothing(extraction) && extraction["level"] == 3, "{extraction}");
    assert!(notes(extraction).contains("no wavelength solution for this grism"), "{extraction}");
    for recipe in ["coadd", "polarimetry", "science-spectroscopy"] {
        assert!(run["tasks"].as_array().unwrap().iter().any(|t| t["recipe"] == recipe), "no {recipe}: {run}");
    }
    // Who asks for the fluxes alone is told why there are none, also the second time.
    for _ in 0..2 {
        let asked = s.ifured(&["-i", "cafos", "--output", "some", "reduce", "night/raw", "--to", "calibrated-spectrum"]).code(3);
        asked.says("what was asked for cannot be made").says("the header names NE").says("without --to");
    }
}

#[test]
fn an_arc_with_too_few_lines_is_refused() {
    let s = spectra();
    // A shutter that hid all but three lines.
    edit(&s, ARC, |arc| {
        with_pixels(arc, |pixels| {
            let (dark, lit) = pixels.split_at_mut(100 * SIZE);
            dark.copy_from_slice(&lit[..100 * SIZE]);
            let level = dark.iter().copied().min().unwrap();
            for (k, v) in dark.iter_mut().chain(&mut lit[50 * SIZE..]).enumerate() {
                *v = level + (k * 7919 % 13) as u16;
            }
        })
    });
    let run = reduce(&s);
    let solution = task(&run, "wavelength-solution", ARC);
    assert!(makes_nothing(solution) && grade(solution, "N LINES") == "bad", "{solution}");
    assert!(notes(solution).contains("too few (at least 5 of each)") && notes(solution).contains("HGCD, HE, RB"), "{solution}");
}

#[test]
fn saturated_lines_are_left_out_and_a_frame_full_of_them_is_no_arc() {
    let s = spectra();
    edit(&s, ARC, |arc| {
        with_pixels(arc, |pixels| {
            // As if the lamp had burnt four times longer.
            pixels[..SIZE * SIZE].iter_mut().for_each(|v| *v = (f32::from(*v) * 4.0 - 3.0 * 670.0).clamp(0.0, 65_535.0) as u16);
        })
    });
    let run = reduce(&s);
    let saturated = task(&run, "arc", ARC)["outcome"]["quality"][0].clone();
    assert!(saturated["name"] == "N SATURATED" && saturated["value"].as_f64().unwrap() > SIZE as f64, "{saturated}");
    let solution = task(&run, "wavelength-solution", ARC);
    assert!(!makes_nothing(solution) && grade(solution, "N LINES") == "good", "{solution}");
    s.ifured(&["verify", "--truth", "night/truth"]).code(0).says("error of the wavelengths");

    let s = spectra();
    edit(&s, ARC, |arc| with_pixels(arc, |pixels| pixels[..SIZE * SIZE].iter_mut().for_each(|v| *v = if *v > 750 { 65_535 } else { *v })));
    let run = reduce(&s);
    s.ifured(&["ls", "--tag", "wrong-arc"]).code(0).says("QUANT975");
    assert!(makes_nothing(task(&run, "extraction", TARGET)), "{run}");
}

#[test]
fn without_a_standard_spectra_stay_in_counts() {
    // Beside the slit: where it was there is sky.
    let beside = |s: &Scenario| {
        edit(s, STANDARD, |standard| {
            with_pixels(standard, |pixels| {
                for row in pixels[..SIZE * SIZE].chunks_exact_mut(SIZE) {
                    row.copy_within(160..200, 98);
                }
            })
        });
    };
    let absent = |s: &Scenario| fs::remove_file(frame(s, STANDARD)).unwrap();
    for (is_there, remove) in [(true, &beside as &dyn Fn(&Scenario)), (false, &absent)] {
        let s = spectra();
        remove(&s);
        let run = reduce(&s);
        if is_there {
            let standard = task(&run, "extraction", STANDARD);
            assert!(makes_nothing(standard) && grade(standard, "N OBJECTS") == "bad", "{standard}");
            assert!(notes(standard).contains("no object on the slit"), "{standard}");
        }
        assert!(run["tasks"].as_array().unwrap().iter().all(|t| t["recipe"] != "response"), "{run}");
        let target = task(&run, "flux-calibration", TARGET);
        assert_eq!(target["level"], 2, "{target}");
        assert!(notes(target).contains("no response of a standard star for this grism") && notes(target).contains("ls --columns STANDARD"));
        let product = format!("flux-calibration/170319_t2_CAFOS/calibrated_caf-20170320-{TARGET}-sci-simu.fits");
        s.ifured(&["why", &product]).code(0).says("level 2").says("counts above the atmosphere");
    }
}

#[test]
fn a_grism_without_an_arc_costs_its_own_frames() {
    let s = spectra();
    edit(&s, TARGET, |target| changed(target, "INSGRID", Some("INSGRID = 'GRISM- 5'")));
    let run = reduce(&s);
    let target = task(&run, "extraction", TARGET);
    assert!(makes_nothing(target) && target["level"] == 3 && grade(target, "N OBJECTS") == "bad", "{target}");
    assert!(notes(target).contains("there is no wavelength solution for this grism"), "{target}");
    assert_eq!(task(&run, "flux-calibration", STANDARD)["level"], 0);
    let product = format!("extraction/170319_t2_CAFOS/rectified_caf-20170320-{TARGET}-sci-simu.fits");
    s.ifured(&["why", &product]).code(0).says("INSGRID is `GRISM- 9`, needed `GRISM- 5`");
}
