//! A look at the data file of an open store, for what operators do to it: cut
//! it, remove it, move or copy a backup over it. LMDB has it mapped and would
//! read pages that are not there (SIGBUS) or belong to another snapshot.
//!
//! Each write looks before it begins, which is one system call of some hundred
//! nanoseconds. Reads look too, as long as they are few: up to [`LOOKS`] of them
//! in each tick of the coarse clock, whose reading costs a hit five nanoseconds.

use super::{Env, WriteTxn};
use crate::base::error::{Code, Error, Result};
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Reads of one tick that look.
const LOOKS: u32 = 64;
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::MonotonicCoarse;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// When the file was last looked at.
#[derive(Default)]
pub(super) struct Watch {
    /// The tick of the last look.
    tick: AtomicU64,
    /// Looks within it.
    looks: AtomicU32,
    /// Something was seen: nothing in this environment is used again.
    lost: AtomicBool,
}

/// The tick, as the part of its second: all that is asked is whether it changed.
#[inline]
fn tick() -> u64 {
    clock_gettime(CLOCK).tv_nsec as u64
}

impl Watch {
    /// Whether a read need not look.
    #[inline]
    fn has_looked(&self) -> bool {
        self.tick.load(Ordering::Relaxed) == tick()
            && self.looks.load(Ordering::Relaxed) >= LOOKS
            && !self.lost.load(Ordering::Relaxed)
    }

    /// Counts a look; true for the first one of a tick.
    fn count(&self) -> bool {
        let now = tick();
        if self.tick.swap(now, Ordering::Relaxed) != now {
            self.looks.store(1, Ordering::Relaxed);
            return true;
        }
        self.looks.fetch_add(1, Ordering::Relaxed);
        false
    }
}

impl Env {
    /// Looks at the data file where reads are few enough for it.
    #[inline]
    pub(super) fn look_now_and_then(&self) -> Result<()> {
        if self.watch.has_looked() { Ok(()) } else { self.look() }
    }

    /// Looks at the data file.
    ///
    /// # Errors
    /// `Corrupt`, from then on, where it was cut, removed or replaced.
    #[cold]
    pub fn look(&self) -> Result<()> {
        let Some(guard) = &self.place.0 else { return Ok(()) };
        let first = self.watch.count();
        let mut seen = guard.look();
        if first || self.watch.lost.load(Ordering::Relaxed) {
            seen = seen.and_then(|()| guard.look_by_name());
        }
        match seen {
            Ok(()) if !self.watch.lost.load(Ordering::Relaxed) => Ok(()),
            Ok(()) => Err(self.other_snapshot()),
            Err(error) => {
                self.lose();
                Err(error)
            }
        }
    }

    fn lose(&self) {
        if !self.watch.lost.swap(true, Ordering::Relaxed) {
            self.suspect();
        }
    }

    /// Whether a write goes on from the last one that LMDB knows of. The number
    /// of that is in `lock.mdb`; a file that was copied over the data has others.
    pub(super) fn continues<'e>(&self, txn: WriteTxn<'e>) -> Result<WriteTxn<'e>> {
        let (number, last) = (txn.id(), self.last_txn_id());
        // A commit whose meta page could not be written leaves one that is newer.
        if last + 1 == number || last == number {
            return Ok(txn);
        }
        drop(txn);
        self.lose();
        Err(self.other_snapshot())
    }

    fn other_snapshot(&self) -> Error {
        let text = format!(
            "store {}: data.mdb was overwritten while the store was open; close it everywhere, \
             then open it again (never restore over an open store)",
            self.dir.display()
        );
        Error::new(Code::Corrupt, text)
    }
}
