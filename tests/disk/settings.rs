//! Bounds, policy and compression belong to the store: openers change what they
//! name and nothing else.

use super::common::get;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use twat_cache::{Cache, Code, Config, TTL_DEFAULT};

/// Options that differ from every default.
const STATED: [(&str, &str); 6] = [
    ("max_entries", "5000"),
    ("max_bytes", "1000000"),
    ("policy", "fifo"),
    ("compression", "zstd"),
    ("compression_level", "7"),
    ("compress_min_bytes", "64"),
];

/// A configuration that names nothing but these.
fn plain(engine: &str, dir: &Path, options: &[(&str, &str)]) -> Config {
    let mut config = Config::new(engine).unwrap();
    config.set("path", dir.to_str().unwrap()).unwrap();
    options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config
}

fn open(dir: &Path, options: &[(&str, &str)]) -> Cache {
    Cache::open(&plain("disk", dir, options)).unwrap()
}

/// The settings in force, as `info` shows them.
fn in_force(cache: &Cache) -> Vec<String> {
    let info = cache.info().unwrap();
    let text = |name: &str| info[name].as_str().map_or(info[name].to_string(), str::to_owned);
    STATED.iter().map(|(name, _)| text(name)).collect()
}

fn stated() -> Vec<String> {
    STATED.iter().map(|(_, value)| (*value).to_owned()).collect()
}

const DEFAULTS: [&str; 6] = ["0", "4294967296", "lru", "none", "3", "1024"];

#[test]
fn an_opener_without_options_takes_those_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), &STATED));
    for engine in ["disk", "file", "auto"] {
        let cache = Cache::open(&plain(engine, dir.path(), &[])).unwrap();
        assert_eq!(in_force(&cache), stated(), "{engine}");
        let stats = cache.stats().unwrap().engine;
        assert_eq!((stats.max_entries, stats.max_bytes), (5_000, 1_000_000));
        assert!(!cache.info().unwrap().contains_key("replaced"));
    }
}

#[test]
fn a_new_store_without_options_has_the_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    assert_eq!(in_force(&cache), DEFAULTS);
    assert!(!cache.info().unwrap().contains_key("replaced"));
}

#[test]
fn an_opener_without_options_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), &STATED));
    let before = std::fs::read(dir.path().join("data.mdb")).unwrap();
    let transaction = |cache: &Cache| cache.info().unwrap()["last_transaction"].clone();
    let first = transaction(&open(dir.path(), &[]));
    assert_eq!(first, transaction(&open(dir.path(), &STATED)), "the same options again");
    assert_eq!(std::fs::read(dir.path().join("data.mdb")).unwrap(), before);
}

#[test]
fn one_named_option_changes_itself_alone_and_info_shows_what_it_was() {
    for (at, (name, value)) in [
        ("max_entries", "7000"),
        ("max_bytes", "0"),
        ("policy", "none"),
        ("compression", "none"),
        ("compression_level", "3"),
        ("compress_min_bytes", "0"),
    ]
    .into_iter()
    .enumerate()
    {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path(), &STATED));
        let cache = open(dir.path(), &[(name, value)]);
        let mut expected = stated();
        value.clone_into(&mut expected[at]);
        assert_eq!(in_force(&cache), expected, "{name}");
        let old = STATED[at].1;
        let old = old.parse::<u64>().map_or(json!(old), |number| json!(number));
        assert_eq!(cache.info().unwrap()["replaced"], json!({ name: old }));
        drop(cache);
        assert_eq!(in_force(&open(dir.path(), &[])), expected, "{name}");
    }
}

#[test]
fn a_reader_changes_nothing_whatever_it_names() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), &STATED));
    let named = [("read_only", "true"), ("max_bytes", "9000000"), ("policy", "lru")];
    assert_eq!(in_force(&open(dir.path(), &named)), stated());
    assert_eq!(in_force(&open(dir.path(), &[])), stated());
}

#[test]
fn a_second_open_in_the_process_without_options_joins_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let more = [("durability", "system"), ("inline_max_bytes", "100"), ("map_size", "8388608")];
    let first = open(dir.path(), &[&STATED[..], &more].concat());
    let second = open(dir.path(), &[]);
    first.set(b"k", b"v", TTL_DEFAULT).unwrap();
    assert_eq!(get(&second, b"k").unwrap(), b"v");
    assert_eq!(in_force(&second), stated());
    assert_eq!(second.info().unwrap()["map_size"], 8_388_608);
    second.set(b"large", &(0..200).collect::<Vec<u8>>(), TTL_DEFAULT).unwrap();
    assert_eq!(super::common::blob_files(dir.path()).len(), 1, "the first one's inline_max_bytes");
    for (name, value) in [("policy", "lru"), ("max_bytes", "70000"), ("map_size", "16777216")] {
        let mut config = plain("disk", dir.path(), &[(name, value)]);
        let error = Cache::open(&config).err().expect("another value was accepted");
        assert!(error.code() == Code::Config && error.text().contains(value), "{error}");
        config.set("max_entries", "5000").unwrap();
        let text = Cache::open(&config).err().expect("another value").to_string();
        assert!(!text.contains("max_entries") && !text.contains("4294967296"), "{text}");
    }
}

