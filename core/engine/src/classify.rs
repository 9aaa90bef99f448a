//! From scanned files to frames: instrument, corrections, tag, night, time, duplicates.

use std::collections::HashMap;
use std::sync::Arc;

use ifured_core::path::shown;
use ifured_core::rule::{self, UNCLASSIFIED, Verdict};
use ifured_core::words::closest;
use ifured_core::{Config, ExposureNames, InstrumentDescription, Purpose, Rule, SignatureValues, State, Tag, provenance};
use rayon::prelude::*;

use crate::catalogue::ScannedRow;
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameState};
use crate::time::{self, TimeTrouble};

/// Tag of a frame that the instrument does not recognise.
pub const WRONG_INSTRUMENT: &str = "wrong-instrument";
/// Tag of a file that cannot be read.
pub const UNREADABLE: &str = "unreadable";

/// The instrument's description with the configuration's changes of rules and signatures.
///
/// # Errors
/// A tag that the instrument does not know, with the nearest one it does.
pub fn configured(mut instrument: InstrumentDescription, config: &Config) -> Result<InstrumentDescription> {
    for (tag, change) in &config.classification {
        let known: Vec<String> = instrument.frame_types.iter().map(|t| t.rule.tag.to_string()).collect();
        let Some(frame_type) = instrument.frame_types.iter_mut().find(|t| t.rule.tag.as_str() == tag) else {
            return Err(Error::Config(format!("[classification.{tag}]: {} has no such tag{}", instrument.name, nearest(tag, &known))));
        };
        if let Some(when) = &change.when {
            frame_type.rule.when = when.clone();
        }
        if let Some(expect) = &change.expect {
            frame_type.rule.expect = expect.clone();
        }
        if let Some(signature) = &change.signature {
            frame_type.signature = ifured_core::Signature(signature.clone());
        }
    }
    for forced in &config.frames.force {
        let known: Vec<String> = instrument.frame_types.iter().map(|t| t.rule.tag.to_string()).collect();
        if !known.iter().any(|t| t == forced.tag.as_str()) {
            return Err(Error::Config(format!(
                "[[frames.force]]: {} has no tag `{}`{}",
                instrument.name,
                forced.tag,
                nearest(forced.tag.as_str(), &known)
            )));
        }
    }
    Ok(instrument)
}

/// `; did you mean …?` with the most similar word, or all words if none is similar.
pub fn nearest(word: &str, known: &[String]) -> String {
    match closest(word, known.iter().map(String::as_str)) {
        Some(k) => format!("; did you mean `{k}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// Classifies all files that are not our own products, in the order of their names.
pub fn classify(rows: Vec<ScannedRow>, instrument: &InstrumentDescription, config: &Config) -> Vec<Frame> {
    let rules: Vec<Rule> = instrument.frame_types.iter().map(|t| t.rule.clone()).collect();
    let mut frames: Vec<Frame> =
        rows.into_par_iter().filter(|r| !r.header.contains(provenance::TASK)).map(|row| frame(row, instrument, &rules, config)).collect();
    frames.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.path.cmp(&b.path)));
    mark_duplicates(&mut frames);
    name_exposures(&mut frames, instrument);
    leave_out_other_exposures(&mut frames, instrument, config);
    frames
}

fn is_science(frame: &Frame, instrument: &InstrumentDescription) -> bool {
    let science = |t: &ifured_core::FrameType| t.purpose == Purpose::Science && t.rule.tag == frame.tag;
    frame.state == FrameState::Good && instrument.frame_types.iter().any(science)
}

/// Names science exposures; equal names of one observing block are counted in the order of time.
fn name_exposures(frames: &mut [Frame], instrument: &InstrumentDescription) {
    let names = &instrument.exposure_names;
    let mut order: Vec<usize> = (0..frames.len()).filter(|&i| is_science(&frames[i], instrument)).collect();
    let time = |i: usize| frames[i].mjd.unwrap_or(f64::INFINITY);
    order.sort_by(|&a, &b| time(a).total_cmp(&time(b)).then(a.cmp(&b)));
    let mut seen: HashMap<(Option<String>, String), usize> = HashMap::new();
    for i in order {
        if let Some(name) = names.name(&frames[i]) {
            let before = seen.entry((names.block_of(&frames[i]), name.clone())).or_default();
            frames[i].exposure_name = Some(ExposureNames::counted(&name, *before));
            *before += 1;
        }
    }
}

/// Whether the name of an exposure, or of its file with or without ending, matches a pattern.
pub fn is_called(frame: &Frame, pattern: &str) -> bool {
    let file = frame.file_name();
    let names = [Some(crate::files::stem(&file)), Some(file), frame.exposure_name.clone()];
    names.iter().flatten().any(|name| rule::like(pattern, name))
}

/// Leaves out the science exposures that the configuration does not name, if it names some.
fn leave_out_other_exposures(frames: &mut [Frame], instrument: &InstrumentDescription, config: &Config) {
    let wanted = &config.frames.exposures;
    if wanted.is_empty() {
        return;
    }
    for frame in frames.iter_mut().filter(|f| is_science(f, instrument)) {
        if !wanted.iter().any(|pattern| is_called(frame, pattern)) {
            frame.state = FrameState::Ignored;
            frame.tag = "ignored".into();
            frame.why = "left out by the configuration: frames.exposures does not name it".into();
        }
    }
}

/// Which of several instruments recognises a header.
pub fn recognised<'a>(header: &ifured_core::Header, instruments: &'a [InstrumentDescription]) -> Vec<&'a InstrumentDescription> {
    instruments.iter().filter(|i| i.recognise.iter().all(|c| c.check(header) == Verdict::Holds)).collect()
}

