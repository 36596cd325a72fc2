//! The unsafe face of LMDB: every call of lmdb-rkv-sys is in this module.
//!
//! What it holds, and callers rely on:
//! - bytes that LMDB hands out live no longer than the transaction or than the
//!   next write of the same transaction (the borrow checker sees both);
//! - a read transaction is renewed from a bounded pool and reset when its
//!   guard goes, so that no call leaves a snapshot pinned behind it;
//! - no cursor leaves the function that opened it;
//! - a write transaction stays on its thread and aborts unless committed.

#![expect(unsafe_code, reason = "the one wrapper of lmdb-rkv-sys")]

mod pool;
mod readers;
mod recover;
mod watch;
mod within;

pub use within::{ReadTxn, Visit, WriteTxn};

use self::pool::RawRead;
use self::recover::reserve;
use self::watch::Watch;
use crate::base::error::{Code, Error, Result};
use crate::files::blocks;
use crate::integrity::boot::Guard;
use crossbeam::queue::ArrayQueue;
use lmdb_sys as ffi;
use std::cell::Cell;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Read transactions a process has in one environment; further callers wait.
pub const POOL: usize = 64;
const MAX_DBS: u32 = 16;
/// How long a caller waits for a reader slot before it is told so.
const READER_PATIENCE: Duration = Duration::from_secs(10);

/// A database of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dbi(ffi::MDB_dbi);

/// LMDB's list of free pages, which is a database like others.
pub const FREE: Dbi = Dbi(0);
/// The unnamed database: named ones are rows in it.
pub const MAIN: Dbi = Dbi(1);

/// How an environment is opened.
#[derive(Clone, Debug)]
pub struct EnvOptions {
    /// Bytes to reserve.
    pub map_size: u64,
    /// The least that will do: the reservation is halved down to it.
    pub map_floor: u64,
    /// The largest file that the process may write (RLIMIT_FSIZE).
    pub map_limit: Option<u64>,
    /// Sync each commit.
    pub sync: bool,
    /// Open read-only.
    pub read_only: bool,
    /// Permissions of the two files.
    pub file_mode: u32,
}

/// Figures of an environment.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "named as in lmdb.h")]
pub struct EnvInfo {
    pub map_size: u64,
    pub last_page: u64,
    pub last_txn_id: u64,
    pub readers: u32,
    pub max_readers: u32,
    pub page_size: u64,
}

/// An open environment with its pool of read transactions.
pub struct Env {
    /// The current one of `opened`.
    raw: AtomicPtr<ffi::MDB_env>,
    /// The environment; before it those that LMDB gave up, which stay open so
    /// that nothing (a file lock least of all) of the current one goes with them.
    opened: Mutex<Vec<lmdb::Environment>>,
    /// The databases that were opened, in their order.
    names: Mutex<Vec<String>>,
    /// The last page when dead readers were last looked for.
    reaped_at: AtomicU64,
    /// A stopped process keeps the file from reusing its pages.
    pinned: AtomicBool,
    dir: PathBuf,
    options: EnvOptions,
    page_size: u64,
    idle: ArrayQueue<RawRead>,
    made: AtomicUsize,
    waiting: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
    writers: Mutex<()>,
    refuse_new: AtomicBool,
    watch: Watch,
    // Declared after `opened`, and so left after LMDB has closed the file.
    place: Place,
}

/// Our place among the users of the store.
struct Place(Option<Guard>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(guard) = self.0.take() {
            guard.leave();
        }
    }
}

/// What went wrong inside LMDB, as one of our errors.
pub fn fault(rc: i32, doing: &str) -> Error {
    let (code, hint) = match rc {
        ffi::MDB_MAP_FULL => (Code::Full, "; raise map_size or lower max_bytes"),
        ffi::MDB_READERS_FULL => (Code::Busy, "; too many processes read this store at once"),
        ffi::MDB_VERSION_MISMATCH | ffi::MDB_INVALID => {
            (Code::Corrupt, "; the file is not a store of this library")
        }
        ffi::MDB_CORRUPTED | ffi::MDB_PAGE_NOTFOUND | ffi::MDB_PANIC => {
            (Code::Corrupt, "; the store is damaged")
        }
        libc::EAGAIN => (
            Code::Busy,
            "; another process of the same number uses the store from another PID namespace \
             (containers that share a directory need a shared PID namespace or a directory each)",
        ),
        libc::EIO => (Code::Io, "; a full disk or a file-size limit can show like this too"),
        rc if rc > 0 => {
            return Error::io(doing, &std::io::Error::from_raw_os_error(rc));
        }
        _ => (Code::Io, ""),
    };
    // SAFETY: `mdb_strerror` returns a static, NUL-terminated text for any code.
    let text = unsafe { std::ffi::CStr::from_ptr(ffi::mdb_strerror(rc)) };
    Error::new(code, format!("{doing}: {}{hint}", text.to_string_lossy()))
}

