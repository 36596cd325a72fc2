//! From the roots of a snapshot to every page it holds.

use super::page::{self, *};
use super::window::Window;
use super::{Bad, Database, Source};
use std::io;
use std::rc::Rc;

/// Trees as deep as LMDB's own cursor stack.
pub const MAX_DEPTH: u16 = 32;
/// Databases whose figures are reported; all are walked.
const REPORTED: usize = 256;
/// Pages visited in the order of the file, not of the tree: leaves, and pages
/// above them, each of which leads to about a hundred.
const LEAVES: usize = 1 << 18;
const BRANCHES: usize = 1 << 10;

/// Why a walk ends early.
pub enum Stop {
    Io(io::Error),
    Bad(Bad),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

pub fn bad<T>(page: u64, why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Bad(Bad { page, why: why.into() }))
}

/// What a tree is: it says which nodes may stand in its leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Free,
    Main,
    Named,
    /// The duplicates of one key.
    Duplicates,
}

/// A page still to be visited, with the bounds its parent gives its keys:
/// from `low` on and below `high`. Neighbours share a bound.
struct Visit {
    page: u64,
    level: u16,
    low: Option<Rc<[u8]>>,
    high: Option<Rc<[u8]>>,
}

#[derive(Default)]
struct Counts {
    branch: u64,
    leaf: u64,
    overflow: u64,
    entries: u64,
}

/// One walk over one snapshot.
pub struct Walk<'a, S: Source + ?Sized> {
    source: &'a S,
    page_size: usize,
    /// Bytes of the file.
    length: u64,
    last_page: u64,
    txn: u64,
    /// One bit a page: reached, or listed as free.
    seen: Vec<u64>,
    pub reached: u64,
    pub free: u64,
    /// Of the free ones, those beyond the end of the file.
    pub free_beyond: u64,
    /// The last transaction that has a free record.
    newest_free: u64,
    pub databases: Vec<Database>,
}

impl<'a, S: Source + ?Sized> Walk<'a, S> {
    /// `meta` has passed the checks of the caller, which also bounds the
    /// size of the bitmap.
    pub fn new(source: &'a S, length: u64, meta: &Meta) -> Self {
        Self {
            source,
            page_size: meta.page_size as usize,
            length,
            last_page: meta.last_page,
            txn: meta.txn,
            seen: vec![0; (meta.last_page / 64 + 1) as usize],
            reached: 0,
            free: 0,
            free_beyond: 0,
            newest_free: 0,
            databases: Vec::new(),
        }
    }

    pub fn run(&mut self, meta: &Meta) -> Result<(), Stop> {
        self.tree(&meta.free, Role::Free, Order::Integer, "the free list")?;
        self.database("", &meta.main, Role::Main)?;
        // A transaction that changes a store with named databases replaces
        // the root of the main one, and so lists a page as freed. Otherwise
        // this is an older snapshot under a changed number.
        if self.txn > 1 && self.databases.len() > 1 && self.newest_free != self.txn {
            let why = format!("transaction {} freed nothing, {} did", self.txn, self.newest_free);
            return bad(self.txn & 1, why);
        }
        Ok(())
    }

    fn claim(&mut self, number: u64, by: &str) -> Result<(), Stop> {
        if number < 2 || number > self.last_page {
            return bad(number, format!("{by}: page {number} is not in 2..={}", self.last_page));
        }
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        match self.seen.get_mut(word) {
            Some(word) if *word & bit == 0 => *word |= bit,
            _ => return bad(number, format!("{by}: page {number} has another use already")),
        }
        Ok(())
    }

    /// Marks pages as reached; they MUST lie within the file.
    fn reach(&mut self, first: u64, count: u64, by: &str) -> Result<(), Stop> {
        let end = first.checked_add(count).and_then(|end| end.checked_mul(self.page_size as u64));
        if end.is_none_or(|end| end > self.length) {
            return bad(first, format!("{by}: {count} pages from {first} on end beyond the file"));
        }
        for number in first..first + count {
            self.claim(number, by)?;
        }
        self.reached += count;
        Ok(())
    }

    fn read(&self, number: u64, offset: usize, into: &mut [u8]) -> Result<(), Stop> {
        let at = number * self.page_size as u64 + offset as u64;
        Ok(self.source.read_exact_at(into, at)?)
    }

