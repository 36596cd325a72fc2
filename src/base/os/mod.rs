//! What each system does in another way, outside of stores: clocks, random numbers,
//! processors, and files that users name. `unix.rs` and `other.rs` have the same functions.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub use other::{
    asleep_between, largest_file, monotonic_ms, open_at_once, processors, random, sync_directory,
    wall_ms,
};
#[cfg(unix)]
pub use unix::{
    asleep_between, largest_file, monotonic_ms, open_at_once, processors, random, sync_directory,
    wall_ms,
};
