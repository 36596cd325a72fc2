//! SIEVE (Zhang et al.: "SIEVE is simpler than LRU", NSDI 2024).

use super::Policy;
use super::list::{List, NIL, Nodes};

/// Newest at the front. A hand walks from the back to the front, clears marks
/// of visited slots and takes the first that has none; unlike in CLOCK, slots
/// keep their places.
pub struct Sieve {
    /// Whether the slot was hit since the hand passed.
    visited: Nodes<bool>,
    list: List,
    /// Where the hand stands; [`NIL`] is before the back.
    hand: u32,
}

impl Sieve {
    pub(super) fn new() -> Self {
        Self { visited: Nodes::new(), list: List::default(), hand: NIL }
    }
}

impl Policy for Sieve {
    fn insert(&mut self, slot: u32, _fingerprint: u64, _cost: u64) {
        self.visited.put(slot, false);
        self.list.push_front(&mut self.visited, slot);
    }

    fn hit(&mut self, slot: u32) {
        *self.visited.get_mut(slot) = true;
    }

    fn remove(&mut self, slot: u32) {
        if self.hand == slot {
            self.hand = self.visited.prev(slot);
        }
        self.list.remove(&mut self.visited, slot);
    }

    fn victim(&mut self) -> Option<u32> {
        let mut at = self.hand;
        loop {
            if at == NIL {
                at = self.list.back()?;
            }
            if !std::mem::take(self.visited.get_mut(at)) {
                self.hand = at;
                self.remove(at);
                return Some(at);
            }
            at = self.visited.prev(at);
        }
    }

    fn next_victims(&self) -> [Option<u32>; 2] {
        [if self.hand == NIL { self.list.back() } else { Some(self.hand) }, None]
    }

    fn clear(&mut self) {
        *self = Self::new();
    }
}
