//! Fetch and leases: one computation per key.

use super::bytes::twat_bytes;
use super::cache::{found, twat_cache, with};
use super::guard::guard;
use super::ptr;
use super::set::{twat_set_options, with_set_options};
use super::sized::{self, Growing};
use super::status::{TWAT_MISS, TWAT_OK, TWAT_PENDING};
use crate::base::error::{Error, Result};
use crate::cache::{FetchOptions, Fetched, Lease};
use std::ffi::c_void;

/// In `twat_fetch_options.flags`: ask for a lease whatever is stored. What is stored stays
/// until the lease is set.
pub const TWAT_FETCH_REFRESH: u64 = 1;

/// How `twat_cache_fetch` asks. Zero it, set `struct_size`, then what you need.
#[repr(C)]
pub struct twat_fetch_options {
    /// Set by the caller to `sizeof(twat_fetch_options)`.
    pub struct_size: usize,
    /// Milliseconds to wait for another caller who computes the value; 0 does not wait.
    pub wait_ms: u64,
    /// `TWAT_FETCH_REFRESH`.
    pub flags: u64,
}

// SAFETY: a `usize`, then fields of 8 bytes each.
unsafe impl Growing for twat_fetch_options {
    const FIRST: usize = 16 + size_of::<usize>();
}

/// The right to compute the value of a key, from `twat_cache_fetch`.
///
/// A lease saves work; it does not exclude others: who gets none may compute all the same.
/// What it promises is that a computation that began before its key was written, deleted
/// or invalidated never overwrites what came after.
///
/// Threads: any, one call at a time. A child of `fork` cannot use its parent's leases; it
/// may free them.
#[expect(non_camel_case_types, reason = "a C name")]
pub struct twat_lease(Lease);

/// Gets a value, or the right to compute it, which one caller has among the threads of the
/// process and, in engines `disk` and `file`, among all processes that share the store.
///
/// | status | `*out_value` | `*out_lease` | the caller |
/// |---|---|---|---|
/// | `TWAT_OK` | the value | NULL | uses it |
/// | `TWAT_MISS` | – | given | computes, then calls `twat_lease_set` or `twat_lease_fail` |
/// | `TWAT_PENDING` | – | NULL | another caller is computing, or failed a moment ago: computes without storing, or asks again |
///
/// Waits at most `wait_ms` (`options` may be NULL: no waiting), asleep in the kernel. When
/// the owner of a lease dies, a waiter gets it within 50 ms. An owner that is stopped keeps it:
/// others get `TWAT_PENDING` after `wait_ms`, and from then on at once.
///
/// Ownership: release `*out_value` with `twat_bytes_free` and `*out_lease` with
/// `twat_lease_free`.
/// Errors: as `twat_cache_get`; `TWAT_E_UNSUPPORTED` for engine `redis`, for tiers that end in
/// it, for a store that is open read-only, and on systems other than Linux for a store;
/// `TWAT_E_ARG` for unknown flags; `TWAT_E_FULL` for a store without room for its leases.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `key` has `key_len` bytes; `options` is NULL or has `struct_size` bytes;
/// `out_value` and `out_lease` are writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_fetch(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    options: *const twat_fetch_options,
    out_value: *mut twat_bytes,
    out_lease: *mut *mut twat_lease,
) -> i32 {
    guard(|| {
        let out_value = ptr::out("out_value", out_value)?;
        let out_lease = ptr::out("out_lease", out_lease)?;
        // SAFETY: this function's own contract, for both.
        let (key, options) = unsafe { (ptr::bytes("key", key, key_len)?, read(options)?) };
        // SAFETY: as above.
        let fetched = unsafe { with(cache, |cache| cache.fetch(key, &options)) }?;
        let (status, value, lease) = match fetched {
            Fetched::Value(value) => (TWAT_OK, twat_bytes::of(value), std::ptr::null_mut()),
            Fetched::Lease(lease) => {
                (TWAT_MISS, twat_bytes::EMPTY, Box::into_raw(Box::new(twat_lease(lease))))
            }
            Fetched::Pending => (TWAT_PENDING, twat_bytes::EMPTY, std::ptr::null_mut()),
        };
        // SAFETY: neither is NULL; the caller promises that they are writable.
        unsafe {
            out_value.write(value);
            out_lease.write(lease);
        }
        Ok(status)
    })
}

