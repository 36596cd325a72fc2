//! From hashes to what was stored under them: a table of chunks that are one
//! cache line each, so that a look-up waits for one line before it knows where
//! the entry lies, and seldom looks at an entry in vain.
//!
//! As in Facebook's F14 (N. Bronson and X. Shi, "Open-sourcing F14 for faster,
//! more memory-efficient hash tables", 2019), a chunk has a byte of the hash of
//! each of its entries, and counts the entries that found it full and went on
//! to the next: a search ends where that is 0, and a removal leaves no trace.

/// Entries of a chunk.
const LANES: usize = 7;
/// Of 16 lanes so many are in use before the table grows.
const FULL: usize = 12;

/// A table of up to so many chunks moves at once when it grows: in a tenth of a
/// millisecond.
const MOVED_AT_ONCE: usize = 256;
/// Chunks of a larger one that each insertion moves. (One would be enough: the next
/// growth is 1.3 insertions per chunk away.)
const MOVED_BY_AN_INSERT: usize = 4;
/// Chunks that move with a batch of hits, so that reading alone ends it, too.
pub(super) const MOVED_BY_HITS: usize = 32;

/// A cache line.
#[repr(C, align(64))]
struct Chunk<T> {
    /// A byte of the hash of each lane's entry. (Some are 0, as are those of
    /// free lanes.) The last byte is how many entries went on; at 255 it is
    /// not known any more.
    tags: [u8; LANES + 1],
    lanes: [Option<T>; LANES],
}

impl<T> Chunk<T> {
    const EMPTY: Self = Self { tags: [0; LANES + 1], lanes: [const { None }; LANES] };

    #[inline(always)]
    fn went_on(&self) -> bool {
        self.tags[LANES] != 0
    }
}

/// The lanes whose tag is this, a bit for each.
#[inline(always)]
fn lanes_of(tags: [u8; LANES + 1], tag: u8) -> u32 {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    use lanes_by_sse2 as lanes;
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
    use lanes_by_word as lanes;
    lanes(tags, tag) & ((1 << LANES) - 1)
}

#[inline(always)]
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[expect(unsafe_code, reason = "instructions that not every processor has")]
fn lanes_by_sse2(tags: [u8; LANES + 1], tag: u8) -> u32 {
    use std::arch::x86_64::*;
    // SAFETY: this is compiled for processors that have them.
    unsafe {
        let tags = _mm_cvtsi64_si128(i64::from_le_bytes(tags));
        _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag.cast_signed()))) as u32
    }
}

/// The same in plain arithmetic.
#[inline(always)]
#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse2"))))]
fn lanes_by_word(tags: [u8; LANES + 1], tag: u8) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let differing = u64::from_le_bytes(tags) ^ (u64::from(tag) * ONES);
    // The high bit of each byte that is 0, and of no other.
    let same = !(((differing & (ONES * 0x7f)) + ONES * 0x7f) | differing | (ONES * 0x7f));
    // Brings the eight of them together.
    ((same >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}

/// Where something is in a table.
#[derive(Clone, Copy)]
struct Place {
    chunk: usize,
    lane: usize,
}

/// Chunks, and the search through them.
struct Table<T> {
    chunks: Vec<Chunk<T>>,
}

/// A table that has become too small, while its entries move to a larger one.
struct Outgrown<T> {
    table: Table<T>,
    /// The chunks before this one are empty.
    moved: usize,
}

pub(super) struct Index<T> {
    table: Table<T>,
    len: usize,
    /// (In a box: few indexes have it, and what follows the index is touched by each hit.)
    outgrown: Option<Box<Outgrown<T>>>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { table: Table { chunks: Vec::new() }, len: 0, outgrown: None }
    }
}

#[inline(always)]
fn tag_of(hash: u64) -> u8 {
    (hash >> 56) as u8
}

/// The chunk, of so many, where the search for a hash begins.
#[inline(always)]
fn first(hash: u64, chunks: usize) -> usize {
    ((u64::from(hash as u32) * chunks as u64) >> 32) as usize
}

/// The one where it goes on.
#[inline(always)]
fn after(chunk: usize, chunks: usize) -> usize {
    if chunk + 1 == chunks { 0 } else { chunk + 1 }
}

impl<T> Table<T> {
    fn with_chunks(len: usize) -> Self {
        let mut chunks = Vec::with_capacity(len);
        chunks.resize_with(len, || Chunk::EMPTY);
        Self { chunks }
    }

