//! The two clocks: wall time for what is stored, monotonic time for what is
//! not. Both are coarse (a few milliseconds) where the system has it so:
//! a fine clock costs more than a memory hit.

use std::sync::atomic::{AtomicI64, Ordering};

static WALL_SHIFT_MS: AtomicI64 = AtomicI64::new(0);
static MONOTONIC_SHIFT_MS: AtomicI64 = AtomicI64::new(0);

#[cfg(target_os = "linux")]
const WALL: rustix::time::ClockId = rustix::time::ClockId::RealtimeCoarse;
#[cfg(target_os = "linux")]
const MONOTONIC: rustix::time::ClockId = rustix::time::ClockId::MonotonicCoarse;
#[cfg(not(target_os = "linux"))]
const WALL: rustix::time::ClockId = rustix::time::ClockId::Realtime;
#[cfg(not(target_os = "linux"))]
const MONOTONIC: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

fn read(clock: rustix::time::ClockId, shift: &AtomicI64) -> u64 {
    let now = rustix::time::clock_gettime(clock);
    let ms =
        (now.tv_sec as u64).saturating_mul(1000).saturating_add(now.tv_nsec as u64 / 1_000_000);
    ms.saturating_add_signed(shift.load(Ordering::Relaxed))
}

/// Milliseconds since 1970, for deadlines that outlive the process.
pub fn unix_ms() -> u64 {
    read(WALL, &WALL_SHIFT_MS)
}

/// Milliseconds of a clock that no one sets, for deadlines within the process.
#[inline]
pub fn monotonic_ms() -> u64 {
    read(MONOTONIC, &MONOTONIC_SHIFT_MS)
}

/// Moves the wall clock that this process sees: how tests step it.
#[doc(hidden)]
pub fn shift_wall_ms(by: i64) {
    WALL_SHIFT_MS.fetch_add(by, Ordering::Relaxed);
}

/// Moves the monotonic clock that this process sees: how tests wait.
#[doc(hidden)]
pub fn shift_monotonic_ms(by: i64) {
    MONOTONIC_SHIFT_MS.fetch_add(by, Ordering::Relaxed);
}
