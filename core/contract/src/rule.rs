//! Classification rules: data that say what kind of frame a header describes, and why not another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::header::{Value, normalise};
use crate::lookup::Lookup;
use crate::tag::Tag;

/// How a key is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Test {
    /// Equal to the value, or to one of the values.
    #[serde(rename = "=")]
    Equal,
    /// Equal to none of the values.
    #[serde(rename = "!=")]
    NotEqual,
    /// Less than the value.
    #[serde(rename = "<")]
    Less,
    /// Less than or equal.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Greater than the value.
    #[serde(rename = ">")]
    Greater,
    /// Greater than or equal.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// Text that matches one of the patterns; `*` stands for any characters, `?` for one.
    #[serde(rename = "like")]
    Like,
    /// Text that matches none of the patterns.
    #[serde(rename = "not like")]
    NotLike,
    /// The key has a value.
    #[serde(rename = "present")]
    Present,
    /// The key has no value.
    #[serde(rename = "absent")]
    Absent,
}

/// One value or several, of which any may hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Operand {
    /// One value.
    One(Value),
    /// Any of several.
    Any(Vec<Value>),
}

impl JsonSchema for Operand {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Operand".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "One value, or a list of which any may hold.",
            "type": ["boolean", "number", "string", "array"],
            "items": { "type": ["boolean", "number", "string"] }
        })
    }
}

impl Operand {
    fn values(&self) -> &[Value] {
        match self {
            Operand::One(v) => std::slice::from_ref(v),
            Operand::Any(v) => v,
        }
    }
}

/// One test of one key, for example `{ key = "EXPTIME", is = ">", value = 0 }`.
///
/// Text is compared without regard to case unless `case_sensitive` is set. Types are never converted: a number that is
/// written as text in the header does not pass a test for a number, and is reported as such.
///
/// `#` in a key stands for any number from 1 to 99: `OCS ARM# TYPE`. Such a condition holds if it holds for one of the keywords that are
/// there; `!=`, `not like` and `absent` hold if they hold for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Header keyword, or one of the pixel statistics (`QUANT975`). `#` stands for any number.
    #[schemars(extend("examples" = ["EXPTIME", "QUANT975", "ESO OCS ARM# TYPE"]))]
    pub key: String,
    /// The test.
    #[schemars(extend("examples" = ["="]))]
    pub is: Test,
    /// What to compare with; left out for `present` and `absent`.
    #[schemars(extend("x-default" = "none", "examples" = ["bias", 1500, ["dome", "sky"]]))]
    #[serde(default = "nothing", skip_serializing_if = "is_nothing")]
    pub value: Operand,
    /// Compare text to the letter.
    #[schemars(extend("default" = false))]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub case_sensitive: bool,
}

/// Stands for a number in a key.
const NUMBER: char = '#';
/// The numbers that it stands for.
const NUMBERS: std::ops::RangeInclusive<u8> = 1..=99;

fn nothing() -> Operand {
    Operand::One(Value::Undefined)
}
fn is_nothing(o: &Operand) -> bool {
    *o == nothing()
}

/// What came out of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not hold.
    Fails {
        /// Why, in words.
        why: String,
    },
    /// It cannot be said: the key is missing or of another type.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

/// Begins a condition: `key("EXPTIME").above(0.0)`, `key("OBJECT").like(&["*flat*"])`.
pub fn key(name: &str) -> Key {
    Key(name.to_owned())
}

/// A header keyword, or a statistic of the pixels, about which something is going to be said (see [`key`]).
pub struct Key(String);

impl Key {
    fn test(self, is: Test, value: impl Into<Value>) -> Condition {
        Condition::new(&self.0, is, value)
    }

    /// It equals the value; text without regard to case.
    pub fn is(self, value: impl Into<Value>) -> Condition {
        self.test(Test::Equal, value)
    }

    /// It is none of the texts.
    pub fn is_none_of(self, values: &[&str]) -> Condition {
        Condition::any(&self.0, Test::NotEqual, values)
    }

    /// It is one of the texts.
    pub fn is_one_of(self, values: &[&str]) -> Condition {
        Condition::any(&self.0, Test::Equal, values)
    }

    /// It matches one of the patterns; `*` and `?` are wild.
    pub fn like(self, patterns: &[&str]) -> Condition {
        Condition::any(&self.0, Test::Like, patterns)
    }

    /// It matches none of the patterns.
    pub fn unlike(self, patterns: &[&str]) -> Condition {
        Condition::any(&self.0, Test::NotLike, patterns)
    }

    /// It is greater.
    pub fn above(self, value: impl Into<Value>) -> Condition {
        self.test(Test::Greater, value)
    }

    /// It is less.
    pub fn below(self, value: impl Into<Value>) -> Condition {
        self.test(Test::Less, value)
    }

