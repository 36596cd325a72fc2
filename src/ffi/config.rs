//! The configuration builder and the option table.

use super::guard::guard;
use super::ptr;
use super::sized::{Growing, Out};
use super::status::TWAT_OK;
use crate::base::error::{Error, Result};
use crate::config::{Config, options};
use once_cell::race::OnceBox;
use std::ffi::{CString, c_char, c_void};

/// A configuration under construction.
///
/// Threads: one at a time.
#[expect(non_camel_case_types, reason = "a C name")]
pub struct twat_config {
    pub(super) config: Config,
}

/// One row of the table of options.
///
/// Ownership: every text is static.
#[repr(C)]
pub struct twat_option {
    /// Set by the caller to `sizeof(twat_option)`.
    pub struct_size: usize,
    /// The key for `twat_config_set`.
    pub name: *const c_char,
    /// `text`, `u64`, `bool` or `octal`.
    pub type_name: *const c_char,
    /// As text; empty where there is none.
    pub default_value: *const c_char,
    /// What is accepted, in words.
    pub range: *const c_char,
    /// Engines that take it, separated by blanks.
    pub engines: *const c_char,
    /// What it does, in a sentence.
    pub doc: *const c_char,
}

// SAFETY: a `usize`, then pointers.
unsafe impl Growing for twat_option {
    const FIRST: usize = 7 * size_of::<usize>();
}

/// Makes a configuration of an engine: `"memory"`, `"disk"`, `"file"`,
/// `"redis"`, `"tiered"`, `"null"` or `"auto"`.
///
/// Ownership: release it with `twat_config_free`.
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for an unknown engine.
/// Since: 3.0.0
///
/// # Safety
/// `engine` is NULL or NUL-terminated; `out_config` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_config_new(
    engine: *const c_char,
    out_config: *mut *mut twat_config,
) -> i32 {
    guard(|| {
        let out = ptr::out("out_config", out_config)?;
        // SAFETY: this function's own contract.
        let config = Config::new(unsafe { ptr::text("engine", engine) }?)?;
        // SAFETY: not NULL; the caller promises that it is writable.
        unsafe { out.write(Box::into_raw(Box::new(twat_config { config }))) };
        Ok(TWAT_OK)
    })
}

/// Sets an option from text: decimal integers, `true` or `false`, UTF-8. Times
/// and sizes may have a unit (`twat_parse_duration`, `twat_parse_size`); without
/// one they are milliseconds and bytes. The name and the value are checked immediately; contradictions between
/// options are found when the cache is opened.
///
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for an unknown key (the text
/// offers the nearest one) or a value out of range (the text has the range);
/// the configuration is then as it was.
/// Since: 3.0.0
///
/// # Safety
/// `config` is live and used by no other thread; the texts are NULL or
/// NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_config_set(
    config: *mut twat_config,
    key: *const c_char,
    value: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for all three.
        let (config, key, value) = unsafe {
            (ptr::handle_mut("config", config)?, ptr::text("key", key)?, ptr::text("value", value)?)
        };
        config.config.set(key, value).map(|()| TWAT_OK)
    })
}

/// Sets an option from a number (0 and 1 for truth values).
///
/// Errors: as `twat_config_set`.
/// Since: 3.0.0
///
/// # Safety
/// As `twat_config_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_config_set_u64(
    config: *mut twat_config,
    key: *const c_char,
    value: u64,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for both.
        let (config, key) = unsafe { (ptr::handle_mut("config", config)?, ptr::text("key", key)?) };
        config.config.set_u64(key, value).map(|()| TWAT_OK)
    })
}

