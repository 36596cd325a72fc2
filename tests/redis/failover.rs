//! Servers that change their role behind one address, and connections that are
//! dead without showing it.

use crate::faults::open;
use crate::proxy::Proxy;
use crate::server::Server;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use twat_cache::{Cache, Code, Config, SetOptions, TTL_DEFAULT};

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Opens `n` connections of a pool, and leaves them at rest.
fn fill_pool(cache: &Cache, n: usize) {
    let barrier = Barrier::new(n);
    std::thread::scope(|scope| {
        for thread in 0..n {
            let (cache, barrier) = (cache, &barrier);
            scope.spawn(move || {
                for round in 0..20_u8 {
                    barrier.wait();
                    let _ = cache.set(&[thread as u8, round], b"value", TTL_DEFAULT);
                }
            });
        }
    });
}

/// A master and its replica, which follows.
fn pair() -> (Server, Server) {
    let start = || Server::with(&["--repl-diskless-sync-delay", "0"]);
    let (master, replica) = (start(), start());
    assert_eq!(replica.say(&format!("REPLICAOF 127.0.0.1 {}", master.port)), "+OK\r\n");
    until("the replica follows", || {
        replica.say("INFO replication").contains("master_link_status:up")
    });
    (master, replica)
}

/// The replica becomes the master, and the other way round.
fn fail_over(master: &Server, replica: &Server) {
    assert_eq!(replica.say("REPLICAOF NO ONE"), "+OK\r\n");
    assert_eq!(master.say(&format!("REPLICAOF 127.0.0.1 {}", replica.port)), "+OK\r\n");
}

#[test]
fn after_a_failover_each_pooled_connection_fails_once_at_most() {
    let (master, replica) = pair();
    let proxy = Proxy::to(master.port);
    let cache = open(&proxy.url(), &[("pool_size", "4"), ("timeout_ms", "5000")]);
    fill_pool(&cache, 4);
    fail_over(&master, &replica);
    // The endpoint has not moved yet: sets fail, and say why.
    let error = cache.set(b"key", b"value", TTL_DEFAULT).unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert!(error.text().starts_with("redis at 127.0.0.1:"), "{error}");
    assert!(error.text().contains("read-only replica"), "{error}");
    fill_pool(&cache, 4);
    proxy.move_to(replica.port);
    let mut failed = 0;
    for n in 0..200_u32 {
        failed += u32::from(cache.set(&n.to_le_bytes(), b"value", TTL_DEFAULT).is_err());
    }
    assert!(failed <= 4, "{failed} of 200 sets failed over 4 connections");
    // Scripts and pipelines are refused in their own words, and go on as well.
    assert!(cache.delete(&1_u32.to_le_bytes()).unwrap());
    assert_eq!(cache.incr(b"n", 1, 0, TTL_DEFAULT).unwrap(), 1);
}

#[test]
fn a_demotion_is_noticed_by_scripts_counters_and_pipelines_too() {
    let (master, replica) = pair();
    let proxy = Proxy::to(master.port);
    for call in 0..4 {
        let cache = open(&proxy.url(), &[("pool_size", "1"), ("timeout_ms", "5000")]);
        cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
        master.say(&format!("REPLICAOF 127.0.0.1 {}", replica.port));
        proxy.move_to(replica.port);
        let run = || match call {
            0 => cache.delete(b"key").map(drop),
            1 => cache.incr(b"n", 1, 0, TTL_DEFAULT).map(drop),
            2 => cache.invalidate_tag(b"tag").map(drop),
            _ => cache.set_many(&[(b"a", b"b"), (b"c", b"d")], &SetOptions::default()),
        };
        replica.say("REPLICAOF NO ONE");
        let error = run().expect_err("the first one finds out");
        assert_eq!(error.code(), Code::Unavailable, "{error}");
        run().unwrap_or_else(|error| panic!("call {call}: {error}"));
        master.say("REPLICAOF NO ONE");
        proxy.move_to(master.port);
    }
}

#[test]
fn refused_sets_do_not_take_the_connections_of_readers() {
    let (_master, replica) = pair();
    let cache = open(&replica.url(), &[("timeout_ms", "5000"), ("connect_timeout_ms", "5000")]);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(cache.get(b"key").unwrap(), None);
                }
            });
        }
        for _ in 0..100 {
            assert!(cache.set(b"key", b"value", TTL_DEFAULT).is_err());
            std::thread::sleep(Duration::from_millis(1));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let made = connections_made(&replica);
    assert!(made < 150, "{made} connections for 100 refused sets");
}

fn connections_made(server: &Server) -> u32 {
    let stats = server.say("INFO stats");
    let made = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    made.and_then(|n| n.trim().parse().ok()).expect("a figure")
}

fn tiers(url: &str) -> Cache {
    let mut stack = Config::new("tiered").unwrap();
    stack.add_tier(Config::new("memory").unwrap()).unwrap();
    let mut last = Config::new("redis").unwrap();
    last.set("url", url).unwrap();
    last.set("timeout_ms", "5000").unwrap();
    stack.add_tier(last).unwrap();
    stack.set("tier_ttl_ms", "600000").unwrap();
    Cache::open(&stack).unwrap()
}

