//! Is an LMDB data file sound? Told by our own walk over its pages, in plain
//! Rust over `pread`: LMDB checksums nothing and trusts what it maps, so a
//! damaged page would crash the process or serve wrong bytes.
//!
//! The walk begins where LMDB itself would begin, at the newer of the two
//! meta pages, and visits every page that is reachable from there: the free
//! list, the main database, the named ones, large values, duplicates. Each
//! page must be what its parent says, be reached once and not be listed as
//! free; nodes must tile their page; keys must be in order and within the
//! parent's bounds; page and entry counts must be those of the records.
//!
//! Pages are visited in the order of the file, some hundred thousand at a time,
//! and read in large pieces. Memory is one bit for each page, and the key bounds
//! of those that are still to be visited, some tens of megabytes at most. A file
//! of any bytes ends the walk, and none makes it panic. What the walk cannot tell is whether
//! the bytes of a value are those that were put: checksums do.

mod page;
mod path;
mod tree;
mod window;

use page::{META_SIZE, Meta};
use path::Paths;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use tree::{Stop, Walk};

/// How far the last page may lie beyond the file's end: pages that one
/// transaction took, and gave back before it had to write them.
const MAX_BEYOND: u64 = 1 << 26;
/// Pages beyond the file's end that no free record lists.
const MAX_UNLISTED_BEYOND: u64 = 1024;

/// What a walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No bytes: LMDB makes a new store of it.
    Empty,
    /// Every reachable page is sound.
    Sound(Figures),
    /// Sound, but the file ends before the last page of the meta: free pages
    /// that were never written. No damage; extend it to `need` bytes.
    Short {
        /// Bytes of the file.
        have: u64,
        /// Bytes up to the meta's last page.
        need: u64,
        /// As for a sound file.
        figures: Figures,
    },
    /// A page that LMDB would read is damaged.
    Bad(Bad),
    /// Neither meta page carries LMDB's magic.
    NotOurs,
}

/// A damaged page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its number (of the page that says so, where a record is wrong).
    pub page: u64,
    /// What was expected and found.
    pub why: String,
}

/// What a sound store consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes a page.
    pub page_size: u64,
    /// The last page in use.
    pub last_page: u64,
    /// The transaction that made this snapshot.
    pub txn: u64,
    /// Pages in use, the two meta pages apart.
    pub reached: u64,
    /// Pages listed as free.
    pub free: u64,
    /// Pages neither in use nor listed.
    pub unlisted: u64,
    /// The main database (without a name), then the named ones.
    pub databases: Vec<Database>,
}

/// One database of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// Its name; empty for the main one.
    pub name: String,
    /// LMDB's flags.
    pub flags: u16,
    /// Entries, by its record and by count.
    pub entries: u64,
    /// Levels of its tree.
    pub depth: u16,
}

/// Bytes that can be read at an offset. `&[u8]` is one, for tests.
pub trait Source {
    /// How many there are.
    fn length(&self) -> io::Result<u64>;
    /// Fills `into` from `at` on.
    fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()>;
}

impl Source for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, into, at)
    }
}

impl Source for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        let found = usize::try_from(at).ok().and_then(|at| self.get(at..)?.get(..into.len()));
        into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Judges a file that nobody writes to meanwhile. An error is one of reading.
pub fn walk<S: Source + ?Sized>(source: &S) -> io::Result<Verdict> {
    walk_snapshot(source, None)
}

