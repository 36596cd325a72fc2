//! The cache and its calls.

use super::bytes::twat_bytes;
use super::config::{borrowed, twat_config};
use super::guard::{Poison, guard};
use super::ptr;
use super::status::{TWAT_MISS, TWAT_OK};
use crate::base::error::Result;
use crate::cache::Cache;
use crate::mem::value::Value;
use std::ffi::{c_char, c_void};
use std::path::Path;

/// An open cache.
///
/// Threads: any call may run on any thread at any time, except close, which
/// must not overlap another call on the same handle.
/// Not from a signal handler. Threads are made by the C library
/// (`pthread_create` or a library over it), not by a bare `clone`.
/// After `fork` parent and child may both go on using it; the child's figures
/// begin at 0.
#[expect(non_camel_case_types, reason = "a C name")]
pub struct twat_cache {
    pub(super) cache: Cache,
    pub(super) poison: Poison,
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

pub(super) fn found(there: bool) -> i32 {
    if there { TWAT_OK } else { TWAT_MISS }
}

/// Opens a cache. The configuration is copied and may be freed.
///
/// Ownership: release `*out_cache` with `twat_cache_close`.
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for options that contradict
/// each other, a store open in this process, or the engine;
/// `TWAT_E_UNSUPPORTED` for an engine that this build does not have; for stores
/// `TWAT_E_IO`, `TWAT_E_BUSY`, `TWAT_E_VERSION`. Nothing is created then.
/// Since: 3.0.0
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
/// Errors: those of `twat_cache_flush`.
/// Threads: must not overlap another call on this handle.
/// Since: 3.0.0
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

/// Removes an entry: `TWAT_OK`, or `TWAT_MISS` where there was none.
///
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
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
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe { with(cache, |cache| cache.delete(key)) }.map(found)
    })
}

/// Whether a get would hit: `TWAT_OK` or `TWAT_MISS`. Counts nothing and
/// changes no order.
///
/// Errors: as `twat_cache_get`.
/// Since: 3.0.0
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
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe { with(cache, |cache| cache.contains(key)) }.map(found)
    })
}

/// Counts the entries that a get would hit (of this namespace) into `*out_len`. What is
/// expired or invalidated does not count, whether or not it was removed already.
///
/// Constant time where no such entry can be there; else, and always over redis, a walk
/// over all keys. (`entries` of `twat_cache_stats` is what is held, in constant time.)
///
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `out_len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_len(cache: *mut twat_cache, out_len: *mut u64) -> i32 {
    guard(|| {
        let out = ptr::out("out_len", out_len)?;
        // SAFETY: this function's own contract.
        let len = unsafe { with(cache, Cache::count) }?;
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(len) };
        Ok(TWAT_OK)
    })
}

/// Makes every entry that carries the tag a miss, immediately for all processes
/// of the store and in constant time: `TWAT_OK`, or `TWAT_MISS` where no entry
/// ever carried it.
///
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
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
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe { with(cache, |cache| cache.invalidate_tag(tag)) }.map(found)
    })
}

/// Removes all that is expired or invalidated by a tag; `*out_removed` (which
/// may be NULL) is the number of entries that were removed.
///
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `out_removed` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_expire(cache: *mut twat_cache, out_removed: *mut u64) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let removed = unsafe { with(cache, Cache::expire) }?;
        // SAFETY: NULL or writable, as the caller promises.
        unsafe { ptr::write_if_wanted(out_removed, removed) };
        Ok(TWAT_OK)
    })
}

/// Removes every entry (of this namespace).
///
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
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

/// Waits until all acknowledged changes are as durable as the disk or server can make them.
///
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
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

/// Describes the cache as a JSON object: the engine, why it was chosen, and
/// figures of the engine.
///
/// Ownership: release `*out_json` with `twat_bytes_free`. Not NUL-terminated.
///
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
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

/// Verifies every entry and, in stores, the file in which they are stored. With
/// `repair` 1, damaged entries are removed. `*out_json` is a JSON object with at least
/// `entries` and `bad`.
///
/// Ownership: release `*out_json` with `twat_bytes_free`. Not NUL-terminated.
///
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
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
/// Errors: `TWAT_E_ARG`; `TWAT_E_IO`, `TWAT_E_FULL`; as `twat_cache_get`.
/// Since: 3.0.0
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
        // SAFETY: NULL or writable, as the caller promises.
        let entries = unsafe { with(cache, |cache| cache.export(path)) }?;
        // SAFETY: NULL or writable, as the caller promises.
        unsafe { ptr::write_if_wanted(out_entries, entries) };
        Ok(TWAT_OK)
    })
}

/// Sets every entry of an export file; `*out_entries` (which may be NULL) is
/// how many. The file is verified as a whole before the first is set.
///
/// Errors: `TWAT_E_ARG`; `TWAT_E_IO`, `TWAT_E_FULL`; as `twat_cache_set`;
/// `TWAT_E_CORRUPT`, `TWAT_E_VERSION` for the file.
/// Since: 3.0.0
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
        // SAFETY: NULL or writable, as the caller promises.
        let entries = unsafe { with(cache, |cache| cache.import(path)) }?;
        // SAFETY: NULL or writable, as the caller promises.
        unsafe { ptr::write_if_wanted(out_entries, entries) };
        Ok(TWAT_OK)
    })
}

fn json(object: serde_json::Map<String, serde_json::Value>) -> twat_bytes {
    let text = serde_json::Value::Object(object).to_string();
    twat_bytes::of(Value::copy_of(text.as_bytes()))
}
