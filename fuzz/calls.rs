//! A random sequence of C calls on one cache and one policy, with keys,
//! values, lengths, flags and handles of every kind, NULL among them. Every
//! status is a known one, outputs are written only on success, and what is
//! read back is what a plain map says.

use ::twat_cache::ffi::*;
use std::collections::HashMap;
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

/// Bytes taken from the front; zeros when there are no more.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) =
            self.0.split_first().map_or((0, &[][..]), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    fn bytes(&mut self, most: u8) -> &'a [u8] {
        let n = usize::from(self.byte() % (most + 1)).min(self.0.len());
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken
    }

    /// A pointer and a length, now and then a wrong pair.
    fn slice(&mut self, bytes: &'a [u8]) -> (*const c_void, usize, bool) {
        match self.byte() {
            0..=3 => (null(), bytes.len(), bytes.is_empty()),
            4..=5 => (bytes.as_ptr().cast(), usize::MAX - bytes.len(), false),
            _ => (bytes.as_ptr().cast(), bytes.len(), true),
        }
    }
}

fn checked(status: i32) -> i32 {
    assert!((0..=3).contains(&status) || (-12..0).contains(&status), "status {status}");
    if status < 0 {
        // SAFETY: never NULL, and NUL-terminated.
        let text = unsafe { CStr::from_ptr(twat_last_error()) };
        assert!(text.to_str().is_ok_and(|text| !text.is_empty() && text.len() < 512));
    }
    status
}

/// Opens a cache of a kind that the input chooses. NULL if it is refused.
fn open(input: &mut Input<'_>) -> (*mut twat_cache, bool) {
    let how = input.byte();
    let policies =
        [c"lru", c"mru", c"fifo", c"lifo", c"lfu", c"rr", c"sieve", c"s3fifo", c"none", c"tinylfu"];
    let engine = if how == 255 { c"null" } else { c"memory" };
    let bounded = matches!(how % 3, 1 | 2);
    let (mut config, mut cache) = (null_mut(), null_mut());
    // SAFETY: the texts are NUL-terminated, the handles live and freed once.
    unsafe {
        assert_eq!(checked(twat_config_new(engine.as_ptr(), &mut config)), TWAT_OK);
        let policy = policies[usize::from(input.byte()) % policies.len()];
        checked(twat_config_set(config, c"policy".as_ptr(), policy.as_ptr()));
        match how % 3 {
            1 => {
                checked(twat_config_set_u64(
                    config,
                    c"max_entries".as_ptr(),
                    u64::from(input.byte()),
                ));
            }
            2 => {
                checked(twat_config_set_u64(config, c"max_bytes".as_ptr(), 65536));
            }
            _ => {}
        }
        checked(twat_cache_open(config, &mut cache));
        twat_config_free(config);
    }
    (cache, bounded || how == 255)
}

/// One input: how to open, then calls until it is used up.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let (cache, forgets) = open(&mut input);
    // What must be there, where nothing is evicted: absent keys are unknown.
    let mut model: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    while !input.0.is_empty() {
        call(cache, &mut input, &mut model, forgets);
    }
    // SAFETY: live or NULL, and closed once.
    assert_eq!(unsafe { twat_cache_close(cache) }, TWAT_OK);
    policy(data);
}

