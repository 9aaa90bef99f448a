//! Objects on the slit: where they are, how wide, and which part of the slit is sky.

use ndarray::ArrayView2;

use super::slit::SlitView;
use crate::filter::{Edge, running_median};
use crate::fit::{Basis, FitOptions, fit_polynomial};
use crate::statistics::{MAD_TO_SIGMA, SigmaClip, median};

/// An object on the slit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlitObject {
    /// Centre along the slit in the mean of all wavelengths, pixels from 0.
    pub centre: f64,
    /// Full width at half maximum, pixels.
    pub fwhm: f64,
    /// Height of the mean profile above the sky.
    pub height: f64,
    /// Height over its noise.
    pub significance: f64,
}

/// Mean along the dispersion of each row of the slit, with its standard error: the median of the means of blocks, so that no cosmic ray and
/// no single emission line makes an object.
#[derive(Clone, Debug, Default)]
pub struct SlitProfile {
    /// Values.
    pub values: Vec<f64>,
    /// Standard errors.
    pub errors: Vec<f64>,
}

const BLOCKS: usize = 25;

/// The profile of a frame, `sky` subtracted first.
pub fn slit_profile(view: &SlitView, sky: impl Fn(usize, usize) -> f64) -> SlitProfile {
    let (height, width) = view.shape();
    let blocks = BLOCKS.min(width.max(1));
    let mut profile = SlitProfile::default();
    for y in 0..height {
        let mut means = Vec::with_capacity(blocks);
        for b in 0..blocks {
            let (mut sum, mut weights) = (0.0, 0.0);
            for x in b * width / blocks..(b + 1) * width / blocks {
                if let Some((value, variance)) = view.good(y, x) {
                    sum += (value - sky(y, x)) / variance;
                    weights += 1.0 / variance;
                }
            }
            if weights > 0.0 {
                means.push((sum / weights) as f32);
            }
        }
        let middle = if means.is_empty() { f64::NAN } else { median(&means) };
        let spread: Vec<f32> = means.iter().map(|m| (m - middle as f32).abs()).collect();
        let spread = if spread.is_empty() { f64::NAN } else { MAD_TO_SIGMA * median(&spread) };
        profile.values.push(middle);
        // Efficiency of a median: pi / 2.
        profile.errors.push(1.2533 * spread / (means.len().max(1) as f64).sqrt());
    }
    profile
}

/// Median along the slit of each column: a first idea of the sky, where objects cover less than half of the slit.
pub fn median_sky(view: &SlitView) -> Vec<f64> {
    let (height, width) = view.shape();
    let column = |x: usize| {
        let values: Vec<f32> = (0..height).filter_map(|y| view.good(y, x)).map(|(v, _)| v as f32).collect();
        if values.is_empty() { 0.0 } else { median(&values) }
    };
    (0..width).map(column).collect()
}

/// Which rows of the slit are sky: those that do not stand out of a smooth curve of `degree` through the profile, nor lie near one that does.
pub fn sky_rows(profile: &SlitProfile, degree: usize) -> Vec<bool> {
    let n = profile.values.len();
    let values: Vec<f32> = profile.values.iter().map(|v| *v as f32).collect();
    let smooth: Vec<f64> = running_median(&values, 5, Edge::Ignore).into_iter().map(f64::from).collect();
    let y: Vec<f64> = (0..n).map(|y| y as f64).collect();
    // Objects are on the high side alone.
    let clip = Some(SigmaClip { low: 5.0, high: 2.0, max_iterations: 30 });
    let Ok(fit) = fit_polynomial(&y, &smooth, None, degree, &FitOptions { basis: Basis::Legendre, clip }) else {
        return vec![true; n];
    };
    let level: Vec<f64> = (0..n).map(|k| smooth[k] - fit.polynomial.at(y[k])).collect();
    let quiet: Vec<f32> = (0..n).filter(|&k| fit.used[k]).map(|k| level[k].abs() as f32).collect();
    let noise = MAD_TO_SIGMA * median(&quiet);
    let stands_out: Vec<bool> = level.iter().map(|l| l.is_nan() || l.abs() > 4.0 * noise).collect();
    // Wings reach further than where they are seen: by half the width of what stands out.
    let mut sky = vec![true; n];
    let mut k = 0;
    while k < n {
        let end = (k..n).find(|&j| !stands_out[j]).unwrap_or(n);
        if end > k {
            let wing = ((end - k) / 2).clamp(2, 20);
            sky[k.saturating_sub(wing)..(end + wing).min(n)].fill(false);
        }
        k = end + 1;
    }
    sky
}

