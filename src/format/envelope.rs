//! What durable engines store around a value: a short header with a checksum.
//!
//! `docs/format.md` draws it. All integers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `TWAT` |
//! | 4 | 1 | format version, 3 |
//! | 5 | 1 | codec: 0 none, 1 lz4, 2 zstd |
//! | 6 | 2 | flags, below |
//! | 8 | 8 | sequence number |
//! | 16 | 8 | checksum |
//!
//! then, in this order, what the flags name:
//!
//! | flag | bytes | field |
//! |---|---|---|
//! | 1 | 4 | length of the full key, which follows the header |
//! | 2 | 0 | the payload is a blob reference |
//! | 4 | 8 | expires, unix ms; without it never |
//! | 8 | 8 | value length before compression; without it that of the payload |
//! | 16 | 4 | length of the tag section, which follows the key |
//! | 32 | 8 | fresh until, unix ms |
//! | 64 | 12 | idle limit, ms, u32; last recorded use, unix ms, u64 |
//! | 128 | 4 | cost of the computation, ms, u32 |
//! | 256 | 8 | created, unix ms |
//! | 512 | 0 | a negative result |
//!
//! No writer of this release sets the flags from 32 on. An entry that has them
//! is read, and keeps their fields when it is rewritten.
//!
//! The payload takes what is left. A header is read with each entry, and most
//! entries need none of the optional fields: their rows are a quarter shorter
//! than under a header that has room for all, and so are the pages a get reads.
//!
//! The checksum is three XXH3-64, each the seed of the next, which spares
//! putting the parts together: of bytes 0 to 15, of the full key where the
//! entry does not hold it (else of nothing), of the bytes from 24 on. So it
//! always covers the full key, and a row that a damaged tree hands out for
//! another key fails it.

use crate::base::error::{Code, Error};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Bytes of the shortest header.
const FIXED: usize = 24;
/// Bytes of the longest one: so many tell what an entry is.
pub const MAX_HEADER: usize = FIXED + 4 + 8 + 8 + 4 + RESERVED_LEN;
/// Where the checksum stands.
const SUM: usize = 16;
/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"TWAT";
/// The version this library writes.
pub const VERSION: u8 = 3;
/// Flag: the full key follows the header (its row holds only a hash).
pub const HASHED_KEY: u16 = 1;
/// Flag: the payload is a reference to a blob file.
pub const BLOB: u16 = 2;
/// Flag of the layout: the entry has an end.
const EXPIRES: u16 = 4;
/// Flag of the layout: the value is not as long as the payload.
const VALUE_LEN: u16 = 8;
/// Flag of the layout: a tag section follows.
const TAGS: u16 = 16;
/// Reserved flags and the bytes of their fields, in the order of the header.
const RESERVED_FIELDS: [(u16, usize); 5] = [(32, 8), (64, 12), (128, 4), (256, 8), (512, 0)];
/// All reserved flags.
const RESERVED: u16 = 32 | 64 | 128 | 256 | 512;
/// Bytes of the fields of all reserved flags.
const RESERVED_LEN: usize = 8 + 12 + 4 + 8;
/// What the writer says; the layout's flags follow from the fields.
const MEANING: u16 = HASHED_KEY | BLOB | RESERVED;
const KNOWN_FLAGS: u16 = MEANING | EXPIRES | VALUE_LEN | TAGS;

/// The fields of a header that the writer chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Number of the codec, see [`crate::format::compress`].
    pub codec: u8,
    /// [`HASHED_KEY`], [`BLOB`], and the reserved flags that were read.
    pub flags: u16,
    /// One a store, raised by each write.
    pub sequence: u64,
    /// Unix ms; 0 is never.
    pub expires: u64,
    /// Bytes of the value before compression.
    pub value_len: u64,
    /// The fields of the reserved flags, one after the other, then zeros.
    pub reserved: [u8; RESERVED_LEN],
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
    /// With the reserved flags and fields of another entry: for a rewrite.
    pub fn with_reserved(mut self, from: &Meta) -> Self {
        self.flags |= from.flags & RESERVED;
        self.reserved = from.reserved;
        self
    }

    /// Whether the entry's time is over.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires != 0 && self.expires <= now
    }
}

