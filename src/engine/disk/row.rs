//! Rows: what stands in each database, and how it is read back.
//!
//! | database | key | value |
//! |---|---|---|
//! | (unnamed) | stored key | envelope |
//! | `order` | place, u64 big-endian | place the entry knows, u64 LE; stored key |
//! | `expiry` | expires, sequence number, both u64 big-endian | stored key |
//! | `tags` | namespace length, namespace, BLAKE3 of tag | version, u64 LE; XXH3-64 of key and version |
//! | `blobs` | id, 16 bytes | length, u64 LE |
//! | (unnamed) | `totals` | [`super::totals::Totals`] |
//! | (unnamed) | `changes` | [`changes`] |
//! | (unnamed) | `n`, namespace | entries and bytes, u64 LE each |
//!
//! Stored keys begin with 1 or 2, what else lies in the unnamed database with a
//! letter ([`keys::is_record`]).

use super::keys;
use super::totals::MAX_SEQUENCE;
use crate::engine::{BUCKETS, Changes};
use crate::files::blobs::BlobRef;
use crate::format::envelope::{self, BLOB, Envelope, Meta, Refused};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Extra: a tag (its bytes) and the version it had, u64 LE, before them.
const TAG: u8 = 1;
/// Extra: the weight given by the caller, u64 LE.
const COST: u8 = 2;
/// Extra: the place in the order queue where it is not the sequence number.
const PLACE: u8 = 3;

/// What stands beside the payload, in the tag section of the envelope: pieces
/// of `[kind u8][length u16 LE][bytes]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    bytes: Vec<u8>,
}

impl Extras {
    fn push(&mut self, kind: u8, number: u64, bytes: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&((8 + bytes.len()) as u16).to_le_bytes());
        self.bytes.extend_from_slice(&number.to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a tag, of at most 60,000 bytes.
    pub fn tag(&mut self, tag: &[u8], version: u64) {
        self.push(TAG, version, tag);
    }

    /// Adds the weight; 0 is none.
    pub fn cost(&mut self, cost: u64) {
        if cost != 0 {
            self.push(COST, cost, b"");
        }
    }

    /// Adds the place in the order queue.
    pub fn place(&mut self, place: u64) {
        self.push(PLACE, place, b"");
    }

    /// Copies the tags and the weight of another entry.
    pub fn inherit(&mut self, section: &[u8]) {
        for (kind, number, rest) in pieces(section).filter(|(kind, ..)| *kind != PLACE) {
            self.push(kind, number, rest);
        }
    }

    /// The section as bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The pieces of a section: kind, number, rest.
fn pieces(section: &[u8]) -> impl Iterator<Item = (u8, u64, &[u8])> {
    let mut rest = section;
    std::iter::from_fn(move || {
        let (&[kind, low, high], after) = rest.split_first_chunk::<3>()?;
        let (piece, after) =
            after.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
        rest = after;
        let (number, bytes) = piece.split_first_chunk::<8>()?;
        Some((kind, u64::from_le_bytes(*number), bytes))
    })
}

/// The tags of an entry with the versions they had.
pub fn tags(section: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    pieces(section).filter(|(kind, ..)| *kind == TAG).map(|(_, version, tag)| (tag, version))
}

/// The weight that the caller gave; 0 is none.
pub fn given_cost(section: &[u8]) -> u64 {
    number_of(section, COST).unwrap_or(0)
}

fn number_of(section: &[u8], wanted: u8) -> Option<u64> {
    pieces(section).find(|(kind, ..)| *kind == wanted).map(|(_, number, _)| number)
}

/// An entry as the accounting sees it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The header; all zero where it cannot be read.
    pub meta: Meta,
    /// What it weighs against `max_bytes`.
    pub cost: u64,
    /// The place it was queued at. Its row in the order queue says the same,
    /// wherever second chances have moved that row since.
    pub place: u64,
    /// Its blob.
    pub blob: Option<BlobRef>,
    /// It failed its checksum: what it weighed when it was stored is unknown.
    pub damaged: bool,
}

/// Longer rows whose weight follows from their lengths are not read whole.
const VERIFIED_UP_TO: usize = 4096;

impl Row {
    /// Reads what the accounting needs of a row. What a header says of weight,
    /// place and file is used only after the checksum was verified.
    pub fn of(stored: &[u8], bytes: &[u8]) -> Self {
        Self::read(stored, bytes, VERIFIED_UP_TO)
    }

