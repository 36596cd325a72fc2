//! Entries in memory: shards of an index over slots, in the order of a policy.
//!
//! A key's hash chooses its shard, and each shard lies under one lock. Bounds
//! are over all shards: what an entry takes is reserved before it is stored.
//! Values and keys are dropped after the lock is released. Nothing runs in the
//! background: writers sweep a few slots each for what is expired.

mod budget;
mod entry;
mod index;
mod quick;
mod shard;
mod slots;
mod tags;
mod tinylfu;
mod write;

use super::counter::Counter;
use super::{Engine, Entry, Put, ScanState, Stored, words};
use crate::base::error::{Error, Result};
use crate::base::os::processors;
use crate::base::stats::EngineStats;
use crate::config::{Bounds, Config, EngineKind};
use crate::mem::lock::Lock;
use crate::mem::value::Value;
use crate::policy::{AnyPolicy, seed_of};
use budget::Budget;
use crossbeam::utils::CachePadded;
use serde_json::{Map, Value as Json};
use shard::{Garbage, Hasher, Shard, Why, hash_of};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tags::Tags;
use write::Attempt;

/// Caches up to this many entries are one shard, so that their order is exact.
const ONE_SHARD_ENTRIES: u64 = 4096;
/// The same for caches bounded by bytes alone: entries of 1 KiB.
const ONE_SHARD_BYTES: u64 = ONE_SHARD_ENTRIES << 10;
/// Slots that a scan, a count or a sweep looks at under one lock.
const SCANNED_AT_ONCE: u32 = 512;
/// Bytes of keys that a batch of a scan holds, but for its last key.
const SCANNED_BYTES: usize = 256 << 10;
/// Values up to so many bytes are read out under the lock; nobody is to wait
/// for the copying of larger ones.
pub(crate) const READ_UNDER_LOCK: usize = 16 << 10;

/// The memory engine.
pub struct Memory {
    shards: Box<[CachePadded<Lock<Shard>>]>,
    hasher: Hasher,
    entries: Budget,
    bytes: Budget,
    tags: Tags,
    /// An entry was given an end: before that nobody needs the time.
    timed: AtomicBool,
    /// Policy `none`: a full cache takes nothing new.
    refuses: bool,
}

/// The memory engine that the option `policy` asks for.
pub fn open(config: &Config) -> Result<Box<dyn Engine>> {
    if config.is_tinylfu() {
        return Ok(Box::new(tinylfu::TinyLfu::new(config)?));
    }
    Ok(Box::new(Memory::new(config)?))
}

impl Memory {
    /// An empty cache with the options `policy`, `max_entries`, `max_bytes`,
    /// `seed` and `shards`.
    pub fn new(config: &Config) -> Result<Self> {
        let bounds = config.bounds();
        let shards = shards(bounds, config.u64("shards"));
        let part = |most: Option<u64>| most.map(|most| most.div_ceil(shards).max(1));
        let of_shard = Bounds { entries: part(bounds.entries), bytes: part(bounds.bytes) };
        let (name, seed) = (config.policy(), seed_of(config));
        let shard = |number| {
            let policy = AnyPolicy::new(name, of_shard, seed.wrapping_add(number))
                .ok_or_else(|| Error::config(format!("policy: engine 'memory' has no {name}")))?;
            Ok(CachePadded::new(Lock::new(Shard::new(policy))))
        };
        Ok(Self {
            shards: (0..shards).map(shard).collect::<Result<_>>()?,
            hasher: Hasher::default(),
            entries: Budget::new(bounds.entries),
            bytes: Budget::new(bounds.bytes),
            tags: Tags::default(),
            timed: AtomicBool::new(false),
            refuses: name == "none",
        })
    }

    /// The number of the shard of a hash: from bits that its index does not use.
    #[inline]
    fn shard_of(&self, hash: u64) -> usize {
        (hash >> 40) as usize & (self.shards.len() - 1)
    }

    /// Runs `read` on the live entry of a key, then `then` on its shard and
    /// slot. A dead one is removed.
    #[inline]
    fn with_live<T, U>(
        &self,
        key: &[u8],
        read: impl FnOnce(&entry::Entry) -> T,
        then: impl FnOnce(&mut Shard, u32, T) -> U,
    ) -> Result<Option<U>> {
        let hash = hash_of(&self.hasher, key);
        let mut shard = self.shards[self.shard_of(hash)].lock()?;
        let Some(entry) = shard.find(hash, key) else { return Ok(None) };
        let slot = entry.slot();
        if entry.is_live() {
            let read = read(entry);
            return Ok(Some(then(&mut shard, slot, read)));
        }
        let dead = self.remove(&mut shard, slot, Why::Expired);
        drop(shard);
        drop(dead);
        Ok(None)
    }

