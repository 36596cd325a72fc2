//! Writes: put, delete, touch, counters, tags, clear.

use super::books::{Writer, signed};
use super::keys::{self, StoredKey};
use super::row::{self, Extras, Row};
use super::{Disk, Put, Stored};
use crate::base::error::{Code, Error, Result};
use crate::engine::counter::Counter;
use crate::files::blobs::{BlobRef, Draft};
use crate::format::envelope::{self, BLOB, Envelope, HASHED_KEY, Meta, Refused};
use std::num::NonZeroU64;
use std::ops::ControlFlow;

/// Longest tag.
const MAX_TAG: usize = 60_000;

/// A value on its way in.
pub struct Item<'a> {
    pub key: &'a [u8],
    pub stored: StoredKey,
    pub codec: u8,
    pub value_len: u64,
    pub payload: Payload<'a>,
}

/// Where its bytes are.
pub enum Payload<'a> {
    /// Beside the key.
    Inline(std::borrow::Cow<'a, [u8]>),
    /// In a file that a transaction has yet to name.
    Draft(Draft),
}

impl Payload<'_> {
    fn blob_len(&self) -> Option<u64> {
        match self {
            Payload::Inline(_) => None,
            Payload::Draft(draft) => Some(draft.reference().len),
        }
    }
}

/// When an entry is to go, and what else is said about it.
pub struct Terms<'a> {
    /// Unix ms; 0 is never.
    pub expires: u64,
    pub tags: &'a [&'a [u8]],
    pub cost: u64,
}

/// The time an entry that lives `ttl` from `now` ends.
fn expires(now: u64, ttl: Option<NonZeroU64>) -> u64 {
    ttl.map_or(0, |ttl| now.saturating_add(ttl.get()))
}

