//! What all handles of a store in a process share in memory. Nothing here is
//! needed for correctness: access marks steer eviction, the list of verified
//! blobs saves work, counters count.

use super::settings::Live;
use crate::base::error::{Code, Error, Result};
use crate::config::Config;
use crate::files::blobs::{BlobId, Blobs};
use crate::lease::{Between, Leases};
use crate::lmdb::txn::Dbi;
use once_cell::sync::OnceCell;
use serde_json::{Map, Value as Json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::xxh3_64;

/// How a store chooses what leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Oldest first, but what was read since gets a second chance.
    Lru,
    /// The same, with more chances the more it was read (a quarter of the count
    /// goes with each).
    Lfu,
    /// Oldest first.
    Fifo,
    /// At random.
    Rr,
    /// Nothing leaves; a full store refuses.
    None,
}

impl Policy {
    /// The policy of a configuration.
    pub fn of(config: &Config) -> Result<Self> {
        Ok(match config.policy() {
            "lru" => Policy::Lru,
            "lfu" => Policy::Lfu,
            "fifo" => Policy::Fifo,
            "rr" => Policy::Rr,
            "none" => Policy::None,
            other => {
                let text = format!("policy: expected lru lfu fifo rr none, found: {other}");
                return Err(Error::config(text));
            }
        })
    }

    /// As option `policy` names it.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Lru => "lru",
            Policy::Lfu => "lfu",
            Policy::Fifo => "fifo",
            Policy::Rr => "rr",
            Policy::None => "none",
        }
    }

    /// Reads of an entry that are worth counting.
    pub fn most_marks(self) -> u8 {
        match self {
            Policy::Lru => 1,
            Policy::Lfu => u8::MAX,
            Policy::Fifo | Policy::Rr | Policy::None => 0,
        }
    }

    /// As it stands in the totals.
    pub fn number(self) -> u64 {
        match self {
            Policy::Lru => 0,
            Policy::Lfu => 1,
            Policy::Fifo => 2,
            Policy::Rr => 3,
            Policy::None => 4,
        }
    }

    /// From the totals; a number of a newer version is lru.
    pub fn from_number(number: u64) -> Self {
        match number {
            1 => Policy::Lfu,
            2 => Policy::Fifo,
            3 => Policy::Rr,
            4 => Policy::None,
            _ => Policy::Lru,
        }
    }
}

/// The databases of a store.
#[derive(Clone, Copy, Debug)]
pub struct Databases {
    pub entries: Dbi,
    pub order: Dbi,
    pub expiry: Dbi,
    pub tags: Dbi,
    pub blobs: Dbi,
}

/// Versions of tags that may lie about unused.
pub const TAG_SLACK: u64 = 8192;
const MARKS: usize = 1 << 18;
const VERIFIED: usize = 1 << 12;

/// See the module.
pub struct Shared {
    /// The databases.
    pub db: Databases,
    /// The blob files.
    pub blobs: Blobs,
    /// Bounds, policy and compression as they were seen last.
    pub settings: Live,
    /// Whether an opener of this process has recorded its settings; held while
    /// one does.
    pub settled: Mutex<bool>,
    /// Values up to this size are stored beside their key.
    pub inline_max: u64,
    /// Entries that left for want of room.
    pub evictions: AtomicU64,
    /// Entries that left because their time was over.
    pub expirations: AtomicU64,
    /// Entries that failed their checksum.
    pub corrupt: AtomicU64,
    /// State of the random choices.
    pub random: Mutex<u64>,
    /// Where the sweep of stale rows goes on.
    pub sweep_at: AtomicU64,
    /// Versions of tags there may be before unused ones are swept.
    pub tags_limit: AtomicU64,
    /// Something was committed since the last flush.
    pub unsynced: AtomicBool,
    /// What the opening of the store has to say.
    pub notes: Map<String, Json>,
    /// The leases of the store, as soon as its words are mapped.
    pub leases: OnceCell<Arc<Leases>>,
    /// The file that has the words; none where nothing is written.
    words_in: Option<PathBuf>,
    marks: Box<[AtomicU8]>,
    verified: Box<[AtomicU64]>,
}

