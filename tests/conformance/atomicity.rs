//! Threads.

use super::subject::Subject;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use twat_cache::TTL_DEFAULT;
use twat_cache::engine::Stored;

const THREADS: u64 = 8;

/// A value that tells its key, its writer, and whether it is whole.
fn value_of(key: u64, n: u64) -> Vec<u8> {
    let words = 2 + (n % 40) as usize;
    let mut words = vec![n; words];
    words[0] = key;
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn is_of(key: u64, value: &[u8]) -> bool {
    let words: Vec<u64> =
        value.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    words[0] == key && words[1..].iter().all(|word| *word == words[1]) && {
        words.len() == 2 + (words[1] % 40) as usize
    }
}

pub fn threads_never_see_a_value_of_another_key_or_a_torn_one(subject: &Subject) {
    let cache = subject.open();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let cache = &cache;
            scope.spawn(move || {
                let mut random = thread + 1;
                for n in 0..1500_u64 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let key = random % 64;
                    let bytes = key.to_le_bytes();
                    match random >> 32 & 7 {
                        0..=2 => cache.set(&bytes, &value_of(key, n), TTL_DEFAULT).unwrap(),
                        3 => drop(cache.delete(&bytes).unwrap()),
                        _ => {
                            if let Some(value) = cache.get(&bytes).unwrap() {
                                assert!(is_of(key, &value), "key {key}: {value:?}");
                            }
                        }
                    }
                }
            });
        }
    });
    let stats = cache.stats().unwrap();
    assert_eq!(stats.errors, 0);
    assert!(stats.engine.entries <= 64);
}

pub fn one_of_many_threads_adds(subject: &Subject) {
    let cache = subject.open();
    let (barrier, winners) = (Barrier::new(THREADS as usize), AtomicU64::new(0));
    const ROUNDS: u64 = 50;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (cache, barrier, winners) = (&cache, &barrier, &winners);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    barrier.wait();
                    let mine = value_of(thread, round);
                    let stored = cache.add(&round.to_le_bytes(), &mine, TTL_DEFAULT).unwrap();
                    if stored == Stored::Stored {
                        winners.fetch_add(1, Ordering::Relaxed);
                        let found = cache.get(&round.to_le_bytes()).unwrap().unwrap();
                        assert_eq!(found[..], mine[..], "the winner's value stays");
                    }
                }
            });
        }
    });
    assert_eq!(winners.into_inner(), ROUNDS);
}

pub fn threads_lose_no_increment(subject: &Subject) {
    let cache = subject.open();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..100 {
                    cache.incr(b"n", 3, 0, TTL_DEFAULT).unwrap();
                }
            });
        }
    });
    assert_eq!(cache.incr(b"n", 0, 0, TTL_DEFAULT).unwrap(), 300 * THREADS as i64);
}
