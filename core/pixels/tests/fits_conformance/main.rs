//! Every file of the conformance collection is read with the right content or refused with the right error; none panics, and
//! none takes more memory than its content needs.

mod allocation;
mod files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ifured_pixels::fits::{
    Cells, ColumnData, FitsError, HduInfo, HduKind, HduSelect, ImageReader, hdus, primary_header, product_header, read_table, scan_file,
    verify,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What must come out of a file.
#[derive(Debug)]
pub enum Expected {
    /// These HDUs.
    Reads(&'static [Hdu]),
    /// An error of this name.
    Refused(&'static str),
}

/// What must be in an HDU.
#[derive(Debug)]
pub enum Hdu {
    NoData,
    /// BITPIX, axes, sum of all pixels, number of NaN.
    Image(i32, &'static [u64], f64, u64),
    Tiled(i32, &'static [u64], f64, u64),
    /// Rows, columns, sums over some columns (numbered from 0).
    Table(u64, usize, &'static [(usize, f64)]),
    AsciiTable(u64, usize, &'static [(usize, f64)]),
    /// A tile-compressed table, which is not read.
    PackedTable,
    /// GCOUNT and PCOUNT.
    Groups(u64, u64),
}

fn shared(folder: &str) -> Option<PathBuf> {
    ifured_test_support::shared(&format!("data/{folder}"))
}

fn variant(error: &FitsError) -> String {
    format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
}

fn close(found: f64, wanted: f64, tolerance: f64) -> bool {
    (found - wanted).abs() <= tolerance * wanted.abs().max(1.0)
}

fn image(path: &Path, info: &HduInfo, wanted: (i32, &[u64], f64, u64)) -> Result<(), String> {
    let (bitpix, axes, sum, nan) = wanted;
    let reader = ImageReader::open(path, HduSelect::Index(info.index)).map_err(|e| e.to_string())?;
    let (rows, columns) = reader.stacked_shape();
    let mut pixels = vec![0f64; rows * columns];
    reader.read_rows_f64(0..rows, &mut pixels).map_err(|e| e.to_string())?;
    let found_nan = pixels.iter().filter(|v| v.is_nan()).count() as u64;
    let found: f64 = pixels.iter().filter(|v| !v.is_nan()).sum();
    if (reader.bitpix(), reader.axes(), found_nan) != (bitpix, axes, nan) || !close(found, sum, 1e-8) {
        return Err(format!("found {} {:?}, sum {found:?}, {found_nan} NaN", reader.bitpix(), reader.axes()));
    }
    let single: f64 = reader.read_array().map_err(|e| e.to_string())?.iter().filter(|v| !v.is_nan()).map(|&v| f64::from(v)).sum();
    if close(single, sum, 1e-5) { Ok(()) } else { Err(format!("sum in f32 is {single}")) }
}

fn sum<T: Copy>(cells: &Cells<T>, value: impl Fn(T) -> f64) -> f64 {
    let add = |values: &[T]| values.iter().map(|&v| value(v)).filter(|v| !v.is_nan()).sum::<f64>();
    match cells {
        Cells::Fixed { values, .. } => add(values),
        Cells::Variable(lists) => lists.iter().map(|l| add(l)).sum(),
    }
}

fn column_sum(data: &ColumnData) -> Option<f64> {
    Some(match data {
        ColumnData::U8(c) => sum(c, f64::from),
        ColumnData::I8(c) => sum(c, f64::from),
        ColumnData::I16(c) => sum(c, f64::from),
        ColumnData::U16(c) => sum(c, f64::from),
        ColumnData::I32(c) => sum(c, f64::from),
        ColumnData::U32(c) => sum(c, f64::from),
        ColumnData::I64(c) => sum(c, |v| v as f64),
        ColumnData::U64(c) => sum(c, |v| v as f64),
        ColumnData::F32(c) => sum(c, f64::from),
        ColumnData::F64(c) => sum(c, |v| v),
        _ => return None,
    })
}

fn table(path: &Path, info: &HduInfo, wanted: (u64, usize, &[(usize, f64)])) -> Result<(), String> {
    let table = read_table(path, HduSelect::Index(info.index)).map_err(|e| e.to_string())?;
    if (table.rows as u64, table.columns.len()) != (wanted.0, wanted.1) {
        return Err(format!("found {} rows and {} columns", table.rows, table.columns.len()));
    }
    for &(n, wanted) in wanted.2 {
        let column = &table.columns[n];
        match column_sum(&column.data) {
            Some(found) if close(found, wanted, 1e-9) => {}
            found => return Err(format!("column {n} ({}) sums to {found:?}, wanted {wanted}", column.name)),
        }
    }
    Ok(())
}

fn check(path: &Path, info: &HduInfo, wanted: &Hdu) -> Result<(), String> {
    match (&info.kind, wanted) {
        (HduKind::Image { axes, .. }, Hdu::NoData) if axes.is_empty() => Ok(()),
        (HduKind::Image { .. }, Hdu::Image(b, a, s, n)) => image(path, info, (*b, a, *s, *n)),
        (HduKind::CompressedImage { .. }, Hdu::Tiled(b, a, s, n)) => image(path, info, (*b, a, *s, *n)),
        (HduKind::BinaryTable { compressed: false, .. }, Hdu::Table(r, c, s)) => table(path, info, (*r, *c, s)),
        (HduKind::AsciiTable { .. }, Hdu::AsciiTable(r, c, s)) => table(path, info, (*r, *c, s)),
        (HduKind::BinaryTable { compressed: true, .. }, Hdu::PackedTable) => match read_table(path, HduSelect::Index(info.index)) {
            Err(FitsError::Unsupported { .. }) => Ok(()),
            other => Err(format!("a compressed table gives {other:?}")),
        },
        (HduKind::RandomGroups { groups, parameters, .. }, Hdu::Groups(g, p)) if groups == g && parameters == p => Ok(()),
        (kind, _) => Err(format!("found {kind:?}")),
    }
}

/// Reads all of a file and compares it.
fn try_file(path: &Path, expected: &Expected) -> Result<(), String> {
    let _ = primary_header(path).map(|h| product_header(&h).columns());
    let _ = verify(path);
    let _ = scan_file(path, true);
    match (hdus(path), expected) {
        (Err(error), Expected::Refused(name)) if variant(&error) == *name => Ok(()),
        (Err(error), _) => Err(format!("refused: {error} ({})", variant(&error))),
        (Ok(found), Expected::Refused(_)) => Err(format!("read: {:?}", found.iter().map(|h| &h.kind).collect::<Vec<_>>())),
        (Ok(found), Expected::Reads(wanted)) if found.len() != wanted.len() => Err(format!("{} HDUs", found.len())),
        (Ok(found), Expected::Reads(wanted)) => {
            found.iter().zip(*wanted).try_for_each(|(i, w)| check(path, i, w).map_err(|e| format!("HDU {}: {e}, wanted {w:?}", i.index)))
        }
    }
}

/// Bytes of a file when nothing in it is compressed.
fn decoded_bytes(path: &Path) -> u64 {
    let of_hdu = |h: &HduInfo| match h.kind.image() {
        Some((bitpix, axes)) if !axes.is_empty() => axes.iter().product::<u64>() * u64::from(bitpix.unsigned_abs() / 8),
        _ => h.data_bytes,
    };
    hdus(path).map_or(0, |all| all.iter().map(|h| of_hdu(h) + h.data_offset - h.header_offset).sum())
}

fn all_files(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, into);
        } else {
            into.insert(path);
        }
    }
}

#[test]
fn each_file_gives_what_it_must() {
    let Some(root) = shared("fits_conformance") else { return };
    let mut failures = Vec::new();
    for (name, expected) in files::FILES {
        let path = root.join(name);
        let (result, peak) = allocation::peak_of(|| try_file(&path, expected));
        if let Err(what) = result {
            failures.push(format!("{name}: {what}"));
        }
        let limit = (64 << 20) + 8 * decoded_bytes(&path) as usize;
        if peak > limit {
            failures.push(format!("{name}: took {peak} bytes of memory, more than {limit}"));
        }
    }
    assert!(failures.is_empty(), "{} files:\n{}", failures.len(), failures.join("\n"));
}

/// Bytes of tile-compressed images are changed and cut: that gives images or errors, no panic and no crash.
#[test]
fn damaged_compressed_images_are_survived() {
    let Some(root) = shared("fits_conformance/nom_tam/src/test/resources/nom/tam/image/provided") else { return };
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("damaged.fits");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for name in ["m13_gzip.fits", "m13_hcomp.fits", "m13_plio.fits", "m13_rice.fits", "m13real_rice.fits"] {
        let original = std::fs::read(root.join(name)).unwrap();
        for round in 0..60 {
            let mut bytes = original.clone();
            // The first 5760 bytes are headers: some rounds change only the data.
            let from = if round % 2 == 0 { 0 } else { 8640 };
            for _ in 0..random.random_range(1..30) {
                let at = random.random_range(from..bytes.len());
                bytes[at] = random.random();
            }
            if round % 5 == 0 {
                bytes.truncate(random.random_range(0..bytes.len()));
            }
            std::fs::write(&copy, bytes).unwrap();
            let _ = scan_file(&copy, true);
            if let Ok(reader) = ImageReader::open(&copy, HduSelect::First) {
                let _ = reader.read_array();
            }
        }
    }
}

#[test]
fn no_file_of_the_collection_is_left_out() {
    let Some(root) = shared("fits_conformance") else { return };
    let mut found = BTreeSet::new();
    all_files(&root, &mut found);
    let listed: BTreeSet<PathBuf> = files::FILES.iter().map(|(name, _)| root.join(name)).collect();
    let missing: Vec<_> = found.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
