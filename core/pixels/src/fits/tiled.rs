//! Tile-compressed images (FITS standard 4.0, section 10), decoded by CFITSIO from a copy of their HDU in memory.
//!
//! CFITSIO believes what headers and compressed bytes say of sizes; [`super::tile_claims`] checks them before it sees them.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::PathBuf;
use std::ptr;

use fitsio_sys as c;

use super::error::FitsError;
use super::source::Source;
use super::tile_claims::check_claims;
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
        check_claims(source, info)?;
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
