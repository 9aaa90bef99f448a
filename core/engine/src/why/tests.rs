use std::path::Path;
use std::sync::Arc;

use ifured_core::recipe::{Grouping, InputSpec, Level, MainInput, Memory, ProductSpec};
use ifured_core::{Condition, Config, FrameType, InstrumentDescription, NightRule, RecipeDescription, Role, Rule, Signature, Test, Value};

use super::*;
use crate::group::tests::item;
use crate::plan::{Verdicts, plan};

fn recipe(name: &str, tag: &str, min_frames: usize, inputs: Vec<InputSpec>) -> RecipeDescription {
    RecipeDescription {
        name: name.into(),
        version: 1,
        title: String::new(),
        description: String::new(),
        main: MainInput {
            tags: vec![tag.into()],
            when: vec![],
            group: Grouping { signature: Signature::exact(&["CCD"]), span_hours: Some(1.0), within_night: true, apart: vec![], min_frames },
        },
        inputs,
        products: vec![ProductSpec {
            tag: format!("master-{tag}").as_str().into(),
            title: String::new(),
            path: format!("{name}/{{night}}/{{stem}}_red.fits"),
            signature: Signature::exact(&["CCD"]),
        }],
        enabled: true,
        memory: Memory { fixed: 0.0, per_pixel: 0.0, per_pixel_and_frame: 0.0 },
        schema: serde_json::Value::Null,
        defaults: serde_json::json!({}),
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
        parameter: None,
    }
}

fn kind(name: &str) -> FrameType {
    let rule = Rule { tag: name.into(), when: vec![Condition::new("IMAGETYP", Test::Equal, name)], expect: vec![] };
    FrameType { rule, title: String::new(), role: Role::Calibration, signature: Signature::exact(&["CCD"]) }
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
    }
}

pub(crate) fn example() -> (Plan, Vec<Arc<Frame>>) {
    let frame = |name: &str, tag: &str, night: &str, mjd: f64, ccd: &str| item(name, tag, night, mjd, &[("CCD", Value::from(ccd))]).first.clone();
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
    let instrument = instrument();
    (plan(&frames, &instrument, &Config::default(), Path::new("/out"), &Verdicts::default()).unwrap(), frames)
}

#[test]
fn why_is_readable_and_names_the_smallest_relaxation() {
    let (plan, frames) = example();
    let text = why(&plan, &frames, "s1_red.fits").unwrap().to_string();
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text, @"");
}

#[test]
fn blocked_groups_and_other_calibrations_are_explained() {
    let (plan, frames) = example();
    let not = |frame: &str, calibration: &str| why_not(&plan, &frames, frame, calibration).unwrap().to_string();
    let texts = [
        why(&plan, &frames, "s2").unwrap().to_string(),
        not("s1", "b3_red.fits"),
        not("s1", "b1_red.fits"),
        not("s1.fits", "f1_red"),
        not("s1", "b2.fits"),
        not("s1", "bad"),
        not("bad.fits", "b1_red"),
        why(&plan, &frames, "nothing").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(texts.join("----\n"), @"");
}

#[test]
fn a_relaxation_admits_the_candidate() {
    let (plan, frames) = example();
    let explained = why(&plan, &frames, "s1_red.fits").unwrap();
    let old = explained.inputs[1].candidates.iter().find(|c| c.name.contains("f1")).unwrap();
    let relaxation = old.relaxation.clone().unwrap();
    assert_eq!(relaxation.to_string(), "[association.science.flat] max_age_days = 41");
    let closed = crate::associate::Candidate {
        name: "x".into(),
        level: None,
        why: "level 2 is worse than max_level of the configuration".into(),
        days: 1.0,
        failed: vec![(0, "night n1, needed n2".into())],
    };
    assert_eq!(super::relaxation("r", "bias", &closed).unwrap().to_string(), "[association.r.bias] max_level = 2");
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["inputs"][1]["candidates"][1]["relaxation"]["key"], "max_age_days");
}
