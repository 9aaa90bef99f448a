//! Nights of MUSE from raw frames to combined cubes, through the command; good ones, and what can be wrong with frames and recipes.
//!
//! esorex is stood in for by a shell script that the test writes, for no recipe of ESO can be made to crash, hang or lie at will. The pixels mean nothing. What
//! is tested is what goes in, what is taken of what comes out, that the rest goes on, and what a user is told.

mod night;

use ifured_core::Header;
use ifured_pixels::fits::primary_header;
use ifured_tests::Ran;

use night::Night;

/// Two channels to the master flats.
const TO_FLATS: [&str; 2] = ["--to", "MASTER_FLAT"];

#[test]
fn a_good_night_gives_cubes_and_nothing_is_lost_with_the_catalogue() {
    let night = Night::new();
    night.reduce(&[]).code(0);
    let cubes = night.made("DATACUBE_FINAL");
    assert_eq!(cubes.len(), 3, "{cubes:?}");
    // An optional product that was not made, and two files of one tag.
    assert!(night.found("out", "DATACUBE_STD").is_empty() && night.found("out/muse_scipost", "_2.fits").len() == 2);
    night.reduce(&[]).code(0).says("all of them done already");
    assert_eq!(night.ifured(&["clean", "--left-over", "--dry-run"]).code(0).stdout, "nothing to remove\n");
    // The products say themselves what they are.
    for file in night.found("out", "ifured.sqlite") {
        std::fs::remove_file(file).unwrap();
    }
    night.reduce(&[]).code(0).says("all of them done already");
    // One of the files of a tag is gone: its task is done again, and no other.
    std::fs::remove_file(&night.found("out/muse_scipost", "_2.fits")[0]).unwrap();
    for file in night.found("out", "ifured.sqlite") {
        std::fs::remove_file(file).unwrap();
    }
    night.reduce(&[]).code(0).says(" 1 run now");
}

#[test]
fn another_version_of_the_pipeline_makes_its_products_anew() {
    let night = Night::new();
    night.reduce(&["--to", "MASTER_BIAS"]).code(0);
    let bias = night.made("MASTER_BIAS")[0].clone();
    assert_eq!(primary_header(&bias).unwrap().text("IFURED EXTERNAL"), Ok("muse_bias 2.8.7 (esorex)"));
    let bias = bias.file_name().unwrap().to_string_lossy().into_owned();
    assert!(night.ifured(&["why", &bias]).code(0).stdout.contains("made by muse_bias 2.8.7 (esorex)"));
    night.version("2.10.1");
    let why = night.ifured(&["why", &bias]).code(0).stdout;
    let words = why.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("out of date: made by muse_bias 2.8.7 (esorex), now it is muse_bias 2.10.1 (esorex)"), "{why}");
    night.reduce(&["--to", "MASTER_BIAS"]).code(0).says("2 run now, 0 done before");
    night.reduce(&["--to", "MASTER_BIAS"]).code(0).says("all of them done already");
}

/// Reduces to the master flats with a recipe for biases that goes wrong in the first channel, which must cost that channel only.
#[track_caller]
fn spoiled(script: &str, more: &[&str]) -> (Night, Ran) {
    let night = Night::new();
    night.behave("muse_bias", &format!("if [ $nifu = 1 ]; then {script}; fi"));
    let ran = night.reduce(&[&TO_FLATS, more].concat()).code(1);
    assert_eq!((night.made("MASTER_FLAT").len(), night.made("MASTER_BIAS").len()), (1, 1), "{ran}");
    assert!(ran.stderr.contains("failed: muse_bias") && ran.stderr.contains("help: "), "{ran}");
    assert!(ran.stderr.contains("blocked: muse_flat [CHAN01]") && ran.stderr.contains("it could not be made"), "{ran}");
    // Mended, only what is missing is done.
    night.behave("muse_bias", "");
    night.reduce(&TO_FLATS).code(0).says("2 run now, 2 done before");
    assert!(night.found("out", "failed-").is_empty());
    (night, ran)
}

