use super::*;
use crate::base::error::Code;

fn text_of(result: Result<()>) -> String {
    result.expect_err("an error was expected").text().to_owned()
}

#[test]
fn a_misspelt_option_is_answered_with_the_nearest_name() {
    let mut config = Config::new("memory").unwrap();
    let text = text_of(config.set("max_entrys", "1"));
    assert_eq!(text, "unknown option 'max_entrys'; did you mean 'max_entries'?");
    assert!(Config::new("memry").unwrap_err().text().contains("did you mean 'memory'"));
}

#[test]
fn a_value_out_of_range_names_option_expectation_and_finding() {
    let mut config = Config::new("memory").unwrap();
    for (name, value, expected) in [
        (
            "max_bytes",
            "12",
            "max_bytes: expected 0, an integer from 65536, or a size such as 500 MB, found: 12",
        ),
        ("shards", "3", "shards: expected 0 or a power of two up to 1024, found: 3"),
        ("max_entries", "-1", "max_entries: expected an integer from 0, found: -1"),
        ("max_entries", "1k", "max_entries: expected an integer from 0, found: 1k"),
        (
            "ttl_ms",
            "1 hou",
            "ttl_ms: expected an integer from 0, or a time such as 1h30m, found: 1 hou",
        ),
        (
            "timeout_ms",
            "0s",
            "timeout_ms: expected an integer from 1, or a time such as 1h30m, found: 0s",
        ),
        ("create", "yes", "create: expected true or false, found: yes"),
        ("dir_mode", "9", "dir_mode: expected octal permissions such as 0700, found: 9"),
    ] {
        assert_eq!(text_of(config.set(name, value)), expected);
    }
    assert!(text_of(config.set("policy", "lruu")).starts_with("policy: expected one of lru lfu"));
    assert_eq!(config, Config::new("memory").unwrap());
}

#[test]
fn times_and_sizes_are_read_with_their_units() {
    let mut config = Config::new("memory").unwrap();
    config.set("ttl_ms", "1h30m").unwrap();
    config.set("max_bytes", "500 MB").unwrap();
    assert_eq!((config.u64("ttl_ms"), config.u64("max_bytes")), (5_400_000, 500_000_000));
    config.load(br#"{"ttl_ms":"2s","max_bytes":"64KiB"}"#).unwrap();
    assert_eq!((config.u64("ttl_ms"), config.u64("max_bytes")), (2000, 65536));
    assert!(config.set("max_bytes", "1 kB").is_err(), "below the range");
    assert!(config.set("max_entries", "5s").is_err(), "not a time");
    assert_eq!((config.u64("ttl_ms"), config.u64("max_bytes")), (2000, 65536));
}

#[test]
fn json_and_messagepack_say_the_same() {
    let json = br#" {"engine":"tiered","small_max_bytes":10,"ttl_ms":5,
        "tiers":[{"engine":"memory","max_entries":3},{"engine":"disk","path":"/x","create":false}]}"#;
    let mut from_json = Config::new("auto").unwrap();
    from_json.load(json).unwrap();
    let value: serde_json::Value = serde_json::from_slice(json).unwrap();
    let mut from_msgpack = Config::new("auto").unwrap();
    from_msgpack.load(&rmp_serde::to_vec(&value).unwrap()).unwrap();
    assert_eq!(from_json, from_msgpack);
    assert_eq!(from_json.tiers().len(), 2);
    assert!(!from_json.tiers()[1].bool("create"));
    from_json.validate().unwrap();
}

#[test]
fn a_load_that_fails_changes_nothing() {
    let mut config = Config::new("memory").unwrap();
    config.set("max_entries", "7").unwrap();
    let before = config.clone();
    for bad in [
        &br#"{"max_entries":9,"polcy":"lru"}"#[..],
        br#"{"max_entries":[1]}"#,
        br#"{"max_entries":9"#,
        br#"{"tiers":[{"engine":"memory"}]}"#,
        b"\x81",
        b"",
        b"\xc1",
        b"\x80\x80",
    ] {
        let error = config.load(bad).unwrap_err();
        assert_eq!(error.code(), Code::Config, "{error}");
        assert_eq!(config, before);
    }
}

