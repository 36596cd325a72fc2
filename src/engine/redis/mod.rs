//! The redis engine: entries on a server (redis from 6.2, Valkey, a cluster of
//! either) that processes and machines share.
//!
//! From the `redis` crate come the protocol's encoding and decoding; sockets, time-outs and the pool are ours, since its blocking
//! connection restarts its time-out with each read and has none for a
//! handshake. `docs/redis.md` says what is stored how.

mod address;
mod call;
mod connection;
mod entry;
mod names;
mod node;
mod resp;
mod server;
mod socket;
mod sweep;
mod tls;
mod track;

use super::{Engine, Entry, Hearing, Identity, Put, ScanState, Stored, counter};

use crate::compress::{self, Compressor};
use crate::config::Config;
use crate::envelope::{self, Envelope, Meta, Refused};
use crate::error::{Code, Error, Result};
use crate::stats::EngineStats;
use crate::value::Value as Bytes;
use address::Target;
use call::Call;
use entry::{HEAD, Raw, Tagged, Versions, done, foreign, raw, tags_of, unexpected, unique};
use names::Names;
use node::Settings;
use redis::Cmd;
use resp::Value;
use serde_json::{Map, Value as Json};
use server::Server;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use track::Tracker;

/// Replaces a value that is still the one that was read. `ARGV[3]` is the new
/// time to live in milliseconds, 0 for none, -1 to keep it. Answers 1, or what
/// is there now.
const SWAP: &str = "local v=redis.call('GET',KEYS[1]) if v~=ARGV[1] then return v end \
    if ARGV[3]=='-1' then redis.call('SET',KEYS[1],ARGV[2],'KEEPTTL') \
    elseif ARGV[3]=='0' then redis.call('SET',KEYS[1],ARGV[2]) \
    else redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) end return 1";
/// Removes a value that is still the one that was read.
const REMOVE: &str =
    "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('UNLINK',KEYS[1]) end return 0";
/// Removes what is ours.
const UNLINK: &str = "if redis.call('GETRANGE',KEYS[1],0,3)=='TWAT' \
    then return redis.call('UNLINK',KEYS[1]) end return 0";
/// Gives what is ours a new time to live.
const TOUCH: &str = "if redis.call('GETRANGE',KEYS[1],0,3)~='TWAT' then return 0 end \
    if ARGV[1]=='0' then redis.call('PERSIST',KEYS[1]) return 1 end \
    return redis.call('PEXPIRE',KEYS[1],ARGV[1])";

/// Longer than any cache lives, and far from the server's overflow.
const MAX_TTL: u64 = 1 << 42;
/// What a server takes as one value at the most, by default.
const MAX_VALUE: usize = 512 << 20;

/// Entries on a redis server.
pub struct Redis {
    server: Server,
    names: Names,
    compressor: Compressor,
    timeout: Duration,
    shown: String,
    corrupt: AtomicU64,
}

/// An entry as it was fetched.
enum Found {
    Missing,
    /// It carries a tag that was invalidated since.
    Dead(Vec<u8>),
    /// It is ours and damaged.
    Damaged(Vec<u8>),
    Live(Vec<u8>),
}

fn script(text: &str, name: &[u8]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(1).arg(name);
    command
}

fn px(ttl: Option<NonZeroU64>) -> u64 {
    ttl.map_or(0, |ms| ms.get().min(MAX_TTL))
}

