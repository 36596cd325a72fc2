//! Was the last shutdown clean, and if not, is the store still sound?
//!
//! A store's directory holds one small file, `boot.lock`. Everyone who has
//! the store open keeps a shared `flock` on it; whoever gets the exclusive
//! one is alone and may judge. Its text is the **mark**: `clean` with length
//! and time of the data file, or `dirty` with the id of the boot in which the
//! store was first written to. Commits are not synced, so a dirty mark of
//! *another* boot means that the system went down with pages unwritten; of
//! *this* boot it means nothing, since the kernel has the pages, whatever
//! became of the processes. A clean mark beside a file of another length or
//! time means that somebody else wrote to it.
//!
//! The last one to close syncs the data before it says `clean`, and that mark
//! is replaced, and synced, before the next write.

mod aside;

use self::aside::aside;
use super::blocks::{Others, prepare_lock};
use super::walk::{self, Bad, Figures, Glance, Verdict};
use crate::error::{Code, Error, Result};
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The file of locks and marks.
pub const MARK: &str = "boot.lock";
/// LMDB's data file.
pub const DATA: &str = "data.mdb";
/// All marks have this length: writing one never needs room.
const MARK_LENGTH: usize = 64;
/// How long another process may judge before an open gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// A short file up to this size is walked before it is extended, which takes
/// some milliseconds: somebody may have cut it. In larger ones, pages that one
/// transaction can have taken and given back unwritten are extended unseen.
const WALKED_WHEN_SHORT: u64 = 256 << 20;
const SMALL_EXTENSION: u64 = 64 << 20;
/// Larger files are not synced when they are closed, which could hold a process
/// up for seconds at its end; the first open after a reboot walks them instead.
const SYNCED_AT_CLOSE: u64 = 16 << 20;

/// When the page walker judges: option `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// After an unclean boot, and where the meta pages look odd.
    Auto,
    /// At each open that finds the store open nowhere else.
    Open,
    /// Never.
    Never,
}

impl Check {
    /// From the option's text.
    pub fn from_option(text: &str) -> Self {
        match text {
            "open" => Check::Open,
            "never" => Check::Never,
            _ => Check::Auto,
        }
    }
}

/// What was decided at an open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Use it as it is. The figures are there when it was walked.
    Open(Option<Figures>),
    /// It was short of pages that were never written, and was extended.
    Extended {
        /// Bytes before.
        from: u64,
        /// Bytes now.
        to: u64,
    },
    /// A reachable page was bad. The store now lies in `to`; its directory is
    /// empty for a fresh one.
    SetAside {
        /// Where it lies now.
        to: PathBuf,
        /// The page and what is wrong with it.
        why: String,
    },
}

/// A place among those who have the store open; released when dropped.
#[derive(Debug)]
pub struct Guard {
    dir: PathBuf,
    /// None on media that cannot be written and have no mark.
    lock: Option<File>,
    read_only: bool,
    marked: AtomicBool,
}

/// Read-locked only, and never waited for, but in tests: a fork may come at any
/// moment, and its child must not wait for a thread that is gone.
static BOOT_ID: RwLock<Option<String>> = RwLock::new(None);

/// Sets the boot id that this process believes in: how tests reboot.
#[doc(hidden)]
pub fn set_boot_id(id: &str) {
    *BOOT_ID.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(id.to_owned());
}

/// The id of this boot; None where the system has none to tell.
fn boot_id() -> Option<String> {
    let set = BOOT_ID.try_read().ok().and_then(|set| set.clone());
    set.or_else(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(text.trim().to_owned()).filter(|id| !id.is_empty())
    })
}

/// Length and time of change of a data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(u64, i64, i64);

