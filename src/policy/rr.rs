//! Random replacement.

use super::Policy;
use super::random::SplitMix64;

/// Any slot leaves, all equally likely; the seed decides which.
pub struct Rr {
    present: Vec<u32>,
    /// Where a slot lies in `present`.
    place: Vec<u32>,
    random: SplitMix64,
}

impl Rr {
    pub(super) fn new(seed: u64) -> Self {
        Self { present: Vec::new(), place: Vec::new(), random: SplitMix64::new(seed) }
    }

    fn take(&mut self, place: usize) -> u32 {
        let slot = self.present.swap_remove(place);
        if let Some(moved) = self.present.get(place) {
            self.place[*moved as usize] = place as u32;
        }
        slot
    }
}

impl Policy for Rr {
    fn insert(&mut self, slot: u32, _fingerprint: u64, _cost: u64) {
        let index = slot as usize;
        if index >= self.place.len() {
            self.place.resize(index + 1, 0);
        }
        self.place[index] = self.present.len() as u32;
        self.present.push(slot);
    }

    fn hit(&mut self, _slot: u32) {}

    fn remove(&mut self, slot: u32) {
        self.take(self.place[slot as usize] as usize);
    }

    fn victim(&mut self) -> Option<u32> {
        if self.present.is_empty() {
            return None;
        }
        let place = self.random.below(self.present.len());
        Some(self.take(place))
    }

    fn clear(&mut self) {
        self.present.clear();
        self.place.clear();
    }
}
