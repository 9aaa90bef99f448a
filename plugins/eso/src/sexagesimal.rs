//! Positions packed into one number.
//!
//! ESO headers give some positions as a right ascension `HHMMSS.TTT` and a declination `DDMMSS.TTT` written as plain
//! numbers: `33211.634` is 03h 32m 11.634s, `-130.0` is -00d 01' 30". Leading zeros are not there, and the sign is that of
//! the whole angle, also where the degrees are 0.
//!
//! *Accuracy*: 1e-6 of the last unit (a second of time or an arcsecond); digits are taken as decimal digits, so that the
//! binary representation of `59.99999999` does not become another minute.

use ifured_core::Header;

use crate::EsoError;

/// Steps per second to which a packed number is read.
const STEPS: i64 = 1_000_000;

/// Why a number is no packed sexagesimal number.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{value} is not a packed {kind}: {what}")]
pub struct NotSexagesimal {
    /// The number.
    pub value: f64,
    /// `right ascension HHMMSS.TTT` or `declination DDMMSS.TTT`.
    pub kind: &'static str,
    /// What is wrong.
    pub what: String,
}

const RIGHT_ASCENSION: &str = "right ascension HHMMSS.TTT";
const DECLINATION: &str = "declination DDMMSS.TTT";

/// Degrees (0 to 360) of a right ascension `HHMMSS.TTT`.
///
/// An error for a negative number, 24 hours or more, or minutes or seconds above 60. 60 seconds exactly, which rounding
/// writes, are a minute.
pub fn right_ascension(packed: f64) -> Result<f64, NotSexagesimal> {
    let fail = |what: String| NotSexagesimal { value: packed, kind: RIGHT_ASCENSION, what };
    if packed < 0.0 {
        return Err(fail("it is negative".into()));
    }
    let hours = whole_units(packed).map_err(fail)?;
    if hours >= 24.0 {
        return Err(fail("24 hours or more".into()));
    }
    Ok(hours * 15.0)
}

/// Degrees (-90 to 90) of a declination `DDMMSS.TTT`.
///
/// An error beyond the poles, or for minutes or seconds above 60.
pub fn declination(packed: f64) -> Result<f64, NotSexagesimal> {
    let fail = |what: String| NotSexagesimal { value: packed, kind: DECLINATION, what };
    let degrees = whole_units(packed.abs()).map_err(fail)?;
    if degrees > 90.0 {
        return Err(fail("beyond the pole".into()));
    }
    Ok(if packed < 0.0 { -degrees } else { degrees })
}

/// Degrees of the right ascension in a keyword.
pub fn read_right_ascension(header: &Header, keyword: &str) -> Result<f64, EsoError> {
    right_ascension(header.real(keyword)?).map_err(|source| EsoError::Position { keyword: keyword.to_owned(), source })
}

/// Degrees of the declination in a keyword.
pub fn read_declination(header: &Header, keyword: &str) -> Result<f64, EsoError> {
    declination(header.real(keyword)?).map_err(|source| EsoError::Position { keyword: keyword.to_owned(), source })
}

/// `HHMMSS.TTT` of a right ascension in degrees, to a thousandth of a second; any turn is taken modulo 360 degrees.
pub fn pack_right_ascension(degrees: f64) -> f64 {
    let seconds = thousandths(degrees.rem_euclid(360.0) / 15.0) % (24 * 3600 * 1000);
    packed(seconds)
}

/// `DDMMSS.TTT` of a declination in degrees, to a thousandth of an arcsecond.
pub fn pack_declination(degrees: f64) -> f64 {
    packed(thousandths(degrees.abs())).copysign(degrees)
}

fn thousandths(units: f64) -> i64 {
    (units * 3_600_000.0).round() as i64
}

fn packed(thousandths: i64) -> f64 {
    let (seconds, fraction) = (thousandths / 1000, thousandths % 1000);
    let digits = seconds / 3600 * 10_000 + seconds / 60 % 60 * 100 + seconds % 60;
    (digits * 1000 + fraction) as f64 / 1000.0
}

