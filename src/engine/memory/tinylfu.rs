//! Policy `tinylfu` of the memory engine: moka, for scan-heavy shared loads.
//!
//! Its promise is weaker than that of the other policies: a full cache may
//! refuse a fresh entry, which then is a miss, and bounds and figures are kept
//! by maintenance that runs a little later than the call.
//!
//! Every write goes through moka's `and_compute_with`: its plain `insert` does
//! not wait for one that runs on the same key, which could then undo it.

use super::entry::{Extra, deadline, is_ahead, ttl, weight};
use super::tags::{Mark, Tags};
use crate::base::error::{Code, Error, Result};
use crate::base::stats::EngineStats;
use crate::config::{Bounds, Config, EngineKind};
use crate::engine::counter::Counter;
use crate::engine::{Engine, Entry, Put, ScanState, Stored};
use crate::mem::value::Value;
use moka::notification::RemovalCause;
use moka::ops::compute::Op;
use moka::sync::Cache;
use serde_json::{Map, Value as Json};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Key = Vec<u8>;

/// A value as moka keeps it.
#[derive(Clone)]
struct Held {
    value: Value,
    deadline: u64,
    cost: u64,
    extra: Option<Arc<Extra>>,
}

impl Held {
    fn is_live(&self) -> bool {
        is_ahead(self.deadline) && self.marks().iter().all(Mark::holds)
    }

    fn marks(&self) -> &[Mark] {
        self.extra.as_ref().map(|extra| &extra.marks[..]).unwrap_or_default()
    }

    fn ttl(&self) -> Option<NonZeroU64> {
        ttl(self.deadline)
    }
}

/// What moka's listener counts.
#[derive(Default)]
struct Figures {
    entries: AtomicU64,
    bytes: AtomicU64,
    evictions: AtomicU64,
    expirations: AtomicU64,
}

impl Figures {
    fn came(&self, cost: u64) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(cost, Ordering::Relaxed);
    }

    /// Must not panic: moka would call it no more, without a word.
    fn left(&self, cost: u64, cause: RemovalCause) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(cost, Ordering::Relaxed);
        match cause {
            RemovalCause::Size => self.evictions.fetch_add(1, Ordering::Relaxed),
            RemovalCause::Expired => self.expirations.fetch_add(1, Ordering::Relaxed),
            RemovalCause::Explicit | RemovalCause::Replaced => 0,
        };
    }
}

/// Lets moka's timer wheel drop what is expired. What is served is decided by
/// [`Held::is_live`].
struct Deadlines;

impl Deadlines {
    fn left(value: &Arc<Held>) -> Option<Duration> {
        // moka panics beyond a thousand years.
        const CENTURY_MS: u64 = 100 * 365 * 86_400_000;
        value.ttl().map(|ms| Duration::from_millis(ms.get().min(CENTURY_MS)))
    }
}

impl moka::Expiry<Key, Arc<Held>> for Deadlines {
    fn expire_after_create(&self, _: &Key, value: &Arc<Held>, _: Instant) -> Option<Duration> {
        Self::left(value)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        value: &Arc<Held>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Self::left(value)
    }
}

/// The memory engine with moka inside.
pub struct TinyLfu {
    cache: Cache<Key, Arc<Held>>,
    bounds: Bounds,
    tags: Tags,
    figures: Arc<Figures>,
}

/// moka has one capacity, in `u32` weights; what all entries may weigh together.
const WHOLE: u64 = 1 << 31;

/// What share of the whole cache an entry takes: of its bytes or of its
/// entries, whichever is more, rounded up.
fn share(bounds: Bounds, cost: u64) -> u32 {
    let part = |used: u64, most: u64| (u128::from(WHOLE) * u128::from(used)).div_ceil(most.into());
    let bytes = bounds.bytes.map_or(0, |most| part(cost, most));
    let entries = bounds.entries.map_or(0, |most| part(1, most));
    u32::try_from(bytes.max(entries)).unwrap_or(u32::MAX)
}

impl TinyLfu {
    /// An empty cache.
    pub fn new(config: &Config) -> Result<Self> {
        let bounds = config.bounds();
        let figures = Arc::new(Figures::default());
        let told = Arc::clone(&figures);
        let builder = Cache::builder()
            .expire_after(Deadlines)
            .eviction_listener(move |_, held: Arc<Held>, cause| told.left(held.cost, cause));
        let builder = match bounds {
            Bounds { entries: None, bytes: None } => builder,
            // Plain counts: no rounding of shares.
            Bounds { entries: Some(entries), bytes: None } => builder.max_capacity(entries),
            _ => builder
                .max_capacity(WHOLE)
                .weigher(move |_, held: &Arc<Held>| share(bounds, held.cost)),
        };
        Ok(Self { cache: builder.build(), bounds, tags: Tags::default(), figures })
    }

    fn live(&self, key: &[u8]) -> Option<Arc<Held>> {
        let held = self.cache.get(key)?;
        if held.is_live() {
            return Some(held);
        }
        self.remove_dead(key);
        None
    }

    fn remove_dead(&self, key: &[u8]) {
        self.cache.entry_by_ref(key).and_compute_with(|found| match found {
            Some(found) if !found.value().is_live() => {
                self.figures.expirations.fetch_add(1, Ordering::Relaxed);
                Op::Remove
            }
            _ => Op::Nop,
        });
    }

