//! Rules made of DPR and PRO keywords.
//!
//! Every rule for raw frames first demands that there is no `PRO CATG`, every rule for products that there is one. So a
//! product that kept DPR keywords is not taken for a raw frame, and the reason that is given for a frame that no rule
//! names is about its own keywords: a raw frame of an unknown type is "no rule matches", a frame with neither DPR nor PRO
//! lacks `ESO DPR CATG`.

use ifured_core::rule::Operand;
use ifured_core::{Condition, FrameType, Purpose, Signature, Test, Value};

/// Category of a raw frame: `CALIB`, `SCIENCE`, `ACQUISITION`, `TECHNICAL`, `TEST`.
pub const DPR_CATG: &str = "ESO DPR CATG";
/// Type of a raw frame, a list joined by commas: `FLAT,LAMP`.
pub const DPR_TYPE: &str = "ESO DPR TYPE";
/// Technique of a raw frame: `IMAGE`, `IFU`.
pub const DPR_TECH: &str = "ESO DPR TECH";
/// Category of a pipeline product or static calibration: `MASTER_BIAS`.
pub const PRO_CATG: &str = "ESO PRO CATG";

/// What the DPR keywords of a kind of raw frame are.
///
/// Each list holds patterns (`*` any characters, `?` one) of which one must match; an empty list allows anything, and the
/// keyword may be absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dpr<'a> {
    /// Patterns of the category.
    pub catg: &'a [&'a str],
    /// Patterns of the type.
    pub types: &'a [&'a str],
    /// Patterns that the type must not match.
    pub not_types: &'a [&'a str],
    /// Patterns of the technique.
    pub tech: &'a [&'a str],
}

impl Dpr<'_> {
    /// As conditions, with the one that the frame is raw first.
    pub fn conditions(&self) -> Vec<Condition> {
        let lists = [
            (DPR_CATG, Test::Like, self.catg),
            (DPR_TYPE, Test::Like, self.types),
            (DPR_TYPE, Test::NotLike, self.not_types),
            (DPR_TECH, Test::Like, self.tech),
        ];
        let patterns = lists.into_iter().filter(|(_, _, patterns)| !patterns.is_empty());
        std::iter::once(absent(PRO_CATG)).chain(patterns.map(|(key, test, patterns)| Condition::any(key, test, patterns))).collect()
    }
}

/// A kind of raw frame.
pub fn raw(tag: &str, title: &str, purpose: Purpose, dpr: Dpr, signature: Signature) -> FrameType {
    FrameType::new(tag, title, purpose, &signature, dpr.conditions())
}

/// A product or static calibration whose `PRO CATG` is its tag.
pub fn product(tag: &str, title: &str, purpose: Purpose, signature: Signature) -> FrameType {
    product_like(tag, &[tag], title, purpose, signature)
}

/// A product whose `PRO CATG` matches one of the patterns, for pipelines that write the name of the target into it.
pub fn product_like(tag: &str, patterns: &[&str], title: &str, purpose: Purpose, signature: Signature) -> FrameType {
    let when = vec![Condition::present(PRO_CATG), Condition::any(PRO_CATG, Test::Like, patterns)];
    let kind = FrameType::new(tag, title, purpose, &signature, when).product();
    // Calibrations that a pipeline ships are of no time.
    if purpose == Purpose::Calibration { kind.timeless() } else { kind }
}

/// `INSTRUME` is this, to the letter.
pub fn instrument_is(name: &str) -> Condition {
    Condition::new("INSTRUME", Test::Equal, name).case_sensitive()
}

fn absent(key: &str) -> Condition {
    Condition { key: key.to_owned(), is: Test::Absent, value: Operand::One(Value::Undefined), case_sensitive: false }
}

#[cfg(test)]
mod tests {
    use ifured_core::rule::classify;
    use ifured_core::{Header, Rule, State};

    use super::*;

    fn rules() -> Vec<Rule> {
        let flat = Dpr { catg: &["CALIB"], types: &["FLAT*LAMP"], not_types: &["*ILLUM"], tech: &[] };
        [
            raw("FLAT", "", Purpose::Calibration, flat, Signature::default()),
            product("MASTER_FLAT", "", Purpose::Calibration, Signature::default()),
            product_like("COMBINE", &["COMBINE_*"], "", Purpose::Science, Signature::default()),
        ]
        .into_iter()
        .map(|t| t.rule)
        .collect()
    }

    fn classified(pairs: &[(&str, &str)]) -> (String, State, String) {
        let mut header = Header::new();
        for (key, value) in pairs {
            header.set(key, *value, "");
        }
        let c = classify(&rules(), &header);
        (c.tag.to_string(), c.state, c.why)
    }

    #[test]
    fn raw_and_product_are_kept_apart() {
        let dpr = [(DPR_CATG, "CALIB"), (DPR_TYPE, "FLAT,LAMP")];
        assert_eq!(classified(&dpr).0, "FLAT");
        assert_eq!(classified(&[dpr[0], dpr[1], (PRO_CATG, "MASTER_FLAT")]).0, "MASTER_FLAT");
        assert_eq!(classified(&[(PRO_CATG, "COMBINE_SHIFT_AGN6")]).0, "COMBINE");
    }

    #[test]
    fn the_reason_is_about_the_keywords_of_the_frame() {
        let none = |why: &str, state| ("unclassified".to_owned(), state, why.to_owned());
        assert_eq!(classified(&[(DPR_CATG, "CALIB"), (DPR_TYPE, "FOCUS")]), none("no rule matches", State::Wrong));
        assert_eq!(classified(&[(PRO_CATG, "SOMETHING")]), none("no rule matches", State::Wrong));
        assert_eq!(classified(&[]), none("ESO DPR CATG: keyword missing", State::Refused));
        assert_eq!(classified(&[(DPR_CATG, "CALIB")]), none("ESO DPR TYPE: keyword missing", State::Refused));
    }
}
