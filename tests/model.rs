//! Random operations on each engine against a plain map with a clock.
//!
//! `TWAT_MODEL_SEED` and `TWAT_MODEL_OPERATIONS` override seed and number. A
//! failing run is cut down to the operations that it takes, and these are named.

#[path = "conformance/subject.rs"]
#[expect(dead_code, reason = "shared with the conformance suite")]
mod subject;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use subject::{Opened, Subject, Time, disk, memory, memory_with};
use twat_cache::engine::Stored;
use twat_cache::{Code, SetOptions, TTL_NEVER};

/// What the cache may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loses {
    /// Every entry stays until it is removed or its time is over.
    Nothing,
    /// Any entry may leave at any time, and then stays away.
    Entries,
}

macro_rules! models {
    ($($engine:ident: $loses:ident, $subject:expr;)*) => {$(
        #[test]
        fn $engine() {
            let subject: Subject = $subject;
            check(&subject, Loses::$loses);
        }
    )*};
}

models! {
    memory_unbounded: Nothing, memory_with("lru", &[]);
    memory_lru_that_never_fills: Nothing, memory("lru");
    memory_s3fifo_that_never_fills: Nothing, memory_with("s3fifo", &[("max_bytes", "4000000")]);
    memory_lru: Entries, memory_with("lru", &[("max_entries", "60")]);
    memory_mru: Entries, memory_with("mru", &[("max_entries", "60")]);
    memory_fifo: Entries, memory_with("fifo", &[("max_bytes", "65536")]);
    memory_lifo: Entries, memory_with("lifo", &[("max_entries", "60"), ("shards", "4")]);
    memory_lfu: Entries, memory_with("lfu", &[("max_bytes", "65536"), ("shards", "4")]);
    memory_rr: Entries, memory_with("rr", &[("max_entries", "60"), ("max_bytes", "65536"), ("seed", "7")]);
    memory_sieve: Entries, memory_with("sieve", &[("max_bytes", "65536"), ("shards", "8")]);
    memory_s3fifo: Entries, memory_with("s3fifo", &[("max_bytes", "65536")]);
    memory_tinylfu: Nothing, Subject { exact_entries: false, ..memory("tinylfu") };
    disk_engine: Nothing, disk("disk", &[]);
    disk_with_small_values_inside: Nothing,
        disk("disk", &[("inline_max_bytes", "100"), ("compression", "lz4"), ("namespace", "n")]);
    disk_lru: Entries, disk("disk", &[("max_entries", "60")]);
    disk_fifo: Entries, disk("disk", &[("max_bytes", "65536"), ("policy", "fifo")]);
    disk_rr: Entries, disk("disk", &[("max_entries", "60"), ("policy", "rr")]);
    disk_lfu_compressed: Entries,
        disk("disk", &[("max_bytes", "65536"), ("policy", "lfu"), ("compression", "zstd"),
                       ("compress_min_bytes", "50")]);
    file_engine: Nothing, disk("file", &[]);
    file_lru: Entries, disk("file", &[("max_bytes", "262144")]);
    memory_tinylfu_full: Entries,
        Subject { exact_entries: false, ..memory_with("tinylfu", &[("max_entries", "60")]) };
}

/// Each run has a fresh cache; together they make the operations asked for.
const RUNS: u32 = 10;

fn check(subject: &Subject, loses: Loses) {
    let seed = number("TWAT_MODEL_SEED", 20_261);
    let operations = number("TWAT_MODEL_OPERATIONS", 100_000);
    println!("TWAT_MODEL_SEED={seed} TWAT_MODEL_OPERATIONS={operations}");
    let config = Config {
        cases: RUNS,
        failure_persistence: None,
        max_shrink_time: 120_000,
        ..Config::default()
    };
    let mut seeds = [0; 32];
    seeds[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seeds);
    let time = subject.time();
    let of_a_run = vec(any::<u64>(), (operations / u64::from(RUNS)) as usize);
    let done = TestRunner::new_with_rng(config, random).run(&of_a_run, |operations| {
        Run::new(subject, &time, loses).run(&operations);
        Ok(())
    });
    if let Err(TestError::Fail(reason, least)) = done {
        panic!("TWAT_MODEL_SEED={seed}: {reason}, after the operations {least:?}");
    }
    assert!(done.is_ok(), "{done:?}");
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

/// xorshift64* (Vigna 2016): all that an operation draws comes from one number,
/// so that it stays what it is when those before it are left out.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

struct Held {
    value: Vec<u8>,
    deadline: Option<u64>,
    tags: Vec<u8>,
}

/// Milliseconds by which the engine's clock and ours may differ.
const SLACK_MS: u64 = 500;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Absent,
    /// Its time is over, or nearly so.
    Doubtful,
    Present,
}

