//! The tiered rows of the targets: a hit of memory over disk through C beside
//! a plain memory hit, idle and while another process writes 1,000 entries a
//! second; and memory over redis, where there is a redis-server.
//! Prints a table and writes `target/bench/tiers.json`.

#![expect(unsafe_code, reason = "this is the C side of the boundary")]

#[expect(dead_code, reason = "what other tables need")]
#[path = "common/mod.rs"]
mod common;

use ::twat_cache::ffi::{
    twat_bytes, twat_bytes_free, twat_cache as Opaque, twat_cache_close, twat_cache_get,
    twat_cache_open, twat_cache_set, twat_config_free, twat_config_load, twat_config_new,
};
use ::twat_cache::{Cache, Config, TTL_DEFAULT};
use common::{Row, Target, Timed, race, report};
use std::ffi::c_void;
use std::hint::black_box;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const KEYS: usize = 100_000;
const SLICE: usize = 10_000;
const SLICES: usize = 40;
const BESIDE: usize = 5 * SLICE;
const VALUE: [u8; 100] = [7; 100];
const ROUNDS: usize = 15;

type Key = [u8; 16];

fn key(n: usize) -> Key {
    let mut key = *b"key:............";
    key[4..12].copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    key
}

/// Key numbers by Zipf(0.99), shuffled over the keys.
fn zipf(n: usize) -> Vec<Key> {
    let mut sums = Vec::with_capacity(KEYS);
    let mut sum = 0.0;
    for rank in 1..=KEYS {
        sum += 1.0 / (rank as f64).powf(0.99);
        sums.push(sum);
    }
    let mut random = 1_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..n).map(|_| key(sums.partition_point(|s| *s < next() * sum) * 7919 % KEYS)).collect()
}

/// A cache behind the C functions, called through pointers that the compiler
/// cannot see through.
struct Handle {
    cache: *mut Opaque,
    get: unsafe extern "C" fn(*mut Opaque, *const c_void, usize, *mut twat_bytes) -> i32,
    free: unsafe extern "C" fn(*mut twat_bytes),
}

impl Handle {
    fn open(json: &str) -> Self {
        let (mut config, mut cache) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: each pointer is one of ours, or came from the call before.
        let opened = unsafe {
            twat_config_new(c"auto".as_ptr(), &mut config);
            let loaded = twat_config_load(config, json.as_ptr().cast(), json.len());
            assert_eq!(loaded, 0, "{json}");
            let opened = twat_cache_open(config, &mut cache);
            twat_config_free(config);
            opened
        };
        assert_eq!(opened, 0, "{json}");
        Self { cache, get: black_box(twat_cache_get), free: black_box(twat_bytes_free) }
    }

    fn fill(self) -> Self {
        for n in 0..KEYS {
            let key = key(n);
            // SAFETY: live slices, an open cache.
            let status = unsafe {
                twat_cache_set(self.cache, key.as_ptr().cast(), 16, VALUE.as_ptr().cast(), 100, 0)
            };
            assert_eq!(status, 0);
        }
        // Copies are made by the first reads.
        (0..KEYS).for_each(|n| assert_eq!(self.get(&key(n)), VALUE[0]));
        self
    }

    #[inline]
    fn get(&self, key: &Key) -> u8 {
        let mut bytes = twat_bytes { data: std::ptr::null(), len: 0, owner: std::ptr::null_mut() };
        // SAFETY: a live slice, an open cache, a struct of the header's layout.
        let status = unsafe { (self.get)(self.cache, key.as_ptr().cast(), 16, &mut bytes) };
        if status != 0 || bytes.len == 0 {
            return 0;
        }
        // SAFETY: a hit of at least one byte.
        let first = unsafe { *bytes.data.cast::<u8>() };
        // SAFETY: filled by the call above.
        unsafe { (self.free)(&mut bytes) };
        first
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once.
        unsafe { twat_cache_close(self.cache) };
    }
}

fn walk<'a>(
    name: &'static str,
    keys: &'a [Key],
    slice: usize,
    read: impl Fn(&Key) -> u8 + 'a,
) -> Timed<'a> {
    let mut slices = keys.chunks(slice).cycle();
    let run = move || {
        let keys = slices.next().unwrap_or_default();
        keys.iter().map(|key| usize::from(read(key))).sum::<usize>() / usize::from(VALUE[0])
    };
    Timed { name, run: Box::new(run) }
}

