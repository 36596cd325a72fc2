//! Inside a transaction: gets, walks, puts.

use super::pool::RawRead;
use super::{Dbi, Env, FREE, check, fault, zeroed_stat};
use crate::base::error::Result;
use lmdb_sys as ffi;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::MutexGuard;

fn val(bytes: &[u8]) -> ffi::MDB_val {
    ffi::MDB_val { mv_size: bytes.len(), mv_data: bytes.as_ptr().cast_mut().cast() }
}

/// # Safety
/// `val` was filled by LMDB and its bytes stay as they are for `'a`.
unsafe fn bytes<'a>(val: &ffi::MDB_val) -> &'a [u8] {
    if val.mv_size == 0 {
        return &[];
    }
    // SAFETY: the caller's promise; LMDB gives `mv_size` readable bytes.
    unsafe { std::slice::from_raw_parts(val.mv_data.cast::<u8>(), val.mv_size) }
}

/// # Safety
/// `raw` is a live transaction that outlives `'a`, and nothing is written in it
/// during `'a`.
unsafe fn get<'a>(raw: *mut ffi::MDB_txn, dbi: Dbi, key: &[u8]) -> Result<Option<&'a [u8]>> {
    let (mut key, mut data) = (val(key), val(&[]));
    // SAFETY: the caller's promise; LMDB only reads the key.
    match unsafe { ffi::mdb_get(raw, dbi.0, &mut key, &mut data) } {
        // SAFETY: filled by LMDB; the caller's promise.
        0 => Ok(Some(unsafe { bytes(&data) })),
        ffi::MDB_NOTFOUND | ffi::MDB_BAD_VALSIZE => Ok(None),
        rc => Err(fault(rc, "reading the store")),
    }
}

/// A cursor that is closed where it goes out of scope.
struct Cursor(*mut ffi::MDB_cursor);

impl Drop for Cursor {
    fn drop(&mut self) {
        // SAFETY: opened by `walk` and not closed before; its transaction lives.
        unsafe { ffi::mdb_cursor_close(self.0) };
    }
}

/// What [`ReadTxn::walk`] calls with each key and value.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>> + 'v;

/// # Safety
/// `raw` is a live transaction in which nothing is written during the call.
unsafe fn walk(raw: *mut ffi::MDB_txn, dbi: Dbi, from: &[u8], visit: &mut Visit<'_>) -> Result<()> {
    let mut cursor = ptr::null_mut();
    // SAFETY: the caller's promise.
    check(unsafe { ffi::mdb_cursor_open(raw, dbi.0, &mut cursor) }, "reading the store")?;
    let cursor = Cursor(cursor);
    let (mut key, mut data) = (val(from), val(&[]));
    let mut op = if from.is_empty() { ffi::MDB_FIRST } else { ffi::MDB_SET_RANGE };
    loop {
        // SAFETY: a live cursor and places to write to.
        match unsafe { ffi::mdb_cursor_get(cursor.0, &mut key, &mut data, op) } {
            0 => {}
            ffi::MDB_NOTFOUND => return Ok(()),
            rc => return Err(fault(rc, "reading the store")),
        }
        // SAFETY: filled by LMDB, and nothing is written while we visit.
        let (key, data) = unsafe { (bytes(&key), bytes(&data)) };
        if visit(key, data)?.is_break() {
            return Ok(());
        }
        op = ffi::MDB_NEXT;
    }
}

/// # Safety
/// `raw` is a live transaction that outlives `'a`, and nothing is written in it
/// during `'a`.
unsafe fn last<'a>(raw: *mut ffi::MDB_txn, dbi: Dbi) -> Result<Option<(&'a [u8], &'a [u8])>> {
    let mut cursor = ptr::null_mut();
    // SAFETY: the caller's promise.
    check(unsafe { ffi::mdb_cursor_open(raw, dbi.0, &mut cursor) }, "reading the store")?;
    let cursor = Cursor(cursor);
    let (mut key, mut data) = (val(&[]), val(&[]));
    // SAFETY: a live cursor and places to write to.
    match unsafe { ffi::mdb_cursor_get(cursor.0, &mut key, &mut data, ffi::MDB_LAST) } {
        // SAFETY: filled by LMDB; the caller's promise.
        0 => Ok(Some(unsafe { (bytes(&key), bytes(&data)) })),
        ffi::MDB_NOTFOUND => Ok(None),
        rc => Err(fault(rc, "reading the store")),
    }
}