/// Judges the snapshot of one transaction, which a live read transaction
/// keeps from being overwritten while others write. `None`: the newest.
/// A snapshot whose meta page is gone is an error of kind `NotFound`.
pub fn walk_snapshot<S: Source + ?Sized>(source: &S, txn: Option<u64>) -> io::Result<Verdict> {
    let length = source.length()?;
    if length == 0 {
        return Ok(Verdict::Empty);
    }
    let (meta, metas) = match metas(source, length)? {
        Ok(metas) => (newest(&metas), metas),
        Err(verdict) => return Ok(verdict),
    };
    let meta = match txn {
        None => meta,
        Some(txn) => match metas.iter().find(|meta| meta.txn == txn) {
            Some(meta) => *meta,
            None => return Err(io::ErrorKind::NotFound.into()),
        },
    };
    // A live writer may have replaced one meta page between our two reads.
    let pair = if txn.is_none() { check_pair(&metas) } else { Ok(()) };
    if let Err(bad) = check_meta(&meta, length).and(pair) {
        return Ok(Verdict::Bad(bad));
    }
    let mut walk = Walk::new(source, length, &meta);
    match walk.run(&meta) {
        Err(Stop::Io(error)) => return Err(error),
        Err(Stop::Bad(bad)) => return Ok(Verdict::Bad(bad)),
        Ok(()) => {}
    }
    if txn.is_none()
        && let Some(bad) = check_older(source, length, &metas, &meta)?
    {
        return Ok(Verdict::Bad(bad));
    }
    let figures = Figures {
        page_size: u64::from(meta.page_size),
        last_page: meta.last_page,
        txn: meta.txn,
        reached: walk.reached,
        free: walk.free,
        unlisted: walk.unlisted(),
        databases: std::mem::take(&mut walk.databases),
    };
    let need = (meta.last_page + 1) * figures.page_size;
    if need <= length {
        return Ok(Verdict::Sound(figures));
    }
    let beyond = meta.last_page + 1 - length / figures.page_size;
    if beyond - walk.free_beyond.min(beyond) > MAX_UNLISTED_BEYOND {
        let why = format!("the last page is {}, the file has {length} bytes", meta.last_page);
        return Ok(Verdict::Bad(Bad { page: meta.txn & 1, why }));
    }
    Ok(Verdict::Short { have: length, need, figures })
}

/// What the two meta pages alone tell, in two small reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// No bytes yet.
    Empty,
    /// The meta pages are sound and the file has all their pages.
    Whole,
    /// The meta pages are sound; the file ends before their last page.
    Short {
        /// Bytes of the file.
        have: u64,
        /// Bytes up to the meta's last page.
        need: u64,
    },
    /// The meta pages are not sound.
    Odd,
}

/// Looks at the meta pages only.
pub fn glance<S: Source + ?Sized>(source: &S) -> io::Result<Glance> {
    let have = source.length()?;
    if have == 0 {
        return Ok(Glance::Empty);
    }
    let Ok(metas) = metas(source, have)? else { return Ok(Glance::Odd) };
    let meta = newest(&metas);
    if check_meta(&meta, have).and(check_pair(&metas)).is_err() {
        return Ok(Glance::Odd);
    }
    let need = (meta.last_page + 1) * u64::from(meta.page_size);
    Ok(if need <= have { Glance::Whole } else { Glance::Short { have, need } })
}

/// Number of the last transaction, as far as the meta pages can be read; else 0.
pub fn newest_txn<S: Source + ?Sized>(source: &S) -> io::Result<u64> {
    let length = source.length()?;
    if length == 0 {
        return Ok(0);
    }
    Ok(metas(source, length)?.map_or(0, |metas| newest(&metas).txn))
}

/// The value of a key in the main database, found by its path alone: for a look
/// at a file before it is opened. None where there is none, where it is not in
/// the leaf itself, or where a page on the way is damaged or being written.
pub fn lookup<S: Source + ?Sized>(source: &S, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let length = source.length()?;
    let Ok(metas) = metas(source, length)? else { return Ok(None) };
    let meta = newest(&metas);
    if check_meta(&meta, length).is_err() {
        return Ok(None);
    }
    Paths::new(source, length, &meta).value(&meta.main, key)
}

/// The size of the map that the store's users agreed on last.
pub fn map_size(data: &File) -> Option<u64> {
    let metas = metas(data, data.length().ok()?).ok()?.ok()?;
    Some(newest(&metas).map_size)
}

