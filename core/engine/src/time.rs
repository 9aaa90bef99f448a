//! The time of a frame: modified Julian date (UTC) from whichever keyword gives a sensible one.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use hifitime::Epoch;
use ifured_core::{Header, NightRule, TimeKeys, Value};

/// The date that a modified Julian date must lie in to be believed: 1950 to 2100.
const BELIEVABLE: std::ops::Range<f64> = 33282.0..88069.0;

/// Time of a frame, and what had to be mended to find it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameTime {
    /// Modified Julian date, UTC; none if no keyword gives a sensible one.
    pub mjd: Option<f64>,
    /// What is wrong with the keyword that should give it.
    pub trouble: Option<TimeTrouble>,
}

/// What is wrong with the keyword of the time.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeTrouble {
    /// What is wrong with it.
    pub what: TimeFault,
    /// The keyword that gave the time instead; if there is none, the one that was tried last.
    pub other: Other,
}

/// What is wrong with a keyword of a time.
#[derive(Clone, Debug, PartialEq)]
pub enum TimeFault {
    /// It is not there.
    Missing(String),
    /// It is no number.
    NoNumber(String, Value),
    /// It is no date of this age.
    NotBelievable(String, Value),
}

/// Where the time was taken from instead.
#[derive(Clone, Debug, PartialEq)]
pub enum Other {
    /// From this keyword.
    Keyword(String),
    /// From none; this one was tried.
    None(String),
}

impl Display for TimeTrouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.what {
            TimeFault::Missing(key) => write!(f, "keyword {key} is missing")?,
            TimeFault::NoNumber(key, v) => write!(f, "keyword {key} must be a number, but is {} `{v}`", v.kind())?,
            TimeFault::NotBelievable(key, v) => write!(f, "{key} = {v} is no date of this age")?,
        }
        match &self.other {
            Other::Keyword(key) => write!(f, ": time taken from {key}"),
            Other::None(tried) => write!(f, ", and {tried} does not help: the frame has no time"),
        }
    }
}

/// Time of a frame: from the first keyword that gives a sensible one.
pub fn modified_julian_date(header: &Header, keys: &TimeKeys) -> FrameTime {
    let found = header.get(&keys.mjd).cloned();
    let number = found.as_ref().and_then(|v| v.as_real());
    if number.is_some_and(|mjd| BELIEVABLE.contains(&mjd)) {
        return FrameTime { mjd: number, trouble: None };
    }
    let what = match found {
        None => TimeFault::Missing(keys.mjd.clone()),
        Some(v) if number.is_none() => TimeFault::NoNumber(keys.mjd.clone(), v),
        Some(v) => TimeFault::NotBelievable(keys.mjd.clone(), v),
    };
    let from = |mjd: Option<f64>, other: Other| FrameTime { mjd, trouble: Some(TimeTrouble { what, other }) };
    if let Ok(date) = header.text(&keys.date)
        && let Ok(epoch) = Epoch::from_str(&format!("{} UTC", date.trim_end_matches('Z')))
    {
        return from(Some(epoch.to_mjd_utc_days()), Other::Keyword(keys.date.clone()));
    }
    if let Some(jd_key) = &keys.jd
        && let Ok(jd) = header.real(jd_key)
    {
        return from(Some(jd - 2_400_000.5), Other::Keyword(jd_key.clone()));
    }
    from(None, Other::None(keys.date.clone()))
}

/// The night of a frame: the name of its directory, or the date at the preceding local noon.
pub fn night(rule: &NightRule, directory: &str, mjd: Option<f64>) -> String {
    match rule {
        NightRule::Directory => directory.to_owned(),
        NightRule::Noon { longitude_deg } => match mjd {
            Some(mjd) => {
                let local = (mjd + longitude_deg / 360.0 - 0.5).floor();
                let (y, m, d, ..) = Epoch::from_mjd_utc(local + 0.01).to_gregorian_utc();
                format!("{y:04}-{m:02}-{d:02}")
            }
            None => "unknown".to_owned(),
        },
    }
}

/// A modified Julian date as a person reads it, to the second.
pub fn iso(mjd: f64) -> String {
    let (y, mo, d, h, mi, s, _) = Epoch::from_mjd_utc(mjd).to_gregorian_utc();
    format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(mjd: Option<Value>) -> Header {
        let mut h = Header::new();
        if let Some(mjd) = mjd {
            h.set("MJD-OBS", mjd, "");
        }
        h.set("DATE-OBS", "2017-03-19T16:00:00.000", "");
        h
    }

    #[test]
    fn odd_times_are_mended_and_named() {
        let keys = TimeKeys::default();
        let right = 57831.0 + 16.0 / 24.0;
        assert_eq!(modified_julian_date(&header(Some(right.into())), &keys), FrameTime { mjd: Some(right), trouble: None });
        for odd in [None, Some((-678943.0).into()), Some("57831.6667".into())] {
            let found = modified_julian_date(&header(odd), &keys);
            assert!((found.mjd.unwrap() - right).abs() < 1e-9, "{found:?}");
            assert_eq!(found.trouble.unwrap().other, Other::Keyword("DATE-OBS".into()));
        }
        assert_eq!(iso(right), "2017-03-19T16:00:00");
    }

    #[test]
    fn nights_change_at_local_noon() {
        let paranal = NightRule::Noon { longitude_deg: -70.4 };
        assert_eq!(night(&paranal, "x", Some(59371.13)), "2021-06-05");
        assert_eq!(night(&paranal, "x", Some(59371.75)), "2021-06-06");
        assert_eq!(night(&NightRule::Directory, "170319_t2_CAFOS", None), "170319_t2_CAFOS");
    }
}
