//! Nothing unwinds into C: every exported function is one call of [`guard`], or
//! leaves all that could panic to one that is.

use super::status::{TWAT_E_PANIC, set_last_error};
use crate::base::error::{Code, Error, Result};
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a guarded body gives, and what C sees of it.
pub(super) trait Answer {
    type C;
    fn answer(self) -> Self::C;
    fn panicked() -> Self::C;
}

impl Answer for Result<i32> {
    type C = i32;

    #[inline]
    fn answer(self) -> i32 {
        self.unwrap_or_else(|error| {
            set_last_error(&error);
            error.code() as i32
        })
    }

    fn panicked() -> i32 {
        TWAT_E_PANIC
    }
}

impl Answer for () {
    type C = ();
    fn answer(self) {}
    fn panicked() {}
}

macro_rules! plain_answer {
    ($($type:ty = $panicked:expr),*) => {$(
        impl Answer for $type {
            type C = $type;
            #[inline]
            fn answer(self) -> $type { self }
            fn panicked() -> $type { $panicked }
        }
    )*};
}
plain_answer!(i32 = TWAT_E_PANIC, u32 = 0, usize = 0, *const c_char = c"".as_ptr(), *mut c_void = std::ptr::null_mut());

/// Runs a body; a panic becomes `TWAT_E_PANIC` (or nothing, where the
/// function has no status) and a text in the last error.
#[inline]
pub(super) fn guard<A: Answer>(body: impl FnOnce() -> A) -> A::C {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(answer) => answer.answer(),
        Err(payload) => {
            stopped(payload);
            A::panicked()
        }
    }
}

#[cold]
fn stopped(payload: Box<dyn std::any::Any + Send>) {
    let said = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no text)".to_owned());
    // A payload's own destructor could panic in turn; what that throws is leaked.
    if let Err(thrown) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(thrown);
    }
    let text = format!("a bug in twat-cache, please report it: {said}");
    set_last_error(&Error::new(Code::Panic, text));
}

/// Marks a handle that a panic went through: what it guards may be half
/// changed, so every later call but close answers `TWAT_E_PANIC`.
#[derive(Default)]
pub(super) struct Poison(AtomicBool);

/// Poisons the handle unless it is told that all went well.
pub(super) struct OnUnwind<'a>(&'a Poison);

impl OnUnwind<'_> {
    #[inline(always)]
    pub(super) fn done(self) {
        std::mem::forget(self);
    }
}

impl Drop for OnUnwind<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Poison {
    /// Runs a body over the handle unless it is poisoned.
    #[inline]
    pub(super) fn watch<T>(&self, body: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(watching) = self.watching() else {
            return Err(Error::new(
                Code::Panic,
                "an earlier call on this handle panicked; it can only be closed",
            ));
        };
        let result = body();
        watching.done();
        result
    }

    /// Begins to watch; `None` where the handle is poisoned.
    #[inline(always)]
    pub(super) fn watching(&self) -> Option<OnUnwind<'_>> {
        (!self.is_poisoned()).then_some(OnUnwind(self))
    }

    /// Whether an earlier call panicked.
    #[inline(always)]
    pub(super) fn is_poisoned(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
