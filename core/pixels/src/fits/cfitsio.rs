//! The calls to CFITSIO that `fitsio` does not offer: the only unsafe code of this crate.

use std::ffi::{CStr, c_char, c_int};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fitsio::FitsFile;
use fitsio_sys as c;

/// Permission to call CFITSIO: where it was built without `--enable-reentrant`, one thread at a time has it.
pub(super) struct Access {
    _alone: Option<MutexGuard<'static, ()>>,
}

/// Waits for the permission.
pub(super) fn access() -> Access {
    static REENTRANT: OnceLock<bool> = OnceLock::new();
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // SAFETY: the function has no argument and only returns a constant of the build.
    let reentrant = *REENTRANT.get_or_init(|| unsafe { c::fits_is_reentrant() } != 0);
    // The mutex guards no data, so a panic while it was held has left nothing in disorder.
    let alone = (!reentrant).then(|| ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    Access { _alone: alone }
}

/// Real numbers as CFITSIO names them.
pub(super) trait Real: Copy {
    /// Its name in CFITSIO.
    const TYPE: u32;
    /// What undefined pixels become.
    const NAN: Self;
}

impl Real for f32 {
    const TYPE: u32 = c::TFLOAT;
    const NAN: f32 = f32::NAN;
}

impl Real for f64 {
    const TYPE: u32 = c::TDOUBLE;
    const NAN: f64 = f64::NAN;
}

/// Reads pixels of the current HDU from `first` (from 0) on, scaled, with NaN for undefined ones; gives CFITSIO's status.
pub(super) fn read_with_nan<T: Real>(file: &mut FitsFile, first: usize, out: &mut [T], _: &Access) -> c_int {
    let (mut status, mut any, mut null): (c_int, c_int, T) = (0, 0, T::NAN);
    // SAFETY: the handle is open as long as `file` is borrowed; `null` is one value and `out` as many as are asked for, of the
    // type that `T::TYPE` names.
    unsafe {
        c::ffgpv(
            file.as_raw(),
            T::TYPE as c_int,
            first as i64 + 1,
            out.len() as i64,
            (&raw mut null).cast(),
            out.as_mut_ptr().cast(),
            &mut any,
            &mut status,
        );
    }
    status
}

/// What a status means, with the newest messages of CFITSIO's stack, which is empty afterwards.
pub(super) fn explain(status: c_int, _: &Access) -> String {
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
    lines.join("; ")
}
