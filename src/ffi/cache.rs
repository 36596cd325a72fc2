//! The cache and its calls.

use super::bytes::{check_size, slices, twat_bytes, twat_slice};
use super::config::{borrowed, twat_config};
use super::guard::{Answer as _, Poison, guard};
use super::ptr;
use super::status::{TWAT_EXISTS, TWAT_MISS, TWAT_OK, TWAT_TRUNCATED};
use crate::cache::{Cache, SetOptions};
use crate::counted::Counted;
use crate::engine::Stored;
use crate::error::{Error, Result};
use crate::value::Value;
use std::ffi::{c_char, c_void};
use std::path::Path;

/// As `ttl_ms`: the cache's own (option `ttl_ms`).
pub const TWAT_TTL_DEFAULT: u64 = 0;
/// As `ttl_ms`: never expires.
pub const TWAT_TTL_NEVER: u64 = u64::MAX;
/// In `twat_set_options.flags`: only where nothing is stored yet.
pub const TWAT_SET_ADD: u64 = 1;

/// An open cache.
///
/// Threads: any call may run on any thread at any time, except close, which
/// must not overlap another call on the same handle.
/// Not from a signal handler. Threads are made by the C library
/// (`pthread_create`, or what stands on it), not by a bare `clone`.
/// After `fork` parent and child may both go on using it; the child's figures
/// begin at 0.
#[expect(non_camel_case_types, reason = "a C name")]
pub struct twat_cache {
    cache: Cache,
    poison: Poison,
}

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

/// A handle of an open cache.
pub(super) fn handle_of(cache: Cache) -> *mut twat_cache {
    Box::into_raw(Box::new(twat_cache { cache, poison: Poison::default() }))
}

/// Runs a body over a live cache.
///
/// # Safety
/// `cache` is NULL or live.
#[inline]
pub(super) unsafe fn with<T>(
    cache: *mut twat_cache,
    body: impl FnOnce(&Cache) -> Result<T>,
) -> Result<T> {
    // SAFETY: this function's own contract.
    let handle = unsafe { ptr::handle("cache", cache) }?;
    handle.poison.watch(|| body(&handle.cache))
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
    // SAFETY: not NULL; the first field is always there.
    let size = unsafe { (*options).struct_size };
    check_size("options", size, size_of::<twat_set_options>())?;
    // SAFETY: large enough, by the check above.
    let options = unsafe { &*options };
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
    }
}

fn found(there: bool) -> i32 {
    if there { TWAT_OK } else { TWAT_MISS }
}

/// Opens a cache. The configuration is copied and may be freed.
///
/// Ownership: release `*out_cache` with `twat_cache_close`.
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for options that contradict
/// each other, a store open in this process, or the engine;
/// `TWAT_E_UNSUPPORTED` for an engine this build has not; for stores
/// `TWAT_E_IO`, `TWAT_E_BUSY`, `TWAT_E_VERSION`. Nothing is created then.
/// Since: 0.1.0
///
/// # Safety
/// `config` is live; `out_cache` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_open(
    config: *const twat_config,
    out_cache: *mut *mut twat_cache,
) -> i32 {
    guard(|| {
        let out = ptr::out("out_cache", out_cache)?;
        // SAFETY: this function's own contract.
        let cache = Cache::open(unsafe { borrowed(config) }?)?;
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(handle_of(cache)) };
        Ok(TWAT_OK)
    })
}

/// Closes a cache and releases the handle, whatever the status. NULL does
/// nothing. Values that were handed out stay valid.
///
/// Errors: what the last flush answered.
/// Threads: must not overlap another call on this handle.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is NULL or live, and never used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_close(cache: *mut twat_cache) -> i32 {
    guard(|| {
        if cache.is_null() {
            return Ok(TWAT_OK);
        }
        // SAFETY: made by `twat_cache_open`, given back once.
        let handle = unsafe { Box::from_raw(cache) };
        handle.cache.close().map(|()| TWAT_OK)
    })
}

