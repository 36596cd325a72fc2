//! Scans and counters.

use super::subject::Subject;
use super::{got, scanned};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use twat_cache::{Code, SetOptions, TTL_DEFAULT, TTL_NEVER};

pub fn scan_gives_each_key_with_the_prefix_once(subject: &Subject) {
    let cache = subject.open();
    assert!(scanned(&cache, b"").is_empty());
    let mut all = BTreeSet::new();
    for n in 0..3000_u32 {
        let mut key = format!("{:02}/", n % 7).into_bytes();
        // Some long enough to be stored by their hash.
        key.extend(std::iter::repeat_n(b'x', if n % 50 == 0 { 600 } else { 0 }));
        key.extend(n.to_be_bytes());
        cache.set(&key, b"value", TTL_DEFAULT).unwrap();
        all.insert(key);
    }
    for key in [&b""[..], b"\xff", b"\xff\xff\xff"] {
        cache.set(key, b"value", TTL_DEFAULT).unwrap();
        all.insert(key.to_vec());
    }
    for prefix in [&b""[..], b"0", b"03/", b"03/xx", b"\xff", b"\xff\xff", b"nothing"] {
        let expected: BTreeSet<_> =
            all.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
        assert!(scanned(&cache, prefix) == expected, "prefix {prefix:?}");
    }
}

pub fn scan_under_writers_gives_what_stays_exactly_once(subject: &Subject) {
    let cache = subject.open();
    let stays: BTreeSet<Vec<u8>> = (0..2000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    for key in &stays {
        cache.set(key, b"value", TTL_DEFAULT).unwrap();
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                n = n.wrapping_add(1);
                let stayer = (n % 2000).to_be_bytes();
                cache.set(&stayer, &vec![1; (n % 300) as usize], TTL_DEFAULT).unwrap();
                let mut guest = (n % 500).to_be_bytes().to_vec();
                guest.push(b'g');
                cache.set(&guest, b"value", TTL_DEFAULT).unwrap();
                let mut guest = ((n + 250) % 500).to_be_bytes().to_vec();
                guest.push(b'g');
                cache.delete(&guest).unwrap();
            }
        });
        for _ in 0..5 {
            let mut seen = BTreeSet::new();
            let mut scan = cache.scan(b"").unwrap();
            while let Some(key) = scan.next_key().unwrap() {
                let stayer = key.len() == 4;
                assert!(seen.insert(key) || !stayer, "a key that stays appeared twice");
            }
            assert!(stays.is_subset(&seen), "a key that stays was left out");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

pub fn counters_count(subject: &Subject) {
    let cache = subject.open();
    assert_eq!(cache.incr(b"n", 1, 10, TTL_DEFAULT).unwrap(), 11);
    assert_eq!(cache.incr(b"n", -20, 10, TTL_DEFAULT).unwrap(), -9);
    assert_eq!(cache.incr(b"n", 0, 0, TTL_DEFAULT).unwrap(), -9);
    let mut stored = vec![4];
    stored.extend((-9_i64).to_le_bytes());
    assert_eq!(got(&cache, b"n").unwrap(), stored, "format byte 4, then 64 bits");
    cache.set(b"top", &[&[4][..], &i64::MAX.to_le_bytes()].concat(), TTL_DEFAULT).unwrap();
    let error = cache.incr(b"top", 1, 0, TTL_DEFAULT).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge, "sums never wrap around");
    assert_eq!(cache.incr(b"top", 0, 0, TTL_DEFAULT).unwrap(), i64::MAX, "it stays");
    for wrong in [&b""[..], b"12", &[4, 1], &[0; 9], &[4; 10]] {
        cache.set(b"wrong", wrong, TTL_DEFAULT).unwrap();
        let error = cache.incr(b"wrong", 1, 0, TTL_DEFAULT).unwrap_err();
        assert_eq!(error.code(), Code::Unsupported, "{wrong:?}");
        assert_eq!(got(&cache, b"wrong").unwrap(), wrong, "it stays");
    }
    assert_eq!(cache.stats().unwrap().errors, 5);
}

pub fn a_counter_begins_with_any_stored_integer(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open();
    // As the languages store a 2, 300 and a BigInt of 1: MessagePack, in format 1.
    let options = SetOptions { ttl_ms: 20_000, tags: &[b"tag"], ..SetOptions::default() };
    for (key, stored, sum) in
        [(b"a", &[1, 2][..], 3), (b"b", &[1, 0xcd, 1, 44], 301), (b"c", &[1, 0xd4, 3, 1], 2)]
    {
        let before = cache.stats().unwrap().engine.bytes;
        cache.set_with(key, stored, &options).unwrap();
        assert_eq!(cache.incr(key, 1, 77, TTL_NEVER).unwrap(), sum);
        assert_eq!(cache.incr(key, -1, 77, TTL_NEVER).unwrap(), sum - 1);
        if subject.bounded && subject.evicts_at_once {
            cache.delete(key).unwrap();
            assert_eq!(cache.stats().unwrap().engine.bytes, before, "what it weighs is known");
            cache.set_with(key, stored, &options).unwrap();
            assert_eq!(cache.incr(key, 0, 77, TTL_NEVER).unwrap(), sum - 1);
        }
    }
    assert_eq!(got(&cache, b"a").unwrap(), [&[4][..], &2_i64.to_le_bytes()].concat());
    assert_eq!(got(&cache, b"c").unwrap(), [1, 0xd4, 3, 1], "a big integer stays one");
    time.pass(21_000);
    assert_eq!(got(&cache, b"a"), None, "it keeps its time");
    cache.set_with(b"b", &[1, 7], &SetOptions { ttl_ms: TTL_NEVER, ..options }).unwrap();
    assert_eq!(cache.incr(b"b", 1, 0, TTL_NEVER).unwrap(), 8);
    cache.invalidate_tag(b"tag").unwrap();
    assert_eq!(got(&cache, b"b"), None, "it keeps its tags");
    cache.set(b"text", &[1, 0xa1, b'1'], TTL_DEFAULT).unwrap();
    let error = cache.incr(b"text", 1, 0, TTL_DEFAULT).unwrap_err();
    assert!(error.text().contains("got text"), "{error}");
}

pub fn counters_keep_their_tags(subject: &Subject) {
    let cache = subject.open();
    // As `incr` stores it, but set like any value: engines may keep it elsewhere.
    let five = [4, 5, 0, 0, 0, 0, 0, 0, 0];
    let options = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    cache.set_with(b"counter", &five, &options).unwrap();
    assert_eq!(cache.incr(b"counter", 2, 0, TTL_NEVER).unwrap(), 7);
    assert!(cache.invalidate_tag(b"tag").unwrap());
    assert_eq!(got(&cache, b"counter"), None);
}

pub fn counters_keep_their_time(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open();
    assert_eq!(cache.incr(b"window", 1, 0, 10_000).unwrap(), 1);
    time.pass(6_000);
    assert_eq!(cache.incr(b"window", 1, 0, TTL_NEVER).unwrap(), 2);
    time.pass(6_000);
    assert_eq!(cache.incr(b"window", 1, 0, 10_000).unwrap(), 1, "a new window");
}
