//! The redis engine: entries on a server (redis from 6.2, Valkey, a cluster of
//! either) that processes and machines share.
//!
//! From the `redis` crate come the commands; sockets, time-outs, the pool and
//! the reading of answers are ours, since its blocking connection restarts its
//! time-out with each read and has none for a handshake, and its parser reads
//! beyond the answer. `docs/redis.md` says what is stored how.

mod address;
mod call;
mod connection;
mod dial;
mod entry;
mod greet;
mod names;
mod node;
mod os;
mod parameters;
mod pem;
mod read;
mod resolve;
mod resp;
mod server;
mod socket;
mod sweep;
#[cfg(test)]
mod tests;
mod tls;
mod tls_words;
mod track;
mod url;
mod words;
mod write;

use super::{Engine, Entry, Hearing, Identity, Put, ScanState, Stored, count_by_scan};
use crate::base::error::{Error, Result};
use crate::base::stats::EngineStats;
use crate::config::{Config, EngineKind};
use crate::format::compress::Compressor;
use crate::lease::LeaseHome;
use crate::mem::value::Value as Bytes;
use address::Target;
use call::Call;
use entry::unexpected;
use names::Names;
use node::Settings;
use read::Found;
use resolve::Resolver;
use resp::Value;
use serde_json::{Map, Value as Json};
use server::Server;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tls::Tls;
use track::Tracker;

/// Entries on a redis server.
pub struct Redis {
    server: Server,
    names: Names,
    compressor: Compressor,
    timeout: Duration,
    shown: String,
    corrupt: AtomicU64,
}

impl Redis {
    /// Reads the options. Nothing is connected: a program whose cache is down
    /// starts all the same.
    pub fn open(config: &Config) -> Result<Self> {
        let target = Target::from_config(config)?;
        let tls = if target.tls { Some(Tls::from_options(&target.tls_options)?) } else { None };
        let number = |name, from_url| Target::number(config, name, from_url);
        let ms = |name, from_url| Duration::from_millis(number(name, from_url).min(1 << 32));
        let settings = Settings {
            login: target.login.clone(),
            tls,
            connect_timeout: ms("connect_timeout_ms", target.connect_timeout_ms),
            timeout: ms("timeout_ms", target.timeout_ms),
            pool_size: usize::try_from(number("pool_size", target.pool_size)).unwrap_or(1).max(1),
            resolver: Resolver::of_process(),
        };
        Ok(Self {
            shown: target.shown(),
            timeout: settings.timeout,
            server: Server::new(target, settings),
            names: Names::new(config.text("key_prefix"), config.text("namespace")),
            compressor: Compressor::from_config(config),
            corrupt: AtomicU64::new(0),
        })
    }
}

