//! Walking over keys.

use super::bytes::twat_bytes;
use super::cache::{twat_cache, with};
use super::guard::{Poison, guard};
use super::ptr;
use super::status::{TWAT_MISS, TWAT_OK};
use crate::base::fork;
use crate::cache::Scan;
use crate::mem::value::Value;
use std::ffi::c_void;
use std::sync::Mutex;

/// A walk over the keys of a cache.
#[expect(non_camel_case_types, reason = "a C name")]
pub struct twat_scan {
    scan: Mutex<Scan>,
    /// The process it was begun in. Looked at before the lock is taken: in a
    /// forked child that may belong to a thread that is gone.
    made: u64,
    poison: Poison,
}

/// Begins a walk over the keys that begin with `prefix` (all, if it is empty).
/// Keys that are there from beginning to end come exactly once, in no
/// particular order; keys set or deleted meanwhile may come or not. It holds
/// no lock and no transaction between two steps, and does not keep the cache
/// open.
///
/// Ownership: release `*out_scan` with `twat_scan_free`.
/// Errors: `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `prefix` has `prefix_len` bytes; `out_scan` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_scan(
    cache: *mut twat_cache,
    prefix: *const c_void,
    prefix_len: usize,
    out_scan: *mut *mut twat_scan,
) -> i32 {
    guard(|| {
        let out = ptr::out("out_scan", out_scan)?;
        // SAFETY: this function's own contract.
        let prefix = unsafe { ptr::bytes("prefix", prefix, prefix_len) }?;
        // SAFETY: the caller promises that the handle is NULL or live.
        let scan = Mutex::new(unsafe { with(cache, |cache| cache.scan(prefix)) }?);
        let made = fork::generation();
        let scan = Box::new(twat_scan { scan, made, poison: Poison::default() });
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(Box::into_raw(scan)) };
        Ok(TWAT_OK)
    })
}

/// The next key: `TWAT_OK` with `*out_key`, or `TWAT_MISS` at the end.
///
/// Ownership: release `*out_key` with `twat_bytes_free`.
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CLOSED` when the cache was closed, or
/// the process forked, since the walk began; engine errors.
/// Since: 3.0.0
///
/// # Safety
/// `scan` is live; `out_key` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_scan_next(scan: *mut twat_scan, out_key: *mut twat_bytes) -> i32 {
    guard(|| {
        let out = ptr::out("out_key", out_key)?;
        // SAFETY: this function's own contract.
        let scan = unsafe { ptr::handle("scan", scan) }?;
        let next = scan.poison.watch(|| {
            if scan.made != fork::generation() {
                return Err(Scan::forked());
            }
            // A poisoned mutex is answered by `Poison` before it is met.
            let mut walk = scan.scan.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            walk.next_key()
        })?;
        let Some(key) = next else { return Ok(TWAT_MISS) };
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(twat_bytes::of(Value::copy_of(&key))) };
        Ok(TWAT_OK)
    })
}

/// Ends a walk. NULL does nothing.
///
/// Errors: none.
/// Since: 3.0.0
///
/// # Safety
/// `scan` is NULL or live, and never used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_scan_free(scan: *mut twat_scan) {
    guard(|| {
        if !scan.is_null() {
            // SAFETY: made by `twat_cache_scan`, given back once.
            drop(unsafe { Box::from_raw(scan) });
        }
    });
}
