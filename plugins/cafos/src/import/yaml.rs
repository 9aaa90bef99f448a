//! YAML documents as a tree in which every value knows its line.
//!
//! saphyr-parser reads the text; this file composes its events. Values keep their text and how it was written, for what they
//! are depends on who asks: a night `170319` is text, a keyword `170319` is a number (see [`super::scalar`]).
//!
//! What an alias stands for is shared, not copied, and its size is counted, so that a small file cannot become a large tree.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deepest nesting; filabres' files need four levels.
const DEEPEST: usize = 50;
/// Most values of a file, with all aliases expanded.
const MOST_VALUES: usize = 1_000_000;

/// One value.
#[derive(Clone, Debug)]
pub struct Node {
    /// Line in the file, from 1.
    pub line: usize,
    /// What it is.
    pub content: Content,
    size: usize,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Content {
    /// Text or something else in one word.
    Scalar(Scalar),
    /// `- a` lines.
    List(Rc<Vec<Node>>),
    /// `key: value` lines.
    Map(Rc<Vec<Entry>>),
}

/// A value as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scalar {
    /// Its text.
    pub text: String,
    /// Whether it is in quotes, or a block of text: then it is text whatever it looks like.
    pub quoted: bool,
    /// `str` of `!!str`.
    pub tag: Option<String>,
}

/// One `key: value`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its line.
    pub line: usize,
    /// The value.
    pub value: Node,
}

impl Node {
    /// What it is, in the words of an error message.
    pub fn kind(&self) -> String {
        match &self.content {
            Content::Scalar(s) if s.is_empty() => "empty".into(),
            Content::Scalar(s) => format!("`{}`", s.text.chars().take(60).collect::<String>()),
            Content::List(_) => "a list".into(),
            Content::Map(_) => "a block of `key: value`".into(),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }
}

/// The documents of a file, empty ones left out; what is wrong is added to `problems` as `name:line: what`.
pub fn documents(text: &str, name: &str, problems: &mut Vec<String>) -> Vec<Node> {
    let mut composer = Composer { name, ..Composer::default() };
    for event in Parser::new_from_str(text) {
        let taken = match event {
            Ok((event, span)) => composer.take(event, span),
            Err(e) => Err((e.marker().line(), format!("not YAML: {}", e.info()))),
        };
        if let Err((line, what)) = taken {
            composer.problems.push(format!("{name}:{line}: {what}"));
            break;
        }
    }
    problems.append(&mut composer.problems);
    composer.documents
}

/// What stops the reading: line and reason.
type Stop = (usize, String);

#[derive(Default)]
struct Composer<'a> {
    name: &'a str,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    documents: Vec<Node>,
    problems: Vec<String>,
}

/// A list or map whose end has not come yet.
struct Open {
    anchor: usize,
    line: usize,
    is_map: bool,
    children: Vec<Node>,
    size: usize,
}

