//! Verifying a whole store.

use super::row::{self, Row};
use super::{Disk, keys};
use crate::base::error::{Error, Result};
use crate::files::{DATA, open_own};
use crate::format::compress::decompress;
use crate::format::envelope::{self, Refused};
use crate::integrity::walk::{self, Verdict};
use serde_json::{Map, Value as Json};
use std::ops::ControlFlow;

/// Entries verified in one snapshot.
const BATCH: usize = 256;
/// How often a snapshot for the page walker is taken anew.
const SNAPSHOTS: usize = 100;

/// What a check found.
#[derive(Default)]
struct Report {
    entries: u64,
    bad: u64,
    newer: u64,
    bad_blobs: u64,
    repaired: u64,
}

impl Disk {
    /// Verifies every entry of every namespace, and every blob; with `repair`
    /// removes what is bad, sweeps orphans and sets the books right.
    pub(super) fn check_all(&self, repair: bool) -> Result<Map<String, Json>> {
        let mut report = Report::default();
        let mut from = Some(Vec::new());
        while let Some(at) = from.take() {
            let mut doomed = Vec::new();
            from = self.check_batch(&at, &mut report, &mut doomed)?;
            if repair && !doomed.is_empty() {
                report.repaired += self.remove_still_bad(&doomed)?;
            }
        }
        let mut words = self.check_file()?;
        if repair {
            let (orphans, books) = self.write(|writer| {
                let orphans = (0..=255).try_fold(0, |n, first| {
                    Ok::<_, crate::base::error::Error>(n + self.sweep_blobs(writer, first)?)
                })?;
                let books = writer.count_anew()?;
                Ok(((orphans, books), books))
            })?;
            let orphans = orphans + self.shared.blobs.sweep_drafts();
            words.insert("orphans_removed".into(), orphans.into());
            words.insert("books_corrected".into(), books.into());
            words.insert("repaired".into(), report.repaired.into());
        }
        words.insert("entries".into(), report.entries.into());
        let bad_file = u64::from(words.get("file_sound") == Some(&Json::Bool(false)));
        words.insert("bad".into(), (report.bad + report.bad_blobs + bad_file).into());
        words.insert("bad_blobs".into(), report.bad_blobs.into());
        words.insert("newer".into(), report.newer.into());
        Ok(words)
    }

    /// Has the page walker judge the data file, in a snapshot of its own.
    fn check_file(&self) -> Result<Map<String, Json>> {
        let path = self.env.dir().join(DATA);
        let reading = |e: std::io::Error| Error::io(format_args!("reading {}", path.display()), &e);
        let file = open_own(&path).map_err(reading)?;
        let mut words = Map::new();
        for _ in 0..SNAPSHOTS {
            let txn = self.env.read()?;
            let (sound, text) = match walk::walk_snapshot(&file, Some(txn.id())) {
                // Two commits since: the meta page of this snapshot is gone.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(reading(error)),
                Ok(Verdict::Bad(bad)) => (false, format!("page {}: {}", bad.page, bad.why)),
                Ok(Verdict::NotOurs) => (false, "not a file of LMDB".to_owned()),
                Ok(Verdict::Empty) => (true, "empty".to_owned()),
                Ok(Verdict::Sound(figures) | Verdict::Short { figures, .. }) => {
                    (true, format!("sound, {} pages in use", figures.reached))
                }
            };
            if !sound {
                self.env.suspect();
            }
            words.insert("file_sound".into(), sound.into());
            words.insert("file".into(), text.into());
            return Ok(words);
        }
        words.insert("file".into(), "not judged: others wrote all the time".into());
        Ok(words)
    }

    fn check_batch(
        &self,
        from: &[u8],
        report: &mut Report,
        doomed: &mut Vec<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>> {
        let (mut next, mut blobs, mut seen) = (None, Vec::new(), 0);
        let txn = self.env.read()?;
        txn.walk(self.shared.db.entries, from, &mut |stored, bytes| {
            if keys::is_record(stored) {
                return Ok(ControlFlow::Break(()));
            }
            if seen == BATCH {
                next = Some(stored.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            seen += 1;
            report.entries += 1;
            match judge(stored, bytes) {
                Judgement::Sound => {}
                Judgement::Blob(blob, codec, len) => {
                    blobs.push((stored.to_vec(), blob, codec, len))
                }
                Judgement::Newer => report.newer += 1,
                Judgement::Bad => {
                    report.bad += 1;
                    doomed.push(stored.to_vec());
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        drop(txn);
        for (stored, blob, codec, len) in blobs {
            if !self.blob_is_sound(&stored, &blob, codec, len)? {
                report.bad_blobs += 1;
                doomed.push(stored);
            }
        }
        Ok(next)
    }

    /// Reads a blob whole. One that was replaced meanwhile is not bad.
    fn blob_is_sound(
        &self,
        stored: &[u8],
        blob: &crate::files::blobs::BlobRef,
        codec: u8,
        len: u64,
    ) -> Result<bool> {
        self.shared.forget_verified(&blob.id);
        if self.blob_value(blob, codec, len)?.is_some() {
            return Ok(true);
        }
        let txn = self.env.read()?;
        let bytes = txn.get(self.shared.db.entries, stored)?;
        Ok(bytes.is_none_or(|bytes| Row::of(stored, bytes).blob != Some(*blob)))
    }

    fn remove_still_bad(&self, doomed: &[Vec<u8>]) -> Result<u64> {
        self.write(|writer| {
            let mut removed = 0;
            for stored in doomed {
                let Some(bytes) = writer.txn.get(self.shared.db.entries, stored)? else { continue };
                let bad = match judge(stored, bytes) {
                    Judgement::Bad => true,
                    Judgement::Blob(blob, codec, len) => {
                        self.blob_value(&blob, codec, len)?.is_none()
                    }
                    Judgement::Sound | Judgement::Newer => false,
                };
                if bad {
                    let row = Row::of(stored, bytes);
                    writer.remove(stored, &row)?;
                    writer.corrupt += 1;
                    removed += 1;
                }
            }
            Ok((removed, removed > 0))
        })
    }
}

enum Judgement {
    Sound,
    Blob(crate::files::blobs::BlobRef, u8, u64),
    Newer,
    Bad,
}

/// Judges a row by itself.
fn judge(stored: &[u8], bytes: &[u8]) -> Judgement {
    let Some((kind, _, real)) = keys::split(stored) else { return Judgement::Bad };
    let key = match (kind, envelope::split(bytes)) {
        (keys::REAL, _) => real,
        (_, Ok((_, key, _))) if blake3::hash(key).as_bytes() == real => key,
        _ => return Judgement::Bad,
    };
    match envelope::decode(bytes, key) {
        Ok(envelope) => match row::blob_of(&envelope) {
            Some(blob) => Judgement::Blob(blob, envelope.meta.codec, envelope.meta.value_len),
            None if envelope.meta.flags & envelope::BLOB != 0 => Judgement::Bad,
            None => {
                let meta = &envelope.meta;
                match decompress(meta.codec, envelope.payload, meta.value_len) {
                    Ok(_) => Judgement::Sound,
                    Err(_) => Judgement::Bad,
                }
            }
        },
        Err(Refused::Newer(_)) => Judgement::Newer,
        Err(_) => Judgement::Bad,
    }
}
