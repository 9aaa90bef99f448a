//! The kinds of KMOS frames.
//!
//! Raw frames by DPR keywords in the order of ESO's own classification rules; the order matters, because the type of a
//! standard star (`OBJECT,SKY,STD,FLUX`) contains that of a look-up-table frame (`OBJECT,SKY`). Products and static calibrations
//! by the PRO CATG that the ESO pipeline writes (1.4 and 4.x); `kmos_combine`, `kmo_shift` and others append category
//! and target to it (`COMBINE_SHIFT_AGN6`), hence the patterns.

use ifured_core::{ExposureNames, FrameType, Purpose, Signature};
use ifured_eso::{Dpr, product, product_like, raw};

/// Gratings of the three spectrographs.
pub const GRATINGS: [&str; 3] = ["ESO INS GRAT1 ID", "ESO INS GRAT2 ID", "ESO INS GRAT3 ID"];
/// Their filters.
pub const FILTERS: [&str; 3] = ["ESO INS FILT1 ID", "ESO INS FILT2 ID", "ESO INS FILT3 ID"];
const EXPOSURE: [&str; 3] = ["ESO DET SEQ1 DIT", "ESO DET NDIT", "ESO DET READ CURNAME"];

/// Exposure time and read-out: all that a dark depends on.
pub fn exposure() -> Signature {
    Signature::exact(&EXPOSURE)
}

/// Gratings, exposure time and read-out. For frames with the lamp off, whose filter is the block (`FILTn ID = Block`),
/// so that only the gratings tell which lamp frames they belong to.
fn lamp_off() -> Signature {
    Signature::exact(&[GRATINGS, EXPOSURE].concat())
}

/// Filters, gratings, exposure time and read-out.
pub fn set_up() -> Signature {
    Signature::exact(&[FILTERS, GRATINGS, EXPOSURE].concat())
}

/// The gratings of the three spectrographs.
pub fn gratings() -> Signature {
    Signature::exact(&GRATINGS)
}

/// The band of a static calibration.
fn band() -> Signature {
    Signature::exact(&["ESO FILT ID"])
}

/// Keywords that lists show. `TPL START` is what ESO groups calibrations by.
pub const COLUMNS: [&str; 10] = [
    "OBJECT",
    "EXPTIME",
    FILTERS[0],
    GRATINGS[0],
    "ESO DPR TYPE",
    "ESO PRO CATG",
    EXPOSURE[0],
    EXPOSURE[1],
    "ESO OCS ROT NAANGLE",
    "ESO TPL START",
];

/// Exposures keep the names of their files; collected are the cubes of exposures and targets.
pub fn exposure_names() -> ExposureNames {
    ExposureNames {
        block: Some("ESO OBS NAME".into()),
        collect: ["SCI_RECONSTRUCTED", "SCI_COMBINED"].map(Into::into).to_vec(),
        ..ExposureNames::default()
    }
}

/// Kinds of frames in the order in which the rules are tried: raw frames, products, static calibrations.
pub fn frame_types() -> Vec<FrameType> {
    [raw_frames(), calibration_products(), science_products(), static_calibrations()].concat()
}

fn raw_frames() -> Vec<FrameType> {
    let calib = |tag: &str, title: &str, kind: &str, tech: &str, signature: Signature| {
        raw(tag, title, Purpose::Calibration, Dpr { catg: &["CALIB"], types: &[kind], not_types: &[], tech: &[tech] }, signature)
    };
    let science = Dpr { catg: &["SCIENCE"], types: &["OBJECT*SKY"], not_types: &[], tech: &["IFU"] };
    let acquisition = Dpr { catg: &["ACQUISITION"], ..Dpr::default() };
    let look_up_table = Dpr { catg: &["CALIB"], types: &["OBJECT*SKY*"], not_types: &["*STD*"], tech: &[] };
    vec![
        calib("FLAT_OFF", "flat with the lamp off", "FLAT*OFF", "IMAGE", lamp_off()),
        calib("FLAT_ON", "lamp flat", "FLAT*LAMP", "SPECTRUM", set_up()),
        calib("ARC_OFF", "arc with the lamps off", "WAVE*OFF", "IMAGE", lamp_off()),
        calib("ARC_ON", "arc lamps", "WAVE*LAMP", "SPECTRUM", set_up()),
        calib("FLAT_SKY", "twilight flat", "FLAT*SKY", "IFU", set_up()),
        calib("STD", "standard star", "OBJECT*SKY*STD*FLUX", "IFU", set_up()),
        raw("SCIENCE", "science exposure; each arm on object or sky", Purpose::Science, science, set_up()),
        raw("ACQ_FRAME", "acquisition", Purpose::Other, acquisition, Signature::default()),
        calib("DARK", "dark", "DARK", "IMAGE", exposure()),
        raw("LUT_FRAME", "star field for the look-up table of the arms", Purpose::Other, look_up_table, Signature::default()),
    ]
}

