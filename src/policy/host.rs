//! A policy for hosts that keep their own objects: bounds, costs, and slots
//! that carry a generation.

use crate::config::Config;
use crate::error::Result;
use crate::stats::Stats;

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

/// A bounded policy over 64-bit slots (generation above, index below).
pub struct HostPolicy {}

impl HostPolicy {
    /// A policy as the options `policy`, `max_entries`, `max_bytes`, `seed` say.
    pub fn new(config: &Config) -> Result<Self> {
        config.validate_policy()?;
        Ok(Self {})
    }

    /// What the host has to record.
    pub fn needs(&self) -> Needs {
        Needs::Log
    }

    /// Takes over a log of hits; stale slots are ignored.
    pub fn hits(&mut self, _slots: &[u64]) {}

    /// Makes room and adds an entry; `None` where it is not admitted. What
    /// left is fetched with [`HostPolicy::next_evicted`].
    pub fn insert(&mut self, _fingerprint: u64, _cost: u64) -> Option<u64> {
        None
    }

    /// The next slot that left and was not handed out yet.
    pub fn next_evicted(&mut self) -> Option<u64> {
        None
    }

    /// Whether [`HostPolicy::next_evicted`] has more.
    pub fn has_evicted(&self) -> bool {
        false
    }

    /// The host removed an entry; false for a stale slot.
    pub fn remove(&mut self, _slot: u64) -> bool {
        false
    }

    /// Forgets every slot.
    pub fn clear(&mut self) {}

    /// Figures.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}
