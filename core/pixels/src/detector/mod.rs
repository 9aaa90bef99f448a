//! Detector effects: windows, overscan, noise, saturation, gain and read noise.

mod noise;
mod overscan;
mod photon_transfer;
mod single;
mod window;

pub use noise::{NoiseModel, flag_saturated};
pub use overscan::{OverscanLevel, OverscanOptions, ReadDirection, Smoothing, measure_overscan, subtract_overscan};
pub use photon_transfer::{GainSample, MeasuredGain, PhotonTransfer, PhotonTransferError, ReadNoise, photon_transfer, read_noise};
pub use single::{gain_from_background, noise_of_neighbours};
pub use window::{WindowError, cut_window, trim};
