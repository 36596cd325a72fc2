//! Slots: the numbers by which policies and scans know entries. An entry keeps
//! its slot for life; the hash of its key leads from the slot to it.

/// The hash of a free slot; no key has it.
pub(super) const FREE: u64 = 0;

#[derive(Default)]
pub(super) struct Slots {
    hashes: Vec<u64>,
    free: Vec<u32>,
}

impl Slots {
    /// The hash of the key whose entry is there.
    pub(super) fn get(&self, slot: u32) -> Option<u64> {
        self.hashes.get(slot as usize).copied().filter(|hash| *hash != FREE)
    }

    /// Whether another entry has a slot to go to.
    pub(super) fn has_room(&self) -> bool {
        // The last number means "no slot" to the policies.
        !self.free.is_empty() || self.end() < u32::MAX
    }

    /// Takes a slot for an entry with this hash.
    pub(super) fn insert(&mut self, hash: u64) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.hashes[slot as usize] = hash;
            return slot;
        }
        if self.hashes.len() == self.hashes.capacity() {
            // An eighth instead of Vec's doubling, whose slack would count
            // against every entry.
            self.hashes.reserve_exact(self.hashes.len() / 8 + 16);
        }
        self.hashes.push(hash);
        self.end() - 1
    }

    /// Gives a slot back; the hash that it had.
    pub(super) fn take(&mut self, slot: u32) -> Option<u64> {
        let hash = self.get(slot)?;
        self.hashes[slot as usize] = FREE;
        self.free.push(slot);
        Some(hash)
    }

    /// One past the last slot in use.
    pub(super) fn end(&self) -> u32 {
        self.hashes.len() as u32
    }
}
