//! The row of the totals: figures, bounds and settings of a store, with a
//! checksum (docs/format.md).

use super::row::{le, number};
use xxhash_rust::xxh3::xxh3_64;

/// The version of everything in the store: databases, rows, envelopes, files.
pub const FORMAT: u64 = 3;
/// Sequence numbers stay below it. One that does not was never given.
pub const MAX_SEQUENCE: u64 = 1 << 62;

/// The figures of a store, changed in the transaction of the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// [`FORMAT`] of the writer.
    pub format: u64,
    /// Last sequence number given.
    pub sequence: u64,
    /// Entries, expired ones that were not swept included.
    pub entries: u64,
    /// Their weight.
    pub bytes: u64,
    /// Bound on entries, as the last opener set it; 0 is none.
    pub max_entries: u64,
    /// Bound on weight; 0 is none.
    pub max_bytes: u64,
    /// Number of the eviction policy.
    pub policy: u64,
    /// Version of the last tag that was invalidated; 0 once all entries that
    /// it made misses are swept.
    pub invalidated: u64,
    /// Order of the queue: 0 is by sequence number (reserved).
    pub order: u64,
    /// Compression settings; 0 are none recorded.
    pub compression: u64,
    /// Not assigned: 0, and kept as it is found.
    pub spare: u64,
}

/// What a row of totals says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// This format, and the checksum holds.
    Ours(Totals),
    /// An older or newer format.
    Other(u64),
    /// Neither.
    Damaged,
}

impl Totals {
    /// Its key in the unnamed database.
    pub const KEY: &[u8] = b"totals";
    const FIELDS: usize = 11;
    /// Bytes of the row: the fields, and their checksum.
    pub const SIZE: usize = 8 * (Self::FIELDS + 1);

    /// As it is stored.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let fields: [u64; Self::FIELDS] = [
            self.format,
            self.sequence,
            self.entries,
            self.bytes,
            self.max_entries,
            self.max_bytes,
            self.policy,
            self.invalidated,
            self.order,
            self.compression,
            self.spare,
        ];
        let mut out = [0; Self::SIZE];
        for (to, field) in out.chunks_exact_mut(8).zip(fields) {
            to.copy_from_slice(&field.to_le_bytes());
        }
        let sum = xxh3_64(&out[..8 * Self::FIELDS]);
        out[8 * Self::FIELDS..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads a row and verifies it.
    pub fn read(bytes: &[u8]) -> Reading {
        let format = number(bytes).unwrap_or(0);
        let intact = bytes.len() >= Self::SIZE
            && xxh3_64(&bytes[..8 * Self::FIELDS]) == le(&bytes[8 * Self::FIELDS..Self::SIZE]);
        match format {
            // Their rows were shorter and had no checksum.
            1 | 2 if bytes.len() < Self::SIZE => return Reading::Other(format),
            FORMAT if intact && bytes.len() == Self::SIZE => {}
            FORMAT | 0 => return Reading::Damaged,
            _ if intact => return Reading::Other(format),
            _ => return Reading::Damaged,
        }
        let mut fields = bytes.chunks_exact(8).map(le);
        let mut next = || fields.next().unwrap_or(0);
        let totals = Self {
            format: next(),
            sequence: next(),
            entries: next(),
            bytes: next(),
            max_entries: next(),
            max_bytes: next(),
            policy: next(),
            invalidated: next(),
            order: next(),
            compression: next(),
            spare: next(),
        };
        if totals.sequence < MAX_SEQUENCE { Reading::Ours(totals) } else { Reading::Damaged }
    }

    /// A verified row of this format.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match Self::read(bytes) {
            Reading::Ours(totals) => Some(totals),
            Reading::Other(_) | Reading::Damaged => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_totals() -> Totals {
        Totals {
            format: FORMAT,
            sequence: 2,
            entries: 3,
            bytes: 4,
            compression: 5,
            spare: 6,
            ..Totals::default()
        }
    }

    #[test]
    fn totals_come_back_and_every_flipped_bit_is_seen() {
        let bytes = some_totals().encode();
        assert_eq!(Totals::read(&bytes), Reading::Ours(some_totals()));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Totals::read(&bad), Reading::Damaged, "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert_eq!(Totals::decode(&bytes[..len]), None);
        }
        let beyond = Totals { sequence: u64::MAX, ..some_totals() };
        assert_eq!(Totals::read(&beyond.encode()), Reading::Damaged);
    }

    #[test]
    fn totals_of_other_formats_are_told_from_damage() {
        let newer = Totals { format: FORMAT + 1, ..some_totals() };
        assert_eq!(Totals::read(&newer.encode()), Reading::Other(FORMAT + 1));
        let longer = [&newer.encode()[..], &[1; 8]].concat();
        assert_eq!(Totals::read(&longer), Reading::Other(FORMAT + 1));
        for older in [1_u64, 2] {
            let row = [&older.to_le_bytes()[..], &[7; 56]].concat();
            assert_eq!(Totals::read(&row), Reading::Other(older));
        }
    }
}
