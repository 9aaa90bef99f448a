//! Statistics of pixel values: percentiles, medians, robust and clipped widths, weighted means, running moments.
//!
//! Values are `f32`, all results and sums `f64`. NaN values are "no data": every function here leaves them out, and returns NaN
//! when nothing is left. Infinities take part as ordinary (extreme) values. Results do not depend on the order of the values
//! where the definition does not (percentiles, medians, widths from them); sums are made in the order given.

mod blocks;
mod clipped;
mod many;
mod moments;
mod selection;

pub use blocks::BlockMedians;
pub use clipped::{ClippedStatistics, SigmaClip, sigma_clipped};
pub(crate) use many::clipped_moments_of_block;
pub use many::{ClippedMoments, clipped_moments};
pub use moments::{Moments, WeightedMean, weighted_mean};
pub(crate) use selection::{key as key_of, median_sorted, value_of as value_of_key};
pub use selection::{mad, median, median_in_place, medians_of_each, percentile, percentiles, robust_sigma};

/// Factor from the median absolute deviation to the standard deviation of a Gaussian.
pub const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// Factor from the interquartile range to the standard deviation of a Gaussian.
pub const IQR_TO_SIGMA: f64 = 0.7413;