    /// The same, of a row that is verified whatever its length.
    pub fn verified(stored: &[u8], bytes: &[u8]) -> Self {
        Self::read(stored, bytes, usize::MAX)
    }

    fn read(stored: &[u8], bytes: &[u8], verified_up_to: usize) -> Self {
        let cost_of = |blob: Option<BlobRef>, extras: &[u8]| {
            cost(stored.len(), bytes.len(), blob.map(|blob| blob.len), extras)
        };
        let unreadable = |damaged| Self {
            meta: Meta::default(),
            cost: cost_of(None, &[]),
            place: 0,
            blob: None,
            damaged,
        };
        let (meta, key, envelope) = match envelope::split(bytes) {
            Ok(parts) => parts,
            Err(Refused::Newer(_)) => return unreadable(false),
            Err(_) => return unreadable(true),
        };
        let derived = envelope.tags.is_empty() && meta.flags & BLOB == 0;
        if (!derived || bytes.len() <= verified_up_to) && !is_intact(stored, bytes, key) {
            return unreadable(true);
        }
        let blob = blob_of(&envelope);
        let place = number_of(envelope.tags, PLACE).unwrap_or(meta.sequence);
        Self { meta, cost: cost_of(blob, envelope.tags), place, blob, damaged: false }
    }
}

/// Whether a row is as it was stored. `full_key` is the one in the envelope.
fn is_intact(stored: &[u8], bytes: &[u8], full_key: &[u8]) -> bool {
    let key = match keys::split(stored) {
        Some((keys::REAL, _, key)) => key,
        Some(_) => full_key,
        None => return false,
    };
    let intact = envelope::decode(bytes, key);
    intact.is_ok_and(|envelope| envelope.meta.sequence < MAX_SEQUENCE)
}

/// The blob that an envelope refers to.
pub fn blob_of(envelope: &Envelope<'_>) -> Option<BlobRef> {
    (envelope.meta.flags & BLOB != 0).then(|| BlobRef::decode(envelope.payload)).flatten()
}

const PAGE: u64 = 4096;
/// A value that LMDB gives pages of its own: two must fit in a page else.
const LARGE: u64 = 2000;

/// What an entry weighs: its row with what LMDB adds, its row in the order
/// queue, its blob; or what the caller said.
pub fn cost(stored_len: usize, envelope_len: usize, blob_len: Option<u64>, extras: &[u8]) -> u64 {
    if let Some(cost) = number_of(extras, COST) {
        return cost;
    }
    let (stored, envelope) = (stored_len as u64, envelope_len as u64);
    let value = match stored.saturating_add(envelope) {
        n if n > LARGE => envelope.saturating_add(16).next_multiple_of(PAGE),
        _ => envelope,
    };
    let blob = blob_len.map_or(0, |len| len.max(1).next_multiple_of(PAGE));
    (2 * stored + 48).saturating_add(value).saturating_add(blob)
}

/// The key of the change table in the unnamed database.
pub const CHANGES: &[u8] = b"changes";

/// How many of the last changes are kept one by one.
pub const RECENT: usize = 32;

const LISTED: usize = 8 * (BUCKETS + 1);

/// The change table: 64 u64 for the buckets; a u64, after which version the
/// list is whole; the list, oldest first, of two u64 each. A store that has no
/// table was never changed; a table without a list has one that is never whole.
pub fn changes(bytes: Option<&[u8]>, version: u64) -> Changes {
    let mut table =
        Changes { version, buckets: [0; BUCKETS], recent: Vec::new(), recent_since: u64::MAX };
    let Some(bytes) = bytes else { return Changes { recent_since: 0, ..table } };
    let (buckets, list) = bytes.split_at_checked(8 * BUCKETS).unwrap_or((bytes, &[]));
    table.buckets.iter_mut().zip(buckets.chunks_exact(8)).for_each(|(to, from)| *to = le(from));
    if let Some((since, list)) = list.split_first_chunk::<8>() {
        table.recent_since = le(since);
        table.recent.extend(list.chunks_exact(16).map(|two| (le(&two[..8]), le(&two[8..]))));
    }
    table
}

/// The table after a transaction that changed entries of these buckets (as
/// bits), and the hashes of their keys, unless they are too many to list.
pub fn changed(
    before: Option<&[u8]>,
    version: u64,
    buckets: u64,
    hashes: Option<&[u64]>,
) -> Vec<u8> {
    let number = version.to_le_bytes();
    let mut table = Vec::with_capacity(LISTED + 16 * RECENT);
    table.extend_from_slice(before.unwrap_or_default());
    // Another version of this library writes no list: what it changed is in none.
    let unlisted = before.is_some() && table.len() < LISTED;
    table.resize(table.len().max(LISTED), 0);
    for bucket in (0..BUCKETS).filter(|bucket| buckets >> bucket & 1 != 0) {
        table[8 * bucket..][..8].copy_from_slice(&number);
    }
    let Some(hashes) = hashes else {
        table.truncate(LISTED);
        table[8 * BUCKETS..].copy_from_slice(&number);
        return table;
    };
    if unlisted {
        table[8 * BUCKETS..].copy_from_slice(&number);
    }
    let listed = (table.len() - LISTED) / 16;
    let drop = (listed + hashes.len()).saturating_sub(RECENT).min(listed);
    if drop > 0 {
        // Other changes of the version of the last one dropped may stay.
        let last = LISTED + 16 * (drop - 1);
        table.copy_within(last..last + 8, 8 * BUCKETS);
        table.drain(LISTED..LISTED + 16 * drop);
    }
    for hash in hashes {
        table.extend_from_slice(&number);
        table.extend_from_slice(&hash.to_le_bytes());
    }
    table
}

/// A little-endian number of eight bytes; 0 for any other length.
pub fn le(eight: &[u8]) -> u64 {
    eight.try_into().map_or(0, u64::from_le_bytes)
}

/// A number stored alone or at the beginning of a row.
pub fn number(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk::<8>().map(|eight| u64::from_le_bytes(*eight))
}

/// The key of a namespace's figures.
pub fn namespace_key(namespace: &[u8]) -> Vec<u8> {
    [b"n", namespace].concat()
}

/// A namespace's figures: entries and bytes.
pub fn namespace_figures(bytes: Option<&[u8]>) -> (u64, u64) {
    match bytes.and_then(|bytes| bytes.first_chunk::<16>()) {
        Some(both) => (le(&both[..8]), le(&both[8..])),
        None => (0, 0),
    }
}

/// The value of a row of the order queue.
pub fn order_value(place: u64, stored: &[u8]) -> Vec<u8> {
    [&place.to_le_bytes(), stored].concat()
}

/// The place that the entry knows, and the stored key, of a row of the order
/// queue.
pub fn order_row(value: &[u8]) -> Option<(u64, &[u8])> {
    let (place, stored) = value.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*place), stored))
}

