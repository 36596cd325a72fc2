//! Engine `auto` chooses by what is given, and says which and why.

use twat_cache::{Cache, Code, Config, TTL_DEFAULT};

fn auto(options: &[(&str, &str)]) -> Config {
    let mut config = Config::new("auto").unwrap();
    options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config
}

fn told(cache: &Cache, what: &str) -> String {
    cache.info().unwrap().get(what).map(|found| found.to_string()).unwrap_or_default()
}

#[test]
fn without_url_and_path_it_is_memory_and_says_what_it_ignores() {
    let cache = Cache::open(&auto(&[("max_entries", "2"), ("compression", "zstd")])).unwrap();
    assert_eq!(told(&cache, "engine"), "\"memory\"");
    assert!(told(&cache, "reason").contains("neither url nor path"));
    assert_eq!(told(&cache, "ignored"), "[\"compression\"]");
    for key in [b"a", b"b", b"c"] {
        cache.set(key, b"value", TTL_DEFAULT).unwrap();
    }
    assert_eq!(cache.stats().unwrap().engine.entries, 2, "options that apply are kept");
}

#[test]
fn with_a_path_it_is_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let cache = Cache::open(&auto(&[
        ("path", path),
        ("map_size", "1073741824"),
        ("max_bytes", "10000000"),
    ]));
    let cache = cache.unwrap();
    assert_eq!(told(&cache, "engine"), "\"disk\"");
    assert!(told(&cache, "reason").contains("path is given"));
}

#[test]
fn it_falls_back_only_where_asked_and_never_silently() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let path = file.to_str().unwrap();
    let error = Cache::open(&auto(&[("path", path)])).err().expect("a file is no directory");
    assert_ne!(error.code(), Code::Panic);
    let wrong = Cache::open(&auto(&[("path", path), ("fallback", "true"), ("policy", "mru")]));
    assert_eq!(wrong.err().unwrap().code(), Code::Config, "a wrong option is not fallen back from");
    let cache = Cache::open(&auto(&[("path", path), ("fallback", "true")])).unwrap();
    assert_eq!(told(&cache, "engine"), "\"memory\"");
    assert!(told(&cache, "reason").contains("fallback"));
    assert!(!told(&cache, "fallback_error").is_empty());
}
