//! Putting entries in, and making room for them.

use super::Memory;
use super::budget::Budget;
use super::entry::{self, Extra, deadline, weight};
use super::shard::{Garbage, Shard, Why, hash_of};
use crate::counted::packs;
use crate::engine::{Engine as _, Put, Stored};
use crate::error::{Code, Error, Result};
use crate::policy::Policy as _;
use crate::solo;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering;

/// Slots that a writer looks at for what is expired.
const SWEPT_BY_A_WRITER: u32 = 8;
/// Rounds in which other threads hold all the room there is, before giving up.
const FRUITLESS_ROUNDS: u32 = 10_000;

/// What is to be stored: an entry, or what one is made of when room was made,
/// perhaps of what left for it.
pub(super) struct New<'a> {
    key: &'a [u8],
    value: &'a [u8],
    deadline: u64,
    cost: u64,
    made: Option<entry::Entry>,
}

impl New<'_> {
    /// The entry. (To be asked for once: an entry of something aside is gone then.)
    fn take(&mut self, garbage: &mut Garbage) -> entry::Entry {
        let made = self.made.take();
        made.or_else(|| garbage.refilled(self.key, self.value, self.deadline))
            .unwrap_or_else(|| entry::Entry::of(self.key, self.value, self.deadline))
    }
}

/// What became of an attempt under the lock of one shard.
pub(super) enum Attempt<T> {
    Done(T),
    /// There is no room, and nothing in this shard that could leave.
    Elsewhere,
}

impl Memory {
    /// Evicts one entry of a shard; false where nothing leaves.
    pub(super) fn evict(&self, shard: &mut Shard, garbage: &mut Garbage) -> bool {
        let evicted = self.take_over(shard, garbage);
        if evicted {
            self.entries.release(1);
        }
        evicted
    }

    /// The same, but its place is kept for another: to give it back and to
    /// reserve one would be two locked instructions.
    pub(super) fn take_over(&self, shard: &mut Shard, garbage: &mut Garbage) -> bool {
        let victim = shard.policy().victim();
        let Some((entry, cost)) = victim.and_then(|slot| shard.remove(slot, Why::Evicted)) else {
            return false;
        };
        self.bytes.release(cost);
        garbage.push(entry);
        true
    }

    /// Runs `attempt` under the lock of the key's shard, with the slot of its
    /// live entry, until room for it was made.
    pub(super) fn write<T>(
        &self,
        hash: u64,
        key: &[u8],
        mut attempt: impl FnMut(&mut Shard, Option<u32>, &mut Garbage) -> Result<Attempt<T>>,
    ) -> Result<T> {
        let number = self.shard_of(hash);
        let mut garbage = Garbage::default();
        for _ in 0..FRUITLESS_ROUNDS {
            let mut shard = self.shards[number].lock()?;
            if shard.may_hold_dead(self.tags.generation()) {
                self.sweep(&mut shard, SWEPT_BY_A_WRITER, &mut garbage);
            }
            let found = shard.find(hash, key).map(|entry| (entry.slot(), entry.is_live()));
            let slot = match found {
                Some((dead, false)) => {
                    self.discard(&mut shard, dead, Why::Expired, &mut garbage);
                    None
                }
                live => live.map(|(slot, _)| slot),
            };
            if let Attempt::Done(done) = attempt(&mut shard, slot, &mut garbage)? {
                drop(shard);
                return Ok(done);
            }
            drop(shard);
            garbage.empty();
            self.make_room_elsewhere(number, &mut garbage)?;
            garbage.empty();
        }
        Err(self.full())
    }

    /// Lets something leave a shard other than this one.
    pub(super) fn make_room_elsewhere(&self, number: usize, garbage: &mut Garbage) -> Result<()> {
        if self.refuses {
            return if self.expire()? > 0 { Ok(()) } else { Err(self.full()) };
        }
        for step in 1..self.shards.len() {
            let other = &self.shards[(number + step) & (self.shards.len() - 1)];
            if self.evict(&mut *other.lock()?, garbage) {
                return Ok(());
            }
        }
        // Other threads have reserved the room, and are about to fill it.
        std::thread::yield_now();
        Ok(())
    }

    #[cold]
    pub(super) fn full(&self) -> Error {
        let most = |budget: &Budget| budget.most().map_or("any".into(), |most| most.to_string());
        Error::new(
            Code::Full,
            format!(
                "the cache is full and evicts nothing: max_entries {}, max_bytes {}",
                most(&self.entries),
                most(&self.bytes)
            ),
        )
    }

    /// When something that lives so long ends. Called before the entry is
    /// where others find it, so that they know that there are ends.
    pub(super) fn deadline(&self, ttl: Option<NonZeroU64>) -> u64 {
        if ttl.is_some() && !self.timed.load(Ordering::Relaxed) {
            self.timed.store(true, Ordering::Relaxed);
        }
        deadline(ttl)
    }