impl Engine for Redis {
    fn name(&self) -> &'static str {
        EngineKind::Redis.name()
    }

    fn is_shared_by_machines(&self) -> bool {
        true
    }

    fn leases(&self) -> Result<LeaseHome> {
        Err(Error::unsupported("redis", "leases yet; get, compute and set instead of fetch"))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let _call = Call::begin(self.timeout);
        Ok(self.get_many(&[key])?.into_iter().next().flatten())
    }

    fn entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        let _call = Call::begin(self.timeout);
        Ok(self.entry_many(&[key])?.into_iter().next().flatten())
    }

    fn entry_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Entry>>> {
        self.entries(keys)
    }

    fn listen(&self) -> Result<Hearing> {
        // Each node of a cluster tells of its own keys only.
        if self.server.is_cluster() {
            return Ok(Hearing::None);
        }
        let tracker = Tracker::open(&self.server.masters()?[0], &self.names, self.timeout)?;
        Ok(tracker.map_or(Hearing::None, |tracker| Hearing::Listener(Box::new(tracker))))
    }

    /// The server's own limit on a string.
    fn largest_value(&self) -> u64 {
        512 << 20
    }

    fn put(&self, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Stored> {
        let _call = Call::begin(self.timeout);
        let tags = entry::tag_section(&entry::join(&self.server, &self.names, put.tags)?);
        let bytes = self.encode(key, value, &tags)?;
        match self.server.one(self.set(key, &bytes, put))? {
            Value::Okay => Ok(Stored::Stored),
            Value::Nil if put.add => self.add_over(key, &bytes, put),
            other => Err(unexpected(&other)),
        }
    }

    fn delete(&self, key: &[u8]) -> Result<bool> {
        let _call = Call::begin(self.timeout);
        Ok(self.delete_many(&[key])? > 0)
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        let _call = Call::begin(self.timeout);
        Ok(matches!(self.look(key)?, Found::Live(_)))
    }

    fn touch(&self, key: &[u8], ttl: Option<NonZeroU64>) -> Result<bool> {
        self.touch_entry(key, ttl)
    }

    fn clear(&self) -> Result<()> {
        self.sweep_entries(b"", &mut |keys| self.unlink(keys).map(drop))?;
        self.sweep_tags()
    }

    fn scan(&self, prefix: &[u8], state: &mut ScanState, out: &mut Vec<Vec<u8>>) -> Result<()> {
        self.scan_batch(prefix, state, out)
    }

    fn incr(&self, key: &[u8], delta: i64, initial: i64, ttl: Option<NonZeroU64>) -> Result<i64> {
        self.count_up(key, delta, initial, ttl)
    }

    fn invalidate_tag(&self, tag: &[u8]) -> Result<bool> {
        let _call = Call::begin(self.timeout);
        let name = self.names.tag(tag);
        // Removed, not replaced: a server at `maxmemory` refuses every SET, and
        // an entry whose version is missing is as dead as one of another version.
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(&name);
        match self.server.one(self.server.on(&name, unlink))? {
            // 0: never made, or lost with the entries that carried it.
            Value::Int(n) => Ok(n > 0),
            other => Err(unexpected(&other)),
        }
    }

    fn expire(&self) -> Result<u64> {
        self.sweep_dead()
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        let judged = self.judge(keys, self.fetch(keys)?)?;
        self.values(keys, judged)
    }

    fn put_many(&self, pairs: &[(&[u8], &[u8])], put: &Put<'_>) -> Result<()> {
        if put.add {
            return pairs.iter().try_for_each(|(key, value)| self.put(key, value, put).map(drop));
        }
        let tags = entry::tag_section(&entry::join(&self.server, &self.names, put.tags)?);
        let requests: Vec<_> = pairs
            .iter()
            .map(|(key, value)| Ok(self.set(key, &self.encode(key, value, &tags)?, put)))
            .collect::<Result<_>>()?;
        self.server.run(&requests)?.iter().try_for_each(|answer| match answer {
            Value::Okay => Ok(()),
            other => Err(unexpected(other)),
        })
    }

    fn delete_many(&self, keys: &[&[u8]]) -> Result<u64> {
        let live = self.heads(keys)?;
        let removed = self.unlink(keys)?;
        Ok(live.iter().zip(removed).filter(|(live, removed)| live.is_some() && *removed).count()
            as u64)
    }

    fn delete_prefix(&self, prefix: &[u8]) -> Result<u64> {
        let mut n = 0;
        self.sweep_entries(prefix, &mut |keys| {
            n += self.delete_many(keys)?;
            Ok(())
        })?;
        Ok(n)
    }

    fn check(&self, repair: bool) -> Result<Map<String, Json>> {
        self.sweep_check(repair)
    }

    fn count(&self) -> Result<u64> {
        // The figures count for as long as a call may take, and what is dead, too.
        count_by_scan(self)
    }

    fn stats(&self) -> Result<EngineStats> {
        let corrupt = self.corrupt.load(Ordering::Relaxed);
        // Figures are asked for while a server is down, too.
        let entries = self.count_names().unwrap_or(0);
        Ok(EngineStats { entries, corrupt, entries_inexact: true, ..EngineStats::default() })
    }

    fn info(&self) -> Map<String, Json> {
        let mut info = Map::new();
        info.insert("server".into(), self.shown.clone().into());
        info.insert("cluster".into(), self.server.is_cluster().into());
        match self.server_info() {
            Ok(nodes) => info.insert("nodes".into(), nodes.into()),
            Err(error) => info.insert("trouble".into(), error.text().into()),
        };
        info
    }

    fn identity(&self, key: &[u8]) -> Result<Identity> {
        let _call = Call::begin(self.timeout);
        let sequence = self.heads(&[key])?.into_iter().next().flatten();
        Ok(Identity { sequence, version: 0 })
    }
}
