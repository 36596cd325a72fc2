//! The persistent engine beside liblmdb itself, each pair in one run, in turns.
//! Words on the command line choose rows.

#![expect(unsafe_code, reason = "the peer is liblmdb called as C calls it")]

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with the other benches")]
mod common;

use common::{Row, Target, Timed, report};
use lmdb_sys as ffi;
use std::ffi::CString;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::time::{Duration, Instant};
use twat_cache::{Cache, Config, SetOptions, TTL_DEFAULT, TTL_NEVER};

const KEYS: u64 = 100_000;
const VALUE: usize = 100;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, mode, dir, seed] = &args[..]
        && (mode == OURS || mode == LIBLMDB)
    {
        return worker(mode, Path::new(dir), seed.parse().unwrap_or(1));
    }
    type Run = fn() -> Row;
    let all: [(&str, Run); 8] = [
        ("get", || get(false)),
        ("get_into", || get(true)),
        ("set", || set(false)),
        ("set_ttl", || set(true)),
        ("set_many", set_many),
        ("mapped", mapped),
        ("processes", processes),
        ("processes_peer", processes_peer),
    ];
    let words: Vec<&String> = args[1..].iter().filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| *word == name);
    let rows: Vec<Row> =
        all.iter().filter(|(name, _)| wanted(name)).map(|(_, run)| run()).collect();
    report("disk", &rows);
}

fn cache(dir: &Path, options: &[(&str, &str)]) -> Cache {
    let mut config = Config::new("disk").expect("disk");
    config.set("path", dir.to_str().expect("UTF-8")).expect("path");
    options.iter().for_each(|(name, value)| config.set(name, value).expect("an option"));
    Cache::open(&config).expect("open")
}

/// A permutation of the keys, the same for both sides.
fn key(n: u64) -> [u8; 16] {
    let mixed = (n % KEYS).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = [b'k'; 16];
    key[..8].copy_from_slice(&mixed.to_be_bytes());
    key
}

/// liblmdb as a C program uses it: NOSYNC, NOTLS, one unnamed database, a read
/// transaction that is renewed.
struct Peer {
    env: *mut ffi::MDB_env,
    dbi: ffi::MDB_dbi,
    reader: *mut ffi::MDB_txn,
}

impl Peer {
    fn open(dir: &Path) -> Self {
        let path = CString::new(dir.to_str().expect("UTF-8")).expect("no NUL");
        let (mut env, mut txn, mut dbi) = (ptr::null_mut(), ptr::null_mut(), 0);
        let mut reader = ptr::null_mut();
        // SAFETY: as lmdb.h asks; a bench of our own.
        unsafe {
            assert_eq!(ffi::mdb_env_create(&mut env), 0);
            assert_eq!(ffi::mdb_env_set_mapsize(env, 8 << 30), 0);
            let flags = ffi::MDB_NOSYNC | ffi::MDB_NOTLS;
            assert_eq!(ffi::mdb_env_open(env, path.as_ptr(), flags, 0o600), 0);
            assert_eq!(ffi::mdb_txn_begin(env, ptr::null_mut(), 0, &mut txn), 0);
            assert_eq!(ffi::mdb_dbi_open(txn, ptr::null(), 0, &mut dbi), 0);
            assert_eq!(ffi::mdb_txn_commit(txn), 0);
            let rc = ffi::mdb_txn_begin(env, ptr::null_mut(), ffi::MDB_RDONLY, &mut reader);
            assert_eq!(rc, 0);
            ffi::mdb_txn_reset(reader);
        }
        Self { env, dbi, reader }
    }

    fn get(&self, mut key: [u8; 16], out: &mut [u8]) -> bool {
        let mut key = ffi::MDB_val { mv_size: 16, mv_data: key.as_mut_ptr().cast() };
        let mut data = ffi::MDB_val { mv_size: 0, mv_data: ptr::null_mut() };
        // SAFETY: a reset transaction of ours; the value is copied out before
        // it is reset again.
        unsafe {
            assert_eq!(ffi::mdb_txn_renew(self.reader), 0);
            let found = ffi::mdb_get(self.reader, self.dbi, &mut key, &mut data) == 0;
            if found {
                ptr::copy_nonoverlapping(data.mv_data.cast::<u8>(), out.as_mut_ptr(), VALUE);
            }
            ffi::mdb_txn_reset(self.reader);
            found
        }
    }

