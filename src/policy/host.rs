//! A policy for hosts that keep their own objects: bounds, costs, and slots
//! that carry a generation.

use super::{AnyPolicy, Policy, seed_of};
use crate::base::error::{Error, Result};
use crate::base::stats::{EngineStats, Stats};
use crate::config::{Bounds, Config};
use std::collections::VecDeque;

/// What a host has to record about hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Each slot hit since the last hand-over, once, in any order.
    Mark,
    /// Every hit, in order.
    Log,
}

/// Hits that a policy receives in one call: it fetches the memory of all of them ahead.
const HITS_AT_ONCE: usize = 128;

/// What is known of one index.
struct Place {
    /// Raised when the entry leaves, so that its slot is stale. Never 0.
    generation: u32,
    present: bool,
    cost: u64,
}

/// A bounded policy over 64-bit slots (generation above, index below).
pub struct HostPolicy {
    policy: AnyPolicy,
    needs: Needs,
    bounds: Bounds,
    places: Vec<Place>,
    unused: Vec<u32>,
    evicted: VecDeque<u64>,
    stats: Stats,
}

impl HostPolicy {
    /// A policy as the options `policy`, `max_entries`, `max_bytes`, `seed` say.
    pub fn new(config: &Config) -> Result<Self> {
        config.validate_policy()?;
        let (name, given) = (config.policy(), config.bounds());
        let asked = |option| Some(config.u64_or(option, 0)).filter(|n| *n > 0);
        // Not `given.bytes`: a store's default bound means nothing to costs.
        let bounds = Bounds { entries: given.entries, bytes: asked("max_bytes") };
        let policy = AnyPolicy::new(name, bounds, seed_of(config))
            .ok_or_else(|| Error::config(format!("policy: '{name}' has no form over slots")))?;
        let mut stats = Stats::default();
        stats.engine.max_entries = bounds.entries.unwrap_or(0);
        stats.engine.max_bytes = bounds.bytes.unwrap_or(0);
        Ok(Self {
            needs: needs_of(&policy),
            policy,
            bounds,
            places: Vec::new(),
            unused: Vec::new(),
            evicted: VecDeque::new(),
            stats,
        })
    }

    /// What the host has to record.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Takes over a log of hits; stale slots are ignored.
    pub fn hits(&mut self, slots: &[u64]) {
        let mut indices = [0; HITS_AT_ONCE];
        for chunk in slots.chunks(HITS_AT_ONCE) {
            let mut live = 0;
            for slot in chunk {
                if let Some(index) = self.live(*slot) {
                    indices[live] = index;
                    live += 1;
                }
            }
            self.policy.hits(&indices[..live]);
            self.stats.hits += live as u64;
        }
    }

    /// Makes room and adds an entry; `None` where it is not admitted. What
    /// left is fetched with [`HostPolicy::next_evicted`].
    pub fn insert(&mut self, fingerprint: u64, cost: u64) -> Option<u64> {
        if self.bounds.bytes.is_some_and(|most| cost > most) {
            self.stats.rejected += 1;
            return None;
        }
        self.policy.announce(fingerprint);
        while !self.fits(cost) {
            let Some(index) = self.policy.victim() else {
                self.stats.rejected += 1;
                return None;
            };
            let slot = self.slot(index);
            self.leave(index);
            self.stats.engine.evictions += 1;
            self.evicted.push_back(slot);
        }
        let index = self.unused.pop().or_else(|| self.new_place())?;
        self.policy.insert(index, fingerprint, cost);
        let place = &mut self.places[index as usize];
        (place.present, place.cost) = (true, cost);
        let engine = &mut self.stats.engine;
        engine.entries += 1;
        engine.bytes = engine.bytes.saturating_add(cost);
        self.stats.sets += 1;
        Some(self.slot(index))
    }

    /// The next slot that left and was not handed out yet.
    pub fn next_evicted(&mut self) -> Option<u64> {
        self.evicted.pop_front()
    }

    /// Whether [`HostPolicy::next_evicted`] has more.
    pub fn has_evicted(&self) -> bool {
        !self.evicted.is_empty()
    }

    /// The host removed an entry; false for a stale slot.
    pub fn remove(&mut self, slot: u64) -> bool {
        let Some(index) = self.live(slot) else { return false };
        self.policy.remove(index);
        self.leave(index);
        self.stats.deletes += 1;
        true
    }

    /// Forgets every slot.
    pub fn clear(&mut self) {
        self.policy.clear();
        self.evicted.clear();
        for index in 0..self.places.len() {
            if self.places[index].present {
                self.leave(index as u32);
            }
        }
    }

    /// Figures.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn fits(&self, cost: u64) -> bool {
        let EngineStats { entries, bytes, .. } = self.stats.engine;
        self.bounds.entries.is_none_or(|most| entries < most)
            && self
                .bounds
                .bytes
                .is_none_or(|most| bytes.checked_add(cost).is_some_and(|bytes| bytes <= most))
    }

    fn new_place(&mut self) -> Option<u32> {
        // The last index stands for "none" in the lists.
        let index = u32::try_from(self.places.len()).ok().filter(|index| *index < u32::MAX)?;
        self.places.push(Place { generation: 1, present: false, cost: 0 });
        Some(index)
    }

    fn slot(&self, index: u32) -> u64 {
        u64::from(self.places[index as usize].generation) << 32 | u64::from(index)
    }

    /// The index of a slot that is not stale.
    fn live(&self, slot: u64) -> Option<u32> {
        let (generation, index) = ((slot >> 32) as u32, slot as u32);
        let place = self.places.get(index as usize)?;
        (place.present && place.generation == generation).then_some(index)
    }

    fn leave(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        place.present = false;
        place.generation = place.generation.checked_add(1).unwrap_or(1);
        let engine = &mut self.stats.engine;
        engine.entries -= 1;
        engine.bytes = engine.bytes.saturating_sub(place.cost);
        self.unused.push(index);
    }
}

fn needs_of(policy: &AnyPolicy) -> Needs {
    match policy {
        AnyPolicy::Fifo(_) | AnyPolicy::Lifo(_) | AnyPolicy::Rr(_) | AnyPolicy::Keep(_) => {
            Needs::Nothing
        }
        AnyPolicy::Sieve(_) => Needs::Mark,
        AnyPolicy::Lru(_) | AnyPolicy::Mru(_) | AnyPolicy::Lfu(_) | AnyPolicy::S3Fifo(_) => {
            Needs::Log
        }
    }
}
