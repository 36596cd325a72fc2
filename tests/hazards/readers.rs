//! Readers that never come back must not make the file grow.

use crate::harness::*;
use rustix::process::Signal;
use std::path::Path;
use twat_cache::{Cache, TTL_DEFAULT};

const KEYS: u64 = 500;
const SIZE: usize = 700;

fn key_of(n: u64) -> String {
    format!("key {}", n % KEYS)
}

fn overwrite(cache: &Cache, from: u64, times: u64) {
    for n in from..from + times {
        let key = key_of(n);
        cache.set(key.as_bytes(), &value(&key, n, SIZE), TTL_DEFAULT).expect("a set");
    }
}

fn size(store: &Path) -> u64 {
    std::fs::metadata(store.join("data.mdb")).expect("data").len()
}

/// Reads for ever, or reads once and keeps what it got.
pub fn reader(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[]);
    let mut kept = Vec::new();
    for n in 0..KEYS {
        kept.push(cache.get(key_of(n).as_bytes()).expect("a get"));
    }
    tell("ready");
    loop {
        match args["how"].as_str() {
            "idle" => std::thread::sleep(HANG),
            _ => kept[0] = cache.get(key_of(3).as_bytes()).expect("a get"),
        }
    }
}

/// Opens the store by LMDB itself and dies within a read transaction.
pub fn pinning_reader(args: &Args) {
    use lmdb::{Environment, EnvironmentFlags};
    let env = Environment::new()
        .set_flags(EnvironmentFlags::NO_TLS)
        .set_max_readers(1024)
        .set_map_size(1 << 30)
        .open(Path::new(&args["dir"]))
        .expect("LMDB");
    let _txn = env.begin_ro_txn().expect("a transaction");
    tell("ready");
    std::thread::sleep(HANG * 30);
}

fn grows_not(name: &str, readers: impl FnOnce(&Path) -> Vec<Running>) {
    let scene = Scene::new(name);
    let store = scene.path("store");
    let cache = open(&store, &[]);
    let settle = scaled(10_000);
    overwrite(&cache, 0, settle);
    let steady = size(&store);
    let readers = readers(&store);
    let times = scaled(100_000);
    overwrite(&cache, settle, times);
    let after = size(&store);
    scene.log(format!("{steady} bytes steady, {after} after {times} overwrites"));
    assert!(after < 2 * steady, "{steady} bytes became {after}");
    for n in settle + times - KEYS..settle + times {
        let key = key_of(n);
        let found = cache.get(key.as_bytes()).expect("a get").expect("a hit");
        assert_eq!(version_of(&key, &found), Ok(n));
    }
    for reader in &readers {
        reader.signal(Signal::CONT);
    }
}

fn start_reader(store: &Path, how: &str) -> Running {
    let arguments = args([("dir", store.display().to_string()), ("how", how.into())]);
    let mut reader = spawn("reader", &arguments);
    reader.expect("ready");
    reader
}

#[test]
fn a_reader_stopped_with_sigstop_does_not_grow_the_file() {
    grows_not("reader-stopped", |store| {
        let reader = start_reader(store, "idle");
        std::thread::sleep(HANG / 20);
        reader.signal(Signal::STOP);
        vec![reader]
    });
}

#[test]
fn a_reader_killed_with_9_does_not_grow_the_file() {
    grows_not("reader-killed", |store| {
        let arguments = args([("dir", store.display().to_string())]);
        let mut pinning = spawn("pinning-reader", &arguments);
        pinning.expect("ready");
        let mut readers = [pinning, start_reader(store, "busy"), start_reader(store, "busy")];
        readers.iter_mut().for_each(Running::kill);
        Vec::new()
    });
}
