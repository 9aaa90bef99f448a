//! The calibrations that the recipes take, level by level.
//!
//! By ESO's association rules the grating must agree, and nothing else that light has passed: frames with the lamp off have the block for a
//! filter, and a calibration carries all rotator angles while a frame has one, so that the recipe itself chooses the angle. Static
//! calibrations of a band have it in `FILT ID` and are asked for by the filter of the frame; the others go by category.
//! Times are those of ESO's rules where there are any (illumination 15 days, telluric 0.2 days); else level 0 is the same night, 1 the days around it,
//! 2 a month.

use ifured_core::recipe::{InputSpec, Level, Take};
use ifured_core::rule::key;
use ifured_core::signature::{Compare, SignatureKey};
use ifured_core::sof::AS_TAG;
use ifured_core::{Condition, Signature};

use super::{ILLUM_CORR_LAMP, TEMPLATE};
use crate::frames::{FILTERS, exposure, gratings};

/// Days that a calibration may be away at levels 1 and 2.
const NEAR: f64 = 3.0;
const FAR: f64 = 30.0;
/// Days that an illumination correction may be away.
const ILLUMINATION: f64 = 15.0;
/// Days that a standard star may be away: 4.8 hours.
const TELLURIC: f64 = 0.2;

/// Of the same night, of the days around it, of a month, with the same gratings.
fn nightly(role: &str, tag: &str) -> InputSpec {
    let same = gratings();
    let mut spec = InputSpec::required(role, tag).same_night(&same).within_days(NEAR, &same).within_days(FAR, &same);
    for (level, when) in spec.levels.iter_mut().zip(["same night", "within 3 days", "within 30 days"]) {
        level.title = format!("{when}, same gratings");
    }
    spec
}

fn optional(spec: InputSpec, otherwise: &str, level_without: i32) -> InputSpec {
    InputSpec { required: false, otherwise: otherwise.into(), level_without, ..spec }
}

/// What belongs to the instrument, by its category only.
fn fixed(role: &str, tag: &str) -> InputSpec {
    InputSpec::required(role, tag).any_time(&Signature::default())
}

/// What belongs to the instrument, of the band of the frame.
fn of_band(role: &str, tag: &str) -> InputSpec {
    let band = SignatureKey { key: FILTERS[0].into(), compare: Compare::EqualTo("ESO FILT ID".into()) };
    let level = Level { title: "same band".into(), signature: Signature(vec![band]), ..Level::default() };
    InputSpec { levels: vec![level], ..InputSpec::required(role, tag) }
}

/// Frames of the lamp on or off beside those of the task: of its template, else of its night.
pub fn lamp(role: &str, tag: &str, take: Take) -> InputSpec {
    let mut template = gratings();
    template.0.extend(Signature::exact(&[TEMPLATE]).0);
    let mut spec = InputSpec::required(role, tag).any_time(&template).take(take);
    spec.levels[0].title = "same template, same gratings".into();
    let mut spec = spec.same_night(&gratings());
    spec.levels[1].title = "same night, same gratings".into();
    spec
}

/// Lamp frames of the same template, which must be there.
pub fn lamp_of_template(role: &str, tag: &str) -> InputSpec {
    let mut spec = lamp(role, tag, Take::Nearest);
    spec.levels.truncate(1);
    spec
}

/// The bad pixels of the darks.
pub fn bad_pixels() -> InputSpec {
    let any = Signature::default();
    let mut spec = InputSpec::required("bad-pixels", "BADPIXEL_DARK").same_night(&any).within_days(NEAR, &any).within_days(FAR, &any);
    for (level, title) in spec.levels.iter_mut().zip(["same night", "within 3 days", "within 30 days"]) {
        level.title = title.into();
    }
    spec
}

/// The master dark: of the exposure time and the same night, else of the days around it or of any exposure time: the dark current of KMOS is small.
pub fn dark() -> InputSpec {
    let same = exposure();
    let any = Signature::default();
    let mut spec = InputSpec::required("dark", "MASTER_DARK")
        .same_night(&same)
        .within_days(NEAR, &same)
        .within_days(NEAR, &any)
        .within_days(FAR, &same)
        .within_days(FAR, &any);
    for (level, number) in spec.levels.iter_mut().zip([0, 1, 1, 2, 2]) {
        level.level = number;
        let time = if level.signature == any { "any" } else { "same" };
        let when = level.max_age_days.map_or("same night".to_owned(), |days| format!("within {days} days"));
        level.title = format!("{when}, {time} exposure time");
    }
    spec
}

/// The master flat.
pub fn flat() -> InputSpec {
    nightly("flat", "MASTER_FLAT")
}

/// The position along x of each pixel.
pub fn xcal() -> InputSpec {
    nightly("xcal", "XCAL")
}

