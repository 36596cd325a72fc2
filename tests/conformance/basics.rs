//! Get, set, add, delete, figures; and the engine that keeps nothing.

use super::subject::Subject;
use super::{got, scanned};
use twat_cache::engine::Stored;
use twat_cache::{Code, SetOptions, TTL_DEFAULT};

/// Keys at the edges: empty, binary, long for an inline one, for LMDB, for all.
fn keys() -> Vec<Vec<u8>> {
    let lengths = [37, 38, 39, 40, 509, 510, 511, 512, 600, 10_000];
    let mut keys = vec![vec![], vec![0], vec![0, 0], vec![255; 3], b"plain".to_vec()];
    keys.extend(lengths.iter().map(|len| vec![b'k'; *len]));
    keys
}

fn values() -> Vec<Vec<u8>> {
    let lengths = [0, 1, 100, 4096, 40_000, 1 << 20];
    lengths.iter().map(|len| (0..*len).map(|n| (n * 31 % 251) as u8).collect()).collect()
}

pub fn what_was_set_is_what_is_got(subject: &Subject) {
    let cache = subject.open();
    for value in values() {
        for (n, key) in keys().iter().enumerate() {
            let mut value = value.clone();
            value.push(n as u8);
            cache.set(key, &value, TTL_DEFAULT).unwrap();
        }
        for (n, key) in keys().iter().enumerate() {
            let mut value = value.clone();
            value.push(n as u8);
            assert!(got(&cache, key) == Some(value), "key of {} bytes", key.len());
        }
    }
    for key in keys() {
        cache.set(&key, b"", TTL_DEFAULT).unwrap();
        assert_eq!(got(&cache, &key), Some(vec![]), "an empty value is not a miss");
    }
}

pub fn keys_that_look_alike_are_different(subject: &Subject) {
    let cache = subject.open();
    let alike: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"a\0\0", b"A", b"aa"];
    for (n, key) in alike.iter().enumerate() {
        assert_eq!(got(&cache, key), None);
        cache.set(key, &[n as u8], TTL_DEFAULT).unwrap();
    }
    for (n, key) in alike.iter().enumerate() {
        assert_eq!(got(&cache, key), Some(vec![n as u8]), "{key:?}");
    }
}

pub fn a_set_replaces(subject: &Subject) {
    let cache = subject.open();
    for len in [10, 0, 50_000, 3, 50_000, 50_000] {
        let value = vec![len as u8; len];
        cache.set(b"key", &value, TTL_DEFAULT).unwrap();
        assert!(got(&cache, b"key") == Some(value));
    }
    assert_eq!(scanned(&cache, b"").len(), 1);
}

pub fn add_stores_only_where_nothing_is(subject: &Subject) {
    let cache = subject.open();
    assert_eq!(cache.add(b"key", b"first", TTL_DEFAULT).unwrap(), Stored::Stored);
    assert_eq!(cache.add(b"key", b"second", TTL_DEFAULT).unwrap(), Stored::Exists);
    assert_eq!(got(&cache, b"key").unwrap(), b"first");
    cache.delete(b"key").unwrap();
    assert_eq!(cache.add(b"key", b"third", TTL_DEFAULT).unwrap(), Stored::Stored);
    assert_eq!(got(&cache, b"key").unwrap(), b"third");
}

pub fn delete_tells_whether_there_was_something(subject: &Subject) {
    let cache = subject.open();
    assert!(!cache.delete(b"key").unwrap());
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    assert!(cache.delete(b"key").unwrap());
    assert!(!cache.delete(b"key").unwrap());
    assert_eq!(got(&cache, b"key"), None);
}

pub fn contains_counts_nothing(subject: &Subject) {
    let cache = subject.open();
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    assert!(cache.contains(b"key").unwrap());
    assert!(!cache.contains(b"other").unwrap());
    let stats = cache.stats().unwrap();
    assert_eq!((stats.hits, stats.misses), (0, 0));
}

pub fn read_hands_over_the_same_bytes(subject: &Subject) {
    let cache = subject.open();
    for len in [0, 10, 100_000] {
        let value: Vec<u8> = (0..len).map(|n: u32| n as u8).collect();
        cache.set(b"key", &value, TTL_DEFAULT).unwrap();
        let mut seen = Vec::new();
        assert!(cache.read(b"key", &mut |bytes| seen.push(bytes.to_vec())).unwrap());
        assert!(seen == [value], "once, and the whole of it");
    }
    let mut never = |_: &[u8]| panic!("a miss has no bytes");
    assert!(!cache.read(b"other", &mut never).unwrap());
    let stats = cache.stats().unwrap();
    assert_eq!((stats.hits, stats.misses), (3, 1));
}

