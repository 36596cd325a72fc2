//! Eviction order over slots, one algorithm a file.
//!
//! A policy knows neither keys nor values: it is told which slot was filled,
//! hit or freed, and names the one that leaves next.

pub mod host;

/// The order in which slots leave. All operations are O(1).
pub trait Policy: Send {
    /// A slot was filled. `fingerprint` is a 64-bit hash of its key (for ghost
    /// queues), `cost` what it weighs. The slot MUST NOT be present.
    fn insert(&mut self, slot: u32, fingerprint: u64, cost: u64);

    /// A present slot was hit.
    fn hit(&mut self, slot: u32);

    /// A present slot was freed by somebody else (deleted, expired, replaced).
    fn remove(&mut self, slot: u32);

    /// Takes out and returns the slot that leaves now; `None` when empty.
    /// Called BEFORE the entry that needs the room is inserted, so that an
    /// entry is never the victim of its own insertion.
    fn victim(&mut self) -> Option<u32>;

    /// Forgets every slot.
    fn clear(&mut self);
}
