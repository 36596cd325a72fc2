//! One computation per key, and no computation that outlives an invalidation.

use super::fork::in_child;
use super::subject::{Opened, Subject};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use twat_cache::{Code, FetchOptions, Fetched, Lease, SetOptions, TTL_DEFAULT};

fn waiting(wait_ms: u64) -> FetchOptions {
    FetchOptions { wait_ms, ..FetchOptions::default() }
}

fn lease(cache: &Opened, key: &[u8]) -> Lease {
    match cache.fetch(key, &FetchOptions::default()).unwrap() {
        Fetched::Lease(lease) => lease,
        other => panic!("expected a lease, got {other:?}"),
    }
}

fn is_pending(cache: &Opened, key: &[u8], wait_ms: u64) -> bool {
    matches!(cache.fetch(key, &waiting(wait_ms)).unwrap(), Fetched::Pending)
}

fn value(cache: &Opened, key: &[u8]) -> Vec<u8> {
    match cache.fetch(key, &FetchOptions::default()).unwrap() {
        Fetched::Value(value) => value.to_vec(),
        other => panic!("expected a value, got {other:?}"),
    }
}

pub fn a_fetch_gives_the_value_or_one_lease(subject: &Subject) {
    let cache = subject.open();
    let options = SetOptions::default();
    if !subject.leases {
        let error = cache.fetch(b"key", &FetchOptions::default()).unwrap_err();
        assert_eq!(error.code(), Code::Unsupported, "{error}");
        return;
    }
    let first = lease(&cache, b"key");
    assert!(is_pending(&cache, b"key", 0) && is_pending(&cache, b"key", 5));
    drop(lease(&cache, b"another key"));
    assert!(first.renew().unwrap());
    assert!(first.set(b"value", &options).unwrap());
    assert_eq!(value(&cache, b"key"), b"value");
    // Once only.
    for error in [first.set(b"other", &options).unwrap_err(), first.fail(0).unwrap_err()] {
        assert_eq!(error.code(), Code::Arg);
        assert!(error.text().contains("lease: expected one that is not ended"), "{error}");
    }
    assert_eq!(value(&cache, b"key"), b"value");
    assert_eq!(cache.stats().unwrap().sets, 1);
    // A lease that is dropped is the next caller's.
    drop(lease(&cache, b"other"));
    lease(&cache, b"other").fail(0).unwrap();
    lease(&cache, b"other").fail(60_000).unwrap();
    assert!(is_pending(&cache, b"other", 60_000), "it failed a moment ago");
    cache.set(b"other", b"set", TTL_DEFAULT).unwrap();
    assert_eq!(value(&cache, b"other"), b"set");
    // A refresh keeps what is stored until it is set.
    let refresh = FetchOptions { refresh: true, ..FetchOptions::default() };
    let Fetched::Lease(renewal) = cache.fetch(b"key", &refresh).unwrap() else { panic!("a lease") };
    assert_eq!(value(&cache, b"key"), b"value");
    assert!(renewal.set(b"new", &options).unwrap());
    assert_eq!(value(&cache, b"key"), b"new");
}

pub fn threads_that_fetch_one_key_compute_it_once(subject: &Subject) {
    const THREADS: usize = 8;
    const KEYS: usize = 40;
    if !subject.leases {
        return;
    }
    let cache = subject.open();
    let (computed, barrier) = (AtomicUsize::new(0), Barrier::new(THREADS));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for n in 0..KEYS {
                    let key = format!("key {n}");
                    barrier.wait();
                    match cache.fetch(key.as_bytes(), &waiting(60_000)).unwrap() {
                        Fetched::Lease(lease) => {
                            computed.fetch_add(1, Ordering::SeqCst);
                            std::thread::sleep(std::time::Duration::from_millis(1));
                            assert!(lease.set(key.as_bytes(), &SetOptions::default()).unwrap());
                        }
                        Fetched::Value(value) => assert_eq!(&value[..], key.as_bytes()),
                        Fetched::Pending => panic!("a minute is over"),
                    }
                }
            });
        }
    });
    assert_eq!(computed.into_inner(), KEYS);
}

/// Something that makes what was computed before it wrong.
type Invalidation = (&'static str, fn(&Opened, &[u8]));

const INVALIDATIONS: [Invalidation; 8] = [
    ("delete", |cache, key| assert!(cache.delete(key).is_ok())),
    ("delete_many", |cache, key| assert!(cache.delete_many(&[b"x", key]).is_ok())),
    ("delete_prefix", |cache, _| assert!(cache.delete_prefix(b"ke").is_ok())),
    ("clear", |cache, _| cache.clear().unwrap()),
    ("invalidate_tag", |cache, _| assert!(cache.invalidate_tag(b"tag").is_ok())),
    ("set", |cache, key| cache.set(key, b"newer", TTL_DEFAULT).unwrap()),
    ("set_many", |cache, key| {
        cache.set_many(&[(key, b"newer")], &SetOptions::default()).unwrap();
    }),
    ("incr", |cache, key| {
        cache.incr(key, 1, 0, TTL_DEFAULT).unwrap();
    }),
];

pub fn an_invalidation_during_a_computation_wins(subject: &Subject) {
    if !subject.leases {
        return;
    }
    let cache = subject.open();
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    let refresh = FetchOptions { refresh: true, ..FetchOptions::default() };
    for round in 0..4 {
        for (what, invalidate) in INVALIDATIONS {
            for present in [false, true] {
                let key = format!("key {round} {what} {present}");
                let key = key.as_bytes();
                if present && what != "incr" {
                    cache.set_with(key, b"old", &tagged).unwrap();
                }
                let Fetched::Lease(lease) = cache.fetch(key, &refresh).unwrap() else {
                    panic!("{what}: expected a lease")
                };
                invalidate(&cache, key);
                let after = cache.get(key).unwrap().map(|value| value.to_vec());
                assert!(!lease.renew().unwrap(), "{what}, present: {present}");
                assert!(!lease.set(b"stale", &tagged).unwrap(), "{what}, present: {present}");
                let found = cache.get(key).unwrap().map(|value| value.to_vec());
                assert_eq!(found, after, "{what}, present: {present}");
            }
        }
    }
    // What comes before a grant does not.
    cache.delete(b"late").unwrap();
    assert!(lease(&cache, b"late").set(b"fresh", &tagged).unwrap());
    assert_eq!(value(&cache, b"late"), b"fresh");
}

pub fn a_lease_outlives_its_cache_and_says_so(subject: &Subject) {
    if !subject.leases {
        return;
    }
    let cache = subject.open();
    let [first, second] = [lease(&cache, b"first"), lease(&cache, b"second")];
    cache.close();
    let error = first.set(b"value", &SetOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::Closed, "{error}");
    assert_eq!(second.fail(1).unwrap_err().code(), Code::Closed);
}

pub fn a_lease_is_of_no_use_in_a_forked_child(subject: &Subject) {
    if !subject.leases {
        return;
    }
    let cache = subject.open();
    let lease = lease(&cache, b"key");
    let mut lease = Some(lease);
    let fine = in_child(|| {
        let lease = lease.take().unwrap();
        let refused = [lease.set(b"child", &SetOptions::default()).map(drop), lease.fail(0)];
        let closed = refused.iter().all(|r| r.as_ref().is_err_and(|e| e.code() == Code::Closed));
        drop(lease);
        closed
    });
    assert!(fine);
    assert!(is_pending(&cache, b"key", 0), "the child has freed it");
    assert!(lease.unwrap().set(b"parent", &SetOptions::default()).unwrap());
    assert_eq!(value(&cache, b"key"), b"parent");
}