/// The key of an expiry row.
pub fn expiry_key(expires: u64, sequence: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&expires.to_be_bytes());
    key[8..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// Time and sequence number of an expiry row.
pub fn expiry_row(key: &[u8]) -> Option<(u64, u64)> {
    let (expires, sequence) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*expires), u64::from_be_bytes(sequence.try_into().ok()?)))
}

/// The key of a tag's version.
pub fn tag_key(namespace: &[u8], tag: &[u8]) -> Vec<u8> {
    [&[namespace.len() as u8], namespace, blake3::hash(tag).as_bytes()].concat()
}

/// The row of a tag's version.
pub fn tag_value(key: &[u8], version: u64) -> [u8; 16] {
    let mut row = [0; 16];
    row[..8].copy_from_slice(&version.to_le_bytes());
    row[8..].copy_from_slice(&tag_sum(key, version).to_le_bytes());
    row
}

/// The version in a tag's row; `None` where it fails its checksum. A flipped
/// bit could bring an old version back, and with it what was invalidated.
pub fn tag_version(key: &[u8], row: &[u8]) -> Option<u64> {
    let (version, sum) = row.split_first_chunk::<8>()?;
    let version = u64::from_le_bytes(*version);
    (sum == tag_sum(key, version).to_le_bytes()).then_some(version)
}

fn tag_sum(key: &[u8], version: u64) -> u64 {
    xxh3_64_with_seed(key, version)
}

