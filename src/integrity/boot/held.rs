//! The data file of an open store: held against those who would take it for a
//! closed one, and looked at for damage done meanwhile.
//!
//! Everyone who has a store open keeps a shared `flock` on `data.mdb` too, so
//! that whoever finds a new `boot.lock` does not take itself for alone.

use super::mark::{FileId, Files};
use super::{DATA, MARK};
use crate::base::error::{Code, Error, Result};
use crate::files::{LOCK, open_own};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The data file, open and locked; unlocked when dropped.
#[derive(Debug)]
pub struct Held {
    data: File,
    files: Files,
    /// The largest size it was seen to have: LMDB never makes it smaller.
    size: AtomicU64,
}

impl Held {
    /// Opens the data file and takes it alone; an empty one is made where there
    /// is none. None where others have it open.
    pub fn alone(dir: &Path, read_only: bool, mode: u32) -> Result<Option<Self>> {
        let path = dir.join(DATA);
        let opened = open_own(&path).or_else(|error| {
            if read_only || error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(mode).open(&path)
        });
        let held = Self::of(dir, opened.map_err(|error| reading(dir, &error))?)?;
        let locked = super::try_lock(&held.data, FlockOperation::NonBlockingLockExclusive)?;
        Ok(locked.then_some(held))
    }

    /// Opens the data file beside others. None while one of them has it alone.
    pub fn beside_others(dir: &Path) -> Result<Option<Self>> {
        let data = match open_own(&dir.join(DATA)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(replaced(dir, DATA));
            }
            opened => opened.map_err(|error| reading(dir, &error))?,
        };
        let held = Self::of(dir, data)?;
        Ok(held.share()?.then_some(held))
    }

    fn of(dir: &Path, data: File) -> Result<Self> {
        let found = data.metadata().map_err(|error| reading(dir, &error))?;
        let files = Files { data: FileId::of(&found), lock: id_of(&dir.join(LOCK)) };
        Ok(Self { data, files, size: AtomicU64::new(found.len()) })
    }

    /// Lets others have it open too.
    pub fn share(&self) -> Result<bool> {
        super::try_lock(&self.data, FlockOperation::NonBlockingLockShared)
    }

    pub fn data(&self) -> &File {
        &self.data
    }

    /// The files as they are known now: `lock.mdb` may just have been made.
    pub fn files(&mut self, dir: &Path) -> Files {
        self.files.lock = id_of(&dir.join(LOCK));
        self.files
    }

    /// Compares with what those recorded who have the store open.
    pub fn agrees(&self, dir: &Path, recorded: Option<Files>) -> Result<()> {
        match recorded {
            Some(theirs) if theirs.data != self.files.data => Err(replaced(dir, DATA)),
            Some(theirs) if theirs.lock.is_some() && theirs.lock != self.files.lock => {
                Err(replaced(dir, LOCK))
            }
            _ => Ok(()),
        }
    }

    /// Whether the files are still those that were recorded, under their names:
    /// for when LMDB has opened them.
    pub fn confirm(&self, dir: &Path, mark: Option<&File>) -> Result<()> {
        let now = |name| id_of(&dir.join(name));
        if now(DATA) != Some(self.files.data) {
            return Err(replaced(dir, DATA));
        }
        if self.files.lock.is_some() && now(LOCK) != self.files.lock {
            return Err(replaced(dir, LOCK));
        }
        if mark.is_some_and(|mark| !is_named(mark, &dir.join(MARK))) {
            return Err(replaced(dir, MARK));
        }
        Ok(())
    }

    /// What became of the data file behind our back: one system call.
    pub fn look(&self, dir: &Path) -> Result<()> {
        // Before the file is asked: it may grow in between, and another thread see it.
        let before = self.size.load(Ordering::SeqCst);
        let found = rustix::fs::fstat(&self.data).map_err(|error| reading(dir, &error.into()))?;
        let now = found.st_size as u64;
        if found.st_nlink == 0 {
            return Err(changed(dir, "was removed or replaced"));
        }
        if now < before {
            return Err(changed(dir, &format!("was cut from {before} to {now} bytes")));
        }
        if now > before {
            self.size.fetch_max(now, Ordering::SeqCst);
        }
        Ok(())
    }

    /// The same by its name: another file may have taken it.
    pub fn look_by_name(&self, dir: &Path) -> Result<()> {
        match id_of(&dir.join(DATA)) {
            Some(id) if id != self.files.data => Err(changed(dir, "was replaced")),
            _ => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A child forked meanwhile has the same open file, and would keep the lock.
        let _ = flock(&self.data, FlockOperation::Unlock);
    }
}

/// Whether a path still leads to an open file.
pub fn is_named(file: &File, path: &Path) -> bool {
    file.metadata().is_ok_and(|found| id_of(path) == Some(FileId::of(&found)))
}

fn id_of(path: &Path) -> Option<FileId> {
    std::fs::metadata(path).ok().map(|found| FileId::of(&found))
}

fn reading(dir: &Path, error: &io::Error) -> Error {
    Error::io(format!("reading {}", dir.join(DATA).display()), error)
}

/// One of the files is not the one that other users of the store have open.
pub fn replaced(dir: &Path, name: &str) -> Error {
    let text = format!(
        "store {}: expected the {name} that its other users have open, found it removed or replaced; \
         close the store everywhere, then open it again",
        dir.display()
    );
    Error::new(Code::Busy, text)
}

fn changed(dir: &Path, what: &str) -> Error {
    let text = format!(
        "store {}: {DATA} {what} while the store was open; close it everywhere, then open it again \
         (never restore over an open store)",
        dir.display()
    );
    Error::new(Code::Corrupt, text)
}