/// The flags that say which optional fields an entry has.
fn flags_of(meta: &Meta, tags: &[u8], payload_len: usize) -> u16 {
    let mut flags = meta.flags & MEANING;
    if meta.expires != 0 {
        flags |= EXPIRES;
    }
    if meta.value_len != payload_len as u64 {
        flags |= VALUE_LEN;
    }
    if !tags.is_empty() {
        flags |= TAGS;
    }
    flags
}

/// Bytes of a header with these flags.
#[inline]
fn header_len(flags: u16) -> usize {
    let field = |flag, len| if flags & flag != 0 { len } else { 0 };
    let ours = field(HASHED_KEY, 4) + field(EXPIRES, 8) + field(VALUE_LEN, 8) + field(TAGS, 4);
    FIXED + ours + if flags & RESERVED == 0 { 0 } else { reserved_len(flags) }
}

/// Bytes of the fields of the reserved flags.
#[cold]
fn reserved_len(flags: u16) -> usize {
    RESERVED_FIELDS.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, len)| len).sum()
}

/// Bytes an envelope takes.
pub fn encoded_len(meta: &Meta, key: &[u8], tags: &[u8], payload_len: usize) -> usize {
    let key_len = if meta.flags & HASHED_KEY != 0 { key.len() } else { 0 };
    header_len(flags_of(meta, tags, payload_len)) + key_len + tags.len() + payload_len
}

/// Writes an envelope into `out`, which must be [`encoded_len`] bytes: LMDB's
/// reserved room, so that a value is copied once.
pub fn encode_into(out: &mut [u8], meta: &Meta, key: &[u8], tags: &[u8], payload: &[u8]) {
    let flags = flags_of(meta, tags, payload.len());
    let hashed = flags & HASHED_KEY != 0;
    let stored_key = if hashed { key } else { &[][..] };
    let (head, body) = out.split_at_mut(header_len(flags));
    head[0..4].copy_from_slice(&MAGIC);
    head[4] = VERSION;
    head[5] = meta.codec;
    head[6..8].copy_from_slice(&flags.to_le_bytes());
    head[8..16].copy_from_slice(&meta.sequence.to_le_bytes());
    let mut at = FIXED;
    let mut field = |flag, bytes: &[u8]| {
        if flags & flag != 0 {
            head[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        }
    };
    field(HASHED_KEY, &(stored_key.len() as u32).to_le_bytes());
    field(EXPIRES, &meta.expires.to_le_bytes());
    field(VALUE_LEN, &meta.value_len.to_le_bytes());
    field(TAGS, &(tags.len() as u32).to_le_bytes());
    field(RESERVED, &meta.reserved[..reserved_len(flags)]);
    let (to_key, rest) = body.split_at_mut(stored_key.len());
    let (to_tags, to_payload) = rest.split_at_mut(tags.len());
    to_key.copy_from_slice(stored_key);
    to_tags.copy_from_slice(tags);
    to_payload.copy_from_slice(payload);
    let sum = checksum(out, if hashed { &[] } else { key });
    out[SUM..FIXED].copy_from_slice(&sum.to_le_bytes());
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

/// The checksum of an envelope, whose own place it leaves out, and of a key
/// that is not in it.
#[inline]
fn checksum(envelope: &[u8], key: &[u8]) -> u64 {
    let seed = xxh3_64(&envelope[..SUM]);
    xxh3_64_with_seed(&envelope[FIXED..], xxh3_64_with_seed(key, seed))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default())
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default()) as usize
}