    /// A database with a name of its own, or the main one.
    fn database(&mut self, name: &str, db: &Db, role: Role) -> Result<(), Stop> {
        if db.unknown_flags() != 0 {
            return bad(db.root, format!("database '{name}': flags {:#x}", db.flags));
        }
        if self.databases.len() < REPORTED {
            let (flags, entries, depth) = (db.flags, db.entries, db.depth);
            self.databases.push(Database { name: name.into(), flags, entries, depth });
        }
        self.tree(db, role, Order::of_keys(db.flags), &format!("database '{name}'"))
    }

    /// Every page of one tree. Nests at most main, named, duplicates: three.
    fn tree(&mut self, db: &Db, role: Role, order: Order, by: &str) -> Result<(), Stop> {
        let mut counts = Counts::default();
        if db.root == NO_PAGE {
            if db.depth != 0 {
                return bad(NO_PAGE, format!("{by}: no root, but a depth of {}", db.depth));
            }
        } else {
            if db.depth == 0 || db.depth > MAX_DEPTH {
                return bad(db.root, format!("{by}: a depth of {}", db.depth));
            }
            let mut window = Window::new(self.page_size, self.length);
            let mut pending = vec![Visit { page: db.root, level: 1, low: None, high: None }];
            while let Some(level) = pending.last().map(|visit| visit.level) {
                let batch = batch(&mut pending, level, db.depth);
                for (index, visit) in batch.iter().enumerate() {
                    self.reach(visit.page, 1, by)?;
                    let following = batch[index + 1..].iter().map(|visit| visit.page);
                    let page = window.page(self.source, visit.page, following)?;
                    let next = self
                        .visit(page, visit, db, role, order, &mut counts)
                        .map_err(|stop| named(stop, by, visit.page))?;
                    pending.extend(next);
                }
            }
        }
        let found = [counts.branch, counts.leaf, counts.overflow, counts.entries];
        let said = [db.branch_pages, db.leaf_pages, db.overflow_pages, db.entries];
        if found != said {
            return bad(
                db.root,
                format!(
                    "{by}: branch, leaf, overflow pages and entries {found:?}, its record says {said:?}"
                ),
            );
        }
        Ok(())
    }

    fn visit(
        &mut self,
        bytes: &[u8],
        visit: &Visit,
        db: &Db,
        role: Role,
        order: Order,
        counts: &mut Counts,
    ) -> Result<Vec<Visit>, Stop> {
        if u64_at(bytes, 0) != visit.page {
            return bad(visit.page, format!("it says it is page {}", u64_at(bytes, 0)));
        }
        let leaf = visit.level == db.depth;
        let packed = leaf && role == Role::Duplicates && db.flags & DB_DUPFIXED != 0;
        let expected = match (leaf, packed) {
            (false, _) => P_BRANCH,
            (true, false) => P_LEAF,
            (true, true) => P_LEAF | P_LEAF2,
        };
        let flags = u16_at(bytes, 10);
        if flags != expected {
            return bad(visit.page, format!("expected flags {expected:#x}, found {flags:#x}"));
        }
        let wrong = |why| Stop::Bad(Bad { page: visit.page, why });
        if packed {
            counts.leaf += 1;
            let keys = packed_keys(bytes, db.pad as usize).map_err(wrong)?;
            counts.entries += keys.len() as u64;
            check_keys(keys.iter().copied(), order, visit)?;
            return Ok(Vec::new());
        }
        let nodes = page::nodes(bytes, !leaf).map_err(wrong)?;
        if leaf {
            counts.leaf += 1;
            check_keys(nodes.iter().map(|node| node.key), order, visit)?;
            if nodes.is_empty() {
                return bad(visit.page, "a leaf without entries");
            }
            for node in &nodes {
                self.leaf_node(node, visit.page, db, role, counts)?;
            }
            return Ok(Vec::new());
        }
        counts.branch += 1;
        // LMDB itself stops the process on a branch with one child, except in
        // the free list, where rebalancing may leave one.
        if nodes.len() < if role == Role::Free { 1 } else { 2 } {
            return bad(visit.page, format!("a branch with {} children", nodes.len()));
        }
        // The first key of a branch page is never looked at.
        check_keys(nodes.iter().skip(1).map(|node| node.key), order, visit)?;
        Ok(children(&nodes, visit))
    }

