//! Objects that an instrument knows, standard stars for example, so that a rule can ask whether a frame is of one of them.
//!
//! A frame that points at one is given a keyword with its name; conditions, signatures, lists and filters ask for it as for any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::angle::{declination, right_ascension};
use crate::lookup::Lookup;
use crate::precession::{MJD_J2000, separation, to_j2000};

/// What the coordinates in the headers refer to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Equinox {
    /// J2000 (FK5 or ICRS).
    #[default]
    J2000,
    /// The mean equator of the date of the frame, whatever `EQUINOX` says.
    OfDate,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KnownObject {
    /// Its name: the value of the keyword.
    pub name: String,
    /// Other names that observers type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Right ascension in degrees, J2000, epoch 2000.
    pub ra: f64,
    /// Declination in degrees, J2000, epoch 2000.
    pub dec: f64,
    /// Proper motion in right ascension times the cosine of the declination, milliarcseconds a year.
    #[serde(default)]
    pub pm_ra: f64,
    /// Proper motion in declination, milliarcseconds a year.
    #[serde(default)]
    pub pm_dec: f64,
}

impl KnownObject {
    /// An object without other names and proper motion.
    pub fn new(name: &str, ra: f64, dec: f64) -> Self {
        KnownObject { name: name.into(), ra, dec, ..KnownObject::default() }
    }

    /// Where it is (degrees, equinox J2000) at a date; its place of the year 2000 where the date is not known.
    fn place(&self, mjd: Option<f64>) -> (f64, f64) {
        let milliarcsec = mjd.map_or(0.0, |m| (m - MJD_J2000) / 365.25) / 3.6e6;
        let cos = self.dec.to_radians().cos().max(1e-6);
        (self.ra + self.pm_ra * milliarcsec / cos, self.dec + self.pm_dec * milliarcsec)
    }

    fn is_called(&self, name: &str) -> bool {
        !name.is_empty() && std::iter::once(&self.name).chain(&self.aliases).any(|n| normalised(n) == name)
    }
}

/// Objects of one kind, and how a frame is found to be of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KnownObjects {
    /// Keyword that a frame of one of them is given, unless its header has it: `STANDARD`.
    pub keyword: String,
    /// Keyword of the right ascension: degrees, or hours as sexagesimal text.
    pub ra: String,
    /// Keyword of the declination: degrees, as a number or sexagesimal text.
    pub dec: String,
    /// Keyword of the name that the observer typed.
    pub name: String,
    /// What the coordinates refer to.
    #[serde(default)]
    pub equinox: Equinox,
    /// A frame that points nearer to an object than this is of it, whatever it is called.
    pub radius_arcsec: f64,
    /// A frame that is called like an object and points nearer than this is of it.
    pub name_radius_arcsec: f64,
    /// The objects.
    pub objects: Vec<KnownObject>,
}

impl KnownObjects {
    /// Objects that give frames this keyword. Coordinates are `RA` and `DEC`, J2000; the name is `OBJECT`; 30 arcsec from the object, or
    /// 10 arcmin with its name.
    pub fn new(keyword: &str, objects: Vec<KnownObject>) -> Self {
        KnownObjects {
            keyword: keyword.into(),
            ra: "RA".into(),
            dec: "DEC".into(),
            name: "OBJECT".into(),
            equinox: Equinox::J2000,
            radius_arcsec: 30.0,
            name_radius_arcsec: 600.0,
            objects,
        }
    }

    /// The object that a frame is of: the nearest within `radius_arcsec` of where it points, or one that it is called like, within
    /// `name_radius_arcsec`. `None` where the frame does not say where it points, or not of which date that is.
    pub fn find(&self, lookup: &dyn Lookup, mjd: Option<f64>) -> Option<&KnownObject> {
        let mjd = mjd.filter(|m| m.is_finite());
        let ra = right_ascension(&lookup.lookup(&self.ra)?)?;
        let dec = declination(&lookup.lookup(&self.dec)?)?;
        let pointing = match self.equinox {
            Equinox::J2000 => (ra, dec),
            Equinox::OfDate => to_j2000(ra, dec, mjd?),
        };
        let called = lookup.lookup(&self.name).map(|n| normalised(&n.to_string())).unwrap_or_default();
        let distance = |object: &KnownObject| separation(pointing, object.place(mjd)) * 3600.0;
        let nearest = |within: f64, candidate: &dyn Fn(&KnownObject) -> bool| {
            let near = self.objects.iter().filter(|o| candidate(o)).map(|o| (distance(o), o)).filter(|(d, _)| *d <= within);
            near.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, o)| o)
        };
        nearest(self.radius_arcsec, &|_| true).or_else(|| nearest(self.name_radius_arcsec, &|o| o.is_called(&called)))
    }
}

