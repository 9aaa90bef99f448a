//! Smoothing along a line by local parabolas (Savitzky & Golay 1964, Anal. Chem. 36, 1627), at the ends and over gaps too.

use crate::fit::NormalEquations;

/// Smooths values by a parabola through `2 half + 1` points around each; at the ends through fewer. NaN is bridged; the result is NaN where
/// fewer than 3 points are left. The same length as `values`.
pub fn local_parabolas(values: &[f64], half: usize) -> Vec<f64> {
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
    fn parabolas_pass_unchanged() {
        let line: Vec<f64> = (0..60).map(|i| 3.0 + 0.1 * f64::from(i) - 0.01 * f64::from(i * i)).collect();
        let mut gap = line.clone();
        gap[30] = f64::NAN;
        assert!(local_parabolas(&gap, 10).iter().zip(&line).all(|(a, b)| (a - b).abs() < 1e-9));
        assert!(local_parabolas(&[1.0, 2.0], 5).iter().all(|v| v.is_nan()));
    }
}
