//! Gives the shared object its SONAME: programs that link it ask for the ABI's
//! major version, which changes only when the ABI breaks. `tools/install.sh`
//! and `[package.metadata.capi.library]` name the same one.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let var = |name| std::env::var(name).unwrap_or_default();
    let major = var("CARGO_PKG_VERSION_MAJOR");
    match var("CARGO_CFG_TARGET_OS").as_str() {
        "linux" | "android" | "freebsd" => {
            let soname = format!("libtwat_cache.so.{major}");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{soname}");
            link_beside_the_library(&var("OUT_DIR"), &soname, "libtwat_cache.so");
        }
        "macos" => {
            let name = format!("@rpath/libtwat_cache.{major}.dylib");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,{name}");
        }
        _ => {}
    }
}

/// A program linked with `target/<profile>/libtwat_cache.so` looks for the
/// SONAME in its rpath: the link makes the uninstalled library usable. Best
/// effort, since cargo promises no layout.
fn link_beside_the_library(out_dir: &str, soname: &str, library: &str) {
    // target/<profile>/build/<package>/out
    if let Some(profile) = Path::new(out_dir).ancestors().nth(3) {
        #[cfg(unix)]
        let _ = std::os::unix::fs::symlink(library, profile.join(soname));
        #[cfg(not(unix))]
        let _ = (profile, soname, library);
    }
}
