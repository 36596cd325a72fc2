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

mod within;

pub use within::{ReadTxn, Visit, WriteTxn};

use super::boot::Guard;
use crate::error::{Code, Error, Result};
use crossbeam::queue::ArrayQueue;
use lmdb_sys as ffi;
use std::cell::Cell;
use std::ffi::CString;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Read transactions a process has in one environment; further callers wait.
pub const POOL: usize = 64;
/// Slots of the reader table, for all processes of a store.
pub const MAX_READERS: u32 = 1024;
const MAX_DBS: u32 = 16;
/// Pages by which the file grows before dead readers are looked for.
const REAP_GROWTH: u64 = 32;
/// Free pages that a stopped reader may keep from use however small the file.
const PINNED_SLACK: u64 = 64;
/// How often an environment is opened anew after LMDB gave it up: each time
/// costs address space and descriptors until the store is closed.
const REVIVALS: usize = 100;
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

struct RawRead(*mut ffi::MDB_txn);
// SAFETY: the environment is NOTLS, so a read transaction belongs to no thread;
// the pool hands it to one at a time.
unsafe impl Send for RawRead {}

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

    #[inline]
    fn before_write(&self) -> Result<()> {
        self.place.0.as_ref().map_or(Ok(()), Guard::before_write)
    }

    /// Has the next process that is alone with the store judge it.
    pub fn suspect(&self) {
        if let Some(guard) = &self.place.0 {
            guard.suspect();
        }
    }

    /// Clears the reader slots of dead processes; returns how many.
    pub fn reap(&self) -> i32 {
        let mut dead = 0;
        // SAFETY: a live environment and a place to write to.
        unsafe { ffi::mdb_reader_check(self.raw(), &mut dead) };
        dead
    }

    /// Clears them where the file has just grown: the snapshot of a dead reader
    /// keeps every page that was freed since from being used again.
    #[inline]
    fn reap_where_it_grew(&self) {
        let info = self.info();
        if info.last_page > self.reaped_at.load(Ordering::Relaxed) + REAP_GROWTH {
            self.reaped_at.store(info.last_page, Ordering::Relaxed);
            self.reap();
            self.refuse_where_pinned(&info);
        }
    }

    /// A process that is stopped (SIGSTOP, Ctrl-Z) amid a read pins its snapshot
    /// for as long as it likes, and LMDB has no way to take it away: what it
    /// reads when it goes on would be pages written meanwhile. So writes are
    /// refused once a third of the file waits for it; the file grew from 0.7 MB
    /// to 290 MB in 10,000 overwrites otherwise.
    #[cold]
    fn refuse_where_pinned(&self, info: &EnvInfo) {
        if self.stopped_reader().is_none() {
            return;
        }
        let free = self.read().and_then(|txn| txn.free_pages()).unwrap_or(0);
        let used = (info.last_page + 1).saturating_sub(free);
        if free > (used / 2).max(PINNED_SLACK) {
            self.pinned.store(true, Ordering::Relaxed);
        }
    }

    #[cold]
    fn refuse_while_pinned(&self) -> Result<()> {
        let Some(pid) = self.stopped_reader() else {
            self.pinned.store(false, Ordering::Relaxed);
            return Ok(());
        };
        let text = format!(
            "process {pid} is stopped amid a read of the store in {}, whose file would grow \
             without bound: expected it to go on (SIGCONT) or to end",
            self.dir.display()
        );
        Err(Error::new(Code::Busy, text))
    }

    /// A stopped process that reads an older snapshot than the newest.
    fn stopped_reader(&self) -> Option<u32> {
        let newest = self.info().last_txn_id;
        let mut table = String::new();
        // SAFETY: a live environment, and a context that outlives the call.
        unsafe { ffi::mdb_reader_list(self.raw(), Some(append), (&raw mut table).cast()) };
        let pins = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            let pid: u32 = words.next()?.parse().ok()?;
            let txn: u64 = words.nth(1)?.parse().ok()?;
            (txn < newest && pid != std::process::id() && is_stopped(pid)).then_some(pid)
        };
        table.lines().find_map(pins)
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
        check(unsafe { ffi::mdb_txn_commit(txn) }, "opening the store")?;
        Ok(Some(found))
    }

    /// Begins a read; waits while [`POOL`] others are under way.
    #[inline]
    pub fn read(&self) -> Result<ReadTxn<'_>> {
        let raw = match self.idle.pop() {
            Some(raw) => raw,
            None => self.another()?,
        };
        // SAFETY: a reset read transaction that only we hold.
        let rc = unsafe { ffi::mdb_txn_renew(raw.0) };
        if rc == 0 {
            return Ok(ReadTxn { env: self, raw: raw.0, only_here: PhantomData });
        }
        self.retry_renew(raw, rc)
    }

    #[cold]
    fn retry_renew(&self, raw: RawRead, rc: i32) -> Result<ReadTxn<'_>> {
        // A transaction that could not be renewed is of no use: its slot goes.
        self.discard(raw);
        match rc {
            ffi::MDB_MAP_RESIZED => {
                self.adopt_map_size()?;
                self.read()
            }
            ffi::MDB_PANIC => {
                self.revive()?;
                self.read()
            }
            rc => Err(fault(rc, "reading the store")),
        }
    }

    fn discard(&self, raw: RawRead) {
        self.abort(raw);
        self.made.fetch_sub(1, Ordering::SeqCst);
        self.notify();
    }

    fn give_back(&self, raw: RawRead) {
        if let Err(raw) = self.idle.push(raw) {
            return self.discard(raw);
        }
        self.notify();
    }

    #[inline]
    fn notify(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.wake.notify_one();
        }
    }

    /// A further transaction for the pool, or one that came back meanwhile.
    #[cold]
    fn another(&self) -> Result<RawRead> {
        let since = Instant::now();
        loop {
            let room = !self.refuse_new.load(Ordering::SeqCst)
                && self
                    .made
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| {
                        (n < POOL).then_some(n + 1)
                    })
                    .is_ok();
            if room {
                match self.begin_read() {
                    Ok(raw) => return Ok(raw),
                    Err(rc) => {
                        let others = self.made.fetch_sub(1, Ordering::SeqCst) > 1;
                        match rc {
                            ffi::MDB_MAP_RESIZED => self.adopt_map_size()?,
                            ffi::MDB_PANIC => self.revive()?,
                            ffi::MDB_READERS_FULL if self.reap() > 0 => continue,
                            ffi::MDB_READERS_FULL
                                if others && since.elapsed() < READER_PATIENCE => {}
                            rc => return Err(fault(rc, "reading the store")),
                        }
                    }
                }
            } else if since.elapsed() > READER_PATIENCE {
                let text = format!("{POOL} reads are under way in this process and none ends");
                return Err(Error::new(Code::Busy, text));
            }
            if let Some(raw) = self.wait() {
                return Ok(raw);
            }
        }
    }

    fn begin_read(&self) -> std::result::Result<RawRead, i32> {
        let mut txn = ptr::null_mut();
        // SAFETY: a live environment and a place to write to.
        match unsafe { ffi::mdb_txn_begin(self.raw(), ptr::null_mut(), ffi::MDB_RDONLY, &mut txn) }
        {
            0 => {
                // SAFETY: a live read transaction; the caller renews it.
                unsafe { ffi::mdb_txn_reset(txn) };
                Ok(RawRead(txn))
            }
            rc => Err(rc),
        }
    }

    /// Waits a while for a transaction to come back. The wait is bounded: a
    /// waker may look before we are counted as waiting.
    fn wait(&self) -> Option<RawRead> {
        let held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let found = self.idle.pop().or_else(|| {
            let _ = self.wake.wait_timeout(held, Duration::from_millis(10));
            self.idle.pop()
        });
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        found
    }

    /// Begins a write; waits for other threads and processes.
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
                    return Ok(WriteTxn {
                        env: self,
                        raw: txn,
                        map_full: Cell::new(false),
                        _turn: turn,
                    });
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

    /// Another process opened the store with a larger map: take its size over,
    /// which LMDB allows only while this process has no transaction.
    #[cold]
    fn adopt_map_size(&self) -> Result<()> {
        let resized = self.alone(|| {
            // SAFETY: no transaction of this process is active, as `alone` says.
            match unsafe { ffi::mdb_env_set_mapsize(self.raw(), 0) } {
                0 => Ok(()),
                rc => Err(fault(rc, "taking over the size of the store")),
            }
        });
        resized.unwrap_or_else(|| Err(fault(libc::EBUSY, "taking over the size of the store")))
    }

    /// After a meta page that could not be written LMDB gives an environment
    /// up: all its transactions fail. The store itself is sound, at the commit
    /// before; so it is opened once more.
    #[cold]
    fn revive(&self) -> Result<()> {
        let panicked = || fault(ffi::MDB_PANIC, "opening the store again after a failed write");
        let revived = self.alone(|| {
            if self.begin_read().map(|raw| self.abort(raw)).err() != Some(ffi::MDB_PANIC) {
                return Ok(());
            }
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if opened.len() > REVIVALS {
                return Err(panicked());
            }
            let (env, _) = reserve(&self.dir, &self.options)?;
            self.raw.store(env.env(), Ordering::Release);
            super::env_registry::mapped_again(&self.dir);
            opened.push(env);
            drop(opened);
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            // In the order of the first time, and so with the same numbers.
            self.open_databases(&names, ffi::MDB_RDONLY, 0).map(drop)
        });
        revived.unwrap_or_else(|| Err(panicked()))
    }

    /// How often the file is mapped: once, and once for each revival.
    pub fn mappings(&self) -> usize {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn abort(&self, raw: RawRead) {
        // SAFETY: only we hold it, and it is not used again.
        unsafe { ffi::mdb_txn_abort(raw.0) };
    }

    /// Runs `run` while this process has no transaction: the pool is empty and
    /// refuses new ones, and we have the writers' turn. None where reads that
    /// are under way do not end.
    fn alone<T>(&self, run: impl FnOnce() -> T) -> Option<T> {
        let _turn = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        self.refuse_new.store(true, Ordering::SeqCst);
        let since = Instant::now();
        while self.made.load(Ordering::SeqCst) > 0 && since.elapsed() < READER_PATIENCE {
            while let Some(raw) = self.idle.pop() {
                self.discard(raw);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let result = (self.made.load(Ordering::SeqCst) == 0).then(run);
        self.refuse_new.store(false, Ordering::SeqCst);
        result
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

/// Opens with the largest map that can be had, down to the floor.
fn reserve(dir: &Path, options: &EnvOptions) -> Result<(lmdb::Environment, u64)> {
    use lmdb::EnvironmentFlags as Flag;
    let mut flags = Flag::NO_TLS | Flag::NO_READAHEAD;
    if !options.sync {
        flags |= Flag::NO_SYNC;
    }
    if options.read_only {
        flags |= Flag::READ_ONLY;
    }
    let mut size = options.map_size;
    loop {
        let page = 4096;
        let opened = lmdb::Environment::new()
            .set_flags(flags)
            .set_max_readers(MAX_READERS)
            .set_max_dbs(MAX_DBS)
            .set_map_size((size - size % page) as usize)
            .open_with_permissions(dir, options.file_mode as libc::mode_t);
        match opened {
            Ok(env) => return Ok((env, size - size % page)),
            Err(lmdb::Error::Other(libc::ENOMEM)) if size / 2 >= options.map_floor => size /= 2,
            Err(error) => {
                let doing = format!("opening the store in {}", dir.display());
                return Err(fault(error.to_err_code(), &doing));
            }
        }
    }
}

/// What `mdb_reader_list` calls with each line.
unsafe extern "C" fn append(line: *const libc::c_char, table: *mut libc::c_void) -> libc::c_int {
    // SAFETY: LMDB gives a NUL-terminated line and the context it was given.
    let (line, table) = unsafe { (std::ffi::CStr::from_ptr(line), &mut *table.cast::<String>()) };
    table.push_str(&line.to_string_lossy());
    0
}

/// Stopped by a signal; a debugger is another matter.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
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
