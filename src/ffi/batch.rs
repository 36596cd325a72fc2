//! Calls over many keys.

use super::bytes::{slices, twat_bytes, twat_slice};
use super::cache::{twat_cache, with};
use super::guard::guard;
use super::ptr;
use super::set::{twat_set_options, with_set_options};
use super::status::TWAT_OK;
use crate::base::error::Error;
use std::ffi::c_void;

/// Gets many keys. `out_values[i]` belongs to `keys[i]`; a miss is zeroed
/// (`data` NULL), an empty value has `len` 0 and a `data` that is not NULL.
///
/// Ownership: release each value with `twat_bytes_free` (this is allowed for zeroed ones, too).
/// Errors: as `twat_cache_get`; then nothing is written.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `keys` has `n` slices over readable bytes; `out_values` has
/// room for `n`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_get_many(
    cache: *mut twat_cache,
    keys: *const twat_slice,
    n: usize,
    out_values: *mut twat_bytes,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let keys = unsafe { slices("keys", keys, n) }?;
        if n > 0 {
            ptr::out("out_values", out_values)?;
        }
        // SAFETY: the caller promises that the handle is NULL or live.
        let found = unsafe { with(cache, |cache| cache.get_many(&keys)) }?;
        for (i, value) in found.into_iter().enumerate().take(n) {
            let bytes = value.map_or(twat_bytes::EMPTY, twat_bytes::of);
            // SAFETY: `i < n`, for which the caller promises room.
            unsafe { out_values.add(i).write(bytes) };
        }
        Ok(TWAT_OK)
    })
}

/// Sets many keys, `values[i]` under `keys[i]`, all with the same options
/// (`options` may be NULL; `TWAT_SET_ADD` is not for this call). Engines with
/// transactions use one: all or nothing.
///
/// Errors: as `twat_cache_set_with`.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `keys` and `values` have `n` slices over readable bytes;
/// `options` is NULL or as `twat_cache_set_with` asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_set_many(
    cache: *mut twat_cache,
    keys: *const twat_slice,
    values: *const twat_slice,
    n: usize,
    options: *const twat_set_options,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for both.
        let (keys, values) = unsafe { (slices("keys", keys, n)?, slices("values", values, n)?) };
        let pairs: Vec<_> = keys.into_iter().zip(values).collect();
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe {
            with(cache, |cache| {
                with_set_options(options, |options| {
                    if options.add {
                        return Err(Error::arg(
                            "options.flags: expected none for set_many, found: TWAT_SET_ADD",
                        ));
                    }
                    cache.set_many(&pairs, options)
                })
            })
        }?;
        Ok(TWAT_OK)
    })
}

/// Deletes many keys; `*out_deleted` (which may be NULL) is how many were there.
///
/// Errors: as `twat_cache_delete`.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `keys` has `n` slices over readable bytes; `out_deleted` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_delete_many(
    cache: *mut twat_cache,
    keys: *const twat_slice,
    n: usize,
    out_deleted: *mut u64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let keys = unsafe { slices("keys", keys, n) }?;
        // SAFETY: NULL or writable, as the caller promises.
        let deleted = unsafe { with(cache, |cache| cache.delete_many(&keys)) }?;
        // SAFETY: NULL or writable, as the caller promises.
        unsafe { ptr::write_if_wanted(out_deleted, deleted) };
        Ok(TWAT_OK)
    })
}

/// Deletes every key that begins with `prefix`; `*out_deleted` (which may be
/// NULL) is how many there were.
///
/// Errors: as `twat_cache_delete`.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `prefix` has `prefix_len` bytes; `out_deleted` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_delete_prefix(
    cache: *mut twat_cache,
    prefix: *const c_void,
    prefix_len: usize,
    out_deleted: *mut u64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let prefix = unsafe { ptr::bytes("prefix", prefix, prefix_len) }?;
        // SAFETY: NULL or writable, as the caller promises.
        let deleted = unsafe { with(cache, |cache| cache.delete_prefix(prefix)) }?;
        // SAFETY: NULL or writable, as the caller promises.
        unsafe { ptr::write_if_wanted(out_deleted, deleted) };
        Ok(TWAT_OK)
    })
}
