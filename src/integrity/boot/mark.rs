//! What `boot.lock` says: how the store was left, and which files its users have.
//!
//! Two lines of fixed length, so that writing one never needs room. The
//! **mark** has a state, the id of the boot, and the stamp of `data.mdb`. The
//! line of **files** names the inodes of `data.mdb` and `lock.mdb`; it is
//! written by the one that opens the store alone, and whoever joins compares.

use super::super::walk;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::RwLock;
use std::time::Duration;

/// The file of locks and marks.
pub const MARK: &str = "boot.lock";
const MARK_LENGTH: usize = 256;
const FILES_LENGTH: usize = 128;

/// Read-locked only, and never waited for, but in tests: a fork may come at any
/// moment, and its child must not wait for a thread that is gone.
static BOOT_ID: RwLock<Option<String>> = RwLock::new(None);

/// Sets the boot id that this process believes in: how tests reboot.
#[doc(hidden)]
pub fn set_boot_id(id: &str) {
    *BOOT_ID.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(id.to_owned());
}

/// The id of this boot as one word; None where the system has none to tell.
fn boot_id() -> Option<String> {
    let set = BOOT_ID.try_read().ok().and_then(|set| set.clone());
    let id = set.or_else(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok())?;
    Some(id.split_ascii_whitespace().collect::<Vec<_>>().join("-")).filter(|id| !id.is_empty())
}

/// The clock that the system stamps files by.
#[cfg(target_os = "linux")]
const FILE_CLOCK: rustix::time::ClockId = rustix::time::ClockId::RealtimeCoarse;
#[cfg(not(target_os = "linux"))]
const FILE_CLOCK: rustix::time::ClockId = rustix::time::ClockId::Realtime;