#[derive(Default)]
struct Counts {
    hits: u64,
    misses: u64,
    sets: u64,
    deletes: u64,
}

struct Run<'a> {
    cache: Opened,
    subject: &'a Subject,
    time: &'a Time,
    loses: Loses,
    random: Random,
    model: BTreeMap<Vec<u8>, Held>,
    begun: Instant,
    passed_ms: u64,
    counts: Counts,
    values: u64,
}

impl<'a> Run<'a> {
    fn new(subject: &'a Subject, time: &'a Time, loses: Loses) -> Self {
        Self {
            cache: subject.open(),
            subject,
            time,
            loses,
            random: Random(1),
            model: BTreeMap::new(),
            begun: Instant::now(),
            passed_ms: 0,
            counts: Counts::default(),
            values: 0,
        }
    }

    fn run(mut self, operations: &[u64]) {
        for operation in operations {
            self.random = Random(operation | 1 << 40);
            // What follows from the lowest bits of a seed is much alike.
            self.random.next();
            self.operation();
        }
        self.figures();
        self.scan(b"");
    }

    fn operation(&mut self) {
        match self.random.below(1000) {
            0..300 => self.get(),
            300..550 => self.set(),
            550..620 => self.add(),
            620..690 => self.delete(),
            690..740 => self.contains(),
            740..800 => self.touch(),
            800..860 => self.incr(),
            860..900 => self.get_many(),
            900..930 => self.set_many(),
            930..950 => self.delete_many(),
            950..965 => self.pass(),
            965..975 => self.invalidate(),
            975..980 => self.expire(),
            980..988 => {
                let prefix = self.prefix();
                self.scan(&prefix);
            }
            988..991 => self.delete_prefix(),
            991..992 => self.clear(),
            _ => self.figures(),
        }
    }

    fn now(&self) -> u64 {
        self.passed_ms + self.begun.elapsed().as_millis() as u64
    }

    fn key(&mut self) -> Vec<u8> {
        match self.random.below(120) {
            0 => vec![],
            n @ 1..10 => vec![b'l'; 500 + 10 * n as usize],
            n @ 10..20 => vec![b'm'; 30 + n as usize],
            n @ 20..50 => format!("{}/{n:0>1$}", n % 5, n as usize % 13).into_bytes(),
            n => format!("{}/{n}", n % 5).into_bytes(),
        }
    }

    fn prefix(&mut self) -> Vec<u8> {
        let prefixes: [&[u8]; 6] = [b"", b"1", b"2/", b"l", b"mmmm", b"none"];
        prefixes[self.random.below(6) as usize].to_vec()
    }

    /// A value that no other set has given.
    fn value(&mut self) -> Vec<u8> {
        self.values += 1;
        let len = match self.random.below(50) {
            0 => return vec![],
            1 => 40_000,
            _ => self.random.below(300) as usize,
        };
        let mut value = self.values.to_le_bytes().to_vec();
        value.resize(8 + len, self.values as u8);
        value
    }

    /// A time to live as the call takes it, and when it ends.
    fn ttl(&mut self) -> (u64, Option<u64>) {
        match self.random.below(4) {
            0 => {
                let ms = 5_000 + self.random.below(60_000);
                (ms, Some(self.now() + ms))
            }
            _ => (TTL_NEVER, None),
        }
    }

    fn state(&self, key: &[u8]) -> State {
        let now = self.now();
        match self.model.get(key).map(|held| held.deadline) {
            None => State::Absent,
            Some(Some(deadline)) if deadline + SLACK_MS < now => State::Absent,
            Some(Some(deadline)) if deadline <= now + SLACK_MS => State::Doubtful,
            Some(_) => State::Present,
        }
    }

    /// Compares whether the cache found a key with what the model knows.
    fn settle(&mut self, key: &[u8], state: State, found: bool) {
        match (state, found) {
            (State::Absent, true) => panic!("{:?} came back", shown(key)),
            (State::Present, false) if self.loses == Loses::Nothing => {
                panic!("{:?} is lost", shown(key))
            }
            (_, false) => drop(self.model.remove(key)),
            (_, true) => {}
        }
    }

    fn settle_value(&mut self, key: &[u8], state: State, found: Option<&[u8]>) {
        self.settle(key, state, found.is_some());
        if let Some(found) = found {
            assert!(self.model[key].value == found, "{:?}: another value", shown(key));
            self.counts.hits += 1;
        } else {
            self.counts.misses += 1;
        }
    }