/// Two users of one store in a process may prefer two codecs: both read all, and
/// the last opener's is used from then on.
#[test]
fn another_codec_in_the_process_is_taken_and_not_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), &[("compression", "none")]);
    first.set(b"k", &[7; 5_000], TTL_DEFAULT).unwrap();
    let second = open(dir.path(), &[("compression", "zstd")]);
    assert_eq!(second.info().unwrap()["replaced"]["compression"], "none");
    assert_eq!(first.info().unwrap()["compression"], "zstd");
    second.set(b"l", &[8; 5_000], TTL_DEFAULT).unwrap();
    for (key, byte) in [(b"k", 7), (b"l", 8)] {
        assert!(
            get(&first, key).unwrap() == [byte; 5_000]
                && get(&second, key).unwrap() == [byte; 5_000]
        );
    }
}

/// The other process of the tests below; by itself it does nothing.
#[test]
fn child_that_opens() {
    let Some(dir) = std::env::var_os("TWAT_SETTINGS_IN") else { return };
    let text = std::env::var("TWAT_SETTINGS").unwrap();
    let options: Vec<_> = text.split_whitespace().filter_map(|o| o.split_once('=')).collect();
    let cache = open(Path::new(&dir), &options);
    cache.get(b"k").unwrap();
}

fn elsewhere(dir: &Path, options: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "settings::child_that_opens"])
        .env("TWAT_SETTINGS_IN", dir)
        .env("TWAT_SETTINGS", options)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

#[test]
fn a_process_without_options_leaves_the_bound_of_a_running_writer() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &STATED);
    elsewhere(dir.path(), "");
    for n in 0..3_000_u32 {
        let value: Vec<u8> = (0..1_000_u32).map(|i| (i * n * 7 + i / 3) as u8).collect();
        cache.set(&n.to_be_bytes(), &value, TTL_DEFAULT).unwrap();
    }
    assert!(cache.stats().unwrap().engine.bytes <= 1_000_000);
    assert_eq!(in_force(&cache), stated());
}

#[test]
fn what_another_process_names_holds_for_the_next_write_of_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("inline_max_bytes", "1048576")]);
    let bytes = || cache.stats().unwrap().engine.bytes;
    cache.set(b"a", &[7; 60_000], TTL_DEFAULT).unwrap();
    let plain = bytes();
    elsewhere(dir.path(), "compression=lz4 max_entries=2 policy=fifo");
    cache.set(b"b", &[7; 60_000], TTL_DEFAULT).unwrap();
    assert!(bytes() - plain < 4_096, "the first value after the change was not compressed");
    cache.set(b"c", &[7; 60_000], TTL_DEFAULT).unwrap();
    assert_eq!(cache.stats().unwrap().engine.entries, 2);
    assert_eq!(in_force(&cache)[2..4], ["fifo", "lz4"]);
    elsewhere(dir.path(), "max_bytes=65536 compression=none");
    let error = cache.set(b"d", &[7; 99_999], TTL_DEFAULT).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge, "{error}");
}

#[test]
fn openers_that_name_different_options_at_once_all_have_their_way() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), &[]));
    std::thread::scope(|scope| {
        for (name, value) in STATED {
            let dir = dir.path();
            scope.spawn(move || elsewhere(dir, &format!("{name}={value}")));
        }
    });
    assert_eq!(in_force(&open(dir.path(), &[])), stated());
}

#[test]
fn a_recorded_bound_gets_its_map_from_an_opener_without_options() {
    let dir = tempfile::tempdir().unwrap();
    let bound = 48_u64 << 30;
    drop(open(dir.path(), &[("max_bytes", &bound.to_string())]));
    let cache = open(dir.path(), &[]);
    assert!(cache.info().unwrap()["map_size"].as_u64().unwrap() >= 2 * bound);
    cache.set(b"k", b"v", TTL_DEFAULT).unwrap();
    assert_eq!(get(&cache, b"k").unwrap(), b"v");
}

#[test]
fn a_small_map_is_held_against_the_bound_of_the_store_and_not_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let (small, new) = (dir.path().join("small"), dir.path().join("new"));
    drop(open(&small, &[("max_bytes", "1000000")]));
    let cache = open(&small, &[("map_size", "2097152")]);
    assert_eq!(cache.info().unwrap()["map_size"], 2_097_152);
    drop(cache);
    for (store, map, bound) in [(&small, "1048576", "1000000"), (&new, "8388608", "4294967296")] {
        let error = Cache::open(&plain("disk", store, &[("map_size", map)])).err().unwrap();
        assert!(error.code() == Code::Config && error.text().contains(bound), "{error}");
    }
}

#[test]
fn a_refusal_names_the_bound_in_force_and_the_one_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let _cache = open(dir.path(), &[("max_bytes", "1000000")]);
    let other = plain("disk", dir.path(), &[("max_bytes", "2000000")]);
    let error = Cache::open(&other).err().unwrap();
    assert!(error.text().contains("max_bytes: open with 1000000, asked for 2000000"), "{error}");
}
