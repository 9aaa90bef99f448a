//! The table `STOKES`: one row for each source with two images.

use ifured_core::{Figure, Header};
use ifured_pixels::fits::Table;
use ifured_pixels::polarimetry::{Debias, Degree, Polarisation};

use super::stars::Star;
use super::{Measured, grid};

/// From what is measured to what is on the sky.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calibration {
    /// What telescope and instrument add, in the frame of the half-wave plate.
    pub instrumental: Option<Polarisation>,
    /// Position angle of the zero of the measured angles, degrees.
    pub rotation: f64,
    /// Position angle of the columns of the detector, degrees.
    pub columns: f64,
    /// How the bias of the degree is removed.
    pub debias: Debias,
}

impl Calibration {
    /// The polarisation on the sky.
    pub fn apply(&self, measured: &Polarisation) -> Polarisation {
        let clean = self.instrumental.map_or(*measured, |i| measured.minus(&i));
        clean.rotated(self.rotation)
    }
}

/// The table with its figures.
pub fn stokes_table(measured: &Measured, calibration: &Calibration) -> Table {
    let stars = &measured.stars.stars;
    let mut header = Header::new();
    header.set("EXTNAME", "STOKES", "");
    header.set("IFURED POL ROTATION", calibration.rotation, "[deg] added to the measured angles");
    header.set("IFURED POL APERTURE", measured.stars.radius, "[pixel] radius of the apertures");
    for (bit, what) in ["neighbour", "saturated", "cosmic ray", "defect", "few angles", "poor fit"].iter().enumerate() {
        header.set(&format!("IFURED POL FLAG{}", 1 << bit), *what, "meaning of this bit of FLAG");
    }
    for figure in figures() {
        figure.write(&mut header);
    }
    let mut table = Table::new(header, stars.len());
    push_places(&mut table, measured);
    let column = |f: &dyn Fn(&Star) -> f64| stars.iter().map(f).collect::<Vec<f64>>();
    table.push("FLUX", "adu", column(&|s| s.flux.0).into());
    table.push("FLUX_ERR", "adu", column(&|s| s.flux.1).into());
    table.push("SNR", "", column(&|s| s.flux.0 / s.flux.1).into());
    push_polarisation(&mut table, stars, calibration);
    let fitted = |f: &dyn Fn(&ifured_pixels::polarimetry::FittedStokes) -> f64| column(&|s| s.stokes.as_ref().map_or(f64::NAN, f));
    table.push("CHI2", "", fitted(&|s| s.chi2).into());
    table.push("DOF", "", stars.iter().map(|s| s.stokes.map_or(0, |f| f.degrees_of_freedom as i32)).collect::<Vec<i32>>().into());
    table.push("GAIN_RATIO", "", fitted(&|s| s.gain_ratio).into());
    table.push("GAIN_RATIO_ERR", "", fitted(&|s| s.gain_ratio_error).into());
    table.push("FLAG", "", stars.iter().map(|s| s.flags).collect::<Vec<i32>>().into());
    table.push("USED", "", stars.iter().map(Star::is_used).collect::<Vec<bool>>().into());
    table
}

/// Places on the sky and on the detector; pixels count from 1.
fn push_places(table: &mut Table, measured: &Measured) {
    let stars = &measured.stars.stars;
    if let Some(grid) = grid(&measured.field) {
        let (ra, dec): (Vec<f64>, Vec<f64>) = stars.iter().map(|s| grid.to_sky(s.ordinary.0, s.ordinary.1)).unzip();
        table.push("RA", "deg", ra.into());
        table.push("DEC", "deg", dec.into());
    }
    let column = |f: &dyn Fn(&Star) -> f64| stars.iter().map(|s| f(s) + 1.0).collect::<Vec<f64>>();
    table.push("X", "pixel", column(&|s| s.ordinary.0).into());
    table.push("Y", "pixel", column(&|s| s.ordinary.1).into());
    table.push("X_EXTRAORDINARY", "pixel", column(&|s| s.extraordinary.0).into());
    table.push("Y_EXTRAORDINARY", "pixel", column(&|s| s.extraordinary.1).into());
}

fn push_polarisation(table: &mut Table, stars: &[Star], calibration: &Calibration) {
    let lights: Vec<Option<(Polarisation, Degree)>> = stars
        .iter()
        .map(|s| {
            let light = calibration.apply(&s.stokes.as_ref()?.polarisation);
            Some((light, light.degree(calibration.debias)))
        })
        .collect();
    let light = |f: &dyn Fn(&Polarisation) -> f64| lights.iter().map(|l| l.as_ref().map_or(f64::NAN, |l| f(&l.0))).collect::<Vec<f64>>();
    table.push("Q", "", light(&|l| l.q).into());
    table.push("Q_ERR", "", light(&|l| l.q_error()).into());
    table.push("U", "", light(&|l| l.u).into());
    table.push("U_ERR", "", light(&|l| l.u_error()).into());
    table.push("QU_COVARIANCE", "", light(&|l| l.covariance[0][1]).into());
    let degree = |f: &dyn Fn(&Degree) -> f64| lights.iter().map(|l| l.as_ref().map_or(f64::NAN, |l| f(&l.1))).collect::<Vec<f64>>();
    table.push("P", "", degree(&|d| d.p).into());
    table.push("P_ERR", "", degree(&|d| d.error).into());
    table.push("P_DEBIASED", "", degree(&|d| d.debiased).into());
    table.push("THETA", "deg", degree(&|d| d.theta).into());
    table.push("THETA_ERR", "deg", degree(&|d| d.theta_error).into());
    table.push("CHANCE", "", degree(&|d| d.chance).into());
    // As an arrow on the detector: position angles grow from the columns to the left.
    let on_detector = |d: &Degree| (d.theta - calibration.columns).to_radians();
    table.push("P_X", "", degree(&|d| -d.debiased * on_detector(d).sin()).into());
    table.push("P_Y", "", degree(&|d| d.debiased * on_detector(d).cos()).into());
}

fn figures() -> [Figure; 3] {
    [
        Figure::new("Polarisation over the field", "X").arrows("Y", "P_X", "P_Y").used("USED"),
        Figure::new("U against Q", "Q").points("U").error("U_ERR").used("USED"),
        Figure::new("Degree of polarisation against signal to noise", "SNR").points("P_DEBIASED").error("P_ERR").used("USED"),
    ]
}
