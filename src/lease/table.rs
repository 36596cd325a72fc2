//! Leases between the threads of a process: a table from whole keys to computations.

use crate::base::clock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Failures that are remembered; beyond that those that are over are removed.
const FAILURES: usize = 1024;

/// Which keys are being computed, and which have failed.
#[derive(Default)]
pub struct Table {
    /// What writers look at first: 0 as long as nothing is recorded.
    recorded: AtomicUsize,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the computation under way.
    flights: HashMap<Vec<u8>, u64>,
    /// Until when nobody tries again, in boot time.
    failed: HashMap<Vec<u8>, u64>,
    last: u64,
}

/// The right to compute a key. Given back by [`Table::end`].
#[derive(Debug)]
pub struct Ticket {
    name: Vec<u8>,
    number: u64,
}

/// What [`Table::begin`] answers.
#[derive(Debug)]
pub enum Turn {
    /// The caller computes.
    Taken(Ticket),
    /// The computation of this number is under way.
    Busy(u64),
    /// It failed a moment ago, and is not to be tried again yet.
    Failed,
}

impl Table {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, state: &State) {
        self.recorded.store(state.flights.len() + state.failed.len(), Ordering::SeqCst);
    }

    /// Takes the right to compute a key, unless another has it.
    pub fn begin(&self, name: &[u8]) -> Turn {
        let mut state = self.state();
        if state.failed.get(name).is_some_and(|until| *until > clock::boot_ms()) {
            return Turn::Failed;
        }
        state.failed.remove(name);
        if let Some(number) = state.flights.get(name) {
            return Turn::Busy(*number);
        }
        state.last += 1;
        let number = state.last;
        state.flights.insert(name.to_vec(), number);
        self.record(&state);
        Turn::Taken(Ticket { name: name.to_vec(), number })
    }

    /// Waits for the end of a computation; false when the time is over before.
    pub fn wait(&self, name: &[u8], number: u64, until: Instant) -> bool {
        let mut state = self.state();
        while state.flights.get(name) == Some(&number) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.ended.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Ends a computation; after a failure nobody tries again for so many milliseconds.
    pub fn end(&self, ticket: &Ticket, retry_after_ms: u64) {
        let mut state = self.state();
        if state.flights.get(&ticket.name) == Some(&ticket.number) {
            state.flights.remove(&ticket.name);
            if retry_after_ms > 0 {
                let now = clock::boot_ms();
                if state.failed.len() >= FAILURES {
                    state.failed.retain(|_, until| *until > now);
                }
                state.failed.insert(ticket.name.clone(), now.saturating_add(retry_after_ms));
            }
        }
        self.record(&state);
        drop(state);
        self.ended.notify_all();
    }

    /// Whether the computation is still the one under way.
    pub fn is_current(&self, ticket: &Ticket) -> bool {
        self.state().flights.get(&ticket.name) == Some(&ticket.number)
    }

    /// Runs `store` unless the computation is void, and lets nobody make it void meanwhile.
    pub fn while_current<T>(&self, ticket: &Ticket, store: impl FnOnce() -> T) -> Option<T> {
        let state = self.state();
        let current = state.flights.get(&ticket.name) == Some(&ticket.number);
        let stored = current.then(store);
        drop(state);
        stored
    }

    /// Makes the computation of a key void. Call before the key is changed.
    #[inline]
    pub fn void(&self, name: &[u8]) {
        if self.recorded.load(Ordering::SeqCst) != 0 {
            self.void_recorded(|state| {
                state.flights.remove(name);
                state.failed.remove(name);
            });
        }
    }

    /// Makes all computations void. Call before the keys are changed.
    pub fn void_all(&self) {
        if self.recorded.load(Ordering::SeqCst) != 0 {
            self.void_recorded(|state| {
                state.flights.clear();
                state.failed.clear();
            });
        }
    }

    #[cold]
    fn void_recorded(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        self.record(&state);
        drop(state);
        self.ended.notify_all();
    }
}
