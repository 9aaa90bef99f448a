//! Gain and read noise from pairs of flats and biases (Janesick 2001, *Scientific Charge-Coupled Devices*, ch. 2 and 5).
//!
//! Fixed patterns are the same in both frames of a pair, so the variance of the difference is that of the noise alone. Two flats
//! `a`, `b` (above bias) with levels `m`, `n` are brought to one level, `d = a/m - b/n`, so that a lamp that drifts leaves no trace of the
//! flat's pattern:
//!
//! `V(d) = S / gain + R`, `S = mean(a)/m^2 + mean(b)/n^2`, `R = read_noise^2 (1/m^2 + 1/n^2)`
//!
//! with the gain in e/ADU, and `read_noise^2 = V(b1 - b2) / 2` in ADU from two biases.
//!
//! Frames are cut into blocks. Each block's differences are taken about their own mean (slow gradients between the exposures do not
//! count) and clipped at 5 sigma, which costs 2e-5 of a Gaussian variance and keeps out cosmic rays and bad pixels; blocks that
//! disagree with the others (a star, a saturated corner) are dropped. Each block gives `1/gain`; they are averaged with the weights
//! of smallest error, so faint and bright parts weigh correctly. Assumes a linear detector without correlation between neighbouring
//! pixels (charge sharing makes the gain come out too high).

use std::ops::Range;

use ndarray::ArrayView2;

use crate::statistics::{MAD_TO_SIGMA, clipped_moments, clipped_moments_of_block, median, median_in_place};

/// Side of the blocks in pixels.
const BLOCK: usize = 32;

/// Fewest usable pixels of a block.
const FEWEST: usize = 64;

/// Length in pixels of the pieces that rows are cut into.
const ROW_PIECE: usize = 64;

/// Fewest usable pixels of a piece of a row.
const FEWEST_OF_PIECE: usize = 16;

/// Fewest pixels that say anything about a gain.
const FEWEST_OF_SAMPLE: f64 = 1000.0;

/// Rejection limit in a block, in standard deviations.
const CLIP: f64 = 5.0;

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

/// A gain and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredGain {
    /// Electrons per ADU.
    pub gain: f64,
    /// Its standard error.
    pub error: f64,
}

/// Why gain or read noise cannot be measured.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PhotonTransferError {
    /// Frames or mask differ in shape.
    #[error("frames and mask must have the same shape: {0:?}")]
    Shapes(Vec<(usize, usize)>),
    /// No block has enough usable pixels, or all together have too few.
    #[error("too few usable pixels: a block of {BLOCK}x{BLOCK} needs {FEWEST}, a gain {FEWEST_OF_SAMPLE}")]
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

/// Variance of the differences in a block of two biases, and how many pixels it rests on.
struct BlockNoise {
    variance: f64,
    pixels: f64,
}

fn block_noise(first: ArrayView2<f32>, second: ArrayView2<f32>, mask: Option<ArrayView2<bool>>) -> Vec<BlockNoise> {
    let mut differences = Vec::with_capacity(BLOCK * BLOCK);
    let mut measure = |(rows, columns): (Range<usize>, Range<usize>)| {
        differences.clear();
        for y in rows {
            for x in columns.clone().filter(|x| mask.is_none_or(|m| m[[y, *x]])) {
                differences.push(first[[y, x]] - second[[y, x]]);
            }
        }
        let found = clipped_moments_of_block(&differences, CLIP);
        (found.count >= FEWEST).then_some(BlockNoise { variance: found.sigma * found.sigma, pixels: found.count as f64 })
    };
    blocks_of(first.dim()).filter_map(&mut measure).collect()
}

/// Rows and columns of the blocks of a frame.
fn blocks_of((rows, columns): (usize, usize)) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let part = |from: usize, end: usize| from..(from + BLOCK).min(end);
    (0..rows).step_by(BLOCK).flat_map(move |y| (0..columns).step_by(BLOCK).map(move |x| (part(y, rows), part(x, columns))))
}

/// Collects parts of pairs of flats of one detector, then gives its gain.
///
/// Flats of many levels may be mixed, and only some rows of each be given: a fraction of a percent needs some 100 000 pixels.
#[derive(Default)]
pub struct GainSample {
    blocks: Vec<FlatBlock>,
    differences: Vec<f32>,
    signals: Vec<f32>,
}

