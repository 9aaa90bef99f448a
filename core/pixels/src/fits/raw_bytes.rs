//! Numbers seen as bytes, so that a file can be read into an array of numbers without a second copy.

/// Numbers for which every pattern of bits is a value and which have no padding.
///
/// # Safety
/// Only for primitive numbers.
pub(super) unsafe trait Plain: Copy {}
// SAFETY: primitive numbers have no padding and no forbidden bit patterns.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above.
unsafe impl Plain for i16 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}

/// The memory of a slice of numbers.
pub(super) fn bytes_of_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    let bytes = std::mem::size_of_val(values);
    // SAFETY: the region is exactly that of `values`, bytes need no alignment, and any bytes make valid numbers (`Plain`).
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast::<u8>(), bytes) }
}
