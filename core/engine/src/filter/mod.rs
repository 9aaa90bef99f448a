//! A filter language for lists: `EXPTIME > 50 && QUANT500 < 1000`, `OBJECT like 'M*' || !(INSFLID == "FILT- 9")`.
//!
//! It compares, combines and does arithmetic; it never evaluates anything else. Text is compared without regard to case,
//! types are never converted. What cannot be said of a row (a missing key, text compared with a number) is neither true nor
//! false but unknown, after Kleene (1938): `!(X = 1)` of a row without `X` is unknown too, and an unknown row is not selected.
//!
//! | | |
//! |---|---|
//! | comparison | `=` (or `==`) `!=` `<` `<=` `>` `>=`, `like` (with `*` and `?`), `contains`, `in ('a', 'b')`; also `not like`, `not in` |
//! | logic | `&&` or `and`, `\|\|` or `or`, `!` or `not`, parentheses, `true`, `false`, `missing(KEY)` |
//! | numbers | `+ - * /`; blanks around the minus, since keywords may contain one |
//! | text | `'…'` or `"…"`, a quote inside is doubled |
//! | keys | `EXPTIME`, `MJD-OBS`; those with blanks as `` `ESO DPR CATG` `` or `ESO.DPR.CATG`, or in quotes on the left: `"ESO DPR CATG" = 'SCIENCE'` |

mod evaluate;
mod lexer;
mod parser;
mod print;

use ifured_core::Value;

use crate::classify::nearest;
use crate::error::Error;

pub use evaluate::Judgement;

/// Longest filter, in characters.
pub const LONGEST: usize = 4000;
/// Deepest nesting of parentheses, `!` and `-`, and most terms in one sum or product.
pub const DEEPEST: usize = 60;

/// Comparison of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    Contains,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Number(f64),
    Text(String),
    Logical(bool),
    Key(String),
    Missing(String),
    Negative(Box<Expression>),
    Arithmetic(Arithmetic, Box<Expression>, Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    In(Box<Expression>, Vec<Expression>),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
}

/// A filter, checked and ready to judge rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    expression: Expression,
}

/// Why a filter cannot be used. Displayed with the expression and a mark below the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.picture())]
pub struct FilterError {
    /// The filter as it was typed.
    pub text: String,
    /// Where, in characters from 0.
    pub at: usize,
    /// How many characters.
    pub length: usize,
    /// What is wrong, and what was expected.
    pub what: String,
}

impl FilterError {
    fn picture(&self) -> String {
        use unicode_width::UnicodeWidthStr;
        let line: Vec<char> = self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Only the neighbourhood of the place, so that it fits a terminal.
        let start = if self.at > 60 { self.at - 50 } else { 0 };
        let end = line.len().min(start + 76);
        let shown: String = line[start.min(end)..end].iter().collect();
        let before: String = line[start.min(end)..self.at.clamp(start.min(end), end)].iter().collect();
        let marks = self.length.clamp(1, (end + 1).saturating_sub(self.at).max(1));
        format!("filter not understood: {}\n  {shown}\n  {}{}", self.what, " ".repeat(before.width()), "^".repeat(marks))
    }
}

impl From<FilterError> for Error {
    fn from(e: FilterError) -> Error {
        Error::usage(e.to_string(), "write for example --where \"EXPTIME > 50 && OBJECT like 'M*'\"; `--columns all` lists the keys")
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// If the text is no filter: where, and what was expected there.
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        Ok(Filter { expression: parser::parse(text)? })
    }

    /// Judges a row by the values of its keys.
    pub fn judge(&self, value_of: &dyn Fn(&str) -> Option<Value>) -> Judgement {
        evaluate::judge(&self.expression, value_of)
    }

    /// The keys that are compared, each once, in the order in which they appear; not those that are only asked for by `missing`.
    pub fn keys(&self) -> Vec<&str> {
        let mut keys = Vec::new();
        collect(&self.expression, &mut keys);
        keys
    }

    /// Checks that every key that is compared exists somewhere.
    ///
    /// # Errors
    /// A key that is not known, with the nearest one that is.
    pub fn check_keys(&self, exists: &dyn Fn(&str) -> bool, known: &dyn Fn() -> Vec<String>) -> Result<(), Error> {
        match self.keys().into_iter().find(|k| !exists(k)) {
            None => Ok(()),
            Some(key) => Err(no_such_key(key, &known())),
        }
    }
}

/// The error for a key that no row has.
pub(crate) fn no_such_key(key: &str, known: &[String]) -> Error {
    let near = if known.len() > 12 {
        let short = nearest(key, known);
        if short.starts_with("; there are") { String::new() } else { short }
    } else {
        nearest(key, known)
    };
    let minus = key.rsplit_once('-').filter(|(first, _)| known.iter().any(|k| k == first));
    let advice = match minus {
        Some((first, rest)) => format!("to subtract, put blanks around the minus: {first} - {rest}"),
        None => "`--columns all` lists the keys there are".into(),
    };
    Error::usage(format!("no row has a key `{key}`{near}"), advice)
}

fn collect<'a>(e: &'a Expression, keys: &mut Vec<&'a str>) {
    match e {
        Expression::Key(k) if !keys.contains(&k.as_str()) => keys.push(k),
        Expression::Negative(a) | Expression::Not(a) => collect(a, keys),
        Expression::Arithmetic(_, a, b) | Expression::Compare(_, a, b) => {
            collect(a, keys);
            collect(b, keys);
        }
        Expression::In(a, _) => collect(a, keys),
        Expression::And(all) | Expression::Or(all) => all.iter().for_each(|a| collect(a, keys)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
