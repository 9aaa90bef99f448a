//! Trees of association of the ESO archive (`*_raw2raw.xml`, `*_raw2master.xml`), as hints.
//!
//! The archive says with each science file which calibrations it was delivered with: an `association` has `mainFiles` and
//! `associatedFiles`, and the latter hold further associations, to any depth. The file comes from outside, so nothing in it is
//! trusted: names are keys to be compared with the names of frames and never paths, a document type or an entity of its own is
//! refused (it could grow without end), and size, depth and number of entries are limited. An entry whose name could be a path is left
//! out with a note; the rest counts.

use std::io::{BufRead, BufReader};
use std::path::Path;

use ifured_core::RecipeError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// What is read at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Elements inside each other.
    pub depth: usize,
    /// Files named.
    pub entries: usize,
}

impl Default for Limits {
    /// A science frame of MUSE comes with some hundred files, in some hundred kilobytes, four associations deep.
    fn default() -> Self {
        Limits { bytes: 64 << 20, depth: 64, entries: 100_000 }
    }
}

/// Whether a calibration is a raw frame or was made by the observatory's pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A raw frame.
    Raw,
    /// A master or static calibration: the archive puts `M.` before their names.
    Master,
}

/// A calibration that the archive associates with a science file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// What it is: `BIAS`, `MASTER_BIAS`.
    pub category: String,
    /// Name of the file without directory and extension: `MUSE.2018-04-25T10:00:00.000`.
    pub name: String,
    /// The association that it belongs to: `BIAS`, `FLAT`.
    pub association: String,
    /// Whether the archive has certified its quality; none where the file does not say.
    pub certified: Option<bool>,
    /// Whether the association has all that it should; none where the file does not say.
    pub complete: Option<bool>,
    /// 1 for what belongs to the science files themselves, 2 for what belongs to these, and so on.
    pub depth: usize,
    /// Raw or master.
    pub kind: Kind,
}

/// A file of the science association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainFile {
    /// What it is: `OBJECT`.
    pub category: String,
    /// Name without directory and extension.
    pub name: String,
}

/// One science association: its files and what goes with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScienceAssociation {
    /// Its category.
    pub category: String,
    /// Whether the archive says that all calibrations are there.
    pub complete: Option<bool>,
    /// Whether it says that all calibrations are certified.
    pub certified: Option<bool>,
    /// Its science files.
    pub main: Vec<MainFile>,
    /// Their calibrations, in the order of the file. One that serves several associations is there for each.
    pub hints: Vec<Hint>,
    /// What the archive says about it.
    pub messages: Vec<String>,
}

/// What a file of associations says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Associations {
    /// Its science associations.
    pub science: Vec<ScienceAssociation>,
    /// Entries that were refused, with the reason.
    pub notes: Vec<String>,
}

/// Reads a file of associations.
///
/// # Errors
/// If it cannot be read, is no such XML, is cut off, has a document type or entities, or exceeds the usual limits.
pub fn read(path: &Path) -> Result<Associations, RecipeError> {
    let failed =
        |what: String| RecipeError::new(format!("{}: {what}", path.display()), "download it again with the data, or do without it");
    let file = std::fs::File::open(path).map_err(|e| failed(e.to_string()))?;
    parse(BufReader::new(file), &Limits::default()).map_err(failed)
}

/// Reads associations from any source.
///
/// # Errors
/// What is wrong, in words, as [`read()`].
pub fn parse(source: impl BufRead, limits: &Limits) -> Result<Associations, String> {
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
        Tree { found, .. } if found.science.is_empty() && found.notes.is_empty() => Err("there is no <association> in it".into()),
        Tree { found, .. } => Ok(found),
    }
}

/// A character, or one of the five entities of XML itself.
fn is_harmless(entity: &str) -> bool {
    entity.starts_with('#') || matches!(entity, "amp" | "lt" | "gt" | "quot" | "apos")
}

/// An association that is open.
#[derive(Default)]
struct Open {
    category: String,
    certified: Option<bool>,
    complete: Option<bool>,
}

/// What has been read so far.
#[derive(Default)]
struct Tree {
    limits: Limits,
    elements: Vec<String>,
    associations: Vec<Open>,
    entries: usize,
    found: Associations,
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
        let open = Open { category, certified: logical("certified")?, complete: logical("complete")? };
        if self.associations.is_empty() {
            let (category, certified, complete) = (open.category.clone(), open.certified, open.complete);
            self.found.science.push(ScienceAssociation { category, certified, complete, ..ScienceAssociation::default() });
        }
        self.associations.push(open);
        Ok(())
    }

    fn close(&mut self) {
        if self.elements.pop().as_deref() == Some("association") {
            self.associations.pop();
        }
    }

    fn file(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(format!("refused: more than {} files", self.limits.entries));
        }
        let (Some(open), Some(science)) = (self.associations.last(), self.found.science.last_mut()) else { return Ok(()) };
        let category = attribute(start, "category")?.unwrap_or_default();
        let given = attribute(start, "name")?.unwrap_or_default();
        let name = match key_of(&given) {
            Ok(name) => name,
            Err(why) => {
                self.found.notes.push(format!("file {:?} of category {category:?} left out: {why}", shortened(&given)));
                return Ok(());
            }
        };
        match self.associations.len() - 1 {
            0 => science.main.push(MainFile { category, name }),
            depth => {
                let kind = if name.starts_with("M.") { Kind::Master } else { Kind::Raw };
                let (association, certified, complete) = (open.category.clone(), open.certified, open.complete);
                science.hints.push(Hint { category, name, association, certified, complete, depth, kind });
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let inside = self.elements.iter().any(|e| e == "message" || e == "messages");
        if let (true, false, Some(science)) = (inside, text.trim().is_empty(), self.found.science.last_mut()) {
            science.messages.push(text.trim().to_owned());
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
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<Associations, String> {
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
          </associatedFiles>
        </association>"#;

    #[test]
    fn a_tree_becomes_hints() {
        let found = parsed(GOOD).unwrap();
        assert_eq!((found.science.len(), found.notes.len()), (1, 0));
        let science = &found.science[0];
        assert_eq!((science.category.as_str(), science.complete, science.certified), ("OBJECT", Some(true), Some(false)));
        assert_eq!(science.main, [MainFile { category: "OBJECT".into(), name: "MUSE.2018-04-24T23:16:10.1".into() }]);
        assert_eq!(science.messages, ["no certified STD"]);
        let of = |h: &Hint| (h.category.clone(), h.name.clone(), h.association.clone(), h.certified, h.depth, h.kind);
        assert_eq!(
            science.hints.iter().map(of).collect::<Vec<_>>(),
            [
                ("STD".into(), "MUSE.2018-04-25T10:00:00.000".into(), "STD".into(), Some(true), 1, Kind::Raw),
                ("MASTER_BIAS".into(), "M.MUSE.2018-04-26T07:00:00.000".into(), "BIAS".into(), None, 2, Kind::Master),
            ]
        );
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
            assert_eq!(found.science[0].hints.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), ["b"], "{name}");
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
        assert!(parse(many.as_bytes(), &Limits { entries: 10, ..Limits::default() }).unwrap_err().contains("more than 10 files"));
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
        assert!(read(Path::new("/nowhere/a_raw2raw.xml")).unwrap_err().what.contains("/nowhere/a_raw2raw.xml"));
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
