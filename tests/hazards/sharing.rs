//! Threads, names, forks, and blobs that change under a reader.
#![expect(unsafe_code, reason = "fork")]

use crate::faults;
use crate::harness::*;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use twat_cache::{Cache, TTL_DEFAULT};

#[test]
fn eleven_hundred_threads_read_at_once() {
    let scene = Scene::new("threads");
    let cache = open(&scene.path("store"), &[("inline_max_bytes", "4096")]);
    for n in 0..100_u64 {
        let key = format!("key {n}");
        cache
            .set(key.as_bytes(), &value(&key, n, if n == 7 { 9_000 } else { 100 }), TTL_DEFAULT)
            .expect("a set");
    }
    let (looking, most) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = 1_100;
    let barrier = Barrier::new(threads);
    let read = |seed: u64| {
        let mut random = Random::new(seed + 1);
        barrier.wait();
        for round in 0..20 {
            let n = random.below(100);
            let key = format!("key {n}");
            let found = timely("get", || cache.get(key.as_bytes())).expect("a get").expect("a hit");
            assert_eq!(version_of(&key, &found), Ok(n));
            if round % 5 == 0 {
                // As long as it looks at the value it has one of the few snapshots.
                let mut look = |_: &[u8]| {
                    let now = looking.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    looking.fetch_sub(1, Ordering::SeqCst);
                };
                assert!(timely("read", || cache.read(b"key 1", &mut look)).expect("a read"));
            }
        }
    };
    std::thread::scope(|scope| {
        let start = |seed| {
            let builder = std::thread::Builder::new().stack_size(256 * 1024);
            builder.spawn_scoped(scope, move || read(seed)).expect("a thread")
        };
        let threads: Vec<_> = (0..threads as u64).map(start).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
    let (most, pool) = (most.into_inner(), twat_cache::lmdb::txn::POOL as u64);
    assert!((pool / 2..=pool).contains(&most), "{most} read at once, {pool} may");
}

#[test]
fn one_directory_under_three_names_is_one_store() {
    let scene = Scene::new("names");
    let store = scene.path("store");
    std::fs::create_dir(&store).expect("a directory");
    let link = scene.path("link");
    std::os::unix::fs::symlink(&store, &link).expect("a link");
    let winding = scene.path("link/../store/.");
    let first = open(&store, &[]);
    for round in 0..20_u64 {
        let second = open(&link, &[]);
        let third = open(&winding, &[]);
        assert_eq!(mappings(&store.join("data.mdb")), 1, "one environment for all three");
        let key = format!("key {round}");
        second.set(key.as_bytes(), b"second", TTL_DEFAULT).expect("a set");
        assert_eq!(first.get(key.as_bytes()).expect("a get").as_deref(), Some(&b"second"[..]));
        third.set(key.as_bytes(), b"third", TTL_DEFAULT).expect("a set");
        drop(third);
        assert_eq!(second.get(key.as_bytes()).expect("a get").as_deref(), Some(&b"third"[..]));
        drop(second);
        // Closing a second environment on the file would break this one.
        assert_eq!(first.get(key.as_bytes()).expect("a get").as_deref(), Some(&b"third"[..]));
        first.set(b"still", b"here", TTL_DEFAULT).expect("a set");
    }
}

/// How often this process has a file mapped.
fn mappings(file: &Path) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    let file = file.canonicalize().expect("a file");
    maps.lines().filter(|line| line.ends_with(file.to_str().expect("UTF-8"))).count()
}

/// Four busy threads and forks in between; each child uses the handle.
pub fn forking(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let forks: u64 = args["forks"].parse().unwrap();
    let cache = open(dir, &[("inline_max_bytes", "4096")]);
    let (stop, operations) = (AtomicBool::new(false), AtomicU64::new(0));
    let busy = |id: u64, cache: &Cache| {
        let mut random = Random::new(id + 1);
        while !stop.load(Ordering::Relaxed) {
            let key = format!("thread {id} key {}", random.below(50));
            let version = operations.fetch_add(1, Ordering::Relaxed);
            let size = if version.is_multiple_of(20) { 9_000 } else { 100 };
            timely("set", || cache.set(key.as_bytes(), &value(&key, version, size), TTL_DEFAULT))
                .expect("a set");
            let found = timely("get", || cache.get(key.as_bytes())).expect("a get").expect("a hit");
            assert_eq!(version_of(&key, &found), Ok(version));
        }
    };
    std::thread::scope(|scope| {
        for id in 0..4 {
            let (busy, cache) = (&busy, &cache);
            scope.spawn(move || busy(id, cache));
        }
        for n in 0..forks {
            std::thread::sleep(Duration::from_millis(10));
            // SAFETY: the child only uses the cache, which is what is tested,
            // and ends by _exit without running anything of the parent's.
            let child = unsafe { libc::fork() };
            assert!(child >= 0, "fork");
            if child == 0 {
                let right = in_child(&cache, n);
                // SAFETY: ends this process at once.
                unsafe { libc::_exit(if right { 0 } else { 1 }) };
            }
            let mut status = 0;
            // SAFETY: our own child and a place for its status.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0, "the child of fork {n} ended so");
            let key = format!("child {n}");
            let found = cache.get(key.as_bytes()).expect("a get").expect("what the child set");
            assert_eq!(version_of(&key, &found), Ok(n));
        }
        stop.store(true, Ordering::Relaxed);
    });
    tell(format!("done {}", operations.load(Ordering::Relaxed)));
}

fn in_child(cache: &Cache, n: u64) -> bool {
    // SAFETY: a child that hangs is killed by this alarm, which the parent sees.
    unsafe { libc::alarm(10) };
    let key = format!("child {n}");
    let bytes = value(&key, n, if n.is_multiple_of(2) { 9_000 } else { 100 });
    let set = cache.set(key.as_bytes(), &bytes, TTL_DEFAULT).is_ok();
    let own = cache.get(key.as_bytes()).ok().flatten();
    let mut right = set && own.is_some_and(|found| found[..] == bytes[..]);
    for id in 0..4 {
        for number in 0..50 {
            let key = format!("thread {id} key {number}");
            match cache.get(key.as_bytes()) {
                Ok(Some(found)) => right &= version_of(&key, &found).is_ok(),
                Ok(None) => {}
                Err(_) => right = false,
            }
        }
    }
    right
}

#[test]
fn forks_under_load_leave_parent_and_child_working() {
    let scene = Scene::new("fork");
    let arguments = args([
        ("dir", scene.path("store").display().to_string()),
        ("forks", scaled(20).max(3).to_string()),
    ]);
    let (told, status) = spawn("forking", &arguments).finish(patience(HANG * 60));
    println!("{told:?}");
    assert!(
        status.success() && told.iter().any(|line| line.starts_with("done")),
        "{told:?} {status}"
    );
    assert_walker_finds_it_sound(&scene.path("store"));
}

const BLOB: usize = 300_000;

/// Replaces one blob for ever, and deletes it now and then where it is told to.
pub fn replacer(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[("inline_max_bytes", "4096")]);
    tell("ready");
    for version in 1.. {
        cache.set(b"blob", &value("blob", version, BLOB), TTL_DEFAULT).expect("a set");
        if args["deletes"] == "true" && version.is_multiple_of(50) {
            cache.delete(b"blob").expect("a delete");
        }
    }
}

