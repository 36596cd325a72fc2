//! Which values become files, and the sweep of files that nothing points at.

use super::books::Writer;
use super::keys::StoredKey;
use super::write::{Item, Payload};
use super::{Disk, Put, Stored};
use crate::base::error::{Error, Result};
use crate::files::blobs::Source;
use crate::files::open_regular;
use crate::format::compress::{self, decompress};
use crate::format::envelope::Envelope;
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Files up to this size are read into memory to be compressed; larger ones
/// are streamed as they are.
const COMPRESS_WHOLE: u64 = 64 << 20;
/// One of the 256 directories of blobs is swept every so many sequence numbers.
const SWEEP_EVERY: u64 = 64;

impl Disk {
    /// A value made ready outside the transaction: compressed, or in a draft.
    pub(super) fn item<'a>(&self, key: &'a [u8], value: &'a [u8]) -> Result<Item<'a>> {
        let stored = StoredKey::new(&self.namespace, key);
        self.refresh_settings()?;
        let (codec, payload) = self.shared.settings.compressor().compress(value);
        let inline_max = self.shared.inline_max;
        let payload = if payload.len() as u64 <= inline_max && inline_max > 0 {
            Payload::Inline(payload)
        } else {
            self.refuse_too_large(payload.len() as u64)?;
            Payload::Draft(self.shared.blobs.draft(Source::Bytes(&payload))?)
        };
        Ok(Item { key, stored, codec, value_len: value.len() as u64, payload })
    }

    /// A value that goes beside its key whatever its size.
    pub(super) fn item_inline<'a>(&self, key: &'a [u8], value: Vec<u8>) -> Item<'a> {
        Item {
            key,
            stored: StoredKey::new(&self.namespace, key),
            codec: compress::NONE,
            value_len: value.len() as u64,
            payload: Payload::Inline(Cow::Owned(value)),
        }
    }

    /// Spares the writing of a file that can never fit. The bound of the last
    /// opener is looked at again in the transaction.
    fn refuse_too_large(&self, len: u64) -> Result<()> {
        let bound = self.shared.settings.max_bytes();
        if bound != 0 && len > bound {
            return Err(Error::new(
                crate::base::error::Code::TooLarge,
                format!("value: expected at most {bound} bytes (max_bytes), found: {len}"),
            ));
        }
        Ok(())
    }

    pub(super) fn put_from(&self, key: &[u8], path: &Path, put: &Put<'_>) -> Result<Stored> {
        let reading = |error| Error::io(format_args!("reading {}", path.display()), &error);
        let (mut file, len) = open_regular(path)?;
        self.refresh_settings()?;
        let compresses = self.shared.settings.compressor().compresses();
        if len <= self.shared.inline_max || (compresses && len <= COMPRESS_WHOLE) {
            let mut bytes = Vec::new();
            (&mut file).take(len).read_to_end(&mut bytes).map_err(reading)?;
            return self.put_one(key, &bytes, put);
        }
        self.refuse_too_large(len)?;
        let draft = self.shared.blobs.draft(Source::File(file, path))?;
        let mut item = Item {
            key,
            stored: StoredKey::new(&self.namespace, key),
            codec: compress::NONE,
            value_len: draft.reference().len,
            payload: Payload::Draft(draft),
        };
        self.put_item(&mut item, put)
    }

    /// Syncs what this process has written since the last time.
    pub(super) fn make_durable(&self) -> Result<()> {
        if self.env.options().read_only || !self.shared.unsynced.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let synced = self.shared.blobs.sync_new().and_then(|()| self.env.sync());
        if synced.is_err() {
            self.shared.unsynced.store(true, Ordering::Release);
        }
        synced
    }

    /// The value behind an envelope, wherever it is; `None` where its file is lost.
    pub(super) fn payload_of(&self, envelope: &Envelope<'_>) -> Result<Option<Vec<u8>>> {
        let meta = &envelope.meta;
        match super::row::blob_of(envelope) {
            None => {
                let value = decompress(meta.codec, envelope.payload, meta.value_len)?;
                Ok(Some(value.into_owned()))
            }
            Some(blob) => {
                let value = self.blob_value(&blob, meta.codec, meta.value_len)?;
                Ok(value.map(|value| value.to_vec()))
            }
        }
    }

    /// Sweeps one directory of blobs now and then, in the transaction of a put
    /// that stores one.
    pub(super) fn sweep_some_blobs(&self, writer: &mut Writer<'_>, sequence: u64) -> Result<()> {
        if sequence.is_multiple_of(SWEEP_EVERY) {
            self.shared.blobs.sweep_drafts();
            self.sweep_blobs(writer, (sequence / SWEEP_EVERY) as u8)?;
        }
        Ok(())
    }

    /// Unlinks the files of one directory that no row points at. The write
    /// transaction keeps others from naming a file meanwhile.
    pub(super) fn sweep_blobs(&self, writer: &mut Writer<'_>, first: u8) -> Result<u64> {
        let mut swept = 0;
        for id in self.shared.blobs.list(first) {
            let row = writer.txn.get(self.shared.db.blobs, &id)?;
            // A file that this very transaction drops is unlinked after it.
            if row.is_none() && !writer.unlink.contains(&id) {
                swept += u64::from(self.shared.blobs.unlink_orphan(&id));
            }
        }
        Ok(swept)
    }
}
