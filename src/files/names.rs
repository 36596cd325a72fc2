//! Names of files that nobody can guess or has used before.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number in such a name.
pub type Id = [u8; 16];

/// A number that nobody can guess or has used before.
pub fn fresh_id() -> Id {
    // RandomState takes its keys from the system once a thread and then counts
    // up; a process number and a counter keep forked children apart.
    use std::hash::{BuildHasher, RandomState};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let stamp = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64);
    let seed = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed), stamp);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&RandomState::new().hash_one(seed).to_be_bytes());
    id[8..].copy_from_slice(&RandomState::new().hash_one(seed).to_be_bytes());
    id
}

/// A file name that nobody can guess or has used before.
pub fn fresh_name() -> String {
    hex(&fresh_id())
}

/// The name of a number.
pub fn hex(id: &Id) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