fn frame(row: ScannedRow, instrument: &InstrumentDescription, rules: &[Rule], config: &Config) -> Frame {
    let directory = row.path.parent().and_then(|p| p.file_name()).map(shown).unwrap_or_default();
    let base = row.root.parent().unwrap_or(&row.root);
    let name = shown(row.path.strip_prefix(base).unwrap_or(&row.path));
    let time = time::modified_julian_date(&row.header, &instrument.time);
    let mjd = time.mjd;
    let night = time::night(&instrument.night, &directory, mjd);
    let mut frame = Frame {
        path: row.path,
        name,
        night,
        hash: row.hash,
        bytes: row.fingerprint.map(|f| f.size as u64).unwrap_or(0),
        header: row.header,
        extensions: row.extensions,
        axes: row.axes,
        statistics: row.statistics,
        mjd,
        instrument: None,
        tag: UNREADABLE.into(),
        state: FrameState::Refused,
        why: row.error,
        notes: Vec::new(),
        trace: Vec::new(),
        signature: SignatureValues::default(),
        corrections: Vec::new(),
        exposure_name: None,
    };
    if !frame.why.is_empty() {
        return frame;
    }
    frame.notes.extend(frame.header.issues().iter().map(ToString::to_string));
    apply_corrections(&mut frame, config);
    let time = if frame.corrections.is_empty() { time } else { time::modified_julian_date(&frame.header, &instrument.time) };
    frame.mjd = time.mjd;
    frame.notes.extend(time.trouble.as_ref().map(ToString::to_string));
    if recognise(&mut frame, instrument) {
        // Recipes read the file itself: to them the keyword is a correction of its header.
        frame.corrections.extend(instrument.name_known_objects(&mut frame.header, frame.mjd));
        give_tag(&mut frame, instrument, rules, time.trouble.as_ref());
    }
    apply_overrides(&mut frame, instrument, config);
    frame
}

fn apply_corrections(frame: &mut Frame, config: &Config) {
    let file_name = frame.file_name();
    for correction in config.frames.correct.iter().filter(|c| c.frames.selects(&frame.night, &file_name)) {
        for (key, value) in &correction.set {
            frame.header.set(key, value.clone(), "");
            frame.corrections.push((ifured_core::header::normalise(key), value.clone()));
        }
    }
}

fn recognise(frame: &mut Frame, instrument: &InstrumentDescription) -> bool {
    for condition in &instrument.recognise {
        match condition.check(&frame.header) {
            Verdict::Holds => {}
            Verdict::Fails { why } => {
                (frame.tag, frame.state, frame.why) = (WRONG_INSTRUMENT.into(), FrameState::Wrong, why);
                return false;
            }
            Verdict::Unknown { why } => {
                (frame.tag, frame.state, frame.why) = (WRONG_INSTRUMENT.into(), FrameState::Refused, why);
                return false;
            }
        }
    }
    frame.instrument = Some(instrument.name.clone());
    true
}

