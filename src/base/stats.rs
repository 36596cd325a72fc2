//! Counting without contention: each thread adds to a stripe of its own.

use crate::base::error::{Code, Error};
use crossbeam::utils::CachePadded;
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted by the facade.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
#[expect(missing_docs, reason = "the names of the figures in `twat_stats`")]
pub enum Count {
    Hits,
    Misses,
    Sets,
    Deletes,
    Rejected,
    Errors,
}

impl Count {
    /// What a failure counts as: a refusal of what does not fit is no error.
    pub fn of(error: &Error) -> Self {
        match error.code() {
            Code::TooLarge | Code::Full => Self::Rejected,
            _ => Self::Errors,
        }
    }
}

const COUNTS: usize = 6;
/// Threads beyond this many share the last stripe.
const STRIPES: usize = 32;
const SHARED: usize = STRIPES - 1;

type Stripe = [AtomicU64; COUNTS];

/// Exact counters that threads raise without touching each other's lines.
pub struct Counters {
    stripes: Box<[CachePadded<Stripe>]>,
}

/// Stripe numbers that no living thread holds.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A thread's lease of a stripe; given back when the thread ends.
struct Lease(Cell<usize>);

const UNSET: usize = usize::MAX;

impl Lease {
    #[cold]
    fn take(&self) -> usize {
        // try_lock: after a fork the lock may be held by a thread that is not
        // there any more, and a stripe of one's own is only an optimisation.
        let reused = FREE.try_lock().ok().and_then(|mut free| free.pop());
        let index = reused.unwrap_or_else(|| {
            let next = NEXT.load(Ordering::Relaxed);
            if next < SHARED as u64 {
                (NEXT.fetch_add(1, Ordering::Relaxed) as usize).min(SHARED)
            } else {
                SHARED
            }
        });
        self.0.set(index);
        index
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let index = self.0.replace(SHARED);
        if index < SHARED
            && let Ok(mut free) = FREE.try_lock()
        {
            free.push(index);
        }
    }
}

thread_local! {
    static LEASE: Lease = const { Lease(Cell::new(UNSET)) };
}

fn stripe() -> usize {
    LEASE
        .try_with(|lease| match lease.0.get() {
            UNSET => lease.take(),
            index => index,
        })
        .unwrap_or(SHARED)
}

impl Default for Counters {
    fn default() -> Self {
        Self { stripes: (0..STRIPES).map(|_| CachePadded::default()).collect() }
    }
}

impl Counters {
    /// Adds `n` to one figure.
    #[inline]
    pub fn add(&self, what: Count, n: u64) {
        let index = stripe();
        let cell = &self.stripes[index][what as usize];
        if index == SHARED {
            cell.fetch_add(n, Ordering::Relaxed);
        } else {
            // This thread alone writes the stripe: no locked instruction.
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
        }
    }

    /// The sum of one figure over all threads.
    pub fn sum(&self, what: Count) -> u64 {
        self.stripes
            .iter()
            .map(|s| s[what as usize].load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

/// What an engine knows about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Hits of [`Memory::quick_get`](crate::engine::memory::Memory::quick_get),
    /// which nobody else counts.
    pub hits: u64,
    /// Its misses.
    pub misses: u64,
    /// Sets of [`Memory::set`](crate::engine::memory::Memory::set), likewise.
    pub sets: u64,
    /// Entries held.
    pub entries: u64,
    /// Bytes accounted to them, as `max_bytes` counts them.
    pub bytes: u64,
    /// Entries that left for want of room.
    pub evictions: u64,
    /// Entries that left because their time was over.
    pub expirations: u64,
    /// Stored values that failed their checksum and were removed.
    pub corrupt: u64,
    /// The bound on entries, 0 for none.
    pub max_entries: u64,
    /// The bound on bytes, 0 for none.
    pub max_bytes: u64,
    /// `entries` and `bytes` may count entries that are expired, invalidated
    /// by a tag, or not yet settled, and would not be served.
    pub entries_inexact: bool,
}

/// All figures of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in `twat_stats`, which documents them")]
pub struct Stats {
    pub hits: u64,
    pub misses: u64,
    pub sets: u64,
    pub deletes: u64,
    pub rejected: u64,
    pub errors: u64,
    pub engine: EngineStats,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_than_stripes_lose_no_count() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..3 * STRIPES {
                scope.spawn(|| (0..1000).for_each(|_| counters.add(Count::Hits, 1)));
            }
        });
        assert_eq!(counters.sum(Count::Hits), 3000 * STRIPES as u64);
    }
}
