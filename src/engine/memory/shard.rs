//! One shard: an index from keys to entries, their slots, and their order. All
//! of it lies under one lock, which the engine holds.

use super::entry::{Entry, NEVER};
use super::index::{Index, MOVED_BY_HITS};
use super::slots::Slots;
use crate::base::clock;
use crate::mem::counted::{Counted, ShortKey};
use crate::policy::{AnyPolicy, Policy};
use std::hash::{BuildHasher, Hasher as _};

/// Hashes keys; seeded at random in each process.
pub(super) type Hasher = foldhash::fast::RandomState;

#[inline]
pub(super) fn hash_of(hasher: &Hasher, key: &[u8]) -> u64 {
    if let Some(short) = ShortKey::new(key) {
        return hash_of_short(hasher, short);
    }
    let mut state = hasher.build_hasher();
    state.write(key);
    state.finish()
}

/// The same of a short key, in a few instructions.
#[inline(always)]
pub(super) fn hash_of_short(hasher: &Hasher, key: ShortKey) -> u64 {
    let mut state = hasher.build_hasher();
    state.write_u64(key.first);
    state.write_u64(key.last.wrapping_add(key.len as u64));
    state.finish()
}

/// Entries on their way out: dropped when the lock is not held any more.
#[derive(Default)]
pub(super) struct Garbage {
    first: Option<Entry>,
    more: Vec<Entry>,
}

impl Garbage {
    pub(super) fn push(&mut self, entry: Entry) {
        match &self.first {
            None => self.first = Some(entry),
            Some(_) => self.more.push(entry),
        }
    }

    /// An entry made of what is on its way out, where that may be: its memory
    /// is at hand, and to give it back and to ask for other is work.
    pub(super) fn refilled(&mut self, key: &[u8], value: &[u8], deadline: u64) -> Option<Entry> {
        self.first.take_if(|entry| entry.refill(key, value, deadline))
    }

    pub(super) fn empty(&mut self) {
        *self = Self::default();
    }
}

/// Why an entry leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Deleted,
    /// Its time is over, or one of its tags was invalidated.
    Expired,
    Evicted,
}

/// How far the walk in search of expired and invalidated entries has come.
#[derive(Default)]
struct Sweep {
    next: u32,
    /// The earliest deadline met in this round.
    earliest: u64,
    /// The generation of tags this round began under.
    tags: u64,
}

/// Hits that are noted before the policy is told of them.
const HITS: usize = 128;

/// What a hit changes comes first, on the cache line of the lock: whoever had
/// the shard before may have been on another core, and each line that it wrote
/// must come from there.
#[repr(C)]
pub(super) struct Shard {
    noted: u32,
    index: Index<Entry>,
    /// Gets that were answered in the quick way, which counts them here.
    pub(super) gets_hit: u64,
    pub(super) gets_missed: u64,
    /// Slots that were hit, in order. A policy moves things that lie far
    /// apart; done in a row, what it waits for overlaps. It is told before it
    /// is asked or told anything else, so its order is exact.
    hits: [u32; HITS],
    slots: Slots,
    policy: AnyPolicy,
    /// As `gets_hit`, for sets.
    pub(super) sets: u64,
    pub(super) bytes: u64,
    pub(super) evictions: u64,
    pub(super) expirations: u64,
    /// No deadline lies before this one.
    earliest: u64,
    /// Every invalidation up to this generation is swept.
    tags_swept: u64,
    sweep: Sweep,
}

impl Shard {
    pub(super) fn new(policy: AnyPolicy) -> Self {
        Self {
            index: Index::default(),
            slots: Slots::default(),
            policy,
            hits: [0; HITS],
            noted: 0,
            gets_hit: 0,
            gets_missed: 0,
            sets: 0,
            bytes: 0,
            evictions: 0,
            expirations: 0,
            earliest: NEVER,
            tags_swept: 0,
            sweep: Sweep { earliest: NEVER, ..Sweep::default() },
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<&Entry> {
        self.index.find(hash, |entry| entry.has_key(key))
    }

    /// A hit of the plainest kind, noted and counted, on a value of at most
    /// `most` bytes; see `Memory::hit`.
    #[inline(always)]
    pub(super) fn get_at_once(
        &mut self,
        hash: u64,
        key: ShortKey,
        now: u64,
        most: usize,
    ) -> Option<(&Counted, &[u8])> {
        let note = self.hits.get_mut(self.noted as usize)?;
        let entry = self.index.likeliest(hash)?;
        let (copy, value) = entry.plain_of(key, now)?;
        if value.len() > most || !copy.is_counted() {
            return None;
        }
        *note = entry.slot();
        self.noted += 1;
        self.gets_hit += 1;
        Some((copy, value))
    }

    /// Whether no more hits can be noted before the policy is told.
    pub(super) fn is_full_of_notes(&self) -> bool {
        self.noted as usize == HITS
    }

    /// The entry in a slot.
    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        let place = self.slots.get(slot)?;
        self.index.find(place.hash, |entry| place.is_of(entry))
    }

    /// One past the last slot in use.
    pub(super) fn end(&self) -> u32 {
        self.slots.end()
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.has_room()
    }

    /// Notes a hit for the policy.
    pub(super) fn hit(&mut self, slot: u32) {
        if !self.note(slot) {
            self.tell_hits();
            self.note(slot);
        }
    }

    /// A get without detours, of a key that lies in front of its value, where
    /// it is there. `None` asks to come another way.
    #[inline(always)]
    pub(super) fn quick_get(
        &mut self,
        hash: u64,
        key: &[u8],
        now: u64,
        alone: bool,
    ) -> Option<Option<Counted>> {
        let note = self.hits.get_mut(self.noted as usize)?;
        let Some(entry) = self.index.find(hash, |entry| entry.has_packed_key(key)) else {
            self.gets_missed += 1;
            return Some(None);
        };
        let shared = entry.plain(now)?.share(alone);
        *note = entry.slot();
        self.noted += 1;
        self.gets_hit += 1;
        Some(Some(shared))
    }

    /// The same where there is room for it.
    fn note(&mut self, slot: u32) -> bool {
        let Some(place) = self.hits.get_mut(self.noted as usize) else { return false };
        *place = slot;
        self.noted += 1;
        true
    }

    #[inline(never)]
    fn tell_hits(&mut self) {
        self.policy.hits(&self.hits[..std::mem::take(&mut self.noted) as usize]);
        if self.index.is_growing() {
            self.index.move_some(MOVED_BY_HITS, &|entry| self.slots.hash(entry.slot()));
        }
    }

    /// The policy, which knows of every hit.
    #[inline]
    pub(super) fn policy(&mut self) -> &mut AnyPolicy {
        if self.noted > 0 {
            self.tell_hits();
        }
        &mut self.policy
    }

    /// Adds an entry whose key is not there; there is a slot for it.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry, cost: u64) {
        self.bytes = self.bytes.saturating_add(cost);
        self.note_deadline(entry.deadline());
        let slot = self.slots.insert(hash, &entry);
        self.policy().insert(slot, hash, cost);
        self.index.insert(hash, entry, |entry| self.slots.hash(entry.slot()));
    }

