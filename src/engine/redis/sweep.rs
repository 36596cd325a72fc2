//! Walks over a namespace: SCAN in batches, never KEYS or FLUSHDB. Each batch
//! has a call's time-out; the walk as a whole takes as long as it takes.

use super::Redis;
use super::entry::{done, unexpected};
use super::node::Node;
use super::read::Found;
use super::resp::Value;
use super::write;
use crate::base::error::Result;
use crate::engine::ScanState;
use crate::engine::words;
use redis::Cmd;
use serde_json::{Map, Value as Json, json};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Instant;

/// How many keys of the whole server a batch looks at.
const BATCH: u64 = 500;

/// Does something with a batch of names of one node; false ends the walk.
type OnNames<'a> = &'a mut dyn FnMut(&Node, Vec<Vec<u8>>) -> Result<bool>;
/// Does something with a batch of keys.
type Each<'a> = &'a mut dyn FnMut(&[&[u8]]) -> Result<()>;

/// One step of a SCAN: the next cursor and the names it found.
fn step(node: &Node, cursor: u64, pattern: &[u8]) -> Result<(u64, Vec<Vec<u8>>)> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(BATCH);
    let answer = node.request(&[&scan])?.into_iter().next().unwrap_or(Value::Nil);
    let Value::Array(parts) = &answer else { return Err(unexpected(&answer)) };
    let [Value::BulkString(next), Value::Array(names)] = &parts[..] else {
        return Err(unexpected(&answer));
    };
    let next = std::str::from_utf8(next).ok().and_then(|text| text.parse().ok());
    let names = names.iter().filter_map(|name| match name {
        Value::BulkString(name) => Some(name.clone()),
        _ => None,
    });
    Ok((next.unwrap_or(0), names.collect()))
}

