//! What only this engine promises: exact order, bounds over all shards.

use super::*;
use crate::base::error::Code;
use std::sync::atomic::Ordering;

fn memory(options: &[(&str, &str)]) -> Memory {
    let mut config = Config::new("memory").expect("an engine");
    for (name, value) in options {
        config.set(name, value).expect("an option");
    }
    Memory::new(&config).expect("options that fit")
}

fn set(cache: &Memory, key: &[u8], len: usize) -> Result<Stored> {
    cache.put(key, &vec![7; len], &Put::default())
}

fn has(cache: &Memory, key: &[u8]) -> bool {
    cache.contains(key).expect("no failure")
}

#[test]
fn an_lru_of_two_evicts_the_one_that_was_not_hit() {
    let cache = memory(&[("max_entries", "2")]);
    set(&cache, b"a", 1).unwrap();
    set(&cache, b"b", 1).unwrap();
    assert!(cache.get(b"a").unwrap().is_some());
    set(&cache, b"c", 1).unwrap();
    assert!(has(&cache, b"a") && !has(&cache, b"b") && has(&cache, b"c"));
    assert_eq!(cache.stats().unwrap().evictions, 1);
}

/// Which of the first entries are evicted when `new` more are set, and how many shards
/// there are.
fn evicted_of(entries: u32, new: u32, options: &[(&str, &str)]) -> (Vec<u32>, u64) {
    let bound = entries.to_string();
    let cache = memory(&[&[("max_entries", &*bound)], options].concat());
    let add = |n: u32| assert_eq!(set(&cache, &n.to_le_bytes(), 8), Ok(Stored::Stored));
    (0..entries).for_each(add);
    // The older half is hit, and so becomes the newer one.
    (0..entries / 2).for_each(|n| assert!(cache.get(&n.to_le_bytes()).unwrap().is_some()));
    (entries..entries + new).for_each(add);
    let evicted = (0..entries).filter(|n| !has(&cache, &n.to_le_bytes())).collect();
    (evicted, cache.info()["shards"].as_u64().unwrap())
}

/// README.md, below the table of policies.
#[test]
fn lru_is_exact_up_to_4096_entries_and_with_one_shard_and_within_each_shard_beyond() {
    let (small, large) = if cfg!(miri) { (64, 128) } else { (4096, 20_000) };
    assert_eq!(evicted_of(small, 100, &[]).0, (small / 2..small / 2 + 100).collect::<Vec<_>>());
    let (evicted, shards) = evicted_of(large, 1000.min(large / 4), &[("shards", "1")]);
    let exact = large / 2..large / 2 + 1000.min(large / 4);
    assert_eq!((evicted, shards), (exact.collect(), 1));
    if cfg!(miri) {
        return;
    }
    let (evicted, shards) = evicted_of(large, 1000, &[]);
    assert!(shards > 1);
    assert_eq!(evicted.len(), 1000, "the bound holds over all shards");
    // Not the oldest 1,000 of all, but none of those that were hit.
    assert!(evicted.iter().all(|n| (large / 2..large * 3 / 4).contains(n)), "{evicted:?}");
}

#[test]
fn nothing_leaves_before_the_bound_is_reached_however_many_shards() {
    let cache = memory(&[("max_entries", "1000"), ("shards", "64")]);
    for n in 0..1000_u32 {
        set(&cache, &n.to_le_bytes(), 8).unwrap();
    }
    assert_eq!(cache.stats().unwrap().evictions, 0);
    for n in 1000..5000_u32 {
        set(&cache, &n.to_le_bytes(), 8).unwrap();
        assert_eq!(cache.stats().unwrap().entries, 1000);
    }
}

#[test]
fn a_value_of_the_whole_bound_drives_out_the_other_shards() {
    let cache = memory(&[("max_bytes", "1000000"), ("shards", "16")]);
    for n in 0..2000_u32 {
        set(&cache, &n.to_le_bytes(), 1000).unwrap();
    }
    set(&cache, b"big", 999_900).unwrap();
    let stats = cache.stats().unwrap();
    assert!(has(&cache, b"big"));
    assert_eq!((stats.entries, stats.bytes), (1, 999_983));
    let refused = set(&cache, b"big", 999_918).unwrap_err();
    assert_eq!(refused.code(), Code::TooLarge);
    assert_eq!(cache.get(b"big").unwrap().unwrap().len(), 999_900);
}

#[test]
fn a_value_that_grows_in_place_never_exceeds_the_bound_under_any_policy() {
    for policy in ["lru", "mru", "fifo", "lifo", "lfu", "rr", "sieve", "s3fifo"] {
        for shards in ["1", "4"] {
            let options = [("max_bytes", "65536"), ("policy", policy), ("shards", shards)];
            let cache = memory(&options);
            // (Miri would take hours.)
            for step in 0..if cfg!(miri) { 100 } else { 20_000_u32 } {
                let key = (step.wrapping_mul(2_654_435_761) >> 20) % 64;
                let len = (step.wrapping_mul(40_503) >> 3) % 30_000;
                set(&cache, &key.to_le_bytes(), len as usize).unwrap();
                assert!(has(&cache, &key.to_le_bytes()), "{policy}: its own victim");
                assert!(cache.stats().unwrap().bytes <= 65_536, "{policy}");
            }
        }
    }
}