#[test]
fn a_crash_costs_one_channel_and_is_kept_to_be_looked_at() {
    let night = Night::new();
    night.behave("muse_bias", "if [ $nifu = 1 ]; then echo '00:00:01 [ ERROR ] muse_bias: at slice 3'; kill -SEGV $$; fi");
    let ran = night.reduce(&TO_FLATS).code(1);
    for part in ["crashed after", "signal 11 (SIGSEGV", "it said: at slice 3", "all of the run is in", "look at its inputs"] {
        assert!(ran.stderr.contains(part), "{part}\n{ran}");
    }
    let kept = night.found("out/muse_bias", "failed-muse_bias-");
    assert!(kept.len() == 1 && kept[0].join("esorex.log").is_file());
    // The report leads there, and to the logs of what was made.
    let pages: String = night.found("out/report", ".html").iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    for link in ["href=\"../muse_bias/2024-01-01/failed-muse_bias-", "CHAN02.esorex.log\">"] {
        assert!(pages.contains(link), "{link}\n{pages}");
    }
    let product = night.made("MASTER_BIAS")[0].clone();
    assert!(product.with_extension("esorex.log").is_file());
    // What is left of failed runs is removed when it is asked for; a log goes with its product.
    night.ifured(&["clean", "--left-over", "--dry-run"]).code(0).says("would remove muse_bias/");
    night.ifured(&["clean", "--left-over"]).code(0).says("left by a failed run");
    assert!(night.found("out", "failed-").is_empty() && product.is_file());
    night.ifured(&["clean", &product.file_name().unwrap().to_string_lossy()]).code(0);
    assert!(!product.exists() && night.found("out/muse_bias", ".log").is_empty());
}

#[test]
fn a_recipe_that_hangs_is_ended_in_time() {
    let (_, ran) = spoiled("sleep 1000", &["--set", "resources.task_minutes=0.05"]);
    assert!(ran.stderr.contains("it took longer than") && ran.stderr.contains("resources.task_minutes"), "{ran}");
}

#[test]
fn success_without_a_product_is_a_failure() {
    let (_, ran) = spoiled("exit 0", &[]);
    assert!(ran.stderr.contains("as if all were well (exit status 0); no good MASTER_BIAS"), "{ran}");
}

#[test]
fn products_that_are_cut_or_without_a_number_are_refused() {
    let (_, ran) = spoiled("head -c 3000 \"$HERE\"/products/muse_bias/*.fits > cut.fits; exit 0", &[]);
    assert!(ran.stderr.contains("no good MASTER_BIAS") && ran.stderr.contains("cut.fits"), "{ran}");
    let night = Night::new();
    night.product("stand-in/products/nan.fits", "MASTER_BIAS", f32::NAN);
    night.behave("muse_bias", "if [ $nifu = 1 ]; then cp \"$HERE/products/nan.fits\" .; exit 0; fi");
    let ran = night.reduce(&TO_FLATS).code(1);
    assert!(ran.stderr.contains("nan.fits (MASTER_BIAS): none of its pixels is a number"), "{ran}");
    assert_eq!(night.made("MASTER_FLAT").len(), 1);
}

#[test]
fn good_products_are_taken_whatever_the_status() {
    let night = Night::new();
    night.behave("muse_bias", "if [ $nifu = 1 ]; then cp \"$HERE\"/products/muse_bias/*.fits .; exit 3; fi");
    night.reduce(&TO_FLATS).code(0).says("1 questionable");
    assert_eq!(night.made("MASTER_FLAT").len(), 2);
    let pages: String = night.found("out/report", ".html").iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    assert!(pages.contains("muse_bias ended with exit status 3") && pages.contains("but its products are good"));
}

fn is(header: &Header, kind: &str) -> bool {
    header.text("ESO DPR TYPE").is_ok_and(|t| t == kind)
}

#[test]
fn calibrations_of_another_mode_block_what_needs_them() {
    let night = Night::with(|header, _| {
        if is(header, "FLAT,LAMP") {
            header.set("ESO INS MODE", "WFM-AO-N", "");
        }
    });
    let ran = night.reduce(&[]).code(1);
    // What of the flats: which mode, and which was needed.
    assert!(ran.stderr.contains("blocked: muse_wavecal [CHAN01 to CHAN02]"), "{ran}");
    assert!(ran.stderr.contains("there is no WAVECAL_TABLE, for muse_wavecal is blocked"), "{ran}");
    assert!(ran.stderr.contains("ESO INS MODE") && ran.stderr.contains("WFM-AO-N") && ran.stderr.contains("WFM-NOAO-N"), "{ran}");
    // The rest went on.
    assert_eq!((night.made("MASTER_BIAS").len(), night.made("MASTER_FLAT").len()), (2, 2));
}

