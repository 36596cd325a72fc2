//! Gets without detours, straight from the facade. Every instruction counts:
//! with few enough of them the processor waits for the entries of several calls
//! at once. They count what they answer in the shard.

use super::Memory;
use super::entry::NEVER;
use super::shard::{hash_of, hash_of_short};
use crate::base::clock;
use crate::mem::counted::{Counted, ShortKey, packs};
use crate::mem::solo;
use std::sync::atomic::Ordering;

/// The time for those who have no clock: before the end of what never ends.
const ANY_TIME: u64 = NEVER - 1;

impl Memory {
    /// A hit on a short key, with a value of at most `most` bytes: `take` gets
    /// the counted copy, the value, and whether this thread is alone. `None`
    /// asks to call [`Self::quickly`], which answers the rest.
    ///
    /// With `PLAIN` the thread is alone and entries do not end, or it is
    /// `None`: then nothing is called and nothing locked.
    ///
    /// # Safety
    /// `take` does not panic, call this cache or start a thread: the lock may
    /// not be held.
    #[inline(always)]
    #[expect(unsafe_code, reason = "a lock that is not taken")]
    pub(crate) unsafe fn hit<const PLAIN: bool, T>(
        &self,
        key: ShortKey,
        most: usize,
        take: impl FnOnce(&Counted, &[u8], bool) -> T,
    ) -> Option<T> {
        let (alone, timed) = (solo::alone(), self.timed.load(Ordering::Relaxed));
        if PLAIN && (timed || !alone) {
            return None;
        }
        let now = if timed { clock::boot_ms() } else { ANY_TIME };
        let hash = hash_of_short(&self.hasher, key);
        let lock = self.shards.get(self.shard_of(hash))?;
        if PLAIN || alone {
            // SAFETY: alone, and nothing is called but `take`.
            let shard = unsafe { lock.alone() }?;
            let (copy, value) = shard.get_at_once(hash, key, now, most)?;
            return Some(take(copy, value, true));
        }
        let mut shard = lock.calm::<false>()?;
        let (copy, value) = shard.get_at_once(hash, key, now, most)?;
        Some(take(copy, value, false))
    }

    /// The same, to keep.
    #[inline]
    #[expect(unsafe_code, reason = "counting calls nothing")]
    fn share(&self, key: &[u8]) -> Option<Counted> {
        let key = ShortKey::new(key)?;
        // SAFETY: it counts.
        unsafe { self.hit::<false, _>(key, usize::MAX, |copy, _, alone| copy.share_once(alone)) }
    }

    /// A get without detours. `None` asks to call `get` instead.
    pub fn quick_get(&self, key: &[u8]) -> Option<Option<Counted>> {
        match self.share(key) {
            Some(copy) => Some(Some(copy)),
            None => self.quickly(key),
        }
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
        let now = if timed { clock::boot_ms() } else { ANY_TIME };
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