impl Redis {
    /// Reads the options. Nothing is connected: a program whose cache is down
    /// starts all the same.
    pub fn open(config: &Config) -> Result<Self> {
        let target = Target::from_config(config)?;
        let tls = if target.tls { Some(tls::config()?) } else { None };
        let ms = |name| Duration::from_millis(config.u64(name).min(1 << 32));
        let settings = Settings {
            login: target.login.clone(),
            tls,
            connect_timeout: ms("connect_timeout_ms"),
            timeout: ms("timeout_ms"),
            pool_size: usize::try_from(config.u64("pool_size")).unwrap_or(1).max(1),
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

    fn fetch(&self, keys: &[&[u8]]) -> Result<Vec<Raw>> {
        let requests: Vec<_> = keys
            .iter()
            .map(|key| {
                let name = self.names.entry(key);
                let mut get = redis::cmd("GET");
                get.arg(&name);
                self.server.on(&name, get)
            })
            .collect();
        self.server.run(&requests)?.into_iter().map(raw).collect()
    }

    /// Judges fetched entries: checksums, then tags, all in one more exchange.
    fn judge(&self, keys: &[&[u8]], fetched: Vec<Raw>) -> Result<Vec<Found>> {
        let mut judged = Vec::with_capacity(fetched.len());
        let mut tagged = false;
        for (key, raw) in keys.iter().zip(fetched) {
            judged.push(match raw {
                Raw::Missing => Found::Missing,
                Raw::OtherType => return Err(foreign()),
                Raw::Bytes(bytes) => match envelope::decode(&bytes, key) {
                    // A blob's reference means nothing outside its store.
                    Ok(envelope) if envelope.meta.flags & envelope::BLOB != 0 => {
                        Found::Damaged(bytes)
                    }
                    Ok(envelope) => match tags_of(envelope.tags) {
                        Some(tags) => {
                            tagged |= !tags.is_empty();
                            Found::Live(bytes)
                        }
                        None => Found::Damaged(bytes),
                    },
                    Err(Refused::Foreign) => return Err(foreign()),
                    Err(refused) => match refused.error() {
                        Some(error) => return Err(error),
                        None => Found::Damaged(bytes),
                    },
                },
            });
        }
        if tagged {
            self.judge_tags(keys, &mut judged)?;
        }
        Ok(judged)
    }

    fn judge_tags(&self, keys: &[&[u8]], judged: &mut [Found]) -> Result<()> {
        let tags: Vec<Vec<Tagged<'_>>> = keys
            .iter()
            .zip(judged.iter())
            .map(|(key, found)| match found {
                Found::Live(bytes) => {
                    let section = envelope::decode(bytes, key).map_or(&[][..], |e| e.tags);
                    tags_of(section).unwrap_or_default()
                }
                _ => Vec::new(),
            })
            .collect();
        let names = tags.iter().flatten().map(|(tag, _)| *tag);
        let versions = Versions::ask(&self.server, &self.names, names)?;
        let dead: Vec<bool> = tags.iter().map(|tags| !versions.hold(tags)).collect();
        for (found, dead) in judged.iter_mut().zip(dead) {
            if dead && let Found::Live(bytes) = found {
                *found = Found::Dead(std::mem::take(bytes));
            }
        }
        Ok(())
    }

    /// The values of judged entries; what is damaged is removed, unless
    /// another client has replaced it by now.
    fn values(&self, keys: &[&[u8]], judged: Vec<Found>) -> Result<Vec<Option<Bytes>>> {
        keys.iter()
            .zip(judged)
            .map(|(key, found)| match found {
                Found::Missing | Found::Dead(_) => Ok(None),
                Found::Damaged(bytes) => self.drop_damaged(key, &bytes).map(|()| None),
                Found::Live(bytes) => match envelope::decode(&bytes, key).map(|e| value_of(&e)) {
                    Ok(Ok(value)) => Ok(Some(value)),
                    Ok(Err(error)) if error.code() == Code::Version => Err(error),
                    _ => self.drop_damaged(key, &bytes).map(|()| None),
                },
            })
            .collect()
    }

    fn drop_damaged(&self, key: &[u8], bytes: &[u8]) -> Result<()> {
        self.corrupt.fetch_add(1, Ordering::Relaxed);
        let name = self.names.entry(key);
        let mut remove = script(REMOVE, &name);
        remove.arg(bytes);
        done(&self.server.one(self.server.on(&name, remove))?)
    }

    fn look(&self, key: &[u8]) -> Result<Found> {
        let judged = self.judge(&[key], self.fetch(&[key])?)?;
        Ok(judged.into_iter().next().unwrap_or(Found::Missing))
    }

    fn encode(&self, key: &[u8], value: &[u8], tags: &[u8]) -> Result<Vec<u8>> {
        let (codec, payload) = self.compressor.compress(value);
        let meta = Meta {
            codec,
            flags: 0,
            // The server has no count of writes, so each draws a number.
            sequence: unique(),
            // The server keeps the time, so that `touch` moves no value and
            // clients' clocks need not agree.
            expires: 0,
            value_len: value.len() as u64,
        };
        let length = envelope::encoded_len(&meta, key, tags, payload.len());
        if length > MAX_VALUE {
            let text = format!("value: redis takes at most {MAX_VALUE} bytes, found: {length}");
            return Err(Error::new(Code::TooLarge, text));
        }
        Ok(envelope::encode(&meta, key, tags, &payload))
    }

    fn set(&self, key: &[u8], bytes: &[u8], put: &Put<'_>) -> server::Request {
        let name = self.names.entry(key);
        let mut set = redis::cmd("SET");
        set.arg(&name).arg(bytes);
        if let Some(ttl) = put.ttl {
            set.arg("PX").arg(px(Some(ttl)));
        }
        if put.add {
            set.arg("NX");
        }
        self.server.on(&name, set)
    }

    /// Replaces `old`, if it is still there, and answers what is there else.
    fn swap(
        &self,
        key: &[u8],
        old: &[u8],
        new: &[u8],
        ttl: i64,
    ) -> Result<std::result::Result<(), Raw>> {
        let name = self.names.entry(key);
        let mut swap = script(SWAP, &name);
        swap.arg(old).arg(new).arg(ttl);
        match self.server.one(self.server.on(&name, swap))? {
            Value::Int(1) => Ok(Ok(())),
            other => raw(other).map(Err),
        }
    }

    /// `add` where SET NX found something: an entry that is dead or damaged
    /// makes room.
    fn add_over(&self, key: &[u8], bytes: &[u8], put: &Put<'_>) -> Result<Stored> {
        loop {
            let done = match self.look(key)? {
                Found::Live(_) => return Ok(Stored::Exists),
                Found::Missing => {
                    matches!(self.server.one(self.set(key, bytes, put))?, Value::Okay)
                }
                Found::Dead(old) | Found::Damaged(old) => {
                    self.swap(key, &old, bytes, px(put.ttl) as i64)?.is_ok()
                }
            };
            if done {
                return Ok(Stored::Stored);
            }
            check_time()?;
        }
    }

    /// Which of these keys hold an entry that would be a hit, told from the
    /// first bytes alone, with its sequence number.
    fn heads(&self, keys: &[&[u8]]) -> Result<Vec<Option<u64>>> {
        let requests: Vec<_> = keys
            .iter()
            .map(|key| {
                let name = self.names.entry(key);
                let mut get = redis::cmd("GETRANGE");
                get.arg(&name).arg(0).arg(HEAD - 1);
                self.server.on(&name, get)
            })
            .collect();
        let heads: Vec<Raw> =
            self.server.run(&requests)?.into_iter().map(raw).collect::<Result<_>>()?;
        let mut found: Vec<(Option<u64>, Vec<Tagged<'_>>)> = Vec::with_capacity(keys.len());
        for (key, head) in keys.iter().zip(&heads) {
            // A missing key is an empty string to GETRANGE.
            let Raw::Bytes(bytes) = head else {
                found.push((None, Vec::new()));
                continue;
            };
            found.push(match entry::head(bytes) {
                Ok(Some((meta, tags))) => match tags_of(tags) {
                    Some(tags) => (Some(meta.sequence), tags),
                    None => (None, Vec::new()),
                },
                Ok(None) => (self.sequence_of_whole(key)?, Vec::new()),
                Err(_) => (None, Vec::new()),
            });
        }
        if found.iter().any(|(_, tags)| !tags.is_empty()) {
            let names = found.iter().flat_map(|(_, tags)| tags.iter().map(|(tag, _)| *tag));
            let versions = Versions::ask(&self.server, &self.names, names)?;
            for (sequence, tags) in &mut found {
                if !versions.hold(tags) {
                    *sequence = None;
                }
            }
        }
        Ok(found.into_iter().map(|(sequence, _)| sequence).collect())
    }

    fn sequence_of_whole(&self, key: &[u8]) -> Result<Option<u64>> {
        Ok(match self.look(key)? {
            Found::Live(bytes) => envelope::header(&bytes).ok().map(|head| head.meta.sequence),
            _ => None,
        })
    }

    /// Removes what is ours under these keys; tells for each whether it was.
    fn unlink(&self, keys: &[&[u8]]) -> Result<Vec<bool>> {
        let requests: Vec<_> = keys
            .iter()
            .map(|key| {
                let name = self.names.entry(key);
                self.server.on(&name, script(UNLINK, &name))
            })
            .collect();
        let answers = self.server.run(&requests)?;
        answers
            .iter()
            .map(|answer| match answer {
                Value::Int(n) => Ok(*n > 0),
                Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(false),
                other => Err(unexpected(other)),
            })
            .collect()
    }
}

/// Whether a loop over a busy key may go round again.
fn check_time() -> Result<()> {
    if call::is_over() {
        return Err(Error::new(Code::Busy, "redis: other clients changed the key again and again"));
    }
    Ok(())
}

fn value_of(envelope: &Envelope<'_>) -> Result<Bytes> {
    let value =
        compress::decompress(envelope.meta.codec, envelope.payload, envelope.meta.value_len)?;
    Ok(Bytes::copy_of(&value))
}

/// Sequence number and tags of a fetched entry.
fn known(key: &[u8], found: &Found) -> (u64, Vec<Vec<u8>>) {
    let Found::Live(bytes) = found else { return Default::default() };
    envelope::decode(bytes, key).map_or_else(
        |_| Default::default(),
        |envelope| {
            let tags = tags_of(envelope.tags).unwrap_or_default();
            (envelope.meta.sequence, tags.into_iter().map(|(tag, _)| tag.to_vec()).collect())
        },
    )
}

impl Engine for Redis {
    fn name(&self) -> &'static str {
        "redis"
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
        let mut requests = Vec::with_capacity(2 * keys.len());
        for key in keys {
            let name = self.names.entry(key);
            for word in ["GET", "PTTL"] {
                let mut command = redis::cmd(word);
                command.arg(&name);
                requests.push(self.server.on(&name, command));
            }
        }
        let mut answers = self.server.run(&requests)?.into_iter();
        let (mut fetched, mut ttls) = (Vec::with_capacity(keys.len()), Vec::new());
        while let (Some(value), Some(ttl)) = (answers.next(), answers.next()) {
            match ttl {
                // Gone between the two commands.
                Value::Int(-2) => fetched.push(Raw::Missing),
                Value::Int(_) => fetched.push(raw(value)?),
                other => return Err(unexpected(&other)),
            }
            ttls.push(match ttl {
                Value::Int(ms) if ms >= 0 => NonZeroU64::new(ms.max(1) as u64),
                _ => None,
            });
        }
        let judged = self.judge(keys, fetched)?;
        let known: Vec<_> =
            keys.iter().zip(&judged).map(|(key, found)| known(key, found)).collect();
        let values = self.values(keys, judged)?.into_iter();
        Ok(values
            .zip(known)
            .zip(ttls)
            .map(|((value, (sequence, tags)), ttl)| {
                value.map(|value| Entry { value, ttl, sequence, version: 0, tags })
            })
            .collect())
    }

    fn listen(&self) -> Result<Hearing> {
        // Each node of a cluster tells of its own keys only.
        if self.server.is_cluster() {
            return Ok(Hearing::None);
        }
        let tracker = Tracker::open(&self.server.masters()?[0], &self.names, self.timeout)?;
        Ok(tracker.map_or(Hearing::None, |tracker| Hearing::Listener(Box::new(tracker))))
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
        let _call = Call::begin(self.timeout);
        if self.identity(key)?.sequence.is_none() {
            return Ok(false);
        }
        let name = self.names.entry(key);
        let mut touch = script(TOUCH, &name);
        touch.arg(px(ttl));
        match self.server.one(self.server.on(&name, touch))? {
            Value::Int(n) => Ok(n > 0),
            other => Err(unexpected(&other)),
        }
    }

    fn clear(&self) -> Result<()> {
        self.sweep_entries(b"", &mut |keys| self.unlink(keys).map(drop))?;
        self.sweep_tags()
    }

    fn scan(&self, prefix: &[u8], state: &mut ScanState, out: &mut Vec<Vec<u8>>) -> Result<()> {
        self.scan_batch(prefix, state, out)
    }

    fn incr(&self, key: &[u8], delta: i64, initial: i64, ttl: Option<NonZeroU64>) -> Result<i64> {
        let _call = Call::begin(self.timeout);
        let mut fetched = self.fetch(&[key])?;
        loop {
            let judged = self.judge(&[key], fetched)?.into_iter().next().unwrap_or(Found::Missing);
            let (old, stored, tags, px) = match judged {
                Found::Live(old) => match envelope::decode(&old, key) {
                    Ok(envelope) => {
                        let (value, tags) = (value_of(&envelope)?, envelope.tags.to_vec());
                        (Some(old), Some(value), tags, -1)
                    }
                    Err(_) => (Some(old), None, Vec::new(), px(ttl) as i64),
                },
                Found::Dead(old) | Found::Damaged(old) => {
                    (Some(old), None, Vec::new(), px(ttl) as i64)
                }
                Found::Missing => (None, None, Vec::new(), 0),
            };
            let sum = counter::next("redis", stored.as_deref(), delta, initial)?;
            let new = self.encode(key, &counter::encode(sum), &tags)?;
            let found = match old {
                Some(old) => self.swap(key, &old, &new, px)?,
                None => {
                    let put = Put { ttl, add: true, ..Put::default() };
                    match self.server.one(self.set(key, &new, &put))? {
                        Value::Okay => Ok(()),
                        Value::Nil => Err(self.fetch(&[key])?.remove(0)),
                        other => return Err(unexpected(&other)),
                    }
                }
            };
            match found {
                Ok(()) => return Ok(sum),
                Err(there) => fetched = vec![there],
            }
            check_time()?;
        }
    }

    fn invalidate_tag(&self, tag: &[u8]) -> Result<bool> {
        let _call = Call::begin(self.timeout);
        let name = self.names.tag(tag);
        let mut set = redis::cmd("SET");
        set.arg(&name).arg(&unique().to_le_bytes()[..]).arg("XX");
        match self.server.one(self.server.on(&name, set))? {
            Value::Okay => Ok(true),
            // Never made, or lost with the entries that carried it.
            Value::Nil => Ok(false),
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

    fn stats(&self) -> Result<EngineStats> {
        let corrupt = self.corrupt.load(Ordering::Relaxed);
        // Figures are asked for while a server is down, too.
        let entries = self.count().unwrap_or(0);
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
