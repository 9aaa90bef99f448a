//! Signatures: the values that must agree between frames.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::header::{Value, normalise};
use crate::lookup::Lookup;
use crate::section::Section;

/// How two values of one key are compared. The frame that needs something comes first, what is offered second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Compare {
    /// Equal: text to the letter, numbers by value (`1` equals `1.0`), both absent counts as equal.
    Exact,
    /// Numbers that differ by no more than this, in the unit of the key.
    Within(#[schemars(range(min = 0.0), extend("x-unit" = "units of the key", "examples" = [2.0]))] f64),
    /// Positions on the sky no further apart than this many arcseconds; the key is the right ascension, in degrees.
    Sky {
        /// Key of the declination, in degrees.
        #[schemars(extend("examples" = ["DEC"]))]
        declination: String,
        /// Largest distance, in arcseconds.
        #[schemars(range(min = 0.0), extend("x-unit" = "arcseconds", "examples" = [60.0]))]
        arcsec: f64,
    },
    /// Equal to the value that what is offered has under this other keyword.
    EqualTo(#[schemars(extend("examples" = ["ESO FILT ID"]))] String),
    /// Text that matches this pattern (`*` and `?` are wild) in both.
    Like(#[schemars(extend("examples" = ["WFM*"]))] String),
    /// The name of an extension: what is offered has that name, or is a file with an extension of that name, or one that starts with it and a dot
    /// (`CHAN01.DATA`). If none is asked for, all agree.
    Extension,
    /// A detector section `[x1,y1:x2,y2]`: what is offered contains what is needed, so that it can be cut out.
    Contains,
}

/// One key of a signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureKey {
    /// Header keyword.
    #[schemars(extend("examples" = ["CCDNAME"]))]
    pub key: String,
    /// How it compares.
    #[schemars(extend("examples" = ["exact", {"within": 2.0}]))]
    #[serde(default = "exact")]
    pub compare: Compare,
}

fn exact() -> Compare {
    Compare::Exact
}

/// An ordered list of keys whose values must agree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Signature(pub Vec<SignatureKey>);

/// The values of a signature in one frame, in the order of the keys; `None` where the frame has no such key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SignatureValues(pub Vec<(String, Option<Value>)>);

/// A key in which two frames disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// Header keyword.
    pub key: String,
    /// What is needed.
    pub wanted: Option<Value>,
    /// What is offered.
    pub found: Option<Value>,
    /// By how much, where that can be said: the difference of numbers, arcseconds on the sky.
    pub by: Option<f64>,
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |v: &Option<Value>| v.as_ref().map_or("nothing".to_owned(), |v| format!("`{v}`"));
        write!(f, "{} is {}, needed {}", self.key, show(&self.found), show(&self.wanted))?;
        match self.by {
            Some(by) => write!(f, " (differs by {by:.6})"),
            None => Ok(()),
        }
    }
}

impl Signature {
    /// A signature of keys that must be equal.
    pub fn exact(keys: &[&str]) -> Self {
        Signature(keys.iter().map(|k| SignatureKey { key: (*k).to_owned(), compare: Compare::Exact }).collect())
    }

    /// The values of the keys in a frame.
    pub fn extract(&self, frame: &impl Lookup) -> SignatureValues {
        SignatureValues(self.0.iter().map(|k| (normalise(&k.key), frame.lookup(&k.key))).collect())
    }

    /// All that a comparison asks of what is wanted, as one text: frames of which it is the same agree with the same others.
    pub fn asks_of_wanted(&self, frame: &impl Lookup) -> String {
        self.asked(frame, |key| match &key.compare {
            Compare::Sky { declination, .. } => vec![&key.key, declination],
            _ => vec![&key.key],
        })
    }

    /// All that a comparison asks of what is offered, as one text.
    pub fn asks_of_found(&self, frame: &impl Lookup) -> String {
        self.asked(frame, |key| match &key.compare {
            Compare::Sky { declination, .. } => vec![&key.key, declination],
            Compare::EqualTo(other) => vec![other],
            Compare::Extension => vec![&key.key, crate::lookup::EXTENSIONS],
            _ => vec![&key.key],
        })
    }

    fn asked<'a>(&'a self, frame: &impl Lookup, keys: impl Fn(&'a SignatureKey) -> Vec<&'a str>) -> String {
        let values = self.0.iter().flat_map(keys).map(|key| frame.lookup(key));
        values.map(|v| format!("{v:?}\u{1f}")).collect()
    }