/// A header by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its fields. Without the whole entry the value's length is not known
    /// where it is that of the payload: 0 then.
    pub meta: Meta,
    /// Its own length.
    pub len: usize,
    /// The length of the full key that follows it.
    pub key_len: usize,
    /// The length of the tag section that follows that.
    pub tags_len: usize,
    whole_value: bool,
}

/// Reads a header of which up to [`MAX_HEADER`] bytes are there, and perhaps
/// the rest of the entry: for readers that fetched only its beginning.
#[inline]
pub fn header(bytes: &[u8]) -> std::result::Result<Head, Refused> {
    if bytes.len() < 5 || bytes[..4] != MAGIC {
        return Err(Refused::Foreign);
    }
    if bytes[4] > VERSION {
        return Err(Refused::Newer(bytes[4]));
    }
    if bytes[4] != VERSION || bytes.len() < FIXED {
        return Err(Refused::Corrupt);
    }
    let flags = u16::from_le_bytes([bytes[6], bytes[7]]);
    let len = header_len(flags);
    if flags & !KNOWN_FLAGS != 0 || bytes.len() < len {
        return Err(Refused::Corrupt);
    }
    let meta = Meta {
        codec: bytes[5],
        flags: flags & MEANING,
        sequence: u64_at(bytes, 8),
        ..Meta::default()
    };
    let mut head = Head { meta, len, key_len: 0, tags_len: 0, whole_value: flags & VALUE_LEN == 0 };
    if len == FIXED {
        return Ok(head);
    }
    let mut at = FIXED;
    let mut next = |len| {
        at += len;
        at - len
    };
    if flags & HASHED_KEY != 0 {
        head.key_len = u32_at(bytes, next(4));
    }
    if flags & EXPIRES != 0 {
        head.meta.expires = u64_at(bytes, next(8));
    }
    if flags & VALUE_LEN != 0 {
        head.meta.value_len = u64_at(bytes, next(8));
    }
    if flags & TAGS != 0 {
        head.tags_len = u32_at(bytes, next(4));
    }
    if flags & RESERVED != 0 {
        let fields = &bytes[at..len];
        head.meta.reserved[..fields.len()].copy_from_slice(fields);
    }
    Ok(head)
}

/// Reads the parts without verifying the checksum: for an index walk that
/// wants the header or the full key only.
#[inline]
pub fn split(bytes: &[u8]) -> std::result::Result<(Meta, &[u8], Envelope<'_>), Refused> {
    let Head { mut meta, len, key_len, tags_len, whole_value } = header(bytes)?;
    let (key, rest) = bytes[len..].split_at_checked(key_len).ok_or(Refused::Corrupt)?;
    let (tags, payload) = rest.split_at_checked(tags_len).ok_or(Refused::Corrupt)?;
    if whole_value {
        meta.value_len = payload.len() as u64;
    }
    Ok((meta, key, Envelope { meta, tags, payload }))
}

