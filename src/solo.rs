//! Knowing that this process has one thread, so that what only it can see needs
//! no locked instructions: those wait for everything before them, and a hit in
//! memory has four. The C library's `malloc` and C++'s `shared_ptr` do the same.

use std::ffi::c_void;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

/// What is looked at where the C library does not tell.
static NO: AtomicU8 = AtomicU8::new(0);
/// `__libc_single_threaded` (glibc 2.32 and later), or [`NO`].
static TOLD: AtomicPtr<AtomicU8> = AtomicPtr::new((&raw const NO).cast_mut());
static INSTALL: Once = Once::new();

/// Asks the C library, once.
pub fn install() {
    INSTALL.call_once(|| {
        #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
        {
            #[expect(unsafe_code, reason = "a symbol that older C libraries have not")]
            // SAFETY: a name that ends in NUL.
            let found =
                unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
            publish(found);
        }
    });
}

#[cfg_attr(not(all(target_os = "linux", target_env = "gnu", not(miri))), expect(dead_code))]
fn publish(found: *mut c_void) {
    if !found.is_null() {
        TOLD.store(found.cast(), Ordering::Relaxed);
    }
}

/// Whether no other thread is there. It stays so until this one starts
/// another, and what this one did before is visible to that one.
#[inline(always)]
#[expect(unsafe_code, reason = "a variable of the C library")]
pub fn alone() -> bool {
    // SAFETY: `NO`, or a `char` of the C library, which is never unloaded;
    // it is written while there is one thread only.
    unsafe { (*TOLD.load(Ordering::Relaxed)).load(Ordering::Relaxed) != 0 }
}
