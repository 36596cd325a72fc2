//! Coherence over a store that numbers its writes and tells, for buckets of
//! keys, which write was the last to change one of them.

use super::stamp::{Restamped, Stamp};
use crate::engine::{BUCKETS, Engine, Identity};
use crate::error::Result;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is known of the store. The `seen` of a stamp is the version of the
/// snapshot that the copy was read from.
pub struct Numbered {
    /// As of which version the rest is known.
    synced: AtomicU64,
    changed: Box<[AtomicU64; BUCKETS]>,
    restamped: Restamped,
}

impl Default for Numbered {
    fn default() -> Self {
        let changed = Box::new(std::array::from_fn(|_| AtomicU64::new(0)));
        Self { synced: AtomicU64::new(0), changed, restamped: Restamped::default() }
    }
}

impl Numbered {
    /// Whether a copy is known to be current: nothing was written since it
    /// was read, or nothing to a key of its bucket, or it was asked about
    /// since the last such write. `hash` is made where it is needed.
    #[inline]
    pub fn holds(
        &self,
        last: &dyn Engine,
        key: &[u8],
        stamp: Stamp,
        hash: impl Fn() -> u64,
    ) -> bool {
        let Some(version) = last.version() else { return false };
        if version == stamp.seen {
            return true;
        }
        if version != self.synced.load(Ordering::Acquire) && self.sync(last).is_err() {
            return false;
        }
        self.is_unchanged(last, key, stamp, hash)
    }

    /// The same without a read of the store, which may wait: for callers that
    /// hold a lock. False also where such a read would tell.
    #[inline]
    pub fn holds_without_asking(
        &self,
        last: &dyn Engine,
        key: &[u8],
        stamp: Stamp,
        hash: impl Fn() -> u64,
    ) -> bool {
        let Some(version) = last.version() else { return false };
        version == stamp.seen
            || (version == self.synced.load(Ordering::Acquire)
                && self.is_unchanged(last, key, stamp, hash))
    }

    fn is_unchanged(
        &self,
        last: &dyn Engine,
        key: &[u8],
        stamp: Stamp,
        hash: impl Fn() -> u64,
    ) -> bool {
        let changed = self.changed[last.bucket(key)].load(Ordering::Relaxed);
        changed <= stamp.seen || self.restamped.has(hash(), stamp.sequence, changed)
    }

    /// Reads the change table. Where the snapshot is older than the version
    /// that was looked at, that write was not acknowledged to anybody yet.
    #[cold]
    fn sync(&self, last: &dyn Engine) -> Result<()> {
        let (table, version) = last.changes()?;
        for (known, changed) in self.changed.iter().zip(table) {
            // Another thread may have read a later table: the larger wins, so
            // that no copy passes for newer than it is.
            known.fetch_max(changed, Ordering::Relaxed);
        }
        self.synced.fetch_max(version, Ordering::Release);
        Ok(())
    }

    /// Asks whether a copy is current, and notes that it is.
    pub fn ask(&self, last: &dyn Engine, key: &[u8], stamp: Stamp, hash: u64) -> Result<bool> {
        let changed = self.changed[last.bucket(key)].load(Ordering::Relaxed);
        let Identity { sequence, version } = last.identity(key)?;
        if sequence != Some(stamp.sequence) {
            return Ok(false);
        }
        // A later write of the bucket than this one has another number.
        if changed <= version {
            self.restamped.set(hash, stamp.sequence, changed);
        }
        Ok(true)
    }
}
