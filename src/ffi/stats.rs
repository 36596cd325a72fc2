//! Figures in a sized struct.

use super::cache::{twat_cache, with};
use super::guard::guard;
use super::sized::{Growing, Out};
use super::status::TWAT_OK;
use crate::base::error::Result;
use crate::base::stats::Stats;

/// The counts of `entries` and `bytes` are exact: nothing expired, invalidated
/// or unsettled is among them.
pub const TWAT_STATS_EXACT: u64 = 1;

/// Figures of a cache since it was opened, in entries and bytes.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct twat_stats {
    /// Set by the caller to `sizeof(twat_stats)`; the library writes the
    /// smaller of that and its own.
    pub struct_size: usize,
    /// Gets that found a value.
    pub hits: u64,
    /// Gets that did not.
    pub misses: u64,
    /// Values stored.
    pub sets: u64,
    /// Entries deleted by call.
    pub deletes: u64,
    /// Entries that were evicted.
    pub evictions: u64,
    /// Entries that were removed because they had expired.
    pub expirations: u64,
    /// Values refused: too large, or no room.
    pub rejected: u64,
    /// Stored values that failed their checksum and were removed.
    pub corrupt: u64,
    /// Calls that failed otherwise.
    pub errors: u64,
    /// Entries held now; without `TWAT_STATS_EXACT` some may be expired or invalidated.
    /// (`twat_cache_len` counts the others.)
    pub entries: u64,
    /// Bytes accounted to them.
    pub bytes: u64,
    /// The bound on entries; 0 for none.
    pub max_entries: u64,
    /// The bound on bytes; 0 for none.
    pub max_bytes: u64,
    /// `TWAT_STATS_EXACT`.
    pub flags: u64,
}

// SAFETY: a `usize`, then fields of 8 bytes each.
unsafe impl Growing for twat_stats {
    const FIRST: usize = 120;
}

/// Reads the statistics.
///
/// Errors: `TWAT_E_ARG` for NULL or a `struct_size` below the first version's;
/// engine errors.
/// Since: 3.0.0
///
/// # Safety
/// `cache` is live; `inout_stats` is NULL or writable for its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_cache_stats(
    cache: *mut twat_cache,
    inout_stats: *mut twat_stats,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        unsafe { answer(inout_stats, || with(cache, |cache| cache.stats())) }
    })
}

/// Checks the caller's struct, then fills it.
///
/// # Safety
/// `inout_stats` is NULL or writable for its `struct_size`.
pub(super) unsafe fn answer(
    inout_stats: *mut twat_stats,
    read: impl FnOnce() -> Result<Stats>,
) -> Result<i32> {
    // SAFETY: this function's own contract.
    let out = unsafe { Out::new("inout_stats", inout_stats) }?;
    let stats = read()?;
    let ours = twat_stats {
        struct_size: out.size(),
        hits: stats.hits,
        misses: stats.misses,
        sets: stats.sets,
        deletes: stats.deletes,
        evictions: stats.engine.evictions,
        expirations: stats.engine.expirations,
        rejected: stats.rejected,
        corrupt: stats.engine.corrupt,
        errors: stats.errors,
        entries: stats.engine.entries,
        bytes: stats.engine.bytes,
        max_entries: stats.engine.max_entries,
        max_bytes: stats.engine.max_bytes,
        flags: if stats.engine.entries_inexact { 0 } else { TWAT_STATS_EXACT },
    };
    // SAFETY: not NULL, and the caller promises that it is writable.
    unsafe { out.write(&ours) };
    Ok(TWAT_OK)
}
