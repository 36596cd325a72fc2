//! The traps of LMDB (docs/disk.md numbers them), one test each where it is
//! not in `hazards.rs`.

#![expect(unsafe_code, reason = "loading a second copy of the library")]

use super::common::{check_books, config, file_size, get, keys, open};
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::sync::Barrier;
use twat_cache::{Cache, TTL_DEFAULT};

#[test]
fn opened_twice_the_second_close_leaves_the_first_whole() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), &[]);
    first.set(b"k", b"v", TTL_DEFAULT).unwrap();
    for _ in 0..10 {
        drop(open(dir.path(), &[("namespace", "other")]));
        assert_eq!(get(&first, b"k").unwrap(), b"v");
        first.set(b"k", b"v", TTL_DEFAULT).unwrap();
    }
}

/// A symbol of a library loaded apart from ours.
unsafe fn symbol<F: Copy>(library: *mut c_void, name: &CStr) -> F {
    // SAFETY: a loaded library and a NUL-terminated name.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?}");
    // SAFETY: the caller names the type that the symbol has.
    unsafe { std::mem::transmute_copy(&found) }
}

#[test]
fn a_second_copy_of_the_library_is_refused_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let ours = open(dir.path(), &[]);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/debug/libtwat_cache.so");
    let beside = std::env::current_exe().unwrap().parent().unwrap().join("libtwat_cache.so");
    let shared = if beside.exists() { beside } else { shared };
    let path = CString::new(shared.to_str().unwrap()).unwrap();
    type New = unsafe extern "C" fn(*const c_char, *mut *mut c_void) -> i32;
    type Set = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> i32;
    type Open = unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> i32;
    type Last = unsafe extern "C" fn() -> *const c_char;
    // SAFETY: the functions have these signatures (include/twat_cache.h); the
    // library stays loaded.
    let (status, text) = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!library.is_null(), "{path:?} is built by cargo beside the tests");
        let (mut options, mut cache) = (std::ptr::null_mut(), std::ptr::null_mut());
        assert_eq!(symbol::<New>(library, c"twat_config_new")(c"disk".as_ptr(), &mut options), 0);
        let place = CString::new(dir.path().to_str().unwrap()).unwrap();
        let set: Set = symbol(library, c"twat_config_set");
        assert_eq!(set(options, c"path".as_ptr(), place.as_ptr()), 0);
        let status = symbol::<Open>(library, c"twat_cache_open")(options, &mut cache);
        let text = CStr::from_ptr(symbol::<Last>(library, c"twat_last_error")());
        (status, text.to_string_lossy().into_owned())
    };
    assert_eq!(status, -7, "E_BUSY: {text}");
    assert!(text.contains("another copy of LMDB"), "{text}");
    ours.set(b"k", b"v", TTL_DEFAULT).unwrap();
    assert_eq!(get(&ours, b"k").unwrap(), b"v");
}

#[test]
fn no_snapshot_outlives_its_call() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    let mut held = Vec::new();
    for n in 0..500_u32 {
        cache.set(&n.to_be_bytes(), &[1; 100], TTL_DEFAULT).unwrap();
        held.push(cache.get(&n.to_be_bytes()).unwrap());
    }
    let mut scan = cache.scan(b"").unwrap();
    scan.next_key().unwrap();
    let before = file_size(dir.path());
    for n in 0..20_000_u32 {
        cache.set(&(n % 500).to_be_bytes(), &[2; 100], TTL_DEFAULT).unwrap();
    }
    let after = file_size(dir.path());
    assert!(after < (2 * before).max(2 << 20), "{before} bytes became {after}");
    assert!(held.iter().flatten().all(|value| **value == [1; 100]));
}

#[test]
fn two_hundred_threads_read_through_sixty_four_transactions() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"k", b"v", TTL_DEFAULT).unwrap();
    let barrier = Barrier::new(200);
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                barrier.wait();
                (0..50).for_each(|_| assert_eq!(get(&cache, b"k").unwrap(), b"v"));
            });
        }
    });
    assert!(cache.info().unwrap()["readers"].as_u64().unwrap() <= 64);
}

