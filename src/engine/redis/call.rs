//! The time that a thread's call has left to wait for the server: one time-out
//! for all exchanges of a call on one key, however many it takes. What the
//! call itself computes (compresses, verifies) is not the server's time. Calls
//! over many keys have one for each pipeline.

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

thread_local! {
    static LEFT: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// A call in progress on this thread. An inner one is part of the outer one.
pub struct Call {
    outermost: bool,
    only_here: PhantomData<*const ()>,
}

impl Call {
    /// Begins a call that may wait so long, besides connecting.
    pub fn begin(timeout: Duration) -> Self {
        let outermost = LEFT.get().is_none();
        if outermost {
            LEFT.set(Some(timeout));
        }
        Self { outermost, only_here: PhantomData }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.outermost {
            LEFT.set(None);
        }
    }
}

/// When the exchange that now begins must have ended.
pub fn end(timeout: Duration) -> Instant {
    Instant::now() + LEFT.get().unwrap_or(timeout)
}

/// Takes what an exchange took from what is left.
pub fn spend(began: Instant) {
    LEFT.set(LEFT.get().map(|left| left.saturating_sub(began.elapsed())));
}

/// Whether nothing is left.
pub fn is_over() -> bool {
    LEFT.get().is_some_and(|left| left.is_zero())
}