    /// The header has it.
    pub fn present(self) -> Condition {
        Condition::present(&self.0)
    }

    /// The header does not have it.
    pub fn absent(self) -> Condition {
        Condition { is: Test::Absent, ..Condition::present(&self.0) }
    }
}

impl Condition {
    /// `key is value`.
    pub fn new(key: &str, is: Test, value: impl Into<Value>) -> Self {
        Condition { key: key.to_owned(), is, value: Operand::One(value.into()), case_sensitive: false }
    }

    /// `key` is one of several texts (or patterns, with [`Test::Like`]).
    pub fn any(key: &str, is: Test, values: &[&str]) -> Self {
        Condition { key: key.to_owned(), is, value: Operand::Any(values.iter().map(|v| Value::from(*v)).collect()), case_sensitive: false }
    }

    /// The key has a value.
    pub fn present(key: &str) -> Self {
        Condition { key: key.to_owned(), is: Test::Present, value: nothing(), case_sensitive: false }
    }

    /// The same test, text compared to the letter.
    pub fn case_sensitive(mut self) -> Self {
        self.case_sensitive = true;
        self
    }

    /// Tests a frame.
    pub fn check(&self, frame: &impl Lookup) -> Verdict {
        let value = |key: &str| frame.lookup(key).filter(|v| *v != Value::Undefined);
        let Some((before, after)) = self.key.split_once(NUMBER) else {
            return self.test(&normalise(&self.key), value(&self.key));
        };
        // The first that decides: one that holds, or, for a negation, one that does not.
        let mut verdict = self.test(&normalise(&self.key), None);
        for key in NUMBERS.map(|n| format!("{before}{n}{after}")) {
            if let Some(found) = value(&key) {
                verdict = self.test(&normalise(&key), Some(found));
                if (verdict == Verdict::Holds) != self.is_negation() {
                    break;
                }
            }
        }
        verdict
    }

    fn is_negation(&self) -> bool {
        matches!(self.is, Test::NotEqual | Test::NotLike | Test::Absent)
    }

    /// Tests the value of a key.
    fn test(&self, key: &str, found: Option<Value>) -> Verdict {
        let verdict = |holds: bool, why: &dyn Fn() -> String| if holds { Verdict::Holds } else { Verdict::Fails { why: why() } };
        match (self.is, &found) {
            (Test::Present, _) => return verdict(found.is_some(), &|| format!("{key} is missing")),
            (Test::Absent, _) => return verdict(found.is_none(), &|| format!("{key} is there")),
            _ => {}
        }
        let Some(found) = found else {
            let what = if crate::lookup::STATISTICS.contains(&key) { "the frame has no valid pixels" } else { "keyword missing" };
            return Verdict::Unknown { why: format!("{key}: {what}") };
        };
        let mut any = false;
        for wanted in self.value.values() {
            match self.one(&found, wanted) {
                Ok(holds) => any |= holds,
                Err(kind) => {
                    return Verdict::Unknown { why: format!("{key} must be {kind}, but is {} `{found}`", found.kind()) };
                }
            }
        }
        verdict(any != self.is_negation(), &|| format!("{key} is `{found}`, not {}", self.wanted()))
    }

    fn one(&self, found: &Value, wanted: &Value) -> Result<bool, &'static str> {
        match (self.is, wanted) {
            (Test::Equal | Test::NotEqual, Value::Text(w)) => {
                let f = found.as_text().ok_or("text")?;
                Ok(if self.case_sensitive { f == w } else { f.eq_ignore_ascii_case(w) })
            }
            (Test::Equal | Test::NotEqual, Value::Logical(w)) => found.as_logical().map(|f| f == *w).ok_or("a logical"),
            (Test::Like | Test::NotLike, Value::Text(w)) => {
                let f = found.as_text().ok_or("text")?;
                Ok(if self.case_sensitive { like(w, f) } else { like(&w.to_lowercase(), &f.to_lowercase()) })
            }
            (Test::Like | Test::NotLike, _) => Err("text"),
            (test, Value::Text(w)) => {
                let f = found.as_text().ok_or("text")?;
                Ok(ordering(test, f.cmp(w)))
            }
            (test, w) => {
                let f = found.as_real().ok_or("a number")?;
                let w = w.as_real().ok_or("a number")?;
                Ok(match test {
                    Test::Equal | Test::NotEqual => f == w,
                    _ => f.partial_cmp(&w).is_some_and(|o| ordering(test, o)),
                })
            }
        }
    }

    fn wanted(&self) -> String {
        let values: Vec<String> = self.value.values().iter().map(|v| format!("`{v}`")).collect();
        let values = values.join(" or ");
        match self.is {
            Test::Equal => values,
            Test::NotEqual => format!("other than {values}"),
            Test::Less => format!("below {values}"),
            Test::LessOrEqual => format!("at most {values}"),
            Test::Greater => format!("above {values}"),
            Test::GreaterOrEqual => format!("at least {values}"),
            Test::Like => format!("like {values}"),
            Test::NotLike => format!("unlike {values}"),
            Test::Present | Test::Absent => String::new(),
        }
    }
}

