//! Stored bytes as entries: the envelope, and the versions of tags.
//!
//! The tag section is, for each tag, its length (u32, little-endian), the tag,
//! and the 8 bytes that stood under the tag's name when the entry was stored.
//! The entry lives while the same 8 bytes stand there: they are random, so a
//! version that was lost (evicted, or with the whole server) never comes back.

use super::names::Names;
use super::resp::Value;
use super::server::Server;
use super::words::refused;
use crate::base::error::{Code, Error, Result};
use crate::base::os::random;
use crate::format::envelope::{self, Meta, Refused};
use std::collections::HashMap;

/// Bytes of a tag's version.
const VERSION_LEN: usize = 8;
/// How much of an entry is fetched to judge it without its value.
pub const HEAD: usize = 256;

/// A number that no other call, thread, process or machine has drawn.
pub fn unique() -> u64 {
    let mut bytes = [0u8; 8];
    if !random(&mut bytes) {
        // Before the kernel's pool is ready at boot: the clock and the process.
        let seed = (std::time::Instant::now(), std::process::id());
        bytes = foldhash_of(&seed).to_le_bytes();
    }
    u64::from_le_bytes(bytes)
}

fn foldhash_of(what: &impl std::hash::Hash) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::default().hash_one(what)
}

/// What an answer to GET or GETRANGE is.
pub enum Raw {
    /// Nothing is stored.
    Missing,
    /// Some bytes.
    Bytes(Vec<u8>),
    /// Something of another type than a string.
    OtherType,
}

/// Reads an answer to GET or GETRANGE.
pub fn raw(answer: Value) -> Result<Raw> {
    match answer {
        Value::Nil => Ok(Raw::Missing),
        Value::BulkString(bytes) => Ok(Raw::Bytes(bytes)),
        Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(Raw::OtherType),
        other => Err(unexpected(&other)),
    }
}

/// The error of a direct call on what is not an entry.
pub fn foreign() -> Error {
    Error::new(
        Code::Corrupt,
        "the stored value is not a string that begins with 'TWAT': it was not written by twat-cache",
    )
}

/// An answer that is an error of the server, or not what was asked for.
pub fn unexpected(answer: &Value) -> Error {
    match answer {
        Value::ServerError(refusal) => refused(refusal),
        _ => Error::new(
            Code::Unavailable,
            "redis: expected an answer of the command's kind, got another; a proxy or a server of another \
             kind may be in between",
        ),
    }
}

/// Accepts an answer that says only that it was done.
pub fn done(answer: &Value) -> Result<()> {
    match answer {
        Value::Okay | Value::Int(_) | Value::Nil | Value::SimpleString(_) => Ok(()),
        other => Err(unexpected(other)),
    }
}

/// A tag and the version an entry was stored under.
pub type Tagged<'a> = (&'a [u8], [u8; VERSION_LEN]);

/// Reads a tag section.
pub fn tags_of(mut section: &[u8]) -> Option<Vec<Tagged<'_>>> {
    let mut tags = Vec::new();
    while !section.is_empty() {
        let (length, rest) = section.split_first_chunk::<4>()?;
        let (tag, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (version, rest) = rest.split_first_chunk::<VERSION_LEN>()?;
        tags.push((tag, *version));
        section = rest;
    }
    Some(tags)
}

/// Writes a tag section.
pub fn tag_section(tags: &[Tagged<'_>]) -> Vec<u8> {
    let mut section = Vec::new();
    for (tag, version) in tags {
        section.extend_from_slice(&(tag.len() as u32).to_le_bytes());
        section.extend_from_slice(tag);
        section.extend_from_slice(version);
    }
    section
}

/// Header and tag section of an entry of which at least the first [`HEAD`]
/// bytes were fetched; `None` where the section is longer than that.
pub fn head(bytes: &[u8]) -> std::result::Result<Option<(Meta, &[u8])>, Refused> {
    let head = envelope::header(bytes)?;
    let start = head.len.saturating_add(head.key_len);
    Ok(bytes.get(start..start.saturating_add(head.tags_len)).map(|tags| (head.meta, tags)))
}

/// The versions of tags as they are on the server, asked for once each.
pub struct Versions(HashMap<Vec<u8>, [u8; VERSION_LEN]>);

impl Versions {
    /// Asks for the versions of these tags.
    pub fn ask<'a>(
        server: &Server,
        names: &Names,
        tags: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self> {
        let mut unique: Vec<&[u8]> = tags.collect();
        unique.sort_unstable();
        unique.dedup();
        let requests: Vec<_> = unique
            .iter()
            .map(|tag| {
                let name = names.tag(tag);
                let mut get = redis::cmd("GET");
                get.arg(&name);
                server.on(&name, get)
            })
            .collect();
        let mut found = HashMap::new();
        for (tag, answer) in unique.iter().zip(server.run(&requests)?) {
            if let Raw::Bytes(bytes) = raw(answer)?
                && let Ok(version) = bytes.try_into()
            {
                found.insert(tag.to_vec(), version);
            }
        }
        Ok(Self(found))
    }

    /// Whether an entry with these tags lives.
    pub fn hold(&self, tags: &[Tagged<'_>]) -> bool {
        tags.iter().all(|(tag, version)| self.0.get(*tag) == Some(version))
    }
}

/// Takes part in these tags: their versions, made where there are none.
pub fn join<'a>(server: &Server, names: &Names, tags: &[&'a [u8]]) -> Result<Vec<Tagged<'a>>> {
    let mut requests = Vec::with_capacity(tags.len() * 2);
    for tag in tags {
        let name = names.tag(tag);
        let mut make = redis::cmd("SET");
        make.arg(&name).arg(&unique().to_le_bytes()[..]).arg("NX");
        let mut get = redis::cmd("GET");
        get.arg(&name);
        requests.push(server.on(&name, make));
        requests.push(server.on(&name, get));
    }
    let answers = server.run(&requests)?;
    let mut joined = Vec::with_capacity(tags.len());
    for (tag, pair) in tags.iter().zip(answers.chunks(2)) {
        done(&pair[0])?;
        match &pair[1] {
            Value::BulkString(bytes) if bytes.len() == VERSION_LEN => {
                let mut version = [0; VERSION_LEN];
                version.copy_from_slice(bytes);
                joined.push((*tag, version));
            }
            other => return Err(unexpected(other)),
        }
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_section_is_read_as_it_was_written_and_never_beyond_its_end() {
        let tags: Vec<Tagged<'_>> = vec![(b"one", [1; 8]), (b"", [2; 8]), (b"three", [3; 8])];
        let section = tag_section(&tags);
        assert_eq!(tags_of(&section), Some(tags));
        assert_eq!(tags_of(b""), Some(vec![]));
        let whole = [8 + 4 + 3, 2 * (8 + 4) + 3, section.len()];
        for n in 1..section.len() {
            assert_eq!(tags_of(&section[..n]).is_some(), whole.contains(&n), "{n}");
        }
    }
}