impl Shared {
    /// Nothing marked, nothing counted.
    pub fn new(
        db: Databases,
        blobs: Blobs,
        settings: Live,
        inline_max: u64,
        seed: u64,
        notes: Map<String, Json>,
        words_in: Option<PathBuf>,
    ) -> Self {
        Self {
            leases: OnceCell::new(),
            words_in,
            db,
            blobs,
            settings,
            settled: Mutex::new(false),
            inline_max,
            evictions: AtomicU64::new(0),
            expirations: AtomicU64::new(0),
            corrupt: AtomicU64::new(0),
            random: Mutex::new(seed),
            sweep_at: AtomicU64::new(0),
            tags_limit: AtomicU64::new(TAG_SLACK),
            unsynced: AtomicBool::new(false),
            notes,
            marks: std::iter::repeat_with(AtomicU8::default).take(MARKS).collect(),
            verified: std::iter::repeat_with(AtomicU64::default).take(VERIFIED).collect(),
        }
    }

    /// The leases. Whoever writes must have the words mapped if any process has: where that
    /// failed for want of room, each write tries again.
    ///
    /// # Errors
    /// As [`Between::open`]; `Unsupported` for a store that is open read-only.
    #[inline]
    pub fn leases(&self) -> Result<&Arc<Leases>> {
        match self.leases.get() {
            Some(leases) => Ok(leases),
            None => self.open_leases(),
        }
    }

    #[cold]
    fn open_leases(&self) -> Result<&Arc<Leases>> {
        let Some(path) = &self.words_in else {
            let text = "leases: expected a store that is open for writing, got a read-only one";
            return Err(Error::new(Code::Unsupported, text));
        };
        self.leases.get_or_try_init(|| {
            let between = Some(Between::open(path)?);
            Ok(Arc::new(Leases { between, ..Leases::default() }))
        })
    }

    fn mark_of(&self, stored: &[u8]) -> &AtomicU8 {
        &self.marks[xxh3_64(stored) as usize % MARKS]
    }

    /// Notes a read, up to `most` of them. Racing threads may lose one; marks
    /// are a hint.
    #[inline]
    pub fn mark(&self, stored: &[u8], most: u8) {
        let mark = self.mark_of(stored);
        let seen = mark.load(Ordering::Relaxed);
        if seen < most {
            mark.store(seen + 1, Ordering::Relaxed);
        }
    }

    /// Forgets the reads of an entry.
    pub fn unmark(&self, stored: &[u8]) {
        self.mark_of(stored).store(0, Ordering::Relaxed);
    }

    /// Whether an entry was read since it was last asked about: uses up the
    /// mark (lru) or a quarter of it (lfu).
    pub fn was_read(&self, stored: &[u8], policy: Policy) -> bool {
        let mark = self.mark_of(stored);
        let seen = mark.load(Ordering::Relaxed);
        let left = if policy == Policy::Lfu { seen - (seen / 4).max(seen.min(1)) } else { 0 };
        mark.store(left, Ordering::Relaxed);
        seen > 0
    }

    fn verified_of(&self, id: &BlobId) -> (&AtomicU64, u64) {
        let mut eight = [0; 8];
        eight.copy_from_slice(&id[8..]);
        let name = u64::from_le_bytes(eight) | 1;
        (&self.verified[usize::from(u16::from_le_bytes([id[0], id[1]])) % VERIFIED], name)
    }

    /// Whether this process has verified a blob.
    pub fn is_verified(&self, id: &BlobId) -> bool {
        let (cell, name) = self.verified_of(id);
        cell.load(Ordering::Relaxed) == name
    }

    /// Has it verified anew.
    pub fn forget_verified(&self, id: &BlobId) {
        self.verified_of(id).0.store(0, Ordering::Relaxed);
    }

    /// Notes that it has.
    pub fn set_verified(&self, id: &BlobId) {
        let (cell, name) = self.verified_of(id);
        cell.store(name, Ordering::Relaxed);
    }

    /// A random number (splitmix64).
    pub fn draw(&self) -> u64 {
        let mut state = self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
