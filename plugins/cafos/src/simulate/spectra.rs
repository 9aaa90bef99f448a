//! The simulated long-slit spectrograph: arcs, and spectra of a star of known flux and of a standard.
//!
//! The dispersion runs along axis 2 with falling wavelengths, as in CAFOS. Every size of frame sees the same wavelengths, so that the pixels of larger frames
//! are finer. Lines are tilted and bent along the slit, objects run aslant, and each exposure lies a little beside the arc (flexure). Counts
//! are those of a flux above the atmosphere, dimmed by the extinction of La Palma, through a smooth response.

use ifured_pixels::spectrum::flexure::sky_lines;
use ifured_pixels::spectrum::standards::{Standard, extinction, extinction_la_palma};
use ifured_pixels::spectrum::{air, standards};
use ndarray::Array2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::lamps;

/// Wavelength in Angstrom by powers of the place along the dispersion, -1 to 1: centre, dispersion, and how it changes. Either end has a line that
/// stands alone: nobody could name one of a pair there.
const DISPERSION: [f64; 4] = [5750.0, -1180.0, 30.0, 6.0];
/// By how much lines are tilted and bent along the slit, in half frames at its end.
const TILT: [f64; 2] = [0.008, 0.004];
/// The same of objects along the dispersion.
const TRACE: [f64; 2] = [0.012, 0.006];
/// Full width at half maximum of lines in pixels, that of the pixel in it.
const LINE_WIDTH: f64 = 2.2;
/// Full width at half maximum over standard deviation of a Gaussian.
const FWHM_OF_SIGMA: f64 = 2.354_820_045;
/// The lamps that are on.
const LAMPS: [&str; 3] = ["HGCD", "HE", "RB"];
/// Heights of the strong lines of the lamps in ADU, by the full Angstroms of their wavelength.
const STRONG: &[(i64, f64)] = &[
    (4678, 6000.0),
    (4713, 500.0),
    (4799, 9000.0),
    (4921, 900.0),
    (5015, 4500.0),
    (5085, 14_000.0),
    (5460, 24_000.0),
    (5769, 8000.0),
    (5790, 9000.0),
    (5875, 18_000.0),
    (6298, 400.0),
    (6438, 12_000.0),
    (6678, 8000.0),
    (6907, 900.0),
];
/// Height of the others.
const WEAK: f64 = 150.0;
/// Light of the lamps that is in no line, ADU.
const STRAY: f64 = 30.0;
/// Sky in ADU per second: by Angstrom, and in a line of relative intensity 1.
const SKY: [f64; 2] = [0.012, 0.07];
/// The standard star.
pub const STANDARD: &str = "Feige 66";

/// What is in a spectroscopic frame.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TrueSpectrum {
    /// Night.
    pub night: String,
    /// File.
    pub file: String,
    /// By how many pixels the light lies beyond where that of the arc lies.
    pub flexure: f64,
    /// Places all over the frame, column and row from 0, and their wavelength in air, Angstrom.
    pub wavelengths: Vec<[f64; 3]>,
    /// The object in each row, from row 0: column of its middle (from 0), wavelength there (air, Angstrom), counts in ADU, flux above the
    /// atmosphere in erg/s/cm2/Angstrom. Nothing in an arc.
    pub object: Vec<[f64; 4]>,
}

/// Flux in erg/s/cm2/Angstrom of one ADU per second and Angstrom above the atmosphere.
pub fn response(wavelength: f64) -> f64 {
    9e-16 * (1.0 + ((wavelength - 6000.0) / 1500.0).powi(2))
}

/// A star on the slit.
pub struct Star {
    /// Exposure time in seconds.
    pub exposure: f64,
    /// Air mass.
    pub air_mass: f64,
    /// Where it is on the slit, from 0 to 1.
    pub place: f64,
    /// Wavelengths and fluxes above the atmosphere, Angstrom and erg/s/cm2/Angstrom.
    flux: Vec<(f64, f64)>,
}

impl Star {
    /// A star of a smooth spectrum.
    pub fn target(exposure: f64, air_mass: f64) -> Self {
        let flux = |w: f64| 4e-15 * (w / 5850.0).powf(-1.5) * (1.0 + 0.1 * (w / 250.0).sin());
        let wavelengths = (440..=740).map(|k| 10.0 * f64::from(k));
        Star { exposure, air_mass, place: 0.52, flux: wavelengths.map(|w| (w, flux(w))).collect() }
    }

