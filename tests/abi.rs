//! The contract of the C boundary, called as C calls it. `make miri` runs this
//! file under Miri: it touches no LMDB.
#![expect(unsafe_code, reason = "calls the C boundary as C does")]

use ::twat_cache::ffi::*;
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

fn last_error() -> String {
    // SAFETY: static to this thread, NUL-terminated.
    unsafe { CStr::from_ptr(twat_last_error()) }.to_str().unwrap().to_owned()
}

fn zeroed() -> twat_bytes {
    twat_bytes { data: null(), len: 0, owner: null_mut() }
}

fn p(bytes: &[u8]) -> *const c_void {
    bytes.as_ptr().cast()
}

/// An open memory cache with text options.
fn open(options: &[(&CStr, &CStr)]) -> *mut twat_cache {
    let (mut config, mut cache) = (null_mut(), null_mut());
    // SAFETY: live handles, NUL-terminated texts, writable outputs.
    unsafe {
        assert_eq!(twat_config_new(c"memory".as_ptr(), &mut config), TWAT_OK);
        for (key, value) in options {
            let status = twat_config_set(config, key.as_ptr(), value.as_ptr());
            assert_eq!(status, TWAT_OK, "{}", last_error());
        }
        assert_eq!(twat_cache_open(config, &mut cache), TWAT_OK, "{}", last_error());
        twat_config_free(config);
    }
    cache
}

fn set(cache: *mut twat_cache, key: &[u8], value: &[u8]) -> i32 {
    // SAFETY: a live cache, readable bytes.
    unsafe { twat_cache_set(cache, p(key), key.len(), p(value), value.len(), TWAT_TTL_DEFAULT) }
}

fn get(cache: *mut twat_cache, key: &[u8]) -> Option<Vec<u8>> {
    let mut out = zeroed();
    // SAFETY: a live cache, readable bytes, a writable output that is freed.
    unsafe {
        match twat_cache_get(cache, p(key), key.len(), &mut out) {
            TWAT_OK => {
                let bytes = std::slice::from_raw_parts(out.data.cast::<u8>(), out.len).to_vec();
                twat_bytes_free(&mut out);
                assert!(out.owner.is_null() && out.data.is_null() && out.len == 0);
                Some(bytes)
            }
            TWAT_MISS => None,
            other => panic!("{other}: {}", last_error()),
        }
    }
}

fn close(cache: *mut twat_cache) {
    // SAFETY: live, given back once.
    assert_eq!(unsafe { twat_cache_close(cache) }, TWAT_OK);
}

#[test]
fn an_empty_value_is_not_a_miss_and_its_data_is_not_null() {
    let cache = open(&[]);
    assert_eq!(get(cache, b""), None);
    assert_eq!(set(cache, b"", b""), TWAT_OK);
    let mut out = zeroed();
    // SAFETY: a live cache; NULL with 0 is empty.
    unsafe {
        assert_eq!(twat_cache_get(cache, null(), 0, &mut out), TWAT_OK);
        assert!(!out.data.is_null() && out.len == 0);
        twat_bytes_free(&mut out);
    }
    close(cache);
}

#[test]
fn values_outlive_replacement_deletion_and_the_cache() {
    let cache = open(&[]);
    let mut held = zeroed();
    set(cache, b"k", b"first");
    // SAFETY: a live cache until it is closed; the value is freed once.
    unsafe {
        assert_eq!(twat_cache_get(cache, p(b"k"), 1, &mut held), TWAT_OK);
        set(cache, b"k", b"other");
        assert_eq!(twat_cache_delete(cache, p(b"k"), 1), TWAT_OK);
        assert_eq!(twat_cache_clear(cache), TWAT_OK);
        close(cache);
        assert_eq!(std::slice::from_raw_parts(held.data.cast::<u8>(), held.len), b"first");
        let mut held = std::thread::spawn({
            struct Sent(twat_bytes);
            // SAFETY: a byte string may be freed from any thread.
            unsafe impl Send for Sent {}
            let sent = Sent(held);
            move || {
                let mut sent = sent;
                twat_bytes_free(&mut sent.0);
                sent
            }
        })
        .join()
        .unwrap()
        .0;
        twat_bytes_free(&mut held);
    }
}

