//! An entry: one cache line, key included where it is short.

use super::tags::Mark;
use crate::clock;
use std::num::NonZeroU64;
use triomphe::ThinArc;

/// A value: count, length and bytes in one allocation.
pub(super) type Bytes = ThinArc<(), u8>;

/// The deadline of what never expires.
pub(super) const NEVER: u64 = u64::MAX;

/// What an entry is taken to weigh beyond its key and value: its line, the
/// value's header, its links in the policy and its place in the index.
pub(super) const OVERHEAD: u64 = 80;

/// Keys up to this many bytes lie in the entry itself.
const INLINE: usize = 38;

/// A key.
pub(super) enum Key {
    /// The first `len` of `bytes`.
    Inline { len: u8, bytes: [u8; INLINE] },
    /// A longer one.
    Heap(Box<[u8]>),
}

impl Key {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut bytes = [0; INLINE];
        match bytes.get_mut(..key.len()) {
            Some(room) => {
                room.copy_from_slice(key);
                Key::Inline { len: key.len() as u8, bytes }
            }
            None => Key::Heap(key.into()),
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Key::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Key::Heap(bytes) => bytes,
        }
    }
}

/// What few entries have.
#[derive(Default)]
pub(super) struct Extra {
    /// Given cost; 0 takes the bytes.
    pub(super) cost: u64,
    pub(super) marks: Box<[Mark]>,
}

/// A key's value.
#[repr(align(64))]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) value: Bytes,
    /// By the monotonic clock.
    pub(super) deadline: u64,
    pub(super) extra: Option<Box<Extra>>,
}

const _: () = assert!(size_of::<Option<Entry>>() == 64, "an entry is one cache line");

impl Entry {
    /// Whether a get may serve it.
    #[inline]
    pub(super) fn is_live(&self) -> bool {
        (self.deadline == NEVER || self.deadline > clock::monotonic_ms())
            && self.extra.as_ref().is_none_or(|extra| extra.marks.iter().all(Mark::holds))
    }

    /// What it weighs.
    pub(super) fn cost(&self) -> u64 {
        weight(self.key.bytes().len(), self.value.slice.len(), self.extra.as_deref())
    }

    /// Milliseconds left.
    pub(super) fn ttl(&self) -> Option<NonZeroU64> {
        match self.deadline {
            NEVER => None,
            // A live entry has at least one left, though the clock moved on.
            deadline => NonZeroU64::new(deadline.saturating_sub(clock::monotonic_ms()).max(1)),
        }
    }
}

/// What an entry weighs against `max_bytes`.
pub(super) fn weight(key: usize, value: usize, extra: Option<&Extra>) -> u64 {
    match extra {
        Some(Extra { cost, .. }) if *cost > 0 => *cost,
        _ => key as u64 + value as u64 + OVERHEAD,
    }
}

/// When something that lives so long ends.
pub(super) fn deadline(ttl: Option<NonZeroU64>) -> u64 {
    ttl.map_or(NEVER, |ttl| clock::monotonic_ms().saturating_add(ttl.get()))
}
