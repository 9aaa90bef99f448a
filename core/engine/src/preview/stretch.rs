//! Which values become black and white.

use ndarray::ArrayView2;

/// Values that limits are found from, about.
const SAMPLE: usize = 20_000;

/// How the limits of a preview are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stretch {
    /// Percentiles of the finite values.
    Percentile(f64, f64),
    /// A line through the sorted values, as IRAF's `zscale` fits it (contrast 0.25, 5 rounds of clipping at 2.5 sigma).
    Zscale,
    /// Given.
    Limits(f32, f32),
}

/// The limits of a stretch, lower one first and different; (0, 1) if there is no finite value.
pub fn limits(values: ArrayView2<'_, f32>, stretch: Stretch) -> (f32, f32) {
    if let Stretch::Limits(low, high) = stretch {
        return apart(low, high);
    }
    // The scale of a picture needs no more than some ten thousand values, evenly spread.
    let step = (values.len() / SAMPLE).max(1);
    let mut sorted: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).step_by(step).collect();
    if sorted.is_empty() {
        return (0.0, 1.0);
    }
    sorted.sort_unstable_by(f32::total_cmp);
    match stretch {
        Stretch::Percentile(low, high) => apart(percentile(&sorted, low), percentile(&sorted, high)),
        _ => zscale(&sorted),
    }
}

fn apart(low: f32, high: f32) -> (f32, f32) {
    if high > low { (low, high) } else { (low - 0.5 * low.abs().max(1.0), low + 0.5 * low.abs().max(1.0)) }
}

fn percentile(sorted: &[f32], percent: f64) -> f32 {
    let at = (percent / 100.0).clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (below, part) = (at.floor() as usize, at.fract() as f32);
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (above - sorted[below])
}

fn zscale(sorted: &[f32]) -> (f32, f32) {
    let step = (sorted.len() / 1000).max(1);
    let sample: Vec<f64> = sorted.iter().step_by(step).map(|v| f64::from(*v)).collect();
    let n = sample.len();
    let (first, last) = (sample[0], sample[n - 1]);
    let middle = (n - 1) as f64 / 2.0;
    let mut used = vec![true; n];
    let mut slope = 0.0;
    for _ in 0..5 {
        let points = || (0..n).filter(|&i| used[i]).map(|i| (i as f64 - middle, sample[i]));
        let count = points().count() as f64;
        let (mx, my) = (points().map(|p| p.0).sum::<f64>() / count, points().map(|p| p.1).sum::<f64>() / count);
        let sxx: f64 = points().map(|p| (p.0 - mx).powi(2)).sum();
        if count < (n as f64 / 2.0).max(5.0) || sxx == 0.0 {
            return apart(first as f32, last as f32);
        }
        slope = points().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / sxx;
        let residual = |i: usize| sample[i] - my - slope * (i as f64 - middle - mx);
        let sigma = (points().map(|p| (p.1 - my - slope * (p.0 - mx)).powi(2)).sum::<f64>() / count).sqrt();
        let next: Vec<bool> = (0..n).map(|i| used[i] && residual(i).abs() <= 2.5 * sigma).collect();
        if next == used || next.iter().filter(|u| **u).count() < n / 2 {
            break;
        }
        used = next;
    }
    let median = sample[n / 2];
    let reach = slope / 0.25 * middle;
    apart((median - reach).max(first) as f32, (median + reach).min(last) as f32)
}
