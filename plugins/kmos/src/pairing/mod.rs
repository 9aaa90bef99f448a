//! Which sky belongs to which object: one row for each exposure and arm.
//!
//! KMOS nods, and arms may be on objects and on sky in one exposure. So sky is chosen arm by arm: for an arm on a target, the exposure
//! nearest in time in which the same arm is on sky, taken through the same filters and gratings. Exposures of the same observation block
//! come first; one of another block serves where there is none, and is marked so. ESO's `kmos_sci_red` follows the same rule inside one
//! set of frames, by index; here frames have names.
//!
//! [`automatic`] makes the table, [`text`] writes it and reads it back after a person has changed it, [`eso`] writes it for `kmos_sci_red`.

pub mod eso;
pub mod text;

use ifured_core::Header;
use ifured_eso::EsoError;

use crate::arms::{Arm, ArmState, Target, arms_without_positions};
use crate::frames::{FILTERS, GRATINGS};

/// Minutes of a day.
const MINUTES: f64 = 1440.0;

/// An exposure, as far as pairing needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exposure {
    /// Name of its file.
    pub name: String,
    /// Its start, Modified Julian Date; infinitely far away if unknown.
    pub mjd: f64,
    /// Its observation block: `OBS ID`, or the start of its template where that is missing.
    pub block: String,
    /// Its filters and gratings, each with its keyword.
    pub band: Vec<(String, String)>,
    /// Its exposure time in seconds, if known.
    pub exposure_s: Option<f64>,
    /// Its arms, in order.
    pub arms: Vec<Arm>,
    /// Whether it is to be reduced. The others only give sky.
    pub reduced: bool,
}

impl Exposure {
    /// From its primary header.
    ///
    /// # Errors
    /// If the keywords of an arm cannot be read (see [`arms_without_positions`]); positions are not looked at.
    pub fn of(name: &str, header: &Header, mjd: Option<f64>, reduced: bool) -> Result<Self, EsoError> {
        let word = |key: &str| header.get(key).map(ToString::to_string).unwrap_or_default().trim().to_owned();
        let block = Some(word("ESO OBS ID")).filter(|id| !id.is_empty()).unwrap_or_else(|| word("ESO TPL START"));
        Ok(Exposure {
            name: name.into(),
            mjd: mjd.or_else(|| header.real("MJD-OBS").ok()).filter(|m| m.is_finite()).unwrap_or(f64::INFINITY),
            block,
            band: FILTERS.iter().chain(&GRATINGS).map(|key| ((*key).to_owned(), word(key))).collect(),
            exposure_s: header.real("ESO DET SEQ1 DIT").ok(),
            arms: arms_without_positions(header)?,
            reduced,
        })
    }

    /// The arm of that number.
    pub fn arm(&self, number: u8) -> Option<&Arm> {
        self.arms.iter().find(|a| a.number == number)
    }

    /// Minutes from this exposure to another, if both times are known.
    fn minutes_to(&self, other: &Exposure) -> Option<f64> {
        Some((other.mjd - self.mjd) * MINUTES).filter(|m| m.is_finite())
    }

    /// The first keyword of the band in which another exposure differs, in words.
    fn other_band(&self, other: &Exposure) -> Option<String> {
        let differ = self.band.iter().zip(&other.band).find(|(a, b)| a != b);
        differ.map(|((key, mine), (_, theirs))| {
            format!("its {} is {theirs}, that of {} is {mine}", key.trim_start_matches("ESO "), self.name)
        })
    }
}

/// What an arm does, in one word of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It looks at an object.
    Object,
    /// At a reference star, reduced like an object.
    Reference,
    /// At blank sky.
    Sky,
    /// It is switched off, or at nothing.
    Off,
}

impl Kind {
    /// Of an arm.
    pub fn of(arm: &Arm) -> Self {
        match arm.state {
            ArmState::Used { target: Target::Object, .. } => Kind::Object,
            ArmState::Used { target: Target::Reference, .. } => Kind::Reference,
            ArmState::Used { target: Target::Sky, .. } => Kind::Sky,
            ArmState::Off { .. } | ArmState::Unassigned => Kind::Off,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Object => "object",
            Kind::Reference => "reference",
            Kind::Sky => "sky",
            Kind::Off => "off",
        }
    }