    /// Makes an entry, or refuses what can never fit. While others may wait for
    /// the lock, memory is asked for before it is taken.
    pub(super) fn prepare<'a>(
        &self,
        key: &'a [u8],
        value: &'a [u8],
        put: &Put<'_>,
    ) -> Result<New<'a>> {
        let cost = weight(key.len(), value.len(), put.cost);
        check_cost(self.bytes.most(), cost, key, value)?;
        let deadline = self.deadline(put.ttl);
        let made = if !put.tags.is_empty() || put.cost != 0 || !packs(key) {
            let extra = Extra { cost: put.cost, marks: self.tags.marks(put.tags)?, key: None };
            Some(entry::Entry::new(key, value, deadline, extra))
        } else {
            (!solo::alone()).then(|| entry::Entry::of(key, value, deadline))
        };
        Ok(New { key, value, deadline, cost, made })
    }

    /// An entry with another value, and all else as it is.
    pub(super) fn with_value<'a>(&self, entry: &entry::Entry, value: &'a [u8]) -> Result<New<'a>> {
        let made = entry.with_value(value);
        let (cost, deadline) = (made.cost(), made.deadline());
        check_cost(self.bytes.most(), cost, made.key(), value)?;
        Ok(New { key: b"", value, deadline, cost, made: Some(made) })
    }

    /// Adds an entry whose key is not in the shard.
    pub(super) fn insert(
        &self,
        shard: &mut Shard,
        hash: u64,
        new: &mut New<'_>,
        garbage: &mut Garbage,
    ) -> Result<Attempt<()>> {
        let cost = new.cost;
        shard.policy().announce(hash);
        if !self.entries.reserve(1) && !self.take_over(shard, garbage) {
            return Ok(Attempt::Elsewhere);
        }
        while !self.bytes.reserve(cost) {
            if !self.evict(shard, garbage) {
                self.entries.release(1);
                return Ok(Attempt::Elsewhere);
            }
        }
        if !shard.has_room() {
            self.entries.release(1);
            self.bytes.release(cost);
            return Err(Error::new(Code::Full, "a shard holds 2^32 entries already"));
        }
        shard.insert(hash, new.take(garbage), cost);
        Ok(Attempt::Done(()))
    }

    /// Stores a value; `stored` is told of the shard when that is done.
    #[inline]
    pub(super) fn store(
        &self,
        key: &[u8],
        value: &[u8],
        put: &Put<'_>,
        stored: impl Fn(&mut Shard),
    ) -> Result<Stored> {
        let hash = hash_of(&self.hasher, key);
        let mut new = self.prepare(key, value, put)?;
        self.write(hash, key, |shard, slot, garbage| {
            let attempt = match slot {
                Some(_) if put.add => return Ok(Attempt::Done(Stored::Exists)),
                Some(slot) => self.replace(shard, (hash, slot), &mut new, garbage),
                None => self.insert(shard, hash, &mut new, garbage)?,
            };
            Ok(match attempt {
                Attempt::Done(()) => {
                    stored(shard);
                    Attempt::Done(Stored::Stored)
                }
                Attempt::Elsewhere => Attempt::Elsewhere,
            })
        })
    }

    /// A put without options, which counts itself.
    pub fn set(&self, key: &[u8], value: &[u8], ttl: Option<NonZeroU64>) -> Result<()> {
        let put = Put { ttl, ..Put::default() };
        self.store(key, value, &put, |shard| shard.sets += 1).map(drop)
    }

    /// Replaces the value of a live entry, which keeps its slot (so that a
    /// scan meets it once) and whose turn comes as after a hit.
    pub(super) fn replace(
        &self,
        shard: &mut Shard,
        (hash, slot): (u64, u32),
        new: &mut New<'_>,
        garbage: &mut Garbage,
    ) -> Attempt<()> {
        let old = shard.get(slot).map(entry::Entry::cost);
        let (Some(old), cost) = (old, new.cost) else { return Attempt::Done(()) };
        // While others make room for it, the entry itself may be named.
        let mut named = false;
        while cost > old && !self.bytes.reserve(cost - old) {
            match shard.policy().victim() {
                Some(victim) if victim == slot => named = true,
                Some(victim) => {
                    self.discard(shard, victim, Why::Evicted, garbage);
                }
                None => {
                    if named {
                        shard.policy().insert(slot, hash, old);
                    }
                    return Attempt::Elsewhere;
                }
            }
        }
        self.bytes.release(old.saturating_sub(cost));
        if named {
            shard.policy().insert(slot, hash, cost);
        } else {
            shard.policy().resize(slot, cost);
            shard.hit(slot);
        }
        shard.bytes = shard.bytes.saturating_sub(old).saturating_add(cost);
        let new = new.take(garbage);
        garbage.push(shard.swap(slot, new));
        Attempt::Done(())
    }
}

/// Refuses what can never fit.
pub(super) fn check_cost(most: Option<u64>, cost: u64, key: &[u8], value: &[u8]) -> Result<()> {
    let Some(most) = most.filter(|most| cost > *most) else { return Ok(()) };
    let (key, value) = (key.len(), value.len());
    Err(Error::new(
        Code::TooLarge,
        format!(
            "value: expected an entry of at most max_bytes {most}, \
             found: {cost} (key {key}, value {value})"
        ),
    ))
}