    /// A standard star.
    pub fn standard(standard: &Standard, exposure: f64, air_mass: f64) -> Self {
        Star { exposure, air_mass, place: 0.46, flux: standard.fluxes() }
    }

    /// Flux at a wavelength, seen by a spectrograph whose lines have this standard deviation.
    fn at(&self, wavelength: f64, sigma: f64) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for k in -9..=9 {
            let t = f64::from(k) / 3.0;
            let weight = (-0.5 * t * t).exp();
            sum += weight * between(&self.flux, wavelength + t * sigma);
            weights += weight;
        }
        sum / weights
    }
}

/// Straight lines between the points of a table that reaches far enough.
fn between(table: &[(f64, f64)], x: f64) -> f64 {
    let k = table.partition_point(|(w, _)| *w <= x).clamp(1, table.len() - 1);
    let ((a, ya), (b, yb)) = (table[k - 1], table[k]);
    ya + (yb - ya) * (x - a) / (b - a)
}

/// The standard in the night.
pub fn standard() -> Option<&'static Standard> {
    standards::named(STANDARD)
}

/// The spectrograph before a detector of so many pixels along each axis.
pub struct Spectrograph {
    /// Pixels along each axis.
    pub size: usize,
}

impl Spectrograph {
    fn unit(&self, pixel: f64) -> f64 {
        let half = 0.5 * self.size as f64;
        (pixel + 0.5 - half) / half
    }

    fn pixel(&self, unit: f64) -> f64 {
        let half = 0.5 * self.size as f64;
        unit * half + half - 0.5
    }

    fn tilt(&self, column: f64) -> f64 {
        let s = self.unit(column);
        TILT[0] * s + TILT[1] * s * s
    }

    /// Wavelength in air of a place (from 0), Angstrom.
    pub fn wavelength(&self, column: f64, row: f64) -> f64 {
        polynomial(self.unit(row) + self.tilt(column))
    }

    /// Angstrom per pixel.
    fn step(&self, column: f64, row: f64) -> f64 {
        self.wavelength(column, row - 0.5) - self.wavelength(column, row + 0.5)
    }

    /// Where objects run: column at a row.
    fn trace(&self, place: f64, row: f64) -> f64 {
        let t = self.unit(row);
        place * self.size as f64 + 0.5 * self.size as f64 * (TRACE[0] * t + TRACE[1] * t * t)
    }

    /// An emission line all along the slit.
    fn add_line(&self, image: &mut Array2<f32>, wavelength: f64, height: f64, flexure: f64) {
        let sigma = LINE_WIDTH / FWHM_OF_SIGMA;
        let place = inverse(wavelength);
        for column in 0..self.size {
            let middle = self.pixel(place - self.tilt(column as f64)) + flexure;
            let (from, to) = ((middle - 6.0 * sigma).ceil().max(0.0), (middle + 6.0 * sigma).floor().min(self.size as f64 - 1.0));
            let mut row = from;
            while row <= to {
                let t = (row - middle) / sigma;
                image[[row as usize, column]] += (height * (-0.5 * t * t).exp()) as f32;
                row += 1.0;
            }
        }
    }

    /// The light of the lamps in ADU, and where which wavelength is.
    pub fn arc(&self) -> (Array2<f32>, TrueSpectrum) {
        let mut image = Array2::from_elem((self.size, self.size), STRAY as f32);
        for wavelength in lamps::lines_of(&LAMPS.map(String::from)) {
            let strong = STRONG.iter().find(|(w, _)| *w == wavelength as i64);
            self.add_line(&mut image, wavelength, strong.map_or(WEAK, |s| s.1), 0.0);
        }
        (image, TrueSpectrum { wavelengths: self.wavelengths(0.0), ..TrueSpectrum::default() })
    }

    /// A star and the sky in ADU, and what is where.
    pub fn expose(&self, star: &Star, rng: &mut ChaCha8Rng) -> (Array2<f32>, TrueSpectrum) {
        let flexure = rng.random_range(0.3..1.2) * if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let seeing = rng.random_range(2.9..3.5);
        let mut image = self.sky(star.exposure, flexure);
        let object = self.add_star(&mut image, star, seeing, flexure);
        (image, TrueSpectrum { flexure, wavelengths: self.wavelengths(flexure), object, ..TrueSpectrum::default() })
    }