/// # Safety
/// `options` is NULL or has `struct_size` bytes.
unsafe fn read(options: *const twat_fetch_options) -> Result<FetchOptions> {
    if options.is_null() {
        return Ok(FetchOptions::default());
    }
    // SAFETY: this function's own contract.
    let options = unsafe { sized::read("options", options) }?;
    if options.flags & !TWAT_FETCH_REFRESH != 0 {
        let text =
            format!("options.flags: expected 0 or TWAT_FETCH_REFRESH, got: {}", options.flags);
        return Err(Error::arg(text));
    }
    let refresh = options.flags & TWAT_FETCH_REFRESH != 0;
    Ok(FetchOptions { wait_ms: options.wait_ms, refresh })
}

/// Stores the computed value, ends the lease and wakes all who wait for it: `TWAT_OK`, or
/// `TWAT_MISS` with nothing stored where the key was written, deleted or invalidated since the
/// grant. `options` may be NULL. Free the lease afterwards in each case.
///
/// Errors: as `twat_cache_set_with`; `TWAT_E_ARG` for a lease that was set or failed before and
/// for `TWAT_SET_ADD`; `TWAT_E_CLOSED` in a forked child and after the cache was closed.
/// Since: 3.0.0
///
/// # Safety
/// `lease` is live; `value` has `value_len` bytes; `options` as `twat_cache_set_with`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_lease_set(
    lease: *mut twat_lease,
    value: *const c_void,
    value_len: usize,
    options: *const twat_set_options,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for both.
        let (lease, value) =
            unsafe { (ptr::handle("lease", lease)?, ptr::bytes("value", value, value_len)?) };
        // SAFETY: as above.
        unsafe { with_set_options(options, |options| lease.0.set(value, options)) }.map(found)
    })
}

/// Ends the lease after the computation failed, and wakes all who wait for it. For
/// `retry_after_ms` callers in this process get `TWAT_PENDING` for the key (or the value, where
/// one is set meanwhile); with 0 the next one gets a lease.
///
/// Errors: `TWAT_E_ARG` and `TWAT_E_CLOSED` as `twat_lease_set`.
/// Since: 3.0.0
///
/// # Safety
/// `lease` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_lease_fail(lease: *mut twat_lease, retry_after_ms: u64) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let lease = unsafe { ptr::handle("lease", lease) }?;
        lease.0.fail(retry_after_ms).map(|()| TWAT_OK)
    })
}

/// Whether the lease still holds: `TWAT_OK`, or `TWAT_MISS` where its key was written, deleted
/// or invalidated since the grant, so that a long computation can be given up. Leases of this
/// release do not time out.
///
/// Errors: `TWAT_E_ARG` and `TWAT_E_CLOSED` as `twat_lease_set`.
/// Since: 3.0.0
///
/// # Safety
/// `lease` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_lease_renew(lease: *mut twat_lease) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let lease = unsafe { ptr::handle("lease", lease) }?;
        lease.0.renew().map(found)
    })
}

/// Releases a lease. One that was neither set nor failed is abandoned: the next who waits
/// gets a lease. NULL does nothing.
///
/// Errors: none.
/// Threads: any, also after the cache was closed; must not overlap another call on the lease.
/// Since: 3.0.0
///
/// # Safety
/// `lease` is NULL or live, and never used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_lease_free(lease: *mut twat_lease) {
    guard(|| {
        if !lease.is_null() {
            // SAFETY: made by `twat_cache_fetch`, given back once.
            drop(unsafe { Box::from_raw(lease) });
        }
    });
}
