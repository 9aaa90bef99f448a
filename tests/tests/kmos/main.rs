//! A night of KMOS from raw frames to combined cubes, through the command.
//!
//! The recipes of ESO's KMOS pipeline are in no package, so esorex is stood in for by a shell script that the test writes: it answers the questions
//! that esorex is asked, and as its products it copies files that the test made, in the layouts that ESO's recipes write. The pixels mean nothing. What is
//! tested is what goes in, what is checked of what comes out, and what a user is told.

mod night;

use std::path::{Path, PathBuf};

use ifured_pixels::fits::{HduSelect, primary_header, read_table};

use night::{ARMS, Fill, Night, science_name};

fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

#[test]
fn the_plan_has_the_whole_cascade_and_says_what_is_missing() {
    let night = Night::new();
    let plan = night.ifured(&["plan", "raw"]).code(0);
    // There is no twilight flat, and only one template to combine.
    let some = ["kmos_dark", "kmos_flat", "kmos_wave_cal", "kmos_illumination_lamp", "kmos_std_star", "kmos_pairing", "kmos_sci_red"];
    assert!(some.iter().all(|recipe| plan.stdout.contains(recipe)), "{plan}");
    // The standard is 0.1 days before; the illumination is of the lamp, for there is no twilight flat.
    let plan = night.ifured(&["plan", "raw", "--json"]).code(0).json();
    let task = |recipe: &str| {
        plan["tasks"].as_array().unwrap().iter().find(|t| t["recipe"] == recipe).unwrap_or_else(|| panic!("no {recipe}")).clone()
    };
    let inputs = |recipe: &str, role: &str| -> Vec<String> {
        let all = task(recipe)["inputs"].as_array().unwrap().clone();
        all.iter().filter(|i| i["role"] == role).map(|i| i["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((inputs("kmos_dark", "main").len(), inputs("kmos_flat", "main").len(), inputs("kmos_wave_cal", "main").len()), (3, 6, 2));
    assert_eq!(
        (inputs("kmos_wave_cal", "lamp-off").len(), inputs("kmos_wave_cal", "arc-lines")),
        (1, vec!["kmos_arc_list_k.fits".to_owned()])
    );
    assert_eq!(inputs("kmos_sci_red", "oh-lines"), ["kmos_oh_spec_k.fits"]);
    assert_eq!((inputs("kmos_std_star", "sun").len(), inputs("kmos_std_star", "atmosphere").len()), (1, 0));
    assert!(inputs("kmos_sci_red", "illumination")[0].contains("kmos_illumination_lamp"));
    assert_eq!(
        (inputs("kmos_sci_red", "main").len(), inputs("kmos_sci_red", "telluric").len(), task("kmos_sci_red")["level"].clone()),
        (4, 1, 1.into())
    );

    // A flat too few, no arcs, no standard.
    let frames: Vec<PathBuf> = std::fs::read_dir(night.path("raw")).unwrap().map(|e| e.unwrap().path()).collect();
    let of = |kind: &str| {
        let mut all: Vec<&PathBuf> =
            frames.iter().filter(|p| primary_header(p).unwrap().text("ESO DPR TYPE").is_ok_and(|t| t == kind)).collect();
        all.sort();
        all
    };
    of("WAVE,OFF").into_iter().chain(of("OBJECT,SKY,STD,FLUX")).chain(of("FLAT,OFF")).for_each(|p| remove(p));
    let plan = night.ifured(&["plan", "raw"]).code(0);
    assert!(plan.stdout.contains("3 of at least 6 frames") && plan.stdout.contains("no xcal"), "{plan}");
}

#[test]
fn a_good_night_gives_cubes_that_are_found_good() {
    let night = Night::new();
    night.reduce(&[]).code(0);
    let counts =
        [("CUBES MISSING", 0.0), ("CUBES EMPTY", 0.0), ("CUBES WITHOUT WAVELENGTHS", 0.0), ("CUBES FINITE", 1.0), ("OBJECTS", 10.0)];
    let report = night.science_says(&counts, "good");
    // Arms without a name are reduced; that they cannot be combined by name is said.
    assert!(report.contains("2 cubes are of arms without a name"));
    // One cube of each target, in files of their own.
    let combined = night.product("SCI_COMBINED");
    assert!((2..=4).all(|n| combined.with_file_name(format!("{}_{n}.fits", combined.file_stem().unwrap().to_string_lossy())).is_file()));

    // What went in: each frame once, under its tag; the recipe finds the skies by its own rule.
    let sof = night.call("kmos_sci_red.sof");
    assert_eq!(sof.lines().filter(|l| l.ends_with(" SCIENCE")).count(), 4, "{sof}");
    for tag in ["XCAL", "YCAL", "LCAL", "WAVE_BAND", "MASTER_FLAT", "ILLUM_CORR", "TELLURIC", "OH_SPEC"] {
        assert_eq!(sof.lines().filter(|l| l.ends_with(&format!(" {tag}"))).count(), 1, "{tag}: {sof}");
    }
    assert!(!night.call("kmos_sci_red.arguments").contains("obj_sky_table"));
    let flats = night.call("kmos_flat.sof");
    assert_eq!(flats.lines().filter(|l| l.ends_with("FLAT_ON") || l.ends_with("FLAT_OFF")).count(), 6, "{flats}");
    night.reduce(&[]).code(0).says("all of them done already");
}

#[test]
fn the_table_of_skies_is_read_changed_and_given_back() {
    let night = Night::new();
    // A sky of another block of the night.
    night.science(4, "2021-06-06T04:00:00", "1002", "SSSS.S", "K");
    night.reduce(&["--to", "PAIRING"]).code(0);
    assert_eq!(night.call("kmos_sci_red.sof"), "", "no recipe of ESO was needed");
    let fits = night.path("out/kmos_pairing");
    let table = night.product("PAIRING");
    assert!(table.starts_with(&fits));
    let columns = read_table(&table, HduSelect::name("PAIRING")).unwrap();
    assert_eq!(columns.rows, 4 * 24);
    let text = std::fs::read_to_string(table.with_extension("txt")).unwrap();
    let cells = |line: &str| line.split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    let of = |text: &str, n: usize, arm: u8| {
        let line = text.lines().find(|l| l.starts_with(&science_name(n)) && cells(l)[1] == arm.to_string());
        line.unwrap_or_else(|| panic!("no line for {n} {arm}: {text}")).to_owned()
    };
    let row = cells(&of(&text, 0, 1));
    assert_eq!(row, [&science_name(0), "1", "galaxy 1", "object", &science_name(1), "+6.0", "-"]);
    assert_eq!(cells(&of(&text, 0, 5))[3..], ["off", "-", "-", "NotInPAF/Locked"]);

    // Another sky for one arm.
    let line = of(&text, 2, 2);
    let edited = text.replace(&line, &format!("{} | 2 | galaxy 2 | object | {}", science_name(2), science_name(4)));
    std::fs::write(night.path("pairing.txt"), &edited).unwrap();
    let given = ["--set", "recipes.kmos_sci_red.pairing=pairing.txt"];
    night.reduce(&given).code(0);
    let eso = night.call("obj_sky_table.txt");
    assert!(eso.contains("# 4: ") && eso.contains(&science_name(4)), "{eso}");
    let skies: Vec<&str> = eso.lines().filter(|l| l.contains("sky in #")).collect();
    let words = |n: usize| skies[n].split_whitespace().skip(3).take(6).collect::<Vec<_>>().join(" ");
    assert_eq!((skies.len(), words(0), words(1)), (2, "1 1 1 1 . 1".into(), "1 4 1 1 . 1".into()));
    assert!(
        std::fs::read_to_string(night.product("SCI_RECONSTRUCTED").with_extension("pairing.txt")).unwrap().contains("sky of another OB")
    );
    night.reduce(&given).code(0).says("all of them done already");

    // All that is wrong with a table is said at once, with lines.
    let wrong = edited.replace(&of(&edited, 2, 2), &format!("{} | 2 | galaxy 2 | object | {}", science_name(2), science_name(0)));
    let wrong = wrong.replace(&of(&wrong, 2, 1), &format!("{} | 33 | galaxy 1 | object | KMOS.nowhere.fits", science_name(2)));
    std::fs::write(night.path("pairing.txt"), &wrong).unwrap();
    // Only where the lines belong to.
    let ran = night.reduce(&given).code(1).says(" 1 failed");
    for part in ["not sky; write", "`33` is no arm", "no line for"] {
        assert!(ran.stdout.contains(part) || ran.stderr.contains(part), "{part}\n{ran}");
    }
}

#[test]
fn success_with_cubes_of_zeros_is_bad() {
    let night = Night::new();
    night.reconstructed(2, &[1, 2, 3, 4, 6], Fill::Zero, 0.000_28);
    night.reduce(&[]);
    let report = night.science_says(&[("CUBES EMPTY", 5.0), ("CUBES MISSING", 0.0)], "bad");
    assert!(report.contains("all pixels are zero"));
}

#[test]
fn a_missing_cube_and_a_missing_target_are_named() {
    let night = Night::new();
    night.reconstructed(2, &[1, 2, 4, 6], Fill::Light, 0.000_28);
    remove(&night.path("stand-in/products/kmos_sci_red/SCI_COMBINED_galaxy_2.fits"));
    night.reduce(&[]);
    let report = night.science_says(&[("CUBES MISSING", 1.0), ("TARGETS MISSING SCI_COMBINED", 1.0), ("CUBES EMPTY", 0.0)], "bad");
    assert!(report.contains(&format!("of {}: arm 3 (star_3)", science_name(2))));
    assert!(report.contains("3 of 4 targets were combined; no SCI_COMBINED of galaxy 2"));
}

#[test]
fn a_wavelength_step_of_zero_is_bad() {
    let night = Night::new();
    night.reconstructed(0, &[1, 2, 3, 4, 6], Fill::Light, 0.0);
    night.reduce(&[]);
    let report = night.science_says(&[("CUBES WITHOUT WAVELENGTHS", 5.0)], "bad");
    assert!(report.contains("the wavelength step is not positive"));
}

#[test]
fn shifts_go_by_the_names_of_files() {
    let night = Night::new();
    // A second template of the field, with products of the same names.
    for (n, letters) in ARMS.iter().enumerate() {
        night.science(n + 10, "2021-06-06T05:00:00", "1003", letters, "K");
    }
    for target in ["galaxy 1", "galaxy 2", "star_3"] {
        night.combined("kmos_combine", "COMBINE_SCI_RECONSTRUCTED", target);
    }
    // The stand-in gives both templates all files.
    for n in [10, 12] {
        night.reconstructed(n, &[1, 2, 3, 4, 6], Fill::Light, 0.000_28);
    }
    night.reduce(&[]);
    let combined = primary_header(night.product("COMBINE")).unwrap();
    assert_eq!(combined.text("IFURED GRADE"), Ok("bad"));
    assert!(night.report().contains("3 of 4 targets were combined; no COMBINE of galaxy 4"));
    let sof = night.call("kmos_combine.sof");
    let files: Vec<String> =
        sof.lines().filter_map(|l| Some(Path::new(l.split(' ').next()?).file_name()?.to_string_lossy().into_owned())).collect();
    assert_eq!(files.len(), 8, "{sof}");

    let lines: Vec<String> = files.iter().enumerate().rev().map(|(n, f)| format!("{f} {n} -{n}")).collect();
    std::fs::write(night.path("shifts.txt"), lines.join("\n")).unwrap();
    let given = ["--set", "recipes.kmos_combine.method=user", "--set", "recipes.kmos_combine.shifts=shifts.txt"];
    night.reduce(&given);
    let positional = night.call("filename.txt");
    assert_eq!(positional.lines().map(|l| l.split_whitespace().next().unwrap()).collect::<Vec<_>>()[..2], ["1.0000", "2.0000"]);
    assert_eq!(positional.lines().count(), 7);

    std::fs::write(night.path("shifts.txt"), lines[1..].join("\n")).unwrap();
    let ran = night.reduce(&given).code(1);
    assert!(ran.stderr.contains("no good line for") || ran.stdout.contains("no good line for"), "{ran}");
}
