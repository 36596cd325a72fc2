//! An entry: one allocation that is also the value handed out. Its head says
//! how long it lives; its key lies in front of the value where both are short.

use super::tags::Mark;
use crate::base::clock;
use crate::mem::counted::{Aside, Counted, ShortKey, packs};
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
    /// An entry without anything that few have; its key packs.
    pub(super) fn of(key: &[u8], value: &[u8], deadline: u64) -> Self {
        Self(Counted::new(key, value, deadline, None))
    }

    pub(super) fn new(key: &[u8], value: &[u8], deadline: u64, extra: Extra) -> Self {
        let long = !packs(key);
        let extra = Extra { key: long.then(|| key.into()), ..extra };
        let plain = extra.cost == 0 && extra.marks.is_empty() && extra.key.is_none();
        let aside = (!plain).then(|| Arc::new(Box::new(extra) as Aside));
        Self(Counted::new(key, value, deadline, aside))
    }

    /// Makes it a plain entry of another key, where it may be; else false.
    pub(super) fn refill(&mut self, key: &[u8], value: &[u8], deadline: u64) -> bool {
        self.0.refill(key, value, deadline)
    }

    /// The same entry with another value.
    pub(super) fn with_value(&self, value: &[u8]) -> Self {
        let aside = self.0.head().aside.clone();
        Self(Counted::new(self.key(), value, self.deadline(), aside))
    }

    /// Where it lies: the entries that there are now differ in it.
    #[inline]
    pub(super) fn address(&self) -> usize {
        self.0.address()
    }

    /// Where it is, once a shard has it.
    #[inline]
    pub(super) fn slot(&self) -> u32 {
        self.0.head().slot.load(Ordering::Relaxed)
    }

    pub(super) fn set_slot(&self, slot: u32) {
        self.0.head().slot.store(slot, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn extra(&self) -> Option<&Extra> {
        self.0.head().aside.as_ref().and_then(|aside| aside.downcast_ref())
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        self.0.key().unwrap_or_else(|| self.long_key())
    }

    #[cold]
    fn long_key(&self) -> &[u8] {
        self.extra().and_then(|extra| extra.key.as_deref()).unwrap_or_default()
    }

    /// Whether this is its key.
    #[inline]
    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        self.key() == key
    }

    #[inline]
    pub(super) fn value(&self) -> &[u8] {
        self.0.value()
    }

    /// The same entry, to look at without the lock.
    pub(super) fn hold(&self) -> Self {
        Self(self.0.clone())
    }

    /// What is handed out.
    #[inline]
    pub(super) fn share(&self) -> Counted {
        self.0.clone()
    }

    /// The same to read, where it can be told at once that a get may serve it.
    /// `now` is the time; just before [`NEVER`] it lets pass what never ends.
    #[inline(always)]
    pub(super) fn plain(&self, now: u64) -> Option<&Counted> {
        (self.0.head().aside.is_none() && self.deadline() > now).then_some(&self.0)
    }

    /// Whether this is its key, for keys that lie in front of their values.
    #[inline(always)]
    pub(super) fn has_packed_key(&self, key: &[u8]) -> bool {
        self.0.has_key(key)
    }

    /// The copy and its value, where this is its key and a get may serve it,
    /// as [`Self::plain`] tells.
    #[inline(always)]
    pub(super) fn plain_of(&self, key: ShortKey, now: u64) -> Option<(&Counted, &[u8])> {
        let value = self.0.value_of(key)?;
        Some((self.plain(now)?, value))
    }

    #[inline]
    pub(super) fn deadline(&self) -> u64 {
        self.0.head().deadline.load(Ordering::Relaxed)
    }

    pub(super) fn set_deadline(&self, deadline: u64) {
        self.0.head().deadline.store(deadline, Ordering::Relaxed);
    }

    pub(super) fn marks(&self) -> &[Mark] {
        self.extra().map(|extra| &extra.marks[..]).unwrap_or_default()
    }

    /// Whether a get may serve it.
    #[inline(always)]
    pub(super) fn is_live(&self) -> bool {
        let aside = &self.0.head().aside;
        is_ahead(self.deadline()) && (aside.is_none() || self.marks_hold())
    }

    #[cold]
    fn marks_hold(&self) -> bool {
        self.marks().iter().all(Mark::holds)
    }

    /// What it weighs.
    #[inline]
    pub(super) fn cost(&self) -> u64 {
        let cost = self.extra().map_or(0, |extra| extra.cost);
        weight(self.key().len(), self.value().len(), cost)
    }

    /// Milliseconds left.
    pub(super) fn ttl(&self) -> Option<NonZeroU64> {
        ttl(self.deadline())
    }
}

/// Whether a deadline is still to come.
#[inline]
pub(super) fn is_ahead(deadline: u64) -> bool {
    deadline == NEVER || deadline > clock::boot_ms()
}

/// Milliseconds until a deadline. What was live a moment ago has at least one.
pub(super) fn ttl(deadline: u64) -> Option<NonZeroU64> {
    let left = deadline.saturating_sub(clock::boot_ms()).max(1);
    NonZeroU64::new(left).filter(|_| deadline != NEVER)
}

/// What an entry weighs against `max_bytes`, with the cost given for it, if any.
pub(super) fn weight(key: usize, value: usize, cost: u64) -> u64 {
    if cost > 0 { cost } else { key as u64 + value as u64 + OVERHEAD }
}

/// When something that lives so long ends.
pub(super) fn deadline(ttl: Option<NonZeroU64>) -> u64 {
    ttl.map_or(NEVER, |ttl| clock::boot_ms().saturating_add(ttl.get()))
}