/// # Safety
/// `raw` is a live transaction.
unsafe fn count(raw: *mut ffi::MDB_txn, dbi: Dbi) -> Result<u64> {
    let mut stat = zeroed_stat();
    // SAFETY: the caller's promise.
    check(unsafe { ffi::mdb_stat(raw, dbi.0, &mut stat) }, "reading the store")?;
    Ok(stat.ms_entries as u64)
}

/// A snapshot. Ends (is reset and goes back to the pool) when dropped.
pub struct ReadTxn<'e> {
    pub(super) env: &'e Env,
    pub(super) raw: *mut ffi::MDB_txn,
    pub(super) only_here: PhantomData<*const ()>,
}

impl ReadTxn<'_> {
    /// The value of a key.
    #[inline]
    pub fn get(&self, dbi: Dbi, key: &[u8]) -> Result<Option<&[u8]>> {
        // SAFETY: live until `self` is dropped; nothing is written in a read
        // transaction, and LMDB keeps its pages as long as it lasts.
        self.env.note(unsafe { get(self.raw, dbi, key) })
    }

    /// Visits keys in order from `from` (empty: from the first).
    pub fn walk(&self, dbi: Dbi, from: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        // SAFETY: as for `get`.
        unsafe { walk(self.raw, dbi, from, visit) }
    }

    /// How many keys a database has.
    pub fn count(&self, dbi: Dbi) -> Result<u64> {
        // SAFETY: live.
        unsafe { count(self.raw, dbi) }
    }

    /// Pages that the next writers can use, as the free list has it.
    pub fn free_pages(&self) -> Result<u64> {
        let mut free = 0u64;
        self.walk(FREE, &[], &mut |_, list| {
            let count = list.first_chunk::<{ size_of::<usize>() }>().copied();
            free += count.map_or(0, usize::from_ne_bytes) as u64;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(free)
    }

    /// Number of the write that this snapshot shows.
    #[inline]
    pub fn id(&self) -> u64 {
        // SAFETY: live.
        unsafe { ffi::mdb_txn_id(self.raw) as u64 }
    }
}

impl Drop for ReadTxn<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a live read transaction; reset keeps its slot for renewal.
        unsafe { ffi::mdb_txn_reset(self.raw) };
        self.env.give_back(RawRead(self.raw));
    }
}

/// A write transaction. Aborts when dropped uncommitted.
pub struct WriteTxn<'e> {
    pub(super) env: &'e Env,
    pub(super) raw: *mut ffi::MDB_txn,
    pub(super) map_full: Cell<bool>,
    pub(super) _turn: MutexGuard<'e, ()>,
}

impl<'e> WriteTxn<'e> {
    /// Number of this write.
    #[inline]
    pub fn id(&self) -> u64 {
        // SAFETY: live.
        unsafe { ffi::mdb_txn_id(self.raw) as u64 }
    }

