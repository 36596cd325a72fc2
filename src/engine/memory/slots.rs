//! Slots: the numbers by which policies and scans know entries. An entry keeps
//! its slot for life; the slot leads to it.

use super::entry::Entry;
use crate::mem::prefetch::prefetch;

/// The address of a free slot's entry; none lies there.
const FREE: usize = 0;

/// How an entry is found in the index without touching any entry, which
/// mostly is in no processor's cache.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The hash of its key.
    pub(super) hash: u64,
    /// [`Entry::address`].
    address: usize,
}

impl Place {
    #[inline]
    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        entry.address() == self.address
    }

    /// Has the entry fetched into the processor's cache: it is about to leave.
    #[inline]
    pub(super) fn prefetch(&self) {
        for line in 0..3 {
            prefetch(self.address + 64 * line);
        }
    }
}

#[derive(Default)]
pub(super) struct Slots {
    places: Vec<Place>,
    free: Vec<u32>,
}

impl Slots {
    /// Where the entry is.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<Place> {
        self.places.get(slot as usize).copied().filter(|place| place.address != FREE)
    }

    /// The hash of the key of a slot's entry.
    pub(super) fn hash(&self, slot: u32) -> u64 {
        self.places.get(slot as usize).map_or(0, |place| place.hash)
    }

    /// Has the place of a slot fetched into the processor's cache.
    #[inline]
    pub(super) fn prefetch(&self, slot: u32) {
        prefetch(self.places.as_ptr().wrapping_add(slot as usize).addr());
    }

    /// Whether another entry has a slot to go to.
    pub(super) fn has_room(&self) -> bool {
        // The last number means "no slot" to the policies, and the one before
        // it is one less than a place in their lists may be.
        !self.free.is_empty() || self.end() < u32::MAX - 1
    }

    /// Takes a slot for an entry, which is told.
    pub(super) fn insert(&mut self, hash: u64, entry: &Entry) -> u32 {
        let place = Place { hash, address: entry.address() };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.places[slot as usize] = place;
                slot
            }
            None => self.append(place),
        };
        entry.set_slot(slot);
        slot
    }

    fn append(&mut self, place: Place) -> u32 {
        if self.places.len() == self.places.capacity() {
            // An eighth instead of Vec's doubling, whose slack would count
            // against every entry.
            self.places.reserve_exact(self.places.len() / 8 + 16);
        }
        self.places.push(place);
        self.end() - 1
    }

    /// Another entry of the same key has the slot from now on.
    pub(super) fn swap(&mut self, slot: u32, entry: &Entry) {
        self.places[slot as usize].address = entry.address();
        entry.set_slot(slot);
    }

    /// Gives a slot back; where its entry is.
    pub(super) fn take(&mut self, slot: u32) -> Option<Place> {
        let place = self.get(slot)?;
        self.places[slot as usize].address = FREE;
        self.free.push(slot);
        Some(place)
    }

    /// One past the last slot in use.
    pub(super) fn end(&self) -> u32 {
        self.places.len() as u32
    }
}