#[test]
fn tiers_within_tiers_are_refused_however_deep() {
    let mut deep = Vec::new();
    for _ in 0..900 {
        deep.extend_from_slice(b"\x82\xa6engine\xa6tiered\xa5tiers\x91");
    }
    deep.extend_from_slice(b"\x81\xa6engine\xa6memory");
    let mut config = Config::new("tiered").unwrap();
    assert!(text_of(config.load(&deep)).contains("a tier without tiers of its own"));
    // However deep lists and maps are nested, the stack holds out.
    let mut lists = b"\x81\xa6ttl_ms".to_vec();
    lists.resize(1020, 0x91);
    lists.push(1);
    assert_eq!(config.load(&lists).unwrap_err().code(), Code::Config);
    let same = config.clone();
    assert!(text_of(config.add_tier(same)).contains("a tier without tiers of its own"));
    // Not by way of another name for the engine, either.
    config.add_tier(Config::new("memory").unwrap()).unwrap();
    let mut renamed = config.clone();
    renamed.set_engine("memory").unwrap();
    assert!(text_of(config.add_tier(renamed)).contains("a tier without tiers of its own"));
}

#[test]
fn options_of_another_engine_are_refused_at_open_with_their_engines() {
    let mut config = Config::new("memory").unwrap();
    config.set("path", "/tmp/x").unwrap();
    assert_eq!(
        text_of(config.validate()),
        "path: not an option of engine 'memory', but of: disk file auto"
    );
    config.set_engine("auto").unwrap();
    config.validate().unwrap();
}

#[test]
fn what_spans_options_is_checked() {
    let mut config = Config::new("disk").unwrap();
    assert!(text_of(config.validate()).contains("path: engine 'disk' needs a directory"));
    config.set("path", "/tmp/x").unwrap();
    config.set("policy", "sieve").unwrap();
    assert!(text_of(config.validate()).contains("would write on every read"));
    config.set("policy", "ttl").unwrap();
    assert!(text_of(config.validate()).contains("'ttl' needs ttl_ms"));
    config.set("ttl_ms", "10").unwrap();
    config.validate().unwrap();
    config.set("map_size", "1048576").unwrap();
    // The bound may be that of an existing store.
    config.validate().unwrap();
    config.set("max_bytes", "1000000").unwrap();
    assert!(text_of(config.validate()).contains("at least twice max_bytes"));
}

#[test]
fn a_secret_is_never_shown() {
    let mut config = Config::new("redis").unwrap();
    config.set("password", "hunter2").unwrap();
    config.set("url", "redis://:hunter2@h").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!text_of(config.set_u64("password", 5)).contains('5'));
}

#[test]
fn a_value_of_a_kind_that_no_option_has_is_refused_by_the_options_name() {
    let mut config = Config::new("memory").unwrap();
    config.load(br#"{"max_entries": 5, "ttl_ms": null}"#).unwrap();
    config.load(b"\x81\xabmax_entries\xd3\x00\x00\x00\x00\x00\x00\x00\x07").unwrap();
    for json in ["-1", "1.5", "[1, [2]]", r#"{"a": {"b": 1}}"#] {
        let text = format!(r#"{{"max_entries": {json}}}"#);
        let error = config.load(text.as_bytes()).expect_err(json).to_string();
        assert!(error.contains("max_entries") && error.contains("another type"), "{json}: {error}");
    }
    // A negative number, a float, bytes, an extension, a list, a map.
    for pack in
        [&b"\xff"[..], b"\xca\0\0\0\0", b"\xc4\x01a", b"\xd4\x01a", b"\x91\x01", b"\x81\x01\x02"]
    {
        let bytes = [b"\x81\xabmax_entries", pack].concat();
        let error = config.load(&bytes).expect_err("a value of another kind").to_string();
        assert!(
            error.contains("max_entries") && error.contains("another type"),
            "{pack:?}: {error}"
        );
    }
    assert_eq!(config.u64("max_entries"), 7);
}