    #[inline(always)]
    fn place(&self, hash: u64, mut is: impl FnMut(&T) -> bool) -> Option<Place> {
        let tag = tag_of(hash);
        let mut at = first(hash, self.chunks.len());
        loop {
            let chunk = self.chunks.get(at)?;
            let mut lanes = lanes_of(chunk.tags, tag);
            while lanes != 0 {
                let lane = lanes.trailing_zeros() as usize;
                if chunk.lanes.get(lane)?.as_ref().is_some_and(&mut is) {
                    return Some(Place { chunk: at, lane });
                }
                lanes &= lanes - 1;
            }
            if !chunk.went_on() {
                return None;
            }
            at = after(at, self.chunks.len());
            if at == first(hash, self.chunks.len()) {
                return None;
            }
        }
    }

    #[inline(always)]
    fn find(&self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&T> {
        let Place { chunk, lane } = self.place(hash, is)?;
        self.chunks[chunk].lanes[lane].as_ref()
    }

    fn find_mut(&mut self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let Place { chunk, lane } = self.place(hash, is)?;
        self.chunks[chunk].lanes[lane].as_mut()
    }

    fn remove(&mut self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<T> {
        let Place { chunk, lane } = self.place(hash, is)?;
        let mut at = first(hash, self.chunks.len());
        while at != chunk {
            let went_on = &mut self.chunks[at].tags[LANES];
            if *went_on != u8::MAX {
                *went_on -= 1;
            }
            at = after(at, self.chunks.len());
        }
        let chunk = &mut self.chunks[chunk];
        chunk.tags[lane] = 0;
        chunk.lanes[lane].take()
    }

    /// There is a free lane.
    fn put(&mut self, hash: u64, item: T) {
        let mut at = first(hash, self.chunks.len());
        loop {
            let chunk = &mut self.chunks[at];
            if let Some(lane) = chunk.lanes.iter().position(Option::is_none) {
                chunk.tags[lane] = tag_of(hash);
                chunk.lanes[lane] = Some(item);
                return;
            }
            chunk.tags[LANES] = chunk.tags[LANES].saturating_add(1);
            at = after(at, self.chunks.len());
        }
    }
}

impl<T> Index<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What is most likely to be stored under the hash: the first of its tag in
    /// the first chunk that is looked at.
    #[inline(always)]
    pub(super) fn likeliest(&self, hash: u64) -> Option<&T> {
        let chunks = &self.table.chunks;
        let chunk = chunks.get(first(hash, chunks.len()))?;
        let lane = lanes_of(chunk.tags, tag_of(hash)).trailing_zeros();
        chunk.lanes.get(lane as usize)?.as_ref()
    }

    /// Has what a search for the hash will look at fetched into the processor's
    /// cache.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        let chunks = &self.table.chunks;
        let chunk = chunks.as_ptr().wrapping_add(first(hash, chunks.len()));
        crate::mem::prefetch::prefetch(chunk.addr());
    }

