//! Least recently used.

use super::Policy;
use super::list::Order;

/// The slot whose last hit lies furthest back leaves first.
pub struct Lru(Order);

impl Lru {
    pub(super) fn new() -> Self {
        Self(Order::new())
    }
}

impl Policy for Lru {
    fn insert(&mut self, slot: u32, _fingerprint: u64, _cost: u64) {
        self.0.insert_front(slot);
    }

    fn hit(&mut self, slot: u32) {
        self.0.move_to_front(slot);
    }

    fn hits(&mut self, slots: &[u32]) {
        self.0.move_all_to_front(slots);
    }

    fn remove(&mut self, slot: u32) {
        self.0.remove(slot);
    }

    fn victim(&mut self) -> Option<u32> {
        self.0.pop_back()
    }

    fn next_victims(&self) -> [Option<u32>; 2] {
        self.0.last_two()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}
