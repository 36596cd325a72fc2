//! The facade: the only door to an engine. It resolves times to live, counts
//! hits and misses once for all engines, and notices a fork.

mod export;
mod fetch;

use crate::base::error::{Code, Error, Result};
use crate::base::fork;
use crate::base::stats::{Count, Counters, Stats};
use crate::config::Config;
use crate::engine::memory::Memory;
use crate::engine::{self, Engine, Entry, Put, ScanState, Stored};
use crate::mem::solo;
use crate::mem::value::{Hit, Value};
use fetch::Home;
pub use fetch::{FetchOptions, Fetched, Lease};
use once_cell::race::OnceBox;
use serde_json::{Map, Value as Json};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::{Arc, Weak};

/// As a call's time to live: the cache's own (option `ttl_ms`).
pub const TTL_DEFAULT: u64 = 0;
/// As a call's time to live: never expires.
pub const TTL_NEVER: u64 = u64::MAX;

/// Keys beyond this many bytes are refused by every engine.
pub const MAX_KEY: usize = 64 << 20;

/// How [`Cache::set_with`] stores.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetOptions<'a> {
    /// Milliseconds, or [`TTL_DEFAULT`], or [`TTL_NEVER`].
    pub ttl_ms: u64,
    /// Only where nothing is stored yet.
    pub add: bool,
    /// What the entry can be invalidated by.
    pub tags: &'a [&'a [u8]],
    /// Weight against `max_bytes`; 0 takes key, value and overhead.
    pub cost: u64,
}

/// An open cache. `Send + Sync`; usable after `fork` in parent and child, whose
/// figures begin at 0.
pub struct Cache {
    config: Config,
    ttl: Option<NonZeroU64>,
    first: Process,
}

/// The engine as one process has it. A forked child must not touch what its
/// parent opened: it finds a stale generation, leaks that engine and opens
/// its own in `next`. `OnceBox` never blocks, so no lock crosses the fork.
struct Process {
    generation: u64,
    engine: Option<Arc<dyn Engine>>,
    /// The same, where it is the memory engine.
    memory: Option<Arc<Memory>>,
    counters: Counters,
    /// The leases of its keys.
    home: Arc<Home>,
    /// Which engine was chosen, and why.
    notes: Map<String, Json>,
    next: OnceBox<Process>,
}

impl Process {
    fn open(config: &Config, generation: u64) -> Result<Self> {
        let engine::auto::Opened { engine, notes } = engine::auto::open(config)?;
        Ok(Self::over(engine, generation, notes))
    }

    fn over(engine: Box<dyn Engine>, generation: u64, notes: Map<String, Json>) -> Self {
        let engine: Arc<dyn Engine> = Arc::from(engine);
        let memory = Arc::clone(&engine).as_memory();
        let home = Arc::new(Home::of(&*engine));
        Self {
            generation,
            engine: Some(engine),
            memory,
            counters: Counters::default(),
            home,
            notes,
            next: OnceBox::new(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        fork::notice();
        if self.generation != fork::generation() {
            std::mem::forget((self.engine.take(), self.memory.take(), Arc::clone(&self.home)));
        }
    }
}

impl Cache {
    /// Opens a cache.
    pub fn open(config: &Config) -> Result<Self> {
        config.validate()?;
        fork::install();
        fork::notice();
        solo::install();
        Ok(Self {
            config: config.clone(),
            ttl: NonZeroU64::new(config.u64("ttl_ms")),
            first: Process::open(config, fork::generation())?,
        })
    }

    /// A cache over an engine of the caller's: for tests of the layers above.
    #[cfg(test)]
    pub(crate) fn over(engine: Box<dyn Engine>) -> Self {
        let config = Config::new("null").expect("a known engine");
        let process = Process::over(engine, fork::generation(), Map::new());
        Self { config, ttl: None, first: process }
    }

    #[inline]
    fn process(&self) -> Result<&Process> {
        let now = fork::generation();
        let mut process = &self.first;
        while process.generation != now {
            process = self.reopened(process, now)?;
        }
        Ok(process)
    }

    #[inline]
    fn arc(&self) -> Result<&Arc<dyn Engine>> {
        let process = self.process()?;
        process.engine.as_ref().ok_or_else(|| Error::new(Code::Closed, "the cache is closed"))
    }

    #[cold]
    fn reopened<'a>(&self, stale: &'a Process, now: u64) -> Result<&'a Process> {
        stale.next.get_or_try_init(|| Process::open(&self.config, now).map(Box::new))
    }

