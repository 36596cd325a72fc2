//! Reading: entries are fetched, judged (checksums, then the tags they were
//! stored under), and what is damaged is removed.

use super::Redis;
use super::entry::{self, HEAD, Raw, Tagged, Versions, done, foreign, raw, tags_of, unexpected};
use super::resp::Value;
use super::write::{REMOVE, script};
use crate::base::error::{Code, Result};
use crate::engine::Entry;
use crate::format::compress;
use crate::format::envelope::{self, Envelope, Refused};
use crate::mem::value::Value as Bytes;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering;

/// An entry as it was fetched.
pub(super) enum Found {
    Missing,
    /// It carries a tag that was invalidated since.
    Dead(Vec<u8>),
    /// It is ours and damaged.
    Damaged(Vec<u8>),
    Live(Vec<u8>),
}

impl Redis {
    pub(super) fn fetch(&self, keys: &[&[u8]]) -> Result<Vec<Raw>> {
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
    pub(super) fn judge(&self, keys: &[&[u8]], fetched: Vec<Raw>) -> Result<Vec<Found>> {
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

    pub(super) fn judge_tags(&self, keys: &[&[u8]], judged: &mut [Found]) -> Result<()> {
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
    pub(super) fn values(&self, keys: &[&[u8]], judged: Vec<Found>) -> Result<Vec<Option<Bytes>>> {
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

    pub(super) fn drop_damaged(&self, key: &[u8], bytes: &[u8]) -> Result<()> {
        self.corrupt.fetch_add(1, Ordering::Relaxed);
        let name = self.names.entry(key);
        let mut remove = script(REMOVE, &name);
        remove.arg(bytes);
        done(&self.server.one(self.server.on(&name, remove))?)
    }

    pub(super) fn look(&self, key: &[u8]) -> Result<Found> {
        let judged = self.judge(&[key], self.fetch(&[key])?)?;
        Ok(judged.into_iter().next().unwrap_or(Found::Missing))
    }

    /// Which of these keys hold an entry that would be a hit, told from the
    /// first bytes alone, with its sequence number.
    pub(super) fn heads(&self, keys: &[&[u8]]) -> Result<Vec<Option<u64>>> {
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

    /// Values with all that a tier above must know of them.
    pub(super) fn entries(&self, keys: &[&[u8]]) -> Result<Vec<Option<Entry>>> {
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
}

pub(super) fn value_of(envelope: &Envelope<'_>) -> Result<Bytes> {
    let value =
        compress::decompress(envelope.meta.codec, envelope.payload, envelope.meta.value_len)?;
    Ok(Bytes::copy_of(&value))
}

/// Sequence number and tags of a fetched entry.
pub(super) fn known(key: &[u8], found: &Found) -> (u64, Vec<Vec<u8>>) {
    let Found::Live(bytes) = found else { return Default::default() };
    envelope::decode(bytes, key).map_or_else(
        |_| Default::default(),
        |envelope| {
            let tags = tags_of(envelope.tags).unwrap_or_default();
            (envelope.meta.sequence, tags.into_iter().map(|(tag, _)| tag.to_vec()).collect())
        },
    )
}
