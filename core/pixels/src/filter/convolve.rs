//! Separable convolution, with `f64` sums.
//!
//! Kernels are centred, of odd length, and symmetric in use (nothing is flipped). NaN spreads in the plain filters; the normalised
//! one (Knutsson & Westin 1993, CVPR, 515) leaves pixels without weight out and divides by the weight that is left.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::Edge;

/// Samples of a Gaussian of standard deviation `sigma` pixels to `truncate` sigmas on each side, with sum 1. `[1]` for a sigma of
/// 0.
pub fn gaussian_kernel(sigma: f64, truncate: f64) -> Vec<f64> {
    if sigma.is_nan() || sigma <= 0.0 {
        return vec![1.0];
    }
    let half = (truncate * sigma + 0.5).floor().max(0.0) as i64;
    let kernel: Vec<f64> = (-half..=half).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = kernel.iter().sum();
    kernel.iter().map(|k| k / sum).collect()
}

/// Convolves along rows and columns with two kernels of odd length. With [`Edge::Ignore`] what lies outside counts as 0.
///
/// # Panics
/// If a kernel has an even length.
pub fn convolve_separable(data: ArrayView2<f32>, along_y: &[f64], along_x: &[f64], edge: Edge) -> Array2<f32> {
    assert!(along_y.len() % 2 == 1 && along_x.len() % 2 == 1, "kernels must have an odd length");
    let (rows, columns) = data.dim();
    let mut out = Array2::zeros((rows, columns));
    if rows == 0 || columns == 0 {
        return out;
    }
    let (half_y, half_x) = (along_y.len() / 2, along_x.len() / 2);
    let lines = out.as_slice_mut().expect("a new array is contiguous").par_chunks_mut(columns);
    lines.enumerate().for_each_init(
        || (vec![0.0f64; columns + 2 * half_x], vec![0.0f64; columns]),
        |(line, sums), (y, out)| {
            line.fill(0.0);
            for (k, weight) in along_y.iter().enumerate() {
                if let Some(from) = edge.index((y + k) as isize - half_y as isize, rows) {
                    let middle = &mut line[half_x..half_x + columns];
                    middle.iter_mut().zip(data.row(from)).for_each(|(sum, &v)| *sum += weight * f64::from(v));
                }
            }
            for x in (0..half_x).chain(half_x + columns..columns + 2 * half_x) {
                line[x] = edge.index(x as isize - half_x as isize, columns).map_or(0.0, |from| line[half_x + from]);
            }
            sums.fill(0.0);
            for (k, weight) in along_x.iter().enumerate() {
                sums.iter_mut().zip(&line[k..k + columns]).for_each(|(sum, v)| *sum += weight * v);
            }
            out.iter_mut().zip(sums.iter()).for_each(|(to, sum)| *to = *sum as f32);
        },
    );
    out
}

/// Convolves with a round Gaussian of standard deviation `sigma` pixels, cut at 4 sigma.
pub fn gaussian_smooth(data: ArrayView2<f32>, sigma: f64, edge: Edge) -> Array2<f32> {
    let kernel = gaussian_kernel(sigma, 4.0);
    convolve_separable(data, &kernel, &kernel, edge)
}

/// Mean over a window of `(rows, columns)`, both odd, at a cost that does not depend on the window: running sums. Where the edge is
/// [`Edge::Ignore`] the mean is over the pixels inside. Accurate to about 1e-12 of the largest value; NaN spreads along its rows
/// and columns.
///
/// # Panics
/// If a side of the window is even.
pub fn boxcar(data: ArrayView2<f32>, window: (usize, usize), edge: Edge) -> Array2<f32> {
    assert!(window.0 % 2 == 1 && window.1 % 2 == 1, "the sides of the window must be odd: {window:?}");
    let (rows, columns) = data.dim();
    let mut wide = Array2::<f64>::zeros((rows, columns));
    if rows == 0 || columns == 0 {
        return wide.mapv(|v| v as f32);
    }
    wide.as_slice_mut().expect("a new array is contiguous").par_chunks_mut(columns).enumerate().for_each(|(y, out)| {
        let row = data.row(y);
        running_mean(columns, window.1, edge, |x| f64::from(row[x]), |x, mean| out[x] = mean);
    });
    let half = (window.0 / 2) as isize;
    let mut out = Array2::zeros((rows, columns));
    let mut sums = vec![0.0f64; columns];
    let add = |y: isize, sign: f64, sums: &mut [f64]| -> isize {
        let Some(from) = edge.index(y, rows) else { return 0 };
        sums.iter_mut().zip(wide.row(from)).for_each(|(sum, v)| *sum += sign * v);
        sign as isize
    };
    let mut inside: isize = (-half..half).map(|y| add(y, 1.0, &mut sums)).sum();
    for (y, mut row) in out.rows_mut().into_iter().enumerate() {
        inside += add(y as isize + half, 1.0, &mut sums);
        let count = if edge == Edge::Ignore { inside as f64 } else { window.0 as f64 };
        row.iter_mut().zip(&sums).for_each(|(to, sum)| *to = (sum / count) as f32);
        inside += add(y as isize - half, -1.0, &mut sums);
    }
    out
}

