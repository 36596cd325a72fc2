//! What scripts do to the files of a store that processes have open.

use crate::harness::*;
use std::path::Path;
use std::time::{Duration, Instant};
use twat_cache::{Cache, Code, TTL_DEFAULT};

const KEYS: u64 = 500;

fn key_of(n: u64) -> String {
    format!("key {}", n % KEYS)
}

/// Writes for a while; tells how many writes went well, and other errors than
/// damage that was noticed.
pub fn writer(args: &Args) {
    let cache = match Cache::open(&config(Path::new(&args["dir"]), &[])) {
        Ok(cache) => cache,
        Err(error) => return tell(format!("refused {:?} {error}", error.code())),
    };
    let end = Instant::now() + Duration::from_millis(args["ms"].parse().expect("a number"));
    let (mut n, mut written, mut noticed) = (0, 0, 0);
    while Instant::now() < end {
        n += 7919;
        let key = key_of(n);
        match timely("set", || cache.set(key.as_bytes(), &value(&key, n, 200), TTL_DEFAULT)) {
            Ok(()) => written += 1,
            Err(error) if error.code() == Code::Corrupt => noticed += 1,
            Err(error) => tell(format!("error {:?} {error}", error.code())),
        }
        if n == 7919 * KEYS {
            tell("filled");
        }
    }
    tell(format!("wrote {written} {noticed}"));
}

/// Reads all keys, writes some, and reads again.
pub fn reader(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[]);
    let mut hits = 0;
    for n in 0..2 * KEYS {
        let key = key_of(n);
        if let Some(bytes) = timely("get", || cache.get(key.as_bytes())).expect("a get") {
            version_of(&key, &bytes).unwrap_or_else(|why| panic!("wrong: {why}"));
            hits += 1;
        }
        cache.set(key.as_bytes(), &value(&key, n, 300), TTL_DEFAULT).expect("a set");
    }
    tell(format!("read {hits}"));
}

fn start(store: &Path, ms: u64) -> Running {
    let dir = ("dir", store.display().to_string());
    spawn("tidied-writer", &args([dir, ("ms", ms.to_string())]))
}

#[test]
fn a_copy_of_a_live_store_is_verified_and_ends_nobody() {
    let scene = Scene::in_memory("live-copies");
    let live = scene.stores().join("live");
    let mut writer = start(&live, 600_000);
    writer.expect("filled");
    let mut hits = 0;
    for n in 0..scaled(10) {
        let copy = scene.stores().join(format!("copy {n}"));
        let copied = std::process::Command::new("cp").arg("-a").args([&live, &copy]).status();
        assert!(copied.expect("cp").success());
        let child = spawn("tidied-reader", &args([("dir", copy.display().to_string())]));
        let (told, status) = child.finish(HANG * 10);
        assert!(status.success(), "copy {n}: {told:?} {status:?}");
        let read = told.last().and_then(|line| line.strip_prefix("read ")).expect("a figure");
        hits += read.parse::<u64>().expect("a number");
        std::fs::remove_dir_all(&copy).ok();
    }
    scene.log(format!("{hits} hits"));
}

#[test]
fn a_file_removed_or_replaced_while_a_process_writes_lets_nobody_else_in() {
    let scene = Scene::in_memory("tidied");
    std::thread::scope(|scope| {
        for name in ["lock.mdb", "boot.lock", "data.mdb"] {
            for replaced in [false, true] {
                let store = scene.stores().join(format!("{name} {replaced}"));
                scope.spawn(move || tidied_while_open(&store, name, replaced));
            }
        }
    });
}

fn tidied_while_open(store: &Path, name: &str, replaced: bool) {
    let mut first = start(store, 4_000);
    first.expect("filled");
    let (path, copy) = (store.join(name), store.join("copy"));
    std::fs::copy(&path, &copy).expect("a copy");
    std::fs::remove_file(&path).expect("removed");
    if replaced {
        std::fs::rename(&copy, &path).expect("replaced");
    }
    let (second, status) = start(store, 100).finish(HANG * 5);
    assert!(status.success(), "{name} {replaced}: {second:?}");
    let said = second.last().map_or("", String::as_str);
    let busy = said.starts_with("refused Busy") && said.contains(name);
    assert!(busy, "{name} {replaced}: {second:?}");
    let (told, status) = first.finish(HANG * 10);
    assert!(status.success(), "{name} {replaced}: {told:?} {status:?}");
    let noticed = !told.last().expect("a figure").ends_with(" 0");
    assert_eq!(noticed, name == "data.mdb", "{name} {replaced}: {told:?}");
    assert!(!told.iter().any(|line| line.starts_with("error")), "{told:?}");
    // When all have closed it, it opens again.
    let (told, status) = start(store, 100).finish(HANG * 5);
    assert!(status.success() && told.last().expect("a figure").starts_with("wrote"));
    assert_walker_finds_it_sound(store);
}
