//! One raw frame of each kind a night, with true headers.

use ifured_core::Header;
use ifured_core::recipe::SimulationRequest;
use ifured_eso::simulation::{Exposure, RawFrame, each_night};

/// Channels, one extension each.
const CHANNELS: usize = 24;

/// Tag, DPR (category, type, technique), object, exposure time in seconds.
type Kind = (&'static str, [&'static str; 3], &'static str, f64);

const KINDS: [Kind; 11] = [
    ("BIAS", ["CALIB", "BIAS", "IFU"], "BIAS", 0.0),
    ("DARK", ["CALIB", "DARK", "IFU"], "DARK", 1800.0),
    ("FLAT", ["CALIB", "FLAT,LAMP", "IFU"], "FLAT,LAMP", 0.35),
    ("ARC", ["CALIB", "WAVE", "IFU"], "WAVE", 15.0),
    ("MASK", ["CALIB", "WAVE,MASK", "IFU"], "WAVE,MASK", 60.0),
    ("SKYFLAT", ["CALIB", "FLAT,SKY", "IFU"], "FLAT,SKY", 20.0),
    ("STD", ["CALIB", "STD", "IFU"], "Feige 66", 60.0),
    ("ASTROMETRY", ["CALIB", "ASTROMETRY", "IFU"], "NGC 3201", 30.0),
    ("ILLUM", ["CALIB", "FLAT,LAMP,ILLUM", "IFU"], "FLAT,LAMP,ILLUM", 0.35),
    ("OBJECT", ["SCIENCE", "OBJECT", "IFU"], "IC 4406", 900.0),
    ("SKY", ["SCIENCE", "SKY", "IFU"], "SKY", 120.0),
];

/// The raw frames of a simulation, in order of time.
pub fn raw_frames(request: &SimulationRequest) -> Vec<RawFrame> {
    each_night(request, &KINDS, frame)
}

fn frame((tag, dpr, object, exptime_s): Kind, mjd: f64) -> RawFrame {
    let exposure = Exposure { instrument: "MUSE", telescope: "ESO-VLT-U4", object, dpr, exptime_s, mjd, decimals: 3 };
    let mut primary = exposure.header();
    primary.set("ESO INS MODE", "WFM-NOAO-N", "Instrument mode used");
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
