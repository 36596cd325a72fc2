//! Values come back: after a reopen, under long and empty keys, per namespace.

use super::common::{check_books, file_size, get, keys, open, refused, rewrite};
use twat_cache::base::error::{Code, Error};
use twat_cache::engine::Stored;
use twat_cache::{SetOptions, TTL_DEFAULT, TTL_NEVER, base::clock};

#[test]
fn what_was_set_is_there_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let long = vec![b'k'; 600];
    {
        let cache = open(dir.path(), &[]);
        cache.set(b"a", b"1", TTL_DEFAULT).unwrap();
        cache.set(b"empty", b"", TTL_DEFAULT).unwrap();
        cache.set(b"", b"the empty key", TTL_DEFAULT).unwrap();
        cache.set(&long, b"a long key", TTL_DEFAULT).unwrap();
        cache.set(b"large", &vec![7; 100_000], TTL_DEFAULT).unwrap();
        cache.close().unwrap();
    }
    let cache = open(dir.path(), &[]);
    assert_eq!(get(&cache, b"a").unwrap(), b"1");
    assert_eq!(get(&cache, b"empty").unwrap(), b"");
    assert_eq!(get(&cache, b"").unwrap(), b"the empty key");
    assert_eq!(get(&cache, &long).unwrap(), b"a long key");
    assert_eq!(get(&cache, b"large").unwrap(), vec![7; 100_000]);
    assert_eq!(get(&cache, b"absent"), None);
    assert_eq!(keys(&cache, b""), [&b""[..], b"a", b"empty", &long, b"large"]);
    assert_eq!(cache.stats().unwrap().engine.entries, 5);
}

#[test]
fn delete_add_touch_contains_clear() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    assert_eq!(cache.add(b"a", b"1", TTL_DEFAULT).unwrap(), Stored::Stored);
    assert_eq!(cache.add(b"a", b"2", TTL_DEFAULT).unwrap(), Stored::Exists);
    assert_eq!(get(&cache, b"a").unwrap(), b"1");
    assert!(cache.contains(b"a").unwrap() && !cache.contains(b"b").unwrap());
    assert!(cache.touch(b"a", 1000).unwrap() && !cache.touch(b"b", 1000).unwrap());
    assert!(cache.delete(b"a").unwrap() && !cache.delete(b"a").unwrap());
    for i in 0..1000u32 {
        cache.set(&i.to_be_bytes(), b"x", TTL_DEFAULT).unwrap();
    }
    cache.set(b"", b"x", TTL_DEFAULT).unwrap();
    assert_eq!(keys(&cache, b"").len(), 1001);
    assert_eq!(keys(&cache, &[0, 0, 1]).len(), 256);
    cache.clear().unwrap();
    assert_eq!(keys(&cache, b"").len(), 0);
    let stats = cache.stats().unwrap().engine;
    assert_eq!((stats.entries, stats.bytes), (0, 0));
}

#[test]
fn namespaces_do_not_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let a = open(dir.path(), &[("namespace", "a")]);
    let b = open(dir.path(), &[("namespace", "b")]);
    let long = vec![b'k'; 600];
    for key in [&b"k"[..], b"", &long] {
        a.set(key, b"of a", TTL_DEFAULT).unwrap();
        assert_eq!(get(&b, key), None);
        b.set(key, b"of b", TTL_DEFAULT).unwrap();
    }
    assert_eq!(a.stats().unwrap().engine.entries, 3);
    a.clear().unwrap();
    assert_eq!((keys(&a, b"").len(), keys(&b, b"").len()), (0, 3));
    assert_eq!(get(&b, &long).unwrap(), b"of b");
    assert_eq!(a.stats().unwrap().engine.entries, 0);
    assert_eq!(b.stats().unwrap().engine.entries, 3);
}

