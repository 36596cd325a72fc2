//! Large values as files of their own: `blobs/<xx>/<32 hex digits>`, the
//! payload and nothing else. The row in LMDB has the length and the checksum.
//!
//! A blob is written to a temporary name under a lock, renamed inside the write
//! transaction that points at it, and unlinked after the commit that drops it.
//! So a committed row always has its file; what a killed writer leaves behind
//! is an orphan that the next sweep unlinks.

#![expect(unsafe_code, reason = "mapping a file")]

use super::dirs::make_dir;
use super::names::{self, fresh_id, hex};
use super::{not_regular, open_own};
use crate::base::error::{Code, Error, Result};
use crate::base::os::open_at_once;
use crate::mem::value::{Mapped, Value};
use crossbeam::queue::SegQueue;
use rustix::fs::FlockOperation;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// Published blobs that a flush remembers one by one.
const MOST_UNSYNCED: usize = 1024;

/// Name of a blob: random, so that no two writes ever share one.
pub type BlobId = names::Id;

/// What a row says about its blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// Its name.
    pub id: BlobId,
    /// Its length in bytes.
    pub len: u64,
    /// XXH3-64 of its bytes.
    pub sum: u64,
}

impl BlobRef {
    /// Bytes of an encoded reference.
    pub const SIZE: usize = 32;

    /// The reference as it stands in an envelope.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        out[..16].copy_from_slice(&self.id);
        out[16..24].copy_from_slice(&self.len.to_le_bytes());
        out[24..].copy_from_slice(&self.sum.to_le_bytes());
        out
    }

    /// The reference in an envelope's payload.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::SIZE] = bytes.try_into().ok()?;
        let number = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[..16]);
        Some(Self { id, len: number(16), sum: number(24) })
    }
}

/// The directory of blobs.
#[derive(Clone, Debug)]
pub struct Blobs {
    root: PathBuf,
    file_mode: u32,
    dir_mode: u32,
    sync: bool,
    unsynced: Arc<SegQueue<BlobId>>,
}

/// A blob under its temporary name; unlinked when dropped.
pub struct Draft {
    file: File,
    path: PathBuf,
    reference: BlobRef,
    kept: bool,
}