    fn put(&self, pairs: impl Iterator<Item = ([u8; 16], [u8; VALUE])>) {
        let mut txn = ptr::null_mut();
        // SAFETY: a live environment, keys and values that outlive the calls.
        unsafe {
            assert_eq!(ffi::mdb_txn_begin(self.env, ptr::null_mut(), 0, &mut txn), 0);
            for (mut key, mut value) in pairs {
                let mut key = ffi::MDB_val { mv_size: 16, mv_data: key.as_mut_ptr().cast() };
                let mut data = ffi::MDB_val { mv_size: VALUE, mv_data: value.as_mut_ptr().cast() };
                assert_eq!(ffi::mdb_put(txn, self.dbi, &mut key, &mut data, 0), 0);
            }
            assert_eq!(ffi::mdb_txn_commit(txn), 0);
        }
    }
}

/// Nanoseconds an operation of both; a slice is `n` of them, about a
/// millisecond.
fn race(n: u64, ours: &mut dyn FnMut(u64), peer: &mut dyn FnMut(u64)) -> (f64, f64) {
    fn timed<'a>(name: &'static str, n: u64, run: &'a mut dyn FnMut(u64)) -> Timed<'a> {
        let mut at = 0;
        let slice = move || {
            (at..at + n).for_each(&mut *run);
            at += n;
            n as usize
        };
        Timed { name, run: Box::new(slice) }
    }
    let best = common::race(30, &mut [timed("ours", n, ours), timed("liblmdb", n, peer)]);
    (best[0], best[1])
}

fn filled(options: &[(&str, &str)]) -> (tempfile::TempDir, tempfile::TempDir, Cache, Peer) {
    let (ours, theirs) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let (cache, peer) = (cache(ours.path(), options), Peer::open(theirs.path()));
    let value = [7; VALUE];
    for from in (0..KEYS).step_by(1000) {
        let keys: Vec<_> = (from..from + 1000).map(key).collect();
        let pairs: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &value[..])).collect();
        cache.set_many(&pairs, &SetOptions::default()).expect("set_many");
        peer.put((from..from + 1000).map(|n| (key(n), value)));
    }
    (ours, theirs, cache, peer)
}

fn get(into: bool) -> Row {
    let (_a, _b, cache, peer) = filled(&[]);
    let (mut out, mut buffer) = (vec![0_u8; VALUE], vec![0_u8; VALUE]);
    let (ours, theirs) = race(
        1000,
        &mut |n| {
            let key = key(n * 7919);
            if into {
                let found = cache.read(&key, &mut |value| buffer.copy_from_slice(value));
                assert!(found.expect("get"));
                std::hint::black_box(&mut buffer);
            } else {
                drop(std::hint::black_box(cache.get(&key).expect("get").expect("hit")));
            }
        },
        &mut |n| {
            assert!(peer.get(key(n * 7919), &mut out));
            std::hint::black_box(&mut out);
        },
    );
    let what = if into { "get 100 B into a buffer" } else { "get 100 B" };
    Row::ratio(what, ours, "liblmdb", theirs, Target::AtMost(1.5))
}

fn set(with_ttl: bool) -> Row {
    let (_a, _b, cache, peer) = filled(&[]);
    let ttl = if with_ttl { 3_600_000 } else { TTL_NEVER };
    let value = [8; VALUE];
    let (ours, theirs) =
        race(50, &mut |n| cache.set(&key(n * 7919), &value, ttl).expect("set"), &mut |n| {
            peer.put(std::iter::once((key(n * 7919), value)))
        });
    let (what, target) = if with_ttl { ("set 100 B with a TTL", 3.5) } else { ("set 100 B", 2.5) };
    Row::ratio(what, ours, "liblmdb NOSYNC", theirs, Target::AtMost(target))
}

fn set_many() -> Row {
    let (_a, _b, cache, peer) = filled(&[]);
    let value = [8; VALUE];
    let (ours, theirs) = race(
        2,
        &mut |n| {
            let keys: Vec<_> = (0..100).map(|i| key((n * 100 + i) * 7919)).collect();
            let pairs: Vec<(&[u8], &[u8])> =
                keys.iter().map(|key| (&key[..], &value[..])).collect();
            cache.set_many(&pairs, &SetOptions::default()).expect("set_many");
        },
        &mut |n| peer.put((0..100).map(|i| (key((n * 100 + i) * 7919), value))),
    );
    let (ours, theirs) = (ours / 100.0, theirs / 100.0);
    let what = "set_many of 100, a value";
    Row::ratio(what, ours, "liblmdb NOSYNC", theirs, Target::AtMost(2.5))
}

fn touch_pages(bytes: &[u8]) -> u64 {
    bytes.iter().step_by(4096).map(|byte| u64::from(*byte)).sum()
}

