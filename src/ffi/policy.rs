//! A policy alone, for hosts that keep their own objects.

use super::config::{borrowed, twat_config};
use super::guard::{Poison, guard};
use super::ptr;
use super::stats::{self, twat_stats};
use super::status::{TWAT_MISS, TWAT_OK, TWAT_TRUNCATED};
use crate::base::error::{Code, Error, Result};
use crate::base::fork;
use crate::policy::host::{HostPolicy, Needs};
use std::sync::{Mutex, PoisonError, TryLockError};

/// Hits need not be reported (fifo, lifo, rr, none).
pub const TWAT_POLICY_NEEDS_NOTHING: i32 = 0;
/// Each slot that was hit since the last report is reported once, in any order
/// (sieve).
pub const TWAT_POLICY_NEEDS_MARK: i32 = 1;
/// Every hit is reported, in order (lru, mru, lfu, s3fifo).
pub const TWAT_POLICY_NEEDS_LOG: i32 = 2;

/// An eviction order over slots. The host keeps keys, objects and a log of
/// hits; the policy says which slots are evicted.
///
/// A slot is a 64-bit number, never 0; one that was removed or evicted is
/// stale, and stale slots are ignored everywhere.
/// Its low 32 bits are an index that no other live slot has, and that is below
/// the greatest number of entries there have been at one time: a host may keep its
/// entries in an array. The rest tells apart those that had the index before.
///
/// Threads: any; calls are serialised. A host protects its dictionary and the
/// policy with one lock, so that an insertion changes both.
/// After `fork` it survives with its host's dictionary.
#[expect(non_camel_case_types, reason = "a C name")]
pub struct twat_policy {
    policy: Mutex<HostPolicy>,
    made: u64,
    poison: Poison,
}

impl twat_policy {
    fn with<T>(&self, body: impl FnOnce(&mut HostPolicy) -> Result<T>) -> Result<T> {
        self.poison.watch(|| {
            if self.made == fork::generation() {
                // A panic while it was held is answered by `Poison`.
                return body(&mut self.policy.lock().unwrap_or_else(PoisonError::into_inner));
            }
            // In a forked child the lock may belong to a thread that is gone.
            match self.policy.try_lock() {
                Ok(mut policy) => body(&mut policy),
                Err(TryLockError::Poisoned(poisoned)) => body(&mut poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => Err(Error::new(
                    Code::Busy,
                    "the policy was in use by another thread when this process forked, \
                     or is by one now",
                )),
            }
        })
    }
}

/// Runs a body over a live policy.
///
/// # Safety
/// `policy` is NULL or live.
unsafe fn with<T>(
    policy: *mut twat_policy,
    body: impl FnOnce(&mut HostPolicy) -> Result<T>,
) -> Result<T> {
    // SAFETY: this function's own contract.
    unsafe { ptr::handle("policy", policy) }?.with(body)
}

/// Makes a policy from the options `policy`, `max_entries`, `max_bytes` (the
/// sum of costs) and `seed`; the configuration's engine does not matter.
///
/// Ownership: release `*out_policy` with `twat_policy_free`.
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for other options, or for
/// `tinylfu`, which has no such form.
/// Since: 3.0.0
///
/// # Safety
/// `config` is live; `out_policy` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_new(
    config: *const twat_config,
    out_policy: *mut *mut twat_policy,
) -> i32 {
    guard(|| {
        let out = ptr::out("out_policy", out_policy)?;
        // SAFETY: this function's own contract.
        let config = unsafe { borrowed(config) }?;
        fork::install();
        let policy = Box::new(twat_policy {
            policy: Mutex::new(HostPolicy::new(config)?),
            made: fork::generation(),
            poison: Poison::default(),
        });
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(Box::into_raw(policy)) };
        Ok(TWAT_OK)
    })
}

/// What the host has to record: `TWAT_POLICY_NEEDS_NOTHING`, `_MARK` or `_LOG`.
///
/// Errors: `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `policy` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_needs(policy: *mut twat_policy) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let needs = unsafe { with(policy, |policy| Ok(policy.needs())) }?;
        Ok(match needs {
            Needs::Nothing => TWAT_POLICY_NEEDS_NOTHING,
            Needs::Mark => TWAT_POLICY_NEEDS_MARK,
            Needs::Log => TWAT_POLICY_NEEDS_LOG,
        })
    })
}

