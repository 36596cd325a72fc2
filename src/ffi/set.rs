//! Values on their way in.

use super::bytes::{slices, twat_slice};
use super::cache::{found, twat_cache, with};
use super::guard::guard;
use super::ptr;
use super::sized::{self, Growing};
use super::status::{TWAT_EXISTS, TWAT_MISS, TWAT_OK};
use crate::base::error::{Error, Result};
use crate::cache::SetOptions;
use crate::engine::Stored;
use std::ffi::{c_char, c_void};
use std::path::Path;

/// As `ttl_ms`: the time to live of the cache (option `ttl_ms`).
pub const TWAT_TTL_DEFAULT: u64 = 0;
/// As `ttl_ms`: the entry does not expire.
pub const TWAT_TTL_NEVER: u64 = u64::MAX;
/// In `twat_set_options.flags`: store only if there is no entry yet.
pub const TWAT_SET_ADD: u64 = 1;

/// How `twat_cache_set_with` stores. Zero it, set `struct_size`, then what you
/// need.
#[repr(C)]
pub struct twat_set_options {
    /// Set by the caller to `sizeof(twat_set_options)`.
    pub struct_size: usize,
    /// Milliseconds, `TWAT_TTL_DEFAULT` or `TWAT_TTL_NEVER`.
    pub ttl_ms: u64,
    /// Weight against `max_bytes`; 0 takes the bytes of key, value and overhead.
    pub cost: u64,
    /// `TWAT_SET_ADD`.
    pub flags: u64,
    /// What the entry can be invalidated by, besides its key.
    pub tags: *const twat_slice,
    /// How many tags.
    pub n_tags: usize,
}

// SAFETY: a `usize`, then fields of 8 bytes (or of a pointer's size) each.
unsafe impl Growing for twat_set_options {
    const FIRST: usize = 24 + 3 * size_of::<usize>();
}

/// Runs a body with the caller's options; NULL is all defaults.
///
/// # Safety
/// `options` is NULL or has `struct_size` bytes and `n_tags` readable tags.
pub(super) unsafe fn with_set_options<T>(
    options: *const twat_set_options,
    body: impl FnOnce(&SetOptions<'_>) -> Result<T>,
) -> Result<T> {
    if options.is_null() {
        return body(&SetOptions::default());
    }
    // SAFETY: this function's own contract.
    let options = unsafe { sized::read("options", options) }?;
    if options.flags & !TWAT_SET_ADD != 0 {
        let text = format!("options.flags: expected 0 or TWAT_SET_ADD, found: {}", options.flags);
        return Err(Error::arg(text));
    }
    // SAFETY: this function's own contract.
    let tags = unsafe { slices("options.tags", options.tags, options.n_tags) }?;
    body(&SetOptions {
        ttl_ms: options.ttl_ms,
        add: options.flags & TWAT_SET_ADD != 0,
        tags: &tags,
        cost: options.cost,
    })
}

fn status_of(stored: Stored) -> i32 {
    match stored {
        Stored::Stored => TWAT_OK,
        Stored::Exists => TWAT_EXISTS,
        Stored::Void => TWAT_MISS,
    }
}

/// Stores a value, replacing what was there. Key and value are copied.
///
/// Errors: `TWAT_E_ARG`; `TWAT_E_TOO_LARGE` for a value that can never fit and
/// `TWAT_E_FULL` where nothing may be evicted (both are counted as rejected, and the
/// stored value is kept); engine errors.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` and `value` `value_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_set(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    ttl_ms: u64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for both.
        let (key, value) =
            unsafe { (ptr::bytes("key", key, key_len)?, ptr::bytes("value", value, value_len)?) };
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe { with(cache, |cache| cache.set(key, value, ttl_ms)) }.map(|()| TWAT_OK)
    })
}

