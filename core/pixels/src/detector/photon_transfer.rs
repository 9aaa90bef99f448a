//! Gain and read noise from pairs of flats and biases (Janesick 2001, *Scientific Charge-Coupled Devices*, ch. 2 and 5).
//!
//! Fixed patterns are the same in both frames of a pair, so the variance of the difference is that of the noise alone:
//! `gain = ((F1 + F2) - (B1 + B2)) / (var(F1 - F2) - var(B1 - B2))` in e/ADU and `read noise = sqrt(var(B1 - B2) / 2)` in ADU. Here
//! the second flat is first scaled to the first by the median ratio `s` above bias, so that a lamp that drifts leaves no trace of
//! the flat's pattern: `gain = (S1 + s^2 S2) / (var(F1 - s F2) - (1 + s^2) var(B1 - B2) / 2)` with signals `S` above bias.
//!
//! Frames are cut into blocks. Each block's differences are taken about their own mean (slow gradients between the exposures do not
//! count) and clipped at 5 sigma, which costs 2e-5 of a Gaussian variance and keeps out cosmic rays and bad pixels; blocks that
//! disagree with the others (a star, a saturated corner) are dropped. The gain is the ratio of the sums over blocks, so an
//! illumination gradient weighs correctly. Assumes a linear detector without correlation between neighbouring pixels (charge
//! sharing makes the gain come out too high).

use ndarray::{ArrayView2, s};

use crate::statistics::{MAD_TO_SIGMA, SigmaClip, median, median_in_place, sigma_clipped};

/// Side of the blocks in pixels.
const BLOCK: usize = 32;

/// Fewest usable pixels of a block.
const FEWEST: usize = 64;

/// Read noise from a pair of biases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadNoise {
    /// Read noise in ADU, with what rounding to whole numbers adds.
    pub read_noise: f64,
    /// Its standard error.
    pub error: f64,
}

/// Gain and read noise from a pair of flats and a pair of biases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhotonTransfer {
    /// Electrons per ADU.
    pub gain: f64,
    /// Standard error of the gain.
    pub gain_error: f64,
    /// Read noise in ADU.
    pub read_noise: f64,
    /// Standard error of the read noise.
    pub read_noise_error: f64,
    /// Median signal above bias of the first flat, ADU.
    pub signal: f64,
    /// Factor that brought the second flat to the first.
    pub scale: f64,
    /// Blocks used.
    pub blocks: usize,
}

/// Why gain or read noise cannot be measured.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PhotonTransferError {
    /// Frames or mask differ in shape.
    #[error("frames and mask must have the same shape: {0:?}")]
    Shapes(Vec<(usize, usize)>),
    /// No block has enough usable pixels.
    #[error("no block of {BLOCK}x{BLOCK} pixels has {FEWEST} usable ones")]
    TooFewPixels,
    /// The flats are not brighter, or not noisier, than the biases.
    #[error("the flats have no photon noise above the biases: signal {signal} ADU, excess variance {excess} ADU^2")]
    NoSignal {
        /// Signal above bias, ADU.
        signal: f64,
        /// Variance of the flats' difference above that of the biases, ADU^2.
        excess: f64,
    },
}

/// Variance of the differences in a block and how well it is known.
struct BlockNoise {
    corner: (usize, usize),
    variance: f64,
    pixels: f64,
}

fn block_noise(
    first: ArrayView2<f32>,
    second: ArrayView2<f32>,
    scale: f64,
    offset: f64,
    mask: Option<ArrayView2<bool>>,
) -> Vec<BlockNoise> {
    let (rows, columns) = first.dim();
    let clip = SigmaClip { low: 5.0, high: 5.0, max_iterations: 10 };
    let mut blocks = Vec::new();
    let mut differences = Vec::with_capacity(BLOCK * BLOCK);
    for y in (0..rows).step_by(BLOCK) {
        for x in (0..columns).step_by(BLOCK) {
            differences.clear();
            for v in y..(y + BLOCK).min(rows) {
                for u in x..(x + BLOCK).min(columns) {
                    if mask.is_none_or(|m| m[[v, u]]) {
                        let difference = f64::from(first[[v, u]]) - offset - scale * (f64::from(second[[v, u]]) - offset);
                        differences.push(difference as f32);
                    }
                }
            }
            let found = sigma_clipped(&differences, &clip);
            if found.count >= FEWEST {
                blocks.push(BlockNoise { corner: (y, x), variance: found.std * found.std, pixels: found.count as f64 });
            }
        }
    }
    blocks
}

/// Keeps blocks whose `value` is within 5 robust sigmas of the median.
fn agreeing<T>(blocks: Vec<T>, value: impl Fn(&T) -> f64) -> Vec<T> {
    let mut values: Vec<f32> = blocks.iter().map(|b| value(b) as f32).collect();
    let centre = median_in_place(&mut values);
    values.iter_mut().for_each(|v| *v = (f64::from(*v) - centre).abs() as f32);
    let width = MAD_TO_SIGMA * median_in_place(&mut values);
    if width.is_nan() || width <= 0.0 {
        return blocks;
    }
    blocks.into_iter().filter(|b| (value(b) - centre).abs() <= 5.0 * width).collect()
}