    /// The environment it writes to.
    pub fn env(&self) -> &'e Env {
        self.env
    }

    /// The value of a key.
    pub fn get(&self, dbi: Dbi, key: &[u8]) -> Result<Option<&[u8]>> {
        // SAFETY: live until `self` is dropped; a write needs `&mut self`.
        self.env.note(unsafe { get(self.raw, dbi, key) })
    }

    /// Visits keys in order from `from` (empty: from the first).
    pub fn walk(&self, dbi: Dbi, from: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        // SAFETY: as for `get`.
        unsafe { walk(self.raw, dbi, from, visit) }
    }

    /// The last key and its value.
    pub fn last(&self, dbi: Dbi) -> Result<Option<(&[u8], &[u8])>> {
        // SAFETY: as for `get`.
        unsafe { last(self.raw, dbi) }
    }

    /// How many keys a database has.
    pub fn count(&self, dbi: Dbi) -> Result<u64> {
        // SAFETY: live.
        unsafe { count(self.raw, dbi) }
    }

    /// Whether a write failed for want of room in the map.
    pub fn map_full(&self) -> bool {
        self.map_full.get()
    }

    fn done(&self, rc: i32) -> Result<()> {
        if matches!(rc, ffi::MDB_MAP_FULL | ffi::MDB_TXN_FULL) {
            self.map_full.set(true);
        }
        self.env.note(self.env.written(rc, "writing the store"))
    }

    /// Stores a value.
    pub fn put(&mut self, dbi: Dbi, key: &[u8], value: &[u8]) -> Result<()> {
        let (mut key, mut data) = (val(key), val(value));
        // SAFETY: live; LMDB copies both.
        let rc = unsafe { ffi::mdb_put(self.raw, dbi.0, &mut key, &mut data, 0) };
        self.done(rc)
    }

    /// Stores a value under a key that is greater than all others; fills pages
    /// to the brim.
    pub fn append(&mut self, dbi: Dbi, key: &[u8], value: &[u8]) -> Result<()> {
        let (mut raw_key, mut data) = (val(key), val(value));
        // SAFETY: live; LMDB copies both.
        let rc = unsafe { ffi::mdb_put(self.raw, dbi.0, &mut raw_key, &mut data, ffi::MDB_APPEND) };
        match rc {
            ffi::MDB_KEYEXIST => self.put(dbi, key, value),
            rc => self.done(rc),
        }
    }

    /// Makes room for a value of `len` bytes and lets `fill` write it.
    pub fn put_with(
        &mut self,
        dbi: Dbi,
        key: &[u8],
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<()> {
        let mut raw_key = val(key);
        let mut data = ffi::MDB_val { mv_size: len, mv_data: ptr::null_mut() };
        // SAFETY: live; the databases are not DUPSORT, so RESERVE is allowed.
        let rc =
            unsafe { ffi::mdb_put(self.raw, dbi.0, &mut raw_key, &mut data, ffi::MDB_RESERVE) };
        self.done(rc)?;
        if len > 0 {
            // SAFETY: LMDB reserved `len` writable bytes, ours until the next
            // call into this transaction. `fill` only ever writes to them.
            fill(unsafe { std::slice::from_raw_parts_mut(data.mv_data.cast::<u8>(), len) });
        }
        Ok(())
    }

    /// Removes a key; false where there was none.
    pub fn del(&mut self, dbi: Dbi, key: &[u8]) -> Result<bool> {
        let mut key = val(key);
        // SAFETY: live; LMDB only reads the key.
        match unsafe { ffi::mdb_del(self.raw, dbi.0, &mut key, ptr::null_mut()) } {
            ffi::MDB_NOTFOUND | ffi::MDB_BAD_VALSIZE => Ok(false),
            rc => self.done(rc).map(|()| true),
        }
    }

    /// Removes every key of a database.
    pub fn empty(&mut self, dbi: Dbi) -> Result<()> {
        // SAFETY: live; 0 keeps the database itself.
        let rc = unsafe { ffi::mdb_drop(self.raw, dbi.0, 0) };
        self.done(rc)
    }

    /// Commits; also tells whether the map was full. On failure nothing of the
    /// transaction is there.
    pub fn commit(mut self) -> (Result<()>, bool) {
        let raw = std::mem::replace(&mut self.raw, ptr::null_mut());
        // SAFETY: live until here, and `self` is not used again.
        let rc = unsafe { ffi::mdb_txn_commit(raw) };
        let (env, done) = (self.env, self.done(rc));
        let map_full = self.map_full.get();
        // The writers' turn ends first: a read may have to open the store anew,
        // which waits for it.
        drop(self);
        env.reap_where_it_grew();
        (done, map_full)
    }
}

impl Drop for WriteTxn<'_> {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: live and not used again.
            unsafe { ffi::mdb_txn_abort(self.raw) };
        }
    }
}
