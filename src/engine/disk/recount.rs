//! Totals made anew: for a store that has none, or whose row is lost or
//! damaged, and where a damaged entry leaves its weight unknown.

use super::Disk;
use super::books::Writer;
use super::keys;
use super::row::{self, Row};
use super::totals::{FORMAT, MAX_SEQUENCE, Totals};
use crate::base::error::Result;
use crate::lmdb::txn::MAIN;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// How far a store whose last sequence number is lost goes on beyond the
/// highest that it still holds: more than were given to entries and tags that
/// are gone.
const GAP: u64 = 1 << 40;

impl Disk {
    /// Totals for a store without a sound row of them. Everything is counted,
    /// and the sequence goes on beyond all that was ever given, so that no
    /// version of a tag comes back.
    #[cold]
    pub(super) fn make_totals(&self, writer: &mut Writer<'_>, damaged: bool) -> Result<()> {
        let last = writer.last_sequence()?;
        let found = damaged || last.is_some();
        let sequence = match last {
            _ if !found => 0,
            last => (last.unwrap_or(0) + GAP).min(MAX_SEQUENCE - 1),
        };
        let settings = self.shared.settings.get();
        writer.totals = Totals {
            format: FORMAT,
            sequence,
            max_entries: settings.max_entries,
            max_bytes: settings.max_bytes,
            policy: settings.policy,
            compression: settings.compression,
            // Entries may be waiting for a sweep.
            invalidated: sequence,
            ..Totals::default()
        };
        if found {
            writer.count_anew()?;
            writer.note_changes();
            writer.touch_books();
            writer.corrupt += 1;
            // Who is alone with the store next verifies all of it.
            self.env.suspect();
        }
        Ok(())
    }
}

impl Writer<'_> {
    /// The highest sequence number among rows that pass their checksum; none
    /// in a store without entries and tags.
    fn last_sequence(&self) -> Result<Option<u64>> {
        let (db, mut last) = (self.shared.db, None);
        let mut seen = |number: u64| {
            last = last.max(Some(if number < MAX_SEQUENCE { number } else { 0 }));
        };
        self.txn.walk(db.entries, &[], &mut |stored, bytes| {
            if keys::is_record(stored) {
                return Ok(ControlFlow::Break(()));
            }
            let row = Row::verified(stored, bytes);
            seen(row.meta.sequence.max(row.place));
            Ok(ControlFlow::Continue(()))
        })?;
        self.txn.walk(db.tags, &[], &mut |key, version| {
            seen(row::tag_version(key, version).unwrap_or(0));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(last)
    }

    /// Counts everything anew and removes the entries that turn out damaged;
    /// tells whether the accounting was wrong.
    pub fn count_anew(&mut self) -> Result<bool> {
        self.recount = false;
        let mut namespaces: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
        let (mut entries, mut bytes, mut damaged) = (0, 0u64, Vec::new());
        self.txn.walk(self.shared.db.entries, &[], &mut |stored, value| {
            if keys::is_record(stored) {
                return Ok(ControlFlow::Break(()));
            }
            let row = Row::of(stored, value);
            if row.damaged {
                damaged.push(stored.to_vec());
                return Ok(ControlFlow::Continue(()));
            }
            let figures = namespaces.entry(row::namespace_of(stored).to_vec()).or_default();
            *figures = (figures.0 + 1, figures.1.saturating_add(row.cost));
            (entries, bytes) = (entries + 1, bytes.saturating_add(row.cost));
            Ok(ControlFlow::Continue(()))
        })?;
        for stored in &damaged {
            self.txn.del(self.shared.db.entries, stored)?;
            self.note_change(stored);
        }
        self.corrupt += damaged.len() as u64;
        let mut wrong = (self.totals.entries, self.totals.bytes) != (entries, bytes);
        (self.totals.entries, self.totals.bytes) = (entries, bytes);
        wrong |= self.correct_namespaces(namespaces)?;
        if wrong || !damaged.is_empty() {
            self.touch_books();
        }
        Ok(wrong || !damaged.is_empty())
    }

    /// Writes the figures of the namespaces; tells whether others were there.
    fn correct_namespaces(&mut self, counted: BTreeMap<Vec<u8>, (u64, u64)>) -> Result<bool> {
        let mut stale = Vec::new();
        self.txn.walk(MAIN, b"n", &mut |key, figures| {
            if key.first() != Some(&b'n') {
                return Ok(ControlFlow::Break(()));
            }
            if counted.get(&key[1..]) != Some(&row::namespace_figures(Some(figures))) {
                stale.push(key.to_vec());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for key in &stale {
            self.txn.del(MAIN, key)?;
        }
        for (namespace, (n, b)) in counted {
            let figures = [n.to_le_bytes(), b.to_le_bytes()].concat();
            self.txn.put(MAIN, &row::namespace_key(&namespace), &figures)?;
        }
        Ok(!stale.is_empty())
    }
}
