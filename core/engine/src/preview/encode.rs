//! From values to an indexed PNG of 8 bits.

use ndarray::ArrayView2;

use crate::error::{Error, Result};

/// Colours of a preview.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourMap {
    /// Black to white.
    #[default]
    Gray,
    /// Blue over green to yellow, even in lightness (van der Walt & Smith 2015, matplotlib's `viridis`).
    Viridis,
}

/// Nine-step anchors of viridis.
const VIRIDIS: [[u8; 3]; 10] = [
    [68, 1, 84],
    [72, 40, 120],
    [62, 74, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [109, 205, 89],
    [180, 222, 44],
    [253, 231, 37],
];

/// Palette places for values, and those of marked and of empty blocks.
const LEVELS: u8 = 254;
const MARKED: u8 = 254;
const EMPTY: u8 = 255;

impl ColourMap {
    /// The colour at a fraction of the range.
    pub fn colour(self, fraction: f32) -> [u8; 3] {
        let f = fraction.clamp(0.0, 1.0);
        match self {
            ColourMap::Gray => [(f * 255.0).round() as u8; 3],
            ColourMap::Viridis => {
                let at = f * (VIRIDIS.len() - 1) as f32;
                let below = (at as usize).min(VIRIDIS.len() - 2);
                let part = at - below as f32;
                std::array::from_fn(|c| {
                    let (a, b) = (f32::from(VIRIDIS[below][c]), f32::from(VIRIDIS[below + 1][c]));
                    (a + part * (b - a)).round() as u8
                })
            }
        }
    }
}

/// A PNG with an indexed palette, first row of the image at the bottom. Values that are not finite are transparent, marked
/// ones orange.
///
/// # Errors
/// If the image is empty.
pub fn png(values: ArrayView2<'_, f32>, range: (f32, f32), map: ColourMap, marked: Option<ArrayView2<'_, bool>>) -> Result<Vec<u8>> {
    let (rows, columns) = values.dim();
    let span = range.1 - range.0;
    // The conversion to bytes cuts off at 0 and at 255.
    let scale = f32::from(LEVELS - 1) / span;
    let shade = |v: f32| if v.is_finite() { (((v - range.0) * scale + 0.5) as u8).min(LEVELS - 1) } else { EMPTY };
    let mut pixels = Vec::with_capacity(rows * columns);
    for r in (0..rows).rev() {
        let from = pixels.len();
        pixels.extend(values.row(r).iter().map(|v| shade(*v)));
        if let Some(marked) = &marked {
            pixels[from..].iter_mut().zip(marked.row(r)).filter(|(_, m)| **m).for_each(|(p, _)| *p = MARKED);
        }
    }
    let mut palette: Vec<u8> = (0..LEVELS).flat_map(|n| map.colour(f32::from(n) / f32::from(LEVELS - 1))).collect();
    palette.extend([255, 120, 0]);
    palette.extend([128, 128, 128]);
    let mut transparency = vec![255u8; usize::from(EMPTY)];
    transparency.push(0);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, columns as u32, rows as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    // Previews are noise, which does not compress: the best compression costs ten times the time for nothing.
    encoder.set_compression(png::Compression::Fast);
    encoder.set_palette(palette);
    encoder.set_trns(transparency);
    let fail = |e: png::EncodingError| Error::Inconsistent(format!("preview: {e}"));
    let mut writer = encoder.write_header().map_err(fail)?;
    writer.write_image_data(&pixels).map_err(fail)?;
    writer.finish().map_err(fail)?;
    Ok(out)
}
