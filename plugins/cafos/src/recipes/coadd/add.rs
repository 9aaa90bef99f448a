//! The sum itself, band by band of rows.

use std::ops::Range;

use ifured_core::{Host, RecipeError};
use ifured_pixels::combine::samples::{self, Sample};
use ifured_pixels::fits::ImageBands;
use ifured_pixels::resample::{ResampleOptions, SmoothMap, resample};
use ifured_pixels::{Image, quality};
use ndarray::Array2;

use super::grid::Grid;
use super::layer::Placed;
use super::{Parameters, Weighting};
use crate::stars;

const UNUSABLE: u32 = stars::UNUSABLE | stars::SATURATED | quality::COSMIC_RAY;
/// A band has at least so many rows: its margins are read twice.
const LEAST_ROWS: usize = 48;
/// Bytes for the bands of all images.
const BAND_BYTES: usize = 32 << 20;
/// Starlight reaches this many FWHM, and at most so many pixels.
const NEARBY: (f64, f64) = (1.0, 8.0);

/// What was added.
pub struct Sum {
    pub image: Image,
    /// Usable samples, and those of them that were left out as outliers.
    pub samples: usize,
    pub rejected: usize,
}

/// The weight of each image: of single pixels, or of stars.
pub fn weights(layers: &[Placed], weighting: Weighting) -> Vec<f64> {
    let best = layers.iter().map(|p| p.layer.fwhm).fold(f64::INFINITY, f64::min);
    let weight = |p: &Placed| {
        let noise = p.layer.noise / p.alignment.flux_ratio;
        let seeing = if p.layer.fwhm.is_nan() || weighting == Weighting::Surfaces { 1.0 } else { best / p.layer.fwhm };
        match weighting {
            Weighting::Equal => 1.0,
            _ => (seeing / noise).powi(2),
        }
    };
    let all: Vec<f64> = layers.iter().map(weight).collect();
    let total: f64 = all.iter().sum();
    all.iter().map(|w| w / total).collect()
}

/// Variance of a sum over many pixels, divided by what their variances say: interpolated neighbours share pixels.
pub fn correlation(layers: &[Placed], weights: &[f64], parameters: &Parameters) -> f64 {
    let factor = parameters.interpolation.kernel().covariance_factor();
    let (mut whole, mut single) = (0.0, 0.0);
    for (n, (placed, weight)) in layers.iter().zip(weights).enumerate() {
        let variance = (weight * placed.layer.noise / placed.alignment.flux_ratio).powi(2);
        // The first image is not interpolated, unless a distortion is taken out.
        let own = if n == 0 && placed.layer.wcs.as_ref().is_none_or(|w| w.forward.is_none()) { 1.0 } else { factor };
        whole += variance;
        single += variance / own;
    }
    whole / single
}

/// Adds all images.
pub fn add(layers: &[Placed], weights: &[f64], grid: &Grid, parameters: &Parameters, host: &dyn Host) -> Result<Sum, RecipeError> {
    let files = layers.iter().map(|p| ImageBands::open(&p.layer.path)).collect::<Result<Vec<_>, _>>()?;
    let worst = layers.iter().map(|p| p.layer.fwhm).filter(|f| f.is_finite()).fold(1.0, f64::max);
    let margin = (NEARBY.0 * worst).min(NEARBY.1).ceil() as usize;
    let mut sum = Sum { image: Image::new(Array2::from_elem(grid.shape, f32::NAN), f32::NAN), samples: 0, rejected: 0 };
    let (rows, columns) = grid.shape;
    let height = (BAND_BYTES / (12 * columns.max(1) * layers.len())).clamp(LEAST_ROWS, rows.max(LEAST_ROWS));
    let mut samples = Vec::with_capacity(layers.len());
    for start in (0..rows).step_by(height) {
        host.progress(0.5 + 0.4 * start as f64 / rows as f64, "adding");
        let band = start..(start + height).min(rows);
        let wide = start.saturating_sub(margin)..(band.end + margin).min(rows);
        let tolerances = tolerances(layers, parameters);
        let part = |n: usize| Part::read(&layers[n], &files[n], grid, &wide, (weights[n], tolerances[n]), parameters);
        let parts = (0..layers.len()).map(part).collect::<Result<Vec<_>, _>>()?;
        let gather = |at: [usize; 2], samples: &mut Vec<Sample>| {
            samples.clear();
            samples.extend(parts.iter().filter_map(|p| p.sample(at)));
            samples::centre(samples)
        };
        let centres = Array2::from_shape_fn((wide.len(), columns), |(y, x)| gather([y, x], &mut samples).unwrap_or(f32::NEG_INFINITY));
        let light = largest_nearby(&centres, margin);
        for y in band {
            for x in 0..columns {
                let at = [y - wide.start, x];
                let Some(centre) = gather(at, &mut samples) else { continue };
                let found = samples::combine(&samples, centre, parameters.clip_sigma as f32, light[at]);
                sum.samples += samples.len();
                sum.rejected += samples.len() - found.kept;
                let at = [y, x];
                (sum.image.data[at], sum.image.variance[at], sum.image.quality[at]) = (found.value, found.variance, 0);
            }
        }
    }
    Ok(sum)
}