/// What the other process does: 1,000 sets a second over the same keys.
fn writer(directory: &str) {
    let mut config = Config::new("disk").expect("disk");
    config.set("path", directory).expect("a path");
    let cache = Cache::open(&config).expect("open");
    println!("ready");
    let begun = Instant::now();
    for n in 0.. {
        cache.set(&key(n * 7919 % KEYS), &VALUE, TTL_DEFAULT).expect("set");
        let due = Duration::from_millis(n as u64);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
}

/// A child that does not outlive its row.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn redis() -> Option<(Ended, u16)> {
    let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let server = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .stdout(Stdio::null())
        .spawn()
        .ok()?;
    let server = Ended(server);
    for _ in 0..1000 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some((server, port));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// At most 1.5 times a plain hit and 30 ns: 30 is what may lie between.
fn row(what: &str, ours: f64, plain: f64) -> Row {
    Row {
        what: what.to_owned(),
        unit: "ns",
        ours,
        peer: Some(("1.5 x plain hit", 1.5 * plain)),
        difference: true,
        target: Target::AtMost(30.0),
    }
}

fn over_disk(keys: &[Key], rows: &mut Vec<Row>) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("a plain path");
    let plain = Handle::open(r#"{"engine":"memory","max_entries":100000}"#).fill();
    let tiered = Handle::open(&format!(
        r#"{{"engine":"tiered","tiers":[{{"engine":"memory","max_entries":100000}},
            {{"engine":"disk","path":"{path}"}}]}}"#
    ))
    .fill();
    let times = race(
        ROUNDS,
        &mut [
            walk("plain", keys, SLICE, |key| plain.get(key)),
            walk("tiered", keys, SLICE, |key| tiered.get(key)),
        ],
    );
    rows.push(row("tiered hit, memory over disk, through C, idle", times[1], times[0]));
    let mut other = Ended(
        Command::new(std::env::current_exe().expect("this program"))
            .args(["writer", path])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process"),
    );
    let mut ready = String::new();
    let out = other.0.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut ready).expect("ready");
    // Slices of several milliseconds, so that each holds several writes.
    let below = Handle::open(&format!(r#"{{"engine":"disk","path":"{path}"}}"#));
    let times = race(
        ROUNDS,
        &mut [
            walk("plain", keys, BESIDE, |key| plain.get(key)),
            walk("tiered", keys, BESIDE, |key| tiered.get(key)),
            walk("disk", keys, BESIDE, |key| below.get(key)),
        ],
    );
    rows.push(row("the same, another process sets 1,000/s", times[1], times[0]));
    rows.push(Row {
        what: "the same, beside the disk alone".to_owned(),
        unit: "ns",
        ours: times[1],
        peer: Some(("disk get", times[2])),
        difference: false,
        target: Target::AtMost(1.0),
    });
}

fn over_redis(keys: &[Key], rows: &mut Vec<Row>) {
    let Some((_server, port)) = redis() else {
        println!("no row for redis: there is no redis-server (apt-get install redis-server)");
        return;
    };
    let plain = Handle::open(r#"{"engine":"memory","max_entries":100000}"#).fill();
    let tiered = Handle::open(&format!(
        r#"{{"engine":"tiered","tiers":[{{"engine":"memory","max_entries":100000}},
            {{"engine":"redis","url":"redis://127.0.0.1:{port}","timeout_ms":5000}}]}}"#
    ))
    .fill();
    // Its own sets are heard of, too: read again what that dropped.
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(50));
        (0..KEYS).for_each(|n| assert_eq!(tiered.get(&key(n)), VALUE[0]));
    }
    let times = race(
        ROUNDS,
        &mut [
            walk("plain", keys, SLICE, |key| plain.get(key)),
            walk("tiered", keys, SLICE, |key| tiered.get(key)),
        ],
    );
    rows.push(row("tiered hit, memory over redis, through C, idle", times[1], times[0]));
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, what, directory] = &arguments[..]
        && what == "writer"
    {
        return writer(Path::new(directory).to_str().unwrap_or_default());
    }
    let keys = zipf(SLICE * SLICES);
    let mut rows = Vec::new();
    over_disk(&keys, &mut rows);
    over_redis(&keys, &mut rows);
    report("tiers", &rows);
}
