//! Tile-compressed images (FITS standard 4.0, section 10), decoded by CFITSIO from a copy of their HDU.
//!
//! CFITSIO believes what headers and compressed bytes say of sizes. [`super::tile_claims`] checks the copy before CFITSIO sees
//! it, and nothing can change the copy afterwards.
//!
//! Images are opened, described and read through the safe interface of `fitsio`. Its gaps, and what is done about them:
//!
//! * It opens files by name alone: the name must be UTF-8 (else it panics) and free of CFITSIO's extended syntax (`[`, `(`, `+3`),
//!   and a whole-file gzip cannot be opened from memory. The copy is an anonymous file in memory, opened by the name of its
//!   descriptor.
//! * It gives no null value to CFITSIO: undefined pixels come out as the numbers that stand for them. Images that may have some
//!   are read by [`super::cfitsio::read_with_nan`].
//! * It reads into a new vector: pixels come in pieces, so that the copy to the caller's array stays in the cache.
//! * It does not read CFITSIO's stack of messages: [`super::cfitsio::explain`] does.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use fitsio::FitsFile;
use fitsio::hdu::{FitsHdu, HduInfo as Description};
use fitsio::images::ReadImage;
use fitsio::threadsafe_fitsfile::ThreadsafeFitsFile;
use ifured_core::Card;

use super::cfitsio::{Access, Real, access, explain, read_with_nan};
use super::error::FitsError;
use super::source::{Place, Source, io_error};
use super::tile_claims::check_claims;
use super::walk::{BLOCK, HduInfo};
use super::write_header::empty_primary;

/// Pixels that `fitsio` is asked for at a time, in whole rows.
const PIECE: usize = 1 << 16;

/// Bytes copied at a time: they stay in the cache.
const CHUNK: usize = 1 << 18;

/// A tile-compressed image, open in CFITSIO.
pub(super) struct TiledImage {
    path: PathBuf,
    index: usize,
    /// Closed by `drop`, with the permission to.
    file: Option<ThreadsafeFitsFile>,
    hdu: FitsHdu,
    /// Columns of the image.
    columns: usize,
    may_have_nulls: bool,
    /// CFITSIO takes files of one name for the same file: the descriptor must not get another file while it has it open.
    _copy: Source,
}

impl TiledImage {
    /// Copies the HDU and opens it, after checking what it claims.
    pub(super) fn open(source: &Source, info: &HduInfo) -> Result<Self, FitsError> {
        let (path, index) = (source.path.clone(), info.index);
        let (copy, descriptor) = checked_copy(source, info)?;
        let permission = access();
        let failed = |e| failure(&path, index, e, &permission);
        let mut file = FitsFile::open(format!("/dev/fd/{descriptor}")).map_err(failed)?;
        let hdu = file.hdu(1).map_err(failed)?;
        let axes = info.kind.image().map_or(&[][..], |(_, axes)| axes);
        let agrees = |shape: &[usize]| shape.iter().rev().map(|&n| n as u64).eq(axes.iter().copied());
        if !matches!(&hdu.info, Description::ImageInfo { shape, .. } if agrees(shape)) {
            let what = format!("the header gives axes {axes:?}, CFITSIO finds {:?}", hdu.info);
            return Err(FitsError::Shape { path, hdu: index, what });
        }
        let columns = axes.first().map_or(1, |&n| n as usize);
        let file = Some(file.threadsafe());
        Ok(TiledImage { path, index, file, hdu, columns, may_have_nulls: may_have_nulls(info), _copy: copy })
    }

