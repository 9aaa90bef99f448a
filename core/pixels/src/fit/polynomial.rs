//! Polynomials of one variable.

use ndarray::Array2;

use super::{Basis, FitError, FitOptions, check_lengths, interval_of, scaled, solve};

/// A polynomial `sum c_k B_k(t)` with `t` from -1 to 1 over the interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    /// The basis.
    pub basis: Basis,
    /// Interval of the variable that is scaled to -1..1.
    pub interval: (f64, f64),
    /// Coefficients, lowest order first.
    pub coefficients: Vec<f64>,
}

/// A fitted polynomial.
#[derive(Clone, Debug, PartialEq)]
pub struct PolynomialFit {
    /// The polynomial.
    pub polynomial: Polynomial,
    /// Covariance of the coefficients.
    pub covariance: Array2<f64>,
    /// Root mean square residual of the points used.
    pub rms: f64,
    /// Sum of squared residuals over variances (1 where none are given).
    pub chi2: f64,
    /// Points used minus coefficients.
    pub degrees_of_freedom: usize,
    /// Which points were used.
    pub used: Vec<bool>,
}

impl Polynomial {
    /// Value at `x`; outside the interval the polynomial is extrapolated.
    pub fn at(&self, x: f64) -> f64 {
        let mut functions = vec![0.0; self.coefficients.len()];
        self.basis.evaluate(scaled(x, self.interval), &mut functions);
        functions.iter().zip(&self.coefficients).map(|(f, c)| f * c).sum()
    }
}

impl PolynomialFit {
    /// Variance of the fitted value at `x`.
    pub fn variance_at(&self, x: f64) -> f64 {
        let polynomial = &self.polynomial;
        let mut functions = vec![0.0; polynomial.coefficients.len()];
        polynomial.basis.evaluate(scaled(x, polynomial.interval), &mut functions);
        self.covariance.indexed_iter().map(|((i, j), c)| functions[i] * functions[j] * c).sum()
    }
}

/// Fits a polynomial of a degree to points, optionally with variances of the values. The interval is that of the finite `x`.
///
/// # Errors
/// See [`FitError`].
pub fn fit_polynomial(
    x: &[f64],
    y: &[f64],
    variances: Option<&[f64]>,
    degree: usize,
    options: &FitOptions,
) -> Result<PolynomialFit, FitError> {
    check_lengths(&[x.len(), y.len(), variances.map_or(y.len(), <[f64]>::len)])?;
    let interval = interval_of(x);
    let solved = solve(y, variances, degree + 1, options.clip, |i, out| options.basis.evaluate(scaled(x[i], interval), out))?;
    Ok(PolynomialFit {
        polynomial: Polynomial { basis: options.basis, interval, coefficients: solved.solution.coefficients },
        covariance: solved.solution.covariance,
        rms: solved.rms,
        chi2: solved.chi2,
        degrees_of_freedom: solved.degrees_of_freedom,
        used: solved.used,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Moments, SigmaClip};
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn covariance_gives_unit_pulls_with_and_without_variances() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(6);
        let truth = |x: f64| 3.0 - 0.02 * x + 1e-4 * x * x;
        let x: Vec<f64> = (0..200).map(|i| 1000.0 + f64::from(i) * 3.0).collect();
        let (mut known, mut unknown) = (Moments::default(), Moments::default());
        for trial in 0..800 {
            let variances: Vec<f64> = (0..200).map(|i| if i % 2 == 0 { 0.25 } else { 4.0 }).collect();
            let sample = |sigma: f64, rng: &mut _| -> f64 {
                let z: f64 = StandardNormal.sample(rng);
                sigma * z
            };
            let y: Vec<f64> = x.iter().zip(&variances).map(|(&x, v)| truth(x) + sample(v.sqrt(), &mut rng)).collect();
            let basis = if trial % 2 == 0 { Basis::Legendre } else { Basis::Chebyshev };
            let options = FitOptions { basis, clip: None };
            let fit = fit_polynomial(&x, &y, Some(&variances), 2, &options).unwrap();
            known.push((fit.polynomial.at(1100.0) - truth(1100.0)) / fit.variance_at(1100.0).sqrt());
            let y: Vec<f64> = x.iter().map(|&x| truth(x) + sample(2.0, &mut rng)).collect();
            let fit = fit_polynomial(&x, &y, None, 3, &options).unwrap();
            unknown.push((fit.polynomial.at(1100.0) - truth(1100.0)) / fit.variance_at(1100.0).sqrt());
        }
        let tolerance = 4.0 / (2.0 * 800f64).sqrt();
        assert!((known.std() - 1.0).abs() < tolerance && known.mean().abs() < 0.15, "{}", known.std());
        assert!((unknown.std() - 1.0).abs() < tolerance && unknown.mean().abs() < 0.15, "{}", unknown.std());
    }

    #[test]
    fn outliers_and_missing_points_are_left_out() {
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        let mut y: Vec<f64> = x.iter().map(|x| 2.0 + 0.5 * x + 0.01 * (x * 12.9898).sin()).collect();
        (y[10], y[50], y[90]) = (500.0, -80.0, f64::NAN);
        let options = FitOptions { clip: Some(SigmaClip { low: 5.0, high: 5.0, max_iterations: 10 }), ..FitOptions::default() };
        let fit = fit_polynomial(&x, &y, None, 1, &options).unwrap();
        assert_eq!((0..100).filter(|&i| !fit.used[i]).collect::<Vec<_>>(), [10, 50, 90]);
        assert!((fit.polynomial.at(20.0) - 12.0).abs() < 0.01);
    }

    #[test]
    fn high_degrees_stay_accurate() {
        let x: Vec<f64> = (0..2000).map(|i| 4000.0 + f64::from(i)).collect();
        let y: Vec<f64> = x.iter().map(|x| (x / 150.0).sin()).collect();
        let fit = fit_polynomial(&x, &y, None, 25, &FitOptions::default()).unwrap();
        assert!(fit.rms < 1e-6, "{}", fit.rms);
    }

    #[test]
    fn impossible_fits_say_why() {
        let options = FitOptions::default();
        let error = fit_polynomial(&[1.0, 2.0], &[1.0, 2.0], None, 2, &options).unwrap_err();
        assert_eq!(error, FitError::TooFewPoints { points: 2, coefficients: 3 });
        assert_eq!(fit_polynomial(&[1.0; 5], &[1.0; 5], None, 1, &options).unwrap_err(), FitError::Singular(2));
        assert!(matches!(fit_polynomial(&[1.0], &[1.0, 2.0], None, 0, &options), Err(FitError::Lengths(_))));
    }
}
