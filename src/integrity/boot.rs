//! Was the store left as it should be, and if not, is it still consistent?
//!
//! A store's directory holds one small file, `boot.lock`. Everyone who has
//! the store open keeps a shared `flock` on it, and on `data.mdb`; whoever gets
//! the exclusive ones is alone and may decide what becomes of the store. Its
//! text is the **mark** ([`mark`]): how the store was left, in which boot, and
//! what tells its data file from one that was changed since.
//!
//! A store is trusted only if its last user closed it and the data file is as
//! that user left it; after a reboot, only if it was synced too. Any other is
//! verified page by page. Commits are not synced, so a power cut leaves pages
//! unwritten; and a process that was killed leaves no word of what happened to
//! the file after it.
//!
//! The last one to close marks the store as closed, or syncs a small one and
//! marks it clean; a clean mark is replaced, and synced, before the next write.

mod aside;
mod decide;
mod held;
mod mark;
mod touch;

use self::decide::Alone;
use self::held::{Held, is_named, replaced};
use self::mark::{Files, Mark, Stamp, State};
pub use self::mark::{MARK, set_boot_id};
use super::walk::Figures;
use crate::base::error::{Code, Error, Result};
use crate::files::DATA;
use crate::files::LOCK;
use crate::files::blocks::{MAX_READERS, Others, prepare_lock};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long another process may verify before an open gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an open waits where the locks contradict each other: another opener
/// may be between two of them.
const GRACE: Duration = Duration::from_secs(1);
/// Larger files are not synced when they are closed, which could hold a process
/// up for seconds at its end; the first open after a reboot verifies them.
const SYNCED_AT_CLOSE: u64 = 16 << 20;

/// When the page walker verifies a store: option `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Unless its last user closed it and it is as it was left.
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
    /// Use it as it is. The figures are there when it was verified.
    Open(Option<Figures>),
    /// It was short of pages that were never written, and was extended.
    Extended {
        /// Bytes before.
        from: u64,
        /// Bytes now.
        to: u64,
    },
    /// A reachable page was bad. The store is now in `to`, and its directory is
    /// ready for a fresh one.
    SetAside {
        /// Where it is now.
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
    held: Held,
    read_only: bool,
    marked: AtomicBool,
}

/// An open of a store.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Its directory.
    pub dir: &'a Path,
    /// When to verify it.
    pub check: Check,
    /// Nothing of it may be changed.
    pub read_only: bool,
    /// Permissions of new files.
    pub mode: u32,
    /// The named databases that a store of ours has.
    pub names: &'a [&'a str],
    /// Further files that cleaners must leave alone.
    pub kept: &'a [&'a str],
}

/// Takes a place among those who have a store open, and, if nobody else has,
/// decides what becomes of it. Call before LMDB opens the store; keep the guard
/// as long as LMDB has it open.
///
/// # Errors
/// `Busy` when another process verifies for longer than half a minute, or has
/// files open that are no longer those in the directory; `Corrupt` when a
/// damaged store cannot be set aside, or the data file is not one of LMDB and
/// nothing says that it was ours.
pub fn enter(opening: &Opening<'_>) -> Result<(Guard, Decision)> {
    let (lock, held, decided) = match open_mark(opening)? {
        Some(lock) => join(opening, lock)?,
        None => unmarked(opening)?,
    };
    touch::files(opening.dir, &[&[MARK, LOCK], opening.kept].concat());
    if decided.is_none() {
        touch::data(held.data(), touch::DAY);
    }
    let guard = Guard {
        dir: opening.dir.to_owned(),
        lock,
        held,
        read_only: opening.read_only,
        marked: AtomicBool::new(false),
    };
    Ok((guard, decided.unwrap_or(Decision::Open(None))))
}

fn prepare(opening: &Opening<'_>, others: Others) -> Result<()> {
    prepare_lock(opening.dir, MAX_READERS, opening.mode, others)
}

fn busy(dir: &Path) -> Error {
    let why = "another process has been checking it for half a minute";
    Error::new(Code::Busy, format!("store {}: {why}", dir.display()))
}

