//! Engines above each other, fastest first. The last tier is the truth: writes
//! go to it and drop the copies above, reads that it answers are copied
//! upwards, and no copy is served that is not known to be current.
//! `docs/tiers.md` says how that is known over a disk and over a server.

mod guard;
mod numbered;
mod stamp;
mod tier;
mod watch;

use super::{Change, Engine, Entry, Hearing, Identity, Put, ScanState, Stored, words};
use crate::base::error::Result;
use crate::base::stats::{Count, EngineStats};
use crate::config::options::{REDIS, STORE};
use crate::config::{Config, EngineKind};
use crate::lease::{LeaseHome, Spot};
use crate::mem::value::{Hit, Value};
use guard::{Guard, Ticket};
use numbered::Numbered;
use serde_json::{Map, Value as Json};
use stamp::{Stamp, TRAILER, trimmed};
use std::hash::BuildHasher;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tier::Tier;
use watch::Watch;

/// Longest namespace of a store.
const MAX_NAMESPACE: usize = 200;

static UNCHECKED: AtomicBool = AtomicBool::new(false);

/// Serves copies unchecked, and is deaf to what the server tells: how tests
/// prove that a checker of coherence sees what goes wrong then.
#[doc(hidden)]
pub fn set_unchecked(unchecked: bool) {
    UNCHECKED.store(unchecked, Ordering::Relaxed);
}

/// How it is known that a copy is current.
enum Coherence {
    /// The store numbers its writes.
    Numbered(Numbered),
    /// Others may change a server's entries.
    Watched(Watch),
    /// Nobody else can change anything.
    Alone,
}

/// A stack of engines.
pub struct Tiered {
    first: Tier,
    middle: Vec<Tier>,
    last: Tier,
    /// Larger values are not copied to the first tier.
    small_max: u64,
    /// Nor to those between.
    around: bool,
    coherence: Coherence,
    guard: Guard,
    hasher: foldhash::fast::RandomState,
}

/// A read that began: what is known of its time.
#[derive(Clone, Copy)]
struct Began {
    ticket: Ticket,
    seen: u64,
}

/// The configuration of a tier: the namespace is the stack's, unless it has
/// one of its own. Copies between have another one: they carry a stamp.
fn tier_config(stack: &Config, tier: &Config, last: bool) -> Result<Config> {
    let mut config = tier.clone();
    if !tier.kind().is_in(STORE | REDIS) {
        return Ok(config);
    }
    if config.given("namespace").is_none() {
        config.set("namespace", stack.text("namespace"))?;
    }
    if !last {
        let mut name = format!("{}%tier", config.text("namespace"));
        if name.len() > MAX_NAMESPACE {
            name = format!("%tier{}", blake3::hash(name.as_bytes()).to_hex());
        }
        config.set("namespace", &name)?;
    }
    Ok(config)
}

impl Tiered {
    /// Opens all tiers.
    pub fn open(config: &Config) -> Result<Self> {
        let tiers = config.tiers();
        let mut opened = Vec::with_capacity(tiers.len());
        for (i, tier) in tiers.iter().enumerate() {
            opened.push(Tier::open(&tier_config(config, tier, i + 1 == tiers.len())?)?);
        }
        Self::over(config, opened)
    }