/// Both meta pages, as `mdb_env_read_header` would find them.
fn metas<S: Source + ?Sized>(source: &S, length: u64) -> io::Result<Result<[Meta; 2], Verdict>> {
    let mut bytes = [0; META_SIZE];
    let mut page = |at: u64| {
        if at.saturating_add(META_SIZE as u64) > length {
            return Ok(Err((false, "the file ends before it".to_owned())));
        }
        source.read_exact_at(&mut bytes, at)?;
        Ok::<_, io::Error>(Meta::read(&bytes).map_err(|why| (Meta::has_magic(&bytes), why)))
    };
    let first = page(0)?;
    let size = match &first {
        Ok(meta) => meta.page_size,
        Err(_) => 4096,
    };
    let second = page(u64::from(size))?;
    Ok(match (first, second) {
        (Ok(first), Ok(second)) => Ok([first, second]),
        (Err((false, _)), Err((false, _))) if length >= 2 * META_SIZE as u64 => {
            Err(Verdict::NotOurs)
        }
        (Err((_, why)), _) => Err(Verdict::Bad(Bad { page: 0, why: format!("meta page: {why}") })),
        (_, Err((_, why))) => Err(Verdict::Bad(Bad { page: 1, why: format!("meta page: {why}") })),
    })
}

/// The one that `mdb_env_pick_meta` picks.
fn newest(metas: &[Meta; 2]) -> Meta {
    metas[usize::from(metas[0].txn < metas[1].txn)]
}

/// What makes the walk itself safe, and LMDB's use of the meta page.
fn check_meta(meta: &Meta, length: u64) -> Result<(), Bad> {
    let page = meta.txn & 1;
    let bad = |why: String| Err(Bad { page, why: format!("meta page: {why}") });
    let size = u64::from(meta.page_size);
    if !size.is_power_of_two() || !(512..=32768).contains(&size) {
        return bad(format!("pages of {size} bytes"));
    }
    if meta.free.flags != page::DB_INTEGERKEY {
        return bad(format!("environment flags {:#x}", meta.free.flags));
    }
    if meta.map_size > 1 << 47 {
        return bad(format!("a map of {} bytes", meta.map_size));
    }
    if meta.last_page < 1 || meta.last_page > (length / size).saturating_add(MAX_BEYOND) {
        return bad(format!("last page {} in a file of {length} bytes", meta.last_page));
    }
    Ok(())
}

/// Transaction N writes meta page N mod 2: the two are neighbours. Any other
/// pair would serve an older snapshot as the newest.
fn check_pair(metas: &[Meta; 2]) -> Result<(), Bad> {
    let [even, odd] = metas;
    let fresh = even.txn == 0 && odd.txn == 0;
    let neighbours = even.txn % 2 == 0 && odd.txn % 2 == 1 && even.txn.abs_diff(odd.txn) == 1;
    if !(fresh || neighbours) || even.page_size != odd.page_size {
        let why = format!("meta pages of transactions {} and {}", even.txn, odd.txn);
        return Err(Bad { page: 0, why });
    }
    Ok(())
}

/// Whether the other meta page is a newer snapshot under an older number: its
/// free list then knows a transaction that it should not.
///
/// A commit whose meta page could not be written leaves the same behind, sound
/// and never acknowledged, but with the old last page (`mdb_env_write_meta`).
/// So only a last page that has grown proves damage.
fn check_older<S: Source + ?Sized>(
    source: &S,
    length: u64,
    metas: &[Meta; 2],
    newest: &Meta,
) -> io::Result<Option<Bad>> {
    let older = &metas[usize::from(metas[0].txn == newest.txn)];
    if older.last_page <= newest.last_page {
        return Ok(None);
    }
    let last = Paths::new(source, length, older).last_key(&older.free)?;
    let freed = last.map(|key| page::u64_at(&key, 0));
    Ok(freed.filter(|freed| *freed > older.txn).map(|freed| {
        let why = format!("meta page of transaction {} lists pages that {freed} freed", older.txn);
        Bad { page: older.txn & 1, why }
    }))
}

#[cfg(test)]
mod tests;
