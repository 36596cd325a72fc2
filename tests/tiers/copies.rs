//! What is copied where, and what an invalidation does to it.

use crate::server::Server;
use crate::{shift_clocks, stack};
use serde_json::Value as Json;
use std::time::{Duration, Instant};
use twat_cache::{Cache, Code, SetOptions, TTL_DEFAULT, TTL_NEVER};

fn open(
    names: &[&str],
    options: &[(&str, &str)],
    url: &str,
    directory: &tempfile::TempDir,
) -> Cache {
    Cache::open(&stack(names, options, url, directory)).expect("open")
}

fn figure(cache: &Cache, tier: usize, name: &str) -> u64 {
    let info = cache.info().expect("info");
    info["tiers"][tier][name].as_u64().unwrap_or_else(|| panic!("{name} of {info:?}"))
}

fn coherence(cache: &Cache) -> String {
    cache.info().expect("info").get("coherence").and_then(Json::as_str).expect("a text").to_owned()
}

/// Waits for what must come within a second.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(5), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

#[test]
fn a_hit_is_copied_upwards_and_served_from_there() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(&["memory", "disk"], &[], "", &directory);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    for _ in 0..10 {
        assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    }
    assert_eq!((figure(&cache, 0, "hits"), figure(&cache, 1, "hits")), (9, 1));
    assert_eq!((figure(&cache, 0, "entries"), figure(&cache, 0, "copies")), (1, 1));
    // Other keys' writes cost a look, not a read.
    for n in 0..10_u8 {
        cache.set(&[n], b"other", TTL_DEFAULT).unwrap();
        assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    }
    assert_eq!((figure(&cache, 0, "hits"), figure(&cache, 1, "hits")), (19, 1));
    assert_eq!(cache.stats().unwrap().hits, 20);
}

#[test]
fn over_a_disk_every_kind_of_change_by_another_is_seen_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let one = open(&["memory", "disk"], &[], "", &directory);
    let other = open(&["memory", "disk"], &[], "", &directory);
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    let long = vec![b'k'; 600];
    for key in [&b"key"[..], b"", &long] {
        let warm = || {
            one.set_with(key, b"old", &tagged).unwrap();
            let before = figure(&one, 0, "hits");
            one.get(key).unwrap();
            // Neighbours change, and are not taken for it.
            for n in 0..50_u8 {
                other.set(&[n], b"neighbour", TTL_DEFAULT).unwrap();
                assert_eq!(one.get(key).unwrap().as_deref(), Some(&b"old"[..]));
            }
            assert!(figure(&one, 0, "hits") >= before + 50);
        };
        let now = || one.get(key).unwrap().map(|value| value.to_vec());
        warm();
        other.set(key, b"new", TTL_DEFAULT).unwrap();
        assert_eq!(now().as_deref(), Some(&b"new"[..]), "set");
        warm();
        assert!(other.delete(key).unwrap());
        assert_eq!(now(), None, "delete");
        warm();
        assert!(other.invalidate_tag(b"tag").unwrap());
        assert_eq!(now(), None, "tag");
        warm();
        other.delete_prefix(key).unwrap();
        assert_eq!(now(), None, "prefix");
        warm();
        other.clear().unwrap();
        assert_eq!(now(), None, "clear");
        one.incr(key, 1, 0, TTL_DEFAULT).unwrap();
        now();
        other.incr(key, 1, 0, TTL_DEFAULT).unwrap();
        assert_eq!(now().unwrap()[1], 2, "incr");
        warm();
        other.set_many(&[(key, b"many")], &SetOptions::default()).unwrap();
        assert_eq!(now().as_deref(), Some(&b"many"[..]), "set_many");
        warm();
        assert!(other.touch(key, 100).unwrap());
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(now(), None, "touch");
    }
}

