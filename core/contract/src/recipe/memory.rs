//! How much memory a task takes, from the size of its frames.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest image of a frame: one plane of so many pixels, and so many planes. An image has one plane, a cube as many as
/// wavelengths; a file without images has no pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameSize {
    /// Pixels of one plane: NAXIS1 times NAXIS2.
    pub pixels: f64,
    /// Planes: the product of all other axes.
    pub planes: f64,
    /// Bytes of the file.
    pub bytes: f64,
}

impl FrameSize {
    /// From the lengths of the axes of an image.
    pub fn of_axes(axes: &[usize], bytes: u64) -> Self {
        let product = |part: &[usize]| part.iter().map(|n| *n as f64).product::<f64>();
        let (plane, others) = axes.split_at(axes.len().min(2));
        let pixels = if axes.is_empty() { 0.0 } else { product(plane) };
        FrameSize { pixels, planes: if axes.is_empty() { 0.0 } else { product(others) }, bytes: bytes as f64 }
    }

    /// The larger of two in each respect.
    pub fn max(self, other: Self) -> Self {
        FrameSize { pixels: self.pixels.max(other.pixels), planes: self.planes.max(other.planes), bytes: self.bytes.max(other.bytes) }
    }
}

/// How much memory one task takes, from the number and size of its main frames: a sum of terms, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Memory {
    /// Whatever the frames are.
    pub fixed: f64,
    /// For each frame.
    pub per_frame: f64,
    /// For each pixel of a plane.
    pub per_pixel: f64,
    /// For each pixel of a plane of each frame; 0 for recipes that stream.
    pub per_pixel_and_frame: f64,
    /// For each plane.
    pub per_plane: f64,
    /// For each pixel of each plane, for recipes that hold a whole cube.
    pub per_pixel_and_plane: f64,
    /// For each byte of the largest file.
    pub per_byte: f64,
}

impl Default for Memory {
    /// For a recipe that holds all its frames with variance and quality, and a few images beside.
    fn default() -> Self {
        Memory { fixed: 64e6, per_pixel: 48.0, per_pixel_and_frame: 16.0, ..Memory::NONE }
    }
}

impl Memory {
    /// No term at all: to start from.
    pub const NONE: Memory = Memory {
        fixed: 0.0,
        per_frame: 0.0,
        per_pixel: 0.0,
        per_pixel_and_frame: 0.0,
        per_plane: 0.0,
        per_pixel_and_plane: 0.0,
        per_byte: 0.0,
    };

    /// So many bytes whatever the frames are.
    pub const fn fixed(bytes: f64) -> Memory {
        Memory { fixed: bytes, ..Memory::NONE }
    }

    /// So many bytes, and so many for each pixel of a plane: a recipe that streams its frames.
    pub const fn streaming(fixed: f64, per_pixel: f64) -> Memory {
        Memory { fixed, per_pixel, ..Memory::NONE }
    }

    /// Bytes for so many frames, the largest of which has this size.
    pub fn bytes(&self, size: FrameSize, frames: usize) -> u64 {
        let frames = frames as f64;
        let of_planes = size.planes * (self.per_plane + self.per_pixel_and_plane * size.pixels);
        let of_pixels = size.pixels * (self.per_pixel + self.per_pixel_and_frame * frames);
        (self.fixed + self.per_frame * frames + of_pixels + of_planes + self.per_byte * size.bytes).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cube_counts_planes_and_an_image_does_not() {
        let (image, cube) = (FrameSize::of_axes(&[100, 50], 0), FrameSize::of_axes(&[100, 50, 30], 0));
        assert_eq!((image.pixels, image.planes, cube.pixels, cube.planes), (5000.0, 1.0, 5000.0, 30.0));
        let memory = Memory { per_pixel: 2.0, per_pixel_and_plane: 4.0, per_frame: 7.0, ..Memory::fixed(1.0) };
        assert_eq!(memory.bytes(image, 3), 1 + 21 + 10_000 + 20_000);
        assert_eq!(memory.bytes(cube, 3), 1 + 21 + 10_000 + 600_000);
        assert_eq!(memory.bytes(FrameSize::of_axes(&[], 10), 1), 8);
    }
}
