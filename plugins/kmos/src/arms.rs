//! The 24 arms and what each of them looks at.
//!
//! Source of the keywords: `OCS ARMn NAME`, `TYPE`, `ALPHA` (HHMMSS.TTT), `DELTA` (DDMMSS.TTT), `NOTUSED` as KARMA, the
//! preparation tool, gives them to the observing software; `PRO ARMn NOTUSED` as the ESO pipeline writes it for an arm
//! that it drops.

use ifured_core::Header;
use ifured_eso::EsoError;
use ifured_eso::sexagesimal::{read_declination, read_right_ascension};

/// Number of arms.
pub const ARMS: u8 = 24;

/// One arm of one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Number, 1 to 24; also the number of its integral-field unit.
    pub number: u8,
    /// Name of the target; blank if there is none. Names may be shared: the ESO pipeline combines arms of one name.
    pub name: String,
    /// What it does.
    pub state: ArmState,
}

/// What an arm does.
#[derive(Clone, Debug, PartialEq)]
pub enum ArmState {
    /// It looks at something.
    Used {
        /// At what.
        target: Target,
        /// Where, if the header says so.
        position: Option<SkyPosition>,
    },
    /// It is switched off.
    Off {
        /// Why: `NotInPAF/Locked`.
        reason: String,
    },
    /// The header gives it no target, as in lamp frames.
    Unassigned,
}

/// At what an arm looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An object (`O`).
    Object,
    /// Blank sky (`S`).
    Sky,
    /// A reference star (`R`), which is reduced like an object.
    Reference,
}

/// A position on the sky, FK5, equinox of the header, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkyPosition {
    /// Right ascension, 0 to 360.
    pub ra_deg: f64,
    /// Declination, -90 to 90.
    pub dec_deg: f64,
}

impl Arm {
    /// Whether it looks at an object or a reference star.
    pub fn is_on_target(&self) -> bool {
        matches!(self.state, ArmState::Used { target: Target::Object | Target::Reference, .. })
    }

    /// Whether it is switched off.
    pub fn is_off(&self) -> bool {
        matches!(self.state, ArmState::Off { .. })
    }
}

/// All 24 arms of a frame, in order.
///
/// An error for a keyword of a wrong type, a target type other than `O`, `S`, `R`, a position that is no packed
/// sexagesimal number, or a position of which one half is missing.
pub fn arms(primary: &Header) -> Result<Vec<Arm>, EsoError> {
    let with_position = |mut arm: Arm| {
        if let ArmState::Used { position: place, .. } = &mut arm.state {
            let key = |what: &str| format!("ESO OCS ARM{} {what}", arm.number);
            *place = position(primary, &key("ALPHA"), &key("DELTA"))?;
        }
        Ok(arm)
    };
    arms_without_positions(primary)?.into_iter().map(with_position).collect()
}

/// As [`arms`], for those who do not need the positions: what is wrong with these is no error.
pub fn arms_without_positions(primary: &Header) -> Result<Vec<Arm>, EsoError> {
    (1..=ARMS).map(|number| arm(primary, number)).collect()
}

fn arm(header: &Header, number: u8) -> Result<Arm, EsoError> {
    let key = |what: &str| format!("ESO OCS ARM{number} {what}");
    let name = optional_text(header, &key("NAME"))?.unwrap_or_default().to_owned();
    let off = [key("NOTUSED"), format!("ESO PRO ARM{number} NOTUSED")];
    for keyword in &off {
        if let Some(reason) = optional_text(header, keyword)? {
            return Ok(Arm { number, name, state: ArmState::Off { reason: reason.to_owned() } });
        }
    }
    let Some(letter) = optional_text(header, &key("TYPE"))?.filter(|letter| !letter.is_empty()) else {
        return Ok(Arm { number, name, state: ArmState::Unassigned });
    };
    let target = match letter {
        "O" => Target::Object,
        "S" => Target::Sky,
        "R" => Target::Reference,
        other => {
            return Err(EsoError::UnknownValue { keyword: key("TYPE"), value: other.to_owned(), wanted: "O, S or R" });
        }
    };
    Ok(Arm { number, name, state: ArmState::Used { target, position: None } })
}

fn position(header: &Header, alpha: &str, delta: &str) -> Result<Option<SkyPosition>, EsoError> {
    if !header.contains(alpha) && !header.contains(delta) {
        return Ok(None);
    }
    Ok(Some(SkyPosition { ra_deg: read_right_ascension(header, alpha)?, dec_deg: read_declination(header, delta)? }))
}

fn optional_text<'a>(header: &'a Header, keyword: &str) -> Result<Option<&'a str>, EsoError> {
    if header.contains(keyword) { Ok(Some(header.text(keyword)?.trim())) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let mut h = Header::new();
        h.set("ESO OCS ARM1 NAME", "star_103", "");
        h.set("ESO OCS ARM1 TYPE", "R", "");
        h.set("ESO OCS ARM1 ALPHA", 33_211.634, "");
        h.set("ESO OCS ARM1 DELTA", -130.0, "");
        h.set("ESO OCS ARM2 NAME", "", "");
        h.set("ESO OCS ARM2 NOTUSED", "NotInPAF/Locked", "");
        h.set("ESO OCS ARM3 TYPE", "S", "");
        h.set("ESO OCS ARM4 TYPE", "O", "");
        h.set("ESO PRO ARM4 NOTUSED", "no sky", "");
        h.set("ESO OCS ARM6 NAME", "", "");
        h.set("ESO OCS ARM6 TYPE", "", "");
        h
    }

    #[test]
    fn each_state_is_told_apart() {
        let arms = arms(&header()).unwrap();
        assert_eq!(arms.len(), 24);
        assert!(arms[0].is_on_target());
        let ArmState::Used { position: Some(place), .. } = arms[0].state else { panic!("{:?}", arms[0]) };
        assert!((place.ra_deg - 15.0 * (3.0 + 32.0 / 60.0 + 11.634 / 3600.0)).abs() < 1e-9);
        assert!((place.dec_deg + 90.0 / 3600.0).abs() < 1e-9);
        assert_eq!(arms[1].state, ArmState::Off { reason: "NotInPAF/Locked".into() });
        assert_eq!(arms[2].state, ArmState::Used { target: Target::Sky, position: None });
        assert!(!arms[2].is_on_target());
        assert_eq!(arms[3].state, ArmState::Off { reason: "no sky".into() });
        assert!(arms[4].state == ArmState::Unassigned && arms[5].state == ArmState::Unassigned);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut h = header();
        h.set("ESO OCS ARM1 TYPE", "X", "");
        assert_eq!(arms(&h).unwrap_err().to_string(), "keyword ESO OCS ARM1 TYPE is `X`, not O, S or R");
        let mut h = header();
        h.remove("ESO OCS ARM1 DELTA");
        assert_eq!(arms(&h).unwrap_err().to_string(), "keyword ESO OCS ARM1 DELTA is missing");
        assert!(arms_without_positions(&h).unwrap()[0].is_on_target());
    }
}
