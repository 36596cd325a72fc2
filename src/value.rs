//! A value on its way out: immutable, alive for as long as somebody holds it,
//! whatever happens to its entry or its cache.

use crate::counted::Counted;
use std::ops::Deref;
use std::sync::Arc;

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
        Value::Shared(Counted::new(b"", bytes, 0, u64::MAX, None))
    }
}

impl Deref for Value {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Value::Shared(bytes) => bytes.value(),
            Value::Trimmed(bytes, cut) => {
                let bytes = bytes.value();
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
