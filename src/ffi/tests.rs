//! A panic below the boundary: contained, told, and the handle poisoned.

use super::*;
use crate::base::error::Result;
use crate::base::stats::EngineStats;
use crate::cache::Cache;
use crate::engine::{Engine, Entry, Put, ScanState, Stored};
use crate::mem::value::Value;
use std::ffi::CStr;
use std::num::NonZeroU64;

struct Panics;

impl Engine for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }
    fn get(&self, _key: &[u8]) -> Result<Option<Value>> {
        panic!("on purpose")
    }
    fn entry(&self, _key: &[u8]) -> Result<Option<Entry>> {
        Ok(None)
    }
    fn put(&self, _key: &[u8], _value: &[u8], _put: &Put<'_>) -> Result<Stored> {
        Ok(Stored::Stored)
    }
    fn delete(&self, _key: &[u8]) -> Result<bool> {
        Ok(false)
    }
    fn contains(&self, _key: &[u8]) -> Result<bool> {
        std::panic::panic_any(7)
    }
    fn touch(&self, _key: &[u8], _ttl: Option<NonZeroU64>) -> Result<bool> {
        Ok(false)
    }
    fn clear(&self) -> Result<()> {
        Ok(())
    }
    fn scan(&self, _prefix: &[u8], _state: &mut ScanState, _out: &mut Vec<Vec<u8>>) -> Result<()> {
        panic!("in a scan")
    }
    fn incr(
        &self,
        _key: &[u8],
        _delta: i64,
        _initial: i64,
        _ttl: Option<NonZeroU64>,
    ) -> Result<i64> {
        Ok(0)
    }
    fn invalidate_tag(&self, _tag: &[u8]) -> Result<bool> {
        Ok(false)
    }
    fn expire(&self) -> Result<u64> {
        Ok(0)
    }
    fn stats(&self) -> Result<EngineStats> {
        Ok(EngineStats::default())
    }
}

fn last_error() -> String {
    // SAFETY: static to this thread, NUL-terminated.
    unsafe { CStr::from_ptr(twat_last_error()) }.to_str().unwrap().to_owned()
}

#[test]
fn a_panic_below_is_a_status_and_poisons_only_its_handle() {
    let open = || cache::handle_of(Cache::over(Box::new(Panics)));
    let (first, second) = (open(), open());
    let mut out = twat_bytes::EMPTY;
    // SAFETY: live handles, readable keys, writable outputs.
    unsafe {
        assert_eq!(twat_cache_set(first, c"k".as_ptr().cast(), 1, c"v".as_ptr().cast(), 1, 0), 0);
        assert_eq!(twat_cache_get(first, c"k".as_ptr().cast(), 1, &mut out), TWAT_E_PANIC);
        assert!(last_error().contains("please report it: on purpose"), "{}", last_error());
        assert!(out.owner.is_null(), "an output was written by a call that failed");
        assert_eq!(twat_cache_delete(first, c"k".as_ptr().cast(), 1), TWAT_E_PANIC);
        assert!(last_error().contains("only be closed"), "{}", last_error());

        assert_eq!(twat_cache_delete(second, c"k".as_ptr().cast(), 1), TWAT_MISS);
        let mut scan = std::ptr::null_mut();
        assert_eq!(twat_cache_scan(second, std::ptr::null(), 0, &mut scan), TWAT_OK);
        assert_eq!(twat_scan_next(scan, &mut out), TWAT_E_PANIC);
        assert_eq!(twat_scan_next(scan, &mut out), TWAT_E_PANIC);
        twat_scan_free(scan);
        assert_eq!(twat_cache_contains(second, c"k".as_ptr().cast(), 1), TWAT_E_PANIC);
        assert!(last_error().contains("(no text)"), "{}", last_error());

        assert_eq!(twat_cache_close(first), TWAT_OK);
        assert_eq!(twat_cache_close(second), TWAT_OK);
    }
}

#[test]
fn the_last_error_is_cut_at_a_characters_boundary_and_has_no_inner_nul() {
    let long = "é".repeat(400);
    status::set_last_error(&crate::base::error::Error::arg(long));
    let text = last_error();
    assert_eq!(text.len(), 510, "511 would split a character");
    assert!(text.chars().all(|c| c == 'é'));
    status::set_last_error(&crate::base::error::Error::arg("a\0b"));
    assert_eq!(last_error(), "a?b");
}
