//! The header is generated, checked in, and equal to what the code exports.

use std::path::Path;

const HEADER: &str = "include/twat_cache.h";

fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_root_or_default(root);
    let intro = std::fs::read_to_string(root.join("include/intro.txt")).unwrap();
    config.header = Some(intro.trim_end().to_owned());
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(root.join("src/ffi/status.rs"))
        .with_src(root.join("src/ffi/version.rs"))
        .with_src(root.join("src/ffi/bytes.rs"))
        .with_src(root.join("src/ffi/config.rs"))
        .with_src(root.join("src/ffi/cache.rs"))
        .with_src(root.join("src/ffi/get.rs"))
        .with_src(root.join("src/ffi/set.rs"))
        .with_src(root.join("src/ffi/lease.rs"))
        .with_src(root.join("src/ffi/batch.rs"))
        .with_src(root.join("src/ffi/scan.rs"))
        .with_src(root.join("src/ffi/stats.rs"))
        .with_src(root.join("src/ffi/policy.rs"))
        .with_src(root.join("src/ffi/digest.rs"))
        .with_src(root.join("src/ffi/text.rs"))
        .generate()
        .expect("cbindgen");
    let mut text = Vec::new();
    bindings.write(&mut text);
    // Rust's safety sections repeat for Rust callers what the C text says.
    without_safety_sections(&String::from_utf8(text).unwrap())
}

fn without_safety_sections(text: &str) -> String {
    let mut out = String::new();
    let mut skipping = false;
    for line in text.lines() {
        if line.trim() == "# Safety" {
            skipping = true;
            // The blank line before the heading goes too.
            if out.ends_with("\n\n") {
                out.truncate(out.len() - 1);
            }
        } else if line.trim() == "*/" {
            skipping = false;
        }
        if !skipping {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[test]
fn the_checked_in_header_is_what_the_code_generates() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(HEADER);
    let now = generated();
    if std::env::var_os("TWAT_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == now, "{HEADER} is stale: TWAT_BLESS=1 cargo test --test header");
}
