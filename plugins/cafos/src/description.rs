//! What CAFOS frames look like: recognition, classification rules, columns of lists.
//!
//! The rules and their order are those of the CAFOS configuration (version 3.0) that the Calar Alto archive was reduced with,
//! with one difference: text is compared without regard to case everywhere, so that `WOLLASTON` is a Wollaston frame.

use ifured_core::instrument::{FrameType, InstrumentDescription, NightRule, Purpose, TimeKeys};
use ifured_core::{Condition, Equinox, ExposureNames, KnownObject, KnownObjects, Signature, Test};
use ifured_pixels::spectrum::standards::{STANDARDS, Standard};

use crate::{polarimetry, signatures, tags};

/// Keyword with the name of the standard star that a frame is of.
pub const STANDARD: &str = "STANDARD";
/// Keyword with the name of the star of known polarisation that a frame is of.
pub const POLARISATION_STANDARD: &str = "POLSTAND";
/// Grism position without a grism.
const NO_GRISM: &str = "GRISM-11";
const WOLLASTON: &str = "Wollaston";

fn image_type(types: &[&str]) -> Condition {
    Condition::any("IMAGETYP", Test::Equal, types)
}

fn grism(is: Test) -> Condition {
    Condition::new("INSGRID", is, NO_GRISM)
}

fn polariser(is: Test) -> Condition {
    Condition::new("INSPOFPI", is, WOLLASTON)
}

fn exposed() -> Condition {
    Condition::new("EXPTIME", Test::Greater, 0.0)
}

/// Limit of the 97.5th percentile (ADU): a frame above has lost pixels to saturation.
fn not_saturated() -> Condition {
    Condition::new("QUANT975", Test::Less, 60000.0)
}

fn frame_type(tag: &str, title: &str, purpose: Purpose, signature: Signature, when: Vec<Condition>, expect: Vec<Condition>) -> FrameType {
    FrameType::new(tag, title, purpose, &signature, when).expecting(expect)
}

/// The kinds of raw frames, in the order in which they are tried.
fn frame_types() -> Vec<FrameType> {
    let flat = || image_type(&["flat", "domeflat", "twilight"]);
    let lit = || vec![exposed(), Condition::new("QUANT975", Test::Greater, 5000.0), not_saturated()];
    let usable = || vec![exposed(), not_saturated()];
    let science = || image_type(&["science"]);
    vec![
        frame_type(
            "bias",
            "Bias",
            Purpose::Calibration,
            signatures::bias(),
            vec![image_type(&["bias"])],
            vec![Condition::new("EXPTIME", Test::Equal, 0.0), Condition::new("QUANT975", Test::Less, 1000.0)],
        ),
        frame_type(
            "flat-imaging",
            "Imaging flat, dome or twilight",
            Purpose::Calibration,
            signatures::flat(),
            vec![flat(), grism(Test::Equal), polariser(Test::NotEqual)],
            lit(),
        ),
        frame_type(
            "flat-imaging-wollaston",
            "Imaging flat through the Wollaston prism",
            Purpose::Calibration,
            signatures::flat(),
            vec![flat(), grism(Test::Equal), polariser(Test::Equal)],
            lit(),
        ),
        frame_type(
            "flat-spectroscopy",
            "Spectroscopic flat",
            Purpose::Calibration,
            signatures::flat(),
            vec![flat(), grism(Test::NotEqual)],
            usable(),
        ),
        frame_type(
            "arc",
            "Arc lamp",
            Purpose::Calibration,
            signatures::science(),
            vec![image_type(&["arc"]), grism(Test::NotEqual)],
            usable(),
        ),
        frame_type(
            "science-imaging",
            "Image",
            Purpose::Science,
            signatures::science(),
            vec![science(), grism(Test::Equal), polariser(Test::NotEqual)],
            usable(),
        ),
        frame_type(
            "science-imaging-wollaston",
            "Image through the Wollaston prism",
            Purpose::Science,
            signatures::science(),
            vec![science(), grism(Test::Equal), polariser(Test::Equal)],
            usable(),
        ),
        frame_type(
            "science-spectroscopy",
            "Spectrum",
            Purpose::Science,
            signatures::science(),
            vec![science(), grism(Test::NotEqual)],
            usable(),
        ),
    ]
}

/// Columns of lists.
const COLUMNS: &[&str] = &[
    "OBJECT",
    "IMAGETYP",
    "EXPTIME",
    "INSFLID",
    "INSFLNAM",
    "INSGRID",
    "AIRMASS",
    "NAXIS1",
    "NAXIS2",
    "QUANT500",
    "ROBUSTSTD",
    "QUANT975",
];

/// Standard stars of spectroscopy: a frame of one gets the keyword `STANDARD`. The telescope points within half an arc minute, and writes
/// coordinates of date.
fn standards() -> KnownObjects {
    let object = |s: &Standard| KnownObject {
        aliases: s.aliases.iter().map(|a| (*a).to_owned()).collect(),
        ..KnownObject::new(s.name, s.position.0, s.position.1)
    };
    KnownObjects {
        equinox: Equinox::OfDate,
        radius_arcsec: 90.0,
        name_radius_arcsec: 1200.0,
        ..KnownObjects::new(STANDARD, STANDARDS.iter().map(object).collect())
    }
}

/// Stars of known polarisation: a frame of one gets the keyword `POLSTAND`, so that only their fields are measured for what the instrument adds.
fn polarisation_standards() -> KnownObjects {
    let objects = polarimetry::standards::STANDARDS.iter().map(|s| KnownObject::new(s.name, s.place.0, s.place.1)).collect();
    let radius = polarimetry::standards::FIELD;
    KnownObjects {
        equinox: Equinox::OfDate,
        radius_arcsec: radius,
        name_radius_arcsec: radius,
        ..KnownObjects::new(POLARISATION_STANDARD, objects)
    }
}

/// The description without the recipes.
pub fn describe() -> InstrumentDescription {
    InstrumentDescription {
        name: "cafos".into(),
        aliases: vec!["cafos-2.2".into()],
        title: "CAFOS, the focal reducer at the 2.2 m telescope of Calar Alto".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        recognise: vec![Condition::new("INSTRUME", Test::Equal, "CAFOS 2.2").case_sensitive()],
        require: vec![Condition::new("NAXIS", Test::Equal, 2_i64)],
        statistics: true,
        night: NightRule::Directory,
        time: TimeKeys::default(),
        frame_types: frame_types(),
        recipes: Vec::new(),
        columns: COLUMNS.iter().map(|c| (*c).to_owned()).collect(),
        exposure_names: ExposureNames {
            collect: [tags::SOLVED_IMAGING, tags::COADD, tags::CALIBRATED_SPECTRUM, tags::STOKES, "reduced-*"].map(Into::into).to_vec(),
            ..ExposureNames::default()
        },
        imports: crate::import::sources(),
        known_objects: vec![standards(), polarisation_standards()],
        ..InstrumentDescription::default()
    }
}
