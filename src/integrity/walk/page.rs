//! The bytes of one LMDB page, read without trusting any of them.
//!
//! Layouts are those of `MDB_page`, `MDB_node`, `MDB_db` and `MDB_meta` in
//! LMDB 0.9's `mdb.c`, on a machine of 64 bits and in its byte order.

use std::cmp::Ordering;

pub const HEADER: usize = 16;
pub const NODE: usize = 8;
pub const DB_SIZE: usize = 48;
/// What LMDB reads of a meta page: header and `MDB_meta`.
pub const META_SIZE: usize = 152;

pub const P_BRANCH: u16 = 0x01;
pub const P_LEAF: u16 = 0x02;
pub const P_OVERFLOW: u16 = 0x04;
pub const P_META: u16 = 0x08;
pub const P_DIRTY: u16 = 0x10;
pub const P_LEAF2: u16 = 0x20;
pub const P_SUBP: u16 = 0x40;

pub const F_BIGDATA: u16 = 0x01;
pub const F_SUBDATA: u16 = 0x02;
pub const F_DUPDATA: u16 = 0x04;

pub const DB_REVERSEKEY: u16 = 0x02;
pub const DB_DUPSORT: u16 = 0x04;
pub const DB_INTEGERKEY: u16 = 0x08;
pub const DB_DUPFIXED: u16 = 0x10;
pub const DB_INTEGERDUP: u16 = 0x20;
pub const DB_REVERSEDUP: u16 = 0x40;
const DB_FLAGS: u16 = 0x7e;

const MAGIC: u32 = 0xBEEF_C0DE;
const DATA_VERSION: u32 = 1;
/// `MDB_MAXKEYSIZE`.
pub const MAX_KEY: usize = 511;
/// The root of an empty tree.
pub const NO_PAGE: u64 = u64::MAX;

/// What is wrong with a page, in words.
pub type Wrong = String;

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(bytes_at(bytes, at))
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes_at(bytes, at))
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes_at(bytes, at))
}

/// The record of one database (`MDB_db`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Db {
    pub pad: u32,
    pub flags: u16,
    pub depth: u16,
    pub branch_pages: u64,
    pub leaf_pages: u64,
    pub overflow_pages: u64,
    pub entries: u64,
    pub root: u64,
}

impl Db {
    pub fn read(bytes: &[u8]) -> Self {
        Self {
            pad: u32_at(bytes, 0),
            flags: u16_at(bytes, 4),
            depth: u16_at(bytes, 6),
            branch_pages: u64_at(bytes, 8),
            leaf_pages: u64_at(bytes, 16),
            overflow_pages: u64_at(bytes, 24),
            entries: u64_at(bytes, 32),
            root: u64_at(bytes, 40),
        }
    }

    /// Flags that no LMDB 0.9 writes.
    pub fn unknown_flags(&self) -> u16 {
        self.flags & !DB_FLAGS
    }
}

/// What a meta page says (`MDB_meta`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    pub map_size: u64,
    pub page_size: u32,
    pub free: Db,
    pub main: Db,
    pub last_page: u64,
    pub txn: u64,
}

impl Meta {
    /// Reads what `mdb_env_read_header` would accept.
    pub fn read(page: &[u8]) -> Result<Self, Wrong> {
        let body = page.get(HEADER..META_SIZE).ok_or("the meta page is cut off")?;
        if u16_at(page, 10) & P_META == 0 {
            return Err(format!("flags say it is no meta page: {:#x}", u16_at(page, 10)));
        }
        if u32_at(body, 0) != MAGIC {
            return Err(format!("expected the magic {MAGIC:#x}, found {:#x}", u32_at(body, 0)));
        }
        if u32_at(body, 4) != DATA_VERSION {
            return Err(format!("expected data version 1, found {}", u32_at(body, 4)));
        }
        let free = Db::read(&body[24..]);
        Ok(Self {
            map_size: u64_at(body, 16),
            page_size: free.pad,
            free,
            main: Db::read(&body[72..]),
            last_page: u64_at(body, 120),
            txn: u64_at(body, 128),
        })
    }

    /// Whether these bytes carry LMDB's magic at all.
    pub fn has_magic(page: &[u8]) -> bool {
        u32_at(page, HEADER) == MAGIC
    }
}

/// One node of a branch or leaf page.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    pub flags: u16,
    pub key: &'a [u8],
    /// The size a leaf's value has, wherever it lies.
    pub size: u32,
    /// What lies in the page: the value, or the number of its first page.
    pub data: &'a [u8],
    /// The page below, in a branch page.
    pub child: u64,
}

