//! What durable engines store around a value: a fixed header with a checksum.
//!
//! `docs/format.md` draws it. All integers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `TWAT` |
//! | 4 | 1 | format version, 1 |
//! | 5 | 1 | codec: 0 none, 1 lz4, 2 zstd |
//! | 6 | 2 | flags: 1 the full key follows, 2 the payload is a blob reference |
//! | 8 | 8 | sequence number |
//! | 16 | 8 | created, unix ms |
//! | 24 | 8 | expires, unix ms, 0 never |
//! | 32 | 8 | payload length |
//! | 40 | 8 | value length before compression |
//! | 48 | 4 | length of the full key that follows the header |
//! | 52 | 4 | length of the tag section that follows the key |
//! | 56 | 8 | XXH3-64 of bytes 0 to 55, the full key, the tags, the payload |
//!
//! The checksum always covers the full key, stored or not, so that a row that
//! a damaged tree hands out for another key fails it.

use crate::error::{Code, Error};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// Bytes of the fixed header: one cache line, and a payload right behind it
/// keeps the alignment of a mapped file.
pub const HEADER: usize = 64;
/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"TWAT";
/// The version this library writes.
pub const VERSION: u8 = 1;
/// Flag: the full key follows the header (its row holds only a hash).
pub const HASHED_KEY: u16 = 1;
/// Flag: the payload is a reference to a blob file.
pub const BLOB: u16 = 2;
const KNOWN_FLAGS: u16 = HASHED_KEY | BLOB;

/// The fields of a header that the writer chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Number of the codec, see [`crate::compress`].
    pub codec: u8,
    /// [`HASHED_KEY`], [`BLOB`].
    pub flags: u16,
    /// One a store, raised by each write.
    pub sequence: u64,
    /// Unix ms.
    pub created: u64,
    /// Unix ms; 0 is never.
    pub expires: u64,
    /// Bytes of the value before compression.
    pub value_len: u64,
}

/// A decoded envelope over the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The header's fields.
    pub meta: Meta,
    /// The tag section; its form is the engine's.
    pub tags: &'a [u8],
    /// What was stored: the value, compressed as `meta.codec` says.
    pub payload: &'a [u8],
}

impl Meta {
    /// Whether the entry's time is over.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires != 0 && self.expires <= now
    }
}

/// Bytes an envelope takes.
pub fn encoded_len(meta: &Meta, key: &[u8], tags: &[u8], payload_len: usize) -> usize {
    let key_len = if meta.flags & HASHED_KEY != 0 { key.len() } else { 0 };
    HEADER + key_len + tags.len() + payload_len
}

/// Writes an envelope into `out`, which must be [`encoded_len`] bytes: LMDB's
/// reserved room, so that a value is copied once.
pub fn encode_into(out: &mut [u8], meta: &Meta, key: &[u8], tags: &[u8], payload: &[u8]) {
    let stored_key = if meta.flags & HASHED_KEY != 0 { key } else { &[][..] };
    let mut head = [0u8; HEADER];
    head[0..4].copy_from_slice(&MAGIC);
    head[4] = VERSION;
    head[5] = meta.codec;
    head[6..8].copy_from_slice(&meta.flags.to_le_bytes());
    head[8..16].copy_from_slice(&meta.sequence.to_le_bytes());
    head[16..24].copy_from_slice(&meta.created.to_le_bytes());
    head[24..32].copy_from_slice(&meta.expires.to_le_bytes());
    head[32..40].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    head[40..48].copy_from_slice(&meta.value_len.to_le_bytes());
    head[48..52].copy_from_slice(&(stored_key.len() as u32).to_le_bytes());
    head[52..56].copy_from_slice(&(tags.len() as u32).to_le_bytes());
    let sum = checksum(&head[..56], key, tags, payload);
    head[56..64].copy_from_slice(&sum.to_le_bytes());
    let (to_head, rest) = out.split_at_mut(HEADER);
    let (to_key, rest) = rest.split_at_mut(stored_key.len());
    let (to_tags, to_payload) = rest.split_at_mut(tags.len());
    to_head.copy_from_slice(&head);
    to_key.copy_from_slice(stored_key);
    to_tags.copy_from_slice(tags);
    to_payload.copy_from_slice(payload);
}

/// The envelope as bytes of its own.
pub fn encode(meta: &Meta, key: &[u8], tags: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; encoded_len(meta, key, tags, payload.len())];
    encode_into(&mut out, meta, key, tags, payload);
    out
}

/// Why stored bytes are not an entry for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not our magic: somebody else's bytes. Never delete them.
    Foreign,
    /// A newer format: readable by a newer library. Never delete them.
    Newer(u8),
    /// Ours, and damaged.
    Corrupt,
    /// Ours and sound, for another key with the same hash.
    OtherKey,
}

impl Refused {
    /// The error of a direct call; `None` where the entry is just not there.
    pub fn error(&self) -> Option<Error> {
        match self {
            Refused::Foreign => Some(Error::new(
                Code::Corrupt,
                "the stored value does not begin with 'TWAT': it was not written by twat-cache",
            )),
            Refused::Newer(version) => Some(Error::new(
                Code::Version,
                format!("envelope version: expected at most {VERSION}, found: {version}"),
            )),
            Refused::Corrupt | Refused::OtherKey => None,
        }
    }
}

