//! Samples of one pixel of several resampled images to one value: weighted mean without outliers.
//!
//! Weights are those of the frames (sky noise) and not of the pixels: weights that follow the photon noise of a star would bias its flux.
//! Outliers are judged by the noise of the samples about their median, with a tolerance for stars, whose cores change with the seeing.

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Value.
    pub value: f32,
    /// Variance.
    pub variance: f32,
    /// Weight of its frame.
    pub weight: f32,
}

/// Limits of the rejection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rejection {
    /// Limit in units of the noise.
    pub sigma: f32,
    /// Fraction of the median that a sample may be off besides.
    pub tolerance: f32,
}

/// Value, variance and number of samples kept; `None` without samples. The samples are reordered.
///
/// Of two samples that contradict each other the lower is taken: cosmic rays and satellites add light.
pub fn combine(samples: &mut [Sample], rejection: Rejection) -> Option<(f32, f32, usize)> {
    let n = samples.len();
    if n == 0 {
        return None;
    }
    samples.sort_unstable_by(|a, b| a.value.total_cmp(&b.value));
    let centre = match n {
        2 => samples[0].value,
        _ if n % 2 == 1 => samples[n / 2].value,
        _ => 0.5 * (samples[n / 2 - 1].value + samples[n / 2].value),
    };
    let both = if n == 2 { samples[0].variance } else { 0.0 };
    let slack = (rejection.tolerance * centre).powi(2);
    let inside = |s: &Sample| (s.value - centre).powi(2) <= rejection.sigma * rejection.sigma * (s.variance + both) + slack;
    let (mut weights, mut sum, mut squares, mut kept) = (0.0_f64, 0.0_f64, 0.0_f64, 0);
    for sample in samples.iter().filter(|s| inside(s)) {
        let weight = f64::from(sample.weight);
        weights += weight;
        sum += weight * f64::from(sample.value);
        squares += weight * weight * f64::from(sample.variance);
        kept += 1;
    }
    if kept == 0 {
        return Some((centre, samples[n / 2].variance, 1));
    }
    Some(((sum / weights) as f32, (squares / (weights * weights)) as f32, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REJECTION: Rejection = Rejection { sigma: 4.0, tolerance: 0.0 };

    fn sample(value: f32, weight: f32) -> Sample {
        Sample { value, variance: 4.0, weight }
    }

    #[test]
    fn an_outlier_goes_and_the_rest_is_averaged_by_weight() {
        let mut samples = [sample(10.0, 1.0), sample(500.0, 1.0), sample(12.0, 1.0), sample(11.0, 2.0)];
        let (value, variance, kept) = combine(&mut samples, REJECTION).unwrap();
        assert_eq!((value, kept), (11.0, 3));
        assert!((variance - 4.0 * 6.0 / 16.0).abs() < 1e-6);
    }

    #[test]
    fn two_that_contradict_give_the_lower() {
        assert_eq!(combine(&mut [sample(900.0, 1.0), sample(10.0, 1.0)], REJECTION), Some((10.0, 4.0, 1)));
        assert_eq!(combine(&mut [], REJECTION), None);
    }
}
