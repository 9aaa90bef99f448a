//! Tile-compressed images (FITS standard 4.0, section 10), decoded by CFITSIO from a copy of their HDU in memory.
//!
//! CFITSIO believes sizes in headers; so they are compared with what the compressed bytes can hold before it sees them.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::PathBuf;
use std::ptr;

use fitsio_sys as c;
use ifured_core::Header;

use super::error::FitsError;
use super::kind::HduKind;
use super::source::Source;
use super::walk::HduInfo;
use super::write_header::{empty_primary, pad_block};

/// A tile-compressed image, open in CFITSIO.
#[derive(Debug)]
pub(super) struct TiledImage {
    path: PathBuf,
    hdu: usize,
    handle: *mut c::fitsfile,
    /// The HDU with an empty primary HDU before it. CFITSIO holds the two pointers, so they must not move.
    _memory: Box<Memory>,
}

#[derive(Debug)]
struct Memory {
    _bytes: Vec<u8>,
    address: *mut c_void,
    size: usize,
}

// SAFETY: the system's CFITSIO is built reentrant (its Debian package is configured so): a handle may move to another thread
// as long as one thread at a time uses it, which `&mut self` guarantees.
unsafe impl Send for TiledImage {}

impl TiledImage {
    /// Copies the HDU and opens it, after checking what it claims.
    pub(super) fn open(source: &Source, info: &HduInfo) -> Result<Self, FitsError> {
        let path = source.path.clone();
        check_claims(&path, info)?;
        let mut bytes = empty_primary();
        let head = info.data_offset - info.header_offset;
        bytes.extend(source.read_vec(info.header_offset, head)?);
        bytes.extend(source.read_vec(info.data_offset, info.data_bytes)?);
        pad_block(&mut bytes, 0);
        let memory = Box::new(Memory { size: bytes.len(), address: bytes.as_mut_ptr().cast(), _bytes: bytes });
        let mut tiled = TiledImage { path, hdu: info.index, handle: ptr::null_mut(), _memory: memory };
        let mut status: c_int = 0;
        // SAFETY: the buffer and the two fields that hold its address and size are on the heap and outlive the handle, which
        // `drop` closes first; a file opened for reading is never reallocated, so no reallocation function is given.
        unsafe {
            c::ffomem(
                &mut tiled.handle,
                c"ifured".as_ptr(),
                c::READONLY as c_int,
                &mut tiled._memory.address,
                &mut tiled._memory.size,
                0,
                None,
                &mut status,
            );
            if status == 0 {
                c::ffmahd(tiled.handle, 2, ptr::null_mut(), &mut status);
            }
        }
        tiled.checked(status)?;
        Ok(tiled)
    }

    /// Reads pixels from `first` (from 0) on, scaled, with NaN for undefined ones.
    pub(super) fn read_f32(&mut self, first: usize, out: &mut [f32]) -> Result<(), FitsError> {
        let mut null = f32::NAN;
        // SAFETY: `null` and `out` are of the type TFLOAT names.
        unsafe { self.read(c::TFLOAT, first, out.len(), (&raw mut null).cast(), out.as_mut_ptr().cast()) }
    }

    /// As `read_f32`, in double precision.
    pub(super) fn read_f64(&mut self, first: usize, out: &mut [f64]) -> Result<(), FitsError> {
        let mut null = f64::NAN;
        // SAFETY: `null` and `out` are of the type TDOUBLE names.
        unsafe { self.read(c::TDOUBLE, first, out.len(), (&raw mut null).cast(), out.as_mut_ptr().cast()) }
    }

    /// # Safety
    /// `null` points to one value and `out` to `count` values of the C type that `datatype` names.
    unsafe fn read(&mut self, datatype: u32, first: usize, count: usize, null: *mut c_void, out: *mut c_void) -> Result<(), FitsError> {
        let (mut status, mut any_null): (c_int, c_int) = (0, 0);
        if count == 0 {
            return Ok(());
        }
        // SAFETY: the handle is open, the pointers are as this function demands.
        unsafe {
            c::ffgpv(self.handle, datatype as c_int, first as i64 + 1, count as i64, null, out, &mut any_null, &mut status);
        }
        self.checked(status)
    }

    fn checked(&self, status: c_int) -> Result<(), FitsError> {
        if status == 0 {
            return Ok(());
        }
        let mut lines = Vec::new();
        let mut text = [0 as c_char; 128];
        // SAFETY: CFITSIO writes at most 81 characters with a closing NUL to each of these buffers.
        unsafe {
            c::ffgerr(status, text.as_mut_ptr());
            lines.push(CStr::from_ptr(text.as_ptr()).to_string_lossy().trim().to_owned());
            while lines.len() < 4 && c::ffgmsg(text.as_mut_ptr()) != 0 {
                lines.push(CStr::from_ptr(text.as_ptr()).to_string_lossy().trim().to_owned());
            }
            c::ffcmsg();
        }
        Err(FitsError::Cfitsio { path: self.path.clone(), hdu: self.hdu, status, message: lines.join("; ") })
    }
}

