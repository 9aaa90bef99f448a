//! Night and time at Paranal.

use ifured_core::{NightRule, TimeKeys};

/// Longitude of Paranal in degrees, east positive (the VLT units differ by less than 0.002 degrees, or half a second).
pub const PARANAL_LONGITUDE_DEG: f64 = -70.404;

/// A frame belongs to the date of the preceding local noon, so that a night with its morning calibrations is one.
pub fn paranal_night() -> NightRule {
    NightRule::Noon { longitude_deg: PARANAL_LONGITUDE_DEG }
}

/// `MJD-OBS` and `DATE-OBS`, both UTC at the start of the exposure; ESO writes no Julian date.
pub fn time_keys() -> TimeKeys {
    TimeKeys { mjd: "MJD-OBS".into(), date: "DATE-OBS".into(), jd: None }
}