/// The difference of two flats in a block, in units of their levels.
struct FlatBlock {
    /// Variance of `a/m - b/n`.
    variance: f64,
    /// `mean(a)/m^2 + mean(b)/n^2`, in 1/ADU.
    signal: f64,
    /// Variance that the read noise has in it.
    read_part: f64,
    pixels: f64,
}

impl FlatBlock {
    fn inverse_gain(&self) -> f64 {
        (self.variance - self.read_part) / self.signal
    }
}

impl GainSample {
    /// Adds a row of two flats, or a part of it, above bias in ADU, from neighbour to neighbour; NaN where a pixel is not to be used
    /// (saturated, not lit), and false in `usable` if given. `levels` are those of the two flats; `read_noise` is that of one frame
    /// in ADU. Pieces of 64 pixels are blocks: a ratio of the flats that changes by `x` across a piece adds `x^2 / 12` to the
    /// variance.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_row(&mut self, first: &[f32], second: &[f32], usable: Option<&[bool]>, levels: (f64, f64), read_noise: f64) {
        assert!(first.len() == second.len() && usable.is_none_or(|u| u.len() == first.len()), "rows must have the same length");
        for from in (0..first.len()).step_by(ROW_PIECE) {
            let piece = from..(from + ROW_PIECE).min(first.len());
            let pixels = piece.filter(|i| usable.is_none_or(|u| u[*i])).map(|i| (first[i], second[i]));
            self.add_block(pixels, levels, read_noise, FEWEST_OF_PIECE);
        }
    }

    fn add_block(&mut self, pixels: impl Iterator<Item = (f32, f32)>, levels: (f64, f64), read_noise: f64, fewest: usize) {
        let (a, b) = ((1.0 / levels.0) as f32, (1.0 / levels.1) as f32);
        self.differences.clear();
        self.signals.clear();
        for (first, second) in pixels {
            let (first, second) = (first * a, second * b);
            self.differences.push(first - second);
            self.signals.push(first * a + second * b);
        }
        let noise = clipped_moments_of_block(&self.differences, CLIP);
        // A pixel whose difference is an outlier has no say in the signal either.
        let (mut sum, mut kept) = (0.0, 0.0);
        for (difference, signal) in self.differences.iter().zip(&self.signals) {
            let good = (f64::from(*difference) - noise.mean).abs() <= CLIP * noise.sigma;
            sum += if good { f64::from(*signal) } else { 0.0 };
            kept += if good { 1.0 } else { 0.0 };
        }
        let signal = sum / kept;
        if noise.count >= fewest && signal > 0.0 {
            let inverse_squares = 1.0 / (levels.0 * levels.0) + 1.0 / (levels.1 * levels.1);
            let read_part = read_noise * read_noise * inverse_squares;
            self.blocks.push(FlatBlock { variance: noise.sigma * noise.sigma, signal, read_part, pixels: noise.count as f64 });
        }
    }

    /// The gain; the error does not contain that of the read noise. Pairs are taken as independent: where each frame is in two
    /// pairs (first and second, second and third, ...) the error is up to 1.22 times larger.
    ///
    /// *Accuracy*: pulls have standard deviation 1 (test).
    ///
    /// # Errors
    /// [`PhotonTransferError::TooFewPixels`] below 1000 pixels, [`PhotonTransferError::NoSignal`] where the photon noise is not 5
    /// standard errors above the read noise.
    pub fn gain(&self) -> Result<MeasuredGain, PhotonTransferError> {
        let found = self.average()?;
        Ok(MeasuredGain { gain: 1.0 / found.inverse, error: found.error / (found.inverse * found.inverse) })
    }

    fn average(&self) -> Result<InverseGain, PhotonTransferError> {
        let blocks = agreeing(self.blocks.iter().collect(), |b| b.inverse_gain());
        let pixels = blocks.iter().map(|b| b.pixels).sum::<f64>();
        if pixels.is_nan() || pixels < FEWEST_OF_SAMPLE {
            return Err(PhotonTransferError::TooFewPixels);
        }
        // Weights from the model and not from each block's own variance, which would favour those that are low by chance.
        let model = blocks.iter().map(|b| b.inverse_gain() * b.pixels).sum::<f64>() / pixels;
        let (mut weights, mut sum, mut read) = (0.0, 0.0, 0.0);
        for block in &blocks {
            let relative = block.signal / (block.signal * model.max(0.0) + block.read_part).max(f64::MIN_POSITIVE);
            let weight = 0.5 * (block.pixels - 1.0) * relative * relative;
            weights += weight;
            sum += weight * block.inverse_gain();
            read += weight * block.read_part / block.signal;
        }
        let (inverse, error) = (sum / weights, (1.0 / weights).sqrt());
        if inverse > 5.0 * error {
            return Ok(InverseGain { inverse, error, read_part: read / weights, blocks: blocks.len() });
        }
        let signal = blocks.iter().map(|b| 1.0 / b.signal).sum::<f64>() / blocks.len() as f64;
        Err(PhotonTransferError::NoSignal { signal, excess: inverse * signal })
    }
}

