//! Export files: the content of any cache in one file, for a warm start.
//!
//! A MessagePack stream: `["twat-export", 1]`, then for each entry
//! `[key, value, ttl_ms or nil, [tag…]]`, then `nil`, then
//! `[count, XXH3-64 of all bytes before]`.

use super::{Cache, SetOptions, TTL_NEVER};
use crate::base::error::{Code, Error, Result};
use crate::base::os::{largest_file, sync_directory};
use crate::files::names::fresh_name;
use crate::files::{is_in_a_store, not_regular, open_regular};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::num::NonZeroU64;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3Default;

const MAGIC: &str = "twat-export";
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Record(ByteBuf, ByteBuf, Option<u64>, Vec<ByteBuf>);

/// What a file is made of. One type for all of it: the reader is compiled anew
/// for each type that is read.
enum Part {
    Nil,
    Number(u64),
    Text(String),
    Bytes(ByteBuf),
    List(Vec<Part>),
}

/// Lists within lists; a record's tags lie two deep.
const MAX_DEPTH: usize = 4;

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("part of an export file")
    }

    fn visit_unit<E>(self) -> std::result::Result<Part, E> {
        Ok(Part::Nil)
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<Part, E> {
        Ok(Part::Number(number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> std::result::Result<Part, E> {
        u64::try_from(number).map(Part::Number).map_err(|_| E::custom("a negative number"))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Part, E> {
        Ok(Part::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> std::result::Result<Part, E> {
        Ok(Part::Bytes(ByteBuf::from(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> std::result::Result<Part, E> {
        Ok(Part::Bytes(ByteBuf::from(bytes)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Part, A::Error> {
        let mut list = Vec::new();
        while let Some(part) = seq.next_element()? {
            list.push(part);
        }
        Ok(Part::List(list))
    }
}

impl Part {
    fn into_record(self) -> Option<Record> {
        let Part::List(parts) = self else { return None };
        let [key, value, ttl, tags] = <[Part; 4]>::try_from(parts).ok()?;
        let ttl = match ttl {
            Part::Nil => None,
            Part::Number(ms) => Some(ms),
            _ => return None,
        };
        let Part::List(tags) = tags else { return None };
        let tags = tags.into_iter().map(Part::into_bytes).collect::<Option<_>>()?;
        Some(Record(key.into_bytes()?, value.into_bytes()?, ttl, tags))
    }

    fn into_bytes(self) -> Option<ByteBuf> {
        match self {
            Part::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn is_pair_of(&self, n: u64, sum: u64) -> bool {
        matches!(self, Part::List(parts)
            if matches!(parts[..], [Part::Number(a), Part::Number(b)] if (a, b) == (n, sum)))
    }
}

/// A file that refuses what the process may not write: the system would send
/// SIGXFSZ, which ends a program that does not expect it.
struct Limited {
    file: File,
    left: u64,
}

impl Limited {
    fn new(file: File) -> Self {
        Self { file, left: largest_file().unwrap_or(u64::MAX) }
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let n = self.file.write(bytes)?;
        self.left -= n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A stream whose bytes are summed on their way.
struct Summed<S> {
    stream: S,
    sum: Xxh3Default,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.stream.write(bytes)?;
        self.sum.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let n = self.stream.read(bytes)?;
        self.sum.update(&bytes[..n]);
        Ok(n)
    }
}

impl Cache {
    /// Writes every live entry (of this namespace) to a file, which is
    /// replaced as a whole or not at all; returns how many.
    pub fn export(&self, path: &Path) -> Result<u64> {
        // What is not a regular file (a device, a FIFO, a link) must not be replaced.
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => return Err(not_regular(path)),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io("looking at", path, &error));
            }
            _ => {}
        }
        if is_in_a_store(path) {
            let text = "expected a path outside of a store, got one beside its data file";
            return Err(Error::new(Code::Arg, format!("export to {}: {text}", path.display())));
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.tmp", fresh_name()));
        let temporary = Path::new(&name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(temporary)
            .map_err(|error| io("writing", temporary, &error))?;
        let written = self.export_to(file, temporary).and_then(|n| {
            std::fs::rename(temporary, path).map_err(|error| io("renaming to", path, &error))?;
            Ok(n)
        });
        if written.is_err() {
            let _ = std::fs::remove_file(temporary);
        } else {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            sync_directory(parent).map_err(|error| io("syncing", parent, &error))?;
        }
        written
    }

    fn export_to(&self, file: File, path: &Path) -> Result<u64> {
        let wrong = |error: std::io::Error| io("writing", path, &error);
        let mut to = Summed { stream: BufWriter::new(Limited::new(file)), sum: Xxh3Default::new() };
        put(&mut to, &(MAGIC, VERSION), path)?;
        let mut n = 0u64;
        let mut scan = self.scan(b"")?;
        while let Some(key) = scan.next_key()? {
            let Some(entry) = self.entry(&key)? else { continue };
            let tags = entry.tags.into_iter().map(ByteBuf::from).collect();
            let ttl = entry.ttl.map(NonZeroU64::get);
            let value = ByteBuf::from(entry.value.to_vec());
            put(&mut to, &Some(Record(ByteBuf::from(key), value, ttl, tags)), path)?;
            n += 1;
        }
        put(&mut to, &None::<Record>, path)?;
        let sum = to.sum.digest();
        put(&mut to, &(n, sum), path)?;
        let file = to.stream.into_inner().map_err(|error| wrong(error.into_error()))?;
        file.file.sync_all().map_err(wrong)?;
        Ok(n)
    }

    /// Sets every entry of an export file; returns how many. The file is
    /// verified as a whole before the first entry is set.
    pub fn import(&self, path: &Path) -> Result<u64> {
        // Opened once: another file of this name must not follow the verified one.
        let (mut file, _) = open_regular(path)?;
        walk(&file, path, &mut |_| Ok(()))?;
        file.rewind().map_err(|error| io("reading", path, &error))?;
        walk(&file, path, &mut |Record(key, value, ttl, tags)| {
            let tags: Vec<&[u8]> = tags.iter().map(|tag| &tag[..]).collect();
            let ttl_ms = ttl.unwrap_or(TTL_NEVER);
            let options = SetOptions { ttl_ms, tags: &tags, ..SetOptions::default() };
            self.set_with(&key, &value, &options).map(drop)
        })
    }
}

fn walk(file: &File, path: &Path, each: &mut dyn FnMut(Record) -> Result<()>) -> Result<u64> {
    let mut from = Summed { stream: BufReader::new(file), sum: Xxh3Default::new() };
    let version = match take(&mut from, path)? {
        Part::List(parts) => match &parts[..] {
            [Part::Text(magic), Part::Number(version)] if magic == MAGIC => Some(*version),
            _ => None,
        },
        _ => None,
    };
    let what = "expected an export file of twat-cache, found something else";
    let version = version.ok_or_else(|| bad(path, what))?;
    if version > u64::from(VERSION) {
        let text = format!("{}: expected version {VERSION}, found: {version}", path.display());
        return Err(Error::new(Code::Version, text));
    }
    let mut n = 0u64;
    loop {
        let part = take(&mut from, path)?;
        if matches!(part, Part::Nil) {
            break;
        }
        each(part.into_record().ok_or_else(|| bad(path, "found something else than an entry"))?)?;
        n += 1;
    }
    let sum = from.sum.digest();
    if !take(&mut from, path)?.is_pair_of(n, sum) {
        return Err(bad(path, "its checksum or count is wrong"));
    }
    Ok(n)
}

fn put(to: &mut impl Write, what: &impl Serialize, path: &Path) -> Result<()> {
    use rmp_serde::encode::Error as E;
    rmp_serde::encode::write(to, what).map_err(|error| match error {
        E::InvalidValueWrite(wrong) => io("writing", path, &std::io::Error::from(wrong)),
        other => bad(path, &other.to_string()),
    })
}

fn take(from: &mut impl Read, path: &Path) -> Result<Part> {
    let mut reader = rmp_serde::Deserializer::new(from);
    reader.set_max_depth(MAX_DEPTH);
    Part::deserialize(&mut reader).map_err(|error| bad(path, &error.to_string()))
}

fn io(doing: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::io(format_args!("{doing} {}", path.display()), error)
}

fn bad(path: &Path, what: &str) -> Error {
    Error::new(Code::Corrupt, format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn of_a_cut_or_changed_file_nothing_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let (sound, hurt) = (folder.path().join("sound"), folder.path().join("hurt"));
        let open = || Cache::open(&Config::new("memory").unwrap()).unwrap();
        let cache = open();
        let options = SetOptions { ttl_ms: 60_000, tags: &[b"tag"], ..SetOptions::default() };
        cache.set_with(b"one", b"value", &options).unwrap();
        cache.set(b"two", &[7; 300], TTL_NEVER).unwrap();
        assert_eq!(cache.export(&sound).unwrap(), 2);
        let bytes = std::fs::read(&sound).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            std::fs::write(&hurt, bytes).unwrap();
            let cache = open();
            let error = cache.import(&hurt).expect_err(what);
            assert!(matches!(error.code(), Code::Corrupt | Code::Version), "{what}: {error}");
            assert_eq!(cache.stats().unwrap().engine.entries, 0, "{what}");
        };
        for n in 0..bytes.len() {
            refused(&bytes[..n], &format!("cut to {n}"));
            for bit in [0x01, 0x80] {
                let mut bytes = bytes.clone();
                bytes[n] ^= bit;
                refused(&bytes, &format!("bit {bit} of byte {n}"));
            }
        }
        // Lists in lists, without end.
        refused(&[0x91; 100_000], "too deep");
        assert_eq!(open().import(&sound).unwrap(), 2);
    }
}
