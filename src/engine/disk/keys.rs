//! Stored keys: `[1 real | 2 hashed][length of namespace][namespace][key | BLAKE3 of key]`.
//!
//! LMDB takes keys of 1 to 511 bytes. Longer ones, and the empty one, are
//! stored under their hash, and the envelope has the whole key. The namespace
//! comes first, so that it is one range among real and one among hashed keys.

use crate::engine::{BUCKETS, Place};
use std::ops::Deref;

/// Longest key LMDB takes.
pub const MAX_STORED: usize = 511;
/// First byte of a key that is stored as it is.
pub const REAL: u8 = 1;
/// First byte of a key that is stored as its hash.
pub const HASHED: u8 = 2;

/// What lies beside the entries in their database, the unnamed one, begins
/// with an ASCII letter: the names of the other databases, the books. All
/// entries come before.
const RECORDS: u8 = 0x60;

/// Whether a key of the entries' database is one of the records that follow
/// the entries. What is neither is a damaged entry.
#[inline]
pub fn is_record(stored: &[u8]) -> bool {
    stored.first().is_some_and(|first| *first >= RECORDS)
}

/// Stored keys up to this many bytes are built on the stack.
const SHORT: usize = 96;

/// A stored key.
pub struct StoredKey {
    short: [u8; SHORT],
    len: usize,
    /// One that is longer than `short`.
    long: Vec<u8>,
}

impl Deref for StoredKey {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        if self.len <= SHORT { &self.short[..self.len] } else { &self.long }
    }
}

impl StoredKey {
    /// The stored key of a key in a namespace of at most 200 bytes.
    #[inline]
    pub fn new(namespace: &[u8], key: &[u8]) -> Self {
        let real = is_real(namespace, key);
        if real { Self::of(REAL, namespace, key) } else { Self::hashed(namespace, key) }
    }

    #[cold]
    fn hashed(namespace: &[u8], key: &[u8]) -> Self {
        Self::of(HASHED, namespace, blake3::hash(key).as_bytes())
    }

    #[inline]
    fn of(kind: u8, namespace: &[u8], rest: &[u8]) -> Self {
        let head = [kind, namespace.len() as u8];
        let (start, len) = (2 + namespace.len(), 2 + namespace.len() + rest.len());
        let mut stored = Self { short: [0; SHORT], len, long: Vec::new() };
        if len <= SHORT {
            stored.short[..2].copy_from_slice(&head);
            if !namespace.is_empty() {
                stored.short[2..start].copy_from_slice(namespace);
            }
            stored.short[start..len].copy_from_slice(rest);
        } else {
            stored.long = [&head, namespace, rest].concat();
        }
        stored
    }

    /// Whether the envelope must carry the key.
    #[inline]
    pub fn is_hashed(&self) -> bool {
        self[0] == HASHED
    }
}

/// What the stored keys of a namespace begin with.
pub fn range(kind: u8, namespace: &[u8]) -> Vec<u8> {
    let mut start = vec![kind, namespace.len() as u8];
    start.extend_from_slice(namespace);
    start
}

/// The namespace of a stored key, and its key or hash; `None` where the bytes
/// are not a stored key (a damaged row).
pub fn split(stored: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, len], rest) = stored.split_first_chunk::<2>()?;
    let (namespace, key) = rest.split_at_checked(usize::from(len))?;
    matches!(kind, REAL | HASHED).then_some((kind, namespace, key))
}

/// Where the change table tells of a key. Keys that are stored as their hash
/// share one place: from a row alone their key is not known.
#[inline]
pub fn place(namespace: &[u8], key: &[u8]) -> Place {
    if is_real(namespace, key) { place_of_real(key) } else { OF_HASHED }
}

/// The same from a stored key; `None` where the bytes are not one.
pub fn place_of(stored: &[u8]) -> Option<Place> {
    let (kind, _, key) = split(stored)?;
    Some(if kind == REAL { place_of_real(key) } else { OF_HASHED })
}

const OF_HASHED: Place = Place { bucket: BUCKETS - 1, hash: 0 };

#[inline]
fn place_of_real(key: &[u8]) -> Place {
    let hash = xxhash_rust::xxh3::xxh3_64(key);
    Place { bucket: ((u128::from(hash) * (BUCKETS as u128 - 1)) >> 64) as usize, hash }
}

#[inline]
fn is_real(namespace: &[u8], key: &[u8]) -> bool {
    !key.is_empty() && 2 + namespace.len() + key.len() <= MAX_STORED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_stored_key_that_lmdb_takes() {
        let namespace = [b'n'; 200];
        for n in [0, 1, 308, 309, 310, 509, 510, 600, 100_000] {
            for namespace in [&namespace[..], b""] {
                let key = vec![7; n];
                let stored = StoredKey::new(namespace, &key);
                assert!((1..=MAX_STORED).contains(&stored.len()));
                let real = n > 0 && n + namespace.len() <= 509;
                assert_eq!(stored.is_hashed(), !real);
                let (_, found, rest) = split(&stored).unwrap();
                assert_eq!(found, namespace);
                assert_eq!(rest.len(), if real { n } else { 32 });
            }
        }
    }

    #[test]
    fn a_key_and_its_row_have_one_place_in_the_change_table() {
        let mut used = std::collections::BTreeSet::new();
        for n in 0..2000_usize {
            let key = vec![n as u8; n / 4].into_iter().chain(n.to_le_bytes()).collect::<Vec<_>>();
            let stored = StoredKey::new(b"space", &key);
            let place = place(b"space", &key);
            assert_eq!(place_of(&stored), Some(place));
            used.insert(place.bucket);
        }
        assert_eq!(used.len(), BUCKETS);
    }

    #[test]
    fn entries_come_before_the_records_beside_them() {
        for key in [&[0xff; 500][..], b"", b"totals", &[0xff; 600]] {
            for namespace in [&b""[..], b"n", &[0xff; 200]] {
                assert!(!is_record(&StoredKey::new(namespace, key)));
            }
        }
        let mut records = super::super::open::NAMES.map(str::as_bytes).to_vec();
        let namespace = super::super::row::namespace_key(b"\x01\x02");
        records.extend([super::super::totals::Totals::KEY, super::super::row::CHANGES, &namespace]);
        assert!(records.into_iter().all(is_record));
    }

    #[test]
    fn namespaces_are_ranges_that_do_not_overlap() {
        let a = StoredKey::new(b"a", b"bc");
        let ab = StoredKey::new(b"ab", b"c");
        assert_ne!(&*a, &*ab);
        assert_eq!(split(&a).unwrap().1, b"a");
        assert!(!ab.starts_with(&range(REAL, b"a")));
    }
}
