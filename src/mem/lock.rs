//! A lock for what is held for some nanoseconds: plain loads and stores while
//! the process has one thread, a futex otherwise. A panic under it is
//! remembered, as the standard library's lock does.

use crate::base::error::{Code, Error, Result};
use crate::mem::solo;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody sleeps until it is not.
const AWAITED: u32 = 2;
/// A thread panicked while it held the lock: nobody gets it any more.
const BROKEN: u32 = 3;

/// Looks at a held lock before sleeping.
const SPINS: u32 = 100;

/// Something that one thread at a time uses. What comes first in it shares a
/// cache line with the lock.
#[repr(C)]
pub(crate) struct Lock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

#[expect(unsafe_code, reason = "a lock")]
// SAFETY: the state leaves FREE by the compare-exchange of one thread, or by
// the plain store of the only thread there is; whoever comes later, that
// thread's children included, sees it held until it is FREE again; or it stays
// FREE while the only thread there is, by `alone`, neither takes it nor starts
// another. So one thread at a time reaches the rest.
unsafe impl<T: Send> Sync for Lock<T> {}

/// The right to use it, until dropped. Stays with its thread.
pub(crate) struct Guard<'a, T> {
    held: ManuallyDrop<Calm<'a, T, false>>,
    /// The thread was panicking before: not our panic.
    panicking: bool,
}

/// As [`Guard`], but a panic while it is held is not noticed. With `ALONE` no
/// other thread is there.
pub(crate) struct Calm<'a, T, const ALONE: bool> {
    lock: &'a Lock<T>,
    stays: PhantomData<*const ()>,
}

#[expect(unsafe_code, reason = "a lock")]
impl<T> Lock<T> {
    /// Puts something under a lock.
    pub(crate) const fn new(value: T) -> Self {
        Self { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits for one's turn.
    #[inline]
    pub(crate) fn lock(&self) -> Result<Guard<'_, T>> {
        if !self.take(solo::alone()) {
            self.wait()?;
        }
        let held = ManuallyDrop::new(Calm { lock: self, stays: PhantomData });
        Ok(Guard { held, panicking: std::thread::panicking() })
    }

    /// The same without waiting: `None` where another holds it, or an earlier holder
    /// panicked.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        let held = ManuallyDrop::new(self.calm::<false>()?);
        Some(Guard { held, panicking: std::thread::panicking() })
    }

    /// Gives it back for a moment in the midst of long work. Where others wait for it,
    /// they get the time to wake up: who gave it back would have it again before.
    pub(crate) fn step_aside(held: Guard<'_, T>) {
        let awaited = held.held.lock.state.load(Ordering::Relaxed) == AWAITED;
        drop(held);
        if awaited {
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    }

    /// As [`Self::try_lock`] for what cannot panic; `None` where another holds it, or an
    /// earlier holder panicked. `ALONE` is what [`solo::alone`] says now.
    #[inline(always)]
    pub(crate) fn calm<const ALONE: bool>(&self) -> Option<Calm<'_, T, ALONE>> {
        // Not `then_some`: one that is made in vain would give back what
        // another thread holds.
        self.take(ALONE).then(|| Calm { lock: self, stays: PhantomData })
    }

    /// What the lock is for, without taking it: as [`Self::calm`], but nothing
    /// is written, and nothing must be given back.
    ///
    /// # Safety
    /// [`solo::alone`] says so, and while the answer is in use nothing is
    /// called that takes this lock, starts a thread or can panic.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "what a lock is for")]
    pub(crate) unsafe fn alone(&self) -> Option<&mut T> {
        let free = self.state.load(Ordering::Relaxed) == FREE;
        // SAFETY: nobody holds the lock, and until the answer is out of use
        // nobody is there to take it.
        free.then(|| unsafe { &mut *self.value.get() })
    }