#[test]
fn expired_entries_are_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"short", b"x", 1).unwrap();
    cache.set(b"long", b"x", 10_000_000).unwrap();
    cache.set(b"never", b"x", TTL_NEVER).unwrap();
    while clock::unix_ms() == 0 || cache.contains(b"short").unwrap() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(get(&cache, b"short"), None);
    assert_eq!(keys(&cache, b""), [&b"long"[..], b"never"]);
    assert_eq!(cache.add(b"short", b"y", TTL_DEFAULT).unwrap(), Stored::Stored);
    assert_eq!(get(&cache, b"short").unwrap(), b"y");
}

#[test]
fn bad_places_are_refused_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let error = refused(&file, &[]);
    assert!(error.code() == Code::Io && error.text().contains("directory"), "{error}");
    let absent = dir.path().join("absent");
    let error = refused(&absent, &[("create", "false")]);
    assert!(error.code() == Code::Io && error.text().contains("create"), "{error}");
    assert!(refused(&absent, &[("policy", "sieve")]).text().contains("policy"));
    assert!(!absent.exists());
}

#[test]
fn what_lies_beside_the_entries_is_no_entry_and_outlives_a_clear() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("inline_max_bytes", "20000")]);
    let fill = |round: u32| {
        for n in 0..2000u32 {
            let size = if n % 50 == 0 { 9_000 } else { n as usize % 300 };
            cache.set(&n.to_be_bytes(), &vec![round as u8; size], 3_600_000).unwrap();
        }
        let tags = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
        cache.set_with(b"totals", b"a key like any other", &tags).unwrap();
        cache.set(b"changes", &[1; 30_000], TTL_NEVER).unwrap();
        check_books(&cache);
        assert_eq!(cache.stats().unwrap().engine.entries, 2002);
        assert_eq!(keys(&cache, b"").len(), 2002);
    };
    let mut size = 0;
    for round in 0..9 {
        fill(round);
        match round % 3 {
            0 => cache.clear().unwrap(),
            1 => assert_eq!(cache.delete_prefix(b"").unwrap(), 2002),
            _ => {
                cache.invalidate_tag(b"tag").unwrap();
                assert_eq!((get(&cache, b"totals"), cache.expire().unwrap()), (None, 1));
                cache.clear().unwrap();
            }
        }
        let stats = cache.stats().unwrap().engine;
        assert_eq!((stats.entries, stats.bytes, keys(&cache, b"").len()), (0, 0, 0));
        check_books(&cache);
        // Cleared pages are used again: the databases that came back are whole.
        size = if round == 2 { file_size(dir.path()) } else { size };
        let now = file_size(dir.path());
        assert!(round < 3 || now < size + size / 2, "{size} bytes became {now}");
    }
    drop(cache);
    let cache = open(dir.path(), &[("inline_max_bytes", "20000"), ("check", "open")]);
    assert!(cache.info().unwrap().get("set_aside").is_none());
    assert_eq!(cache.stats().unwrap().engine.entries, 0);
    cache.set(b"a", b"1", TTL_DEFAULT).unwrap();
    check_books(&cache);
}

#[test]
fn what_a_newer_version_stored_is_neither_counted_on_nor_added_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), &[]));
    open(dir.path(), &[]).set(b"key", b"value", TTL_NEVER).unwrap();
    let of_newer = |row: &[u8]| [&row[..4], &[row[4] + 1], &row[5..]].concat();
    rewrite(dir.path(), b"\x01\0key", of_newer);
    let cache = open(dir.path(), &[]);
    let version = |error: Error| assert_eq!(error.code(), Code::Version, "{error}");
    version(cache.get(b"key").unwrap_err());
    version(cache.incr(b"key", 1, 0, TTL_NEVER).unwrap_err());
    version(cache.add(b"key", b"new", TTL_NEVER).unwrap_err());
    version(cache.touch(b"key", TTL_NEVER).unwrap_err());
    assert!(!cache.delete(b"key").unwrap());
    version(cache.get(b"key").unwrap_err());
    // Who says what the key is to hold means it.
    cache.set(b"key", b"set", TTL_NEVER).unwrap();
    assert_eq!(get(&cache, b"key").unwrap(), b"set");
    check_books(&cache);
}