    fn get(&mut self) {
        let key = self.key();
        let state = self.state(&key);
        let mut found = None;
        if self.random.below(2) == 0 {
            found = self.cache.get(&key).unwrap().map(|value| value.to_vec());
        } else {
            self.cache.read(&key, &mut |bytes| found = Some(bytes.to_vec())).unwrap();
        }
        self.settle_value(&key, state, found.as_deref());
    }

    fn options(&mut self) -> (Vec<u8>, u64, Option<u64>) {
        let (ttl, deadline) = self.ttl();
        let tags = (0..3).filter(|_| self.random.below(8) == 0).collect();
        (tags, ttl, deadline)
    }

    fn set(&mut self) {
        let (key, value) = (self.key(), self.value());
        let (tags, ttl_ms, deadline) = self.options();
        let named: Vec<&[u8]> = tags.iter().map(std::slice::from_ref).collect();
        if named.is_empty() {
            self.cache.set(&key, &value, ttl_ms).unwrap();
        } else {
            let options = SetOptions { ttl_ms, tags: &named, ..SetOptions::default() };
            assert_eq!(self.cache.set_with(&key, &value, &options).unwrap(), Stored::Stored);
        }
        self.counts.sets += 1;
        self.model.insert(key, Held { value, deadline, tags });
    }

    fn add(&mut self) {
        let (key, value) = (self.key(), self.value());
        let (ttl, deadline) = self.ttl();
        let state = self.state(&key);
        let there = self.cache.add(&key, &value, ttl).unwrap() == Stored::Exists;
        self.settle(&key, state, there);
        if !there {
            self.counts.sets += 1;
            self.model.insert(key, Held { value, deadline, tags: vec![] });
        }
    }

    fn delete(&mut self) {
        let key = self.key();
        let state = self.state(&key);
        let there = self.cache.delete(&key).unwrap();
        self.settle(&key, state, there);
        self.counts.deletes += u64::from(there);
        self.model.remove(&key);
    }

    fn contains(&mut self) {
        let key = self.key();
        let state = self.state(&key);
        let there = self.cache.contains(&key).unwrap();
        self.settle(&key, state, there);
    }

    fn touch(&mut self) {
        let key = self.key();
        let (ttl, deadline) = self.ttl();
        let state = self.state(&key);
        let there = self.cache.touch(&key, ttl).unwrap();
        self.settle(&key, state, there);
        if let Some(held) = self.model.get_mut(&key) {
            held.deadline = deadline;
        }
    }

    fn incr(&mut self) {
        let key = match self.random.below(4) {
            0 => self.key(),
            n => format!("counter/{n}").into_bytes(),
        };
        let (delta, initial) = (self.random.below(9) as i64 - 4, self.random.below(100) as i64);
        let (ttl, deadline) = self.ttl();
        let state = self.state(&key);
        let stored = self.model.get(&key).map(|held| held.value.clone());
        let encoded = |n: i64| [&[4][..], &n.to_le_bytes()].concat();
        match self.cache.incr(&key, delta, initial, ttl) {
            Err(error) => {
                assert_eq!(error.code(), Code::Unsupported);
                assert!(stored.is_some_and(|value| value.len() != 9 || value[0] != 4));
                self.settle(&key, state, true);
            }
            Ok(found) => {
                self.counts.sets += 1;
                let raised = stored
                    .filter(|value| value.len() == 9 && value[0] == 4)
                    .map(|value| i64::from_le_bytes(value[1..].try_into().unwrap()) + delta);
                if state != State::Absent && raised == Some(initial + delta) {
                    // Raised or begun anew: nobody can tell, nor when it ends.
                    self.counts.deletes += u64::from(self.cache.delete(&key).unwrap());
                    self.model.remove(&key);
                    return;
                }
                self.settle(&key, state, state != State::Absent && raised == Some(found));
                match self.model.get_mut(&key) {
                    Some(held) => held.value = encoded(found),
                    None => {
                        assert_eq!(found, initial + delta);
                        self.model
                            .insert(key, Held { value: encoded(found), deadline, tags: vec![] });
                    }
                }
            }
        }
    }

    fn keys(&mut self) -> Vec<Vec<u8>> {
        let n = self.random.below(10);
        let keys: BTreeSet<Vec<u8>> = (0..n).map(|_| self.key()).collect();
        keys.into_iter().collect()
    }

    fn get_many(&mut self) {
        let keys = self.keys();
        let states: Vec<State> = keys.iter().map(|key| self.state(key)).collect();
        let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let found = self.cache.get_many(&asked).unwrap();
        for ((key, state), found) in keys.iter().zip(states).zip(found) {
            self.settle_value(key, state, found.as_deref());
        }
    }