/// All steps of all nodes.
fn walk(nodes: &[Arc<Node>], pattern: &[u8], each: OnNames<'_>) -> Result<()> {
    for node in nodes {
        let mut cursor = 0;
        loop {
            let (next, names) = step(node, cursor, pattern)?;
            if !each(node, names)? {
                return Ok(());
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    Ok(())
}

impl Redis {
    /// Hands all keys with a prefix to `each`, some more than once.
    pub(super) fn sweep_entries(&self, prefix: &[u8], each: Each<'_>) -> Result<()> {
        let pattern = self.names.entries_like(prefix);
        walk(&self.server.masters()?, &pattern, &mut |_, names| {
            let keys: Vec<&[u8]> =
                names.iter().filter_map(|name| self.names.key_of(name)).collect();
            if !keys.is_empty() {
                each(&keys)?;
            }
            Ok(true)
        })
    }

    /// Forgets all tags: what carried them is gone, or becomes a miss.
    pub(super) fn sweep_tags(&self) -> Result<()> {
        walk(&self.server.masters()?, &self.names.all_tags(), &mut |_, names| {
            let requests: Vec<_> = names
                .iter()
                .map(|name| {
                    let mut unlink = redis::cmd("UNLINK");
                    unlink.arg(name);
                    self.server.on(name, unlink)
                })
                .collect();
            self.server.run(&requests)?.iter().try_for_each(done)?;
            Ok(true)
        })
    }

    /// Removes entries whose tags were invalidated; the server itself removes
    /// what is expired.
    pub(super) fn sweep_dead(&self) -> Result<u64> {
        let mut n = 0;
        self.sweep_entries(b"", &mut |keys| {
            let live = self.heads(keys)?;
            let dead: Vec<&[u8]> = keys
                .iter()
                .zip(live)
                .filter(|(_, live)| live.is_none())
                .map(|(key, _)| *key)
                .collect();
            // Also what is foreign or damaged looks dead from its head: the
            // first is left alone, the second is `check`'s to judge.
            for key in dead {
                if let Ok(Found::Dead(bytes)) = self.look(key) {
                    n += u64::from(self.remove_if(key, &bytes)?);
                }
            }
            Ok(())
        })?;
        Ok(n)
    }

    fn remove_if(&self, key: &[u8], bytes: &[u8]) -> Result<bool> {
        let name = self.names.entry(key);
        let mut remove = write::script(write::REMOVE, &name);
        remove.arg(bytes);
        match self.server.one(self.server.on(&name, remove))? {
            Value::Int(n) => Ok(n > 0),
            other => Err(unexpected(&other)),
        }
    }

    /// Verifies every entry.
    pub(super) fn sweep_check(&self, repair: bool) -> Result<Map<String, Json>> {
        let (mut entries, mut bad, mut foreign) = (0u64, 0u64, 0u64);
        self.sweep_entries(b"", &mut |keys| {
            for key in keys {
                match self.look(key) {
                    Ok(Found::Live(_)) => entries += 1,
                    Ok(Found::Damaged(bytes)) => {
                        (entries, bad) = (entries + 1, bad + 1);
                        if repair {
                            self.drop_damaged(key, &bytes)?;
                        }
                    }
                    Ok(Found::Missing | Found::Dead(_)) => {}
                    Err(error) if error.code() == crate::base::error::Code::Unavailable => {
                        return Err(error);
                    }
                    Err(_) => foreign += 1,
                }
            }
            Ok(())
        })?;
        Ok(words([("entries", entries.into()), ("bad", bad.into()), ("foreign", foreign.into())]))
    }

    /// One batch of a scan. A rehash of the server's table makes SCAN repeat
    /// itself, so the state remembers hashes of what it has handed out.
    pub(super) fn scan_batch(
        &self,
        prefix: &[u8],
        state: &mut ScanState,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<()> {
        let nodes = self.server.masters()?;
        let Some(node) = nodes.get(state.part) else {
            state.done = true;
            return Ok(());
        };
        let (next, names) = step(node, state.place as u64, &self.names.entries_like(prefix))?;
        let keys: Vec<&[u8]> = names.iter().filter_map(|name| self.names.key_of(name)).collect();
        let ours = self.heads(&keys)?;
        let hasher = foldhash::quality::FixedState::default();
        for (key, live) in keys.into_iter().zip(ours) {
            if live.is_some() && state.seen.insert(hasher.hash_one(key)) {
                out.push(key.to_vec());
            }
        }
        state.place = next as usize;
        if next == 0 {
            state.part += 1;
            state.done = state.part == nodes.len();
        }
        Ok(())
    }

    /// Counts the namespace's keys for as long as a call may take; where that
    /// is not enough, what was counted stands for the part that was walked.
    pub(super) fn count_names(&self) -> Result<u64> {
        let end = Instant::now() + self.timeout;
        let mut n = 0;
        walk(&self.server.masters()?, &self.names.entries_like(b""), &mut |_, names| {
            n += names.len() as u64;
            Ok(Instant::now() < end)
        })?;
        Ok(n)
    }

    /// What each node says of itself.
    pub(super) fn server_info(&self) -> Result<Vec<Json>> {
        let info: Cmd = redis::cmd("INFO");
        self.server
            .masters()?
            .iter()
            .map(|node| {
                let answer = node.request(&[&info])?.into_iter().next().unwrap_or(Value::Nil);
                let text = match &answer {
                    Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    other => return Err(unexpected(other)),
                };
                let field = |name: &str| {
                    text.lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                        .map(str::to_owned)
                };
                let number = |name| field(name).and_then(|text| text.parse::<u64>().ok());
                let mut words = json!({
                    "address": node.address.to_string(),
                    "version": field("valkey_version").or_else(|| field("redis_version")),
                    "used_memory": number("used_memory"),
                    "maxmemory": number("maxmemory"),
                    "maxmemory_policy": field("maxmemory_policy"),
                    "connected_clients": number("connected_clients"),
                    "evicted_keys": number("evicted_keys"),
                });
                if let Some(trouble) = node.trouble() {
                    words["trouble"] = trouble.into();
                }
                Ok(words)
            })
            .collect()
    }
}
