//! Finding bad pixels.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Zip};

use crate::Image;
use crate::filter::{Edge, dilate, median_filter, running_median};
use crate::image::quality;
use crate::statistics::{mad, median};

/// Limits for bad pixels in a flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlatDefectOptions {
    /// Side of the window of the local median in pixels, odd.
    pub window: usize,
    /// Least deviation in sigma, from the flat's variance and its robust scatter about the local median (the larger of both).
    pub sigma: f64,
    /// A pixel below this fraction of the local median is of low sensitivity.
    pub low: f64,
    /// A pixel below this fraction is dead.
    pub dead: f64,
    /// A pixel above this fraction is bad.
    pub high: f64,
}

impl Default for FlatDefectOptions {
    /// 11 pixels, 5 sigma, low below 0.8, dead below 0.1, bad above 1.2.
    fn default() -> Self {
        FlatDefectOptions { window: 11, sigma: 5.0, low: 0.8, dead: 0.1, high: 1.2 }
    }
}

/// Bad pixels of a flat (bias subtracted, any scale): [`quality::LOW_SENSITIVITY`], [`quality::DEAD`], [`quality::BAD`] (too
/// bright), and what the flat itself has marked. Pixels that are NaN, marked, or outside `field` are neither judged nor used; so
/// are those where the local median is not positive.
///
/// # Panics
/// If the window is even or the shapes differ.
pub fn bad_pixels_from_flat(flat: &Image, field: Option<ArrayView2<bool>>, options: &FlatDefectOptions) -> Array2<u32> {
    let (values, mut map) = usable(flat, field);
    let smooth = median_filter(values.view(), (options.window, options.window), Edge::Ignore);
    let ratio = Zip::from(&values).and(&smooth).map_collect(|&v, &s| if s > 0.0 { v / s } else { f32::NAN });
    let scatter = mad(ratio.as_slice().expect("a new array is contiguous"));
    Zip::from(&mut map).and(&ratio).and(&smooth).and(&flat.variance).for_each(|bits, &ratio, &smooth, &variance| {
        if ratio.is_nan() {
            return;
        }
        let (ratio, noise) = (f64::from(ratio), f64::from(variance).max(0.0).sqrt() / f64::from(smooth));
        if (ratio - 1.0).abs() <= options.sigma * scatter.max(noise) {
            return;
        }
        if ratio < options.dead {
            *bits |= quality::DEAD;
        } else if ratio < options.low {
            *bits |= quality::LOW_SENSITIVITY;
        } else if ratio > options.high {
            *bits |= quality::BAD;
        }
    });
    map
}

/// Values with NaN where they cannot be used, and the bits the image has.
fn usable(image: &Image, field: Option<ArrayView2<bool>>) -> (Array2<f32>, Array2<u32>) {
    let mut values =
        Zip::from(&image.data).and(&image.quality).map_collect(|&v, &q| if q & !quality::QUESTIONABLE == 0 { v } else { f32::NAN });
    if let Some(field) = field {
        Zip::from(&mut values).and(&field).for_each(|v, &inside| {
            if !inside {
                *v = f32::NAN;
            }
        });
    }
    (values, image.quality.clone())
}

/// Limits for hot pixels in a combined bias or dark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HotPixelOptions {
    /// Side of the window of the local median in pixels, odd.
    pub window: usize,
    /// Least deviation in sigma.
    pub sigma: f64,
    /// Least excess in the unit of the frame.
    pub excess: f64,
}

impl Default for HotPixelOptions {
    /// 11 pixels, 6 sigma, no least excess.
    fn default() -> Self {
        HotPixelOptions { window: 11, sigma: 6.0, excess: 0.0 }
    }
}

/// Hot pixels of a combined bias or dark: [`quality::HOT`] where the excess above the local median is significant and large enough,
/// [`quality::BAD`] where it is as far below; and what the frame itself has marked.
///
/// # Panics
/// If the window is even.
pub fn bad_pixels_from_dark(dark: &Image, options: &HotPixelOptions) -> Array2<u32> {
    let (values, mut map) = usable(dark, None);
    let smooth = median_filter(values.view(), (options.window, options.window), Edge::Ignore);
    let excess = &values - &smooth;
    let scatter = mad(excess.as_slice().expect("a new array is contiguous"));
    Zip::from(&mut map).and(&excess).and(&dark.variance).for_each(|bits, &excess, &variance| {
        let limit = (options.sigma * scatter.max(f64::from(variance).max(0.0).sqrt())).max(options.excess);
        if f64::from(excess) > limit {
            *bits |= quality::HOT;
        } else if f64::from(excess) < -limit {
            *bits |= quality::BAD;
        }
    });
    map
}

/// Limits for bad columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnDefectOptions {
    /// Length of the pieces in which a column is judged, pixels: a blocked column may begin anywhere.
    pub segment: usize,
    /// Number of neighbouring columns whose median a column is compared with, odd.
    pub window: usize,
    /// Least deviation of the piece's median in robust sigmas of all pieces at that height.
    pub sigma: f64,
    /// Least relative deviation (0 for biases and darks, whose level means nothing).
    pub fraction: f64,
}

impl Default for ColumnDefectOptions {
    /// Pieces of 64 pixels against 15 columns, 8 sigma and 2 %.
    fn default() -> Self {
        ColumnDefectOptions { segment: 64, window: 15, sigma: 8.0, fraction: 0.02 }
    }
}