#[test]
fn none_refuses_what_is_new_when_full_and_keeps_what_is_there() {
    let cache = memory(&[("max_entries", "2"), ("policy", "none")]);
    set(&cache, b"a", 1).unwrap();
    set(&cache, b"b", 1).unwrap();
    assert_eq!(set(&cache, b"c", 1).unwrap_err().code(), Code::Full);
    set(&cache, b"a", 5).unwrap();
    assert!(cache.delete(b"b").unwrap());
    set(&cache, b"c", 1).unwrap();
    assert!(has(&cache, b"a") && has(&cache, b"c"));
}

#[test]
fn a_given_cost_is_what_counts_against_the_bound() {
    let cache = memory(&[("max_bytes", "100000")]);
    for n in 0..10_u32 {
        let put = Put { cost: 30_000, ..Put::default() };
        cache.put(&n.to_le_bytes(), b"x", &put).unwrap();
    }
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.bytes, stats.evictions), (3, 90_000, 7));
}

#[test]
fn room_that_another_thread_reserves_in_vain_does_not_make_a_cache_full() {
    let options =
        [("policy", "none"), ("max_entries", "2"), ("max_bytes", "100000"), ("shards", "16")];
    let cache = memory(&options);
    set(&cache, b"big", 80_000).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each reserves the last place before it finds no bytes, and gives it back.
            for n in 0_u64.. {
                let refused = set(&cache, &n.to_le_bytes(), 50_000).unwrap_err();
                assert_eq!(refused.code(), Code::Full);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let all = (0..if cfg!(miri) { 20 } else { 20_000_u32 }).try_for_each(|n| {
            set(&cache, &n.to_le_bytes(), 8)?;
            assert!(cache.delete(&n.to_le_bytes())?);
            Ok::<_, Error>(())
        });
        stop.store(true, Ordering::Relaxed);
        assert_eq!(all, Ok(()));
    });
}

#[test]
fn one_of_low_priority_finds_room_among_threads_that_take_it() {
    let cache = memory(&[("max_entries", "1"), ("shards", "256")]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (cache, stop) = (&cache, &stop);
            scope.spawn(move || {
                let mut n = thread << 32;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    set(cache, &n.to_le_bytes(), 8).unwrap();
                }
            });
        }
        let low = scope.spawn(|| {
            // Linux keeps this for each thread.
            #[cfg(all(target_os = "linux", not(miri)))]
            let _ = rustix::process::nice(19);
            (0..if cfg!(miri) { 5 } else { 100_u32 })
                .try_for_each(|n| set(&cache, &n.to_le_bytes(), 8).map(drop))
        });
        let all = low.join();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(all.expect("no panic"), Ok(()));
    });
    assert!(cache.stats().unwrap().entries <= 1);
}

#[test]
#[cfg_attr(miri, ignore = "too large")]
fn a_sweep_of_a_large_shard_does_not_keep_others_waiting() {
    let cache = memory(&[("shards", "1")]);
    let put = Put { tags: &[b"tag"], ..Put::default() };
    for n in 0..100_000_u32 {
        cache.put(&n.to_le_bytes(), b"dead", &put).unwrap();
    }
    set(&cache, b"stays", 8).unwrap();
    assert!(cache.invalidate_tag(b"tag").unwrap());
    assert_eq!(cache.count().unwrap(), 1);
    let ended = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !ended.load(Ordering::Acquire) {
                seen.insert(cache.stats().unwrap().entries);
            }
            seen
        });
        let removed = cache.expire();
        ended.store(true, Ordering::Release);
        assert_eq!(removed, Ok(100_000));
        reader.join().expect("no panic")
    });
    let amid = seen.iter().filter(|entries| (2..100_001).contains(*entries)).count();
    assert!(amid > 2, "others had the lock {amid} times amid a sweep of 200 steps");
}

#[test]
fn a_batch_of_a_scan_holds_no_more_long_keys_than_it_must() {
    let cache = memory(&[("shards", "1")]);
    for n in 0..20_u32 {
        let key = [&n.to_le_bytes()[..], &[7; 100_000]].concat();
        set(&cache, &key, 1).unwrap();
    }
    let (mut state, mut keys, mut seen) = (ScanState::default(), Vec::new(), 0);
    while !state.done {
        cache.scan(b"", &mut state, &mut keys).unwrap();
        assert!(keys.len() <= 3, "{} keys of 100 KB at once", keys.len());
        seen += keys.drain(..).len();
    }
    assert_eq!(seen, 20);
}

