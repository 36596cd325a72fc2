//! One shard: an index from keys to slots, the entries, and their order. All
//! of it lies under one lock, which the engine holds.

use super::entry::{Entry, NEVER};
use super::slab::Slab;
use crate::clock;
use crate::policy::{AnyPolicy, Policy};
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher as _};

/// Hashes keys; seeded at random in each process.
pub(super) type Hasher = foldhash::fast::RandomState;

#[inline]
pub(super) fn hash_of(hasher: &Hasher, key: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(key);
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

pub(super) struct Shard {
    index: HashTable<u32>,
    pub(super) slab: Slab,
    pub(super) policy: AnyPolicy,
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
            index: HashTable::new(),
            slab: Slab::default(),
            policy,
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

    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let same = |slot: &u32| self.slab.get(*slot).is_some_and(|entry| entry.key() == key);
        self.index.find(hash, same).copied()
    }

    /// Adds an entry whose key is not there; the slab has room for it.
    pub(super) fn insert(&mut self, entry: Entry) {
        let (hash, cost) = (entry.hash(), entry.cost());
        self.bytes = self.bytes.saturating_add(cost);
        self.note_deadline(entry.deadline());
        let slot = self.slab.insert(entry);
        self.policy.insert(slot, hash, cost);
        let slab = &self.slab;
        let rehash = |slot: &u32| slab.get(*slot).map_or(0, Entry::hash);
        self.index.insert_unique(hash, slot, rehash);
    }

    /// Takes out an entry; what it weighed is the caller's to give back.
    pub(super) fn remove(&mut self, slot: u32, why: Why) -> Option<Entry> {
        let entry = self.slab.take(slot)?;
        if let Ok(found) = self.index.find_entry(entry.hash(), |other| *other == slot) {
            found.remove();
        }
        self.bytes = self.bytes.saturating_sub(entry.cost());
        match why {
            Why::Deleted => self.policy.remove(slot),
            Why::Expired => {
                self.policy.remove(slot);
                self.expirations += 1;
            }
            // The policy named it, and forgot it with that.
            Why::Evicted => self.evictions += 1,
        }
        Some(entry)
    }

    /// Takes out everything.
    pub(super) fn clear(&mut self) -> Slab {
        self.index = HashTable::new();
        self.policy.clear();
        self.bytes = 0;
        self.earliest = NEVER;
        self.sweep = Sweep { earliest: NEVER, ..Sweep::default() };
        std::mem::take(&mut self.slab)
    }

    /// A deadline is set.
    pub(super) fn note_deadline(&mut self, deadline: u64) {
        self.earliest = self.earliest.min(deadline);
        self.sweep.earliest = self.sweep.earliest.min(deadline);
    }

    /// Whether there may be entries that are not served any more.
    pub(super) fn may_hold_dead(&self, tags: u64) -> bool {
        self.tags_swept != tags
            || (self.earliest != NEVER && self.earliest <= clock::monotonic_ms())
    }

    /// Looks at the next `most` slots for one to remove; `None` at the end of
    /// the round. Call it again until then, or come back later.
    pub(super) fn next_dead(&mut self, most: &mut u32, tags: u64) -> Option<u32> {
        if self.sweep.next == 0 {
            self.sweep.tags = tags;
        }
        while *most > 0 && self.sweep.next < self.slab.end() {
            let slot = self.sweep.next;
            self.sweep.next += 1;
            *most -= 1;
            match self.slab.get(slot) {
                Some(entry) if !entry.is_live() => return Some(slot),
                Some(entry) => self.sweep.earliest = self.sweep.earliest.min(entry.deadline()),
                None => {}
            }
        }
        if self.sweep.next >= self.slab.end() {
            self.earliest = self.sweep.earliest;
            self.tags_swept = self.sweep.tags;
            self.sweep = Sweep { earliest: NEVER, ..Sweep::default() };
        }
        None
    }

    /// The next round begins at the first slot.
    pub(super) fn restart_sweep(&mut self) {
        self.sweep = Sweep { earliest: NEVER, ..Sweep::default() };
    }
}
