//! Readers that never come back must not make the file grow.

use crate::harness::*;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use twat_cache::{Cache, Code, TTL_DEFAULT};

const KEYS: u64 = 500;
const SIZE: usize = 700;

fn key_of(n: u64) -> String {
    format!("key {}", n % KEYS)
}

fn overwrite(cache: &Cache, from: u64, times: u64) {
    assert_eq!(try_overwrite(cache, from, times), 0, "refused");
}

/// How many were refused because a stopped process pins the pages.
fn try_overwrite(cache: &Cache, from: u64, times: u64) -> u64 {
    let mut refused = 0;
    for n in from..from + times {
        let key = key_of(n);
        match cache.set(key.as_bytes(), &value(&key, n, SIZE), TTL_DEFAULT) {
            Ok(()) => {}
            Err(error) if error.code() == Code::Busy && error.text().contains("is stopped") => {
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    refused
}

fn size(store: &Path) -> u64 {
    std::fs::metadata(store.join("data.mdb")).expect("data").len()
}

/// Reads until it is told to end, or reads once and keeps what it got.
pub fn reader(args: &Args) {
    let store = Path::new(&args["dir"]);
    let cache = open(store, &[]);
    let mut kept = Vec::new();
    for n in 0..KEYS {
        kept.push(cache.get(key_of(n).as_bytes()).expect("a get"));
    }
    tell("ready");
    let (end, mut reads, mut random) = (end_of(store), 0_u64, Random::new(7));
    while !end.exists() {
        for _ in 0..500 {
            let key = key_of(random.below(KEYS));
            let found = cache.get(key.as_bytes()).expect("a get").expect("a hit");
            version_of(&key, &found).unwrap_or_else(|why| panic!("{why}"));
            reads += 1;
        }
        if args["how"] == "idle" {
            std::thread::sleep(HANG / 20);
        }
    }
    tell(format!("read {reads}"));
}

/// The file that tells readers to end.
fn end_of(store: &Path) -> PathBuf {
    store.with_extension("end")
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

fn grows_not(name: &str, may_refuse: bool, readers: impl FnOnce(&Path) -> Vec<Running>) {
    let scene = Scene::new(name);
    let store = scene.path("store");
    let cache = open(&store, &[]);
    let settle = scaled(10_000);
    overwrite(&cache, 0, settle);
    let steady = size(&store);
    let readers = readers(&store);
    let (times, mut refused) = (scaled(100_000), 0);
    let part = times.div_ceil(100);
    for from in (0..times).step_by(part as usize) {
        scene.progress(from, times);
        refused += try_overwrite(&cache, settle + from, part.min(times - from));
        let now = size(&store);
        assert!(now < 2 * steady, "{steady} bytes became {now} after {from} overwrites");
    }
    let after = size(&store);
    scene
        .log(format!("{steady} bytes steady, {after} after {times} overwrites, {refused} refused"));
    assert!(may_refuse || refused == 0, "{refused} refused");
    for n in 0..KEYS {
        let key = key_of(n);
        let found = cache.get(key.as_bytes()).expect("a get").expect("a hit");
        let version = version_of(&key, &found).unwrap_or_else(|why| panic!("{why}"));
        assert!(refused > 0 || version >= settle + times - KEYS, "{key}: version {version}");
    }
    go_on_and_end(&store, readers);
    overwrite(&cache, 0, KEYS);
}

/// Readers that were stopped go on and find nothing wrong.
fn go_on_and_end(store: &Path, readers: Vec<Running>) {
    readers.iter().for_each(|reader| reader.signal(Signal::CONT));
    std::thread::sleep(HANG / 20);
    std::fs::write(end_of(store), b"").expect("an end");
    for reader in readers {
        let (told, status) = reader.finish(HANG * 5);
        assert!(status.success(), "{told:?} {status}");
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
    grows_not("reader-stopped", false, |store| {
        let reader = start_reader(store, "idle");
        // Half the time that it rests: as far from its reads as can be.
        std::thread::sleep(HANG / 40);
        reader.signal(Signal::STOP);
        reader.wait_until_stopped();
        vec![reader]
    });
}

#[test]
fn a_reader_stopped_amid_its_reads_does_not_grow_the_file() {
    grows_not("reader-stopped-amid", true, |store| {
        let stop = |n: u32| {
            let reader = start_reader(store, "busy");
            std::thread::sleep(HANG / 100 + std::time::Duration::from_micros(u64::from(n) * 137));
            reader.signal(Signal::STOP);
            reader.wait_until_stopped();
            reader
        };
        (0..4).map(stop).collect()
    });
}

#[test]
fn a_reader_killed_with_9_does_not_grow_the_file() {
    grows_not("reader-killed", false, |store| {
        let arguments = args([("dir", store.display().to_string())]);
        let mut pinning = spawn("pinning-reader", &arguments);
        pinning.expect("ready");
        let mut readers = [pinning, start_reader(store, "busy"), start_reader(store, "busy")];
        readers.iter_mut().for_each(Running::kill);
        Vec::new()
    });
}

#[test]
fn a_reader_stopped_and_continued_time_and_again_reads_nothing_wrong() {
    let scene = Scene::new("reader-continued");
    let store = scene.path("store");
    let cache = open(&store, &[]);
    let (rounds, seed) = (scaled(150), 501);
    scene.log(format!("{rounds} rounds, seed {seed}"));
    let mut random = Random::new(seed);
    overwrite(&cache, 0, 2 * KEYS);
    let readers: Vec<_> = (0..2).map(|_| start_reader(&store, "busy")).collect();
    for round in 0..rounds {
        scene.progress(round, rounds);
        std::thread::sleep(std::time::Duration::from_micros(random.below(3_000)));
        for reader in &readers {
            reader.signal(Signal::STOP);
            reader.wait_until_stopped();
        }
        try_overwrite(&cache, round * KEYS, KEYS);
        readers.iter().for_each(|reader| reader.signal(Signal::CONT));
    }
    scene.log(format!("{} bytes", size(&store)));
    go_on_and_end(&store, readers);
}