fn give_tag(frame: &mut Frame, instrument: &InstrumentDescription, rules: &[Rule], trouble: Option<&TimeTrouble>) {
    let classification = rule::classify(rules, frame);
    frame.tag = classification.tag;
    frame.why = classification.why;
    frame.trace = classification.trace;
    frame.state = match classification.state {
        State::Good => FrameState::Good,
        State::Wrong => FrameState::Wrong,
        State::Refused => FrameState::Refused,
    };
    let mut reasons: Vec<String> = Vec::new();
    for condition in &instrument.require {
        if let Verdict::Fails { why } | Verdict::Unknown { why } = condition.check(frame) {
            reasons.push(why);
        }
    }
    let timeless = instrument.frame_types.iter().any(|t| t.timeless && t.rule.tag == frame.tag);
    if frame.state == FrameState::Good && frame.mjd.is_none() && !timeless {
        reasons.extend(trouble.map(ToString::to_string));
    }
    if !reasons.is_empty() {
        reasons.extend(Some(std::mem::take(&mut frame.why)).filter(|w| !w.is_empty()));
        frame.why = reasons.join("; ");
        frame.state = FrameState::Refused;
    }
    set_signature(frame, instrument);
}

fn set_signature(frame: &mut Frame, instrument: &InstrumentDescription) {
    let kind = frame.tag.as_str().strip_prefix("wrong-").unwrap_or(frame.tag.as_str());
    if let Some(frame_type) = instrument.frame_types.iter().find(|t| t.rule.tag.as_str() == kind) {
        frame.signature = frame_type.signature.extract(frame);
    }
}

