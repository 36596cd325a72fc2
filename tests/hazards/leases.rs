//! Leases between processes whose owners are killed, stopped and forked.

use crate::harness::*;
use rustix::process::Signal;
use std::fs::OpenOptions;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use twat_cache::{Cache, FetchOptions, Fetched, Lease, SetOptions, TTL_DEFAULT};

const MINUTE: u64 = 60_000;

fn fetch(cache: &Cache, key: &str, wait_ms: u64) -> Fetched {
    let options = FetchOptions { wait_ms, ..FetchOptions::default() };
    cache.fetch(key.as_bytes(), &options).expect("a fetch")
}

fn lease(cache: &Cache, key: &str, wait_ms: u64) -> Lease {
    match fetch(cache, key, wait_ms) {
        Fetched::Lease(lease) => lease,
        other => panic!("{key}: expected a lease, got {other:?}"),
    }
}

/// Fetches some keys in turn and notes each computation.
pub fn worker(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[]);
    let mut log = OpenOptions::new().append(true).open(&args["log"]).expect("a log");
    for n in 0..args["keys"].parse::<u64>().expect("a number") {
        let key = format!("key {n}");
        match fetch(&cache, &key, MINUTE) {
            Fetched::Lease(lease) => {
                log.write_all(format!("{key}\n").as_bytes()).expect("a line");
                std::thread::sleep(Duration::from_millis(2));
                let bytes = value(&key, 1, 100);
                assert!(lease.set(&bytes, &SetOptions::default()).expect("a set"), "{key}");
            }
            Fetched::Value(bytes) => assert_eq!(version_of(&key, &bytes), Ok(1)),
            Fetched::Pending => panic!("{key}: a minute is over"),
        }
    }
    cache.close().expect("a close");
}

#[test]
fn twelve_processes_compute_each_cold_key_once() {
    let scene = Scene::new("leases-once");
    let (keys, log) = (scaled(200), scene.path("computed"));
    std::fs::write(&log, "").expect("a log");
    let dir = scene.path("store");
    let text = |path: &Path| path.to_str().expect("a path").to_owned();
    let worker_args = args([("dir", text(&dir)), ("log", text(&log)), ("keys", keys.to_string())]);
    let first = open(&dir, &[]);
    let workers: Vec<_> = (0..12).map(|_| spawn("lease-worker", &worker_args)).collect();
    for worker in workers {
        let (told, status) = worker.finish(patience(Duration::from_secs(120)));
        assert!(status.success(), "{told:?}");
    }
    let computed = std::fs::read_to_string(&log).expect("the log");
    let mut lines: Vec<_> = computed.lines().collect();
    lines.sort_unstable();
    let computations = lines.len();
    lines.dedup();
    scene.note(format_args!("12 processes, {keys} keys: {computations} computations"));
    assert_eq!((lines.len() as u64, computations as u64), (keys, keys));
    first.close().expect("a close");
}

/// Gets the lease of a key and keeps it until it is told to end.
pub fn owner(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[]);
    let lease = lease(&cache, &args["key"], MINUTE);
    tell("granted");
    std::io::stdin().read_line(&mut String::new()).expect("a line");
    drop(lease);
    tell("freed");
}

fn owning(role: &str, dir: &Path, key: &str) -> Running {
    let text = dir.to_str().expect("a path").to_owned();
    let mut command = command(role, &args([("dir", text), ("key", key.to_owned())]));
    let mut owner = start(command.stdin(Stdio::piped()));
    owner.expect("granted");
    owner
}

#[test]
fn an_owner_killed_with_9_is_followed_within_a_tenth_of_a_second() {
    let scene = Scene::new("leases-killed");
    let dir = scene.path("store");
    let cache = open(&dir, &[]);
    let mut worst = Duration::ZERO;
    let rounds = scaled(20);
    for round in 0..rounds {
        let key = format!("key {round}");
        let mut owner = owning("lease-owner", &dir, &key);
        let begun = std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| match fetch(&cache, &key, MINUTE) {
                        Fetched::Lease(lease) => {
                            let bytes = value(&key, 1, 100);
                            assert!(lease.set(&bytes, &SetOptions::default()).expect("a set"));
                            (true, Instant::now())
                        }
                        Fetched::Value(bytes) => {
                            assert_eq!(version_of(&key, &bytes), Ok(1));
                            (false, Instant::now())
                        }
                        Fetched::Pending => panic!("a minute is over"),
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(5));
            let killed = Instant::now();
            owner.kill();
            let ends: Vec<_> = waiters.into_iter().map(|w| w.join().expect("a waiter")).collect();
            assert_eq!(ends.iter().filter(|(computed, _)| *computed).count(), 1);
            ends.iter().map(|(_, at)| at.duration_since(killed)).max().expect("a waiter")
        });
        worst = worst.max(begun);
    }
    scene.note(format_args!("owner killed {rounds} times: worst wait {worst:?}"));
    // Looked at every 50 ms; the rest is for a busy machine.
    assert!(worst < Duration::from_secs(1), "{worst:?}");
}

