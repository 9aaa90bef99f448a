//! Blocks of frames: `night`, `enabled`, `files`, and what is to be done with them.

use ifured_core::words::closest;
use ifured_core::{Imported, ImportedSetting, NotNeeded, UnknownKey};
use serde_json::{Map, Value, json};

use super::files::{Kind, SourceFile};
use super::pattern;
use super::yaml::{Content, Entry, Node};

/// Classes of filabres with a tag of the same name.
const CLASSES: &[&str] = &[
    "bias",
    "flat-imaging",
    "flat-imaging-wollaston",
    "flat-spectroscopy",
    "arc",
    "science-imaging",
    "science-imaging-wollaston",
    "science-spectroscopy",
];
/// Classes of frames that filabres uses for nothing; so have all that begin with `wrong-`.
const USELESS: &[&str] = &["ignored", "unclassified", "wrong-instrument"];

/// Takes in the blocks of a file.
pub fn import(file: &SourceFile, kind: Kind, imported: &mut Imported, problems: &mut Vec<String>) {
    for document in &file.documents {
        let at = format!("{}:{}", file.name, document.line);
        let Content::Map(entries) = &document.content else {
            let advice = "write night:, files: and so on, and part blocks by ---";
            problems.push(format!("{at}: a block must be lines of `key: value`, but is {}; {advice}", document.kind()));
            continue;
        };
        let action = kind.keys().1;
        let known = ["night", "enabled", "files", action];
        for entry in entries.iter().filter(|e| !known.contains(&e.key.as_str())) {
            let nearest = closest(&entry.key, known).map(str::to_owned);
            imported.unknown.push(UnknownKey { key: entry.key.clone(), from: format!("{}:{}", file.name, entry.line), nearest });
        }
        let mut block = Block { file, document, at, entry: Map::new(), notes: Vec::new(), obstacle: String::new() };
        let found = problems.len();
        if !block.frames(problems) {
            let reason = "the block is switched off and not complete; filabres passes over it".to_owned();
            imported.not_needed.push(NotNeeded { key: "night".into(), value: block.night(), from: block.at, reason });
            continue;
        }
        match kind {
            Kind::Corrections => block.corrections(imported, problems),
            Kind::Forced => block.class(imported, problems, found),
            _ => imported.settings.extend((problems.len() == found).then(|| block.setting("frames.ignore[]"))),
        }
    }
}

/// A block on its way.
struct Block<'a> {
    file: &'a SourceFile,
    document: &'a Node,
    at: String,
    entry: Map<String, Value>,
    notes: Vec<String>,
    obstacle: String,
}

