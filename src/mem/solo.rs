//! Knowing that this process has one thread, so that what only it can see needs
//! no locked instructions: those wait for everything before them, and a hit in
//! memory has four. The C library's `malloc` and C++'s `shared_ptr` do the same,
//! and ask the same of their callers: that threads are made by the C library, and
//! that nothing is called from a signal handler.

use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

/// What is looked at where the C library does not tell.
static NO: AtomicU8 = AtomicU8::new(0);
/// `__libc_single_threaded` (glibc 2.32 and later), or [`NO`].
static TOLD: AtomicPtr<AtomicU8> = AtomicPtr::new((&raw const NO).cast_mut());

/// Asks the C library. To ask again changes nothing, so nobody waits for it: a
/// forked child would, in vain, for a thread that it has not.
pub(crate) fn install() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    {
        // With the version: programs define a variable of this name for
        // objects that want it from a C library that has it not.
        let (name, version) = (c"__libc_single_threaded", c"GLIBC_2.32");
        #[expect(unsafe_code, reason = "a symbol that older C libraries have not")]
        // SAFETY: both texts end in NUL.
        let found = unsafe { libc::dlvsym(libc::RTLD_DEFAULT, name.as_ptr(), version.as_ptr()) };
        if !found.is_null() {
            TOLD.store(found.cast(), Ordering::Relaxed);
        }
    }
}

/// Whether no other thread is there. It stays so until this one starts
/// another, and what this one did before is visible to that one.
#[inline(always)]
#[expect(unsafe_code, reason = "a variable of the C library")]
pub(crate) fn alone() -> bool {
    // SAFETY: `NO`, or a `char` of the C library, which is never unloaded;
    // it is written while there is one thread only.
    unsafe { (*TOLD.load(Ordering::Relaxed)).load(Ordering::Relaxed) != 0 }
}