    fn over(config: &Config, mut opened: Vec<Tier>) -> Result<Self> {
        let (Some(last), false) = (opened.pop(), opened.is_empty()) else {
            return Err(crate::base::error::Error::config(
                "tiers: engine 'tiered' needs at least 2",
            ));
        };
        let first = opened.remove(0);
        let coherence = if last.engine.version().is_some() {
            {
                let copies = config.tiers().first().map_or(0, |tier| tier.u64("max_entries"));
                Coherence::Numbered(Numbered::for_copies(copies))
            }
        } else if last.engine.is_shared_by_machines() {
            Coherence::Watched(Watch::new(config.u64("tier_ttl_ms")))
        } else {
            Coherence::Alone
        };
        Ok(Self {
            first,
            middle: opened,
            last,
            small_max: match config.u64("small_max_bytes") {
                0 => u64::MAX,
                most => most,
            },
            around: config.text("large") == "around",
            coherence,
            guard: Guard::default(),
            hasher: foldhash::fast::RandomState::default(),
        })
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Takes in what others have changed.
    #[inline]
    fn look(&self) {
        if let Coherence::Watched(watch) = &self.coherence {
            watch.look(&*self.last.engine, &mut |change| {
                if !UNCHECKED.load(Ordering::Relaxed) {
                    self.apply(change);
                }
            });
        }
    }

    fn apply(&self, change: Change<'_>) {
        let first = &*self.first.engine;
        match change {
            Change::Key(key) => self.guard.drop_key(self.hash(key), first, key),
            Change::Tag(tag) => {
                self.guard.drop_many(|| self.first.spare(first.invalidate_tag(tag)));
            }
            Change::All => self.guard.drop_many(|| self.first.spare(first.clear())),
        }
    }

    /// Whether a copy may be served without asking below.
    #[inline]
    fn holds(&self, key: &[u8], stamp: Stamp) -> bool {
        if UNCHECKED.load(Ordering::Relaxed) {
            return true;
        }
        match &self.coherence {
            Coherence::Numbered(numbered) => {
                numbered.holds(&*self.last.engine, key, stamp, || self.hash(key))
            }
            Coherence::Watched(watch) => watch.holds(stamp.seen),
            Coherence::Alone => true,
        }
    }

    /// The same while the first tier is locked: nothing is read below.
    #[inline]
    fn holds_under_lock(&self, key: &[u8], stamp: Stamp) -> bool {
        if let Coherence::Numbered(numbered) = &self.coherence
            && !UNCHECKED.load(Ordering::Relaxed)
        {
            return numbered
                .holds_without_asking(&*self.last.engine, key, stamp, || self.hash(key));
        }
        self.holds(key, stamp)
    }

    /// Asks below whether a copy is current, and notes that it is.
    #[cold]
    fn ask(&self, key: &[u8], value: &[u8], stamp: Stamp) -> Result<bool> {
        if let Coherence::Numbered(numbered) = &self.coherence {
            if numbered.ask(&*self.last.engine, key, stamp, self.hash(key))? {
                return Ok(true);
            }
        } else {
            let began = self.begin(key);
            if self.last.engine.identity(key)?.sequence == Some(stamp.sequence) {
                // Rare enough to be copied anew.
                let copy = self.first.spare(self.first.engine.entry(key));
                let (ttl, tags) = copy.map_or_else(Default::default, |copy| (copy.ttl, copy.tags));
                let tags: Vec<&[u8]> = tags.iter().map(|tag| &tag[..]).collect();
                let stamp = Stamp { seen: began.seen, ..stamp };
                let put = Put { ttl, tags: &tags, ..Put::default() };
                self.fill(key, value, &put, stamp, began);
                return Ok(true);
            }
        }
        self.guard.drop_key(self.hash(key), &*self.first.engine, key);
        Ok(false)
    }

    fn begin(&self, key: &[u8]) -> Began {
        let seen = match &self.coherence {
            Coherence::Watched(watch) => watch.now(),
            _ => 0,
        };
        Began { ticket: self.guard.ticket(self.hash(key)), seen }
    }

    /// Copies a value to the first tier.
    fn fill(&self, key: &[u8], value: &[u8], put: &Put<'_>, stamp: Stamp, began: Began) {
        if value.len() as u64 > self.small_max {
            return;
        }
        let copy = stamp.seal(value);
        let put = Put { ttl: self.first.bounded(put.ttl), ..*put };
        self.guard.fill(began.ticket, || {
            if self.first.spare(self.first.engine.put(key, &copy, &put).map(Some)).is_some() {
                self.first.counters.add(Count::Sets, 1);
            }
        });
    }

    /// Copies an entry of the last tier upwards.
    fn promote(&self, key: &[u8], entry: &Entry, began: Began) {
        let seen = match &self.coherence {
            Coherence::Numbered(_) => entry.version,
            _ => began.seen,
        };
        let stamp = Stamp { sequence: entry.sequence, seen };
        // A tag is heard of by its name, so a copy is either made with its tags
        // or not at all; those between have none, since each read asks.
        let large = entry.value.len() as u64 > self.small_max;
        if entry.tags.is_empty() && !(self.around && large) {
            for tier in &self.middle {
                let put = Put { ttl: tier.bounded(entry.ttl), ..Put::default() };
                let copy = stamp.seal(&entry.value);
                if tier.spare(tier.engine.put(key, &copy, &put).map(Some)).is_some() {
                    tier.counters.add(Count::Sets, 1);
                }
            }
        }
        // A numbered store's copies are asked about after any write, and then
        // their tags are looked at, too.
        let numbered = matches!(self.coherence, Coherence::Numbered(_));
        let tags: Vec<&[u8]> =
            if numbered { Vec::new() } else { entry.tags.iter().map(|tag| &tag[..]).collect() };
        let put = Put { ttl: entry.ttl, tags: &tags, ..Put::default() };
        self.fill(key, &entry.value, &put, stamp, began);
    }

    /// A read that the first tier could not answer.
    #[cold]
    fn get_below(&self, key: &[u8]) -> Result<Option<Value>> {
        self.first.count(false);
        let began = self.begin(key);
        if let Some(value) = self.get_between(key, began)? {
            return Ok(Some(value));
        }
        let entry = self.last.engine.entry(key)?;
        self.last.count(entry.is_some());
        if let Some(entry) = &entry {
            self.promote(key, entry, began);
        }
        Ok(entry.map(|entry| entry.value))
    }

    /// A copy of a tier between, which each read asks the last one about: it
    /// outlives the processes that would hear of changes.
    fn get_between(&self, key: &[u8], began: Began) -> Result<Option<Value>> {
        for tier in &self.middle {
            let copy = tier.spare(tier.engine.entry(key));
            let opened = copy.as_ref().and_then(|copy| Stamp::open(&copy.value));
            let (Some(copy), Some((value, stamp))) = (&copy, opened) else {
                tier.count(false);
                continue;
            };
            let Identity { sequence, version } = self.last.engine.identity(key)?;
            let current = sequence == Some(stamp.sequence) || UNCHECKED.load(Ordering::Relaxed);
            tier.count(current);
            if !current {
                tier.spare(tier.engine.delete(key));
                continue;
            }
            let seen = if version == 0 { began.seen } else { version };
            let put = Put { ttl: copy.ttl, ..Put::default() };
            self.fill(key, value, &put, Stamp { seen, ..stamp }, began);
            return Ok(Some(Value::copy_of(value)));
        }
        Ok(None)
    }

    /// Takes a key out of the tiers above the last.
    fn drop_above(&self, key: &[u8]) {
        self.guard.drop_key(self.hash(key), &*self.first.engine, key);
        for tier in &self.middle {
            if tier.spare(tier.engine.contains(key)) {
                tier.spare(tier.engine.delete(key));
            }
        }
    }

    /// A write to the last tier: whether it is known to have failed or not,
    /// the copies above may be old.
    fn write<T>(&self, key: &[u8], run: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        let result = run(&*self.last.engine);
        self.drop_above(key);
        result
    }

    fn last_put<'a>(&self, put: &Put<'a>) -> Put<'a> {
        Put { ttl: self.last.bounded(put.ttl), ..*put }
    }

    /// The value of a current copy in the first tier.
    #[inline]
    fn get_first(&self, key: &[u8]) -> Result<Option<Value>> {
        self.look();
        let Some(copy) = self.first.get(key)? else { return Ok(None) };
        let Some((value, stamp)) = Stamp::open(&copy) else { return Ok(None) };
        if self.holds(key, stamp) || self.ask(key, value, stamp)? {
            return Ok(Some(trimmed(copy)));
        }
        Ok(None)
    }

    fn tiers(&self) -> impl Iterator<Item = &Tier> {
        std::iter::once(&self.first).chain(&self.middle).chain(std::iter::once(&self.last))
    }

    fn above(&self) -> impl Iterator<Item = &Tier> {
        std::iter::once(&self.first).chain(&self.middle)
    }
}

