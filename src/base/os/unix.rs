//! Linux, macOS and other Unix systems.

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
const WALL: ClockId = ClockId::RealtimeCoarse;
#[cfg(target_os = "linux")]
const MONOTONIC: ClockId = ClockId::MonotonicCoarse;
#[cfg(not(target_os = "linux"))]
const WALL: ClockId = ClockId::Realtime;
#[cfg(not(target_os = "linux"))]
const MONOTONIC: ClockId = ClockId::Monotonic;

/// Milliseconds since 1970; 0 for a wall clock that was never set.
pub fn wall_ms() -> u64 {
    ms(clock_gettime(WALL))
}

/// Milliseconds of a clock that no one sets; it may stand still while the machine is
/// suspended.
#[inline]
pub fn monotonic_ms() -> u64 {
    let now = clock_gettime(MONOTONIC);
    // (It began with 0 when the machine did: nothing here overflows.)
    (now.tv_sec as u64).wrapping_mul(1000).wrapping_add(now.tv_nsec as u64 / 1_000_000)
}

fn ms(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(time.tv_nsec as u64 / 1_000_000)
}

/// Bounds of the milliseconds that the monotonic clock is behind boot time: the thread
/// may have had to wait between two readings.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn asleep_between() -> (u64, u64) {
    let read = |clock| ms(clock_gettime(clock));
    let before = read(ClockId::Monotonic);
    let boot = read(ClockId::Boottime);
    let after = read(ClockId::Monotonic);
    // Each reading is rounded down to whole milliseconds.
    (boot.saturating_sub(after + 1), (boot + 1).saturating_sub(before))
}

/// Elsewhere the monotonic clock is the one there is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn asleep_between() -> (u64, u64) {
    (0, 0)
}

/// Fills the bytes from the kernel's pool; false where it has none yet.
#[cfg(target_os = "linux")]
pub fn random(bytes: &mut [u8; 8]) -> bool {
    matches!(rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty()), Ok(8))
}

/// Fills the bytes from the system's source of random numbers.
#[cfg(not(target_os = "linux"))]
pub fn random(bytes: &mut [u8; 8]) -> bool {
    use ring::rand::SecureRandom;
    ring::rand::SystemRandom::new().fill(bytes).is_ok()
}

/// Processors this process may run on. (The standard library's answer also
/// reads cgroups' quotas of time, which say nothing of how many run at once.)
#[cfg(target_os = "linux")]
pub fn processors() -> Option<u64> {
    rustix::thread::sched_getaffinity(None).map(|set| u64::from(set.count())).ok()
}

/// Processors this process may run on.
#[cfg(not(target_os = "linux"))]
pub fn processors() -> Option<u64> {
    std::thread::available_parallelism().map(|n| n.get() as u64).ok()
}

/// Opens a file for reading without waiting for anything: a FIFO would hang.
///
/// # Errors
/// Those of the system.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Bytes of the largest file that this process may write, where that is limited.
pub fn largest_file() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}

/// Makes a rename within a directory durable.
///
/// # Errors
/// Those of the system.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
