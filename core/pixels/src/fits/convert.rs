//! Stored pixels to physical values: `BZERO + BSCALE * stored`, `BLANK` to NaN (FITS standard 4.0, sections 4.4.2.5 and 5).
//!
//! The loops are plain enough for the compiler to vectorise.

use super::scaling::Scaling;

/// A stored pixel type, big-endian in the file.
trait Stored<const N: usize>: Copy + PartialEq {
    fn read(bytes: [u8; N]) -> Self;
    fn f64(self) -> f64;
    fn f32(self) -> f32;
    /// `BLANK` as a stored value; types that are not integers have none.
    fn blank(value: i64) -> Option<Self>;
}

macro_rules! stored_integer {
    ($($t:ty, $n:literal);*) => {$(
        impl Stored<$n> for $t {
            fn read(bytes: [u8; $n]) -> Self { <$t>::from_be_bytes(bytes) }
            fn f64(self) -> f64 { self as f64 }
            fn f32(self) -> f32 { self as f32 }
            fn blank(value: i64) -> Option<Self> { <$t>::try_from(value).ok() }
        }
    )*};
}
stored_integer!(u8, 1; i16, 2; i32, 4; i64, 8);

macro_rules! stored_real {
    ($($t:ty, $n:literal);*) => {$(
        impl Stored<$n> for $t {
            fn read(bytes: [u8; $n]) -> Self { <$t>::from_be_bytes(bytes) }
            fn f64(self) -> f64 { self as f64 }
            fn f32(self) -> f32 { self as f32 }
            fn blank(_: i64) -> Option<Self> { None }
        }
    )*};
}
stored_real!(f32, 4; f64, 8);

/// Converts `raw`, big-endian pixels of that BITPIX, to values in `f32`.
///
/// # Accuracy
/// The scaling is made in `f64` and rounded once; integers of 8 and 16 bits with a whole `BZERO` are exact.
pub(super) fn to_f32(bitpix: i32, raw: &[u8], scaling: &Scaling, out: &mut [f32]) {
    match bitpix {
        8 => fill_f32::<u8, 1>(raw, scaling, out, true),
        16 => fill_f32::<i16, 2>(raw, scaling, out, true),
        32 => fill_f32::<i32, 4>(raw, scaling, out, false),
        64 => fill_f32::<i64, 8>(raw, scaling, out, false),
        -32 => fill_f32::<f32, 4>(raw, scaling, out, false),
        _ => fill_f32::<f64, 8>(raw, scaling, out, false),
    }
}

/// As [`to_f32`], in `f64`.
pub(super) fn to_f64(bitpix: i32, raw: &[u8], scaling: &Scaling, out: &mut [f64]) {
    match bitpix {
        8 => fill_f64::<u8, 1>(raw, scaling, out),
        16 => fill_f64::<i16, 2>(raw, scaling, out),
        32 => fill_f64::<i32, 4>(raw, scaling, out),
        64 => fill_f64::<i64, 8>(raw, scaling, out),
        -32 => fill_f64::<f32, 4>(raw, scaling, out),
        _ => fill_f64::<f64, 8>(raw, scaling, out),
    }
}

/// Puts big-endian `f32` values that were read into place into the order of the machine, and scales them.
pub(super) fn swap_f32(values: &mut [f32], scaling: &Scaling) {
    if scaling.is_identity() {
        for v in values {
            *v = f32::from_bits(u32::from_be(v.to_bits()));
        }
    } else {
        let (scale, zero) = (scaling.scale, scaling.zero);
        for v in values {
            *v = (f64::from(f32::from_bits(u32::from_be(v.to_bits()))) * scale + zero) as f32;
        }
    }
}

/// Stored integers of up to 32 bits, not scaled.
pub(super) fn to_i32(bitpix: i32, raw: &[u8], out: &mut [i32]) {
    match bitpix {
        8 => each::<1, _>(raw, out, |b| i32::from(b[0])),
        16 => each::<2, _>(raw, out, |b| i32::from(i16::from_be_bytes(b))),
        _ => each::<4, _>(raw, out, i32::from_be_bytes),
    }
}

/// As [`to_i32`], seen as unsigned.
pub(super) fn to_bits(bitpix: i32, raw: &[u8], out: &mut [u32]) {
    match bitpix {
        8 => each::<1, _>(raw, out, |b| u32::from(b[0])),
        16 => each::<2, _>(raw, out, |b| i32::from(i16::from_be_bytes(b)) as u32),
        _ => each::<4, _>(raw, out, u32::from_be_bytes),
    }
}

fn each<const N: usize, T>(raw: &[u8], out: &mut [T], convert: impl Fn([u8; N]) -> T) {
    for (value, bytes) in out.iter_mut().zip(raw.as_chunks::<N>().0) {
        *value = convert(*bytes);
    }
}

/// `small`: integers that `f32` holds exactly, with room for a whole zero point.
fn fill_f32<T: Stored<N>, const N: usize>(raw: &[u8], scaling: &Scaling, out: &mut [f32], small: bool) {
    let (scale, zero) = (scaling.scale, scaling.zero);
    let blank = scaling.blank.and_then(T::blank);
    let exact_zero = small && scale == 1.0 && zero.fract() == 0.0 && zero.abs() <= 8_000_000.0;
    match blank {
        Some(blank) => each::<N, _>(raw, out, |b| {
            let v = T::read(b);
            if v == blank { f32::NAN } else { (v.f64() * scale + zero) as f32 }
        }),
        None if exact_zero => {
            let zero = zero as f32;
            each::<N, _>(raw, out, |b| T::read(b).f32() + zero);
        }
        None if scaling.is_identity() => each::<N, _>(raw, out, |b| T::read(b).f32()),
        None => each::<N, _>(raw, out, |b| (T::read(b).f64() * scale + zero) as f32),
    }
}

fn fill_f64<T: Stored<N>, const N: usize>(raw: &[u8], scaling: &Scaling, out: &mut [f64]) {
    let (scale, zero) = (scaling.scale, scaling.zero);
    match scaling.blank.and_then(T::blank) {
        Some(blank) => each::<N, _>(raw, out, |b| {
            let v = T::read(b);
            if v == blank { f64::NAN } else { v.f64() * scale + zero }
        }),
        None => each::<N, _>(raw, out, |b| T::read(b).f64() * scale + zero),
    }
}
