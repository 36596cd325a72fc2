//! Making room: within the writing transaction, expired entries first, then
//! the order queue from its head, in small batches.

use super::Disk;
use super::books::Writer;
use super::keys;
use super::row::{self, Row};
use super::shared::Policy;
use crate::base::error::{Code, Error, Result};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

/// Rows of the order queue read at a time.
const BATCH: usize = 64;
/// Second chances given while one entry is stored: bounds the work of a put.
const CHANCES: usize = 256;
/// Tries to hit a live row at random before the nearest is taken.
const DRAWS: usize = 64;
/// Stale rows are swept when there are more rows than twice the entries and
/// this many.
const STALE_SLACK: u64 = 1024;
/// So seldom, and so many rows at a time: neighbours share pages, which makes
/// the sweep cheap for each row.
const SWEEP_EVERY: u64 = 64;
const SWEEP_ROWS: usize = 512;
/// Share of the map, in percent, beyond which entries leave whatever the bounds.
const PRESSURE: u64 = 75;

/// A row of the order queue, copied out.
struct Candidate {
    key: Vec<u8>,
    place: u64,
    stored: Vec<u8>,
}

impl Disk {
    /// Evicts until an entry of `cost` fits, that replaces one of `old_cost` or
    /// is new. The entry being written is never a victim.
    pub(super) fn make_room(
        &self,
        writer: &mut Writer<'_>,
        stored: &[u8],
        cost: u64,
        old_cost: u64,
        new: bool,
    ) -> Result<()> {
        let over = |writer: &Writer<'_>| {
            let totals = &writer.totals;
            let bytes = totals.bytes.saturating_add(cost).saturating_sub(old_cost);
            (totals.max_entries != 0 && totals.entries + u64::from(new) > totals.max_entries)
                || (totals.max_bytes != 0 && bytes > totals.max_bytes)
        };
        if !over(writer) {
            return Ok(());
        }
        while over(writer) && self.sweep_expired(writer, BATCH)? > 0 {}
        if over(writer) && writer.policy() == Policy::None {
            return Err(Error::new(
                Code::Full,
                format!(
                    "the store holds {} entries and {} bytes, and policy 'none' evicts nothing",
                    writer.totals.entries, writer.totals.bytes
                ),
            ));
        }
        self.evict_while(writer, stored, over)
    }

    /// Evicts by the store's policy while `over` says so.
    pub(super) fn evict_while(
        &self,
        writer: &mut Writer<'_>,
        spare: &[u8],
        over: impl Fn(&Writer<'_>) -> bool,
    ) -> Result<()> {
        let policy = writer.policy();
        let (mut from, mut chances) = (Vec::new(), CHANCES);
        while over(writer) {
            let batch = match policy {
                Policy::Rr => self.draw_one(writer, spare)?,
                _ => self.head(writer, &from)?,
            };
            if batch.is_empty() {
                return self.evict_unqueued(writer, spare, over);
            }
            for candidate in batch {
                if !over(writer) {
                    return Ok(());
                }
                if candidate.stored == spare {
                    from = [&candidate.key[..], &[0]].concat();
                    continue;
                }
                self.judge(writer, policy, &candidate, &mut chances)?;
            }
        }
        Ok(())
    }

    /// Drops a stale row, gives a second chance, or evicts.
    fn judge(
        &self,
        writer: &mut Writer<'_>,
        policy: Policy,
        candidate: &Candidate,
        chances: &mut usize,
    ) -> Result<()> {
        let order = self.shared.db.order;
        writer.txn.del(order, &candidate.key)?;
        let Some(row) = writer.row(&candidate.stored)? else { return Ok(()) };
        if !row.damaged && row.place != candidate.place {
            return Ok(());
        }
        let reprieve = !row.damaged
            && matches!(policy, Policy::Lru | Policy::Lfu)
            && *chances > 0
            && self.shared.was_read(&candidate.stored, policy);
        if reprieve {
            *chances -= 1;
            let place = writer.next();
            let value = row::order_value(candidate.place, &candidate.stored);
            return writer.txn.append(order, &place.to_be_bytes(), &value);
        }
        writer.remove(&candidate.stored, &row)?;
        writer.evictions += 1;
        Ok(())
    }

    /// The oldest rows of the queue from a key on.
    fn head(&self, writer: &Writer<'_>, from: &[u8]) -> Result<Vec<Candidate>> {
        self.rows(writer, from, BATCH)
    }

    fn rows(&self, writer: &Writer<'_>, from: &[u8], limit: usize) -> Result<Vec<Candidate>> {
        let mut batch = Vec::new();
        writer.txn.walk(self.shared.db.order, from, &mut |key, value| {
            let (place, stored) = row::order_row(value).unwrap_or_default();
            batch.push(Candidate { key: key.to_vec(), place, stored: stored.to_vec() });
            Ok(if batch.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(batch)
    }

    /// A live row at random: places are drawn until one is hit, so that each
    /// row is as likely as any other.
    fn draw_one(&self, writer: &Writer<'_>, spare: &[u8]) -> Result<Vec<Candidate>> {
        let order = self.shared.db.order;
        let first = self.rows(writer, &[], 1)?;
        let place = |key: &[u8]| key.try_into().map_or(0, u64::from_be_bytes);
        let Some(first) = first.first().map(|row| place(&row.key)) else { return Ok(Vec::new()) };
        let last = writer.txn.last(order)?.map_or(first, |(key, _)| place(key));
        let span = last.saturating_sub(first).saturating_add(1);
        let mut drawn = [0; 8];
        for _ in 0..DRAWS {
            drawn = (first + self.shared.draw() % span).to_be_bytes();
            if let Some(value) = writer.txn.get(order, &drawn)?
                && let Some((place, stored)) = row::order_row(value)
                && stored != spare
            {
                let stored = stored.to_vec();
                return Ok(vec![Candidate { key: drawn.to_vec(), place, stored }]);
            }
        }
        let mut near = self.rows(writer, &drawn, 2)?;
        near.retain(|row| row.stored != spare);
        if near.is_empty() {
            near = self.rows(writer, &[], 2)?;
            near.retain(|row| row.stored != spare);
        }
        near.truncate(1);
        Ok(near)
    }

    /// Evicts entries that no row of the queue leads to. A sound store has
    /// none; this keeps the bounds in one that was damaged.
    fn evict_unqueued(
        &self,
        writer: &mut Writer<'_>,
        spare: &[u8],
        over: impl Fn(&Writer<'_>) -> bool,
    ) -> Result<()> {
        while over(writer) {
            let mut found = Vec::new();
            writer.txn.walk(self.shared.db.entries, &[], &mut |stored, bytes| {
                if keys::is_record(stored) {
                    return Ok(ControlFlow::Break(()));
                }
                if stored != spare {
                    found.push((stored.to_vec(), Row::of(stored, bytes)));
                }
                let more = found.len() < BATCH;
                Ok(if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
            if found.is_empty() {
                // Nothing is left: the books were wrong, and are put right.
                if writer.totals.entries > 0 && writer.row(spare)?.is_none() {
                    (writer.totals.entries, writer.totals.bytes) = (0, 0);
                    writer.touch_books();
                }
                return Ok(());
            }
            for (stored, row) in &found {
                if !over(writer) {
                    break;
                }
                writer.remove(stored, row)?;
                writer.evictions += 1;
            }
        }
        Ok(())
    }

    /// Whether an entry that is replaced may keep its place in the order queue,
    /// which spares a row. Fifo counts it as new. The others may, while the
    /// store has room or the place is in the younger half: the marks of a
    /// process say that the entry is in use, but another one may be evicting.
    pub(super) fn keeps_place(&self, writer: &Writer<'_>, old: &Row) -> bool {
        let totals = &writer.totals;
        let bound = match totals.max_bytes {
            0 => self.env.info().map_size / 2,
            bytes => bytes,
        };
        let roomy = totals.bytes < bound / 2
            && (totals.max_entries == 0 || totals.entries < totals.max_entries / 2);
        let age = totals.sequence.saturating_sub(old.place);
        match writer.policy() {
            Policy::Fifo => false,
            Policy::Rr | Policy::None => true,
            Policy::Lru | Policy::Lfu => roomy || age < totals.entries / 2,
        }
    }

    /// Drops stale rows of both queues where they outnumber the entries, some
    /// of them every so many writes.
    pub(super) fn sweep_stale(&self, writer: &mut Writer<'_>, sequence: u64) -> Result<()> {
        if !sequence.is_multiple_of(SWEEP_EVERY) {
            return Ok(());
        }
        let limit = 2 * writer.totals.entries + STALE_SLACK;
        let db = self.shared.db;
        if writer.txn.count(db.order)? > limit {
            self.sweep_stale_order(writer)?;
        }
        if writer.txn.count(db.expiry)? > limit {
            self.sweep_stale_expiry(writer)?;
        }
        Ok(())
    }

    fn sweep_stale_order(&self, writer: &mut Writer<'_>) -> Result<()> {
        let at = self.shared.sweep_at.load(Ordering::Relaxed);
        let batch = self.rows(writer, &at.to_be_bytes(), SWEEP_ROWS)?;
        let next = match batch.last() {
            Some(last) if batch.len() == SWEEP_ROWS => {
                last.key[..].try_into().map_or(0, u64::from_be_bytes).wrapping_add(1)
            }
            _ => 0,
        };
        self.shared.sweep_at.store(next, Ordering::Relaxed);
        for candidate in batch {
            let row = writer.row(&candidate.stored)?;
            if row.is_none_or(|row| !row.damaged && row.place != candidate.place) {
                writer.txn.del(self.shared.db.order, &candidate.key)?;
            }
        }
        Ok(())
    }

    fn sweep_stale_expiry(&self, writer: &mut Writer<'_>) -> Result<()> {
        let expiry = self.shared.db.expiry;
        let from = match writer.txn.last(expiry)? {
            Some((key, _)) => row::expiry_row(key).map_or(0, |(expires, _)| expires),
            None => return Ok(()),
        };
        // Anywhere between now and the last: expiry times are not dense, so a
        // drawn place is as good as any that could be remembered.
        let span = from.saturating_sub(writer.now).saturating_add(1);
        let at = row::expiry_key(writer.now + self.shared.draw() % span, 0);
        let mut batch = Vec::new();
        writer.txn.walk(expiry, &at, &mut |key, stored| {
            batch.push((key.to_vec(), stored.to_vec()));
            let more = batch.len() < SWEEP_ROWS;
            Ok(if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        for (key, stored) in batch {
            let sequence = row::expiry_row(&key).map(|(_, sequence)| sequence);
            let row = writer.row(&stored)?;
            if row.is_none_or(|row| !row.damaged && Some(row.meta.sequence) != sequence) {
                writer.txn.del(expiry, &key)?;
            }
        }
        Ok(())
    }

    /// Evicts ahead of a full map, in a transaction of its own: in a full map
    /// even deleting can fail. The bounds count what entries weigh, not pages.
    pub(super) fn relieve_pressure(&self) -> Result<()> {
        self.env.look()?;
        let info = self.env.info();
        let pages = info.map_size / info.page_size.max(1);
        if info.last_page * 100 < pages * PRESSURE {
            return Ok(());
        }
        // A deletion copies the pages it touches before any is free again.
        let batch = (pages / 32).clamp(1, BATCH as u64);
        for _ in 0..64 {
            let free = self.env.read()?.free_pages()?;
            let used = (self.env.info().last_page + 1).saturating_sub(free);
            if used * 100 < pages * PRESSURE || !self.evict_some(batch)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Evicts after a write met a full map; false where nothing is left.
    pub(super) fn make_way(&self, round: u32) -> Result<bool> {
        self.env.reap();
        self.evict_some((BATCH as u64) << round.min(8))
    }

    fn evict_some(&self, n: u64) -> Result<bool> {
        let mut writer = self.begin()?;
        let (result, map_full) = match self.evict_up_to(&mut writer, n) {
            Ok(false) => return Ok(false),
            Ok(true) => writer.commit(),
            Err(error) => (Err(error), writer.txn.map_full()),
        };
        match result {
            Ok(()) => Ok(true),
            // Too full to delete so many: fewer touch fewer pages.
            Err(_) if map_full && n > 1 => self.evict_some(n / 4),
            Err(error) => Err(error),
        }
    }

    fn evict_up_to(&self, writer: &mut Writer<'_>, n: u64) -> Result<bool> {
        let swept = self.sweep_expired(writer, n as usize)?;
        if swept > 0 || writer.policy() == Policy::None || writer.totals.entries == 0 {
            writer.touch_books();
            return Ok(swept > 0);
        }
        let left = writer.totals.entries.saturating_sub(n);
        self.evict_while(writer, b"", |writer| writer.totals.entries > left)?;
        Ok(true)
    }
}
