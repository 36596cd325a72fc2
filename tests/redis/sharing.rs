//! Entries among clients: what is stored how, and what is not ours.

use crate::conformance::in_child;
use crate::faults::open;
use crate::server::Server;
use twat_cache::engine::Stored;
use twat_cache::{Cache, Code, Config, SetOptions, TTL_DEFAULT};

const PATIENT: [(&str, &str); 2] = [("timeout_ms", "5000"), ("connect_timeout_ms", "5000")];

#[test]
fn keys_are_prefix_namespace_and_key_and_values_lie_in_the_envelope() {
    let server = Server::start();
    let options = [PATIENT[0], ("namespace", "shop:eu"), ("key_prefix", "app/")];
    let cache = open(&server.url(), &options);
    cache.set(b"key", b"value", 100_000).unwrap();
    let stored = server.command(&[b"GET", b"app/shop%3Aeu:key"]);
    assert_eq!(&stored[..5], b"$29\r\n");
    assert_eq!(&stored[5..10], b"TWAT\x03");
    assert!(stored.ends_with(b"value\r\n"));
    let left = server.say("PTTL app/shop%3Aeu:key");
    let left: u64 = left.trim_start_matches(':').trim().parse().unwrap();
    assert!((90_000..=100_000).contains(&left), "{left}");
    let other = open(&server.url(), &[PATIENT[0], ("namespace", "shop"), ("key_prefix", "app/")]);
    other.set(b"eu:key", b"other", TTL_DEFAULT).unwrap();
    other.clear().unwrap();
    assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
}

#[test]
fn what_is_not_ours_is_never_taken_and_never_deleted() {
    let server = Server::start();
    let cache = open(&server.url(), &[PATIENT[0], ("namespace", "n")]);
    server.say("SET twat:n:text hello");
    server.say("RPUSH twat:n:list a b");
    server.say("HSET twat:n:hash f v");
    server.say("SET twat:n:empty \"\"");
    for key in [&b"text"[..], b"list", b"hash"] {
        let name = String::from_utf8_lossy(key).into_owned();
        let error = cache.get(key).expect_err(&name);
        assert_eq!(error.code(), Code::Corrupt, "{name}: {error}");
        assert!(error.text().contains("not written by twat-cache"), "{error}");
        assert_eq!(cache.incr(key, 1, 0, TTL_DEFAULT).expect_err(&name).code(), Code::Corrupt);
        assert!(!cache.delete(key).unwrap(), "{name}");
        assert!(!cache.touch(key, 1).unwrap(), "{name}");
        assert_eq!(cache.add(key, b"mine", TTL_DEFAULT).expect_err(&name).code(), Code::Corrupt);
    }
    cache.set(b"ours", b"1", TTL_DEFAULT).unwrap();
    let mut scan = cache.scan(b"").unwrap();
    assert_eq!(scan.next_key().unwrap().as_deref(), Some(&b"ours"[..]));
    assert_eq!(scan.next_key().unwrap(), None);
    cache.expire().unwrap();
    assert_eq!(cache.check(true).unwrap()["foreign"], 4);
    assert_eq!(cache.delete_prefix(b"").unwrap(), 1);
    cache.clear().unwrap();
    for (key, kind) in [("text", "string"), ("list", "list"), ("hash", "hash"), ("empty", "string")]
    {
        assert_eq!(server.say(&format!("TYPE twat:n:{key}")), format!("+{kind}\r\n"));
    }
    // Only a set says that it wants the place.
    cache.set(b"text", b"mine", TTL_DEFAULT).unwrap();
    assert_eq!(cache.get(b"text").unwrap().as_deref(), Some(&b"mine"[..]));
}

fn stored(server: &Server, key: &[u8]) -> Vec<u8> {
    let answer = server.command(&[b"GET", key]);
    let at = answer.iter().position(|b| *b == b'\n').unwrap();
    answer[at + 1..answer.len() - 2].to_vec()
}