    #[inline]
    fn engine(&self) -> Result<&dyn Engine> {
        self.arc().map(|engine| &**engine)
    }

    /// The figures of this process; those of a forked child begin at 0.
    #[inline]
    fn counters(&self) -> &Counters {
        let now = fork::generation();
        let mut process = &self.first;
        while process.generation != now {
            let Some(next) = process.next.get() else { break };
            process = next;
        }
        &process.counters
    }

    /// Runs one operation and counts its failure.
    #[inline]
    fn call<T>(&self, run: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        let result = self.engine().and_then(run);
        if let Err(error) = &result {
            self.count_error(error);
        }
        result
    }

    /// The same of an operation that changes something. In what others share, a child
    /// that the handler of [`fork`] did not see must not go on with its parent's locks.
    fn change<T>(&self, run: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        if self.first.memory.is_none() {
            fork::notice();
        }
        self.call(run)
    }

    #[cold]
    fn count_error(&self, error: &Error) {
        self.counters().add(Count::of(error), 1);
    }

    fn ttl(&self, ttl_ms: u64) -> Option<NonZeroU64> {
        ttl_of(ttl_ms, self.ttl)
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The value of a key, or `None`.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        let found = match self.memory() {
            Some(memory) => memory.quick_get(key).map(|found| found.map(Hit::from)),
            None => self.quick_get(key),
        };
        match found {
            Some(found) => Ok(found.map(Value::Shared)),
            None => self.slow_get(key),
        }
    }

    /// A get that the engine answers at once, counted; `None` where it does
    /// not.
    #[inline(always)]
    pub(crate) fn quick_get(&self, key: &[u8]) -> Option<Option<Hit>> {
        match self.memory() {
            Some(memory) => Some(memory.quickly(key)?.map(Hit::from)),
            None => self.quick_get_elsewhere(key),
        }
    }

    #[inline(never)]
    fn quick_get_elsewhere(&self, key: &[u8]) -> Option<Option<Hit>> {
        let found = self.engine().ok()?.quick_get(key)?;
        self.count_get(found.is_some());
        Some(found)
    }

    /// The same of the memory engine alone: who copies the value anyway has
    /// nothing from a counted copy that is made for it.
    #[inline(always)]
    pub(crate) fn get_in_memory(&self, key: &[u8]) -> Option<Option<Hit>> {
        Some(self.memory()?.quickly(key)?.map(Hit::from))
    }

    /// The memory engine, where that is what this process has opened.
    #[inline(always)]
    pub(crate) fn memory(&self) -> Option<&Memory> {
        let now = fork::generation();
        let mut process = &self.first;
        while process.generation != now {
            process = process.next.get()?;
        }
        process.memory.as_deref()
    }

    #[inline(never)]
    pub(crate) fn slow_get(&self, key: &[u8]) -> Result<Option<Value>> {
        let found = self.call(|engine| engine.get(key))?;
        self.count_get(found.is_some());
        Ok(found)
    }