    /// What is stored under the hash and is the one asked for.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(&T) -> bool) -> Option<&T> {
        match self.table.find(hash, &mut is) {
            None if self.outgrown.is_some() => self.find_outgrown(hash, &mut is),
            found => found,
        }
    }

    #[cold]
    #[inline(never)]
    fn find_outgrown(&self, hash: u64, is: &mut dyn FnMut(&T) -> bool) -> Option<&T> {
        self.outgrown.as_ref()?.table.find(hash, is)
    }

    /// The same, to be replaced by another of the same hash.
    pub(super) fn find_mut(&mut self, hash: u64, mut is: impl FnMut(&T) -> bool) -> Option<&mut T> {
        match self.table.find_mut(hash, &mut is) {
            None => self.outgrown.as_mut()?.table.find_mut(hash, is),
            found => found,
        }
    }

    /// Takes it out.
    pub(super) fn remove(&mut self, hash: u64, mut is: impl FnMut(&T) -> bool) -> Option<T> {
        let removed = match self.table.remove(hash, &mut is) {
            None => self.outgrown.as_mut()?.table.remove(hash, is),
            found => found,
        };
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Adds what is not there. `hash_of` tells the hashes of others, which
    /// must move when the table grows.
    pub(super) fn insert(&mut self, hash: u64, item: T, hash_of: impl Fn(&T) -> u64) {
        if self.outgrown.is_some() {
            self.move_some(MOVED_BY_AN_INSERT, &hash_of);
        }
        if self.len >= self.table.chunks.len() * LANES * FULL / 16 {
            self.grow(&hash_of);
        }
        self.len += 1;
        self.table.put(hash, item);
    }

    /// Whether entries wait to be moved; a search for them takes longer meanwhile.
    #[inline]
    pub(super) fn is_growing(&self) -> bool {
        self.outgrown.is_some()
    }

    /// Makes room. The lock of the shard is held, so a large table is not moved at
    /// once but a few chunks at a time: long before this one is full, too.
    #[cold]
    fn grow(&mut self, hash_of: &impl Fn(&T) -> u64) {
        self.move_some(usize::MAX, hash_of);
        let len = self.table.chunks.len();
        let larger = Table::with_chunks(len + (len / 4).max(4));
        let table = std::mem::replace(&mut self.table, larger);
        self.outgrown = Some(Box::new(Outgrown { table, moved: 0 }));
        if len <= MOVED_AT_ONCE {
            self.move_some(len, hash_of);
        }
    }

    /// Moves the entries of the next chunks to the larger table.
    #[cold]
    #[inline(never)]
    pub(super) fn move_some(&mut self, most: usize, hash_of: &impl Fn(&T) -> u64) {
        let Some(outgrown) = &mut self.outgrown else { return };
        let chunks = outgrown.table.chunks.len();
        let until = outgrown.moved.saturating_add(most).min(chunks);
        for chunk in &mut outgrown.table.chunks[outgrown.moved..until] {
            // Its count of those that went on stays: they are still found by it.
            for lane in 0..LANES {
                if let Some(item) = chunk.lanes[lane].take() {
                    chunk.tags[lane] = 0;
                    self.table.put(hash_of(&item), item);
                }
            }
        }
        outgrown.moved = until;
        if until == chunks {
            self.outgrown = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::random::SplitMix64;
    use std::collections::HashMap;

    #[test]
    fn both_ways_of_comparing_tags_find_the_same_lanes() {
        let mut random = SplitMix64::new(1);
        for _ in 0..10_000 {
            let tags = std::array::from_fn(|_| random.below(4) as u8 * 0x55);
            for tag in [0, 0x55, 0xaa, 0xff] {
                let plain = (0..LANES).filter(|lane| tags[*lane] == tag);
                let plain = plain.fold(0, |lanes, lane| lanes | (1 << lane));
                assert_eq!(lanes_by_word(tags, tag) & 0x7f, plain);
                assert_eq!(lanes_of(tags, tag), plain);
            }
        }
    }

    /// Hashes that collide in `bits` of what chooses chunk and tag.
    fn hash(n: u64, bits: u32) -> u64 {
        let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> bits << bits).rotate_left(32) | (spread << bits >> bits & 0xff)
    }

    #[test]
    fn it_holds_what_a_map_holds_however_hashes_collide() {
        for bits in [0, 40, 50, 56, 60, 64] {
            let hash = |n: &u64| hash(*n, bits.min(63));
            let (mut index, mut map) = (Index::default(), HashMap::new());
            let mut random = SplitMix64::new(u64::from(bits));
            for _ in 0..if cfg!(miri) { 300 } else { 20_000 } {
                let n = random.below(500) as u64;
                if map.remove(&n).is_some() {
                    assert_eq!(index.remove(hash(&n), |other| *other == n), Some(n));
                } else {
                    assert_eq!(index.remove(hash(&n), |other| *other == n), None);
                    map.insert(n, ());
                    index.insert(hash(&n), n, hash);
                }
                assert_eq!(index.len(), map.len());
            }
            assert!(!index.is_growing(), "a small one moves at once");
            for n in 0..500 {
                assert_eq!(
                    index.find(hash(&n), |other| *other == n).copied(),
                    map.get(&n).map(|()| n)
                );
            }
        }
    }

    #[test]
    fn a_large_one_grows_in_steps_and_loses_nothing_meanwhile() {
        let hash = |n: &u64| hash(*n, 40);
        let mut index = Index::default();
        let (mut last, mut grew, mut most) = (0, 0, 0);
        let until = if cfg!(miri) { 4_000 } else { 60_000_u64 };
        for n in 0..until {
            index.insert(hash(&n), n, hash);
            let moved = index.outgrown.as_ref().map_or(0, |outgrown| outgrown.moved);
            if index.is_growing() {
                most = most.max(moved.saturating_sub(last));
                // One that came long ago, one that just came, one that did not.
                for asked in [n * 7 % (n + 1), n, n + 1] {
                    let found = index.find(hash(&asked), |other| *other == asked);
                    assert_eq!(found.copied(), (asked <= n).then_some(asked));
                }
                if n % 5 == 0 {
                    let old = n * 11 % (n + 1);
                    assert_eq!(index.remove(hash(&old), |other| *other == old), Some(old));
                    *index.find_mut(hash(&n), |other| *other == n).unwrap_or(&mut 0) = n;
                    index.insert(hash(&old), old, hash);
                }
            }
            grew += usize::from(moved < last);
            last = moved;
            assert_eq!(index.len(), n as usize + 1);
        }
        assert!(cfg!(miri) || grew > 5, "{grew}");
        assert!(most <= 2 * MOVED_BY_AN_INSERT, "{most} chunks moved at once");
        while index.is_growing() {
            index.move_some(MOVED_BY_HITS, &hash);
        }
        for n in 0..until {
            assert!(index.find(hash(&n), |other| *other == n).is_some(), "{n}");
        }
    }
}