fn apply_overrides(frame: &mut Frame, instrument: &InstrumentDescription, config: &Config) {
    let file_name = frame.file_name();
    let forced = config.frames.force.iter().rfind(|f| f.frames.selects(&frame.night, &file_name));
    if let Some(forced) = forced {
        let was = std::mem::replace(&mut frame.tag, forced.tag.clone());
        frame.why = format!("forced by the configuration, was {was}{}", because(&forced.frames.why));
        frame.instrument = Some(instrument.name.clone());
        frame.state = if frame.mjd.is_some() { FrameState::Good } else { FrameState::Refused };
        set_signature(frame, instrument);
    }
    if let Some(ignored) = config.frames.ignore.iter().find(|i| i.frames.selects(&frame.night, &file_name)) {
        frame.state = FrameState::Ignored;
        frame.tag = "ignored".into();
        frame.why = format!("left out by the configuration{}", because(&ignored.frames.why));
    }
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// Of good frames with the same content only the first by name is used.
fn mark_duplicates(frames: &mut [Frame]) {
    let mut first: HashMap<String, String> = HashMap::new();
    for frame in frames.iter_mut().filter(|f| f.state == FrameState::Good) {
        match first.get(&frame.hash) {
            Some(original) => {
                frame.state = FrameState::Duplicate;
                frame.why = format!("same content as {original}");
            }
            None => {
                first.insert(frame.hash.clone(), frame.name.clone());
            }
        }
    }
}

/// Frames by tag and state, for a summary: (tag, state, number), in the order of the instrument's rules.
pub fn census(frames: &[Arc<Frame>], instrument: &InstrumentDescription) -> Vec<(Tag, FrameState, usize)> {
    let mut order: Vec<Tag> = instrument.frame_types.iter().map(|t| t.rule.tag.clone()).collect();
    order.extend(instrument.frame_types.iter().map(|t| t.rule.tag.wrong()));
    order.extend([UNCLASSIFIED, WRONG_INSTRUMENT, UNREADABLE, "ignored"].map(Tag::from));
    let states = [FrameState::Good, FrameState::Wrong, FrameState::Refused, FrameState::Ignored, FrameState::Duplicate];
    let mut rows = Vec::new();
    for tag in order {
        for state in states {
            let n = frames.iter().filter(|f| f.tag == tag && f.state == state).count();
            if n > 0 {
                rows.push((tag.clone(), state, n));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use ifured_core::instrument::FrameType;
    use ifured_core::{Header, KnownObject, KnownObjects, Lookup, NamePart, Signature, key};

    use super::*;

    fn row(object: &str, dec: f64, own: Option<&str>) -> ScannedRow {
        let mut header = Header::new();
        header.set("OBJECT", object, "");
        header.set("RA", 189.35, "");
        header.set("DEC", dec, "");
        header.set("MJD-OBS", 60511.9, "");
        if let Some(own) = own {
            header.set("STANDARD", own, "");
        }
        let path = format!("/data/night/{object}.fits").into();
        ScannedRow {
            path,
            root: "/data".into(),
            fingerprint: None,
            hash: object.into(),
            header,
            extensions: Vec::new(),
            axes: Vec::new(),
            statistics: Vec::new(),
            error: String::new(),
        }
    }

    #[test]
    fn rules_ask_for_known_objects() {
        let signature = Signature::exact(&["STANDARD"]);
        let instrument = InstrumentDescription {
            known_objects: vec![KnownObjects::new("STANDARD", vec![KnownObject::new("Feige 66", 189.348, 25.067)])],
            frame_types: vec![
                FrameType::new("standard", "", Purpose::Calibration, &signature, vec![key("STANDARD").present()]),
                FrameType::new("object", "", Purpose::Science, &signature, vec![key("STANDARD").absent()]),
            ],
            ..InstrumentDescription::default()
        };
        let correction = r#"{"night": "night", "files": ["d.fits"], "set": {"DEC": 25.067}}"#;
        let mut config = Config::default();
        config.frames.correct.push(serde_json::from_str(correction).unwrap());
        let rows = vec![
            row("a", 25.067, None),
            row("b", 26.0, None),
            row("c", 25.067, Some("another")),
            row("d", 26.0, None),
            row("feige66", 25.1, None),
        ];
        let frames = classify(rows, &instrument, &config);
        let found: Vec<_> = frames.iter().map(|f| (f.tag.as_str(), f.lookup("standard").map(|v| v.to_string()))).collect();
        let feige = || Some("Feige 66".to_owned());
        let expected =
            [("standard", feige()), ("object", None), ("standard", Some("another".into())), ("standard", feige()), ("standard", feige())];
        assert_eq!(found, expected);
        assert_eq!(frames[0].corrections, [("STANDARD".to_owned(), "Feige 66".into())], "recipes see it, too");
        assert_eq!(frames[0].signature.to_string(), "Feige 66");
        assert!(frames[2].corrections.is_empty());
    }

    #[test]
    fn exposures_are_named_counted_in_time_and_chosen_by_name() {
        let science = FrameType::new("object", "", Purpose::Science, &Signature::default(), vec![key("OBJECT").present()]);
        let part = NamePart::Position { right_ascension: "RA".into(), declination: "DEC".into() };
        let exposure_names = ExposureNames { parts: vec![part], block: Some("BLOCK".into()), collect: Vec::new() };
        let instrument = InstrumentDescription { frame_types: vec![science], exposure_names, ..InstrumentDescription::default() };
        let at = |object: &str, mjd: f64, block: &str| {
            let mut row = row(object, 25.0, None);
            row.header.set("MJD-OBS", mjd, "");
            row.header.set("BLOCK", block, "");
            row
        };
        let rows = || vec![at("late", 60512.3, "a"), at("early", 60512.1, "a"), at("other", 60512.2, "b")];
        let named = |config: &Config| -> Vec<(String, String, FrameState)> {
            let frames = classify(rows(), &instrument, config);
            frames.iter().map(|f| (f.file_name(), f.lookup("expname").map_or(String::new(), |v| v.to_string()), f.state)).collect()
        };
        let row = |file: &str, name: &str, state: FrameState| (file.to_owned(), name.to_owned(), state);
        let (early, late) = ("123724+250000_00", "123724+250000_01");
        let good = FrameState::Good;
        assert_eq!(
            named(&Config::default()),
            [row("early.fits", early, good), row("late.fits", late, good), row("other.fits", early, good)]
        );
        let mut config = Config::default();
        config.frames.exposures = vec!["*_01".into(), "other".into()];
        let states: Vec<FrameState> = named(&config).into_iter().map(|(_, _, state)| state).collect();
        assert_eq!(states, [FrameState::Ignored, good, good]);
    }
}
