//! Coherence over a server: what others change is heard of, or else a copy is
//! asked about when it is older than `tier_ttl_ms`.
//!
//! The `seen` of a stamp is the number of the hearing that was in effect when
//! the copy was read (0: none) and the millisecond.

use crate::base::clock;
use crate::engine::{Change, Engine, Hearing, Listener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds without a look after which what was told meanwhile may still be
/// on its way: a listener takes longer then (it makes sure that it has all),
/// and until it is done nothing counts as heard. Below `SILENCE` of the redis
/// engine's listener.
const PAUSE_MS: u64 = 400;
/// Milliseconds between two tries to hear.
const RETRY_MS: u64 = 50;
/// The same where the server has said that it cannot tell.
const RETRY_DEAF_MS: u64 = 10_000;
/// Bits of a stamp's millisecond; the number of the hearing lies above.
const MS_BITS: u32 = 44;
const MS_MASK: u64 = (1 << MS_BITS) - 1;

/// The state of hearing.
pub struct Watch {
    ttl_ms: u64,
    ears: Mutex<Ears>,
    /// The hearing in effect; 0 while there is none.
    current: AtomicU64,
    /// The last one that was in effect.
    latest: AtomicU64,
    /// Until when it was.
    heard: AtomicU64,
    /// The millisecond of the last look: one look a tick is enough.
    looked: AtomicU64,
}

#[derive(Default)]
struct Ears {
    listener: Option<Box<dyn Listener>>,
    retry_at: u64,
    made: u64,
}

impl Watch {
    /// Hears nothing yet.
    pub fn new(ttl_ms: u64) -> Self {
        Self {
            ttl_ms,
            ears: Mutex::default(),
            current: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            looked: AtomicU64::new(0),
        }
    }

    /// Whether changes are heard of just now.
    pub fn hears(&self) -> bool {
        self.current.load(Ordering::Acquire) != 0
    }

    /// Takes in what has arrived, at most once a tick of the clock.
    #[inline]
    pub fn look(&self, last: &dyn Engine, apply: &mut dyn FnMut(Change<'_>)) {
        let now = clock::boot_ms();
        if now != self.looked.load(Ordering::Relaxed) {
            self.look_now(now, last, apply);
        }
    }

    #[cfg(test)]
    pub fn look_again(&self) {
        self.looked.store(u64::MAX, Ordering::Relaxed);
    }

    #[cold]
    fn look_now(&self, now: u64, last: &dyn Engine, apply: &mut dyn FnMut(Change<'_>)) {
        // Another thread is looking.
        let Ok(mut ears) = self.ears.try_lock() else { return };
        let made = ears.made;
        if let Some(listener) = &mut ears.listener {
            if now.saturating_sub(self.heard.load(Ordering::Acquire)) > PAUSE_MS {
                self.current.store(0, Ordering::Release);
            }
            match listener.poll(apply) {
                Ok(()) => {
                    self.heard.store(now, Ordering::Release);
                    self.current.store(made, Ordering::Release);
                }
                Err(_) => {
                    self.current.store(0, Ordering::Release);
                    ears.listener = None;
                    ears.retry_at = now + RETRY_MS;
                }
            }
        } else if now >= ears.retry_at {
            match last.listen() {
                Ok(Hearing::Listener(listener)) => {
                    ears.listener = Some(listener);
                    ears.made += 1;
                    self.heard.store(now, Ordering::Release);
                    self.latest.store(ears.made, Ordering::Release);
                    self.current.store(ears.made, Ordering::Release);
                }
                Ok(_) => ears.retry_at = now + RETRY_DEAF_MS,
                Err(_) => ears.retry_at = now + RETRY_MS,
            }
        }
        // Only now: who finds this tick looked at finds what it brought.
        self.looked.store(now, Ordering::Relaxed);
    }

    /// The stamp of what is read below from now on.
    pub fn now(&self) -> u64 {
        let hearing = self.current.load(Ordering::Acquire);
        hearing << MS_BITS | clock::boot_ms() & MS_MASK
    }

    /// Whether a copy may be served without asking.
    #[inline]
    pub fn holds(&self, seen: u64) -> bool {
        let (hearing, ms) = (seen >> MS_BITS, seen & MS_MASK);
        let current = self.current.load(Ordering::Acquire);
        if current != 0 {
            return hearing == current;
        }
        let mut known = ms;
        if hearing != 0 && hearing == self.latest.load(Ordering::Acquire) {
            known = known.max(self.heard.load(Ordering::Acquire));
        }
        clock::boot_ms().saturating_sub(known) < self.ttl_ms
    }
}
