//! What a word in filabres' files is: text, number, logical or nothing.
//!
//! filabres reads YAML 1.1 (<https://yaml.org/type/>, with the patterns of PyYAML's safe loader), where `yes` is a logical, `012` is ten,
//! `10:20:30` is 37230 and `1e5` is text. The same is done here, and said where it may not have been meant.

use serde_json::{Value, json};

use super::yaml::Scalar;

impl Scalar {
    /// Whether it is nothing: no text and no quotes, `~` or `null`.
    pub fn is_empty(&self) -> bool {
        !self.quoted && self.tag.is_none() && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// The logical that it is, if it is one.
    pub fn logical(&self) -> Option<bool> {
        match self.value() {
            Ok((Value::Bool(b), _)) => Some(b),
            _ => None,
        }
    }

    /// Its value, and what is worth knowing of it.
    ///
    /// # Errors
    /// What no header can hold (infinity), and tags that say something else than the value.
    pub fn value(&self) -> Result<(Value, Option<String>), String> {
        let plain = || resolved(&self.text);
        match self.tag.as_deref() {
            None if self.quoted => Ok((json!(self.text), None)),
            None => plain(),
            Some("str" | "!") => Ok((json!(self.text), None)),
            Some(tag @ ("int" | "float" | "bool" | "null")) => {
                let (value, note) = plain()?;
                match (tag, &value) {
                    ("int", Value::Number(n)) if n.is_i64() => Ok((value, note)),
                    ("float", Value::Number(n)) => Ok((json!(n.as_f64()), note)),
                    ("bool", Value::Bool(_)) | ("null", Value::Null) => Ok((value, note)),
                    _ => Err(format!("`!!{tag} {}`: the value is of another type", self.text)),
                }
            }
            Some(tag) => Err(format!("the tag `{tag}` is not known")),
        }
    }
}

/// A word without quotes.
fn resolved(text: &str) -> Result<(Value, Option<String>), String> {
    let quoted = |what: &str| Some(format!("`{text}` without quotes is {what} in YAML 1.1, as filabres read it; with quotes it is text"));
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok((Value::Null, None)),
        "true" | "True" | "TRUE" => return Ok((json!(true), None)),
        "false" | "False" | "FALSE" => return Ok((json!(false), None)),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Ok((json!(true), quoted("true"))),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Ok((json!(false), quoted("false"))),
        _ => {}
    }
    let lower = text.to_ascii_lowercase();
    if matches!(lower.trim_start_matches(['+', '-']), ".inf" | ".nan") {
        return Err(format!("`{text}`: a header holds finite numbers only"));
    }
    if let Some((number, ordinary)) = number(text) {
        let note = if ordinary { None } else { quoted(&format!("the number {number}")) };
        return Ok((number, note));
    }
    if is_date(text) {
        return Ok((json!(text), Some(format!("`{text}` without quotes is a date in YAML 1.1, which no header holds; taken as text"))));
    }
    let looks_like_a_number = text.parse::<f64>().is_ok_and(f64::is_finite) || text.starts_with("0o");
    let note = looks_like_a_number
        .then(|| format!("`{text}` is text in YAML 1.1, as filabres read it; a number has a point and a sign in the exponent: 1.0e+5"));
    Ok((json!(text), note))
}

/// The number that a word is, and whether everybody would read it so.
fn number(text: &str) -> Option<(Value, bool)> {
    let (negative, bare) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let sign = if negative { -1.0 } else { 1.0 };
    let integer = |digits: &str, radix: u32| -> Option<Value> {
        match i64::from_str_radix(digits, radix) {
            Ok(n) => Some(json!(if negative { -n } else { n })),
            // Larger than a header's integers: a real number, as ifured reads such cards.
            Err(_) if radix == 10 => digits.parse::<f64>().ok().map(|n| json!(sign * n)),
            Err(_) => None,
        }
    };
    let digits: String = bare.chars().filter(|c| *c != '_').collect();
    let made_of = |text: &str, allowed: &str| !text.is_empty() && text.chars().all(|c| allowed.contains(c));
    if bare == "0" || (bare.starts_with(|c: char| matches!(c, '1'..='9')) && made_of(bare, "0123456789_")) {
        return Some((integer(&digits, 10)?, !bare.contains('_')));
    }
    for (prefix, allowed, radix) in [("0b", "01", 2), ("0x", "0123456789abcdefABCDEF", 16)] {
        if let Some(rest) = digits.strip_prefix(prefix)
            && made_of(rest, allowed)
        {
            return Some((integer(rest, radix)?, false));
        }
    }
    if bare.starts_with('0') && made_of(&digits, "01234567") {
        return Some((integer(&digits, 8)?, false));
    }
    if let Some(value) = sexagesimal(&digits) {
        return Some((if digits.contains('.') { json!(sign * value) } else { json!((sign * value) as i64) }, false));
    }
    real(&digits, bare).map(|value| (json!(sign * value), !bare.contains('_')))
}

