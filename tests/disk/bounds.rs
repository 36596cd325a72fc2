//! Bounds hold on disk, and who leaves is who the policy says.

use super::common::{check_books, file_size, get, keys, open, refused, rewrite};
use std::collections::BTreeSet;
use twat_cache::{Cache, Code, SetOptions, TTL_DEFAULT, TTL_NEVER};

fn fill(cache: &Cache, from: u32, to: u32) {
    for n in from..to {
        cache.set(&n.to_be_bytes(), &[n as u8; 100], TTL_DEFAULT).unwrap();
    }
}

fn held(cache: &Cache) -> BTreeSet<u32> {
    let number = |key: Vec<u8>| u32::from_be_bytes(key.try_into().unwrap());
    keys(cache, b"").into_iter().map(number).collect()
}

#[test]
fn fifo_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("policy", "fifo"), ("max_entries", "50")]);
    for n in 0..500_u32 {
        cache.set(&n.to_be_bytes(), b"x", TTL_DEFAULT).unwrap();
        cache.get(&n.saturating_sub(49).to_be_bytes()).unwrap();
        // A touch is not a set: it moves nothing.
        cache.touch(&n.saturating_sub(30).to_be_bytes(), TTL_NEVER).unwrap();
        let expected: BTreeSet<u32> = (n.saturating_sub(49)..=n).collect();
        assert_eq!(held(&cache), expected);
    }
    assert_eq!(cache.stats().unwrap().engine.evictions, 450);
    check_books(&cache);
}

#[test]
fn fifo_counts_a_replacement_as_new() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("policy", "fifo"), ("max_entries", "3")]);
    fill(&cache, 0, 3);
    fill(&cache, 0, 1);
    fill(&cache, 3, 5);
    assert_eq!(held(&cache), BTreeSet::from([0, 3, 4]));
}

#[test]
fn lru_gives_what_was_read_a_second_chance() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_entries", "100")]);
    fill(&cache, 0, 100);
    for n in 100..1000_u32 {
        for hot in 0..10_u32 {
            assert!(cache.contains(&hot.to_be_bytes()).unwrap(), "{hot} is read all the time");
            cache.get(&hot.to_be_bytes()).unwrap();
        }
        fill(&cache, n, n + 1);
    }
    assert_eq!(held(&cache).len(), 100);
    check_books(&cache);
}

#[test]
fn lfu_keeps_what_is_read_often_over_what_was_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_entries", "100"), ("policy", "lfu")]);
    fill(&cache, 0, 100);
    for _ in 0..200 {
        (0..10_u32).for_each(|hot| drop(cache.get(&hot.to_be_bytes()).unwrap()));
    }
    // Four rounds of the queue, each entry read once.
    for n in 100..500_u32 {
        fill(&cache, n, n + 1);
        cache.get(&n.to_be_bytes()).unwrap();
    }
    let held = held(&cache);
    assert!((0..10).all(|hot| held.contains(&hot)), "{held:?}");
}

#[test]
fn rr_takes_any_entry_and_repeats_with_its_seed() {
    let victims = |seed: &str| {
        let dir = tempfile::tempdir().unwrap();
        let options = [("policy", "rr"), ("max_entries", "100"), ("seed", seed)];
        let cache = open(dir.path(), &options);
        fill(&cache, 0, 200);
        assert_eq!(held(&cache).len(), 100);
        held(&cache)
    };
    let first = victims("7");
    assert_eq!(first, victims("7"));
    assert_ne!(first, victims("8"));
    // Entry n of the older half survives 100 draws with (99/100)^100 = 37 %.
    let old = first.iter().filter(|n| **n < 100).count();
    assert!((20..=60).contains(&old), "{old} of the older half are left");
}

#[test]
fn a_store_filled_to_ten_times_its_bound_never_shows_a_full_map() {
    for (size, count) in [(10, 20_000), (1500, 4000), (2100, 4000), (9000, 1000), (30_000, 300)] {
        let dir = tempfile::tempdir().unwrap();
        // The smallest map there may be for the bound.
        let options = [("max_bytes", "524288"), ("map_size", "1048576")];
        let cache = open(dir.path(), &options);
        for n in 0..count as u32 {
            let key = n.wrapping_mul(0x9e37_79b9).to_be_bytes();
            let set = cache.set(&key, &vec![n as u8; size], TTL_DEFAULT);
            set.unwrap_or_else(|error| panic!("{size} bytes, number {n}: {error}"));
            assert!(get(&cache, &key).is_some(), "{size} bytes, number {n}");
        }
        let stats = cache.stats().unwrap();
        assert!(stats.engine.bytes <= 524_288 && stats.engine.evictions > 0, "{stats:?}");
        assert!(file_size(dir.path()) <= 1 << 20);
        check_books(&cache);
    }
}