/// Gets a value: `TWAT_OK` with `*out_value`, or `TWAT_MISS`.
///
/// Ownership: release `*out_value` with `twat_bytes_free`; it may outlive its
/// entry and the cache.
/// Errors: `TWAT_E_ARG`; what the engine's medium answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` bytes; `out_value` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_get(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    out_value: *mut twat_bytes,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let Some(found) =
            (unsafe { quick_get(cache, key, key_len, out_value.is_null(), Cache::quick_get) })
        else {
            // SAFETY: as above.
            return unsafe { slow_get(cache, key, key_len, out_value) }.answer();
        };
        let Some(value) = found else { return TWAT_MISS };
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out_value.write(twat_bytes::of_counted(value)) };
        TWAT_OK
    })
}

/// A get from an engine that answers at once; `None` where it is for the slow
/// way to answer, or to say what is wrong.
///
/// # Safety
/// As `twat_cache_get`.
#[inline(always)]
unsafe fn quick_get(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    wrong: bool,
    get: impl FnOnce(&Cache, &[u8]) -> Option<Option<Counted>>,
) -> Option<Option<Counted>> {
    if wrong {
        return None;
    }
    // SAFETY: this function's own contract.
    let (handle, key) = unsafe { (cache.as_ref()?, ptr::some_bytes(key, key_len)?) };
    let watching = handle.poison.watching()?;
    let found = get(&handle.cache, key);
    watching.done();
    found
}

/// # Safety
/// As `twat_cache_get`.
#[inline(never)]
unsafe fn slow_get(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    out_value: *mut twat_bytes,
) -> Result<i32> {
    let out = ptr::out("out_value", out_value)?;
    // SAFETY: this function's own contract.
    let key = unsafe { ptr::bytes("key", key, key_len) }?;
    // SAFETY: as above.
    let found = unsafe { with(cache, |cache| cache.slow_get(key)) }?;
    let Some(value) = found else { return Ok(TWAT_MISS) };
    // SAFETY: not NULL; the caller promises that it is writable.
    unsafe { out.write(twat_bytes::of(value)) };
    Ok(TWAT_OK)
}

/// Copies a value into the caller's buffer: `TWAT_OK` with `*out_len` bytes,
/// `TWAT_TRUNCATED` with the length needed in `*out_len` and the buffer as it
/// was, or `TWAT_MISS`.
///
/// Errors: as `twat_cache_get`.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` bytes; `buffer` has room for
/// `capacity`; `out_len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_get_into(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    buffer: *mut c_void,
    capacity: usize,
    out_len: *mut usize,
) -> i32 {
    guard(|| {
        let wrong = out_len.is_null() || (buffer.is_null() && capacity > 0);
        // SAFETY: this function's own contract.
        let Some(found) = (unsafe { quick_get(cache, key, key_len, wrong, Cache::get_in_memory) })
        else {
            // SAFETY: as above.
            return unsafe { slow_get_into(cache, key, key_len, (buffer, capacity), out_len) }
                .answer();
        };
        let Some(value) = found else { return TWAT_MISS };
        let value = value.value();
        // SAFETY: as above; `out_len` is not NULL.
        unsafe {
            copy_out(value, buffer, capacity);
            out_len.write(value.len());
        }
        if value.len() <= capacity { TWAT_OK } else { TWAT_TRUNCATED }
    })
}

/// Copies a value that fits.
///
/// # Safety
/// `buffer` has room for `capacity`.
#[inline(always)]
unsafe fn copy_out(value: &[u8], buffer: *mut c_void, capacity: usize) {
    if !value.is_empty() && value.len() <= capacity {
        // SAFETY: the room is the caller's promise, and a buffer of the
        // caller's does not overlap a value of ours.
        unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), buffer.cast(), value.len()) };
    }
}

/// # Safety
/// As `twat_cache_get_into`.
#[inline(never)]
unsafe fn slow_get_into(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    (buffer, capacity): (*mut c_void, usize),
    out_len: *mut usize,
) -> Result<i32> {
    let out = ptr::out("out_len", out_len)?;
    if capacity > 0 {
        ptr::out("buffer", buffer)?;
    }
    // SAFETY: this function's own contract.
    let key = unsafe { ptr::bytes("key", key, key_len) }?;
    let mut len = 0;
    let mut sink = |value: &[u8]| {
        len = value.len();
        // SAFETY: as above.
        unsafe { copy_out(value, buffer, capacity) };
    };
    // SAFETY: as above.
    if !unsafe { with(cache, |cache| cache.slow_read(key, &mut sink)) }? {
        return Ok(TWAT_MISS);
    }
    // SAFETY: not NULL; the caller promises that it is writable.
    unsafe { out.write(len) };
    Ok(if len <= capacity { TWAT_OK } else { TWAT_TRUNCATED })
}

