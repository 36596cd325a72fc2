//! Rules about text that every binding needs: units, names, spelling.

use super::guard::guard;
use super::ptr;
use super::status::{TWAT_MISS, TWAT_OK, TWAT_TRUNCATED};
use crate::base::error::Result;
use crate::config::{namespace, options, units};
use std::ffi::{c_char, c_void};

/// Bytes that a namespace has at most.
pub const TWAT_NAMESPACE_BYTES: usize = 200;

/// Milliseconds of a time such as `"90s"`, `"1h30m"` or `"1.5 days"`.
///
/// Units: `ms`, `s`, `m` (minutes), `h`, `d`, `w`, and their English words; the
/// longest first, each once. Parts of a millisecond are rounded up. A number
/// without a unit is refused: seconds and milliseconds are both common.
///
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for any other text.
/// Since: 3.0.0
///
/// # Safety
/// `text` is NULL or NUL-terminated; `out_ms` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_parse_duration(text: *const c_char, out_ms: *mut u64) -> i32 {
    // SAFETY: this function's own contract.
    guard(|| unsafe { read(text, "out_ms", out_ms, units::duration_ms) })
}

/// Bytes of a size such as `"500 MB"` (10^6) or `"1.5 GiB"` (2^30).
///
/// Units: `B`, `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB`, `TiB`, in capital
/// or small letters. Parts of a byte are dropped. A number without a unit and
/// single letters such as `M` are refused.
///
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for any other text.
/// Since: 3.0.0
///
/// # Safety
/// `text` is NULL or NUL-terminated; `out_bytes` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_parse_size(text: *const c_char, out_bytes: *mut u64) -> i32 {
    // SAFETY: this function's own contract.
    guard(|| unsafe { read(text, "out_bytes", out_bytes, units::size_bytes) })
}

/// The number of a share such as `"10%"`: whole per cent from 0 to 100.
///
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for any other text.
/// Since: 3.0.0
///
/// # Safety
/// `text` is NULL or NUL-terminated; `out_percent` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_parse_percent(text: *const c_char, out_percent: *mut u64) -> i32 {
    // SAFETY: this function's own contract.
    guard(|| unsafe { read(text, "out_percent", out_percent, units::percent) })
}

/// Reads a text by a rule.
///
/// # Safety
/// As [`twat_parse_duration`].
unsafe fn read(
    text: *const c_char,
    what: &str,
    out: *mut u64,
    rule: fn(&str) -> Result<u64>,
) -> Result<i32> {
    let out = ptr::out(what, out)?;
    // SAFETY: this function's own contract.
    let number = rule(unsafe { ptr::text("text", text) }?)?;
    // SAFETY: not NULL; the caller promises that it is writable.
    unsafe { out.write(number) };
    Ok(TWAT_OK)
}

/// The namespace that holds the results of a function: its name, or for a name
/// of more than `TWAT_NAMESPACE_BYTES` bytes its beginning, `~` and its hash.
///
/// All languages use this one, so that a function has one place in a store.
/// Bytes that are not UTF-8 become `?`. At most `TWAT_NAMESPACE_BYTES` bytes and
/// no closing NUL are written; `*out_len` is their number.
///
/// Errors: `TWAT_TRUNCATED`, and the length needed, where `capacity` is too
/// small; `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `name` has `name_len` bytes; `buffer` has room for `capacity`; `out_len` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_name_namespace(
    name: *const c_void,
    name_len: usize,
    buffer: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
) -> i32 {
    guard(|| {
        let out_len = ptr::out("out_len", out_len)?;
        // SAFETY: this function's own contract.
        let text = namespace::of_name(unsafe { ptr::bytes("name", name, name_len) }?);
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out_len.write(text.len()) };
        if text.len() > capacity {
            return Ok(TWAT_TRUNCATED);
        }
        let buffer = ptr::out("buffer", buffer)?;
        // SAFETY: room for `capacity` bytes, which is enough; the text is our own.
        unsafe { text.as_ptr().copy_to_nonoverlapping(buffer.cast(), text.len()) };
        Ok(TWAT_OK)
    })
}

/// Which of some names a misspelt one was meant to be; capital letters, `_` and
/// `-` do not count. `*out_index` is its place in `known`.
///
/// Errors: `TWAT_MISS` where none is near; `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `found` and the `n_known` texts of `known` are NUL-terminated; `out_index` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_option_nearest(
    found: *const c_char,
    known: *const *const c_char,
    n_known: usize,
    out_index: *mut usize,
) -> i32 {
    guard(|| {
        let out = ptr::out("out_index", out_index)?;
        // SAFETY: this function's own contract, for both.
        let (found, known) =
            unsafe { (ptr::text("found", found)?, ptr::array("known", known, n_known)?) };
        let names = known.iter().map(|name| {
            // SAFETY: this function's own contract.
            unsafe { ptr::text("known", *name) }
        });
        let names: Vec<&str> = names.collect::<Result<_>>()?;
        let Some(index) = options::nearest(found, names.iter().copied()) else {
            return Ok(TWAT_MISS);
        };
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(index) };
        Ok(TWAT_OK)
    })
}