#[test]
fn many_threads_over_a_small_byte_bound_neither_hang_nor_exceed_it() {
    let cache = memory(&[("max_bytes", "65536"), ("shards", "8")]);
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let cache = &cache;
            scope.spawn(move || {
                for n in 0..2000_u32 {
                    let key = (thread * 31 + n) % 40;
                    set(cache, &key.to_le_bytes(), (n as usize * 97) % 60_000).unwrap();
                }
            });
        }
    });
    assert!(cache.stats().unwrap().bytes <= 65_536);
}

#[test]
fn the_order_is_exact_however_many_hits_lie_between_two_sets() {
    let cache = memory(&[("max_entries", "50")]);
    let mut order: Vec<u32> = Vec::new();
    let mut random = 1_u64;
    let mut below = |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % n
    };
    for _ in 0..2000 {
        for _ in 0..below(200) {
            let key = below(80) as u32;
            let place = order.iter().position(|other| *other == key);
            assert_eq!(cache.get(&key.to_le_bytes()).unwrap().is_some(), place.is_some());
            if let Some(place) = place {
                order.remove(place);
                order.push(key);
            }
        }
        let key = below(80) as u32;
        order.retain(|other| *other != key);
        if below(4) == 0 {
            cache.delete(&key.to_le_bytes()).unwrap();
        } else {
            set(&cache, &key.to_le_bytes(), 10).unwrap();
            order.push(key);
        }
        if order.len() > 50 {
            order.remove(0);
        }
    }
}

#[test]
fn nobody_waits_for_a_large_value_that_is_read_out() {
    let mut config = Config::new("memory").unwrap();
    config.set("shards", "1").unwrap();
    let cache = Memory::new(&config).unwrap();
    cache.put(b"large", &vec![7; READ_UNDER_LOCK + 1], &Put::default()).unwrap();
    cache.put(b"small", b"value", &Put::default()).unwrap();
    let mut seen = 0;
    let there = cache.read(b"large", &mut |value| {
        seen = value.len();
        assert!(cache.shards.iter().all(|shard| shard.calm::<false>().is_some()));
    });
    assert!(there.unwrap());
    assert_eq!(seen, READ_UNDER_LOCK + 1);
    assert!(cache.read(b"small", &mut |value| assert_eq!(value, b"value")).unwrap());
    assert!(!cache.read(b"none", &mut |_| unreachable!()).unwrap());
}

const POLICIES: [&str; 9] = ["lru", "mru", "fifo", "lifo", "lfu", "rr", "sieve", "s3fifo", "none"];

#[test]
fn extreme_bounds_costs_and_times_neither_panic_nor_lose_an_entry() {
    let extremes = [1_u64 << 31, 1 << 32, 1 << 53, i64::MAX as u64, u64::MAX - 1, u64::MAX];
    for policy in POLICIES.into_iter().chain(["tinylfu"]) {
        for (bound, shards) in
            extremes.into_iter().flat_map(|bound| [(bound, "0"), (bound, "1"), (bound, "1024")])
        {
            for option in ["max_entries", "max_bytes"] {
                let mut config = Config::new("memory").unwrap();
                let bound = bound.to_string();
                for (name, value) in [("policy", policy), (option, &*bound), ("shards", shards)] {
                    config.set(name, value).unwrap();
                }
                let cache = open(&config).unwrap();
                for n in 0..4_u32 {
                    let ttl = NonZeroU64::new(u64::MAX - u64::from(n));
                    cache.put(&n.to_le_bytes(), b"v", &Put { ttl, ..Put::default() }).unwrap();
                    assert!(cache.touch(&n.to_le_bytes(), ttl).unwrap());
                }
                assert_eq!(cache.count().unwrap(), 4, "{policy} {option} {bound}");
                assert!(cache.entry(&0_u32.to_le_bytes()).unwrap().is_some());
                assert_eq!(cache.expire().unwrap(), 0);
            }
            if policy == "tinylfu" {
                break;
            }
        }
        // Costs whose sum is beyond 64 bits.
        let cache = memory(&[("policy", if policy == "tinylfu" { "lru" } else { policy })]);
        for n in 0..6_u32 {
            let put = Put { cost: u64::MAX - u64::from(n), ..Put::default() };
            cache.put(&(n % 3).to_le_bytes(), b"v", &put).unwrap();
        }
        assert_eq!(cache.count().unwrap(), 3);
        assert!(cache.delete(&0_u32.to_le_bytes()).unwrap());
        cache.clear().unwrap();
        assert_eq!(cache.stats().unwrap().bytes, 0);
    }
}

#[test]
fn costs_up_to_the_whole_of_64_bits_keep_within_the_bound() {
    for policy in POLICIES {
        let most = u64::MAX.to_string();
        let cache = memory(&[("max_bytes", &most), ("policy", policy), ("shards", "2")]);
        for n in 0..50_u32 {
            let cost = [1, u64::MAX / 2, u64::MAX, u64::MAX / 3][n as usize % 4];
            let put = Put { cost, ..Put::default() };
            let stored = cache.put(&(n % 7).to_le_bytes(), b"v", &put);
            let refused = stored.err().map(|error| error.code());
            assert!(refused.is_none_or(|code| policy == "none" && code == Code::Full), "{policy}");
        }
    }
}