/// Pooled variance of blocks and its standard error.
fn pooled(blocks: &[BlockNoise]) -> (f64, f64) {
    let weight: f64 = blocks.iter().map(|b| b.pixels - 1.0).sum();
    let variance = blocks.iter().map(|b| b.variance * (b.pixels - 1.0)).sum::<f64>() / weight;
    (variance, variance * (2.0 / weight).sqrt())
}

/// Read noise from two biases (ADU). `mask` is true where pixels may be used.
///
/// *Accuracy*: pulls have standard deviation 1 (tests). The rounding to whole ADU is part of the result (0.083 ADU^2).
///
/// # Errors
/// [`PhotonTransferError::Shapes`], [`PhotonTransferError::TooFewPixels`].
pub fn read_noise(
    bias1: ArrayView2<f32>,
    bias2: ArrayView2<f32>,
    mask: Option<ArrayView2<bool>>,
) -> Result<ReadNoise, PhotonTransferError> {
    check_shapes(&[bias1, bias2], mask)?;
    let blocks = agreeing(block_noise(bias1, bias2, 1.0, 0.0, mask), |b| b.variance);
    if blocks.is_empty() {
        return Err(PhotonTransferError::TooFewPixels);
    }
    let (variance, error) = pooled(&blocks);
    let read_noise = (0.5 * variance).sqrt();
    Ok(ReadNoise { read_noise, error: if variance > 0.0 { 0.25 * error / read_noise } else { 0.0 } })
}

/// Gain and read noise from two flats and two biases (ADU, raw). `mask` is true where pixels may be used: leave out what is
/// saturated or not illuminated.
///
/// *Accuracy*: pulls have standard deviation 1 (tests), with illumination gradients, pixel-to-pixel response, drifting lamps and
/// cosmic rays.
///
/// # Errors
/// See [`PhotonTransferError`].
pub fn photon_transfer(
    flats: [ArrayView2<f32>; 2],
    biases: [ArrayView2<f32>; 2],
    mask: Option<ArrayView2<bool>>,
) -> Result<PhotonTransfer, PhotonTransferError> {
    check_shapes(&[flats[0], flats[1], biases[0], biases[1]], mask)?;
    let bias_noise = agreeing(block_noise(biases[0], biases[1], 1.0, 0.0, mask), |b| b.variance);
    let usable = |frame: ArrayView2<f32>| -> Vec<f32> {
        match mask {
            None => frame.iter().copied().collect(),
            Some(mask) => frame.iter().zip(mask).filter(|(_, m)| **m).map(|(v, _)| *v).collect(),
        }
    };
    let (level1, level2) = (median(&usable(biases[0])), median(&usable(biases[1])));
    let bias_level = 0.5 * (level1 + level2);
    let (signal1, signal2) = (median(&usable(flats[0])) - bias_level, median(&usable(flats[1])) - bias_level);
    if bias_noise.is_empty() || signal1.is_nan() {
        return Err(PhotonTransferError::TooFewPixels);
    }
    if !(signal1 > 0.0 && signal2 > 0.0) {
        return Err(PhotonTransferError::NoSignal { signal: signal1.min(signal2), excess: f64::NAN });
    }
    let scale = signal1 / signal2;
    let (bias_variance, bias_error) = pooled(&bias_noise);
    let read_part = 0.5 * (1.0 + scale * scale) * bias_variance;

    // Each block: (its noise, its weighted signal S1 + s^2 S2).
    let blocks: Vec<(BlockNoise, f64)> = block_noise(flats[0], flats[1], scale, bias_level, mask)
        .into_iter()
        .map(|block| {
            let (y, x) = block.corner;
            let (rows, columns) = flats[0].dim();
            let part = s![y..(y + BLOCK).min(rows), x..(x + BLOCK).min(columns)];
            let level = |frame: ArrayView2<f32>| {
                let values: Vec<f32> = match mask {
                    None => frame.slice(part).iter().copied().collect(),
                    Some(m) => frame.slice(part).iter().zip(m.slice(part)).filter(|(_, m)| **m).map(|(v, _)| *v).collect(),
                };
                sigma_clipped(&values, &SigmaClip { low: 5.0, high: 5.0, max_iterations: 5 }).mean
            };
            let bias = 0.5 * (level(biases[0]) + level(biases[1]));
            let signal = (level(flats[0]) - bias) + scale * scale * (level(flats[1]) - bias);
            (block, signal)
        })
        .filter(|(_, signal)| *signal > 0.0)
        .collect();
    let blocks = agreeing(blocks, |(block, signal)| (block.variance - read_part) / signal);
    if blocks.is_empty() {
        return Err(PhotonTransferError::TooFewPixels);
    }
    let signal: f64 = blocks.iter().map(|(block, signal)| signal * block.pixels).sum();
    let pixels: f64 = blocks.iter().map(|(block, _)| block.pixels).sum();
    let variance: f64 = blocks.iter().map(|(block, _)| block.variance * block.pixels).sum();
    let excess = variance - read_part * pixels;
    if excess.is_nan() || excess <= 0.0 {
        return Err(PhotonTransferError::NoSignal { signal: signal1, excess: excess / pixels });
    }
    let flat_error: f64 = blocks.iter().map(|(b, _)| 2.0 * (b.variance * b.pixels).powi(2) / (b.pixels - 1.0)).sum();
    let read_error = 0.5 * (1.0 + scale * scale) * bias_error * pixels;
    let gain = signal / excess;
    let read_noise = (0.5 * bias_variance).sqrt();
    Ok(PhotonTransfer {
        gain,
        gain_error: gain * (flat_error + read_error * read_error).sqrt() / excess,
        read_noise,
        read_noise_error: if read_noise > 0.0 { 0.25 * bias_error / read_noise } else { 0.0 },
        signal: signal1,
        scale,
        blocks: blocks.len(),
    })
}

