//! Eviction order over slots, one algorithm a file.
//!
//! A policy knows neither keys nor values: it is told which slot was filled,
//! hit or freed, and names the one that leaves next.

mod fifo;
pub mod host;
mod lfu;
mod lifo;
mod list;
mod lru;
mod mru;
pub(crate) mod random;
mod rr;
mod s3fifo;
mod sieve;
#[cfg(test)]
mod tests;

use crate::config::Bounds;

/// The order in which slots leave. All operations are O(1) (those of `victim`
/// for sieve and s3fifo amortised over the hits).
pub trait Policy: Send {
    /// An entry with this fingerprint is about to be inserted. Called before
    /// room is made for it, so that making room cannot push its own ghost out.
    fn announce(&mut self, fingerprint: u64) {
        let _ = fingerprint;
    }

    /// A slot was filled. `fingerprint` is a 64-bit hash of its key (for ghost
    /// queues), `cost` what it weighs. The slot MUST NOT be present.
    fn insert(&mut self, slot: u32, fingerprint: u64, cost: u64);

    /// A present slot was hit (found, or its value replaced).
    fn hit(&mut self, slot: u32);

    /// Present slots were hit, in this order.
    fn hits(&mut self, slots: &[u32]) {
        slots.iter().for_each(|slot| self.hit(*slot));
    }

    /// A present slot now weighs this.
    fn resize(&mut self, slot: u32, cost: u64) {
        let _ = (slot, cost);
    }

    /// A present slot was freed by somebody else (deleted, expired).
    fn remove(&mut self, slot: u32);

    /// Takes out and returns the slot that leaves now; `None` when empty, or
    /// when nothing leaves by this policy. Called BEFORE the entry that needs
    /// the room is inserted, so that an entry is never the victim of its own
    /// insertion.
    fn victim(&mut self) -> Option<u32>;

    /// The two slots that `victim` will most likely name next, if it costs
    /// nothing to say: a hint for the processor's cache.
    fn next_victims(&self) -> [Option<u32>; 2] {
        [None; 2]
    }

    /// Forgets every slot.
    fn clear(&mut self);
}

/// Nothing ever leaves: for unbounded caches, and for policy `none`, where a
/// full cache refuses what is new.
pub struct Keep;

impl Policy for Keep {
    fn insert(&mut self, _slot: u32, _fingerprint: u64, _cost: u64) {}
    fn hit(&mut self, _slot: u32) {}
    fn remove(&mut self, _slot: u32) {}
    fn victim(&mut self) -> Option<u32> {
        None
    }
    fn clear(&mut self) {}
}

macro_rules! any_policy {
    ($($variant:ident($policy:ty)),* $(,)?) => {
        /// Any of the policies; a match costs less than a virtual call.
        #[expect(missing_docs, reason = "each type documents itself")]
        pub enum AnyPolicy { $($variant($policy)),* }

        impl Policy for AnyPolicy {
            fn announce(&mut self, fingerprint: u64) {
                match self { $(Self::$variant(policy) => policy.announce(fingerprint)),* }
            }
            fn insert(&mut self, slot: u32, fingerprint: u64, cost: u64) {
                match self { $(Self::$variant(policy) => policy.insert(slot, fingerprint, cost)),* }
            }
            #[inline]
            fn hit(&mut self, slot: u32) {
                match self { $(Self::$variant(policy) => policy.hit(slot)),* }
            }
            fn hits(&mut self, slots: &[u32]) {
                match self { $(Self::$variant(policy) => policy.hits(slots)),* }
            }
            fn resize(&mut self, slot: u32, cost: u64) {
                match self { $(Self::$variant(policy) => policy.resize(slot, cost)),* }
            }
            fn remove(&mut self, slot: u32) {
                match self { $(Self::$variant(policy) => policy.remove(slot)),* }
            }
            fn victim(&mut self) -> Option<u32> {
                match self { $(Self::$variant(policy) => policy.victim()),* }
            }
            fn next_victims(&self) -> [Option<u32>; 2] {
                match self { $(Self::$variant(policy) => policy.next_victims()),* }
            }
            fn clear(&mut self) {
                match self { $(Self::$variant(policy) => policy.clear()),* }
            }
        }
    };
}

any_policy! {
    Lru(lru::Lru),
    Mru(mru::Mru),
    Fifo(fifo::Fifo),
    Lifo(lifo::Lifo),
    Lfu(lfu::Lfu),
    Rr(rr::Rr),
    Sieve(sieve::Sieve),
    S3Fifo(s3fifo::S3Fifo),
    Keep(Keep),
}

impl AnyPolicy {
    /// The policy of this name; `None` for a name that has no form over slots.
    /// `bounds` are those of the slots it will hold.
    pub fn new(name: &str, bounds: Bounds, seed: u64) -> Option<Self> {
        if bounds == Bounds::default() && !matches!(name, "tinylfu") {
            return Some(Self::Keep(Keep));
        }
        Some(match name {
            "lru" => Self::Lru(lru::Lru::new()),
            "mru" => Self::Mru(mru::Mru::new()),
            "fifo" => Self::Fifo(fifo::Fifo::new()),
            "lifo" => Self::Lifo(lifo::Lifo::new()),
            "lfu" => Self::Lfu(lfu::Lfu::new()),
            "rr" => Self::Rr(rr::Rr::new(seed)),
            "sieve" => Self::Sieve(sieve::Sieve::new()),
            "s3fifo" => Self::S3Fifo(match (bounds.entries, bounds.bytes) {
                (Some(entries), _) => s3fifo::S3Fifo::new(entries, false),
                (None, bytes) => s3fifo::S3Fifo::new(bytes.unwrap_or(u64::MAX), true),
            }),
            "none" => Self::Keep(Keep),
            _ => return None,
        })
    }
}

/// The seed that was asked for, or one that differs from run to run.
pub fn seed_of(config: &crate::config::Config) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    match config.given("seed") {
        Some(_) => config.u64("seed"),
        None => std::hash::RandomState::new().build_hasher().finish(),
    }
}