/// `1/gain` with its error, and how much of the raw value was read noise.
struct InverseGain {
    inverse: f64,
    error: f64,
    read_part: f64,
    blocks: usize,
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
    let blocks = agreeing(block_noise(bias1, bias2, mask), |b| b.variance);
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
    let bias_noise = agreeing(block_noise(biases[0], biases[1], mask), |b| b.variance);
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
    let read_noise = (0.5 * bias_variance).sqrt();
    let mut sample = GainSample::default();
    for (rows, columns) in blocks_of(flats[0].dim()) {
        let all = rows.flat_map(|y| columns.clone().map(move |x| [y, x]));
        let places: Vec<[usize; 2]> = all.filter(|p| mask.is_none_or(|m| m[*p])).collect();
        let level = |frame: ArrayView2<f32>| clipped_moments(&places.iter().map(|p| frame[*p]).collect::<Vec<_>>(), CLIP).mean;
        // The structure of the bias matters for the signal of a block, not for its differences about their mean.
        let bias = (0.5 * (level(biases[0]) + level(biases[1]))) as f32;
        let pixels = places.iter().map(|p| (flats[0][*p] - bias, flats[1][*p] - bias));
        sample.add_block(pixels, (signal1, signal2), read_noise, FEWEST);
    }
    let found = sample.average()?;
    let gain = 1.0 / found.inverse;
    let read_error = if bias_variance > 0.0 { found.read_part * bias_error / bias_variance } else { 0.0 };
    Ok(PhotonTransfer {
        gain,
        gain_error: gain * gain * found.error.hypot(read_error),
        read_noise,
        read_noise_error: if read_noise > 0.0 { 0.25 * bias_error / read_noise } else { 0.0 },
        signal: signal1,
        scale,
        blocks: found.blocks,
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
    fn rows_of_flats_of_many_levels_give_one_gain() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let response: Vec<f64> = (0..400).map(|x| 1.0 + 0.02 * (f64::from(x) * 12.9898).sin()).collect();
        let mut pulls = Moments::default();
        for _ in 0..60 {
            let mut sample = GainSample::default();
            for row in 0..40 {
                let levels = if row % 2 == 0 { (28_000.0, 20_000.0) } else { (600.0, 900.0) };
                let mut flat = |level: f64| -> Vec<f32> {
                    let pixel = |r: &f64| {
                        let read: f64 = StandardNormal.sample(&mut rng);
                        (Poisson::new(level * r * GAIN).unwrap().sample(&mut rng) / GAIN + READ_NOISE * read) as f32
                    };
                    response.iter().map(pixel).collect()
                };
                let (mut a, b) = (flat(levels.0), flat(levels.1));
                a[row] = 60_000.0;
                let lit: Vec<bool> = (0..400).map(|x| x < 350).collect();
                sample.add_row(&a, &b, Some(&lit), levels, READ_NOISE);
            }
            let found = sample.gain().unwrap();
            assert!(found.error / GAIN < 0.02, "{found:?}");
            pulls.push((found.gain - GAIN) / found.error);
        }
        assert!(
            (pulls.std() - 1.0).abs() < 4.0 / 120f64.sqrt() && pulls.mean().abs() < 4.0 / 60f64.sqrt(),
            "{} {}",
            pulls.std(),
            pulls.mean()
        );
        assert_eq!(GainSample::default().gain(), Err(PhotonTransferError::TooFewPixels));
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
