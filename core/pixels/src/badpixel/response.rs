//! Weak and dead pixels of a normalised flat, against the medians of the blocks around them: one pass over the image. For flats whose
//! structure is finer than blocks, and for limits in units of the noise, there is [`super::bad_pixels_from_flat`].

use ndarray::ArrayView2;

use crate::Image;
use crate::image::quality;
use crate::statistics::BlockMedians;

/// Response below which a pixel of a flat is weak or dead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResponseLimits {
    /// Fraction of the response around it below which a pixel is weak.
    pub low: f64,
    /// Response below which it is dead.
    pub dead: f64,
}

/// Sets [`quality::LOW_SENSITIVITY`] and [`quality::DEAD`] on weak and dead pixels of a flat of level 1 where `field` is 1; the flat of dead
/// pixels (NaN among them) becomes 1, so that nothing is divided by nearly 0. Outside the field the flat stays what was measured.
/// `blocks` are those of the flat before it was brought to 1, `level` its level then.
///
/// # Panics
/// If the shapes do not fit.
pub fn flag_response(image: &mut Image, field: ArrayView2<u8>, blocks: &BlockMedians, level: f64, limits: &ResponseLimits) {
    assert_eq!(image.shape(), field.dim(), "flat and field must have the same shape");
    let dead = limits.dead.max(0.0) as f32;
    let mut weak = vec![0.0; image.shape().1];
    for ((y, mut values), mut bits) in image.data.rows_mut().into_iter().enumerate().zip(image.quality.rows_mut()) {
        if y % blocks.size == 0 {
            let medians = blocks.medians.row(y / blocks.size);
            let limits = medians.iter().map(|m| (limits.low * (f64::from(*m) / level)) as f32);
            weak.chunks_mut(blocks.size).zip(limits).for_each(|(weak, limit)| weak.fill(limit));
        }
        let field = field.row(y);
        let rows = (values.as_slice_mut(), bits.as_slice_mut(), field.as_slice());
        let (Some(values), Some(bits), Some(field)) = rows else { continue };
        for (((value, q), inside), weak) in values.iter_mut().zip(bits).zip(field).zip(&weak) {
            let inside = *inside == 1;
            // NaN is dead too.
            let is_dead = inside & !((*value >= dead) & (*value > 0.0));
            let is_weak = inside & !is_dead & (*value < *weak);
            *q |= if is_dead { quality::DEAD } else { 0 } | if is_weak { quality::LOW_SENSITIVITY } else { 0 };
            *value = if is_dead { 1.0 } else { *value };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn weak_and_dead_pixels_are_flagged_inside_the_field_only() {
        let mut flat = Array2::from_shape_fn((64, 80), |(_, x)| 1.2 - 0.005 * x as f32);
        for (at, value) in [([10, 10], 0.4), ([20, 20], 0.01), ([30, 30], f32::NAN), ([40, 70], 0.6), ([50, 75], 0.0)] {
            flat[at] = value;
        }
        let blocks = BlockMedians::of(flat.mapv(|v| 20_000.0 * v).view(), 4);
        let field = Array2::from_shape_fn((64, 80), |(_, x)| u8::from(x < 75));
        let mut image = Image::new(flat, 1e-6);
        image.quality.fill(0);
        flag_response(&mut image, field.view(), &blocks, 20_000.0, &ResponseLimits { low: 0.5, dead: 0.05 });
        let found: Vec<_> = image.quality.indexed_iter().filter(|(_, q)| **q != 0).map(|(at, q)| (at, *q)).collect();
        assert_eq!(found, [((10, 10), quality::LOW_SENSITIVITY), ((20, 20), quality::DEAD), ((30, 30), quality::DEAD)]);
        assert_eq!((image.data[[20, 20]], image.data[[30, 30]], image.data[[50, 75]]), (1.0, 1.0, 0.0));
    }
}