    /// Puts another entry of the same key into a slot; what was there.
    pub(super) fn swap(&mut self, slot: u32, mut new: Entry) -> Entry {
        self.note_deadline(new.deadline());
        let Some(place) = self.slots.get(slot) else { return new };
        if let Some(entry) = self.index.find_mut(place.hash, |entry| place.is_of(entry)) {
            std::mem::swap(entry, &mut new);
            self.slots.swap(slot, entry);
        }
        new
    }

    /// Takes out an entry; its place and what it weighed, which is told too,
    /// are the caller's to give back.
    pub(super) fn remove(&mut self, slot: u32, why: Why) -> Option<(Entry, u64)> {
        let place = self.slots.take(slot)?;
        if why == Why::Evicted {
            self.prefetch_victims();
        }
        let entry = self.index.remove(place.hash, |entry| place.is_of(entry))?;
        let cost = entry.cost();
        self.bytes = self.bytes.saturating_sub(cost);
        match why {
            Why::Deleted => self.policy().remove(slot),
            Why::Expired => {
                self.policy().remove(slot);
                self.expirations += 1;
            }
            // The policy named it, and forgot it with that.
            Why::Evicted => self.evictions += 1,
        }
        Some((entry, cost))
    }

    /// The entries that leave next were touched long ago: who evicts them is not
    /// to wait for them to come from afar, nor for the way there.
    fn prefetch_victims(&self) {
        let [next, second] = self.policy.next_victims();
        if let Some(place) = next.and_then(|slot| self.slots.get(slot)) {
            place.prefetch();
            self.index.prefetch(place.hash);
        }
        if let Some(slot) = second {
            self.slots.prefetch(slot);
        }
    }

    /// Takes out everything.
    pub(super) fn clear(&mut self) -> impl Sized + use<> {
        self.slots = Slots::default();
        self.noted = 0;
        self.policy.clear();
        self.bytes = 0;
        self.earliest = NEVER;
        self.sweep = Sweep { earliest: NEVER, ..Sweep::default() };
        std::mem::take(&mut self.index)
    }

    /// A deadline is set.
    pub(super) fn note_deadline(&mut self, deadline: u64) {
        self.earliest = self.earliest.min(deadline);
        self.sweep.earliest = self.sweep.earliest.min(deadline);
    }

    /// Whether there may be entries that are not served any more.
    #[inline]
    pub(super) fn may_hold_dead(&self, tags: u64) -> bool {
        self.tags_swept != tags || (self.earliest != NEVER && self.earliest <= clock::boot_ms())
    }

    /// Looks at the next `most` slots for one to remove; `None` at the end of
    /// the round. Call it again until then, or come back later.
    pub(super) fn next_dead(&mut self, most: &mut u32, tags: u64) -> Option<u32> {
        if self.sweep.next == 0 {
            self.sweep.tags = tags;
        }
        while *most > 0 && self.sweep.next < self.slots.end() {
            let slot = self.sweep.next;
            self.sweep.next += 1;
            *most -= 1;
            match self.get(slot) {
                Some(entry) if !entry.is_live() => return Some(slot),
                Some(entry) => {
                    let deadline = entry.deadline();
                    self.sweep.earliest = self.sweep.earliest.min(deadline);
                }
                None => {}
            }
        }
        if self.sweep.next >= self.slots.end() {
            self.earliest = self.sweep.earliest;
            self.tags_swept = self.sweep.tags;
            self.sweep = Sweep { earliest: NEVER, ..Sweep::default() };
        }
        None
    }

    /// Whether the next call of [`Self::next_dead`] begins a round.
    pub(super) fn is_between_rounds(&self) -> bool {
        self.sweep.next == 0
    }

    /// The next round begins at the first slot.
    pub(super) fn restart_sweep(&mut self) {
        self.sweep = Sweep { earliest: NEVER, ..Sweep::default() };
    }
}