#[test]
fn an_owner_that_is_stopped_holds_nobody_up_for_longer_than_one_wait() {
    let scene = Scene::new("leases-stopped");
    let dir = scene.path("store");
    let cache = open(&dir, &[]);
    let mut owner = owning("lease-owner", &dir, "key");
    owner.signal(Signal::STOP);
    owner.wait_until_stopped();
    let begun = Instant::now();
    assert!(matches!(fetch(&cache, "key", 200), Fetched::Pending));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    // Nobody waits for it again: a minute would be over the time of this test.
    let begun = Instant::now();
    assert!(matches!(fetch(&cache, "key", MINUTE), Fetched::Pending));
    assert!(begun.elapsed() < Duration::from_secs(30));
    // Another key is not held up, and what is set meanwhile is found.
    drop(lease(&cache, "another key", 0));
    cache.set(b"key", b"computed elsewhere", TTL_DEFAULT).expect("a set");
    assert!(matches!(fetch(&cache, "key", 0), Fetched::Value(_)));
    cache.delete(b"key").expect("a delete");
    owner.signal(Signal::CONT);
    owner.kill();
    drop(lease(&cache, "key", MINUTE));
}

/// Forks with a lease in hand; the child lives on.
#[expect(unsafe_code, reason = "there is no safe fork")]
pub fn forker(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[]);
    let lease = lease(&cache, &args["key"], MINUTE);
    // SAFETY: the child sleeps, prints nothing and leaves by `_exit`.
    unsafe {
        if libc::fork() == 0 {
            libc::close(1);
            libc::sleep(20);
            libc::_exit(0);
        }
    }
    tell("granted");
    std::thread::sleep(Duration::from_secs(60));
    drop(lease);
}

#[test]
fn a_forked_child_does_not_keep_the_lease_of_a_parent_that_was_killed() {
    let scene = Scene::new("leases-forked");
    let dir = scene.path("store");
    let cache = open(&dir, &[]);
    let mut owner = owning("lease-forker", &dir, "key");
    assert!(matches!(fetch(&cache, "key", 0), Fetched::Pending));
    owner.kill();
    let begun = Instant::now();
    drop(lease(&cache, "key", MINUTE));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Invalidates what it is told to.
pub fn invalidator(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[]);
    tell("granted");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (what, key) = line.split_once(' ').expect("what and which");
        match what {
            "delete" => assert!(cache.delete(key.as_bytes()).is_ok()),
            "clear" => cache.clear().expect("a clear"),
            "prefix" => assert!(cache.delete_prefix(b"key").is_ok()),
            "tag" => assert!(cache.invalidate_tag(b"tag").is_ok()),
            _ => cache.set(key.as_bytes(), b"newer", TTL_DEFAULT).expect("a set"),
        }
        tell("done");
    }
}

#[test]
fn an_invalidation_by_another_process_during_a_computation_wins() {
    let scene = Scene::new("leases-void");
    let dir = scene.path("store");
    let cache = open(&dir, &[]);
    let mut other = owning("lease-invalidator", &dir, "");
    let mut orders = other.child.stdin.take().expect("a pipe");
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    let refresh = FetchOptions { refresh: true, ..FetchOptions::default() };
    let rounds = scaled(20);
    let mut random = Random::new(18);
    for round in 0..rounds {
        for what in ["delete", "clear", "prefix", "tag", "set"] {
            for present in [false, true] {
                let key = format!("key {round} {what} {present}");
                if present {
                    cache.set_with(key.as_bytes(), b"old", &tagged).expect("a set");
                }
                let fetched = cache.fetch(key.as_bytes(), &refresh).expect("a fetch");
                let Fetched::Lease(lease) = fetched else { panic!("{key}: {fetched:?}") };
                let order = format!("{what} {key}\n");
                orders.write_all(order.as_bytes()).expect("a listening child");
                // The invalidation is over before the set, or runs beside it.
                let over = random.below(3) > 0;
                if over {
                    other.expect("done");
                }
                let stored = lease.set(b"stale", &tagged).expect("a set");
                if !over {
                    other.expect("done");
                }
                assert!(!(stored && over), "{key}: stored after the invalidation");
                let found = cache.get(key.as_bytes()).expect("a get");
                assert_ne!(found.as_deref(), Some(&b"stale"[..]), "{key}: stored {stored}");
            }
        }
    }
    scene.note(format_args!("{rounds} rounds of 10 invalidations by another process"));
}