fn check(rc: i32, doing: &str) -> Result<()> {
    if rc == 0 { Ok(()) } else { Err(fault(rc, doing)) }
}

/// LMDB's version at run time.
pub fn version() -> (i32, i32, i32) {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three valid places to write to.
    unsafe { ffi::mdb_version(&mut major, &mut minor, &mut patch) };
    (major, minor, patch)
}

impl Env {
    /// Opens the environment in a directory. The caller (the registry) makes
    /// sure that the process has no other one over the same file.
    pub fn open(dir: &Path, options: EnvOptions, guard: Guard) -> Result<Self> {
        if version() != (0, 9, 24) {
            return Err(Error::new(
                Code::Unsupported,
                format!("LMDB: expected the bundled 0.9.24, found: {:?}", version()),
            ));
        }
        let (env, map_size) = reserve(dir, &options)?;
        guard.confirm()?;
        let options = EnvOptions { map_size, ..options };
        let mut opened = Self {
            raw: AtomicPtr::new(env.env()),
            opened: Mutex::new(vec![env]),
            names: Mutex::new(Vec::new()),
            reaped_at: AtomicU64::new(0),
            pinned: AtomicBool::new(false),
            dir: dir.to_owned(),
            options,
            page_size: 4096,
            idle: ArrayQueue::new(POOL),
            made: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
            writers: Mutex::new(()),
            refuse_new: AtomicBool::new(false),
            watch: Watch::default(),
            place: Place(Some(guard)),
        };
        let mut stat = zeroed_stat();
        // SAFETY: a live environment and a place to write to.
        check(unsafe { ffi::mdb_env_stat(opened.raw(), &mut stat) }, "reading the store")?;
        opened.page_size = u64::from(stat.ms_psize);
        opened.reap();
        Ok(opened)
    }