#[test]
fn damage_is_a_miss_that_is_removed_and_counted() {
    let server = Server::start();
    let cache = open(&server.url(), &[PATIENT[0]]);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    cache.set(b"other", b"value", TTL_DEFAULT).unwrap();
    let sound = stored(&server, b"twat::key");
    for bit in [5 * 8, 7 * 8, 9 * 8 + 1, 17 * 8, 24 * 8, 28 * 8 + 7] {
        let mut bad = sound.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        server.command(&[b"SET", b"twat::key", &bad]);
        assert_eq!(cache.get(b"key").unwrap(), None, "bit {bit}");
        assert_eq!(server.say("EXISTS twat::key"), ":0\r\n", "bit {bit}");
    }
    assert_eq!(cache.stats().unwrap().engine.corrupt, 6);
    // The checksum covers the key: an entry is nobody else's value.
    server.command(&[b"SET", b"twat::key", &stored(&server, b"twat::other")]);
    assert_eq!(cache.get(b"key").unwrap(), None);
    // Damage makes room.
    server.command(&[b"SET", b"twat::key", &sound[..20]]);
    assert_eq!(cache.add(b"key", b"new", TTL_DEFAULT).unwrap(), Stored::Stored);
    server.command(&[b"SET", b"twat::key", &sound[..sound.len() - 1]]);
    assert_eq!(cache.incr(b"key", 1, 10, TTL_DEFAULT).unwrap(), 11);
}

#[test]
fn a_newer_format_is_not_damage() {
    let server = Server::start();
    let cache = open(&server.url(), &[PATIENT[0]]);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    let mut newer = stored(&server, b"twat::key");
    newer[4] += 1;
    server.command(&[b"SET", b"twat::key", &newer]);
    assert_eq!(cache.get(b"key").unwrap_err().code(), Code::Version);
    assert_eq!(stored(&server, b"twat::key"), newer);
}

#[test]
fn a_lost_tag_makes_its_entries_misses_for_ever() {
    let server = Server::start();
    let cache = open(&server.url(), &[PATIENT[0]]);
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    cache.set_with(b"key", b"old", &tagged).unwrap();
    cache.invalidate_tag(b"tag").unwrap();
    // As a server that is short of memory does.
    server.say("DEL twat:%t:tag");
    cache.set_with(b"other", b"value", &tagged).unwrap();
    assert_eq!(cache.get(b"key").unwrap(), None);
    assert!(cache.get(b"other").unwrap().is_some());
}

#[test]
fn what_removes_works_on_a_server_that_takes_no_more() {
    let server = Server::with(&["--maxmemory-policy", "noeviction"]);
    let cache = open(&server.url(), &[PATIENT[0]]);
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    for key in [&b"a"[..], b"b", b"c", b"d"] {
        cache.set_with(key, b"stale", &tagged).unwrap();
    }
    for key in [&b"e"[..], b"f"] {
        cache.set(key, b"stale", TTL_DEFAULT).unwrap();
    }
    assert_eq!(server.say("CONFIG SET maxmemory 1"), "+OK\r\n");
    let error = cache.set(b"e", b"new", TTL_DEFAULT).unwrap_err();
    assert_eq!(error.code(), Code::Full, "{error}");
    assert!(error.text().contains("maxmemory"), "{error}");
    let error = cache.incr(b"n", 1, 0, TTL_DEFAULT).unwrap_err();
    assert_eq!(error.code(), Code::Full, "{error}");
    assert!(cache.invalidate_tag(b"tag").unwrap(), "the tag is there");
    assert!(!cache.invalidate_tag(b"tag").unwrap(), "and now it is not");
    assert_eq!(cache.get(b"a").unwrap(), None, "a stale entry is served on");
    assert!(cache.expire().unwrap() >= 3);
    assert!(cache.delete(b"e").unwrap());
    assert_eq!(cache.delete_prefix(b"f").unwrap(), 1);
    cache.clear().unwrap();
    assert_eq!(server.say("DBSIZE"), ":0\r\n");
}

#[test]
fn a_value_that_the_server_does_not_take_is_too_large_and_the_next_is_stored() {
    let server = Server::with(&["--proto-max-bulk-len", "1mb"]);
    let cache = open(&server.url(), &PATIENT);
    for length in [2_000_000, 20_000_000] {
        let error = cache.set(b"large", &vec![7; length], TTL_DEFAULT).unwrap_err();
        assert_eq!(error.code(), Code::TooLarge, "{error}");
        assert!(error.text().contains("proto-max-bulk-len"), "{error}");
        cache.set(b"small", b"value", TTL_DEFAULT).unwrap();
    }
}

