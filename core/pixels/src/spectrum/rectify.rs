//! A long-slit frame on a grid of equal steps in wavelength.
//!
//! Each row of the slit is spread over the grid by the share of each pixel that lies in each step: fluxes are kept, and the
//! variance is that of the sums. Neighbouring steps share pixels, so their errors are correlated; what is measured on single pixels is better taken from the frame
//! itself, or from an extracted spectrum.

use ndarray::{Array2, ArrayView2};

use super::slit::{SATURATED, UNUSABLE};
use crate::{Image, quality};

/// Equal steps in wavelength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WavelengthGrid {
    /// Wavelength of the middle of the first step, Angstrom.
    pub start: f64,
    /// Step, Angstrom.
    pub step: f64,
    /// Number of steps.
    pub count: usize,
}

impl WavelengthGrid {
    /// The grid that covers all wavelengths of a frame (dispersion along axis 1) in steps of its mean pixel.
    pub fn of(wavelengths: ArrayView2<f32>) -> Option<WavelengthGrid> {
        let finite = wavelengths.iter().map(|w| f64::from(*w)).filter(|w| w.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), w| (a.min(w), b.max(w)));
        let middle = wavelengths.row(wavelengths.nrows() / 2);
        let ends = f64::from(*middle.first()?) - f64::from(*middle.last()?);
        let step = ends.abs() / (middle.len().max(2) - 1) as f64;
        let count = ((high - low) / step).ceil() + 1.0;
        (step > 0.0 && count.is_finite() && count < 1e6).then_some(WavelengthGrid { start: low, step, count: count as usize })
    }
}

/// The frame on the grid. `pixel` gives value, variance and quality bits of a pixel (slit, dispersion).
pub fn rectify(wavelengths: ArrayView2<f32>, grid: &WavelengthGrid, pixel: impl Fn(usize, usize) -> (f32, f32, u32)) -> Image {
    let (height, width) = wavelengths.dim();
    let mut out = Image {
        data: Array2::from_elem((height, grid.count), f32::NAN),
        variance: Array2::from_elem((height, grid.count), f32::NAN),
        quality: Array2::from_elem((height, grid.count), quality::OUTSIDE),
    };
    let (mut sums, mut variances, mut shares) = (vec![0.0f64; grid.count], vec![0.0f64; grid.count], vec![0.0f64; grid.count]);
    let mut bits = vec![0u32; grid.count];
    for y in 0..height {
        sums.fill(0.0);
        variances.fill(0.0);
        shares.fill(0.0);
        bits.fill(0);
        let at = |x: usize| f64::from(wavelengths[[y, x]]);
        for x in 0..width {
            // Edges half way to the neighbours, in steps of the grid.
            let before = if x > 0 { 0.5 * (at(x - 1) + at(x)) } else { 1.5 * at(x) - 0.5 * at((x + 1).min(width - 1)) };
            let after = if x + 1 < width { 0.5 * (at(x) + at(x + 1)) } else { 1.5 * at(x) - 0.5 * at(x.saturating_sub(1)) };
            let place = |w: f64| (w - grid.start) / grid.step + 0.5;
            let (low, high) = (place(before.min(after)), place(before.max(after)));
            if !(high > low && high > 0.0 && low < grid.count as f64) {
                continue;
            }
            let (value, variance, q) = pixel(y, x);
            let usable = q & (UNUSABLE | quality::COSMIC_RAY_LEFT) == 0 && value.is_finite() && variance.is_finite();
            for k in (low.floor().max(0.0) as usize)..(high.ceil() as usize).min(grid.count) {
                let overlap = (high.min((k + 1) as f64) - low.max(k as f64)).max(0.0);
                // Part of the pixel that falls into the step, and part of the step that the pixel covers.
                let part = overlap / (high - low);
                if usable {
                    sums[k] += f64::from(value) * part;
                    variances[k] += f64::from(variance) * part * part;
                    shares[k] += overlap;
                    bits[k] |= q;
                } else if overlap > 0.0 {
                    bits[k] |= q & (SATURATED | UNUSABLE | quality::COSMIC_RAY_LEFT);
                }
            }
        }
        for k in 0..grid.count {
            if shares[k] > 0.5 {
                // What is missing of a step is taken to be like the rest of it.
                let scale = 1.0 / shares[k].min(1.0);
                out.data[[y, k]] = (sums[k] * scale) as f32;
                out.variance[[y, k]] = (variances[k] * scale * scale) as f32;
                out.quality[[y, k]] = bits[k];
            } else if shares[k] > 0.0 || bits[k] != 0 {
                out.quality[[y, k]] = bits[k] | quality::MISSING;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::scene;
    use super::*;
    use crate::statistics::Moments;

    #[test]
    fn fluxes_are_kept_and_lines_are_straight() {
        let scene = scene(1, 0.0);
        let grid = WavelengthGrid::of(scene.wavelengths.view()).unwrap();
        let out = rectify(scene.wavelengths.view(), &grid, |y, x| (scene.sky(y, x) as f32, 1.0, 0));
        for y in [0, 75, 149] {
            let total: f64 = (0..400).map(|x| scene.sky(y, x)).sum();
            let kept: f64 = out.data.row(y).iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).sum();
            assert!((kept / total - 1.0).abs() < 0.003, "{y}: {}", kept / total);
            let near = |k: usize| (grid.start + grid.step * k as f64 - 5577.3).abs() < 25.0;
            let (mut sum, mut weight) = (0.0, 0.0);
            for k in (0..grid.count).filter(|&k| near(k)) {
                let line = f64::from(out.data[[y, k]]) - 71.5 * (1.0 + 0.1 * (y as f64 / 149.0 - 0.5));
                sum += line * (grid.start + grid.step * k as f64);
                weight += line;
            }
            assert!((sum / weight - 5577.3).abs() < 0.15, "{y}: {}", sum / weight);
        }
    }

    #[test]
    fn the_variance_is_that_of_the_noise() {
        let mut pulls = Moments::default();
        let scene = scene(2, 0.0);
        let grid = WavelengthGrid::of(scene.wavelengths.view()).unwrap();
        let out = rectify(scene.wavelengths.view(), &grid, |y, x| (scene.data[[y, x]] - scene.sky(y, x) as f32, scene.variance[[y, x]], 0));
        for (v, s) in out.data.iter().zip(&out.variance).filter(|(v, _)| v.is_finite()) {
            pulls.push(f64::from(*v) / f64::from(*s).sqrt());
        }
        assert!((pulls.std() - 1.0).abs() < 0.03, "{}", pulls.std());
    }

    #[test]
    fn a_missing_pixel_is_said() {
        let scene = scene(2, 0.0);
        let grid = WavelengthGrid::of(scene.wavelengths.view()).unwrap();
        let dead = |x: usize| if (100..103).contains(&x) { quality::DEAD } else { 0 };
        let out = rectify(scene.wavelengths.view(), &grid, |_, x| (5.0, 1.0, dead(x)));
        let row = out.quality.row(10);
        assert!(row.iter().any(|q| q & quality::DEAD != 0 && q & quality::MISSING != 0));
        assert!(out.data.row(10).iter().all(|v| v.is_nan() || (f64::from(*v) - 5.0).abs() < 0.2));
    }
}