/// A name without case, blanks, `_` and `-`. The plus sign stays: BD+25 4655 is not BD-25 4655.
fn normalised(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric() || *c == '+').flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Header, Value};

    /// Feige 66, BD+25 4655 and, with a proper motion that can be seen, Barnard's star.
    fn standards() -> KnownObjects {
        let feige_66 = KnownObject { aliases: vec!["BD+25 2534".into()], ..KnownObject::new("Feige 66", 189.347_988, 25.066_631) };
        let barnard = KnownObject { pm_ra: -801.55, pm_dec: 10_362.39, ..KnownObject::new("Barnard", 269.452_077, 4.693_364) };
        let objects = vec![feige_66, KnownObject::new("BD+25 4655", 329.924_906, 26.432_622), barnard];
        KnownObjects { equinox: Equinox::OfDate, radius_arcsec: 90.0, ..KnownObjects::new("STANDARD", objects) }
    }

    fn frame(object: &str, ra: impl Into<Value>, dec: impl Into<Value>) -> Header {
        let mut header = Header::new();
        header.set("OBJECT", object, "");
        header.set("RA", ra, "");
        header.set("DEC", dec, "");
        header
    }

    fn found(standards: &KnownObjects, header: &Header, mjd: Option<f64>) -> Option<String> {
        standards.find(header, mjd).map(|o| o.name.clone())
    }

    #[test]
    fn a_real_frame_of_feige_66() {
        // CAFOS, 2024 July 20: mean equinox of date, whatever its EQUINOX = 2000 says.
        let header = frame("[std] spectrum", 189.653_554, 24.927_51);
        assert_eq!(found(&standards(), &header, Some(60_511.86)).as_deref(), Some("Feige 66"));
        assert_eq!(found(&standards(), &header, None), None, "of an unknown date");
        assert_eq!(found(&KnownObjects { equinox: Equinox::J2000, ..standards() }, &header, Some(60_511.86)), None, "18 arcmin away");
    }

    #[test]
    fn names_count_where_the_pointing_is_not_far_away() {
        let j2000 = KnownObjects { equinox: Equinox::J2000, ..standards() };
        let away = |name: &str, arcsec: f64| found(&j2000, &frame(name, 189.347_988, 25.066_631 + arcsec / 3600.0), None);
        for name in ["Feige 66", "Feige_66", "FEIGE66", " feige-66 ", "BD+252534", "bd+25_2534"] {
            assert_eq!(away(name, 500.0).as_deref(), Some("Feige 66"), "{name}");
            assert_eq!(away(name, 700.0), None, "{name}");
        }
        for name in ["", "Feige 67", "Feige 6", "BD-25 2534", "BD+25 4655", "+"] {
            assert_eq!(away(name, 500.0), None, "{name}");
            assert_eq!(away(name, 80.0).as_deref(), Some("Feige 66"), "where it points says more than what it is called: {name}");
        }
    }

    #[test]
    fn proper_motion() {
        let now = 60_511.86;
        let ra = 269.452_077 - 0.801_55 * 24.552 / 3600.0 / 4.7_f64.to_radians().cos();
        let narrow = KnownObjects { equinox: Equinox::J2000, radius_arcsec: 1.0, ..standards() };
        let there = frame("x", ra, 4.693_364 + 10.362_39 * 24.552 / 3600.0);
        assert_eq!(found(&narrow, &there, Some(now)).as_deref(), Some("Barnard"));
        assert_eq!(found(&narrow, &there, Some(MJD_J2000)), None);
        assert_eq!(found(&narrow, &there, Some(f64::NAN)), None, "as an unknown date");
    }

    #[test]
    fn sexagesimal_coordinates() {
        let j2000 = KnownObjects { equinox: Equinox::J2000, ..standards() };
        assert_eq!(found(&j2000, &frame("", "12:37:23.517", "+25:03:59.87"), None).as_deref(), Some("Feige 66"));
        assert_eq!(found(&j2000, &frame("", "12 37 23.5", 25.0666), None).as_deref(), Some("Feige 66"));
    }

    #[test]
    fn what_says_nothing_finds_nothing() {
        let mut unnamed = frame("Feige 66", 189.347_988, 25.066_631);
        unnamed.remove("OBJECT");
        let j2000 = KnownObjects { equinox: Equinox::J2000, ..standards() };
        assert!(j2000.find(&unnamed, None).is_some(), "a name is not needed");
        let mut lost = frame("Feige 66", 189.347_988, 25.066_631);
        lost.remove("DEC");
        assert_eq!(j2000.find(&lost, None), None);
        let nonsense: [(Value, Value); 4] =
            [(f64::NAN.into(), 25.0.into()), ("east".into(), "up".into()), (true.into(), 25.0.into()), (189.0.into(), 95.0.into())];
        for (ra, dec) in nonsense {
            assert_eq!(j2000.find(&frame("Feige 66", ra, dec), Some(60_511.86)), None);
        }
        assert_eq!(KnownObjects::new("STANDARD", vec![]).find(&unnamed, None), None);
    }

    #[test]
    fn short_descriptions_are_read() {
        let text = r#"{"keyword": "STANDARD", "ra": "RA", "dec": "DEC", "name": "OBJECT", "equinox": "of-date", "radius_arcsec": 90,
            "name_radius_arcsec": 600, "objects": [{"name": "Feige 66", "ra": 189.3, "dec": 25.0}]}"#;
        let read: KnownObjects = serde_json::from_str(text).unwrap();
        assert_eq!((read.equinox, read.objects[0].pm_ra, read.objects[0].aliases.len()), (Equinox::OfDate, 0.0, 0));
    }
}