impl Disk {
    pub(super) fn put_one(&self, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Stored> {
        let mut item = self.item(key, value)?;
        self.put_item(&mut item, put)
    }

    pub(super) fn put_item(&self, item: &mut Item<'_>, put: &Put<'_>) -> Result<Stored> {
        check_tags(put.tags)?;
        let stored = self.write(|writer| {
            match put.lease {
                Some(seen) if !self.is_as(seen) => return Ok((Stored::Void, false)),
                // Its own word: this may run once more where the map is full.
                Some(_) => {}
                None => self.void_key(&item.stored),
            }
            if put.add && self.is_stored(writer, item)? {
                return Ok((Stored::Exists, false));
            }
            let terms =
                Terms { expires: expires(writer.now, put.ttl), tags: put.tags, cost: put.cost };
            self.store(writer, item, &terms)?;
            Ok((Stored::Stored, true))
        })?;
        if stored == Stored::Stored {
            item.settle();
        }
        Ok(stored)
    }

    pub(super) fn put_all(&self, pairs: &[(&[u8], &[u8])], put: &Put<'_>) -> Result<()> {
        check_tags(put.tags)?;
        let items = pairs.iter().map(|(key, value)| self.item(key, value));
        let mut items = items.collect::<Result<Vec<_>>>()?;
        self.write(|writer| {
            let terms =
                Terms { expires: expires(writer.now, put.ttl), tags: put.tags, cost: put.cost };
            for item in &mut items {
                self.void_key(&item.stored);
                self.store(writer, item, &terms)?;
            }
            Ok(((), true))
        })?;
        items.iter_mut().for_each(Item::settle);
        Ok(())
    }

    fn is_stored(&self, writer: &Writer<'_>, item: &Item<'_>) -> Result<bool> {
        let Some(bytes) = writer.txn.get(self.shared.db.entries, &item.stored)? else {
            return Ok(false);
        };
        let Some(envelope) = readable(bytes, item.key)? else { return Ok(false) };
        let there = |blob| self.shared.blobs.is_there(&blob);
        Ok(self.is_live(&envelope, |key| writer.txn.get(self.shared.db.tags, key))?
            && row::blob_of(&envelope).is_none_or(there))
    }

    /// Puts an item into the transaction: makes room, then entry, order, expiry.
    fn store(&self, writer: &mut Writer<'_>, item: &mut Item<'_>, terms: &Terms<'_>) -> Result<()> {
        let stored = &*item.stored;
        let old = writer.row(stored)?;
        let mut extras = Extras::default();
        extras.cost(terms.cost);
        if !terms.tags.is_empty() {
            self.sweep_tags(writer)?;
        }
        for tag in terms.tags {
            let version = self.tag_version(writer, tag)?;
            extras.tag(tag, version);
        }
        let keeps = old.as_ref().is_some_and(|old| self.keeps_place(writer, old));
        let mut largest = extras.clone();
        if let Some(old) = old.as_ref().filter(|_| keeps) {
            largest.place(old.place);
        }
        let (cost, old_cost) =
            (item.cost(&largest, terms.expires), old.as_ref().map_or(0, |old| old.cost));
        self.check_size(writer, item.row_len(&largest, terms.expires), cost)?;
        self.expire_some(writer)?;
        self.make_room(writer, stored, cost, old_cost, old.is_none())?;
        // Making room may have swept the old entry itself, and its place.
        let old = writer.row(stored)?;
        let kept = old.as_ref().filter(|_| keeps).map(|old| old.place);
        if kept.is_some() {
            extras = largest;
        }
        let sequence = writer.next();
        let meta = item.meta(sequence, terms.expires);
        self.write_entry(writer, item, &meta, &extras)?;
        if let Some(old) = &old {
            writer.drop_blob(old)?;
            writer.recount |= old.damaged;
        }
        let cost = signed(item.cost(&extras, terms.expires))
            - old.as_ref().map_or(0, |old| signed(old.cost));
        writer.account(&item.stored, i64::from(old.is_none()), cost)?;
        self.queue(writer, &item.stored, sequence, kept, terms.expires)?;
        if item.payload.blob_len().is_some() {
            self.sweep_some_blobs(writer, sequence)?;
        }
        self.sweep_stale(writer, sequence)
    }

    /// Queues an entry at its end, and where it has not kept its place, at the
    /// end of the order.
    fn queue(
        &self,
        writer: &mut Writer<'_>,
        stored: &[u8],
        sequence: u64,
        kept: Option<u64>,
        expires: u64,
    ) -> Result<()> {
        let db = self.shared.db;
        if kept.is_some() {
            self.note_read(stored);
        } else {
            self.shared.unmark(stored);
            let value = row::order_value(sequence, stored);
            writer.txn.append(db.order, &sequence.to_be_bytes(), &value)?;
        }
        if expires != 0 {
            writer.txn.put(db.expiry, &row::expiry_key(expires, sequence), stored)?;
        }
        Ok(())
    }

    fn write_entry(
        &self,
        writer: &mut Writer<'_>,
        item: &mut Item<'_>,
        meta: &Meta,
        extras: &Extras,
    ) -> Result<()> {
        let reference;
        let payload = match &mut item.payload {
            Payload::Inline(bytes) => &**bytes,
            Payload::Draft(draft) => {
                let blob = self.shared.blobs.publish(draft)?;
                reference = blob.encode();
                writer.txn.put(self.shared.db.blobs, &blob.id, &blob.len.to_le_bytes())?;
                &reference
            }
        };
        let len = envelope::encoded_len(meta, item.key, extras.bytes(), payload.len());
        writer.note_change(&item.stored);
        writer.txn.put_with(self.shared.db.entries, &item.stored, len, |out| {
            envelope::encode_into(out, meta, item.key, extras.bytes(), payload);
        })
    }

    fn check_size(&self, writer: &Writer<'_>, row: usize, cost: u64) -> Result<()> {
        let bound = writer.totals.max_bytes;
        if bound != 0 && cost > bound {
            return Err(Error::new(
                Code::TooLarge,
                format!("value: with key and overhead it weighs {cost}, max_bytes is {bound}"),
            ));
        }
        let (row, map) = (row as u64, self.env.info().map_size);
        if row > map / 8 || i64::try_from(cost).is_err() {
            return Err(Error::new(
                Code::TooLarge,
                format!("value: its row takes {row} bytes, map_size {map} allows {}", map / 8),
            ));
        }
        Ok(())
    }

    pub(super) fn delete_keys(&self, keys: &[&[u8]]) -> Result<u64> {
        self.write(|writer| {
            let (mut deleted, mut removed) = (0, 0);
            for key in keys {
                let stored = StoredKey::new(&self.namespace, key);
                // Also where there is no entry: one may be on its way.
                self.void_key(&stored);
                let Some(bytes) = writer.txn.get(self.shared.db.entries, &stored)? else {
                    continue;
                };
                let there = match envelope::decode(bytes, key) {
                    Ok(envelope) => {
                        self.is_live(&envelope, |key| writer.txn.get(self.shared.db.tags, key))?
                    }
                    Err(Refused::OtherKey | Refused::Newer(_)) => continue,
                    Err(_) => false,
                };
                let row = Row::of(&stored, bytes);
                writer.remove(&stored, &row)?;
                removed += 1;
                deleted += u64::from(there);
            }
            Ok((deleted, removed > 0))
        })
    }

    pub(super) fn touch_one(&self, key: &[u8], ttl: Option<NonZeroU64>) -> Result<bool> {
        let stored = StoredKey::new(&self.namespace, key);
        self.write(|writer| {
            let Some(bytes) = writer.txn.get(self.shared.db.entries, &stored)? else {
                return Ok((false, false));
            };
            let Some(envelope) = readable(bytes, key)? else { return Ok((false, false)) };
            if !self.is_live(&envelope, |key| writer.txn.get(self.shared.db.tags, key))? {
                return Ok((false, false));
            }
            let old = Row::of(&stored, bytes);
            let mut extras = Extras::default();
            extras.inherit(envelope.tags);
            extras.place(old.place);
            let (payload, meta) = (envelope.payload.to_vec(), envelope.meta);
            let sequence = writer.next();
            let meta = Meta { sequence, expires: expires(writer.now, ttl), ..meta };
            self.rewrite(writer, key, &stored, &old, &meta, &extras, &payload)?;
            self.note_read(&stored);
            Ok((true, true))
        })
    }

    /// Replaces an entry by itself under a new sequence number, in its place of
    /// the order queue.
    #[expect(clippy::too_many_arguments, reason = "the parts of one entry")]
    fn rewrite(
        &self,
        writer: &mut Writer<'_>,
        key: &[u8],
        stored: &[u8],
        old: &Row,
        meta: &Meta,
        extras: &Extras,
        payload: &[u8],
    ) -> Result<()> {
        let db = self.shared.db;
        let len = envelope::encoded_len(meta, key, extras.bytes(), payload.len());
        writer.note_change(stored);
        writer.txn.put_with(db.entries, stored, len, |out| {
            envelope::encode_into(out, meta, key, extras.bytes(), payload);
        })?;
        let blob_len = old.blob.map(|blob| blob.len);
        let cost = row::cost(stored.len(), len, blob_len, extras.bytes());
        writer.account(stored, 0, signed(cost) - signed(old.cost))?;
        if old.meta.expires != 0 {
            writer.txn.del(db.expiry, &row::expiry_key(old.meta.expires, old.meta.sequence))?;
        }
        if meta.expires != 0 {
            writer.txn.put(db.expiry, &row::expiry_key(meta.expires, meta.sequence), stored)?;
        }
        Ok(())
    }

    pub(super) fn add_to(
        &self,
        key: &[u8],
        delta: i64,
        initial: i64,
        ttl: Option<NonZeroU64>,
    ) -> Result<i64> {
        self.write(|writer| {
            let mut item = self.item_inline(key, Vec::new());
            self.void_key(&item.stored);
            let mut found = None;
            if let Some(bytes) = writer.txn.get(self.shared.db.entries, &item.stored)?
                && let Some(envelope) = readable(bytes, key)?
                && self.is_live(&envelope, |key| writer.txn.get(self.shared.db.tags, key))?
                // A value file that is lost makes the entry a miss, as for a get.
                && let Some(value) = self.payload_of(&envelope)?
            {
                let sum = Counter::next(Some(&value), delta, initial)?;
                let mut extras = Extras::default();
                extras.inherit(envelope.tags);
                let grows = sum.encode().len().saturating_sub(envelope.payload.len());
                found = Some((sum, envelope.meta, extras, Row::of(&item.stored, bytes), grows));
            }
            let sum = match &found {
                Some((sum, ..)) => *sum,
                None => Counter::next(None, delta, initial)?,
            };
            let value = sum.encode();
            if let Some((.., old, grows)) = &mut found
                && *grows > 0
                && old.blob.is_none()
            {
                let cost = old.cost.saturating_add(*grows as u64);
                self.make_room(writer, &item.stored, cost, old.cost, false)?;
                // Its place may have been moved meanwhile.
                match writer.row(&item.stored)? {
                    Some(row) => *old = row,
                    None => found = None,
                }
            }
            match found {
                Some((_, meta, mut extras, old, _)) if old.blob.is_none() => {
                    extras.place(old.place);
                    let (sequence, value_len) = (writer.next(), value.len() as u64);
                    let meta =
                        Meta { sequence, codec: crate::format::compress::NONE, value_len, ..meta };
                    self.rewrite(writer, key, &item.stored, &old, &meta, &extras, &value)?;
                    self.note_read(&item.stored);
                }
                found => {
                    let section = found.as_ref().map_or(&[][..], |found| found.2.bytes());
                    let tags: Vec<_> = row::tags(section).map(|(tag, _)| tag).collect();
                    let cost = row::given_cost(section);
                    let expires =
                        found.as_ref().map_or(expires(writer.now, ttl), |found| found.1.expires);
                    item = self.item_inline(key, value);
                    self.store(writer, &mut item, &Terms { expires, tags: &tags, cost })?;
                }
            }
            Ok((sum.value, true))
        })
    }

    /// The version of a tag; one that is new gets the next sequence number, so
    /// that no version ever comes back.
    fn tag_version(&self, writer: &mut Writer<'_>, tag: &[u8]) -> Result<u64> {
        let key = row::tag_key(&self.namespace, tag);
        let found = writer.txn.get(self.shared.db.tags, &key)?;
        if let Some(version) = found.and_then(|found| row::tag_version(&key, found)) {
            return Ok(version);
        }
        let version = writer.next();
        writer.txn.put(self.shared.db.tags, &key, &row::tag_value(&key, version))?;
        Ok(version)
    }

    pub(super) fn raise_tag(&self, tag: &[u8]) -> Result<bool> {
        let key = row::tag_key(&self.namespace, tag);
        self.write(|writer| {
            self.void_namespace();
            if writer.txn.get(self.shared.db.tags, &key)?.is_none() {
                return Ok((false, false));
            }
            let version = writer.next();
            writer.totals.invalidated = version;
            writer.note_changes();
            writer.txn.put(self.shared.db.tags, &key, &row::tag_value(&key, version))?;
            Ok((true, true))
        })
    }

    /// Removes what this namespace holds now. Entries set while it runs stay.
    pub(super) fn clear_namespace(&self) -> Result<()> {
        let last = self.write(|writer| {
            self.void_namespace();
            let key = row::namespace_key(&self.namespace);
            let (entries, _) =
                row::namespace_figures(writer.txn.get(crate::lmdb::txn::MAIN, &key)?);
            if entries < writer.totals.entries {
                return Ok((Some(writer.totals.sequence), false));
            }
            self.clear_all(writer)?;
            Ok((None, true))
        })?;
        let Some(last) = last else { return Ok(()) };
        self.remove_range(b"", last)?;
        Ok(())
    }

    /// Everything is this namespace's: databases are emptied page by page.
    pub(super) fn clear_all(&self, writer: &mut Writer<'_>) -> Result<()> {
        let db = self.shared.db;
        let mut blobs: Vec<crate::files::blobs::BlobId> = Vec::new();
        writer.txn.walk(db.blobs, &[], &mut |id, _| {
            blobs.extend(id.first_chunk());
            Ok(ControlFlow::Continue(()))
        })?;
        // The entries' database last: the names of the others go with it, and
        // come back with the commit because emptying has changed what they name.
        // So do the books; other namespaces have none, since all is this one's.
        for dbi in [db.order, db.expiry, db.tags, db.blobs, db.entries] {
            writer.txn.empty(dbi)?;
        }
        writer.unlink.append(&mut blobs);
        (writer.totals.entries, writer.totals.bytes) = (0, 0);
        writer.totals.invalidated = 0;
        writer.touch_books();
        writer.note_changes();
        Ok(())
    }

    pub(super) fn delete_range(&self, prefix: &[u8]) -> Result<u64> {
        self.remove_range(prefix, u64::MAX)
    }

    /// Removes the entries of this namespace that begin with `prefix` and have
    /// a sequence number up to `last`, some at a time; returns how many were
    /// live.
    fn remove_range(&self, prefix: &[u8], last: u64) -> Result<u64> {
        let mut live = 0;
        for kind in [keys::REAL, keys::HASHED] {
            let mut start = keys::range(kind, &self.namespace);
            if kind == keys::REAL {
                start.extend_from_slice(prefix);
            }
            if start.len() > keys::MAX_STORED {
                continue;
            }
            let range = start.clone();
            let mut from = Some(start);
            while let Some(at) = from.take() {
                let (next, n) =
                    self.write(|writer| self.remove_batch(writer, &range, &at, prefix, last))?;
                from = next;
                live += n;
            }
        }
        Ok(live)
    }

    #[expect(clippy::type_complexity, reason = "where to go on, how many left; whether to commit")]
    fn remove_batch(
        &self,
        writer: &mut Writer<'_>,
        range: &[u8],
        from: &[u8],
        prefix: &[u8],
        last: u64,
    ) -> Result<((Option<Vec<u8>>, u64), bool)> {
        const BATCH: usize = 256;
        self.void_namespace();
        let (mut doomed, mut seen, mut next, mut live) = (Vec::new(), 0, None, 0);
        writer.txn.walk(self.shared.db.entries, from, &mut |stored, bytes| {
            if !stored.starts_with(range) {
                return Ok(ControlFlow::Break(()));
            }
            if seen == BATCH {
                next = Some(stored.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            seen += 1;
            let hashed = stored[0] == keys::HASHED;
            match envelope::split(bytes) {
                Ok((meta, key, envelope)) => {
                    if meta.sequence <= last && (!hashed || key.starts_with(prefix)) {
                        let tags = self.shared.db.tags;
                        live += u64::from(self.is_live(&envelope, |k| writer.txn.get(tags, k))?);
                        doomed.push((stored.to_vec(), Row::of(stored, bytes)));
                    }
                }
                Err(_) => doomed.push((stored.to_vec(), Row::of(stored, bytes))),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for (stored, row) in &doomed {
            writer.remove(stored, row)?;
        }
        Ok(((next, live), !doomed.is_empty()))
    }
}

/// The entry of a row, as a get sees it: nothing where it is damaged or another
/// key's, an error where a newer version of the library wrote it. What builds
/// on an entry must not replace one that it cannot read.
fn readable<'r>(bytes: &'r [u8], key: &[u8]) -> Result<Option<Envelope<'r>>> {
    match envelope::decode(bytes, key) {
        Ok(envelope) => Ok(Some(envelope)),
        Err(refused @ Refused::Newer(_)) => refused.error().map_or(Ok(None), Err),
        Err(_) => Ok(None),
    }
}

fn check_tags(tags: &[&[u8]]) -> Result<()> {
    match tags.iter().find(|tag| tag.len() > MAX_TAG) {
        None => Ok(()),
        Some(tag) => Err(Error::arg(format!(
            "tags: expected at most {MAX_TAG} bytes a tag, found: {}",
            tag.len()
        ))),
    }
}

impl Item<'_> {
    fn row_len(&self, extras: &Extras, expires: u64) -> usize {
        let payload = match &self.payload {
            Payload::Inline(bytes) => bytes.len(),
            _ => BlobRef::SIZE,
        };
        envelope::encoded_len(&self.meta(0, expires), self.key, extras.bytes(), payload)
    }

    fn cost(&self, extras: &Extras, expires: u64) -> u64 {
        let row = self.row_len(extras, expires);
        row::cost(self.stored.len(), row, self.payload.blob_len(), extras.bytes())
    }

    fn meta(&self, sequence: u64, expires: u64) -> Meta {
        let mut flags = if self.stored.is_hashed() { HASHED_KEY } else { 0 };
        if !matches!(self.payload, Payload::Inline(_)) {
            flags |= BLOB;
        }
        let value_len = self.value_len;
        Meta { codec: self.codec, flags, sequence, expires, value_len, ..Meta::default() }
    }

    /// The transaction that stored it is committed.
    fn settle(&mut self) {
        if let Payload::Draft(draft) = &mut self.payload {
            draft.keep();
        }
    }
}
