//! One row: vector code over [`LANES`] pixels where all samples are good, pixel by pixel elsewhere.

use std::cmp::Ordering;
use std::ops::Range;

use super::pixel::{PixelScratch, combine_pixel};
use super::{Band, Combiner, Method};
use crate::network::{LANES, Lanes};
use crate::order_statistics::median_variance_factor;

/// The row of the result.
pub(super) struct RowOut<'a> {
    pub data: &'a mut [f32],
    pub variance: &'a mut [f32],
    pub quality: &'a mut [u32],
    /// Numbers of contributing and of rejected samples, where they are wanted.
    pub counts: Option<(&'a mut [u16], &'a mut [u16])>,
}

/// Combines the samples `span` of all bands; returns the number of rejected samples of each frame.
pub(super) fn combine_row(combiner: &Combiner, bands: &[Band], span: Range<usize>, out: &mut RowOut) -> Vec<u64> {
    let order = order_by_content(bands, &span);
    let mut rejected_per_frame = vec![0; bands.len()];
    let mut lanes: Vec<Lanes> = vec![[0.0; LANES]; if combiner.network.is_some() { bands.len() } else { 0 }];
    let mut scratch = PixelScratch::default();
    let mut again = [0; LANES];
    let columns = span.len();
    for first in (0..columns).step_by(LANES) {
        let end = (first + LANES).min(columns);
        let part = span.start + first..span.start + end;
        let fast = bands.iter().all(|b| all_good(&b.data[part.clone()], &b.variance[part.clone()], &b.quality[part.clone()]))
            && combine_lanes(combiner, bands, &order, part.clone(), &mut lanes, &mut again, first, out);
        for column in first..end {
            if fast && again[column - first] == 0 {
                continue;
            }
            scratch.gather(combiner, bands, &order, span.start + column);
            let result = combine_pixel(combiner, &mut scratch, &mut rejected_per_frame);
            out.data[column] = result.value;
            out.variance[column] = result.variance;
            out.quality[column] = result.quality;
            if let Some((contributing, rejected)) = &mut out.counts {
                (contributing[column], rejected[column]) = (result.contributing, result.rejected);
            }
        }
    }
    rejected_per_frame
}

/// Frames in an order that depends on the contents of the row only; frames that tie are the same.
fn order_by_content(bands: &[Band], span: &Range<usize>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bands.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&bands[a], &bands[b]);
        compare(&a.data[span.clone()], &b.data[span.clone()])
            .then_with(|| compare(&a.variance[span.clone()], &b.variance[span.clone()]))
            .then_with(|| a.quality[span.clone()].cmp(&b.quality[span.clone()]))
    });
    order
}

fn compare(a: &[f32], b: &[f32]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

/// No quality bit, finite values, finite variances that are not negative. Without early exit and with whole numbers, so that it
/// vectorises: a positive number is not finite when its bits are above those of the largest one.
fn all_good(data: &[f32], variance: &[f32], quality: &[u32]) -> bool {
    const LARGEST: i32 = f32::MAX.to_bits() as i32;
    let (mut signs, mut bits) = (0, 0);
    for ((&d, &v), &q) in data.iter().zip(variance).zip(quality) {
        let (size, v) = (d.abs().to_bits() as i32, v.to_bits() as i32);
        signs |= (LARGEST - size) | LARGEST.wrapping_sub(v) | v;
        bits |= q;
    }
    signs >= 0 && bits == 0
}

/// Sums of the values and of the variances of each lane, in the order given.
fn sums(bands: &[Band], order: &[usize], part: &Range<usize>) -> ([f64; LANES], [f64; LANES]) {
    let (mut data, mut variance) = ([0.0; LANES], [0.0; LANES]);
    for &frame in order {
        data.iter_mut().zip(&bands[frame].data[part.clone()]).for_each(|(sum, &v)| *sum += f64::from(v));
        variance.iter_mut().zip(&bands[frame].variance[part.clone()]).for_each(|(sum, &v)| *sum += f64::from(v));
    }
    (data, variance)
}

/// Combines up to [`LANES`] pixels whose samples are all good. Marks in `again` those that need the pixel-by-pixel way.
/// Returns false when there is no fast way for this method and number of frames.
#[allow(clippy::too_many_arguments)]
fn combine_lanes(
    combiner: &Combiner,
    bands: &[Band],
    order: &[usize],
    part: Range<usize>,
    lanes: &mut [Lanes],
    again: &mut [u32; LANES],
    first: usize,
    out: &mut RowOut,
) -> bool {
    let n = bands.len();
    let width = part.len();
    *again = [0; LANES];
    let mut centre = [0.0; LANES];
    if let Some(network) = &combiner.network {
        for (lane, &frame) in lanes.iter_mut().zip(order) {
            lane[..width].copy_from_slice(&bands[frame].data[part.clone()]);
        }
        network.medians(lanes, &mut centre);
    }
    let factor = match combiner.method {
        Method::Mean => 1.0,
        Method::Median if combiner.network.is_some() => median_variance_factor(n),
        Method::SigmaClip(clip) if combiner.network.is_some() => {
            let (low, high) = ((clip.low * clip.low) as f32, (clip.high * clip.high) as f32);
            for &frame in order {
                let samples = bands[frame].data[part.clone()].iter().zip(&bands[frame].variance[part.clone()]);
                for ((&d, &v), (&c, again)) in samples.zip(centre.iter().zip(again.iter_mut())) {
                    let deviation = d - c;
                    let limit = if deviation < 0.0 { low } else { high };
                    *again |= u32::from(deviation * deviation > limit * v);
                }
            }
            combiner.clipped_factor(n)
        }
        _ => return false,
    };
    let (data, variance) = sums(bands, order, &part);
    let (mean_scale, variance_scale) = (1.0 / n as f64, factor / (n * n) as f64);
    let target = &mut out.data[first..first + width];
    if combiner.method == Method::Median {
        target.copy_from_slice(&centre[..width]);
    } else {
        target.iter_mut().zip(&data).for_each(|(to, sum)| *to = (sum * mean_scale) as f32);
    }
    out.variance[first..first + width].iter_mut().zip(&variance).for_each(|(to, sum)| *to = (sum * variance_scale) as f32);
    out.quality[first..first + width].fill(0);
    if let Some((contributing, rejected)) = &mut out.counts {
        contributing[first..first + width].fill(n as u16);
        rejected[first..first + width].fill(0);
    }
    true
}
