//! Values as files.

use super::common::{blob_files, check_books, get, open};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use twat_cache::engine::Stored;
use twat_cache::{SetOptions, TTL_DEFAULT};

const LARGE: usize = 100_000;

#[test]
fn a_mapped_value_is_aligned_and_survives_deletion_replacement_and_close() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"k", &[1; LARGE], TTL_DEFAULT).unwrap();
    let first = cache.get(b"k").unwrap().unwrap();
    assert_eq!(first.as_ptr() as usize % 64, 0);
    assert!(matches!(first, twat_cache::Value::Mapped(_)));
    cache.set(b"k", &[2; LARGE], TTL_DEFAULT).unwrap();
    let second = cache.get(b"k").unwrap().unwrap();
    assert!(cache.delete(b"k").unwrap());
    assert_eq!(blob_files(dir.path()).len(), 0);
    cache.close().unwrap();
    assert!(first.iter().all(|byte| *byte == 1) && second.iter().all(|byte| *byte == 2));
}

#[test]
fn the_file_engine_keeps_every_value_as_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = super::common::config(dir.path(), &[]);
    config.set_engine("file").unwrap();
    let cache = twat_cache::Cache::open(&config).unwrap();
    cache.set(b"small", b"x", TTL_DEFAULT).unwrap();
    cache.set(b"empty", b"", TTL_DEFAULT).unwrap();
    assert_eq!(blob_files(dir.path()).len(), 2);
    assert_eq!(get(&cache, b"empty").unwrap(), b"");
    assert_eq!(get(&cache, b"small").unwrap(), b"x");
    cache.clear().unwrap();
    assert_eq!(blob_files(dir.path()).len(), 0);
}

#[test]
fn a_damaged_blob_is_a_miss_is_counted_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let damage = |how: &dyn Fn(&std::fs::File)| {
        let file = &blob_files(dir.path())[0];
        how(&std::fs::OpenOptions::new().write(true).open(file).unwrap());
    };
    let flip = |file: &std::fs::File| file.write_all_at(b"!", 70_000).unwrap();
    let cut = |file: &std::fs::File| file.set_len(50_000).unwrap();
    for how in [&flip as &dyn Fn(&std::fs::File), &cut] {
        let cache = open(dir.path(), &[]);
        cache.set(b"k", &[1; LARGE], TTL_DEFAULT).unwrap();
        damage(how);
        assert_eq!(get(&cache, b"k"), None);
        assert_eq!(cache.stats().unwrap().engine.corrupt, 1);
        assert_eq!(cache.stats().unwrap().engine.entries, 0);
        assert_eq!(blob_files(dir.path()).len(), 0);
        check_books(&cache);
    }
}

#[test]
fn verify_always_sees_damage_after_the_first_read() {
    let dir = tempfile::tempdir().unwrap();
    for (verify, seen) in [("first", false), ("always", true)] {
        let cache = open(dir.path(), &[("verify", verify)]);
        cache.set(b"k", &[1; LARGE], TTL_DEFAULT).unwrap();
        assert!(get(&cache, b"k").is_some());
        let file = &blob_files(dir.path())[0];
        let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
        file.write_all_at(b"!", 70_000).unwrap();
        assert_eq!(get(&cache, b"k").is_none(), seen, "verify = {verify}");
        cache.clear().unwrap();
    }
}

#[test]
fn add_stores_where_the_file_of_an_entry_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("inline_max_bytes", "0")]);
    cache.set(b"k", b"old", TTL_DEFAULT).unwrap();
    assert_eq!(cache.add(b"k", b"new", TTL_DEFAULT).unwrap(), Stored::Exists);
    blob_files(dir.path()).iter().for_each(|file| std::fs::remove_file(file).unwrap());
    assert_eq!(cache.add(b"k", b"new", TTL_DEFAULT).unwrap(), Stored::Stored);
    assert_eq!(get(&cache, b"k").unwrap(), b"new");
    check_books(&cache);
}

#[test]
fn a_counter_whose_file_is_gone_starts_anew() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("inline_max_bytes", "0")]);
    cache.set(b"counter", &[4, 5, 0, 0, 0, 0, 0, 0, 0], 0).unwrap();
    blob_files(dir.path()).iter().for_each(|file| std::fs::remove_file(file).unwrap());
    assert_eq!(cache.incr(b"counter", 1, 10, 0).unwrap(), 11);
    assert_eq!(cache.incr(b"counter", 1, 10, 0).unwrap(), 12);
    check_books(&cache);
}

