//! Names of science exposures, made of what their headers say: place, exposure time, position angle.
//!
//! Archives name files by the time at which they were written, which says nothing to people. An instrument says as data what a name is made of; names that
//! would be equal are told apart by a counter. The parts are joined by `_`: `180431-242316_0900_090_00`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::angle::{declination, right_ascension};
use crate::lookup::Lookup;
use crate::tag::Tag;

/// Digits of the counter.
const COUNTER_DIGITS: usize = 2;

/// One part of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NamePart {
    /// A place on the sky as `hhmmss+ddmmss` or `hhmmss-ddmmss`, rounded to whole seconds.
    Position {
        /// Key of the right ascension.
        right_ascension: String,
        /// Key of the declination.
        declination: String,
    },
    /// The whole part of a number, with at least so many digits.
    Whole {
        /// Its key.
        key: String,
        /// Digits.
        digits: usize,
    },
    /// An angle in whole degrees from 0 to 359, with at least so many digits.
    Angle {
        /// Its key.
        key: String,
        /// Digits.
        digits: usize,
    },
}

/// How science exposures of an instrument are named, and which of their products are collected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExposureNames {
    /// The parts, in order; without any, exposures have no names of their own.
    pub parts: Vec<NamePart>,
    /// Keyword of the observing block: counters start anew in each, and it stands before the names of collected products.
    #[serde(default)]
    pub block: Option<String>,
    /// Tags of the products that are collected unless others are asked for; `*` and `?` are wild.
    #[serde(default)]
    pub collect: Vec<Tag>,
}

impl ExposureNames {
    /// The name of an exposure without its counter; none if it lacks one of the values, or if the instrument has no names.
    pub fn name(&self, frame: &impl Lookup) -> Option<String> {
        let parts: Vec<String> = self.parts.iter().map(|p| p.text(frame)).collect::<Option<_>>()?;
        (!parts.is_empty()).then(|| parts.join("_"))
    }

    /// A name with the number of equal names before it.
    pub fn counted(name: &str, before: usize) -> String {
        format!("{name}_{before:0COUNTER_DIGITS$}")
    }

    /// The observing block of an exposure, in letters that a file name can have.
    pub fn block_of(&self, frame: &impl Lookup) -> Option<String> {
        let value = frame.lookup(self.block.as_ref()?)?.to_string();
        let plain: String = value.trim().chars().map(|c| if c.is_ascii_alphanumeric() || "+-.".contains(c) { c } else { '_' }).collect();
        (!plain.is_empty()).then_some(plain)
    }
}

impl NamePart {
    fn text(&self, frame: &impl Lookup) -> Option<String> {
        let real = |key: &str| frame.lookup(key)?.as_real().filter(|v| v.is_finite());
        Some(match self {
            NamePart::Position { right_ascension: ra, declination: dec } => {
                position(right_ascension(&frame.lookup(ra)?)?, declination(&frame.lookup(dec)?)?)
            }
            // A number that is whole but for its last bits.
            NamePart::Whole { key, digits } => format!("{:0digits$}", (real(key)? + 1e-6).floor().max(0.0)),
            NamePart::Angle { key, digits } => format!("{:0digits$}", real(key)?.round().rem_euclid(360.0)),
        })
    }
}

/// `hhmmss±ddmmss` of a place in degrees.
fn position(ra: f64, dec: f64) -> String {
    let sexagesimal = |seconds: i64| format!("{:02}{:02}{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let of_ra = ((ra / 15.0 * 3600.0).round() as i64).rem_euclid(86_400);
    let of_dec = (dec.abs() * 3600.0).round() as i64;
    let sign = if dec < 0.0 { '-' } else { '+' };
    format!("{}{sign}{}", sexagesimal(of_ra), sexagesimal(of_dec))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Header, Value};

    fn names() -> ExposureNames {
        let position = NamePart::Position { right_ascension: "RA".into(), declination: "DEC".into() };
        let time = NamePart::Whole { key: "EXPTIME".into(), digits: 4 };
        let angle = NamePart::Angle { key: "ROT".into(), digits: 3 };
        ExposureNames { parts: vec![position, time, angle], block: Some("BLOCK".into()), collect: Vec::new() }
    }

    fn frame(ra: f64, dec: f64, exptime: f64, angle: f64) -> Header {
        let mut h = Header::new();
        for (key, value) in [("RA", ra), ("DEC", dec), ("EXPTIME", exptime), ("ROT", angle)] {
            h.set(key, Value::Real(value), "");
        }
        h
    }

    #[test]
    fn names_have_the_same_length_whatever_the_place_and_the_angle() {
        for (ra, dec, exptime, angle, wanted) in [
            (271.129, -24.3878, 5.0, 180.0, "180431-242316_0005_180"),
            (0.0, 0.0, 900.0, 0.0, "000000+000000_0900_000"),
            (359.9999, -0.5, 899.9999999, -90.0, "000000-003000_0900_270"),
            (15.0, 89.99999, 2700.4, 359.6, "010000+900000_2700_000"),
            (150.0, 2.0, 12345.0, 450.0, "100000+020000_12345_090"),
        ] {
            assert_eq!(names().name(&frame(ra, dec, exptime, angle)).as_deref(), Some(wanted));
        }
        assert_eq!(ExposureNames::counted("a", 3), "a_03");
    }

    #[test]
    fn an_exposure_that_lacks_a_value_has_no_name() {
        let mut header = frame(1.0, 1.0, 1.0, 1.0);
        header.set("BLOCK", " NGC 1/a:b ", "");
        assert_eq!(names().block_of(&header).as_deref(), Some("NGC_1_a_b"));
        header.remove("ROT");
        assert_eq!(names().name(&header), None);
        assert_eq!(ExposureNames::default().name(&header), None);
        assert_eq!(names().block_of(&frame(1.0, 1.0, 1.0, 1.0)), None);
    }
}
