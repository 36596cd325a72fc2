//! Reads: one renewed snapshot, one copy out, nothing written.

use super::keys::StoredKey;
use super::row;
use super::totals::Totals;
use super::{Disk, Entry, Identity};
use crate::base::clock;
use crate::base::error::Result;
use crate::base::stats::EngineStats;
use crate::engine::Changes;
use crate::files::blobs::BlobRef;
use crate::format::compress::{self, decompress};
use crate::format::envelope::{self, Envelope, Refused};
use crate::lmdb::txn::{MAIN, ReadTxn};
use crate::mem::value::Value;
use serde_json::{Map, Value as Json};
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::xxh3_64;

/// What a look-up in a snapshot found.
enum Found<T> {
    Nothing,
    /// An entry that fails its checksum.
    Damaged,
    /// A value inside LMDB.
    Here(T),
    /// A value in a file: its reference, codec and length.
    Blob(BlobRef, u8, u64),
}

/// How often a reader whose blob was just replaced looks again.
const LOOKS: usize = 32;

impl Disk {
    /// What most gets find, without a detour: the value is beside its key and
    /// sound, or the key is not there. `None` leaves the rest to [`Self::find`]
    /// and has not called `copy`.
    #[inline]
    pub(super) fn find_here<T>(
        &self,
        key: &[u8],
        copy: impl FnOnce(&[u8]) -> T,
    ) -> Option<Option<T>> {
        let stored = StoredKey::new(&self.namespace, key);
        let txn = self.env.read_idle()?;
        let Some(bytes) = txn.get(self.shared.db.entries, &stored).ok()? else {
            return Some(None);
        };
        let envelope = envelope::decode(bytes, key).ok()?;
        let meta = &envelope.meta;
        if !self.is_live(&envelope, |key| txn.get(self.shared.db.tags, key)).ok()? {
            return Some(None);
        }
        if meta.flags & envelope::BLOB != 0 {
            return None;
        }
        let value = match meta.codec {
            compress::NONE => copy(envelope.payload),
            codec => copy(&decompress(codec, envelope.payload, meta.value_len).ok()?),
        };
        drop(txn);
        self.note_read(&stored);
        Some(Some(value))
    }

    /// The value of a key, as `copy` makes it from bytes in the snapshot or
    /// `whole` from a value of its own.
    pub(super) fn find<T>(
        &self,
        key: &[u8],
        copy: &mut dyn FnMut(&[u8]) -> T,
        whole: &mut dyn FnMut(Value) -> T,
    ) -> Result<Option<T>> {
        let stored = StoredKey::new(&self.namespace, key);
        self.resolve(
            &stored,
            key,
            whole,
            &mut |envelope| {
                let meta = &envelope.meta;
                if meta.codec == compress::NONE {
                    return Ok(copy(envelope.payload));
                }
                Ok(copy(&decompress(meta.codec, envelope.payload, meta.value_len)?))
            },
            &mut |_, _| {},
        )
    }