/// Hours or degrees of a packed number that is not negative.
fn whole_units(packed: f64) -> Result<f64, String> {
    if !packed.is_finite() {
        return Err("it is not finite".into());
    }
    if packed >= 1.0e7 {
        return Err("it has more than six digits before the point".into());
    }
    let steps = (packed * STEPS as f64).round() as i64;
    let (units, minutes, seconds) = (steps / (10_000 * STEPS), steps / (100 * STEPS) % 100, steps % (100 * STEPS));
    if minutes >= 60 {
        return Err(format!("{minutes} minutes"));
    }
    if seconds > 60 * STEPS {
        return Err(format!("{} seconds", seconds as f64 / STEPS as f64));
    }
    Ok((units * 3600 * STEPS + minutes * 60 * STEPS + seconds) as f64 / (3600 * STEPS) as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Half a step of the reading, in degrees.
    const NEAR: f64 = 1e-9;

    #[test]
    fn right_ascensions() {
        let table = [
            (0.0, 0.0),
            (33211.634, 15.0 * (3.0 + 32.0 / 60.0 + 11.634 / 3600.0)),
            (235_742.307, 15.0 * (23.0 + 57.0 / 60.0 + 42.307 / 3600.0)),
            (130.0, 15.0 * 90.0 / 3600.0),
            (0.5, 15.0 * 0.5 / 3600.0),
            (5_959.999_999, 15.0 * 3_599.999_999 / 3600.0),
            (103_060.0, 15.0 * (10.0 + 31.0 / 60.0)),
        ];
        for (packed, degrees) in table {
            let found = right_ascension(packed).unwrap();
            assert!((found - degrees).abs() < NEAR, "{packed}: {found}, not {degrees}");
        }
    }

    #[test]
    fn declinations_keep_the_sign_of_small_angles() {
        let table = [
            (-130.0, -90.0 / 3600.0),
            (130.0, 90.0 / 3600.0),
            (-0.25, -0.25 / 3600.0),
            (-274_050.3, -(27.0 + 40.0 / 60.0 + 50.3 / 3600.0)),
            (-440_902.002, -(44.0 + 9.0 / 60.0 + 2.002 / 3600.0)),
            (900_000.0, 90.0),
            (-0.0, 0.0),
        ];
        for (packed, degrees) in table {
            let found = declination(packed).unwrap();
            assert!((found - degrees).abs() < NEAR, "{packed}: {found}, not {degrees}");
        }
    }

    #[test]
    fn what_is_no_packed_number_is_refused_with_its_value() {
        assert_eq!(
            right_ascension(33_261.634).unwrap_err().to_string(),
            "33261.634 is not a packed right ascension HHMMSS.TTT: 61.634 seconds"
        );
        assert_eq!(declination(-276_050.3).unwrap_err().to_string(), "-276050.3 is not a packed declination DDMMSS.TTT: 60 minutes");
        assert!(right_ascension(-1.0).is_err());
        assert!(right_ascension(240_000.0).is_err());
        assert!(declination(900_000.001).is_err());
        assert!(declination(f64::NAN).is_err());
        assert!(right_ascension(f64::INFINITY).is_err());
        assert!(declination(1.0e300).is_err());
    }

    #[test]
    fn the_keyword_is_named() {
        let mut header = Header::new();
        header.set("ESO OCS ARM1 ALPHA", 33_299.0, "");
        let error = read_right_ascension(&header, "ESO OCS ARM1 ALPHA").unwrap_err();
        assert_eq!(error.to_string(), "keyword ESO OCS ARM1 ALPHA: 33299 is not a packed right ascension HHMMSS.TTT: 99 seconds");
        let error = read_declination(&header, "ESO OCS ARM1 DELTA").unwrap_err();
        assert_eq!(error.to_string(), "keyword ESO OCS ARM1 DELTA is missing");
    }

    proptest! {
        #[test]
        fn packing_and_reading_agree_to_a_thousandth_of_a_second(ra in 0.0f64..360.0, dec in -90.0f64..=90.0) {
            let back = right_ascension(pack_right_ascension(ra)).unwrap();
            let apart = (back - ra).abs();
            prop_assert!(apart.min(360.0 - apart) <= 0.5001e-3 * 15.0 / 3600.0);
            prop_assert!((declination(pack_declination(dec)).unwrap() - dec).abs() <= 0.5001e-3 / 3600.0);
        }
    }
}
