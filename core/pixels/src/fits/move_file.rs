//! Files of another program, moved to their place with more in the primary header, without writing their data again.
//!
//! A header that grows moves all that follows. Linux file systems (ext4, XFS) can insert whole pages at the beginning of a file without
//! touching the rest; where that cannot be done, the file is copied, to the same bytes.

use std::fs::{File, OpenOptions};
use std::io::Seek;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use ifured_core::Header;

use super::content_hash::hash_of_rest;
use super::copy::{ROOM, Reheaded};
use super::error::FitsError;
use super::source::{Place, io_error};
use super::walk::BLOCK;
use super::write::{Written, directory_of, sync_directory_of};

/// As [`super::copy_with_header`], but `from` is gone afterwards. A large file that nobody else has a link to is changed in place where the file
/// system can do that: it must be no product that is needed as it is, and its DATASUM should have been verified, for it is not again.
///
/// # Errors
/// As there. `to` is complete or not there; after an error, `from` may be changed.
pub fn move_with_header(from: &Path, to: &Path, change: impl FnOnce(&mut Header)) -> Result<Written, FitsError> {
    let reheaded = Reheaded::open(from, to, change)?;
    match moved(&reheaded, from, to)? {
        Some(written) => Ok(written),
        None => {
            let written = reheaded.copy(to)?;
            std::fs::remove_file(from).map_err(|e| io_error(from, "remove", e))?;
            Ok(written)
        }
    }
}

/// Does it in place; none where that is not possible.
fn moved(file: &Reheaded, from: &Path, to: &Path) -> Result<Option<Written>, FitsError> {
    let asked = |e| io_error(from, "ask for its properties", e);
    let (of_file, of_target) = (from.symlink_metadata().map_err(asked)?, directory_of(to).metadata().map_err(asked)?);
    let whole = file.hdus.last().is_some_and(|h| h.data_offset + h.data_bytes.next_multiple_of(BLOCK) == of_file.len());
    let plain = matches!(file.source.place, Place::File(_)) && of_file.is_file() && of_file.nlink() == 1;
    if file.room == 0 || !whole || !plain || of_file.dev() != of_target.dev() {
        return Ok(None);
    }
    let mut heads = Vec::with_capacity(file.hdus.len());
    for info in &file.hdus {
        let head = file.head(info.index, file.datasum(info.index)?);
        let room = (info.data_offset - info.header_offset) as usize + if info.index == 0 { ROOM } else { 0 };
        if head.len() != room {
            return Ok(None);
        }
        heads.push((info.header_offset + if info.index == 0 { 0 } else { ROOM as u64 }, head));
    }
    let mut open = OpenOptions::new().read(true).write(true).open(from).map_err(|e| io_error(from, "open for writing", e))?;
    if !insert(&open) {
        return Ok(None);
    }
    for (offset, head) in &heads {
        open.write_all_at(head, *offset).map_err(|e| io_error(from, "write", e))?;
    }
    let read = open.rewind().and_then(|()| hash_of_rest(&mut open, |_, _| {}));
    let (hash, bytes) = read.map_err(|e| io_error(from, "read back", e))?;
    open.sync_all().map_err(|e| io_error(from, "sync", e))?;
    std::fs::rename(from, to).map_err(|e| io_error(to, "rename to it", e))?;
    sync_directory_of(to)?;
    Ok(Some(Written { hash, bytes }))
}

/// Inserts the room at the beginning; says whether the file system could, and leaves the file as it was if not.
fn insert(file: &File) -> bool {
    // SAFETY: no memory is passed; the descriptor is open as long as `file` is.
    unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_INSERT_RANGE, 0, ROOM as libc::off_t) == 0 }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::super::{HduSelect, HduToWrite, ImageReader, Verdict, copy_with_header, hash_of_file, hdus, verify, write_product};
    use super::*;

    fn made(path: &Path, rows: usize) {
        let (mut primary, mut extension) = (Header::new(), Header::new());
        primary.set("DATE", "2026-01-01T00:00:00", "");
        primary.set("ESO PRO CATG", "MASTER_BIAS", "");
        extension.set("EXTNAME", "DATA", "");
        extension.set("DATE", "2026-01-01T00:00:00", "");
        let data = Array2::from_shape_fn((rows, 1000), |(i, j)| (i * 7 + j) as f32);
        write_product(path, &[HduToWrite::Empty(&primary), HduToWrite::image(&extension, data.view())]).unwrap();
    }

    /// A small file, which is copied, and a large one, which is changed in place where the file system can.
    #[test]
    fn moving_and_copying_make_the_same_bytes() {
        for rows in [10, 10_000] {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            made(&at("a.fits"), rows);
            let change = |h: &mut Header| (0..100).for_each(|n| h.set(&format!("IFURED RAW{n} NAME"), "some frame", ""));
            let copied = copy_with_header(&at("a.fits"), &at("b.fits"), change).unwrap();
            let moved = move_with_header(&at("a.fits"), &at("c.fits"), change).unwrap();
            assert_eq!(copied, moved);
            assert_eq!((moved.hash, moved.bytes), (hash_of_file(&at("c.fits")).unwrap(), at("c.fits").metadata().unwrap().len()));
            assert!(!at("a.fits").exists() && at("b.fits").is_file());
            let now = hdus(at("c.fits")).unwrap();
            assert_eq!(now[0].header.text("IFURED RAW99 NAME"), Ok("some frame"));
            assert!(now.iter().all(|h| !h.header.contains("DATE") && h.issues.is_empty()) && now[0].header.cards().len() < 120);
            assert!(verify(at("c.fits")).unwrap().iter().all(|v| v.checksum == Verdict::Right && v.datasum == Verdict::Right));
            let last = ImageReader::open(at("c.fits"), HduSelect::name("DATA")).unwrap().read_all().unwrap()[(rows - 1, 999)];
            assert_eq!(last, ((rows - 1) * 7 + 999) as f32);
        }
    }

    #[test]
    fn a_file_with_another_name_elsewhere_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        made(&at("a.fits"), 10_000);
        std::fs::hard_link(at("a.fits"), at("kept.fits")).unwrap();
        let before = hash_of_file(&at("kept.fits")).unwrap();
        move_with_header(&at("a.fits"), &at("b.fits"), |h| h.set("IFURED TASK", "x", "")).unwrap();
        assert_eq!(hash_of_file(&at("kept.fits")).unwrap(), before);
    }
}
