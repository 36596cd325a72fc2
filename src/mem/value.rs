//! A value on its way out: immutable, alive for as long as somebody holds it,
//! whatever happens to its entry or its cache.

use crate::mem::counted::Counted;
use std::ops::Deref;
use std::sync::Arc;

/// Bytes that no later call changes.
#[derive(Clone)]
pub enum Value {
    /// A counted copy.
    Shared(Hit),
    /// A view into something that stays mapped as long as the view lives.
    Mapped(Arc<Mapped>),
}

/// A counted copy but for its last bytes, which are a tier's own.
#[derive(Clone)]
pub struct Hit {
    pub(crate) copy: Counted,
    /// How many bytes at its end are not the value's. A whole word: what is
    /// written in parts and moved as a whole is waited for.
    pub(crate) cut: usize,
}

impl Hit {
    /// The value.
    #[inline(always)]
    pub fn value(&self) -> &[u8] {
        let copy = self.copy.value();
        copy.get(..copy.len().saturating_sub(self.cut)).unwrap_or_default()
    }
}

impl From<Counted> for Hit {
    #[inline(always)]
    fn from(copy: Counted) -> Self {
        Self { copy, cut: 0 }
    }
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
        Counted::new(b"", bytes, u64::MAX, None).into()
    }
}

impl From<Counted> for Value {
    #[inline(always)]
    fn from(copy: Counted) -> Self {
        Value::Shared(copy.into())
    }
}

impl Deref for Value {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Value::Shared(shared) => shared.value(),
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
