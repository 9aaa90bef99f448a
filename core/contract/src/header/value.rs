//! The value of a header card, typed as the FITS standard (version 4.0, section 4.2) types it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One typed header value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `T` or `F`.
    Logical(bool),
    /// An integer that fits 64 bits; larger ones are read as [`Value::Real`].
    Integer(i64),
    /// A floating-point number, written with as many digits as it takes to read the same number back.
    Real(f64),
    /// A character string, trailing blanks removed (they are not significant in FITS).
    Text(String),
    /// A complex number, real and imaginary part.
    Complex(f64, f64),
    /// A keyword without a value, or JSON `null`.
    Undefined,
}

impl Value {
    /// What the value is, in the words of an error message.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Logical(_) => "logical",
            Value::Integer(_) => "integer",
            Value::Real(_) => "number",
            Value::Text(_) => "text",
            Value::Complex(..) => "complex number",
            Value::Undefined => "undefined",
        }
    }

    /// The value as a number; integers count, text and logicals do not.
    pub fn as_real(&self) -> Option<f64> {
        match self {
            Value::Integer(i) => Some(*i as f64),
            Value::Real(r) => Some(*r),
            _ => None,
        }
    }

    /// The value as an integer; a real number only where it is one exactly (`2.048E+03`).
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(i) => Some(*i),
            Value::Real(r) if r.fract() == 0.0 && r.abs() < 9.0e15 => Some(*r as i64),
            _ => None,
        }
    }

    /// The value as text; numbers are not converted.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The value as a logical.
    pub fn as_logical(&self) -> Option<bool> {
        match self {
            Value::Logical(b) => Some(*b),
            _ => None,
        }
    }
}

/// As a person (and a signature string) writes it: text bare, `True`/`False`, reals always with a point or exponent,
/// so that `1` and `1.0` stay different.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Logical(true) => f.write_str("True"),
            Value::Logical(false) => f.write_str("False"),
            Value::Integer(i) => write!(f, "{i}"),
            Value::Real(r) => write!(f, "{r:?}"),
            Value::Text(t) => f.write_str(t),
            Value::Complex(re, im) => write!(f, "({re:?}, {im:?})"),
            Value::Undefined => f.write_str("None"),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident as $to:ty),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self { Value::$variant(value as $to) }
        }
    )*};
}
value_from!(i64 => Integer as i64, i32 => Integer as i64, u32 => Integer as i64, usize => Integer as i64, f64 => Real as f64, f32 => Real as f64);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Logical(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.trim_end().to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::from(value.as_str())
    }
}

impl schemars::JsonSchema for Value {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "The value of a keyword.", "type": ["boolean", "number", "string", "null"] })
    }
}
