//! Samples of one pixel of several resampled images to one value: weighted mean without outliers.
//!
//! Weights are those of the frames and not of the pixels: weights that follow the photon noise of a star would bias its flux.
//! Outliers are judged by the noise of the samples about their median. Where there is starlight the seeing of a frame changes its pixels by more than
//! noise, in the wings of a star by many times the median there; so each frame has a tolerance that is a fraction of the largest median *nearby*
//! (the seeing's counterpart of the derivative that `drizzle` allows for; Fruchter & Hook 2002, PASP 114, 144, section 5).

/// One sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Value.
    pub value: f32,
    /// Variance.
    pub variance: f32,
    /// Weight of its frame.
    pub weight: f32,
    /// Fraction of the light nearby that the sample may be off besides.
    pub tolerance: f32,
}

/// A combined pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Combined {
    /// Weighted mean.
    pub value: f32,
    /// Its variance.
    pub variance: f32,
    /// Samples that are in it.
    pub kept: usize,
}

/// The value that samples are judged by: their median, and of two the lower, as cosmic rays and satellites add light. The samples are
/// sorted. `None` without samples.
pub fn centre(samples: &mut [Sample]) -> Option<f32> {
    samples.sort_unstable_by(|a, b| a.value.total_cmp(&b.value));
    match samples.len() {
        0 => None,
        2 => Some(samples[0].value),
        n if n % 2 == 1 => Some(samples[n / 2].value),
        n => Some(0.5 * (samples[n / 2 - 1].value + samples[n / 2].value)),
    }
}

/// Combines sorted samples about their centre; `sigma` is the limit in units of the noise, `light` the largest centre nearby.
pub fn combine(samples: &[Sample], centre: f32, sigma: f32, light: f32) -> Combined {
    let both = if samples.len() == 2 { samples[0].variance } else { 0.0 };
    let inside = |s: &Sample| (s.value - centre).powi(2) <= sigma * sigma * (s.variance + both) + (s.tolerance * light.max(0.0)).powi(2);
    let (mut weights, mut sum, mut squares, mut kept) = (0.0_f64, 0.0_f64, 0.0_f64, 0);
    for sample in samples.iter().filter(|s| inside(s)) {
        let weight = f64::from(sample.weight);
        weights += weight;
        sum += weight * f64::from(sample.value);
        squares += weight * weight * f64::from(sample.variance);
        kept += 1;
    }
    if kept == 0 {
        let variance = samples.get(samples.len() / 2).map_or(f32::NAN, |s| s.variance);
        return Combined { value: centre, variance, kept: 1 };
    }
    Combined { value: (sum / weights) as f32, variance: (squares / (weights * weights)) as f32, kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: f32, weight: f32) -> Sample {
        Sample { value, variance: 4.0, weight, tolerance: 0.0 }
    }

    fn combined(mut samples: Vec<Sample>, light: f32) -> Combined {
        let middle = centre(&mut samples).unwrap();
        combine(&samples, middle, 4.0, light)
    }

    #[test]
    fn an_outlier_goes_and_the_rest_is_averaged_by_weight() {
        let found = combined(vec![sample(10.0, 1.0), sample(500.0, 1.0), sample(12.0, 1.0), sample(11.0, 2.0)], 0.0);
        assert_eq!((found.value, found.kept), (11.0, 3));
        assert!((found.variance - 4.0 * 6.0 / 16.0).abs() < 1e-6);
    }

    #[test]
    fn two_that_contradict_give_the_lower() {
        assert_eq!(combined(vec![sample(900.0, 1.0), sample(10.0, 1.0)], 0.0), Combined { value: 10.0, variance: 4.0, kept: 1 });
        assert_eq!(centre(&mut []), None);
    }

    #[test]
    fn beside_a_star_a_frame_of_worse_seeing_is_kept() {
        let worse = Sample { tolerance: 0.3, ..sample(80.0, 1.0) };
        let samples = vec![sample(10.0, 1.0), sample(11.0, 1.0), worse];
        assert_eq!((combined(samples.clone(), 12.0).kept, combined(samples, 1000.0).kept), (2, 3));
    }
}