impl Stamp {
    fn of(data: &File) -> io::Result<Self> {
        let found = data.metadata()?;
        Ok(Self(found.len(), found.mtime(), found.mtime_nsec()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut word = || words.next();
        let length = word()?.parse().ok()?;
        Some(Self(length, word()?.parse().ok()?, word()?.parse().ok()?))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    /// Nothing was ever marked.
    Missing,
    /// There was no data file, or this one.
    Clean(Option<Stamp>),
    Dirty(String),
    /// Neither of these.
    Torn,
}

impl Mark {
    fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; MARK_LENGTH + 1];
        let mut length = 0;
        while length < bytes.len() {
            match file.read_at(&mut bytes[length..], length as u64)? {
                0 => break,
                n => length += n,
            }
        }
        let text = std::str::from_utf8(&bytes[..length]).unwrap_or("?");
        Ok(match (length, text.trim_end().split_once(' ')) {
            (0, _) => Mark::Missing,
            (MARK_LENGTH, Some(("clean", stamp))) => Mark::Clean(Stamp::parse(stamp)),
            (MARK_LENGTH, Some(("dirty", id))) => Mark::Dirty(id.to_owned()),
            _ => Mark::Torn,
        })
    }

    fn write(&self, file: &File) -> io::Result<()> {
        let text = match self {
            Mark::Clean(None) => "clean -".to_owned(),
            Mark::Clean(Some(Stamp(length, s, ns))) => format!("clean {length} {s} {ns}"),
            Mark::Dirty(id) => format!("dirty {id}"),
            Mark::Missing | Mark::Torn => "suspect".to_owned(),
        };
        let mut bytes = [b' '; MARK_LENGTH];
        bytes[MARK_LENGTH - 1] = b'\n';
        let length = text.len().min(MARK_LENGTH - 1);
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        file.write_all_at(&bytes, 0)
    }

    fn of_this_boot() -> Self {
        Mark::Dirty(boot_id().unwrap_or_else(|| "unknown".into()))
    }

    /// Whether the store went through the end of a boot with pages unwritten,
    /// or is not the file that was left.
    fn is_unclean(&self, data: Stamp) -> bool {
        match self {
            Mark::Clean(left) => *left != Some(data),
            Mark::Dirty(id) => boot_id().is_none_or(|now| now != *id),
            Mark::Missing | Mark::Torn => true,
        }
    }
}

/// Takes a place among those who have the store in `dir` open, and, if nobody
/// else has, decides what becomes of it. Call before LMDB opens the store;
/// keep the guard as long as LMDB has it open.
///
/// # Errors
/// `Busy` when another process judges for longer than half a minute;
/// `Corrupt` when a damaged store cannot be set aside, or the data file is
/// not one of LMDB and nothing says that it was ours.
pub fn enter(
    dir: &Path,
    check: Check,
    read_only: bool,
    file_mode: u32,
) -> Result<(Guard, Decision)> {
    let lock = open_mark(dir, read_only, file_mode)?;
    let guard =
        |lock| Guard { dir: dir.to_owned(), lock, read_only, marked: AtomicBool::new(false) };
    let readers = super::txn::MAX_READERS;
    let Some(lock) = lock else {
        let decision = decide(dir, None, check, read_only)?;
        prepare_lock(dir, readers, file_mode, Others::Unknown)?;
        return Ok((guard(None), decision));
    };
    let alone = || {
        let decision = decide(dir, Some(&lock), check, read_only)?;
        prepare_lock(dir, readers, file_mode, Others::Absent).map(|()| decision)
    };
    let decision = match join(dir, &lock, alone)? {
        Some(decision) => decision,
        None => {
            prepare_lock(dir, readers, file_mode, Others::Present)?;
            Decision::Open(None)
        }
    };
    Ok((guard(Some(lock)), decision))
}

/// Gets the shared lock, and the exclusive one before it if nobody else has
/// either: then `alone` decides.
fn join<T>(dir: &Path, lock: &File, alone: impl Fn() -> Result<T>) -> Result<Option<T>> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(200);
    let mut decided = None;
    loop {
        if decided.is_none() && try_lock(lock, FlockOperation::NonBlockingLockExclusive)? {
            decided = Some(alone()?);
        }
        // From exclusive to shared is not atomic, but who comes between finds
        // what we have just left, and decides the same.
        if try_lock(lock, FlockOperation::NonBlockingLockShared)? {
            return Ok(decided);
        }
        if Instant::now() > deadline {
            let why = "another process has been checking it for half a minute";
            return Err(Error::new(Code::Busy, format!("store {}: {why}", dir.display())));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

impl Guard {
    /// Call before each write transaction: marks the store as dirty, once.
    #[inline]
    pub fn before_write(&self) -> Result<()> {
        if self.marked.load(Ordering::Acquire) { Ok(()) } else { self.mark() }
    }

    #[cold]
    fn mark(&self) -> Result<()> {
        let Some(lock) = self.lock.as_ref().filter(|_| !self.read_only) else { return Ok(()) };
        let doing = |e: io::Error| Error::io(format!("marking store {}", self.dir.display()), &e);
        let now = Mark::of_this_boot();
        let found = Mark::read(lock).map_err(doing)?;
        if found != now {
            now.write(lock).map_err(doing)?;
            // Only this mark would say of the file that it is as it was left.
            if matches!(found, Mark::Clean(Some(_))) {
                lock.sync_data().map_err(doing)?;
            }
        }
        self.marked.store(true, Ordering::Release);
        Ok(())
    }

    /// Has the next one who is alone judge the store, whatever the boot: for
    /// engines that LMDB told of corruption.
    pub fn suspect(&self) {
        if let Some(lock) = self.lock.as_ref().filter(|_| !self.read_only) {
            // The mark is a hint: an open of this store still works without.
            let _ = Mark::Torn.write(lock);
        }
    }

    /// Ends this use. The last one syncs the data and marks the store clean,
    /// unless that could take long; true if that happened.
    pub fn leave(self) -> bool {
        let Some(lock) = self.lock.as_ref().filter(|_| !self.read_only) else { return false };
        if !matches!(try_lock(lock, FlockOperation::NonBlockingLockExclusive), Ok(true)) {
            return false;
        }
        let ours =
            matches!(Mark::read(lock), Ok(Mark::Dirty(id)) if Some(&id) == boot_id().as_ref());
        let synced = || {
            let data = File::open(self.dir.join(DATA))?;
            if data.metadata()?.len() > SYNCED_AT_CLOSE {
                return Ok(false);
            }
            data.sync_data()?;
            Mark::Clean(Some(Stamp::of(&data)?)).write(lock).map(|()| true)
        };
        ours && synced().unwrap_or(false)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closing would not do: a child forked meanwhile has the same open file,
        // and would keep what we hold, an exclusive lock even, as long as it lives.
        if let Some(lock) = &self.lock {
            let _ = flock(lock, FlockOperation::Unlock);
        }
    }
}

fn locking(dir: &Path, error: &io::Error) -> Error {
    Error::io(format!("locking store {}", dir.display()), error)
}

fn try_lock(file: &File, how: FlockOperation) -> Result<bool> {
    match rustix::io::retry_on_intr(|| flock(file, how)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(Error::io(format!("flock on {MARK}"), &error.into())),
    }
}

fn open_mark(dir: &Path, read_only: bool, mode: u32) -> Result<Option<File>> {
    let path = dir.join(MARK);
    let mut options = OpenOptions::new();
    options.read(true);
    if !read_only {
        options.write(true).create(true).truncate(false).mode(mode);
    }
    match options.open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if read_only && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("opening {}", path.display()), &error)),
    }
}

