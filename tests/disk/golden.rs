//! Stores of each format version, written once and read for ever.
//!
//! `tests/golden/store-3/` holds a store of format 3, its data file packed
//! (gzip). A release that writes another format adds a directory and keeps
//! reading this one. `TWAT_BLESS=1` writes the newest anew. Formats 1 and 2
//! were never released: `store-1` and `store-2` show that they are refused and
//! left alone.

use super::common::{check_books, config, get, keys};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;
use twat_cache::{Cache, Code, SetOptions, TTL_NEVER};

fn golden(format: u64) -> PathBuf {
    static BLESSED: Once = Once::new();
    BLESSED.call_once(|| {
        if std::env::var_os("TWAT_BLESS").is_some() {
            let dir = tempfile::tempdir().unwrap();
            write(&dir.path().join("fresh"));
            bless(&dir.path().join("fresh"), &place_of(3));
        }
    });
    place_of(format)
}

fn place_of(format: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/store-{format}"))
}

fn options() -> [(&'static str, &'static str); 3] {
    [("compression", "zstd"), ("inline_max_bytes", "2000"), ("max_bytes", "10000000")]
}

fn opened(dir: &Path, namespace: &str) -> Cache {
    let mut config = config(dir, &options());
    config.set("namespace", namespace).unwrap();
    Cache::open(&config).unwrap()
}

fn contents() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut random = 1_u64;
    let noise = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 56) as u8
    });
    let noise: Vec<u8> = noise.take(5000).collect();
    vec![
        (b"plain".to_vec(), b"value".to_vec()),
        (b"".to_vec(), b"under the empty key".to_vec()),
        (vec![b'k'; 600], b"under a long key".to_vec()),
        (b"empty".to_vec(), b"".to_vec()),
        (b"packed".to_vec(), b"again ".repeat(200)),
        (b"blob".to_vec(), noise),
    ]
}

fn write(dir: &Path) {
    for namespace in ["", "other"] {
        let cache = opened(dir, namespace);
        for (key, value) in contents() {
            cache.set(&key, &value, TTL_NEVER).unwrap();
        }
        let tagged = |key: &[u8], tag: &[u8]| {
            let options = SetOptions { ttl_ms: TTL_NEVER, tags: &[tag], ..Default::default() };
            cache.set_with(key, b"tagged", &options).unwrap();
        };
        tagged(b"red", b"red");
        tagged(b"blue", b"blue");
        cache.invalidate_tag(b"blue").unwrap();
        cache.incr(b"counter", 2, 40, TTL_NEVER).unwrap();
        let ends = u64::MAX - 1 - twat_cache::base::clock::unix_ms();
        cache.set(b"ends far away", b"x", ends / 2).unwrap();
        cache.set(b"touched", b"x", 1000).unwrap();
        cache.touch(b"touched", TTL_NEVER).unwrap();
    }
}

/// Every file of a store but locks, data files packed.
fn bless(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    copy(from, to, &|source, target| {
        if source.ends_with("data.mdb") {
            let file = std::fs::File::create(target.with_extension("mdb.gz")).unwrap();
            let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::best());
            packed.write_all(&std::fs::read(source).unwrap()).unwrap();
            packed.finish().unwrap();
        } else if !source.ends_with("lock.mdb") && !source.ends_with("boot.lock") {
            std::fs::copy(source, target).unwrap();
        }
    });
}

fn unpack(from: &Path, to: &Path) {
    copy(from, to, &|source, target| {
        if source.ends_with("data.mdb.gz") {
            let mut bytes = Vec::new();
            let file = std::fs::File::open(source).unwrap();
            flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
            std::fs::write(target.with_extension(""), bytes).unwrap();
        } else {
            std::fs::copy(source, target).unwrap();
        }
    });
}

fn copy(from: &Path, to: &Path, each: &dyn Fn(&Path, &Path)) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            if entry.file_name() != "tmp" {
                copy(&source, &target, each);
            }
        } else {
            each(&source, &target);
        }
    }
}

#[test]
fn a_store_of_format_3_is_read_and_written_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    unpack(&golden(3), &store);
    for namespace in ["", "other"] {
        let cache = opened(&store, namespace);
        for (key, value) in contents() {
            assert!(get(&cache, &key) == Some(value), "{}", String::from_utf8_lossy(&key));
        }
        assert_eq!(get(&cache, b"red").unwrap(), b"tagged");
        assert_eq!(get(&cache, b"blue"), None);
        assert_eq!(cache.incr(b"counter", 1, 0, TTL_NEVER).unwrap(), 43);
        assert!(get(&cache, b"ends far away").is_some() && get(&cache, b"touched").is_some());
        assert_eq!(keys(&cache, b"").len(), contents().len() + 4);
        // The invalidated entries of all namespaces are swept in the first round.
        let unswept = if namespace.is_empty() { 2 } else { 0 };
        let entries = contents().len() as u64 + 4 + unswept / 2;
        assert_eq!(cache.stats().unwrap().engine.entries, entries);
        assert_eq!(cache.expire().unwrap(), unswept);
        cache.set(b"new", b"x", TTL_NEVER).unwrap();
        check_books(&cache);
        assert!(cache.info().unwrap().get("set_aside").is_none());
    }
}

#[test]
fn a_store_of_another_format_is_refused_and_left_as_it_is() {
    for format in [1, 2, 4] {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        unpack(&golden(format.min(3)), &store);
        std::fs::write(store.join("version"), format!("twat-cache {format}\n")).unwrap();
        let before = std::fs::read(store.join("data.mdb")).unwrap();
        let refused = || {
            let error = Cache::open(&config(&store, &options())).map(drop).unwrap_err();
            assert_eq!(error.code(), Code::Version, "{error}");
            let found = format!("expected format 3, found: {format}");
            assert!(error.text().contains(&found), "{error}");
            let advice = "delete the directory or choose another path";
            assert!(format > 3 || error.text().contains(advice), "{error}");
        };
        refused();
        // Nor where the record beside the data was lost or edited.
        if format < 3 {
            std::fs::write(store.join("version"), "twat-cache 3\n").unwrap();
            refused();
        }
        assert!(std::fs::read(store.join("data.mdb")).unwrap() == before, "it was written to");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "it was set aside");
    }
}