impl Drop for TiledImage {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            let mut status: c_int = 0;
            // SAFETY: the handle is open and not used again; its memory is freed after this.
            unsafe {
                c::ffclos(self.handle, &mut status);
            }
        }
    }
}

/// Refuses claims that the compressed bytes cannot hold, or that do not fit each other.
fn check_claims(path: &std::path::Path, info: &HduInfo) -> Result<(), FitsError> {
    let HduKind::CompressedImage { bitpix, axes, algorithm } = &info.kind else { return Ok(()) };
    let keyword = |keyword: &str, what: String| FitsError::Keyword { path: path.to_owned(), hdu: info.index, keyword: keyword.to_owned(), what };
    // Bytes of pixels that one byte of compressed data can stand for: deflate reaches 1032, a Rice block of 32 equal pixels
    // of 4 bytes takes 5 bits; runs of PLIO and empty quadtrees of H-compress reach further.
    let ratio: u128 = match algorithm.as_str() {
        "RICE_1" | "RICE_ONE" | "GZIP_1" | "GZIP_2" | "NOCOMPRESS" => 1100,
        "PLIO_1" | "HCOMPRESS_1" => 20_000,
        _ => {
            let what = format!("compression `{algorithm}`; known are RICE_1, GZIP_1, GZIP_2, PLIO_1, HCOMPRESS_1 and NOCOMPRESS");
            return Err(FitsError::Unsupported { path: path.to_owned(), hdu: info.index, what });
        }
    };
    if axes.is_empty() || axes.len() > 6 || axes.contains(&0) {
        return Err(keyword("ZNAXIS", format!("gives axes {axes:?}; one to six axes, none of length 0, can be read")));
    }
    let header = &info.header;
    let mut pixels = 1u128;
    let mut tiles = 1u128;
    let mut tile_pixels = 1u128;
    for (n, &length) in axes.iter().enumerate() {
        let name = format!("ZTILE{}", n + 1);
        let default = if n == 0 { length as i64 } else { 1 };
        let tile = header.get(&name).map_or(Some(default), |v| v.as_integer());
        let Some(tile) = tile.and_then(|t| u64::try_from(t).ok()).filter(|&t| t > 0 && t <= length.max(1)) else {
            let found = header.get(&name).map(ToString::to_string).unwrap_or_default();
            return Err(keyword(&name, format!("is {found}; it must be 1 to the length of the axis, {length}")));
        };
        let too_many = || keyword("ZNAXISn", format!("are {axes:?}: more than any file has"));
        pixels = pixels.checked_mul(u128::from(length)).ok_or_else(too_many)?;
        tiles = tiles.checked_mul(u128::from(length.div_ceil(tile))).ok_or_else(too_many)?;
        tile_pixels = tile_pixels.saturating_mul(u128::from(tile));
    }
    let rows = header.integer("NAXIS2").unwrap_or(0).max(0) as u128;
    if rows < tiles {
        return Err(keyword("NAXIS2", format!("is {rows}, but the image has {tiles} tiles")));
    }
    let bytes_per_pixel = u128::from(bitpix.unsigned_abs() / 8);
    let claimed = pixels.saturating_mul(bytes_per_pixel);
    let limit = u128::from(info.data_bytes) * ratio;
    if claimed > limit {
        return Err(FitsError::TooLarge { path: path.to_owned(), hdu: info.index, what: "the decompressed image, in bytes,", claimed, limit });
    }
    if tile_pixels > i32::MAX as u128 / 8 {
        let what = "the pixels of one tile";
        return Err(FitsError::TooLarge { path: path.to_owned(), hdu: info.index, what, claimed: tile_pixels, limit: i32::MAX as u128 / 8 });
    }
    check_column(header).map_err(|what| keyword("TFIELDS", what))
}

/// The table must have the column that the convention names, or CFITSIO would search for it in vain.
fn check_column(header: &Header) -> Result<(), String> {
    let fields = header.integer("TFIELDS").unwrap_or(0);
    let named = |n: i64| header.text(&format!("TTYPE{n}")).unwrap_or_default().trim().to_owned();
    if (1..=fields.min(999)).any(|n| named(n) == "COMPRESSED_DATA") {
        Ok(())
    } else {
        Err(format!("is {fields}, and no column is named COMPRESSED_DATA"))
    }
}
