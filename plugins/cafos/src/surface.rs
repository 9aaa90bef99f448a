//! Smooth surfaces: products of Legendre polynomials in two coordinates, fitted by least squares with rejection.

use ifured_pixels::statistics::mad;
use ndarray::Array2;

/// A polynomial in x and y of total degree `degree`, with coordinates scaled to -1 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    degree: usize,
    extent: (f64, f64),
    coefficients: Vec<f64>,
}

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

impl Surface {
    /// Fits points in a frame of `shape` (rows, columns); points off by more than `clip` robust standard deviations are left out, up to
    /// five passes. `None` if there are too few points.
    pub fn fit(points: &[Point], shape: (usize, usize), degree: usize, clip: f64) -> Option<Surface> {
        let mut surface = Surface { degree, extent: (shape.1 as f64, shape.0 as f64), coefficients: Vec::new() };
        let mut kept: Vec<Point> = points.iter().copied().filter(|p| p.value.is_finite()).collect();
        for _ in 0..5 {
            surface.coefficients = surface.solve(&kept)?;
            let residuals: Vec<f32> = kept.iter().map(|p| (p.value - surface.at(p.x, p.y)) as f32).collect();
            let limit = clip * mad(&residuals);
            let before = kept.len();
            if limit > 0.0 {
                kept = kept.iter().zip(&residuals).filter(|(_, r)| f64::from(r.abs()) <= limit).map(|(p, _)| *p).collect();
            }
            if kept.len() == before {
                break;
            }
        }
        Some(surface)
    }

    /// Value at a place, in pixels from 0.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        self.terms(x, y).iter().zip(&self.coefficients).map(|(t, c)| t * c).sum()
    }

    /// The surface in every pixel, from every eighth by bilinear interpolation.
    pub fn image(&self, shape: (usize, usize)) -> Array2<f32> {
        const STEP: usize = 8;
        let coarse =
            Array2::from_shape_fn((shape.0 / STEP + 2, shape.1 / STEP + 2), |(j, i)| self.at((i * STEP) as f64, (j * STEP) as f64) as f32);
        Array2::from_shape_fn(shape, |(y, x)| {
            let (j, i) = (y / STEP, x / STEP);
            let (fy, fx) = ((y % STEP) as f32 / STEP as f32, (x % STEP) as f32 / STEP as f32);
            let low = coarse[[j, i]] * (1.0 - fx) + coarse[[j, i + 1]] * fx;
            let high = coarse[[j + 1, i]] * (1.0 - fx) + coarse[[j + 1, i + 1]] * fx;
            low * (1.0 - fy) + high * fy
        })
    }

    fn terms(&self, x: f64, y: f64) -> Vec<f64> {
        let px = legendre(self.degree, 2.0 * x / self.extent.0 - 1.0);
        let py = legendre(self.degree, 2.0 * y / self.extent.1 - 1.0);
        (0..=self.degree).flat_map(|i| (0..=self.degree - i).map(move |j| (i, j))).map(|(i, j)| px[i] * py[j]).collect()
    }

    /// Normal equations by Cholesky decomposition; the polynomials are nearly orthogonal, so that these are well conditioned.
    fn solve(&self, points: &[Point]) -> Option<Vec<f64>> {
        let n = (self.degree + 1) * (self.degree + 2) / 2;
        if points.len() < 2 * n {
            return None;
        }
        let mut matrix = vec![vec![0.0; n]; n];
        let mut right = vec![0.0; n];
        for point in points {
            let terms = self.terms(point.x, point.y);
            for i in 0..n {
                right[i] += terms[i] * point.value;
                for j in 0..=i {
                    matrix[i][j] += terms[i] * terms[j];
                }
            }
        }
        cholesky(matrix, right)
    }
}

/// Legendre polynomials up to a degree.
fn legendre(degree: usize, t: f64) -> Vec<f64> {
    let mut p = vec![1.0, t];
    for k in 2..=degree {
        let k_ = k as f64;
        p.push(((2.0 * k_ - 1.0) * t * p[k - 1] - (k_ - 1.0) * p[k - 2]) / k_);
    }
    p.truncate(degree + 1);
    p
}

/// Solves a symmetric positive definite system given by its lower triangle.
fn cholesky(mut m: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let sum = m[i][j] - (0..j).map(|k| m[i][k] * m[j][k]).sum::<f64>();
            if i == j {
                if !(sum > 1e-12 * m[i][i].abs()) {
                    return None;
                }
                m[i][i] = sum.sqrt();
            } else {
                m[i][j] = sum / m[j][j];
            }
        }
    }
    for i in 0..n {
        b[i] = (b[i] - (0..i).map(|k| m[i][k] * b[k]).sum::<f64>()) / m[i][i];
    }
    for i in (0..n).rev() {
        b[i] = (b[i] - (i + 1..n).map(|k| m[k][i] * b[k]).sum::<f64>()) / m[i][i];
    }
    Some(b)
}

/// Smooths values along a line by local parabolas (Savitzky & Golay 1964, Anal. Chem. 36, 1627) over `2 half + 1` points; NaN is bridged.
pub fn smooth(values: &[f64], half: usize) -> Vec<f64> {
    (0..values.len())
        .map(|i| {
            let (from, to) = (i.saturating_sub(half), (i + half + 1).min(values.len()));
            let centre = i as f64;
            let scale = half.max(1) as f64;
            let mut matrix = vec![vec![0.0; 3]; 3];
            let mut right = vec![0.0; 3];
            for (k, value) in values.iter().enumerate().take(to).skip(from) {
                if !value.is_finite() {
                    continue;
                }
                let t = (k as f64 - centre) / scale;
                let terms = [1.0, t, t * t];
                for a in 0..3 {
                    right[a] += terms[a] * value;
                    for b in 0..=a {
                        matrix[a][b] += terms[a] * terms[b];
                    }
                }
            }
            cholesky(matrix, right).map_or(f64::NAN, |c| c[0])
        })
        .collect()
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
        let surface = Surface::fit(&points, (80, 100), 3, 5.0).unwrap();
        assert!((surface.at(31.0, 47.0) - truth(31.0, 47.0)).abs() < 1e-9);
        assert!(Surface::fit(&points[..10], (80, 100), 3, 5.0).is_none());
    }

    #[test]
    fn parabolas_pass_through_smoothing_unchanged() {
        let line: Vec<f64> = (0..60).map(|i| 3.0 + 0.1 * f64::from(i) - 0.01 * f64::from(i * i)).collect();
        let mut gap = line.clone();
        gap[30] = f64::NAN;
        assert!(smooth(&gap, 10).iter().zip(&line).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}