/// A process that only reads never sees READONLY, and a master that was cut off
/// sends no invalidations: the subscription itself must notice.
#[test]
fn tiers_that_only_read_follow_a_failover() {
    let (master, replica) = pair();
    let proxy = Proxy::to(master.port);
    let reader = tiers(&proxy.url());
    let writer = open(&proxy.url(), &[("timeout_ms", "5000")]);
    writer.set(b"key", b"old", TTL_DEFAULT).unwrap();
    until("the tiers listen", || {
        reader.get(b"key").unwrap().as_deref() == Some(b"old")
            && reader.info().unwrap()["coherence"].as_str().unwrap().contains("heard")
    });
    until("the replica has it", || replica.say("EXISTS twat::key") == ":1\r\n");
    replica.say("REPLICAOF NO ONE");
    // A replica of nobody: its data stay what they are.
    let nobody = crate::server::free_port();
    assert_eq!(master.say(&format!("REPLICAOF 127.0.0.1 {nobody}")), "+OK\r\n");
    proxy.move_to(replica.port);
    open(&replica.url(), &[]).set(b"key", b"new", TTL_DEFAULT).unwrap();
    let begun = Instant::now();
    while reader.get(b"key").unwrap().as_deref() != Some(b"new") {
        assert!(begun.elapsed() < Duration::from_secs(3), "the old value is served on");
        std::thread::sleep(Duration::from_millis(20));
    }
    // And it listens again.
    open(&replica.url(), &[]).set(b"key", b"newer", TTL_DEFAULT).unwrap();
    let begun = Instant::now();
    while reader.get(b"key").unwrap().as_deref() != Some(b"newer") {
        assert!(begun.elapsed() < Duration::from_secs(3), "no longer notified");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Nor does a proxy that ends the connection instead of subscribing it cost one
/// connection after the other.
#[test]
fn tiers_over_a_proxy_that_cannot_notify_ask_instead() {
    let server = Server::start();
    let tiers = tiers(&format!(
        "redis://127.0.0.1:{}",
        crate::proxy::strict_proxy(server.port, &["TRACKING"], "")
    ));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(700) {
        tiers.set(b"key", b"value", TTL_DEFAULT).unwrap();
        assert_eq!(tiers.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
        std::thread::sleep(Duration::from_millis(2));
    }
    let made = connections_made(&server);
    assert!(made < 8, "{made} connections");
}

#[test]
fn a_replica_without_its_master_is_left_and_back_within_a_second() {
    let (master, replica) = pair();
    assert_eq!(replica.say("CONFIG SET replica-serve-stale-data no"), "+OK\r\n");
    let cache = open(&replica.url(), &[]);
    assert_eq!(cache.get(b"key").unwrap(), None);
    drop(master);
    until("the link is down", || {
        replica.say("INFO replication").contains("master_link_status:down")
    });
    let error = cache.get(b"key").unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert!(error.text().contains("lost its master"), "{error}");
    replica.say("REPLICAOF NO ONE");
    let begun = Instant::now();
    while cache.set(b"key", b"value", TTL_DEFAULT).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(1), "not back after a second");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_server_that_loads_its_data_says_so_and_is_used_when_it_is_done() {
    let mut server = Server::with(&[
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    let cache = open(&server.url(), &[("timeout_ms", "1000"), ("connect_timeout_ms", "1000")]);
    let keys: Vec<[u8; 4]> = (0..1000_u32).map(u32::to_le_bytes).collect();
    let pairs: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &key[..])).collect();
    cache.set_many(&pairs, &SetOptions::default()).unwrap();
    assert_eq!(server.say("SAVE"), "+OK\r\n");
    server.restart();
    let begun = Instant::now();
    let mut loading = 0;
    loop {
        match cache.get(&keys[7]) {
            Ok(found) => {
                assert_eq!(found.as_deref(), Some(&keys[7][..]));
                break;
            }
            Err(error) => {
                assert_eq!(error.code(), Code::Unavailable, "{error}");
                loading += u32::from(error.text().contains("loading its data"));
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "never loaded");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(loading > 0, "it had loaded before the first call: no test");
}

#[test]
fn connections_that_a_firewall_forgot_cost_one_time_out_together() {
    let server = Server::start();
    let proxy = Proxy::to(server.port);
    let cache = open(&proxy.url(), &[("pool_size", "6"), ("timeout_ms", "400")]);
    fill_pool(&cache, 6);
    assert!(proxy.made() >= 4, "{} connections: no test", proxy.made());
    proxy.forget();
    let begun = Instant::now();
    let mut slow = 0;
    for n in 0..100_u32 {
        let call = Instant::now();
        if cache.set(&n.to_le_bytes(), b"value", TTL_DEFAULT).is_err() {
            slow += u32::from(call.elapsed() >= Duration::from_millis(300));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(slow, 1, "calls that waited for a dead connection");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(cache.set(b"key", b"value", TTL_DEFAULT).is_ok());
}
