//! Normal equations and their solution by Cholesky decomposition.

use ndarray::{Array1, Array2};
use ndarray_linalg::{FactorizeC, InverseC, SolveC, UPLO};

use super::FitError;

/// `sum w a a^T` and `sum w a y` over points with basis values `a`, value `y` and weight `w`.
#[derive(Clone, Debug)]
pub struct NormalEquations {
    matrix: Array2<f64>,
    right: Array1<f64>,
    points: usize,
}

/// Solution of a linear least-squares problem.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearSolution {
    /// The coefficients.
    pub coefficients: Vec<f64>,
    /// Their covariance, when the weights are inverse variances.
    pub covariance: Array2<f64>,
}

impl NormalEquations {
    /// Equations for a number of coefficients, without points.
    pub fn new(coefficients: usize) -> Self {
        NormalEquations { matrix: Array2::zeros((coefficients, coefficients)), right: Array1::zeros(coefficients), points: 0 }
    }

    /// Adds a point: its basis values, value and weight (inverse variance).
    ///
    /// # Panics
    /// If there are not as many basis values as coefficients.
    pub fn add(&mut self, basis: &[f64], value: f64, weight: f64) {
        assert_eq!(basis.len(), self.right.len(), "one basis value per coefficient");
        for (i, &a) in basis.iter().enumerate() {
            let scaled = weight * a;
            self.right[i] += scaled * value;
            self.matrix.row_mut(i).iter_mut().zip(&basis[..=i]).for_each(|(m, b)| *m += scaled * b);
        }
        self.points += 1;
    }

    /// Takes `amount` from the diagonal element of one coefficient: the part that the noise of its own basis values put there.
    ///
    /// # Panics
    /// If there is no such coefficient.
    pub fn reduce(&mut self, coefficient: usize, amount: f64) {
        self.matrix[[coefficient, coefficient]] -= amount;
    }

    /// The coefficients and their covariance.
    ///
    /// # Errors
    /// [`FitError::TooFewPoints`], [`FitError::Singular`].
    pub fn solve(&self) -> Result<LinearSolution, FitError> {
        let n = self.right.len();
        if self.points < n {
            return Err(FitError::TooFewPoints { points: self.points, coefficients: n });
        }
        if n == 0 {
            return Ok(LinearSolution { coefficients: Vec::new(), covariance: Array2::zeros((0, 0)) });
        }
        // Unit diagonal: columns of very different size do not look singular.
        let size: Vec<f64> = (0..n).map(|i| self.matrix[[i, i]].sqrt()).collect();
        if !size.iter().all(|s| *s > 0.0 && s.is_finite()) {
            return Err(FitError::Singular(n));
        }
        let matrix = Array2::from_shape_fn((n, n), |(i, j)| self.matrix[[i.max(j), i.min(j)]] / (size[i] * size[j]));
        let right = Array1::from_shape_fn(n, |i| self.right[i] / size[i]);
        let singular = |_| FitError::Singular(n);
        let factor = matrix.factorizec(UPLO::Lower).map_err(singular)?;
        let smallest = (0..n).map(|i| factor.factor[[i, i]].abs()).fold(f64::INFINITY, f64::min);
        if smallest.is_nan() || smallest <= 1e-7 {
            return Err(FitError::Singular(n));
        }
        let coefficients = factor.solvec(&right).map_err(singular)?;
        let inverse = factor.invc().map_err(singular)?;
        Ok(LinearSolution {
            coefficients: (0..n).map(|i| coefficients[i] / size[i]).collect(),
            covariance: Array2::from_shape_fn((n, n), |(i, j)| inverse[[i.max(j), i.min(j)]] / (size[i] * size[j])),
        })
    }
}