    fn sky(&self, exposure: f64, flexure: f64) -> Array2<f32> {
        let [continuum, line] = SKY.map(|s| s * exposure);
        let mut image = Array2::from_shape_fn((self.size, self.size), |(y, x)| (continuum * self.step(x as f64, y as f64)) as f32);
        for (vacuum, intensity) in sky_lines() {
            let height = line * intensity / (LINE_WIDTH / FWHM_OF_SIGMA * (2.0 * std::f64::consts::PI).sqrt());
            self.add_line(&mut image, air::to_air(vacuum), height, flexure);
        }
        // The slit is a little wider at one end.
        image.indexed_iter_mut().for_each(|((_, x), v)| *v *= 1.0 + 0.02 * self.unit(x as f64) as f32);
        image
    }

    fn add_star(&self, image: &mut Array2<f32>, star: &Star, seeing: f64, flexure: f64) -> Vec<[f64; 4]> {
        let table = extinction_la_palma();
        let sigma = seeing / FWHM_OF_SIGMA;
        let mut truth = Vec::with_capacity(self.size);
        for row in 0..self.size {
            let middle = self.trace(star.place, row as f64);
            let (wavelength, step) = (self.wavelength(middle, row as f64 - flexure), self.step(middle, row as f64 - flexure));
            let flux = star.at(wavelength, step * LINE_WIDTH / FWHM_OF_SIGMA);
            let left = 10f64.powf(-0.4 * extinction(&table, wavelength) * star.air_mass);
            let counts = flux * left / response(wavelength) * star.exposure * step;
            for column in 0..self.size {
                let t = (column as f64 - middle) / sigma;
                image[[row, column]] += (counts / (sigma * (2.0 * std::f64::consts::PI).sqrt()) * (-0.5 * t * t).exp()) as f32;
            }
            truth.push([middle, wavelength, counts, flux]);
        }
        truth
    }

    /// Wavelengths of 9 by 9 places, from one edge to the other.
    fn wavelengths(&self, flexure: f64) -> Vec<[f64; 3]> {
        let place = |k: usize| (k * (self.size - 1) / 8) as f64;
        let of = |(x, y): (f64, f64)| [x, y, self.wavelength(x, y - flexure)];
        (0..81).map(|k| of((place(k % 9), place(k / 9)))).collect()
    }
}

fn polynomial(t: f64) -> f64 {
    DISPERSION.iter().rev().fold(0.0, |sum, c| sum * t + c)
}

/// Place along the dispersion of a wavelength, by Newton's method: the dispersion hardly changes.
fn inverse(wavelength: f64) -> f64 {
    let slope = |t: f64| DISPERSION[1] + 2.0 * DISPERSION[2] * t + 3.0 * DISPERSION[3] * t * t;
    let start = (wavelength - DISPERSION[0]) / DISPERSION[1];
    (0..6).fold(start.clamp(-3.0, 3.0), |t, _| t - (polynomial(t) - wavelength) / slope(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lie_where_their_wavelength_is_and_no_pixel_is_saturated() {
        let spectrograph = Spectrograph { size: 256 };
        let (image, _) = spectrograph.arc();
        // Hg 5460.75 stands alone.
        let near = |x: usize, y: usize| (spectrograph.wavelength(x as f64, y as f64) - 5460.75).abs() < 60.0;
        for x in [0, 128, 255] {
            let (mut sum, mut weights) = (0.0, 0.0);
            for y in (0..256).filter(|&y| near(x, y)) {
                let light = f64::from(image[[y, x]]) - STRAY;
                sum += light * y as f64;
                weights += light;
            }
            let wavelength = spectrograph.wavelength(x as f64, sum / weights);
            assert!((wavelength - 5460.75).abs() < 0.01, "column {x}: {wavelength}");
        }
        assert!(image.iter().all(|v| *v < 30_000.0));
        let (blue, red) = (spectrograph.wavelength(128.0, 255.0), spectrograph.wavelength(128.0, 0.0));
        assert!((4550.0..4650.0).contains(&blue) && (6900.0..7000.0).contains(&red), "{blue} {red}");
    }

    #[test]
    fn the_light_of_a_star_is_all_there() {
        use rand::SeedableRng;
        let spectrograph = Spectrograph { size: 128 };
        let star = Star::target(600.0, 1.2);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (image, truth) = spectrograph.expose(&star, &mut rng);
        let sky = spectrograph.sky(600.0, truth.flexure);
        for (row, [_, wavelength, counts, _]) in truth.object.iter().enumerate() {
            let light: f64 = image.row(row).iter().zip(sky.row(row)).map(|(v, s)| f64::from(v - s)).sum();
            assert!((light / counts - 1.0).abs() < 1e-3, "row {row}, {wavelength}: {light} {counts}");
        }
    }
}
