//! Digests that bindings need for keys and signed values.

use super::bytes::{slices, twat_slice};
use super::guard::guard;
use super::ptr;
use super::status::TWAT_OK;
use crate::base::error::Error;
use std::ffi::c_void;

/// Bytes of a digest, a MAC, and a secret.
pub const TWAT_DIGEST_BYTES: usize = 32;

/// The BLAKE3 hash of some bytes, 32 bytes into `out_digest`.
///
/// Errors: `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `data` has `len` bytes; `out_digest` has room for `TWAT_DIGEST_BYTES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_hash(
    data: *const c_void,
    len: usize,
    out_digest: *mut c_void,
) -> i32 {
    guard(|| {
        let out = ptr::out("out_digest", out_digest)?;
        // SAFETY: this function's own contract.
        let data = unsafe { ptr::bytes("data", data, len) }?;
        // SAFETY: not NULL; the caller promises the room.
        unsafe { out.cast::<[u8; 32]>().write(*blake3::hash(data).as_bytes()) };
        Ok(TWAT_OK)
    })
}

/// The keyed BLAKE3 MAC over several parts, 32 bytes into `out_mac`. Each
/// part's length is part of what is signed, so that no two lists of parts
/// have one MAC: for each part, 8 bytes of little-endian length, then the part.
///
/// Errors: `TWAT_E_ARG` for NULL, or a secret that is not
/// `TWAT_DIGEST_BYTES` long.
/// Since: 3.0.0
///
/// # Safety
/// `secret` has `secret_len` bytes; `parts` has `n_parts` slices over readable
/// bytes; `out_mac` has room for `TWAT_DIGEST_BYTES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_mac(
    secret: *const c_void,
    secret_len: usize,
    parts: *const twat_slice,
    n_parts: usize,
    out_mac: *mut c_void,
) -> i32 {
    guard(|| {
        let out = ptr::out("out_mac", out_mac)?;
        // SAFETY: this function's own contract, for both.
        let (secret, parts) = unsafe {
            (ptr::bytes("secret", secret, secret_len)?, slices("parts", parts, n_parts)?)
        };
        let secret: &[u8; 32] = secret.try_into().map_err(|_| {
            Error::arg(format!("secret: expected {TWAT_DIGEST_BYTES} bytes, found: {secret_len}"))
        })?;
        let mut mac = blake3::Hasher::new_keyed(secret);
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        // SAFETY: not NULL; the caller promises the room.
        unsafe { out.cast::<[u8; 32]>().write(*mac.finalize().as_bytes()) };
        Ok(TWAT_OK)
    })
}