fn call(
    cache: *mut twat_cache,
    input: &mut Input<'_>,
    model: &mut HashMap<Vec<u8>, Vec<u8>>,
    forgets: bool,
) {
    let what = input.byte();
    let key = input.bytes(12);
    let (k, n, sound) = input.slice(key);
    let sound = sound && !cache.is_null();
    // SAFETY: where a pointer and its length do not fit the call must refuse
    // them unread; everything else is live for the call.
    unsafe {
        match what % 12 {
            0..=2 => {
                let value = input.bytes(200);
                let (v, len, fits) = input.slice(value);
                let status = checked(twat_cache_set(cache, k, n, v, len, TWAT_TTL_DEFAULT));
                assert!(sound && fits || status < 0);
                if status == TWAT_OK {
                    model.insert(key.to_vec(), value.to_vec());
                }
            }
            3..=5 => get(cache, (k, n), key, model, forgets),
            6 => {
                let value = input.bytes(200);
                let status = checked(twat_cache_add(
                    cache,
                    k,
                    n,
                    value.as_ptr().cast(),
                    value.len(),
                    TWAT_TTL_NEVER,
                ));
                if status == TWAT_OK {
                    model.insert(key.to_vec(), value.to_vec());
                }
            }
            7 => {
                if checked(twat_cache_delete(cache, k, n)) >= 0 {
                    model.remove(key);
                }
            }
            8 => {
                let ttl = if what > 200 { u64::MAX } else { 1 << 40 };
                checked(twat_cache_touch(cache, k, n, ttl));
                checked(twat_cache_contains(cache, k, n));
            }
            9 => {
                let mut sum = 0;
                let status = checked(twat_cache_incr(
                    cache,
                    k,
                    n,
                    i64::from(input.byte()) << 55,
                    1,
                    0,
                    &mut sum,
                ));
                if status == TWAT_OK {
                    let mut counter = vec![4];
                    counter.extend_from_slice(&sum.to_le_bytes());
                    model.insert(key.to_vec(), counter);
                }
            }
            10 => scan(cache, (k, n), key),
            _ => rarely(cache, input, model),
        }
    }
}

/// # Safety
/// `cache` is NULL or live; the key's pointer and length fit or are refused.
unsafe fn get(
    cache: *mut twat_cache,
    (k, n): (*const c_void, usize),
    key: &[u8],
    model: &HashMap<Vec<u8>, Vec<u8>>,
    forgets: bool,
) {
    let mut value = twat_bytes { data: null(), len: 0, owner: null_mut() };
    let mut buffer = [0u8; 64];
    let mut len = usize::MAX;
    // SAFETY: as this function's own contract says.
    unsafe {
        let status = checked(twat_cache_get(cache, k, n, &mut value));
        let into = checked(twat_cache_get_into(
            cache,
            k,
            n,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &mut len,
        ));
        if status != TWAT_OK {
            assert!(value.data.is_null() && len == usize::MAX);
            assert!(status < 0 || forgets || !model.contains_key(key), "lost {key:?}");
            return;
        }
        let found = std::slice::from_raw_parts(value.data.cast::<u8>(), value.len);
        assert_eq!(Some(found), model.get(key).map(Vec::as_slice), "wrong value for {key:?}");
        if into >= 0 && into != TWAT_MISS {
            assert_eq!((len, into == TWAT_OK), (found.len(), found.len() <= buffer.len()));
            assert!(into != TWAT_OK || &buffer[..len] == found);
        }
        twat_bytes_free(&mut value);
        twat_bytes_free(&mut value);
    }
}

/// # Safety
/// As [`get`].
unsafe fn scan(cache: *mut twat_cache, (k, n): (*const c_void, usize), prefix: &[u8]) {
    let mut walk = null_mut();
    let mut key = twat_bytes { data: null(), len: 0, owner: null_mut() };
    // SAFETY: as this function's own contract says.
    unsafe {
        if checked(twat_cache_scan(cache, k, n, &mut walk)) == TWAT_OK {
            while checked(twat_scan_next(walk, &mut key)) == TWAT_OK {
                let found = std::slice::from_raw_parts(key.data.cast::<u8>(), key.len);
                assert!(found.starts_with(prefix));
                twat_bytes_free(&mut key);
            }
        }
        twat_scan_free(walk);
    }
}

