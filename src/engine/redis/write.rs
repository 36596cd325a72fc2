//! Writing: what must be decided where it is stored runs as a script of one
//! key on the server.

use super::entry::{Raw, raw, unexpected, unique};
use super::read::{Found, value_of};
use super::resp::Value;
use super::{Call, Redis, call, server};
use crate::base::error::{Code, Error, Result};
use crate::engine::counter::Counter;
use crate::engine::{Engine, Put, Stored};
use crate::format::envelope::{self, Meta};
use redis::Cmd;
use std::num::NonZeroU64;

/// Replaces a value that is still the one that was read. `ARGV[3]` is the new
/// time to live in milliseconds, 0 for none, -1 to keep it. Answers 1, or what
/// is there now.
const SWAP: &str = "local v=redis.call('GET',KEYS[1]) if v~=ARGV[1] then return v end \
    if ARGV[3]=='-1' then redis.call('SET',KEYS[1],ARGV[2],'KEEPTTL') \
    elseif ARGV[3]=='0' then redis.call('SET',KEYS[1],ARGV[2]) \
    else redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) end return 1";
/// Removes a value that is still the one that was read.
pub(super) const REMOVE: &str =
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

pub(super) fn script(text: &str, name: &[u8]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(1).arg(name);
    command
}

pub(super) fn px(ttl: Option<NonZeroU64>) -> u64 {
    ttl.map_or(0, |ms| ms.get().min(MAX_TTL))
}

impl Redis {
    pub(super) fn encode(&self, key: &[u8], value: &[u8], tags: &[u8]) -> Result<Vec<u8>> {
        self.encode_over(&Meta::default(), key, value, tags)
    }

    /// The same, in place of an entry whose reserved fields are kept.
    fn encode_over(&self, old: &Meta, key: &[u8], value: &[u8], tags: &[u8]) -> Result<Vec<u8>> {
        let (codec, payload) = self.compressor.compress(value);
        let meta = Meta {
            codec,
            // The server has no count of writes, so each draws a number.
            sequence: unique(),
            // The server keeps the time, so that `touch` moves no value and
            // clients' clocks need not agree.
            expires: 0,
            value_len: value.len() as u64,
            ..Meta::default()
        };
        let meta = meta.with_reserved(old);
        let length = envelope::encoded_len(&meta, key, tags, payload.len());
        if length > MAX_VALUE {
            let text = format!("value: redis takes at most {MAX_VALUE} bytes, found: {length}");
            return Err(Error::new(Code::TooLarge, text));
        }
        Ok(envelope::encode(&meta, key, tags, &payload))
    }

    pub(super) fn set(&self, key: &[u8], bytes: &[u8], put: &Put<'_>) -> server::Request {
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
    pub(super) fn swap(
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
    pub(super) fn add_over(&self, key: &[u8], bytes: &[u8], put: &Put<'_>) -> Result<Stored> {
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

    /// Removes what is ours under these keys; tells for each whether it was.
    pub(super) fn unlink(&self, keys: &[&[u8]]) -> Result<Vec<bool>> {
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

    /// A counter, by compare and swap.
    pub(super) fn count_up(
        &self,
        key: &[u8],
        delta: i64,
        initial: i64,
        ttl: Option<NonZeroU64>,
    ) -> Result<i64> {
        let _call = Call::begin(self.timeout);
        let mut fetched = self.fetch(&[key])?;
        loop {
            let judged = self.judge(&[key], fetched)?.into_iter().next().unwrap_or(Found::Missing);
            let mut kept = Meta::default();
            let (old, stored, tags, px) = match judged {
                Found::Live(old) => match envelope::decode(&old, key) {
                    Ok(envelope) => {
                        kept = envelope.meta;
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
            let sum = Counter::next(stored.as_deref(), delta, initial)?;
            let new = self.encode_over(&kept, key, &sum.encode(), &tags)?;
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
                Ok(()) => return Ok(sum.value),
                Err(there) => fetched = vec![there],
            }
            check_time()?;
        }
    }

    /// Gives an entry a new time to live; whether there was one.
    pub(super) fn touch_entry(&self, key: &[u8], ttl: Option<NonZeroU64>) -> Result<bool> {
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
}

/// Whether a loop over a busy key may go round again.
fn check_time() -> Result<()> {
    if call::is_over() {
        return Err(Error::new(Code::Busy, "redis: other clients changed the key again and again"));
    }
    Ok(())
}