/// A file, by whatever name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Of a file whose metadata was read.
    pub fn of(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

/// What tells a data file from one that was changed or replaced since. The time
/// of change cannot be set back, as that of modification can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    file: FileId,
    size: u64,
    txn: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of a data file as it is now.
    pub fn of(data: &File) -> io::Result<Self> {
        let found = data.metadata()?;
        Ok(Self {
            file: FileId::of(&found),
            size: found.len(),
            txn: walk::newest_txn(data)?,
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    /// Of a data file that nobody writes to any more. The system stamps files
    /// by a coarse clock: a change within the tick of the last write would leave
    /// no trace, so that tick must be over.
    pub fn settled(data: &File) -> io::Result<Self> {
        const TICKS: usize = 50;
        let stamp = Self::of(data)?;
        for _ in 0..TICKS {
            let now = rustix::time::clock_gettime(FILE_CLOCK);
            if (now.tv_sec, now.tv_nsec) > stamp.changed {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(stamp)
    }
}

/// How a store was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was ever marked.
    Missing,
    /// There was no data yet.
    Empty,
    /// Its last user closed it, and it was synced.
    Clean,
    /// Its last user closed it; the system may not have written all of it.
    Closed,
    /// Somebody writes, or never closed it.
    Dirty,
    /// LMDB reported damage, or the mark cannot be read.
    Suspect,
}

const WORDS: [(State, &str); 5] = [
    (State::Empty, "empty"),
    (State::Clean, "clean"),
    (State::Closed, "closed"),
    (State::Dirty, "dirty"),
    (State::Suspect, "suspect"),
];

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub state: State,
    boot: String,
    stamp: Stamp,
}

impl Mark {
    /// One of this boot.
    pub fn now(state: State, stamp: Stamp) -> Self {
        Self { state, boot: boot_id().unwrap_or_else(|| "unknown".into()), stamp }
    }

    /// The mark of a store without data.
    pub fn empty() -> Self {
        Self::now(State::Empty, Stamp::default())
    }

    pub fn read(file: &File) -> io::Result<Self> {
        let unreadable = |state| Self { state, boot: String::new(), stamp: Stamp::default() };
        let bytes = read_line::<MARK_LENGTH>(file, 0)?;
        if bytes.is_empty() {
            return Ok(unreadable(State::Missing));
        }
        let text = std::str::from_utf8(&bytes).unwrap_or("?");
        Ok(Self::parse(text).unwrap_or_else(|| unreadable(State::Suspect)))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split_ascii_whitespace();
        let word = words.next()?;
        let state = WORDS.iter().find(|(_, name)| *name == word)?.0;
        let boot = words.next()?.to_owned();
        let mut number = || words.next()?.parse::<i128>().ok();
        let file = FileId { device: number()?.try_into().ok()?, inode: number()?.try_into().ok()? };
        let (size, txn) = (number()?.try_into().ok()?, number()?.try_into().ok()?);
        let mut time = || Some((number()?.try_into().ok()?, number()?.try_into().ok()?));
        let stamp = Stamp { file, size, txn, modified: time()?, changed: time()? };
        Some(Self { state, boot, stamp })
    }

    pub fn write(&self, file: &File) -> io::Result<()> {
        let word = WORDS.iter().find(|(state, _)| *state == self.state).map_or("suspect", |w| w.1);
        let Stamp { file: FileId { device, inode }, size, txn, modified, changed } = self.stamp;
        let text = format!(
            "{word} {} {device} {inode} {size} {txn} {} {} {} {}",
            self.boot, modified.0, modified.1, changed.0, changed.1
        );
        file.write_all_at(&line::<MARK_LENGTH>(&text), 0)
    }

    pub fn is_of_this_boot(&self) -> bool {
        boot_id().is_some_and(|now| now == self.boot)
    }

    /// Whether the store is as its last user left it, by the stamp that its data
    /// file has now. Nothing is known of one that was never closed: a process
    /// that is killed leaves no word of what happened to the file afterwards.
    pub fn is_trusted(&self, now: Stamp) -> bool {
        self.stamp == now
            && match self.state {
                State::Clean => true,
                State::Closed => self.is_of_this_boot(),
                State::Missing | State::Empty | State::Dirty | State::Suspect => false,
            }
    }

    /// The same mark for a file whose times alone have changed.
    pub fn restamped(&self, stamp: Stamp) -> Self {
        Self { stamp, ..self.clone() }
    }
}

/// The second line: the files that the users of a store have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Files {
    pub data: FileId,
    /// None where there was none, or none that could be seen.
    pub lock: Option<FileId>,
}

impl Files {
    /// None where none were recorded.
    pub fn read(file: &File) -> io::Result<Option<Self>> {
        let bytes = read_line::<FILES_LENGTH>(file, MARK_LENGTH as u64)?;
        Ok(std::str::from_utf8(&bytes).ok().and_then(Self::parse))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split_ascii_whitespace();
        if words.next() != Some(FILES) {
            return None;
        }
        let mut number = || words.next()?.parse::<u64>().ok();
        let mut id = || Some(FileId { device: number()?, inode: number()? });
        let (data, lock) = (id()?, id()?);
        Some(Self { data, lock: Some(lock).filter(|lock| *lock != FileId::default()) })
    }

    pub fn write(&self, file: &File) -> io::Result<()> {
        let (data, lock) = (self.data, self.lock.unwrap_or_default());
        let ids = [data.device, data.inode, lock.device, lock.inode];
        let text = ids.iter().fold(FILES.to_owned(), |text, id| format!("{text} {id}"));
        file.write_all_at(&line::<FILES_LENGTH>(&text), MARK_LENGTH as u64)
    }
}

/// Begins the second line.
const FILES: &str = "files";

/// A text filled up with blanks, and a line break.
fn line<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let mut bytes = [b' '; LENGTH];
    let length = text.len().min(LENGTH - 1);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    bytes[LENGTH - 1] = b'\n';
    bytes
}

/// A line as it is there, which may be less than all of it.
fn read_line<const LENGTH: usize>(file: &File, at: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; LENGTH];
    let mut length = 0;
    while length < LENGTH {
        match file.read_at(&mut bytes[length..], at + length as u64)? {
            0 => break,
            n => length += n,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}