    /// Whether it is on something that is reduced and needs sky.
    pub fn is_target(self) -> bool {
        matches!(self, Kind::Object | Kind::Reference)
    }
}

/// Where the sky of a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sky {
    /// Name of the exposure.
    pub frame: String,
    /// Its arm; the arm of the object itself unless a person says otherwise.
    pub arm: u8,
}

/// One arm of one exposure.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the exposure.
    pub frame: String,
    /// Number of the arm.
    pub arm: u8,
    /// Name of the target; empty if it has none.
    pub target: String,
    /// What the arm does.
    pub kind: Kind,
    /// Its sky; none where none is needed, or none was found.
    pub sky: Option<Sky>,
    /// Minutes from the exposure to that of the sky.
    pub minutes: Option<f64>,
    /// What a person should know: another block, another exposure time, no sky.
    pub note: String,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairing {
    /// Its rows, exposure by exposure, arm by arm.
    pub rows: Vec<Row>,
}

impl Pairing {
    /// Rows of targets without sky.
    pub fn without_sky(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|r| r.kind.is_target() && r.sky.is_none())
    }

    /// Rows of targets.
    pub fn targets(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|r| r.kind.is_target())
    }

    /// Whether some sky is of an exposure that is not reduced itself.
    pub fn uses_others(&self, exposures: &[Exposure]) -> bool {
        self.rows.iter().filter_map(|r| r.sky.as_ref()).any(|s| exposures.iter().any(|e| e.name == s.frame && !e.reduced))
    }
}

/// Exposures of which another serves as sky, and how far away it is, the best first: same block, then nearest, then earliest.
fn skies<'a>(of: &'a Exposure, arm: u8, exposures: &'a [Exposure]) -> Vec<&'a Exposure> {
    let on_sky = |e: &&Exposure| e.arm(arm).is_some_and(|a| Kind::of(a) == Kind::Sky);
    let mut found: Vec<&Exposure> = exposures.iter().filter(on_sky).filter(|e| of.other_band(e).is_none()).collect();
    let away = |e: &Exposure| of.minutes_to(e).map_or(f64::INFINITY, f64::abs);
    found.sort_by(|a, b| {
        let other_block = |e: &Exposure| e.block != of.block;
        other_block(a)
            .cmp(&other_block(b))
            .then(away(a).total_cmp(&away(b)))
            .then(a.mjd.total_cmp(&b.mjd))
            .then_with(|| a.name.cmp(&b.name))
    });
    found
}

/// The table for all exposures that are to be reduced.
pub fn automatic(exposures: &[Exposure]) -> Pairing {
    let rows_of = |e: &'_ Exposure| {
        let row = |arm: &Arm| {
            let sky = if arm.is_on_target() { skies(e, arm.number, exposures).first().map(|s| s.name.clone()) } else { None };
            row(e, arm, sky.map(|frame| Sky { frame, arm: arm.number }), exposures)
        };
        e.arms.iter().map(row).collect::<Vec<_>>()
    };
    Pairing { rows: exposures.iter().filter(|e| e.reduced).flat_map(rows_of).collect() }
}

