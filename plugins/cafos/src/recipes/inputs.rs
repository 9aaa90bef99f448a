//! The calibrations that recipes ask for, level by level.

use ifured_core::recipe::{InputSpec, Level};
use ifured_core::{Condition, Signature};
use ifured_pixels::detector::calibration::{CUT_WINDOW, LEVEL_ONLY};

use crate::{signatures, tags};

/// A calibration further away in time than this is not used unless the configuration says so.
const MAX_AGE_DAYS: f64 = 30.0;

fn level(level: i32, title: &str, signature: Signature) -> Level {
    Level { level, title: title.into(), signature, same_night: false, max_age_days: Some(MAX_AGE_DAYS), adapt: None, when: vec![] }
}

fn same_night(mut level: Level) -> Level {
    (level.same_night, level.max_age_days) = (true, None);
    level
}

fn adapted(mut level: Level, how: &str) -> Level {
    level.adapt = Some(how.into());
    level
}

/// The master bias: required, in the worst case only its level.
pub fn bias() -> InputSpec {
    InputSpec {
        role: "bias".into(),
        tags: vec![tags::MASTER_BIAS.into()],
        required: true,
        levels: vec![
            same_night(level(0, "same night, same read-out", signatures::bias())),
            level(1, "same read-out", signatures::bias()),
            adapted(level(2, "cut from a larger window", signatures::bias_window()), CUT_WINDOW),
            adapted(level(3, "level of another read-out", signatures::detector_only()), LEVEL_ONLY),
        ],
        level_without: 3,
        ..InputSpec::default()
    }
}

/// The levels of a flat or of what goes with it: signature of the set-up, and of a larger window.
fn set_up(signature: fn() -> Signature, window: fn() -> Signature) -> Vec<Level> {
    vec![
        same_night(level(0, "same night, same set-up", signature())),
        level(1, "same set-up", signature()),
        adapted(level(2, "cut from a larger window", window()), CUT_WINDOW),
    ]
}

/// The imaging flat; without it a flat of ones.
pub fn imaging_flat() -> InputSpec {
    InputSpec {
        role: "flat".into(),
        tags: vec![tags::MASTER_FLAT_IMAGING.into()],
        levels: set_up(signatures::flat, signatures::flat_window),
        otherwise: "a flat of ones".into(),
        level_without: 3,
        ..InputSpec::default()
    }
}

/// The flat of images through the Wollaston prism: one for all angles of the half-wave plate. Without it a flat of ones, which the ratio of the beams
/// forgives.
pub fn wollaston_flat() -> InputSpec {
    InputSpec {
        tags: vec![tags::MASTER_FLAT_IMAGING_WOLLASTON.into()],
        levels: set_up(signatures::flat_of_all_angles, signatures::window_of_all_angles),
        level_without: 2,
        ..imaging_flat()
    }
}

/// The spectroscopic flat; without it a flat of ones.
pub fn spectroscopic_flat() -> InputSpec {
    let mut spec = imaging_flat();
    spec.tags = vec![tags::MASTER_FLAT_SPECTROSCOPY.into()];
    spec.level_without = 2;
    spec
}

/// The illumination correction; without it the flat alone.
pub fn illumination() -> InputSpec {
    InputSpec {
        role: "illumination".into(),
        tags: vec![tags::ILLUMINATION.into()],
        levels: set_up(signatures::flat, signatures::flat_window),
        otherwise: "no correction of the illumination".into(),
        level_without: 0,
        parameter: Some("illumination".into()),
        ..InputSpec::default()
    }
}

/// The illumination correction of images through the Wollaston prism, of any angle.
pub fn wollaston_illumination() -> InputSpec {
    InputSpec { levels: set_up(signatures::flat_of_all_angles, signatures::window_of_all_angles), ..illumination() }
}

/// The dome flat that an illumination correction is relative to.
pub fn dome_flat() -> InputSpec {
    let dome = || vec![Condition::new("IMAGETYP", ifured_core::Test::NotEqual, "twilight")];
    InputSpec {
        role: "dome".into(),
        tags: vec![tags::MASTER_FLAT_IMAGING.into(), tags::MASTER_FLAT_IMAGING_WOLLASTON.into()],
        required: true,
        levels: vec![
            Level { when: dome(), ..same_night(level(0, "same night, same set-up", signatures::flat())) },
            Level { when: dome(), ..level(1, "same set-up", signatures::flat()) },
        ],
        level_without: 3,
        ..InputSpec::default()
    }
}

/// The fringe map of the same filter.
pub fn fringe_map() -> InputSpec {
    InputSpec {
        role: "fringe-map".into(),
        tags: vec![tags::FRINGE_MAP.into()],
        required: true,
        levels: set_up(signatures::flat, signatures::flat_window),
        level_without: 3,
        ..InputSpec::default()
    }
}

/// The wavelength solution of the same grism, slit and window; without it nothing can be extracted.
pub fn wavelengths() -> InputSpec {
    InputSpec {
        role: "wavelengths".into(),
        tags: vec![tags::WAVELENGTH_SOLUTION.into()],
        levels: vec![
            same_night(level(0, "same night, same grism and slit", signatures::slit())),
            level(1, "same grism and slit", signatures::slit()),
            same_night(level(2, "same night, same grism, another slit", signatures::flat())),
            level(3, "same grism, another slit", signatures::flat()),
        ],
        otherwise: "nothing is extracted".into(),
        level_without: 3,
        ..InputSpec::default()
    }
}

/// The response of the same grism; without it fluxes stay in counts.
pub fn response() -> InputSpec {
    InputSpec {
        role: "response".into(),
        tags: vec![tags::RESPONSE.into()],
        levels: vec![
            same_night(level(0, "same night, same grism and slit", signatures::slit())),
            same_night(level(1, "same night, same grism", signatures::grism())),
            level(2, "same grism and slit", signatures::slit()),
            level(3, "same grism", signatures::grism()),
        ],
        otherwise: "counts above the atmosphere, not physical units".into(),
        level_without: 2,
        ..InputSpec::default()
    }
}

/// The polarisation that telescope and instrument add; without it nothing is subtracted. From 400 to 860 nm it depends little on the filter (Patat &
/// Taubenberger 2011, A&A 529, A57).
pub fn instrumental_polarisation() -> InputSpec {
    InputSpec {
        role: tags::INSTRUMENTAL_POLARISATION.into(),
        tags: vec![tags::INSTRUMENTAL_POLARISATION.into()],
        levels: vec![
            same_night(level(0, "same night, same filter", signatures::optics_of_all_angles())),
            level(1, "same filter", signatures::optics_of_all_angles()),
            level(2, "another filter", signatures::polariser()),
        ],
        otherwise: "nothing is subtracted".into(),
        level_without: 2,
        parameter: Some("instrumental".into()),
        ..InputSpec::default()
    }
}
