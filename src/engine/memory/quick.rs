//! Gets without detours, straight from the facade.

use super::Memory;
use super::entry::NEVER;
use super::shard::hash_of;
use crate::clock;
use crate::counted::{Counted, packs};
use crate::solo;
use std::sync::atomic::Ordering;

impl Memory {
    /// A get without detours, which counts what it answers in its own
    /// statistics, since it holds the lock. `None` asks to call `get` instead.
    #[inline(always)]
    pub fn quick_get(&self, key: &[u8]) -> Option<Option<Counted>> {
        // Calls come first, while few registers are in use.
        let hash = hash_of(&self.hasher, key);
        let timed = self.timed.load(Ordering::Relaxed);
        let now = if timed { clock::monotonic_ms() } else { NEVER - 1 };
        if solo::alone() {
            self.quickly::<true>(hash, key, now)
        } else {
            self.quickly::<false>(hash, key, now)
        }
    }

    /// Every instruction counts: with few enough of them the processor waits
    /// for the entries of several calls at once. So what is not plain is left
    /// to `get`, and nothing is called, which would spill the registers.
    #[inline(never)]
    fn quickly<const ALONE: bool>(
        &self,
        hash: u64,
        key: &[u8],
        now: u64,
    ) -> Option<Option<Counted>> {
        let mut shard = self.shards.get(self.shard_of(hash))?.calm::<ALONE>()?;
        let Some(entry) = shard.quick_find::<ALONE>(hash, key) else {
            if !packs(key) {
                return None;
            }
            shard.gets_missed += 1;
            return Some(None);
        };
        let (slot, value) = (entry.slot(), entry.quick_share(now, ALONE)?);
        if !shard.note(slot) {
            return None;
        }
        shard.gets_hit += 1;
        Some(Some(value))
    }
}