/// Digits with a point, and an exponent only with its sign.
fn real(digits: &str, bare: &str) -> Option<f64> {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e)),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let all_digits = |t: &str| t.chars().all(|c| c.is_ascii_digit());
    let sound = all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && !bare.starts_with('_');
    let exponent_sound = exponent.is_none_or(|e| e.strip_prefix(['+', '-']).is_some_and(|d| !d.is_empty() && all_digits(d)));
    if !sound || !exponent_sound {
        return None;
    }
    digits.parse().ok().filter(|v: &f64| v.is_finite())
}

/// `10:20:30` and `10:20:30.5`, to the base of 60.
fn sexagesimal(digits: &str) -> Option<f64> {
    let mut parts = digits.split(':');
    let first = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let is_number = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
    if rest.is_empty() || !is_number(first) || first.len() > 12 {
        return None;
    }
    let with_point = digits.contains('.');
    if !with_point && first.starts_with('0') {
        return None;
    }
    let mut value: f64 = first.parse().ok()?;
    for (n, part) in rest.iter().enumerate() {
        let whole = if n + 1 == rest.len() { part.split('.').next()? } else { part };
        if !is_number(whole) || whole.len() > 2 || whole.parse::<u8>().ok()? > 59 || part.matches('.').count() > 1 {
            return None;
        }
        value = value * 60.0 + part.trim_end_matches('.').parse::<f64>().ok()?;
    }
    Some(value)
}

/// `2017-03-19`, with or without a time.
fn is_date(text: &str) -> bool {
    let day = text.get(..10).unwrap_or(text);
    let shape: String = day.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    shape == "9999-99-99" && text[day.len()..].chars().all(|c| c.is_ascii_digit() || "Tt:. Z+-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_they_are_in_yaml_1_1() {
        let plain = [
            ("170319", json!(170319)),
            ("-5", json!(-5)),
            ("+5", json!(5)),
            ("0", json!(0)),
            ("0.0", json!(0.0)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("-1.5e+3", json!(-1500.0)),
            ("true", json!(true)),
            ("False", json!(false)),
            ("~", json!(null)),
            ("", json!(null)),
            ("M 31", json!("M 31")),
            ("GRISM-11", json!("GRISM-11")),
            ("170225_t2_CAFOS", json!("170225_t2_CAFOS")),
            ("123456789012345678901", json!(123456789012345678901.0)),
        ];
        for (text, expected) in plain {
            assert_eq!(resolved(text), Ok((expected, None)), "{text}");
        }
    }

    #[test]
    fn surprises_are_said() {
        let odd = [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("012", json!(10)),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("10:20:30", json!(37230)),
            ("1:30.5", json!(90.5)),
            ("1e5", json!("1e5")),
            ("089", json!("089")),
            ("2017-03-19", json!("2017-03-19")),
            ("2017-03-19T16:00:00", json!("2017-03-19T16:00:00")),
        ];
        for (text, expected) in odd {
            let (value, note) = resolved(text).unwrap();
            assert_eq!(value, expected, "{text}");
            assert!(note.is_some(), "{text}");
        }
        for text in ["1.5:30", "10:99", "2017-3-x", "a:b", "01:20", "_1", "1.2.3", "--5", "é-2017-03"] {
            assert!(resolved(text).unwrap().0.is_string(), "{text}");
        }
        assert!(resolved(".inf").is_err() && resolved("-.INF").is_err() && resolved(".nan").is_err());
    }

    #[test]
    fn quotes_and_tags() {
        let scalar = |text: &str, quoted, tag: Option<&str>| Scalar { text: text.into(), quoted, tag: tag.map(str::to_owned) };
        assert_eq!(scalar("170319", true, None).value().unwrap().0, json!("170319"));
        assert_eq!(scalar("", true, None).value().unwrap().0, json!(""));
        assert_eq!(scalar("170319", false, Some("str")).value().unwrap().0, json!("170319"));
        assert_eq!(scalar("3", false, Some("float")).value().unwrap().0, json!(3.0));
        assert!(scalar("x", false, Some("int")).value().is_err());
        assert!(scalar("x", false, Some("python/name:os.system")).value().is_err());
        assert_eq!(scalar("no", false, None).logical(), Some(false));
        assert_eq!(scalar("no", true, None).logical(), None);
    }
}
