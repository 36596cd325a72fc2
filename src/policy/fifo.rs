//! First in, first out.

use super::Policy;
use super::list::Order;

/// The oldest slot leaves first; hits change nothing.
pub struct Fifo(Order);

impl Fifo {
    pub(super) fn new() -> Self {
        Self(Order::new())
    }
}

impl Policy for Fifo {
    fn insert(&mut self, slot: u32, _fingerprint: u64, _cost: u64) {
        self.0.insert_front(slot);
    }

    fn hit(&mut self, _slot: u32) {}

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
