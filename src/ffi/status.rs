//! Status codes, and the text of the last failure.

use super::guard::guard;
use crate::base::error::{Code, Error};
use std::cell::UnsafeCell;
use std::ffi::c_char;

/// Success.
pub const TWAT_OK: i32 = 0;
/// There is no such entry, or a scan has ended. Not an error.
pub const TWAT_MISS: i32 = 1;
/// The buffer is too small. The length that is written is the length that is needed.
pub const TWAT_TRUNCATED: i32 = 2;
/// An add found an entry and did not change it.
pub const TWAT_EXISTS: i32 = 3;
/// Another caller is still computing the value. Not an error. (4 is reserved.)
pub const TWAT_PENDING: i32 = 5;
/// An argument is wrong.
pub const TWAT_E_ARG: i32 = -1;
/// An option is unknown, out of range, or contradicts another.
pub const TWAT_E_CONFIG: i32 = -2;
/// Out of memory.
pub const TWAT_E_NOMEM: i32 = -3;
/// The operating system refused a read or a write.
pub const TWAT_E_IO: i32 = -4;
/// There is no room: the disk is full, or the cache refuses new entries.
pub const TWAT_E_FULL: i32 = -5;
/// A key or value is larger than the engine can store.
pub const TWAT_E_TOO_LARGE: i32 = -6;
/// Another process or thread holds a lock that is needed.
pub const TWAT_E_BUSY: i32 = -7;
/// Stored bytes are damaged.
pub const TWAT_E_CORRUPT: i32 = -8;
/// A server is down or did not answer in time.
pub const TWAT_E_UNAVAILABLE: i32 = -9;
/// The handle is closed.
pub const TWAT_E_CLOSED: i32 = -10;
/// The engine does not support the operation.
pub const TWAT_E_UNSUPPORTED: i32 = -11;
/// A newer version of the library wrote the store or file.
pub const TWAT_E_VERSION: i32 = -12;
/// There is a bug in the library. The handle can only be closed.
pub const TWAT_E_PANIC: i32 = -99;

const CAPACITY: usize = 512;

thread_local! {
    // No destructor: the pointer stays good until the thread is gone.
    static LAST: UnsafeCell<[u8; CAPACITY]> = const { UnsafeCell::new([0; CAPACITY]) };
}

/// Keeps the text of a failure, cut at a character's boundary.
#[cold]
pub(super) fn set_last_error(error: &Error) {
    let text = error.text();
    let mut end = text.len().min(CAPACITY - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // A text that C reads ends at its first NUL; none may cut it short.
    let _ = LAST.try_with(|last| {
        // SAFETY: only this thread reaches its own buffer, and no reference
        // to it outlives this closure; C reads it through a raw pointer
        // between calls.
        let buffer = unsafe { &mut *last.get() };
        for (to, from) in buffer.iter_mut().zip(&text.as_bytes()[..end]) {
            *to = if *from == 0 { b'?' } else { *from };
        }
        buffer[end] = 0;
    });
}

/// The text of the last failure on this thread.
///
/// Written only by calls that return a negative status, and changed by nothing
/// else: a miss, a success or a destructor between the failure and this call
/// leave it as it is. Empty before the first failure. At most 511 bytes of
/// UTF-8, cut at a character's boundary.
///
/// Ownership: static to the thread; never freed; overwritten by the thread's
/// next failure.
/// Errors: none; never NULL.
/// Since: 3.0.0
#[unsafe(no_mangle)]
pub extern "C" fn twat_last_error() -> *const c_char {
    guard(|| LAST.try_with(|last| last.get().cast::<c_char>().cast_const()).unwrap_or(c"".as_ptr()))
}

/// The name of a status, `"TWAT_E_CONFIG"`; `"TWAT_E_UNKNOWN"` for a number
/// that this version does not know.
///
/// Ownership: static; never freed.
/// Errors: none; never NULL.
/// Since: 3.0.0
#[unsafe(no_mangle)]
pub extern "C" fn twat_status_name(status: i32) -> *const c_char {
    guard(|| {
        let outcome = match status {
            TWAT_OK => Some(c"TWAT_OK"),
            TWAT_MISS => Some(c"TWAT_MISS"),
            TWAT_TRUNCATED => Some(c"TWAT_TRUNCATED"),
            TWAT_EXISTS => Some(c"TWAT_EXISTS"),
            TWAT_PENDING => Some(c"TWAT_PENDING"),
            _ => None,
        };
        let error = || Code::ALL.iter().find(|code| **code as i32 == status).map(|c| c.c_name());
        outcome.or_else(error).unwrap_or(c"TWAT_E_UNKNOWN").as_ptr()
    })
}