#[test]
fn a_small_buffer_is_told_the_need_and_left_alone() {
    let cache = open(&[]);
    set(cache, b"k", b"value");
    let (mut buffer, mut len) = ([b'x'; 8], 99);
    // SAFETY: a live cache, a buffer of 8 bytes, a writable length.
    unsafe {
        let into = |capacity, len: &mut usize, buffer: &mut [u8; 8]| {
            twat_cache_get_into(cache, p(b"k"), 1, buffer.as_mut_ptr().cast(), capacity, len)
        };
        assert_eq!(into(4, &mut len, &mut buffer), TWAT_TRUNCATED);
        assert_eq!((len, &buffer), (5, b"xxxxxxxx"));
        assert_eq!(into(5, &mut len, &mut buffer), TWAT_OK);
        assert_eq!((len, &buffer), (5, b"valuexxx"));
        assert_eq!(twat_cache_get_into(cache, p(b"k"), 1, null_mut(), 0, &mut len), TWAT_TRUNCATED);
        len = 77;
        assert_eq!(twat_cache_get_into(cache, p(b"-"), 1, null_mut(), 0, &mut len), TWAT_MISS);
        assert_eq!(len, 77, "an output was written on a miss");
        let status = twat_cache_get_into(cache, p(b"k"), 1, null_mut(), 3, &mut len);
        assert_eq!((status, len), (TWAT_E_ARG, 77));
    }
    close(cache);
}

#[test]
fn null_and_absurd_lengths_are_arguments_not_crashes() {
    let cache = open(&[]);
    let mut out = zeroed();
    // SAFETY: what is NULL or too long is refused before it is read.
    unsafe {
        assert_eq!(twat_cache_set(null_mut(), p(b"k"), 1, null(), 0, 0), TWAT_E_ARG);
        assert!(last_error().starts_with("cache: expected a pointer"), "{}", last_error());
        assert_eq!(twat_cache_set(cache, null(), 3, null(), 0, 0), TWAT_E_ARG);
        assert_eq!(last_error(), "key: expected a pointer to 3 bytes, found: NULL");
        assert_eq!(twat_cache_set(cache, p(b"k"), 1, null(), 1, 0), TWAT_E_ARG);
        assert!(last_error().starts_with("value:"));
        let huge = isize::MAX as usize + 1;
        assert_eq!(twat_cache_get(cache, p(b"k"), huge, &mut out), TWAT_E_ARG);
        assert!(last_error().contains("PTRDIFF_MAX"));
        assert_eq!(twat_cache_get(cache, p(b"k"), 1, null_mut()), TWAT_E_ARG);
        assert_eq!(twat_cache_get_many(cache, null(), 2, &mut out), TWAT_E_ARG);
        assert_eq!(twat_cache_get_many(cache, null(), 0, null_mut()), TWAT_OK);
        assert_eq!(twat_cache_set_with(cache, p(b"k"), 1, p(b"v"), 1, null()), TWAT_OK);
        assert_eq!(twat_cache_open(null(), null_mut()), TWAT_E_ARG);
        assert_eq!(twat_config_new(null(), null_mut()), TWAT_E_ARG);
        assert_eq!(twat_config_set(null_mut(), null(), null()), TWAT_E_ARG);
        assert_eq!(twat_cache_stats(cache, null_mut()), TWAT_E_ARG);
        assert_eq!(twat_cache_scan(cache, null(), 0, null_mut()), TWAT_E_ARG);
        assert_eq!(twat_scan_next(null_mut(), &mut out), TWAT_E_ARG);
        assert_eq!(twat_policy_new(null(), null_mut()), TWAT_E_ARG);
        assert_eq!(twat_policy_needs(null_mut()), TWAT_E_ARG);
        assert_eq!(twat_has_engine(null()), TWAT_E_ARG);
        assert_eq!(twat_hash(null(), 1, null_mut()), TWAT_E_ARG);
        twat_bytes_free(null_mut());
        twat_bytes_free(&mut zeroed());
        twat_config_free(null_mut());
        twat_scan_free(null_mut());
        twat_policy_free(null_mut());
        assert_eq!(twat_cache_close(null_mut()), TWAT_OK);
    }
    close(cache);
}

#[test]
fn only_a_failure_writes_the_last_error_and_only_its_own_threads() {
    let cache = open(&[]);
    // SAFETY: live handles throughout.
    unsafe {
        assert_eq!(twat_cache_get(cache, null(), 1, &mut zeroed()), TWAT_E_ARG);
        let before = last_error();
        let pointer = twat_last_error();
        set(cache, b"a", b"1");
        get(cache, b"a");
        get(cache, b"missing");
        let other = open(&[]);
        close(other);
        std::thread::spawn(|| {
            assert_eq!(last_error(), "");
            twat_config_new(c"nothing".as_ptr(), &mut null_mut());
            assert!(last_error().contains("nothing"));
        })
        .join()
        .unwrap();
        assert_eq!((last_error(), twat_last_error()), (before, pointer));
    }
    close(cache);
}