/// A row, with time difference and note.
fn row(exposure: &Exposure, arm: &Arm, sky: Option<Sky>, exposures: &[Exposure]) -> Row {
    let kind = Kind::of(arm);
    let of_sky = sky.as_ref().and_then(|s| exposures.iter().find(|e| e.name == s.frame));
    let mut notes = Vec::new();
    if let Some(other) = of_sky {
        if other.block != exposure.block {
            notes.push("sky of another OB".to_owned());
        }
        if let (Some(a), Some(b)) = (exposure.exposure_s, other.exposure_s)
            && a != b
        {
            notes.push(format!("exposed {a} s, the sky {b} s"));
        }
    } else if kind.is_target() {
        notes.push("no sky: it is not subtracted".to_owned());
    }
    match &arm.state {
        ArmState::Off { reason } => notes.push(reason.clone()),
        _ if kind.is_target() && arm.name.is_empty() => notes.push("no name".to_owned()),
        _ => {}
    }
    Row {
        frame: exposure.name.clone(),
        arm: arm.number,
        target: arm.name.clone(),
        kind,
        minutes: of_sky.and_then(|s| exposure.minutes_to(s)),
        sky,
        note: notes.join("; "),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An exposure taken at a minute, with the letters of its arms: `O`, `S`, `R`, `x` off, `.` unassigned; the rest is off.
    pub(crate) fn exposure(name: &str, minute: f64, block: &str, letters: &str, reduced: bool) -> Exposure {
        let mut h = Header::new();
        for key in FILTERS.iter().chain(&GRATINGS) {
            h.set(key, "K", "");
        }
        h.set("MJD-OBS", 59000.0 + minute / MINUTES, "");
        h.set("ESO OBS ID", block, "");
        h.set("ESO DET SEQ1 DIT", 300.0, "");
        let letters: Vec<char> = letters.chars().collect();
        for n in 1..=24usize {
            match letters.get(n - 1) {
                Some(letter @ ('O' | 'S' | 'R')) => {
                    h.set(&format!("ESO OCS ARM{n} TYPE"), letter.to_string(), "");
                    h.set(&format!("ESO OCS ARM{n} NAME"), format!("target {n}"), "");
                }
                Some('.') => {}
                _ => h.set(&format!("ESO OCS ARM{n} NOTUSED"), "locked", ""),
            }
        }
        Exposure::of(name, &h, None, reduced).unwrap()
    }

    fn sky_of(pairing: &Pairing, frame: &str, arm: u8) -> (Option<String>, String) {
        let row = pairing.rows.iter().find(|r| r.frame == frame && r.arm == arm).unwrap();
        (row.sky.as_ref().map(|s| s.frame.clone()), row.note.clone())
    }

    #[test]
    fn the_nearest_sky_of_the_same_arm_is_taken_and_the_same_block_first() {
        let all = [
            exposure("a", 0.0, "1", "OSR", true),
            exposure("b", 6.0, "1", "SOO", true),
            exposure("c", 20.0, "1", "OOO", true),
            exposure("d", 24.0, "1", "SOO", true),
            exposure("e", 21.0, "2", "SSS", false),
        ];
        let pairing = automatic(&all);
        assert_eq!(pairing.rows.len(), 4 * 24);
        assert_eq!(sky_of(&pairing, "a", 1), (Some("b".into()), String::new()));
        assert_eq!(sky_of(&pairing, "c", 1), (Some("d".into()), String::new()));
        // Of the same block although the other is nearer.
        assert_eq!(sky_of(&pairing, "c", 2), (Some("a".into()), String::new()));
        assert_eq!(sky_of(&pairing, "c", 3), (Some("e".into()), "sky of another OB".into()));
        assert_eq!(sky_of(&pairing, "a", 2), (None, String::new()));
        assert_eq!(sky_of(&pairing, "a", 4), (None, "locked".into()));
        assert!(pairing.uses_others(&all));
        assert_eq!((pairing.without_sky().count(), pairing.targets().count()), (0, 9));
        let minutes = pairing.rows.iter().find(|r| r.frame == "c" && r.arm == 2).unwrap().minutes.unwrap();
        assert!((minutes + 20.0).abs() < 1e-4, "{minutes}");
    }

    #[test]
    fn other_bands_other_exposure_times_and_arms_without_anything() {
        let mut other_band = exposure("h", 1.0, "1", "S", false);
        other_band.band[3].1 = "H".into();
        let all = [exposure("a", 0.0, "1", "O", true), other_band.clone()];
        assert_eq!(sky_of(&automatic(&all), "a", 1), (None, "no sky: it is not subtracted".into()));
        let mut shorter = exposure("s", 1.0, "1", "S", false);
        shorter.exposure_s = Some(60.0);
        assert_eq!(sky_of(&automatic(&[all[0].clone(), shorter]), "a", 1), (Some("s".into()), "exposed 300 s, the sky 60 s".into()));
        let mut nameless = exposure("n", 0.0, "1", "O.", true);
        nameless.arms[0].name.clear();
        let pairing = automatic(&[nameless, exposure("s", 1.0, "1", "S", true)]);
        assert_eq!(sky_of(&pairing, "n", 1), (Some("s".into()), "no name".into()));
        assert_eq!(pairing.rows[1].kind, Kind::Off);
    }
}