    /// Hands the value to `sink`, which must not call the cache: a lock may be
    /// held. False where there is none.
    #[inline]
    pub fn read(&self, key: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<bool> {
        if let Some(found) = self.get_in_memory(key) {
            return Ok(found.inspect(|value| sink(value.value())).is_some());
        }
        self.slow_read(key, sink)
    }

    #[inline(never)]
    pub(crate) fn slow_read(&self, key: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.call(|engine| engine.read(key, sink))?;
        self.count_get(found);
        Ok(found)
    }

    #[inline]
    fn count_get(&self, hit: bool) {
        self.counters().add(if hit { Count::Hits } else { Count::Misses }, 1);
    }

    /// Stores a value.
    pub fn set(&self, key: &[u8], value: &[u8], ttl_ms: u64) -> Result<()> {
        match self.memory() {
            Some(memory) if key.len() <= MAX_KEY => {
                self.void(key);
                let set = memory.set(key, value, self.ttl(ttl_ms));
                set.inspect_err(|error| self.count_error(error))
            }
            _ => {
                let options = SetOptions { ttl_ms, ..SetOptions::default() };
                self.set_with(key, value, &options).map(drop)
            }
        }
    }

    /// Stores a value where there is none; tells whether it did.
    pub fn add(&self, key: &[u8], value: &[u8], ttl_ms: u64) -> Result<Stored> {
        self.set_with(key, value, &SetOptions { ttl_ms, add: true, ..SetOptions::default() })
    }

    /// Stores a value with everything that can be said about it.
    pub fn set_with(&self, key: &[u8], value: &[u8], options: &SetOptions<'_>) -> Result<Stored> {
        self.put(key, options, |engine, put| engine.put(key, value, put))
    }

    /// Stores the content of a file.
    pub fn set_file(&self, key: &[u8], path: &Path, options: &SetOptions<'_>) -> Result<Stored> {
        self.put(key, options, |engine, put| engine.put_file(key, path, put))
    }

    fn put(
        &self,
        key: &[u8],
        options: &SetOptions<'_>,
        run: impl FnOnce(&dyn Engine, &Put<'_>) -> Result<Stored>,
    ) -> Result<Stored> {
        let put = self.put_of(options);
        self.void(key);
        let stored = self.change(|engine| {
            check_key(key)?;
            run(engine, &put)
        })?;
        if stored == Stored::Stored {
            self.counters().add(Count::Sets, 1);
        }
        Ok(stored)
    }

    fn put_of<'a>(&self, options: &SetOptions<'a>) -> Put<'a> {
        Put {
            ttl: self.ttl(options.ttl_ms),
            add: options.add,
            tags: options.tags,
            cost: options.cost,
            lease: None,
        }
    }

    /// Stores many values under the same options.
    pub fn set_many(&self, pairs: &[(&[u8], &[u8])], options: &SetOptions<'_>) -> Result<()> {
        let put = self.put_of(options);
        pairs.iter().for_each(|(key, _)| self.void(key));
        self.change(|engine| {
            pairs.iter().try_for_each(|(key, _)| check_key(key))?;
            engine.put_many(pairs, &put)
        })?;
        self.counters().add(Count::Sets, pairs.len() as u64);
        Ok(())
    }