    /// The keys in which what is `found` does not agree with what is `wanted`, in order, looked at one after another; none if they match.
    pub fn disagreements(&self, wanted: &impl Lookup, found: &impl Lookup) -> impl Iterator<Item = Disagreement> {
        self.0.iter().filter_map(|key| key.compare(wanted, found))
    }

    /// Whether what is `found` agrees with what is `wanted` in all keys.
    pub fn agree(&self, wanted: &impl Lookup, found: &impl Lookup) -> bool {
        self.disagreements(wanted, found).next().is_none()
    }
}

impl SignatureKey {
    fn compare(&self, wanted: &impl Lookup, found: &impl Lookup) -> Option<Disagreement> {
        let (a, b) = (wanted.lookup(&self.key), found.lookup(&self.key));
        let numbers = || Some((a.as_ref()?.as_real()?, b.as_ref()?.as_real()?));
        let difference = numbers().map(|(x, y)| y - x);
        let (agree, by) = match &self.compare {
            Compare::Exact => (same(&a, &b), difference),
            Compare::Within(limit) => (difference.is_some_and(|d| d.abs() <= *limit), difference),
            Compare::Sky { declination, arcsec } => {
                let separation = sky_separation(wanted, found, &self.key, declination);
                (separation.is_some_and(|s| s <= *arcsec), separation)
            }
            Compare::EqualTo(other) => {
                let found = found.lookup(other);
                let agree = same(&a, &found);
                return (!agree).then(|| Disagreement { key: normalise(other), wanted: a, found, by: None });
            }
            Compare::Like(pattern) => {
                let fits = |v: &Option<Value>| v.as_ref().and_then(Value::as_text).is_some_and(|t| crate::rule::like(pattern, t.trim()));
                (fits(&a) && fits(&b), None)
            }
            Compare::Extension => (offers_extension(&a, &b, found.lookup(crate::lookup::EXTENSIONS)), None),
            Compare::Contains => {
                let section = |v: &Option<Value>| Section::parse(v.as_ref()?.as_text()?).ok();
                let inside = matches!((section(&b), section(&a)), (Some(outer), Some(inner)) if outer.contains(&inner));
                (inside, None)
            }
        };
        (!agree).then(|| Disagreement { key: normalise(&self.key), wanted: a, found: b, by })
    }
}

fn offers_extension(wanted: &Option<Value>, found: &Option<Value>, extensions: Option<Value>) -> bool {
    let Some(wanted) = wanted.as_ref().and_then(Value::as_text) else { return true };
    let named = |v: &Option<Value>| v.as_ref().and_then(Value::as_text).map(str::trim) == Some(wanted);
    let inside = |name: &str| name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    named(found) || extensions.as_ref().and_then(Value::as_text).is_some_and(|names| names.split(',').any(inside))
}

fn same(a: &Option<Value>, b: &Option<Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => match (a.as_real(), b.as_real()) {
            (Some(x), Some(y)) => x == y,
            _ => a == b,
        },
        (None, None) => true,
        _ => false,
    }
}

fn sky_separation(a: &impl Lookup, b: &impl Lookup, ra: &str, dec: &str) -> Option<f64> {
    let angle = |frame: &dyn Fn(&str) -> Option<Value>, key: &str| Some(frame(key)?.as_real()?.to_radians());
    let (fa, fb) = (|k: &str| a.lookup(k), |k: &str| b.lookup(k));
    let (ra1, dec1, ra2, dec2) = (angle(&fa, ra)?, angle(&fa, dec)?, angle(&fb, ra)?, angle(&fb, dec)?);
    // Haversine: accurate for small angles.
    let h = ((dec2 - dec1) / 2.0).sin().powi(2) + dec1.cos() * dec2.cos() * ((ra2 - ra1) / 2.0).sin().powi(2);
    Some(2.0 * h.sqrt().min(1.0).asin().to_degrees() * 3600.0)
}

impl SignatureValues {
    /// The value of a key, if the signature has it and the frame has a value.
    pub fn value(&self, key: &str) -> Option<&Value> {
        let key = normalise(key);
        self.0.iter().find(|(k, _)| *k == key).and_then(|(_, v)| v.as_ref())
    }

    /// A text in which equal values look equal (`1` and `1.0` are one number): what groups frames.
    pub fn canonical(&self) -> String {
        let text = |v: &Option<Value>| match v {
            Some(v) => v.as_real().map_or_else(|| format!("{v}"), |r| format!("#{r:?}")),
            None => "None".to_owned(),
        };
        self.0.iter().map(|(_, v)| text(v)).collect::<Vec<_>>().join("\u{1f}")
    }
}

