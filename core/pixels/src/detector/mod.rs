//! Detector effects: sections and windows, overscan, noise, saturation, gain and read noise.

mod noise;
mod overscan;
mod photon_transfer;
mod section;

pub use noise::{NoiseModel, flag_saturated};
pub use overscan::{OverscanLevel, OverscanOptions, ReadDirection, Smoothing, measure_overscan, subtract_overscan};
pub use photon_transfer::{PhotonTransfer, PhotonTransferError, ReadNoise, photon_transfer, read_noise};
pub use section::{Section, SectionError, cut_window, trim};
