//! Times to live and tags.

use super::subject::Subject;
use super::{got, scanned};
use twat_cache::engine::Stored;
use twat_cache::{SetOptions, TTL_DEFAULT, TTL_NEVER};

pub fn an_expired_entry_is_a_miss_everywhere(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open();
    let keys: [&[u8]; 8] = [b"get", b"has", b"touch", b"delete", b"add", b"incr", b"many", b"read"];
    let fill = || {
        for key in keys {
            cache.set(key, b"old", 60_000).unwrap();
        }
        cache.set(b"stays", b"here", 10_000_000).unwrap();
    };
    fill();
    time.pass(30_000);
    assert!(keys.iter().all(|key| got(&cache, key).is_some()), "half their time is left");
    fill();
    time.pass(61_000);
    assert_eq!(got(&cache, b"get"), None);
    assert!(!cache.contains(b"has").unwrap());
    assert!(!cache.touch(b"touch", 60_000).unwrap());
    assert!(!cache.delete(b"delete").unwrap());
    assert_eq!(cache.add(b"add", b"new", TTL_NEVER).unwrap(), Stored::Stored);
    assert_eq!(cache.incr(b"incr", 1, 5, TTL_NEVER).unwrap(), 6);
    assert_eq!(cache.get_many(&[b"many"]).unwrap(), [None]);
    assert!(!cache.read(b"read", &mut |_| panic!("expired")).unwrap());
    let left: Vec<_> = scanned(&cache, b"").into_iter().collect();
    assert_eq!(left, [b"add".to_vec(), b"incr".to_vec(), b"stays".to_vec()]);
    assert_eq!(got(&cache, b"stays").unwrap(), b"here");
}

pub fn an_entry_does_not_outlive_its_time_by_a_suspend(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open();
    cache.set(b"a minute", b"1", 60_000).unwrap();
    cache.set(b"a day", b"2", 86_400_000).unwrap();
    // Copies in tiers above are made here.
    assert!(got(&cache, b"a minute").is_some() && got(&cache, b"a day").is_some());
    time.suspend(8 * 3_600_000);
    assert_eq!(got(&cache, b"a minute"), None);
    assert_eq!(got(&cache, b"a day").unwrap(), b"2");
    assert_eq!(cache.count().unwrap(), 1);
    cache.set(b"another", b"3", 60_000).unwrap();
    time.pass(30_000);
    assert_eq!(got(&cache, b"another").unwrap(), b"3", "set by the same clock");
    time.pass(31_000);
    assert_eq!(got(&cache, b"another"), None);
}

pub fn the_wall_clock_ends_nothing_in_memory(subject: &Subject) {
    if !subject.boot_time {
        return;
    }
    let time = subject.time();
    let cache = subject.open();
    cache.set(b"key", b"value", 60_000).unwrap();
    for step in [86_400_000, -2 * 86_400_000, 86_400_000] {
        time.set_wall_clock(step);
        assert_eq!(got(&cache, b"key").unwrap(), b"value");
    }
    time.pass(61_000);
    assert_eq!(got(&cache, b"key"), None);
}

pub fn a_time_to_live_is_the_last_one_given(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open();
    cache.set(b"longer", b"1", 10_000).unwrap();
    cache.set(b"longer", b"2", TTL_DEFAULT).unwrap();
    cache.set(b"shorter", b"1", TTL_NEVER).unwrap();
    cache.set(b"shorter", b"2", 10_000).unwrap();
    cache.set(b"last", b"1", u64::MAX - 1).unwrap();
    time.pass(11_000);
    assert_eq!(got(&cache, b"longer").unwrap(), b"2");
    assert_eq!(got(&cache, b"shorter"), None);
    assert_eq!(got(&cache, b"last").unwrap(), b"1", "a deadline beyond the clock is never");
}

pub fn a_time_to_live_of_any_length_is_kept(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open_with(&[("ttl_ms", "18446744073709551615")]);
    let long = [u64::MAX - 1, i64::MAX as u64, 1 << 62, u64::MAX / 1000, 1 << 43, TTL_NEVER];
    for (n, ttl) in (0_u8..).zip(long) {
        cache.set(&[n, 0], b"value", ttl).unwrap();
        assert_eq!(cache.add(&[n, 1], b"value", ttl).unwrap(), Stored::Stored);
        assert_eq!(cache.incr(&[n, 2], 1, 0, ttl).unwrap(), 1);
        cache.set(&[n, 3], b"value", 60_000).unwrap();
        assert!(cache.touch(&[n, 3], ttl).unwrap());
        cache.set(&[n, 4], b"value", TTL_DEFAULT).unwrap();
    }
    time.pass(100_000);
    for key in (0..long.len() as u8).flat_map(|n| (0..5).map(move |kind| [n, kind])) {
        assert!(got(&cache, &key).is_some(), "{key:?}");
    }
    assert_eq!(cache.count().unwrap(), 5 * long.len() as u64);
}

pub fn the_default_time_to_live_is_the_options(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open_with(&[("ttl_ms", "10000")]);
    cache.set(b"default", b"1", TTL_DEFAULT).unwrap();
    cache.set(b"never", b"1", TTL_NEVER).unwrap();
    cache.set(b"own", b"1", 1_000_000).unwrap();
    time.pass(11_000);
    assert_eq!(got(&cache, b"default"), None);
    assert!(got(&cache, b"never").is_some() && got(&cache, b"own").is_some());
}

