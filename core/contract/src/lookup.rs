//! Where rules and signatures get their values from.

use crate::header::{Header, Value};

/// Something that has values by key: a header, or a frame of the catalogue (header with corrections, and pixel statistics).
pub trait Lookup {
    /// The value of a key; `None` if there is none. Case and the word `HIERARCH` do not matter.
    fn lookup(&self, key: &str) -> Option<Value>;
}

/// Keyword that stands for the file name of a raw frame, or of the first raw frame that a product was made from.
pub const FRAME: &str = "FRAME";
/// Keyword that stands for the tag of a frame or product: for levels that take one of several tags first.
pub const TAG: &str = "TAG";
/// Keyword that stands for the name of a science exposure (see [`ExposureNames`](crate::ExposureNames)).
pub const EXPOSURE_NAME: &str = "EXPNAME";
/// Keyword that stands for the names of the extensions of a file, separated by commas.
pub const EXTENSIONS: &str = "EXTENSIONS";

impl Lookup for Header {
    fn lookup(&self, key: &str) -> Option<Value> {
        self.get(key).cloned()
    }
}

impl<L: Lookup + ?Sized> Lookup for &L {
    fn lookup(&self, key: &str) -> Option<Value> {
        (**self).lookup(key)
    }
}

/// Names of the pixel statistics that rules may ask for, as percentiles of the whole frame (FITS unit of the frame):
/// `QUANT025` is the 2.5th percentile, `ROBUSTSTD` is 0.7413 (QUANT750 - QUANT250).
pub const STATISTICS: &[&str] =
    &["NPOINTS", "FMINIMUM", "QUANT025", "QUANT159", "QUANT250", "QUANT500", "QUANT750", "QUANT841", "QUANT975", "FMAXIMUM", "ROBUSTSTD"];
