//! A value on its way out: counted, immutable, alive for as long as somebody
//! holds it, whatever happens to its entry or its cache.

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use triomphe::ThinArc;

/// What lies in front of the bytes of a counted copy: what the engine that
/// keeps it needs to find it and to judge it, so that a hit in memory touches
/// one place and not two. Nothing but deadline and slot changes, under its lock.
pub struct Head {
    /// When it ends, by the engine's clock.
    pub deadline: AtomicU64,
    /// The hash of its key.
    pub hash: u64,
    /// Where the engine keeps it.
    pub slot: AtomicU32,
    /// What few entries have.
    pub aside: Option<Arc<Aside>>,
    /// How long the key is that lies in front of the value.
    key: u32,
}

/// What only the engine that made it knows.
pub type Aside = Box<dyn Any + Send + Sync>;

/// A counted copy: one allocation of count, head and length, of the key up to
/// a multiple of 16 (so that the value is aligned to that), and of the value.
pub type Counted = ThinArc<Head, u8>;

/// Key and value are packed together up to so many bytes.
const PACKED: usize = 512;

/// How many bytes a key takes in front of a value.
const fn room(key: usize) -> usize {
    key.next_multiple_of(16)
}

/// Whether a key lies in front of this value; else it must be kept aside.
pub fn packs(key: &[u8], value: &[u8]) -> bool {
    key.len() <= PACKED && room(key.len()) + value.len() <= PACKED
}

/// A counted copy of a value behind its key, where [`packs`] says so; else of
/// the value alone.
pub fn pack(
    key: &[u8],
    value: &[u8],
    hash: u64,
    deadline: u64,
    aside: Option<Arc<Aside>>,
) -> Counted {
    let (deadline, slot) = (AtomicU64::new(deadline), AtomicU32::default());
    let mut head = Head { deadline, hash, slot, aside, key: 0 };
    if key.is_empty() || !packs(key, value) {
        return Counted::from_header_and_slice(head, value);
    }
    head.key = key.len() as u32;
    let (mut both, at) = ([0; PACKED], room(key.len()));
    let all = &mut both[..at + value.len()];
    all[..key.len()].copy_from_slice(key);
    all[at..].copy_from_slice(value);
    Counted::from_header_and_slice(head, all)
}

/// The key in front of a value.
#[inline]
pub fn key_of(counted: &Counted) -> &[u8] {
    &counted.slice[..counted.header.header.key as usize]
}

/// The value behind its key.
#[inline]
pub fn value_of(counted: &Counted) -> &[u8] {
    &counted.slice[room(counted.header.header.key as usize)..]
}

/// Bytes that no later call changes.
#[derive(Clone)]
pub enum Value {
    /// A counted copy.
    Shared(Counted),
    /// A counted copy but for its last bytes, which are a tier's own.
    Trimmed(Counted, u8),
    /// A view into something that stays mapped as long as the view lives.
    Mapped(Arc<Mapped>),
}

/// A range of a mapped file.
pub struct Mapped {
    map: memmap2::Mmap,
    start: usize,
    len: usize,
}

impl Mapped {
    /// A view of `len` bytes from `start`; `None` when the map is shorter.
    pub fn new(map: memmap2::Mmap, start: usize, len: usize) -> Option<Self> {
        (start.checked_add(len)? <= map.len()).then_some(Self { map, start, len })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map[self.start..self.start + self.len]
    }
}

impl Value {
    /// A counted copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Value::Shared(pack(b"", bytes, 0, u64::MAX, None))
    }
}

impl Deref for Value {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Value::Shared(bytes) => value_of(bytes),
            Value::Trimmed(bytes, cut) => {
                let bytes = value_of(bytes);
                &bytes[..bytes.len().saturating_sub(usize::from(*cut))]
            }
            Value::Mapped(mapped) => mapped.bytes(),
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value({} bytes)", self.len())
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

const _: () = assert!((8 + size_of::<Head>() + 8).is_multiple_of(16), "values are aligned to 16");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_aligned_to_16_whatever_its_key() {
        for key in 0..600 {
            for value in [0, 1, 100, 500, 5000] {
                let (key, value) = (vec![1; key], vec![2; value]);
                let counted = pack(&key, &value, 0, 0, None);
                assert_eq!(value_of(&counted), value);
                assert_eq!(value_of(&counted).as_ptr().addr() % 16, 0);
                if packs(&key, &value) {
                    assert_eq!(key_of(&counted), key);
                }
            }
        }
    }
}
