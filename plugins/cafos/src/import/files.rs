//! Which of filabres' files a file is.

use std::path::{Path, PathBuf};

use ifured_core::import;

use super::yaml::{self, Content, Node};

/// The four files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Instrument, data directory, names of the others.
    Setup,
    /// Frames to leave out.
    Ignored,
    /// Headers to correct.
    Corrections,
    /// Frames whose class is given by hand.
    Forced,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Setup, Kind::Ignored, Kind::Corrections, Kind::Forced];

    /// The name that `filabres --setup` gives the file.
    pub fn file_name(self) -> &'static str {
        match self {
            Kind::Setup => "setup_filabres.yaml",
            Kind::Ignored => "ignored_images.yaml",
            Kind::Corrections => "image_header_corrections.yaml",
            Kind::Forced => "forced_classifications.yaml",
        }
    }

    /// The key by which a set-up names the file, and by which its own blocks are known.
    pub fn keys(self) -> (&'static str, &'static str) {
        match self {
            Kind::Setup => ("", "datadir"),
            Kind::Ignored => ("ignored_images_file", "files"),
            Kind::Corrections => ("image_header_corrections_file", "replace-keyword"),
            Kind::Forced => ("forced_classifications_file", "classification"),
        }
    }
}

/// A file that was read.
#[derive(Clone)]
pub struct SourceFile {
    /// Its path as it was given.
    pub path: PathBuf,
    /// The same, for messages.
    pub name: String,
    /// Which one it is; none if that cannot be told.
    pub kind: Option<Kind>,
    /// Its blocks.
    pub documents: Vec<Node>,
}

/// Reads a file and adds it to the others, unless it is among them. Without a kind it is known by its name, or else by its keys.
pub fn add(all: &mut Vec<SourceFile>, path: &Path, kind: Option<Kind>, problems: &mut Vec<String>) {
    if let Some(there) = all.iter_mut().find(|f| same(&f.path, path)) {
        there.kind = kind.or(there.kind);
        return;
    }
    let name = path.display().to_string();
    let text = std::fs::read(path).map_err(|e| format!("{name}: cannot be read: {e}"));
    let text = text.and_then(|bytes| import::text(bytes, &name).map_err(|e| format!("{}; {}", e.what, e.advice)));
    let documents = match text {
        Ok(text) => yaml::documents(&text, &name, problems),
        Err(problem) => {
            problems.push(problem);
            return;
        }
    };
    let file_name = import::short_name(path);
    let by_name = || Kind::ALL.into_iter().find(|k| k.file_name() == file_name);
    let kind = kind.or_else(by_name).or_else(|| by_keys(&documents));
    all.push(SourceFile { path: path.to_owned(), name, kind, documents });
}

/// Whether two paths are one file.
pub fn same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|a| other.canonicalize().is_ok_and(|b| a == b))
}

/// The kind of a file with a name of its own. `files` is in all blocks, so that it is asked last.
fn by_keys(documents: &[Node]) -> Option<Kind> {
    let has = |kind: &Kind| documents.iter().any(|d| matches!(d.content, Content::Map(_)) && d.get(kind.keys().1).is_some());
    [Kind::Setup, Kind::Corrections, Kind::Forced, Kind::Ignored].into_iter().find(has)
}