impl Composer<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|t| t.suffix.trim_start_matches("tag:yaml.org,2002:").to_owned()).filter(|t| !t.is_empty());
                let scalar = Scalar { text: text.into_owned(), quoted: style != ScalarStyle::Plain, tag };
                self.add(Node { line, content: Content::Scalar(scalar), size: 1 }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.start(anchor, line, false),
            Event::MappingStart(anchor, _) => self.start(anchor, line, true),
            Event::SequenceEnd | Event::MappingEnd => self.end(line),
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.add(Node { line, ..node }, 0),
                None => Err((line, "an alias (*) that contains itself, or that nothing is called".into())),
            },
            // Anchors hold for one document.
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn start(&mut self, anchor: usize, line: usize, is_map: bool) -> Result<(), Stop> {
        if self.open.len() >= DEEPEST {
            return Err((line, format!("nested more than {DEEPEST} deep")));
        }
        self.open.push(Open { anchor, line, is_map, children: Vec::new(), size: 1 });
        Ok(())
    }

    fn end(&mut self, line: usize) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else { return Err((line, "an end without a beginning".into())) };
        let content = match open.is_map {
            true => Content::Map(Rc::new(self.entries(open.children)?)),
            false => Content::List(Rc::new(open.children)),
        };
        self.add(Node { line: open.line, content, size: open.size }, open.anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            if !matches!(&node.content, Content::Scalar(s) if s.is_empty()) {
                self.documents.push(node);
            }
            return Ok(());
        };
        parent.size = parent.size.saturating_add(node.size);
        if parent.size > MOST_VALUES {
            return Err((node.line, format!("with its aliases (*) this is more than {MOST_VALUES} values")));
        }
        parent.children.push(node);
        Ok(())
    }

    /// Pairs keys and values, and takes in what `<<` names.
    fn entries(&mut self, children: Vec<Node>) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut first_line: HashMap<String, usize> = HashMap::new();
        let mut merged: Vec<Node> = Vec::new();
        let mut children = children.into_iter();
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            let Content::Scalar(scalar) = key.content else {
                return Err((key.line, "a key must be a word, not a list or a block".into()));
            };
            if let Some(first) = first_line.insert(scalar.text.clone(), key.line) {
                let what = format!("key `{}` is here twice, first in line {first}", scalar.text);
                self.problems.push(format!("{}:{}: {what}; are `---` lines missing between blocks?", self.name, key.line));
            } else if scalar.text == "<<" && !scalar.quoted {
                merged.push(value);
            } else {
                entries.push(Entry { key: scalar.text, line: key.line, value });
            }
        }
        for source in merged {
            let sources = match &source.content {
                Content::List(list) => list.to_vec(),
                _ => vec![source],
            };
            for one in sources {
                let Content::Map(more) = one.content else {
                    return Err((one.line, "`<<` takes in a block of `key: value`, nothing else".into()));
                };
                let new = |e: &&Entry| !first_line.contains_key(&e.key);
                let added: Vec<Entry> = more.iter().filter(new).cloned().collect();
                first_line.extend(added.iter().map(|e| (e.key.clone(), e.line)));
                entries.extend(added);
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Node>, String) {
        let mut problems = Vec::new();
        let documents = documents(text, "x.yaml", &mut problems);
        (documents, problems.join("\n"))
    }

    #[test]
    fn documents_lines_and_empty_ones() {
        let (documents, problems) = read("# only\n---\n---\nnight: 0170319\nfiles:\n  - a\n---\nnight: b\n---\n");
        assert_eq!((documents.len(), problems.as_str()), (2, ""));
        let night = documents[0].get("night").unwrap();
        assert_eq!((night.line, night.value.kind().as_str()), (4, "`0170319`"));
        assert_eq!(documents[1].get("night").unwrap().line, 8);
        assert_eq!(read("# nothing\n").0.len(), 0);
        assert_eq!(read("").0.len(), 0);
    }

    #[test]
    fn anchors_and_merged_blocks() {
        let (documents, problems) = read("base: &b {files: [x], enabled: no}\nblock:\n  <<: *b\n  enabled: yes\n  list: *b\n");
        assert_eq!(problems, "");
        let block = &documents[0].get("block").unwrap().value;
        assert_eq!(block.get("enabled").unwrap().value.kind(), "`yes`");
        assert_eq!(block.get("files").unwrap().value.kind(), "a list");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let cases = [
            ("a: 1\nb: 2\na: 3\n", "x.yaml:3: key `a` is here twice, first in line 1"),
            ("a: &x\n  b: *x\n", "x.yaml:2: an alias"),
            ("a: *none\n", "x.yaml:1: "),
            ("a: [1, 2\n", "x.yaml:"),
            ("a:\n\t- b\n", "x.yaml:"),
            ("? [a]\n: b\n", "x.yaml:1: a key must be a word"),
            ("a: {<<: 3}\n", "x.yaml:1: `<<` takes in"),
        ];
        for (text, expected) in cases {
            let (_, problems) = read(text);
            assert!(problems.starts_with(expected), "{text:?}: {problems}");
        }
        assert!(read(&("[".repeat(60) + &"]".repeat(60))).1.contains("nested more than 50 deep"));
        assert!(read(&"[".repeat(100_000)).1.starts_with("x.yaml:1: "));
        assert!(read(&"- ".repeat(100_000)).1.starts_with("x.yaml:1: "));
    }

    #[test]
    fn a_billion_laughs_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let before = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb += &format!("a{n}: &a{n} [{before}]\n");
        }
        assert!(read(&bomb).1.contains("more than 1000000 values"));
    }
}
