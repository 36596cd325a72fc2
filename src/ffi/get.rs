//! Values on their way out: the quick way for what the engine answers at once,
//! and the slow one for the rest, which also says what is wrong.

use super::bytes::twat_bytes;
use super::cache::{twat_cache, with};
use super::guard::{Answer as _, guard};
use super::ptr;
use super::status::{TWAT_MISS, TWAT_OK, TWAT_TRUNCATED};
use crate::base::error::Result;
use crate::cache::Cache;
use crate::engine::memory::{Memory, READ_UNDER_LOCK};
use crate::mem::counted::{Counted, ShortKey};
use crate::mem::value::Hit;
use std::ffi::c_void;

/// Gets a value: `TWAT_OK` with `*out_value`, or `TWAT_MISS`.
///
/// Ownership: release `*out_value` with `twat_bytes_free`; it may outlive its
/// entry and the cache.
/// Errors: `TWAT_E_ARG`; engine errors.
/// Since: 3.0.0
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
    // SAFETY: this function's own contract.
    unsafe { get_at_once::<true>(cache, key, key_len, out_value) }
        // SAFETY: this function's own contract is that of the callee.
        .unwrap_or_else(|| unsafe { other_get(cache, key, key_len, out_value) })
}

/// # Safety
/// As `twat_cache_get`.
#[inline(always)]
unsafe fn get_at_once<const PLAIN: bool>(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    out_value: *mut twat_bytes,
) -> Option<i32> {
    // SAFETY: this function's own contract.
    let (memory, key) = unsafe { at_once(cache, key, key_len, out_value.is_null()) }?;
    let take = |copy: &Counted, value: &[u8], alone| {
        let (data, len) = (value.as_ptr().cast(), value.len());
        twat_bytes { data, len, owner: copy.share_once(alone).into_raw() }
    };
    // SAFETY: counting calls nothing; the caller promises that it is writable.
    unsafe { out_value.write(memory.hit::<PLAIN, _>(key, usize::MAX, take)?) };
    Some(TWAT_OK)
}

/// What the plainest get does not answer.
///
/// # Safety
/// As `twat_cache_get`.
#[inline(never)]
unsafe extern "C" fn other_get(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    out_value: *mut twat_bytes,
) -> i32 {
    // SAFETY: this function's own contract.
    if let Some(answer) = unsafe { get_at_once::<false>(cache, key, key_len, out_value) } {
        return answer;
    }
    guard(|| {
        // SAFETY: this function's own contract.
        let Some(found) =
            (unsafe { quick_get(cache, key, key_len, out_value.is_null(), Cache::quick_get) })
        else {
            // SAFETY: this function's own contract is that of the callee.
            return unsafe { slow_get(cache, key, key_len, out_value) }.answer();
        };
        let Some(value) = found else { return TWAT_MISS };
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out_value.write(twat_bytes::of_hit(value)) };
        TWAT_OK
    })
}

/// The memory engine and the key, where a hit may be answered at once. Nothing
/// in that can panic, so it has no guard, and what is not answered is left to a
/// function of its own, so that the plainest hit saves no registers for it.
///
/// # Safety
/// As `twat_cache_get`.
#[inline(always)]
unsafe fn at_once<'a>(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    wrong: bool,
) -> Option<(&'a Memory, ShortKey)> {
    if wrong || key.is_null() || !ShortKey::LENGTHS.contains(&key_len) {
        return None;
    }
    // SAFETY: this function's own contract.
    let handle = unsafe { cache.as_ref() }?;
    if handle.poison.is_poisoned() {
        return None;
    }
    let memory = handle.cache.memory()?;
    // SAFETY: so long, says this function's own contract.
    Some((memory, unsafe { ShortKey::at(key.cast(), key_len) }))
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
    get: impl FnOnce(&Cache, &[u8]) -> Option<Option<Hit>>,
) -> Option<Option<Hit>> {
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
    // SAFETY: the caller promises that the handle is NULL or live.
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
/// Since: 3.0.0
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
    // SAFETY: this function's own contract.
    unsafe { read_at_once::<true>(cache, key, key_len, buffer, capacity, out_len) }
        // SAFETY: this function's own contract is that of the callee.
        .unwrap_or_else(|| unsafe { other_read(cache, key, key_len, buffer, capacity, out_len) })
}

/// # Safety
/// As `twat_cache_get_into`.
#[inline(always)]
unsafe fn read_at_once<const PLAIN: bool>(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    buffer: *mut c_void,
    capacity: usize,
    out_len: *mut usize,
) -> Option<i32> {
    let wrong = out_len.is_null() || buffer.is_null();
    // SAFETY: this function's own contract.
    let (memory, key) = unsafe { at_once(cache, key, key_len, wrong) }?;
    // SAFETY: not NULL, and the caller promises that it is writable.
    let take = |_: &Counted, value: &[u8], _| unsafe {
        out_len.write(value.len());
        copy_out(value, buffer, capacity);
    };
    // Others may wait for the lock.
    let most = if PLAIN { capacity } else { capacity.min(READ_UNDER_LOCK) };
    // SAFETY: copying calls nothing of ours.
    unsafe { memory.hit::<PLAIN, _>(key, most, take) }.map(|()| TWAT_OK)
}

/// What the plainest get does not answer.
///
/// # Safety
/// As `twat_cache_get_into`.
#[inline(never)]
unsafe extern "C" fn other_read(
    cache: *mut twat_cache,
    key: *const c_void,
    key_len: usize,
    buffer: *mut c_void,
    capacity: usize,
    out_len: *mut usize,
) -> i32 {
    // SAFETY: this function's own contract.
    let read = unsafe { read_at_once::<false>(cache, key, key_len, buffer, capacity, out_len) };
    if let Some(answer) = read {
        return answer;
    }
    guard(|| {
        let wrong = out_len.is_null() || (buffer.is_null() && capacity > 0);
        // SAFETY: this function's own contract.
        let Some(found) = (unsafe { quick_get(cache, key, key_len, wrong, Cache::get_in_memory) })
        else {
            // SAFETY: this function's own contract is that of the callee.
            return unsafe { slow_get_into(cache, key, key_len, (buffer, capacity), out_len) }
                .answer();
        };
        let Some(value) = found else { return TWAT_MISS };
        let value = value.value();
        // SAFETY: not NULL, and the caller promises that it is writable.
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
        // SAFETY: the caller promises that `buffer` has room for `capacity`.
        unsafe { copy_out(value, buffer, capacity) };
    };
    // SAFETY: the caller promises that the handle is NULL or live.
    if !unsafe { with(cache, |cache| cache.slow_read(key, &mut sink)) }? {
        return Ok(TWAT_MISS);
    }
    // SAFETY: not NULL; the caller promises that it is writable.
    unsafe { out.write(len) };
    Ok(if len <= capacity { TWAT_OK } else { TWAT_TRUNCATED })
}