/// Columns, or pieces of them, whose median differs from that of their neighbours: [`quality::DEFECT`] on all pixels of the piece.
/// 0 elsewhere.
///
/// # Panics
/// If the window or the segment is 0.
pub fn bad_columns(image: &Image, options: &ColumnDefectOptions) -> Array2<u32> {
    assert!(options.segment > 0, "a piece of a column has at least one pixel");
    let (values, _) = usable(image, None);
    let mut map = Array2::zeros(image.shape());
    for (strip, mut bits) in values.axis_chunks_iter(Axis(0), options.segment).zip(map.axis_chunks_iter_mut(Axis(0), options.segment)) {
        let levels: Vec<f32> = strip.columns().into_iter().map(|c: ArrayView1<f32>| median(&c.to_vec()) as f32).collect();
        let smooth = running_median(&levels, options.window, Edge::Ignore);
        let difference: Vec<f32> = levels.iter().zip(&smooth).map(|(a, b)| a - b).collect();
        let limit = options.sigma * mad(&difference);
        for (x, (&difference, &level)) in difference.iter().zip(&smooth).enumerate() {
            let size = f64::from(difference.abs());
            if size > limit && size > options.fraction * f64::from(level.abs()) {
                bits.column_mut(x).fill(quality::DEFECT);
            }
        }
    }
    map
}

/// Spreads `bits` to all pixels within `radius` pixels of one that has them; other bits stay where they are.
pub fn grow(map: &mut Array2<u32>, bits: u32, radius: f64) {
    for bit in (0..32).map(|i| 1u32 << i).filter(|b| b & bits != 0) {
        let has = map.mapv(|q| q & bit != 0);
        if has.iter().any(|h| *h) {
            Zip::from(&mut *map).and(&dilate(has.view(), radius)).for_each(|q, &near| *q |= if near { bit } else { 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::s;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    fn noisy(shape: (usize, usize), level: impl Fn(usize, usize) -> f64, sigma: f64, seed: u64) -> Image {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let data = Array2::from_shape_fn(shape, |(y, x)| {
            let z: f64 = StandardNormal.sample(&mut rng);
            (level(y, x) + sigma * z) as f32
        });
        Image::new(data, (sigma * sigma) as f32)
    }

    #[test]
    fn defects_of_a_flat_are_found_and_only_they() {
        let mut flat = noisy((200, 220), |y, x| 1.0 - 1e-3 * y as f64 + 5e-4 * x as f64, 0.01, 1);
        for (i, factor) in [0.4f32, 0.7, 0.02, 1.5, 0.0, 0.95].into_iter().enumerate() {
            flat.data[[20 + 25 * i, 33]] *= factor;
        }
        flat.data[[5, 5]] = f32::NAN;
        flat.quality[[5, 5]] = quality::MISSING;
        let map = bad_pixels_from_flat(&flat, None, &FlatDefectOptions::default());
        let found: Vec<_> = map.indexed_iter().filter(|(_, q)| **q != 0).map(|((y, _), q)| (y, *q)).collect();
        use quality::{BAD, DEAD, LOW_SENSITIVITY, MISSING};
        let expected = [(5, MISSING), (20, LOW_SENSITIVITY), (45, LOW_SENSITIVITY), (70, DEAD), (95, BAD), (120, DEAD)];
        assert_eq!(found, expected);
    }

    #[test]
    fn outside_of_the_field_nothing_is_judged() {
        let mut flat = noisy((60, 60), |_, x| if x < 40 { 1.0 } else { 0.001 }, 0.002, 2);
        flat.data[[30, 38]] = 0.3;
        let field = Array2::from_shape_fn((60, 60), |(_, x)| x < 40);
        let map = bad_pixels_from_flat(&flat, Some(field.view()), &FlatDefectOptions::default());
        assert_eq!(map.indexed_iter().filter(|(_, q)| **q != 0).map(|(p, _)| p).collect::<Vec<_>>(), [(30, 38)]);
    }

    #[test]
    fn hot_pixels_and_columns_are_found() {
        let mut dark = noisy((256, 200), |y, x| 600.0 + 0.05 * y as f64 + 3.0 * (x as f64 / 50.0).sin(), 3.0, 3);
        dark.data[[100, 50]] += 400.0;
        dark.data[[20, 150]] += 40.0;
        let map = bad_pixels_from_dark(&dark, &HotPixelOptions::default());
        assert_eq!(map.indexed_iter().filter(|(_, q)| **q != 0).map(|(p, _)| p).collect::<Vec<_>>(), [(20, 150), (100, 50)]);
        dark.data.slice_mut(s![64.., 120]).mapv_inplace(|v| v + 25.0);
        let columns = bad_columns(&dark, &ColumnDefectOptions { fraction: 0.0, ..ColumnDefectOptions::default() });
        assert!(columns.indexed_iter().all(|((y, x), &q)| (q == quality::DEFECT) == (x == 120 && y >= 64)));
    }

    #[test]
    fn growing_spreads_only_the_bits_asked_for() {
        let mut map = Array2::zeros((9, 9));
        map[[4, 4]] = quality::HOT | quality::BAD;
        grow(&mut map, quality::HOT, 1.0);
        assert_eq!(map.iter().filter(|q| **q & quality::HOT != 0).count(), 5);
        assert_eq!(map.iter().filter(|q| **q & quality::BAD != 0).count(), 1);
    }
}
