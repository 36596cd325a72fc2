//! The configuration loaders: any bytes, as JSON and as MessagePack, through
//! the C ABI. A load that fails changes nothing; no secret is shown.

use std::ffi::{CStr, CString};
use twat_cache::Config;
use twat_cache::ffi;

/// One input: a selector byte, then what is loaded.
pub fn run(data: &[u8]) {
    let Some((how, bytes)) = data.split_first() else { return };
    let engines = ["memory", "disk", "file", "redis", "tiered", "null", "auto"];
    let engine = engines[*how as usize % engines.len()];
    let mut config = Config::new(engine).expect("a known engine");
    config.set("ttl_ms", "7").expect("an option of every engine");
    let before = format!("{config:?}");
    match config.load(bytes) {
        Ok(()) => {
            let _ = (config.validate(), config.validate_policy(), format!("{config:?}"));
        }
        Err(error) => {
            assert_eq!(before, format!("{config:?}"), "a load that failed changed something");
            assert!(!error.to_string().is_empty(), "an error without a text");
        }
    }
    through_c(engine, bytes);
}

fn through_c(engine: &str, bytes: &[u8]) {
    let engine = CString::new(engine).expect("no NUL in it");
    let mut config = std::ptr::null_mut();
    // SAFETY: the texts are NUL-terminated, the bytes as long as is said, and
    // the configuration is freed once.
    unsafe {
        assert_eq!(ffi::twat_config_new(engine.as_ptr(), &mut config), 0);
        let status = ffi::twat_config_load(config, bytes.as_ptr().cast(), bytes.len());
        assert!(status == 0 || status == ffi::TWAT_E_CONFIG, "status {status}");
        if status < 0 {
            let text = CStr::from_ptr(ffi::twat_last_error());
            assert!(text.to_str().is_ok_and(|text| !text.is_empty()), "not a text: {text:?}");
        }
        // The text setters, with what stands before and after an '='.
        let mut parts = bytes.splitn(2, |byte| *byte == b'=');
        let (key, value) = (parts.next().unwrap_or(b""), parts.next().unwrap_or(b""));
        if let (Ok(key), Ok(value)) = (CString::new(key), CString::new(value)) {
            let status = ffi::twat_config_set(config, key.as_ptr(), value.as_ptr());
            assert!([0, ffi::TWAT_E_CONFIG, ffi::TWAT_E_ARG].contains(&status), "status {status}");
        }
        ffi::twat_config_free(config);
    }
}
