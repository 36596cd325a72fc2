//! A counted copy of a value in one allocation with its key and with what the
//! engine that keeps it must know: a hit in memory touches one place, not two.

use crate::mem::solo;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::any::Any;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What only the engine that made it knows.
pub(crate) type Aside = Box<dyn Any + Send + Sync>;

/// Keys up to so many bytes lie in front of their values.
const PACKED: usize = 16 << 10;

/// A key of 8 to 16 bytes as two words, which may overlap.
#[derive(Clone, Copy)]
pub(crate) struct ShortKey {
    pub(crate) len: usize,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

#[expect(unsafe_code, reason = "part of each hit")]
impl ShortKey {
    /// What every such key takes in front of a value.
    const ROOM: usize = 16;
    pub(crate) const LENGTHS: std::ops::RangeInclusive<usize> = 8..=Self::ROOM;

    /// `None` for a key of another length.
    #[inline(always)]
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        // SAFETY: so many bytes are there.
        Self::LENGTHS.contains(&key.len()).then(|| unsafe { Self::at(key.as_ptr(), key.len()) })
    }

    /// The same from its parts.
    ///
    /// # Safety
    /// `len` bytes are readable there, and it is one of [`Self::LENGTHS`].
    #[inline(always)]
    pub(crate) unsafe fn at(key: *const u8, len: usize) -> Self {
        // SAFETY: at least 8 bytes.
        let word = |at: usize| unsafe { key.add(at).cast::<u64>().read_unaligned() };
        Self { len, first: word(0), last: word(len - 8) }
    }
}

/// How long the bytes are, and the key that lies in front of the value.
#[derive(Clone, Copy)]
struct Lengths(u64);

impl Lengths {
    /// As the length of a key: it is too long to lie in front of the value.
    const LONG: u16 = u16::MAX;

    /// No allocation is longer.
    const MOST: usize = (u64::MAX >> 16) as usize;

    fn new(key: u16, all: usize) -> Self {
        Self(((all as u64) << 16) | u64::from(key))
    }

    #[inline(always)]
    fn all(self) -> usize {
        (self.0 >> 16) as usize
    }

    #[inline(always)]
    fn key(self) -> Option<usize> {
        let key = self.0 as u16;
        (key != Self::LONG).then_some(usize::from(key))
    }

    /// Where the value begins.
    #[inline(always)]
    fn at(self) -> usize {
        self.key().map_or(0, room)
    }
}

/// What one allocation begins with; the key follows, up to a multiple of 16 (so
/// that the value is aligned to that), then the value. A short key and the
/// beginning of its value share a cache line or two with it. What is not
/// private is for the engine that keeps the bytes, to find and to judge them;
/// nothing of that but deadline and slot changes, under its lock.
#[repr(C, align(16))]
pub(crate) struct Head {
    count: AtomicU32,
    /// Where the engine keeps it.
    pub(crate) slot: AtomicU32,
    /// When it ends, by the engine's clock.
    pub(crate) deadline: AtomicU64,
    /// What few entries have.
    pub(crate) aside: Option<Arc<Aside>>,
    lengths: Lengths,
}

const START: usize = size_of::<Head>();
const _: () = assert!(START == 32);

/// Beyond this many owners they are not counted any more, and the block stays
/// for ever: all but a few of them were forgotten.
const COUNTED: u32 = i32::MAX as u32;
/// What the count is then. Wherever owners that come and go at once may take
/// it, it stays beyond [`COUNTED`].
const FOREVER: u32 = 3 << 30;

/// Counts from which one owner may go without being the last one.
const SOME: std::ops::RangeInclusive<u32> = 2..=COUNTED;

/// One of the owners of a counted copy.
pub struct Counted(NonNull<Head>);

#[expect(unsafe_code, reason = "shared between threads")]
// SAFETY: what is in a block is `Send + Sync`, and the count is atomic.
unsafe impl Send for Counted {}
#[expect(unsafe_code, reason = "shared between threads")]
// SAFETY: shared references only read; the count is atomic.
unsafe impl Sync for Counted {}

/// How many bytes a key takes in front of a value.
const fn room(key: usize) -> usize {
    key.next_multiple_of(16)
}

/// How many bytes this one takes there.
fn room_of(key: &[u8]) -> usize {
    if packs(key) { room(key.len()) } else { 0 }
}

/// Whether a key lies in front of its value; else it must be kept aside.
pub(crate) fn packs(key: &[u8]) -> bool {
    key.len() <= PACKED
}