/// The condition as a person would write it: `EXPTIME > 0`.
impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is {
            Test::Present | Test::Absent => write!(f, "{} {}", normalise(&self.key), self.symbol()),
            _ => {
                let values: Vec<String> = self.value.values().iter().map(ToString::to_string).collect();
                write!(f, "{} {} {}", normalise(&self.key), self.symbol(), values.join(" | "))
            }
        }
    }
}

impl Condition {
    fn symbol(&self) -> &'static str {
        match self.is {
            Test::Equal => "=",
            Test::NotEqual => "!=",
            Test::Less => "<",
            Test::LessOrEqual => "<=",
            Test::Greater => ">",
            Test::GreaterOrEqual => ">=",
            Test::Like => "like",
            Test::NotLike => "not like",
            Test::Present => "is present",
            Test::Absent => "is absent",
        }
    }
}

fn ordering(test: Test, order: std::cmp::Ordering) -> bool {
    match test {
        Test::Less => order.is_lt(),
        Test::LessOrEqual => order.is_le(),
        Test::Greater => order.is_gt(),
        Test::GreaterOrEqual => order.is_ge(),
        _ => order.is_eq(),
    }
}

/// Whether a text matches a pattern with `*` and `?`, both taken as they are.
pub fn like(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < t.len() {
        match p.get(i) {
            Some('*') => {
                star = Some((i, j));
                i += 1;
            }
            Some(&c) if c == '?' || c == t[j] => {
                i += 1;
                j += 1;
            }
            _ => match star {
                Some((si, sj)) => {
                    star = Some((si, sj + 1));
                    i = si + 1;
                    j = sj + 1;
                }
                None => return false,
            },
        }
    }
    p[i..].iter().all(|&c| c == '*')
}

/// One rule: a frame for which all of `when` holds has this tag; if it then fails any of `expect`, it is `wrong-<tag>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The tag.
    pub tag: Tag,
    /// All of these must hold.
    pub when: Vec<Condition>,
    /// What a good frame of this kind fulfils.
    #[serde(default)]
    pub expect: Vec<Condition>,
}

/// What the rules say of a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Classification {
    /// The tag: of a rule, `wrong-` and a tag, or `unclassified`.
    pub tag: Tag,
    /// Whether the frame can be used as what the tag says.
    pub state: State,
    /// Why it is not simply what the tag says; empty for a good frame.
    pub why: String,
    /// For each rule in order, up to the one that matched: the first condition that did not hold.
    pub trace: Vec<(Tag, Option<String>)>,
}

/// What can be done with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Usable.
    Good,
    /// Of a kind, but it fails an expectation (a saturated flat); or a kind that no rule names. Normal in any archive.
    Wrong,
    /// It cannot be judged: a keyword is missing or mistyped, there are no pixels, the file cannot be read.
    Refused,
}

/// Tag of a frame that no rule names.
pub const UNCLASSIFIED: &str = "unclassified";

/// Walks through the rules in order; the first whose `when` all holds decides.
pub fn classify(rules: &[Rule], frame: &impl Lookup) -> Classification {
    let mut trace = Vec::new();
    let mut unknown: Option<String> = None;
    for rule in rules {
        let mut failed = None;
        for condition in &rule.when {
            match condition.check(frame) {
                Verdict::Holds => continue,
                Verdict::Fails { why } => failed = Some(why),
                Verdict::Unknown { why } => {
                    unknown.get_or_insert_with(|| why.clone());
                    failed = Some(why);
                }
            }
            break;
        }
        let matched = failed.is_none();
        trace.push((rule.tag.clone(), failed));
        if matched {
            let (state, why) = expectations(rule, frame);
            let tag = if state == State::Good { rule.tag.clone() } else { rule.tag.wrong() };
            return Classification { tag, state, why, trace };
        }
    }
    let (state, why) = match unknown {
        Some(why) => (State::Refused, why),
        None => (State::Wrong, "no rule matches".to_owned()),
    };
    Classification { tag: UNCLASSIFIED.into(), state, why, trace }
}

