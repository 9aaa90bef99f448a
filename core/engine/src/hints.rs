//! Hints about which frames belong together, such as the archive's trees of association.
//!
//! A frame is known by the name of its file or by that of the archive (`ARCFILE`). A calibration goes with a frame if one of its
//! raw frames is named below one of the frame's own, at any depth: what calibrates a flat calibrates what the flat calibrates.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ifured_core::{Hint, Hints, LoadedInstrument, rule};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::files::{self, stem};
use crate::frame::Frame;
pub use crate::hint_file::HintFile;
use crate::item::Item;

/// Reads the files of hints below a directory, in the order of their paths.
///
/// # Errors
/// If the directory cannot be looked into.
pub fn read(directory: &Path, instrument: &LoadedInstrument) -> Result<Vec<HintFile>> {
    let patterns = &instrument.description().hint_files;
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let (paths, _) = files::find(directory, &|name| patterns.iter().any(|p| rule::like(p, name)))?;
    let read = |path: PathBuf| match instrument.hints(&path) {
        Ok(hints) => HintFile { path, hints, error: String::new() },
        Err(e) => HintFile { path, hints: Hints::default(), error: format!("{}; {}", e.what, e.advice) },
    };
    Ok(paths.into_iter().map(read).collect())
}

/// What the hints say of one candidate for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// It belongs to the frame, and its quality is vouched for.
    Certified,
    /// It belongs to the frame.
    Associated,
    /// It belongs to the frame, and its quality is not vouched for.
    NotCertified,
    /// Others of its kind belong to the frame.
    Others,
}

impl Named {
    /// What is added to its quality level.
    pub fn shift(self) -> i32 {
        match self {
            Named::Certified | Named::Associated => -1,
            Named::NotCertified | Named::Others => 1,
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Named::Certified => "raised: the archive associates it, certified",
            Named::Associated => "raised: the archive associates it",
            Named::NotCertified => "lowered: the archive associates it, not certified",
            Named::Others => "lowered: the archive associates others",
        })
    }
}

/// All hints, by the frames that they are about.
#[derive(Default)]
pub struct HintIndex {
    hints: Vec<Hint>,
    /// The hints that each hint's frames are calibrated by.
    calibrated_by: Vec<Vec<usize>>,
    /// Where a frame is named, by the name of the frame.
    of_frame: HashMap<String, Vec<usize>>,
}

impl HintIndex {
    /// Looks the names up among the frames.
    pub fn new(files: &[HintFile], frames: &[Arc<Frame>]) -> Self {
        let mut hints: Vec<Hint> = Vec::new();
        for file in files {
            let offset = hints.len();
            hints.extend(file.hints.hints.iter().map(|h| Hint { calibrates: h.calibrates.map(|c| c + offset), ..h.clone() }));
        }
        let mut calibrated_by = vec![Vec::new(); hints.len()];
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
        for (n, hint) in hints.iter().enumerate() {
            if let Some(above) = hint.calibrates.filter(|c| *c < n) {
                calibrated_by[above].push(n);
            }
            for name in &hint.names {
                by_key.entry(name).or_default().push(n);
            }
        }
        let mut of_frame = HashMap::new();
        for frame in frames.iter().filter(|_| !by_key.is_empty()) {
            let places: Vec<usize> = keys(frame).iter().filter_map(|k| by_key.get(k.as_str())).flatten().copied().collect();
            if !places.is_empty() {
                of_frame.insert(frame.name.clone(), places);
            }
        }
        HintIndex { hints, calibrated_by, of_frame }
    }

    /// What belongs to a group of raw frames; none if no hint is about them.
    pub fn about(&self, frames: &[Arc<Frame>]) -> Option<Belongings<'_>> {
        let mut to_do: Vec<usize> = self.places(frames).flat_map(|n| self.calibrated_by[n].iter().copied()).collect();
        let mut found = BTreeMap::new();
        while let Some(n) = to_do.pop() {
            if found.insert(n, self.hints[n].certified).is_none() {
                to_do.extend(&self.calibrated_by[n]);
            }
        }
        (!found.is_empty()).then_some(Belongings { index: self, found })
    }

    fn places<'a>(&'a self, frames: &'a [Arc<Frame>]) -> impl Iterator<Item = usize> + 'a {
        frames.iter().filter_map(|frame| self.of_frame.get(&frame.name)).flatten().copied()
    }
}

/// What belongs to one item.
pub struct Belongings<'a> {
    index: &'a HintIndex,
    found: BTreeMap<usize, Option<bool>>,
}

impl Belongings<'_> {
    /// How a candidate is named, if it is. Where several hints name it, the best counts.
    pub fn named(&self, candidate: &Item) -> Option<Named> {
        let certified = self.index.places(&candidate.raw).filter_map(|n| self.found.get(&n));
        certified
            .map(|certified| match certified {
                Some(true) => Named::Certified,
                None => Named::Associated,
                Some(false) => Named::NotCertified,
            })
            .min_by_key(|named| *named as u8)
    }
}

