//! Images of any number of axes, plain and tile-compressed.

use std::path::Path;

use fitsio::FitsFile;
use fitsio::images::{ImageDescription, ImageType, WriteImage};
use ifured_core::Header;
use ndarray::{Array, Array3, ArrayD, Axis, Dimension};

use super::*;

const SHAPE: [usize; 3] = [5, 7, 11];

fn cube() -> Array3<f32> {
    Array3::from_shape_fn((5, 7, 11), |(p, r, c)| (p * 1000 + r * 20 + c) as f32)
}

fn plain<D: Dimension>(path: &Path, pixels: &Array<f32, D>) -> ImageReader {
    write_product(path, &[HduToWrite::image(&Header::new(), pixels.view())]).unwrap();
    ImageReader::open(path, HduSelect::First).unwrap()
}

/// An image that CFITSIO compresses.
fn compressed<T: WriteImage>(path: &Path, how: &str, data_type: ImageType, dimensions: &[usize], pixels: &[T]) -> ImageReader {
    let name = format!("{}[compress {how}]", path.display());
    let description = ImageDescription { data_type, dimensions };
    let mut file = FitsFile::create(name).with_custom_primary(&description).open().unwrap();
    let hdu = match file.primary_hdu() {
        Ok(hdu) if matches!(&hdu.info, fitsio::hdu::HduInfo::ImageInfo { shape, .. } if !shape.is_empty()) => hdu,
        _ => file.hdu(1).unwrap(),
    };
    hdu.write_image(&mut file, pixels).unwrap();
    drop(file);
    let reader = ImageReader::open(path, HduSelect::First).unwrap();
    assert!(matches!(reader.info().kind, HduKind::CompressedImage { .. }), "{:?}", reader.info().kind);
    reader
}

fn axes_of(error: FitsError) -> Vec<u64> {
    match error {
        FitsError::Axes { axes, .. } => axes,
        other => panic!("{other}"),
    }
}

fn is_read_by_planes_alone(reader: &ImageReader, wanted: &ArrayD<f32>) {
    assert_eq!(reader.axes(), [11, 7, 5]);
    assert_eq!((reader.planes(), reader.plane_shape(), reader.stacked_shape()), (5, (7, 11), (35, 11)));
    assert_eq!(axes_of(reader.image_shape().unwrap_err()), [11, 7, 5]);
    let error = reader.read_all().unwrap_err();
    assert!(error.to_string().contains("11 x 7 x 5"), "{error}");
    assert_eq!(axes_of(error), [11, 7, 5]);
    assert_eq!(&reader.read_array().unwrap(), wanted);
    let mut plane = vec![0f32; 77];
    for (n, wanted) in wanted.axis_iter(Axis(0)).enumerate() {
        reader.read_plane(n, &mut plane).unwrap();
        assert_eq!(plane, wanted.iter().copied().collect::<Vec<_>>());
        let mut exact = vec![0f64; 77];
        reader.read_rows_f64(reader.rows_of_plane(n).unwrap(), &mut exact).unwrap();
        assert!(exact.iter().zip(&plane).all(|(a, b)| *a as f32 == *b));
    }
    assert!(reader.read_plane(5, &mut plane).is_err());
}

#[test]
fn a_cube_is_read_by_planes_and_is_no_image() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = cube().into_dyn();
    is_read_by_planes_alone(&plain(&directory.path().join("plain.fits"), &cube()), &wanted);
    for how in ["R", "G", "R 11 7", "H 11 7"] {
        let values: Vec<i32> = cube().iter().map(|v| *v as i32).collect();
        let path = directory.path().join(format!("{}.fits", how.replace(' ', "_")));
        is_read_by_planes_alone(&compressed(&path, how, ImageType::Long, &SHAPE, &values), &wanted);
    }
    let values: Vec<f32> = cube().iter().copied().collect();
    is_read_by_planes_alone(&compressed(&directory.path().join("real.fits"), "G 11 7; q 0", ImageType::Float, &SHAPE, &values), &wanted);
}

#[test]
fn undefined_pixels_of_compressed_cubes_are_nan() {
    let directory = tempfile::tempdir().unwrap();
    for how in ["R", "G"] {
        let mut values: Vec<f32> = cube().iter().copied().collect();
        values[80] = f32::NAN;
        let reader = compressed(&directory.path().join(format!("{how}.fits")), how, ImageType::Float, &SHAPE, &values);
        let found = reader.read_array().unwrap();
        let nan: Vec<usize> = found.iter().enumerate().filter(|(_, v)| v.is_nan()).map(|(n, _)| n).collect();
        assert_eq!(nan, [80], "{how}");
    }
}

#[test]
fn further_axes_of_length_one_do_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let plane = Array::from_shape_fn((1, 1, 3, 4), |(_, _, r, c)| (10 * r + c) as f32);
    let reader = plain(&directory.path().join("a.fits"), &plane);
    assert_eq!((reader.axes(), reader.image_shape().unwrap(), reader.planes()), (&[4u64, 3, 1, 1][..], (3, 4), 1));
    assert_eq!(reader.read_all().unwrap()[[2, 1]], 21.0);
    // One row, but of a cube of one column: what is degenerate is not at the end.
    let spectrum = plain(&directory.path().join("b.fits"), &Array3::<f32>::zeros((9, 1, 1)));
    assert_eq!(axes_of(spectrum.read_all().unwrap_err()), [1, 1, 9]);
    let line = plain(&directory.path().join("c.fits"), &ndarray::arr1(&[1f32, 2.0, 3.0]));
    assert_eq!((line.planes(), line.plane_shape(), line.read_array().unwrap().shape()), (1, (1, 3), &[3usize][..]));
    assert!(line.read_all().unwrap_err().to_string().contains("one of length 3"));
}

#[test]
fn a_product_of_cubes_is_no_image_with_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cube.fits");
    let header = |name: &str| {
        let mut header = Header::new();
        header.set("EXTNAME", name, "");
        header
    };
    let (primary, data, stat, bits) = (Header::new(), header("DATA"), header("STAT"), header("DQ"));
    let (cube, quality) = (cube(), cube().mapv(|v| v as u32));
    let hdus = [
        HduToWrite::Empty(&primary),
        HduToWrite::image(&data, cube.view()),
        HduToWrite::image(&stat, cube.view()),
        HduToWrite::image(&bits, Pixels::from(quality.view())),
    ];
    write_product(&path, &hdus).unwrap();
    assert_eq!(axes_of(read_image(&path).unwrap_err()), [11, 7, 5]);
    assert_eq!(axes_of(ImageBands::open(&path).unwrap_err()), [11, 7, 5]);
    // Statistics are those of all planes.
    assert_eq!(scan_file(&path, true).unwrap().statistics.unwrap().npoints, 385);
}
