use ifured_pixels::fits::{Layout, write_image};
use ifured_pixels::{Image, quality};
use ndarray::Array2;
use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

#[test]
fn flux_is_kept_and_nan_is_left_out() {
    let image = Array2::from_shape_fn((60, 90), |(r, c)| (r * 7 + c * 3) as f32);
    let reduced = small(image.view(), 30);
    assert_eq!((reduced.factor, reduced.values.dim()), (3, (20, 30)));
    let mean = |a: &Array2<f32>| a.iter().map(|v| f64::from(*v)).sum::<f64>() / a.len() as f64;
    assert!((mean(&reduced.values) - mean(&image)).abs() < 1e-4);
    let mut holes = Array2::from_elem((6, 6), 5.0f32);
    holes[[0, 0]] = f32::NAN;
    holes.slice_mut(ndarray::s![3.., 3..]).fill(f32::INFINITY);
    let reduced = small(holes.view(), 2);
    assert_eq!(reduced.values[[0, 0]], 5.0);
    assert!(reduced.values[[1, 1]].is_nan());
}

#[test]
fn lowest_row_is_at_the_bottom_and_holes_are_transparent() {
    let image = ndarray::array![[0.0f32, 1.0], [f32::NAN, 0.5]];
    let bytes = png(image.view(), (0.0, 1.0), ColourMap::Viridis, None).unwrap();
    let (width, height, pixels) = decode(&bytes);
    assert_eq!((width, height), (2, 2));
    assert_eq!(pixels, [255, 127, 0, 253]);
    assert_eq!(ColourMap::Viridis.colour(1.0), [253, 231, 37]);
}

#[test]
fn zscale_shows_the_sky_and_not_the_star() {
    // A sky with a gradient and noise-like ripple, and a few very bright pixels.
    let image = Array2::from_shape_fn(
        (100, 100),
        |(r, c)| {
            if r == 50 && c % 10 == 0 { 60000.0 } else { 1000.0 + ((r * 31 + c * 17) % 101) as f32 }
        },
    );
    let (low, high) = limits(image.view(), Stretch::Zscale);
    assert!((990.0..1010.0).contains(&low) && (1090.0..1400.0).contains(&high), "{low} {high}");
    let flat = Array2::from_elem((4, 4), 7.0f32);
    for stretch in [Stretch::Zscale, Stretch::Percentile(1.0, 99.0), Stretch::Limits(3.0, 3.0)] {
        let (low, high) = limits(flat.view(), stretch);
        assert!(low < high);
    }
}

#[test]
fn products_are_read_by_bands_with_their_quality() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.fits");
    let mut image = Image::new(Array2::from_shape_fn((200, 300), |(r, _)| r as f32), 4.0);
    image.quality.column_mut(7).fill(quality::DEFECT);
    image.quality[[0, 0]] |= quality::OUTSIDE;
    write_image(&path, &Header::new(), &image, Layout::PrimaryData).unwrap();
    let (_, reduced) = small_of_file(&path, &HduSelect::First, 100).unwrap();
    // Two of three rows are read: a slope of one a row is right to a row.
    let whole = small(image.data.view(), 100).values;
    assert_eq!(reduced.values.dim(), whole.dim());
    assert!(reduced.values.iter().zip(&whole).all(|(a, b)| (a - b).abs() <= 1.0));
    let (_, variance) = small_of_file(&path, &HduSelect::name("STAT"), 100).unwrap();
    assert!(variance.map(f32::sqrt).values.iter().all(|v| *v == 2.0));
    let q = small_quality(&path, 100).unwrap().unwrap();
    assert_eq!((q.counts[13], q.counts[31], q.pixels), (200, 1, 60000));
    let (_, bytes) = reduced.png(Stretch::Percentile(0.0, 100.0), ColourMap::Gray, Some(&q)).unwrap();
    let (width, _, pixels) = decode(&bytes);
    assert!(pixels.chunks(width as usize).all(|row| row[2] == 254 && row[3] != 254), "a bad column is seen");
}

proptest! {
    #[test]
    fn any_image_gives_a_png(rows in 1usize..40, columns in 1usize..40, size in 1usize..20, seed in any::<u32>()) {
        let image = Array2::from_shape_fn((rows, columns), |(r, c)| f32::from_bits(seed.wrapping_mul((r * 41 + c + 1) as u32)));
        let reduced = small(image.view(), size);
        prop_assert!(reduced.values.nrows().max(reduced.values.ncols()) <= size.max(1));
        let (_, bytes) = reduced.png(Stretch::Zscale, ColourMap::Gray, None).unwrap();
        prop_assert_eq!(decode(&bytes).0 as usize, reduced.values.ncols());
    }
}
