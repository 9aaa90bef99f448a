//! Weighted linear least squares: polynomials in one and two dimensions.
//!
//! Coordinates are scaled to -1..1 and the basis is orthogonal (Legendre or Chebyshev), so the normal equations are well
//! conditioned and are solved by Cholesky decomposition. Sums run over the points in their order; nothing depends on threads.
//!
//! With variances the covariance is that of the given variances; without, all points weigh the same and the covariance is
//! scaled by the residuals. Points with a value that is not finite, or a variance that is not positive and finite, are not used.

mod banded;
mod linear;
mod polynomial;
mod spline;
mod surface;

pub use banded::{BandedEquations, BandedSolution};
pub use linear::{LinearSolution, NormalEquations};
pub use polynomial::{Polynomial, PolynomialFit, fit_polynomial};
pub use spline::{CubicSplines, Local, MOST_TERMS, products};
pub use surface::{Surface, SurfaceDegree, SurfaceFit, fit_surface};

use crate::statistics::SigmaClip;

/// Orthogonal polynomials on -1..1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Legendre polynomials.
    #[default]
    Legendre,
    /// Chebyshev polynomials of the first kind.
    Chebyshev,
}

impl Basis {
    /// Values of the first `out.len()` functions at `t`.
    pub fn evaluate(self, t: f64, out: &mut [f64]) {
        for k in 0..out.len() {
            out[k] = match (k, self) {
                (0, _) => 1.0,
                (1, _) => t,
                (_, Basis::Legendre) => ((2 * k - 1) as f64 * t * out[k - 1] - (k - 1) as f64 * out[k - 2]) / k as f64,
                (_, Basis::Chebyshev) => 2.0 * t * out[k - 1] - out[k - 2],
            };
        }
    }
}

/// Choices of a polynomial fit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FitOptions {
    /// The basis.
    pub basis: Basis,
    /// Removal of outliers: in units of the robust width of the residuals (divided by their sigmas where variances are given),
    /// centred on 0.
    pub clip: Option<SigmaClip>,
}

/// Why a fit is not possible.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Slices of different lengths.
    #[error("coordinates, values and variances must have the same length: {0:?}")]
    Lengths(Vec<usize>),
    /// Fewer points than coefficients.
    #[error("{points} usable points cannot determine {coefficients} coefficients")]
    TooFewPoints {
        /// Usable points.
        points: usize,
        /// Coefficients wanted.
        coefficients: usize,
    },
    /// The points do not determine the coefficients (for example all at one place).
    #[error("the points do not determine the {0} coefficients: the normal equations are singular")]
    Singular(usize),
}

/// -1..1 from the interval; 0 for an interval without length.
fn scaled(x: f64, interval: (f64, f64)) -> f64 {
    let half = 0.5 * (interval.1 - interval.0);
    if half == 0.0 { 0.0 } else { (x - 0.5 * (interval.0 + interval.1)) / half }
}

/// Smallest and largest finite value.
fn interval_of(x: &[f64]) -> (f64, f64) {
    let finite = x.iter().copied().filter(|v| v.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
}

/// A least-squares solution over points whose basis values are given by `functions(point, out)`, with clipping.
struct Solved {
    solution: LinearSolution,
    used: Vec<bool>,
    rms: f64,
    chi2: f64,
    degrees_of_freedom: usize,
}

fn solve(
    values: &[f64],
    variances: Option<&[f64]>,
    coefficients: usize,
    clip: Option<SigmaClip>,
    functions: impl Fn(usize, &mut [f64]),
) -> Result<Solved, FitError> {
    let weight = |i: usize| variances.map_or(1.0, |v| 1.0 / v[i]);
    let mut row = vec![0.0; coefficients];
    let mut used: Vec<bool> = (0..values.len())
        .map(|i| {
            functions(i, &mut row);
            values[i].is_finite() && weight(i).is_finite() && weight(i) > 0.0 && row.iter().all(|v| v.is_finite())
        })
        .collect();
    let passes = clip.map_or(0, |c| c.max_iterations);
    let mut pass = 0;
    loop {
        let mut equations = NormalEquations::new(coefficients);
        for i in (0..values.len()).filter(|&i| used[i]) {
            functions(i, &mut row);
            equations.add(&row, values[i], weight(i));
        }
        let mut solution = equations.solve()?;
        let mut residuals = vec![f64::NAN; values.len()];
        let (mut squares, mut chi2, mut points) = (0.0, 0.0, 0);
        for i in (0..values.len()).filter(|&i| used[i]) {
            functions(i, &mut row);
            let residual = values[i] - row.iter().zip(&solution.coefficients).map(|(a, b)| a * b).sum::<f64>();
            residuals[i] = residual * weight(i).sqrt();
            squares += residual * residual;
            chi2 += residual * residual * weight(i);
            points += 1;
        }
        let degrees_of_freedom = points - coefficients;
        if let Some(clip) = clip
            && pass < passes
        {
            let mut sizes: Vec<f64> = residuals.iter().filter(|r| !r.is_nan()).map(|r| r.abs()).collect();
            let middle = sizes.len() / 2;
            let width = crate::statistics::MAD_TO_SIGMA * *sizes.select_nth_unstable_by(middle, f64::total_cmp).1;
            let mut dropped = 0;
            for i in 0..values.len() {
                let outlier = residuals[i] < -clip.low * width || residuals[i] > clip.high * width;
                if used[i] && outlier && points - dropped > coefficients {
                    used[i] = false;
                    dropped += 1;
                }
            }
            pass += 1;
            if dropped > 0 {
                continue;
            }
        }
        if variances.is_none() {
            let scale = if degrees_of_freedom > 0 { squares / degrees_of_freedom as f64 } else { f64::NAN };
            solution.covariance.mapv_inplace(|c| c * scale);
        }
        let rms = (squares / points as f64).sqrt();
        return Ok(Solved { solution, used, rms, chi2, degrees_of_freedom });
    }
}

fn check_lengths(lengths: &[usize]) -> Result<(), FitError> {
    if lengths.windows(2).all(|w| w[0] == w[1]) { Ok(()) } else { Err(FitError::Lengths(lengths.to_vec())) }
}
