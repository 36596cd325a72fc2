//! The end of the call that a thread is in: one time-out for all exchanges of
//! a call on one key, however many it takes. Calls over many keys have one for
//! each pipeline.

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

thread_local! {
    static END: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A call in progress on this thread. An inner one is part of the outer one.
pub struct Call {
    outermost: bool,
    only_here: PhantomData<*const ()>,
}

impl Call {
    /// Begins a call that may take so long, besides connecting.
    pub fn begin(timeout: Duration) -> Self {
        let outermost = END.get().is_none();
        if outermost {
            END.set(Some(Instant::now() + timeout));
        }
        Self { outermost, only_here: PhantomData }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.outermost {
            END.set(None);
        }
    }
}

/// When the exchange that now begins must have ended.
pub fn end(timeout: Duration) -> Instant {
    END.get().unwrap_or_else(|| Instant::now() + timeout)
}

/// Connecting has a time-out of its own, which comes on top.
pub fn extend(by: Duration) {
    END.set(END.get().map(|end| end + by));
}