pub fn clear_removes_everything(subject: &Subject) {
    let cache = subject.open();
    for n in 0..200_u32 {
        cache.set(&n.to_le_bytes(), &vec![1; n as usize * 300], TTL_DEFAULT).unwrap();
    }
    cache.clear().unwrap();
    assert!(scanned(&cache, b"").is_empty());
    assert_eq!(got(&cache, &7_u32.to_le_bytes()), None);
    if subject.exact_entries {
        let stats = cache.stats().unwrap();
        assert_eq!((stats.engine.entries, stats.engine.bytes), (0, 0));
    }
    cache.set(b"after", b"value", TTL_DEFAULT).unwrap();
    assert_eq!(got(&cache, b"after").unwrap(), b"value");
}

pub fn figures_are_exact(subject: &Subject) {
    let cache = subject.open();
    for n in 0..10_u8 {
        cache.set(&[n], &[n; 10], TTL_DEFAULT).unwrap();
    }
    cache.set(&[0], b"again", TTL_DEFAULT).unwrap();
    assert_eq!(cache.add(&[0], b"not", TTL_DEFAULT).unwrap(), Stored::Exists);
    for n in 0..20_u8 {
        cache.get(&[n]).unwrap();
    }
    for n in 8..12_u8 {
        cache.delete(&[n]).unwrap();
    }
    let stats = cache.stats().unwrap();
    let counts =
        (stats.hits, stats.misses, stats.sets, stats.deletes, stats.rejected, stats.errors);
    assert_eq!(counts, (10, 10, 11, 2, 0, 0));
    assert_eq!((stats.engine.evictions, stats.engine.expirations), (0, 0));
    if subject.exact_entries {
        assert_eq!(stats.engine.entries, 8);
        assert!(!stats.engine.entries_inexact);
        assert!(stats.engine.bytes >= 8 + 7 * 10 + 5, "keys and values: {}", stats.engine.bytes);
    }
    let failed = cache.incr(&[1], 1, 0, TTL_DEFAULT).unwrap_err();
    assert_eq!(failed.code(), Code::Unsupported);
    assert_eq!(cache.stats().unwrap().errors, 1);
}

pub fn values_outlive_their_entry_and_their_cache(subject: &Subject) {
    let cache = subject.open();
    let mut held = Vec::new();
    for len in [0_usize, 5, 100_000] {
        let key = len.to_le_bytes();
        let old = vec![1; len];
        cache.set(&key, &old, TTL_DEFAULT).unwrap();
        held.push((old, cache.get(&key).unwrap().unwrap()));
        let new = vec![2; len];
        cache.set(&key, &new, TTL_DEFAULT).unwrap();
        held.push((new, cache.get(&key).unwrap().unwrap()));
        cache.delete(&key).unwrap();
        let last = vec![3; len];
        cache.set(&key, &last, TTL_DEFAULT).unwrap();
        held.push((last, cache.get(&key).unwrap().unwrap()));
    }
    cache.clear().unwrap();
    for (value, kept) in &held {
        assert!(value[..] == kept[..], "after delete, replace and clear");
    }
    cache.close();
    for (value, kept) in &held {
        assert!(value[..] == kept[..], "after close");
    }
}

/// `null`: the documented exception to everything above.
pub fn keeps_nothing(subject: &Subject) {
    let cache = subject.open();
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    assert_eq!(cache.add(b"key", b"value", TTL_DEFAULT).unwrap(), Stored::Stored);
    assert_eq!(got(&cache, b"key"), None);
    assert!(!cache.contains(b"key").unwrap());
    assert!(!cache.delete(b"key").unwrap());
    assert!(!cache.touch(b"key", 1000).unwrap());
    assert_eq!(cache.incr(b"n", 2, 40, TTL_DEFAULT).unwrap(), 42);
    assert!(scanned(&cache, b"").is_empty());
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    cache.set_with(b"key", b"value", &tagged).unwrap();
    assert!(!cache.invalidate_tag(b"tag").unwrap());
    assert_eq!(cache.get_many(&[b"a", b"b"]).unwrap(), [None, None]);
    assert_eq!(cache.delete_prefix(b"").unwrap(), 0);
    assert_eq!(cache.expire().unwrap(), 0);
    cache.clear().unwrap();
    let stats = cache.stats().unwrap();
    let counts = (stats.hits, stats.misses, stats.sets, stats.engine.entries);
    assert_eq!(counts, (0, 3, 4, 0));
    cache.close();
}