    fn leaf_node(
        &mut self,
        node: &Node<'_>,
        page: u64,
        db: &Db,
        role: Role,
        counts: &mut Counts,
    ) -> Result<(), Stop> {
        let sorted = db.flags & DB_DUPSORT != 0;
        if node.key.is_empty() && role != Role::Duplicates {
            return bad(page, "an empty key");
        }
        match (role, node.flags) {
            (Role::Free, 0) => {
                let entry = node.data.to_vec();
                self.free_record(node.key, page, entry.len() as u64, |_, at, into| {
                    into.copy_from_slice(&entry[at..at + into.len()]);
                    Ok(())
                })?;
            }
            (Role::Free, F_BIGDATA) => {
                let first = self.overflow(node, counts)?;
                self.free_record(node.key, page, u64::from(node.size), |walk, at, into| {
                    walk.read(first, HEADER + at, into)
                })?;
            }
            (Role::Duplicates, 0) if node.size == 0 => {}
            (Role::Main | Role::Named, 0) => {}
            (Role::Main | Role::Named, F_BIGDATA) if !sorted => {
                self.overflow(node, counts)?;
            }
            (Role::Main, F_SUBDATA) if node.data.len() == DB_SIZE => {
                let name = String::from_utf8_lossy(node.key).into_owned();
                self.database(&name, &Db::read(node.data), Role::Named)?;
            }
            (Role::Main | Role::Named, F_DUPDATA) if sorted => {
                counts.entries += self.sub_page(node.data, page, db)?;
                return Ok(());
            }
            (Role::Main | Role::Named, flags)
                if sorted && flags == F_DUPDATA | F_SUBDATA && node.data.len() == DB_SIZE =>
            {
                let sub = Db::read(node.data);
                let fixed = db.flags & DB_DUPFIXED;
                if sub.flags & DB_DUPFIXED != fixed || sub.depth == 0 {
                    return bad(page, format!("duplicates with flags {:#x}", sub.flags));
                }
                self.tree(&sub, Role::Duplicates, Order::of_duplicates(db.flags), "duplicates")?;
                counts.entries += sub.entries;
                return Ok(());
            }
            (_, flags) => {
                return bad(page, format!("a node with flags {flags:#x}, {} bytes", node.size));
            }
        }
        counts.entries += 1;
        Ok(())
    }

    /// Checks the pages of a large value; returns the first.
    fn overflow(&mut self, node: &Node<'_>, counts: &mut Counts) -> Result<u64, Stop> {
        let first = u64_at(node.data, 0);
        self.reach(first, 1, "a large value")?;
        let mut header = [0; HEADER];
        self.read(first, 0, &mut header)?;
        let (flags, pages) = (u16_at(&header, 10), u64::from(u32_at(&header, 12)));
        if u64_at(&header, 0) != first || flags != P_OVERFLOW {
            return bad(first, format!("expected an overflow page, found flags {flags:#x}"));
        }
        // A value rewritten shorter in its own transaction keeps its pages.
        let needed = (HEADER as u64 - 1 + u64::from(node.size)) / self.page_size as u64 + 1;
        if pages < needed {
            return bad(first, format!("{pages} pages for a value that takes {needed}"));
        }
        self.reach(first + 1, pages - 1, "a large value")?;
        counts.overflow += pages;
        Ok(first)
    }

    /// The duplicates of one key, in its own node.
    fn sub_page(&mut self, bytes: &[u8], page: u64, db: &Db) -> Result<u64, Stop> {
        let packed = if db.flags & DB_DUPFIXED != 0 { P_LEAF2 } else { 0 };
        let flags = u16_at(bytes, 10) & !P_DIRTY;
        if bytes.len() < HEADER || flags != P_LEAF | P_SUBP | packed {
            return bad(page, format!("a sub-page with flags {flags:#x}"));
        }
        let order = Order::of_duplicates(db.flags);
        let visit = Visit { page, level: 0, low: None, high: None };
        let wrong = |why| Stop::Bad(Bad { page, why: format!("sub-page: {why}") });
        if packed != 0 {
            let keys = packed_keys(bytes, usize::from(u16_at(bytes, 8))).map_err(wrong)?;
            check_keys(keys.iter().copied(), order, &visit)?;
            return Ok(keys.len() as u64);
        }
        let nodes = page::nodes(bytes, false).map_err(wrong)?;
        check_keys(nodes.iter().map(|node| node.key), order, &visit)?;
        if nodes.is_empty() || nodes.iter().any(|node| node.flags != 0 || node.size != 0) {
            return bad(page, "a sub-page with other nodes than duplicates");
        }
        Ok(nodes.len() as u64)
    }

