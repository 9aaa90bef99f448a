//! Wavelength of every pixel of a long-slit frame.
//!
//! The slit is cut into bins along it. In the middle bin the lines are found and identified; from there each line is followed to both ends of the
//! slit, each bin starting where the bin before has it, so that a tilt of many pixels is no obstacle. All positions of all lines together
//! give the wavelength as a polynomial of two variables: weighted linear least squares on Chebyshev polynomials of the coordinates scaled to
//! -1..1. A line that is off as a whole (blended, or wrongly named) goes as a whole, single positions by clipping.

use ndarray::s;

use super::identify::{Detected, Identification, IdentifyError, Matching, identify};
use super::lines::{Line, LineSearch, Spectrum, find_lines, fit_line};
use super::slit::{SATURATED, SlitView, UNUSABLE};
use crate::fit::{Basis, FitError, FitOptions, SurfaceDegree, SurfaceFit, fit_surface};
use crate::statistics::{SigmaClip, median};

/// Choices of a solution.
#[derive(Clone, Copy, Debug)]
pub struct SolutionOptions {
    /// Which lines count.
    pub search: LineSearch,
    /// Degree along the dispersion.
    pub degree: usize,
    /// Degree along the slit.
    pub slit_degree: usize,
    /// Pixels of the slit in a bin.
    pub bin: usize,
    /// Largest mean residual of a line, in pixels.
    pub tolerance: f64,
    /// Error of a position besides that of the noise, in pixels: the profile is no Gaussian.
    pub floor: f64,
}

impl Default for SolutionOptions {
    fn default() -> Self {
        SolutionOptions { search: LineSearch::default(), degree: 5, slit_degree: 2, bin: 20, tolerance: 0.25, floor: 0.02 }
    }
}

/// A line of the solution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SolvedLine {
    /// Wavelength of the list, Angstrom.
    pub wavelength: f64,
    /// Position in the middle of the slit, pixels from 0.
    pub position: f64,
    /// Its standard error.
    pub position_error: f64,
    /// Flux there.
    pub flux: f64,
    /// Wavelength of the list minus that of the solution, weighted mean along the slit, Angstrom.
    pub residual: f64,
    /// Bins of the slit in which it was followed.
    pub bins: usize,
    /// Whether it is part of the solution.
    pub used: bool,
}

/// The wavelength of each pixel.
#[derive(Clone, Debug)]
pub struct Solution {
    /// Wavelength in Angstrom: x is the pixel along the dispersion, y that along the slit, from 0.
    pub fit: SurfaceFit,
    /// Lines, by wavelength.
    pub lines: Vec<SolvedLine>,
    /// Root mean square residual of the lines that are used, Angstrom.
    pub rms: f64,
    /// Mean dispersion in the middle of the slit, Angstrom per pixel.
    pub dispersion: f64,
    /// Median full width at half maximum of the lines, pixels.
    pub fwhm: f64,
    /// The identification in the middle of the slit.
    pub identification: Identification,
}

/// Why there is no solution.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolutionError {
    /// The lines could not be identified.
    #[error(transparent)]
    Identify(#[from] IdentifyError),
    /// The polynomial could not be fitted.
    #[error("the wavelengths cannot be fitted: {0}")]
    Fit(#[from] FitError),
}

impl Solution {
    /// Wavelength in Angstrom at a pixel along the dispersion and one along the slit, from 0.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        self.fit.surface.at(x, y)
    }

    /// Lines that are part of the solution.
    pub fn used(&self) -> usize {
        self.lines.iter().filter(|l| l.used).count()
    }
}

/// Mean spectrum of a range of the slit; a pixel is saturated if any of it is.
pub fn mean_spectrum(view: &SlitView, slit: std::ops::Range<usize>) -> Spectrum {
    let mut spectrum = Spectrum::default();
    for x in 0..view.data.ncols() {
        let (mut sum, mut variance, mut count, mut saturated) = (0.0, 0.0, 0.0, false);
        let part = s![slit.clone(), x];
        for ((v, s), q) in view.data.slice(part).iter().zip(view.variance.slice(part)).zip(view.quality.slice(part)) {
            saturated |= q & SATURATED != 0;
            if q & UNUSABLE == 0 && v.is_finite() && *s > 0.0 {
                sum += f64::from(*v);
                variance += f64::from(*s);
                count += 1.0;
            }
        }
        spectrum.values.push(if count > 0.0 { sum / count } else { f64::NAN });
        spectrum.variances.push(if count > 0.0 { variance / (count * count) } else { f64::NAN });
        spectrum.saturated.push(saturated);
    }
    spectrum
}