/// Reads and verifies the envelope stored for `key`.
#[inline]
pub fn decode<'a>(bytes: &'a [u8], key: &[u8]) -> std::result::Result<Envelope<'a>, Refused> {
    let (meta, stored_key, envelope) = split(bytes)?;
    let hashed = meta.flags & HASHED_KEY != 0;
    if checksum(bytes, if hashed { &[] } else { key }) != u64_at(bytes, SUM) {
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
        Meta { sequence: 7, value_len: 5, ..Meta::default() }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// An entry that has everything.
    fn full() -> Meta {
        Meta { codec: 1, flags: HASHED_KEY | BLOB, expires: 2000, value_len: 9, ..sample() }
    }

    #[test]
    fn golden_bytes() {
        assert_eq!(
            hex(&encode(&sample(), b"key", b"", b"value")),
            "5457415403000000\
             0700000000000000\
             2453bec83ef18f35\
             76616c7565"
        );
        assert_eq!(
            hex(&encode(&full(), b"key", b"tag!", b"value")),
            "5457415403011f00\
             0700000000000000\
             75b750034d3c40f7\
             03000000\
             d007000000000000\
             0900000000000000\
             04000000\
             6b657974616721\
             76616c7565"
        );
        // One of a later release, with all that is reserved.
        assert_eq!(
            hex(&encode(&later(RESERVED, 0), b"key", b"", b"value")),
            "545741540300e403\
             0700000000000000\
             21afd26b537c227f\
             0900000000000000\
             0102030405060708\
             090a0b0c0d0e0f1011121314\
             15161718\
             191a1b1c1d1e1f20\
             76616c7565"
        );
    }

    #[test]
    fn every_field_comes_back_and_only_those_that_say_something_take_room() {
        for flags in 0..4 {
            for (expires, value_len) in [(0, 5), (0, 6), (1, 5), (u64::MAX, u64::MAX)] {
                for tags in [&b""[..], b"tags"] {
                    let meta = Meta { flags, expires, value_len, ..sample() };
                    let bytes = encode(&meta, b"key", tags, b"value");
                    let expected = Envelope { meta, tags, payload: b"value" };
                    assert_eq!(decode(&bytes, b"key"), Ok(expected));
                    assert_eq!(bytes.len(), encoded_len(&meta, b"key", tags, 5));
                    let head = header(&bytes[..bytes.len().min(MAX_HEADER)]).unwrap();
                    let rest = [head.len, head.key_len, head.tags_len].iter().sum::<usize>();
                    assert_eq!(rest + 5, bytes.len());
                }
            }
        }
        assert_eq!(encode(&sample(), b"key", b"", b"value").len(), FIXED + 5);
    }

    /// An entry of a later release, which sets these reserved flags.
    fn later(reserved: u16, flags: u16) -> Meta {
        let mut meta = Meta { flags: flags | reserved, expires: 9, ..sample() };
        for (at, byte) in meta.reserved[..reserved_len(reserved)].iter_mut().enumerate() {
            *byte = at as u8 + 1;
        }
        meta
    }

    #[test]
    fn reserved_fields_are_read_over_and_kept() {
        for reserved in (0..=RESERVED).step_by(32) {
            for flags in 0..4 {
                let meta = later(reserved, flags);
                let bytes = encode(&meta, b"key", b"tags", b"value");
                assert_eq!(bytes.len(), encoded_len(&meta, b"key", b"tags", 5));
                let read = decode(&bytes, b"key").unwrap();
                assert_eq!(read, Envelope { meta, tags: b"tags", payload: b"value" });
                // A rewrite as `touch` makes it.
                let touched = Meta { sequence: 8, expires: 0, ..read.meta };
                let again = encode(&touched, b"key", read.tags, read.payload);
                assert_eq!(decode(&again, b"key").unwrap().meta, touched);
            }
        }
        let unknown = [1024_u16, 1 << 15];
        for flag in unknown {
            let mut bytes = encode(&sample(), b"key", b"", b"value");
            bytes[6..8].copy_from_slice(&flag.to_le_bytes());
            assert_eq!(header(&bytes), Err(Refused::Corrupt));
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let reserved = later(RESERVED, HASHED_KEY);
        for (meta, tags) in
            [(sample(), &b""[..]), (full(), b"tag"), (sample(), b"tag"), (reserved, b"tag")]
        {
            let sound = encode(&meta, b"key", tags, b"value");
            assert_eq!(decode(&sound, b"key").unwrap().payload, b"value");
            for bit in 0..sound.len() * 8 {
                let mut bad = sound.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                decode(&bad, b"key").expect_err("a damaged envelope was accepted");
            }
            for len in 0..sound.len() {
                decode(&sound[..len], b"key").expect_err("a short envelope was accepted");
            }
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
        bytes[4] = VERSION + 1;
        assert_eq!(decode(&bytes, b"key"), Err(Refused::Newer(VERSION + 1)));
        assert_eq!(Refused::Newer(VERSION + 1).error().unwrap().code(), Code::Version);
    }
}