    /// Takes an entry out of its shard and gives back its place and what it
    /// weighed.
    fn remove(&self, shard: &mut Shard, slot: u32, why: Why) -> Option<entry::Entry> {
        let (entry, cost) = shard.remove(slot, why)?;
        self.entries.release(1);
        self.bytes.release(cost);
        Some(entry)
    }

    /// Takes an entry out, to be dropped later; false where there was none.
    fn discard(&self, shard: &mut Shard, slot: u32, why: Why, garbage: &mut Garbage) -> bool {
        self.remove(shard, slot, why).map(|entry| garbage.push(entry)).is_some()
    }

    /// Removes what is dead in a shard, some slots under one lock.
    fn expire_in(&self, lock: &Lock<Shard>) -> Result<u64> {
        let mut n = 0;
        let mut steps = 0;
        loop {
            let mut garbage = Garbage::default();
            let mut shard = lock.lock()?;
            if steps == 0 {
                shard.restart_sweep();
                // Writers sweep, too, and may begin another round meanwhile.
                steps = 2 * (shard.end() / SCANNED_AT_ONCE) + 2;
            }
            n += self.sweep(&mut shard, SCANNED_AT_ONCE, &mut garbage);
            steps -= 1;
            if steps == 0 || shard.is_between_rounds() {
                return Ok(n);
            }
            Lock::step_aside(shard);
        }
    }

    /// How many live entries a shard has: without a walk where none can be dead.
    fn count_of(&self, lock: &Lock<Shard>) -> Result<u64> {
        let (mut n, mut at) = (0, 0);
        loop {
            let shard = lock.lock()?;
            if at == 0 && !shard.may_hold_dead(self.tags.generation()) {
                return Ok(shard.len() as u64);
            }
            let until = shard.end().min(at + SCANNED_AT_ONCE);
            n += (at..until)
                .filter(|slot| shard.get(*slot).is_some_and(entry::Entry::is_live))
                .count();
            if until == shard.end() {
                return Ok(n as u64);
            }
            at = until;
            Lock::step_aside(shard);
        }
    }

    /// Removes what is dead among the next `most` slots; returns how many.
    fn sweep(&self, shard: &mut Shard, mut most: u32, garbage: &mut Garbage) -> u64 {
        let (mut n, tags) = (0, self.tags.generation());
        while shard.may_hold_dead(tags)
            && let Some(slot) = shard.next_dead(&mut most, tags)
        {
            n += u64::from(self.discard(shard, slot, Why::Expired, garbage));
        }
        n
    }
}

/// How many shards a cache has; a power of two.
fn shards(bounds: Bounds, asked: u64) -> u64 {
    if asked > 0 {
        return asked;
    }
    let small = match bounds {
        Bounds { entries: Some(entries), .. } => entries <= ONE_SHARD_ENTRIES,
        Bounds { entries: None, bytes } => bytes.is_some_and(|bytes| bytes <= ONE_SHARD_BYTES),
    };
    if small {
        return 1;
    }
    (4 * processors().unwrap_or(4)).next_power_of_two().min(1024)
}

