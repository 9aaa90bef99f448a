use std::path::Path;
use std::sync::Arc;

use ifured_core::instrument::Purpose;
use ifured_core::recipe::{Engine, Grouping, InputSpec, Level, MainInput, Memory, ProductFormat, ProductSpec};
use ifured_core::{Condition, Config, FrameType, InstrumentDescription, NightRule, RecipeDescription, Rule, Signature, Test, Value};

use super::*;
use crate::plan::group::tests::item;
use crate::plan::{Request, Verdicts, plan};

fn recipe(name: &str, tag: &str, min_frames: usize, inputs: Vec<InputSpec>) -> RecipeDescription {
    RecipeDescription {
        name: name.into(),
        version: 1,
        title: String::new(),
        description: String::new(),
        main: MainInput {
            tags: vec![tag.into()],
            group: Grouping { signature: Signature::exact(&["CCD"]), span_hours: Some(1.0), within_night: true, apart: vec![], min_frames },
            ..MainInput::default()
        },
        inputs,
        products: vec![ProductSpec {
            tag: format!("master-{tag}").as_str().into(),
            title: String::new(),
            path: format!("{name}/{{night}}/{{stem}}_red.fits"),
            signature: Signature::exact(&["CCD"]),
            format: ProductFormat::Fits,
        }],
        enabled: true,
        memory: Memory { fixed: 0.0, per_pixel: 0.0, per_pixel_and_frame: 0.0, ..Memory::default() },
        engines: vec![Engine { schema: serde_json::json!({"type": "object"}), ..Engine::default() }],
        ..RecipeDescription::default()
    }
}

fn input(role: &str, required: bool) -> InputSpec {
    let level = |level, title: &str, same_night, max_age_days| Level {
        level,
        title: title.into(),
        signature: Signature::exact(&["CCD"]),
        same_night,
        max_age_days,
        adapt: None,
        when: vec![],
    };
    InputSpec {
        role: role.into(),
        tags: vec![format!("master-{role}").as_str().into()],
        required,
        levels: vec![level(0, "same night", true, None), level(1, "same set-up", false, Some(30.0))],
        otherwise: format!("no {role} correction"),
        level_without: 3,
        ..InputSpec::default()
    }
}

fn kind(name: &str) -> FrameType {
    let rule = Rule { tag: name.into(), when: vec![Condition::new("IMAGETYP", Test::Equal, name)], expect: vec![] };
    FrameType {
        rule,
        title: String::new(),
        purpose: Purpose::Calibration,
        signature: Signature::exact(&["CCD"]),
        timeless: false,
        product: false,
    }
}

/// An instrument with bias, flat and object frames.
pub(crate) fn instrument() -> InstrumentDescription {
    InstrumentDescription {
        name: "test".into(),
        aliases: vec![],
        title: String::new(),
        version: "1".into(),
        recognise: vec![Condition::new("INSTRUME", Test::Equal, "TEST")],
        require: vec![],
        statistics: false,
        night: NightRule::Directory,
        time: Default::default(),
        frame_types: ["bias", "flat", "object"].map(kind).to_vec(),
        recipes: vec![
            recipe("bias", "bias", 1, vec![]),
            recipe("flat", "flat", 1, vec![]),
            recipe("science", "object", 1, vec![input("bias", true), input("flat", false)]),
        ],
        columns: vec!["CCD".into(), "EXPTIME".into()],
        ..InstrumentDescription::default()
    }
}

/// Frames of a few nights and their plan, of which nothing is done.
pub(crate) fn example() -> Snapshot {
    let frame =
        |name: &str, tag: &str, night: &str, mjd: f64, ccd: &str| item(name, tag, night, mjd, &[("CCD", Value::from(ccd))]).first.clone();
    let mut frames = vec![
        frame("data/n1/b1.fits", "bias", "n1", 100.1, "SITE1d"),
        frame("data/n1/b2.fits", "bias", "n1", 100.11, "SITE1d"),
        frame("data/n2/b3.fits", "bias", "n2", 101.1, "SITE1d"),
        frame("data/n0/b0.fits", "bias", "n0", 59.5, "SITE1d"),
        frame("data/n0/f1.fits", "flat", "n0", 59.8, "SITE1d"),
        frame("data/n1/f2.fits", "flat", "n9", 100.2, "LORAL"),
        frame("data/n1/s1.fits", "object", "n1", 100.3, "SITE1d"),
        frame("data/n1/s2.fits", "object", "n1", 100.3, "TEK"),
    ];
    let mut wrong = (*frame("data/n1/bad.fits", "wrong-bias", "n1", 100.1, "SITE1d")).clone();
    (wrong.state, wrong.why) = (FrameState::Wrong, "EXPTIME is `3.0`, not `0.0`".into());
    frames.push(Arc::new(wrong));
    let (instrument, config, verdicts) = (Arc::new(instrument()), Arc::new(Config::default()), Verdicts::default());
    let request =
        Request { frames: &frames, instrument: &instrument, config: &config, output: Path::new("/out"), hints: &[], verdicts: &verdicts };
    let plan = plan(&request).unwrap();
    let standings = plan.tasks().map(|_| Standing::ToDo(ToDo::NotMade)).collect();
    Snapshot {
        output: Path::new("/out").into(),
        instrument,
        config_text: "{}".into(),
        frames: frames.into(),
        hints: Arc::new([]),
        known: Arc::default(),
        last_run: None,
        read_now: 0,
        planned: Some(Planned::new(plan, standings)),
    }
}