/// Without a file of marks: on media that cannot be written all users read.
fn unmarked(opening: &Opening<'_>) -> Result<Joined> {
    let alone = opening.alone(None).decide()?;
    prepare(opening, Others::Unknown)?;
    if let Some((decision, mut held)) = alone {
        held.files(opening.dir);
        held.share()?;
        return Ok((None, held, Some(decision)));
    }
    match Held::beside_others(opening.dir)? {
        Some(held) => Ok((None, held, None)),
        None => Err(busy(opening.dir)),
    }
}

type Joined = (Option<File>, Held, Option<Decision>);

/// Gets the shared locks, and the exclusive ones before them if nobody else has
/// either: then the store is decided over.
fn join(opening: &Opening<'_>, lock: File) -> Result<Joined> {
    let (dir, begun) = (opening.dir, Instant::now());
    let mut pause = Duration::from_micros(200);
    let mut decided = None;
    let mut contradiction = None;
    loop {
        if decided.is_none() && try_lock(&lock, FlockOperation::NonBlockingLockExclusive)? {
            if !is_named(&lock, &dir.join(MARK)) {
                return Err(replaced(dir, MARK));
            }
            decided = alone(opening, &lock)?;
            if decided.is_none() {
                // Its other users hold another `boot.lock`, or one of them is
                // between its two locks and waits for this one.
                contradiction = Some(MARK);
                unlock(&lock);
            }
        }
        if (decided.is_some() || contradiction.is_none())
            && try_lock(&lock, FlockOperation::NonBlockingLockShared)?
        {
            match decided {
                Some((decision, held)) => {
                    held.share()?;
                    return Ok((Some(lock), held, Some(decision)));
                }
                None => {
                    if let Some(held) = beside_others(opening, &lock)? {
                        return Ok((Some(lock), held, None));
                    }
                    unlock(&lock);
                }
            }
        }
        match contradiction {
            Some(name) if begun.elapsed() > GRACE => return Err(replaced(dir, name)),
            _ if begun.elapsed() > PATIENCE => return Err(busy(dir)),
            _ => contradiction = None,
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Decides, and records which files this store's users have from now on.
fn alone(opening: &Opening<'_>, lock: &File) -> Result<Option<(Decision, Held)>> {
    let Some((decision, mut held)) = opening.alone(Some(lock)).decide()? else { return Ok(None) };
    prepare(opening, Others::Absent)?;
    let files = held.files(opening.dir);
    let recorded = Files::read(lock).ok().flatten();
    if recorded != Some(files)
        && let Err(error) = files.write(lock)
        && !opening.read_only
    {
        return Err(Error::io(format!("writing {MARK}"), &error));
    }
    Ok(Some((decision, held)))
}

/// Joins others, if the files here are those that they have open.
fn beside_others(opening: &Opening<'_>, lock: &File) -> Result<Option<Held>> {
    let Some(held) = Held::beside_others(opening.dir)? else { return Ok(None) };
    if !is_named(lock, &opening.dir.join(MARK)) {
        return Err(replaced(opening.dir, MARK));
    }
    held.agrees(opening.dir, Files::read(lock).ok().flatten())?;
    prepare(opening, Others::Present)?;
    Ok(Some(held))
}

impl<'a> Opening<'a> {
    fn alone(&self, mark: Option<&'a File>) -> Alone<'a> {
        let Self { dir, check, read_only, mode, names, .. } = *self;
        Alone { dir, mark, check, read_only, mode, names }
    }
}

impl Guard {
    /// Call when LMDB has opened the store: whether it opened the files that
    /// were looked at.
    pub fn confirm(&self) -> Result<()> {
        self.held.confirm(&self.dir, self.lock.as_ref())
    }

    /// Looks for what others did to the data file: cut it, removed it, put
    /// another in its place. One system call.
    #[inline]
    pub fn look(&self) -> Result<()> {
        self.held.look(&self.dir)
    }

    /// The same, by the file's name too.
    pub fn look_by_name(&self) -> Result<()> {
        self.held.look_by_name(&self.dir)
    }

    /// Call before each write transaction: marks the store as dirty, once.
    #[inline]
    pub fn before_write(&self) -> Result<()> {
        if self.marked.load(Ordering::Acquire) { Ok(()) } else { self.mark() }
    }

    #[cold]
    fn mark(&self) -> Result<()> {
        let Some(lock) = self.lock.as_ref().filter(|_| !self.read_only) else { return Ok(()) };
        let doing = |e: io::Error| Error::io(format!("marking store {}", self.dir.display()), &e);
        let found = Mark::read(lock).map_err(doing)?;
        let known = match found.state {
            State::Dirty => found.is_of_this_boot(),
            // A suspicion stays until the store was verified.
            State::Suspect => true,
            _ => false,
        };
        if !known {
            let stamp = Stamp::of(self.held.data()).map_err(doing)?;
            Mark::now(State::Dirty, stamp).write(lock).map_err(doing)?;
            // Only this mark would say of the file that it is as it was left.
            if found.state == State::Clean {
                lock.sync_data().map_err(doing)?;
            }
        }
        self.marked.store(true, Ordering::Release);
        Ok(())
    }

    /// Has the next one who is alone verify the store, whatever its state: for
    /// engines that LMDB told of corruption.
    pub fn suspect(&self) {
        if let Some(lock) = self.lock.as_ref().filter(|_| !self.read_only) {
            // The mark is a hint: an open of this store still works without.
            let stamp = Stamp::of(self.held.data()).unwrap_or_default();
            let _ = Mark::now(State::Suspect, stamp).write(lock);
        }
    }

    /// Ends this use. The last one marks the store as closed, or clean where
    /// syncing it cannot take long; true if that happened.
    pub fn leave(self) -> bool {
        let small = self.held.data().metadata().is_ok_and(|data| data.len() <= SYNCED_AT_CLOSE);
        self.mark_as_left(small)
    }

    /// The process ends without a close. Whoever writes after this marks the
    /// store as dirty again, or leaves a file that the mark does not know.
    pub fn leave_at_exit(&self) {
        self.mark_as_left(false);
        self.marked.store(false, Ordering::Release);
        if let Some(lock) = &self.lock {
            let _ = try_lock(lock, FlockOperation::NonBlockingLockShared);
        }
    }

    /// The last user of a store that was written to says how it leaves it.
    fn mark_as_left(&self, sync: bool) -> bool {
        let Some(lock) = self.lock.as_ref().filter(|_| !self.read_only) else { return false };
        if !matches!(try_lock(lock, FlockOperation::NonBlockingLockExclusive), Ok(true)) {
            return false;
        }
        let ours =
            Mark::read(lock).is_ok_and(|mark| mark.state == State::Dirty && mark.is_of_this_boot());
        if !ours || self.look().and(self.confirm()).is_err() {
            return false;
        }
        let marked = || {
            let data = self.held.data();
            if sync {
                data.sync_data()?;
            }
            let state = if sync { State::Clean } else { State::Closed };
            Mark::now(state, Stamp::settled(data)?).write(lock)
        };
        marked().is_ok()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closing would not do: a child forked meanwhile has the same open file,
        // and would keep what we hold, an exclusive lock even, as long as it lives.
        if let Some(lock) = &self.lock {
            unlock(lock);
        }
    }
}

fn unlock(lock: &File) {
    let _ = flock(lock, FlockOperation::Unlock);
}

fn try_lock(file: &File, how: FlockOperation) -> Result<bool> {
    match rustix::io::retry_on_intr(|| flock(file, how)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(Error::io("flock on a file of the store", &error.into())),
    }
}

fn open_mark(opening: &Opening<'_>) -> Result<Option<File>> {
    let path = opening.dir.join(MARK);
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if !opening.read_only {
        options.create(true).truncate(false).mode(opening.mode);
    }
    let opened = match options.open(&path) {
        Err(_) if opening.read_only => crate::files::open_own(&path),
        opened => opened,
    };
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if opening.read_only && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("opening {}", path.display()), &error)),
    }
}

#[cfg(test)]
mod tests;