    #[inline(always)]
    fn take(&self, alone: bool) -> bool {
        if !alone {
            let taken =
                self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed);
            return taken.is_ok();
        }
        let free = self.state.load(Ordering::Relaxed) == FREE;
        if free {
            self.state.store(HELD, Ordering::Relaxed);
        }
        free
    }

    #[inline(always)]
    fn give_back(&self, alone: bool) {
        if alone && self.state.load(Ordering::Relaxed) == HELD {
            self.state.store(FREE, Ordering::Release);
        } else {
            self.leave();
        }
    }

    /// Ends the holding, and wakes one of those who wait for that.
    #[inline(always)]
    fn leave(&self) {
        if self.state.swap(FREE, Ordering::Release) == AWAITED {
            self.wake(1);
        }
    }

    /// Ends the holding for ever. All are woken: some may sleep although the
    /// lock is not marked, since it was taken before one that was woken could
    /// mark it for those behind.
    #[cold]
    fn break_it(&self) {
        self.state.store(BROKEN, Ordering::Release);
        self.wake(i32::MAX as u32);
    }

    #[cold]
    fn wait(&self) -> Result<()> {
        for _ in 0..SPINS {
            if self.state.load(Ordering::Relaxed) == FREE && self.take(false) {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        loop {
            // Others may sleep too: whoever gets it now wakes the next one.
            let next = |state| (state != BROKEN).then_some(AWAITED);
            match self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, next) {
                Ok(FREE) => return Ok(()),
                Ok(_) => self.sleep(),
                Err(_) => {
                    let text = "a bug in twat-cache: an earlier call panicked";
                    return Err(Error::new(Code::Panic, text));
                }
            }
        }
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    fn sleep(&self) {
        use rustix::thread::futex::{Flags, wait};
        // Any answer, an interruption included, means: look again.
        let _ = wait(&self.state, Flags::PRIVATE, AWAITED, None);
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[cold]
    fn wake(&self, most: u32) {
        use rustix::thread::futex::{Flags, wake};
        let _ = wake(&self.state, Flags::PRIVATE, most);
    }

    #[cfg(any(not(target_os = "linux"), miri))]
    fn sleep(&self) {
        // Longer than most hold it, and not so long that it matters.
        std::thread::sleep(std::time::Duration::from_micros(50));
    }

    #[cfg(any(not(target_os = "linux"), miri))]
    fn wake(&self, _most: u32) {}
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T, const ALONE: bool> Deref for Calm<'_, T, ALONE> {
    type Target = T;

    #[inline(always)]
    #[expect(unsafe_code, reason = "what a lock is for")]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held, and `&self` keeps `deref_mut` away.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T, const ALONE: bool> DerefMut for Calm<'_, T, ALONE> {
    #[inline(always)]
    #[expect(unsafe_code, reason = "what a lock is for")]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, by this guard alone.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T, const ALONE: bool> Drop for Calm<'_, T, ALONE> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.give_back(ALONE);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.panicking && std::thread::panicking() {
            self.held.lock.break_it();
        } else {
            self.held.lock.give_back(solo::alone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn no_addition_of_many_threads_is_lost() {
        let sum = Lock::new(0_u64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2_000).for_each(|_| *sum.lock().expect("whole") += 1));
            }
        });
        assert_eq!(*sum.lock().expect("whole"), 8_000);
    }

    #[test]
    fn who_sleeps_before_it_is_woken() {
        let lock = Lock::new(false);
        std::thread::scope(|scope| {
            let mut held = lock.lock().expect("whole");
            let waiting: Vec<_> =
                (0..3).map(|_| scope.spawn(|| *lock.lock().expect("whole"))).collect();
            std::thread::sleep(Duration::from_millis(50));
            *held = true;
            drop(held);
            assert!(waiting.into_iter().all(|thread| thread.join().expect("no panic")));
        });
    }

    #[test]
    fn who_looks_in_vain_leaves_the_lock_to_its_holder() {
        let lock = Lock::new(());
        let held = lock.lock().expect("whole");
        assert!(lock.calm::<false>().is_none() && lock.calm::<false>().is_none());
        drop(held);
        assert!(lock.calm::<false>().is_some() && lock.calm::<false>().is_some());
    }

    /// What three who wait are told when `panics` does while it is held.
    fn told(rest: Duration, panics: impl FnOnce(&Lock<()>, Guard<'_, ()>)) -> Vec<Option<Code>> {
        let lock = std::panic::AssertUnwindSafe(Lock::new(()));
        std::thread::scope(|scope| {
            let held = lock.lock().expect("whole");
            let waits = || lock.lock().err().map(|error| error.code());
            let waiting: Vec<_> = (0..3).map(|_| scope.spawn(waits)).collect();
            std::thread::sleep(rest);
            let panics = std::panic::AssertUnwindSafe(|| panics(&lock, held));
            assert!(std::panic::catch_unwind(panics).is_err());
            waiting.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        })
    }

    #[test]
    fn a_panic_tells_those_who_wait_for_the_lock() {
        let told = told(Duration::from_millis(50), |_, _held| panic!("under the lock"));
        assert_eq!(told, [Some(Code::Panic); 3]);
    }

    #[test]
    fn a_panic_of_one_who_was_quicker_than_those_woken_tells_all_of_them() {
        for _ in 0..100 {
            let told = told(Duration::from_millis(3), |lock, held| {
                drop(held);
                let _held = lock.lock();
                // At once: a text would take long to print.
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(told.iter().all(|told| told.is_none_or(|code| code == Code::Panic)));
        }
    }

    #[test]
    fn a_panic_under_the_lock_breaks_it_and_one_before_does_not() {
        struct Uses<'a>(&'a Lock<u8>);
        impl Drop for Uses<'_> {
            fn drop(&mut self) {
                *self.0.lock().expect("whole") += 1;
            }
        }
        let lock = Lock::new(0);
        let panicked = |run: &(dyn Fn() + std::panic::RefUnwindSafe)| std::panic::catch_unwind(run);
        let lock = std::panic::AssertUnwindSafe(&lock);
        panicked(&|| {
            let _uses = Uses(&lock);
            panic!("before the lock is taken");
        })
        .expect_err("a panic");
        assert_eq!(*lock.lock().expect("whole"), 1);
        panicked(&|| {
            let _held = lock.lock();
            panic!("under the lock");
        })
        .expect_err("a panic");
        assert_eq!(lock.lock().err().map(|error| error.code()), Some(Code::Panic));
    }
}