/// The position along y of each pixel.
pub fn ycal() -> InputSpec {
    nightly("ycal", "YCAL")
}

/// The wavelength of each pixel.
pub fn lcal() -> InputSpec {
    nightly("lcal", "LCAL")
}

/// The edges of the slitlets.
pub fn edges() -> InputSpec {
    nightly("edges", "FLAT_EDGE")
}

/// The illumination of the integral-field units: of a twilight flat, or one that lies among the data; else of the lamp, which is level 1.
pub fn illumination() -> InputSpec {
    let kind = "ESO DPR TYPE";
    let level = |level: i32, title: &str, days: f64, when: Condition| Level {
        level,
        title: title.into(),
        signature: gratings(),
        max_age_days: Some(days),
        when: vec![when],
        ..Level::default()
    };
    let levels = vec![
        level(0, "twilight flat, within 15 days, same gratings", ILLUMINATION, key(kind).like(&["FLAT*SKY"])),
        level(0, "given, within 15 days, same gratings", ILLUMINATION, key(kind).absent()),
        Level {
            adapt: Some(format!("{AS_TAG}ILLUM_CORR")),
            ..level(1, "lamp flat, within 30 days, same gratings", FAR, key(kind).like(&["FLAT*LAMP"]))
        },
    ];
    let spec = InputSpec { levels, ..InputSpec::required("illumination", "ILLUM_CORR").or_tag(ILLUM_CORR_LAMP) };
    optional(spec, "units keep the illumination of the master flat", 2)
}

/// The telluric spectra of the standard star.
pub fn telluric() -> InputSpec {
    let mut spec = InputSpec::required("telluric", "TELLURIC").within_days(TELLURIC, &gratings());
    spec.levels[0].title = "within 0.2 days, same gratings".into();
    optional(spec, "telluric absorption is not corrected and cubes are in counts", 2)
}

/// The lines of OH, to which wavelengths are aligned.
pub fn oh_lines() -> InputSpec {
    optional(of_band("oh-lines", "OH_SPEC"), "wavelengths are not aligned with lines of OH", 1)
}

/// The lines of the arc lamps.
pub fn arc_lines() -> InputSpec {
    of_band("arc-lines", "ARC_LIST")
}

/// The reference lines.
pub fn reference_lines() -> InputSpec {
    fixed("reference-lines", "REF_LINES")
}

/// The limits of the bands.
pub fn bands() -> InputSpec {
    fixed("bands", "WAVE_BAND")
}

const STAR: &str = "ESO OCS STDSTAR TYPE";

/// The spectrum of the Sun, for stars of type G.
pub fn sun() -> InputSpec {
    optional(of_band("sun", "SOLAR_SPEC"), "the lines of the star stay in the telluric spectra", 2).when(key(STAR).like(&["G*"]))
}

/// The transmission of the atmosphere, for stars of types O, B, A and F.
pub fn atmosphere() -> InputSpec {
    let hot = key(STAR).like(&["O*", "B*", "A*", "F*"]);
    optional(of_band("atmosphere", "ATMOS_MODEL"), "the lines of hydrogen of the star stay in the telluric spectra", 2).when(hot)
}

/// The temperatures of the spectral types.
pub fn spectral_types() -> InputSpec {
    optional(fixed("spectral-types", "SPEC_TYPE_LOOKUP"), "the slope of the star stays in the telluric spectra", 2)
}

/// All science exposures of the night with an arm on sky, whatever their set-up: those that are not reduced may give sky. Others are not looked at, so that
/// products do not depend on them.
pub fn exposures_of_the_night() -> InputSpec {
    let mut spec = InputSpec::required(super::EXPOSURES, "SCIENCE").same_night(&Signature::default()).take(Take::All);
    spec.levels[0].title = "same night, an arm on sky".into();
    spec.levels[0].when = vec![key("ESO OCS ARM# TYPE").is("S")];
    optional(spec, "sky is of the same template", 0)
}

#[cfg(test)]
mod tests {
    use ifured_core::Header;
    use ifured_core::rule::Verdict;

    use super::*;

    #[test]
    fn an_exposure_gives_sky_if_any_arm_is_on_it() {
        let level = exposures_of_the_night().levels.remove(0);
        let gives = |types: &[(u8, &str)]| {
            let mut header = Header::new();
            types.iter().for_each(|(arm, kind)| header.set(&format!("ESO OCS ARM{arm} TYPE"), *kind, ""));
            level.when.iter().all(|c| c.check(&header) == Verdict::Holds)
        };
        assert!(gives(&[(1, "O"), (24, "S")]) && gives(&[(3, "S"), (4, "O"), (5, "R")]));
        assert!(!gives(&[(1, "O"), (24, "R")]) && !gives(&[]));
    }
}