    /// Reads pixels from `first` (from 0) on, scaled, with NaN for undefined ones.
    pub(super) fn read<T>(&mut self, first: usize, out: &mut [T]) -> Result<(), FitsError>
    where
        T: Real,
        Vec<T>: ReadImage,
    {
        if out.is_empty() {
            return Ok(());
        }
        let permission = access();
        let failed = |e| failure(&self.path, self.index, e, &permission);
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = file.lock().map_err(failed)?;
        if self.may_have_nulls {
            return match read_with_nan(&mut file, first, out, &permission) {
                0 => Ok(()),
                status => Err(status_error(&self.path, self.index, status, &permission)),
            };
        }
        let mut at = first;
        for piece in out.chunks_mut((PIECE / self.columns.max(1)).max(1) * self.columns.max(1)) {
            let end = at + piece.len();
            piece.copy_from_slice(&self.hdu.read_section::<Vec<T>>(&mut file, at, end).map_err(failed)?);
            at = end;
        }
        Ok(())
    }
}

impl std::fmt::Debug for TiledImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TiledImage").field("path", &self.path).field("index", &self.index).finish_non_exhaustive()
    }
}

impl Drop for TiledImage {
    fn drop(&mut self) {
        let _permission = access();
        self.file = None;
    }
}

/// The HDU behind an empty primary one, in a file without a name, and that file's descriptor. Its claims are checked.
fn checked_copy(source: &Source, info: &HduInfo) -> Result<(Source, i32), FitsError> {
    let primary = empty_primary();
    let moved = HduInfo {
        header_offset: primary.len() as u64,
        data_offset: primary.len() as u64 + info.data_offset - info.header_offset,
        ..info.clone()
    };
    let failed = |e| io_error(&source.path, "copy a compressed image to memory", e);
    let mut file = anonymous().map_err(failed)?;
    file.write_all(&primary).map_err(failed)?;
    let end = info.data_offset + info.data_bytes;
    let mut buffer = vec![0u8; CHUNK];
    let mut at = info.header_offset;
    while at < end {
        let n = (end - at).min(CHUNK as u64) as usize;
        source.read_at(at, &mut buffer[..n])?;
        file.write_all(&buffer[..n]).map_err(failed)?;
        at += n as u64;
    }
    // What is missing of the last block are zeros.
    file.set_len((moved.data_offset + info.data_bytes).next_multiple_of(BLOCK)).map_err(failed)?;
    let descriptor = file.as_raw_fd();
    let copy = Source { path: source.path.clone(), place: Place::File(file) };
    check_claims(&copy, &moved)?;
    Ok((copy, descriptor))
}

/// A file without a name, in memory where the system has such.
#[cfg(target_os = "linux")]
fn anonymous() -> std::io::Result<File> {
    let created = rustix::fs::memfd_create(c"ifured", rustix::fs::MemfdFlags::CLOEXEC);
    created.map(File::from).or_else(|_| tempfile::tempfile())
}

/// A file without a name, in memory where the system has such.
#[cfg(not(target_os = "linux"))]
fn anonymous() -> std::io::Result<File> {
    tempfile::tempfile()
}

/// Whether pixels may be undefined: real ones always, integers where a keyword or a column says which value stands for it.
fn may_have_nulls(info: &HduInfo) -> bool {
    let header = &info.header;
    let is_real = info.kind.image().is_none_or(|(bitpix, _)| bitpix < 0);
    let column =
        |c: &Card| c.keyword.starts_with("TTYPE") && c.value().is_some_and(|v| v.to_string().trim().eq_ignore_ascii_case("ZBLANK"));
    is_real || header.contains("ZBLANK") || header.contains("BLANK") || header.cards().iter().any(column)
}

fn failure(path: &Path, hdu: usize, error: fitsio::errors::Error, permission: &Access) -> FitsError {
    match error {
        fitsio::errors::Error::Fits(e) => status_error(path, hdu, e.status, permission),
        other => FitsError::Cfitsio { path: path.to_owned(), hdu, status: 0, message: format!("{other:?}") },
    }
}

fn status_error(path: &Path, hdu: usize, status: i32, permission: &Access) -> FitsError {
    FitsError::Cfitsio { path: path.to_owned(), hdu, status, message: explain(status, permission) }
}