/// Stores a value where there is none: `TWAT_OK`, or `TWAT_EXISTS` with
/// nothing changed. Atomic between threads and, in shared engines, processes.
///
/// Errors: as `twat_cache_set`.
/// Since: 3.0.0
///
/// # Safety
/// As `twat_cache_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_add(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    ttl_ms: u64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for both.
        let (key, value) =
            unsafe { (ptr::bytes("key", key, key_len)?, ptr::bytes("value", value, value_len)?) };
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe { with(cache, |cache| cache.add(key, value, ttl_ms)) }.map(status_of)
    })
}

/// Stores a value with options (`options` may be NULL): `TWAT_OK`, or `TWAT_EXISTS` under `TWAT_SET_ADD`.
///
/// Errors: as `twat_cache_set`; `TWAT_E_ARG` for a `struct_size` below the
/// first version's, for unknown flags, and for a field that is set and that this
/// library does not know: the end of a newer program's struct must be zeros.
/// Since: 3.0.0
///
/// # Safety
/// As `twat_cache_set`; `options` is NULL or has `struct_size` bytes, its
/// `tags` has `n_tags` slices over readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_set_with(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    options: *const twat_set_options,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for both.
        let (key, value) =
            unsafe { (ptr::bytes("key", key, key_len)?, ptr::bytes("value", value, value_len)?) };
        // SAFETY: the caller promises a live handle, and options as documented.
        let stored = unsafe {
            with(cache, |cache| with_set_options(options, |o| cache.set_with(key, value, o)))
        };
        stored.map(status_of)
    })
}

/// Stores the content of a file, in bounded memory where the engine has value
/// files: `TWAT_OK`, or `TWAT_EXISTS` under `TWAT_SET_ADD`.
///
/// Errors: as `twat_cache_set_with`; `TWAT_E_IO` for a file that cannot be read.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` bytes; `path` is NUL-terminated;
/// `options` as `twat_cache_set_with`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_set_file(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    path: *const c_char,
    options: *const twat_set_options,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for both.
        let (key, path) = unsafe { (ptr::bytes("key", key, key_len)?, ptr::text("path", path)?) };
        // SAFETY: the caller promises a live handle, and options as documented.
        let stored = unsafe {
            with(cache, |cache| {
                with_set_options(options, |o| cache.set_file(key, Path::new(path), o))
            })
        };
        stored.map(status_of)
    })
}

/// Gives an entry a new time to live from now: `TWAT_OK`, or `TWAT_MISS`.
///
/// Errors: as `twat_cache_set`.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_touch(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    ttl_ms: u64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let key = unsafe { ptr::bytes("key", key, key_len) }?;
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe { with(cache, |cache| cache.touch(key, ttl_ms)) }.map(found)
    })
}

/// Adds `delta` to a stored integer, atomically between threads and, in shared
/// engines, processes; `*out_value` (which may be NULL) is the sum. A
/// missing integer starts at `initial` and gets `ttl_ms`; an existing one
/// keeps its time to live and its tags.
///
/// A stored integer is a counter (format byte 4 and 8 bytes, little-endian) or a
/// MessagePack integer (format byte 1), which is what the languages store for a
/// number. The sum is stored as a counter; a big integer (extension 3) stays one.
///
/// Errors: as `twat_cache_set`; `TWAT_E_UNSUPPORTED` where the key holds anything else (the
/// text names it); `TWAT_E_TOO_LARGE` for a sum beyond 64 bits: sums never wrap around.
/// The stored value is kept then.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` bytes; `out_value` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_incr(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    delta: i64,
    initial: i64,
    ttl_ms: u64,
    out_value: *mut i64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let key = unsafe { ptr::bytes("key", key, key_len) }?;
        // SAFETY: NULL or writable, as the caller promises.
        let value = unsafe { with(cache, |cache| cache.incr(key, delta, initial, ttl_ms)) }?;
        // SAFETY: NULL or writable, as the caller promises.
        unsafe { ptr::write_if_wanted(out_value, value) };
        Ok(TWAT_OK)
    })
}
