//! What a first-tier copy knows of its original: 16 bytes behind the value.

use crate::mem::value::{Hit, Value};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes behind the value.
pub const TRAILER: usize = 16;

/// Which entry a copy is of, and when it was last known to be the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Sequence number of the original.
    pub sequence: u64,
    /// The store's version, or a time: see the coherence in use.
    pub seen: u64,
}

impl Stamp {
    /// A copy: the value and its stamp.
    pub fn seal(self, value: &[u8]) -> Vec<u8> {
        let mut copy = Vec::with_capacity(value.len() + TRAILER);
        copy.extend_from_slice(value);
        copy.extend_from_slice(&self.sequence.to_le_bytes());
        copy.extend_from_slice(&self.seen.to_le_bytes());
        copy
    }

    /// The value and the stamp of a copy; `None` where it is none.
    #[inline]
    pub fn open(copy: &[u8]) -> Option<(&[u8], Self)> {
        let (value, trailer) = copy.split_last_chunk::<TRAILER>()?;
        let (sequence, seen) = trailer.split_first_chunk::<8>()?;
        let seen = seen.first_chunk::<8>()?;
        let (sequence, seen) = (u64::from_le_bytes(*sequence), u64::from_le_bytes(*seen));
        Some((value, Self { sequence, seen }))
    }
}

/// The value of a copy without its stamp, and without being copied.
#[inline]
pub fn trimmed(copy: Value) -> Value {
    match copy {
        Value::Shared(hit) => Value::Shared(Hit { cut: hit.cut + TRAILER, ..hit }),
        other => Value::copy_of(&other[..other.len().saturating_sub(TRAILER)]),
    }
}

/// Copies that were found to be current at a later version than their stamp
/// says. A place holds one number made of the key's hash, the sequence number
/// and the version, so that it is read and written at once; another copy that
/// takes the place costs a look below, never a wrong answer.
pub struct Restamped {
    places: Box<[AtomicU64]>,
}

impl Restamped {
    /// For a tier of so many copies; 0 for one whose bound is another.
    pub fn for_copies(copies: u64) -> Self {
        // Half full, two copies in five share a place with another; places are
        // 8 bytes, a small part of what a copy takes.
        let places = match usize::try_from(copies) {
            Ok(0) => 1 << 16,
            Ok(copies) => copies.min(1 << 17).next_power_of_two() * 2,
            Err(_) => 1 << 18,
        };
        Self { places: (0..places).map(|_| AtomicU64::new(0)).collect() }
    }

    #[inline]
    fn place(&self, hash: u64) -> &AtomicU64 {
        &self.places[hash as usize & (self.places.len() - 1)]
    }

    /// Whether a copy was found to be current at this version.
    #[inline]
    pub fn has(&self, hash: u64, sequence: u64, version: u64) -> bool {
        self.place(hash).load(Ordering::Relaxed) == mark(hash, sequence, version)
    }

    /// Notes that it was.
    pub fn set(&self, hash: u64, sequence: u64, version: u64) {
        self.place(hash).store(mark(hash, sequence, version), Ordering::Relaxed);
    }
}

/// 64 bits of the three numbers; the hash is seeded, so nobody can choose two
/// that meet. For one key each step is a bijection of what is new in it.
#[inline]
fn mark(hash: u64, sequence: u64, version: u64) -> u64 {
    let mut x = hash ^ sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^= version.wrapping_mul(0xD1B5_4A32_D192_ED03);
    x = (x ^ x >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    // 0 is an empty place.
    (x ^ x >> 32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_gives_back_value_and_stamp() {
        let stamp = Stamp { sequence: 7, seen: u64::MAX };
        for value in [&b""[..], b"x", &[9; 100]] {
            let copy = stamp.seal(value);
            assert_eq!(Stamp::open(&copy), Some((value, stamp)));
            assert_eq!(&*trimmed(Value::copy_of(&copy)), value);
        }
        assert_eq!(Stamp::open(&[0; TRAILER - 1]), None);
    }

    #[test]
    fn another_key_sequence_or_version_has_another_mark() {
        let mut marks = std::collections::HashSet::new();
        for hash in [3_u64, 3 << 40, 0xABCD_EF01_2345_6789] {
            for sequence in 0..100 {
                for version in 0..100 {
                    assert!(marks.insert(mark(hash, sequence, version)));
                }
            }
        }
    }
}