    /// Looks a key up until what it finds is certain.
    fn resolve<T>(
        &self,
        stored: &StoredKey,
        key: &[u8],
        whole: &mut dyn FnMut(Value) -> T,
        inline: &mut dyn FnMut(&Envelope<'_>) -> Result<T>,
        seen: &mut impl FnMut(&Envelope<'_>, u64),
    ) -> Result<Option<T>> {
        let mut missing = None;
        for _ in 0..LOOKS {
            let txn = self.env.read()?;
            let found = self.look(&txn, stored, key, inline, seen)?;
            drop(txn);
            let (blob, codec, len) = match found {
                Found::Nothing => return Ok(None),
                Found::Here(value) => {
                    self.note_read(stored);
                    return Ok(Some(value));
                }
                Found::Damaged => {
                    self.remove_damaged(stored, key)?;
                    return Ok(None);
                }
                Found::Blob(blob, codec, len) => (blob, codec, len),
            };
            if let Some(value) = self.blob_value(&blob, codec, len)? {
                self.note_read(stored);
                return Ok(Some(whole(value)));
            }
            // The file is gone or bad. Where the entry was replaced meanwhile a
            // fresh snapshot says so; where it still points there it is lost.
            if missing == Some(blob) {
                self.remove_damaged(stored, key)?;
                return Ok(None);
            }
            missing = Some(blob);
        }
        Ok(None)
    }

    #[inline]
    pub(super) fn note_read(&self, stored: &[u8]) {
        let most = self.shared.settings.policy().most_marks();
        if most > 0 {
            self.shared.mark(stored, most);
        }
    }

    #[inline]
    fn look<T>(
        &self,
        txn: &ReadTxn<'_>,
        stored: &StoredKey,
        key: &[u8],
        inline: &mut dyn FnMut(&Envelope<'_>) -> Result<T>,
        seen: &mut impl FnMut(&Envelope<'_>, u64),
    ) -> Result<Found<T>> {
        let Some(bytes) = txn.get(self.shared.db.entries, stored)? else {
            return Ok(Found::Nothing);
        };
        let envelope = match envelope::decode(bytes, key) {
            Ok(envelope) => envelope,
            Err(Refused::OtherKey) => return Ok(Found::Nothing),
            Err(Refused::Newer(version)) => {
                return match Refused::Newer(version).error() {
                    Some(error) => Err(error),
                    None => Ok(Found::Nothing),
                };
            }
            // Every row of a store of ours is ours: a foreign magic is damage.
            Err(Refused::Corrupt | Refused::Foreign) => return Ok(Found::Damaged),
        };
        if !self.is_live(&envelope, |key| txn.get(self.shared.db.tags, key))? {
            return Ok(Found::Nothing);
        }
        seen(&envelope, txn.id());
        if envelope.meta.flags & envelope::BLOB != 0 {
            return Ok(match row::blob_of(&envelope) {
                Some(blob) => Found::Blob(blob, envelope.meta.codec, envelope.meta.value_len),
                None => Found::Damaged,
            });
        }
        match inline(&envelope) {
            Ok(value) => Ok(Found::Here(value)),
            Err(error) if error.code() == crate::base::error::Code::Corrupt => Ok(Found::Damaged),
            Err(error) => Err(error),
        }
    }

    /// Neither expired nor invalidated by a tag.
    #[inline]
    pub(super) fn is_live<'t>(
        &self,
        envelope: &Envelope<'_>,
        tag_row: impl Fn(&[u8]) -> Result<Option<&'t [u8]>>,
    ) -> Result<bool> {
        if envelope.meta.expires != 0 && envelope.meta.is_expired(clock::unix_ms()) {
            return Ok(false);
        }
        if envelope.tags.is_empty() {
            return Ok(true);
        }
        for (tag, version) in row::tags(envelope.tags) {
            let key = row::tag_key(&self.namespace, tag);
            let now = tag_row(&key)?.and_then(|row| row::tag_version(&key, row));
            if now != Some(version) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Maps, verifies and unpacks a blob; `None` where it is gone or bad.
    pub(super) fn blob_value(&self, blob: &BlobRef, codec: u8, len: u64) -> Result<Option<Value>> {
        let mapped = match self.shared.blobs.map(blob) {
            Ok(Some(mapped)) => mapped,
            Ok(None) => return Ok(None),
            Err(error) if error.code() == crate::base::error::Code::Corrupt => return Ok(None),
            Err(error) => return Err(error),
        };
        if self.verify_always || !self.shared.is_verified(&blob.id) {
            if xxh3_64(&mapped) != blob.sum {
                return Ok(None);
            }
            self.shared.set_verified(&blob.id);
        }
        if codec == compress::NONE {
            return Ok(Some(mapped));
        }
        match decompress(codec, &mapped, len) {
            Ok(value) => Ok(Some(Value::copy_of(&value))),
            Err(error) if error.code() == crate::base::error::Code::Corrupt => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Many keys in one snapshot; what is not inside LMDB one by one.
    pub(super) fn find_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        let mut values = vec![None; keys.len()];
        let mut rest = Vec::new();
        {
            let txn = self.env.read()?;
            for (at, key) in keys.iter().enumerate() {
                let stored = StoredKey::new(&self.namespace, key);
                let mut inline = |envelope: &Envelope<'_>| {
                    let meta = &envelope.meta;
                    let value = decompress(meta.codec, envelope.payload, meta.value_len)?;
                    Ok(Value::copy_of(&value))
                };
                match self.look(&txn, &stored, key, &mut inline, &mut |_, _| {})? {
                    Found::Here(value) => {
                        self.note_read(&stored);
                        values[at] = Some(value);
                    }
                    Found::Nothing => {}
                    Found::Damaged | Found::Blob(..) => rest.push(at),
                }
            }
        }
        for at in rest {
            values[at] = self.find(keys[at], &mut Value::copy_of, &mut |value| value)?;
        }
        Ok(values)
    }

    pub(super) fn has(&self, key: &[u8]) -> Result<bool> {
        let stored = StoredKey::new(&self.namespace, key);
        let mut missing = None;
        for _ in 0..LOOKS {
            let txn = self.env.read()?;
            let found = self.look(&txn, &stored, key, &mut |_| Ok(()), &mut |_, _| {})?;
            drop(txn);
            let blob = match found {
                Found::Here(()) => return Ok(true),
                Found::Nothing | Found::Damaged => return Ok(false),
                Found::Blob(blob, ..) => blob,
            };
            if self.shared.blobs.is_there(&blob) {
                return Ok(true);
            }
            // Gone because it was replaced meanwhile, or lost: a fresh snapshot tells.
            if missing == Some(blob) {
                return Ok(false);
            }
            missing = Some(blob);
        }
        // It was there each time, and each time another one.
        Ok(true)
    }

    pub(super) fn entry_of(&self, key: &[u8]) -> Result<Option<Entry>> {
        let stored = StoredKey::new(&self.namespace, key);
        let (mut sequence, mut version, mut expires, mut tags) = (0, 0, 0, Vec::new());
        let value = self.resolve(
            &stored,
            key,
            &mut |value| value,
            &mut |envelope| {
                let meta = &envelope.meta;
                Ok(Value::copy_of(&decompress(meta.codec, envelope.payload, meta.value_len)?))
            },
            &mut |envelope, snapshot| {
                (sequence, version) = (envelope.meta.sequence, snapshot);
                expires = envelope.meta.expires;
                tags = row::tags(envelope.tags).map(|(tag, _)| tag.to_vec()).collect();
            },
        )?;
        let ttl = NonZeroU64::new(match expires {
            0 => 0,
            expires => expires.saturating_sub(clock::unix_ms()).max(1),
        });
        Ok(value.map(|value| Entry { value, ttl, sequence, version, tags }))
    }

    /// What was changed when.
    pub(super) fn change_table(&self) -> Result<Changes> {
        let txn = self.env.read()?;
        Ok(row::changes(txn.get(MAIN, row::CHANGES)?, txn.id()))
    }

    /// Which entry a key has: a look at its row's header.
    pub(super) fn identity_of(&self, key: &[u8]) -> Result<Identity> {
        let stored = StoredKey::new(&self.namespace, key);
        let txn = self.env.read()?;
        let mut identity = Identity { sequence: None, version: txn.id() };
        if let Some(bytes) = txn.get(self.shared.db.entries, &stored)?
            && let Ok((meta, full_key, envelope)) = envelope::split(bytes)
            && (meta.flags & envelope::HASHED_KEY == 0 || full_key == key)
            && self.is_live(&envelope, |key| txn.get(self.shared.db.tags, key))?
        {
            identity.sequence = Some(meta.sequence);
        }
        Ok(identity)
    }

    /// Removes an entry that failed its checksum, unless it was replaced.
    #[cold]
    fn remove_damaged(&self, stored: &StoredKey, key: &[u8]) -> Result<()> {
        self.shared.corrupt.fetch_add(1, Ordering::Relaxed);
        if self.env.options().read_only {
            return Ok(());
        }
        self.write(|writer| {
            let Some(bytes) = writer.txn.get(self.shared.db.entries, stored)? else {
                return Ok(((), false));
            };
            let sound = match envelope::decode(bytes, key) {
                Err(Refused::Corrupt | Refused::Foreign) => false,
                Err(_) => true,
                Ok(envelope) => match row::blob_of(&envelope) {
                    None => {
                        envelope.meta.flags & envelope::BLOB == 0 && {
                            let meta = &envelope.meta;
                            decompress(meta.codec, envelope.payload, meta.value_len).is_ok()
                        }
                    }
                    Some(blob) => {
                        let meta = &envelope.meta;
                        self.blob_value(&blob, meta.codec, meta.value_len)?.is_some()
                    }
                },
            };
            if sound {
                return Ok(((), false));
            }
            let row = row::Row::of(stored, bytes);
            writer.remove(stored, &row)?;
            Ok(((), true))
        })
    }

    pub(super) fn figures(&self) -> Result<EngineStats> {
        let txn = self.env.read()?;
        let totals = txn.get(MAIN, Totals::KEY)?.and_then(Totals::decode).unwrap_or_default();
        if totals.format != 0 {
            self.shared.settings.see(&totals, txn.id());
        }
        let key = row::namespace_key(&self.namespace);
        let (entries, bytes) = row::namespace_figures(txn.get(MAIN, &key)?);
        let (mut due, now) = (false, clock::unix_ms());
        txn.walk(self.shared.db.expiry, &[], &mut |key, _| {
            due = row::expiry_row(key).is_none_or(|(expires, _)| expires <= now);
            Ok(ControlFlow::Break(()))
        })?;
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        Ok(EngineStats {
            entries,
            bytes,
            evictions: of(&self.shared.evictions),
            expirations: of(&self.shared.expirations),
            corrupt: of(&self.shared.corrupt),
            max_entries: totals.max_entries,
            max_bytes: totals.max_bytes,
            entries_inexact: due || totals.invalidated != 0,
            ..EngineStats::default()
        })
    }

    pub(super) fn describe(&self) -> Map<String, Json> {
        let (major, minor, patch) = crate::lmdb::txn::version();
        let mut words = self.shared.notes.clone();
        words.insert("path".into(), self.env.dir().to_string_lossy().into());
        words.insert("namespace".into(), String::from_utf8_lossy(&self.namespace).into());
        words.insert("lmdb".into(), format!("{major}.{minor}.{patch}").into());
        // The figures below are in the map, which a file that was cut lacks.
        if let Err(lost) = self.env.look() {
            words.insert("lost".into(), lost.text().into());
            return words;
        }
        let info = self.env.info();
        words.insert("readers".into(), info.readers.into());
        words.insert("max_readers".into(), info.max_readers.into());
        words.insert("map_size".into(), info.map_size.into());
        words.insert("file_size".into(), ((info.last_page + 1) * info.page_size).into());
        words.insert("last_transaction".into(), info.last_txn_id.into());
        words.insert("read_only".into(), self.env.options().read_only.into());
        // What cannot be read again is as it was seen last.
        let _ = self.refresh_settings();
        for (name, value) in self.shared.settings.get().named() {
            words.insert(name.into(), value);
        }
        if !self.replaced.is_empty() {
            words.insert("replaced".into(), self.replaced.clone().into());
        }
        if let Ok((entries, bytes, namespaces)) = self.shares() {
            words.insert("store_entries".into(), entries.into());
            words.insert("store_bytes".into(), bytes.into());
            words.insert("namespaces".into(), namespaces.into());
        }
        words
    }

    /// What the books say of the whole store and of its namespaces.
    fn shares(&self) -> Result<(u64, u64, Map<String, Json>)> {
        let txn = self.env.read()?;
        let totals = txn.get(MAIN, Totals::KEY)?.and_then(Totals::decode).unwrap_or_default();
        let (prefix, mut namespaces) = (row::namespace_key(&[]), Map::new());
        txn.walk(MAIN, &prefix, &mut |key, figures| {
            let Some(name) = key.strip_prefix(prefix.as_slice()) else {
                return Ok(ControlFlow::Break(()));
            };
            let (entries, bytes) = row::namespace_figures(Some(figures));
            let figures = serde_json::json!({ "entries": entries, "bytes": bytes });
            namespaces.insert(String::from_utf8_lossy(name).into(), figures);
            Ok(if namespaces.len() < NAMESPACES_SHOWN {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        Ok((totals.entries, totals.bytes, namespaces))
    }
}

/// A folder that many functions share has some; this keeps the words short.
const NAMESPACES_SHOWN: usize = 1000;