/// Decides as the only one who has the store open.
fn decide(dir: &Path, lock: Option<&File>, check: Check, read_only: bool) -> Result<Decision> {
    let reading = |e: io::Error| Error::io(format!("reading {}", dir.join(DATA).display()), &e);
    let mark = lock.map(Mark::read).transpose().map_err(|e| locking(dir, &e))?;
    let data = match File::open(dir.join(DATA)) {
        Ok(data) => data,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fresh(lock, mark.as_ref(), read_only)?;
            return Ok(Decision::Open(None));
        }
        Err(error) => return Err(reading(error)),
    };
    if check == Check::Never {
        return Ok(Decision::Open(None));
    }
    let stamp = Stamp::of(&data).map_err(reading)?;
    let unclean = mark.as_ref().is_some_and(|mark| mark.is_unclean(stamp));
    let must = check == Check::Open || unclean;
    match walk::glance(&data).map_err(reading)? {
        Glance::Empty => return Ok(Decision::Open(None)),
        Glance::Whole if !must => return Ok(Decision::Open(None)),
        Glance::Short { have, need }
            if !must && need > WALKED_WHEN_SHORT && need - have <= SMALL_EXTENSION =>
        {
            return Ok(extend(dir, have, need, read_only));
        }
        _ => {}
    }
    let verdict = walk::walk(&data).map_err(reading)?;
    let writable = lock.filter(|_| unclean && !read_only);
    match verdict {
        Verdict::Empty => Ok(Decision::Open(None)),
        Verdict::Sound(figures) => {
            settle(writable, mark.as_ref(), &data)?;
            Ok(Decision::Open(Some(figures)))
        }
        Verdict::Short { have, need, .. } => {
            let decision = extend(dir, have, need, read_only);
            settle(writable, mark.as_ref(), &data)?;
            Ok(decision)
        }
        Verdict::NotOurs if matches!(mark, None | Some(Mark::Missing)) => Err(Error::new(
            Code::Corrupt,
            format!(
                "{}: expected an LMDB data file, found something else",
                dir.join(DATA).display()
            ),
        )),
        Verdict::NotOurs => aside(dir, lock, "neither meta page is one of LMDB".into(), read_only),
        Verdict::Bad(Bad { page, why }) => {
            aside(dir, lock, format!("page {page}: {why}"), read_only)
        }
    }
}

