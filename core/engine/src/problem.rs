//! Something that is wrong with a configuration: where, what, and what was probably meant.

use std::fmt;
use std::ops::Range;

use schemars::JsonSchema;
use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text that values come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// How it is called in messages: the path of a file, or what was typed.
    pub name: String,
    /// The text, without a byte order mark.
    pub text: String,
    /// Whether it is a file, so that lines and columns mean something.
    pub is_file: bool,
}

/// Columns of a line that are shown around what is wrong in it.
const SHOWN: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The file, or what was typed: `--set KEY=VALUE`.
    pub file: String,
    /// Line, from 1; none if it is not in a file.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// The key, from the outermost table on: `recipes.master-bias.clip_sigma`.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// The key or value that was probably meant.
    pub suggestion: Option<String>,
    /// What else the person may want to know: what is legal.
    #[serde(skip)]
    pub hint: String,
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

/// The line with its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    line: String,
    before: String,
    width: usize,
}

/// All that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problem {
    /// A problem at some bytes of a source, if it is known where.
    pub fn new(place: Option<(&Source, Range<usize>)>, key: &str, message: String) -> Problem {
        let mut problem = Problem {
            file: place.as_ref().map_or_else(|| "configuration".to_owned(), |(s, _)| s.name.clone()),
            line: None,
            column: None,
            key: key.to_owned(),
            message,
            suggestion: None,
            hint: String::new(),
            excerpt: None,
        };
        if let Some((source, bytes)) = place.filter(|(s, _)| s.is_file) {
            let (line, column) = line_and_column(&source.text, bytes.start);
            (problem.line, problem.column) = (Some(line), Some(column));
            problem.excerpt = Some(excerpt(&source.text, &bytes));
        }
        problem
    }

    /// Says what was probably meant, or else what there is.
    pub fn suggesting(mut self, nearest: Option<&str>, hint: String) -> Problem {
        self.suggestion = nearest.map(str::to_owned);
        self.hint = hint;
        self
    }

    /// What makes two problems one: where they are and what they say.
    pub fn order(&self) -> (String, Option<usize>, Option<usize>, String) {
        (self.file.clone(), self.line, self.column, self.message.clone())
    }
}

/// Line and column of a byte, both from 1; columns count characters.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..boundary(text, byte)];
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// The nearest boundary of a character at or before a byte.
fn boundary(text: &str, byte: usize) -> usize {
    (0..=byte.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

fn excerpt(text: &str, bytes: &Range<usize>) -> Excerpt {
    let start = boundary(text, bytes.start);
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let line = text[line_start..line_end].trim_end_matches('\r');
    let at = (start - line_start).min(line.len());
    // A mark may begin behind what is shown: at the end of a line.
    let end = boundary(text, bytes.end.clamp(line_start + at, line_start + line.len())) - line_start;
    // Of a very long line only what is around the mark.
    let from = line[..at].char_indices().rev().nth(SHOWN / 2).map_or(0, |(i, _)| i);
    let to = line[at..].char_indices().nth(SHOWN / 2).map_or(line.len(), |(i, _)| at + i);
    let shown = |s: &str| s.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
    let (left, right) = (if from > 0 { "…" } else { "" }, if to < line.len() { "…" } else { "" });
    // Tabs stay tabs, so that the mark is below what it marks whatever their width.
    let blank = |c: char| if c == '\t' { "\t".to_owned() } else { " ".repeat(c.width().unwrap_or(1)) };
    Excerpt {
        line: format!("{left}{}{right}", shown(&line[from..to])),
        before: left.chars().chain(shown(&line[from..at]).chars()).map(blank).collect(),
        width: shown(&line[at..end.clamp(at, to)]).width().max(1),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.suggestion {
            Some(meant) if self.hint.is_empty() => write!(f, "; did you mean `{meant}`?")?,
            Some(meant) => write!(f, "; did you mean `{meant}` ({})?", self.hint)?,
            None if !self.hint.is_empty() => write!(f, "; {}", self.hint)?,
            None => {}
        }
        let (Some(line), Some(excerpt)) = (self.line, &self.excerpt) else { return Ok(()) };
        let number = format!("{line:>5}");
        let mark = "^".repeat(excerpt.width);
        write!(f, "\n{number} | {}\n{} | {}{mark}", excerpt.line.trim_end(), " ".repeat(number.len()), excerpt.before)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_may_begin_at_or_behind_the_end_of_a_line() {
        for text in ["=\r", "a = \"b\r\nc = 1\r\n", "\r", "", "\u{e9}\r\r\r\n"] {
            for start in 0..=text.len() + 1 {
                for end in start..=text.len() + 1 {
                    let shown = excerpt(text, &(start..end));
                    assert!(shown.width >= 1 && !shown.line.contains('\n'), "{text:?} {start}..{end}");
                }
            }
        }
        assert_eq!(excerpt("=\r", &(1..2)), Excerpt { line: "=".into(), before: " ".into(), width: 1 });
    }
}