fn mapped() -> Row {
    let dir = tempfile::tempdir().expect("dir");
    let value: Vec<u8> = (0..100_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let cache = cache(dir.path(), &[]);
    cache.set(b"large", &value, TTL_DEFAULT).expect("set");
    let plain = dir.path().join("plain");
    File::create(&plain).and_then(|mut file| file.write_all(&value)).expect("a plain file");
    assert_eq!(cache.get(b"large").expect("get").as_deref(), Some(&value[..]));
    let (ours, theirs) = race(
        2,
        &mut |_| {
            let value = cache.get(b"large").expect("get").expect("hit");
            std::hint::black_box(touch_pages(&value));
        },
        &mut |_| {
            let file = File::open(&plain).expect("open");
            // SAFETY: nobody changes the file.
            let map = unsafe { memmap2::Mmap::map(&file) }.expect("map");
            std::hint::black_box(touch_pages(&map));
        },
    );
    let what = "mapped read of 100 MB";
    Row::ratio(what, ours, "open and mmap", theirs, Target::AtMost(1.2))
}

const SPELL: Duration = Duration::from_millis(2000);

/// Whose worker it is.
const OURS: &str = "worker";
const LIBLMDB: &str = "liblmdb-worker";

/// 90 % reads for a while; prints how many operations.
fn worker(whose: &str, dir: &Path, seed: u64) {
    if whose == OURS {
        let cache = cache(dir, &[]);
        let set = |key: [u8; 16]| cache.set(&key, &[9; VALUE], TTL_NEVER).expect("set");
        let get = |key: [u8; 16]| drop(std::hint::black_box(cache.get(&key).expect("get")));
        return mixed(seed, set, get);
    }
    let (peer, mut out) = (Peer::open(dir), [0; VALUE]);
    let set = |key: [u8; 16]| peer.put(std::iter::once((key, [9; VALUE])));
    let get = |key: [u8; 16]| {
        peer.get(key, &mut out);
        std::hint::black_box(&mut out);
    };
    mixed(seed, set, get);
}

fn mixed(seed: u64, set: impl Fn([u8; 16]), mut get: impl FnMut([u8; 16])) {
    let (mut random, mut n, begun) = (seed, 0_u64, Instant::now());
    while begun.elapsed() < SPELL {
        for _ in 0..100 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            match random % 10 {
                0 => set(key(random >> 8)),
                _ => get(key(random >> 8)),
            }
            n += 1;
        }
    }
    println!("{n}");
}

fn throughput(whose: &str, dir: &Path, processes: u64) -> f64 {
    let me = std::env::current_exe().expect("this program");
    let children: Vec<_> = (1..=processes)
        .map(|seed| {
            Command::new(&me)
                .args([whose, dir.to_str().expect("UTF-8"), &(seed * 7919).to_string()])
                .stdout(std::process::Stdio::piped())
                .spawn()
                .expect("a worker")
        })
        .collect();
    let count = |child: std::process::Child| {
        let out = child.wait_with_output().expect("a worker's end").stdout;
        String::from_utf8_lossy(&out).trim().parse::<u64>().expect("a number")
    };
    children.into_iter().map(count).sum::<u64>() as f64 / SPELL.as_secs_f64()
}

/// Four against one. Each is taken three times in turns, and the best kept:
/// what shares the machine takes from four more than from one.
fn four_and_one(whose: &str, dir: &Path) -> (f64, f64) {
    let rounds = (0..3).map(|_| (throughput(whose, dir, 4), throughput(whose, dir, 1)));
    rounds.fold((0.0, 0.0), |best, now| (now.0.max(best.0), now.1.max(best.1)))
}

fn processes() -> Row {
    let (dir, _b, cache, _peer) = filled(&[]);
    drop(cache);
    let (four, one) = four_and_one(OURS, dir.path());
    let what = "4 processes on one store, 90 % reads, all together";
    Row { unit: "op/s", ..Row::ratio(what, four, "one", one, Target::AtLeast(1.5)) }
}

/// What liblmdb leaves room for: one writer at a time, and a write is most of
/// the work. Nothing of ours runs here; there is no target.
fn processes_peer() -> Row {
    let (_a, dir, cache, peer) = filled(&[]);
    drop(cache);
    // SAFETY: nothing of it is used again.
    unsafe {
        ffi::mdb_txn_abort(peer.reader);
        ffi::mdb_env_close(peer.env);
    }
    let (four, one) = four_and_one(LIBLMDB, dir.path());
    let what = "the same over liblmdb alone";
    Row { unit: "op/s", ..Row::ratio(what, four, "one", one, Target::AtLeast(0.0)) }
}
