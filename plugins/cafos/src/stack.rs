//! Several values of one pixel to one, with an honest variance.
//!
//! Outliers are judged by a noise model and not by the scatter of a handful of values: with five frames the scatter says little,
//! and one cosmic ray makes it large. The centre is the median, which up to half the values cannot move.

use ifured_pixels::order_statistics::{median_variance_factor, trimmed_mean_variance_factor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the values of a pixel are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Median: robust, with 25 % more noise than the mean.
    Median,
    /// Mean of all values: not robust.
    Mean,
    /// Mean of the values within a number of standard deviations of the median: as good as the mean, and robust.
    SigmaClip,
    /// Mean without the lowest and the highest value.
    MinMax,
}

/// Limits of a rejection, in standard deviations of the noise model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Below the median.
    pub low: f32,
    /// Above the median.
    pub high: f32,
}

/// One combined pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pixel {
    /// Its value; NaN where there was none.
    pub value: f32,
    /// Its variance by the noise model.
    pub variance: f32,
    /// Values that went in.
    pub kept: u32,
}

const NOTHING: Pixel = Pixel { value: f32::NAN, variance: f32::NAN, kept: 0 };

/// Combines values of one pixel; remembers what the variance of each method and number of values is.
pub struct Stack {
    method: Method,
    limits: Limits,
    factors: Vec<f32>,
}

impl Stack {
    /// For up to `most` values in each pixel.
    pub fn new(method: Method, limits: Limits, most: usize) -> Self {
        let factor = |n: usize| match method {
            Method::Median => median_variance_factor(n) as f32,
            Method::MinMax if n > 2 => trimmed_mean_variance_factor(n, 1, 1) as f32,
            _ => 1.0,
        };
        // The factors of other counts than all or nearly all are needed for few pixels: one below is close enough.
        let few = most.saturating_sub(3);
        let lowest = if few > 0 { factor(few) } else { 1.0 };
        let factors = (0..=most).map(|n| if n < few { lowest.min(factor_of_few(method, n)) } else { factor(n) }).collect();
        Stack { method, limits, factors }
    }

    /// Values with variances of their own; both are reordered, NaN is left out. Weights are the inverse variances.
    pub fn combine(&self, pairs: &mut Vec<(f32, f32)>) -> Pixel {
        pairs.retain(|(v, s)| v.is_finite() && *s > 0.0);
        if pairs.is_empty() {
            return NOTHING;
        }
        if self.method == Method::Mean || (pairs.len() < 3 && self.method != Method::SigmaClip) {
            return self.mean(pairs);
        }
        sort(pairs);
        let n = pairs.len();
        let median = if n % 2 == 1 { pairs[n / 2].0 } else { 0.5 * (pairs[n / 2 - 1].0 + pairs[n / 2].0) };
        match self.method {
            Method::Median => {
                let Pixel { variance, kept, .. } = self.mean(pairs);
                Pixel { value: median, variance, kept }
            }
            Method::MinMax => {
                let mut pixel = self.mean(&pairs[1..n - 1]);
                let inner = (n - 2) as f32;
                // The factor is for all n values.
                pixel.variance *= inner / n as f32 * self.factor(n);
                pixel
            }
            _ => {
                if n == 2 {
                    return self.pair(pairs);
                }
                let inside = |&&(v, s): &&(f32, f32)| {
                    let off = v - median;
                    let limit = if off < 0.0 { self.limits.low } else { self.limits.high };
                    off * off <= limit * limit * s
                };
                let (mut weights, mut sum, mut kept) = (0.0_f32, 0.0_f32, 0);
                for &(v, s) in pairs.iter().filter(inside) {
                    weights += 1.0 / s;
                    sum += (v - median) / s;
                    kept += 1;
                }
                if kept == 0 {
                    return Pixel { value: median, variance: pairs[n / 2].1, kept: 1 };
                }
                Pixel { value: median + sum / weights, variance: 1.0 / weights, kept }
            }
        }
    }

    /// Of two values that contradict each other the lower is taken: light and cosmic rays add, nothing subtracts.
    fn pair(&self, pairs: &[(f32, f32)]) -> Pixel {
        let ((low, low_variance), (high, high_variance)) = (pairs[0], pairs[1]);
        if high - low > (self.limits.low + self.limits.high) * 0.5 * (low_variance + high_variance).sqrt() {
            return Pixel { value: low, variance: low_variance, kept: 1 };
        }
        self.mean(pairs)
    }

    fn mean(&self, pairs: &[(f32, f32)]) -> Pixel {
        let weights: f32 = pairs.iter().map(|(_, s)| 1.0 / s).sum();
        let origin = pairs[0].0;
        let sum: f32 = pairs.iter().map(|(v, s)| (v - origin) / s).sum();
        let factor = if self.method == Method::Median { self.factor(pairs.len()) } else { 1.0 };
        Pixel { value: origin + sum / weights, variance: factor / weights, kept: pairs.len() as u32 }
    }

    fn factor(&self, n: usize) -> f32 {
        self.factors.get(n).copied().unwrap_or(1.0)
    }
}

fn factor_of_few(method: Method, n: usize) -> f32 {
    match method {
        Method::Median => median_variance_factor(n) as f32,
        Method::MinMax if n == 3 => 1.35,
        Method::MinMax if n > 3 => 1.2,
        _ => 1.0,
    }
}

fn sort(pairs: &mut [(f32, f32)]) {
    for i in 1..pairs.len() {
        let pair = pairs[i];
        let mut j = i;
        while j > 0 && pairs[j - 1].0 > pair.0 {
            pairs[j] = pairs[j - 1];
            j -= 1;
        }
        pairs[j] = pair;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(method: Method) -> Stack {
        Stack::new(method, Limits { low: 4.0, high: 4.0 }, 6)
    }

    #[test]
    fn an_outlier_goes_and_the_rest_is_averaged() {
        let mut pairs: Vec<_> = [10.0, 12.0, 11.0, 500.0, f32::NAN].map(|v| (v, 4.0)).to_vec();
        let pixel = stack(Method::SigmaClip).combine(&mut pairs);
        assert_eq!((pixel.value, pixel.kept), (11.0, 3));
        assert!((pixel.variance - 4.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn two_that_contradict_give_the_lower() {
        let pixel = stack(Method::SigmaClip).combine(&mut vec![(900.0, 4.0), (10.0, 4.0)]);
        assert_eq!((pixel.value, pixel.variance, pixel.kept), (10.0, 4.0, 1));
    }

    #[test]
    fn weights_are_inverse_variances() {
        let pixel = stack(Method::Mean).combine(&mut vec![(10.0, 1.0), (13.0, 2.0)]);
        assert!((pixel.value - 11.0).abs() < 1e-6 && (pixel.variance - 2.0 / 3.0).abs() < 1e-6);
        assert!(stack(Method::Median).combine(&mut Vec::new()).value.is_nan());
    }
}
