//! The C ABI: its table of contents. `include/twat_cache.h` is generated from
//! here and is the specification; `docs/abi.md` is the commentary.
#![expect(unsafe_code, reason = "the boundary: pointers from C are checked in ptr.rs")]

mod batch;
mod bytes;
mod cache;
mod config;
mod digest;
mod get;
mod guard;
mod lease;
mod policy;
mod ptr;
mod scan;
mod set;
mod sized;
mod stats;
mod status;
mod text;
mod version;

#[cfg(test)]
mod tests;

pub use batch::{
    twat_cache_delete_many, twat_cache_delete_prefix, twat_cache_get_many, twat_cache_set_many,
};
pub use bytes::{twat_bytes, twat_bytes_free, twat_slice};
pub use cache::{
    twat_cache, twat_cache_check, twat_cache_clear, twat_cache_close, twat_cache_contains,
    twat_cache_delete, twat_cache_expire, twat_cache_export, twat_cache_flush, twat_cache_import,
    twat_cache_info, twat_cache_invalidate_tag, twat_cache_len, twat_cache_open,
};
pub use config::{
    twat_config, twat_config_add_tier, twat_config_free, twat_config_load, twat_config_new,
    twat_config_set, twat_config_set_u64, twat_option, twat_option_count, twat_option_info,
};
pub use digest::{TWAT_DIGEST_BYTES, twat_hash, twat_mac};
pub use get::{twat_cache_get, twat_cache_get_into};
pub use lease::{
    TWAT_FETCH_REFRESH, twat_cache_fetch, twat_fetch_options, twat_lease, twat_lease_fail,
    twat_lease_free, twat_lease_renew, twat_lease_set,
};
pub use policy::{
    TWAT_POLICY_NEEDS_LOG, TWAT_POLICY_NEEDS_MARK, TWAT_POLICY_NEEDS_NOTHING, twat_policy,
    twat_policy_clear, twat_policy_evicted, twat_policy_free, twat_policy_hits, twat_policy_insert,
    twat_policy_needs, twat_policy_new, twat_policy_remove, twat_policy_stats,
};
pub use scan::{twat_cache_scan, twat_scan, twat_scan_free, twat_scan_next};
pub use set::{
    TWAT_SET_ADD, TWAT_TTL_DEFAULT, TWAT_TTL_NEVER, twat_cache_add, twat_cache_incr,
    twat_cache_set, twat_cache_set_file, twat_cache_set_with, twat_cache_touch, twat_set_options,
};
pub use stats::{TWAT_STATS_EXACT, twat_cache_stats, twat_stats};
pub use status::{
    TWAT_E_ARG, TWAT_E_BUSY, TWAT_E_CLOSED, TWAT_E_CONFIG, TWAT_E_CORRUPT, TWAT_E_FULL, TWAT_E_IO,
    TWAT_E_NOMEM, TWAT_E_PANIC, TWAT_E_TOO_LARGE, TWAT_E_UNAVAILABLE, TWAT_E_UNSUPPORTED,
    TWAT_E_VERSION, TWAT_EXISTS, TWAT_MISS, TWAT_OK, TWAT_PENDING, TWAT_TRUNCATED, twat_last_error,
    twat_status_name,
};
pub use text::{
    TWAT_NAMESPACE_BYTES, twat_name_namespace, twat_option_nearest, twat_parse_duration,
    twat_parse_percent, twat_parse_size,
};
pub use version::{twat_has_engine, twat_version_number, twat_version_string};
