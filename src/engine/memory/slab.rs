//! Entries in chunks: growing never moves them, and leaves no slack of a
//! doubled vector behind.

use super::entry::Entry;

/// Entries a chunk; a power of two.
const CHUNK: usize = 256;

/// Entries by slot.
#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Vec<Option<Entry>>>,
    free: Vec<u32>,
}

impl Slab {
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.chunks.get(slot as usize / CHUNK)?.get(slot as usize % CHUNK)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.chunks.get_mut(slot as usize / CHUNK)?.get_mut(slot as usize % CHUNK)?.as_mut()
    }

    /// Whether another entry has a slot to go to.
    pub(super) fn has_room(&self) -> bool {
        // The last number means "no slot" to the policies.
        !self.free.is_empty() || self.end() < u32::MAX
    }

    /// Puts an entry into a slot that holds none.
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.chunks[slot as usize / CHUNK][slot as usize % CHUNK] = Some(entry);
            return slot;
        }
        let slot = self.end();
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(Some(entry)),
            // The first chunk grows with its content, for caches of a few.
            None => self.chunks.push(vec![Some(entry)]),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(Some(entry));
                self.chunks.push(chunk);
            }
        }
        slot
    }

    pub(super) fn take(&mut self, slot: u32) -> Option<Entry> {
        let entry = self.chunks.get_mut(slot as usize / CHUNK)?.get_mut(slot as usize % CHUNK)?;
        let taken = entry.take()?;
        self.free.push(slot);
        Some(taken)
    }

    /// One past the last slot in use.
    pub(super) fn end(&self) -> u32 {
        match self.chunks.split_last() {
            None => 0,
            Some((last, full)) => (full.len() * CHUNK + last.len()) as u32,
        }
    }
}
