//! Settings that belong to the store and not to a handle: bounds, policy,
//! compression. They are recorded in the totals and hold for all processes. An
//! opener changes those that it names, in one transaction, and takes the rest.

use super::Disk;
use super::shared::Policy;
use super::totals::{FORMAT, Totals};
use crate::base::error::{Error, Result};
use crate::config::Config;
use crate::format::compress::Compressor;
use crate::lmdb::txn::MAIN;
use serde_json::{Map, Value as Json};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// One state of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub max_entries: u64,
    pub max_bytes: u64,
    /// [`Policy::number`].
    pub policy: u64,
    /// [`Compressor::word`].
    pub compression: u64,
}

impl Settings {
    pub fn of(totals: &Totals) -> Self {
        Self {
            max_entries: totals.max_entries,
            max_bytes: totals.max_bytes,
            policy: totals.policy,
            compression: totals.compression,
        }
    }

    /// Those of a new store that nobody states anything about.
    fn new_store(config: &Config) -> Self {
        let bounds = config.default_bounds();
        Self {
            max_entries: bounds.entries.unwrap_or(0),
            max_bytes: bounds.bytes.unwrap_or(0),
            policy: Policy::Lru.number(),
            compression: Compressor::default().word(),
        }
    }

    /// These, with what a configuration names.
    fn with(self, config: &Config) -> Result<Self> {
        let policy = match config.given("policy") {
            Some(_) => Policy::of(config)?.number(),
            None => self.policy,
        };
        let compressor = Compressor::from_word(self.compression).with(config);
        Ok(Self {
            max_entries: config.u64_or("max_entries", self.max_entries),
            max_bytes: config.u64_or("max_bytes", self.max_bytes),
            policy,
            compression: compressor.word(),
        })
    }

    fn record(self, totals: &mut Totals) {
        totals.max_entries = self.max_entries;
        totals.max_bytes = self.max_bytes;
        totals.policy = self.policy;
        totals.compression = self.compression;
    }

    /// Each setting by the name of its option.
    pub fn named(self) -> [(&'static str, Json); 6] {
        let compressor = Compressor::from_word(self.compression);
        [
            ("max_entries", self.max_entries.into()),
            ("max_bytes", self.max_bytes.into()),
            ("policy", Policy::from_number(self.policy).name().into()),
            ("compression", compressor.name().into()),
            ("compression_level", compressor.level().into()),
            ("compress_min_bytes", compressor.min_bytes().into()),
        ]
    }

    /// What is another value in `new`, with its value here.
    fn changed_in(self, new: Self) -> Vec<(&'static str, Json, Json)> {
        let pairs = self.named().into_iter().zip(new.named());
        pairs
            .filter(|(old, new)| old != new)
            .map(|((name, old), (_, new))| (name, old, new))
            .collect()
    }
}

/// The settings as this process saw them last. Each word is read by itself: a
/// write looks at all of them again inside its transaction.
pub struct Live {
    max_entries: AtomicU64,
    max_bytes: AtomicU64,
    policy: AtomicU64,
    compression: AtomicU64,
    /// The transaction after which they were so.
    seen: AtomicU64,
}

impl Live {
    /// Those of a store that was not looked at yet.
    pub fn new(config: &Config) -> Self {
        let start = Settings::new_store(config);
        Self {
            max_entries: start.max_entries.into(),
            max_bytes: start.max_bytes.into(),
            policy: start.policy.into(),
            compression: start.compression.into(),
            seen: AtomicU64::new(u64::MAX),
        }
    }

    pub fn get(&self) -> Settings {
        Settings {
            max_entries: self.max_entries.load(Ordering::Relaxed),
            max_bytes: self.max_bytes.load(Ordering::Relaxed),
            policy: self.policy.load(Ordering::Relaxed),
            compression: self.compression.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub fn policy(&self) -> Policy {
        Policy::from_number(self.policy.load(Ordering::Relaxed))
    }

    #[inline]
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes.load(Ordering::Relaxed)
    }

    #[inline]
    pub fn compressor(&self) -> Compressor {
        Compressor::from_word(self.compression.load(Ordering::Relaxed))
    }

    /// Takes over what the totals say as of a transaction.
    pub fn see(&self, totals: &Totals, txn: u64) {
        self.max_entries.store(totals.max_entries, Ordering::Relaxed);
        self.max_bytes.store(totals.max_bytes, Ordering::Relaxed);
        self.policy.store(totals.policy, Ordering::Relaxed);
        self.compression.store(totals.compression, Ordering::Relaxed);
        self.seen.store(txn, Ordering::Release);
    }
}

impl Disk {
    /// Looks at the settings again where anything was committed since: for what
    /// a write decides before its transaction.
    pub(super) fn refresh_settings(&self) -> Result<()> {
        // The number of the last transaction is in the map.
        self.env.look()?;
        let live = &self.shared.settings;
        if live.seen.load(Ordering::Acquire) == self.env.last_txn_id() {
            return Ok(());
        }
        let txn = self.env.read()?;
        if let Some(totals) = txn.get(MAIN, Totals::KEY)?.and_then(Totals::decode) {
            live.see(&totals, txn.id());
        }
        Ok(())
    }

    /// Records what the opener names; returns what that replaced. One that names
    /// nothing, or reads only, changes nothing.
    pub(super) fn settle_settings(&self, config: &Config) -> Result<Map<String, Json>> {
        let mut settled = self.shared.settled.lock().unwrap_or_else(|e| e.into_inner());
        let found = {
            let txn = self.env.read()?;
            let found = txn.get(MAIN, Totals::KEY)?.and_then(Totals::decode);
            if let Some(totals) = &found {
                self.shared.settings.see(totals, txn.id());
            }
            found
        };
        if self.env.options().read_only {
            return Ok(Map::new());
        }
        let start = found.as_ref().map_or(Settings::new_store(config), Settings::of);
        let wanted = start.with(config)?;
        if *settled {
            // A codec is no promise to the other handles, as bounds and policy are: the last opener's is taken.
            let mut others = start.changed_in(wanted);
            others.retain(|(name, ..)| !name.starts_with("compress"));
            self.refuse_others(others)?;
            if wanted == start {
                return Ok(Map::new());
            }
        }
        let mut replaced = Map::new();
        if found.is_none_or(|totals| totals.format != FORMAT) || wanted != start {
            self.write(|writer| {
                // The totals may be new, or others by now.
                let before = Settings::of(&writer.totals);
                let after = before.with(config)?;
                after.record(&mut writer.totals);
                writer.totals.format = FORMAT;
                writer.touch_books();
                replaced.clear();
                for (name, old, _) in before.changed_in(after) {
                    replaced.insert(name.to_owned(), old);
                }
                Ok(((), true))
            })?;
        }
        *settled = true;
        // A new store replaces nothing.
        Ok(if found.is_some() { replaced } else { Map::new() })
    }

    fn refuse_others(&self, others: Vec<(&'static str, Json, Json)>) -> Result<()> {
        if others.is_empty() {
            return Ok(());
        }
        let mut text =
            format!("the store in {} is open in this process with other options", self.dir());
        let plain = |value: Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        for (name, open, asked) in others {
            let _ = write!(text, "; {name}: open with {}, asked for {}", plain(open), plain(asked));
        }
        Err(Error::config(text))
    }
}
