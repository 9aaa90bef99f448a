//! Mean and standard deviation after removing outliers.
//!
//! Iterates: values farther than `low` standard deviations below or `high` above the median of the kept values are removed, until
//! none is, or `max_iterations` is reached. The first width is the robust one (from the quartiles), so that one huge outlier among
//! few values cannot hide; later ones are standard deviations of the kept values, never smaller than what rounding to `f32` makes
//! of them.

use super::{IQR_TO_SIGMA, median_sorted};

/// Limits of a rejection of outliers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SigmaClip {
    /// Values more than this many sigma below the centre are rejected.
    pub low: f64,
    /// Values more than this many sigma above the centre are rejected.
    pub high: f64,
    /// Largest number of passes.
    pub max_iterations: usize,
}

impl Default for SigmaClip {
    /// 3 sigma on both sides, up to 5 passes.
    fn default() -> Self {
        SigmaClip { low: 3.0, high: 3.0, max_iterations: 5 }
    }
}

/// What is left after clipping. All NaN (and counts 0) without values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClippedStatistics {
    /// Mean of the kept values.
    pub mean: f64,
    /// Median of the kept values.
    pub median: f64,
    /// Standard deviation of the kept values (n - 1); 0 for one value. Not corrected for the tails cut off (1.3 % low at 3 sigma).
    pub std: f64,
    /// Number of values kept.
    pub count: usize,
    /// Number of values rejected, NaN not counted.
    pub rejected: usize,
}

/// Clipped statistics of the values that are not NaN.
pub fn sigma_clipped(values: &[f32], clip: &SigmaClip) -> ClippedStatistics {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut kept = &sorted[..];
    let mut std = IQR_TO_SIGMA * (quantile(kept, 0.75) - quantile(kept, 0.25));
    if std.is_nan() || std <= 0.0 {
        std = mean_std(kept).1;
    }
    for _ in 0..clip.max_iterations {
        let centre = median_sorted(kept);
        let (from, to) = (centre - clip.low * std, centre + clip.high * std);
        let first = kept.partition_point(|&v| f64::from(v) < from);
        let end = kept.partition_point(|&v| f64::from(v) <= to);
        let next = &kept[first.min(end)..end];
        if next.len() == kept.len() || next.is_empty() {
            break;
        }
        kept = next;
        std = mean_std(kept).1;
    }
    let (mean, std) = mean_std(kept);
    ClippedStatistics { mean, median: median_sorted(kept), std, count: kept.len(), rejected: sorted.len() - kept.len() }
}

fn quantile(sorted: &[f32], fraction: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = fraction * last as f64;
    let (below, above) = (f64::from(sorted[position.floor() as usize]), f64::from(sorted[position.ceil() as usize]));
    below + (above - below) * position.fract()
}

fn mean_std(values: &[f32]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (f64::NAN, f64::NAN);
    }
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal};

    #[test]
    fn outliers_do_not_move_mean_and_width() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let noise = Normal::new(100.0f32, 5.0).unwrap();
        let mut values: Vec<f32> = (0..20_000).map(|_| noise.sample(&mut rng)).collect();
        values.extend([1e4; 300]);
        values.extend([f32::NAN; 10]);
        let found = sigma_clipped(&values, &SigmaClip { low: 4.0, high: 4.0, max_iterations: 10 });
        let error = 5.0 / (20_000f64).sqrt();
        assert!((found.mean - 100.0).abs() < 4.0 * error, "{found:?}");
        assert!((found.std / 5.0 - 1.0).abs() < 4.0 / (2.0 * 20_000f64).sqrt(), "{found:?}");
        assert!(found.rejected >= 300 && found.rejected < 310 && found.count + found.rejected == 20_300);
    }

    #[test]
    fn one_outlier_among_few_is_found() {
        let found = sigma_clipped(&[10.0, 11.0, 9.0, 10.0, 5000.0], &SigmaClip::default());
        assert_eq!((found.count, found.median), (4, 10.0));
    }

    #[test]
    fn nothing_and_one_value() {
        assert!(sigma_clipped(&[], &SigmaClip::default()).mean.is_nan());
        let one = sigma_clipped(&[4.0], &SigmaClip::default());
        assert_eq!((one.mean, one.std, one.count), (4.0, 0.0, 1));
    }
}
