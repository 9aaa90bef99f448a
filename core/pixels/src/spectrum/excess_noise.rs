//! Noise that a frame has beyond its variances.
//!
//! Read-out electronics pick up interference that comes and goes from frame to frame, so the read noise of the bias is not that of every frame. It is
//! measured in the frame itself: the scatter of the sky pixels about the fitted sky against what the variances predict, in blocks along the
//! dispersion. Robust (median of absolute values), so that cosmic rays hardly count.

use ndarray::ArrayView2;

use super::slit::SlitView;
use crate::statistics::{MAD_TO_SIGMA, median};

/// Pixels of the dispersion in a block.
const BLOCK: usize = 40;

/// Variance that has to be added to that of each pixel, by pixel along the dispersion; 0 where the variances suffice.
pub fn excess_variance(view: &SlitView, sky: ArrayView2<f32>, is_sky: &[bool]) -> Vec<f64> {
    let width = view.shape().1;
    let blocks = (width / BLOCK).max(1);
    let rows: Vec<usize> = (0..is_sky.len()).filter(|&y| is_sky[y]).collect();
    let excess: Vec<f32> = (0..blocks).map(|b| excess_of(view, sky, &rows, b * width / blocks..(b + 1) * width / blocks) as f32).collect();
    // One block of three may lie on an edge of something.
    let smooth: Vec<f64> = (0..blocks).map(|b| median(&excess[b.saturating_sub(1)..(b + 2).min(blocks)]).max(0.0)).collect();
    (0..width)
        .map(|x| {
            let place = ((x as f64 + 0.5) * blocks as f64 / width as f64 - 0.5).clamp(0.0, (blocks - 1) as f64);
            let (k, part) = (place.floor() as usize, place.fract());
            smooth[k] + part * (smooth[(k + 1).min(blocks - 1)] - smooth[k])
        })
        .collect()
}

fn excess_of(view: &SlitView, sky: ArrayView2<f32>, rows: &[usize], columns: std::ops::Range<usize>) -> f64 {
    let (mut ratios, mut variances) = (Vec::new(), Vec::new());
    for &y in rows {
        for (x, (value, variance)) in columns.clone().filter_map(|x| Some((x, view.good(y, x)?))) {
            ratios.push(((value - f64::from(sky[[y, x]])).abs() / variance.sqrt()) as f32);
            variances.push(variance as f32);
        }
    }
    if ratios.len() < 200 {
        return 0.0;
    }
    let ratio = MAD_TO_SIGMA * median(&ratios);
    // Less than the measurement itself is uncertain by is nothing.
    let error = 1.2 / (ratios.len() as f64).sqrt();
    if ratio < 1.0 + 2.0 * error { 0.0 } else { (ratio * ratio - 1.0) * median(&variances) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::scene;
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn interference_is_measured_and_a_clean_frame_has_none() {
        let mut scene = scene(8, 0.0);
        let sky = ndarray::Array2::from_shape_fn(scene.data.dim(), |(y, x)| scene.sky(y, x) as f32);
        let rows = vec![true; scene.data.nrows()];
        let clean = excess_variance(&scene.view(), sky.view(), &rows);
        assert!(clean.iter().all(|e| *e < 4.0), "{clean:?}");
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        for ((_, x), v) in scene.data.indexed_iter_mut() {
            let noise: f32 = StandardNormal.sample(&mut rng);
            *v += noise * if x < 200 { 8.0 } else { 0.0 };
        }
        let found = excess_variance(&scene.view(), sky.view(), &rows);
        assert!((found[60] / 64.0 - 1.0).abs() < 0.15 && found[350] < 4.0, "{} {}", found[60], found[350]);
    }
}
