//! Trees of association of the ESO archive (`*_raw2raw.xml`, `*_raw2master.xml`), as hints.
//!
//! The archive says with each science file which calibrations it was delivered with: an `association` has `mainFiles` and
//! `associatedFiles`, and the latter hold further associations, to any depth. The file comes from outside, so nothing in it is
//! trusted: names are keys to be compared with the names of frames and never paths, a document type or an entity of its own is
//! refused (it could grow without end), and size, depth and number of entries are limited. An entry whose name could be a path is left
//! out with a note; the rest counts.

use std::io::{BufRead, BufReader};
use std::path::Path;

use ifured_core::{Hint, Hints, RecipeError};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// What is read at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Elements inside each other.
    pub depth: usize,
    /// Files and associations.
    pub entries: usize,
}

impl Default for Limits {
    /// A science frame of MUSE comes with some hundred files, in some hundred kilobytes, four associations deep.
    fn default() -> Self {
        Limits { bytes: 64 << 20, depth: 64, entries: 100_000 }
    }
}

/// Reads a file of associations.
///
/// # Errors
/// If it cannot be read, is no such XML, is cut off, has a document type or entities, or exceeds the usual limits.
pub fn read(path: &Path) -> Result<Hints, RecipeError> {
    let failed = |what: String| RecipeError::new(what, "download it again with the data, or do without it");
    let file = std::fs::File::open(path).map_err(|e| failed(e.to_string()))?;
    parse(BufReader::new(file), &Limits::default()).map_err(failed)
}