/// Names by which others may know a frame.
fn keys(frame: &Frame) -> Vec<String> {
    let archive = frame.header.text("ARCFILE").ok().map(|name| stem(name.trim())).filter(|name| !name.is_empty());
    let mut keys = vec![stem(&frame.name)];
    keys.extend(archive.filter(|name| *name != keys[0]));
    keys
}

/// Names of a file of hints that a note spells out.
const NAMED_IN_NOTES: usize = 3;
/// Notes about single files; what goes beyond is counted.
const NOTES: usize = 5;

/// What a person should know of the files of hints.
pub fn notes(files: &[HintFile], frames: &[Arc<Frame>]) -> Vec<String> {
    let known: std::collections::HashSet<String> = frames.iter().filter(|_| !files.is_empty()).flat_map(|f| keys(f)).collect();
    let mut notes = Vec::new();
    for file in files {
        let name = file.path.display();
        if !file.error.is_empty() {
            notes.push(format!("{name}: its hints are not used: {}", file.error));
        }
        notes.extend(file.hints.notes.iter().map(|note| format!("{name}: {note}")));
        let mut absent: Vec<&str> =
            file.hints.hints.iter().flat_map(|h| &h.names).filter(|n| !known.contains(*n)).map(String::as_str).collect();
        absent.sort_unstable();
        absent.dedup();
        if !absent.is_empty() {
            let more = if absent.len() > NAMED_IN_NOTES { ", ..." } else { "" };
            let first = absent.iter().take(NAMED_IN_NOTES).copied().collect::<Vec<_>>().join(", ");
            notes.push(format!("{name}: {} of the files that it names are not here ({first}{more}); the rest counts", absent.len()));
        }
    }
    if notes.len() > NOTES {
        notes.iter().for_each(|note| tracing::info!("{note}"));
        let more = notes.len() - NOTES;
        notes.truncate(NOTES);
        notes.push(format!("and {more} more notes on files of hints (-v shows all)"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use ifured_core::Value;

    use super::*;
    use crate::group::tests::item;

    fn hint(names: &[&str], calibrates: Option<usize>, certified: Option<bool>) -> Hint {
        Hint { category: "X".into(), names: names.iter().map(|n| (*n).to_owned()).collect(), calibrates, certified }
    }

    fn file(hints: Vec<Hint>) -> HintFile {
        HintFile { path: "/data/a.xml".into(), hints: Hints { hints, notes: vec![] }, error: String::new() }
    }

    fn frame(name: &str) -> Arc<Item> {
        item(name, "t", "n", 1.0, &[])
    }

    #[test]
    fn what_calibrates_a_calibration_belongs_to_the_frame_too() {
        let science = item("raw/my.fits", "t", "n", 1.0, &[("ARCFILE", Value::from("science.fits"))]);
        let [flat, bias, other] = ["raw/flat.fits", "raw/bias.fits", "raw/other.fits"].map(frame);
        // Two files, the same science frame; the second knows the bias of the flat.
        let files = [
            file(vec![hint(&["science"], None, None), hint(&["flat", "gone"], Some(0), Some(true))]),
            file(vec![hint(&["science"], None, None), hint(&["flat"], Some(0), None), hint(&["bias"], Some(1), Some(false))]),
        ];
        let frames: Vec<Arc<Frame>> = [&science, &flat, &bias, &other].iter().map(|i| i.first.clone()).collect();
        let index = HintIndex::new(&files, &frames);
        let of = |wanted: &Item, candidate: &Item| index.about(&wanted.raw).and_then(|b| b.named(candidate));
        assert_eq!(of(&science, &flat), Some(Named::Certified), "the best of two");
        assert_eq!(of(&science, &bias), Some(Named::NotCertified));
        assert_eq!(of(&flat, &bias), Some(Named::NotCertified));
        assert_eq!((of(&science, &other), of(&bias, &flat), of(&other, &bias)), (None, None, None));
        assert!(index.about(&other.raw).is_none());
        assert_eq!(notes(&files, &frames), ["/data/a.xml: 1 of the files that it names are not here (gone); the rest counts"]);
    }

    #[test]
    fn hints_in_a_circle_or_from_nowhere_end() {
        let [a, b] = ["a.fits", "b.fits"].map(frame);
        let frames = [a.first.clone(), b.first.clone()];
        let files = [file(vec![hint(&["a"], Some(1), None), hint(&["b", "a"], Some(0), None), hint(&["b"], Some(99), None)])];
        let index = HintIndex::new(&files, &frames);
        assert_eq!(index.about(&a.raw).unwrap().named(&b), Some(Named::Associated));
    }
}
