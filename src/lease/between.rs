//! Leases between the processes of a store: a lock on one byte per hash of a key, which the
//! kernel frees when its owner dies, and shared words that say when to look again.

use super::Spot;
use crate::base::error::Result;
use crate::files::Seen;
use crate::files::words::Page;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Locks that a process has at most: with 10,000 on one file each costs 0.4 ms.
const MOST: usize = 256;
/// A waiter looks again after this time: nobody wakes it when the owner dies.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Keys whose owner did not end within a wait.
const STUCK: usize = 1024;

/// See the module.
pub struct Between {
    page: Page,
    held: AtomicUsize,
    /// Keys of owners that were waited for in vain, and the wake word then: a stopped
    /// process keeps its leases, and nobody is to wait for it again and again.
    stuck: Mutex<HashMap<u64, u32>>,
}

/// A lease that was granted.
#[derive(Debug)]
pub struct Held {
    hash: u64,
    locked: bool,
    /// The words as they were before the second look.
    pub seen: Seen,
}

/// What [`Between::enter`] answers.
pub enum Entered<T> {
    /// The caller computes.
    Granted(Held),
    /// Another process has stored it.
    Found(T),
    /// The time is over and another process still computes.
    TimedOut,
}

impl Between {
    /// The leases of a store, whose words are in this file.
    ///
    /// # Errors
    /// As [`Page::open`].
    pub fn open(path: &Path) -> Result<Self> {
        let page = Page::open(path)?;
        Ok(Self { page, held: AtomicUsize::new(0), stuck: Mutex::default() })
    }

    /// The words that writers raise.
    #[inline]
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Gets the lease of a key, or what `look` finds meanwhile, before `until`.
    ///
    /// `look` runs again after the lock was taken: the last owner may have stored its value
    /// between the caller's look and the lock.
    pub fn enter<T>(
        &self,
        spot: &Spot,
        until: Instant,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Entered<T>> {
        let hash = spot.hash;
        let begun = Instant::now();
        loop {
            let wake = self.page.wake_word(hash);
            if let Some(locked) = self.lock(hash) {
                // Before the look: what is invalidated after it makes the lease void.
                let held = Held { hash, locked, seen: self.page.look(hash, spot.namespace) };
                return match look() {
                    Ok(None) => Ok(Entered::Granted(held)),
                    found => {
                        self.leave(&held);
                        found.map(|found| found.map_or(Entered::TimedOut, Entered::Found))
                    }
                };
            }
            if let Some(found) = look()? {
                return Ok(Entered::Found(found));
            }
            let now = Instant::now();
            if now >= until || self.is_stuck(hash, wake) {
                if now > begun {
                    self.note_stuck(hash, wake, until > begun);
                }
                return Ok(Entered::TimedOut);
            }
            self.page.sleep(hash, wake, LOOK_AGAIN.min(until - now));
        }
    }

    /// Locks the byte of a key. Some(false): there is no lock to be had, and the lease is
    /// one of this process only.
    fn lock(&self, hash: u64) -> Option<bool> {
        if self.held.fetch_add(1, Ordering::SeqCst) < MOST {
            match self.page.try_lock(hash) {
                Ok(true) => return Some(true),
                Ok(false) => {
                    self.held.fetch_sub(1, Ordering::SeqCst);
                    return None;
                }
                Err(_) => {}
            }
        }
        self.held.fetch_sub(1, Ordering::SeqCst);
        Some(false)
    }

    /// Gives a lease back and wakes who waits for it. What it stored must be committed.
    pub fn leave(&self, held: &Held) {
        if held.locked {
            self.page.unlock(held.hash);
            self.held.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Whether nothing made a lease void since it was granted.
    pub fn is_good(&self, held: &Held) -> bool {
        self.page.is_as(&held.seen)
    }

    fn is_stuck(&self, hash: u64, wake: u32) -> bool {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) == Some(&wake)
    }

    fn note_stuck(&self, hash: u64, wake: u32, waited: bool) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        if stuck.len() >= STUCK {
            stuck.clear();
        }
        if waited {
            stuck.insert(hash, wake);
        }
    }
}
