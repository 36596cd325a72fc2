//! Windows, by the standard library.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

fn ms(time: std::time::Duration) -> u64 {
    time.as_millis() as u64
}

/// Milliseconds since 1970; 0 for a wall clock that was never set.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, ms)
}

/// Milliseconds of a clock that no one sets. On Windows it goes on while the machine is
/// suspended.
#[inline]
pub fn monotonic_ms() -> u64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ms(BEGIN.elapsed())
}

/// Bounds of the milliseconds that the monotonic clock is behind boot time.
pub fn asleep_between() -> (u64, u64) {
    (0, 0)
}

/// Fills the bytes from the system's source of random numbers.
pub fn random(bytes: &mut [u8; 8]) -> bool {
    use ring::rand::SecureRandom;
    ring::rand::SystemRandom::new().fill(bytes).is_ok()
}

/// Processors this process may run on.
pub fn processors() -> Option<u64> {
    std::thread::available_parallelism().map(|n| n.get() as u64).ok()
}

/// Opens a file for reading. (No file of Windows makes an open wait.)
///
/// # Errors
/// Those of the system.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Bytes of the largest file that this process may write, where that is limited.
pub fn largest_file() -> Option<u64> {
    None
}

/// Makes a rename within a directory durable. Directories of Windows are not synced: the
/// file system logs their changes.
///
/// # Errors
/// None here.
pub fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}
