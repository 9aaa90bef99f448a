//! A frame as spectra, and the wavelength of each of its pixels.

use ndarray::{Array2, ArrayView2};

use crate::Image;
use crate::quality;

/// A frame as spectra: the slit along axis 0, the dispersion along axis 1.
#[derive(Clone, Copy)]
pub struct SlitView<'a> {
    /// Values.
    pub data: ArrayView2<'a, f32>,
    /// Variances.
    pub variance: ArrayView2<'a, f32>,
    /// Quality bits.
    pub quality: ArrayView2<'a, u32>,
}

/// Pixels that say nothing of the light that fell on them.
pub const UNUSABLE: u32 = quality::DEAD | quality::HOT | quality::MISSING | quality::DEFECT | quality::BAD;
/// Pixels that had too much light.
pub const SATURATED: u32 = quality::SATURATED_CONVERTER | quality::SATURATED_WELL;

/// Pixels that a cosmic ray struck, mended or not.
const STRUCK: u32 = quality::COSMIC_RAY | quality::COSMIC_RAY_LEFT;

/// An image with the slit along axis 0 and the dispersion along axis 1, rows one after the other in memory: all that follows goes along rows. The
/// dispersion of `image` runs along its rows (1) or its columns (2).
pub fn turned(image: Image, dispersion_axis: u8) -> Image {
    if dispersion_axis == 1 {
        return image;
    }
    Image { data: transposed(&image.data), variance: transposed(&image.variance), quality: transposed(&image.quality) }
}

/// The transpose, with its rows one after the other in memory.
pub fn transposed<T: Copy>(array: &Array2<T>) -> Array2<T> {
    array.t().as_standard_layout().into_owned()
}

impl<'a> SlitView<'a> {
    /// An image whose dispersion runs along its rows (1) or its columns (2).
    pub fn of(image: &'a Image, dispersion_axis: u8) -> Self {
        let turned = |v: ArrayView2<'a, f32>| if dispersion_axis == 1 { v } else { v.reversed_axes() };
        let quality = image.quality.view();
        let quality = if dispersion_axis == 1 { quality } else { quality.reversed_axes() };
        SlitView { data: turned(image.data.view()), variance: turned(image.variance.view()), quality }
    }

    /// Pixels along the slit, and along the dispersion.
    pub fn shape(&self) -> (usize, usize) {
        self.data.dim()
    }

    /// Value and variance of a pixel that is of use; none of any other.
    #[inline]
    pub fn good(&self, y: usize, x: usize) -> Option<(f64, f64)> {
        let (v, s, q) = (self.data[[y, x]], self.variance[[y, x]], self.quality[[y, x]]);
        (q & (UNUSABLE | SATURATED | STRUCK) == 0 && v.is_finite() && s > 0.0 && s.is_finite()).then_some((f64::from(v), f64::from(s)))
    }
}
