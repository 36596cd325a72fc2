//! Readers of other processes: those that are dead, and those that are stopped.

use super::{Env, EnvInfo};
use crate::base::error::{Code, Error, Result};
use lmdb_sys as ffi;
use std::sync::atomic::Ordering;

/// Pages by which the file grows before dead readers are looked for.
const REAP_GROWTH: u64 = 32;
/// Free pages that a stopped reader may keep from use however small the file.
const PINNED_SLACK: u64 = 64;

impl Env {
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
    pub(super) fn reap_where_it_grew(&self) {
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
    pub(super) fn refuse_while_pinned(&self) -> Result<()> {
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
