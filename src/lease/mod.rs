//! Leases: one computation per key among the threads of a process ([`table`]) and among the
//! processes of a store ([`between`]).
//!
//! A lease is efficiency, not mutual exclusion: who gets none may compute all the same. What
//! it does promise is that a computation that began before an invalidation never overwrites
//! what came after it.

#[cfg(unix)]
pub mod between;
#[cfg(not(unix))]
#[path = "alone.rs"]
pub mod between;
pub mod table;

pub use between::Between;
pub use table::Table;

/// Where the leases of an engine are.
pub enum LeaseHome {
    /// In this process: nobody else can change what the engine holds.
    Process,
    /// In a store that processes share.
    Store(std::sync::Arc<Leases>),
    /// Nowhere: every caller computes.
    Nowhere,
}

/// What tells the leases of one engine apart.
#[derive(Clone, Debug, Default)]
pub struct Spot {
    /// The whole key, and the namespace before it where the home has several.
    pub name: Vec<u8>,
    /// A hash of the stored key.
    pub hash: u64,
    /// A hash of the namespace.
    pub namespace: u64,
}

/// The leases of a cache, or of all handles of a store in this process.
#[derive(Default)]
pub struct Leases {
    /// Between threads.
    pub table: Table,
    /// Between processes.
    pub between: Option<Between>,
}