#[test]
fn a_sized_struct_is_written_no_further_than_the_caller_has_it() {
    let cache = open(&[]);
    set(cache, b"k", b"v");
    get(cache, b"k");
    #[repr(C)]
    struct Larger {
        stats: twat_stats,
        beyond: u64,
    }
    let mut larger = Larger { stats: twat_stats::default(), beyond: 42 };
    // SAFETY: the struct is as large as it says.
    unsafe {
        assert_eq!(twat_cache_stats(cache, &mut larger.stats), TWAT_E_ARG);
        assert!(last_error().contains("struct_size of at least"), "{}", last_error());
        larger.stats.struct_size = size_of::<Larger>();
        assert_eq!(twat_cache_stats(cache, (&raw mut larger).cast()), TWAT_OK);
    }
    assert_eq!((larger.stats.hits, larger.stats.sets, larger.stats.entries), (1, 1, 1));
    assert_eq!((larger.beyond, larger.stats.struct_size), (42, size_of::<twat_stats>()));
    close(cache);
}

#[test]
fn the_option_table_lists_itself() {
    let mut row = twat_option {
        struct_size: size_of::<twat_option>(),
        name: null(),
        type_name: null(),
        default_value: null(),
        range: null(),
        engines: null(),
        doc: null(),
    };
    // SAFETY: a struct of our size; the texts are static and NUL-terminated.
    unsafe {
        let mut names = Vec::new();
        for index in 0..twat_option_count() {
            assert_eq!(twat_option_info(index, &mut row), TWAT_OK);
            names.push(CStr::from_ptr(row.name).to_str().unwrap());
            for text in [row.type_name, row.range, row.engines, row.doc] {
                assert!(!CStr::from_ptr(text).is_empty(), "{names:?}");
            }
        }
        assert!(names.contains(&"max_entries") && names.contains(&"tier_ttl_ms"));
        assert_eq!(twat_option_info(names.len(), &mut row), TWAT_E_ARG);
    }
}

#[test]
fn a_scan_outlives_its_cache_as_an_error() {
    let cache = open(&[]);
    for n in 0..10u8 {
        set(cache, &[b'k', n], b"");
    }
    let (mut scan, mut out, mut keys) = (null_mut(), zeroed(), Vec::new());
    // SAFETY: live handles; keys are freed.
    unsafe {
        assert_eq!(twat_cache_scan(cache, p(b"k"), 1, &mut scan), TWAT_OK);
        while twat_scan_next(scan, &mut out) == TWAT_OK {
            keys.push(std::slice::from_raw_parts(out.data.cast::<u8>(), out.len).to_vec());
            twat_bytes_free(&mut out);
        }
        twat_scan_free(scan);
        assert_eq!(twat_cache_scan(cache, null(), 0, &mut scan), TWAT_OK);
        close(cache);
        assert_eq!(twat_scan_next(scan, &mut out), TWAT_E_CLOSED);
        twat_scan_free(scan);
    }
    keys.sort();
    assert_eq!(keys, (0..10u8).map(|n| vec![b'k', n]).collect::<Vec<_>>());
}

#[test]
fn calls_over_many_keys_answer_in_their_order() {
    let cache = open(&[]);
    let slice = |bytes: &'static [u8]| twat_slice { data: p(bytes), len: bytes.len() };
    let keys = [slice(b"a"), slice(b"b"), slice(b"c")];
    let values = [slice(b"1"), slice(b"")];
    let mut out = [zeroed(), zeroed(), zeroed()];
    // SAFETY: live handles and readable slices; the values are freed.
    unsafe {
        assert_eq!(twat_cache_set_many(cache, keys.as_ptr(), values.as_ptr(), 2, null()), TWAT_OK);
        assert_eq!(twat_cache_get_many(cache, keys.as_ptr(), 3, out.as_mut_ptr()), TWAT_OK);
        assert_eq!((out[0].len, out[1].len), (1, 0));
        assert!(!out[1].data.is_null() && out[2].data.is_null());
        out.iter_mut().for_each(|value| twat_bytes_free(value));
        let mut n = 0;
        assert_eq!(twat_cache_delete_many(cache, keys.as_ptr(), 3, &mut n), TWAT_OK);
        assert_eq!(n, 2);
        assert_eq!(twat_cache_delete_prefix(cache, null(), 0, null_mut()), TWAT_OK);
    }
    close(cache);
}

#[test]
fn an_exact_lru_of_two_entries() {
    let cache = open(&[(c"max_entries", c"2")]);
    for key in [b"a", b"b"] {
        set(cache, key, b"v");
    }
    get(cache, b"a");
    set(cache, b"c", b"v");
    assert_eq!(get(cache, b"b"), None);
    assert!(get(cache, b"a").is_some() && get(cache, b"c").is_some());
    close(cache);
}

