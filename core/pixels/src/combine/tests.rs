//! Combination against injected truth: values, variances by pulls, rejection, order and memory.

use super::*;
use crate::statistics::Moments;
use proptest::prelude::*;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn gaussian_frames(count: usize, shape: (usize, usize), level: f32, sigma: f32, seed: u64) -> Vec<Image> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let data = Array2::from_shape_simple_fn(shape, || {
                let z: f32 = StandardNormal.sample(&mut rng);
                level + sigma * z
            });
            Image::new(data, sigma * sigma)
        })
        .collect()
}

fn combined(frames: &[Image], options: &CombineOptions) -> Combined {
    let mut readers: Vec<&Image> = frames.iter().collect();
    combine(&mut readers, options).unwrap()
}

fn with(method: Method) -> CombineOptions {
    CombineOptions { method, ..CombineOptions::default() }
}

/// Standard deviation of `(value - truth) / sigma`, and its own error.
fn pulls(image: &Image, truth: f64) -> (Moments, f64) {
    let moments: Moments = image.data.iter().zip(&image.variance).map(|(&d, &v)| (f64::from(d) - truth) / f64::from(v).sqrt()).collect();
    (moments, 1.0 / (2.0 * moments.count() as f64).sqrt())
}

#[test]
fn variances_of_median_mean_and_trimmed_mean_for_each_number_of_frames() {
    for n in 1..=24 {
        let frames = gaussian_frames(n, (200, 200), 1000.0, 7.0, n as u64);
        for method in [Method::Mean, Method::Median, Method::WeightedMean, Method::MinMax { low: 1, high: 2 }] {
            let (found, error) = pulls(&combined(&frames, &with(method)).image, 1000.0);
            assert!((found.std() - 1.0).abs() < 4.0 * error, "{method:?} of {n}: {} +- {error}", found.std());
            if !matches!(method, Method::MinMax { .. }) {
                assert!(found.mean().abs() < 4.5 / 200.0, "{method:?} of {n}: {}", found.mean());
            }
        }
    }
}

#[test]
fn variance_of_the_clipped_mean() {
    for (n, limit) in [(3, 3.0), (4, 3.0), (5, 3.0), (7, 3.0), (10, 3.0), (20, 3.0), (30, 2.5), (10, 4.0), (70, 3.0)] {
        let frames = gaussian_frames(n, (250, 250), 500.0, 5.0, 90 + n as u64);
        let clip = SigmaClip { low: limit, high: limit, max_iterations: 5 };
        let (found, error) = pulls(&combined(&frames, &with(Method::SigmaClip(clip))).image, 500.0);
        assert!((found.std() - 1.0).abs() < 0.012 + 3.0 * error, "{n} at {limit}: {} +- {error}", found.std());
    }
}

