//! Entries whose time is over: never served, swept in instalments by writers.

use super::Disk;
use super::books::Writer;
use super::keys;
use super::row::{self, Row};
use super::shared::TAG_SLACK;
use super::totals::Totals;
use crate::base::error::Result;
use crate::format::envelope;
use crate::lmdb::txn::MAIN;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

/// Rows a put sweeps at the most.
const INSTALMENT: usize = 16;
/// Rows that one transaction of a whole sweep takes.
const BATCH: usize = 512;

impl Disk {
    /// Sweeps a few expired entries, if the first row says there are any.
    pub(super) fn expire_some(&self, writer: &mut Writer<'_>) -> Result<()> {
        self.sweep_expired(writer, INSTALMENT).map(drop)
    }

    /// Takes up to `limit` due rows off the expiry queue; returns how many rows.
    pub(super) fn sweep_expired(&self, writer: &mut Writer<'_>, limit: usize) -> Result<usize> {
        let db = self.shared.db;
        if writer.txn.count(db.expiry)? == 0 {
            return Ok(0);
        }
        let mut due = Vec::new();
        let now = writer.now;
        writer.txn.walk(db.expiry, &[], &mut |key, stored| {
            let past = row::expiry_row(key).is_none_or(|(expires, _)| expires <= now);
            if !past || due.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            due.push((key.to_vec(), stored.to_vec()));
            Ok(ControlFlow::Continue(()))
        })?;
        for (key, stored) in &due {
            writer.txn.del(db.expiry, key)?;
            let Some((expires, sequence)) = row::expiry_row(key) else { continue };
            // Stale rows of entries that were replaced are dropped with it.
            if let Some(row) = writer.row(stored)?
                && (row.damaged || (row.meta.sequence, row.meta.expires) == (sequence, expires))
            {
                writer.remove(stored, &row)?;
                writer.expirations += 1;
            }
        }
        Ok(due.len())
    }

    /// Removes all that is expired or invalidated by a tag.
    pub(super) fn sweep_all(&self) -> Result<u64> {
        let mut removed = 0;
        loop {
            let (rows, n) = self.write(|writer| {
                let rows = self.sweep_expired(writer, BATCH)?;
                writer.touch_books();
                Ok(((rows, writer.expirations), rows > 0))
            })?;
            removed += n;
            if rows < BATCH {
                break;
            }
        }
        Ok(removed + self.sweep_invalidated()?)
    }

    /// Removes the entries of all namespaces whose tags were invalidated.
    fn sweep_invalidated(&self) -> Result<u64> {
        let read = self.env.read()?.get(MAIN, Totals::KEY)?.and_then(Totals::decode);
        let invalidated = read.unwrap_or_default().invalidated;
        if invalidated == 0 {
            return Ok(0);
        }
        let (mut removed, mut from) = (0, Some(Vec::new()));
        while let Some(at) = from.take() {
            let (next, n) = self.write(|writer| self.sweep_tagged(writer, &at))?;
            from = next;
            removed += n;
        }
        self.write(|writer| {
            // Another one may have been invalidated behind our back.
            let swept = writer.totals.invalidated == invalidated;
            if swept {
                writer.totals.invalidated = 0;
                writer.touch_books();
            }
            Ok(((), swept))
        })?;
        Ok(removed)
    }

    /// Drops the versions of tags that no entry carries, where they have become
    /// many since the last time. Versions never come back, so that a tag that
    /// is used again cannot make an old entry valid.
    pub(super) fn sweep_tags(&self, writer: &mut Writer<'_>) -> Result<()> {
        let db = self.shared.db;
        if writer.txn.count(db.tags)? <= self.shared.tags_limit.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (mut used, mut doomed) = (HashSet::new(), Vec::new());
        writer.txn.walk(db.entries, &[], &mut |stored, bytes| {
            if keys::is_record(stored) {
                return Ok(ControlFlow::Break(()));
            }
            if let Ok((_, _, envelope)) = envelope::split(bytes) {
                let namespace = row::namespace_of(stored);
                used.extend(row::tags(envelope.tags).map(|(tag, _)| row::tag_key(namespace, tag)));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        writer.txn.walk(db.tags, &[], &mut |key, _| {
            if !used.contains(key) {
                doomed.push(key.to_vec());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for key in &doomed {
            writer.txn.del(db.tags, key)?;
        }
        self.shared.tags_limit.store(2 * used.len() as u64 + TAG_SLACK, Ordering::Relaxed);
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "where to go on, how many left; whether to commit")]
    fn sweep_tagged(
        &self,
        writer: &mut Writer<'_>,
        from: &[u8],
    ) -> Result<((Option<Vec<u8>>, u64), bool)> {
        let db = self.shared.db;
        let (mut doomed, mut seen, mut next) = (Vec::new(), 0, None);
        writer.txn.walk(db.entries, from, &mut |stored, bytes| {
            if keys::is_record(stored) {
                return Ok(ControlFlow::Break(()));
            }
            if seen == BATCH {
                next = Some(stored.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            seen += 1;
            let Ok((_, _, envelope)) = envelope::split(bytes) else {
                return Ok(ControlFlow::Continue(()));
            };
            let namespace = row::namespace_of(stored);
            for (tag, version) in row::tags(envelope.tags) {
                let key = row::tag_key(namespace, tag);
                let found = writer.txn.get(db.tags, &key)?;
                if found.and_then(|found| row::tag_version(&key, found)) != Some(version) {
                    doomed.push((stored.to_vec(), Row::of(stored, bytes)));
                    break;
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for (stored, row) in &doomed {
            writer.remove(stored, row)?;
        }
        let n = doomed.len() as u64;
        Ok(((next, n), n > 0))
    }
}
