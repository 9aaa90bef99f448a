//! One pixel: the general way, with bad samples and rejection.

use super::{Band, Combiner, Method};
use crate::image::quality;
use crate::order_statistics::median_variance_factor;
use crate::statistics::{SigmaClip, median_in_place};

/// A usable sample.
#[derive(Clone, Copy)]
struct Sample {
    value: f32,
    variance: f32,
    quality: u32,
    frame: usize,
    kept: bool,
}

/// Buffers reused from pixel to pixel.
#[derive(Default)]
pub(super) struct PixelScratch {
    samples: Vec<Sample>,
    values: Vec<f32>,
    unusable_bits: u32,
}

/// The combined pixel.
pub(super) struct PixelOut {
    pub value: f32,
    pub variance: f32,
    pub quality: u32,
    pub contributing: u16,
    pub rejected: u16,
}

impl PixelScratch {
    /// Collects the usable samples of one pixel, frames in the order given.
    pub(super) fn gather(&mut self, combiner: &Combiner, bands: &[Band], order: &[usize], index: usize) {
        self.samples.clear();
        self.unusable_bits = 0;
        let zero_variance_is_bad = combiner.method == Method::WeightedMean;
        for &frame in order {
            let band = &bands[frame];
            let (value, variance, quality) = (band.data[index], band.variance[index], band.quality[index]);
            let good_variance = variance.is_finite() && variance >= 0.0 && !(zero_variance_is_bad && variance == 0.0);
            if quality & combiner.reject == 0 && value.is_finite() && good_variance {
                self.samples.push(Sample { value, variance, quality, frame, kept: true });
            } else {
                self.unusable_bits |= quality;
            }
        }
    }

    fn median_of_kept(&mut self) -> f64 {
        self.values.clear();
        self.values.extend(self.samples.iter().filter(|s| s.kept).map(|s| s.value));
        median_in_place(&mut self.values)
    }

    fn kept(&self) -> usize {
        self.samples.iter().filter(|s| s.kept).count()
    }

    fn sum(&self, term: impl Fn(&Sample) -> f64) -> f64 {
        self.samples.iter().filter(|s| s.kept).map(term).sum()
    }

    /// Mean of the kept samples and its variance without a factor.
    fn mean(&self) -> (f64, f64) {
        let n = self.kept() as f64;
        (self.sum(|s| f64::from(s.value)) / n, self.sum(|s| f64::from(s.variance)) / (n * n))
    }
}

/// Combines the gathered samples.
pub(super) fn combine_pixel(combiner: &Combiner, scratch: &mut PixelScratch, rejected_per_frame: &mut [u64]) -> PixelOut {
    let n = scratch.samples.len();
    if n == 0 {
        let quality = scratch.unusable_bits | quality::MISSING;
        return PixelOut { value: f32::NAN, variance: f32::NAN, quality, contributing: 0, rejected: 0 };
    }
    let mut flag = 0;
    let (value, variance) = match combiner.method {
        Method::Mean => scratch.mean(),
        Method::Median => (scratch.median_of_kept(), scratch.mean().1 * median_variance_factor(n)),
        Method::WeightedMean => {
            let weight = scratch.sum(|s| 1.0 / f64::from(s.variance));
            (scratch.sum(|s| f64::from(s.value) / f64::from(s.variance)) / weight, 1.0 / weight)
        }
        Method::SigmaClip(clip) => {
            if !clip_samples(scratch, &clip) {
                flag = quality::QUESTIONABLE;
            }
            let (mean, variance) = scratch.mean();
            (mean, variance * combiner.clipped_factor(n))
        }
        Method::MinMax { low, high } => trimmed_mean(combiner, scratch, low, high),
    };
    let mut quality = flag;
    let mut contributing = 0;
    for sample in &scratch.samples {
        if sample.kept {
            quality |= sample.quality;
            contributing += 1;
        } else {
            rejected_per_frame[sample.frame] += 1;
        }
    }
    PixelOut {
        value: value as f32,
        variance: variance as f32,
        quality,
        contributing: contributing as u16,
        rejected: (n - contributing) as u16,
    }
}

/// Unmarks outliers; false, with all samples kept, when more than half of them would go.
fn clip_samples(scratch: &mut PixelScratch, clip: &SigmaClip) -> bool {
    let (low, high) = (clip.low * clip.low, clip.high * clip.high);
    for _ in 0..clip.max_iterations {
        let centre = scratch.median_of_kept();
        let mut changed = false;
        for sample in scratch.samples.iter_mut().filter(|s| s.kept) {
            let deviation = f64::from(sample.value) - centre;
            let limit = if deviation < 0.0 { low } else { high };
            if deviation * deviation > limit * f64::from(sample.variance) {
                sample.kept = false;
                changed = true;
            }
        }
        if 2 * scratch.kept() < scratch.samples.len() || scratch.kept() == 0 {
            scratch.samples.iter_mut().for_each(|s| s.kept = true);
            return false;
        }
        if !changed {
            break;
        }
    }
    // Two samples, one of them with a much larger variance: nothing says which is right.
    if scratch.samples.len() == 2 && scratch.kept() == 1 {
        scratch.samples.iter_mut().for_each(|s| s.kept = true);
        return false;
    }
    true
}

fn trimmed_mean(combiner: &Combiner, scratch: &mut PixelScratch, low: usize, high: usize) -> (f64, f64) {
    let n = scratch.samples.len();
    let factor = combiner.trimmed_factor(n, low, high);
    if low + high >= n {
        return (scratch.median_of_kept(), scratch.mean().1 * factor);
    }
    // Ties by variance and bits, so that equal values do not bring in the order of the frames.
    scratch.samples.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.variance.total_cmp(&b.variance)).then(a.quality.cmp(&b.quality)));
    let end = n - high;
    scratch.samples.iter_mut().enumerate().for_each(|(i, s)| s.kept = (low..end).contains(&i));
    let kept = (end - low) as f64;
    (scratch.mean().0, scratch.sum(|s| f64::from(s.variance)) / kept / n as f64 * factor)
}