#[test]
fn a_blob_replaced_while_it_is_read_is_always_found_and_whole() {
    let misses = blob_replaced("blob-replaced", false);
    assert_eq!(misses, 0, "it was there all the time");
}

#[test]
fn a_blob_replaced_and_deleted_while_it_is_read_stays_whole() {
    blob_replaced("blob-deleted", true);
}

/// How often a reader of one blob missed it.
fn blob_replaced(name: &str, deletes: bool) -> u64 {
    let scene = Scene::new(name);
    let store = scene.path("store");
    let cache = open(&store, &[("inline_max_bytes", "4096")]);
    cache.set(b"blob", &value("blob", 0, BLOB), TTL_DEFAULT).expect("a set");
    let arguments = args([("dir", store.display().to_string()), ("deletes", deletes.to_string())]);
    let mut writers: Vec<_> = (0..2).map(|_| spawn("replacer", &arguments)).collect();
    writers.iter_mut().for_each(|writer| drop(writer.expect("ready")));
    let (mut hits, mut misses, mut versions) = (0, 0, std::collections::BTreeSet::new());
    let mut held = Vec::new();
    let reads = scaled(1_500);
    let started = std::time::Instant::now();
    while hits < reads && started.elapsed() < patience(HANG * 20) {
        let Some(found) = timely("get", || cache.get(b"blob")).expect("a get") else {
            // It was deleted, and the writers are not as fast as we are.
            misses += 1;
            std::thread::sleep(Duration::from_micros(200));
            continue;
        };
        let version = version_of("blob", &found).unwrap_or_else(|why| panic!("{why}"));
        hits += 1;
        versions.insert(version);
        if hits % 25 == 0 {
            held.push((version, found));
        }
    }
    for (version, found) in &held {
        assert_eq!(version_of("blob", found), Ok(*version), "a value that is held");
    }
    scene.log(format!("{hits} hits, {misses} misses, {} versions", versions.len()));
    for writer in &mut writers {
        assert!(writer.child.try_wait().expect("a child").is_none(), "a writer gave up");
    }
    assert!(hits == reads && versions.len() > 1, "{hits} hits, {misses} misses");
    writers.clear();
    drop(cache);
    let cache = open(&store, &[("inline_max_bytes", "4096"), ("check", "open")]);
    if let Some(found) = cache.get(b"blob").expect("a get") {
        version_of("blob", &found).unwrap_or_else(|why| panic!("{why}"));
    }
    misses
}

