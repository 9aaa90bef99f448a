//! Running moments (Welford 1962, Technometrics 4, 419; merging by Chan et al. 1979) and weighted means.

/// Count, mean, variance, smallest and largest of a stream of values, in `f64`. NaN is not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Moments { count: 0, mean: 0.0, squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Moments {
    /// Takes one value; NaN is ignored.
    pub fn push(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.count += 1;
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Joins two streams. Merge in a fixed order where the last bit matters.
    pub fn merge(&mut self, other: &Moments) {
        if other.count == 0 {
            return;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let delta = other.mean - self.mean;
        self.mean += delta * b / (a + b);
        self.squares += other.squares + delta * delta * a * b / (a + b);
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean; NaN without values.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.mean }
    }

    /// Sample variance (n - 1); NaN for fewer than two values.
    pub fn variance(&self) -> f64 {
        if self.count < 2 { f64::NAN } else { self.squares / (self.count - 1) as f64 }
    }

    /// Square root of [`Moments::variance`].
    pub fn std(&self) -> f64 {
        self.variance().sqrt()
    }

    /// Smallest value; NaN without values.
    pub fn min(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.min }
    }

    /// Largest value; NaN without values.
    pub fn max(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.max }
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Moments::default();
        values.into_iter().for_each(|v| moments.push(v));
        moments
    }
}

/// A mean weighted by the inverse variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedMean {
    /// The mean; NaN without usable values.
    pub mean: f64,
    /// Its variance, `1 / sum(1 / variance)`.
    pub variance: f64,
    /// Sum of squared residuals over their variances (expectation `count - 1`).
    pub chi2: f64,
    /// Number of usable values.
    pub count: usize,
}

/// Mean of `values` weighted by `1 / variances`. Pairs with a NaN value or a variance that is not positive and finite are left out.
///
/// # Panics
/// If the lengths differ.
pub fn weighted_mean(values: &[f32], variances: &[f32]) -> WeightedMean {
    assert_eq!(values.len(), variances.len(), "values and variances must have the same length");
    let usable = || {
        let pairs = values.iter().zip(variances).filter(|(x, v)| x.is_finite() && v.is_finite() && **v > 0.0);
        pairs.map(|(&x, &v)| (f64::from(x), f64::from(v)))
    };
    let (mut weights, mut sum, mut count) = (0.0, 0.0, 0);
    for (x, v) in usable() {
        weights += 1.0 / v;
        sum += x / v;
        count += 1;
    }
    if count == 0 {
        return WeightedMean { mean: f64::NAN, variance: f64::NAN, chi2: f64::NAN, count };
    }
    let mean = sum / weights;
    let chi2 = usable().map(|(x, v)| (x - mean) * (x - mean) / v).sum();
    WeightedMean { mean, variance: 1.0 / weights, chi2, count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn large_offset_does_not_spoil_the_variance() {
        let moments: Moments = [4.0, 7.0, 13.0, 16.0].iter().map(|v| v + 1e9).collect();
        assert!((moments.variance() - 30.0).abs() < 1e-5);
        assert_eq!((moments.min(), moments.max(), moments.count()), (1e9 + 4.0, 1e9 + 16.0, 4));
    }

    #[test]
    fn weights_and_error_of_a_mean() {
        let found = weighted_mean(&[1.0, 4.0, f32::NAN, 9.0], &[1.0, 2.0, 1.0, 0.0]);
        assert!((found.mean - 2.0).abs() < 1e-12 && (found.variance - 2.0 / 3.0).abs() < 1e-12 && found.count == 2);
        assert!((found.chi2 - 3.0).abs() < 1e-12);
        assert!(weighted_mean(&[], &[]).mean.is_nan());
    }

    proptest! {
        #[test]
        fn merging_equals_one_stream(values in prop::collection::vec(-1e3..1e3f64, 2..60), cut in 0usize..60) {
            let cut = cut.min(values.len());
            let mut merged: Moments = values[..cut].iter().copied().collect();
            merged.merge(&values[cut..].iter().copied().collect());
            let whole: Moments = values.iter().copied().collect();
            prop_assert!((merged.mean() - whole.mean()).abs() < 1e-9);
            prop_assert!((merged.variance() - whole.variance()).abs() <= 1e-9 * whole.variance().max(1.0));
        }
    }
}