/// The nodes of a branch page, a leaf page or a sub-page, in their order.
///
/// LMDB keeps the nodes of a page packed against its end; they MUST tile it
/// exactly, so that any damage to a size or an offset shows.
pub fn nodes(page: &[u8], branch: bool) -> Result<Vec<Node<'_>>, Wrong> {
    let (lower, upper) = (usize::from(u16_at(page, 12)), usize::from(u16_at(page, 14)));
    if lower < HEADER || lower % 2 != 0 || lower > upper || upper > page.len() {
        return Err(format!("bounds of free space {lower}..{upper} in a page of {}", page.len()));
    }
    let count = (lower - HEADER) / 2;
    let mut found = Vec::with_capacity(count);
    let mut extents = Vec::with_capacity(count);
    for index in 0..count {
        let at = usize::from(u16_at(page, HEADER + 2 * index));
        if at < upper || at % 2 != 0 {
            return Err(format!("node {index} lies at {at}, nodes begin at {upper}"));
        }
        let node = page.get(at..).unwrap_or_default();
        let (node, length) = node_at(node, branch).map_err(|why| format!("node {index}: {why}"))?;
        found.push(node);
        extents.push((at, length));
    }
    extents.sort_unstable();
    let mut end = upper;
    for (at, length) in extents {
        if at != end {
            return Err(format!("nodes overlap or leave a gap at {end}: the next is at {at}"));
        }
        end = at + length;
    }
    if end != page.len() {
        return Err(format!("nodes end at {end} in a page of {}", page.len()));
    }
    Ok(found)
}

fn node_at(bytes: &[u8], branch: bool) -> Result<(Node<'_>, usize), Wrong> {
    if bytes.len() < NODE {
        return Err("cut off".into());
    }
    let low = u64::from(u32_at(bytes, 0));
    let flags = u16_at(bytes, 4);
    let key_size = usize::from(u16_at(bytes, 6));
    if key_size > MAX_KEY {
        return Err(format!("a key of {key_size} bytes"));
    }
    let key_end = NODE + key_size;
    let in_page = match (branch, flags & F_BIGDATA != 0) {
        (true, _) => 0,
        (false, true) => 8,
        (false, false) => low as usize,
    };
    let end = key_end.saturating_add(in_page);
    let length = end.saturating_add(end % 2);
    if length > bytes.len() {
        return Err(format!("{end} bytes where {} are left", bytes.len()));
    }
    let node = Node {
        flags: if branch { 0 } else { flags },
        key: &bytes[NODE..key_end],
        size: if branch { 0 } else { low as u32 },
        data: &bytes[key_end..end],
        child: if branch { low | u64::from(flags) << 32 } else { 0 },
    };
    Ok((node, length))
}

/// The keys of a page of fixed-size duplicates (`P_LEAF2`).
pub fn packed_keys(page: &[u8], size: usize) -> Result<Vec<&[u8]>, Wrong> {
    let (lower, upper) = (usize::from(u16_at(page, 12)), usize::from(u16_at(page, 14)));
    if lower < HEADER || lower % 2 != 0 || lower > upper || upper > page.len() {
        return Err(format!("bounds of free space {lower}..{upper} in a page of {}", page.len()));
    }
    let count = (lower - HEADER) / 2;
    if size == 0 || size > MAX_KEY || usize::from(u16_at(page, 8)) != size {
        return Err(format!("items of {} bytes, expected {size}", u16_at(page, 8)));
    }
    let body = page.get(HEADER..HEADER + count * size);
    let body = body.ok_or_else(|| format!("{count} items of {size} bytes do not fit"))?;
    Ok(body.chunks_exact(size).collect())
}

/// How a database orders its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Bytes from the front.
    Forward,
    /// Bytes from the back.
    Backward,
    /// One integer of the machine.
    Integer,
}

impl Order {
    /// The order of keys under these flags.
    pub fn of_keys(flags: u16) -> Self {
        match flags {
            f if f & DB_REVERSEKEY != 0 => Order::Backward,
            f if f & DB_INTEGERKEY != 0 => Order::Integer,
            _ => Order::Forward,
        }
    }

    /// The order of a key's duplicates under these flags.
    pub fn of_duplicates(flags: u16) -> Self {
        match flags {
            f if f & DB_INTEGERDUP != 0 => Order::Integer,
            f if f & DB_REVERSEDUP != 0 => Order::Backward,
            _ => Order::Forward,
        }
    }

    /// Whether `a` comes before `b`; integers of two sizes have no order.
    pub fn before(self, a: &[u8], b: &[u8]) -> bool {
        let ordering = match self {
            Order::Forward => a.cmp(b),
            Order::Integer if a.len() != b.len() => return false,
            Order::Integer if cfg!(target_endian = "big") => a.cmp(b),
            Order::Integer | Order::Backward => a.iter().rev().cmp(b.iter().rev()),
        };
        ordering == Ordering::Less
    }
}
