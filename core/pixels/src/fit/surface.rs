//! Polynomials of two variables.

use ndarray::Array2;

use super::{Basis, FitError, FitOptions, check_lengths, scaled, solve};

/// Which products `B_i(x) B_j(y)` a surface has: `i` up to `x`, `j` up to `y`, `i + j` up to `total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurfaceDegree {
    /// Highest degree in x.
    pub x: usize,
    /// Highest degree in y.
    pub y: usize,
    /// Highest total degree.
    pub total: usize,
}

impl SurfaceDegree {
    /// All terms up to a total degree.
    pub fn total(degree: usize) -> Self {
        SurfaceDegree { x: degree, y: degree, total: degree }
    }

    /// The terms (degree in x, degree in y), in the order of the coefficients.
    pub fn terms(&self) -> Vec<(usize, usize)> {
        let all = (0..=self.y).flat_map(|j| (0..=self.x).map(move |i| (i, j)));
        all.filter(|(i, j)| i + j <= self.total).collect()
    }
}

/// A polynomial of two variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// The basis in both directions.
    pub basis: Basis,
    /// Terms present.
    pub degree: SurfaceDegree,
    /// Interval of x scaled to -1..1.
    pub x_interval: (f64, f64),
    /// Interval of y scaled to -1..1.
    pub y_interval: (f64, f64),
    /// Coefficients in the order of [`SurfaceDegree::terms`].
    pub coefficients: Vec<f64>,
}

/// A fitted surface.
#[derive(Clone, Debug, PartialEq)]
pub struct SurfaceFit {
    /// The surface.
    pub surface: Surface,
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

impl Surface {
    /// Value at a place.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let mut values = vec![0.0; self.coefficients.len()];
        products(self.basis, self.degree, scaled(x, self.x_interval), scaled(y, self.y_interval), &mut values);
        values.iter().zip(&self.coefficients).map(|(v, c)| v * c).sum()
    }

    /// Values at all pixels of an image of `shape` (rows, columns); x is the column index and y the row index, from 0.
    pub fn image(&self, shape: (usize, usize)) -> Array2<f32> {
        let terms = self.degree.terms();
        let order = self.degree.x.min(self.degree.total) + 1;
        let mut in_x = Array2::<f64>::zeros((order, shape.1));
        let mut values = vec![0.0; order];
        for x in 0..shape.1 {
            self.basis.evaluate(scaled(x as f64, self.x_interval), &mut values);
            values.iter().enumerate().for_each(|(i, &v)| in_x[[i, x]] = v);
        }
        let mut image = Array2::zeros(shape);
        let mut in_y = vec![0.0; self.degree.y.min(self.degree.total) + 1];
        let mut sums = vec![0.0f64; shape.1];
        for (y, mut row) in image.rows_mut().into_iter().enumerate() {
            self.basis.evaluate(scaled(y as f64, self.y_interval), &mut in_y);
            let mut weights = vec![0.0; order];
            terms.iter().zip(&self.coefficients).for_each(|(&(i, j), c)| weights[i] += c * in_y[j]);
            sums.fill(0.0);
            for (functions, weight) in in_x.rows().into_iter().zip(weights) {
                sums.iter_mut().zip(functions).for_each(|(s, f)| *s += weight * f);
            }
            row.iter_mut().zip(&sums).for_each(|(to, s)| *to = *s as f32);
        }
        image
    }
}

impl SurfaceFit {
    /// Variance of the fitted value at a place.
    pub fn variance_at(&self, x: f64, y: f64) -> f64 {
        let surface = &self.surface;
        let mut values = vec![0.0; surface.coefficients.len()];
        products(surface.basis, surface.degree, scaled(x, surface.x_interval), scaled(y, surface.y_interval), &mut values);
        self.covariance.indexed_iter().map(|((i, j), c)| values[i] * values[j] * c).sum()
    }
}