#[test]
fn cosmic_rays_are_clipped_and_counted() {
    let shape = (60, 150);
    let mut frames = gaussian_frames(5, shape, 100.0, 4.0, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut hits = vec![0u64; 5];
    for _ in 0..200 {
        let (y, x, frame) = (rng.random_range(0..shape.0), rng.random_range(0..shape.1), rng.random_range(0..5));
        if frames.iter().all(|f| f.data[[y, x]] < 300.0) {
            frames[frame].data[[y, x]] += 2000.0;
            hits[frame] += 1;
        }
    }
    let found = combined(&frames, &with(Method::SigmaClip(SigmaClip { low: 6.0, high: 6.0, max_iterations: 3 })));
    assert_eq!(found.rejected_per_frame, hits);
    assert_eq!(found.rejected.iter().map(|&n| u64::from(n)).sum::<u64>(), hits.iter().sum::<u64>());
    let (found, error) = pulls(&found.image, 100.0);
    assert!((found.std() - 1.0).abs() < 4.0 * error, "{}", found.std());
}

#[test]
fn two_contradicting_samples_are_questionable() {
    let frames = [Image::new(Array2::from_elem((1, 1), 10.0), 1.0), Image::new(Array2::from_elem((1, 1), 510.0), 1.0)];
    let found = combined(&frames, &with(Method::SigmaClip(SigmaClip::default())));
    assert_eq!((found.image.data[[0, 0]], found.image.quality[[0, 0]]), (260.0, quality::QUESTIONABLE));
}

#[test]
fn bad_samples_are_left_out_and_hopeless_pixels_are_missing() {
    let mut frames = gaussian_frames(4, (3, 130), 50.0, 1.0, 8);
    frames[1].data[[1, 70]] = f32::NAN;
    frames[2].quality[[1, 70]] = quality::HOT;
    frames[2].data[[1, 70]] = 9e9;
    for frame in &mut frames {
        frame.quality[[2, 5]] = quality::DEAD;
    }
    frames[3].quality[[0, 0]] = quality::QUESTIONABLE;
    for method in [Method::Mean, Method::Median, Method::WeightedMean] {
        let found = combined(&frames, &with(method));
        assert_eq!(found.contributing[[1, 70]], 2);
        assert!((found.image.data[[1, 70]] - 50.0).abs() < 4.0 && (found.image.variance[[1, 70]] - 0.5).abs() < 1e-6);
        assert!(found.image.data[[2, 5]].is_nan() && found.image.variance[[2, 5]].is_nan());
        assert_eq!(found.image.quality[[2, 5]], quality::DEAD | quality::MISSING);
        assert_eq!((found.image.quality[[0, 0]], found.image.quality[[1, 70]]), (quality::QUESTIONABLE, 0));
    }
}

#[test]
fn scales_and_offsets_bring_frames_to_one_level() {
    let mut frames = gaussian_frames(6, (40, 70), 1.0, 0.01, 21);
    let (levels, biases) = ([1.0, 2.0, 4.0, 8.0, 3.0, 5.0], [10.0, -3.0, 0.0, 5.0, 1.0, 2.0]);
    for (frame, (&level, &bias)) in frames.iter_mut().zip(levels.iter().zip(&biases)) {
        frame.data.mapv_inplace(|v| v * level as f32 + bias as f32);
        frame.variance.mapv_inplace(|v| v * (level * level) as f32);
    }
    let scales = levels.iter().map(|l| 1.0 / l).collect();
    let options = CombineOptions { method: Method::Mean, scales, offsets: biases.to_vec(), ..CombineOptions::default() };
    let (found, error) = pulls(&combined(&frames, &options).image, 1.0);
    assert!((found.std() - 1.0).abs() < 4.0 * error && found.mean().abs() < 0.1);
}

#[test]
fn impossible_combinations_say_why() {
    let mut none: [&Image; 0] = [];
    assert_eq!(combine(&mut none, &CombineOptions::default()).unwrap_err().to_string(), "no frames to combine");
    let (a, b) = (Image::new(Array2::zeros((2, 3)), 1.0), Image::new(Array2::zeros((3, 2)), 1.0));
    let message = combine(&mut [&a, &b], &CombineOptions::default()).unwrap_err().to_string();
    assert_eq!(message, "frame 1 has (3, 2) rows and columns, the first frame (2, 3)");
    let options = CombineOptions { scales: vec![1.0, 2.0], ..CombineOptions::default() };
    assert!(combine(&mut [&a], &options).unwrap_err().to_string().starts_with("scales must be empty or one finite number"));
}

fn bits(image: &Image) -> Vec<(u32, u32, u32)> {
    let planes = image.data.iter().zip(&image.variance).zip(&image.quality);
    planes.map(|((d, v), q)| (d.to_bits(), v.to_bits(), *q)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn order_bands_and_threads_do_not_change_a_bit(seed in any::<u64>(), count in 1usize..12, method in 0usize..5, memory in 1usize..40_000) {
        let method = [
            Method::Median, Method::Mean, Method::WeightedMean, Method::MinMax { low: 1, high: 1 },
            Method::SigmaClip(SigmaClip { low: 2.0, high: 2.0, max_iterations: 4 }),
        ][method];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut frames = gaussian_frames(count, (9, 97), 300.0, 9.0, seed);
        for frame in &mut frames {
            // Whole numbers make ties, unequal variances make sums that depend on their order.
            frame.data.mapv_inplace(f32::round);
            frame.variance.mapv_inplace(|v| v * rng.random_range(0.5..2.0));
            for _ in 0..6 {
                frame.quality[[rng.random_range(0..9), rng.random_range(0..97)]] = quality::HOT;
            }
        }
        let reference = combined(&frames, &with(method));
        frames.shuffle(&mut rng);
        let options = CombineOptions { memory, ..with(method) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1 + count % 3).build().unwrap();
        let other = pool.install(|| combined(&frames, &options));
        prop_assert_eq!(bits(&reference.image), bits(&other.image));
        prop_assert_eq!(reference.rejected, other.rejected);
    }
}