impl Engine for Memory {
    fn name(&self) -> &'static str {
        EngineKind::Memory.name()
    }

    fn as_memory(self: Arc<Self>) -> Option<Arc<Memory>> {
        Some(self)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        let shared = self.with_live(key, entry::Entry::share, |shard, slot, value| {
            shard.hit(slot);
            value
        })?;
        Ok(shared.map(Value::from))
    }

    fn read(&self, key: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<bool> {
        // Under the lock: to count the value up and down costs as much as a
        // look-up. That is why a sink must not call the cache.
        let read = |entry: &entry::Entry| {
            if entry.value().len() > READ_UNDER_LOCK {
                return Some(entry.share());
            }
            sink(entry.value());
            None
        };
        let hit = |shard: &mut Shard, slot, large| {
            shard.hit(slot);
            large
        };
        let Some(large) = self.with_live(key, read, hit)? else { return Ok(false) };
        if let Some(large) = &large {
            sink(large.value());
        }
        Ok(true)
    }

    fn entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        let read = |entry: &entry::Entry| Entry {
            value: entry.share().into(),
            ttl: entry.ttl(),
            sequence: 0,
            version: 0,
            tags: entry.marks().iter().map(|mark| mark.name().to_vec()).collect(),
        };
        self.with_live(key, read, |_, _, entry| entry)
    }

    fn put(&self, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Stored> {
        self.store(key, value, put, |_| ())
    }

    fn largest_value(&self) -> u64 {
        self.bytes.most().unwrap_or(u64::MAX)
    }

    fn delete(&self, key: &[u8]) -> Result<bool> {
        // What is removed is dropped here, outside the lock.
        let remove = |shard: &mut Shard, slot, ()| self.remove(shard, slot, Why::Deleted);
        Ok(self.with_live(key, |_| (), remove)?.is_some())
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.with_live(key, |_| (), |_, _, ()| ())?.is_some())
    }

    fn touch(&self, key: &[u8], ttl: Option<NonZeroU64>) -> Result<bool> {
        let deadline = self.deadline(ttl);
        let set = |entry: &entry::Entry| entry.set_deadline(deadline);
        Ok(self.with_live(key, set, |shard, _, ()| shard.note_deadline(deadline))?.is_some())
    }

    fn clear(&self) -> Result<()> {
        for shard in &self.shards {
            let mut shard = shard.lock()?;
            self.entries.release(shard.len() as u64);
            self.bytes.release(shard.bytes);
            let gone = shard.clear();
            drop(shard);
            drop(gone);
        }
        Ok(())
    }

    fn scan(&self, prefix: &[u8], state: &mut ScanState, out: &mut Vec<Vec<u8>>) -> Result<()> {
        // An entry keeps its slot for life: walking the slots meets each once.
        let Some(shard) = self.shards.get(state.part) else {
            state.done = true;
            return Ok(());
        };
        let (mut found, mut bytes) = (Vec::new(), 0);
        {
            let shard = shard.lock()?;
            let (from, end) = (u32::try_from(state.place).unwrap_or(u32::MAX), shard.end());
            let mut slot = from;
            while slot < end && slot - from < SCANNED_AT_ONCE && bytes < SCANNED_BYTES {
                let entry = shard.get(slot).filter(|entry| entry.is_live());
                slot += 1;
                let Some(entry) = entry else { continue };
                // To compare is as much work as to copy.
                bytes += prefix.len().min(entry.key().len());
                if entry.key().starts_with(prefix) {
                    bytes += entry.key().len();
                    found.push(entry.hold());
                }
            }
            state.place = slot as usize;
            if slot >= end {
                (state.part, state.place) = (state.part + 1, 0);
                state.done = state.part == self.shards.len();
            }
        }
        // Keys may be long: they are copied while nobody waits for the lock.
        out.extend(found.iter().map(|entry| entry.key().to_vec()));
        Ok(())
    }

    fn incr(&self, key: &[u8], delta: i64, initial: i64, ttl: Option<NonZeroU64>) -> Result<i64> {
        let hash = hash_of(&self.hasher, key);
        let put = Put { ttl, ..Put::default() };
        self.write(hash, key, |shard, slot, garbage| {
            let stored = slot.and_then(|slot| shard.get(slot));
            let next = Counter::next(stored.map(entry::Entry::value), delta, initial)?;
            let bytes = next.encode();
            let attempt = match (slot, stored) {
                // A new value: readers may hold the old one.
                (Some(slot), Some(entry)) => {
                    let mut raised = self.with_value(entry, &bytes)?;
                    self.replace(shard, (hash, slot), &mut raised, garbage)
                }
                _ => self.insert(shard, hash, &mut self.prepare(key, &bytes, &put)?, garbage)?,
            };
            Ok(match attempt {
                Attempt::Done(()) => Attempt::Done(next.value),
                Attempt::NoRoom(needed) => Attempt::NoRoom(needed),
            })
        })
    }

    fn invalidate_tag(&self, tag: &[u8]) -> Result<bool> {
        self.tags.invalidate(tag)
    }

    fn expire(&self) -> Result<u64> {
        self.shards.iter().try_fold(0, |n, shard| Ok(n + self.expire_in(shard)?))
    }

    fn count(&self) -> Result<u64> {
        self.shards.iter().try_fold(0, |n, shard| Ok(n + self.count_of(shard)?))
    }

    fn stats(&self) -> Result<EngineStats> {
        let mut stats = EngineStats {
            max_entries: self.entries.most().unwrap_or(0),
            max_bytes: self.bytes.most().unwrap_or(0),
            ..EngineStats::default()
        };
        let tags = self.tags.generation();
        for shard in &self.shards {
            let shard = shard.lock()?;
            stats.entries += shard.len() as u64;
            stats.bytes = stats.bytes.saturating_add(shard.bytes);
            stats.hits += shard.gets_hit;
            stats.misses += shard.gets_missed;
            stats.sets += shard.sets;
            stats.evictions += shard.evictions;
            stats.expirations += shard.expirations;
            stats.entries_inexact |= shard.may_hold_dead(tags);
        }
        Ok(stats)
    }

    fn info(&self) -> Map<String, Json> {
        words([("shards", self.shards.len().into())])
    }
}

#[cfg(test)]
mod tests;
