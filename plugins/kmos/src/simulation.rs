//! Nights with all that the recipes need: raw frames in their templates with true headers, static calibrations.

use ifured_core::Header;
use ifured_core::recipe::SimulationRequest;
use ifured_eso::sexagesimal::{pack_declination, pack_right_ascension};
use ifured_eso::simulation::{Exposure, RawFrame, Start, each_night, static_calibration};

use crate::arms::ARMS;

/// Detectors, one extension each.
const DETECTORS: i64 = 3;
/// Centre of the field, in degrees.
const FIELD: (f64, f64) = (53.033_208, -27.680_639);
/// Arms that are switched off.
const OFF: [u8; 2] = [5, 14];
/// Band of gratings and filters.
const BAND: &str = "K";

/// Tag, DPR (category, type, technique), filter, exposure time in seconds, whether arms have targets, exposures in the template, whether it goes on with the
/// template of the kind before.
type Kind = (&'static str, [&'static str; 3], &'static str, f64, bool, u32, bool);

/// Science exposures are of two templates of one field, so that there is something to combine.
const KINDS: [Kind; 11] = [
    ("DARK", ["CALIB", "DARK", "IMAGE"], "Block", 60.0, false, 3, false),
    ("FLAT_OFF", ["CALIB", "FLAT,OFF", "IMAGE"], "Block", 3.0, false, 3, false),
    ("FLAT_ON", ["CALIB", "FLAT,LAMP", "SPECTRUM"], BAND, 3.0, false, 3, true),
    ("ARC_OFF", ["CALIB", "WAVE,OFF", "IMAGE"], "Block", 8.0, false, 1, false),
    ("ARC_ON", ["CALIB", "WAVE,LAMP", "SPECTRUM"], BAND, 8.0, false, 2, true),
    ("FLAT_SKY", ["CALIB", "FLAT,SKY", "IFU"], BAND, 10.0, false, 3, false),
    ("STD", ["CALIB", "OBJECT,SKY,STD,FLUX", "IFU"], BAND, 5.0, true, 2, false),
    ("LUT_FRAME", ["CALIB", "OBJECT,SKY", "IFU"], BAND, 5.0, true, 1, false),
    ("ACQ_FRAME", ["ACQUISITION", "OBJECT,SKY", "IFU"], BAND, 30.0, true, 1, false),
    ("SCIENCE", ["SCIENCE", "OBJECT,SKY", "IFU"], BAND, 300.0, true, 2, false),
    ("SCIENCE", ["SCIENCE", "OBJECT,SKY", "IFU"], BAND, 300.0, true, 2, false),
];

/// Static calibrations, and whether they are of a band.
const STATIC: [(&str, bool); 7] = [
    ("ARC_LIST", true),
    ("OH_SPEC", true),
    ("SOLAR_SPEC", true),
    ("ATMOS_MODEL", true),
    ("REF_LINES", false),
    ("WAVE_BAND", false),
    ("SPEC_TYPE_LOOKUP", false),
];

/// The frames of a simulation: static calibrations, then raw frames in the order of time.
pub fn raw_frames(request: &SimulationRequest) -> Vec<RawFrame> {
    let fixed = STATIC.map(|(category, of_band)| {
        let band = [("ESO FILT ID", BAND)];
        static_calibration("KMOS", category, if of_band { &band } else { &[] })
    });
    fixed.into_iter().chain(each_night(request, &KINDS, |kind| (kind.5, kind.6), frame)).collect()
}

fn frame((tag, dpr, filter, exptime_s, targets, ..): Kind, start: Start) -> RawFrame {
    let Start { mjd, template_mjd, place } = start;
    // The ESO pipeline pairs object and sky only if DATE-OBS has 24 characters, hence four decimals.
    let exposure = Exposure { instrument: "KMOS", telescope: "ESO-VLT-U1", object: tag, dpr, exptime_s, mjd, template_mjd, decimals: 4 };
    let mut primary = exposure.header();
    for n in 1..=DETECTORS {
        primary.set(&format!("ESO INS FILT{n} ID"), filter, "Filter unique id.");
        primary.set(&format!("ESO INS GRAT{n} ID"), BAND, "Grating unique ID.");
    }
    primary.set("ESO DET SEQ1 DIT", exptime_s, "Integration Time");
    primary.set("ESO DET NDIT", 1i64, "# of Sub-Integrations");
    primary.set("ESO DET READ CURNAME", "Nondest", "Used readout mode name");
    primary.set("ESO OCS ROT NAANGLE", 0.0, "[deg] Rotator relative to nasmyth");
    primary.set("ESO OCS ROT OFFANGLE", 0.0, "[deg] Rotator offset angle");
    primary.set("RA", FIELD.0, "[deg] Pointing");
    primary.set("DEC", FIELD.1, "[deg] Pointing");
    if tag == "STD" {
        primary.set("ESO OCS STDSTAR TYPE", "G2V", "Spectral type of the standard star");
    }
    if targets {
        (1..=ARMS).for_each(|arm| set_arm(&mut primary, arm, place % 2 == 1));
    }
    RawFrame { tag: tag.into(), name: exposure.file_name(), primary, detectors: (1..=DETECTORS).map(detector).collect() }
}

/// Arms on a ring of 3 arcminutes; each fourth on the sky. In the other exposure of a template, those on objects are on the sky, and the others on objects.
fn set_arm(header: &mut Header, number: u8, other: bool) {
    let key = |what: &str| format!("ESO OCS ARM{number} {what}");
    if OFF.contains(&number) {
        header.set(&key("NAME"), "", "Target name hosted by arm i");
        header.set(&key("NOTUSED"), "NotInPAF/Locked", "Reason why arm was not used");
        return;
    }
    let angle = std::f64::consts::TAU * f64::from(number) / f64::from(ARMS);
    let dec = FIELD.1 + 0.05 * angle.cos();
    let ra = FIELD.0 + 0.05 * angle.sin() / dec.to_radians().cos();
    let kind = if number.is_multiple_of(4) == other { "O" } else { "S" };
    header.set(&key("NAME"), format!("target_{number}"), "Target name hosted by arm i");
    header.set(&key("TYPE"), kind, "Target type hosted by arm i");
    header.set(&key("ALPHA"), pack_right_ascension(ra), "[HHMMSS.TTT] Target alpha hosted by arm i");
    header.set(&key("DELTA"), pack_declination(dec), "[DDMMSS.TTT] Target delta hosted by arm i");
}

fn detector(number: i64) -> Header {
    let mut h = Header::new();
    h.set("EXTNAME", format!("CHIP{number}.INT1"), "");
    h.set("ESO DET CHIP INDEX", number, "Chip index");
    h.set("ESO DET CHIP GAIN", 2.1, "[e-/ADU] Gain");
    h.set("ESO DET CHIP RON", 3.0, "[e-] Read-out noise");
    h
}
