//! A small long-slit frame with known sky and star.

use ndarray::Array2;
use rand::SeedableRng;
use rand_distr::{Distribution, Normal, Poisson};

use super::slit::SlitView;

pub const GAIN: f64 = 1.5;
const READ_NOISE: f64 = 4.0;
const SHAPE: (usize, usize) = (150, 400);

pub struct Scene {
    pub data: Array2<f32>,
    pub variance: Array2<f32>,
    pub quality: Array2<u32>,
    pub wavelengths: Array2<f32>,
    brightness: f64,
}

impl Scene {
    pub fn view(&self) -> SlitView<'_> {
        SlitView { data: self.data.view(), variance: self.variance.view(), quality: self.quality.view() }
    }

    /// Sky of a pixel: lines on a slope, brighter at one end of the slit.
    pub fn sky(&self, y: usize, x: usize) -> f64 {
        let wavelength = f64::from(self.wavelengths[[y, x]]);
        let line = |w: f64, height: f64| height * (-0.5 * ((wavelength - w) / 5.5).powi(2)).exp();
        let spectrum =
            60.0 + (wavelength - 5000.0) * 0.02 + line(5577.3, 500.0) + line(5890.0, 150.0) + line(6300.3, 250.0) + line(6363.8, 80.0);
        spectrum * (1.0 + 0.1 * (y as f64 / 149.0 - 0.5))
    }

    /// Flux of the star at a pixel along the dispersion, all of its profile.
    pub fn flux(&self, x: usize) -> f64 {
        self.brightness * (1.0 + 0.3 * (x as f64 / 60.0).sin())
    }

    /// Share of the star's light in a pixel: a Gaussian of 7 pixels on a bent trace.
    fn share(&self, y: usize, x: usize) -> f64 {
        let centre = 70.0 + 1.5 * (x as f64 / 200.0 - 1.0) + (x as f64 / 200.0 - 1.0).powi(2);
        let sigma = 7.0 / super::lines::FWHM_OF_SIGMA;
        (-0.5 * ((y as f64 - centre) / sigma).powi(2)).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt())
    }
}

/// A frame with photon and read noise; wavelengths fall along it, and are tilted along the slit.
pub fn scene(seed: u64, brightness: f64) -> Scene {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let wavelengths = Array2::from_shape_fn(SHAPE, |(y, x)| (6800.0 - 4.5 * x as f64 + 0.06 * y as f64) as f32);
    let empty = Array2::zeros(SHAPE);
    let mut scene = Scene { data: empty.clone(), variance: empty, quality: Array2::zeros(SHAPE), wavelengths, brightness };
    let read = Normal::new(0.0, READ_NOISE).unwrap();
    for y in 0..SHAPE.0 {
        for x in 0..SHAPE.1 {
            let light = scene.sky(y, x) + scene.flux(x) * scene.share(y, x);
            let value = Poisson::new(light * GAIN).unwrap().sample(&mut rng) / GAIN + read.sample(&mut rng);
            scene.data[[y, x]] = value as f32;
            scene.variance[[y, x]] = (READ_NOISE * READ_NOISE + value.max(0.0) / GAIN) as f32;
        }
    }
    scene
}