    #[inline]
    fn raw(&self) -> *mut ffi::MDB_env {
        self.raw.load(Ordering::Acquire)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How it was opened, with the map size that could be had.
    pub fn options(&self) -> &EnvOptions {
        &self.options
    }

    /// Figures.
    pub fn info(&self) -> EnvInfo {
        let mut info = ffi::MDB_envinfo {
            me_mapaddr: ptr::null_mut(),
            me_mapsize: 0,
            me_last_pgno: 0,
            me_last_txnid: 0,
            me_maxreaders: 0,
            me_numreaders: 0,
        };
        // SAFETY: a live environment and a place to write to; it cannot fail.
        unsafe { ffi::mdb_env_info(self.raw(), &mut info) };
        EnvInfo {
            map_size: info.me_mapsize as u64,
            last_page: info.me_last_pgno as u64,
            last_txn_id: info.me_last_txnid as u64,
            readers: info.me_numreaders,
            max_readers: info.me_maxreaders,
            page_size: self.page_size,
        }
    }

    /// Number of the last write of any process. A snapshot taken after it was
    /// read may still show the write before: compare with [`ReadTxn::id`].
    #[inline]
    pub fn last_txn_id(&self) -> u64 {
        self.info().last_txn_id
    }

    /// What became of a write. LMDB says EIO for one that was cut short, which a
    /// full disk does.
    #[inline]
    fn written(&self, rc: i32, doing: &str) -> Result<()> {
        match rc {
            0 => Ok(()),
            libc::EIO if blocks::is_full(&self.dir) => {
                let no_room = std::io::Error::from_raw_os_error(libc::ENOSPC);
                Err(Error::io(format_args!("{doing} in {}", self.dir.display()), &no_room))
            }
            rc => Err(fault(rc, doing)),
        }
    }

    #[inline]
    fn before_write(&self) -> Result<()> {
        self.place.0.as_ref().map_or(Ok(()), Guard::before_write)
    }

    /// Marks the store as closed: the process ends and nobody closes it.
    pub fn leave_at_exit(&self) {
        if let Some(guard) = &self.place.0 {
            guard.leave_at_exit();
        }
    }

    /// Has the next process that is alone with the store judge it.
    pub fn suspect(&self) {
        if let Some(guard) = &self.place.0 {
            guard.suspect();
        }
    }

    /// Notes what LMDB says of its pages.
    #[inline]
    fn note<T>(&self, result: Result<T>) -> Result<T> {
        if matches!(&result, Err(error) if error.code() == Code::Corrupt) {
            self.suspect();
        }
        result
    }

    /// Flushes to the medium.
    pub fn sync(&self) -> Result<()> {
        // SAFETY: a live environment.
        check(unsafe { ffi::mdb_env_sync(self.raw(), 1) }, "syncing the store")
    }

    /// Opens (and makes, unless read-only) the named databases.
    pub fn databases<const N: usize>(&self, names: [&str; N]) -> Result<Option<[Dbi; N]>> {
        if let Some(found) = self.open_databases(&names, ffi::MDB_RDONLY, 0)? {
            self.remember(&names);
            return Ok(found.try_into().ok());
        }
        if self.options.read_only {
            return Ok(None);
        }
        self.before_write()?;
        let made = self.open_databases(&names, 0, ffi::MDB_CREATE)?;
        self.remember(&names);
        Ok(made.and_then(|made| made.try_into().ok()))
    }

    fn remember(&self, names: &[&str]) {
        let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        *known = names.iter().map(|name| (*name).to_owned()).collect();
    }

    fn open_databases(
        &self,
        names: &[&str],
        txn_flags: u32,
        flags: u32,
    ) -> Result<Option<Vec<Dbi>>> {
        let mut txn = ptr::null_mut();
        // SAFETY: a live environment; the transaction ends below on every path.
        let rc = unsafe { ffi::mdb_txn_begin(self.raw(), ptr::null_mut(), txn_flags, &mut txn) };
        check(rc, "opening the store")?;
        let mut found = Vec::new();
        for name in names {
            let name = CString::new(*name).unwrap_or_default();
            let mut dbi = 0;
            // SAFETY: a live transaction and a NUL-terminated name.
            let rc = unsafe { ffi::mdb_dbi_open(txn, name.as_ptr(), flags, &mut dbi) };
            if rc != 0 {
                // SAFETY: a live transaction, not used again.
                unsafe { ffi::mdb_txn_abort(txn) };
                return match rc {
                    ffi::MDB_NOTFOUND => Ok(None),
                    rc => Err(fault(rc, "opening the store")),
                };
            }
            found.push(Dbi(dbi));
        }
        // SAFETY: a live transaction, not used again. Committing a read
        // transaction is what keeps its database handles.
        self.written(unsafe { ffi::mdb_txn_commit(txn) }, "opening the store")?;
        Ok(Some(found))
    }

    /// Begins a write; waits for other threads and processes. Call
    /// [`Env::look`] before.
    pub fn write(&self) -> Result<WriteTxn<'_>> {
        if self.pinned.load(Ordering::Relaxed) {
            self.refuse_while_pinned()?;
        }
        self.before_write()?;
        for _ in 0..8 {
            let turn = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
            let mut txn = ptr::null_mut();
            // SAFETY: a live environment and a place to write to.
            let rc = unsafe { ffi::mdb_txn_begin(self.raw(), ptr::null_mut(), 0, &mut txn) };
            match rc {
                0 => {
                    let map_full = Cell::new(false);
                    let txn = WriteTxn { env: self, raw: txn, map_full, _turn: turn };
                    return self.continues(txn);
                }
                ffi::MDB_MAP_RESIZED => {
                    drop(turn);
                    self.adopt_map_size()?;
                }
                ffi::MDB_PANIC => {
                    drop(turn);
                    self.revive()?;
                }
                rc => return Err(fault(rc, "writing the store")),
            }
        }
        Err(fault(ffi::MDB_MAP_RESIZED, "writing the store"))
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        while let Some(raw) = self.idle.pop() {
            // SAFETY: only we hold it; the environment is still open.
            unsafe { ffi::mdb_txn_abort(raw.0) };
        }
    }
}

fn zeroed_stat() -> ffi::MDB_stat {
    ffi::MDB_stat {
        ms_psize: 0,
        ms_depth: 0,
        ms_branch_pages: 0,
        ms_leaf_pages: 0,
        ms_overflow_pages: 0,
        ms_entries: 0,
    }
}
