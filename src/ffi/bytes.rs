//! Byte strings across the boundary: values on their way out, slices on
//! their way in.

use super::guard::guard;
use super::ptr;
use crate::base::error::Result;
use crate::mem::counted::Counted;
use crate::mem::value::{Hit, Mapped, Value};
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A byte string that the library hands out.
///
/// `data` points at `len` bytes that no later call changes, not even one that
/// deletes the entry or closes the cache. An empty value has `len` 0 and a
/// `data` that is not NULL. Mapped values (large ones on disk) begin on a
/// 64-byte boundary. `owner` is the library's.
///
/// Ownership: release it with `twat_bytes_free`, from any thread.
#[repr(C)]
pub struct twat_bytes {
    /// The first byte.
    pub data: *const c_void,
    /// The number of bytes.
    pub len: usize,
    /// Reserved for the library: it keeps the bytes alive.
    pub owner: *mut c_void,
}

/// A byte string that the caller owns, for calls over many keys.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twat_slice {
    /// The first byte; NULL with `len` 0 is empty.
    pub data: *const c_void,
    /// The number of bytes.
    pub len: usize,
}

/// The low bit of `owner` tells a mapped value from a counted copy; both
/// kinds of allocation are aligned to more than 2.
const MAPPED: usize = 1;

impl twat_bytes {
    pub(super) const EMPTY: twat_bytes =
        twat_bytes { data: std::ptr::null(), len: 0, owner: std::ptr::null_mut() };

    #[inline(always)]
    pub(super) fn of_hit(hit: Hit) -> Self {
        let value = hit.value();
        let (data, len) = (value.as_ptr().cast::<c_void>(), value.len());
        twat_bytes { data, len, owner: hit.copy.into_raw() }
    }

    // Out of line, the struct is written in parts and read back as a whole
    // before it is copied to the caller, and that wait is a tenth of a hit.
    #[inline(always)]
    pub(super) fn of(value: Value) -> Self {
        let (data, len) = (value.as_ptr().cast::<c_void>(), value.len());
        let owner = match value {
            Value::Shared(shared) => shared.copy.into_raw(),
            Value::Mapped(mapped) => {
                Arc::into_raw(mapped).cast_mut().cast::<c_void>().map_addr(|at| at | MAPPED)
            }
        };
        twat_bytes { data, len, owner }
    }
}

/// Views of the caller's slices.
///
/// # Safety
/// `slices` points at `n` slices, each over readable bytes, for the call.
pub(super) unsafe fn slices<'a>(
    what: &str,
    slices: *const twat_slice,
    n: usize,
) -> Result<Vec<&'a [u8]>> {
    // SAFETY: this function's own contract.
    let slices = unsafe { ptr::array(what, slices, n) }?;
    // SAFETY: the caller promises that each slice is readable.
    slices.iter().map(|slice| unsafe { ptr::bytes(what, slice.data, slice.len) }).collect()
}

/// Releases a byte string and zeroes it.
///
/// Ownership: `bytes` itself stays the caller's. Releasing a zeroed one, or
/// NULL, does nothing.
/// Errors: none.
/// Threads: any, also while the cache is in use or after it is closed.
/// Since: 3.0.0
///
/// # Safety
/// `bytes` is NULL, zeroed, or was filled by this library and not yet freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_bytes_free(bytes: *mut twat_bytes) {
    // SAFETY: this function's own contract.
    unsafe { free_at_once(bytes) }
        // SAFETY: this function's own contract is that of the callee.
        .unwrap_or_else(|| unsafe { other_free(bytes) });
}

/// One of several owners of a counted copy goes, while there is one thread.
///
/// # Safety
/// As `twat_bytes_free`.
#[inline(always)]
unsafe fn free_at_once(bytes: *mut twat_bytes) -> Option<()> {
    // SAFETY: this function's own contract.
    let taken = unsafe { bytes.as_mut() }?;
    if taken.owner.is_null() || taken.owner.addr() & MAPPED != 0 {
        return None;
    }
    // SAFETY: untagged, so it is what `Counted::into_raw` gave.
    let copy = ManuallyDrop::new(unsafe { Counted::from_raw(taken.owner) });
    copy.leave_at_once().then(|| *taken = twat_bytes::EMPTY)
}

/// # Safety
/// As `twat_bytes_free`.
#[inline(never)]
unsafe extern "C" fn other_free(bytes: *mut twat_bytes) {
    guard(|| {
        if bytes.is_null() {
            return;
        }
        // SAFETY: not NULL; the caller owns the struct.
        let taken = unsafe { std::ptr::replace(bytes, twat_bytes::EMPTY) };
        if taken.owner.is_null() {
            return;
        }
        if taken.owner.addr() & MAPPED != 0 {
            let mapped = taken.owner.map_addr(|at| at & !MAPPED).cast::<Mapped>();
            // SAFETY: tagged as what `Arc::into_raw` gave.
            drop(unsafe { Arc::from_raw(mapped.cast_const()) });
        } else {
            // SAFETY: untagged, so it is what `Counted::into_raw` gave.
            drop(unsafe { Counted::from_raw(taken.owner) });
        }
    });
}
