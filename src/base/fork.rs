//! Knowing that this process is a forked child.
//!
//! A `pthread_atfork` handler raises a counter in the child; everything that
//! must not cross a fork (locks, LMDB environments, sockets) remembers the
//! counter it was made under and is leaked and made anew when it differs.
//! `getpid` at each call would cost more than a memory hit.

#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

static GENERATION: AtomicU64 = AtomicU64::new(0);
/// 0, or the process that installs the handlers just now, or [`INSTALLED`].
static INSTALL: AtomicU32 = AtomicU32::new(0);
/// No process has this number.
const INSTALLED: u32 = u32::MAX;
/// The process that the counter is right for; 0 before the handlers are installed.
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Forks under way.
static FORKING: AtomicU32 = AtomicU32::new(0);
/// Threads that forks wait for.
static DELAYING: AtomicU32 = AtomicU32::new(0);
/// Pauses that one side waits for the other: a second. A fork inside a signal
/// handler may interrupt the very thread it waits for.
const PAUSES: u32 = 5_000;
const PAUSE: Duration = Duration::from_micros(200);

// Miri has no atfork handlers, and no forks either.
#[cfg(all(unix, not(miri)))]
extern "C" fn before() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    pause_while(&DELAYING);
}

#[cfg(all(unix, not(miri)))]
extern "C" fn in_parent() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(all(unix, not(miri)))]
extern "C" fn in_child() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    begin_anew();
}

/// Descriptors that a child must not keep, less 1 so that 0 is none.
static CLOSED: [AtomicI32; 256] = [const { AtomicI32::new(0) }; 256];

/// Has the child of any fork close a file: one whose locks would otherwise outlive this
/// process. Call within [`delayed`]; undone by [`forget`]. More than 256 are kept open there.
#[cfg(unix)]
pub fn close_in_child(file: &File) {
    let wanted = file.as_raw_fd() + 1;
    for place in &CLOSED {
        if place.compare_exchange(0, wanted, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return;
        }
    }
}

/// The file is about to be closed.
#[cfg(unix)]
pub fn forget(file: &File) {
    let known = file.as_raw_fd() + 1;
    for place in &CLOSED {
        if place.compare_exchange(known, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return;
        }
    }
}

/// Closes what the parent had locked.
fn close_in_this_child() {
    for place in &CLOSED {
        let known = place.swap(0, Ordering::AcqRel);
        if known > 0 {
            #[cfg(all(unix, not(miri)))]
            #[expect(unsafe_code, reason = "a descriptor whose owner does not exist here")]
            // SAFETY: what has registered it never uses or closes it in a child.
            unsafe {
                libc::close(known - 1);
            }
        }
    }
}

/// In a child: no other thread is there, and what was made before is the parent's.
fn begin_anew() {
    close_in_this_child();
    FORKING.store(0, Ordering::SeqCst);
    DELAYING.store(0, Ordering::SeqCst);
    GENERATION.fetch_add(1, Ordering::Release);
}

/// Sleeps until a counter is 0, for a second at most.
fn pause_while(counter: &AtomicU32) {
    for _ in 0..PAUSES {
        if counter.load(Ordering::SeqCst) == 0 {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Runs `run` while no other thread of this process forks: for what a child
/// must not inherit half done, a descriptor without close-on-exec above all.
pub fn delayed<T>(run: impl FnOnce() -> T) -> T {
    struct Delay(u64);
    impl Drop for Delay {
        fn drop(&mut self) {
            // A child that was forked within `run` began to count anew.
            if self.0 == generation() {
                DELAYING.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
    install();
    loop {
        let delay = Delay(generation());
        DELAYING.fetch_add(1, Ordering::SeqCst);
        if FORKING.load(Ordering::SeqCst) == 0 {
            let result = run();
            drop(delay);
            return result;
        }
        // The fork came first, and may be waiting for us.
        drop(delay);
        pause_while(&FORKING);
        if FORKING.load(Ordering::SeqCst) != 0 {
            return run();
        }
    }
}

/// Installs the handlers, once. Called wherever something that must notice a
/// fork is made; they are installed when this returns.
///
/// Not a `Once`: a thread may fork while another one is in here. The child, which has
/// that thread no more, would wait for it forever; it sees the number of another process
/// and installs them itself (then they run twice at a fork, which is no harm).
#[inline]
pub fn install() {
    if INSTALL.load(Ordering::Acquire) != INSTALLED {
        install_once();
    }
}

#[cold]
fn install_once() {
    let me = std::process::id();
    loop {
        let installing = INSTALL.load(Ordering::Acquire);
        if installing == INSTALLED {
            return;
        }
        if installing == me {
            std::thread::yield_now();
            continue;
        }
        let claimed = INSTALL.compare_exchange(installing, me, Ordering::AcqRel, Ordering::Acquire);
        if claimed.is_ok() {
            break;
        }
    }
    PROCESS.store(me, Ordering::Relaxed);
    #[cfg(all(unix, not(miri)))]
    #[expect(unsafe_code, reason = "the one system call that tells a child it was forked")]
    // SAFETY: the handlers are plain functions that touch atomics, ask for the
    // process's number and may sleep, which is allowed between fork and exec; they are
    // never unloaded since the bindings keep the library mapped.
    unsafe {
        libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child));
    }
    INSTALL.store(INSTALLED, Ordering::Release);
}

/// Notices a child that was made without the handlers: by `_Fork`, or by `clone` without
/// the C library. Costs a system call, so it is for what costs much more: opening, and
/// writes to shared stores.
pub fn notice() {
    let (known, me) = (PROCESS.load(Ordering::Relaxed), std::process::id());
    // 0: nothing was made yet that must notice.
    if known != 0
        && known != me
        && PROCESS.compare_exchange(known, me, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    {
        begin_anew();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_that_another_process_began_is_not_waited_for() {
        install();
        // As a child finds it whose parent forked while another thread was in there.
        INSTALL.store(1, Ordering::Release);
        install();
        assert_eq!(INSTALL.load(Ordering::Acquire), INSTALLED);
    }
}
