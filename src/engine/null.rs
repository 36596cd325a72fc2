//! The engine that keeps nothing: switches a cache off without touching the
//! code that uses it.

use super::{Engine, Entry, Put, ScanState, Stored};
use crate::base::error::Result;
use crate::base::stats::EngineStats;
use crate::config::EngineKind;
use crate::files::open_regular;
use crate::lease::LeaseHome;
use crate::mem::value::Value;
use std::num::NonZeroU64;
use std::path::Path;

/// Accepts every call and stores nothing.
pub struct Null;

impl Engine for Null {
    fn leases(&self) -> Result<LeaseHome> {
        Ok(LeaseHome::Nowhere)
    }

    fn name(&self) -> &'static str {
        EngineKind::Null.name()
    }

    fn get(&self, _key: &[u8]) -> Result<Option<Value>> {
        Ok(None)
    }

    fn entry(&self, _key: &[u8]) -> Result<Option<Entry>> {
        Ok(None)
    }

    fn put(&self, _key: &[u8], _value: &[u8], _put: &Put<'_>) -> Result<Stored> {
        Ok(Stored::Stored)
    }

    fn put_file(&self, _key: &[u8], path: &Path, _put: &Put<'_>) -> Result<Stored> {
        open_regular(path).map(|_| Stored::Stored)
    }

    fn delete(&self, _key: &[u8]) -> Result<bool> {
        Ok(false)
    }

    fn contains(&self, _key: &[u8]) -> Result<bool> {
        Ok(false)
    }

    fn touch(&self, _key: &[u8], _ttl: Option<NonZeroU64>) -> Result<bool> {
        Ok(false)
    }

    fn clear(&self) -> Result<()> {
        Ok(())
    }

    fn scan(&self, _prefix: &[u8], state: &mut ScanState, _out: &mut Vec<Vec<u8>>) -> Result<()> {
        state.done = true;
        Ok(())
    }

    fn incr(&self, _key: &[u8], delta: i64, initial: i64, _ttl: Option<NonZeroU64>) -> Result<i64> {
        Ok(initial.wrapping_add(delta))
    }

    fn invalidate_tag(&self, _tag: &[u8]) -> Result<bool> {
        Ok(false)
    }

    fn expire(&self) -> Result<u64> {
        Ok(0)
    }

    fn stats(&self) -> Result<EngineStats> {
        Ok(EngineStats::default())
    }
}