#[test]
fn mixed_sizes_and_overwrites_never_show_a_full_map() {
    let dir = tempfile::tempdir().unwrap();
    let options = [("max_bytes", "1048576"), ("map_size", "2097152")];
    let cache = open(dir.path(), &options);
    let mut random = 7_u64;
    for n in 0..8000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (key, size) = ((random >> 33) % 700, (random >> 40) % [50, 3000, 30_000][n % 3]);
        let ttl = if n % 2 == 0 { TTL_NEVER } else { 3_600_000 };
        cache.set(&key.to_be_bytes(), &vec![1; size as usize], ttl).unwrap();
    }
    check_books(&cache);
}

#[test]
fn an_unbounded_store_evicts_before_its_map_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_bytes", "0"), ("map_size", "4194304")]);
    for n in 0..20_000_u32 {
        cache.set(&n.to_be_bytes(), &[1; 1000], TTL_DEFAULT).unwrap();
        assert!(cache.contains(&n.to_be_bytes()).unwrap());
    }
    assert!(cache.stats().unwrap().engine.evictions > 10_000);
}

#[test]
fn blobs_count_against_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_bytes", "1048576")]);
    for n in 0..100_u32 {
        cache.set(&n.to_be_bytes(), &[1; 100_000], TTL_DEFAULT).unwrap();
    }
    let stats = cache.stats().unwrap().engine;
    assert!(stats.entries == 10 && stats.bytes <= 1 << 20, "{stats:?}");
    let blobs = super::common::blob_files(dir.path());
    assert_eq!(blobs.len(), 10, "evicted blobs are unlinked");
}

#[test]
fn expired_entries_leave_before_live_ones() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_entries", "20")]);
    fill(&cache, 0, 10);
    for n in 10..20_u32 {
        cache.set(&n.to_be_bytes(), b"x", 1).unwrap();
    }
    while cache.contains(&19_u32.to_be_bytes()).unwrap() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    fill(&cache, 20, 30);
    assert_eq!(held(&cache), (0..10).chain(20..30).collect());
    let stats = cache.stats().unwrap().engine;
    assert_eq!((stats.evictions, stats.expirations), (0, 10));
}

#[test]
fn a_cost_given_by_the_caller_is_what_counts() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_bytes", "100000"), ("policy", "fifo")]);
    for n in 0..20_u32 {
        let options = twat_cache::SetOptions { cost: 10_000, ..Default::default() };
        cache.set_with(&n.to_be_bytes(), b"x", &options).unwrap();
    }
    assert_eq!(held(&cache), (10..20).collect());
    assert_eq!(cache.stats().unwrap().engine.bytes, 100_000);
}

#[test]
fn overwriting_one_key_for_ever_leaves_no_trail() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    for n in 0..100_u32 {
        cache.set(&n.to_be_bytes(), &[1; 100], 3_600_000).unwrap();
    }
    let overwrite = || {
        for n in 0..10_000_u32 {
            cache.set(&(n % 7).to_be_bytes(), &[2; 100], 3_600_000 + u64::from(n)).unwrap();
        }
        file_size(dir.path())
    };
    let first = overwrite();
    let second = overwrite();
    assert!(second <= first + first / 4, "{first} bytes, then {second}");
}

#[test]
fn policies_that_would_write_on_reads_are_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    for policy in ["sieve", "s3fifo", "mru", "lifo", "tinylfu"] {
        let error = refused(dir.path(), &[("policy", policy)]);
        assert_eq!(error.code(), Code::Config);
        assert!(error.text().contains(policy) && error.text().contains("read"), "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn totals_that_are_lost_are_counted_anew_and_the_bounds_hold() {
    for damage in [|row: &[u8]| row[..20].to_vec(), |_: &[u8]| vec![0; 64], |_: &[u8]| Vec::new()] {
        let dir = tempfile::tempdir().unwrap();
        let options = [("max_entries", "200"), ("policy", "fifo")];
        {
            let cache = open(dir.path(), &options);
            let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
            cache.set_with(b"tagged", b"x", &tagged).unwrap();
            cache.invalidate_tag(b"tag").unwrap();
            (0..150_u32).for_each(|n| cache.set(&n.to_be_bytes(), b"x", TTL_NEVER).unwrap());
        }
        rewrite(dir.path(), b"totals", damage);
        let cache = open(dir.path(), &options);
        let stats = cache.stats().unwrap().engine;
        assert_eq!((stats.entries, stats.max_entries, stats.corrupt), (151, 200, 1));
        check_books(&cache);
        // No number comes back: neither a tag's version nor a place in the queue.
        cache
            .set_with(b"new", b"x", &SetOptions { tags: &[b"new"], ..Default::default() })
            .unwrap();
        assert_eq!(get(&cache, b"tagged"), None);
        assert_eq!((get(&cache, b"new").unwrap(), cache.expire().unwrap()), (b"x".to_vec(), 1));
        (150..400_u32).for_each(|n| cache.set(&n.to_be_bytes(), b"x", TTL_NEVER).unwrap());
        assert_eq!(cache.stats().unwrap().engine.entries, 200);
        assert!((200..400_u32).all(|n| get(&cache, &n.to_be_bytes()).is_some()), "fifo");
        check_books(&cache);
    }
}