pub fn touch_moves_the_end(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open();
    assert!(!cache.touch(b"nothing", 1000).unwrap());
    for key in [b"later", b"never", b"soon!"] {
        cache.set(key, b"value", 20_000).unwrap();
    }
    time.pass(10_000);
    assert!(cache.touch(b"later", 40_000).unwrap());
    assert!(cache.touch(b"never", TTL_NEVER).unwrap());
    assert!(cache.touch(b"soon!", 1_000).unwrap());
    time.pass(5_000);
    assert_eq!(got(&cache, b"soon!"), None);
    time.pass(10_000);
    assert_eq!(got(&cache, b"later").unwrap(), b"value");
    time.pass(50_000);
    assert_eq!(got(&cache, b"later"), None);
    assert_eq!(got(&cache, b"never").unwrap(), b"value");
}

pub fn expire_removes_what_is_over(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open();
    for n in 0..300_u32 {
        let ttl = if n % 3 == 0 { 10_000 } else { TTL_NEVER };
        cache.set(&n.to_le_bytes(), b"value", ttl).unwrap();
    }
    assert_eq!(cache.expire().unwrap(), 0);
    time.pass(11_000);
    let swept = if subject.sweeps { 100 } else { 0 };
    assert_eq!(cache.expire().unwrap(), swept);
    assert_eq!(cache.expire().unwrap(), 0);
    assert_eq!(scanned(&cache, b"").len(), 200);
    let stats = cache.stats().unwrap();
    assert_eq!(stats.engine.expirations, swept);
    if subject.exact_entries {
        assert_eq!(stats.engine.entries, 200);
        assert!(!stats.engine.entries_inexact, "nothing is left to sweep");
    }
}

pub fn an_invalidated_tag_makes_its_entries_misses(subject: &Subject) {
    let cache = subject.open();
    let set = |key: &[u8], tags: &[&[u8]]| {
        cache.set_with(key, b"value", &SetOptions { tags, ..SetOptions::default() }).unwrap();
    };
    assert!(!cache.invalidate_tag(b"nobody").unwrap());
    for n in 0..50_u8 {
        set(&[0, n], &[b"red"]);
        set(&[1, n], &[b"red", b"blue", b""]);
        set(&[2, n], &[b"blue"]);
        set(&[3, n], &[]);
    }
    assert!(cache.invalidate_tag(b"red").unwrap());
    for n in 0..50_u8 {
        assert_eq!(got(&cache, &[0, n]), None);
        assert!(!cache.contains(&[1, n]).unwrap());
        assert!(got(&cache, &[2, n]).is_some() && got(&cache, &[3, n]).is_some());
    }
    assert_eq!(scanned(&cache, b"").len(), 100);
    set(&[0, 0], &[b"red"]);
    assert!(got(&cache, &[0, 0]).is_some(), "set after the invalidation");
    cache.expire().unwrap();
    if subject.exact_entries {
        let stats = cache.stats().unwrap();
        assert_eq!(stats.engine.entries, 101);
        assert!(!stats.engine.entries_inexact, "nothing is left to sweep");
    }
    assert!(cache.invalidate_tag(b"blue").unwrap());
    assert_eq!(scanned(&cache, b"").len(), 51);
}

pub fn the_count_is_of_what_a_get_would_hit(subject: &Subject) {
    let time = subject.time();
    let cache = subject.open();
    assert_eq!(cache.count().unwrap(), 0);
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    for n in 0..120_u32 {
        let key = n.to_be_bytes();
        match n % 4 {
            0 => cache.set(&key, b"value", 10_000).unwrap(),
            1 => cache.set_with(&key, b"value", &tagged).map(drop).unwrap(),
            _ => cache.set(&key, b"value", TTL_NEVER).unwrap(),
        }
    }
    assert_eq!(cache.count().unwrap(), 120);
    cache.invalidate_tag(b"tag").unwrap();
    assert_eq!(cache.count().unwrap(), 90, "what is invalidated does not count");
    time.pass(11_000);
    assert_eq!(cache.count().unwrap(), 60, "nor what is expired");
    cache.set(b"one more", b"value", TTL_NEVER).unwrap();
    assert_eq!(cache.count().unwrap(), 61);
    cache.expire().unwrap();
    assert_eq!(cache.count().unwrap(), 61);
    cache.clear().unwrap();
    assert_eq!(cache.count().unwrap(), 0);
}

pub fn tags_are_those_of_the_last_set(subject: &Subject) {
    let cache = subject.open();
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    cache.set_with(b"lost", b"1", &tagged).unwrap();
    cache.set(b"lost", b"2", TTL_DEFAULT).unwrap();
    cache.set(b"gained", b"1", TTL_DEFAULT).unwrap();
    cache.set_with(b"gained", b"2", &tagged).unwrap();
    cache.set_with(b"touched", b"1", &tagged).unwrap();
    assert!(cache.touch(b"touched", 1_000_000).unwrap());
    cache.invalidate_tag(b"tag").unwrap();
    assert_eq!(got(&cache, b"lost").unwrap(), b"2");
    assert_eq!(got(&cache, b"gained"), None);
    assert_eq!(got(&cache, b"touched"), None, "touch keeps the tags");
}
