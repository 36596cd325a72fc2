//! Time on disk, and tags. The clock is the process's, so that these tests
//! take turns.

use super::common::{check_books, get, open};
use std::sync::{Mutex, MutexGuard, PoisonError};
use twat_cache::{SetOptions, TTL_DEFAULT, TTL_NEVER, base::clock};

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_step_of_the_wall_clock_moves_ends_by_the_step_and_no_more() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"hour", b"x", 3_600_000).unwrap();
    cache.set(b"never", b"x", TTL_NEVER).unwrap();
    clock::shift_wall_ms(1_800_000);
    assert!(get(&cache, b"hour").is_some(), "half an hour forward: half an hour is left");
    clock::shift_wall_ms(1_900_000);
    assert_eq!(get(&cache, b"hour"), None);
    // Back: an entry that nobody swept is there again, for as long as the step.
    clock::shift_wall_ms(-3_700_000);
    assert!(get(&cache, b"hour").is_some());
    clock::shift_wall_ms(3_601_000);
    assert_eq!(get(&cache, b"hour"), None);
    clock::shift_wall_ms(-3_601_000);
    assert!(get(&cache, b"never").is_some());
}

#[test]
fn expire_sweeps_all_and_returns_the_count() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (open(dir.path(), &[]), open(dir.path(), &[("namespace", "other")]));
    for n in 0..2000_u32 {
        let ttl = if n % 2 == 0 { 10_000 } else { TTL_NEVER };
        a.set(&n.to_be_bytes(), b"x", ttl).unwrap();
    }
    b.set(b"of another namespace", b"x", 10_000).unwrap();
    // Rows of entries that were replaced or touched since are stale.
    a.set(&0_u32.to_be_bytes(), b"y", TTL_NEVER).unwrap();
    a.touch(&2_u32.to_be_bytes(), TTL_NEVER).unwrap();
    clock::shift_wall_ms(11_000);
    assert_eq!(a.expire().unwrap(), 999);
    assert_eq!(a.expire().unwrap(), 0);
    assert_eq!(a.stats().unwrap().engine.entries, 1002);
    assert_eq!(a.stats().unwrap().engine.expirations, 999);
    check_books(&a);
    clock::shift_wall_ms(-11_000);
}

#[test]
fn writers_sweep_in_instalments() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    for n in 0..500_u32 {
        cache.set(&n.to_be_bytes(), b"x", 10_000).unwrap();
    }
    clock::shift_wall_ms(11_000);
    for n in 0..50_u32 {
        cache.set(b"one", &n.to_be_bytes(), TTL_DEFAULT).unwrap();
    }
    assert_eq!(cache.stats().unwrap().engine.entries, 1);
    clock::shift_wall_ms(-11_000);
}

#[test]
fn a_tag_is_invalidated_for_every_handle_and_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let set = |cache: &twat_cache::Cache, key: &[u8], tags: &[&[u8]]| {
        cache.set_with(key, b"x", &SetOptions { tags, ..Default::default() }).unwrap();
    };
    {
        let (a, b) = (open(dir.path(), &[]), open(dir.path(), &[]));
        set(&a, b"1", &[b"red"]);
        set(&a, b"2", &[b"red", &[b't'; 5000]]);
        set(&a, b"3", &[]);
        assert!(b.invalidate_tag(b"red").unwrap());
        assert!(get(&a, b"1").is_none() && get(&a, b"2").is_none() && get(&a, b"3").is_some());
        set(&a, b"1", &[b"red"]);
    }
    let cache = open(dir.path(), &[]);
    assert!(get(&cache, b"1").is_some() && get(&cache, b"2").is_none());
    assert_eq!(cache.expire().unwrap(), 1);
    check_books(&cache);
    let error = set_error(&cache, &vec![0; 70_000]);
    assert!(error.text().contains("tags") && error.text().contains("70000"), "{error}");
}

fn set_error(cache: &twat_cache::Cache, tag: &[u8]) -> twat_cache::Error {
    let tags: &[&[u8]] = &[tag];
    cache.set_with(b"k", b"v", &SetOptions { tags, ..Default::default() }).unwrap_err()
}

#[test]
fn a_read_never_writes() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_entries", "100")]);
    for n in 0..100_u32 {
        cache.set(&n.to_be_bytes(), &[1; 1000], 1 + u64::from(n % 2) * 1_000_000).unwrap();
    }
    let transaction = || cache.info().unwrap()["last_transaction"].as_u64().unwrap();
    let before = transaction();
    for n in 0..200_u32 {
        cache.get(&n.to_be_bytes()).unwrap();
        cache.contains(&n.to_be_bytes()).unwrap();
    }
    super::common::keys(&cache, b"");
    cache.stats().unwrap();
    assert_eq!(transaction(), before);
}

#[test]
fn tags_that_nobody_carries_any_more_leave_no_trail() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_entries", "50"), ("policy", "fifo")]);
    let set = |n: u32| {
        let tags: &[&[u8]] = &[&n.to_le_bytes(), b"common"];
        cache.set_with(&n.to_be_bytes(), b"x", &SetOptions { tags, ..Default::default() }).unwrap();
    };
    (0..10_000).for_each(set);
    let size = super::common::file_size(dir.path());
    (10_000..25_000).for_each(set);
    assert!(super::common::file_size(dir.path()) <= size + size / 4);
    assert!(!cache.invalidate_tag(&0_u32.to_le_bytes()).unwrap(), "its version was swept");
    assert!(cache.invalidate_tag(&24_999_u32.to_le_bytes()).unwrap());
    assert!(get(&cache, &24_999_u32.to_be_bytes()).is_none());
    assert!(get(&cache, &24_998_u32.to_be_bytes()).is_some());
    assert!(cache.invalidate_tag(b"common").unwrap());
    assert!(get(&cache, &24_998_u32.to_be_bytes()).is_none());
    check_books(&cache);
}
