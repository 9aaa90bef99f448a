//! Right ascensions and declinations as headers write them: degrees as a number, or sexagesimal as text.

use crate::header::Value;

/// Right ascension in degrees, 0 to 360. Numbers (and text that is one number) are degrees, sexagesimal text is hours: `12:37:23.5`,
/// `12 37 23.5`, `12h37m23.5s`. `None` for anything that is none.
pub fn right_ascension(value: &Value) -> Option<f64> {
    let degrees = match written(value)? {
        Written::Degrees(d) => d,
        Written::Sexagesimal(h) => h * 15.0,
    };
    (-180.0..=360.0).contains(&degrees).then(|| degrees.rem_euclid(360.0))
}

/// Declination in degrees; sexagesimal text is degrees, minutes, seconds: `-00:12:30`, `+25 03 59.9`, `25d03m59.9s`. `None` for anything
/// that is none.
pub fn declination(value: &Value) -> Option<f64> {
    let (Written::Degrees(degrees) | Written::Sexagesimal(degrees)) = written(value)?;
    (-90.0..=90.0).contains(&degrees).then_some(degrees)
}

enum Written {
    Degrees(f64),
    /// In units of the first of the three numbers.
    Sexagesimal(f64),
}

fn written(value: &Value) -> Option<Written> {
    let Some(text) = value.as_text() else { return value.as_real().filter(|v| v.is_finite()).map(Written::Degrees) };
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return Some(Written::Degrees(number)).filter(|_| number.is_finite());
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let separates = |c: char| c.is_whitespace() || ":hdms°'\"".contains(c);
    let parts: Vec<&str> = digits.split(separates).filter(|p| !p.is_empty()).collect();
    if !(2..=3).contains(&parts.len()) || parts.iter().any(|p| !p.bytes().all(|b| b.is_ascii_digit() || b == b'.')) {
        return None;
    }
    let numbers: Vec<f64> = parts.iter().map(|p| p.parse()).collect::<Result<_, _>>().ok()?;
    // Programs that round write 60 seconds.
    let whole = numbers[..numbers.len() - 1].iter().all(|n| n.fract() == 0.0) && numbers[1..].iter().all(|n| *n <= 60.0);
    let value = numbers.iter().rev().fold(0.0, |sum, n| sum / 60.0 + n);
    whole.then_some(Written::Sexagesimal(sign * value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|f| (f - wanted).abs() < 1e-9)
    }

    #[test]
    fn as_headers_write_them() {
        let ra = 15.0 * (12.0 + 37.0 / 60.0 + 23.5 / 3600.0);
        for text in ["12:37:23.5", " 12 37 23.5 ", "12h37m23.5s", "12:37:23.50"] {
            assert!(close(right_ascension(&text.into()), ra), "{text}");
        }
        let dec = 25.0 + 3.0 / 60.0 + 59.9 / 3600.0;
        for text in ["+25:03:59.9", "25d03m59.9s", "25°03'59.9\"", "25 03 59.9"] {
            assert!(close(declination(&text.into()), dec), "{text}");
        }
        assert!(close(declination(&"-00:30".into()), -0.5), "the sign of zero counts");
        assert!(close(declination(&"-00 59 60".into()), -1.0));
        assert!(close(right_ascension(&"189.5".into()), 189.5) && close(right_ascension(&(-10_i64).into()), 350.0));
    }

    #[test]
    fn nonsense_is_none() {
        let texts =
            ["", ":", "12:37:23:1", "a:b:c", "12:-37:23", "12:61:00", "12.5:10:00", "nan", "inf", "1e400", "25:00:00x", "12h", "--1:2"];
        let numbers = [f64::NAN, f64::INFINITY, -999.0, 361.0].map(Value::Real);
        for value in texts.map(Value::from).iter().chain(&numbers).chain(&[Value::Undefined, true.into()]) {
            assert_eq!(right_ascension(value), None, "{value}");
            assert_eq!(declination(value), None, "{value}");
        }
        assert_eq!(right_ascension(&"24:00:01".into()), None);
        assert_eq!(declination(&"90:00:01".into()), None);
    }

    proptest! {
        #[test]
        fn any_text_gives_an_angle_or_none(text in "\\PC{0,20}|[-+ :.0-9hdms]{0,16}") {
            let value = Value::Text(text);
            prop_assert!(right_ascension(&value).is_none_or(|a| (0.0..=360.0).contains(&a)));
            prop_assert!(declination(&value).is_none_or(|a| (-90.0..=90.0).contains(&a)));
        }

        #[test]
        fn what_is_written_comes_back(negative: bool, d in 0..90_i32, m in 0..60_i32, s in 0..60_000_i32) {
            let size = f64::from(d) + f64::from(m) / 60.0 + f64::from(s) / 3.6e6;
            let sign = if negative { "-" } else { "+" };
            let text = format!("{sign}{d:02}:{m:02}:{:06.3}", f64::from(s) / 1000.0);
            prop_assert!(close(declination(&text.as_str().into()), if negative { -size } else { size }), "{}", text);
        }
    }
}
