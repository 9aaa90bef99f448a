//! Nights with all that the recipes need: raw frames in their templates with true headers, static calibrations.

use ifured_core::Header;
use ifured_core::recipe::SimulationRequest;
use ifured_eso::simulation::{Exposure, RawFrame, Start, each_night, static_calibration};

use crate::frames::MODE;

/// Channels, one extension each.
const CHANNELS: usize = 24;
/// The instrument mode of all frames.
const WIDE_FIELD: &str = "WFM-NOAO-N";
/// Where the telescope points, in degrees.
const FIELD: (f64, f64) = (215.609_1, -44.150_6);

/// Tag, DPR (category, type, technique), object, exposure time in seconds, exposures in the template.
type Kind = (&'static str, [&'static str; 3], &'static str, f64, u32);

const KINDS: [Kind; 11] = [
    ("BIAS", ["CALIB", "BIAS", "IFU"], "BIAS", 0.0, 3),
    ("DARK", ["CALIB", "DARK", "IFU"], "DARK", 1800.0, 3),
    ("FLAT", ["CALIB", "FLAT,LAMP", "IFU"], "FLAT,LAMP", 0.35, 3),
    ("ARC", ["CALIB", "WAVE", "IFU"], "WAVE", 15.0, 3),
    ("MASK", ["CALIB", "WAVE,MASK", "IFU"], "WAVE,MASK", 60.0, 1),
    ("SKYFLAT", ["CALIB", "FLAT,SKY", "IFU"], "FLAT,SKY", 20.0, 3),
    ("STD", ["CALIB", "STD", "IFU"], "Feige 66", 60.0, 1),
    ("ILLUM", ["CALIB", "FLAT,LAMP,ILLUM", "IFU"], "FLAT,LAMP,ILLUM", 0.35, 1),
    ("ASTROMETRY", ["CALIB", "ASTROMETRY", "IFU"], "NGC 3201", 30.0, 1),
    ("OBJECT", ["SCIENCE", "OBJECT", "IFU"], "IC 4406", 900.0, 2),
    ("SKY", ["SCIENCE", "SKY", "IFU"], "SKY", 120.0, 1),
];

/// Static calibrations, and whether they are of an instrument mode.
const STATIC: [(&str, bool); 9] = [
    ("LINE_CATALOG", false),
    ("GEOMETRY_TABLE", true),
    ("EXTINCT_TABLE", false),
    ("STD_FLUX_TABLE", false),
    ("FILTER_LIST", false),
    ("SKY_LINES", true),
    ("ASTROMETRY_WCS", true),
    ("BADPIX_TABLE", false),
    ("VIGNETTING_MASK", true),
];

/// The frames of a simulation: static calibrations, then raw frames in the order of time.
pub fn raw_frames(request: &SimulationRequest) -> Vec<RawFrame> {
    let fixed = STATIC.map(|(category, of_mode)| {
        let mode = [(MODE, WIDE_FIELD)];
        static_calibration("MUSE", category, if of_mode { &mode } else { &[] })
    });
    fixed.into_iter().chain(each_night(request, &KINDS, |kind| (kind.4, false), frame)).collect()
}

fn frame((tag, dpr, object, exptime_s, _): Kind, start: Start) -> RawFrame {
    let Start { mjd, template_mjd, .. } = start;
    let exposure = Exposure { instrument: "MUSE", telescope: "ESO-VLT-U4", object, dpr, exptime_s, mjd, template_mjd, decimals: 3 };
    let mut primary = exposure.header();
    primary.set("RA", FIELD.0, "[deg] Pointing");
    primary.set("DEC", FIELD.1, "[deg] Pointing");
    primary.set(MODE, WIDE_FIELD, "Instrument mode used");
    primary.set("ESO INS TEMP7 VAL", 12.5, "[C] Right IFU temperature");
    primary.set("ESO DET BINX", 1i64, "Setup binning factor along X");
    primary.set("ESO DET BINY", 1i64, "Setup binning factor along Y");
    primary.set("ESO DET READ CURID", 1i64, "Used readout mode id");
    primary.set("ESO DET READ CURNAME", "SCI1.0", "Used readout mode name");
    RawFrame { tag: tag.into(), name: exposure.file_name(), primary, detectors: (1..=CHANNELS).map(channel).collect() }
}

fn channel(number: usize) -> Header {
    let mut h = Header::new();
    h.set("EXTNAME", format!("CHAN{number:02}"), "");
    h.set("ESO DET CHIP LIVE", true, "Detector live or broken");
    h
}
