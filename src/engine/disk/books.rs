//! A write: one transaction with the store's books, which always balance.

use super::Disk;
use super::keys;
use super::record::other_format;
use super::row::{self, Row};
use super::shared::{Policy, Shared};
use super::totals::{Reading, Totals};
use crate::base::clock;
use crate::base::error::{Code, Error, Result};
use crate::files::blobs::BlobId;
use crate::lmdb::txn::{MAIN, WriteTxn};
use std::sync::atomic::Ordering;

/// An open write transaction. Everything it counted or wants unlinked takes
/// effect only if it commits.
pub struct Writer<'d> {
    pub shared: &'d Shared,
    pub txn: WriteTxn<'d>,
    pub totals: Totals,
    pub now: u64,
    pub unlink: Vec<BlobId>,
    pub evictions: u64,
    pub expirations: u64,
    pub corrupt: u64,
    /// A damaged entry was removed: what the totals had counted it as is unknown.
    pub recount: bool,
    changed: bool,
    /// Buckets of keys whose entries changed, and the keys' hashes: one more
    /// than can be listed where there are more.
    buckets: u64,
    hashes: Vec<u64>,
}

/// How often a write that met a full map is tried again after making room.
const ROUNDS: u32 = 10;

impl Disk {
    /// Runs `body` in a write transaction and commits it if it says true.
    /// Where the map is full it makes room and runs `body` again.
    pub(super) fn write<T>(
        &self,
        mut body: impl FnMut(&mut Writer<'_>) -> Result<(T, bool)>,
    ) -> Result<T> {
        self.relieve_pressure()?;
        for round in 0.. {
            let mut writer = self.begin()?;
            let map_full = match body(&mut writer) {
                Ok((result, false)) => return Ok(result),
                Ok((result, true)) => match writer.commit() {
                    (Ok(()), _) => return Ok(result),
                    (Err(_), true) if round < ROUNDS => true,
                    (Err(error), _) => return Err(error),
                },
                Err(error) => {
                    let map_full = writer.txn.map_full();
                    if !map_full || round >= ROUNDS {
                        return Err(error);
                    }
                    drop(writer);
                    map_full
                }
            };
            if map_full && !self.make_way(round)? {
                return Err(Error::new(
                    Code::Full,
                    format!("the store in {} is full and has nothing to evict", self.dir()),
                ));
            }
        }
        Err(Error::new(Code::Full, "the store is full"))
    }

    pub(super) fn begin(&self) -> Result<Writer<'_>> {
        if self.env.options().read_only {
            return Err(Error::new(
                Code::Unsupported,
                format!("the store in {} is open read-only", self.dir()),
            ));
        }
        let txn = self.env.write()?;
        let stored = txn.get(MAIN, Totals::KEY)?.map(Totals::read);
        let totals = match stored {
            Some(Reading::Ours(totals)) => Some(totals),
            // Another process has just made it one of another format.
            Some(Reading::Other(format)) => return Err(other_format(self.env.dir(), format)),
            Some(Reading::Damaged) | None => None,
        };
        let mut writer = Writer {
            shared: &self.shared,
            txn,
            totals: totals.unwrap_or_default(),
            now: clock::unix_ms(),
            unlink: Vec::new(),
            evictions: 0,
            expirations: 0,
            corrupt: 0,
            recount: false,
            changed: false,
            buckets: 0,
            hashes: Vec::new(),
        };
        if totals.is_none() {
            self.make_totals(&mut writer, stored.is_some())?;
        }
        Ok(writer)
    }

    pub(super) fn dir(&self) -> std::path::Display<'_> {
        self.env.dir().display()
    }
}