#[test]
fn prefixes_of_long_and_empty_keys_are_found_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("namespace", "n")]);
    let long = |first: u8, n: u8| [&[first; 600][..], &[n]].concat();
    for n in 0..100 {
        for key in [long(b'a', n), long(b'b', n), vec![b'a', n]] {
            cache.set(&key, b"v", TTL_DEFAULT).unwrap();
        }
    }
    cache.set(b"", b"v", TTL_DEFAULT).unwrap();
    assert_eq!(keys(&cache, b"").len(), 301);
    assert_eq!(keys(&cache, b"a").len(), 200);
    assert_eq!(keys(&cache, &[b'a'; 600]).len(), 100);
    assert_eq!(keys(&cache, &long(b'b', 7)), [long(b'b', 7)]);
    assert_eq!(cache.delete_prefix(&[b'a'; 599]).unwrap(), 100);
    assert_eq!(cache.delete_prefix(b"a").unwrap(), 100);
    assert_eq!(cache.delete_prefix(b"").unwrap(), 101);
    check_books(&cache);
}

#[test]
fn a_map_that_cannot_be_had_is_halved() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), &[]);
    config.set_u64("map_size", 1 << 46).unwrap();
    let cache = Cache::open(&config).unwrap();
    cache.set(b"k", b"v", TTL_DEFAULT).unwrap();
    let got = cache.info().unwrap()["map_size"].as_u64().unwrap();
    assert!((1 << 28..=1 << 46).contains(&got), "{got}");
}

#[test]
fn no_liblmdb_of_the_system_is_linked() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains("liblmdb"));
    assert_eq!(twat_cache::lmdb::txn::version(), (0, 9, 24));
}

#[test]
fn clear_keeps_what_is_set_while_it_runs_and_what_is_not_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (open(dir.path(), &[("namespace", "a")]), open(dir.path(), &[]));
    for n in 0..3000_u32 {
        a.set(&n.to_be_bytes(), &[1; 200], TTL_DEFAULT).unwrap();
    }
    b.set(b"k", b"v", TTL_DEFAULT).unwrap();
    std::thread::scope(|scope| {
        let clearing = scope.spawn(|| a.clear().unwrap());
        for n in 3000..3300_u32 {
            a.set(&n.to_be_bytes(), b"x", TTL_DEFAULT).unwrap();
        }
        clearing.join().unwrap();
        a.set(b"after", b"x", TTL_DEFAULT).unwrap();
    });
    assert!(get(&a, b"after").is_some() && get(&b, b"k").is_some());
    assert!((0..3000_u32).all(|n| get(&a, &n.to_be_bytes()).is_none()));
    check_books(&b);
}

/// The other process of the test below; by itself it does nothing.
#[test]
fn child_with_a_larger_map() {
    let Some(dir) = std::env::var_os("TWAT_LARGER_MAP_IN") else { return };
    let options = [("max_bytes", "33554432"), ("map_size", "67108864")];
    let cache = open(Path::new(&dir), &options);
    for n in 0..1000_u32 {
        cache.set(&n.to_be_bytes(), &[n as u8; 20_000], TTL_DEFAULT).unwrap();
    }
}

#[test]
fn a_larger_map_of_another_process_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_bytes", "1048576"), ("map_size", "4194304")]);
    cache.set(b"k", b"v", TTL_DEFAULT).unwrap();
    assert!(get(&cache, b"k").is_some());
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "traps::child_with_a_larger_map"])
        .env("TWAT_LARGER_MAP_IN", dir.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(file_size(dir.path()) > 16 << 20);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..1000_u32 {
                    assert_eq!(get(&cache, &n.to_be_bytes()).unwrap(), vec![n as u8; 20_000]);
                }
            });
        }
    });
    cache.set(b"new", &[1; 30_000], TTL_DEFAULT).unwrap();
    assert_eq!(cache.info().unwrap()["map_size"], 67_108_864);
    assert_eq!(cache.stats().unwrap().engine.max_bytes, 33_554_432, "the last opener's");
    check_books(&cache);
}
