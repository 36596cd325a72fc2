//! What scripts that tidy up do to a store, closed and open.

use super::common::{check_books, config, get, open, refused};
use std::path::Path;
use std::time::{Duration, SystemTime};
use twat_cache::{Cache, Code, TTL_DEFAULT};

fn record(dir: &Path) -> Option<String> {
    std::fs::read_to_string(dir.join("version")).ok()
}

#[test]
fn a_store_whose_version_file_is_gone_or_damaged_is_ours_and_gets_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let options = [("max_entries", "10000")];
    let cache = open(dir.path(), &options);
    // Two levels of pages and more.
    for n in 0..2000_u32 {
        cache.set(&n.to_be_bytes(), &[7; 100], TTL_DEFAULT).unwrap();
    }
    drop(cache);
    for damage in [None, Some(&b""[..]), Some(b"something else"), Some(b"\xff\xfe")] {
        for live in [false, true] {
            let other = live.then(|| open(dir.path(), &options));
            let _ = std::fs::remove_file(dir.path().join("version"));
            if let Some(bytes) = damage {
                std::fs::write(dir.path().join("version"), bytes).unwrap();
            }
            let reader = open(dir.path(), &[("max_entries", "10000")]);
            assert_eq!(get(&reader, &7_u32.to_be_bytes()).unwrap(), [7; 100], "{damage:?} {live}");
            assert_eq!(record(dir.path()).unwrap(), "twat-cache 3\n", "{damage:?} {live}");
            drop((reader, other));
        }
    }
    std::fs::remove_file(dir.path().join("version")).unwrap();
    let reader = open(dir.path(), &[("read_only", "true"), ("max_entries", "10000")]);
    assert!(get(&reader, b"another").is_none());
    assert_eq!(record(dir.path()), None, "a read-only open changed the store");
}

#[test]
fn data_without_our_totals_is_refused_whatever_the_version_file_says() {
    let dir = tempfile::tempdir().unwrap();
    drop(lmdb::Environment::new().open(dir.path()).unwrap());
    for text in [None, Some("garbage")] {
        if let Some(text) = text {
            std::fs::write(dir.path().join("version"), text).unwrap();
        }
        let error = refused(dir.path(), &[]);
        assert_eq!(error.code(), Code::Config, "{error}");
        assert_eq!(record(dir.path()).as_deref(), text);
    }
}

#[test]
fn value_files_that_a_cleaner_removed_are_misses_and_new_ones_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let large = vec![5; 100_000];
    for live in [false, true] {
        let mut cache = Some(open(dir.path(), &[]));
        let filled = cache.as_ref().unwrap();
        for n in 0..20_u8 {
            filled.set(&[n], &large, TTL_DEFAULT).unwrap();
        }
        filled.set(b"small", b"value", TTL_DEFAULT).unwrap();
        if !live {
            cache = None;
        }
        std::fs::remove_dir_all(dir.path().join("blobs")).unwrap();
        let cache = cache.unwrap_or_else(|| open(dir.path(), &[]));
        for n in 0..20_u8 {
            assert_eq!(get(&cache, &[n]), None, "live: {live}");
            cache.set(&[n], &large, TTL_DEFAULT).unwrap();
            assert_eq!(get(&cache, &[n]).unwrap(), large);
        }
        assert_eq!(get(&cache, b"small").unwrap(), b"value");
        check_books(&cache);
    }
}

#[test]
fn every_file_that_must_live_is_young_after_an_open() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), &[]).set(b"k", &[1; 100_000], TTL_DEFAULT).unwrap();
    let old = SystemTime::now() - Duration::from_secs(30 * 86_400);
    let names = ["version", "boot.lock", "lock.mdb", "data.mdb", "blobs"];
    for name in names {
        std::fs::File::open(dir.path().join(name)).unwrap().set_modified(old).unwrap();
    }
    assert!(get(&open(dir.path(), &[]), b"k").is_some());
    for name in names {
        let found = std::fs::metadata(dir.path().join(name)).unwrap().modified().unwrap();
        assert!(found.elapsed().unwrap() < Duration::from_secs(3600), "{name}");
    }
}

