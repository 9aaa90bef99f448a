//! Sets of frames (`.sof`): what goes into a recipe, one file a line with its tag.
//!
//! Read as esorex 3.13 reads them: words parted by blanks or tabs (so no path can hold a blank: there is no quoting), `#` begins a
//! comment, `$NAME` in a path is a variable of the environment, a third word is the group, further words are ignored. Relative
//! paths are relative to the working directory. Unlike esorex, lines may end in CR LF, and a line without a tag is an error here instead
//! of a frame that no recipe takes. Files are opened by whoever reads and writes sets of frames, not here.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::recipe::{RecipeError, TaskInput};
use crate::words::closest;

/// What stands before the tag in [`TaskInput::adapt`] of a frame that goes in under another tag than its own.
pub const AS_TAG: &str = "as:";

/// Tag of an input that is a file named by a parameter, and no frame.
pub const NO_FRAME: &str = "file";

/// One line of a set of frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SofEntry {
    /// The file.
    pub path: PathBuf,
    /// Its tag.
    pub tag: String,
    /// `RAW`, `CALIB` or `PRODUCT`, where the line says so.
    pub group: Option<String>,
}

impl SofEntry {
    /// A file with its tag.
    pub fn new(path: impl Into<PathBuf>, tag: impl Into<String>) -> Self {
        SofEntry { path: path.into(), tag: tag.into(), group: None }
    }

    /// An input of a task, under the tag that the recipe knows it by; none for a file that a parameter names.
    pub fn of_input(input: &TaskInput) -> Option<Self> {
        let tag = other_tag(input.adapt.as_deref()).unwrap_or(input.tag.as_str());
        (input.tag.as_str() != NO_FRAME).then(|| SofEntry::new(&input.path, tag))
    }
}

/// The tag under which a frame goes in that is adapted like this, if it is not its own.
pub fn other_tag(adapt: Option<&str>) -> Option<&str> {
    adapt?.strip_prefix(AS_TAG)
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SofProblem {
    /// The `.sof`, as it was given.
    pub sof: PathBuf,
    /// The line, from 1; 0 where it is about the whole file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for SofProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.sof.display(), self.what),
            line => write!(f, "{}:{line}: {}", self.sof.display(), self.what),
        }
    }
}

/// All that is wrong with a set of frames, as one error.
pub fn as_error(problems: &[SofProblem]) -> RecipeError {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    RecipeError::new(lines.join("\n"), "write one file a line, then a blank, then its tag; paths must not hold blanks")
}

/// Reads the text of a set of frames, in the order of its lines.
///
/// `allowed` are the tags that may be used; empty allows all. `place` says where a path leads, `variable` what a variable of the environment
/// holds.
///
/// # Errors
/// All problems at once: no tag, a tag that is not allowed (with the nearest that is), a path with a blank, a file given twice with one tag, a
/// variable that is not set, and what `place` says.
pub fn parse(
    sof: &Path,
    text: &str,
    allowed: &[&str],
    place: impl Fn(&Path) -> Result<PathBuf, String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<SofEntry>, Vec<SofProblem>> {
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    let mut first_line: HashMap<(PathBuf, String), usize> = HashMap::new();
    // Some editors begin a file with a mark of its byte order.
    for (n, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let mut problem = |what: String| problems.push(SofProblem { sof: sof.to_owned(), line: n + 1, what });
        let line = line.split('#').next().unwrap_or("").trim();
        let mut words = line.split_whitespace();
        let Some(word) = words.next() else { continue };
        let Some(tag) = words.next() else {
            problem(format!("{word} has no tag"));
            continue;
        };
        if !allowed.is_empty() && !allowed.contains(&tag) {
            if let Some(path) = path_with_blank(line, allowed) {
                problem(format!("the path `{path}` holds a blank, which parts words here: move or link the file to a path without"));
                continue;
            }
            problem(unknown_tag(tag, allowed));
        }
        let path = match expanded(word, &variable).and_then(|path| place(Path::new(&path))) {
            Ok(path) => path,
            Err(what) => {
                problem(what);
                continue;
            }
        };
        let line_before = *first_line.entry((path.clone(), tag.to_owned())).or_insert(n + 1);
        if line_before != n + 1 {
            problem(format!("{} is given twice as {tag}, first in line {line_before}", path.display()));
        }
        entries.push(SofEntry { path, tag: tag.to_owned(), group: words.next().map(str::to_owned) });
    }
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

/// The path of a line whose second word is no tag, if it goes on to a later word that is one, or that looks like the end of a path.
fn path_with_blank<'a>(line: &'a str, allowed: &[&str]) -> Option<&'a str> {
    let is_path = |word: &str| word.contains('/') || word.to_lowercase().contains(".fit");
    let words: Vec<&str> = line.split_whitespace().collect();
    let last = words.iter().skip(2).position(|w| allowed.contains(w)).map(|n| n + 1);
    let last = last.or_else(|| words.iter().skip(1).rposition(|w| is_path(w)).map(|n| n + 1))?;
    let end = words[last].as_ptr() as usize - line.as_ptr() as usize + words[last].len();
    Some(&line[..end])
}

fn unknown_tag(tag: &str, allowed: &[&str]) -> String {
    match closest(tag, allowed.iter().copied()) {
        Some(near) => format!("no tag `{tag}` is known here; is `{near}` meant?"),
        None => format!("no tag `{tag}` is known here; there are {}", allowed.join(", ")),
    }
}

/// A path with its `$NAME` and `${NAME}` replaced.
fn expanded(path: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('$') {
        out += before;
        let (name, then) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(parted) => parted,
            None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        out += &variable(name).ok_or_else(|| format!("{path}: the variable `{name}` of the environment is not set"))?;
        rest = then;
    }
    Ok(out + rest)
}

