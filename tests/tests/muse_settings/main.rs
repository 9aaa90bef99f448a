//! MUSE exposures from raw frames to combined cubes, through the command: what can be asked for, and what is done then.
//!
//! The recipes of ESO are stood in for by a shell script, as in the scenarios of KMOS: the pixels mean nothing. What is tested is what is planned, what goes
//! into a recipe, and what a user finds afterwards.

mod night;
mod real;

use ifured_pixels::fits::{ColumnData, HduSelect, primary_header, read_table};
use serde_json::Value;

use night::{EXPOSURES, Night, POINTING, inputs, tasks};

const SKY: [&str; 2] = ["recipes.muse_scipost_with_sky.enabled=true", "recipes.muse_scipost_with_sky_without_rv.enabled=true"];

fn reasons(plan: &Value, recipe: &str, role: &str) -> Vec<String> {
    let of =
        |t: &&Value| t["missing"].as_array().unwrap().iter().find(|m| m["role"] == role).map(|m| m["why"].as_str().unwrap().to_owned());
    tasks(plan, recipe).iter().filter_map(of).collect()
}

#[test]
fn a_field_is_tied_to_a_known_position() {
    let night = Night::new("WFM-NOAO-N");
    // The middle of the first image is 1 arcsecond further north than its header says.
    let dec = POINTING.1 + 1.0 / 3600.0;
    let positions = format!("recipes.muse_register.positions=[{{\"x\": 50.0, \"y\": 50.0, \"ra\": {}, \"dec\": {dec}}}]", POINTING.0);
    let set = ["--set", &positions];
    night.reduce(&set).code(0);
    let list = night.made(&["OFFSET_LIST_REGISTERED"]);
    let table = read_table(&list, HduSelect::Index(1)).unwrap();
    let column = |name: &str| match &table.column(name).unwrap().data {
        ColumnData::F64(cells) => (0..4).map(|r| cells.row(r).unwrap()[0]).collect::<Vec<f64>>(),
        other => panic!("{other:?}"),
    };
    let moved = column("DEC_OFFSET").iter().zip(column("DEC_OFFSET_ORIG")).map(|(now, before)| now - before).collect::<Vec<f64>>();
    assert!(moved.iter().all(|d| (d + 1.0 / 3600.0).abs() < 1e-9), "{moved:?}");
    let image = night.made(&["IMAGE_FOV_REGISTERED"]);
    assert_eq!(primary_header(&image).unwrap().text("IFURED RECIPE"), Ok("muse_register"));
    // The combination takes that list, as ESO's recipe calls it.
    let sof = night.calls("muse_exp_combine", "sof").pop().unwrap();
    let lists: Vec<&str> = sof.lines().filter(|l| l.ends_with(" OFFSET_LIST")).collect();
    assert!(lists.len() == 1 && lists[0].contains("OFFSET_LIST_REGISTERED"), "{sof}");
    night.reduce(&set).code(0).says("all of them done already");
    // Without registration the list of muse_exp_align.
    night.reduce(&[&set[..], &["--set", "recipes.muse_register.enabled=false"]].concat()).code(0);
    let sof = night.calls("muse_exp_combine", "sof").pop().unwrap();
    assert!(!sof.contains("REGISTERED") && sof.contains("OFFSET_LIST"), "{sof}");
    night.reduce(&["--set", "recipes.muse_register.enabled=true"]).code(1).says("recipes.muse_register.positions is empty").says("ra = ");
    let typed = ["--set", r#"recipes.muse_register.positions=[{"x": 50.0, "y": 50.0, "ra": "x", "dec": 1.0, "exposur": "a"}]"#];
    night.reduce(&typed).code(2).says("exposur");
}

#[test]
fn cubes_with_and_without_sky_and_velocity_lie_side_by_side() {
    let night = Night::new("WFM-NOAO-N");
    night.reduce(&["--set", SKY[0], "--set", SKY[1], "--set", "recipes.muse_scipost.rvcorr=helio"]).code(0);
    let first = EXPOSURES[0].0;
    for tag in ["DATACUBE_FINAL_MUSE", "DATACUBE_FINAL_WITH_SKY_MUSE", "DATACUBE_FINAL_WITH_SKY_WITHOUT_RV_MUSE"] {
        let cube = night.made(&["muse_scipost/", tag, first]);
        assert_eq!(primary_header(&cube).unwrap().text("ESO PRO CATG"), Ok("DATACUBE_FINAL"));
        night.made(&["muse_exp_combine/", tag, first]);
    }
    // What is set for the ordinary cube holds for the others, but for what makes them different.
    let arguments = night.calls("muse_scipost", "arguments");
    let has = |words: &[&str], not: &[&str]| {
        let fits = |a: &&String| words.iter().all(|w| a.contains(w)) && !not.iter().any(|w| a.contains(w));
        arguments.iter().filter(fits).count()
    };
    assert_eq!(has(&["--rvcorr=helio"], &["skymethod"]), EXPOSURES.len(), "{arguments:?}");
    assert_eq!(has(&["--rvcorr=helio", "--skymethod=none"], &[]), EXPOSURES.len(), "{arguments:?}");
    assert_eq!(has(&["--rvcorr=none", "--skymethod=none"], &[]), EXPOSURES.len(), "{arguments:?}");
    let sof = night.calls("muse_exp_combine", "sof");
    assert!(
        sof.len() == 3 && sof.iter().all(|s| s.lines().filter(|l| l.ends_with(" PIXTABLE_REDUCED")).count() == EXPOSURES.len()),
        "{sof:?}"
    );
    assert_eq!(tasks(&night.plan(&[]), "muse_exp_combine_with_sky").len(), 0);
}

#[test]
fn products_are_collected_under_names_that_say_what_they_are() {
    let night = Night::new("WFM-NOAO-N");
    night.ifured(&["collect", "cubes"]).code(2).says("there is no catalogue");
    night.ifured(&["scan", "raw", "masters"]).code(0);
    night.ifured(&["collect", "cubes"]).code(3).says("no product");
    night.reduce(&[]).code(0);
    let listed = night.ifured(&["--json", "ls", "--tag", "OBJECT", "--columns", "EXPNAME"]).code(0).json();
    let mut names: Vec<&str> = listed.as_array().unwrap().iter().map(|r| r["EXPNAME"].as_str().unwrap()).collect();
    names.sort_unstable();
    // Negative angles turn round; two equal names of other blocks count anew.
    let expected = ["180431-242316_0060_000_00", "180431-242316_0900_000_00", "180431-242316_0900_000_00", "180431-242316_0900_270_00"];
    assert_eq!(names, expected);

    night.ifured(&["collect", "out/all", "--dry-run"]).code(0).says("would be collected");
    assert!(!night.path("out/all").exists());
    night.ifured(&["collect", "all"]).code(0).says("14 collected, 0 there before");
    let cube = night.path("all/DATACUBE_FINAL_NGC_1_a_180431-242316_0900_270_00.fits");
    assert!(cube.is_symlink() && primary_header(&cube).is_ok());
    assert!(night.path("all/DATACUBE_FINAL_NGC_1_b_180431-242316_0900_000_00.fits").exists());
    assert!(night.path("all/DATACUBE_FINAL_NGC_1_a+1_180431-242316_0900_000_00_4-exposures.fits").exists());
    night.ifured(&["collect", "all"]).code(0).says("0 collected, 14 there before");

    // Copies and hard links are known again; a file that is in the way stays, and the product gets another name.
    for means in ["--copy", "--link"] {
        std::fs::create_dir_all(night.path(means)).unwrap();
        let at = |name: &str| night.path(means).join(name);
        let (name, next) =
            ("DATACUBE_FINAL_NGC_1_a_180431-242316_0900_270_00.fits", "DATACUBE_FINAL_NGC_1_a_180431-242316_0900_270_00_2.fits");
        std::fs::write(at(name), "mine").unwrap();
        let place = at("").display().to_string();
        let to = ["collect", &place, means, "--tag", "DATACUBE_FINAL", "--only", "DATACUBE_FINAL_NGC_1_a_*_270_00"];
        night.ifured(&to).code(0).says("1 collected");
        assert_eq!(std::fs::read_to_string(at(name)).unwrap(), "mine");
        assert!(primary_header(at(next)).is_ok() && !at(next).is_symlink());
        night.ifured(&to).code(0).says("0 collected, 1 there before");
    }
    night.ifured(&["collect", "x", "--tag", "DATACUBE"]).code(2).says("makes no products of tag `DATACUBE`");
    // Collected products that lie among raw frames are no raw frames.
    night.ifured(&["collect", "raw/collected", "--copy"]).code(0);
    night.reduce(&[]).code(0).says("all of them done already");
}

#[test]
fn the_calibration_plan_says_what_every_exposure_takes_and_why() {
    let night = Night::new("WFM-NOAO-N");
    night.ifured(&["plan", "raw", "masters", "--calplan", "calplan.txt"]).code(0).says("wrote calplan.txt");
    let text = std::fs::read_to_string(night.path("calplan.txt")).unwrap();
    let sections: Vec<&str> = text.split("\n\n").collect();
    assert_eq!(sections.len(), 1 + EXPOSURES.len(), "{text}");
    assert!(sections[1].starts_with("raw/MUSE.2024-01-01T20:00:00.000.fits (OBJECT, night 2024-01-01, 900"), "{text}");
    let has = |words: &[&str]| sections[1].lines().any(|l| words.iter().all(|w| l.contains(w)));
    assert!(has(&["muse_scibasic", "flat", "MASTER_FLAT", " MASTER_FLAT.fits", "file", "2.0 h earlier", "same night"]), "{text}");
    // The bias that is made, and what it is made of.
    assert!(has(&["muse_scibasic", "bias", "MASTER_BIAS", "muse_bias/2024-01-01/MASTER_BIAS_", "muse_bias  "]), "{text}");
    assert!(has(&["muse_bias", "(frames)", "BIAS", "3 from MUSE.2024-01-01T19:00:00.000.fits to"]), "{text}");
    assert!(has(&["muse_exp_combine", "offsets", "OFFSET_LIST", "muse_exp_align"]), "{text}");
    assert!(has(&["muse_scibasic", "dark", "none", "no dark current is subtracted"]), "{text}");
    // The same again, on the screen.
    let shown = night.ifured(&["plan", "raw", "masters", "--calplan", "-"]).code(0).stdout;
    assert_eq!(shown.trim_end(), text.trim_end());
}

#[test]
fn calibrations_come_from_raw_frames_or_the_archive_as_is_asked() {
    let night = Night::new("WFM-NOAO-N");
    let bias = |set: &[&str]| inputs(tasks(&night.plan(set), "muse_scibasic")[0], "bias")[0].clone();
    assert!(bias(&["calibrations.prefer=archive"]).ends_with("MASTER_BIAS.fits"));
    assert!(bias(&["calibrations.prefer=raw"]).starts_with("muse_bias/"));
    assert!(bias(&["calibrations.prefer=raw", "association.muse_scibasic.bias.prefer=archive"]).ends_with("MASTER_BIAS.fits"));
    assert!(bias(&["recipes.muse_bias.enabled=false"]).ends_with("MASTER_BIAS.fits"));
    // A calibration that is there and is not wanted.
    let plan = night.plan(&["association.muse_scipost.telluric.enabled=false"]);
    assert_eq!(inputs(tasks(&plan, "muse_scipost")[0], "telluric"), Vec::<String>::new());
    assert_eq!(reasons(&plan, "muse_scipost", "telluric")[0], "left out by the configuration");
    night.reduce(&["--dry-run", "--set", "calibrations.prefer=old"]).code(2).says("archive");
}

#[test]
fn exposures_are_chosen_by_time_name_and_block() {
    let night = Night::new("WFM-NOAO-N");
    let combined = |set: &[&str]| -> Vec<usize> {
        let plan = night.plan(set);
        tasks(&plan, "muse_exp_combine").iter().map(|t| inputs(t, "main").len()).collect()
    };
    // Exposures of one field are combined whatever their blocks, or block by block: a block of one exposure is not combined.
    assert_eq!(combined(&[]), [4]);
    assert_eq!(combined(&["grouping.muse_exp_combine.same=[\"ESO OBS NAME\"]"]), [3]);
    assert_eq!(combined(&["frames.exposures=[\"180431-242316_0900_000_00\"]"]), [2]);
    let slip = ["plan", "raw", "masters", "--set", "frames.exposures=[\"180431-242316_0901*\"]"];
    night.ifured(&slip).says("frames.exposures: no frame matches 180431-242316_0901*");
    assert_eq!(combined(&["frames.exposures=[\"MUSE.2024-01-01T20:*\"]"]), [3]);
    let expect = r#"classification.OBJECT.expect=[{"key": "EXPTIME", "is": "<", "value": 100}]"#;
    assert_eq!(combined(&[expect]), Vec::<usize>::new());
    assert_eq!(tasks(&night.plan(&[expect]), "muse_scipost").len(), 1);
    let ran = night.ifured(&["ls", "--where", "EXPTIME > 100", "--tag", "OBJECT", "--columns", "EXPNAME"]).code(0);
    ran.says("180431-242316_0900_270_00").says("3 ");
}

#[test]
fn raman_lines_are_of_the_lasers_and_the_sky_of_what_is_asked() {
    let raman = |mode: &'static str, set: &[&str]| {
        let plan = Night::new(mode).plan(set);
        inputs(tasks(&plan, "muse_scipost")[0], "raman-lines").len()
    };
    assert_eq!((raman("WFM-NOAO-N", &[]), raman("WFM-AO-N", &[]), raman("NFM-AO-N", &[])), (0, 1, 1));
    assert_eq!(raman("WFM-AO-N", &["association.muse_scipost.raman-lines.enabled=false"]), 0);
    // The sky of an exposure of blank sky, of the object itself, or as the list of lines has it.
    let night = Night::new("WFM-NOAO-N");
    let lines = |set: &[&str]| inputs(tasks(&night.plan(set), "muse_scipost")[0], "sky-lines")[0].clone();
    assert!(lines(&[]).ends_with("SKY_LINES.fits"));
    let object = ["recipes.muse_create_sky_object.enabled=true", "recipes.muse_create_sky.enabled=false"];
    assert!(lines(&object).contains(EXPOSURES[0].0), "{}", lines(&object));
    let mask = |n: usize| inputs(tasks(&night.plan(&object), "muse_scipost")[n], "sky-mask")[0].clone();
    assert!(mask(1).contains("SKY_MASK") && mask(1).contains(EXPOSURES[1].0), "{}", mask(1));
    night.raw("2024-01-01T20:05:00.000", "SKY", "SKY", |_| ());
    assert!(lines(&[]).contains("2024-01-01T20:05:00.000"), "{}", lines(&[]));
}

#[test]
fn products_of_a_kind_are_removed() {
    let night = Night::new("WFM-NOAO-N");
    night.reduce(&[]).code(0);
    night.ifured(&["clean", "--tag", "PIXTABLE_*", "--dry-run"]).code(0).says("would remove muse_scibasic/");
    night.ifured(&["clean", "--tag", "PIXTABLE_*", "--tag", "muse_exp_combine*"]).code(0).says("removed muse_exp_combine/");
    let left: Vec<String> = ifured_tests::products(&night.path("out")).into_keys().collect();
    assert!(
        left.iter().any(|n| n.contains("DATACUBE_FINAL")) && !left.iter().any(|n| n.contains("PIXTABLE") || n.contains("combine")),
        "{left:?}"
    );
    let ran = night.ifured(&["clean", "--tag", "PIXTABL_*"]).code(0);
    assert!(ran.stderr.contains("no products of tag PIXTABL_*"), "{ran}");
}