    /// Changes the entry of a key; nobody else does in the meantime. `change`
    /// sees what is live and gives what is put instead.
    fn change<T>(
        &self,
        key: &[u8],
        change: impl FnOnce(Option<&Held>) -> Result<(Op<Held>, T)>,
    ) -> Result<T> {
        let mut answer = None;
        self.cache.entry_by_ref(key).and_compute_with(|found| {
            let found = found.map(|entry| entry.into_value());
            match change(found.as_deref().filter(|held| held.is_live())) {
                Ok((op, done)) => {
                    answer = Some(Ok(done));
                    match op {
                        Op::Nop => Op::Nop,
                        Op::Remove => Op::Remove,
                        Op::Put(held) => {
                            self.figures.came(held.cost);
                            Op::Put(Arc::new(held))
                        }
                    }
                }
                Err(error) => {
                    answer = Some(Err(error));
                    Op::Nop
                }
            }
        });
        answer.unwrap_or_else(|| Err(Error::new(Code::Panic, "a bug: moka did not call back")))
    }

    fn prepare(&self, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Held> {
        let cost = weight(key.len(), value.len(), put.cost);
        super::write::check_cost(self.bounds.bytes, cost, key, value)?;
        let marks = self.tags.marks(put.tags)?;
        let extra = (!marks.is_empty()).then(|| Arc::new(Extra { marks, ..Extra::default() }));
        let value = Value::copy_of(value);
        Ok(Held { value, deadline: deadline(put.ttl), cost, extra })
    }
}

impl TinyLfu {
    /// An entry with another value, and all else as it is: a given cost, too.
    fn with_value(&self, key: &[u8], old: &Held, value: &[u8]) -> Result<Held> {
        let weighed = old.cost == weight(key.len(), old.value.len(), 0);
        let cost = if weighed { weight(key.len(), value.len(), 0) } else { old.cost };
        super::write::check_cost(self.bounds.bytes, cost, key, value)?;
        Ok(Held { value: Value::copy_of(value), cost, ..old.clone() })
    }
}

impl Engine for TinyLfu {
    fn name(&self) -> &'static str {
        EngineKind::Memory.name()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.live(key).map(|held| held.value.clone()))
    }

    fn entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        Ok(self.live(key).map(|held| Entry {
            value: held.value.clone(),
            ttl: held.ttl(),
            sequence: 0,
            version: 0,
            tags: held.marks().iter().map(|mark| mark.name().to_vec()).collect(),
        }))
    }

    fn put(&self, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Stored> {
        let held = self.prepare(key, value, put)?;
        self.change(key, |found| match found {
            Some(_) if put.add => Ok((Op::Nop, Stored::Exists)),
            _ => Ok((Op::Put(held), Stored::Stored)),
        })
    }

    fn largest_value(&self) -> u64 {
        self.bounds.bytes.unwrap_or(u64::MAX)
    }

    fn delete(&self, key: &[u8]) -> Result<bool> {
        self.change(key, |found| Ok((Op::Remove, found.is_some())))
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.live(key).is_some())
    }

    fn touch(&self, key: &[u8], ttl: Option<NonZeroU64>) -> Result<bool> {
        self.change(key, |found| match found {
            Some(held) => Ok((Op::Put(Held { deadline: deadline(ttl), ..held.clone() }), true)),
            None => Ok((Op::Nop, false)),
        })
    }

    fn clear(&self) -> Result<()> {
        self.cache.invalidate_all();
        self.cache.run_pending_tasks();
        Ok(())
    }

    fn scan(&self, prefix: &[u8], state: &mut ScanState, out: &mut Vec<Vec<u8>>) -> Result<()> {
        // moka has no place to come back to: all keys at once.
        let live =
            self.cache.iter().filter(|(key, held)| key.starts_with(prefix) && held.is_live());
        out.extend(live.map(|(key, _)| key.to_vec()));
        state.done = true;
        Ok(())
    }

    fn incr(&self, key: &[u8], delta: i64, initial: i64, ttl: Option<NonZeroU64>) -> Result<i64> {
        self.change(key, |found| {
            let stored = found.map(|held| &held.value[..]);
            let next = Counter::next(stored, delta, initial)?;
            let bytes = next.encode();
            let held = match found {
                Some(old) => self.with_value(key, old, &bytes)?,
                None => self.prepare(key, &bytes, &Put { ttl, ..Put::default() })?,
            };
            Ok((Op::Put(held), next.value))
        })
    }

    fn invalidate_tag(&self, tag: &[u8]) -> Result<bool> {
        self.tags.invalidate(tag)
    }

    fn expire(&self) -> Result<u64> {
        let before = self.figures.expirations.load(Ordering::Relaxed);
        for (key, held) in &self.cache {
            if !held.is_live() {
                self.remove_dead(&key);
            }
        }
        self.cache.run_pending_tasks();
        Ok(self.figures.expirations.load(Ordering::Relaxed).saturating_sub(before))
    }

    fn count(&self) -> Result<u64> {
        Ok(self.cache.iter().filter(|(_, held)| held.is_live()).count() as u64)
    }

    fn stats(&self) -> Result<EngineStats> {
        self.cache.run_pending_tasks();
        let figure = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Ok(EngineStats {
            entries: figure(&self.figures.entries),
            bytes: figure(&self.figures.bytes),
            evictions: figure(&self.figures.evictions),
            expirations: figure(&self.figures.expirations),
            max_entries: self.bounds.entries.unwrap_or(0),
            max_bytes: self.bounds.bytes.unwrap_or(0),
            // What moka has decided may not be done yet.
            entries_inexact: true,
            ..EngineStats::default()
        })
    }

    fn info(&self) -> Map<String, Json> {
        crate::engine::words([("manager", "moka".into())])
    }
}
