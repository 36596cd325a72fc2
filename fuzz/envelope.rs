//! The envelope decoder: any bytes are refused or read, and what was written
//! is read back as it was.

use twat_cache::format::compress;
use twat_cache::format::envelope::{self, HASHED_KEY, Meta};

/// One input: a selector byte, a length byte, a key of that length, the rest.
pub fn run(data: &[u8]) {
    let [how, key_len, rest @ ..] = data else { return };
    let (key, bytes) = rest.split_at(rest.len().min(usize::from(*key_len)));
    any_bytes(bytes, key);
    any_payload(*how, bytes, key);
    round_trip(*how, bytes, key);
}

fn any_bytes(bytes: &[u8], key: &[u8]) {
    let _ = envelope::header(bytes);
    if let Ok((_, stored_key, parts)) = envelope::split(bytes) {
        assert!(stored_key.len() + parts.tags.len() + parts.payload.len() <= bytes.len());
    }
    match envelope::decode(bytes, key) {
        Ok(entry) => any_payload(entry.meta.codec, entry.payload, key),
        Err(refused) => {
            let _ = refused.error();
        }
    }
}

/// Expands to the length that is said, or is refused.
fn any_payload(codec: u8, payload: &[u8], len: &[u8]) {
    let len = len.iter().take(3).fold(0, |len, byte| len << 8 | u64::from(*byte));
    if let Ok(value) = compress::decompress(codec % 4, payload, len) {
        assert_eq!(value.len() as u64, len);
    }
}

fn round_trip(how: u8, payload: &[u8], key: &[u8]) {
    let flags = if how & 1 == 1 { HASHED_KEY } else { 0 };
    let meta = Meta {
        flags,
        sequence: u64::from(how),
        expires: u64::from(how >> 1),
        value_len: payload.len() as u64,
        ..Meta::default()
    };
    let tags = &payload[..payload.len() / 3];
    let sound = envelope::encode(&meta, key, tags, payload);
    let read = envelope::decode(&sound, key).expect("what was written");
    assert_eq!((read.meta, read.tags, read.payload), (meta, tags, payload));
    // One flipped bit anywhere is seen.
    let at = (payload.len() * 31 + usize::from(how)) % sound.len();
    let mut bad = sound.clone();
    bad[at] ^= 1 << (how % 8);
    assert!(envelope::decode(&bad, key).is_err(), "byte {at} was flipped unseen");
}
