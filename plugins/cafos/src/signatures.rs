//! The values that identify a set-up of CAFOS.
//!
//! Three lists, in the order in which CAFOS users write signatures: the detector read-out (bias), with the optics (flats), and
//! with the pointing (arcs and science). Associations use parts of them.

use ifured_core::signature::SignatureKey;
use ifured_core::{Compare, Signature};

/// Read-out of the detector.
pub const READOUT: &[&str] = &["CCDNAME", "NAXIS1", "NAXIS2", "DATASEC", "CCDBINX", "CCDBINY"];
/// Detector and binning, whatever the window.
const DETECTOR: &[&str] = &["CCDNAME", "CCDBINX", "CCDBINY"];
/// Grism, filter, polariser.
const OPTICS: &[&str] = &["INSGRID", "INSFLID", "INSPOFPI", "INSPOROT"];
/// Width of the slit.
const SLIT: &[&str] = &["INSAPDY"];
/// The same, whatever the angle of the half-wave plate.
const OPTICS_OF_ALL_ANGLES: &[&str] = &["INSGRID", "INSFLID", "INSPOFPI"];
/// Where the telescope pointed.
const POINTING: &[&str] = &["RA", "DEC"];

fn exact(lists: &[&[&str]]) -> Signature {
    Signature::exact(&lists.concat())
}

fn window_within(lists: &[&[&str]]) -> Signature {
    let mut signature = exact(lists);
    signature.0.push(SignatureKey { key: "DATASEC".into(), compare: Compare::Contains });
    signature
}

/// Signature of bias frames.
pub fn bias() -> Signature {
    exact(&[READOUT])
}

/// Signature of flats: read-out and optics.
pub fn flat() -> Signature {
    exact(&[READOUT, OPTICS])
}

/// Signature of arcs and science frames: read-out, optics and pointing.
pub fn science() -> Signature {
    exact(&[READOUT, OPTICS, POINTING])
}

/// The same detector and binning, and a window that holds the window needed.
pub fn bias_window() -> Signature {
    window_within(&[DETECTOR])
}

/// As [`bias_window`], with the same optics.
pub fn flat_window() -> Signature {
    window_within(&[DETECTOR, OPTICS])
}

/// Read-out and optics, whatever the angle of the half-wave plate.
pub fn flat_of_all_angles() -> Signature {
    exact(&[READOUT, OPTICS_OF_ALL_ANGLES])
}

/// As [`bias_window`], with the same optics at any angle of the half-wave plate.
pub fn window_of_all_angles() -> Signature {
    window_within(&[DETECTOR, OPTICS_OF_ALL_ANGLES])
}

/// The same optics at any angle of the half-wave plate, whatever the read-out.
pub fn optics_of_all_angles() -> Signature {
    exact(&[&["CCDNAME"], OPTICS_OF_ALL_ANGLES])
}

/// The same polariser, whatever the filter.
pub fn polariser() -> Signature {
    Signature::exact(&["CCDNAME", "INSGRID", "INSPOFPI"])
}

/// Images of one field at all angles of the half-wave plate: the same read-out and optics, no further apart than `arcsec`.
pub fn same_field_of_all_angles(arcsec: f64) -> Signature {
    near(flat_of_all_angles(), arcsec)
}

/// The same detector, nothing else.
pub fn detector_only() -> Signature {
    Signature::exact(&["CCDNAME"])
}

/// Images that can be added: the same detector, binning and optics, no further apart than `arcsec`.
pub fn same_field(arcsec: f64) -> Signature {
    near(exact(&[DETECTOR, OPTICS]), arcsec)
}

fn near(mut signature: Signature, arcsec: f64) -> Signature {
    signature.0.push(SignatureKey { key: "RA".into(), compare: Compare::Sky { declination: "DEC".into(), arcsec } });
    signature
}

/// As [`flat`], with the width of the slit.
pub fn slit() -> Signature {
    exact(&[READOUT, OPTICS, SLIT])
}

/// The same detector, binning and optics, whatever the window.
pub fn grism() -> Signature {
    exact(&[DETECTOR, OPTICS])
}