/// The solution of an arc from a list of wavelengths.
///
/// # Errors
/// See [`SolutionError`].
pub fn solve(view: &SlitView, list: &[f64], options: &SolutionOptions) -> Result<Solution, SolutionError> {
    let (height, width) = view.data.dim();
    let bin = options.bin.clamp(1, height.max(1));
    let bins: Vec<std::ops::Range<usize>> = (0..height / bin).map(|k| k * bin..(k + 1) * bin).collect();
    let middle = bins.len() / 2;
    let spectra: Vec<Spectrum> = bins.iter().map(|b| mean_spectrum(view, b.clone())).collect();
    let empty = Spectrum::default();
    let lines = find_lines(spectra.get(middle).unwrap_or(&empty), &options.search);
    let detected: Vec<Detected> = lines.iter().map(|l| Detected { position: l.position, flux: l.flux }).collect();
    let matching = Matching { degree: options.degree, ..Matching::new(width) };
    let identification = identify(&detected, list, &matching)?;
    let sharp: Vec<f32> = lines.iter().filter(|l| !l.saturated && !l.blended).map(|l| l.fwhm as f32).collect();
    let fwhm = if sharp.is_empty() { 3.0 } else { median(&sharp) };
    // Saturated and blended lines help to identify, but their positions are not to be trusted.
    let chosen: Vec<(Line, f64)> =
        identification.matches.iter().map(|(d, l)| (lines[*d], list[*l])).filter(|(line, _)| !line.saturated && !line.blended).collect();
    let points = follow(&spectra, &bins, middle, &chosen, fwhm);
    fit(points, &chosen, identification, (width, height), fwhm, options)
}

/// A position of a line: which, where along dispersion and slit, and its error.
struct Point {
    line: usize,
    x: f64,
    y: f64,
    error: f64,
}

fn follow(spectra: &[Spectrum], bins: &[std::ops::Range<usize>], middle: usize, lines: &[(Line, f64)], fwhm: f64) -> Vec<Point> {
    let mut points = Vec::new();
    for (n, (line, _)) in lines.iter().enumerate() {
        let up: Vec<usize> = (middle..bins.len()).collect();
        let down: Vec<usize> = (0..middle).rev().collect();
        for path in [up, down] {
            let (mut expected, mut lost) = (line.position, 0);
            for k in path {
                let all = (0.0, spectra[k].values.len() as f64);
                let found = fit_line(&spectra[k], expected, fwhm, all);
                let same = |l: &Line| {
                    !l.saturated
                        && (l.position - expected).abs() < 0.5 * fwhm + 0.3 * f64::from(lost)
                        && (0.6..1.6).contains(&(l.fwhm / fwhm))
                };
                if let Some(l) = found.filter(|l| same(l) && l.flux > 5.0 * l.flux_error) {
                    let y = 0.5 * (bins[k].start + bins[k].end - 1) as f64;
                    points.push(Point { line: n, x: l.position, y, error: l.position_error });
                    (expected, lost) = (l.position, 0);
                } else {
                    lost += 1;
                }
            }
        }
    }
    points
}

