//! The C functions that are timed, as a program that loads the shared object
//! calls them: through pointers the compiler cannot see through.

#![expect(unsafe_code, reason = "this is the C side of the boundary")]
#![expect(clippy::missing_transmute_annotations, reason = "the fields are annotated")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::transmute;
use twat_cache::ffi;

#[repr(C)]
struct Bytes {
    data: *const c_void,
    len: usize,
    owner: *mut c_void,
}

type Cache = *mut c_void;
type Config = *mut c_void;

/// The calls, and where they lead.
pub struct Api {
    pub from: String,
    config_new: unsafe extern "C" fn(*const c_char, *mut Config) -> i32,
    config_set_u64: unsafe extern "C" fn(Config, *const c_char, u64) -> i32,
    config_free: unsafe extern "C" fn(Config),
    open: unsafe extern "C" fn(Config, *mut Cache) -> i32,
    close: unsafe extern "C" fn(Cache) -> i32,
    set: unsafe extern "C" fn(Cache, *const c_void, usize, *const c_void, usize, u64) -> i32,
    get: unsafe extern "C" fn(Cache, *const c_void, usize, *mut Bytes) -> i32,
    get_into:
        unsafe extern "C" fn(Cache, *const c_void, usize, *mut c_void, usize, *mut usize) -> i32,
    bytes_free: unsafe extern "C" fn(*mut Bytes),
}

/// A function of the shared object, or the one that is linked in.
fn symbol(library: *mut c_void, name: &CStr, linked: *const c_void) -> *const c_void {
    // SAFETY: the library is open; the name is NUL-terminated.
    let found = (!library.is_null()).then(|| unsafe { libc::dlsym(library, name.as_ptr()) });
    std::hint::black_box(found.map_or(linked, |found| found.cast_const()))
}

impl Api {
    pub fn load() -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        // The program is target/release/deps/<name>; `cargo library` builds beside it.
        let target = program.ancestors().nth(3).unwrap_or(&program);
        let path = target.join("library/libtwat_cache.so");
        let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
        // SAFETY: a path; the library has no constructors that matter.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        let from = match library.is_null() {
            true => "the functions linked in".to_owned(),
            false => path.display().to_string(),
        };
        Self {
            from,
            // SAFETY: the same function of the same version, as the header has it.
            config_new: unsafe {
                transmute(symbol(
                    library,
                    c"twat_config_new",
                    ffi::twat_config_new as *const c_void,
                ))
            },
            // SAFETY: the same function of the same version, as the header has it.
            config_set_u64: unsafe {
                transmute(symbol(
                    library,
                    c"twat_config_set_u64",
                    ffi::twat_config_set_u64 as *const c_void,
                ))
            },
            // SAFETY: the same function of the same version, as the header has it.
            config_free: unsafe {
                transmute(symbol(
                    library,
                    c"twat_config_free",
                    ffi::twat_config_free as *const c_void,
                ))
            },
            // SAFETY: the same function of the same version, as the header has it.
            open: unsafe {
                transmute(symbol(
                    library,
                    c"twat_cache_open",
                    ffi::twat_cache_open as *const c_void,
                ))
            },
            // SAFETY: the same function of the same version, as the header has it.
            close: unsafe {
                transmute(symbol(
                    library,
                    c"twat_cache_close",
                    ffi::twat_cache_close as *const c_void,
                ))
            },
            // SAFETY: the same function of the same version, as the header has it.
            set: unsafe {
                transmute(symbol(library, c"twat_cache_set", ffi::twat_cache_set as *const c_void))
            },
            // SAFETY: the same function of the same version, as the header has it.
            get: unsafe {
                transmute(symbol(library, c"twat_cache_get", ffi::twat_cache_get as *const c_void))
            },
            // SAFETY: the same function of the same version, as the header has it.
            get_into: unsafe {
                transmute(symbol(
                    library,
                    c"twat_cache_get_into",
                    ffi::twat_cache_get_into as *const c_void,
                ))
            },
            // SAFETY: the same function of the same version, as the header has it.
            bytes_free: unsafe {
                transmute(symbol(
                    library,
                    c"twat_bytes_free",
                    ffi::twat_bytes_free as *const c_void,
                ))
            },
        }
    }

    /// A memory cache with policy lru.
    pub fn open(&self, max_entries: u64, ttl: bool) -> Handle<'_> {
        let (mut config, mut cache) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: each pointer is one of ours, or came from the call before.
        let opened = unsafe {
            (self.config_new)(c"memory".as_ptr(), &mut config);
            (self.config_set_u64)(config, c"max_entries".as_ptr(), max_entries);
            if ttl {
                (self.config_set_u64)(config, c"ttl_ms".as_ptr(), 3_600_000);
            }
            let opened = (self.open)(config, &mut cache);
            (self.config_free)(config);
            opened
        };
        assert_eq!(opened, 0, "open");
        Handle { api: self, cache }
    }
}

/// An open cache.
pub struct Handle<'a> {
    api: &'a Api,
    cache: Cache,
}

impl Handle<'_> {
    pub fn set(&self, key: &[u8], value: &[u8]) {
        let (key, key_len) = (key.as_ptr().cast(), key.len());
        let (value, value_len) = (value.as_ptr().cast(), value.len());
        // SAFETY: live slices, an open cache.
        let status = unsafe { (self.api.set)(self.cache, key, key_len, value, value_len, 0) };
        assert_eq!(status, 0);
    }

    /// The first byte of the value.
    #[inline]
    pub fn get(&self, key: &[u8]) -> u8 {
        let mut bytes = Bytes { data: std::ptr::null(), len: 0, owner: std::ptr::null_mut() };
        // SAFETY: a live slice, an open cache, a struct of the header's layout.
        let status =
            unsafe { (self.api.get)(self.cache, key.as_ptr().cast(), key.len(), &mut bytes) };
        if status != 0 || bytes.len == 0 {
            return 0;
        }
        // SAFETY: a hit of at least one byte.
        let first = unsafe { *bytes.data.cast::<u8>() };
        // SAFETY: filled by the call above.
        unsafe { (self.api.bytes_free)(&mut bytes) };
        first
    }

    /// The same through a buffer.
    #[inline]
    pub fn get_into(&self, key: &[u8]) -> u8 {
        let (mut buffer, mut len) = ([0_u8; 128], 0);
        let (key, key_len) = (key.as_ptr().cast(), key.len());
        let (room, capacity) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: a live slice, an open cache, a buffer of that capacity.
        unsafe { (self.api.get_into)(self.cache, key, key_len, room, capacity, &mut len) };
        buffer[0]
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once.
        unsafe { (self.api.close)(self.cache) };
    }
}