/// A directory without data: the mark gets its length now, while there is room.
fn fresh(lock: Option<&File>, mark: Option<&Mark>, read_only: bool) -> Result<()> {
    match lock {
        Some(lock) if !read_only && mark != Some(&Mark::Clean(None)) => {
            Mark::Clean(None).write(lock).map_err(|e| Error::io(format!("writing {MARK}"), &e))
        }
        _ => Ok(()),
    }
}

/// A store that was walked and found sound need not be walked again: what was
/// read after a reboot is what the disk has. Where the mark told of no reboot
/// some of it may still be in the kernel only.
fn settle(lock: Option<&File>, mark: Option<&Mark>, data: &File) -> Result<()> {
    let Some(lock) = lock else { return Ok(()) };
    let settled = match mark {
        Some(Mark::Dirty(_)) => Stamp::of(data).map(|stamp| Mark::Clean(Some(stamp))),
        _ => Ok(Mark::of_this_boot()),
    };
    let written = settled.and_then(|mark| mark.write(lock));
    written.map_err(|e| Error::io(format!("writing {MARK}"), &e))
}

/// Gives a short file its pages. Where there is no room, a hole does: none
/// of these pages is reachable.
fn extend(dir: &Path, from: u64, to: u64, read_only: bool) -> Decision {
    if read_only {
        return Decision::Open(None);
    }
    let extended = OpenOptions::new().write(true).open(dir.join(DATA)).and_then(|data| {
        fallocate(&data, FallocateFlags::empty(), from, to - from)
            .or_else(|_| rustix::fs::ftruncate(&data, to))?;
        Ok(())
    });
    match extended {
        Ok(()) => Decision::Extended { from, to },
        Err(_) => Decision::Open(None),
    }
}

#[cfg(test)]
mod tests;