fn fit(
    points: Vec<Point>,
    lines: &[(Line, f64)],
    identification: Identification,
    (width, height): (usize, usize),
    fwhm: f64,
    options: &SolutionOptions,
) -> Result<Solution, SolutionError> {
    let middle = 0.5 * (height as f64 - 1.0);
    let intervals = ((0.0, width as f64 - 1.0), (0.0, height as f64 - 1.0));
    let scale = |x: f64| (identification.polynomial.at(x + 0.5) - identification.polynomial.at(x - 0.5)).abs();
    let mut used = vec![true; lines.len()];
    loop {
        let kept: Vec<&Point> = points.iter().filter(|p| used[p.line]).collect();
        let column = |f: &dyn Fn(&Point) -> f64| kept.iter().map(|p| f(p)).collect::<Vec<f64>>();
        let variances = column(&|p| (p.error * p.error + options.floor * options.floor) * scale(p.x).powi(2));
        let count = used.iter().filter(|u| **u).count();
        // As many degrees as the lines can bear.
        let degree = options.degree.min(count.saturating_sub(2).max(1));
        let surface = fit_surface(
            &column(&|p| p.x),
            &column(&|p| p.y),
            &column(&|p| lines[p.line].1),
            Some(&variances),
            intervals.0,
            intervals.1,
            SurfaceDegree { x: degree, y: options.slit_degree, total: degree.max(options.slit_degree) },
            &FitOptions { basis: Basis::Chebyshev, clip: Some(SigmaClip { low: 5.0, high: 5.0, max_iterations: 5 }) },
        )?;
        let solved: Vec<SolvedLine> =
            lines.iter().enumerate().map(|(n, l)| solved_line(n, l, &points, &surface, used[n], options)).collect();
        let worst = (0..lines.len()).filter(|&n| used[n]).max_by(|&a, &b| {
            let size = |n: usize| solved[n].residual.abs() / scale(lines[n].0.position);
            size(a).total_cmp(&size(b))
        });
        let bad = worst.filter(|&n| {
            let size = solved[n].residual.abs() / scale(lines[n].0.position);
            (size.is_nan() || size > options.tolerance) && count > degree + 2
        });
        if let Some(n) = bad {
            used[n] = false;
            continue;
        }
        let squares: Vec<f64> = kept
            .iter()
            .zip(&surface.used)
            .filter(|(_, u)| **u)
            .map(|(p, _)| (lines[p.line].1 - surface.surface.at(p.x, p.y)).powi(2))
            .collect();
        let rms = (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt();
        let last = width as f64 - 1.0;
        let dispersion = (surface.surface.at(last, middle) - surface.surface.at(0.0, middle)) / last;
        let mut solved = solved;
        solved.sort_by(|a, b| a.wavelength.total_cmp(&b.wavelength));
        return Ok(Solution { fit: surface, lines: solved, rms, dispersion, fwhm, identification });
    }
}

fn solved_line(
    n: usize,
    (line, wavelength): &(Line, f64),
    points: &[Point],
    surface: &SurfaceFit,
    used: bool,
    options: &SolutionOptions,
) -> SolvedLine {
    let (mut sum, mut weights, mut bins) = (0.0, 0.0, 0);
    for p in points.iter().filter(|p| p.line == n) {
        let weight = 1.0 / (p.error * p.error + options.floor * options.floor);
        sum += weight * (wavelength - surface.surface.at(p.x, p.y));
        weights += weight;
        bins += 1;
    }
    let residual = if weights > 0.0 { sum / weights } else { f64::NAN };
    SolvedLine {
        wavelength: *wavelength,
        position: line.position,
        position_error: line.position_error,
        flux: line.flux,
        residual,
        bins,
        used: used && bins > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    const LIST: &[f64] = &[
        3650.158, 4046.565, 4077.837, 4358.335, 4678.149, 4799.912, 4916.068, 5015.678, 5085.822, 5460.750, 5875.621, 6438.470, 6678.151,
        6907.46, 7065.190, 7281.349, 7345.670, 7800.268, 7947.603, 8115.311,
    ];

    /// Wavelength rises with x, tilted and bent along the slit.
    fn truth(x: f64, y: f64) -> f64 {
        let (t, u) = ((x - 599.5) / 600.0, (y - 79.5) / 80.0);
        5900.0 + 2450.0 * t + 60.0 * t * t + 30.0 * t * t * t + 12.0 * u + 8.0 * u * u + 3.0 * t * u
    }

    fn arc(seed: u64) -> (Array2<f32>, Array2<f32>, Array2<u32>) {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut data = Array2::<f32>::from_elem((160, 1200), 100.0);
        for y in 0..160 {
            for (n, line) in LIST.iter().enumerate() {
                let mut x = 600.0;
                for _ in 0..20 {
                    x -= (truth(x, y as f64) - line) / (truth(x + 0.5, y as f64) - truth(x - 0.5, y as f64));
                }
                for p in (x as usize).saturating_sub(8)..(x as usize + 9).min(1200) {
                    let height = 800.0 * (1.0 + (n % 5) as f64);
                    data[[y, p]] += (height * (-0.5 * ((p as f64 - x) / 1.4).powi(2)).exp()) as f32;
                }
            }
        }
        let variance = data.mapv(|v| v + 36.0);
        data.iter_mut().zip(&variance).for_each(|(v, s)| {
            let noise: f32 = StandardNormal.sample(&mut rng);
            *v += s.sqrt() * noise;
        });
        (data, variance, Array2::zeros((160, 1200)))
    }

    #[test]
    fn a_tilted_and_bent_slit_is_solved_within_the_errors() {
        let mut pulls = Moments::default();
        for seed in 0..12 {
            let (data, variance, quality) = arc(seed);
            let view = SlitView { data: data.view(), variance: variance.view(), quality: quality.view() };
            // Short bins: within one the tilt of the slit must not smear the lines.
            let options = SolutionOptions { floor: 0.0, bin: 5, ..SolutionOptions::default() };
            let found = solve(&view, LIST, &options).unwrap();
            assert!(found.used() >= 18 && found.rms < 0.1, "{} lines, {} A", found.used(), found.rms);
            for (x, y) in [(100.0, 10.0), (600.0, 80.0), (1000.0, 150.0)] {
                assert!((found.at(x, y) - truth(x, y)).abs() < 0.1, "{} {}", found.at(x, y), truth(x, y));
                pulls.push((found.at(x, y) - truth(x, y)) / found.fit.variance_at(x, y).sqrt());
            }
        }
        assert!((0.65..1.35).contains(&pulls.std()), "{}", pulls.std());
    }
}