#[test]
fn a_policy_says_who_leaves_and_ignores_stale_slots() {
    let (mut config, mut policy) = (null_mut(), null_mut());
    // SAFETY: live handles, outputs with room for what is asked.
    unsafe {
        assert_eq!(twat_config_new(c"auto".as_ptr(), &mut config), TWAT_OK);
        assert_eq!(twat_config_set_u64(config, c"max_bytes".as_ptr(), 100_000), TWAT_OK);
        assert_eq!(twat_policy_new(config, &mut policy), TWAT_OK, "{}", last_error());
        assert_eq!(twat_policy_needs(policy), TWAT_POLICY_NEEDS_LOG);
        let (mut victims, mut n) = ([0u64; 2], 0);
        let mut add = |cost, hits: &[u64], capacity| {
            let mut slot = 0;
            let status = twat_policy_insert(
                policy,
                hits.as_ptr(),
                hits.len(),
                cost,
                cost,
                &mut slot,
                victims.as_mut_ptr(),
                capacity,
                &mut n,
            );
            (status, slot, victims[..n].to_vec())
        };
        let (a, b, c) = (add(30_000, &[], 2).1, add(30_001, &[], 2).1, add(30_002, &[], 2).1);
        assert!(a != 0 && b != 0 && c != 0 && a != b && b != c);
        // `a` was hit, so `b` and `c` leave for a large one: two victims, room for one.
        let (status, d, first) = add(70_000, &[a, a], 1);
        assert_eq!((status, first), (TWAT_TRUNCATED, vec![b]));
        let (mut rest, mut n) = ([0u64; 2], 0);
        assert_eq!(twat_policy_evicted(policy, rest.as_mut_ptr(), 2, &mut n), TWAT_OK);
        assert_eq!((n, rest[0]), (1, c));
        assert_eq!(twat_policy_remove(policy, b), TWAT_MISS);
        assert_eq!(twat_policy_hits(policy, [b, c, 0, u64::MAX].as_ptr(), 4), TWAT_OK);
        assert_eq!(twat_policy_remove(policy, d), TWAT_OK);
        let add = |cost| {
            let (mut slot, mut n) = (9, 9);
            let none = null_mut();
            let status = twat_policy_insert(policy, null(), 0, 1, cost, &mut slot, none, 0, &mut n);
            (status, slot, n)
        };
        assert_eq!(add(100_001), (TWAT_MISS, 0, 0), "what can never fit is not admitted");
        let mut stats = twat_stats { struct_size: size_of::<twat_stats>(), ..Default::default() };
        assert_eq!(twat_policy_stats(policy, &mut stats), TWAT_OK);
        assert_eq!((stats.entries, stats.bytes, stats.evictions), (1, 30_000, 2));
        assert_eq!(twat_policy_clear(policy), TWAT_OK);
        assert_eq!(twat_policy_remove(policy, a), TWAT_MISS);
        twat_policy_free(policy);
        twat_config_free(config);
    }
}

#[test]
fn digests_are_blake3() {
    let mut digest = [0u8; TWAT_DIGEST_BYTES];
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    // SAFETY: readable bytes and room for 32.
    unsafe {
        assert_eq!(twat_hash(null(), 0, digest.as_mut_ptr().cast()), TWAT_OK);
        // The published vector for the empty input.
        let published = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(hex(&digest), published);
        let secret = [7u8; 32];
        let part = |bytes: &'static [u8]| twat_slice { data: p(bytes), len: bytes.len() };
        let mac = |parts: &[twat_slice]| {
            let mut out = [0u8; TWAT_DIGEST_BYTES];
            let to = out.as_mut_ptr().cast();
            assert_eq!(twat_mac(p(&secret), 32, parts.as_ptr(), parts.len(), to), TWAT_OK);
            out
        };
        let (ab_c, a_bc) = (mac(&[part(b"ab"), part(b"c")]), mac(&[part(b"a"), part(b"bc")]));
        assert_ne!(ab_c, a_bc, "where the parts meet is signed too");
        let short = twat_mac(p(&secret), 31, null(), 0, digest.as_mut_ptr().cast());
        assert_eq!(short, TWAT_E_ARG);
        assert_eq!(last_error(), "secret: expected 32 bytes, found: 31");
    }
}

#[test]
fn statuses_have_names_and_the_version_is_cargos() {
    let name = |status| {
        // SAFETY: static and NUL-terminated.
        unsafe { CStr::from_ptr(twat_status_name(status)) }.to_str().unwrap()
    };
    assert_eq!((name(0), name(1), name(-99)), ("TWAT_OK", "TWAT_MISS", "TWAT_E_PANIC"));
    assert_eq!((name(-2), name(-12)), ("TWAT_E_CONFIG", "TWAT_E_VERSION"));
    assert_eq!((name(-50), name(50)), ("TWAT_E_UNKNOWN", "TWAT_E_UNKNOWN"));
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(twat_version_string()) }.to_str().unwrap();
    assert_eq!(text, env!("CARGO_PKG_VERSION"));
    let parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    assert_eq!(twat_version_number(), parts[0] * 1_000_000 + parts[1] * 1000 + parts[2]);
}
