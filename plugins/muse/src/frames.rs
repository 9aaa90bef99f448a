//! The kinds of MUSE frames.
//!
//! Raw frames by DPR keywords as in table 6.1 of the MUSE pipeline manual, which allows both orders of a list
//! (`FLAT,LAMP` and `LAMP,FLAT`); products and static calibrations by the PRO CATG that the ESO pipeline 2.8 writes. The
//! patterns have no wild cards, so that no two rules take the same frame; the special kinds (`FLAT,LAMP,ILLUM`, `WAVE,MASK`) still come
//! before the general ones, for users who loosen a rule.

use ifured_core::{ExposureNames, FrameType, NamePart, Purpose, Signature};
use ifured_eso::{Dpr, product, raw};

/// Keyword of the instrument mode.
pub const MODE: &str = "ESO INS MODE";
const READ_OUT: [&str; 3] = ["ESO DET BINX", "ESO DET BINY", "ESO DET READ CURID"];

/// Binning and read-out: all that bias and dark depend on.
pub fn detector() -> Signature {
    Signature::exact(&READ_OUT)
}

/// Instrument mode, binning and read-out.
pub fn set_up() -> Signature {
    let [x, y, read_out] = READ_OUT;
    Signature::exact(&[MODE, x, y, read_out])
}

/// The instrument mode: what is left of the set-up once the detector is calibrated.
pub fn mode() -> Signature {
    Signature::exact(&[MODE])
}

/// Keywords that lists show.
pub const COLUMNS: [&str; 8] =
    ["OBJECT", "EXPTIME", MODE, "ESO DPR TYPE", "ESO PRO CATG", "ESO DET READ CURNAME", "ESO TPL START", "ESO OBS NAME"];

/// Names of exposures as MUSEpack makes them, `180431-242316_0900_090_00`: pointing, exposure time in seconds, position angle, number. Collected are cubes,
/// images and pixel tables, of exposures and of fields.
pub fn exposure_names() -> ExposureNames {
    ExposureNames {
        parts: vec![
            NamePart::Position { right_ascension: "RA".into(), declination: "DEC".into() },
            NamePart::Whole { key: "EXPTIME".into(), digits: 4 },
            NamePart::Angle { key: "ESO INS DROT POSANG".into(), digits: 3 },
        ],
        block: Some("ESO OBS NAME".into()),
        collect: ["DATACUBE_FINAL*", "IMAGE_FOV*", "PIXTABLE_REDUCED*"].map(Into::into).to_vec(),
    }
}

/// Kinds of frames in the order in which the rules are tried: raw frames, products, static calibrations.
pub fn frame_types() -> Vec<FrameType> {
    [raw_frames(), detector_products(), pixel_tables(), calibration_products(), science_products(), static_calibrations()].concat()
}

fn raw_frames() -> Vec<FrameType> {
    let calib = |tag: &str, title: &str, types: &[&str], signature: Signature| {
        raw(tag, title, Purpose::Calibration, Dpr { catg: &["CALIB"], types, ..Dpr::default() }, signature)
    };
    let science = Dpr { catg: &["SCIENCE"], types: &["OBJECT"], ..Dpr::default() };
    let sky = Dpr { catg: &["SCIENCE", "CALIB"], types: &["SKY"], ..Dpr::default() };
    vec![
        calib("BIAS", "bias", &["BIAS"], detector()),
        calib("DARK", "dark", &["DARK"], detector()),
        calib("ILLUM", "lamp flat beside an exposure on the sky, for the illumination at that temperature", &["FLAT,LAMP,ILLUM"], set_up()),
        calib("FLAT", "lamp flat", &["FLAT,LAMP", "LAMP,FLAT"], set_up()),
        calib("SKYFLAT", "twilight flat", &["FLAT,SKY", "SKY,FLAT"], set_up()),
        calib("MASK", "arc through the pinhole mask, for the geometry", &["WAVE,MASK", "MASK,WAVE"], set_up()),
        calib("ARC", "arc lamps", &["WAVE", "WAVE,NE", "WAVE,XE", "WAVE,HGCD"], set_up()),
        calib("STD", "spectrophotometric standard star", &["STD"], set_up()),
        calib("ASTROMETRY", "field with known positions", &["ASTROMETRY"], set_up()),
        raw("SKY", "blank sky", Purpose::Calibration, sky, set_up()),
        raw("OBJECT", "science exposure", Purpose::Science, science, set_up()),
    ]
}