/// Stops itself between the rename of a blob and the commit that points at it.
pub fn stopping_writer(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let cache = open(dir, &[("inline_max_bytes", "4096")]);
    let (kind, how) = faults::STOP_AFTER_RENAME;
    faults::Shim::find().arm(&dir.canonicalize().expect("a path"), kind, 1, how);
    tell("ready");
    cache.set(b"stopped", &value("stopped", 1, BLOB), TTL_DEFAULT).expect("a set");
    tell("done");
}

/// A writer stopped there, a sweep by another process, and then `end`.
fn swept_meanwhile(name: &str, end: impl Fn(&mut Running) + Sync, expected: Option<u64>) {
    let scene = Scene::new(name);
    let store = scene.path("store");
    let cache = open(&store, &[("inline_max_bytes", "4096")]);
    cache.set(b"other", &value("other", 1, BLOB), TTL_DEFAULT).expect("a set");
    let mut command = command("stopping-writer", &args([("dir", store.display().to_string())]));
    let mut writer = start(command.env("LD_PRELOAD", faults::shim()));
    writer.expect("ready");
    writer.wait_until_stopped();
    assert_eq!(blobs_below(&store.join("blobs")), 2, "the file has its name, nothing names it");
    std::thread::scope(|scope| {
        // It has LMDB's write lock: a sweep waits for it, reads do not.
        let sweep = scope.spawn(|| cache.check(true).expect("a sweep"));
        for _ in 0..50 {
            let found = timely("get", || cache.get(b"other")).expect("a get").expect("a hit");
            assert_eq!(version_of("other", &found), Ok(1));
            assert!(timely("get", || cache.get(b"stopped")).expect("a get").is_none());
        }
        end(&mut writer);
        timely("the sweep, then", || sweep.join().expect("no panic"));
    });
    drop(writer);
    let swept = timely("a second sweep", || cache.check(true)).expect("a sweep");
    let found = cache.get(b"stopped").expect("a get");
    assert_eq!(found.map(|found| version_of("stopped", &found).expect("whole")), expected);
    let files = blobs_below(&store.join("blobs"));
    assert_eq!(files, 1 + u64::from(expected.is_some()), "{swept:?}");
}

fn blobs_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("a directory").flatten();
    entries.map(|e| if e.path().is_dir() { blobs_below(&e.path()) } else { 1 }).sum()
}

#[test]
fn a_sweep_spares_the_blob_of_a_writer_stopped_between_rename_and_commit() {
    let go_on = |writer: &mut Running| {
        writer.signal(rustix::process::Signal::CONT);
        writer.expect("done");
    };
    swept_meanwhile("stopped-writer", go_on, Some(1));
}

#[test]
fn the_blob_of_a_writer_killed_between_rename_and_commit_is_swept() {
    swept_meanwhile("killed-writer", Running::kill, None);
}

/// A child that inherits an open store, never uses it and outlives its use.
pub fn forgetful_child(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let cache = open(dir, &[]);
    cache.set(b"key", b"value", TTL_DEFAULT).expect("a set");
    // SAFETY: the child only sleeps and ends by _exit.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        // SAFETY: both are allowed after a fork; the parent kills it before.
        unsafe {
            libc::sleep(30);
            libc::_exit(0);
        }
    }
    drop(cache);
    let cache = timely("opening again", || open(dir, &[("check", "open")]));
    assert_eq!(cache.get(b"key").expect("a get").as_deref(), Some(&b"value"[..]));
    let args = args.clone();
    let (told, status) = spawn("opener", &args).finish(HANG);
    assert!(status.success(), "{told:?}");
    // SAFETY: our own child.
    unsafe { libc::kill(child, libc::SIGKILL) };
    tell("done");
}

pub fn opener(args: &Args) {
    let cache = timely("opening", || open(Path::new(&args["dir"]), &[]));
    assert_eq!(cache.get(b"key").expect("a get").as_deref(), Some(&b"value"[..]));
}

#[test]
fn a_child_that_never_uses_an_inherited_store_locks_nobody_out() {
    let scene = Scene::new("forgetful-child");
    let arguments = args([("dir", scene.path("store").display().to_string())]);
    let (told, status) = spawn("forgetful-child", &arguments).finish(HANG * 5);
    assert!(status.success() && told.contains(&"done".to_owned()), "{told:?} {status}");
}