#[test]
fn clients_count_together() {
    let server = Server::start();
    let counted: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let url = server.url();
                scope.spawn(move || {
                    let cache = open(&url, &PATIENT);
                    (0..100)
                        .map(|_| cache.incr(b"n", 1, 0, TTL_DEFAULT).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: std::collections::BTreeSet<i64> = counted.iter().copied().collect();
    assert_eq!(distinct, (1..=400).collect());
}

#[test]
fn answers_of_parent_and_child_never_mix() {
    let server = Server::start();
    let cache = open(&server.url(), &PATIENT);
    let work = |who: u8| {
        (0..500_u32).all(|n| {
            let (key, value) =
                ([&[who][..], &n.to_le_bytes()].concat(), vec![who; 100 + n as usize]);
            cache.set(&key, &value, TTL_DEFAULT).is_ok()
                && cache.get(&key).is_ok_and(|found| found.as_deref() == Some(&value[..]))
        })
    };
    assert!(work(0), "before the fork");
    for round in 1..=5_u8 {
        let fine = std::thread::scope(|scope| {
            let parent = scope.spawn(|| work(round));
            let child = in_child(|| work(100 + round));
            (parent.join().unwrap(), child)
        });
        assert_eq!(fine, (true, true), "round {round}: parent, child");
        assert!(work(200 + round), "after the child has ended");
    }
}

#[test]
fn pipelines_longer_than_one_keep_their_order() {
    let server = Server::start();
    let cache = open(&server.url(), &PATIENT);
    let keys: Vec<Vec<u8>> = (0..2000_u32).map(|n| n.to_le_bytes().to_vec()).collect();
    let pairs: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &key[..])).collect();
    cache.set_many(&pairs, &SetOptions::default()).unwrap();
    let asked: Vec<&[u8]> = keys.iter().rev().map(|key| &key[..]).collect();
    let found = cache.get_many(&asked).unwrap();
    assert!(found.iter().zip(&asked).all(|(value, key)| value.as_deref() == Some(*key)));
    assert_eq!(cache.delete_many(&asked[..1500]).unwrap(), 1500);
    assert_eq!(cache.stats().unwrap().engine.entries, 500);
}

#[test]
fn values_of_many_megabytes_come_back() {
    let server = Server::start();
    let cache = open(&server.url(), &PATIENT);
    let value: Vec<u8> = (0..20_000_000_u32).map(|n| (n >> 7) as u8).collect();
    cache.set(b"large", &value, TTL_DEFAULT).unwrap();
    assert_eq!(cache.get(b"large").unwrap().as_deref(), Some(&value[..]));
}

#[test]
fn a_socket_file_an_older_protocol_and_a_login_work() {
    let server = Server::with(&["--unixsocket", "redis.sock", "--requirepass", "hunter2"]);
    let path = server.directory.path().join("redis.sock");
    let cache = open(&format!("unix://{}?pass=hunter2&db=3", path.display()), &PATIENT);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    let select = server.command(&[b"AUTH", b"hunter2"]);
    assert_eq!(select, b"+OK\r\n");
    // A user who may not say HELLO gets the older protocol.
    let server = Server::start();
    server.say("ACL SETUSER default -hello");
    let cache = open(&server.url(), &PATIENT);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(cache.get(b"none").unwrap(), None);
    let server = Server::start();
    server.say("ACL SETUSER cacher on >se%cr@t ~twat:* +@all");
    let mut config = Config::new("redis").unwrap();
    config.set("url", &server.url()).unwrap();
    config.set("username", "cacher").unwrap();
    config.set("password", "se%cr@t").unwrap();
    let cache = Cache::open(&config).unwrap();
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    let url = server.url().replace("redis://", "redis://cacher:se%25cr%40t@");
    assert_eq!(open(&url, &PATIENT).get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    assert!(server.say("CLIENT LIST").contains("name=twat-cache-"));
}

#[test]
fn a_wrong_password_is_told_and_none_is_ever_shown() {
    let server = Server::with(&["--requirepass", "right"]);
    for url in [
        server.url(),
        server.url().replace("redis://", "redis://:hunter2@"),
        server.url().replace("redis://", "redis://someone:hunter2@"),
        server.url().replace("/0", "/99").replace("redis://", "redis://:right@"),
    ] {
        let cache = open(&url, &PATIENT[..1]);
        let error = cache.get(b"key").unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error}");
        let expected =
            if url.ends_with("/99") { "refuses database 99" } else { "refuses the login" };
        assert!(error.text().contains(expected), "{error}");
        let shown = format!("{error:?} {:?} {:?}", cache.config(), cache.info().unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("right@"), "{shown}");
    }
}

#[test]
fn bad_urls_are_configuration_errors_at_open() {
    for url in
        ["http://h", "redis://h:99999", "redis://h:0", "h", "redis://", "redis://h/x", "unix://no"]
    {
        let mut config = Config::new("redis").unwrap();
        config.set("url", url).unwrap();
        let Err(error) = Cache::open(&config) else { panic!("{url} was opened") };
        assert_eq!(error.code(), Code::Config, "{url}: {error}");
    }
}

#[test]
fn auto_takes_redis_for_a_url_and_memory_only_where_it_may() {
    let mut server = Server::start();
    let mut config = Config::new("auto").unwrap();
    config.set("url", &server.url()).unwrap();
    let info = Cache::open(&config).unwrap().info().unwrap();
    assert_eq!((&info["engine"], &info["reason"]), (&"redis".into(), &"auto: url is given".into()));
    config.set("fallback", "true").unwrap();
    assert_eq!(Cache::open(&config).unwrap().info().unwrap()["engine"], "redis");
    server.kill();
    let info = Cache::open(&config).unwrap().info().unwrap();
    assert_eq!(info["engine"], "memory");
    assert!(info["fallback_error"].as_str().unwrap().contains("redis at 127.0.0.1"));
    config.set("fallback", "false").unwrap();
    assert_eq!(Cache::open(&config).unwrap().info().unwrap()["engine"], "redis");
}

#[test]
fn figures_and_words_of_the_server() {
    let server = Server::start();
    let cache = open(&server.url(), &PATIENT);
    for n in 0..10_u8 {
        cache.set(&[n], b"value", TTL_DEFAULT).unwrap();
    }
    cache.get(&[0]).unwrap();
    cache.get(b"none").unwrap();
    let stats = cache.stats().unwrap();
    assert_eq!((stats.hits, stats.misses, stats.engine.entries), (1, 1, 10));
    let info = cache.info().unwrap();
    let node = &info["nodes"][0];
    assert!(node["version"].as_str().unwrap().contains('.'), "{node}");
    assert!(node["used_memory"].as_u64().unwrap() > 100_000);
    assert!(node["connected_clients"].as_u64().unwrap() >= 1);
}

#[test]
fn the_rights_that_the_docs_ask_for_are_enough() {
    let docs = include_str!("../../docs/redis.md");
    let rule = docs.lines().find(|line| line.starts_with("ACL SETUSER")).expect("a rule");
    let server = Server::start();
    assert_eq!(server.say(rule), "+OK\r\n");
    let url = server.url().replace("redis://", "redis://cacher:secret@");
    let mut stack = Config::new("tiered").unwrap();
    stack.add_tier(Config::new("memory").unwrap()).unwrap();
    let mut tier = Config::new("redis").unwrap();
    tier.set("url", &url).unwrap();
    stack.add_tier(tier).unwrap();
    let cache = Cache::open(&stack).unwrap();
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    cache.set_with(b"key", b"value", &tagged).unwrap();
    assert!(cache.get(b"key").unwrap().is_some());
    assert!(cache.info().unwrap()["coherence"].as_str().unwrap().contains("heard"));
    assert_eq!(cache.add(b"key", b"other", TTL_DEFAULT).unwrap(), Stored::Exists);
    assert!(
        cache.touch(b"key", 10_000).unwrap() && cache.touch(b"key", twat_cache::TTL_NEVER).unwrap()
    );
    assert_eq!(cache.incr(b"n", 1, 0, TTL_DEFAULT).unwrap(), 1);
    assert_eq!(cache.incr(b"n", 1, 0, TTL_DEFAULT).unwrap(), 2);
    assert!(cache.invalidate_tag(b"tag").unwrap());
    assert_eq!(cache.expire().unwrap(), 1);
    assert_eq!(cache.delete_prefix(b"n").unwrap(), 1);
    assert_eq!(cache.check(false).unwrap()["entries"], 0);
    assert_eq!(cache.stats().unwrap().engine.entries, 0);
    cache.clear().unwrap();
    let info = cache.info().unwrap();
    assert!(info["tiers"][1]["nodes"][0]["version"].is_string(), "{info:?}");
}

#[test]
fn packing_a_value_is_not_the_servers_time() {
    let server = Server::start();
    let options = [("timeout_ms", "50"), ("compression", "zstd"), ("compression_level", "19")];
    let cache = open(&server.url(), &options);
    let mut random = 1_u64;
    let value: Vec<u8> = (0..400_000)
        .map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + (random >> 60) as u8
        })
        .collect();
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    let begun = std::time::Instant::now();
    cache.set_with(b"key", &value, &tagged).unwrap();
    assert!(begun.elapsed().as_millis() > 50, "too quick to prove anything");
    assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&value[..]));
}
