//! Last in, first out.

use super::Policy;
use super::list::Order;

/// The newest slot leaves first; hits change nothing.
pub struct Lifo(Order);

impl Lifo {
    pub(super) fn new() -> Self {
        Self(Order::new())
    }
}

impl Policy for Lifo {
    fn insert(&mut self, slot: u32, _fingerprint: u64, _cost: u64) {
        self.0.insert_front(slot);
    }

    fn hit(&mut self, _slot: u32) {}

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