/// Reads options from a MessagePack map or a JSON object and lays them over
/// the configuration: scalars by option name, `"engine"`, and `"tiers"` as an
/// array of such maps.
///
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for bytes that are neither,
/// and as `twat_config_set`; the configuration is then as it was.
/// Since: 3.0.0
///
/// # Safety
/// `config` is live and used by no other thread; `bytes` has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_config_load(
    config: *mut twat_config,
    bytes: *const c_void,
    len: usize,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract, for both.
        let (config, bytes) =
            unsafe { (ptr::handle_mut("config", config)?, ptr::bytes("bytes", bytes, len)?) };
        config.config.load(bytes).map(|()| TWAT_OK)
    })
}

/// Adds a tier below those already there; only for engine `"tiered"`.
///
/// Ownership: `tier` is copied and stays the caller's.
/// Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for another engine.
/// Since: 3.0.0
///
/// # Safety
/// Both are live, distinct, and used by no other thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_config_add_tier(
    config: *mut twat_config,
    tier: *const twat_config,
) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract. The tier is copied before
        // the mutable borrow begins, so even one handle given twice is sound.
        let tier = unsafe { ptr::handle("tier", tier) }?.config.clone();
        // SAFETY: the caller promises a live handle that no other thread uses.
        let config = unsafe { ptr::handle_mut("config", config) }?;
        config.config.add_tier(tier).map(|()| TWAT_OK)
    })
}

/// Releases a configuration. NULL does nothing.
///
/// Errors: none.
/// Since: 3.0.0
///
/// # Safety
/// `config` is NULL or live, and never used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_config_free(config: *mut twat_config) {
    guard(|| {
        if !config.is_null() {
            // SAFETY: made by `twat_config_new`, given back once.
            drop(unsafe { Box::from_raw(config) });
        }
    });
}

/// How many options there are.
///
/// Errors: none.
/// Since: 3.0.0
#[unsafe(no_mangle)]
pub extern "C" fn twat_option_count() -> usize {
    guard(|| options::OPTIONS.len())
}

/// Describes an option; `index` runs from 0 to `twat_option_count() - 1`.
///
/// The caller sets `struct_size`; at most so many bytes are written.
///
/// Ownership: the texts are static.
/// Errors: `TWAT_E_ARG` for NULL, an index beyond the table or a `struct_size`
/// below the first version's.
/// Since: 3.0.0
///
/// # Safety
/// `inout_option` is NULL or writable for its `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn twat_option_info(index: usize, inout_option: *mut twat_option) -> i32 {
    guard(|| {
        // SAFETY: this function's own contract.
        let out = unsafe { Out::new("inout_option", inout_option) }?;
        let row = rows().get(index).ok_or_else(|| {
            Error::arg(format!("index: expected below {}, found: {index}", rows().len()))
        })?;
        let [name, type_name, default_value, range, engines, doc] =
            std::array::from_fn(|column| row[column].as_ptr());
        let struct_size = out.size();
        let row = twat_option { struct_size, name, type_name, default_value, range, engines, doc };
        // SAFETY: not NULL, and the caller promises that it is writable.
        unsafe { out.write(&row) };
        Ok(TWAT_OK)
    })
}

/// The table as C strings. Threads that race make it more than once; none waits for
/// another, which a forked child might not have.
fn rows() -> &'static [[CString; 6]] {
    static ROWS: OnceBox<Vec<[CString; 6]>> = OnceBox::new();
    let text = |text: &str| CString::new(text).unwrap_or_default();
    ROWS.get_or_init(|| {
        let row = |spec: &options::OptionSpec| {
            let engines: Vec<_> = options::engine_names(spec.engines).collect();
            [
                text(spec.name),
                text(spec.type_name()),
                text(spec.default),
                text(&spec.range()),
                text(&engines.join(" ")),
                text(spec.doc),
            ]
        };
        Box::new(options::OPTIONS.iter().map(row).collect())
    })
}

/// Borrowed configuration behind a handle.
///
/// # Safety
/// `config` is NULL or live.
pub(super) unsafe fn borrowed<'a>(config: *const twat_config) -> Result<&'a Config> {
    // SAFETY: this function's own contract.
    unsafe { ptr::handle("config", config) }.map(|handle| &handle.config)
}