#[test]
fn large_values_stay_below_or_go_around() {
    let server = Server::start();
    let large = vec![7; 1000];
    for (large_goes, between) in [("through", 1), ("around", 0)] {
        let directory = tempfile::tempdir().unwrap();
        let options =
            [("small_max_bytes", "100"), ("large", large_goes), ("namespace", large_goes)];
        let cache = open(&["memory", "disk", "redis"], &options, &server.url(), &directory);
        cache.set(b"large", &large, TTL_DEFAULT).unwrap();
        cache.set(b"small", b"value", TTL_DEFAULT).unwrap();
        for _ in 0..3 {
            assert_eq!(cache.get(b"large").unwrap().as_deref(), Some(&large[..]));
            assert_eq!(cache.get(b"small").unwrap().as_deref(), Some(&b"value"[..]));
        }
        assert_eq!(figure(&cache, 0, "entries"), 1, "{large_goes}");
        assert_eq!(figure(&cache, 1, "entries"), 1 + between, "{large_goes}");
    }
}

#[test]
fn a_copy_on_disk_serves_the_next_process_after_one_look_at_the_server() {
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let names = ["memory", "disk", "redis"];
    let cache = open(&names, &[], &server.url(), &directory);
    cache.set(b"kept", b"value", TTL_DEFAULT).unwrap();
    cache.set(b"changed", b"old", TTL_DEFAULT).unwrap();
    cache.set(b"deleted", b"old", TTL_DEFAULT).unwrap();
    for key in [&b"kept"[..], b"changed", b"deleted"] {
        cache.get(key).unwrap();
    }
    cache.close().unwrap();
    let other_host = tempfile::tempdir().unwrap();
    let other = open(&names, &[], &server.url(), &other_host);
    other.set(b"changed", b"new", TTL_DEFAULT).unwrap();
    other.delete(b"deleted").unwrap();
    let cache = open(&names, &[], &server.url(), &directory);
    assert_eq!(cache.get(b"kept").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!((figure(&cache, 1, "hits"), figure(&cache, 2, "hits")), (1, 0));
    assert_eq!(cache.get(b"changed").unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(cache.get(b"deleted").unwrap(), None);
}

#[test]
fn copies_between_are_not_taken_for_entries_of_the_store() {
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let cache = open(&["memory", "disk", "redis"], &[], &server.url(), &directory);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    cache.get(b"key").unwrap();
    let mut plain = twat_cache::Config::new("disk").unwrap();
    for (name, value) in [("map_size", "1073741824"), ("max_bytes", "268435456")] {
        plain.set(name, value).unwrap();
    }
    plain.set("path", directory.path().to_str().unwrap()).unwrap();
    let plain = Cache::open(&plain).unwrap();
    assert_eq!(plain.get(b"key").unwrap(), None);
}

#[test]
fn a_change_by_another_client_is_heard() {
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    // Without hearing the copy would be served for ten minutes.
    let options = [("tier_ttl_ms", "600000")];
    let one = open(&["memory", "redis"], &options, &server.url(), &directory);
    let other = open(&["memory", "redis"], &options, &server.url(), &directory);
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    let warm = |key: &[u8]| {
        one.set_with(key, b"old", &tagged).unwrap();
        soon("a copy", || {
            let before = figure(&one, 0, "hits");
            one.get(key).unwrap();
            figure(&one, 0, "hits") > before
        });
        // Its own write is heard of, too; once that has passed, it stays.
        std::thread::sleep(Duration::from_millis(30));
        one.get(key).unwrap();
    };
    let is = |key: &[u8], value: Option<&[u8]>| one.get(key).unwrap().as_deref() == value;
    warm(b"set");
    assert!(coherence(&one).contains("heard"));
    other.set(b"set", b"new", TTL_DEFAULT).unwrap();
    let heard = soon("the new value", || is(b"set", Some(b"new")));
    assert!(heard < Duration::from_millis(500), "heard after {heard:?}");
    warm(b"deleted");
    other.delete(b"deleted").unwrap();
    soon("the deletion", || is(b"deleted", None));
    warm(b"tagged");
    other.invalidate_tag(b"tag").unwrap();
    soon("the invalidation", || is(b"tagged", None));
    warm(b"touched");
    other.touch(b"touched", 1).unwrap();
    soon("its end", || is(b"touched", None));
    warm(b"cleared");
    other.clear().unwrap();
    soon("the clearing", || is(b"cleared", None));
    warm(b"flushed");
    server.say("FLUSHALL");
    soon("the flush", || is(b"flushed", None));
}

#[test]
fn a_copy_made_before_hearing_was_lost_is_asked_about_when_it_is_back() {
    let mut server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let options = [("tier_ttl_ms", "600000")];
    let cache = open(&["memory", "redis"], &options, &server.url(), &directory);
    cache.set(b"key", b"old", TTL_DEFAULT).unwrap();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        cache.get(b"key").unwrap();
    }
    assert!(coherence(&cache).contains("heard"));
    server.restart();
    soon("the loss", || matches!(cache.get(b"key"), Ok(None)));
}

#[test]
fn without_hearing_a_copy_is_asked_about_after_its_time() {
    let server = Server::start();
    server.say("ACL SETUSER default -client|tracking");
    let directory = tempfile::tempdir().unwrap();
    let options = [("tier_ttl_ms", "300")];
    let one = open(&["memory", "redis"], &options, &server.url(), &directory);
    let other = open(&["memory", "redis"], &options, &server.url(), &directory);
    one.set(b"key", b"old", TTL_DEFAULT).unwrap();
    one.get(b"key").unwrap();
    assert!(coherence(&one).contains("asked about"));
    other.set(b"key", b"new", TTL_DEFAULT).unwrap();
    assert_eq!(one.get(b"key").unwrap().as_deref(), Some(&b"old"[..]), "within its time");
    soon("the new value", || one.get(b"key").unwrap().as_deref() == Some(&b"new"[..]));
    // What has not changed is asked about, not fetched.
    let fetched = figure(&one, 1, "hits");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(one.get(b"key").unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(figure(&one, 1, "hits"), fetched);
}

#[test]
fn while_the_server_is_down_copies_are_served_for_their_time_and_then_errors() {
    let mut server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let mut config = stack(&["memory", "redis"], &[], &server.url(), &directory);
    config.set("tier_ttl_ms", "400").unwrap();
    let cache = Cache::open(&config).unwrap();
    cache.set(b"key", b"value", TTL_NEVER).unwrap();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        cache.get(b"key").unwrap();
    }
    server.kill();
    assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    soon(
        "an error",
        || matches!(cache.get(b"key"), Err(error) if error.code() == Code::Unavailable),
    );
}

#[test]
fn a_copy_ends_with_its_entry_and_with_its_tiers_own_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut short = twat_cache::Config::new("tiered").unwrap();
    let mut memory = twat_cache::Config::new("memory").unwrap();
    memory.set("ttl_ms", "100000").unwrap();
    short.add_tier(memory).unwrap();
    short.add_tier(stack(&["disk"], &[], "", &directory).tiers()[0].clone()).unwrap();
    let cache = Cache::open(&short).unwrap();
    cache.set(b"key", b"value", TTL_NEVER).unwrap();
    cache.get(b"key").unwrap();
    cache.get(b"key").unwrap();
    let from_memory = figure(&cache, 0, "hits");
    shift_clocks(150_000);
    assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(figure(&cache, 0, "hits"), from_memory, "the copy's time was over");
}

#[test]
fn after_a_pause_all_that_was_told_meanwhile_is_heard_before_a_copy_is_served() {
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let options = [("tier_ttl_ms", "100")];
    let cache = open(&["memory", "redis"], &options, &server.url(), &directory);
    cache.set(b"key", b"old", TTL_DEFAULT).unwrap();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        cache.get(b"key").unwrap();
    }
    assert!(coherence(&cache).contains("heard"));
    // More messages than the sockets hold, and what concerns the copy comes last.
    let script = "for i=1,300000 do redis.call('SET','twat::other'..i,'') end return 'OK'";
    for _ in 0..3 {
        assert_eq!(server.command(&[b"EVAL", script.as_bytes(), b"0"]), b"$2\r\nOK\r\n");
    }
    server.command(&[b"DEL", b"twat::key"]);
    std::thread::sleep(Duration::from_millis(1500));
    // Not even now, when the rest of it cannot arrive.
    server.stop();
    let found = cache.get(b"key");
    server.go_on();
    assert!(!matches!(found, Ok(Some(_))), "deleted 1.5 s ago: {found:?}");
    soon("its end", || matches!(cache.get(b"key"), Ok(None)));
}
