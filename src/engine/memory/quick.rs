//! Gets without detours, straight from the facade. Every instruction counts:
//! with few enough of them the processor waits for the entries of several calls
//! at once. They count what they answer in the shard.

use super::Memory;
use super::entry::NEVER;
use super::shard::{hash_of, hash_of_short};
use crate::clock;
use crate::counted::{Counted, ShortKey, packs};
use crate::solo;
use std::sync::atomic::Ordering;

/// The time for those who have no clock: before the end of what never ends.
const ANY_TIME: u64 = NEVER - 1;

impl Memory {
    /// Whether the plainest gets may be tried, and if so whether they need the
    /// time: `None` while there are other threads.
    #[inline(always)]
    pub(crate) fn is_timed_alone(&self) -> Option<bool> {
        solo::alone().then(|| self.timed.load(Ordering::Relaxed))
    }

    /// The plainest of all gets: a hit on a short key, with a value of at most
    /// `most` bytes, while this thread is alone. Nothing is locked, and nothing
    /// is called but for the time. `None` asks to call [`Self::quickly`].
    ///
    /// # Safety
    /// [`Self::is_timed_alone`] says `timed`, and what is answered is not used
    /// after the next call of this cache.
    #[inline(always)]
    #[expect(unsafe_code, reason = "a lock that is not taken")]
    pub(crate) unsafe fn get_at_once(
        &self,
        key: ShortKey,
        timed: bool,
        most: usize,
    ) -> Option<(&Counted, &[u8])> {
        let now = if timed { clock::monotonic_ms() } else { ANY_TIME };
        let hash = hash_of_short(&self.hasher, key);
        // SAFETY: alone, and what takes the lock comes after the last use.
        let shard = unsafe { self.shards.get(self.shard_of(hash))?.alone() }?;
        shard.get_at_once(hash, key, now, most)
    }

    /// A get without detours. `None` asks to call `get` instead.
    #[inline]
    pub fn quick_get(&self, key: &[u8]) -> Option<Option<Counted>> {
        match self.share_at_once(key) {
            Some(copy) => Some(Some(copy)),
            None => self.quickly(key),
        }
    }

    /// [`Self::get_at_once`], to keep.
    #[inline(always)]
    #[expect(unsafe_code, reason = "a short use")]
    pub(crate) fn share_at_once(&self, key: &[u8]) -> Option<Counted> {
        let (key, timed) = (ShortKey::new(key)?, self.is_timed_alone()?);
        // SAFETY: asked just now, and no call of the cache follows.
        unsafe { self.get_at_once(key, timed, usize::MAX) }.map(|(copy, _)| copy.share_at_once())
    }

    /// [`Self::quick_get`] for keys of any length that lies in front of a
    /// value, for misses too, and for many threads.
    #[inline(never)]
    pub(crate) fn quickly(&self, key: &[u8]) -> Option<Option<Counted>> {
        if !packs(key) {
            return None;
        }
        let hash = hash_of(&self.hasher, key);
        let timed = self.timed.load(Ordering::Relaxed);
        let now = if timed { clock::monotonic_ms() } else { ANY_TIME };
        let shard = self.shards.get(self.shard_of(hash))?;
        let found = if solo::alone() {
            shard.calm::<true>()?.quick_get(hash, key, now, true)
        } else {
            shard.calm::<false>()?.quick_get(hash, key, now, false)
        };
        found.or_else(|| self.after_telling(hash, key, now))
    }

    /// The same once more, where it was in vain because the policy had not been
    /// told of hits for long.
    #[cold]
    fn after_telling(&self, hash: u64, key: &[u8], now: u64) -> Option<Option<Counted>> {
        let mut shard = self.shards.get(self.shard_of(hash))?.lock().ok()?;
        if !shard.is_full_of_notes() {
            return None;
        }
        shard.policy();
        shard.quick_get(hash, key, now, solo::alone())
    }
}
