//! Copies of files that another program wrote, with more in the primary header.
//!
//! Data go from file to file as they are, piece by piece, whatever their size; headers keep their cards. What changes from one run on
//! equal inputs to the next is left out, so that equal products have equal bytes: `DATE`, when the file was written, and the same in the
//! comments of the checksums.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use ifured_core::{Card, Header, Value};

use super::checksum::Sum;
use super::content_hash::ContentHasher;
use super::error::FitsError;
use super::inflate::Limits;
use super::source::{Source, io_error};
use super::walk::{BLOCK, HduInfo, open_walked};
use super::write::{Written, publish, temporary_beside};
use super::write_header::{HeaderBytes, is_structural};

/// Bytes copied at a time: they stay in the cache.
const CHUNK: usize = 1 << 18;

/// Copies a FITS file, uncompressed, to `to`, completely or not at all. `change` adds to the primary header; it must leave the
/// structure of the data alone. Every HDU of the copy has checksums.
///
/// # Errors
/// As [`super::hdus`]; if the data do not agree with their DATASUM; if `change` changes the structure; if the copy cannot be written.
pub fn copy_with_header(from: &Path, to: &Path, change: impl FnOnce(&mut Header)) -> Result<Written, FitsError> {
    let (source, hdus) = open_walked(from, &Limits::default())?;
    let mut headers: Vec<Header> = hdus.iter().map(|h| lasting(&h.header)).collect();
    if let Some(primary) = headers.first_mut() {
        let before = structure(primary);
        change(primary);
        if structure(primary) != before {
            let what = "the structure of the primary HDU would not be that of its data any more".to_owned();
            return Err(FitsError::Unwritable { path: to.to_owned(), hdu: 0, what });
        }
    }
    let file = temporary_beside(to)?;
    let written = copy_to(&source, &hdus, &headers, file.as_file(), to)?;
    publish(file, to)?;
    Ok(written)
}

fn copy_to(source: &Source, hdus: &[HduInfo], headers: &[Header], file: &File, to: &Path) -> Result<Written, FitsError> {
    let mut out = Out { file: BufWriter::new(file), hasher: ContentHasher::default(), bytes: 0 };
    let unwritable = |e| io_error(to, "write", e);
    for (info, header) in hdus.iter().zip(headers) {
        // The checksum in the header is of the data behind it: that which is stated, or else computed before.
        let sum = stated_sum(&info.header).map_or_else(|| each_piece(source, info, |_| Ok(())), Ok)?;
        let mut head = HeaderBytes::of_cards(header);
        head.seal(sum);
        out.put(&head.bytes).map_err(unwritable)?;
        let copied = each_piece(source, info, |piece| out.put(piece).map_err(unwritable))?;
        if copied != sum {
            let (keyword, what) = ("DATASUM".to_owned(), format!("is {sum}, but the sum of the data is {copied}"));
            return Err(FitsError::Keyword { path: source.path.clone(), hdu: info.index, keyword, what });
        }
        let padding = info.data_bytes.next_multiple_of(BLOCK) - info.data_bytes;
        out.put(&vec![0; padding as usize]).map_err(unwritable)?;
    }
    out.file.flush().map_err(unwritable)?;
    Ok(Written { hash: out.hasher.finish(), bytes: out.bytes })
}

/// A header without what only says when the file was written.
fn lasting(header: &Header) -> Header {
    header.cards().iter().filter(|c| c.keyword != "DATE").cloned().collect()
}

fn structure(header: &Header) -> Vec<Card> {
    header.cards().iter().filter(|c| is_structural(&c.keyword) && c.keyword != "LONGSTRN").cloned().collect()
}

/// DATASUM, if there is one.
fn stated_sum(header: &Header) -> Option<u32> {
    header.get("DATASUM").map(Value::to_string)?.trim().parse().ok()
}

/// Hands out the data of an HDU and gives their sum.
fn each_piece(source: &Source, info: &HduInfo, mut each: impl FnMut(&[u8]) -> Result<(), FitsError>) -> Result<u32, FitsError> {
    let mut sum = Sum::default();
    let mut buffer = vec![0u8; CHUNK.min(info.data_bytes as usize)];
    let mut at = 0;
    while at < info.data_bytes {
        let n = (info.data_bytes - at).min(buffer.len() as u64) as usize;
        source.read_at(info.data_offset + at, &mut buffer[..n])?;
        sum.add(&buffer[..n]);
        each(&buffer[..n])?;
        at += n as u64;
    }
    Ok(sum.value())
}

struct Out<W: Write> {
    file: BufWriter<W>,
    hasher: ContentHasher,
    bytes: u64,
}

impl<W: Write> Out<W> {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hasher.add(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::super::{HduToWrite, Verdict, hash_of_file, hdus, verify, write_product};
    use super::*;

    #[test]
    fn the_copy_has_the_data_the_new_cards_and_right_checksums() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("a.fits"), directory.path().join("b.fits"));
        let mut primary = Header::new();
        primary.set("DATE", "2026-01-01T00:00:00", "");
        primary.set("ESO PRO CATG", "MASTER_BIAS", "");
        let mut extension = Header::new();
        extension.set("EXTNAME", "DATA", "");
        let data = Array2::from_shape_fn((700, 301), |(i, j)| (i * 301 + j) as f32);
        write_product(&from, &[HduToWrite::Empty(&primary), HduToWrite::image(&extension, data.view())]).unwrap();
        let long = "x".repeat(200);
        let written = copy_with_header(&from, &to, |h| h.set("IFURED WHY", long.as_str(), "")).unwrap();
        assert_eq!((written.hash, written.bytes), (hash_of_file(&to).unwrap(), to.metadata().unwrap().len()));
        let now = hdus(&to).unwrap();
        assert_eq!((now[0].header.text("IFURED WHY"), now[0].header.text("ESO PRO CATG")), (Ok(long.as_str()), Ok("MASTER_BIAS")));
        assert!(!now[0].header.contains("DATE") && now[0].header.contains("LONGSTRN"));
        assert!(verify(&to).unwrap().iter().all(|v| v.checksum == Verdict::Right && v.datasum == Verdict::Right));
        assert_eq!(super::super::ImageReader::open(&to, super::super::HduSelect::name("DATA")).unwrap().read_all().unwrap(), data);
        // A later date of the same product makes the same bytes.
        primary.set("DATE", "2026-01-02T00:00:00", "");
        write_product(&from, &[HduToWrite::Empty(&primary), HduToWrite::image(&extension, data.view())]).unwrap();
        let again = directory.path().join("c.fits");
        copy_with_header(&from, &again, |h| h.set("IFURED WHY", long.as_str(), "")).unwrap();
        assert_eq!(hash_of_file(&to).unwrap(), hash_of_file(&again).unwrap());
    }

    #[test]
    fn damaged_data_and_a_changed_structure_are_refused_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("a.fits"), directory.path().join("b.fits"));
        let data = Array2::from_elem((10, 10), 1.0f32);
        write_product(&from, &[HduToWrite::image(&Header::new(), data.view())]).unwrap();
        let error = copy_with_header(&from, &to, |h| h.set("NAXIS1", 5, "")).unwrap_err();
        assert!(error.to_string().contains("structure"), "{error}");
        let mut bytes = std::fs::read(&from).unwrap();
        bytes[2880 + 7] ^= 1;
        std::fs::write(&from, bytes).unwrap();
        let error = copy_with_header(&from, &to, |_| ()).unwrap_err();
        assert!(error.to_string().contains("DATASUM"), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
