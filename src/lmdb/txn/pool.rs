//! The bounded pool of read transactions.

use super::{Env, POOL, READER_PATIENCE, ReadTxn, fault};
use crate::base::error::{Code, Error, Result};
use lmdb_sys as ffi;
use std::marker::PhantomData;
use std::ptr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A transaction of the pool, reset.
pub(super) struct RawRead(pub(super) *mut ffi::MDB_txn);
// SAFETY: the environment is NOTLS, so a read transaction belongs to no thread;
// the pool hands it to one at a time.
unsafe impl Send for RawRead {}

impl Env {
    /// Begins a read if a transaction is idle and can be renewed: waits for
    /// nothing and mends nothing.
    #[inline]
    pub fn read_idle(&self) -> Option<ReadTxn<'_>> {
        self.look_now_and_then().ok()?;
        let raw = self.idle.pop()?;
        // SAFETY: a reset read transaction that only we hold.
        if unsafe { ffi::mdb_txn_renew(raw.0) } != 0 {
            self.discard(raw);
            return None;
        }
        Some(ReadTxn { env: self, raw: raw.0, only_here: PhantomData })
    }

    /// Begins a read; waits while [`POOL`] others are under way.
    #[inline]
    pub fn read(&self) -> Result<ReadTxn<'_>> {
        self.look_now_and_then()?;
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

    pub(super) fn discard(&self, raw: RawRead) {
        self.abort(raw);
        self.made.fetch_sub(1, Ordering::SeqCst);
        self.notify();
    }

    pub(super) fn give_back(&self, raw: RawRead) {
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

    pub(super) fn begin_read(&self) -> std::result::Result<RawRead, i32> {
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

    pub(super) fn abort(&self, raw: RawRead) {
        // SAFETY: only we hold it, and it is not used again.
        unsafe { ffi::mdb_txn_abort(raw.0) };
    }
}