/// Stores a value, replacing what was there. Key and value are copied.
///
/// Errors: `TWAT_E_ARG`; `TWAT_E_TOO_LARGE` for what can never fit and
/// `TWAT_E_FULL` where nothing may be evicted (both counted as rejected, what
/// was stored stays); what the engine's medium answers.
/// Since: 0.1.0
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
        // SAFETY: as above.
        unsafe { with(cache, |cache| cache.set(key, value, ttl_ms)) }.map(|()| TWAT_OK)
    })
}

/// Stores a value where there is none: `TWAT_OK`, or `TWAT_EXISTS` with
/// nothing changed. Atomic between threads and, in shared engines, processes.
///
/// Errors: as `twat_cache_set`.
/// Since: 0.1.0
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
        // SAFETY: as above.
        unsafe { with(cache, |cache| cache.add(key, value, ttl_ms)) }.map(status_of)
    })
}

/// Stores a value with everything that can be said about it (`options` may be
/// NULL): `TWAT_OK`, or `TWAT_EXISTS` under `TWAT_SET_ADD`.
///
/// Errors: as `twat_cache_set`; `TWAT_E_ARG` for a `struct_size` below the
/// first version's or unknown flags.
/// Since: 0.1.0
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
        // SAFETY: as above, for both.
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
/// Since: 0.1.0
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
        // SAFETY: as above, for both.
        let stored = unsafe {
            with(cache, |cache| {
                with_set_options(options, |o| cache.set_file(key, Path::new(path), o))
            })
        };
        stored.map(status_of)
    })
}

/// Removes an entry: `TWAT_OK`, or `TWAT_MISS` where there was none.
///
/// Errors: `TWAT_E_ARG`; what the engine's medium answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_delete(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let key = unsafe { ptr::bytes("key", key, key_len) }?;
        // SAFETY: as above.
        unsafe { with(cache, |cache| cache.delete(key)) }.map(found)
    })
}

/// Whether a get would hit: `TWAT_OK` or `TWAT_MISS`. Counts nothing and
/// changes no order.
///
/// Errors: as `twat_cache_get`.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_contains(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let key = unsafe { ptr::bytes("key", key, key_len) }?;
        // SAFETY: as above.
        unsafe { with(cache, |cache| cache.contains(key)) }.map(found)
    })
}

/// Gives an entry a new time to live from now: `TWAT_OK`, or `TWAT_MISS`.
///
/// Errors: as `twat_cache_set`.
/// Since: 0.1.0
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
        // SAFETY: as above.
        unsafe { with(cache, |cache| cache.touch(key, ttl_ms)) }.map(found)
    })
}

/// Adds `delta` to a 64-bit counter, atomically between threads and, in shared
/// engines, processes; `*out_value` (which may be NULL) is the new value. A
/// missing counter starts at `initial` and gets `ttl_ms`; one that is there
/// keeps its time. Sums wrap around.
///
/// A counter is stored as format byte 4 and 8 bytes, little-endian.
///
/// Errors: as `twat_cache_set`; `TWAT_E_UNSUPPORTED` where the key holds anything else.
/// Since: 0.1.0
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
        // SAFETY: as above.
        let value = unsafe { with(cache, |cache| cache.incr(key, delta, initial, ttl_ms)) }?;
        // SAFETY: as above.
        unsafe { ptr::write_if_wanted(out_value, value) };
        Ok(TWAT_OK)
    })
}

/// Makes every entry that carries the tag a miss, at once for all processes of
/// the store and in constant time: `TWAT_OK`, or `TWAT_MISS` where no entry
/// ever carried it.
///
/// Errors: `TWAT_E_ARG`; what the engine's medium answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `tag` has `tag_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_invalidate_tag(
    cache: *mut twat_cache,
    tag: *const c_void,
    tag_len: usize,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let tag = unsafe { ptr::bytes("tag", tag, tag_len) }?;
        // SAFETY: as above.
        unsafe { with(cache, |cache| cache.invalidate_tag(tag)) }.map(found)
    })
}