/// Objects in a sky-subtracted profile, brightest first. One stands out by `threshold` times its noise, and by a third of its height from the valley
/// to a brighter one.
pub fn find_objects(profile: &SlitProfile, threshold: f64) -> Vec<SlitObject> {
    let n = profile.values.len();
    let at = |k: usize| if profile.values[k].is_finite() { profile.values[k] } else { 0.0 };
    let smooth: Vec<f64> = (0..n).map(|k| (at(k.saturating_sub(1)) + at(k) + at((k + 1).min(n - 1))) / 3.0).collect();
    // Noise between rows that the running mean does not share; wide objects hardly differ over so few.
    let steps: Vec<f32> = (4..n).map(|k| (smooth[k] - smooth[k - 4]).abs() as f32).collect();
    let scatter = if steps.is_empty() { 0.0 } else { MAD_TO_SIGMA * median(&steps) / 2f64.sqrt() };
    let errors: Vec<f32> = profile.errors.iter().filter(|e| e.is_finite()).map(|e| *e as f32).collect();
    let noise = if errors.is_empty() { scatter } else { scatter.max(median(&errors) / 3f64.sqrt()) };
    let mut found = Vec::new();
    for k in 1..n.saturating_sub(1) {
        let peak = smooth[k];
        if !(peak >= smooth[k - 1] && peak > smooth[k + 1] && peak > threshold * noise) {
            continue;
        }
        // Down to the valley before something higher, on both sides.
        let valley = |path: &mut dyn Iterator<Item = usize>| {
            let mut lowest = peak;
            for j in path {
                if smooth[j] > peak {
                    return lowest;
                }
                lowest = lowest.min(smooth[j]);
            }
            f64::NEG_INFINITY
        };
        let deepest = valley(&mut (0..k).rev()).max(valley(&mut (k + 1..n)));
        if peak - deepest < (0.33 * peak).max(threshold * noise * 0.5) {
            continue;
        }
        let half = |path: &mut dyn Iterator<Item = usize>| {
            let mut last = (k as f64, peak);
            for j in path {
                if smooth[j] <= 0.5 * peak {
                    let part = (last.1 - 0.5 * peak) / (last.1 - smooth[j]);
                    return (last.0 + part * (j as f64 - last.0) - k as f64).abs();
                }
                last = (j as f64, smooth[j]);
            }
            (last.0 - k as f64).abs()
        };
        let (before, after) = (half(&mut (0..k).rev()), half(&mut (k + 1..n)));
        // The running mean of three pixels widens what is narrow.
        let fwhm = ((before + after).powi(2) - 5.55 * 2.0 / 3.0).max(1.0).sqrt();
        found.push(SlitObject { centre: k as f64 + 0.5 * (after - before), fwhm, height: peak, significance: peak / noise.max(1e-30) });
    }
    found.sort_by(|a, b| b.height.total_cmp(&a.height));
    found
}

/// The profile of a frame whose sky is known in each pixel.
pub fn subtracted_profile(view: &SlitView, sky: ArrayView2<f32>) -> SlitProfile {
    slit_profile(view, |y, x| f64::from(sky[[y, x]]))
}

#[cfg(test)]
mod tests {
    use super::super::sky::{SkyOptions, fit_sky};
    use super::super::tests::scene;
    use super::*;

    #[test]
    fn a_faint_star_is_found_and_an_empty_slit_has_none() {
        for seed in 0..10 {
            for brightness in [400.0, 0.0] {
                let scene = scene(seed, brightness);
                let view = scene.view();
                let rough = median_sky(&view);
                let rows = sky_rows(&slit_profile(&view, |_, x| rough[x]), 2);
                assert!(rows.iter().filter(|r| **r).count() > 80 && rows[70] == (brightness == 0.0), "{seed}");
                let sky = fit_sky(&view, scene.wavelengths.view(), &rows, &SkyOptions::default()).unwrap();
                let objects = find_objects(&subtracted_profile(&view, sky.image(scene.wavelengths.view()).view()), 5.0);
                assert_eq!(objects.len(), usize::from(brightness > 0.0), "{seed}: {objects:?}");
                if let Some(star) = objects.first() {
                    assert!((star.centre - 70.0).abs() < 1.0 && (star.fwhm - 7.0).abs() < 1.2, "{star:?}");
                }
            }
        }
    }
}