/// # Safety
/// `cache` is NULL or live.
unsafe fn rarely(
    cache: *mut twat_cache,
    input: &mut Input<'_>,
    model: &mut HashMap<Vec<u8>, Vec<u8>>,
) {
    let mut stats = twat_stats { struct_size: size_of::<twat_stats>(), ..twat_stats::default() };
    let mut json = twat_bytes { data: null(), len: 0, owner: null_mut() };
    let mut n = 0;
    let tag = input.bytes(3);
    let tags = [twat_slice { data: tag.as_ptr().cast(), len: tag.len() }];
    // SAFETY: as this function's own contract says; the outputs are ours.
    unsafe {
        match input.byte() % 7 {
            0 => {
                if checked(twat_cache_clear(cache)) == TWAT_OK {
                    model.clear();
                }
            }
            1 => {
                checked(twat_cache_stats(cache, &mut stats));
            }
            2 => {
                checked(twat_cache_info(cache, &mut json));
                twat_bytes_free(&mut json);
            }
            3 => {
                checked(twat_cache_check(cache, 1, &mut json));
                twat_bytes_free(&mut json);
            }
            4 => {
                let options = twat_set_options {
                    struct_size: usize::from(input.byte()),
                    ttl_ms: 0,
                    cost: u64::from(input.byte()) << 10,
                    flags: u64::from(input.byte() & 3),
                    tags: tags.as_ptr(),
                    n_tags: 1,
                };
                if checked(twat_cache_set_with(
                    cache,
                    tag.as_ptr().cast(),
                    tag.len(),
                    null(),
                    0,
                    &options,
                )) == TWAT_OK
                {
                    model.insert(tag.to_vec(), Vec::new());
                }
            }
            5 => {
                let prefix =
                    twat_cache_delete_prefix(cache, tag.as_ptr().cast(), tag.len(), &mut n);
                if checked(prefix) == TWAT_OK {
                    model.retain(|key, _| !key.starts_with(tag));
                }
            }
            _ => {
                // Whatever carried the tag is gone, and the model cannot tell.
                checked(twat_cache_invalidate_tag(cache, tag.as_ptr().cast(), tag.len()));
                checked(twat_cache_expire(cache, &mut n));
                checked(twat_cache_clear(cache));
                model.clear();
            }
        }
    }
}

/// The policy for hosts: slots that never were, hits beyond reason.
fn policy(data: &[u8]) {
    let mut input = Input(data);
    let names = [c"lru", c"mru", c"fifo", c"lifo", c"lfu", c"rr", c"sieve", c"s3fifo", c"none"];
    let (mut config, mut policy) = (null_mut(), null_mut());
    let most = u64::from(input.byte() % 16);
    let mut live = std::collections::HashSet::new();
    let mut slots = vec![0u64, u64::MAX];
    // SAFETY: handles are live and freed once; arrays are as long as is said.
    unsafe {
        checked(twat_config_new(c"memory".as_ptr(), &mut config));
        let name = names[usize::from(input.byte()) % names.len()];
        checked(twat_config_set(config, c"policy".as_ptr(), name.as_ptr()));
        checked(twat_config_set_u64(config, c"max_entries".as_ptr(), most));
        checked(twat_config_set_u64(config, c"max_bytes".as_ptr(), 65536));
        assert_eq!(checked(twat_policy_new(config, &mut policy)), TWAT_OK);
        twat_config_free(config);
        while !input.0.is_empty() {
            let pick = slots[usize::from(input.byte()) % slots.len()];
            let (mut slot, mut victims, mut n) = (0, [0u64; 3], 0);
            match input.byte() % 5 {
                0 => {
                    let there = checked(twat_policy_remove(policy, pick)) == TWAT_OK;
                    assert_eq!(there, live.remove(&pick));
                }
                1 => {
                    checked(twat_policy_hits(policy, slots.as_ptr(), slots.len()));
                }
                _ => {
                    let (print, cost) = (u64::from(input.byte()), u64::from(input.byte()) << 7);
                    let mut status = checked(twat_policy_insert(
                        policy,
                        &pick,
                        1,
                        print,
                        cost,
                        &mut slot,
                        victims.as_mut_ptr(),
                        3,
                        &mut n,
                    ));
                    assert_eq!(status == TWAT_MISS, slot == 0);
                    loop {
                        assert!(
                            victims[..n].iter().all(|victim| live.remove(victim)),
                            "a victim that was not there"
                        );
                        if status != TWAT_TRUNCATED {
                            break;
                        }
                        status =
                            checked(twat_policy_evicted(policy, victims.as_mut_ptr(), 3, &mut n));
                    }
                    if slot != 0 {
                        assert!(live.insert(slot), "a slot given twice");
                        slots.push(slot);
                    }
                    assert!(most == 0 || live.len() as u64 <= most);
                }
            }
        }
        let mut stats =
            twat_stats { struct_size: size_of::<twat_stats>(), ..twat_stats::default() };
        checked(twat_policy_stats(policy, &mut stats));
        assert_eq!(stats.entries, live.len() as u64);
        twat_policy_free(policy);
    }
}