fn layout(len: usize) -> Layout {
    // No slice is longer than an allocation can be, but with a block it may be.
    Layout::from_size_align(START + len, align_of::<Head>())
        .ok()
        .filter(|_| len <= Lengths::MOST)
        .unwrap_or_else(|| handle_alloc_error(Layout::new::<Head>()))
}

#[expect(unsafe_code, reason = "an allocation of a length known at run time")]
impl Counted {
    /// A copy of a value behind its key, where [`packs`] says so; else of the
    /// value alone.
    pub(crate) fn new(key: &[u8], value: &[u8], deadline: u64, aside: Option<Arc<Aside>>) -> Self {
        let layout = layout(room_of(key) + value.len());
        // SAFETY: the layout is that of a block, which is not empty.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        let copy = Self(block.cast());
        // SAFETY: the block is as long as that, and is nobody else's.
        unsafe { copy.fill(key, value, deadline, aside) };
        copy
    }

    /// Writes all of a block.
    ///
    /// # Safety
    /// It is as long as key and value need, nobody else has it, and what was
    /// in it before need not be dropped.
    #[inline]
    unsafe fn fill(&self, key: &[u8], value: &[u8], deadline: u64, aside: Option<Arc<Aside>>) {
        let packed = packs(key);
        let (key_len, key) =
            if packed { (key.len() as u16, key) } else { (Lengths::LONG, &b""[..]) };
        let at = room(key.len());
        let head = Head {
            count: AtomicU32::new(1),
            slot: AtomicU32::default(),
            deadline: AtomicU64::new(deadline),
            aside,
            lengths: Lengths::new(key_len, at + value.len()),
        };
        // SAFETY: there is room for the head, the key up to `at`, the value.
        unsafe {
            let bytes = self.0.cast::<u8>().add(START).as_ptr();
            if at >= 16 {
                // What lies between key and value.
                bytes.add(at - 16).write_bytes(0, 16);
            }
            bytes.copy_from_nonoverlapping(key.as_ptr(), key.len());
            bytes.add(at).copy_from_nonoverlapping(value.as_ptr(), value.len());
            self.0.write(head);
        }
    }

    /// Makes this copy one of another key and value, where it has no other
    /// owner, nothing aside, and exactly the length for them; else false.
    pub(crate) fn refill(&mut self, key: &[u8], value: &[u8], deadline: u64) -> bool {
        let head = self.head();
        let fits = packs(key)
            && head.lengths.all() == room_of(key) + value.len()
            && head.aside.is_none()
            // What other owners did comes before.
            && head.count.load(Ordering::Acquire) == 1;
        if fits {
            // SAFETY: so it is; only an owner makes another.
            unsafe { self.fill(key, value, deadline, None) };
        }
        fits
    }

    /// Where it lies.
    #[inline(always)]
    pub(crate) fn address(&self) -> usize {
        self.0.addr().get()
    }

    /// What lies in front of its bytes.
    #[inline(always)]
    pub(crate) fn head(&self) -> &Head {
        // SAFETY: alive while there is an owner.
        unsafe { self.0.as_ref() }
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        // SAFETY: `new` has written so many.
        unsafe { self.first(self.head().lengths.all()) }
    }

