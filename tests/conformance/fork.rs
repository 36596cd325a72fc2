//! After `fork` parent and child may both go on.

use super::got;
use super::subject::Subject;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use twat_cache::{Cache, TTL_DEFAULT};

/// Runs `body` in a forked child; whether it answered true within a minute.
#[expect(unsafe_code, reason = "there is no safe fork")]
pub fn in_child(body: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child allocates (which glibc allows after fork), prints
    // nothing and leaves by `_exit`, so it meets no lock of the test harness.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        let fine = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(false);
        // SAFETY: ends this process, nothing else.
        unsafe { libc::_exit(if fine { 0 } else { 1 }) };
    }
    let begun = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: our own child, an `int` of ours.
        let done = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if done == child {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            // SAFETY: our own child, which hangs.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: as above.
            unsafe { libc::waitpid(child, &mut status, 0) };
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn usable(cache: &Cache) -> bool {
    let old = got(cache, b"before");
    cache.set(b"child", b"own", TTL_DEFAULT).is_ok()
        && (old.is_none() || old.as_deref() == Some(b"parent"))
        && got(cache, b"child").as_deref() == Some(b"own")
        && cache.delete(b"child").is_ok_and(|deleted| deleted)
        && cache.stats().is_ok_and(|stats| {
            // Its own figures, not its parent's.
            (stats.hits + stats.misses, stats.sets, stats.deletes) == (2, 1, 1)
        })
}

pub fn a_forked_child_of_a_busy_parent_can_use_its_cache(subject: &Subject) {
    let cache = subject.open();
    cache.set(b"before", b"parent", TTL_DEFAULT).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (cache, stop) = (&cache, &stop);
            scope.spawn(move || {
                let mut n = 0_u8;
                while !stop.load(Ordering::Relaxed) {
                    n = n.wrapping_add(1);
                    cache.set(&[thread, n], &[n; 100], TTL_DEFAULT).unwrap();
                    cache.get(&[thread, n.wrapping_mul(7)]).unwrap();
                }
            });
        }
        let fine = (0..5).all(|_| in_child(|| usable(&cache)));
        stop.store(true, Ordering::Relaxed);
        assert!(fine, "a child failed or hung");
    });
    assert_eq!(got(&cache, b"before").unwrap(), b"parent");
    cache.close();
}