fn unhex(name: &str) -> Option<BlobId> {
    let mut id = [0; 16];
    if name.len() != 32 || !name.is_ascii() {
        return None;
    }
    for (i, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&name[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(id)
}

fn wrong(doing: &str, path: &Path, error: &io::Error) -> Error {
    Error::io(format_args!("{doing} {}", path.display()), error)
}

/// Where a draft's bytes come from.
pub enum Source<'a> {
    /// Memory.
    Bytes(&'a [u8]),
    /// A file, copied in pieces.
    File(File, &'a Path),
}

impl Blobs {
    /// The blobs of a store's directory.
    pub fn new(dir: &Path, file_mode: u32, dir_mode: u32, sync: bool) -> Self {
        // Nobody writes to a value file, which readers have mapped: not even those
        // that may write to the store.
        let file_mode = file_mode & 0o444;
        Self { root: dir.join("blobs"), file_mode, dir_mode, sync, unsynced: Arc::default() }
    }

    fn directory(&self, first: u8) -> PathBuf {
        self.root.join(format!("{first:02x}"))
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        let mut path = self.directory(id[0]);
        path.push(hex(id));
        path
    }

    fn drafts(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Makes a directory below the store's own, and those between. The umask
    /// does not count: users share a store by mode.
    fn make_dir(&self, path: &Path) -> Result<()> {
        for path in [&self.root, path] {
            make_dir(path, self.dir_mode).map_err(|error| wrong("making", path, &error))?;
        }
        Ok(())
    }

    /// Writes a draft. Nothing points at it yet.
    pub fn draft(&self, source: Source<'_>) -> Result<Draft> {
        let mut draft = self.begin()?;
        match source {
            Source::Bytes(bytes) => {
                limit(bytes.len() as u64)?;
                draft.file.write_all(bytes).map_err(|e| wrong("writing", &draft.path, &e))?;
                draft.reference.len = bytes.len() as u64;
                draft.reference.sum = xxh3_64(bytes);
            }
            Source::File(from, path) => draft.copy(from, path)?,
        }
        if self.sync {
            draft.file.sync_data().map_err(|e| wrong("syncing", &draft.path, &e))?;
        }
        Ok(draft)
    }

    fn begin(&self) -> Result<Draft> {
        let drafts = self.drafts();
        let mut last = None;
        for _ in 0..16 {
            let id = fresh_id();
            let path = drafts.join(hex(&id));
            let opened =
                OpenOptions::new().write(true).create_new(true).mode(self.file_mode).open(&path);
            match opened {
                Ok(file) => {
                    // A failure leaves tighter permissions.
                    let _ = file.set_permissions(Permissions::from_mode(self.file_mode));
                    let reference = BlobRef { id, len: 0, sum: 0 };
                    // A sweeper may lock the name between our two calls; then it
                    // unlinks it, and another name is taken.
                    let lock = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
                    if lock.is_ok() && file.metadata().is_ok_and(|found| found.nlink() > 0) {
                        return Ok(Draft { file, path, reference, kept: false });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_dir(&drafts)?,
                Err(error) => last = Some(wrong("writing", &path, &error)),
            }
            if let Some(error) = last.take() {
                return Err(error);
            }
        }
        Err(Error::new(Code::Io, format!("{}: no file can be made", drafts.display())))
    }

    /// Gives a draft its name. MUST be called inside the write transaction that
    /// points at it, so that no sweep (which holds one too) takes it for an
    /// orphan.
    pub fn publish(&self, draft: &mut Draft) -> Result<BlobRef> {
        let to = self.path(&draft.reference.id);
        let rename = || fs::rename(&draft.path, &to);
        let renamed = match rename() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_dir(&self.directory(draft.reference.id[0]))?;
                rename()
            }
            renamed => renamed,
        };
        renamed.map_err(|error| wrong("renaming to", &to, &error))?;
        draft.path = to;
        if self.sync {
            sync_dir(&self.directory(draft.reference.id[0]))?;
        } else if self.unsynced.len() < MOST_UNSYNCED {
            self.unsynced.push(draft.reference.id);
        }
        Ok(draft.reference)
    }

    /// Syncs the blobs that were published since the last time; where there were
    /// too many to remember, the file system.
    pub fn sync_new(&self) -> Result<()> {
        let mut ids = Vec::new();
        while let Some(id) = self.unsynced.pop() {
            ids.push(id);
        }
        if ids.len() >= MOST_UNSYNCED {
            return self.sync_all();
        }
        self.sync_these(&ids)
    }

    /// Syncs the file system that the blobs are on.
    #[cfg(target_os = "linux")]
    fn sync_all(&self) -> Result<()> {
        let root = File::open(&self.root).map_err(|e| wrong("opening", &self.root, &e))?;
        rustix::fs::syncfs(root).map_err(|e| wrong("syncing", &self.root, &e.into()))
    }

    /// Syncs every blob that there is: no call waits for one file system here.
    #[cfg(not(target_os = "linux"))]
    fn sync_all(&self) -> Result<()> {
        (0..=u8::MAX).try_for_each(|first| self.sync_these(&self.list(first)))
    }

    fn sync_these(&self, ids: &[BlobId]) -> Result<()> {
        for id in ids {
            let path = self.path(id);
            match open_own(&path).and_then(|file| file.sync_data()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(wrong("syncing", &path, &error));
                }
                _ => {}
            }
        }
        let mut directories = BTreeSet::new();
        directories.extend(ids.iter().map(|id| id[0]));
        directories.into_iter().try_for_each(|first| sync_dir(&self.directory(first)))
    }

    /// Maps a blob; `None` where there is no such file (any more).
    pub fn map(&self, blob: &BlobRef) -> Result<Option<Value>> {
        let path = self.path(&blob.id);
        let file = match open_at_once(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong("opening", &path, &error)),
        };
        let found = file.metadata().map_err(|e| wrong("reading", &path, &e))?;
        if !found.is_file() {
            return Err(Error::new(Code::Corrupt, not_regular(&path).text().to_owned()));
        }
        let found = found.len();
        if found != blob.len {
            let text = format!("{}: expected {} bytes, found: {found}", path.display(), blob.len);
            return Err(Error::new(Code::Corrupt, text));
        }
        if found == 0 {
            return Ok(Some(Value::copy_of(&[])));
        }
        // SAFETY: blobs are never written to after they have their name; they
        // are replaced by rename and removed by unlink, which leave a mapping
        // as it is. Someone who truncates a file of the store's own 0700
        // directory is beyond what a mapping can guard against.
        let map = unsafe { memmap2::Mmap::map(&file) };
        let map = map.map_err(|error| wrong("mapping", &path, &error))?;
        let len = map.len();
        Ok(Mapped::new(map, 0, len).map(|mapped| Value::Mapped(Arc::new(mapped))))
    }

    /// Whether the file of a reference is there with the right length.
    pub fn is_there(&self, blob: &BlobRef) -> bool {
        fs::metadata(self.path(&blob.id)).is_ok_and(|found| found.len() == blob.len)
    }

    /// Unlinks a blob that nothing points at, unless a writer that met a full
    /// map is about to try again: it still has its lock.
    pub fn unlink_orphan(&self, id: &BlobId) -> bool {
        let path = self.path(id);
        let Ok(file) = open_own(&path) else { return false };
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
            && fs::remove_file(&path).is_ok()
    }

    /// Unlinks a blob; one that is gone is fine.
    pub fn unlink(&self, id: &BlobId) {
        let _ = fs::remove_file(self.path(id));
    }

    /// The blobs whose name begins with this byte.
    pub fn list(&self, first: u8) -> Vec<BlobId> {
        let Ok(names) = fs::read_dir(self.directory(first)) else { return Vec::new() };
        names.flatten().filter_map(|entry| unhex(entry.file_name().to_str()?)).collect()
    }

    /// Unlinks the drafts of writers that are no more; returns how many.
    pub fn sweep_drafts(&self) -> u64 {
        let Ok(names) = fs::read_dir(self.drafts()) else { return 0 };
        let mut swept = 0;
        for entry in names.flatten() {
            let path = entry.path();
            let Ok(file) = open_own(&path) else { continue };
            let free = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            if free && fs::remove_file(&path).is_ok() {
                swept += 1;
            }
        }
        swept
    }
}

/// A file of this size would kill the process with SIGXFSZ: say so instead.
fn limit(len: u64) -> Result<()> {
    match rustix::process::getrlimit(rustix::process::Resource::Fsize).current {
        Some(most) if len > most => Err(Error::new(
            Code::Full,
            format!("the process may write files of {most} bytes (RLIMIT_FSIZE), needed: {len}"),
        )),
        _ => Ok(()),
    }
}

fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| wrong("syncing", path, &error))
}

impl Draft {
    /// What will point at it.
    pub fn reference(&self) -> BlobRef {
        self.reference
    }

    /// Copies a file in pieces, summing on the way.
    fn copy(&mut self, mut from: File, path: &Path) -> Result<()> {
        limit(from.metadata().map_err(|e| wrong("reading", path, &e))?.len())?;
        let (mut piece, mut sum) = (vec![0; 1 << 20], Xxh3Default::new());
        loop {
            let n = match from.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(wrong("reading", path, &error)),
            };
            self.file.write_all(&piece[..n]).map_err(|e| wrong("writing", &self.path, &e))?;
            sum.update(&piece[..n]);
            self.reference.len += n as u64;
        }
        self.reference.sum = sum.digest();
        Ok(())
    }

    /// The transaction that points at it is committed.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}
