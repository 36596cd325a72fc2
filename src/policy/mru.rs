//! Most recently used: for loops longer than the cache.

use super::Policy;
use super::list::Order;

/// The slot that was hit last leaves first.
pub struct Mru(Order);

impl Mru {
    pub(super) fn new() -> Self {
        Self(Order::new())
    }
}

impl Policy for Mru {
    fn insert(&mut self, slot: u32, _fingerprint: u64, _cost: u64) {
        self.0.insert_front(slot);
    }

    fn hit(&mut self, slot: u32) {
        self.0.move_to_front(slot);
    }

    fn remove(&mut self, slot: u32) {
        self.0.remove(slot);
    }

    fn victim(&mut self) -> Option<u32> {
        self.0.pop_front()
    }

    fn next_victims(&self) -> [Option<u32>; 2] {
        self.0.first_two()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}
