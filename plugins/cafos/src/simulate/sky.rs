//! Where the simulated stars are on the sky, and the catalogue that lists them.
//!
//! The camera is not what its header says: it is turned, its scale is off, it distorts, and the stars have moved since the epoch of the catalogue.

use ifured_core::Header;
use ifured_pixels::astrometry::{Distortion, TanSip};
use ifured_pixels::fits::Table;
use ifured_pixels::resample::TanGrid;

use super::frame::{CHIP, EXPOSURE, FIELD, SCALE};

/// Magnitude of a star of 1 ADU per second.
pub const ZERO_POINT: f64 = 23.5;
/// Turn of the camera in radians, and factor of its scale.
const TURN: f64 = 0.006;
const STRETCH: f64 = 1.004;
/// Distortion of the pixels in radius squared: a pixel in the corner of a frame of 1650 pixels.
const CUBIC: f64 = 6e-10;
/// Epoch of the catalogue, Julian year.
const EPOCH: f64 = 2016.0;

/// Stars as a catalogue has them: right ascension, declination (degrees), both proper motions (mas per year), magnitude.
#[derive(Clone, Debug, Default)]
pub struct StarList(Vec<[f64; 5]>);

impl StarList {
    /// Adds the stars of another list.
    pub fn extend(&mut self, other: &StarList) {
        self.0.extend(&other.0);
    }

    /// The table that an extract of Gaia is.
    pub fn table(&self) -> Table {
        let column = |n: usize| self.0.iter().map(|s| s[n]).collect::<Vec<f64>>();
        let mut table = Table::new(Header::new(), self.0.len());
        table.push("source_id", "", (1..=self.0.len() as i64).collect::<Vec<i64>>().into());
        table.push("ra", "deg", column(0).into());
        table.push("dec", "deg", column(1).into());
        table.push("pmra", "mas/yr", column(2).into());
        table.push("pmdec", "mas/yr", column(3).into());
        table.push("phot_g_mean_mag", "mag", column(4).into());
        table.push("ref_epoch", "yr", vec![EPOCH; self.0.len()].into());
        table
    }
}

/// The stars of a field (column, row from 0, flux in ADU of an exposure) as a catalogue has them, and where they are at a time.
pub fn place(field: &[[f64; 3]], size: usize, mjd: i64) -> (StarList, Vec<[f64; 2]>) {
    let corner = ((CHIP - size) / 2 + 1) as f64;
    let (sin, cos) = TURN.sin_cos();
    let scale = SCALE * STRETCH / 3600.0;
    let tan = TanGrid {
        crval: FIELD,
        crpix: (1059.57 - corner + 1.0, 1056.95 - corner + 1.0),
        cd: [[-scale * cos, scale * sin], [scale * sin, scale * cos]],
    };
    let terms = |first: bool| match first {
        // u (u^2 + v^2) and v (u^2 + v^2), by exponents.
        true => vec![0.0, 0.0, 0.0, CUBIC, 0.0, CUBIC, 0.0],
        false => vec![0.0, 0.0, 0.0, 0.0, CUBIC, 0.0, CUBIC],
    };
    let forward = Distortion { order: 3, along_columns: terms(true), along_rows: terms(false) };
    let camera = TanSip { tan, forward: Some(forward), inverse: None };
    let years = 2000.0 + (mjd as f64 - 51544.5) / 365.25 - EPOCH;
    let (mut list, mut places) = (StarList::default(), Vec::new());
    for (n, [x, y, flux]) in field.iter().enumerate() {
        let (ra, dec) = camera.to_sky(*x, *y);
        // Up to 25 mas per year in directions all around.
        let (speed, angle) = (25.0 * (0.5 + 0.5 * (7.0 * n as f64).sin()), 2.4 * n as f64);
        let (east, north) = (speed * angle.cos(), speed * angle.sin());
        let at_epoch = (ra - east * years / 3.6e6 / dec.to_radians().cos(), dec - north * years / 3.6e6);
        list.0.push([at_epoch.0, at_epoch.1, east, north, ZERO_POINT - 2.5 * (flux / EXPOSURE).log10()]);
        places.push([ra, dec]);
    }
    (list, places)
}