    /// One record of the free list: a count, then page numbers downwards.
    /// Room that LMDB reserved and did not need may follow them.
    fn free_record(
        &mut self,
        key: &[u8],
        page: u64,
        size: u64,
        mut read: impl FnMut(&Self, usize, &mut [u8]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if key.len() != 8 || u64_at(key, 0) == 0 || u64_at(key, 0) > self.txn {
            return bad(page, format!("free record of transaction {:?}", u64_at(key, 0)));
        }
        self.newest_free = self.newest_free.max(u64_at(key, 0));
        let mut number = [0; 8];
        if size < 8 {
            return bad(page, format!("a free record of {size} bytes"));
        }
        read(self, 0, &mut number)?;
        let count = u64_at(&number, 0);
        if count > size / 8 - 1 {
            return bad(page, format!("a free record of {size} bytes for {count} pages"));
        }
        let (mut chunk, mut done, mut above) = ([0; 4096], 0_u64, u64::MAX);
        while done < count {
            let take = ((count - done) as usize).min(chunk.len() / 8);
            let chunk = &mut chunk[..take * 8];
            read(self, 8 + done as usize * 8, chunk)?;
            for number in chunk.chunks_exact(8).map(|bytes| u64_at(bytes, 0)) {
                if number >= above {
                    return bad(page, format!("free page {number} follows {above}"));
                }
                above = number;
                self.claim(number, "the free list")?;
                self.free += 1;
                let end = (number + 1).saturating_mul(self.page_size as u64);
                self.free_beyond += u64::from(end > self.length);
            }
            done += take as u64;
        }
        Ok(())
    }

    /// Pages that are neither reached nor free: lost to LMDB, but harmless.
    pub fn unlisted(&self) -> u64 {
        (self.last_page.saturating_sub(1)).saturating_sub(self.reached + self.free)
    }
}

/// The last visits of one level, as many as may be taken at a time, in the order
/// of the file: a disk reads it from one end to the other.
fn batch(pending: &mut Vec<Visit>, level: u16, depth: u16) -> Vec<Visit> {
    let most = if level == depth { LEAVES } else { BRANCHES };
    let count = pending.iter().rev().take(most).take_while(|visit| visit.level == level).count();
    let mut batch = pending.split_off(pending.len() - count);
    batch.sort_unstable_by_key(|visit| visit.page);
    batch
}

fn children(nodes: &[Node<'_>], visit: &Visit) -> Vec<Visit> {
    let mut low = visit.low.clone();
    let mut found = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let next = nodes.get(index + 1).map(|next| Rc::from(next.key));
        let high = next.or_else(|| visit.high.clone());
        let low = std::mem::replace(&mut low, high.clone());
        found.push(Visit { page: node.child, level: visit.level + 1, low, high });
    }
    found
}

/// Keys rise strictly and lie within what the parent says of this page.
fn check_keys<'k>(
    keys: impl Iterator<Item = &'k [u8]>,
    order: Order,
    visit: &Visit,
) -> Result<(), Stop> {
    let mut last: Option<&[u8]> = None;
    for (index, key) in keys.enumerate() {
        let misplaced = match (last, &visit.low) {
            (Some(last), _) => !order.before(last, key),
            (None, Some(low)) => order.before(key, low),
            (None, None) => false,
        };
        if misplaced {
            return bad(visit.page, format!("key {index} is out of order"));
        }
        last = Some(key);
    }
    if let (Some(last), Some(high)) = (last, &visit.high)
        && !order.before(last, high)
    {
        return bad(visit.page, "its last key belongs to the next page");
    }
    Ok(())
}

fn named(stop: Stop, by: &str, page: u64) -> Stop {
    match stop {
        Stop::Bad(Bad { page: at, why }) if at == page && !why.starts_with(by) => {
            Stop::Bad(Bad { page, why: format!("{by}: {why}") })
        }
        other => other,
    }
}
