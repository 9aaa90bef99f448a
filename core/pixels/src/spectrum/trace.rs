//! Where an object runs along the dispersion.
//!
//! The frame is cut into blocks along the dispersion; in each the object is placed by a Gaussian, starting from where it was in the block
//! before, from the brightest block outwards. A polynomial goes through the places.

use std::ops::Range;

use super::lines::{Spectrum, fit_line};
use super::objects::SlitObject;
use crate::fit::{Basis, FitOptions, Polynomial, fit_polynomial};
use crate::statistics::SigmaClip;

/// A place of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TracePoint {
    /// Middle of the block along the dispersion, pixels from 0.
    pub x: f64,
    /// Centre along the slit, pixels from 0.
    pub centre: f64,
    /// Its standard error.
    pub error: f64,
    /// Full width at half maximum, pixels.
    pub fwhm: f64,
    /// Whether the curve goes by it.
    pub used: bool,
}

/// The curve along which an object runs.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Centre along the slit at a pixel along the dispersion.
    pub curve: Polynomial,
    /// The places it was made of; empty where the object is too faint to be followed: the curve is then a constant.
    pub points: Vec<TracePoint>,
    /// Root mean square distance of the points used, pixels.
    pub rms: f64,
    /// Median full width at half maximum, pixels.
    pub fwhm: f64,
}

/// Numbers of blocks: a faint object is followed in fewer and longer ones.
const BLOCKS: [usize; 4] = [40, 20, 10, 6];

/// Follows an object in a sky-subtracted frame: `pixel` gives value and variance of a pixel (slit, dispersion), none where there is none.
pub fn trace(shape: (usize, usize), pixel: impl Fn(usize, usize) -> Option<(f64, f64)>, object: &SlitObject, degree: usize) -> Trace {
    let tried = BLOCKS.map(|n| n.min(shape.1 / 8).max(1)).map(|blocks| (blocks, points(shape, &pixel, object, blocks)));
    let followed = tried.iter().find(|(blocks, points)| 2 * points.len() > *blocks);
    let longest = || tried.iter().max_by_key(|(_, points)| points.len());
    let points = followed.or_else(longest).map(|(_, points)| points.clone()).unwrap_or_default();
    curve(points, object, degree, shape.1)
}

/// Places of an object in so many blocks along the dispersion.
fn points(
    (height, width): (usize, usize),
    pixel: &impl Fn(usize, usize) -> Option<(f64, f64)>,
    object: &SlitObject,
    blocks: usize,
) -> Vec<TracePoint> {
    let blocks: Vec<Range<usize>> = (0..blocks).map(|b| b * width / blocks..(b + 1) * width / blocks).collect();
    let spectra: Vec<Spectrum> = blocks.iter().map(|b| across(height, b.clone(), pixel)).collect();
    let place = |k: usize, expected: f64, fwhm: f64| {
        let near = (expected - 3.0 * fwhm, expected + 3.0 * fwhm);
        let line = fit_line(&spectra[k], expected, fwhm, near)?;
        let same = (line.position - expected).abs() < 0.7 * fwhm && (0.4..2.5).contains(&(line.fwhm / fwhm));
        (same && line.flux > 4.0 * line.flux_error).then_some(line)
    };
    let brightest = (0..blocks.len()).max_by(|&a, &b| {
        let flux = |k: usize| place(k, object.centre, object.fwhm).map_or(0.0, |l| l.flux / l.flux_error);
        flux(a).total_cmp(&flux(b))
    });
    let mut points: Vec<TracePoint> = Vec::new();
    let start = brightest.unwrap_or(0);
    let first = place(start, object.centre, object.fwhm);
    for up in [true, false] {
        let (mut expected, mut fwhm) = first.map_or((object.centre, object.fwhm), |l| (l.position, l.fwhm));
        let path: Vec<usize> = if up { (start..blocks.len()).collect() } else { (0..start).rev().collect() };
        for k in path {
            if let Some(line) = place(k, expected, fwhm) {
                // The error of a place is no smaller than what the shape of the profile lets one know.
                let x = 0.5 * (blocks[k].start + blocks[k].end - 1) as f64;
                points.push(TracePoint { x, centre: line.position, error: line.position_error.hypot(0.01), fwhm: line.fwhm, used: true });
                (expected, fwhm) = (line.position, 0.5 * (fwhm + line.fwhm));
            }
        }
    }
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

fn curve(mut points: Vec<TracePoint>, object: &SlitObject, degree: usize, width: usize) -> Trace {
    let constant = Polynomial { basis: Basis::Legendre, interval: (0.0, width as f64), coefficients: vec![object.centre] };
    let column = |f: fn(&TracePoint) -> f64| points.iter().map(f).collect::<Vec<f64>>();
    let variances = column(|p| p.error * p.error);
    let options = FitOptions { basis: Basis::Legendre, clip: Some(SigmaClip { low: 4.0, high: 4.0, max_iterations: 5 }) };
    let degree = degree.min(points.len().saturating_sub(1) / 2);
    match fit_polynomial(&column(|p| p.x), &column(|p| p.centre), Some(&variances), degree, &options) {
        Ok(fit) if points.len() >= 3 => {
            points.iter_mut().zip(&fit.used).for_each(|(p, u)| p.used = *u);
            let mut widths: Vec<f64> = points.iter().filter(|p| p.used).map(|p| p.fwhm).collect();
            widths.sort_by(f64::total_cmp);
            let fwhm = widths.get(widths.len() / 2).copied().unwrap_or(object.fwhm);
            Trace { curve: fit.polynomial, points, rms: fit.rms, fwhm }
        }
        _ => Trace { curve: constant, points: Vec::new(), rms: f64::NAN, fwhm: object.fwhm },
    }
}

impl Trace {
    /// Centre along the slit at a pixel along the dispersion; beyond the points by no more than the slope there says.
    pub fn at(&self, x: f64) -> f64 {
        let (low, high) = self.curve.interval;
        let (inside, step) = (x.clamp(low, high), 0.01 * (high - low).max(1.0));
        let value = self.curve.at(inside);
        if x < low {
            return value + (self.curve.at(low + step) - value) / step * (x - low);
        }
        if x > high {
            return value + (value - self.curve.at(high - step)) / step * (x - high);
        }
        value
    }
}

/// Mean over a block of the dispersion, as a spectrum along the slit.
fn across(height: usize, block: Range<usize>, pixel: &impl Fn(usize, usize) -> Option<(f64, f64)>) -> Spectrum {
    let mut spectrum = Spectrum { saturated: vec![false; height], ..Spectrum::default() };
    for y in 0..height {
        let (mut sum, mut variance, mut count) = (0.0, 0.0, 0.0);
        for (v, s) in block.clone().filter_map(|x| pixel(y, x)) {
            sum += v;
            variance += s;
            count += 1.0;
        }
        spectrum.values.push(if count > 0.0 { sum / count } else { f64::NAN });
        spectrum.variances.push(if count > 0.0 { variance / (count * count) } else { f64::NAN });
    }
    spectrum
}