fn check_shapes(frames: &[ArrayView2<f32>], mask: Option<ArrayView2<bool>>) -> Result<(), PhotonTransferError> {
    let shapes: Vec<_> = frames.iter().map(|f| f.dim()).chain(mask.map(|m| m.dim())).collect();
    if shapes.windows(2).all(|w| w[0] == w[1]) { Ok(()) } else { Err(PhotonTransferError::Shapes(shapes)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Poisson, StandardNormal};

    const GAIN: f64 = 2.3;
    const READ_NOISE: f64 = 7.0;

    /// A rounded frame with pixel response, illumination gradient, hits, and a bias structure.
    fn frame(level: f64, response: &Array2<f64>, rng: &mut ChaCha8Rng) -> Array2<f32> {
        let (rows, columns) = response.dim();
        let mut out = Array2::from_shape_fn((rows, columns), |(y, x)| {
            let signal = level * response[[y, x]] * (1.0 + 0.3 * (x as f64 / columns as f64 - 0.5));
            let electrons: f64 = if signal > 0.0 { Poisson::new(signal * GAIN).unwrap().sample(rng) } else { 0.0 };
            let read: f64 = StandardNormal.sample(rng);
            (666.0 + 3.0 * (y as f64 / 40.0).sin() + electrons / GAIN + READ_NOISE * read).round() as f32
        });
        for _ in 0..rows * columns / 2000 {
            out[[rng.random_range(0..rows), rng.random_range(0..columns)]] += rng.random_range(300.0..9000.0f32);
        }
        out
    }

    #[test]
    fn gain_and_read_noise_have_the_stated_errors() {
        let mut rng = ChaCha8Rng::seed_from_u64(77);
        let response = Array2::from_shape_simple_fn((160, 192), || {
            let z: f64 = StandardNormal.sample(&mut rng);
            1.0 + 0.01 * z
        });
        let (mut gain, mut read, mut from_biases) = (Moments::default(), Moments::default(), Moments::default());
        let expected = (READ_NOISE * READ_NOISE + 1.0 / 12.0f64).sqrt();
        const TRIALS: usize = 60;
        for trial in 0..TRIALS {
            let level = [2000.0, 20_000.0][trial % 2];
            let (f1, f2) = (frame(level, &response, &mut rng), frame(0.9 * level, &response, &mut rng));
            let (b1, b2) = (frame(0.0, &response, &mut rng), frame(0.0, &response, &mut rng));
            let found = photon_transfer([f1.view(), f2.view()], [b1.view(), b2.view()], None).unwrap();
            assert!((found.scale * 0.9 - 1.0).abs() < 1e-2 && found.gain_error / found.gain < 0.02);
            gain.push((found.gain - GAIN) / found.gain_error);
            read.push((found.read_noise - expected) / found.read_noise_error);
            let single = read_noise(b1.view(), b2.view(), None).unwrap();
            from_biases.push((single.read_noise - expected) / single.error);
        }
        let tolerance = 4.0 / (2.0 * TRIALS as f64).sqrt();
        for (name, pulls) in [("gain", gain), ("read noise", read), ("read noise of biases", from_biases)] {
            assert!((pulls.std() - 1.0).abs() < tolerance, "{name}: {}", pulls.std());
            assert!(pulls.mean().abs() < 4.0 / (TRIALS as f64).sqrt(), "{name}: {}", pulls.mean());
        }
    }

    #[test]
    fn hopeless_frames_say_why() {
        let flat = Array2::<f32>::from_elem((64, 64), 100.0);
        let views = [flat.view(), flat.view()];
        assert!(matches!(photon_transfer(views, views, None), Err(PhotonTransferError::NoSignal { .. })));
        let nothing = Array2::from_elem((64, 64), false);
        assert_eq!(read_noise(flat.view(), flat.view(), Some(nothing.view())), Err(PhotonTransferError::TooFewPixels));
        let small = Array2::<f32>::zeros((3, 3));
        assert!(matches!(read_noise(flat.view(), small.view(), None), Err(PhotonTransferError::Shapes(_))));
    }
}
