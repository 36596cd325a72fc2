//! The persistent engine over LMDB, in two presets: `disk` keeps small values
//! inside and large ones as files, `file` keeps every value as a file.
//!
//! `docs/disk.md` draws the files and databases and says what survives what.

mod blobs;
mod books;
mod check;
mod evict;
mod expire;
mod keys;
mod leases;
mod open;
mod read;
mod record;
mod recount;
pub mod row;
mod scan;
mod settings;
mod shared;
pub mod totals;
mod write;

use super::{Changes, Engine, Entry, Identity, Place, Put, ScanState, Stored};
use crate::base::error::Result;
use crate::base::stats::EngineStats;
use crate::config::Config;
use crate::lease::{LeaseHome, Spot};
use crate::lmdb::env_registry::StoreRef;
use crate::mem::counted::Counted;
use crate::mem::value::{Hit, Value};
use serde_json::{Map, Value as Json};
use shared::Shared;

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

/// Whether this system has the engine.
pub const IS_HERE: bool = true;

/// Opens the engine of a validated configuration.
///
/// # Errors
/// Those of the store's files; `Config` for options that contradict what is there.
pub fn open(config: &Config) -> Result<Box<dyn Engine>> {
    Ok(Box::new(open::open(config)?))
}

/// An open store, seen through one namespace.
pub struct Disk {
    name: &'static str,
    env: StoreRef,
    shared: Arc<Shared>,
    namespace: Vec<u8>,
    verify_always: bool,
    /// Settings of the store that this opener replaced, as they were before.
    replaced: Map<String, Json>,
}

impl Engine for Disk {
    fn name(&self) -> &'static str {
        self.name
    }

    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.find(key, &mut |bytes| Value::copy_of(bytes), &mut |value| value)
    }

    fn quick_get(&self, key: &[u8]) -> Option<Option<Hit>> {
        let copy = |bytes: &[u8]| Counted::new(b"", bytes, u64::MAX, None);
        Some(self.find_here(key, copy)?.map(Hit::from))
    }

    fn read(&self, key: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<bool> {
        if let Some(found) = self.find_here(key, &mut *sink) {
            return Ok(found.is_some());
        }
        let sink = std::cell::RefCell::new(sink);
        let found = self.find(key, &mut |bytes| (sink.borrow_mut())(bytes), &mut |value| {
            (sink.borrow_mut())(&value)
        })?;
        Ok(found.is_some())
    }

    fn entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        self.entry_of(key)
    }

    fn put(&self, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Stored> {
        self.put_one(key, value, put)
    }

    fn put_file(&self, key: &[u8], path: &Path, put: &Put<'_>) -> Result<Stored> {
        self.put_from(key, path, put)
    }

    fn delete(&self, key: &[u8]) -> Result<bool> {
        Ok(self.delete_keys(&[key])? > 0)
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        self.has(key)
    }

    fn touch(&self, key: &[u8], ttl: Option<NonZeroU64>) -> Result<bool> {
        self.touch_one(key, ttl)
    }

    fn clear(&self) -> Result<()> {
        self.clear_namespace()
    }

    fn scan(&self, prefix: &[u8], state: &mut ScanState, out: &mut Vec<Vec<u8>>) -> Result<()> {
        self.scan_batch(prefix, state, out)
    }

    fn incr(&self, key: &[u8], delta: i64, initial: i64, ttl: Option<NonZeroU64>) -> Result<i64> {
        self.add_to(key, delta, initial, ttl)
    }

    fn invalidate_tag(&self, tag: &[u8]) -> Result<bool> {
        self.raise_tag(tag)
    }

    fn expire(&self) -> Result<u64> {
        self.sweep_all()
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        self.find_many(keys)
    }

    fn put_many(&self, pairs: &[(&[u8], &[u8])], put: &Put<'_>) -> Result<()> {
        self.put_all(pairs, put)
    }

    fn delete_many(&self, keys: &[&[u8]]) -> Result<u64> {
        self.delete_keys(keys)
    }

    fn delete_prefix(&self, prefix: &[u8]) -> Result<u64> {
        self.delete_range(prefix)
    }

    fn check(&self, repair: bool) -> Result<Map<String, Json>> {
        self.check_all(repair)
    }

    fn flush(&self) -> Result<()> {
        self.make_durable()
    }

    fn leases(&self) -> Result<LeaseHome> {
        self.lease_home()
    }

    fn lease_spot(&self, key: &[u8]) -> Spot {
        self.spot_of(key)
    }

    fn version(&self) -> Option<u64> {
        Some(self.env.last_txn_id())
    }

    fn place(&self, key: &[u8]) -> Place {
        keys::place(&self.namespace, key)
    }

    fn changes(&self) -> Result<Changes> {
        self.change_table()
    }

    fn identity(&self, key: &[u8]) -> Result<Identity> {
        self.identity_of(key)
    }

    fn stats(&self) -> Result<EngineStats> {
        self.figures()
    }

    fn info(&self) -> Map<String, Json> {
        self.describe()
    }
}
