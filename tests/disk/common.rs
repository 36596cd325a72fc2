//! What the tests of the persistent engine share.

use std::path::{Path, PathBuf};
use twat_cache::{Cache, Config, Error};

/// A configuration of a store in `dir`: 1 GiB of map, so that many fit.
pub fn config(dir: &Path, options: &[(&str, &str)]) -> Config {
    let mut config = Config::new("disk").unwrap();
    config.set("path", dir.to_str().unwrap()).unwrap();
    config.set("max_bytes", "134217728").unwrap();
    config.set("map_size", "1073741824").unwrap();
    for (name, text) in options {
        config.set(name, text).unwrap();
    }
    config
}

/// An open store.
pub fn open(dir: &Path, options: &[(&str, &str)]) -> Cache {
    Cache::open(&config(dir, options)).unwrap()
}

/// Why a store does not open.
pub fn refused(dir: &Path, options: &[(&str, &str)]) -> Error {
    Cache::open(&config(dir, options)).err().expect("it opened")
}

/// The value of a key as bytes.
pub fn get(cache: &Cache, key: &[u8]) -> Option<Vec<u8>> {
    cache.get(key).unwrap().map(|value| value.to_vec())
}

/// All keys that begin with a prefix, sorted.
pub fn keys(cache: &Cache, prefix: &[u8]) -> Vec<Vec<u8>> {
    let mut scan = cache.scan(prefix).unwrap();
    let mut keys = Vec::new();
    while let Some(key) = scan.next_key().unwrap() {
        keys.push(key);
    }
    keys.sort();
    keys
}

/// Bytes of the data file.
pub fn file_size(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("data.mdb")).unwrap().len()
}

/// The blob files of a store, drafts not included.
pub fn blob_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(directories) = std::fs::read_dir(dir.join("blobs")) else { return Vec::new() };
    let directories = directories.flatten().filter(|entry| entry.file_name() != "tmp");
    let files = directories.flat_map(|entry| std::fs::read_dir(entry.path()).unwrap().flatten());
    files.map(|entry| entry.path()).collect()
}

/// The totals are what counting everything gives, and nothing is bad.
pub fn check_books(cache: &Cache) {
    let report = cache.check(true).unwrap();
    assert_eq!(report["books_corrected"], false, "{report:?}");
    assert_eq!(report["file_sound"], true, "{report:?}");
    assert_eq!((&report["bad"], &report["orphans_removed"]), (&0.into(), &0.into()), "{report:?}");
}

/// Changes a row of the unnamed database of a store that nobody has open.
pub fn rewrite(dir: &Path, key: &[u8], change: impl FnOnce(&[u8]) -> Vec<u8>) {
    use lmdb::{Transaction, WriteFlags};
    let env = lmdb::Environment::new().set_map_size(1 << 30).open(dir).unwrap();
    let db = env.open_db(None).unwrap();
    let mut txn = env.begin_rw_txn().unwrap();
    let row = change(txn.get(db, &key).unwrap());
    txn.put(db, &key, &row, WriteFlags::empty()).unwrap();
    txn.commit().unwrap();
}
