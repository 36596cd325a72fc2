//! Which library this is and what it can do.

use super::guard::guard;
use super::ptr;
use std::ffi::c_char;

const fn number(text: &str) -> u32 {
    let (bytes, mut n, mut i) = (text.as_bytes(), 0, 0);
    while i < bytes.len() {
        n = n * 10 + (bytes[i] - b'0') as u32;
        i += 1;
    }
    n
}

const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
    + number(env!("CARGO_PKG_VERSION_MINOR")) * 1000
    + number(env!("CARGO_PKG_VERSION_PATCH"));

/// The version as `major * 1000000 + minor * 1000 + patch`.
///
/// Errors: none.
/// Since: 3.0.0
#[unsafe(no_mangle)]
pub extern "C" fn twat_version_number() -> u32 {
    guard(|| VERSION)
}

/// The version as text, `"3.0.0"`.
///
/// Ownership: static; never freed.
/// Errors: none; never NULL.
/// Since: 3.0.0
#[unsafe(no_mangle)]
pub extern "C" fn twat_version_string() -> *const c_char {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    guard(|| TEXT.as_ptr().cast::<c_char>())
}

/// Whether this build has an engine: 1 if it does, 0 if not.
///
/// Errors: `TWAT_E_ARG` for NULL or what is not UTF-8.
/// Since: 3.0.0
///
/// # Safety
/// `engine` is NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_has_engine(engine: *const c_char) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let engine = unsafe { ptr::text("engine", engine) }?;
        Ok(i32::from(crate::engine::is_known(engine)))
    })
}
