//! The two clocks: wall time for what is stored, boot time for what is in memory.
//! Both are coarse (a few milliseconds) where the system has it so: a fine clock
//! costs more than a memory hit.
//!
//! Boot time goes on while the machine is suspended, so that an entry does not outlive
//! its time to live by eight hours of sleep. Reading it costs four times as much as
//! the coarse monotonic clock, which stands still meanwhile; so the difference of the two
//! is read anew once per second of the latter, and a suspend is noticed within a second
//! of running.

use crate::base::os;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

static WALL_SHIFT_MS: AtomicI64 = AtomicI64::new(0);

/// Milliseconds since 1970, for deadlines that outlive the process.
pub fn unix_ms() -> u64 {
    os::wall_ms().saturating_add_signed(WALL_SHIFT_MS.load(Ordering::Relaxed))
}

/// Milliseconds of a clock that no one sets and that goes on while the machine is
/// suspended, for deadlines within the process.
#[inline]
pub fn boot_ms() -> u64 {
    let now = os::monotonic_ms().wrapping_add_signed(BOOT.shift.load(Ordering::Relaxed));
    if now < BOOT.reread_at.load(Ordering::Acquire) {
        return now.wrapping_add(BOOT.asleep.load(Ordering::Relaxed));
    }
    read_asleep(now)
}

/// How boot time is made of the coarse monotonic clock, in milliseconds; on one cache
/// line, since hits with a time to live read it.
#[repr(align(64))]
struct Boot {
    /// What boot time is ahead.
    asleep: AtomicU64,
    /// When that is to be read anew.
    reread_at: AtomicU64,
    /// What tests have moved the monotonic clock by.
    shift: AtomicI64,
}

static BOOT: Boot =
    Boot { asleep: AtomicU64::new(0), reread_at: AtomicU64::new(0), shift: AtomicI64::new(0) };

#[cold]
fn read_asleep(now: u64) -> u64 {
    let shift = ASLEEP_SHIFT_MS.load(Ordering::Relaxed);
    let (least, most) = os::asleep_between();
    let (least, most) = (least.saturating_add_signed(shift), most.saturating_add_signed(shift));
    // What was known stands while it may be right: time must not go back and forth.
    let asleep = BOOT.asleep.load(Ordering::Relaxed).clamp(least, most.max(least));
    BOOT.asleep.store(asleep, Ordering::Relaxed);
    BOOT.reread_at.store((now / 1000).wrapping_add(1).wrapping_mul(1000), Ordering::Release);
    now.wrapping_add(asleep)
}

static ASLEEP_SHIFT_MS: AtomicI64 = AtomicI64::new(0);

/// Moves the wall clock that this process sees: how tests step it.
#[doc(hidden)]
pub fn shift_wall_ms(by: i64) {
    WALL_SHIFT_MS.fetch_add(by, Ordering::Relaxed);
}

/// Moves the monotonic clock that this process sees, and boot time with it: how tests
/// wait.
#[doc(hidden)]
pub fn shift_monotonic_ms(by: i64) {
    BOOT.shift.fetch_add(by, Ordering::Relaxed);
}

/// Moves boot time alone: how tests suspend the machine. As with a true suspend, it is
/// noticed in the next second of the monotonic clock.
#[doc(hidden)]
pub fn shift_asleep_ms(by: i64) {
    ASLEEP_SHIFT_MS.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_and_follows_boot_time() {
        let mut last = boot_ms();
        for round in 0..200_000 {
            let now = boot_ms();
            assert!(now >= last, "round {round}: {now} after {last}");
            last = now;
            if round % 1000 == 0 {
                // As if a second had passed: read anew.
                BOOT.reread_at.store(0, Ordering::Relaxed);
            }
        }
        let (least, most) = os::asleep_between();
        let asleep = u64::midpoint(least, most);
        let shift = BOOT.shift.load(Ordering::Relaxed) + ASLEEP_SHIFT_MS.load(Ordering::Relaxed);
        let boot = (os::monotonic_ms() + asleep).saturating_add_signed(shift);
        assert!(boot.abs_diff(boot_ms()) < 1000, "{boot} and {}", boot_ms());
    }
}