#[test]
fn a_store_whose_locks_a_cleaner_removed_is_opened_as_before() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), &[]).set(b"k", b"v", TTL_DEFAULT).unwrap();
    for name in ["lock.mdb", "boot.lock"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
        assert_eq!(get(&open(dir.path(), &[]), b"k").unwrap(), b"v", "{name}");
    }
}

#[test]
fn what_operators_do_to_the_data_of_an_open_store_is_an_error() {
    let backup = tempfile::tempdir().unwrap();
    open(backup.path(), &[]).set(b"k", b"of the backup", TTL_DEFAULT).unwrap();
    let backup = backup.path().join("data.mdb");
    type Act = fn(&Path, &Path);
    let acts: [(&str, Act); 6] = [
        ("truncate", |data, _| {
            std::fs::OpenOptions::new().write(true).open(data).unwrap().set_len(8192).unwrap();
        }),
        ("> data.mdb", |data, _| drop(std::fs::File::create(data).unwrap())),
        ("rm", |data, _| std::fs::remove_file(data).unwrap()),
        ("mv over", |data, backup| {
            std::fs::copy(backup, data.with_extension("new")).unwrap();
            std::fs::rename(data.with_extension("new"), data).unwrap();
        }),
        ("mv and cp", |data, backup| {
            std::fs::rename(data, data.with_extension("old")).unwrap();
            std::fs::copy(backup, data).unwrap();
        }),
        ("cp over", |data, backup| assert!(std::fs::copy(backup, data).unwrap() > 0)),
    ];
    for (name, act) in acts {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path(), &[]);
        for n in 0..500_u32 {
            cache.set(&n.to_be_bytes(), &[7; 200], TTL_DEFAULT).unwrap();
        }
        act(&dir.path().join("data.mdb"), &backup);
        if name == "mv and cp" {
            // What is at the path is looked at once per tick of the clock.
            std::thread::sleep(Duration::from_millis(50));
        }
        for round in 0..3 {
            let error = cache.set(b"k", b"v", TTL_DEFAULT).expect_err(name);
            assert_eq!(error.code(), Code::Corrupt, "{name} {round}: {error}");
            assert!(error.text().contains("data.mdb"), "{name}: {error}");
            let error = cache.get(b"k").expect_err(name);
            assert_eq!(error.code(), Code::Corrupt, "{name} {round}: {error}");
        }
        drop(cache);
        // A cut store is set aside, a removed one begins anew, a backup is served.
        let cache = Cache::open(&config(dir.path(), &[])).expect(name);
        cache.set(b"new", b"v", TTL_DEFAULT).expect(name);
        let found = get(&cache, b"k");
        assert!(found.is_none() || found.unwrap() == b"of the backup", "{name}");
        check_books(&cache);
    }
}

#[test]
fn a_larger_backup_that_was_copied_over_an_open_store_is_seen_by_the_next_write() {
    let backup = tempfile::tempdir().unwrap();
    let filled = open(backup.path(), &[]);
    for n in 0..500_u32 {
        filled.set(&n.to_be_bytes(), &[7; 200], TTL_DEFAULT).unwrap();
    }
    drop(filled);
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"k", b"v", TTL_DEFAULT).unwrap();
    std::fs::copy(backup.path().join("data.mdb"), dir.path().join("data.mdb")).unwrap();
    let error = cache.set(b"k", b"w", TTL_DEFAULT).expect_err("written over a backup");
    assert!(error.code() == Code::Corrupt && error.text().contains("overwritten"), "{error}");
    drop(cache);
    let cache = open(dir.path(), &[]);
    assert_eq!(get(&cache, &7_u32.to_be_bytes()).unwrap(), [7; 200]);
    check_books(&cache);
}