/// By which fraction of the light nearby a sample of each image may be off: that of the parameters, and what the seeing changes.
fn tolerances(layers: &[Placed], parameters: &Parameters) -> Vec<f64> {
    let mut widths: Vec<f64> = layers.iter().map(|p| p.layer.fwhm).filter(|f| f.is_finite()).collect();
    widths.sort_by(f64::total_cmp);
    let middle = widths.get(widths.len() / 2).copied().unwrap_or(f64::NAN);
    // Peaks go with the square of the width; the interpolation softens them too.
    let change = |fwhm: f64| if fwhm.is_finite() { (1.0 - (middle / fwhm).powi(2)).abs() } else { 0.0 };
    layers.iter().map(|p| parameters.clip_tolerance + change(p.layer.fwhm)).collect()
}

/// The largest value within a square of that half side.
fn largest_nearby(values: &Array2<f32>, reach: usize) -> Array2<f32> {
    let (rows, columns) = values.dim();
    let along = Array2::from_shape_fn((rows, columns), |(y, x)| {
        let range = x.saturating_sub(reach)..(x + reach + 1).min(columns);
        range.map(|u| values[[y, u]]).fold(f32::NEG_INFINITY, f32::max)
    });
    Array2::from_shape_fn((rows, columns), |(y, x)| {
        let range = y.saturating_sub(reach)..(y + reach + 1).min(rows);
        range.map(|v| along[[v, x]]).fold(f32::NEG_INFINITY, f32::max)
    })
}

/// An image on a band of the grid.
struct Part {
    image: Image,
    level: f32,
    scale: f32,
    weight: f32,
    tolerance: f32,
}

impl Part {
    fn read(
        placed: &Placed,
        file: &ImageBands,
        grid: &Grid,
        band: &Range<usize>,
        (weight, tolerance): (f64, f64),
        parameters: &Parameters,
    ) -> Result<Self, RecipeError> {
        let shape = (band.len(), grid.shape.1);
        let map = SmoothMap::new(shape, |x, y| grid.in_layer(placed, x, y + band.start as f64));
        let (low, high) = map.rows().unwrap_or((0.0, -1.0));
        let limit = |v: f64| v.clamp(0.0, placed.layer.shape.0 as f64) as usize;
        let rows = limit(low.floor() - 4.0)..limit(high.ceil() + 5.0);
        let first = rows.start as f64;
        let image = file.read_rows(rows.start..rows.end.max(rows.start))?;
        // A pixel of the sum comes from pixels that are all usable: what is missing in one image others have.
        let kernel = parameters.interpolation.kernel();
        let options = ResampleOptions { kernel, conserve_flux: false, exclude: UNUSABLE, least_weight: 0.999 };
        let place = |x: f64, y: f64| {
            let (u, v) = map.at(x, y);
            (u, v - first)
        };
        let image = resample(&image, shape, place, &options);
        let scale = (1.0 / placed.alignment.flux_ratio) as f32;
        Ok(Part { image, level: placed.layer.level as f32, scale, weight: weight as f32, tolerance: tolerance as f32 })
    }

    /// The image at a pixel of the band, sky subtracted and scaled; `None` where it has no usable pixels.
    fn sample(&self, at: [usize; 2]) -> Option<Sample> {
        let value = self.image.data[at];
        let sample = Sample {
            value: (value - self.level) * self.scale,
            variance: self.image.variance[at] * self.scale * self.scale,
            weight: self.weight,
            tolerance: self.tolerance,
        };
        value.is_finite().then_some(sample)
    }
}
