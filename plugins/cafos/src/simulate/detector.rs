//! The simulated detector behind the simulated optics: bias structure, response, vignetting, defects, noise.

use ndarray::Array2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Poisson};

/// Electrons per ADU.
pub const GAIN: f64 = 1.45;
/// Read noise in ADU.
pub const READ_NOISE: f64 = 6.1;
/// Standard deviation of the bias level from frame to frame, in ADU.
pub const DRIFT: f64 = 0.3;
/// Largest value of the converter.
const SATURATED: f64 = 65531.0;
/// The dome screen is brighter on one side by this fraction of the mean at the edge of the frame.
const DOME_TILT: f32 = 0.03;

/// Detector and optics. Arrays have the shape (size, size).
pub struct Detector {
    /// Pixels along each axis.
    pub size: usize,
    /// Bias without its level, in ADU.
    pub bias_structure: Array2<f32>,
    /// Response of the pixels alone.
    pub pixel: Array2<f32>,
    /// Response to the sky: pixels, optics, vignetting; median 1 in the useful field.
    pub response: Array2<f32>,
    /// 1 in the fully lit field.
    pub useful: Array2<u8>,
    /// 1 weak, 2 hot, 3 dead.
    pub defects: Array2<u8>,
}

impl Detector {
    /// A detector of so many pixels along each axis.
    pub fn new(size: usize, rng: &mut ChaCha8Rng) -> Self {
        let n = size as f32;
        let shape = (size, size);
        let unit = |p: usize| 2.0 * p as f32 / (n - 1.0) - 1.0;
        let gauss = Normal::new(0.0_f32, 1.0).unwrap_or_else(|_| unreachable!("a width of 1 is legal"));
        let mut defects = Array2::zeros(shape);
        let mut place = |count: usize, kind: u8, rng: &mut ChaCha8Rng| {
            for _ in 0..count.max(3) {
                defects[[rng.random_range(0..size), rng.random_range(0..size)]] = kind;
            }
        };
        let pixels = size * size;
        place(pixels / 5000, 1, rng);
        place(pixels / 10_000, 2, rng);
        place(4, 3, rng);
        let columns: Vec<f32> = (0..size).map(|_| 1.5 * gauss.sample(rng)).collect();
        let rows: Vec<f32> = (0..size).map(|_| 0.5 * gauss.sample(rng)).collect();
        let bias_structure = Array2::from_shape_fn(shape, |(y, x)| {
            let smooth = 2.0 * unit(x) * unit(y) + 1.5 * unit(y).powi(2);
            smooth + columns[x] + rows[y] + if defects[[y, x]] == 2 { 400.0 } else { 0.0 }
        });
        let pixel = Array2::from_shape_fn(shape, |(y, x)| match defects[[y, x]] {
            1 => rng.random_range(0.2..0.4),
            3 => 0.0,
            _ => 1.0 + 0.008 * gauss.sample(rng),
        });
        let (radius, edge) = (0.5487 * n, 0.012 * n);
        let distance = |y: usize, x: usize| (x as f32 - (n - 1.0) / 2.0).hypot(y as f32 - (n - 1.0) / 2.0);
        let useful = Array2::from_shape_fn(shape, |(y, x)| u8::from(distance(y, x) < radius - 1.5 * edge));
        let mut response = Array2::from_shape_fn(shape, |(y, x)| {
            let optics = 1.0 + 0.04 * unit(x) * unit(y) - 0.03 * unit(y).powi(2);
            let vignetting = 1.0 / (1.0 + ((distance(y, x) - radius) / (edge / 4.0)).exp());
            pixel[[y, x]] * optics * vignetting.max(1e-4)
        });
        normalise(&mut response, &useful);
        Detector { size, bias_structure, pixel, response, useful, defects }
    }

    /// Response to the dome screen, median 1 in the useful field.
    pub fn dome_flat(&self) -> Array2<f32> {
        let half = self.size as f32 / 2.0;
        let mut dome = self.response.clone();
        dome.indexed_iter_mut().for_each(|((_, x), v)| *v *= 1.0 + DOME_TILT * (x as f32 - half) / half);
        normalise(&mut dome, &self.useful);
        dome
    }

    /// A raw frame: signal in ADU above the bias, without noise, to what the converter gives.
    pub fn expose(&self, bias: &Array2<f32>, signal: Option<&Array2<f32>>, rng: &mut ChaCha8Rng) -> Array2<u16> {
        let normal = |width: f64| Normal::new(0.0, width).unwrap_or_else(|_| unreachable!("positive widths are legal"));
        let (read, drift) = (normal(READ_NOISE), normal(DRIFT).sample(rng));
        Array2::from_shape_fn(bias.dim(), |at| {
            let electrons = signal.map_or(0.0, |s| f64::from(s[at]) * GAIN);
            let detected = match Poisson::new(electrons) {
                Ok(photons) if electrons > 0.0 => photons.sample(rng),
                _ => 0.0,
            };
            let value = f64::from(bias[at]) + drift + detected / GAIN + read.sample(rng);
            value.round().clamp(0.0, SATURATED) as u16
        })
    }
}

fn normalise(response: &mut Array2<f32>, useful: &Array2<u8>) {
    let inside: Vec<f32> = response.iter().zip(useful).filter(|(_, u)| **u == 1).map(|(v, _)| *v).collect();
    let level = ifured_pixels::statistics::median(&inside) as f32;
    response.mapv_inplace(|v| v / level);
}