    /// The values of many keys, in their order.
    pub fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        let found = self.call(|engine| engine.get_many(keys))?;
        let hits = found.iter().flatten().count() as u64;
        self.counters().add(Count::Hits, hits);
        self.counters().add(Count::Misses, found.len() as u64 - hits);
        Ok(found)
    }

    /// Removes an entry; false where there was none.
    pub fn delete(&self, key: &[u8]) -> Result<bool> {
        self.void(key);
        let deleted = self.change(|engine| engine.delete(key))?;
        self.counters().add(Count::Deletes, u64::from(deleted));
        Ok(deleted)
    }

    /// Removes many entries; returns how many there were.
    pub fn delete_many(&self, keys: &[&[u8]]) -> Result<u64> {
        keys.iter().for_each(|key| self.void(key));
        let deleted = self.change(|engine| engine.delete_many(keys))?;
        self.counters().add(Count::Deletes, deleted);
        Ok(deleted)
    }

    /// Removes every entry whose key begins with `prefix`.
    pub fn delete_prefix(&self, prefix: &[u8]) -> Result<u64> {
        self.void_all();
        let deleted = self.change(|engine| engine.delete_prefix(prefix))?;
        self.counters().add(Count::Deletes, deleted);
        Ok(deleted)
    }

    /// Whether a get would hit; counts nothing.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        self.call(|engine| engine.contains(key))
    }

    /// Gives an entry a new time to live; false where there is none.
    pub fn touch(&self, key: &[u8], ttl_ms: u64) -> Result<bool> {
        let ttl = self.ttl(ttl_ms);
        self.change(|engine| engine.touch(key, ttl))
    }

    /// Adds to a stored integer and returns the sum; a missing one starts at `initial`
    /// and gets `ttl_ms`.
    ///
    /// # Errors
    /// [`Code::Unsupported`] for anything but an integer, [`Code::TooLarge`] for a sum
    /// beyond 64 bits.
    pub fn incr(&self, key: &[u8], delta: i64, initial: i64, ttl_ms: u64) -> Result<i64> {
        let ttl = self.ttl(ttl_ms);
        self.void(key);
        let value = self.change(|engine| {
            check_key(key)?;
            engine.incr(key, delta, initial, ttl)
        })?;
        self.counters().add(Count::Sets, 1);
        Ok(value)
    }

    /// Makes every entry that carries the tag a miss.
    pub fn invalidate_tag(&self, tag: &[u8]) -> Result<bool> {
        self.void_all();
        self.change(|engine| engine.invalidate_tag(tag))
    }

    /// Removes what is expired or invalidated; returns how many entries left.
    pub fn expire(&self) -> Result<u64> {
        self.change(|engine| engine.expire())
    }

    /// Removes every entry (of this namespace).
    pub fn clear(&self) -> Result<()> {
        self.void_all();
        self.change(|engine| engine.clear())
    }

    /// Waits until what was acknowledged is as durable as it can be.
    pub fn flush(&self) -> Result<()> {
        self.change(|engine| engine.flush())
    }

    /// Verifies every entry; removes what is bad with `repair`.
    pub fn check(&self, repair: bool) -> Result<Map<String, Json>> {
        self.change(|engine| engine.check(repair))
    }

    /// How many entries a get would hit (of this namespace). What is expired or
    /// invalidated does not count, whether or not it was removed already. Constant
    /// time where nothing such can be there, else (and over redis) a walk over all keys.
    pub fn count(&self) -> Result<u64> {
        self.call(|engine| engine.count())
    }

    /// All figures.
    pub fn stats(&self) -> Result<Stats> {
        let engine = self.engine()?.stats()?;
        let sum = |what| self.counters().sum(what);
        Ok(Stats {
            hits: sum(Count::Hits).wrapping_add(engine.hits),
            misses: sum(Count::Misses).wrapping_add(engine.misses),
            sets: sum(Count::Sets)
                .wrapping_add(engine.sets)
                .wrapping_add(self.process()?.home.sets()),
            deletes: sum(Count::Deletes),
            rejected: sum(Count::Rejected),
            errors: sum(Count::Errors),
            engine,
        })
    }

    /// What is worth knowing in words.
    pub fn info(&self) -> Result<Map<String, Json>> {
        let mut info = self.engine()?.info();
        info.extend(self.process()?.notes.clone());
        Ok(info)
    }

    /// The keys that begin with `prefix`, in batches.
    pub fn scan(&self, prefix: &[u8]) -> Result<Scan> {
        Ok(Scan {
            engine: Arc::downgrade(self.arc()?),
            generation: fork::generation(),
            prefix: prefix.to_vec(),
            state: ScanState::default(),
            batch: Vec::new().into_iter(),
        })
    }

    pub(crate) fn entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        self.call(|engine| engine.entry(key))
    }

    /// Flushes and closes; values that were handed out stay valid.
    pub fn close(self) -> Result<()> {
        fork::notice();
        if self.first.generation == fork::generation() || self.first.next.get().is_some() {
            self.flush()
        } else {
            Ok(())
        }
    }
}

/// A call's time to live, where the cache has this one.
fn ttl_of(ttl_ms: u64, default: Option<NonZeroU64>) -> Option<NonZeroU64> {
    match ttl_ms {
        TTL_DEFAULT => default,
        TTL_NEVER => None,
        ms => NonZeroU64::new(ms),
    }
}

fn check_key(key: &[u8]) -> Result<()> {
    if key.len() > MAX_KEY {
        let text = format!("key: expected at most {MAX_KEY} bytes, found: {}", key.len());
        return Err(Error::new(Code::TooLarge, text));
    }
    Ok(())
}

/// A walk over keys. Holds no lock and no transaction, and does not keep the
/// cache open.
pub struct Scan {
    engine: Weak<dyn Engine>,
    generation: u64,
    prefix: Vec<u8>,
    state: ScanState,
    batch: std::vec::IntoIter<Vec<u8>>,
}

impl Scan {
    pub(crate) fn forked() -> Error {
        Error::new(Code::Closed, "the scan was begun before a fork")
    }

    /// The next key; `None` at the end.
    pub fn next_key(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(key) = self.batch.next() {
                return Ok(Some(key));
            }
            if self.state.done {
                return Ok(None);
            }
            if self.generation != fork::generation() {
                return Err(Self::forked());
            }
            let closed = || Error::new(Code::Closed, "the cache is closed");
            let engine = self.engine.upgrade().ok_or_else(closed)?;
            let mut batch = Vec::new();
            engine.scan(&self.prefix, &mut self.state, &mut batch)?;
            self.batch = batch.into_iter();
        }
    }
}