fn calibration_products() -> Vec<FrameType> {
    let calibration = |tag: &str, title: &str, signature: Signature| product(tag, title, Purpose::Calibration, signature);
    vec![
        calibration("MASTER_DARK", "master dark", exposure()),
        calibration("BADPIXEL_DARK", "bad pixels of the darks", Signature::default()),
        calibration("MASTER_FLAT", "master flat, for each rotator angle", gratings()),
        calibration("BADPIXEL_FLAT", "bad pixels of the flats", gratings()),
        calibration("XCAL", "position along x of each detector pixel, for each rotator angle", gratings()),
        calibration("YCAL", "position along y of each detector pixel, for each rotator angle", gratings()),
        calibration("LCAL", "wavelength of each detector pixel, for each rotator angle", gratings()),
        calibration("FLAT_EDGE", "edges of the slitlets", gratings()),
        calibration("SKYFLAT_EDGE", "edges of the slitlets in twilight flats", gratings()),
        calibration("DET_IMG_WAVE", "arc resampled in wavelength", gratings()),
        calibration("ILLUM_CORR", "illumination of the integral-field units", gratings()),
        calibration("TELLURIC", "telluric spectra", gratings()),
        calibration("TELLURIC_CORR", "telluric correction", gratings()),
        calibration("TELLURIC_DATA", "telluric model for each integral-field unit", gratings()),
        calibration("RESPONSE", "response", gratings()),
        calibration("ATMOS_PARM", "parameters of the atmosphere", gratings()),
        calibration("BEST_FIT_PARM", "parameters of the fit of the atmosphere", gratings()),
        calibration("STAR_SPEC", "spectra of the standard stars", gratings()),
        calibration("NOISE_SPEC", "noise of the spectra of the standard stars", gratings()),
        calibration("STD_IMAGE", "images of the standard stars", gratings()),
        calibration("STD_MASK", "masks of the standard stars", gratings()),
    ]
}

fn science_products() -> Vec<FrameType> {
    let science = |tag: &str, patterns: &[&str], title: &str| product_like(tag, patterns, title, Purpose::Science, gratings());
    vec![
        science("SCI_RECONSTRUCTED", &["SCI_RECONSTRUCTED"], "24 cubes of one exposure"),
        science("SCI_RECONSTRUCTED_COLL", &["SCI_RECONSTRUCTED_COLL"], "images of the 24 cubes of one exposure"),
        science("SCI_COMBINED_COLL", &["SCI_COMBINED_COLL", "SCI_COMBINED_COLL_*"], "image of a combined cube"),
        science("SCI_COMBINED", &["SCI_COMBINED", "SCI_COMBINED_*"], "combined cube of a target"),
        science("EXP_MASK", &["EXP_MASK", "EXP_MASK_*"], "exposures in each pixel of a combined cube"),
        science("SCI_INTERIM_OBJECT", &["SCI_INTERIM_OBJECT"], "cubes of an exposure before sky subtraction"),
        science("SCI_INTERIM_SKY", &["SCI_INTERIM_SKY"], "cubes of the sky of an exposure"),
        science("SKY_TWEAK", &["SKY_TWEAK"], "cubes with a scaled sky subtracted"),
        science("COMBINE", &["COMBINE_*"], "combined cube of a target, of kmos_combine"),
        science("EXTRACT_SPEC", &["EXTRACT_SPEC"], "extracted spectra"),
        science("SINGLE_CUBES", &["SINGLE_CUBES"], "cubes corrected for telluric absorption"),
        science("SINGLE_SPECTRA", &["SINGLE_SPECTRA"], "spectra corrected for telluric absorption"),
        product_like("CUBE", &["CUBE_*"], "cubes of any raw frame, of kmos_reconstruct", Purpose::Other, gratings()),
    ]
}

/// What belongs to the instrument, not to a night.
fn static_calibrations() -> Vec<FrameType> {
    let fixed = |tag: &str, title: &str, signature: Signature| product(tag, title, Purpose::Calibration, signature);
    let any = Signature::default;
    vec![
        fixed("ARC_LIST", "arc lines", band()),
        fixed("OH_SPEC", "spectrum of the OH sky lines", band()),
        fixed("ATMOS_MODEL", "transmission of the atmosphere", band()),
        fixed("SOLAR_SPEC", "spectrum of the Sun", band()),
        fixed("REF_LINES", "reference arc lines", any()),
        fixed("WAVE_BAND", "limits of the bands", any()),
        fixed("SPEC_TYPE_LOOKUP", "temperatures of spectral types", any()),
        fixed("KERNEL_LIBRARY", "line-spread function for telluric models", any()),
    ]
}
