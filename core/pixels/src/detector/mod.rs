//! Detectors: raw frames with windows and overscan, noise, gain, saturation, and the calibration of single frames.
//!
//! An instrument says what its raw frames look like with a [`RawFormat`]. With it [`RawFrame::open`] gives the image portion less
//! overscan, [`calibration::load`] the masters that fit it, [`FrameNoise`] its noise, and [`correct`] applies all of them with
//! variance and quality. [`DarkRows`] and [`LitRows`] take raw frames to [`crate::combine`], for masters.

pub mod calibration;
mod correct;
mod format;
mod frame_noise;
mod noise;
mod overscan;
mod pedestal;
mod photon_transfer;
mod raw_frame;
mod rows;
mod single;
#[cfg(test)]
mod tests;

pub use correct::{Corrections, DeadPixels, Saturation, correct, treat_dead};
pub use format::{Amplifier, Footprint, RawFormat, ReadOut, overscan_strip};
pub use frame_noise::{FrameNoise, GAIN, GAIN_FROM, GainSource, READ_NOISE, Stated, measured};
pub use noise::{NoiseModel, flag_saturated};
pub use overscan::{OverscanLevel, OverscanOptions, ReadDirection, Smoothing, measure_overscan, subtract_overscan};
pub use pedestal::{Pedestal, pedestal};
pub use photon_transfer::{GainSample, MeasuredGain, PhotonTransfer, PhotonTransferError, ReadNoise, photon_transfer, read_noise};
pub use raw_frame::{RawFrame, open_all};
pub use rows::{DarkRows, LitRows, SharedBias};
pub use single::{gain_from_background, noise_of_neighbours};