#[test]
fn a_blob_that_is_gone_is_a_miss() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"k", &[1; LARGE], TTL_DEFAULT).unwrap();
    std::fs::remove_file(&blob_files(dir.path())[0]).unwrap();
    assert!(!cache.contains(b"k").unwrap());
    assert_eq!(get(&cache, b"k"), None);
    cache.set(b"k", &[2; LARGE], TTL_DEFAULT).unwrap();
    assert_eq!(get(&cache, b"k").unwrap(), [2; LARGE]);
}

#[test]
fn orphans_and_drafts_of_dead_writers_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"k", &[1; LARGE], TTL_DEFAULT).unwrap();
    let blobs = dir.path().join("blobs");
    for first in ["00", "7f", "ff"] {
        std::fs::create_dir_all(blobs.join(first)).unwrap();
        std::fs::write(blobs.join(first).join(first.repeat(16)), b"orphan").unwrap();
    }
    let draft = blobs.join("tmp").join("ab".repeat(16));
    std::fs::write(&draft, b"half").unwrap();
    // One whose writer lives: it holds the lock.
    let living = blobs.join("tmp").join("cd".repeat(16));
    let mut held = std::fs::File::create(&living).unwrap();
    held.write_all(b"half").unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let report = cache.check(true).unwrap();
    assert_eq!(report["orphans_removed"], 4, "{report:?}");
    assert!(!draft.exists() && living.exists());
    assert_eq!(blob_files(dir.path()).len(), 1);
    assert!(get(&cache, b"k").is_some());
}

#[test]
fn an_entry_that_is_replaced_is_there_all_the_while() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"k", &[0; LARGE], TTL_DEFAULT).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..1000 {
                cache.set(b"k", &[n as u8; LARGE], TTL_DEFAULT).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            assert!(cache.contains(b"k").unwrap());
        }
    });
}

#[test]
fn writers_of_blobs_sweep_orphans_as_they_go() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("inline_max_bytes", "10")]);
    let orphan = dir.path().join("blobs/05").join("05".repeat(16));
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::write(&orphan, b"orphan").unwrap();
    for n in 0..700_u32 {
        cache.set(b"k", &[n as u8; 100], TTL_DEFAULT).unwrap();
    }
    assert!(!orphan.exists());
}

/// Most bytes of memory this process has used.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn a_value_of_1_gib_is_stored_from_a_file_in_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    let file = std::fs::File::create(&source).unwrap();
    file.set_len(1 << 30).unwrap();
    file.write_all_at(b"the end", (1 << 30) - 7).unwrap();
    let store = dir.path().join("store");
    let cache = open(&store, &[("max_bytes", "4294967296"), ("map_size", "8589934592")]);
    let before = peak();
    cache.set_file(b"k", &source, &SetOptions::default()).unwrap();
    assert!(peak() - before < 200 << 20, "{} MiB", (peak() - before) >> 20);
    let value = cache.get(b"k").unwrap().unwrap();
    assert!(value.len() == 1 << 30 && value.ends_with(b"the end"));
    let error = cache.set_file(b"k", dir.path(), &SetOptions::default()).unwrap_err();
    assert!(error.text().contains("expected a file"), "{error}");
}

#[test]
fn compression_is_used_only_where_it_gains() {
    let dir = tempfile::tempdir().unwrap();
    for codec in ["lz4", "zstd"] {
        let cache = open(dir.path(), &[("compression", codec), ("inline_max_bytes", "1000")]);
        let text = b"the same again and again ".repeat(10_000);
        let mut random = 1_u64;
        let noise = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 56) as u8
        });
        let noise: Vec<u8> = noise.take(LARGE).collect();
        cache.set(b"text", &text, TTL_DEFAULT).unwrap();
        cache.set(b"noise", &noise, TTL_DEFAULT).unwrap();
        cache.set(b"small", &[1; 1023], TTL_DEFAULT).unwrap();
        assert_eq!(get(&cache, b"text").unwrap(), text);
        let value = cache.get(b"noise").unwrap().unwrap();
        assert!(matches!(value, twat_cache::Value::Mapped(_)) && *value == noise[..]);
        assert_eq!(get(&cache, b"small").unwrap(), [1; 1023]);
        let size = |file: &std::path::PathBuf| file.metadata().unwrap().len();
        let mut sizes: Vec<u64> = blob_files(dir.path()).iter().map(size).collect();
        sizes.sort();
        assert!(sizes.contains(&(LARGE as u64)) && sizes.contains(&1023), "{sizes:?}");
        assert!(cache.stats().unwrap().engine.bytes < 150_000, "text is packed");
        cache.clear().unwrap();
    }
}
