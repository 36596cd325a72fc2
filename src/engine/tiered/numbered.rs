//! Coherence over a store that numbers its writes and tells which keys the last
//! ones changed, and for buckets of keys which write was the last to change one.

use super::stamp::{Restamped, Stamp};
use crate::base::error::Result;
use crate::engine::{BUCKETS, Engine, Identity, Place};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many hashes of keys are told apart.
const SLOTS: usize = 1 << 14;

/// What is known of the store. The `seen` of a stamp is the version of the
/// snapshot that the copy was read from.
pub struct Numbered {
    /// As of which version the rest is known.
    synced: AtomicU64,
    /// The last change of a key with such a hash, where the store listed it.
    keys: Box<[AtomicU64; SLOTS]>,
    /// That of a bucket, where there were more changes than it lists.
    buckets: Box<[AtomicU64; BUCKETS]>,
    restamped: Restamped,
}

impl Numbered {
    /// For a first tier of so many copies; 0 for one whose bound is another.
    pub fn for_copies(copies: u64) -> Self {
        Self {
            synced: AtomicU64::new(0),
            keys: Box::new([const { AtomicU64::new(0) }; SLOTS]),
            buckets: Box::new([const { AtomicU64::new(0) }; BUCKETS]),
            restamped: Restamped::for_copies(copies),
        }
    }

    /// Whether a copy is known to be current: nothing was written since it
    /// was read, or nothing to its key as far as that can be told, or it was
    /// asked about since the last such write. `hash` is made where it is needed.
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
        let changed = self.changed(last.place(key));
        changed <= stamp.seen || self.restamped.has(hash(), stamp.sequence, changed)
    }

    /// The last write that may have changed a key.
    #[inline]
    fn changed(&self, place: Place) -> u64 {
        let key = self.keys[place.hash as usize % SLOTS].load(Ordering::Relaxed);
        key.max(self.buckets[place.bucket].load(Ordering::Relaxed))
    }

    /// Reads the change table. Where the snapshot is older than the version
    /// that was looked at, that write was not acknowledged to anybody yet.
    #[cold]
    fn sync(&self, last: &dyn Engine) -> Result<()> {
        let before = self.synced.load(Ordering::Acquire);
        let told = last.changes()?;
        // Another thread may have read a later table: the larger wins, so that
        // no copy passes for newer than it is.
        let fresh = |changed: &u64| *changed > before;
        if told.recent_since <= before {
            for (changed, hash) in told.recent.iter().filter(|(changed, _)| fresh(changed)) {
                self.keys[*hash as usize % SLOTS].fetch_max(*changed, Ordering::Relaxed);
            }
        } else {
            for (known, changed) in self.buckets.iter().zip(&told.buckets).filter(|(_, c)| fresh(c))
            {
                known.fetch_max(*changed, Ordering::Relaxed);
            }
        }
        self.synced.fetch_max(told.version, Ordering::Release);
        Ok(())
    }

    /// Asks whether a copy is current, and notes that it is.
    pub fn ask(&self, last: &dyn Engine, key: &[u8], stamp: Stamp, hash: u64) -> Result<bool> {
        let changed = self.changed(last.place(key));
        let Identity { sequence, version } = last.identity(key)?;
        if sequence != Some(stamp.sequence) {
            return Ok(false);
        }
        // A later write than this one has another number.
        if changed <= version {
            self.restamped.set(hash, stamp.sequence, changed);
        }
        Ok(true)
    }
}
