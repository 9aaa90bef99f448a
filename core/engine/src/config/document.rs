//! A configuration as it was written: every key and value with the place it stands at, so that whatever is found wrong later
//! can be shown there. Files of both formats and `--set` become the same tree.

use std::path::Path;

use serde_json::{Map, Value};

use super::tree::{Content, DEEPEST, Node, Place};
use super::{json, toml};
use crate::error::{Error, Result};
use crate::problem::{Problem, Problems, Source};

/// A configuration with the places of all its values.
#[derive(Clone, Debug)]
pub struct Document {
    /// The texts it was made of.
    pub sources: Vec<Source>,
    /// The outermost table.
    pub root: Node,
    /// What is wrong with the texts themselves.
    pub syntax: Vec<Problem>,
}

impl Document {
    /// A configuration in which nothing is set.
    pub fn empty() -> Document {
        let place = Place { source: 0, bytes: 0..0 };
        Document { sources: Vec::new(), root: Node { key: None, value: place, content: Content::Table(Vec::new()) }, syntax: Vec::new() }
    }

    /// A value that no text stands for, under a name for messages.
    pub fn of_value(value: &Value, name: &str) -> Document {
        let mut document = Document::empty();
        document.root = Node::of_value(value, None, Place { source: 0, bytes: 0..0 });
        document.sources.push(Source { name: name.to_owned(), text: String::new(), is_file: false });
        document
    }

    /// Reads a file: TOML, or JSON by its ending. What is wrong with the text is kept in [`Document::syntax`].
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(path: &Path) -> Result<Document> {
        let bytes = std::fs::read(path).map_err(|e| unreadable(path, &e))?;
        let is_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        Ok(Document::parse(&called(path), &bytes, is_json))
    }

    /// As [`Document::read`], of a text that was read already.
    pub fn parse(name: &str, bytes: &[u8], is_json: bool) -> Document {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut document = Document::empty();
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(e) => {
                let good = e.valid_up_to();
                document.sources.push(Source { name: name.to_owned(), text: String::from_utf8_lossy(bytes).into_owned(), is_file: true });
                let what = format!("not UTF-8 text: byte 0x{:02X} is no part of a character; save the file as UTF-8", bytes[good]);
                // The replacement character stands where the bad byte was.
                document.syntax.push(document.problem(Some(&Place { source: 0, bytes: good..good + 3 }), "", what));
                return document;
            }
        };
        let (root, wrong) = match is_json {
            _ if text.trim().is_empty() => (None, Vec::new()),
            true => json::parse(&text, 0),
            false => toml::parse(&text, 0),
        };
        document.sources.push(Source { name: name.to_owned(), text, is_file: true });
        document.root = root.unwrap_or(document.root);
        document.syntax = wrong.into_iter().map(|(bytes, what)| document.problem(Some(&Place { source: 0, bytes }), "", what)).collect();
        document
    }

    /// Sets what `--set KEY=VALUE` says. The value is read as JSON, or else taken as text.
    ///
    /// # Errors
    /// If there is no `=`, the key is empty, or it lies inside something that is no table.
    pub fn assign(&mut self, assignment: &str) -> Result<()> {
        let Some((key, value)) = assignment.split_once('=') else {
            let advice = "write --set KEY=VALUE, for example --set recipes.master-bias.method=median";
            return Err(Error::usage(format!("--set {assignment}: no `=`"), advice));
        };
        let source = self.sources.len();
        self.sources.push(Source { name: format!("--set {assignment}"), text: assignment.to_owned(), is_file: false });
        let place = Place { source, bytes: key.len() + 1..assignment.len() };
        let value = value.trim();
        let looks_like_json = value.starts_with(['[', '{', '"']);
        let value = match serde_json::from_str(value) {
            Ok(value) => value,
            Err(_) if !looks_like_json => Value::String(value.to_owned()),
            Err(e) => {
                let what = format!("the value cannot be read as JSON: {}", json::without_position(&e));
                self.syntax.push(self.problem(Some(&place), key.trim(), what));
                return Ok(());
            }
        };
        let parts: Vec<&str> = key.trim().split('.').map(str::trim).collect();
        if parts.iter().any(|p| p.is_empty()) || parts.len() > DEEPEST {
            let what = format!("`{}` is no key", shortened(key.trim()));
            self.syntax.push(self.problem(Some(&place), "", what));
            return Ok(());
        }
        if let Err(part) = self.insert(&parts, &value, source, place.clone()) {
            let what = format!("`{part}` lies inside something that is no table");
            self.syntax.push(self.problem(Some(&place), key.trim(), what));
        }
        Ok(())
    }

    /// Names the instrument, as the command line did.
    pub fn name_instrument(&mut self, name: &str) {
        let source = self.sources.len();
        self.sources.push(Source { name: format!("--instrument {name}"), text: name.to_owned(), is_file: false });
        let place = Place { source, bytes: 0..name.len() };
        // The outermost value of a document is a table unless its syntax is wrong, which is said anyway.
        let _ = self.insert(&["instrument"], &Value::String(name.to_owned()), source, place);
    }

    fn insert(&mut self, parts: &[&str], value: &Value, source: usize, place: Place) -> std::result::Result<(), String> {
        let key = Place { source, bytes: 0..place.bytes.start.saturating_sub(1) };
        let mut at = &mut self.root;
        for (i, part) in parts.iter().enumerate() {
            let Content::Table(entries) = &mut at.content else { return Err((*part).to_owned()) };
            let last = i + 1 == parts.len();
            let index = entries.iter().position(|(k, _)| k == part).unwrap_or_else(|| {
                entries.push(((*part).to_owned(), Node::of_value(&Value::Object(Map::new()), Some(key.clone()), place.clone())));
                entries.len() - 1
            });
            at = &mut entries[index].1;
            if last {
                *at = Node::of_value(value, Some(key.clone()), place.clone());
            }
        }
        Ok(())
    }

    /// The value, without its places.
    pub fn to_value(&self) -> Value {
        self.root.to_value()
    }

    /// The node at the end of a path, or the last one on the way there.
    pub fn nearest_node(&self, path: &[String]) -> &Node {
        path.iter().try_fold(&self.root, |at, key| at.child(key).ok_or(at)).unwrap_or_else(|last| last)
    }

    /// The node at the end of a path.
    pub fn node(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |at, key| at.child(key))
    }

    /// Something that is wrong at a place.
    pub fn problem(&self, place: Option<&Place>, key: &str, what: impl Into<String>) -> Problem {
        let found = place.and_then(|p| Some((self.sources.get(p.source)?, p)));
        Problem::new(found.map(|(s, p)| (s, p.bytes.clone())), key, what.into())
    }

    /// The document if its syntax is right.
    ///
    /// # Errors
    /// All that is wrong with its syntax.
    pub fn sound(self) -> Result<Document> {
        if self.syntax.is_empty() { Ok(self) } else { Err(Error::Configuration(Problems(self.syntax))) }
    }
}

/// A file as a person at the terminal would call it.
fn called(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// A file that cannot be read is a wrong configuration, whatever else it is.
fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let what = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory; name the file in it".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let source = Source { name: called(path), text: String::new(), is_file: false };
    Error::Configuration(Problems(vec![Problem::new(Some((&source, 0..0)), "", what)]))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