/// Removes all that is expired or invalidated by a tag; `*out_removed` (which
/// may be NULL) is how many entries left.
///
/// Errors: `TWAT_E_ARG`; what the engine's medium answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `out_removed` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_expire(cache: *mut twat_cache, out_removed: *mut u64) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let removed = unsafe { with(cache, Cache::expire) }?;
        // SAFETY: as above.
        unsafe { ptr::write_if_wanted(out_removed, removed) };
        Ok(TWAT_OK)
    })
}

/// Removes every entry (of this namespace).
///
/// Errors: `TWAT_E_ARG`; what the engine's medium answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_clear(cache: *mut twat_cache) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        unsafe { with(cache, Cache::clear) }.map(|()| TWAT_OK)
    })
}

/// Waits until what was acknowledged is as durable as the medium can make it.
///
/// Errors: `TWAT_E_ARG`; what the engine's medium answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_flush(cache: *mut twat_cache) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        unsafe { with(cache, Cache::flush) }.map(|()| TWAT_OK)
    })
}

/// What is worth knowing in words, as a JSON object: the engine chosen and
/// why, and what the engine has to say.
///
/// Ownership: release `*out_json` with `twat_bytes_free`. Not NUL-terminated.
///
/// Errors: `TWAT_E_ARG`; what the engine's medium answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `out_json` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_info(cache: *mut twat_cache, out_json: *mut twat_bytes) -> i32 {
    guard(|| {
        let out = ptr::out("out_json", out_json)?;
        // SAFETY: this function's own contract.
        let info = unsafe { with(cache, Cache::info) }?;
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(json(info)) };
        Ok(TWAT_OK)
    })
}

/// Verifies every entry and, in stores, the file they lie in; with `repair` 1
/// what is bad is removed. `*out_json` is a JSON object with at least
/// `entries` and `bad`.
///
/// Ownership: release `*out_json` with `twat_bytes_free`. Not NUL-terminated.
///
/// Errors: `TWAT_E_ARG`; what the engine's medium answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `out_json` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_check(
    cache: *mut twat_cache,
    repair: i32,
    out_json: *mut twat_bytes,
) -> i32 {
    guard(|| {
        let out = ptr::out("out_json", out_json)?;
        // SAFETY: this function's own contract.
        let report = unsafe { with(cache, |cache| cache.check(repair != 0)) }?;
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(json(report)) };
        Ok(TWAT_OK)
    })
}

/// Writes every live entry (of this namespace) with its remaining time and
/// tags to a file, which is replaced as a whole or not at all; `*out_entries`
/// (which may be NULL) is how many.
///
/// Errors: `TWAT_E_ARG`; `TWAT_E_IO`, `TWAT_E_FULL`; what a get answers.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `path` is NUL-terminated; `out_entries` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_export(
    cache: *mut twat_cache,
    path: *const c_char,
    out_entries: *mut u64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let path = Path::new(unsafe { ptr::text("path", path) }?);
        // SAFETY: as above.
        let entries = unsafe { with(cache, |cache| cache.export(path)) }?;
        // SAFETY: as above.
        unsafe { ptr::write_if_wanted(out_entries, entries) };
        Ok(TWAT_OK)
    })
}

/// Sets every entry of an export file; `*out_entries` (which may be NULL) is
/// how many. The file is verified as a whole before the first is set.
///
/// Errors: `TWAT_E_ARG`; `TWAT_E_IO`, `TWAT_E_FULL`; what a set answers;
/// `TWAT_E_CORRUPT`, `TWAT_E_VERSION` for the file.
/// Since: 0.1.0
///
/// # Safety
/// `cache` is live; `path` is NUL-terminated; `out_entries` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_import(
    cache: *mut twat_cache,
    path: *const c_char,
    out_entries: *mut u64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let path = Path::new(unsafe { ptr::text("path", path) }?);
        // SAFETY: as above.
        let entries = unsafe { with(cache, |cache| cache.import(path)) }?;
        // SAFETY: as above.
        unsafe { ptr::write_if_wanted(out_entries, entries) };
        Ok(TWAT_OK)
    })
}

fn json(object: serde_json::Map<String, serde_json::Value>) -> twat_bytes {
    let text = serde_json::Value::Object(object).to_string();
    twat_bytes::of(Value::copy_of(text.as_bytes()))
}
