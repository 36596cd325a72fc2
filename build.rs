//! Gives the shared object its SONAME: programs that link it ask for the ABI's
//! major version, which changes only when the ABI breaks. `tools/install.sh`
//! and `[package.metadata.capi.library]` name the same one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let major = std::env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
    match os.as_str() {
        "linux" | "android" | "freebsd" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libtwat_cache.so.{major}");
        }
        "macos" => {
            let name = format!("@rpath/libtwat_cache.{major}.dylib");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,{name}");
        }
        _ => {}
    }
}