    fn set_many(&mut self) {
        let keys = self.keys();
        let values: Vec<Vec<u8>> = keys.iter().map(|_| self.value()).collect();
        let (tags, ttl_ms, deadline) = self.options();
        let named: Vec<&[u8]> = tags.iter().map(std::slice::from_ref).collect();
        let pairs: Vec<(&[u8], &[u8])> =
            keys.iter().zip(&values).map(|(key, value)| (&key[..], &value[..])).collect();
        let options = SetOptions { ttl_ms, tags: &named, ..SetOptions::default() };
        self.cache.set_many(&pairs, &options).unwrap();
        self.counts.sets += keys.len() as u64;
        for (key, value) in keys.into_iter().zip(values) {
            self.model.insert(key, Held { value, deadline, tags: tags.clone() });
        }
    }

    fn delete_many(&mut self) {
        let keys = self.keys();
        let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let (least, most) = self.expected(&keys);
        let deleted = self.cache.delete_many(&asked).unwrap();
        assert!((least..=most).contains(&deleted), "{deleted} of {least} to {most}");
        self.counts.deletes += deleted;
        keys.iter().for_each(|key| drop(self.model.remove(key)));
    }

    /// How many of these keys the cache may hold.
    fn expected(&self, keys: &[Vec<u8>]) -> (u64, u64) {
        let count = |doubtful: bool| {
            let there = |key: &&Vec<u8>| match self.state(key) {
                State::Present => doubtful || self.loses == Loses::Nothing,
                State::Doubtful => doubtful,
                State::Absent => false,
            };
            keys.iter().filter(there).count() as u64
        };
        (count(false), count(true))
    }

    fn pass(&mut self) {
        let ms = self.random.below(20_000);
        self.time.pass(ms);
        self.passed_ms += ms;
    }

    fn invalidate(&mut self) {
        let tag = self.random.below(3) as u8;
        self.cache.invalidate_tag(&[tag]).unwrap();
        self.model.retain(|_, held| !held.tags.contains(&tag));
    }

    fn expire(&mut self) {
        self.cache.expire().unwrap();
        let keys: Vec<Vec<u8>> = self.model.keys().cloned().collect();
        let (least, most) = self.expected(&keys);
        let entries = self.cache.stats().unwrap().engine.entries;
        if self.subject.exact_entries {
            assert!((least..=most).contains(&entries), "{entries} of {least} to {most}");
        }
    }

    fn scan(&mut self, prefix: &[u8]) {
        let keys: Vec<Vec<u8>> =
            self.model.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        let states: Vec<State> = keys.iter().map(|key| self.state(key)).collect();
        let mut found = BTreeSet::new();
        let mut scan = self.cache.scan(prefix).unwrap();
        while let Some(key) = scan.next_key().unwrap() {
            assert!(key.starts_with(prefix));
            assert!(found.insert(key.clone()), "{:?} appeared twice", shown(&key));
        }
        for (key, state) in keys.iter().zip(states) {
            let there = found.remove(key);
            self.settle(key, state, there);
        }
        assert!(found.is_empty(), "keys that came back: {found:?}");
    }

    fn delete_prefix(&mut self) {
        let prefix = self.prefix();
        if prefix.is_empty() {
            return;
        }
        let keys: Vec<Vec<u8>> =
            self.model.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
        let (least, most) = self.expected(&keys);
        let deleted = self.cache.delete_prefix(&prefix).unwrap();
        assert!((least..=most).contains(&deleted), "{deleted} of {least} to {most}");
        self.counts.deletes += deleted;
        keys.iter().for_each(|key| drop(self.model.remove(key)));
    }

    fn clear(&mut self) {
        self.cache.clear().unwrap();
        self.model.clear();
    }

    fn figures(&mut self) {
        let stats = self.cache.stats().unwrap();
        let found = (stats.hits, stats.misses, stats.sets, stats.deletes);
        let Counts { hits, misses, sets, deletes } = self.counts;
        assert_eq!(found, (hits, misses, sets, deletes));
        assert_eq!((stats.rejected, stats.engine.corrupt), (0, 0));
        let engine = stats.engine;
        assert!(engine.max_entries == 0 || engine.entries <= engine.max_entries, "{engine:?}");
        assert!(engine.max_bytes == 0 || engine.bytes <= engine.max_bytes, "{engine:?}");
    }
}

fn shown(key: &[u8]) -> String {
    let text: String = key.iter().take(20).map(|byte| char::from(*byte)).collect();
    format!("{text} ({} bytes)", key.len())
}
