//! What does not fit.

use super::got;
use super::subject::Subject;
use twat_cache::{Code, TTL_DEFAULT};

/// Bytes that no codec makes smaller.
fn incompressible(len: usize) -> Vec<u8> {
    let mut random = 1_u64;
    let next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub fn what_can_never_fit_is_refused_and_changes_nothing(subject: &Subject) {
    if !subject.bounded {
        return;
    }
    let cache = subject.open_with(&[("max_bytes", "1000000")]);
    cache.set(b"key", b"old", TTL_DEFAULT).unwrap();
    cache.set(b"other", b"old", TTL_DEFAULT).unwrap();
    let error = cache.set(b"key", &incompressible(1_000_001), TTL_DEFAULT).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge);
    for part in ["1000000", "1000001"] {
        assert!(error.text().contains(part), "bound and size are told: {error}");
    }
    assert_eq!(got(&cache, b"key").unwrap(), b"old");
    assert_eq!(got(&cache, b"other").unwrap(), b"old");
    let stats = cache.stats().unwrap();
    assert_eq!((stats.rejected, stats.errors, stats.sets), (1, 0, 2));
}

pub fn bounds_hold_after_every_call(subject: &Subject) {
    if !subject.bounded || !subject.evicts {
        return;
    }
    let cache = subject.open_with(&[("max_entries", "100"), ("max_bytes", "300000")]);
    for n in 0..3000_u32 {
        let key = (n % 900).to_be_bytes();
        let len = if n % 100 == 0 { 200_000 } else { n as usize % 6000 };
        cache.set(&key, &vec![n as u8; len], TTL_DEFAULT).unwrap();
        cache.get(&(n / 2 % 900).to_be_bytes()).unwrap();
        if subject.evicts_at_once {
            assert!(got(&cache, &key) == Some(vec![n as u8; len]), "set {n} is not its own victim");
        }
        if n % 10 == 0 {
            let stats = cache.stats().unwrap().engine;
            assert!(stats.entries <= 100 && stats.bytes <= 300_000, "at {n}: {stats:?}");
            assert_eq!((stats.max_entries, stats.max_bytes), (100, 300_000));
        }
    }
    let stats = cache.stats().unwrap();
    assert!(stats.engine.evictions > 1000, "{stats:?}");
    assert_eq!(stats.rejected, 0);
}

pub fn policy_none_refuses_when_full(subject: &Subject) {
    if !subject.bounded {
        return;
    }
    let time = subject.time();
    let cache = subject.open_with(&[("max_entries", "10"), ("policy", "none")]);
    for n in 0..10_u8 {
        cache.set(&[n], b"value", if n == 0 { 10_000 } else { TTL_DEFAULT }).unwrap();
    }
    assert_eq!(cache.set(b"new", b"value", TTL_DEFAULT).unwrap_err().code(), Code::Full);
    cache.set(&[1], b"replaced", TTL_DEFAULT).unwrap();
    time.pass(11_000);
    cache.set(b"new", b"value", TTL_DEFAULT).unwrap();
    assert_eq!(cache.set(b"next", b"value", TTL_DEFAULT).unwrap_err().code(), Code::Full);
    cache.delete(b"new").unwrap();
    cache.set(b"next", b"value", TTL_DEFAULT).unwrap();
    let stats = cache.stats().unwrap();
    assert_eq!((stats.rejected, stats.engine.evictions, stats.engine.expirations), (2, 0, 1));
}