fn products(basis: Basis, degree: SurfaceDegree, tx: f64, ty: f64, out: &mut [f64]) {
    const MOST: usize = 32;
    let (mut in_x, mut in_y) = ([0.0; MOST], [0.0; MOST]);
    basis.evaluate(tx, &mut in_x[..=degree.x]);
    basis.evaluate(ty, &mut in_y[..=degree.y]);
    let mut k = 0;
    for (j, along_y) in in_y.iter().enumerate().take(degree.y + 1) {
        for (i, along_x) in in_x.iter().enumerate().take(degree.x + 1) {
            if i + j <= degree.total {
                out[k] = along_x * along_y;
                k += 1;
            }
        }
    }
}

/// Fits a surface to points `(x, y, z)`, optionally with variances of `z`. `x_interval` and `y_interval` are scaled to -1..1: give
/// the limits of the image, so that nothing is extrapolated. Degrees up to 31.
///
/// # Errors
/// See [`FitError`].
///
/// # Panics
/// If a degree is above 31.
#[allow(clippy::too_many_arguments)]
pub fn fit_surface(
    x: &[f64],
    y: &[f64],
    z: &[f64],
    variances: Option<&[f64]>,
    x_interval: (f64, f64),
    y_interval: (f64, f64),
    degree: SurfaceDegree,
    options: &FitOptions,
) -> Result<SurfaceFit, FitError> {
    assert!(degree.x < 32 && degree.y < 32, "degrees must be below 32: {degree:?}");
    check_lengths(&[x.len(), y.len(), z.len(), variances.map_or(z.len(), <[f64]>::len)])?;
    let coefficients = degree.terms().len();
    let solved = solve(z, variances, coefficients, options.clip, |i, out| {
        products(options.basis, degree, scaled(x[i], x_interval), scaled(y[i], y_interval), out);
    })?;
    Ok(SurfaceFit {
        surface: Surface { basis: options.basis, degree, x_interval, y_interval, coefficients: solved.solution.coefficients },
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
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn surface_and_its_image_are_recovered_within_their_errors() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(16);
        let truth = |x: f64, y: f64| 100.0 + 0.3 * x - 0.1 * y + 0.01 * x * y - 0.002 * y * y;
        let mut pulls = Moments::default();
        for _ in 0..300 {
            let (mut x, mut y, mut z) = (vec![], vec![], vec![]);
            for _ in 0..300 {
                let (a, b): (f64, f64) = (rng.random_range(0.0..99.0), rng.random_range(0.0..59.0));
                let noise: f64 = StandardNormal.sample(&mut rng);
                let outlier = if rng.random_bool(0.02) { 1e4 } else { 0.0 };
                x.push(a);
                y.push(b);
                z.push(truth(a, b) + noise + outlier);
            }
            let clip = Some(SigmaClip { low: 6.0, high: 6.0, max_iterations: 10 });
            let options = FitOptions { clip, ..FitOptions::default() };
            let variances = vec![1.0; 300];
            let fit = fit_surface(&x, &y, &z, Some(&variances), (0.0, 99.0), (0.0, 59.0), SurfaceDegree::total(2), &options).unwrap();
            let exact = truth(49.5, 29.5);
            let error = {
                let mut f = vec![0.0; 6];
                products(Basis::Legendre, SurfaceDegree::total(2), 0.0, 0.0, &mut f);
                fit.covariance.indexed_iter().map(|((i, j), c)| f[i] * f[j] * c).sum::<f64>().sqrt()
            };
            pulls.push((fit.surface.at(49.5, 29.5) - exact) / error);
            let image = fit.surface.image((60, 100));
            assert!((f64::from(image[[40, 70]]) - fit.surface.at(70.0, 40.0)).abs() < 1e-4);
        }
        assert!((pulls.std() - 1.0).abs() < 4.0 / 600f64.sqrt(), "{}", pulls.std());
    }

    #[test]
    fn terms_follow_the_degrees() {
        assert_eq!(SurfaceDegree { x: 2, y: 1, total: 2 }.terms(), [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]);
        assert_eq!(SurfaceDegree::total(0).terms(), [(0, 0)]);
    }
}
