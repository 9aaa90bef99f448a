//! Normal equations whose matrix has a band: splines, where each point touches few neighbouring coefficients.
//!
//! Cholesky decomposition of the band; the band of the inverse by the recurrence of Erisman & Tinney (1975, CACM 18, 177), so that the
//! variance of a fitted value costs no more than the value.

use super::FitError;

/// `sum w a a^T` and `sum w a y`, where the basis values of a point are not zero for at most `band` coefficients in a row.
#[derive(Clone, Debug)]
pub struct BandedEquations {
    band: usize,
    /// Element (i, i - d) at `i * band + d`.
    matrix: Vec<f64>,
    right: Vec<f64>,
}

/// Solution with the band of its covariance.
#[derive(Clone, Debug)]
pub struct BandedSolution {
    /// The coefficients.
    pub coefficients: Vec<f64>,
    band: usize,
    inverse: Vec<f64>,
}

impl BandedEquations {
    /// Equations of so many coefficients, `band` of which a point touches.
    pub fn new(coefficients: usize, band: usize) -> Self {
        BandedEquations { band, matrix: vec![0.0; coefficients * band], right: vec![0.0; coefficients] }
    }

    /// Adds a point: the basis values of the coefficients from `first` on, value and weight (inverse variance).
    pub fn add(&mut self, first: usize, basis: &[f64], value: f64, weight: f64) {
        for (i, &a) in basis.iter().enumerate() {
            let scaled = weight * a;
            self.right[first + i] += scaled * value;
            let row = (first + i) * self.band;
            for (j, &b) in basis[..=i].iter().enumerate() {
                self.matrix[row + i - j] += scaled * b;
            }
        }
    }

    /// Sum of weights times squared basis values of a coefficient: how well it is covered.
    pub fn cover(&self, coefficient: usize) -> f64 {
        self.matrix[coefficient * self.band]
    }

    /// The coefficients and the band of their covariance. A coefficient that no point touches is drawn to its neighbours: each diagonal element gets
    /// `ridge` of the largest.
    ///
    /// # Errors
    /// [`FitError::Singular`] without any point.
    pub fn solve(&self, ridge: f64) -> Result<BandedSolution, FitError> {
        let (n, w) = (self.right.len(), self.band);
        let largest = (0..n).map(|i| self.cover(i)).fold(0.0, f64::max);
        if !(largest > 0.0 && largest.is_finite()) {
            return Err(FitError::Singular(n));
        }
        let mut factor = self.matrix.clone();
        for i in 0..n {
            factor[i * w] += ridge * largest;
        }
        for i in 0..n {
            for d in (0..w.min(i + 1)).rev() {
                let j = i - d;
                // L(i, j) from the columns that both rows have.
                let from = i.saturating_sub(w - 1).max(j.saturating_sub(w - 1));
                let sum: f64 = (from..j).map(|k| factor[i * w + i - k] * factor[j * w + j - k]).sum();
                let rest = factor[i * w + d] - sum;
                factor[i * w + d] = if d == 0 { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / factor[j * w] };
            }
        }
        let mut x = self.right.clone();
        for i in 0..n {
            let sum: f64 = (i.saturating_sub(w - 1)..i).map(|k| factor[i * w + i - k] * x[k]).sum();
            x[i] = (x[i] - sum) / factor[i * w];
        }
        for i in (0..n).rev() {
            let sum: f64 = (i + 1..(i + w).min(n)).map(|k| factor[k * w + k - i] * x[k]).sum();
            x[i] = (x[i] - sum) / factor[i * w];
        }
        Ok(BandedSolution { coefficients: x, band: w, inverse: inverse_band(&factor, n, w) })
    }
}

/// The band of the inverse of `L L^T`.
fn inverse_band(factor: &[f64], n: usize, w: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * w];
    let get = |inverse: &[f64], i: usize, j: usize| inverse[i.max(j) * w + i.abs_diff(j)];
    for j in (0..n).rev() {
        let diagonal = factor[j * w];
        let last = (j + w).min(n);
        for i in (j..last).rev() {
            let sum: f64 = (j + 1..last).map(|k| factor[k * w + k - j] * get(&inverse, i, k)).sum();
            let start = if i == j { 1.0 / diagonal } else { 0.0 };
            inverse[i * w + i - j] = (start - sum) / diagonal;
        }
    }
    inverse
}

impl BandedSolution {
    /// Fitted value of a point with these basis values of the coefficients from `first` on.
    pub fn value(&self, first: usize, basis: &[f64]) -> f64 {
        basis.iter().zip(&self.coefficients[first..]).map(|(b, c)| b * c).sum()
    }

    /// Its variance, when the weights were inverse variances.
    pub fn variance(&self, first: usize, basis: &[f64]) -> f64 {
        let element = |i: usize, j: usize| self.inverse[(first + i.max(j)) * self.band + i.abs_diff(j)];
        let row = |i: usize| (0..basis.len()).map(|j| basis[j] * element(i, j)).sum::<f64>();
        (0..basis.len()).map(|i| basis[i] * row(i)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::NormalEquations;
    use super::*;

    #[test]
    fn the_band_gives_what_the_whole_matrix_gives() {
        let (n, w) = (12, 4);
        let mut banded = BandedEquations::new(n, w);
        let mut whole = NormalEquations::new(n);
        for k in 0..200 {
            let first = (k * 7) % (n - w + 1);
            let basis: Vec<f64> = (0..w).map(|i| 1.0 + ((k * 13 + i * 5) % 11) as f64 / 7.0).collect();
            let (value, weight) = (f64::from(k as u32 % 17) - 3.0, 1.0 + (k % 3) as f64);
            banded.add(first, &basis, value, weight);
            let mut row = vec![0.0; n];
            row[first..first + w].copy_from_slice(&basis);
            whole.add(&row, value, weight);
        }
        let (a, b) = (banded.solve(0.0).unwrap(), whole.solve().unwrap());
        for i in 0..n {
            assert!((a.coefficients[i] - b.coefficients[i]).abs() < 1e-8, "{i}");
        }
        let basis = [0.3, 1.0, -0.5, 2.0];
        let expected: f64 =
            (0..w).flat_map(|i| (0..w).map(move |j| (i, j))).map(|(i, j)| basis[i] * basis[j] * b.covariance[[5 + i, 5 + j]]).sum();
        assert!((a.variance(5, &basis) / expected - 1.0).abs() < 1e-8);
        assert!(BandedEquations::new(3, 2).solve(0.0).is_err());
    }
}
