//! Disk blocks for files that are mapped.
//!
//! A page of a mapped file that has no block gets one when it is first touched.
//! On a full disk there is none, and the system ends the process with SIGBUS. So
//! the blocks are reserved before the file is mapped: no room is an error then.

use super::LOCK;
use crate::base::error::{Code, Error, Result};
use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, fchmod, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Slots of the reader table, for all processes of a store.
pub const MAX_READERS: u32 = 1024;

/// How a directory is opened to name files in it; Linux asks for no permission to read it.
#[cfg(target_os = "linux")]
const PLACE: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const PLACE: OFlags = OFlags::RDONLY;

/// What LMDB keeps for each of its two locks: a mutex, or the name of a semaphore.
#[cfg(not(target_vendor = "apple"))]
type LmdbLock = libc::pthread_mutex_t;
#[cfg(target_vendor = "apple")]
type LmdbLock = [u8; 32];

/// What precedes the table in `lock.mdb`, as LMDB 0.9 lays it out.
#[repr(C)]
struct LockHead {
    magic: u32,
    format: u32,
    readers_mutex: LmdbLock,
    last_transaction: usize,
    slots_used: libc::c_uint,
}

/// Size of `lock.mdb` with so many reader slots. LMDB derives the number of
/// slots from the size, so the file must have exactly this one.
pub const fn lock_size(readers: u32) -> u64 {
    const LINE: usize = 64;
    let head = size_of::<LockHead>().next_multiple_of(LINE);
    let writers_mutex = size_of::<LmdbLock>().next_multiple_of(LINE);
    (head + writers_mutex + readers as usize * LINE) as u64
}

/// Gives the first `len` bytes of a file their blocks; a shorter file grows to
/// `len`. What the file holds stays as it is.
///
/// `posix_fallocate` would not do: where the file system has no reservation, the
/// C library reads and rewrites a byte of each block, and so can undo what
/// another process wrote to a mapping meanwhile.
pub(super) fn reserve(file: &File, len: u64) -> rustix::io::Result<()> {
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Fsize).current
        && len > most
    {
        // The system would also send SIGXFSZ.
        return Err(Errno::FBIG);
    }
    // Apple's call adds blocks after the end, and cuts a file that is longer.
    #[cfg(target_vendor = "apple")]
    if rustix::fs::fstat(file)?.st_size as u64 >= len {
        return Ok(());
    }
    rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, len))
}

/// Reserves the blocks of a file that nobody else knows yet, with zeros where
/// the file system has no reservation.
///
/// # Errors
/// `ENOSPC` and the like where there is no room.
pub fn reserve_new(file: &mut File, len: u64) -> io::Result<()> {
    // Two names of one number on Linux, two numbers on macOS.
    const NONE: [Errno; 4] = [Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS, Errno::INVAL];
    match reserve(file, len) {
        Err(error) if NONE.contains(&error) => {
            const ZEROS: [u8; 4096] = [0; 4096];
            let mut left = len as usize;
            while left > 0 {
                left -= file.write(&ZEROS[..left.min(ZEROS.len())])?;
            }
            Ok(())
        }
        reserved => Ok(reserved?),
    }
}

/// Whether the file system of a store has no room worth speaking of.
pub fn is_full(dir: &Path) -> bool {
    const LITTLE: u64 = 1 << 20;
    rustix::fs::statvfs(dir).is_ok_and(|found| found.f_bavail * found.f_frsize < LITTLE)
}

/// Whether other processes have the store open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// None has.
    Absent,
    /// There is no `boot.lock` that would say so.
    Unknown,
    /// Some have.
    Present,
}

/// Makes sure that `lock.mdb` has all its blocks before LMDB maps it, and makes
/// it where it is missing. A file that others have mapped keeps its size.
///
/// The caller MUST NOT have the store open itself: closing any descriptor of
/// `lock.mdb` gives up this process's locks on it.
///
/// # Errors
/// `Full` where the disk has no room. Any other obstacle is left to LMDB, which
/// meets it again.
pub fn prepare_lock(dir: &Path, readers: u32, mode: u32, others: Others) -> Result<()> {
    let path = dir.join(LOCK);
    let size = lock_size(readers);
    let full = |error: io::Error| {
        let error = Error::io(format!("reserving {}", path.display()), &error);
        if error.code() == Code::Full { Err(error) } else { Ok(()) }
    };
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            let found = file.metadata().map_or(0, |found| found.len());
            let len = if others == Others::Absent { found.max(size) } else { found };
            if len == 0 {
                return Ok(());
            }
            reserve(&file, len).map_err(io::Error::from).or_else(full)
        }
        Err(Errno::NOENT) if others != Others::Present => make_lock(dir, size, mode).or_else(full),
        Err(_) => Ok(()),
    }
}

/// Makes `lock.mdb`. It appears with all its blocks or not at all, so that
/// nobody maps it before they are there.
fn make_lock(dir: &Path, size: u64, mode: u32) -> io::Result<()> {
    let at = rustix::fs::open(dir, PLACE | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let draft = format!("{LOCK}.{}", super::names::fresh_name());
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
    let mut file = File::from(openat(&at, draft.as_str(), flags, mode)?);
    let made = reserve_new(&mut file, size).and_then(|()| {
        // The umask does not count: users share a store by mode.
        let _ = fchmod(&file, mode);
        match rustix::fs::linkat(&at, draft.as_str(), &at, LOCK, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(_) => {
                // No links here. Whoever replaces a file that another opener made
                // a moment ago would split the two, so that one stays.
                let keep = rustix::fs::RenameFlags::NOREPLACE;
                match rustix::fs::renameat_with(&at, draft.as_str(), &at, LOCK, keep) {
                    Ok(()) | Err(Errno::EXIST) => Ok(()),
                    Err(error) => Err(io::Error::from(error)),
                }
            }
        }
    });
    let _ = rustix::fs::unlinkat(&at, draft.as_str(), rustix::fs::AtFlags::empty());
    made
}