fn expectations(rule: &Rule, frame: &impl Lookup) -> (State, String) {
    let mut state = State::Good;
    let mut reasons = Vec::new();
    for condition in &rule.expect {
        match condition.check(frame) {
            Verdict::Holds => {}
            Verdict::Fails { why } => {
                reasons.push(why);
                if state == State::Good {
                    state = State::Wrong;
                }
            }
            Verdict::Unknown { why } => {
                reasons.push(why);
                state = State::Refused;
            }
        }
    }
    (state, reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::header::Header;

    fn header(pairs: &[(&str, Value)]) -> Header {
        let mut h = Header::new();
        for (k, v) in pairs {
            h.set(k, v.clone(), "");
        }
        h
    }

    fn rules() -> Vec<Rule> {
        vec![
            Rule {
                tag: "bias".into(),
                when: vec![Condition::any("IMAGETYP", Test::Equal, &["bias"])],
                expect: vec![Condition::new("EXPTIME", Test::Equal, 0.0), Condition::new("QUANT975", Test::Less, 1000.0)],
            },
            Rule {
                tag: "arc".into(),
                when: vec![Condition::any("IMAGETYP", Test::Equal, &["arc"]), Condition::new("INSGRID", Test::NotEqual, "GRISM-11")],
                expect: vec![],
            },
        ]
    }

    #[test]
    fn first_rule_that_matches_decides() {
        let c = classify(&rules(), &header(&[("IMAGETYP", "BIAS".into()), ("EXPTIME", 0i64.into()), ("QUANT975", 700.0.into())]));
        assert_eq!((c.tag.as_str(), c.state), ("bias", State::Good));
        let c = classify(&rules(), &header(&[("IMAGETYP", "bias".into()), ("EXPTIME", 3.0.into()), ("QUANT975", 1200.0.into())]));
        assert_eq!((c.tag.as_str(), c.state), ("wrong-bias", State::Wrong));
        assert_eq!(c.why, "EXPTIME is `3.0`, not `0.0`; QUANT975 is `1200.0`, not below `1000.0`");
    }

    #[test]
    fn missing_and_mistyped_keys_are_named() {
        let c = classify(&rules(), &header(&[("EXPTIME", 0i64.into())]));
        assert_eq!((c.tag.as_str(), c.state, c.why.as_str()), ("unclassified", State::Refused, "IMAGETYP: keyword missing"));
        let c = classify(&rules(), &header(&[("IMAGETYP", "bias".into()), ("EXPTIME", "0.0".into()), ("QUANT975", 1.0.into())]));
        assert_eq!((c.state, c.why.as_str()), (State::Refused, "EXPTIME must be a number, but is text `0.0`"));
        let c = classify(&rules(), &header(&[("IMAGETYP", "arc".into()), ("INSGRID", 11i64.into())]));
        assert_eq!((c.state, c.why.as_str()), (State::Refused, "INSGRID must be text, but is integer `11`"));
        let c = classify(&rules(), &header(&[("IMAGETYP", "focus".into())]));
        assert_eq!((c.state, c.why.as_str()), (State::Wrong, "no rule matches"));
    }

    #[test]
    fn a_numbered_key_is_any_of_the_keywords_and_a_negation_all_of_them() {
        let arms = header(&[("OCS ARM2 TYPE", "O".into()), ("OCS ARM11 TYPE", "S".into()), ("OCS ARM11 NOTUSED", "broken".into())]);
        let holds = |c: Condition| c.check(&arms) == Verdict::Holds;
        assert!(holds(key("OCS ARM# TYPE").is("S")) && holds(key("OCS ARM# NOTUSED").present()));
        assert!(!holds(key("OCS ARM# TYPE").is("R")) && !holds(key("OCS ARM# NOTUSED").absent()));
        assert!(holds(key("OCS ARM# TYPE").is_none_of(&["R"])) && !holds(key("OCS ARM# TYPE").is_none_of(&["O"])));
        assert_eq!(key("OCS ARM# TYPE").is("R").check(&arms), Verdict::Fails { why: "OCS ARM11 TYPE is `S`, not `R`".into() });
        assert_eq!(key("OCS ARM# Z").is("R").check(&arms), Verdict::Unknown { why: "OCS ARM# Z: keyword missing".into() });
    }

    #[test]
    fn conditions_read_as_people_write_them() {
        let json = r#"{"key":"DPR TYPE","is":"like","value":["FLAT*LAMP","WAVE*"]}"#;
        let c: Condition = serde_json::from_str(json).unwrap();
        assert_eq!(c.to_string(), "DPR TYPE like FLAT*LAMP | WAVE*");
        assert_eq!(serde_json::to_string(&c).unwrap(), json);
        assert_eq!(c.check(&header(&[("DPR TYPE", "flat,lamp".into())])), Verdict::Holds);
    }

    proptest! {
        #[test]
        fn like_agrees_with_itself(text in "[a-c]{0,12}") {
            prop_assert!(like(&text, &text));
            prop_assert!(like("*", &text));
            let (inside, longer) = (format!("*{text}*"), format!("{text}x"));
            prop_assert!(like(&inside, &text));
            prop_assert!(!like(&longer, &text));
            prop_assert!(like(&"?".repeat(text.chars().count()), &text));
        }
    }
}