/// Hands over the log of hits, then makes room and adds an entry.
///
/// `fingerprint` is a 64-bit hash of the key, the same for the same key;
/// `cost` counts against `max_bytes`. `TWAT_OK`: `*out_slot` is the new entry's
/// slot, and the `*out_n` slots in `out_victims` were evicted: delete their
/// entries. `TWAT_TRUNCATED`: the same, but more slots were evicted than there
/// was room for; fetch them with `twat_policy_evicted`. `TWAT_MISS`: not
/// admitted (it costs more than `max_bytes`, or policy `none` is full); nothing
/// was evicted, `*out_slot` is 0 and `*out_n` 0. Slots of an earlier
/// `TWAT_TRUNCATED` that were not fetched yet are kept for the next insertion that
/// is admitted, or for `twat_policy_evicted`.
///
/// Errors: `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `policy` is live; `hits` has `n_hits` slots; `out_victims` has room for
/// `capacity`; `out_slot` and `out_n` are writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_insert(
    policy: *mut twat_policy,
    hits: *const u64,
    n_hits: usize,
    fingerprint: u64,
    cost: u64,
    out_slot: *mut u64,
    out_victims: *mut u64,
    capacity: usize,
    out_n: *mut usize,
) -> i32 {
    guard(|| {
        let (slot, n) = (ptr::out("out_slot", out_slot)?, ptr::out("out_n", out_n)?);
        if capacity > 0 {
            ptr::out("out_victims", out_victims)?;
        }
        // SAFETY: this function's own contract.
        let hits = unsafe { ptr::array("hits", hits, n_hits) }?;
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe {
            with(policy, |policy| {
                policy.hits(hits);
                let inserted = policy.insert(fingerprint, cost);
                slot.write(inserted.unwrap_or(0));
                if inserted.is_none() {
                    // The host ignores victims of a refused insertion: those of an
                    // earlier, truncated answer wait for the next call.
                    n.write(0);
                    return Ok(TWAT_MISS);
                }
                Ok(drain(policy, out_victims, capacity, n))
            })
        }
    })
}

/// Hands out slots that have left. Returns the status and writes the number.
///
/// # Safety
/// `out` has room for `capacity`; `out_n` is writable.
unsafe fn drain(policy: &mut HostPolicy, out: *mut u64, capacity: usize, out_n: *mut usize) -> i32 {
    let mut n = 0;
    while n < capacity
        && let Some(victim) = policy.next_evicted()
    {
        // SAFETY: `n < capacity`, for which the caller promises room.
        unsafe { out.add(n).write(victim) };
        n += 1;
    }
    // SAFETY: the caller's promise.
    unsafe { out_n.write(n) };
    if policy.has_evicted() { TWAT_TRUNCATED } else { TWAT_OK }
}

/// The slots that were evicted and not returned yet: `TWAT_OK`, or
/// `TWAT_TRUNCATED` when there are still more.
///
/// Errors: `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `policy` is live; `out_victims` has room for `capacity`; `out_n` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_evicted(
    policy: *mut twat_policy,
    out_victims: *mut u64,
    capacity: usize,
    out_n: *mut usize,
) -> i32 {
    guard(|| {
        let n = ptr::out("out_n", out_n)?;
        if capacity > 0 {
            ptr::out("out_victims", out_victims)?;
        }
        // SAFETY: this function's own contract.
        unsafe { with(policy, |policy| Ok(drain(policy, out_victims, capacity, n))) }
    })
}

/// Hands over a log of hits, oldest first.
///
/// Errors: `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `policy` is live; `hits` has `n_hits` slots.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_hits(
    policy: *mut twat_policy,
    hits: *const u64,
    n_hits: usize,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let hits = unsafe { ptr::array("hits", hits, n_hits) }?;
        // SAFETY: the caller promises that the handle is NULL or live.
        unsafe {
            with(policy, |policy| {
                policy.hits(hits);
                Ok(TWAT_OK)
            })
        }
    })
}

/// Reports that the host removed an entry (deleted, expired): `TWAT_OK`, or
/// `TWAT_MISS` for a stale slot.
///
/// Errors: `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `policy` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_remove(policy: *mut twat_policy, slot: u64) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let there = unsafe { with(policy, |policy| Ok(policy.remove(slot))) }?;
        Ok(if there { TWAT_OK } else { TWAT_MISS })
    })
}

/// Removes every slot; all of them are stale then. Statistics are kept.
///
/// Errors: `TWAT_E_ARG` for NULL.
/// Since: 3.0.0
///
/// # Safety
/// `policy` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_clear(policy: *mut twat_policy) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        unsafe {
            with(policy, |policy| {
                policy.clear();
                Ok(TWAT_OK)
            })
        }
    })
}

/// Reads the statistics: `hits` (logged ones), `sets`, `deletes`, `evictions`,
/// `rejected`, `entries`, `bytes` (the sum of costs) and the bounds.
///
/// Errors: as `twat_cache_stats`.
/// Since: 3.0.0
///
/// # Safety
/// `policy` is live; `inout_stats` is NULL or writable for its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_stats(
    policy: *mut twat_policy,
    inout_stats: *mut twat_stats,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        unsafe { stats::answer(inout_stats, || with(policy, |policy| Ok(policy.stats()))) }
    })
}

/// Releases a policy. NULL does nothing.
///
/// Errors: none.
/// Since: 3.0.0
///
/// # Safety
/// `policy` is NULL or live, and never used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_policy_free(policy: *mut twat_policy) {
    guard(|| {
        if !policy.is_null() {
            // SAFETY: made by `twat_policy_new`, given back once.
            drop(unsafe { Box::from_raw(policy) });
        }
    });
}