/// What is put together on the stack: the state of a streaming hash costs more
/// to set up than to copy a small value.
const SMALL: usize = 256;

fn checksum(head: &[u8], key: &[u8], tags: &[u8], payload: &[u8]) -> u64 {
    let len = head.len() + key.len() + tags.len() + payload.len();
    if len <= SMALL {
        let (mut whole, mut at) = ([0; SMALL], 0);
        for part in [head, key, tags, payload] {
            whole[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        return xxh3_64(&whole[..len]);
    }
    let mut hash = Xxh3Default::new();
    hash.update(head);
    hash.update(key);
    hash.update(tags);
    hash.update(payload);
    hash.digest()
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default())
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default()) as usize
}

/// A header by itself: its fields and the lengths of the key and the tags that
/// follow it. For readers that fetched only the beginning of an entry.
pub fn header(bytes: &[u8]) -> std::result::Result<(Meta, usize, usize), Refused> {
    if bytes.len() < 5 || bytes[..4] != MAGIC {
        return Err(Refused::Foreign);
    }
    if bytes[4] > VERSION {
        return Err(Refused::Newer(bytes[4]));
    }
    if bytes[4] != VERSION || bytes.len() < HEADER {
        return Err(Refused::Corrupt);
    }
    let meta = Meta {
        codec: bytes[5],
        flags: u16::from_le_bytes([bytes[6], bytes[7]]),
        sequence: u64_at(bytes, 8),
        created: u64_at(bytes, 16),
        expires: u64_at(bytes, 24),
        value_len: u64_at(bytes, 40),
    };
    Ok((meta, u32_at(bytes, 48), u32_at(bytes, 52)))
}

/// Reads the parts without verifying the checksum: for an index walk that
/// wants the header or the full key only.
pub fn split(bytes: &[u8]) -> std::result::Result<(Meta, &[u8], Envelope<'_>), Refused> {
    let (meta, key_len, tags_len) = header(bytes)?;
    let rest = &bytes[HEADER..];
    let payload_at = key_len.saturating_add(tags_len);
    let whole = (payload_at as u64).checked_add(u64_at(bytes, 32));
    if whole != Some(rest.len() as u64) || meta.flags & !KNOWN_FLAGS != 0 {
        return Err(Refused::Corrupt);
    }
    let (key, tags) = (&rest[..key_len], &rest[key_len..payload_at]);
    Ok((meta, key, Envelope { meta, tags, payload: &rest[payload_at..] }))
}

/// Reads and verifies the envelope stored for `key`.
pub fn decode<'a>(bytes: &'a [u8], key: &[u8]) -> std::result::Result<Envelope<'a>, Refused> {
    let (meta, stored_key, envelope) = split(bytes)?;
    let hashed = meta.flags & HASHED_KEY != 0;
    let summed_key = if hashed { stored_key } else { key };
    let sum = checksum(&bytes[..56], summed_key, envelope.tags, envelope.payload);
    if sum != u64_at(bytes, 56) {
        return Err(Refused::Corrupt);
    }
    if hashed && stored_key != key {
        return Err(Refused::OtherKey);
    }
    Ok(envelope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Meta {
        Meta { codec: 0, flags: 0, sequence: 7, created: 1000, expires: 2000, value_len: 5 }
    }

    #[test]
    fn golden_bytes() {
        let bytes = encode(&sample(), b"key", b"", b"value");
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "5457415401000000\
             0700000000000000e803000000000000d007000000000000\
             05000000000000000500000000000000\
             0000000000000000\
             347905dbbc23c9ef\
             76616c7565"
        );
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        for (flags, key) in [(0, &b"key"[..]), (HASHED_KEY, b"key")] {
            let meta = Meta { flags, ..sample() };
            let sound = encode(&meta, key, b"tag", b"value");
            assert_eq!(decode(&sound, key).unwrap().payload, b"value");
            for bit in 0..sound.len() * 8 {
                let mut bad = sound.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                decode(&bad, key).expect_err("a damaged envelope was accepted");
            }
            for len in 0..sound.len() {
                decode(&sound[..len], key).expect_err("a short envelope was accepted");
            }
        }
    }

    #[test]
    fn small_and_large_entries_are_summed_alike() {
        for len in [0, 1, 150, SMALL - 56 - 3, SMALL - 56 - 2, 1000] {
            let payload = vec![b'p'; len];
            let sound = encode(&sample(), b"key", b"", &payload);
            let mut hash = Xxh3Default::new();
            [&sound[..56], b"key", &payload].iter().for_each(|part| hash.update(part));
            assert_eq!(u64_at(&sound, 56), hash.digest());
        }
    }

    #[test]
    fn a_row_for_another_key_is_refused() {
        let plain = encode(&sample(), b"key", b"", b"value");
        assert_eq!(decode(&plain, b"yek"), Err(Refused::Corrupt));
        let hashed = encode(&Meta { flags: HASHED_KEY, ..sample() }, b"key", b"", b"value");
        assert_eq!(decode(&hashed, b"yek"), Err(Refused::OtherKey));
    }

    #[test]
    fn a_newer_version_is_not_corruption() {
        let mut bytes = encode(&sample(), b"key", b"", b"value");
        bytes[4] = 2;
        assert_eq!(decode(&bytes, b"key"), Err(Refused::Newer(2)));
        assert_eq!(Refused::Newer(2).error().unwrap().code(), Code::Version);
    }
}