#[test]
fn why_is_readable_and_names_the_smallest_relaxation() {
    let snapshot = example();
    let text = why(&snapshot, "s1_red.fits").unwrap().to_string();
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text, @r##"
science/n1/s1_red.fits
  science in night n1, level 3, from 1 frame, first s1.fits
  signature SITE1d
  to do: its product does not exist yet

bias: 2 of 3 candidates fit
  * bias/n1/b1_red.fits
      level 0: same night, 4.7 h earlier
  - bias/n2/b3_red.fits
      level 1: same set-up, 19.2 h later
      not level 0: night n2, needed n1
  - bias/n0/b0_red.fits
      does not fit: 40.8 d earlier, limit 30 d
      not level 0: night n0, needed n1
      admitted by [association.science.bias] max_age_days = 41

flat: 0 of 2 candidates fit
  without it: no flat correction, level 3
  - flat/n9/f2_red.fits
      does not fit: CCD is `LORAL`, needed `SITE1d`
  - flat/n0/f1_red.fits
      does not fit: 40.5 d earlier, limit 30 d
      not level 0: night n0, needed n1
      admitted by [association.science.flat] max_age_days = 41

* taken: best level first, then best grade, then nearest in time
"##);
}

#[test]
fn blocked_groups_and_other_calibrations_are_explained() {
    let snapshot = example();
    let not = |frame: &str, calibration: &str| why_not(&snapshot, frame, calibration).unwrap().to_string();
    let texts = [
        why(&snapshot, "s2").unwrap().to_string(),
        not("s1", "b3_red.fits"),
        not("s1", "b1_red.fits"),
        not("s1.fits", "f1_red"),
        not("s1", "b2.fits"),
        not("s1", "bad"),
        not("bad.fits", "b1_red"),
        why(&snapshot, "nothing").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(texts.join("----\n"), @r##"
data/n1/s2.fits
  science in night n1, from 1 frame, first data/n1/s2.fits
  blocked: no bias: nearest candidate bias/n1/b1_red.fits: CCD is `SITE1d`,
    needed `TEK`

bias: 0 of 3 candidates fit
  it is required: the group cannot be reduced
  - bias/n1/b1_red.fits
      does not fit: CCD is `SITE1d`, needed `TEK`
  - bias/n2/b3_red.fits
      does not fit: CCD is `SITE1d`, needed `TEK`
  - bias/n0/b0_red.fits
      does not fit: CCD is `SITE1d`, needed `TEK`

flat: 0 of 2 candidates fit
  the recipe can do without it
  - flat/n9/f2_red.fits
      does not fit: CCD is `LORAL`, needed `TEK`
  - flat/n0/f1_red.fits
      does not fit: CCD is `SITE1d`, needed `TEK`
----
science/n1/s1_red.fits
  bias of science, candidate 2 of 3:
  - bias/n2/b3_red.fits
      level 1: same set-up, 19.2 h later
      not level 0: night n2, needed n1
  taken instead:
  * bias/n1/b1_red.fits
      same night, 4.7 h earlier
----
science/n1/s1_red.fits
  bias of science, taken:
  * bias/n1/b1_red.fits
      level 0: same night, 4.7 h earlier
----
science/n1/s1_red.fits
  flat of science, candidate 2 of 2:
  - flat/n0/f1_red.fits
      does not fit: 40.5 d earlier, limit 30 d
      not level 0: night n0, needed n1
      admitted by [association.science.flat] max_age_days = 41
  nothing was taken instead
----
b2.fits is no candidate for science/n1/s1_red.fits: it is a raw frame that goes
  into bias/n1/b1_red.fits; ask for that product
----
bad is no candidate for science/n1/s1_red.fits: nothing is made from it: its
  state is `wrong`, as wrong-bias: EXPTIME is `3.0`, not `0.0`
----
bad.fits is not reduced: its state is `wrong`, as wrong-bias: EXPTIME is `3.0`,
  not `0.0`
----
the plan makes nothing called `nothing`; there are bias/n0/b0_red.fits, bias/n1/b1_red.fits, bias/n2/b3_red.fits, flat/n0/f1_red.fits, flat/n9/f2_red.fits, science/n1/s1_red.fits
"##);
}

#[test]
fn a_relaxation_admits_the_candidate() {
    let snapshot = example();
    let explained = why(&snapshot, "s1_red.fits").unwrap();
    let old = explained.inputs[1].candidates.iter().find(|c| c.name.contains("f1")).unwrap();
    let relaxation = old.relaxation.clone().unwrap();
    assert_eq!(relaxation.to_string(), "[association.science.flat] max_age_days = 41");
    let closed = Candidate {
        name: "x".into(),
        fit: None,
        days: Some(1.0),
        failed: vec![(0, Obstacle::OtherNight { found: "n1".into(), wanted: "n2".into() }), (2, Obstacle::LevelClosed { level: 2 })],
        unusable: None,
        named: None,
    };
    assert_eq!(super::relaxation("r", &"bias".into(), &closed).unwrap().to_string(), "[association.r.bias] max_level = 2");
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["inputs"][1]["candidates"][1]["relaxation"]["key"], "max_age_days");
}
