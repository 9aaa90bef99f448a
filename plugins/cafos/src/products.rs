//! Headers of products, and the statistics in them.

use ifured_core::Header;
use ifured_pixels::fits::product_header;
use ifured_pixels::statistics::{clipped_moments, percentiles};
use ifured_pixels::{Image, quality};

/// Percentiles are taken from at most about so many pixels, evenly spread.
const PERCENTILE_SAMPLE: usize = 200_000;

/// The header of a product from that of its first frame. The pixel "coordinates" that the telescope writes go.
pub fn header_of(raw: &Header) -> Header {
    let mut header = product_header(raw);
    if header.text("CTYPE1").is_ok_and(|t| t.eq_ignore_ascii_case("PIXEL")) {
        let prefixes = ["CTYPE", "CRVAL", "CRPIX", "CDELT", "CUNIT"];
        header.retain(|c| !prefixes.iter().any(|p| c.keyword.strip_prefix(p).is_some_and(|n| n == "1" || n == "2")));
    }
    header.retain(|c| !(c.keyword.starts_with("PC00") && c.keyword.len() == 8));
    header.retain(|c| !matches!(c.keyword.as_str(), "BLANK" | "DATAMAX" | "DATAMIN" | "DATAMEAN" | "BLOCKED"));
    header
}

/// Writes statistics of the pixels that are neither missing nor outside the field: extremes, percentiles, robust width.
pub fn write_statistics(header: &mut Header, image: &Image) {
    let unusable = quality::MISSING | quality::OUTSIDE;
    let (count, low, high) = extremes(image, unusable);
    header.set("NPOINTS", count, "number of pixels in the statistics");
    if count == 0 {
        return;
    }
    let sample = sample(image, unusable, PERCENTILE_SAMPLE);
    let percent = [2.5, 15.9, 25.0, 50.0, 75.0, 84.1, 97.5];
    let values = percentiles(&sample, &percent);
    header.set("FMINIMUM", low, "smallest value");
    for (percent, value) in percent.iter().zip(&values) {
        header.set(&format!("QUANT{:03.0}", percent * 10.0), *value, &format!("percentile {percent}"));
    }
    header.set("FMAXIMUM", high, "largest value");
    header.set("ROBUSTSTD", ifured_pixels::statistics::IQR_TO_SIGMA * (values[4] - values[2]), "robust standard deviation");
}

/// Number, smallest and largest of the finite values without any of the given quality bits.
fn extremes(image: &Image, unusable: u32) -> (usize, f32, f32) {
    const LANES: usize = 16;
    let (Some(values), Some(bits)) = (image.data.as_slice(), image.quality.as_slice()) else { return (0, f32::NAN, f32::NAN) };
    let (mut count, mut low, mut high) = ([0_u32; LANES], [f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    let (mut some_values, mut some_bits) = ([f32::NAN; LANES], [0; LANES]);
    for (values, bits) in values.chunks(LANES).zip(bits.chunks(LANES)) {
        some_values[..values.len()].copy_from_slice(values);
        some_values[values.len()..].fill(f32::NAN);
        some_bits[..bits.len()].copy_from_slice(bits);
        for n in 0..LANES {
            let v = some_values[n];
            let good = (some_bits[n] & unusable == 0) & (v.abs() < f32::INFINITY);
            count[n] += u32::from(good);
            low[n] = if good & (v < low[n]) { v } else { low[n] };
            high[n] = if good & (v > high[n]) { v } else { high[n] };
        }
    }
    let total = count.iter().map(|c| *c as usize).sum();
    (total, low.into_iter().fold(f32::INFINITY, f32::min), high.into_iter().fold(f32::NEG_INFINITY, f32::max))
}

/// Values of pixels without any of the given quality bits, from about `most` pixels evenly spread over the image.
pub fn sample(image: &Image, unusable: u32, most: usize) -> Vec<f32> {
    let columns = image.data.ncols();
    let (Some(data), Some(bits)) = (image.data.as_slice(), image.quality.as_slice()) else { return Vec::new() };
    // A stride without a common factor with the columns, so that all columns are met.
    let mut stride = data.len().div_ceil(most).max(1);
    while stride > 1 && columns.is_multiple_of(stride) {
        stride += 1;
    }
    let mut values = Vec::with_capacity(data.len() / stride + 1);
    values.extend((0..data.len()).step_by(stride).filter(|&p| bits[p] & unusable == 0 && data[p].is_finite()).map(|p| data[p]));
    values
}

/// Level and noise of the sky of an image: clipped at 3 standard deviations, inside the field.
pub fn sky(image: &Image) -> (f64, f64) {
    let unusable =
        quality::MISSING | quality::OUTSIDE | quality::DEAD | quality::HOT | quality::SATURATED_CONVERTER | quality::SATURATED_WELL;
    let found = clipped_moments(&sample(image, unusable, PERCENTILE_SAMPLE), 3.0);
    (found.mean, found.sigma)
}
