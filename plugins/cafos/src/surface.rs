//! Smooth curves and surfaces through points that may be outliers.

use ifured_pixels::fit::{FitOptions, NormalEquations, Surface, SurfaceDegree, fit_surface};
use ifured_pixels::statistics::SigmaClip;

use crate::field_mask::Blocks;

/// Passes of the rejection.
const PASSES: usize = 5;

/// A value at a place, in pixels from 0.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Column.
    pub x: f64,
    /// Row.
    pub y: f64,
    /// Value.
    pub value: f64,
}

/// The medians of blocks at their centres; NaN where a block has no pixels.
pub fn block_points(blocks: &Blocks) -> Vec<Point> {
    let half = (blocks.size as f64 - 1.0) / 2.0;
    let place = |n: usize| (n * blocks.size) as f64 + half;
    blocks.medians.indexed_iter().map(|((j, i), v)| Point { x: place(i), y: place(j), value: f64::from(*v) }).collect()
}

/// A surface of total degree `degree` through points in a frame of `shape` (rows, columns); points off by more than `clip` robust
/// standard deviations are left out. `None` unless there are twice as many points as coefficients.
pub fn fit_points(points: &[Point], shape: (usize, usize), degree: usize, clip: f64) -> Option<Surface> {
    let usable: Vec<&Point> = points.iter().filter(|p| p.value.is_finite()).collect();
    let degree = SurfaceDegree::total(degree);
    if usable.len() < 2 * degree.terms().len() {
        return None;
    }
    let [x, y, z] = [|p: &Point| p.x, |p: &Point| p.y, |p: &Point| p.value].map(|of| usable.iter().map(|p| of(p)).collect::<Vec<f64>>());
    let options = FitOptions { clip: Some(SigmaClip { low: clip, high: clip, max_iterations: PASSES }), ..FitOptions::default() };
    fit_surface(&x, &y, &z, None, (0.0, shape.1 as f64), (0.0, shape.0 as f64), degree, &options).ok().map(|fit| fit.surface)
}

/// Smooths values along a line by local parabolas (Savitzky & Golay 1964, Anal. Chem. 36, 1627) over `2 half + 1` points; NaN is bridged.
pub fn smooth(values: &[f64], half: usize) -> Vec<f64> {
    let scale = half.max(1) as f64;
    let at = |i: usize| {
        let mut parabola = NormalEquations::new(3);
        let window = i.saturating_sub(half)..(i + half + 1).min(values.len());
        for (k, value) in window.clone().zip(&values[window]).filter(|(_, v)| v.is_finite()) {
            let t = (k as f64 - i as f64) / scale;
            parabola.add(&[1.0, t, t * t], *value, 1.0);
        }
        parabola.solve().map_or(f64::NAN, |found| found.coefficients[0])
    };
    (0..values.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_comes_back_in_spite_of_outliers() {
        let truth = |x: f64, y: f64| 1.0 + 0.03 * x / 100.0 - 0.02 * (y / 80.0).powi(2) + 0.01 * x * y / 8000.0;
        let mut points: Vec<Point> = (0..80)
            .step_by(4)
            .flat_map(|y| (0..100).step_by(4).map(move |x| (f64::from(x), f64::from(y))))
            .map(|(x, y)| Point { x, y, value: truth(x, y) })
            .collect();
        points[17].value = 9.0;
        let surface = fit_points(&points, (80, 100), 3, 5.0).unwrap();
        assert!((surface.at(31.0, 47.0) - truth(31.0, 47.0)).abs() < 1e-9);
        assert!(fit_points(&points[..10], (80, 100), 3, 5.0).is_none());
    }

    #[test]
    fn parabolas_pass_through_smoothing_unchanged() {
        let line: Vec<f64> = (0..60).map(|i| 3.0 + 0.1 * f64::from(i) - 0.01 * f64::from(i * i)).collect();
        let mut gap = line.clone();
        gap[30] = f64::NAN;
        assert!(smooth(&gap, 10).iter().zip(&line).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}
