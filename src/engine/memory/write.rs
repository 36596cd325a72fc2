//! Putting entries in, and making room for them.

use super::Memory;
use super::budget::Budget;
use super::entry::{self, Extra, deadline, weight};
use super::shard::{Garbage, Shard, Why, hash_of};
use crate::base::error::{Code, Error, Result};
use crate::engine::{Engine as _, Put, Stored};
use crate::mem::counted::packs;
use crate::mem::solo;
use crate::policy::Policy as _;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Slots that a writer looks at for what is expired.
const SWEPT_BY_A_WRITER: u32 = 8;
/// Rounds in which other threads take all the room that was made, before this one rests
/// between two of them: those that hold it may be waiting for its processor.
const RESTLESS_ROUNDS: u32 = 20;
const REST: Duration = Duration::from_micros(500);
/// How long a write tries, all in all.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// There is no room, and nothing within reach that could leave.
    NoRoom(Needed),
}

/// What there is no room for.
#[derive(Clone, Copy)]
pub(super) struct Needed {
    entries: u64,
    bytes: u64,
}

impl Memory {
    /// Evicts one entry of a shard; false where nothing leaves.
    fn evict(&self, shard: &mut Shard, garbage: &mut Garbage) -> bool {
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
        let mut rounds = Rounds::default();
        loop {
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
            let needed = match attempt(&mut shard, slot, &mut garbage)? {
                Attempt::Done(done) => {
                    drop(shard);
                    return Ok(done);
                }
                Attempt::NoRoom(needed) => needed,
            };
            drop(shard);
            garbage.empty();
            self.wait_for_room(number, needed, &mut garbage)?;
            garbage.empty();
            rounds.next()?;
        }
    }

    /// Takes over what leaves another shard, without waiting for one: the lock of this
    /// shard is held. Its place is kept.
    fn take_over_elsewhere(&self, hash: u64, garbage: &mut Garbage) -> bool {
        let number = self.shard_of(hash);
        (1..self.shards.len()).any(|step| {
            let other = &self.shards[(number + step) & (self.shards.len() - 1)];
            other.try_lock().is_some_and(|mut other| self.take_over(&mut other, garbage))
        })
    }

    /// Lets something leave any shard; false where nothing could.
    fn evict_anywhere(&self, shard: &mut Shard, hash: u64, garbage: &mut Garbage) -> bool {
        let evicted = self.take_over(shard, garbage) || self.take_over_elsewhere(hash, garbage);
        if evicted {
            self.entries.release(1);
        }
        evicted
    }

    /// What could leave is in shards that other threads have locked, or they have
    /// reserved the room that they are about to fill, or to give back. Waits for them.
    #[cold]
    fn wait_for_room(&self, number: usize, needed: Needed, garbage: &mut Garbage) -> Result<()> {
        if self.refuses && self.expire()? > 0 {
            return Ok(());
        }
        let (mut entries, mut bytes) = (0_u64, 0_u64);
        for step in 1..=self.shards.len() {
            let mut other = self.shards[(number + step) & (self.shards.len() - 1)].lock()?;
            if !self.refuses && self.evict(&mut other, garbage) {
                return Ok(());
            }
            entries += other.len() as u64;
            bytes = bytes.saturating_add(other.bytes);
        }
        let over = |budget: &Budget, sum: u64, needed: u64| {
            budget.most().is_some_and(|most| sum.checked_add(needed).is_none_or(|sum| sum > most))
        };
        if self.refuses
            && (over(&self.entries, entries, needed.entries)
                || over(&self.bytes, bytes, needed.bytes))
        {
            return Err(self.full());
        }
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
        let no_room = Ok(Attempt::NoRoom(Needed { entries: 1, bytes: cost }));
        if !self.entries.reserve(1)
            && !self.take_over(shard, garbage)
            && !self.take_over_elsewhere(hash, garbage)
        {
            return no_room;
        }
        while !self.bytes.reserve(cost) {
            if !self.evict_anywhere(shard, hash, garbage) {
                self.entries.release(1);
                return no_room;
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
                Attempt::NoRoom(needed) => Attempt::NoRoom(needed),
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
                None if self.take_over_elsewhere(hash, garbage) => self.entries.release(1),
                None => {
                    if named {
                        shard.policy().insert(slot, hash, old);
                    }
                    return Attempt::NoRoom(Needed { entries: 0, bytes: cost - old });
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

/// Rounds in which there was no room.
#[derive(Default)]
struct Rounds {
    n: u32,
    begun: Option<Instant>,
}

impl Rounds {
    /// Whether there may be another one.
    #[cold]
    fn next(&mut self) -> Result<()> {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        self.n += 1;
        if self.n > RESTLESS_ROUNDS {
            // A yield would not do: it lets no thread of a lower priority run.
            std::thread::sleep(REST);
        }
        if begun.elapsed() < PATIENCE {
            return Ok(());
        }
        let text = "set: expected room after an eviction, got none within 10 seconds: other \
                    threads took it first; try again";
        Err(Error::new(Code::Busy, text))
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
