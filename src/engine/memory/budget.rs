//! A bound over all shards: what is used is reserved before it is stored, so
//! that the sum never exceeds it.

use crate::mem::solo;
use crossbeam::utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering};

/// So much of something may be used.
pub(super) struct Budget {
    most: Option<u64>,
    used: CachePadded<AtomicU64>,
}

impl Budget {
    pub(super) fn new(most: Option<u64>) -> Self {
        Self { most, used: CachePadded::default() }
    }

    pub(super) fn most(&self) -> Option<u64> {
        self.most
    }

    /// Reserves `n` where that leaves the sum within the bound.
    pub(super) fn reserve(&self, n: u64) -> bool {
        let Some(most) = self.most else { return true };
        if solo::alone() {
            let used = self.used.load(Ordering::Relaxed);
            let sum = used.checked_add(n).filter(|sum| *sum <= most);
            self.used.store(sum.unwrap_or(used), Ordering::Relaxed);
            return sum.is_some();
        }
        let add = |used: u64| used.checked_add(n).filter(|sum| *sum <= most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    pub(super) fn release(&self, n: u64) {
        if self.most.is_none() {
        } else if solo::alone() {
            self.used.store(self.used.load(Ordering::Relaxed).wrapping_sub(n), Ordering::Relaxed);
        } else {
            self.used.fetch_sub(n, Ordering::Relaxed);
        }
    }
}
