//! Knowing that this process is a forked child.
//!
//! A `pthread_atfork` handler raises a counter in the child; everything that
//! must not cross a fork (locks, LMDB environments, sockets) remembers the
//! counter it was made under and is leaked and made anew when it differs.
//! `getpid` at each call would cost more than a memory hit.

use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);
static INSTALL: Once = Once::new();

// Miri has no atfork handlers, and no forks either.
#[cfg(all(unix, not(miri)))]
extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Release);
}

/// Installs the handler, once. Called wherever something that must notice a
/// fork is made.
pub fn install() {
    INSTALL.call_once(|| {
        #[cfg(all(unix, not(miri)))]
        #[expect(unsafe_code, reason = "the one system call that tells a child it was forked")]
        // SAFETY: the handler is a plain function that touches one atomic,
        // which is allowed between fork and exec; it is never unloaded since
        // the bindings keep the library mapped.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
}

/// How many forks lie between the first process and this one.
#[inline]
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

/// A process-wide value that a forked child starts anew.
///
/// The parent's value is leaked in the child, never dropped: its locks may be
/// held by threads that do not exist there.
pub struct ForkLocal<T: 'static> {
    current: AtomicPtr<(u64, T)>,
    make: fn() -> T,
}

impl<T: Sync + 'static> ForkLocal<T> {
    /// A value that `make` builds on first use in each process.
    pub const fn new(make: fn() -> T) -> Self {
        Self { current: AtomicPtr::new(std::ptr::null_mut()), make }
    }

    /// The value of this process.
    #[expect(unsafe_code, reason = "a leaked box behind an atomic pointer")]
    pub fn get(&'static self) -> &'static T {
        install();
        let now = generation();
        let mut seen = self.current.load(Ordering::Acquire);
        loop {
            // SAFETY: `current` is null or a leaked box, never freed.
            if let Some((made, value)) = unsafe { seen.as_ref() }
                && *made == now
            {
                return value;
            }
            let fresh = Box::into_raw(Box::new((now, (self.make)())));
            match self.current.compare_exchange(seen, fresh, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: just leaked by us and published.
                Ok(_) => return unsafe { &(*fresh).1 },
                Err(other) => {
                    // SAFETY: `fresh` was never published, so it is ours alone.
                    drop(unsafe { Box::from_raw(fresh) });
                    seen = other;
                }
            }
        }
    }
}
