//! What needs the environment opened, opened anew, or resized.

use super::{Env, EnvOptions, Guard, MAX_DBS, READER_PATIENCE, fault};
use crate::base::error::{Code, Error, Result};
use crate::files::DATA;
use crate::files::blocks::MAX_READERS;
use crate::files::open_own;
use crate::integrity::walk;
use lmdb_sys as ffi;
use rustix::io::FdFlags;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::ptr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often an environment is opened anew after LMDB gave it up: each time
/// costs address space and descriptors until the store is closed.
const REVIVALS: usize = 100;

impl Env {
    /// Another process opened the store with a larger map: take its size over,
    /// which LMDB allows only while this process has no transaction.
    #[cold]
    pub(super) fn adopt_map_size(&self) -> Result<()> {
        let doing = "taking over the size of the store";
        let resized = self.alone(|| {
            let data = open_own(&self.dir.join(DATA)).ok();
            let recorded = data.and_then(|data| walk::map_size(&data)).unwrap_or(0);
            let info = self.info();
            let least = (info.last_page + 1).saturating_mul(self.page_size);
            self.resize(recorded.max(least), doing)
        });
        resized.unwrap_or_else(|| Err(fault(libc::EBUSY, doing)))
    }

    /// Makes the map at least so large.
    ///
    /// # Errors
    /// `NoMem` where the process may not have so much address space; the map is
    /// as it was then.
    pub fn enlarge(&self, size: u64) -> Result<()> {
        if self.info().map_size >= size {
            return Ok(());
        }
        let doing = "enlarging the map of the store";
        let resized = self.alone(|| self.resize(size, doing));
        resized.unwrap_or_else(|| Err(fault(libc::EBUSY, doing)))
    }

    /// MUST be called while this process has no transaction.
    fn resize(&self, size: u64, doing: &str) -> Result<()> {
        let size = size - size % self.page_size;
        // LMDB gives up the map it has before it asks for another: without this
        // look a refusal would leave it with none, and crash the next reader.
        if !can_map(size) {
            return Err(no_address_space(doing, size));
        }
        // SAFETY: no transaction of this process is active, as the caller says.
        match unsafe { ffi::mdb_env_set_mapsize(self.raw(), size as usize) } {
            0 => Ok(()),
            rc => Err(fault(rc, doing)),
        }
    }

    /// After a meta page that could not be written LMDB gives an environment
    /// up: all its transactions fail. The store itself is sound, at the commit
    /// before; so it is opened once more.
    #[cold]
    pub(super) fn revive(&self) -> Result<()> {
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
            self.place.0.as_ref().map_or(Ok(()), Guard::confirm)?;
            self.raw.store(env.env(), Ordering::Release);
            crate::lmdb::env_registry::mapped_again(&self.dir);
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

/// Whether the process may have so much address space beside what it has.
fn can_map(size: u64) -> bool {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping that nobody may touch, gone at once.
    unsafe {
        match mmap_anonymous(ptr::null_mut(), size as usize, ProtFlags::empty(), flags) {
            Ok(at) => munmap(at, size as usize).is_ok(),
            Err(_) => false,
        }
    }
}

fn no_address_space(doing: &str, size: u64) -> Error {
    let limit = match rustix::process::getrlimit(rustix::process::Resource::As).current {
        Some(limit) => format!(" (ulimit -v allows it {} KiB in all)", limit >> 10),
        None => String::new(),
    };
    Error::new(
        Code::NoMem,
        format!(
            "{doing}: expected {size} bytes of address space, and the system refuses them to this \
             process{limit}; lower map_size and max_bytes (map_size is at least twice max_bytes), \
             or raise the limit"
        ),
    )
}

/// Opens with the largest map that can be had, down to the floor.
pub(super) fn reserve(dir: &Path, options: &EnvOptions) -> Result<(lmdb::Environment, u64)> {
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
        let page = rustix::param::page_size() as u64;
        let mut builder = lmdb::Environment::new();
        builder
            .set_flags(flags)
            .set_max_readers(MAX_READERS)
            .set_max_dbs(MAX_DBS)
            .set_map_size((size - size % page) as usize);
        // LMDB opens the data file without close-on-exec, and has no way to ask
        // for it: another thread must not fork before the descriptor has it.
        let opened = crate::base::fork::delayed(|| {
            let env = builder.open_with_permissions(dir, options.file_mode as libc::mode_t)?;
            close_on_exec(&env)?;
            Ok(env)
        });
        match opened {
            Ok(env) => return Ok((env, size - size % page)),
            // EINVAL is what valgrind says to a map it has no room for.
            Err(lmdb::Error::Other(rc))
                if rc == libc::ENOMEM || (rc == libc::EINVAL && !can_map(size)) =>
            {
                if size / 2 < options.map_floor {
                    let doing = format!("opening the store in {}", dir.display());
                    return Err(no_address_space(&doing, size));
                }
                size /= 2;
            }
            Err(error) => {
                let doing = format!("opening the store in {}", dir.display());
                return Err(fault(error.to_err_code(), &doing));
            }
        }
    }
}

/// A program that a child becomes must not have the store's data at hand.
fn close_on_exec(env: &lmdb::Environment) -> std::result::Result<(), lmdb::Error> {
    let mut fd = -1;
    // SAFETY: a live environment and a place to write to.
    let rc = unsafe { ffi::mdb_env_get_fd(env.env(), &mut fd) };
    if rc != 0 {
        return Err(lmdb::Error::from_err_code(rc));
    }
    // SAFETY: the environment keeps the descriptor open.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC)
        .map_err(|error| lmdb::Error::Other(error.raw_os_error()))
}