#[test]
fn what_belongs_to_no_night_is_to_be_named_too() {
    let night = Night::with(|header, name| {
        if header.text("ESO PRO CATG").is_ok_and(|c| c == "LINE_CATALOG") {
            name.clear();
        }
    });
    let ran = night.ifured(&["plan", "raw"]).code(0);
    let advice =
        "no line-catalogue: there is no LINE_CATALOG; LINE_CATALOG is of the instrument and of no night: name the directory with it, too";
    assert!(ran.stdout.contains(advice), "{ran}");
    assert!(
        ran.stdout.contains("blocked: muse_wavecal [CHAN01 to CHAN02]") && !ran.stdout.contains("WAVECAL_TABLE is of the instrument"),
        "{ran}"
    );
    // Not where the user wants to do without.
    let left_out =
        night.ifured(&["plan", "raw", "--set", "association.muse_wavecal.line-catalogue.enabled=false", "--to", "WAVECAL_TABLE"]);
    assert!(
        left_out.stdout.contains("no line-catalogue: left out by the configuration") && !left_out.stdout.contains("name the directory"),
        "{left_out}"
    );
}

#[test]
fn without_a_lamp_flat_beside_the_exposures_the_level_says_so() {
    let night = Night::with(|header, name| {
        if is(header, "FLAT,LAMP,ILLUM") {
            name.clear();
        }
    });
    night.reduce(&["--to", "PIXTABLE_OBJECT"]).code(0);
    let table = night.made("PIXTABLE_OBJECT")[0].clone();
    let header = primary_header(&table).unwrap();
    assert_eq!(header.integer("IFURED LEVEL"), Ok(2));
    let plan = night.ifured(&["plan", "raw", "--to", "PIXTABLE_OBJECT"]).code(0);
    assert!(
        plan.stdout.contains("no illumination: slices keep the illumination of the master flat (level 2; there is no ILLUM)"),
        "{plan}"
    );
}

#[test]
fn nominal_and_extended_range_are_kept_apart() {
    // The second exposure is of the extended range, of which there are no calibrations.
    let night = Night::with(|header, name| {
        if is(header, "OBJECT") && name.contains("T00:40") {
            header.set("ESO INS MODE", "WFM-NOAO-E", "");
        }
    });
    let ran = night.reduce(&["--to", "DATACUBE_FINAL"]).code(1);
    assert!(ran.stderr.contains("blocked: muse_scibasic [CHAN01 to CHAN02]") && ran.stderr.contains("WFM-NOAO-E"), "{ran}");
    assert_eq!(night.made("DATACUBE_FINAL").len(), 1, "{ran}");
}

#[test]
fn two_exposures_of_one_date_are_not_combined() {
    let night = Night::with(|header, name| {
        if is(header, "OBJECT") && name.contains("T00:40") {
            header.set("DATE-OBS", "2024-01-02T00:20:00.000", "");
            header.set("MJD-OBS", 60_311.0 + 1200.0 / 86_400.0, "");
        }
    });
    let ran = night.reduce(&[]).code(1);
    assert!(ran.stderr.contains("are of one DATE-OBS") && ran.stderr.contains("[[frames.correct]]"), "{ran}");
    // Each has its cube.
    assert_eq!(night.made("DATACUBE_FINAL").len(), 2, "{ran}");
}

