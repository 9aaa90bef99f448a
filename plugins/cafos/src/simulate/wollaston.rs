//! Simulated sequences through the Wollaston prism: a field of stars of known polarisation, and a standard.
//!
//! Each star has an ordinary and an extraordinary image, apart by one vector. Light is modulated by the half-wave plate, telescope and instrument add their own
//! polarisation, one beam is brighter than the other, the sky is polarised, and seeing, pointing and transparency change from frame to frame.

use ndarray::Array2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::add_star_of;
use crate::polarimetry::standards::Standard;

/// Angles of the half-wave plate, degrees.
pub const ANGLES: [f64; 4] = [0.0, 22.5, 45.0, 67.5];
/// From the ordinary to the extraordinary image, in pixels.
pub const SEPARATION: [f64; 2] = [1.7, 35.4];
/// Response of the ordinary beam divided by that of the extraordinary one.
pub const GAIN_RATIO: f64 = 1.06;
/// Stokes parameters that telescope and instrument add.
const INSTRUMENTAL: [f64; 2] = [0.0031, -0.0018];
/// Those of the sky.
const SKY: [f64; 2] = [0.05, 0.08];
/// The standard in the night.
const STANDARD: &str = "BD+28 4211";

/// What is in a sequence.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TruePolarisation {
    /// Night.
    pub night: String,
    /// File of the first frame.
    pub file: String,
    /// From the ordinary to the extraordinary image, in pixels.
    pub separation: [f64; 2],
    /// Response of the ordinary beam divided by that of the extraordinary one.
    pub gain_ratio: f64,
    /// Stokes parameters that telescope and instrument add.
    pub instrumental: [f64; 2],
    /// Stars of the first frame: column and row (from 0) of the ordinary image, flux in ADU of both images together, q and u of the star itself.
    pub stars: Vec<[f64; 5]>,
}

/// A field, before it is observed.
pub struct Target {
    /// Name.
    pub object: &'static str,
    /// J2000 degrees.
    pub place: (f64, f64),
    stars: Vec<[f64; 5]>,
}

impl Target {
    /// A field of stars, each with its own polarisation of up to 10 %. Each stands alone with both of its images.
    pub fn field(size: usize, place: (f64, f64), rng: &mut ChaCha8Rng) -> Self {
        let n = size as f64;
        let mut stars: Vec<[f64; 5]> = Vec::new();
        for _ in 0..20 * size {
            let star = random_star(n, 10f64.powf(rng.random_range(4.3..5.6)), rng);
            if stars.len() < size * size / 5000 && stars.iter().all(|other| apart(&star, other)) {
                stars.push(star);
            }
        }
        Target { object: "Dark cloud pol R", place, stars }
    }

    /// The standard star in the middle, with faint stars around it.
    pub fn standard(size: usize, rng: &mut ChaCha8Rng) -> Option<Self> {
        let standard = Standard::named(STANDARD)?;
        let middle = 0.5 * size as f64;
        let mut stars = vec![[middle + 3.3, middle - 15.2, 9e5, 0.0, 0.0]];
        for _ in 0..200 {
            let star = random_star(size as f64, 10f64.powf(rng.random_range(4.0..4.6)), rng);
            if stars.len() < 5 && stars.iter().all(|other| apart(&star, other)) {
                stars.push(star);
            }
        }
        Some(Target { object: STANDARD, place: standard.place, stars })
    }

    /// One exposure: the scene in ADU above the bias before the response of the detector, the level of its sky, and the stars where they are.
    pub fn expose(&self, size: usize, angle: f64, shift: (f64, f64), rng: &mut ChaCha8Rng) -> (Array2<f32>, f64, Vec<[f64; 5]>) {
        let (transparency, fwhm) = (rng.random_range(0.75..1.0), rng.random_range(2.8..3.3));
        let (sin, cos) = (4.0 * angle).to_radians().sin_cos();
        let beams = |q: f64, u: f64| {
            let m = q * cos + u * sin;
            let ordinary = 2.0 * GAIN_RATIO / (1.0 + GAIN_RATIO);
            (0.5 * ordinary * (1.0 + m), 0.5 * (2.0 - ordinary) * (1.0 - m))
        };
        let (sky_o, sky_e) = beams(SKY[0], SKY[1]);
        let sky = 350.0 * (sky_o + sky_e);
        let mut scene = Array2::from_elem((size, size), sky as f32);
        let moved: Vec<[f64; 5]> = self.stars.iter().map(|s| [s[0] + shift.0, s[1] + shift.1, s[2], s[3], s[4]]).collect();
        for [x, y, flux, q, u] in &moved {
            let (o, e) = beams(q + INSTRUMENTAL[0], u + INSTRUMENTAL[1]);
            add_star_of(&mut scene, [*x, *y, transparency * flux * o], fwhm);
            add_star_of(&mut scene, [x + SEPARATION[0], y + SEPARATION[1], transparency * flux * e], fwhm);
        }
        (scene, sky, moved)
    }

    /// What is in it, for the truth.
    pub fn truth(&self, night: &str, file: &str, stars: Vec<[f64; 5]>) -> TruePolarisation {
        TruePolarisation {
            night: night.to_owned(),
            file: file.to_owned(),
            separation: SEPARATION,
            gain_ratio: GAIN_RATIO,
            instrumental: INSTRUMENTAL,
            stars,
        }
    }
}

/// A star both of whose images are in the field.
fn random_star(n: f64, flux: f64, rng: &mut ChaCha8Rng) -> [f64; 5] {
    let edge = 0.08 * n;
    let (x, y) = (rng.random_range(edge..n - edge), rng.random_range(edge..(n - edge - SEPARATION[1]).max(edge + 1.0)));
    let (p, angle) = (rng.random_range(0.0..0.1), rng.random_range(0.0..std::f64::consts::PI));
    [x, y, flux, p * (2.0 * angle).cos(), p * (2.0 * angle).sin()]
}

/// Whether the images of two stars are so far apart that neither is in the aperture or the sky of the other.
fn apart(a: &[f64; 5], b: &[f64; 5]) -> bool {
    [-1.0, 0.0, 1.0].iter().all(|k| (a[0] - b[0] - k * SEPARATION[0]).hypot(a[1] - b[1] - k * SEPARATION[1]) > 17.0)
}
