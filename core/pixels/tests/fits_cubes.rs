//! Cubes and spectra of many instruments: what is no image of two axes is never read as one.

use std::path::{Path, PathBuf};

use ifured_pixels::fits::{FitsError, HduSelect, ImageReader, hdus, scan_file};

/// The folder of shared data, or a visible line that it is missing.
fn cubes() -> Option<PathBuf> {
    let root =
        std::env::var_os("IFURED_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join("data/cubes");
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED cubes: no ../shared");
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut fits: Vec<_> = all.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().contains(".fits"))).collect();
    fits.sort();
    fits
}

/// Reads an HDU in all ways and says how many planes it has.
fn read(path: &Path, index: usize) -> usize {
    let reader = ImageReader::open(path, HduSelect::Index(index)).unwrap();
    let (axes, what) = (reader.axes(), format!("{} HDU {index}", path.display()));
    let pixels: u64 = axes.iter().product();
    let whole = reader.read_array().unwrap();
    assert_eq!(whole.shape().iter().rev().map(|&n| n as u64).collect::<Vec<_>>(), axes, "{what}");
    let (rows, columns) = reader.plane_shape();
    let mut plane = vec![0f32; rows * columns];
    for n in 0..reader.planes() {
        reader.read_plane(n, &mut plane).unwrap();
        let wanted = whole.iter().skip(n * plane.len()).take(plane.len());
        assert!(plane.iter().zip(wanted).all(|(a, b)| a.to_bits() == b.to_bits()), "{what}, plane {n}");
    }
    assert_eq!((reader.planes() * plane.len()) as u64, pixels, "{what}");
    let is_image = axes.len() >= 2 && axes[2..].iter().all(|&n| n == 1);
    match reader.read_all() {
        Ok(image) => assert!(is_image && image.len() as u64 == pixels, "{what}"),
        Err(FitsError::Axes { axes: named, .. }) => assert!(!is_image && named == axes, "{what}"),
        Err(other) => panic!("{what}: {other}"),
    }
    reader.planes()
}

#[test]
fn every_hdu_is_read_by_planes_and_none_is_flattened() {
    let Some(folder) = cubes() else { return };
    let mut cubes = 0;
    for path in files(&folder) {
        for hdu in hdus(&path).unwrap() {
            if hdu.kind.image().is_some_and(|(_, axes)| !axes.is_empty()) {
                cubes += usize::from(read(&path, hdu.index) > 1);
            }
        }
    }
    assert!(cubes > 10, "{cubes}");
}

#[test]
fn a_scan_counts_the_pixels_of_all_planes() {
    let Some(folder) = cubes() else { return };
    for path in files(&folder) {
        let found = scan_file(&path, true).unwrap();
        let first = found.hdus.iter().find_map(|h| h.kind.image().filter(|(_, axes)| !axes.is_empty())).unwrap();
        let statistics = found.statistics.unwrap();
        assert_eq!(statistics.npoints, first.1.iter().product::<u64>(), "{}", path.display());
    }
}
