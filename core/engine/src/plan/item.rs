//! What can go into a task: a raw frame, or the product of another task, seen alike.

use std::path::PathBuf;
use std::sync::Arc;

use ifured_core::lookup::{EXTENSIONS, TAG};
use ifured_core::{Grade, Lookup, Tag, Value};

use super::reason::Defect;
use crate::frame::Frame;

/// A raw frame or a product. Keywords of a product are those of the first frame it was made from.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its tag.
    pub tag: Tag,
    /// Path below the data directory (raw) or the output directory (product).
    pub name: String,
    /// Where it is or will be.
    pub path: PathBuf,
    /// Hash of its content, or of the task that makes it and its tag.
    pub identity: String,
    /// Night.
    pub night: String,
    /// Mean time of the frames in it.
    pub mjd: f64,
    /// The raw frame, or the first raw frame of the product.
    pub first: Arc<Frame>,
    /// Raw frames in it.
    pub frames: usize,
    /// All raw frames that it was made from through its main frames, the first of them too.
    pub raw: Arc<[Arc<Frame>]>,
    /// Extension of the frames that it is about; none if it is about whole frames.
    pub extension: Option<String>,
    /// Index of the task that makes it; none for a raw frame.
    pub producer: Option<usize>,
    /// Quality level it already carries from its own calibrations.
    pub level: i32,
    /// Recipe that makes it; none for a raw frame.
    pub recipe: Option<Arc<str>>,
    /// Why it cannot or should not be used.
    pub defect: Option<Defect>,
    /// Its grade, once it is made.
    pub grade: Option<Grade>,
}

impl Item {
    /// A raw frame that is good.
    pub fn raw(frame: Arc<Frame>) -> Item {
        Item {
            tag: frame.tag.clone(),
            name: frame.name.clone(),
            path: frame.path.clone(),
            identity: frame.hash.clone(),
            night: frame.night.clone(),
            mjd: frame.mjd.unwrap_or(f64::NAN),
            frames: 1,
            raw: Arc::new([frame.clone()]),
            extension: None,
            producer: None,
            level: 0,
            recipe: None,
            defect: None,
            grade: None,
            first: frame,
        }
    }

    /// One extension of it.
    pub fn of_extension(&self, name: &str) -> Item {
        Item { extension: Some(name.to_owned()), ..self.clone() }
    }
}

impl Lookup for Item {
    fn lookup(&self, key: &str) -> Option<Value> {
        match &self.extension {
            Some(name) if key.eq_ignore_ascii_case("EXTNAME") => Some(Value::Text(name.clone())),
            _ if key.eq_ignore_ascii_case(TAG) => Some(Value::Text(self.tag.to_string())),
            // What a product has for extensions is not those of the frame that it was made from.
            _ if self.producer.is_some() && key.eq_ignore_ascii_case(EXTENSIONS) => None,
            _ => self.first.lookup(key),
        }
    }
}
