//! The two ways of taking images, directly and through the Wollaston prism: one reduction, other names and signatures.
//!
//! Flats through the prism are taken together whatever the angle of the half-wave plate, and serve frames of every angle: the polarisation of
//! the screen or the sky averages out over the angles, and what is left of it and the response itself are the same in all frames of a sequence, where the
//! ratio of the two beams does not see them (Patat & Romaniello 2006, PASP 118, 146).

use ifured_core::Signature;
use ifured_core::recipe::InputSpec;

use super::inputs;
use crate::{signatures, tags};

/// How images are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Without a polariser.
    Direct,
    /// Through the Wollaston prism: each source has two images.
    Wollaston,
}

impl Mode {
    fn pick<T>(self, direct: T, wollaston: T) -> T {
        match self {
            Mode::Direct => direct,
            Mode::Wollaston => wollaston,
        }
    }

    /// What follows titles.
    pub fn title(self) -> &'static str {
        self.pick("", " through the Wollaston prism")
    }

    /// Tag of the flats.
    pub fn flat(self) -> &'static str {
        self.pick(tags::FLAT_IMAGING, tags::FLAT_IMAGING_WOLLASTON)
    }

    /// Tag of the master flats.
    pub fn master_flat(self) -> &'static str {
        self.pick(tags::MASTER_FLAT_IMAGING, tags::MASTER_FLAT_IMAGING_WOLLASTON)
    }

    /// Tag of their masks.
    pub fn flat_mask(self) -> &'static str {
        self.pick(tags::FLAT_IMAGING_MASK, tags::FLAT_IMAGING_WOLLASTON_MASK)
    }

    /// Tag of the images.
    pub fn science(self) -> &'static str {
        self.pick(tags::SCIENCE_IMAGING, tags::SCIENCE_IMAGING_WOLLASTON)
    }

    /// Tag of the reduced images.
    pub fn reduced(self) -> &'static str {
        self.pick(tags::REDUCED_IMAGING, tags::REDUCED_IMAGING_WOLLASTON)
    }

    /// Values that agree in a group of flats.
    pub fn flat_signature(self) -> Signature {
        self.pick(signatures::flat as fn() -> Signature, signatures::flat_of_all_angles)()
    }

    /// The flat of an image.
    pub fn flat_input(self) -> InputSpec {
        self.pick(inputs::imaging_flat as fn() -> InputSpec, inputs::wollaston_flat)()
    }

    /// The illumination correction of an image.
    pub fn illumination_input(self) -> InputSpec {
        self.pick(inputs::illumination as fn() -> InputSpec, inputs::wollaston_illumination)()
    }
}