    /// The key in front of the value; `None` where it is too long for that.
    #[inline(always)]
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.bytes().get(..self.head().lengths.key()?)
    }

    /// Whether this is the key in front of the value.
    #[inline(always)]
    pub(crate) fn has_key(&self, key: &[u8]) -> bool {
        // A key that is not in front of its value has another length than any.
        // SAFETY: so many bytes of a key lie there.
        self.head().lengths.key() == Some(key.len())
            && same_key(unsafe { self.first(key.len()) }, key)
    }

    /// The value, where this is the key in front of it.
    #[inline(always)]
    pub(crate) fn value_of(&self, key: ShortKey) -> Option<&[u8]> {
        let lengths = self.head().lengths;
        // (That of a key that does not lie here is longer than a short one.)
        if lengths.0 as u16 != key.len as u16 {
            return None;
        }
        // SAFETY: a key of this length, and what lies behind it is the value.
        unsafe {
            let bytes = self.0.cast::<u8>().add(START);
            let word = |at: usize| bytes.add(at).cast::<u64>().read_unaligned();
            let same = word(0) == key.first && word(key.len - 8) == key.last;
            let (value, len) = (bytes.add(ShortKey::ROOM), lengths.all() - ShortKey::ROOM);
            same.then(|| std::slice::from_raw_parts(value.as_ptr(), len))
        }
    }

    /// The first bytes behind the head.
    ///
    /// # Safety
    /// There are so many.
    #[inline(always)]
    unsafe fn first(&self, len: usize) -> &[u8] {
        // SAFETY: this function's own contract.
        unsafe { std::slice::from_raw_parts(self.0.cast::<u8>().add(START).as_ptr(), len) }
    }

    /// The value.
    #[inline(always)]
    pub(crate) fn value(&self) -> &[u8] {
        self.bytes().get(self.head().lengths.at()..).unwrap_or_default()
    }

    /// Gives this owner's share away, to be taken back by [`Self::from_raw`].
    /// The pointer is aligned to 16.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> *mut c_void {
        std::mem::ManuallyDrop::new(self).0.as_ptr().cast()
    }

    /// Takes a share back.
    ///
    /// # Safety
    /// `raw` came from [`Self::into_raw`] and is taken back once.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(raw: *mut c_void) -> Self {
        // SAFETY: `into_raw` gave what was not NULL.
        Self(unsafe { NonNull::new_unchecked(raw.cast()) })
    }

    /// What is to be done when an owner goes and there are no others, or
    /// nobody knows.
    #[cold]
    #[inline(never)]
    fn last(&self, before: u32) {
        if before > COUNTED {
            return self.keep_forever();
        }
        // What the other owners did comes before the end.
        self.head().count.load(Ordering::Acquire);
        let layout = layout(self.head().lengths.all());
        // SAFETY: the last owner; `new` allocated it with this layout.
        unsafe {
            self.0.drop_in_place();
            dealloc(self.0.cast().as_ptr(), layout);
        }
    }
}

impl Counted {
    #[cold]
    #[inline(never)]
    fn keep_forever(&self) {
        self.head().count.store(FOREVER, Ordering::Relaxed);
    }

    /// Whether another owner can be counted.
    #[inline(always)]
    pub(crate) fn is_counted(&self) -> bool {
        self.head().count.load(Ordering::Relaxed) < COUNTED
    }

