//! Pointers from C, checked before they are believed.

use crate::base::error::{Error, Result};
use std::ffi::{CStr, c_char, c_void};

/// Bytes: NULL with 0 is empty.
///
/// # Safety
/// `data` points at `len` readable bytes that nobody writes during the call.
#[inline]
pub(super) unsafe fn bytes<'a>(what: &str, data: *const c_void, len: usize) -> Result<&'a [u8]> {
    // SAFETY: this function's own contract.
    unsafe { some_bytes(data, len) }.ok_or_else(|| bad_bytes(what, data, len))
}

/// The same; `None` for what cannot be.
///
/// # Safety
/// As [`bytes`].
#[inline(always)]
pub(super) unsafe fn some_bytes<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    if data.is_null() || len > isize::MAX as usize {
        return (len == 0).then_some(&[]);
    }
    // SAFETY: not NULL, not longer than an allocation can be; the caller
    // promises that the bytes are readable for the length of the call.
    Some(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) })
}

#[cold]
fn bad_bytes(what: &str, data: *const c_void, len: usize) -> Error {
    if data.is_null() {
        Error::arg(format!("{what}: expected a pointer to {len} bytes, found: NULL"))
    } else {
        Error::arg(format!("{what}: expected a length of at most PTRDIFF_MAX, found: {len}"))
    }
}

/// NUL-terminated UTF-8.
///
/// # Safety
/// `text` is NULL or NUL-terminated and unchanged during the call.
pub(super) unsafe fn text<'a>(what: &str, text: *const c_char) -> Result<&'a str> {
    if text.is_null() {
        return Err(Error::arg(format!("{what}: expected text, found: NULL")));
    }
    // SAFETY: not NULL; the caller promises the closing NUL.
    unsafe { CStr::from_ptr(text) }
        .to_str()
        .map_err(|_| Error::arg(format!("{what}: expected UTF-8, found other bytes")))
}

/// A handle that is only read.
///
/// # Safety
/// `handle` is NULL or came from this library and is not yet freed.
#[inline]
pub(super) unsafe fn handle<'a, T>(what: &str, handle: *const T) -> Result<&'a T> {
    aligned(what, handle)?;
    // SAFETY: NULL is answered; the rest is the caller's promise.
    unsafe { handle.as_ref() }.ok_or_else(|| null(what))
}

/// A handle that this thread alone uses.
///
/// # Safety
/// As [`handle`], and no other call on it runs.
pub(super) unsafe fn handle_mut<'a, T>(what: &str, handle: *mut T) -> Result<&'a mut T> {
    aligned(what, handle)?;
    // SAFETY: NULL is answered; the rest is the caller's promise.
    unsafe { handle.as_mut() }.ok_or_else(|| null(what))
}

/// Where an answer goes. Kept as a pointer: what it points at may be
/// uninitialised until it is written.
#[inline]
pub(super) fn out<T>(what: &str, out: *mut T) -> Result<*mut T> {
    aligned(what, out)?;
    if out.is_null() { Err(null(what)) } else { Ok(out) }
}

/// An array of `n` elements: NULL with 0 is empty.
///
/// # Safety
/// `data` points at `n` initialised elements that nobody writes meanwhile.
pub(super) unsafe fn array<'a, T>(what: &str, data: *const T, n: usize) -> Result<&'a [T]> {
    if n == 0 {
        return Ok(&[]);
    }
    if data.is_null() || n > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(bad_bytes(what, data.cast(), n.saturating_mul(size_of::<T>())));
    }
    aligned(what, data)?;
    // SAFETY: not NULL, aligned, and within what an allocation can be; the rest is
    // the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(data, n) })
}

/// Refuses what cannot be a pointer to that: a number in the place of a pointer, or
/// bytes in the midst of a buffer.
#[inline]
fn aligned<T>(what: &str, pointer: *const T) -> Result<()> {
    if pointer.is_aligned() { Ok(()) } else { Err(misaligned(what, pointer)) }
}

#[cold]
fn misaligned<T>(what: &str, pointer: *const T) -> Error {
    let align = align_of::<T>();
    Error::arg(format!("{what}: expected a pointer aligned to {align} bytes, got {pointer:p}"))
}

#[cold]
fn null(what: &str) -> Error {
    Error::arg(format!("{what}: expected a pointer, found: NULL"))
}

/// Writes an answer that the caller may do without.
///
/// # Safety
/// `out` is NULL or writable.
pub(super) unsafe fn write_if_wanted<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write_unaligned(value) };
    }
}