/// One for each channel, with the trimmed CCD or tables of its 48 slices.
fn detector_products() -> Vec<FrameType> {
    let calibration = |tag: &str, title: &str, signature: Signature| product(tag, title, Purpose::Calibration, signature);
    let reduced = |tag: &str, of: &str| product(tag, &format!("{of} without detector signature"), Purpose::Other, set_up());
    vec![
        calibration("MASTER_BIAS", "master bias", detector()),
        calibration("MASTER_DARK", "master dark", detector()),
        calibration("MASTER_FLAT", "master flat", set_up()),
        calibration("TRACE_TABLE", "edges of the slices on the CCD", set_up()),
        calibration("TRACE_SAMPLES", "measured edges of the slices", set_up()),
        calibration("WAVECAL_TABLE", "wavelength solution", set_up()),
        calibration("WAVECAL_RESIDUALS", "residuals of the wavelength solution", set_up()),
        calibration("LSF_PROFILE", "line-spread function", set_up()),
        calibration("GEOMETRY_TABLE", "places of the slices in the field", mode()),
        calibration("GEOMETRY_UNSMOOTHED", "measured places of the slices in the field", mode()),
        calibration("SPOTS_TABLE", "measured images of the pinholes", mode()),
        calibration("TWILIGHT_CUBE", "illumination of the field", mode()),
        calibration("DATACUBE_SKYFLAT", "cube of the twilight flats", mode()),
        reduced("ARC_RED_LAMP", "arc of one lamp"),
        reduced("OBJECT_RED", "science exposure"),
        reduced("STD_RED", "standard star"),
        reduced("SKY_RED", "blank sky"),
        reduced("ASTROMETRY_RED", "astrometric field"),
    ]
}

fn pixel_tables() -> Vec<FrameType> {
    let table = |tag: &str, of: &str, purpose: Purpose| product(tag, &format!("pixel table of {of}"), purpose, mode());
    vec![
        table("PIXTABLE_OBJECT", "a science exposure, one channel", Purpose::Science),
        table("PIXTABLE_STD", "a standard star, one channel", Purpose::Calibration),
        table("PIXTABLE_SKY", "blank sky, one channel", Purpose::Calibration),
        table("PIXTABLE_ASTROMETRY", "an astrometric field, one channel", Purpose::Calibration),
        table("PIXTABLE_REDUCED", "a reduced exposure", Purpose::Science),
        table("PIXTABLE_POSITIONED", "a reduced exposure with positions on the sky", Purpose::Science),
        table("PIXTABLE_COMBINED", "combined exposures", Purpose::Science),
    ]
}

fn calibration_products() -> Vec<FrameType> {
    let calibration = |tag: &str, title: &str| product(tag, title, Purpose::Calibration, mode());
    vec![
        calibration("DATACUBE_STD", "cube of a standard star"),
        calibration("STD_FLUXES", "fluxes of the stars in a standard field"),
        calibration("STD_RESPONSE", "response"),
        calibration("STD_TELLURIC", "telluric absorption"),
        calibration("SKY_MASK", "blank sky in the field"),
        calibration("SKY_SPECTRUM", "spectrum of the sky"),
        calibration("SKY_LINES", "fluxes of the sky emission lines"),
        calibration("SKY_CONTINUUM", "continuum of the sky"),
        calibration("DATACUBE_ASTROMETRY", "cube of an astrometric field"),
        calibration("ASTROMETRY_WCS", "scale and rotation of the field"),
        calibration("AUTOCAL_FACTORS", "levels of the slices against each other"),
        calibration("OFFSET_LIST", "offsets of exposures"),
    ]
}

fn science_products() -> Vec<FrameType> {
    let science = |tag: &str, title: &str| product(tag, title, Purpose::Science, mode());
    vec![
        science("DATACUBE_FINAL", "cube"),
        science("IMAGE_FOV", "image of the field through a filter"),
        science("PREVIEW_FOV", "image of aligned exposures"),
        science("EXPOSURE_MAP", "exposure time by pixel"),
        science("OBJECT_RESAMPLED", "cube projected on the CCD"),
    ]
}

/// What belongs to the instrument, not to a night.
fn static_calibrations() -> Vec<FrameType> {
    let fixed = |tag: &str, title: &str, signature: Signature| product(tag, title, Purpose::Calibration, signature);
    let any = Signature::default;
    vec![
        fixed("LINE_CATALOG", "arc lines", any()),
        fixed("BADPIX_TABLE", "known bad pixels", any()),
        fixed("NONLINEARITY_GAIN", "gain against counts", any()),
        fixed("VIGNETTING_MASK", "vignetted corner of the field", mode()),
        fixed("ASTROMETRY_REFERENCE", "known positions of stars", any()),
        fixed("EXTINCT_TABLE", "atmospheric extinction", any()),
        fixed("STD_FLUX_TABLE", "fluxes of standard stars", any()),
        fixed("TELLURIC_REGIONS", "telluric bands", any()),
        fixed("FILTER_LIST", "filter curves", any()),
        fixed("OUTPUT_WCS", "grid of the cube", any()),
        fixed("RAMAN_LINES", "lines of Raman scattering by air", any()),
    ]
}
