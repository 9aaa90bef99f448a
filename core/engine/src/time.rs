//! The time of a frame: modified Julian date (UTC) from whichever keyword gives a sensible one.

use std::str::FromStr;

use hifitime::Epoch;
use ifured_core::{Header, NightRule, TimeKeys};

/// The date that a modified Julian date must lie in to be believed: 1950 to 2100.
const BELIEVABLE: std::ops::Range<f64> = 33282.0..88069.0;

/// Time of a frame, and what had to be mended to find it.
pub fn modified_julian_date(header: &Header, keys: &TimeKeys) -> (Option<f64>, Option<String>) {
    let found = header.get(&keys.mjd).cloned();
    if let Some(mjd) = found.as_ref().and_then(|v| v.as_real())
        && BELIEVABLE.contains(&mjd)
    {
        return (Some(mjd), None);
    }
    let trouble = match &found {
        None => format!("keyword {} is missing", keys.mjd),
        Some(v) if v.as_real().is_none() => format!("keyword {} must be a number, but is {} `{v}`", keys.mjd, v.kind()),
        Some(v) => format!("{} = {v} is no date of this age", keys.mjd),
    };
    if let Ok(date) = header.text(&keys.date)
        && let Ok(epoch) = Epoch::from_str(&format!("{} UTC", date.trim_end_matches('Z')))
    {
        return (Some(epoch.to_mjd_utc_days()), Some(format!("{trouble}: time taken from {}", keys.date)));
    }
    if let Some(jd_key) = &keys.jd
        && let Ok(jd) = header.real(jd_key)
    {
        return (Some(jd - 2_400_000.5), Some(format!("{trouble}: time taken from {jd_key}")));
    }
    (None, Some(format!("{trouble}, and {} does not help: the frame has no time", keys.date)))
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
    use ifured_core::Value;

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
        assert_eq!(modified_julian_date(&header(Some(right.into())), &keys), (Some(right), None));
        for odd in [None, Some((-678943.0).into()), Some("57831.6667".into())] {
            let (mjd, note) = modified_julian_date(&header(odd), &keys);
            assert!((mjd.unwrap() - right).abs() < 1e-9, "{mjd:?}");
            assert!(note.unwrap().ends_with("time taken from DATE-OBS"));
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