/// Why a path cannot stand in a set of frames; none if it can.
pub fn unwritable(path: &Path) -> Option<String> {
    let Some(text) = path.to_str() else { return Some("it is not UTF-8".into()) };
    let bad = text.chars().find(|c| c.is_whitespace() || c.is_control() || matches!(c, '#' | '$'));
    match bad {
        Some(c) => Some(format!("it holds {c:?}, which has a meaning there")),
        None => text.is_empty().then(|| "it is empty".into()),
    }
}

/// The text of a set of frames, in the order given.
///
/// # Errors
/// If a path or tag cannot stand in one (see [`unwritable`]).
pub fn text(entries: &[SofEntry]) -> Result<String, RecipeError> {
    let mut text = String::new();
    for entry in entries {
        let words = [Some(entry.tag.as_str()), entry.group.as_deref()];
        let mut all = std::iter::once(entry.path.as_path()).chain(words.into_iter().flatten().map(Path::new));
        if let Some((word, why)) = all.find_map(|word| Some((word, unwritable(word)?))) {
            let advice = "move or link the file to a path without blanks, `#` and `$`: esorex knows no quotes";
            return Err(RecipeError::new(format!("{} cannot be written into a set of frames: {why}", word.display()), advice));
        }
        text += &entry.path.display().to_string();
        for word in words.into_iter().flatten() {
            text.push(' ');
            text += word;
        }
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str, allowed: &[&str]) -> Result<Vec<SofEntry>, Vec<String>> {
        let variable = |name: &str| (name == "RAW").then(|| "/raw".to_owned());
        let problems = |p: Vec<SofProblem>| p.iter().map(ToString::to_string).collect();
        parse(Path::new("a.sof"), text, allowed, |p| Ok(p.to_owned()), variable).map_err(problems)
    }

    #[test]
    fn comments_blank_lines_groups_and_variables() {
        let text = "\u{feff}# head\n\n  /a/b.fits\tBIAS RAW and more\r\n$RAW/c.fits BIAS # why\n${RAW}2/d.fits FLAT#x\n";
        let entry = |path: &str, tag: &str, group: Option<&str>| SofEntry { group: group.map(str::to_owned), ..SofEntry::new(path, tag) };
        let wanted = vec![entry("/a/b.fits", "BIAS", Some("RAW")), entry("/raw/c.fits", "BIAS", None), entry("/raw2/d.fits", "FLAT", None)];
        assert_eq!(parsed(text, &["BIAS", "FLAT"]), Ok(wanted));
    }

    #[test]
    fn all_problems_are_said_with_their_lines() {
        let text = "a.fits\nb.fits BAIS\nc.fits BIAS\nc.fits FLAT\nc.fits BIAS\n$NIX/d.fits BIAS\n";
        assert_eq!(
            parsed(text, &["BIAS", "FLAT"]).unwrap_err(),
            [
                "a.sof:1: a.fits has no tag",
                "a.sof:2: no tag `BAIS` is known here; is `BIAS` meant?",
                "a.sof:5: c.fits is given twice as BIAS, first in line 3",
                "a.sof:6: $NIX/d.fits: the variable `NIX` of the environment is not set",
            ]
        );
    }

    #[test]
    fn a_blank_in_a_path_is_named() {
        let text = "/my night/a.fits BIAS\n/night/b c.fits\n/night/d.fits BAIS\n";
        assert_eq!(
            parsed(text, &["BIAS", "FLAT"]).unwrap_err(),
            [
                "a.sof:1: the path `/my night/a.fits` holds a blank, which parts words here: move or link the file to a path without",
                "a.sof:2: the path `/night/b c.fits` holds a blank, which parts words here: move or link the file to a path without",
                "a.sof:3: no tag `BAIS` is known here; is `BIAS` meant?",
            ]
        );
    }

    #[test]
    fn an_input_goes_in_under_the_tag_that_the_recipe_knows() {
        let input = |tag: &str, adapt: Option<&str>| TaskInput {
            tag: tag.into(),
            adapt: adapt.map(str::to_owned),
            path: "/a.fits".into(),
            ..TaskInput::default()
        };
        assert_eq!(SofEntry::of_input(&input("ILLUM_CORR_LAMP", Some("as:ILLUM_CORR"))), Some(SofEntry::new("/a.fits", "ILLUM_CORR")));
        assert_eq!(SofEntry::of_input(&input("BIAS", Some("level-only"))), Some(SofEntry::new("/a.fits", "BIAS")));
        assert_eq!(SofEntry::of_input(&input(NO_FRAME, None)), None);
    }

    #[test]
    fn what_esorex_would_take_for_something_else_is_not_written() {
        for path in ["/a b.fits", "/a#b.fits", "/a$b.fits", "/a\nb.fits", ""] {
            let error = text(&[SofEntry::new(path, "BIAS")]).unwrap_err();
            assert!(error.what.contains("cannot be written into a set of frames"), "{path}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_in_the_same_order(
            lines in prop::collection::vec(("/[^\\s#$\\x00-\\x1f\\x7f-\\u{9f}]{1,20}", "[A-Z_]{1,12}", prop::option::of("RAW|CALIB")), 0..20)
        ) {
            let mut entries: Vec<SofEntry> = Vec::new();
            for (path, tag, group) in lines {
                let entry = SofEntry { path: path.into(), tag, group };
                if !entries.iter().any(|e| e.path == entry.path && e.tag == entry.tag) {
                    entries.push(entry);
                }
            }
            prop_assert_eq!(parsed(&text(&entries).unwrap(), &[]), Ok(entries));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = parsed(&text, &["BIAS"]);
        }
    }
}
