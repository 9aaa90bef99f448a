//! Objects above the background.
//!
//! The frame minus background is smoothed by a Gaussian of about the seeing (the matched filter for point sources), weighted so
//! that bad pixels do not count. Connected pixels (8 neighbours) above `sigma` times the noise of the smoothed frame, from the
//! variance plane, are an object.

use ndarray::{Array2, ArrayView2, Zip};

use super::deblend;
use crate::Image;
use crate::filter::{convolve_normalised, dilate, gaussian_kernel};
use crate::image::quality;

/// Choices of the detection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectionOptions {
    /// Threshold in sigma of the smoothed frame.
    pub sigma: f64,
    /// Expected full width at half maximum of a star, pixels: filter and centroid window.
    pub fwhm: f64,
    /// Least number of connected pixels.
    pub least_pixels: usize,
    /// The object mask grows by this many pixels.
    pub grow: f64,
    /// Pixels with any of these quality bits are not used.
    pub exclude: u32,
    /// Objects that touch are parted where a peak rises above the saddle by so many sigma of the smoothed frame; `None` leaves them together.
    pub deblend: Option<f64>,
}

impl Default for DetectionOptions {
    /// 4 sigma, FWHM 3 pixels, at least 5 pixels, mask grown by 3 pixels; saturated pixels and removed cosmic rays count, others
    /// with a quality bit do not.
    fn default() -> Self {
        let used = quality::QUESTIONABLE | quality::SATURATED_CONVERTER | quality::SATURATED_WELL | quality::COSMIC_RAY;
        DetectionOptions { sigma: 4.0, fwhm: 3.0, least_pixels: 5, grow: 3.0, exclude: !used, deblend: None }
    }
}

/// An object. Coordinates are column and row from 0, pixel centres at whole numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Windowed column of the centre.
    pub x: f64,
    /// Windowed row of the centre.
    pub y: f64,
    /// Standard error of `x` from the variances of the pixels (the same for `y`).
    pub error: f64,
    /// Sum over the connected pixels above background.
    pub flux: f64,
    /// Standard error of the flux from the variances.
    pub flux_error: f64,
    /// Largest pixel above background.
    pub peak: f64,
    /// Connected pixels.
    pub pixels: usize,
    /// Quality bits of the connected pixels.
    pub quality: u32,
}

/// The result of a detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The objects, brightest first.
    pub sources: Vec<Source>,
    /// True on objects, grown.
    pub mask: Array2<bool>,
}

/// Finds objects in `image` above `background` (same shape, see [`super::measure_background`]).
///
/// # Panics
/// If the shapes differ.
pub fn detect_sources(image: &Image, background: ArrayView2<f32>, options: &DetectionOptions) -> Detection {
    let shape = image.shape();
    let signal = &image.data - &background;
    let good = Zip::from(&signal)
        .and(&image.variance)
        .and(&image.quality)
        .map_collect(|s, v, q| if q & options.exclude == 0 && s.is_finite() && v.is_finite() { 1.0f32 } else { 0.0 });
    let kernel = gaussian_kernel(options.fwhm / 2.354_82, 3.0);
    let smooth = convolve_normalised(signal.view(), good.view(), &kernel, &kernel, 0.3);
    // The noise varies slowly: its mean under the kernel, times the kernel's sum of squares.
    let squares: f64 = kernel.iter().map(|k| k * k).sum();
    let variance = convolve_normalised(image.variance.view(), good.view(), &kernel, &kernel, 0.3);
    let limit = (options.sigma * options.sigma * squares * squares) as f32;
    let above = Zip::from(&smooth).and(&variance).and(&good).map_collect(|&s, &v, &g| g > 0.0 && s > 0.0 && s * s > limit * v);

    let mut seen = Array2::from_elem(shape, false);
    let mut mask = Array2::from_elem(shape, false);
    let mut sources = Vec::new();
    let mut members: Vec<(usize, usize)> = Vec::new();
    for (start, _) in above.indexed_iter().filter(|(_, a)| **a) {
        if seen[start] {
            continue;
        }
        members.clear();
        members.push(start);
        seen[start] = true;
        let mut next = 0;
        while let Some(&(y, x)) = members.get(next) {
            next += 1;
            for v in y.saturating_sub(1)..(y + 2).min(shape.0) {
                for u in x.saturating_sub(1)..(x + 2).min(shape.1) {
                    if above[[v, u]] && !seen[[v, u]] {
                        seen[[v, u]] = true;
                        members.push((v, u));
                    }
                }
            }
        }
        if members.len() >= options.least_pixels {
            members.iter().for_each(|&p| mask[p] = true);
            let parts = match options.deblend {
                Some(sigma) => {
                    let rise = |p: (usize, usize)| (sigma * squares) as f32 * variance[p].max(0.0).sqrt();
                    deblend::part(&members, smooth.view(), rise)
                }
                None => vec![std::mem::take(&mut members)],
            };
            let large = parts.iter().filter(|p| p.len() >= options.least_pixels);
            sources.extend(large.map(|part| measure(image, &signal, &good, part, options.fwhm)));
        }
    }
    sources.sort_by(|a, b| b.flux.total_cmp(&a.flux).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x)));
    Detection { sources, mask: dilate(mask.view(), options.grow) }
}