    /// Another owner, where [`Self::is_counted`] says so. `alone` is what
    /// [`solo::alone`] says now.
    #[inline(always)]
    pub(crate) fn share_once(&self, alone: bool) -> Self {
        let count = &self.head().count;
        if alone {
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Self(self.0)
    }

    /// One owner less, without dropping it, while this thread is alone and it
    /// is neither the last one nor one that is not counted; else false.
    #[inline(always)]
    pub(crate) fn leave_at_once(&self) -> bool {
        let count = &self.head().count;
        let leaves = solo::alone() && SOME.contains(&count.load(Ordering::Relaxed));
        if leaves {
            count.store(count.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        }
        leaves
    }

    /// Another owner. `alone` is what [`solo::alone`] says now.
    #[inline(always)]
    pub(crate) fn share(&self, alone: bool) -> Self {
        if !self.is_counted() {
            self.keep_forever();
        }
        self.share_once(alone)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.share(solo::alone())
    }
}

impl Drop for Counted {
    #[inline(always)]
    fn drop(&mut self) {
        let count = &self.head().count;
        let before = if solo::alone() {
            let before = count.load(Ordering::Relaxed);
            count.store(before.wrapping_sub(1), Ordering::Relaxed);
            before
        } else {
            count.fetch_sub(1, Ordering::Release)
        };
        if !SOME.contains(&before) {
            self.last(before);
        }
    }
}

/// Whether two keys are the same. Without a call, which would cost a hit more
/// than the comparison does.
#[inline(always)]
pub(crate) fn same_key(a: &[u8], b: &[u8]) -> bool {
    /// Of two strings of N to 2 N bytes.
    #[inline(always)]
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        let (first, last) = (a.first_chunk::<N>(), a.last_chunk::<N>());
        (first == b.first_chunk::<N>()) & (last == b.last_chunk::<N>())
    }
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        8..=16 => ends::<8>(a, b),
        17..=32 => ends::<16>(a, b),
        0..=7 => a.iter().zip(b).all(|(a, b)| a == b),
        _ => {
            let (pieces, others) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
            pieces.iter().zip(others).all(|(a, b)| a == b) && ends::<16>(a, b)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_aligned_to_16_whatever_its_key() {
        for key in (0..70).chain(PACKED - 20..PACKED + 3) {
            for value in [0, 1, 100, 500, 5000] {
                let (key, value) = (vec![1; key], vec![2; value]);
                let counted = Counted::new(&key, &value, 0, None);
                assert_eq!(counted.value(), value);
                assert_eq!(counted.value().as_ptr().addr() % 16, 0);
                let packed = packs(&key).then_some(&key[..]);
                assert_eq!(counted.key(), packed.or(key.is_empty().then_some(b"")));
            }
        }
    }

    #[test]
    fn the_last_of_many_owners_frees_it() {
        let aside = Arc::new(Box::new(()) as Aside);
        let counted = Counted::new(b"key", b"value", 0, Some(Arc::clone(&aside)));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mine = counted.clone();
                scope.spawn(move || (0..100).for_each(|_| drop(mine.clone())));
            }
        });
        assert_eq!(counted.clone().value(), b"value");
        assert_eq!(Arc::strong_count(&aside), 2);
        drop(counted);
        assert_eq!(Arc::strong_count(&aside), 1);
    }

    #[test]
    fn a_short_key_gives_the_value_behind_that_key_alone() {
        let value = |counted: &Counted, key: &[u8]| {
            counted.value_of(ShortKey::new(key).expect("a short key")).map(<[u8]>::to_vec)
        };
        for len in 8..=16 {
            let key: Vec<u8> = (0..len).collect();
            let counted = Counted::new(&key, b"value", 0, None);
            assert_eq!(value(&counted, &key), Some(b"value".to_vec()));
            for at in 0..key.len() {
                let mut other = key.clone();
                other[at] ^= 1;
                assert_eq!(value(&counted, &other), None);
            }
            let longer: Vec<u8> = (0..32).collect();
            for other in (8..=16).filter(|other| *other != len) {
                assert_eq!(value(&counted, &longer[..usize::from(other)]), None);
            }
            assert_eq!(value(&Counted::new(&longer, b"", 0, None), &key), None);
            assert_eq!(value(&Counted::new(&key, b"", 0, None), &key), Some(vec![]));
        }
        assert!(ShortKey::new(&[0; 7]).is_none() && ShortKey::new(&[0; 17]).is_none());
    }

    #[test]
    fn a_block_is_filled_again_only_for_its_length_and_without_other_owners() {
        let mut counted = Counted::new(b"first key", b"value", 1, None);
        let address = counted.address();
        assert!(!counted.refill(b"key", b"values", 2), "another length");
        assert!(!counted.refill(b"a key of 17 bytes", b"value", 2), "another room");
        assert!(!counted.refill(&[1; PACKED + 1], &[2; 21], 2), "a key that lies aside");
        let other = counted.clone();
        assert!(!counted.refill(b"key", b"other", 2), "another owner");
        assert_eq!(other.value(), b"value");
        drop(other);
        assert!(counted.refill(b"key", b"other", 2));
        assert_eq!((counted.key(), counted.value()), (Some(&b"key"[..]), &b"other"[..]));
        assert_eq!(counted.head().deadline.load(Ordering::Relaxed), 2);
        assert_eq!(counted.address(), address);
        let aside = Arc::new(Box::new(()) as Aside);
        let mut counted = Counted::new(b"key", b"value", 0, Some(aside));
        assert!(!counted.refill(b"key", b"value", 2), "something aside");
    }

    #[test]
    fn what_has_too_many_owners_to_count_is_kept_for_ever() {
        let aside = Arc::new(Box::new(()) as Aside);
        let counted = Counted::new(b"key", b"value", 0, Some(Arc::clone(&aside)));
        let count = |n| counted.head().count.store(n, Ordering::Relaxed);
        count(COUNTED);
        assert!(!counted.is_counted());
        let more: Vec<Counted> = (0..5).map(|_| counted.clone()).collect();
        drop(more);
        // Whoever leaves, nobody is the last.
        for _ in 0..5 {
            drop(Counted(counted.0));
        }
        assert_eq!(counted.value(), b"value");
        assert_eq!(Arc::strong_count(&aside), 2);
        count(1);
        drop(counted);
        assert_eq!(Arc::strong_count(&aside), 1);
    }

    #[test]
    fn keys_are_the_same_only_if_every_byte_is() {
        for len in 0..70 {
            let key: Vec<u8> = (0..len).collect();
            assert!(same_key(&key, &key.clone()));
            for at in 0..key.len() {
                let mut other = key.clone();
                other[at] ^= 1;
                assert!(!same_key(&key, &other) && !same_key(&key[..at], &key));
                assert!(!same_key(&key, &key[..at]));
            }
        }
    }
}