#[test]
fn sets_of_frames_are_written_for_each_task_and_taken_back() {
    let night = Night::new();
    let plan = night.ifured(&["plan", "raw", "--sof", "sets"]).code(0);
    let sets = night.found("sets", ".sof");
    assert!(plan.stdout.contains(&format!("{} sets of frames in sets", sets.len())), "{plan}");
    let before: Vec<String> = sets.iter().map(|s| std::fs::read_to_string(s).unwrap()).collect();
    night.ifured(&["plan", "--sof", "sets"]).code(0);
    let again = night.found("sets", ".sof");
    assert_eq!((&again, again.iter().map(|s| std::fs::read_to_string(s).unwrap()).collect::<Vec<_>>()), (&sets, before));
    // Raw frames in the order of time, and what is not made yet under the path that it will have.
    let flat = &night.found("sets", "muse_flat-CHAN01")[0];
    let text = std::fs::read_to_string(flat).unwrap();
    let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    assert!(lines[..3].iter().all(|l| l.ends_with(" FLAT")) && lines[..3].is_sorted(), "{text}");
    assert!(lines[3].ends_with("-CHAN01.fits MASTER_BIAS") && lines[3].contains("/out/muse_bias/"), "{text}");
    assert!(text.starts_with("# ifured: muse_flat, extension CHAN01\n") && text.contains("\n# after 0001-muse_bias-CHAN01-"), "{text}");
    // Done by hand in their order, each finds what the one before it made.
    let recipe = |name: &str, sof: &str| night.ifured(&["recipe", "run", name, "--sof", sof, "--extension", "CHAN01"]);
    let missing = recipe("muse_flat", flat.to_str().unwrap()).code(2);
    assert!(missing.stderr.contains(".sof:10: there is no file") || missing.stderr.contains("there is no file"), "{missing}");
    night.reduce(&["--to", "MASTER_BIAS"]).code(0);
    recipe("muse_flat", flat.to_str().unwrap()).code(0).says("MASTER_FLAT");
    let sof = night.call("muse_flat");
    assert_eq!(sof.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn a_recipe_for_blank_sky_takes_the_object_under_the_tag_of_sky() {
    let night = Night::new();
    let on = ["--set", "recipes.muse_create_sky_object.enabled=true", "--to", "SKY_LINES"];
    night.ifured(&[&["plan", "raw", "--sof", "sets"], &on[..]].concat()).code(0);
    let sets = night.found("sets", "muse_create_sky_object");
    let text = std::fs::read_to_string(&sets[0]).unwrap();
    assert!(text.contains(" PIXTABLE_SKY\n") && !text.contains("PIXTABLE_OBJECT\n"), "{text}");
    // And it is taken back under that tag.
    night.reduce(&on).code(0);
    night.ifured(&["recipe", "run", "muse_create_sky_object", "--sof", sets[0].to_str().unwrap()]).code(0).says("SKY_LINES");
    assert!(night.call("muse_create_sky").contains(" PIXTABLE_SKY\n"));
}

#[test]
fn what_is_wrong_with_a_set_of_frames_is_said_with_its_line() {
    let night = Night::new();
    let raw = night.found("raw", "MUSE.")[0].display().to_string();
    let wrong = |text: &str, says: &[&str]| {
        std::fs::write(night.path("a.sof"), text).unwrap();
        let ran = night.ifured(&["recipe", "run", "muse_bias", "--sof", "a.sof"]).code(2);
        assert!(says.iter().all(|s| ran.stderr.contains(s)) && ran.stderr.contains("help: "), "{says:?}\n{ran}");
    };
    wrong("raw/nothing.fits BIAS\r\n", &["a.sof:1: there is no file raw/nothing.fits"]);
    wrong(&format!("{raw} BAIS\n{raw} FLAT\n"), &["a.sof:1: no tag `BAIS` is known here; is `BIAS` meant?", "a.sof:2: no tag `FLAT`"]);
    wrong(&format!("# one\n{raw} BIAS\n{raw} BIAS\n"), &["a.sof:3: ", "is given twice as BIAS, first in line 2"]);
    wrong(&format!("{raw}\n"), &["a.sof:1: ", "has no tag"]);
    wrong("/my data/a.fits BIAS\n", &["a.sof:1: the path `/my data/a.fits` holds a blank"]);
    wrong("", &["a.sof: there are no frames in it"]);
    wrong(&format!("{raw} BADPIX_TABLE\n"), &["no frames for muse_bias: it is about BIAS"]);
    night.ifured(&["recipe", "run", "muse_bias", "--sof", "nothing.sof"]).code(2).says("nothing.sof: cannot read it");
    night.ifured(&["recipe", "run", "muse_bias", &raw, "--sof", "a.sof"]).code(2);
    std::fs::write(night.path("a.sof"), format!("{raw} FLAT\n")).unwrap();
    night.ifured(&["recipe", "run", "muse_flat", "--sof", "a.sof"]).code(2).says("recipe muse_flat needs a bias (MASTER_BIAS)");
    night.ifured(&["recipe", "run", "muse_bias", &raw, "--extension", "CHIP1"]).code(2).says("goes by extensions like CHAN??");
}