impl Writer<'_> {
    /// The policy in force: the last opener's.
    pub fn policy(&self) -> Policy {
        Policy::from_number(self.totals.policy)
    }

    /// The next sequence number.
    pub fn next(&mut self) -> u64 {
        self.totals.sequence += 1;
        self.changed = true;
        self.totals.sequence
    }

    /// Counts an entry in or out, in the store's and its namespace's figures.
    pub fn account(&mut self, stored: &[u8], entries: i64, bytes: i64) -> Result<()> {
        self.totals.entries = self.totals.entries.saturating_add_signed(entries);
        self.totals.bytes = self.totals.bytes.saturating_add_signed(bytes);
        self.changed = true;
        self.note_change(stored);
        let key = row::namespace_key(row::namespace_of(stored));
        let (n, b) = row::namespace_figures(self.txn.get(MAIN, &key)?);
        let (n, b) = (n.saturating_add_signed(entries), b.saturating_add_signed(bytes));
        if n == 0 {
            return self.txn.del(MAIN, &key).map(drop);
        }
        let mut figures = [0; 16];
        figures[..8].copy_from_slice(&n.to_le_bytes());
        figures[8..].copy_from_slice(&b.to_le_bytes());
        self.txn.put(MAIN, &key, &figures)
    }

    /// Notes that the entry of a stored key is another one, or gone: copies of
    /// it elsewhere are no longer current.
    pub fn note_change(&mut self, stored: &[u8]) {
        let Some(place) = keys::place_of(stored) else { return self.note_changes() };
        self.buckets |= 1 << place.bucket;
        if self.hashes.len() <= row::RECENT && self.hashes.last() != Some(&place.hash) {
            self.hashes.push(place.hash);
        }
    }

    /// Notes that any entry may be another one, or gone.
    pub fn note_changes(&mut self) {
        self.buckets = u64::MAX;
        self.hashes.resize(row::RECENT + 1, 0);
    }

    /// Writes this transaction into the change table.
    fn write_changes(&mut self) -> Result<()> {
        if self.buckets == 0 {
            return Ok(());
        }
        let hashes = (self.hashes.len() <= row::RECENT).then_some(&self.hashes[..]);
        let before = self.txn.get(MAIN, row::CHANGES)?;
        let table = row::changed(before, self.txn.id(), self.buckets, hashes);
        self.txn.put(MAIN, row::CHANGES, &table)
    }

    /// The row of a stored key.
    pub fn row(&self, stored: &[u8]) -> Result<Option<Row>> {
        Ok(self.txn.get(self.shared.db.entries, stored)?.map(|bytes| Row::of(stored, bytes)))
    }

    /// Removes an entry whose row was just read. Its rows in the order and
    /// expiry queues stay and are skipped as stale where they are met.
    pub fn remove(&mut self, stored: &[u8], row: &Row) -> Result<()> {
        self.txn.del(self.shared.db.entries, stored)?;
        self.drop_blob(row)?;
        self.recount |= row.damaged;
        self.account(stored, -1, -signed(row.cost))
    }

    /// Forgets the blob of a row that goes or is replaced.
    pub fn drop_blob(&mut self, row: &Row) -> Result<()> {
        if let Some(blob) = row.blob {
            self.txn.del(self.shared.db.blobs, &blob.id)?;
            self.unlink.push(blob.id);
        }
        Ok(())
    }

    /// Marks the books as changed.
    pub fn touch_books(&mut self) {
        self.changed = true;
    }

    /// Commits; also tells whether the map was full.
    pub fn commit(mut self) -> (Result<()>, bool) {
        if self.recount
            && let Err(error) = self.count_anew()
        {
            return (Err(error), self.txn.map_full());
        }
        let books = match self.changed {
            true => self.txn.put(MAIN, Totals::KEY, &self.totals.encode()),
            false => Ok(()),
        };
        if let Err(error) = books.and_then(|()| self.write_changes()) {
            return (Err(error), self.txn.map_full());
        }
        let txn = self.txn.id();
        let (result, map_full) = self.txn.commit();
        if result.is_ok() {
            self.shared.settings.see(&self.totals, txn);
            self.shared.unsynced.store(true, Ordering::Release);
            self.unlink.iter().for_each(|id| self.shared.blobs.unlink(id));
            self.shared.evictions.fetch_add(self.evictions, Ordering::Relaxed);
            self.shared.expirations.fetch_add(self.expirations, Ordering::Relaxed);
            self.shared.corrupt.fetch_add(self.corrupt, Ordering::Relaxed);
        }
        (result, map_full)
    }
}

/// A weight as a difference; weights beyond i64 are refused at the door.
pub fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