/// The namespace of a stored key, empty where it is damaged.
pub fn namespace_of(stored: &[u8]) -> &[u8] {
    keys::split(stored).map_or(&[], |(_, namespace, _)| namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_come_back() {
        let mut extras = Extras::default();
        extras.tag(b"red", 7);
        extras.cost(0);
        extras.cost(99);
        extras.tag(b"", 8);
        extras.place(5);
        let found: Vec<_> = tags(extras.bytes()).collect();
        assert_eq!(found, [(&b"red"[..], 7), (&b""[..], 8)]);
        assert_eq!(number_of(extras.bytes(), COST), Some(99));
        assert_eq!(cost(10, 1000, None, extras.bytes()), 99);
        let mut moved = Extras::default();
        moved.inherit(extras.bytes());
        moved.place(6);
        assert_eq!(number_of(moved.bytes(), PLACE), Some(6));
        assert_eq!(tags(moved.bytes()).count(), 2);
        for cut in 0..extras.bytes().len() {
            let _ = tags(&extras.bytes()[..cut]).count();
        }
    }

    #[test]
    fn a_tag_row_with_a_flipped_bit_has_no_version() {
        let key = tag_key(b"n", b"red");
        let row = tag_value(&key, 8);
        assert_eq!(tag_version(&key, &row), Some(8));
        assert_eq!(tag_version(b"another", &row), None);
        for bit in 0..row.len() * 8 {
            let mut bad = row;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(tag_version(&key, &bad), None, "bit {bit}");
        }
    }

    #[test]
    fn a_damaged_row_names_no_weight_place_or_file() {
        let stored = keys::StoredKey::new(b"", b"key");
        let mut extras = Extras::default();
        extras.cost(9);
        extras.place(5);
        let meta = Meta { sequence: 7, value_len: 5, ..Meta::default() };
        let bytes = envelope::encode(&meta, b"key", extras.bytes(), b"value");
        let row = Row::of(&stored, &bytes);
        assert_eq!((row.cost, row.place, row.damaged), (9, 5, false));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let row = Row::of(&stored, &bad);
            // The version byte cannot be told from one of a later release.
            assert!(row.damaged || bad[4] > envelope::VERSION, "bit {bit}");
            assert!(row.cost < 500 && row.place == 0, "bit {bit}: {row:?}");
        }
    }

    /// The truth: every change, as version, bucket and hash.
    fn check(table: &Changes, all: &[(u64, u64, u64)]) {
        for bucket in 0..BUCKETS as u64 {
            let last = all.iter().filter(|(_, b, _)| *b == bucket).map(|(v, ..)| *v).max();
            assert_eq!(table.buckets[bucket as usize], last.unwrap_or(0), "bucket {bucket}");
        }
        let later = all.iter().filter(|(version, ..)| *version > table.recent_since);
        for (version, _, hash) in later {
            assert!(table.recent.contains(&(*version, *hash)), "{version} {hash}: {table:?}");
        }
    }

    #[test]
    fn the_list_of_changes_is_whole_after_the_version_it_says() {
        let (mut stored, mut all): (Option<Vec<u8>>, Vec<_>) = (None, Vec::new());
        let mut listed = 0;
        for version in 1..500_u64 {
            // One change as a rule, sometimes some, rarely more than a list holds.
            let n = match version % 50 {
                0 => RECENT as u64 + 1,
                7 => RECENT as u64,
                n if n % 5 == 0 => n / 5,
                _ => 1,
            };
            let keys: Vec<u64> = (0..n).map(|i| version * 1000 + i).collect();
            all.extend(keys.iter().map(|key| (version, key % 64, *key)));
            let buckets = keys.iter().fold(0, |bits, key| bits | 1 << (key % 64));
            let hashes = (n <= RECENT as u64).then_some(&keys[..]);
            stored = Some(changed(stored.as_deref(), version, buckets, hashes));
            let table = changes(stored.as_deref(), version);
            assert!(table.recent.len() <= RECENT && table.version == version);
            check(&table, &all);
            listed += usize::from(table.recent_since < version);
        }
        assert!(listed > 450, "{listed}");
    }

    #[test]
    fn what_a_library_without_a_list_changed_is_in_none() {
        let first = changed(None, 1, 1 << 5, Some(&[5]));
        assert_eq!(changes(Some(&first), 1).recent_since, 0);
        // It writes the buckets alone.
        let mut theirs = first[..8 * BUCKETS].to_vec();
        theirs[8 * 6..8 * 7].copy_from_slice(&2_u64.to_le_bytes());
        assert_eq!(changes(Some(&theirs), 2).recent_since, u64::MAX);
        let ours = changes(Some(&changed(Some(&theirs), 3, 1 << 7, Some(&[7]))), 3);
        assert_eq!((ours.recent_since, &ours.recent[..]), (3, &[(3, 7)][..]));
        assert_eq!((ours.buckets[5], ours.buckets[6], ours.buckets[7]), (1, 2, 3));
        assert_eq!(changes(None, 0).recent_since, 0);
        assert_eq!(changes(Some(b"short"), 9).buckets, [0; BUCKETS]);
    }
}
