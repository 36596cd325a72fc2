//! An entry: one allocation that is also the value handed out. Its head says
//! how long it lives; its key lies in front of the value where both are short.

use super::tags::Mark;
use crate::clock;
use crate::value::{self, Aside, Counted};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The deadline of what never expires.
pub(super) const NEVER: u64 = u64::MAX;

/// What an entry is taken to weigh beyond its key and value: its head, its
/// links in the policy, its slot and its place in the index.
pub(super) const OVERHEAD: u64 = 80;

/// What few entries have.
#[derive(Default)]
pub(super) struct Extra {
    /// Given cost; 0 takes the bytes.
    pub(super) cost: u64,
    pub(super) marks: Box<[Mark]>,
    /// A key that does not fit in front of its value.
    pub(super) key: Option<Box<[u8]>>,
}

/// A key's value.
pub(super) struct Entry(Counted);

const _: () = assert!(size_of::<Option<Entry>>() == 8);

impl Entry {
    pub(super) fn new(hash: u64, key: &[u8], value: &[u8], deadline: u64, extra: Extra) -> Self {
        let long = !value::packs(key, value);
        let extra = Extra { key: long.then(|| key.into()), ..extra };
        let plain = extra.cost == 0 && extra.marks.is_empty() && extra.key.is_none();
        let aside = (!plain).then(|| Arc::new(Box::new(extra) as Aside));
        Self(value::pack(key, value, hash, deadline, aside))
    }

    /// The same entry with another value that is no longer.
    pub(super) fn with_value(&self, value: &[u8]) -> Self {
        let head = &self.0.header.header;
        let aside = head.aside.clone();
        Self(value::pack(value::key_of(&self.0), value, head.hash, self.deadline(), aside))
    }

    pub(super) fn hash(&self) -> u64 {
        self.0.header.header.hash
    }

    /// Where it is, once a shard has it.
    #[inline]
    pub(super) fn slot(&self) -> u32 {
        self.0.header.header.slot.load(Ordering::Relaxed)
    }

    pub(super) fn set_slot(&self, slot: u32) {
        self.0.header.header.slot.store(slot, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn extra(&self) -> Option<&Extra> {
        self.0.header.header.aside.as_ref().and_then(|aside| aside.downcast_ref())
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        match self.extra() {
            Some(Extra { key: Some(key), .. }) => key,
            _ => value::key_of(&self.0),
        }
    }

    #[inline]
    pub(super) fn value(&self) -> &[u8] {
        value::value_of(&self.0)
    }

    /// What is handed out.
    #[inline]
    pub(super) fn share(&self) -> Counted {
        self.0.clone()
    }

    #[inline]
    pub(super) fn deadline(&self) -> u64 {
        self.0.header.header.deadline.load(Ordering::Relaxed)
    }

    pub(super) fn set_deadline(&self, deadline: u64) {
        self.0.header.header.deadline.store(deadline, Ordering::Relaxed);
    }

    pub(super) fn marks(&self) -> &[Mark] {
        self.extra().map(|extra| &extra.marks[..]).unwrap_or_default()
    }

    /// Whether a get may serve it.
    #[inline]
    pub(super) fn is_live(&self) -> bool {
        is_ahead(self.deadline()) && self.marks().iter().all(Mark::holds)
    }

    /// What it weighs.
    pub(super) fn cost(&self) -> u64 {
        weight(self.key().len(), self.value().len(), self.extra().map_or(0, |extra| extra.cost))
    }

    /// Milliseconds left.
    pub(super) fn ttl(&self) -> Option<NonZeroU64> {
        ttl(self.deadline())
    }
}

/// Whether a deadline is still to come.
#[inline]
pub(super) fn is_ahead(deadline: u64) -> bool {
    deadline == NEVER || deadline > clock::monotonic_ms()
}

/// Milliseconds until a deadline. What was live a moment ago has at least one.
pub(super) fn ttl(deadline: u64) -> Option<NonZeroU64> {
    let left = deadline.saturating_sub(clock::monotonic_ms()).max(1);
    NonZeroU64::new(left).filter(|_| deadline != NEVER)
}

/// What an entry weighs against `max_bytes`, with the cost given for it, if any.
pub(super) fn weight(key: usize, value: usize, cost: u64) -> u64 {
    if cost > 0 { cost } else { key as u64 + value as u64 + OVERHEAD }
}

/// When something that lives so long ends.
pub(super) fn deadline(ttl: Option<NonZeroU64>) -> u64 {
    ttl.map_or(NEVER, |ttl| clock::monotonic_ms().saturating_add(ttl.get()))
}
