//! The memory rows of the targets: a get through C against a bare look-up in
//! hashbrown and against moka, new entries with eviction, overhead, threads.
//!
//! Calls through C go to the shared object as another program would load it,
//! where it was built; else to the same functions linked in.

#[path = "common/c_api.rs"]
mod c_api;
#[path = "common/mod.rs"]
mod common;

use c_api::{Api, Handle};
use common::{Row, Target, Timed, race, report};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use twat_cache::{Cache, Config, TTL_DEFAULT};

const KEYS: usize = 100_000;
/// Gets of one slice of time, and how many different slices there are: more
/// than branch predictors and caches can learn.
const SLICE: usize = 10_000;
const SLICES: usize = 200;
const VALUE: [u8; 100] = [7; 100];
const ROUNDS: usize = 15;

type Key = [u8; 16];

/// Counts the bytes asked for, when it is told to.
struct Counting;

static HELD: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator")]
// SAFETY: all is handed on to `System`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

fn key(n: usize) -> Key {
    let mut key = *b"key:............";
    key[4..12].copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    key
}

/// Key numbers by Zipf(0.99), shuffled over the keys.
fn zipf(n: usize, seed: u64) -> Vec<Key> {
    let mut sums = Vec::with_capacity(KEYS);
    let mut sum = 0.0;
    for rank in 1..=KEYS {
        sum += 1.0 / (rank as f64).powf(0.99);
        sums.push(sum);
    }
    let mut random = seed | 1;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as f64 / (1_u64 << 53) as f64
    };
    // 7919 is prime to 100,000: rank r is key r * 7919.
    (0..n).map(|_| key(sums.partition_point(|s| *s < next() * sum) * 7919 % KEYS)).collect()
}

fn config(ttl: bool) -> Config {
    let mut config = Config::new("memory").expect("an engine");
    config.set_u64("max_entries", KEYS as u64).expect("a bound");
    if ttl {
        config.set_u64("ttl_ms", 3_600_000).expect("a time");
    }
    config
}

fn filled(ttl: bool) -> Cache {
    let cache = Cache::open(&config(ttl)).expect("open");
    (0..KEYS).for_each(|n| cache.set(&key(n), &VALUE, TTL_DEFAULT).expect("set"));
    cache
}

fn filled_c<'a>(api: &'a Api, ttl: bool) -> Handle<'a> {
    let cache = api.open(KEYS as u64, ttl);
    (0..KEYS).for_each(|n| cache.set(&key(n), &VALUE));
    cache
}

type Moka = moka::sync::Cache<Key, Arc<[u8]>>;

fn moka() -> Moka {
    let cache = Moka::new(KEYS as u64);
    (0..KEYS).for_each(|n| cache.insert(key(n), Arc::from(&VALUE[..])));
    cache.run_pending_tasks();
    cache
}

type Bare = hashbrown::HashMap<Key, Box<[u8]>, foldhash::fast::RandomState>;

/// The same over keys of any length, as ours are.
type BareBytes = hashbrown::HashMap<Box<[u8]>, Box<[u8]>, foldhash::fast::RandomState>;

/// The fastest of the caches in Rust, by the figures of their benches.
type Quick = quick_cache::sync::Cache<Key, Arc<[u8]>>;

fn quick() -> Quick {
    // Room to spare: it may evict before it is full.
    let cache = Quick::new(KEYS * 5 / 4);
    (0..KEYS).for_each(|n| cache.insert(key(n), Arc::from(&VALUE[..])));
    cache
}

/// Reads the keys, a slice at each call, over and over.
fn walk<'a>(name: &'static str, keys: &'a [Key], read: impl Fn(&Key) -> u8 + 'a) -> Timed<'a> {
    let mut slices = keys.chunks(SLICE).cycle();
    let run = move || {
        let keys = slices.next().unwrap_or_default();
        keys.iter().map(|key| usize::from(read(key))).sum::<usize>() / usize::from(VALUE[0])
    };
    Timed { name, run: Box::new(run) }
}

