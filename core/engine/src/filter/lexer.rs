//! The words of a filter.

use super::{FilterError, LONGEST};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    /// A bare word: key or operator.
    Word(String),
    /// A key in backticks.
    Quoted(String),
    Symbol(&'static str),
    End,
}

/// A word with its place, in characters.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: usize,
    pub(super) length: usize,
}

const SYMBOLS: &[&str] = &["&&", "||", "==", "!=", "<=", ">=", "<", ">", "=", "!", "(", ")", ",", "+", "-", "*", "/", "[", "]"];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, FilterError> {
    let chars: Vec<char> = text.chars().collect();
    let error = |at: usize, length: usize, what: &str| FilterError { text: text.to_owned(), at, length, what: what.to_owned() };
    if chars.len() > LONGEST {
        return Err(error(LONGEST, 1, &format!("it is longer than {LONGEST} characters")));
    }
    let mut found = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let start = i;
        let c = chars[i];
        let token = if c.is_whitespace() {
            i += 1;
            continue;
        } else if c.is_ascii_alphabetic() || c == '_' {
            while i < chars.len() && is_key_character(chars[i]) {
                i += 1;
            }
            Token::Word(chars[start..i].iter().collect())
        } else if c.is_ascii_digit() || (c == '.' && chars.get(i + 1).is_some_and(char::is_ascii_digit)) {
            i = end_of_number(&chars, i);
            let number: String = chars[start..i].iter().collect();
            match number.parse::<f64>() {
                Ok(n) if n.is_finite() => Token::Number(n),
                _ => return Err(error(start, i - start, "this is no number that can be represented")),
            }
        } else if matches!(c, '\'' | '"' | '`') {
            let (inner, end) = quoted(&chars, i, c).ok_or_else(|| error(start, 1, &format!("the quote {c} is not closed")))?;
            i = end;
            if c == '`' { Token::Quoted(inner) } else { Token::Text(inner) }
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| s.chars().enumerate().all(|(n, sc)| chars.get(i + n) == Some(&sc))) {
            i += symbol.len();
            Token::Symbol(symbol)
        } else {
            let what = match c {
                '&' => "write && or and".to_owned(),
                '|' => "write || or or".to_owned(),
                '~' => "write like with * and ? for patterns".to_owned(),
                '%' | '^' => format!("there is no operator {c}; there are + - * /"),
                _ => format!("`{}` has no meaning here; keys with such characters are written in backticks", c.escape_debug()),
            };
            return Err(error(start, 1, &what));
        };
        found.push(Placed { token, at: start, length: i - start });
    }
    found.push(Placed { token: Token::End, at: chars.len(), length: 1 });
    Ok(found)
}

fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Whether a key can be written without backticks.
pub(super) fn is_bare(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && key.chars().all(is_key_character)
}

fn end_of_number(chars: &[char], mut i: usize) -> usize {
    let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
    while digit(i) {
        i += 1;
    }
    if chars.get(i) == Some(&'.') {
        i += 1;
        while digit(i) {
            i += 1;
        }
    }
    if matches!(chars.get(i), Some('e' | 'E')) {
        let sign = usize::from(matches!(chars.get(i + 1), Some('+' | '-')));
        if digit(i + 1 + sign) {
            i += 1 + sign;
            while digit(i) {
                i += 1;
            }
        }
    }
    i
}

/// The text between quotes, and the place after them. A doubled quote stands for one.
fn quoted(chars: &[char], start: usize, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut i = start + 1;
    while i < chars.len() {
        if chars[i] == quote {
            if chars.get(i + 1) != Some(&quote) {
                return Some((text, i + 1));
            }
            i += 1;
        }
        text.push(chars[i]);
        i += 1;
    }
    None
}
