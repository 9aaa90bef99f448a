//! What the tests of every ESO instrument ask. What is asked of only one of them stays with it.
//!
//! Each question panics with the frame or keyword that answers wrongly.

use ifured_core::module::{Module, TruthRequest};
use ifured_core::recipe::{ProductPath, QuietHost, SimulationRequest};
use ifured_core::rule::{Verdict, classify};
use ifured_core::{Classification, FrameType, Header, LoadedInstrument, State};

use crate::classification::{DPR_CATG, DPR_TECH, DPR_TYPE, PRO_CATG};
use crate::samples::{primary_header, sample};
use crate::simulation::RawFrame;

/// An instrument under test, called through its module as the host does.
pub struct Asked {
    instrument: LoadedInstrument,
    instrume: &'static str,
}

impl Asked {
    /// The instrument of a module whose frames have that `INSTRUME`.
    pub fn new(module: Module, instrume: &'static str) -> Self {
        Asked { instrument: LoadedInstrument::new(module).expect("a description"), instrume }
    }

    /// Header of a raw frame with these DPR keywords (category, type, technique) and nothing else.
    pub fn raw(&self, [catg, kind, tech]: [&str; 3]) -> Header {
        self.header(&[(DPR_CATG, catg), (DPR_TYPE, kind), (DPR_TECH, tech)])
    }

    /// Header of a product with that `PRO CATG` and nothing else.
    pub fn product(&self, catg: &str) -> Header {
        self.header(&[(PRO_CATG, catg)])
    }

    fn header(&self, pairs: &[(&str, &str)]) -> Header {
        let mut header = Header::new();
        header.set("INSTRUME", self.instrume, "");
        for (key, value) in pairs {
            header.set(key, *value, "");
        }
        header
    }

    /// Whether the instrument takes that header for its own.
    pub fn recognises(&self, header: &Header) -> bool {
        self.instrument.description().recognise.iter().all(|c| c.check(header) == Verdict::Holds)
    }

    /// What it takes that frame for.
    pub fn classified(&self, header: &Header) -> Classification {
        let rules: Vec<_> = self.instrument.description().frame_types.iter().map(|t| t.rule.clone()).collect();
        classify(&rules, header)
    }

    /// The kind of frame of that tag.
    pub fn kind(&self, tag: &str) -> &FrameType {
        let kinds = &self.instrument.description().frame_types;
        kinds.iter().find(|t| t.rule.tag.as_str() == tag).unwrap_or_else(|| panic!("no kind {tag}"))
    }

    /// Raw frames with these DPR keywords get these tags; those that no rule names are `unclassified` and wrong.
    pub fn raw_frames_by_dpr<'a>(&self, table: impl IntoIterator<Item = ([&'a str; 3], &'a str)>) {
        for (dpr, tag) in table {
            let c = self.classified(&self.raw(dpr));
            let state = if tag == "unclassified" { State::Wrong } else { State::Good };
            assert_eq!((c.tag.as_str(), c.state), (tag, state), "{dpr:?}: {c:?}");
        }
    }

    /// A product whose category is the tag of a rule gets that tag, so no rule hides another. Not asked of the tags in
    /// `except`, whose patterns do not take the bare tag.
    pub fn each_product_rule_takes_its_category(&self, except: &[&str]) {
        let raw = |t: &FrameType| t.rule.when.iter().any(|c| c.key.contains("DPR"));
        let products = self.instrument.description().frame_types.iter().filter(|t| !raw(t));
        for kind in products.filter(|t| !except.contains(&t.rule.tag.as_str())) {
            assert_eq!(self.classified(&self.product(kind.rule.tag.as_str())).tag, kind.rule.tag);
        }
    }

    /// Only its own `INSTRUME` is recognised, not these and not a header without any.
    pub fn recognises_none_of(&self, others: &[&str]) {
        let mut header = self.raw(["CALIB", "DARK", "IMAGE"]);
        assert!(self.recognises(&header));
        for other in others {
            header.set("INSTRUME", *other, "");
            assert!(!self.recognises(&header), "{other}");
        }
        assert!(!self.recognises(&Header::new()));
    }

    /// Real files below the samples are recognised and get these tags. Absent ones are skipped.
    pub fn real_headers(&self, table: &[(&str, &str, State)]) {
        for &(name, tag, state) in table {
            let Some(path) = sample(name) else { continue };
            let header = primary_header(&path).expect("a FITS header");
            assert!(self.recognises(&header), "{name}");
            let c = self.classified(&header);
            assert_eq!((c.tag.as_str(), c.state), (tag, state), "{name}: {}", c.why);
        }
    }

    /// Simulated headers are recognised and get their true tags.
    pub fn simulated_headers(&self, frames: &[RawFrame]) {
        for frame in frames {
            assert!(self.recognises(&frame.primary), "{}", frame.name);
            assert_eq!(self.classified(&frame.primary).tag, frame.tag, "{}", frame.name);
        }
    }

    /// The files of one simulated night, of that many frames, are found to be what they are. One wrong tag is noticed, and a
    /// comparison with nothing is an error.
    pub fn simulated_files(&self, frames: usize) {
        let directory = tempfile::tempdir().expect("a directory");
        let request = SimulationRequest { directory: directory.path().into(), seed: 1, nights: 1, size: Some(8) };
        let simulation = self.instrument.simulate(&request, &QuietHost).expect("a simulation");
        assert_eq!(simulation.frames, frames);
        let files = std::fs::read_dir(&simulation.raw).expect("the raw frames").map(|f| f.expect("a file").path());
        let mut products: Vec<ProductPath> = files
            .map(|path| ProductPath {
                tag: self.classified(&primary_header(&path).expect("a FITS header")).tag,
                name: path.file_name().expect("a name").to_string_lossy().into_owned(),
                path,
            })
            .collect();
        let compare = |products: &[ProductPath]| {
            self.instrument.compare_with_truth(&TruthRequest { truth: simulation.truth.clone(), products: products.to_vec() })
        };
        let rows = compare(&products).expect("a comparison");
        assert_eq!(rows.len(), frames);
        assert!(rows.iter().all(|r| r.recovered()), "{rows:?}");
        products[0].tag = "SOMETHING".into();
        let rows = compare(&products).expect("a comparison");
        assert_eq!(rows.iter().filter(|r| !r.recovered()).count(), 1);
        assert!(compare(&[]).expect_err("nothing to compare").what.contains("nothing was compared"));
    }
}
