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

/// Where something is.
#[derive(Clone, Copy)]
struct Place {
    chunk: usize,
    lane: usize,
}

pub(super) struct Index<T> {
    chunks: Vec<Chunk<T>>,
    len: usize,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
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

impl<T> Index<T> {
    pub(super) fn len(&self) -> usize {
        self.len
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

    /// What is most likely to be stored under the hash: the first of its tag in
    /// the first chunk that is looked at.
    #[inline(always)]
    pub(super) fn likeliest(&self, hash: u64) -> Option<&T> {
        let chunk = self.chunks.get(first(hash, self.chunks.len()))?;
        let lane = lanes_of(chunk.tags, tag_of(hash)).trailing_zeros();
        chunk.lanes.get(lane as usize)?.as_ref()
    }

    /// Has what a search for the hash will look at fetched into the processor's
    /// cache.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        let chunk = self.chunks.as_ptr().wrapping_add(first(hash, self.chunks.len()));
        crate::prefetch::prefetch(chunk.addr());
    }

    /// What is stored under the hash and is the one asked for.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&T> {
        let Place { chunk, lane } = self.place(hash, is)?;
        self.chunks[chunk].lanes[lane].as_ref()
    }

    /// The same, to be replaced by another of the same hash.
    pub(super) fn find_mut(&mut self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let Place { chunk, lane } = self.place(hash, is)?;
        self.chunks[chunk].lanes[lane].as_mut()
    }

    /// Takes it out.
    pub(super) fn remove(&mut self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<T> {
        let Place { chunk, lane } = self.place(hash, is)?;
        let mut at = first(hash, self.chunks.len());
        while at != chunk {
            let went_on = &mut self.chunks[at].tags[LANES];
            if *went_on != u8::MAX {
                *went_on -= 1;
            }
            at = after(at, self.chunks.len());
        }
        self.len -= 1;
        let chunk = &mut self.chunks[chunk];
        chunk.tags[lane] = 0;
        chunk.lanes[lane].take()
    }

    /// Adds what is not there. `hash_of` tells the hashes of others, which
    /// must move when the table grows.
    pub(super) fn insert(&mut self, hash: u64, item: T, hash_of: impl Fn(&T) -> u64) {
        if self.len >= self.chunks.len() * LANES * FULL / 16 {
            self.grow(hash_of);
        }
        self.len += 1;
        self.put(hash, item);
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

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(&T) -> u64) {
        let len = self.chunks.len() + (self.chunks.len() / 4).max(4);
        let mut chunks = Vec::with_capacity(len);
        chunks.resize_with(len, || Chunk::EMPTY);
        for chunk in std::mem::replace(&mut self.chunks, chunks) {
            for item in chunk.lanes.into_iter().flatten() {
                self.put(hash_of(&item), item);
            }
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
            for n in 0..500 {
                assert_eq!(
                    index.find(hash(&n), |other| *other == n).copied(),
                    map.get(&n).map(|()| n)
                );
            }
        }
    }
}
