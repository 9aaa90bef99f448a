//! What all recipes of polarimetry let the user choose.

use ifured_pixels::polarimetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the rotator turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Modulator {
    /// The half-wave plate: q repeats after 90 degrees.
    HalfWavePlate,
    /// The Wollaston prism itself or the whole instrument: q repeats after 180 degrees.
    Analyser,
}

impl From<Modulator> for polarimetry::Modulator {
    fn from(modulator: Modulator) -> Self {
        match modulator {
            Modulator::HalfWavePlate => polarimetry::Modulator::HalfWavePlate,
            Modulator::Analyser => polarimetry::Modulator::Analyser,
        }
    }
}

/// On which side of the ordinary image the extraordinary one lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// At larger rows (larger columns if the prism separates along rows).
    Above,
    /// At smaller rows or columns.
    Below,
}

/// How sources are found, paired and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Measurement {
    /// What `INSPOROT` is the angle of.
    pub modulator: Modulator,
    /// Degrees of one unit of `INSPOROT`.
    #[schemars(range(min = 0.0001, max = 360.0), extend("x-unit" = "degrees"))]
    pub angle_step: f64,
    /// Sources are found above this many times the noise.
    #[schemars(range(min = 3.0, max = 1000.0), extend("x-unit" = "1"))]
    pub detection_sigma: f64,
    /// Radius of the apertures in units of the seeing (FWHM).
    #[schemars(range(min = 0.5, max = 10.0), extend("x-unit" = "FWHM"))]
    pub aperture: f64,
    /// Columns from the ordinary to the extraordinary image; 0 in both finds the separation.
    #[schemars(range(min = -2000.0, max = 2000.0), extend("x-unit" = "pixels"))]
    pub separation_columns: f64,
    /// Rows from the ordinary to the extraordinary image; 0 in both finds the separation.
    #[schemars(range(min = -2000.0, max = 2000.0), extend("x-unit" = "pixels"))]
    pub separation_rows: f64,
    /// Least distance of the two images where the separation is to be found.
    #[schemars(range(min = 2.0, max = 2000.0), extend("x-unit" = "pixels"))]
    pub separation_low: f64,
    /// Largest distance of the two images where the separation is to be found.
    #[schemars(range(min = 2.0, max = 2000.0), extend("x-unit" = "pixels"))]
    pub separation_high: f64,
    /// Which of the two images is the extraordinary one where the separation is to be found. The wrong one turns all angles by 90 degrees.
    pub extraordinary: Side,
    /// How far the two images of a source may be off the separation.
    #[schemars(range(min = 0.2, max = 20.0), extend("x-unit" = "pixels"))]
    pub pair_tolerance: f64,
    /// How far the pointing may be off between the frames.
    #[schemars(range(min = 1.0, max = 1000.0), extend("x-unit" = "pixels"))]
    pub search: f64,
}

impl Default for Measurement {
    fn default() -> Self {
        Measurement {
            modulator: Modulator::HalfWavePlate,
            angle_step: 1.0,
            detection_sigma: 6.0,
            aperture: 2.0,
            separation_columns: 0.0,
            separation_rows: 0.0,
            separation_low: 10.0,
            separation_high: 150.0,
            extraordinary: Side::Above,
            pair_tolerance: 1.5,
            search: 30.0,
        }
    }
}

/// What a good sequence is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Goodness {
    /// Largest median reduced chi square (1 is expected) of a good sequence with many sources; with few it may be larger by chance.
    #[schemars(range(min = 1.0, max = 1000.0), extend("x-unit" = "1"))]
    pub chi2_high: f64,
}

impl Default for Goodness {
    fn default() -> Self {
        Goodness { chi2_high: 3.0 }
    }
}
