//! What a cache can be made of: the trait, and how an engine is chosen.

pub mod auto;
pub mod counter;
#[cfg(unix)]
pub mod disk;
#[cfg(not(unix))]
#[path = "no_disk.rs"]
pub mod disk;
pub mod memory;
pub mod null;
pub mod redis;
pub mod tiered;

use crate::base::error::{Code, Error, Result};
use crate::base::stats::EngineStats;
use crate::config::{Config, EngineKind};
use crate::files::{Seen, open_regular};
use crate::lease::{LeaseHome, Spot};
use crate::mem::value::{Hit, Value};
use serde_json::{Map, Value as Json};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

/// How a value is to be stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Put<'a> {
    /// Milliseconds from now; `None` never expires.
    pub ttl: Option<NonZeroU64>,
    /// Only where nothing is stored (and unexpired) yet.
    pub add: bool,
    /// What the entry can be invalidated by, besides its key.
    pub tags: &'a [&'a [u8]],
    /// What the entry weighs against `max_bytes`; 0 takes its bytes.
    pub cost: u64,
    /// Only while these words are as they were: the lease of a store.
    pub lease: Option<&'a Seen>,
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Stored,
    /// `add` found an entry and changed nothing.
    Exists,
    /// The lease was void and nothing was changed.
    Void,
}

/// A value with what is known about it, for tiers and exports.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Milliseconds left; `None` never expires.
    pub ttl: Option<NonZeroU64>,
    /// Number of the write that made it, where the engine has one; else 0.
    pub sequence: u64,
    /// [`Engine::version`] as of the snapshot it was read from; else 0.
    pub version: u64,
    /// Its tags.
    pub tags: Vec<Vec<u8>>,
}

/// Buckets of keys whose changes a store tells apart.
pub const BUCKETS: usize = 64;

/// Where a store tells of the changes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Below [`BUCKETS`].
    pub bucket: usize,
    /// Tells most keys of a bucket apart.
    pub hash: u64,
}

/// What a store tells of its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The version as of which the rest is so.
    pub version: u64,
    /// For each bucket of keys the version that last changed an entry of it.
    pub buckets: [u64; BUCKETS],
    /// The last changes one by one: the version, and the hash of the key.
    pub recent: Vec<(u64, u64)>,
    /// Every change after this version is among the last ones.
    pub recent_since: u64,
}

/// Which entry a key has, without its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// [`Entry::sequence`] of what a get would hit.
    pub sequence: Option<u64>,
    /// [`Entry::version`] of this look.
    pub version: u64,
}