fn measure(image: &Image, signal: &Array2<f32>, good: &Array2<f32>, members: &[(usize, usize)], fwhm: f64) -> Source {
    let (mut flux, mut variance, mut peak, mut bits) = (0.0, 0.0, f64::NEG_INFINITY, 0);
    let (mut sum_x, mut sum_y) = (0.0, 0.0);
    let mut brightest = members[0];
    for &p in members {
        let value = f64::from(signal[p]);
        flux += value;
        variance += f64::from(image.variance[p]);
        sum_x += value.max(0.0) * p.1 as f64;
        sum_y += value.max(0.0) * p.0 as f64;
        if value > peak {
            (peak, brightest) = (value, p);
        }
        bits |= image.quality[p];
    }
    let total: f64 = members.iter().map(|&p| f64::from(signal[p]).max(0.0)).sum();
    let (mut x, mut y) = if total > 0.0 { (sum_x / total, sum_y / total) } else { (brightest.1 as f64, brightest.0 as f64) };
    let mut error = f64::NAN;
    if let Some(found) = windowed_centroid(signal.view(), image.variance.view(), Some(good.view()), (x, y), fwhm) {
        (x, y, error) = found;
    }
    Source { x, y, error, flux, flux_error: variance.sqrt(), peak, pixels: members.len(), quality: bits }
}

/// Centre of an object near `start` (column, row from 0) by a Gaussian window of the given FWHM, iterated until it stands still
/// (the windowed position of SExtractor's manual: `x += 2 sum(w I (x_i - x)) / sum(w I)`). `signal` is above background; `weight`
/// is 0 for pixels not to be used. Returns column, row and the standard error of either; `None` when it does not settle within 2
/// FWHM of the start.
///
/// *Accuracy*: pulls have standard deviation 1 for stars of the window's FWHM (test).
pub fn windowed_centroid(
    signal: ArrayView2<f32>,
    variance: ArrayView2<f32>,
    weight: Option<ArrayView2<f32>>,
    start: (f64, f64),
    fwhm: f64,
) -> Option<(f64, f64, f64)> {
    let sigma = (fwhm / 2.354_82).max(0.8);
    let (rows, columns) = signal.dim();
    let (mut x, mut y) = start;
    for _ in 0..50 {
        let half = 4.0 * sigma;
        let inside = |v: f64, n: usize| v.clamp(0.0, n as f64) as usize;
        let (mut total, mut move_x, mut move_y, mut noise) = (0.0, 0.0, 0.0, 0.0);
        for v in inside((y - half).ceil(), rows)..inside((y + half).floor() + 1.0, rows) {
            for u in inside((x - half).ceil(), columns)..inside((x + half).floor() + 1.0, columns) {
                if weight.is_some_and(|w| w[[v, u]] == 0.0) {
                    continue;
                }
                let (dy, dx) = (v as f64 - y, u as f64 - x);
                let window = (-0.5 * (dx * dx + dy * dy) / (sigma * sigma)).exp();
                let value = f64::from(signal[[v, u]]);
                total += window * value;
                move_x += window * value * dx;
                move_y += window * value * dy;
                noise += window * window * f64::from(variance[[v, u]]) * 0.5 * (dx * dx + dy * dy);
            }
        }
        if total.is_nan() || total <= 0.0 {
            return None;
        }
        let (step_x, step_y) = (2.0 * move_x / total, 2.0 * move_y / total);
        (x, y) = (x + step_x, y + step_y);
        let away = (x - start.0).hypot(y - start.1);
        if away.is_nan() || away >= 2.0 * fwhm {
            return None;
        }
        if step_x.hypot(step_y) < 1e-5 {
            return Some((x, y, 2.0 * noise.sqrt() / total));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn stars_are_found_where_they_are() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        let sigma: f64 = 3.0 / 2.354_82;
        let mut scene = Array2::<f64>::from_elem((640, 640), 300.0);
        let mut stars = Vec::new();
        for i in 0..256usize {
            let cx = 20.0 + 40.0 * (i % 16) as f64 + rng.random_range(-3.0..3.0);
            let cy = 20.0 + 40.0 * (i / 16) as f64 + rng.random_range(-3.0..3.0);
            let peak = 10f64.powf(rng.random_range(2.3..4.0));
            stars.push((cx, cy));
            for ((y, x), v) in scene.indexed_iter_mut().filter(|((y, x), _)| (*y as f64 - cy).abs() < 9.0 && (*x as f64 - cx).abs() < 9.0) {
                *v += peak * (-0.5 * ((y as f64 - cy).powi(2) + (x as f64 - cx).powi(2)) / sigma.powi(2)).exp();
            }
        }
        let variance = scene.mapv(|s| (49.0 + s / 2.3) as f32);
        let data = Zip::from(&scene).and(&variance).map_collect(|s, v| {
            let z: f32 = StandardNormal.sample(&mut rng);
            *s as f32 + v.sqrt() * z
        });
        let image = Image { quality: Array2::zeros(data.dim()), data, variance };
        let background = Array2::from_elem(image.shape(), 300.0f32);
        let found = detect_sources(&image, background.view(), &DetectionOptions::default());
        let mut pulls = Moments::default();
        for &(x, y) in &stars {
            let near = found.sources.iter().find(|s| (s.x - x).hypot(s.y - y) < 2.0).expect("each star is found");
            pulls.push((near.x - x) / near.error);
            pulls.push((near.y - y) / near.error);
            assert!(found.mask[[y.round() as usize, x.round() as usize]]);
        }
        assert!(found.sources.len() <= stars.len() + 2, "{}", found.sources.len());
        assert!((pulls.std() - 1.0).abs() < 4.0 / 1024f64.sqrt() && pulls.mean().abs() < 0.18, "{} {}", pulls.std(), pulls.mean());
    }
}