impl Block<'_> {
    fn from(&self, entry: &Entry) -> String {
        format!("{}:{}", self.file.name, entry.line)
    }

    fn setting(self, key: &str) -> ImportedSetting {
        let mut entry = self.entry;
        entry.insert("why".into(), json!(self.at));
        ImportedSetting {
            key: key.into(),
            value: Value::Object(entry),
            from: self.at,
            note: self.notes.join("; "),
            obstacle: self.obstacle,
        }
    }

    fn night(&self) -> Value {
        self.entry.get("night").cloned().unwrap_or_default()
    }

    /// Night, switch and files. False for a block that is switched off and has no files: filabres never looks at it.
    fn frames(&mut self, problems: &mut Vec<String>) -> bool {
        self.name_of_night(problems);
        let enabled = self.document.get("enabled");
        let on = match enabled.map(|e| (&e.value.content, e)) {
            None => true,
            Some((Content::Scalar(s), e)) if s.logical().is_none() => {
                problems.push(format!("{}: `enabled` must be True or False, but is {}", self.from(e), e.value.kind()));
                true
            }
            Some((Content::Scalar(s), _)) => s.logical().unwrap_or(true),
            Some((_, e)) => {
                problems.push(format!("{}: `enabled` must be True or False, but is {}", self.from(e), e.value.kind()));
                true
            }
        };
        if !on {
            self.entry.insert("enabled".into(), json!(false));
            if self.is_applied_nevertheless() {
                self.notes.push(
                    "filabres applies this block although it is switched off, for another block of the night is on; ifured does not".into(),
                );
            }
        }
        match self.document.get("files") {
            None if !on => return false,
            None => problems.push(format!("{}: the block has no `files`", self.at)),
            Some(files) => {
                let patterns = self.patterns(files, problems);
                self.entry.insert("files".into(), json!(patterns));
            }
        }
        true
    }

    fn name_of_night(&mut self, problems: &mut Vec<String>) {
        match self.document.get("night") {
            None => problems.push(format!("{}: the block has no `night`", self.at)),
            Some(night) => match word(&night.value) {
                Some(text) => {
                    self.entry.insert("night".into(), json!(text));
                }
                None => {
                    problems.push(format!("{}: `night` must be the name of a directory, but is {}", self.from(night), night.value.kind()))
                }
            },
        }
    }

    /// Whether another block of this file and night is on: then filabres applies both.
    fn is_applied_nevertheless(&self) -> bool {
        let night = |node: &Node| node.get("night").and_then(|n| word(&n.value));
        let own = night(self.document);
        own.is_some() && self.file.documents.iter().any(|d| night(d) == own && is_on(d))
    }

    fn patterns(&mut self, files: &Entry, problems: &mut Vec<String>) -> Vec<String> {
        let Content::List(list) = &files.value.content else {
            let advice = "write each name on a line of its own: `  - name.fits`";
            problems.push(format!("{}: `files` must be a list, but is {}; {advice}", self.from(files), files.value.kind()));
            return Vec::new();
        };
        let mut patterns = Vec::new();
        for item in list.iter() {
            let Some(text) = word(item) else {
                problems.push(format!("{}:{}: a name of `files` must be text, but is {}", self.file.name, item.line, item.kind()));
                continue;
            };
            match pattern::written_out(&text) {
                Ok(several) => patterns.extend(several),
                Err(why) => {
                    patterns.push(text);
                    self.obstacle = why;
                }
            }
        }
        patterns
    }

    fn corrections(mut self, imported: &mut Imported, problems: &mut Vec<String>) {
        let found = problems.len();
        let Some(replace) = self.document.get("replace-keyword") else {
            problems.push(format!("{}: the block has no `replace-keyword`", self.at));
            return;
        };
        let Content::List(list) = &replace.value.content else {
            let advice = "write each keyword on a line of its own: `  - KEYWORD: value`";
            problems.push(format!("{}: `replace-keyword` must be a list, but is {}; {advice}", self.from(replace), replace.value.kind()));
            return;
        };
        let mut set = Map::new();
        for item in list.iter() {
            let Content::Map(entries) = &item.content else {
                problems.push(format!("{}:{}: must be `KEYWORD: value`, but is {}", self.file.name, item.line, item.kind()));
                continue;
            };
            if entries.len() > 1 {
                let (first, rest) = (&entries[0].key, entries.len() - 1);
                self.notes
                    .push(format!("filabres takes `{first}` only of an item with several keywords; ifured takes the other {rest} too"));
            }
            for entry in entries.iter() {
                if let Some(value) = self.header_value(entry, problems) {
                    set.insert(entry.key.to_uppercase(), value);
                }
            }
        }
        self.entry.insert("set".into(), Value::Object(set));
        imported.settings.extend((problems.len() == found).then(|| self.setting("frames.correct[]")));
    }

    /// The line of a later block that is on and gives some of these frames a class that is used: in filabres the last one wins.
    fn taken_back(&self) -> Option<usize> {
        let night = |node: &Node| node.get("night").and_then(|n| word(&n.value));
        let own = names(self.document);
        let later = self.file.documents.iter().filter(|d| d.line > self.document.line && night(d) == night(self.document) && is_on(d));
        let used = later.filter(|d| d.get("classification").and_then(|c| word(&c.value)).is_some_and(|c| CLASSES.contains(&c.as_str())));
        let mut same = used.filter(|d| names(d).iter().any(|n| own.iter().any(|o| pattern::overlap(o, n))));
        same.next().map(|d| d.line)
    }

    fn header_value(&mut self, entry: &Entry, problems: &mut Vec<String>) -> Option<Value> {
        let from = self.from(entry);
        let Content::Scalar(scalar) = &entry.value.content else {
            problems.push(format!("{from}: the value of {} must be one value, but is {}", entry.key, entry.value.kind()));
            return None;
        };
        match scalar.value() {
            Ok((value, note)) => {
                self.notes.extend(note);
                Some(value)
            }
            Err(why) => {
                problems.push(format!("{from}: value of {}: {why}", entry.key));
                None
            }
        }
    }

    fn class(mut self, imported: &mut Imported, problems: &mut Vec<String>, found: usize) {
        let Some(entry) = self.document.get("classification") else {
            problems.push(format!("{}: the block has no `classification`", self.at));
            return;
        };
        let Some(class) = word(&entry.value) else {
            problems.push(format!("{}: `classification` must be a class, but is {}", self.from(entry), entry.value.kind()));
            return;
        };
        if problems.len() > found {
            return;
        }
        if CLASSES.contains(&class.as_str()) {
            self.entry.insert("tag".into(), json!(class));
            imported.settings.push(self.setting("frames.force[]"));
        } else if USELESS.contains(&class.as_str()) || class.strip_prefix("wrong-").is_some_and(|c| CLASSES.contains(&c)) {
            self.notes.push(format!("`{class}`: filabres uses such frames for nothing, so they are left out"));
            if let Some(later) = self.taken_back() {
                self.obstacle = format!(
                    "the block of line {later} gives some of these frames a class again, but ifured leaves out for good: name the others only"
                );
            }
            imported.settings.push(self.setting("frames.ignore[]"));
        } else {
            let known = CLASSES.iter().chain(USELESS).copied();
            let nearest = closest(&class, known).map(str::to_owned);
            imported.unknown.push(UnknownKey { key: format!("classification: {class}"), from: self.from(entry), nearest });
        }
    }
}

/// A word as it is written: `0170319` keeps its zero. Nothing is no word.
fn word(node: &Node) -> Option<String> {
    match &node.content {
        Content::Scalar(s) if !s.is_empty() && !s.text.is_empty() => Some(s.text.clone()),
        _ => None,
    }
}

fn is_on(block: &Node) -> bool {
    match block.get("enabled").map(|e| &e.value.content) {
        Some(Content::Scalar(s)) => s.logical() != Some(false),
        _ => true,
    }
}

/// The patterns of a block, with their sets of characters written out where that is possible.
fn names(block: &Node) -> Vec<String> {
    match block.get("files").map(|f| &f.value.content) {
        Some(Content::List(list)) => {
            list.iter().filter_map(word).flat_map(|p| pattern::written_out(&p).unwrap_or_else(|_| vec!["*".into()])).collect()
        }
        _ => Vec::new(),
    }
}