fn running_mean(n: usize, window: usize, edge: Edge, value: impl Fn(usize) -> f64, mut out: impl FnMut(usize, f64)) {
    let half = (window / 2) as isize;
    let (mut sum, mut inside) = (0.0, 0usize);
    for x in -half..half {
        if let Some(from) = edge.index(x, n) {
            (sum, inside) = (sum + value(from), inside + 1);
        }
    }
    for x in 0..n {
        if let Some(from) = edge.index(x as isize + half, n) {
            (sum, inside) = (sum + value(from), inside + 1);
        }
        out(x, sum / if edge == Edge::Ignore { inside } else { window } as f64);
        if let Some(from) = edge.index(x as isize - half, n) {
            (sum, inside) = (sum - value(from), inside - 1);
        }
    }
}

/// Smooths only what has weight: the sum of `kernel * weight * data` over that of `kernel * weight`. Pixels of weight 0 or that are
/// NaN do not count; the result is NaN where the weight left is less than `least` of the kernel's sum.
///
/// # Panics
/// If the shapes differ or a kernel has an even length.
pub fn convolve_normalised(data: ArrayView2<f32>, weight: ArrayView2<f32>, along_y: &[f64], along_x: &[f64], least: f64) -> Array2<f32> {
    assert_eq!(data.dim(), weight.dim(), "data and weights must have the same shape");
    let usable = ndarray::Zip::from(&data).and(&weight).map_collect(|d, &w| if w > 0.0 && !d.is_nan() { w } else { 0.0 });
    let weighted = ndarray::Zip::from(&data).and(&usable).map_collect(|&d, &w| if w > 0.0 { d * w } else { 0.0 });
    let mut sum = convolve_separable(weighted.view(), along_y, along_x, Edge::Zero);
    let total = convolve_separable(usable.view(), along_y, along_x, Edge::Zero);
    let least = (least * along_y.iter().sum::<f64>() * along_x.iter().sum::<f64>()) as f32;
    ndarray::Zip::from(&mut sum).and(&total).for_each(|s, &t| *s = if t > 0.0 && t >= least { *s / t } else { f32::NAN });
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gaussian_keeps_the_flux_and_has_its_width() {
        let mut data = Array2::<f32>::zeros((61, 61));
        data[[30, 30]] = 1000.0;
        let out = gaussian_smooth(data.view(), 3.0, Edge::Zero);
        let sum: f64 = out.iter().map(|&v| f64::from(v)).sum();
        let square: f64 = out.indexed_iter().map(|((_, x), &v)| f64::from(v) * (x as f64 - 30.0).powi(2)).sum::<f64>() / sum;
        assert!((sum - 1000.0).abs() < 1e-2 && (square.sqrt() - 3.0).abs() < 0.01, "{sum} {}", square.sqrt());
    }

    #[test]
    fn normalised_smoothing_of_a_constant_with_holes_is_the_constant() {
        let mut data = Array2::<f32>::from_elem((40, 30), 7.0);
        let mut weight = Array2::<f32>::ones((40, 30));
        (data[[3, 3]], data[[20, 20]]) = (f32::NAN, 1e9);
        weight[[20, 20]] = 0.0;
        let kernel = gaussian_kernel(2.0, 4.0);
        let out = convolve_normalised(data.view(), weight.view(), &kernel, &kernel, 0.1);
        assert!(out.iter().all(|v| (v - 7.0).abs() < 1e-5));
        weight.fill(0.0);
        assert!(convolve_normalised(data.view(), weight.view(), &kernel, &kernel, 0.1).iter().all(|v| v.is_nan()));
    }

    proptest! {
        #[test]
        fn boxcar_equals_convolution_with_a_box(seed in 0u32..1000, rows in 1usize..30, columns in 1usize..30, hy in 0usize..6, hx in 0usize..6, edge in 0usize..3) {
            let edge = [Edge::Reflect, Edge::Nearest, Edge::Zero][edge];
            let data = Array2::from_shape_fn((rows, columns), |(y, x)| ((seed as usize + y * 31 + x * 17) % 23) as f32);
            let kernel = |half: usize| vec![1.0 / (2 * half + 1) as f64; 2 * half + 1];
            let expected = convolve_separable(data.view(), &kernel(hy), &kernel(hx), edge);
            let found = boxcar(data.view(), (2 * hy + 1, 2 * hx + 1), edge);
            prop_assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }
}
