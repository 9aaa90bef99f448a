//! `setup_filabres.yaml`: what is set up there, and where the other files are.

use std::path::Path;

use ifured_core::import::shell_word;
use ifured_core::words::closest;
use ifured_core::{Imported, ImportedSetting, NotNeeded, UnknownKey};
use serde_json::json;

use super::files::{self, Kind, SourceFile};
use super::yaml::{Content, Entry};

/// Keys that need no place here, and why.
const NOT_NEEDED: &[(&str, &str)] = &[
    ("gaiadr_source", "the network is never used: name a file of stars with `recipes.astrometry.catalogue`"),
    ("tweak_order_astrometry", "the order is found from the stars, at most `recipes.astrometry.distortion_order`"),
    ("default_param", "SExtractor is not used: ifured finds sources itself"),
    ("config_sex", "SExtractor is not used: ifured finds sources itself"),
    ("config_scamp", "SCAMP is not used: see the recipe `astrometry`"),
];

/// All keys that filabres knows.
const KNOWN: &[&str] = &[
    "instrument",
    "datadir",
    "gaiadr_source",
    "tweak_order_astrometry",
    "ignored_images_file",
    "image_header_corrections_file",
    "forced_classifications_file",
    "default_param",
    "config_sex",
    "config_scamp",
];

/// Takes in a set-up and reads the files that it names.
pub fn import(setup: &SourceFile, all: &mut Vec<SourceFile>, imported: &mut Imported, problems: &mut Vec<String>) {
    let [document] = setup.documents.as_slice() else {
        let what = if setup.documents.is_empty() { "is empty" } else { "has several blocks (`---`)" };
        problems.push(format!("{}: the set-up {what}; it must have one, with `instrument` and `datadir`", setup.name));
        return;
    };
    let Content::Map(entries) = &document.content else {
        problems.push(format!("{}:{}: the set-up must be lines of `key: value`, but is {}", setup.name, document.line, document.kind()));
        return;
    };
    for required in ["instrument", "datadir"] {
        if document.get(required).is_none() {
            problems.push(format!("{}: the key `{required}` is missing; filabres does not start without it either", setup.name));
        }
    }
    for entry in entries.iter() {
        let from = format!("{}:{}", setup.name, entry.line);
        let Some(text) = text(entry) else {
            problems.push(format!("{from}: `{}` must be text, but is {}", entry.key, entry.value.kind()));
            continue;
        };
        let not_needed = |imported: &mut Imported, reason: &str| {
            let value = written(entry);
            imported.not_needed.push(NotNeeded { key: entry.key.clone(), value, from: from.clone(), reason: reason.into() });
        };
        let named = Kind::ALL.into_iter().find(|k| k.keys().0 == entry.key);
        if let Some((_, reason)) = NOT_NEEDED.iter().find(|(k, _)| *k == entry.key) {
            not_needed(imported, reason);
        } else if let Some(kind) = named {
            let reason = other_file(setup, kind, &text, all, &mut imported.not_needed, problems);
            not_needed(imported, &reason);
        } else if entry.key == "instrument" {
            instrument(&text, &from, imported, problems);
        } else if entry.key == "datadir" {
            not_needed(imported, "the directory of the frames is named in the command, and remembered");
            let raw = setup.path.parent().unwrap_or(Path::new("")).join(&text);
            imported.advice.push(format!("ifured --instrument cafos --output . reduce {}", shell_word(&raw)));
        } else {
            let nearest = closest(&entry.key, KNOWN.iter().copied()).map(str::to_owned);
            imported.unknown.push(UnknownKey { key: entry.key.clone(), from, nearest });
        }
    }
}

/// The word behind a key; numbers too, as they are written.
fn text(entry: &Entry) -> Option<String> {
    match &entry.value.content {
        Content::Scalar(s) if !s.is_empty() => Some(s.text.clone()),
        // Only what filabres does without may be left empty.
        Content::Scalar(_) if !["instrument", "datadir"].contains(&entry.key.as_str()) => Some(String::new()),
        _ => None,
    }
}

/// The value as it was meant, number or text.
fn written(entry: &Entry) -> serde_json::Value {
    match &entry.value.content {
        Content::Scalar(s) => s.value().map_or_else(|_| json!(s.text), |(value, _)| value),
        _ => json!(null),
    }
}

fn instrument(text: &str, from: &str, imported: &mut Imported, problems: &mut Vec<String>) {
    if text == "cafos" {
        imported.settings.push(ImportedSetting {
            key: "instrument".into(),
            value: json!("cafos"),
            from: from.into(),
            ..ImportedSetting::default()
        });
        return;
    }
    let why = match text {
        "lsss" => "ifured has no plugin for filabres' other instrument, lsss".to_owned(),
        _ => format!(
            "filabres has cafos and lsss{}",
            closest(text, ["cafos", "lsss"]).map(|n| format!("; was `{n}` meant?")).unwrap_or_default()
        ),
    };
    problems.push(format!("{from}: the instrument is `{text}`, not cafos: {why}"));
}

/// Reads a file that the set-up names, and says what became of it.
fn other_file(
    setup: &SourceFile,
    kind: Kind,
    text: &str,
    all: &mut Vec<SourceFile>,
    not_needed: &mut Vec<NotNeeded>,
    problems: &mut Vec<String>,
) -> String {
    let directory = setup.path.parent().unwrap_or(Path::new(""));
    let path = directory.join(text);
    if text.is_empty() || !path.is_file() {
        return match all.iter().find(|f| f.kind == Some(kind)) {
            Some(other) => format!("there is no such file; {} is read, which was named here", other.name),
            None => "there is no such file; filabres goes on without it too".into(),
        };
    }
    files::add(all, &path, Some(kind), problems);
    // A file of the usual name beside the set-up is not read by filabres when the set-up names another.
    all.retain(|other| {
        let displaced = other.kind == Some(kind) && other.path.parent() == Some(directory) && !files::same(&other.path, &path);
        if displaced {
            let reason = format!("filabres does not read it: the set-up names {text}");
            not_needed.push(NotNeeded { key: kind.file_name().into(), value: json!(null), from: other.name.clone(), reason });
        }
        !displaced
    });
    let section = match kind {
        Kind::Corrections => "[[frames.correct]]",
        Kind::Forced => "[[frames.force]]",
        _ => "[[frames.ignore]]",
    };
    format!("one file holds all: the blocks of {} become {section}", path.display())
}
