//! The row of totals and the numbers in rows, damaged: verified before use.

use super::common::{check_books, get, open, rewrite};
use lmdb::{Transaction, WriteFlags};
use std::path::Path;
use twat_cache::{Cache, SetOptions, TTL_DEFAULT};
use xxhash_rust::xxh3::xxh3_64;

const ENTRIES: u32 = 100;

/// The twelve numbers of the row.
fn totals(dir: &Path) -> Vec<u64> {
    let env = lmdb::Environment::new().set_map_size(1 << 30).open(dir).unwrap();
    let db = env.open_db(None).unwrap();
    let txn = env.begin_ro_txn().unwrap();
    let row = txn.get(db, b"totals").unwrap();
    row.chunks_exact(8).map(|eight| u64::from_le_bytes(eight.try_into().unwrap())).collect()
}

fn tagged(cache: &Cache, key: &[u8], cost: u64) {
    let options =
        SetOptions { ttl_ms: TTL_DEFAULT, tags: &[b"red"], cost, ..SetOptions::default() };
    cache.set_with(key, b"tagged", &options).unwrap();
}

fn filled(dir: &Path) {
    let cache = open(dir, &[]);
    for n in 0..ENTRIES {
        cache.set(&n.to_be_bytes(), &[7; 200], TTL_DEFAULT).unwrap();
    }
    tagged(&cache, b"red", 50);
}

/// Opens the store, writes to it, and finds everything as it was.
fn assert_whole(dir: &Path) {
    let cache = open(dir, &[]);
    cache.set(b"new", b"v", TTL_DEFAULT).unwrap();
    for n in 0..ENTRIES {
        assert_eq!(get(&cache, &n.to_be_bytes()).unwrap(), [7; 200]);
    }
    assert_eq!(get(&cache, b"red").unwrap(), b"tagged");
    assert_eq!(cache.stats().unwrap().engine.evictions, 0);
    check_books(&cache);
}

#[test]
fn a_flipped_bit_in_the_totals_evicts_nothing_and_no_number_comes_back() {
    for byte in (0..96).step_by(3) {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let before = totals(dir.path())[1];
        rewrite(dir.path(), b"totals", |row| {
            let mut row = row.to_vec();
            row[byte] ^= 0x40;
            row
        });
        assert_whole(dir.path());
        let after = totals(dir.path());
        assert!(before < after[1] && after[1] < 1 << 62, "byte {byte}: {before} {after:?}");
    }
}

#[test]
fn a_sequence_of_the_highest_number_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    rewrite(dir.path(), b"totals", |row| {
        let mut row = row.to_vec();
        row[8..16].fill(0xff);
        let sum = xxh3_64(&row[..88]).to_le_bytes();
        row[88..].copy_from_slice(&sum);
        row
    });
    assert_whole(dir.path());
    assert!(totals(dir.path())[1] < 1 << 62);
}

#[test]
fn a_damaged_header_lends_no_number_to_totals_that_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let before = totals(dir.path())[1];
    let stored = [&[1, 0][..], &3_u32.to_be_bytes()].concat();
    rewrite(dir.path(), &stored, |row| {
        let mut row = row.to_vec();
        row[8..16].fill(0xff);
        row
    });
    rewrite(dir.path(), b"totals", |_| b"damaged".to_vec());
    let cache = open(dir.path(), &[]);
    cache.set(b"new", b"v", TTL_DEFAULT).unwrap();
    assert_eq!(get(&cache, &3_u32.to_be_bytes()), None);
    assert_eq!(get(&cache, &4_u32.to_be_bytes()).unwrap(), [7; 200]);
    check_books(&cache);
    drop(cache);
    let after = totals(dir.path());
    assert!(before < after[1] && after[1] < 1 << 62, "{before} {after:?}");
}

#[test]
fn a_damaged_weight_does_not_unbalance_the_store() {
    let stored = [&[1, 0][..], b"red"].concat();
    for act in ["overwrite", "delete", "get", "evict"] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        rewrite(dir.path(), &stored, |row| {
            let mut row = row.to_vec();
            let weight = row.windows(8).position(|eight| eight == 50_u64.to_le_bytes());
            row[weight.unwrap() + 7] ^= 0x20;
            row
        });
        let bound = if act == "evict" { "10" } else { "10000" };
        let cache = open(dir.path(), &[("max_entries", bound), ("policy", "fifo")]);
        match act {
            "overwrite" => cache.set(b"red", b"v", TTL_DEFAULT).unwrap(),
            "delete" => assert!(!cache.delete(b"red").unwrap()),
            "get" => assert_eq!(get(&cache, b"red"), None),
            _ => (0..20_u8).for_each(|n| cache.set(&[n], b"v", TTL_DEFAULT).unwrap()),
        }
        let found = cache.stats().unwrap().engine;
        let expected =
            if act == "evict" { 10 } else { u64::from(ENTRIES) + u64::from(act == "overwrite") };
        assert_eq!(found.entries, expected, "{act}");
        assert!(found.bytes < 100_000, "{act}: {found:?}");
        check_books(&cache);
    }
}

#[test]
fn a_damaged_version_of_a_tag_brings_no_invalidated_entry_back() {
    let dir = tempfile::tempdir().unwrap();
    let versions = |change: Option<&[u8]>| {
        let mut env = lmdb::Environment::new();
        let env = env.set_max_dbs(8).set_map_size(1 << 30).open(dir.path()).unwrap();
        let db = env.open_db(Some("tags")).unwrap();
        let mut txn = env.begin_rw_txn().unwrap();
        let key = [&[0][..], blake3::hash(b"red").as_bytes()].concat();
        let row = txn.get(db, &key).unwrap().to_vec();
        if let Some(version) = change {
            let damaged = [version, &row[8..]].concat();
            txn.put(db, &key, &damaged, WriteFlags::empty()).unwrap();
        }
        txn.commit().unwrap();
        row
    };
    filled(dir.path());
    let before = versions(None);
    assert!(open(dir.path(), &[]).invalidate_tag(b"red").unwrap());
    let after = versions(Some(&before[..8]));
    assert_ne!(before, after);
    let cache = open(dir.path(), &[]);
    assert_eq!(get(&cache, b"red"), None);
    tagged(&cache, b"blue", 0);
    assert_eq!((get(&cache, b"blue").unwrap(), get(&cache, b"red")), (b"tagged".to_vec(), None));
    assert!(cache.invalidate_tag(b"red").unwrap());
    assert_eq!(get(&cache, b"blue"), None);
}