/// The values joined by two underscores, inner blanks kept: `SITE#1d_15__1650__1650__[251,221:1900,1870]__1__1`.
impl std::fmt::Display for SignatureValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<String> = self.0.iter().map(|(_, v)| v.as_ref().map_or("None".to_owned(), ToString::to_string)).collect();
        f.write_str(&texts.join("__"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Header;

    fn header(pairs: &[(&str, Value)]) -> Header {
        let mut h = Header::new();
        for (k, v) in pairs {
            h.set(k, v.clone(), "");
        }
        h
    }

    #[test]
    fn signature_text_keeps_blanks_and_number_forms() {
        let h = header(&[
            ("CCDNAME", "SITE#1d_15".into()),
            ("CCDBINX", 1i64.into()),
            ("ORIGSECX", 2048.0.into()),
            ("INSFLID", "FILT- 9".into()),
        ]);
        let s = Signature::exact(&["CCDNAME", "CCDBINX", "ORIGSECX", "INSFLID", "NONE"]).extract(&h);
        assert_eq!(s.to_string(), "SITE#1d_15__1__2048.0__FILT- 9__None");
    }

    #[test]
    fn an_extension_is_offered_by_its_own_file_and_by_one_of_all() {
        let s = Signature(vec![SignatureKey { key: "EXTNAME".into(), compare: Compare::Extension }]);
        let wanted = header(&[("EXTNAME", "CHAN01".into())]);
        for (found, agrees) in [
            (header(&[("EXTNAME", "CHAN01".into())]), true),
            (header(&[("EXTNAME", "CHAN10".into())]), false),
            (header(&[("EXTENSIONS", "CHAN01.DATA,CHAN01.DQ,CHAN02.DATA".into())]), true),
            (header(&[("EXTENSIONS", "CHAN011,CHAN02".into())]), false),
            (header(&[]), false),
        ] {
            assert_eq!(s.agree(&wanted, &found), agrees, "{found:?}");
        }
        assert!(s.agree(&header(&[]), &wanted));
    }

    #[test]
    fn another_keyword_may_hold_the_value() {
        let s = Signature(vec![SignatureKey { key: "FILT1".into(), compare: Compare::EqualTo("FILT".into()) }]);
        let wanted = header(&[("FILT1", "K".into())]);
        assert!(s.agree(&wanted, &header(&[("FILT", "K".into())])));
        assert_eq!(s.disagreements(&wanted, &header(&[("FILT1", "K".into())])).next().unwrap().to_string(), "FILT is nothing, needed `K`");
    }

    #[test]
    fn a_pattern_holds_for_both() {
        let s = Signature(vec![SignatureKey { key: "MODE".into(), compare: Compare::Like("WFM*".into()) }]);
        let mode = |m: &str| header(&[("MODE", m.into())]);
        assert!(s.agree(&mode("WFM-AO-N"), &mode("WFM-NOAO-E")));
        assert!(!s.agree(&mode("WFM-AO-N"), &mode("NFM-AO-N")) && !s.agree(&mode("NFM"), &mode("NFM")));
    }

    #[test]
    fn comparison_says_which_key_and_by_how_much() {
        let a = header(&[("BIN", 1i64.into()), ("RA", 10.0.into()), ("DEC", 60.0.into()), ("SEC", "[101,101:200,200]".into())]);
        let b = header(&[("BIN", 2.0.into()), ("RA", 10.001.into()), ("DEC", 60.0.into()), ("SEC", "[1,1:1024,1024]".into())]);
        let s = Signature(vec![
            SignatureKey { key: "BIN".into(), compare: Compare::Exact },
            SignatureKey { key: "RA".into(), compare: Compare::Sky { declination: "DEC".into(), arcsec: 1.0 } },
            SignatureKey { key: "SEC".into(), compare: Compare::Contains },
        ]);
        let d: Vec<_> = s.disagreements(&a, &b).collect();
        assert_eq!(d.len(), 2);
        assert_eq!(d[0].to_string(), "BIN is `2.0`, needed `1` (differs by 1.000000)");
        assert!((d[1].by.unwrap() - 1.8).abs() < 1e-3, "{:?}", d[1]);
        assert_eq!(s.disagreements(&b, &a).last().unwrap().key, "SEC");
    }
}
