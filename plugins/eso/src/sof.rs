//! Sets of frames (`.sof`): what goes into a recipe, one file a line with its tag.
//!
//! Read as esorex 3.13 reads them: words parted by blanks or tabs (so no path can hold a blank: there is no quoting), `#` begins a
//! comment, `$NAME` in a path is a variable of the environment, a third word is the group, further words are ignored. Relative
//! paths are relative to the working directory; one that is not there is looked for beside the `.sof`, which esorex does not do.
//! Unlike esorex, lines may end in CR LF, and a line without a tag is an error here instead of a frame that no recipe takes.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use ifured_core::RecipeError;
use ifured_core::words::closest;

/// One line of a set of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Reads a set of frames in the order of its lines and checks that every file is there.
///
/// `allowed` are the tags that may be used; empty allows all.
///
/// # Errors
/// All problems at once: no tag, a tag that is not allowed (with the nearest that is), a file that is not there, a file given
/// twice with one tag, a variable that is not set; or that the `.sof` cannot be read.
pub fn read(sof: &Path, allowed: &[&str]) -> Result<Vec<SofEntry>, Vec<SofProblem>> {
    let unreadable = |e: std::io::Error| vec![SofProblem { sof: sof.to_owned(), line: 0, what: format!("cannot read it: {e}") }];
    let text = std::fs::read_to_string(sof).map_err(unreadable)?;
    let beside = sof.parent().unwrap_or(Path::new(""));
    let place = |path: &Path| {
        let there = [path.to_owned(), beside.join(path)].into_iter().find(|p| p.is_file());
        there.ok_or_else(|| format!("there is no file {}", path.display()))
    };
    parse(sof, &text, allowed, place, |name| std::env::var(name).ok())
}

/// Reads the text of a set of frames. `place` says where a path leads, `variable` what a variable of the environment holds.
///
/// # Errors
/// As [`read()`], and what `place` says.
pub fn parse(
    sof: &Path,
    text: &str,
    allowed: &[&str],
    place: impl Fn(&Path) -> Result<PathBuf, String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<SofEntry>, Vec<SofProblem>> {
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    let mut first_line: HashMap<(PathBuf, String), usize> = HashMap::new();
    for (n, line) in text.lines().enumerate() {
        let mut problem = |what: String| problems.push(SofProblem { sof: sof.to_owned(), line: n + 1, what });
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        let Some(word) = words.next() else { continue };
        let Some(tag) = words.next() else {
            problem(format!("{word} has no tag"));
            continue;
        };
        if !allowed.is_empty() && !allowed.contains(&tag) {
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

/// Writes a set of frames.
///
/// # Errors
/// As [`text()`]; if the file cannot be written.
pub fn write(sof: &Path, entries: &[SofEntry]) -> Result<(), RecipeError> {
    std::fs::write(sof, text(entries)?)
        .map_err(|e| RecipeError::new(format!("cannot write {}: {e}", sof.display()), "see whether the disk is full or not yours to write"))
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
        let text = "# head\n\n  /a/b.fits\tBIAS RAW and more\r\n$RAW/c.fits BIAS # why\n${RAW}2/d.fits FLAT#x\n";
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
    fn files_are_found_beside_the_sof_and_missing_ones_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let (sof, there) = (directory.path().join("a.sof"), directory.path().join("there.fits"));
        std::fs::write(&there, "").unwrap();
        std::fs::write(&sof, "there.fits BIAS\n").unwrap();
        assert_eq!(read(&sof, &[]), Ok(vec![SofEntry::new(&there, "BIAS")]));
        std::fs::write(&sof, "there.fits BIAS\n\ngone.fits BIAS\n").unwrap();
        let problems = read(&sof, &[]).unwrap_err();
        assert_eq!(problems[0].to_string(), format!("{}:3: there is no file gone.fits", sof.display()));
        assert!(as_error(&read(&directory.path().join("b.sof"), &[]).unwrap_err()).what.contains("b.sof: cannot read it"));
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