/// Reads associations from any source.
///
/// # Errors
/// What is wrong, in words, as [`read()`].
pub fn parse(source: impl BufRead, limits: &Limits) -> Result<Hints, String> {
    let mut reader = Reader::from_reader(BufReader::new(source.take(limits.bytes + 1)));
    let mut tree = Tree { limits: *limits, ..Tree::default() };
    let mut buffer = Vec::new();
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event_into(&mut buffer);
        if reader.buffer_position() > limits.bytes {
            return Err(format!("refused: larger than {} bytes", limits.bytes));
        }
        let wrong = |what: String| format!("at byte {at}: {what}");
        match event.map_err(|e| wrong(format!("not XML, or cut off: {e}")))? {
            Event::Start(start) => tree.open(&start).map_err(wrong)?,
            Event::Empty(start) => {
                tree.open(&start).map_err(wrong)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::DocType(_) => return Err(wrong("refused: it has a document type, and with it may have entities".into())),
            Event::GeneralRef(entity) if !is_harmless(&entity) => {
                return Err(wrong(format!("refused: entity `&{};`", shortened(&entity))));
            }
            Event::Text(text) => tree.text(&text.xml10_content()),
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    match tree {
        Tree { elements, .. } if !elements.is_empty() => Err(format!("cut off: <{}> is not closed", elements.join("> <"))),
        Tree { found, .. } if found.hints.is_empty() => Err("there is no <association> in it".into()),
        Tree { found, .. } => Ok(found),
    }
}

/// A character, or one of the five entities of XML itself.
fn is_harmless(entity: &str) -> bool {
    entity.starts_with('#') || matches!(entity, "amp" | "lt" | "gt" | "quot" | "apos")
}

/// What has been read so far.
#[derive(Default)]
struct Tree {
    limits: Limits,
    elements: Vec<String>,
    /// The associations that are open, by their place among the hints.
    open: Vec<usize>,
    entries: usize,
    found: Hints,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.elements.len() >= self.limits.depth {
            return Err(format!("refused: more than {} elements inside each other", self.limits.depth));
        }
        let name = start.local_name().as_ref().to_owned();
        match name.as_str() {
            "association" => self.open_association(start)?,
            "file" => self.file(start)?,
            "message" => {
                if let Some(text) = attribute(start, "text")? {
                    self.text(&text);
                }
            }
            _ => {}
        }
        self.elements.push(name);
        Ok(())
    }

    fn open_association(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        let logical = |name| Ok::<_, String>(attribute(start, name)?.and_then(|v| v.trim().to_lowercase().parse().ok()));
        let category = attribute(start, "category")?.unwrap_or_default();
        if logical("complete")? == Some(false) {
            self.found.notes.push(format!("the archive says that the calibrations of its {category} are not complete"));
        }
        self.count()?;
        self.open.push(self.found.hints.len());
        let calibrates = self.open.iter().rev().nth(1).copied();
        self.found.hints.push(Hint { category, names: Vec::new(), calibrates, certified: logical("certified")? });
        Ok(())
    }

    fn count(&mut self) -> Result<(), String> {
        self.entries += 1;
        match self.entries > self.limits.entries {
            true => Err(format!("refused: more than {} files and associations", self.limits.entries)),
            false => Ok(()),
        }
    }

    fn close(&mut self) {
        if self.elements.pop().as_deref() == Some("association") {
            self.open.pop();
        }
    }

    fn file(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        self.count()?;
        let Some(&open) = self.open.last() else { return Ok(()) };
        let category = attribute(start, "category")?.unwrap_or_default();
        let given = attribute(start, "name")?.unwrap_or_default();
        match key_of(&given) {
            // Files may stand among the associated ones without an association of their own.
            Ok(name) if self.elements.last().is_some_and(|e| e == "associatedFiles") => {
                self.found.hints.push(Hint { category, names: vec![name], calibrates: Some(open), certified: None });
            }
            Ok(name) => self.found.hints[open].names.push(name),
            Err(why) => self.found.notes.push(format!("file {:?} of category {category:?} left out: {why}", shortened(&given))),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let inside = self.elements.iter().any(|e| e == "message" || e == "messages");
        if inside && !text.trim().is_empty() {
            self.found.notes.push(format!("the archive says: {}", shortened(text.trim())));
        }
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let Some(attribute) = start.try_get_attribute(name).map_err(|e| format!("attributes of <{}>: {e}", start.name().as_ref()))? else {
        return Ok(None);
    };
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| format!("refused: attribute {name}: {e}"))?;
    Ok(Some(value.into_owned()))
}

/// Longest name of a file.
const LONGEST_NAME: usize = 255;

/// The name by which a file is known: without what compression and FITS add to it. Says why if it is none.
fn key_of(name: &str) -> Result<String, &'static str> {
    let name = name.trim();
    if name.contains(['/', '\\']) {
        return Err("a name may not have directories");
    }
    if name.chars().any(char::is_control) {
        return Err("a name may not have control characters");
    }
    let stem = [".Z", ".gz", ".fz"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(name);
    let stem = [".fits", ".FITS"].iter().find_map(|e| stem.strip_suffix(e)).unwrap_or(stem);
    match stem {
        "" => Err("it has no name"),
        "." | ".." => Err("it is the name of a directory"),
        _ if stem.len() > LONGEST_NAME => Err("the name is longer than any file has"),
        _ => Ok(stem.to_owned()),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<Hints, String> {
        parse(text.as_bytes(), &Limits::default())
    }

    const GOOD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <association category="OBJECT" complete="true" certified="false">
          <messages><message>no certified STD</message></messages>
          <mainFiles><file category="OBJECT" name="MUSE.2018-04-24T23:16:10.1"/></mainFiles>
          <associatedFiles>
            <association category="STD" certified="true">
              <mainFiles><file category="STD" name="MUSE.2018-04-25T10:00:00.000.fits.fz"/></mainFiles>
              <associatedFiles>
                <association category="BIAS">
                  <mainFiles><file category="MASTER_BIAS" name="M.MUSE.2018-04-26T07:00:00.000.fits"/></mainFiles>
                </association>
              </associatedFiles>
            </association>
            <association category="R&amp;D"/>
            <file category="ILLUM" name="MUSE.2018-04-24T23:00:00.000.fits.fz"/>
          </associatedFiles>
        </association>"#;

    #[test]
    fn a_tree_becomes_hints() {
        let found = parsed(GOOD).unwrap();
        let of = |h: &Hint| (h.category.clone(), h.names.join(" "), h.calibrates, h.certified);
        assert_eq!(
            found.hints.iter().map(of).collect::<Vec<_>>(),
            [
                ("OBJECT".into(), "MUSE.2018-04-24T23:16:10.1".into(), None, Some(false)),
                ("STD".into(), "MUSE.2018-04-25T10:00:00.000".into(), Some(0), Some(true)),
                ("BIAS".into(), "M.MUSE.2018-04-26T07:00:00.000".into(), Some(1), None),
                ("R&D".into(), String::new(), Some(0), None),
                ("ILLUM".into(), "MUSE.2018-04-24T23:00:00.000".into(), Some(0), None),
            ]
        );
        assert_eq!(found.notes, ["the archive says: no certified STD"]);
    }

    fn with_name(name: &str) -> String {
        format!(
            r#"<association category="OBJECT"><mainFiles><file category="OBJECT" name="good"/></mainFiles><associatedFiles>
               <association category="BIAS"><mainFiles><file category="BIAS" name="{name}"/><file category="BIAS" name="b"/></mainFiles>
               </association></associatedFiles></association>"#
        )
    }

    #[test]
    fn names_that_could_be_paths_are_left_out_and_the_rest_counts() {
        for (name, why) in [
            ("../../etc/passwd", "directories"),
            ("/etc/passwd", "directories"),
            ("a\\b", "directories"),
            ("..", "directory"),
            ("", "no name"),
            (".fits", "no name"),
            ("a&#10;b", "control"),
            (&"x".repeat(300), "longer"),
        ] {
            let found = parsed(&with_name(name)).unwrap();
            assert_eq!(found.hints[1].names, ["b"], "{name}");
            assert!(found.notes.len() == 1 && found.notes[0].contains(why), "{name}: {:?}", found.notes);
        }
        let nul = parsed(&with_name("a&#0;b"));
        assert!(nul.is_err_and(|e| e.contains("refused")), "XML has no character 0");
        assert_eq!(parsed(&with_name("a\0b")).unwrap().notes.len(), 1);
    }

    #[test]
    fn entities_and_document_types_are_refused() {
        let laughs = r#"<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><association category="&b;"/>"#;
        assert!(parsed(laughs).unwrap_err().contains("document type"));
        assert!(parsed(&with_name("&b;")).unwrap_err().contains("refused"));
        assert!(parsed("<association><messages>&xxe;</messages></association>").unwrap_err().contains("entity `&xxe;`"));
    }

    #[test]
    fn depth_size_and_number_are_limited() {
        let deep = r#"<association category="A"><associatedFiles>"#.repeat(5000);
        assert!(parsed(&deep).unwrap_err().contains("64 elements inside each other"));
        let many = format!("<association><mainFiles>{}</mainFiles></association>", r#"<file category="A" name="b"/>"#.repeat(11));
        assert!(
            parse(many.as_bytes(), &Limits { entries: 10, ..Limits::default() })
                .unwrap_err()
                .contains("more than 10 files and associations")
        );
        // 100 MB that are made while they are read, in text and inside of one tag.
        for start in ["<association>", "<association category='"] {
            let endless = BufReader::new(start.as_bytes().chain(std::io::repeat(b'x').take(100 << 20)));
            let error = parse(endless, &Limits { bytes: 1 << 20, ..Limits::default() }).unwrap_err();
            assert!(error.contains("larger than 1048576 bytes"), "{error}");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_xml_is_said_so() {
        let truncated = &GOOD[..GOOD.len() - 200];
        for text in [truncated, "<association category=\"A\"", "<association></file></association>"] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains("cut off"), "{error}");
        }
        assert!(parsed("SIMPLE  =                    T").unwrap_err().contains("no <association>"));
        assert!(parsed("").unwrap_err().contains("no <association>"));
        assert!(read(Path::new("/nowhere/a_raw2raw.xml")).unwrap_err().what.contains("No such file"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(bytes.as_slice(), &Limits::default());
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0..GOOD.len(), byte in any::<u8>(), end in 0..GOOD.len()) {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = parse(&bytes[..end.max(at)], &Limits::default());
        }
    }
}