fn gets(api: &Api, rows: &mut Vec<Row>) {
    let bare: Bare = (0..KEYS).map(|n| (key(n), Box::from(&VALUE[..]))).collect();
    let bytes: BareBytes =
        (0..KEYS).map(|n| (Box::from(&key(n)[..]), Box::from(&VALUE[..]))).collect();
    let (ours, moka, quick) = (filled(false), moka(), quick());
    let (plain, timed) = (filled_c(api, false), filled_c(api, true));
    let keys = zipf(SLICE * SLICES, 42);
    let mut contenders = [
        walk("hashbrown", &keys, |key| bare[key][0]),
        walk("C get + free", &keys, |key| plain.get(key)),
        walk("C get + free, TTL", &keys, |key| timed.get(key)),
        walk("C get_into", &keys, |key| plain.get_into(key)),
        walk("Rust get", &keys, |key| ours.get(key).ok().flatten().map_or(0, |value| value[0])),
        walk("moka get", &keys, |key| moka.get(key).map_or(0, |value| value[0])),
        walk("hashbrown, byte strings", &keys, |key| bytes[black_box(&key[..])][0]),
        walk("quick_cache get", &keys, |key| quick.get(key).map_or(0, |value| value[0])),
    ];
    let found = race(ROUNDS, &mut contenders);
    for (contender, figure) in contenders.iter().zip(&found) {
        println!("  {:<24} {figure:>7.1} ns", contender.name);
    }
    let [bare, c, c_ttl, c_into, rust, moka, bytes, quick] = found[..] else { return };
    let at_most = Target::AtMost;
    rows.extend([
        Row::ratio("C get + free, hit, LRU", c, "hashbrown", bare, at_most(2.5)),
        Row::ratio("C get + free, hit, LRU, with TTL", c_ttl, "hashbrown", bare, at_most(3.0)),
        Row::ratio("C get_into, hit, LRU", c_into, "hashbrown", bare, at_most(3.0)),
        Row::ratio("C get + free, hit, LRU", c, "moka from Rust", moka, at_most(0.2)),
        Row::ratio(
            "C get + free, hit, LRU",
            c,
            "hashbrown over byte strings",
            bytes,
            Target::Shown,
        ),
        Row::ratio("C get + free, hit, LRU", c, "quick_cache from Rust", quick, Target::Shown),
        Row {
            difference: true,
            ..Row::ratio("C get + free over our Rust call", c, "Rust get", rust, at_most(15.0))
        },
    ]);
}

fn sets(api: &Api, rows: &mut Vec<Row>) {
    const SETS: usize = 4_000;
    let (ours, moka) = (filled_c(api, false), moka());
    let fresh = |next: &RefCell<usize>| {
        let begin = next.replace_with(|n| *n + SETS);
        begin..begin + SETS
    };
    let (our_next, moka_next) = (RefCell::new(KEYS), RefCell::new(KEYS));
    let mut contenders = [
        Timed {
            name: "C set",
            run: Box::new(|| fresh(&our_next).map(|n| ours.set(&key(n), &VALUE)).count()),
        },
        Timed {
            name: "moka insert",
            run: Box::new(|| {
                fresh(&moka_next).map(|n| moka.insert(key(n), Arc::from(&VALUE[..]))).count()
            }),
        },
    ];
    let found = race(ROUNDS, &mut contenders);
    let what = "C set, new with eviction, LRU";
    rows.push(Row::ratio(what, found[0], "moka from Rust", found[1], Target::AtMost(0.15)));
}

fn overhead(rows: &mut Vec<Row>) {
    let before = HELD.load(Ordering::Relaxed);
    let cache = filled(false);
    let held = HELD.load(Ordering::Relaxed) - before;
    let ours = held as f64 / KEYS as f64 - 16.0 - VALUE.len() as f64;
    drop(black_box(cache));
    rows.push(Row {
        what: "bytes an entry beyond key and value".into(),
        unit: "B",
        ours,
        peer: None,
        difference: false,
        target: Target::AtMost(110.0),
    });
}

/// One thread, then two at once, over the same gets for a fixed time.
fn threads(rows: &mut Vec<Row>) {
    let cache = filled(false);
    let keys = [zipf(SLICE, 1), zipf(SLICE, 2)];
    let count = |keys: &[Key], stop: &AtomicBool| {
        let mut n = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            for key in keys {
                n += u64::from(black_box(cache.get(&key[..])).is_ok_and(|value| value.is_some()));
            }
        }
        n
    };
    let together = |threads: usize| {
        let stop = AtomicBool::new(false);
        let begun = Instant::now();
        let gets: u64 = std::thread::scope(|scope| {
            let running: Vec<_> =
                keys[..threads].iter().map(|keys| scope.spawn(|| count(keys, &stop))).collect();
            std::thread::sleep(Duration::from_millis(30));
            stop.store(true, Ordering::Relaxed);
            running.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
        });
        gets as f64 / begun.elapsed().as_micros() as f64
    };
    let (mut one, mut two) = (0.0_f64, 0.0_f64);
    for _ in 0..2 * ROUNDS {
        one = one.max(together(1));
        two = two.max(together(2));
    }
    rows.push(Row {
        what: "gets a microsecond, two threads together".into(),
        unit: "",
        ours: two,
        peer: Some(("one thread", one)),
        difference: false,
        target: Target::AtLeast(1.5),
    });
}

fn main() {
    let api = Api::load();
    println!("C calls go to: {}", api.from);
    let mut rows = Vec::new();
    gets(&api, &mut rows);
    sets(&api, &mut rows);
    overhead(&mut rows);
    threads(&mut rows);
    report("memory", &rows);
}