/// What another user of a shared store has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The entry of a key.
    Key(&'a [u8]),
    /// All entries that carry a tag.
    Tag(&'a [u8]),
    /// Any entry.
    All,
}

/// Hears of changes to a shared store.
pub trait Listener: Send {
    /// Hands over what has arrived; waits only after a pause between two calls,
    /// for all that was told meanwhile. After an error nothing more will, and
    /// what was changed since the last call is not known.
    fn poll(&mut self, each: &mut dyn FnMut(Change<'_>)) -> Result<()>;
}

/// How a tier above an engine can learn of changes that it did not make.
pub enum Hearing {
    /// There are none: nobody else has this store. Or [`Engine::version`]
    /// tells.
    NotNeeded,
    /// It cannot: what it holds must be asked about.
    None,
    /// It is told.
    Listener(Box<dyn Listener>),
}

/// Where a scan stands. Opaque to all but the engine that fills it, and valid
/// across calls: no engine keeps a transaction or a lock between two batches.
#[derive(Clone, Debug, Default)]
pub struct ScanState {
    /// Part of the engine (a shard, a range of keys).
    pub part: usize,
    /// Place within the part.
    pub place: usize,
    /// Last key handed out, for engines that are ordered by key, or a cursor.
    pub last: Vec<u8>,
    /// Hashes of the keys handed out, for engines whose walk may repeat itself.
    pub seen: std::collections::HashSet<u64>,
    /// Nothing follows.
    pub done: bool,
}

/// A store of byte keys and byte values.
///
/// Every method may run on any thread at any time. `get` MUST return the last
/// value put and not expired, or nothing; never another one. A put that was
/// acknowledged MUST be visible to every later get until the entry is evicted,
/// expired, deleted or replaced. No method blocks for ever.
pub trait Engine: Send + Sync {
    /// The engine's name, as in the configuration.
    fn name(&self) -> &'static str;

    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Value>>;

    /// The same in whole words, for engines that have counted copies: what is
    /// written to memory in parts and read otherwise is waited for. `None`
    /// asks to call `get` instead.
    #[inline]
    fn quick_get(&self, key: &[u8]) -> Option<Option<Hit>> {
        let _ = key;
        None
    }

    /// The memory engine, where this is it: its hits are too short for a
    /// virtual call, and are made through [`memory::Memory::quick_get`].
    fn as_memory(self: Arc<Self>) -> Option<Arc<memory::Memory>> {
        None
    }

    /// Hands the value to `sink` without keeping it: for reads into a buffer.
    /// The sink MUST NOT call the engine: a lock may be held.
    fn read(&self, key: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.get(key)?;
        if let Some(value) = &found {
            sink(value);
        }
        Ok(found.is_some())
    }

    /// The value with its remaining time, sequence number and tags.
    fn entry(&self, key: &[u8]) -> Result<Option<Entry>>;

    /// Stores a value. A value that can never fit is `TooLarge`; a cache that
    /// is full and evicts nothing answers `Full`.
    fn put(&self, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Stored>;

    /// Stores a file's content; engines with blob files stream it. A file that
    /// can never fit is refused before it is read.
    fn put_file(&self, key: &[u8], path: &Path, put: &Put<'_>) -> Result<Stored> {
        let (file, len) = open_regular(path)?;
        if put.cost == 0 && len > self.largest_value() {
            let (path, most) = (path.display(), self.largest_value());
            let text = format!("{path}: expected at most {most} bytes, got {len}");
            return Err(Error::new(Code::TooLarge, text));
        }
        let mut bytes = Vec::new();
        let room = usize::try_from(len).is_ok_and(|len| bytes.try_reserve_exact(len).is_ok());
        if !room {
            let text = format!("reading {}: no memory for {len} bytes", path.display());
            return Err(Error::new(Code::NoMem, text));
        }
        let read = std::io::Read::read_to_end(&mut std::io::Read::take(file, len), &mut bytes);
        read.map_err(|error| Error::io(format_args!("reading {}", path.display()), &error))?;
        self.put(key, &bytes, put)
    }

    /// Bytes of the largest value that can fit, as far as that is known.
    fn largest_value(&self) -> u64 {
        u64::MAX
    }

    /// Removes an entry; false where there was none.
    fn delete(&self, key: &[u8]) -> Result<bool>;

    /// Whether a get would hit.
    fn contains(&self, key: &[u8]) -> Result<bool>;

    /// Gives an entry a new time to live; false where there is none.
    fn touch(&self, key: &[u8], ttl: Option<NonZeroU64>) -> Result<bool>;

    /// Removes every entry (of this namespace).
    fn clear(&self) -> Result<()>;

    /// Appends some keys that begin with `prefix` to `out` and moves `state`.
    /// Keys present throughout the scan MUST appear exactly once; others may.
    fn scan(&self, prefix: &[u8], state: &mut ScanState, out: &mut Vec<Vec<u8>>) -> Result<()>;

    /// Adds to a counter atomically and returns the new value; a missing one
    /// starts at `initial` and then `delta` is added. Any stored integer is a
    /// counter ([`counter::Counter`]); it keeps its time to live and its tags. Anything
    /// else under the key is `Unsupported`, a sum beyond 64 bits `TooLarge`.
    fn incr(&self, key: &[u8], delta: i64, initial: i64, ttl: Option<NonZeroU64>) -> Result<i64>;

    /// Makes every entry that carries the tag a miss, in constant time.
    /// Ok(false) where no entry ever carried it.
    fn invalidate_tag(&self, tag: &[u8]) -> Result<bool>;

    /// Removes what is expired or invalidated; returns how many entries left.
    fn expire(&self) -> Result<u64>;

    /// The values of many keys, in their order.
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Stores many values, in one transaction where the engine has them.
    fn put_many(&self, pairs: &[(&[u8], &[u8])], put: &Put<'_>) -> Result<()> {
        pairs.iter().try_for_each(|(key, value)| self.put(key, value, put).map(drop))
    }

    /// Removes many entries; returns how many there were.
    fn delete_many(&self, keys: &[&[u8]]) -> Result<u64> {
        keys.iter().try_fold(0, |n, key| Ok(n + u64::from(self.delete(key)?)))
    }

    /// Removes every entry whose key begins with `prefix`.
    fn delete_prefix(&self, prefix: &[u8]) -> Result<u64> {
        let (mut state, mut keys, mut n) = (ScanState::default(), Vec::new(), 0);
        while !state.done {
            self.scan(prefix, &mut state, &mut keys)?;
            for key in keys.drain(..) {
                n += u64::from(self.delete(&key)?);
            }
        }
        Ok(n)
    }

    /// Verifies every entry; what is found bad is counted, and removed with
    /// `repair`.
    fn check(&self, repair: bool) -> Result<Map<String, Json>> {
        let _ = repair;
        Ok(words([("entries", self.stats()?.entries.into()), ("bad", 0.into())]))
    }

    /// Where the leases of keys are. An engine whose keys other processes can change
    /// answers with a home that they share.
    ///
    /// # Errors
    /// `Unsupported` where there are none.
    fn leases(&self) -> Result<LeaseHome> {
        Ok(LeaseHome::Process)
    }

    /// What tells the lease of a key apart in that home.
    fn lease_spot(&self, key: &[u8]) -> Spot {
        Spot { name: key.to_vec(), ..Spot::default() }
    }

    /// Waits until what was acknowledged is as durable as it can be.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// A number that is another one after anything in the store was changed,
    /// by whomever, where that can be told at the cost of a look into memory.
    fn version(&self) -> Option<u64> {
        None
    }

    /// Whether programs on other machines change it, which no version tells of.
    fn is_shared_by_machines(&self) -> bool {
        false
    }

    /// Where [`Engine::changes`] tells of a key.
    fn place(&self, key: &[u8]) -> Place {
        let _ = key;
        Place { bucket: 0, hash: 0 }
    }

    /// For engines with a version: what was changed when.
    fn changes(&self) -> Result<Changes> {
        let buckets = [u64::MAX; BUCKETS];
        Ok(Changes { version: 0, buckets, recent: Vec::new(), recent_since: u64::MAX })
    }

    /// How to learn of changes by others.
    fn listen(&self) -> Result<Hearing> {
        Ok(Hearing::NotNeeded)
    }

    /// The entries of many keys, in their order.
    fn entry_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Entry>>> {
        keys.iter().map(|key| self.entry(key)).collect()
    }

    /// Which entry a get would hit. One that was put or counted anew has
    /// another sequence number; no two of a key ever have the same.
    fn identity(&self, key: &[u8]) -> Result<Identity> {
        let sequence = self.entry(key)?.map(|entry| entry.sequence);
        Ok(Identity { sequence, version: 0 })
    }

    /// How many entries a get would hit (of this namespace): what is expired or
    /// invalidated does not count. Walks over the keys where the figures may hold such.
    fn count(&self) -> Result<u64> {
        let stats = self.stats()?;
        if stats.entries_inexact { count_by_scan(self) } else { Ok(stats.entries) }
    }

    /// The engine's own figures.
    fn stats(&self) -> Result<EngineStats>;

    /// What is worth knowing in words: for `twat_cache_info`.
    fn info(&self) -> Map<String, Json> {
        Map::new()
    }
}

/// How many keys a scan gives.
pub(crate) fn count_by_scan(engine: &(impl Engine + ?Sized)) -> Result<u64> {
    let (mut state, mut keys, mut n) = (ScanState::default(), Vec::new(), 0);
    while !state.done {
        engine.scan(b"", &mut state, &mut keys)?;
        n += keys.drain(..).count() as u64;
    }
    Ok(n)
}

/// A JSON object. (Collecting into one would link a sort of its own.)
pub fn words<const N: usize>(pairs: [(&str, Json); N]) -> Map<String, Json> {
    let mut words = Map::new();
    for (name, value) in pairs {
        words.insert(name.to_owned(), value);
    }
    words
}

/// Opens the engine of a validated configuration; [`auto::open`] chooses first.
pub fn build(config: &Config) -> Result<Box<dyn Engine>> {
    match config.kind() {
        EngineKind::Memory => memory::open(config),
        EngineKind::Null => Ok(Box::new(null::Null)),
        EngineKind::Disk | EngineKind::File => disk::open(config),
        EngineKind::Redis => Ok(Box::new(redis::Redis::open(config)?)),
        EngineKind::Tiered => Ok(Box::new(tiered::Tiered::open(config)?)),
        EngineKind::Auto => Err(Error::unsupported("auto", "implementation of its own")),
    }
}

/// Whether an engine of this name can be built here.
pub fn is_known(name: &str) -> bool {
    match EngineKind::find(name) {
        Some(EngineKind::Disk | EngineKind::File) => disk::IS_HERE,
        found => found.is_some(),
    }
}
