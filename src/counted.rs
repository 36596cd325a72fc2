//! A counted copy of a value in one allocation with its key and with what the
//! engine that keeps it must know: a hit in memory touches one place, not two.

use crate::solo;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::any::Any;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// What lies in front of the bytes: what the engine that keeps them needs to
/// find and to judge them. Nothing but deadline and slot changes, under its lock.
pub(crate) struct Head {
    /// When it ends, by the engine's clock.
    pub(crate) deadline: AtomicU64,
    /// The hash of its key.
    pub(crate) hash: u64,
    /// Where the engine keeps it.
    pub(crate) slot: AtomicU32,
    /// How long the key is that lies in front of the value, or [`LONG`].
    key: u16,
    /// Where the value begins.
    at: u16,
    /// What few entries have.
    pub(crate) aside: Option<Arc<Aside>>,
}

/// What only the engine that made it knows.
pub(crate) type Aside = Box<dyn Any + Send + Sync>;

/// As the length of a key: it is too long to lie in front of the value.
const LONG: u16 = u16::MAX;

/// Keys up to so many bytes lie in front of their values.
const PACKED: usize = 16 << 10;

/// One allocation: this, the key up to a multiple of 16 (so that the value is
/// aligned to that), and the value.
#[repr(C, align(16))]
struct Block {
    count: AtomicUsize,
    head: Head,
    /// Of key and value together.
    len: usize,
}

const START: usize = size_of::<Block>();
const _: () = assert!(START == 48);

/// One of the owners of a counted copy.
pub struct Counted(NonNull<Block>);

#[expect(unsafe_code, reason = "shared between threads")]
// SAFETY: what is in a block is `Send + Sync`, and the count is atomic.
unsafe impl Send for Counted {}
#[expect(unsafe_code, reason = "shared between threads")]
// SAFETY: as above.
unsafe impl Sync for Counted {}

/// How many bytes a key takes in front of a value.
const fn room(key: usize) -> usize {
    key.next_multiple_of(16)
}

/// Whether a key lies in front of its value; else it must be kept aside.
pub(crate) fn packs(key: &[u8]) -> bool {
    key.len() <= PACKED
}

fn layout(len: usize) -> Layout {
    // No slice is longer than an allocation can be, but with a block it may be.
    Layout::from_size_align(START + len, align_of::<Block>())
        .unwrap_or_else(|_| handle_alloc_error(Layout::new::<Block>()))
}

#[expect(unsafe_code, reason = "an allocation of a length known at run time")]
impl Counted {
    /// A copy of a value behind its key, where [`packs`] says so; else of the
    /// value alone.
    pub(crate) fn new(
        key: &[u8],
        value: &[u8],
        hash: u64,
        deadline: u64,
        aside: Option<Arc<Aside>>,
    ) -> Self {
        let mut head = Head {
            deadline: AtomicU64::new(deadline),
            hash,
            slot: AtomicU32::default(),
            key: 0,
            at: 0,
            aside,
        };
        if !key.is_empty() {
            if packs(key) {
                // Neither is more than PACKED.
                (head.key, head.at) = (key.len() as u16, room(key.len()) as u16);
            } else {
                head.key = LONG;
            }
        }
        let (key, at) = (if head.at > 0 { key } else { b"" }, usize::from(head.at));
        let (len, layout) = (at + value.len(), layout(at + value.len()));
        // SAFETY: the layout is that of a block, which is not empty.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the allocation has room for the block, the key up to `at`
        // and the value, and is nobody else's.
        unsafe {
            let bytes = block.add(START).as_ptr();
            if at >= 16 {
                // What lies between key and value.
                bytes.add(at - 16).write_bytes(0, 16);
            }
            bytes.copy_from_nonoverlapping(key.as_ptr(), key.len());
            bytes.add(at).copy_from_nonoverlapping(value.as_ptr(), value.len());
            let block = block.cast::<Block>();
            block.write(Block { count: AtomicUsize::new(1), head, len });
            Self(block)
        }
    }

    #[inline(always)]
    fn block(&self) -> &Block {
        // SAFETY: alive while there is an owner.
        unsafe { self.0.as_ref() }
    }

    /// Where it lies.
    #[inline(always)]
    pub(crate) fn address(&self) -> usize {
        self.0.addr().get()
    }

    /// What lies in front of its bytes.
    #[inline(always)]
    pub(crate) fn head(&self) -> &Head {
        &self.block().head
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        // SAFETY: `new` has written so many bytes behind the block.
        unsafe {
            std::slice::from_raw_parts(self.0.cast::<u8>().add(START).as_ptr(), self.block().len)
        }
    }

    /// The key in front of the value; `None` where it is too long for that.
    #[inline(always)]
    pub(crate) fn key(&self) -> Option<&[u8]> {
        match self.head().key {
            LONG => None,
            len => self.bytes().get(..usize::from(len)),
        }
    }

    /// The value.
    #[inline(always)]
    pub(crate) fn value(&self) -> &[u8] {
        self.bytes().get(usize::from(self.head().at)..).unwrap_or_default()
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

    #[cold]
    #[inline(never)]
    fn free(&self) {
        let layout = layout(self.block().len);
        // SAFETY: the last owner; `new` allocated it with this layout.
        unsafe {
            self.0.drop_in_place();
            dealloc(self.0.cast().as_ptr(), layout);
        }
    }
}

impl Counted {
    /// Another owner. `alone` is what [`solo::alone`] says now.
    #[inline(always)]
    pub(crate) fn share(&self, alone: bool) -> Self {
        let count = &self.block().count;
        let before = if alone {
            let before = count.load(Ordering::Relaxed);
            count.store(before.wrapping_add(1), Ordering::Relaxed);
            before
        } else {
            count.fetch_add(1, Ordering::Relaxed)
        };
        if before > isize::MAX as usize {
            // Owners that were forgotten, one after another, for centuries.
            std::process::abort();
        }
        Self(self.0)
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
        let count = &self.block().count;
        if solo::alone() {
            let before = count.load(Ordering::Relaxed);
            if before != 1 {
                count.store(before.wrapping_sub(1), Ordering::Relaxed);
                return;
            }
        } else {
            if count.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            // What the other owners did comes before the end.
            count.load(Ordering::Acquire);
        }
        self.free();
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
                let counted = Counted::new(&key, &value, 0, 0, None);
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
        let counted = Counted::new(b"key", b"value", 0, 0, Some(Arc::clone(&aside)));
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