impl Engine for Tiered {
    fn name(&self) -> &'static str {
        EngineKind::Tiered.name()
    }

    #[inline]
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        if let Some(value) = self.get_first(key)? {
            self.first.count(true);
            return Ok(Some(value));
        }
        self.get_below(key)
    }

    fn quick_get(&self, key: &[u8]) -> Option<Option<Hit>> {
        let memory = self.first.memory.as_ref()?;
        self.look();
        let copy = memory.quick_get(key)??;
        let (_, stamp) = Stamp::open(copy.value())?;
        if !self.holds(key, stamp) {
            return None;
        }
        self.first.count(true);
        Some(Some(Hit { copy, cut: TRAILER }))
    }

    fn read(&self, key: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<bool> {
        self.look();
        let mut served = false;
        // The first tier is locked meanwhile: nothing is asked below.
        self.first.engine.read(key, &mut |copy| {
            if let Some((value, stamp)) = Stamp::open(copy)
                && self.holds_under_lock(key, stamp)
            {
                sink(value);
                served = true;
            }
        })?;
        if served {
            self.first.count(true);
            return Ok(true);
        }
        let found = self.get(key)?;
        if let Some(value) = &found {
            sink(value);
        }
        Ok(found.is_some())
    }

    fn entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        self.last.engine.entry(key)
    }

    fn put(&self, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Stored> {
        self.write(key, |last| last.put(key, value, &self.last_put(put)))
    }

    fn put_file(&self, key: &[u8], path: &Path, put: &Put<'_>) -> Result<Stored> {
        self.write(key, |last| last.put_file(key, path, &self.last_put(put)))
    }

    fn delete(&self, key: &[u8]) -> Result<bool> {
        self.write(key, |last| last.delete(key))
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.get_first(key)?.is_some() || self.last.engine.contains(key)?)
    }

    fn touch(&self, key: &[u8], ttl: Option<NonZeroU64>) -> Result<bool> {
        self.write(key, |last| last.touch(key, self.last.bounded(ttl)))
    }

    fn leases(&self) -> Result<LeaseHome> {
        self.last.engine.leases()
    }

    fn lease_spot(&self, key: &[u8]) -> Spot {
        self.last.engine.lease_spot(key)
    }

    fn clear(&self) -> Result<()> {
        let result = self.last.engine.clear();
        for tier in &self.middle {
            tier.spare(tier.engine.clear());
        }
        self.apply(Change::All);
        result
    }

    fn scan(&self, prefix: &[u8], state: &mut ScanState, out: &mut Vec<Vec<u8>>) -> Result<()> {
        self.last.engine.scan(prefix, state, out)
    }

    fn incr(&self, key: &[u8], delta: i64, initial: i64, ttl: Option<NonZeroU64>) -> Result<i64> {
        self.write(key, |last| last.incr(key, delta, initial, self.last.bounded(ttl)))
    }

    fn invalidate_tag(&self, tag: &[u8]) -> Result<bool> {
        let result = self.last.engine.invalidate_tag(tag);
        self.apply(Change::Tag(tag));
        result
    }

    fn expire(&self) -> Result<u64> {
        for tier in self.above() {
            tier.spare(tier.engine.expire());
        }
        self.last.engine.expire()
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        if !self.middle.is_empty() {
            return keys.iter().map(|key| self.get(key)).collect();
        }
        let mut found: Vec<Option<Value>> = Vec::with_capacity(keys.len());
        let (mut missing, mut began) = (Vec::new(), Vec::new());
        for (i, key) in keys.iter().enumerate() {
            let value = self.get_first(key)?;
            self.first.count(value.is_some());
            if value.is_none() {
                missing.push(i);
                began.push(self.begin(key));
            }
            found.push(value);
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let below: Vec<&[u8]> = missing.iter().map(|i| keys[*i]).collect();
        let entries = self.last.engine.entry_many(&below)?;
        for ((i, began), entry) in missing.into_iter().zip(began).zip(entries) {
            self.last.count(entry.is_some());
            if let Some(entry) = entry {
                self.promote(keys[i], &entry, began);
                found[i] = Some(entry.value);
            }
        }
        Ok(found)
    }

    fn put_many(&self, pairs: &[(&[u8], &[u8])], put: &Put<'_>) -> Result<()> {
        let result = self.last.engine.put_many(pairs, &self.last_put(put));
        pairs.iter().for_each(|(key, _)| self.drop_above(key));
        result
    }

    fn delete_many(&self, keys: &[&[u8]]) -> Result<u64> {
        let result = self.last.engine.delete_many(keys);
        keys.iter().for_each(|key| self.drop_above(key));
        result
    }

    fn delete_prefix(&self, prefix: &[u8]) -> Result<u64> {
        let result = self.last.engine.delete_prefix(prefix);
        for tier in &self.middle {
            tier.spare(tier.engine.delete_prefix(prefix));
        }
        let first = &self.first;
        self.guard.drop_many(|| first.spare(first.engine.delete_prefix(prefix)));
        result
    }

    fn check(&self, repair: bool) -> Result<Map<String, Json>> {
        self.last.engine.check(repair)
    }

    fn flush(&self) -> Result<()> {
        self.tiers().try_for_each(|tier| tier.engine.flush())
    }

    fn count(&self) -> Result<u64> {
        self.last.engine.count()
    }

    fn stats(&self) -> Result<EngineStats> {
        let mut stats = self.last.engine.stats()?;
        for tier in self.above() {
            stats.corrupt += tier.spare(tier.engine.stats()).corrupt;
        }
        Ok(stats)
    }

    fn version(&self) -> Option<u64> {
        self.last.engine.version()
    }

    fn identity(&self, key: &[u8]) -> Result<Identity> {
        self.last.engine.identity(key)
    }

    fn listen(&self) -> Result<Hearing> {
        self.last.engine.listen()
    }

    fn info(&self) -> Map<String, Json> {
        let coherence = match &self.coherence {
            Coherence::Numbered(_) => {
                "store: copies are compared after each write to a key near theirs"
            }
            Coherence::Watched(watch) if watch.hears() => "server: invalidations are heard",
            Coherence::Watched(_) => "server: copies are asked about after tier_ttl_ms",
            Coherence::Alone => "process: nobody else has the last tier",
        };
        let tiers: Vec<Json> = self.tiers().map(Tier::describe).collect();
        words([("coherence", coherence.into()), ("tiers", tiers.into())])
    }
}

#[cfg(test)]
mod tests;
