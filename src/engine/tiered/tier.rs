//! One engine of a stack, with what it may keep and what is counted of it.

use crate::base::error::Result;
use crate::base::stats::{Count, Counters};
use crate::config::Config;
use crate::engine::memory::Memory;
use crate::engine::{Engine, build};
use crate::mem::value::Value;
use serde_json::Value as Json;
use std::num::NonZeroU64;
use std::sync::Arc;

/// An engine of the stack.
pub(super) struct Tier {
    pub(super) engine: Arc<dyn Engine>,
    /// The same, where it is the memory engine.
    pub(super) memory: Option<Arc<Memory>>,
    /// How long it keeps an entry at the most.
    pub(super) ttl: Option<NonZeroU64>,
    pub(super) counters: Counters,
}

impl Tier {
    pub(super) fn open(config: &Config) -> Result<Self> {
        Ok(Self::over(build(config)?, NonZeroU64::new(config.u64("ttl_ms"))))
    }

    pub(super) fn over(engine: Box<dyn Engine>, ttl: Option<NonZeroU64>) -> Self {
        let engine: Arc<dyn Engine> = Arc::from(engine);
        let memory = Arc::clone(&engine).as_memory();
        Self { engine, memory, ttl, counters: Counters::default() }
    }

    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        match self.memory.as_ref().and_then(|memory| memory.quick_get(key)) {
            Some(found) => Ok(found.map(Value::from)),
            None => self.engine.get(key),
        }
    }

    pub(super) fn bounded(&self, ttl: Option<NonZeroU64>) -> Option<NonZeroU64> {
        match (self.ttl, ttl) {
            (Some(own), Some(given)) => Some(own.min(given)),
            (own, given) => own.or(given),
        }
    }

    pub(super) fn count(&self, hit: bool) {
        self.counters.add(if hit { Count::Hits } else { Count::Misses }, 1);
    }

    /// An upper tier that fails costs a look below, not the call.
    pub(super) fn spare<T: Default>(&self, result: Result<T>) -> T {
        result.unwrap_or_else(|error| {
            self.counters.add(Count::of(&error), 1);
            T::default()
        })
    }

    pub(super) fn describe(&self) -> Json {
        let mut about = self.engine.info();
        let stats = self.spare(self.engine.stats());
        let sum = |what| Json::from(self.counters.sum(what));
        for (name, value) in [
            ("engine", self.engine.name().into()),
            ("hits", sum(Count::Hits)),
            ("misses", sum(Count::Misses)),
            ("copies", sum(Count::Sets)),
            ("rejected", sum(Count::Rejected)),
            ("errors", sum(Count::Errors)),
            ("entries", stats.entries.into()),
            ("bytes", stats.bytes.into()),
            ("evictions", stats.evictions.into()),
            ("expirations", stats.expirations.into()),
            ("corrupt", stats.corrupt.into()),
        ] {
            about.insert(name.into(), value);
        }
        about.into()
    }
}
