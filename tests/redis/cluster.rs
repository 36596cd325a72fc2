//! A cluster of three nodes.

use crate::conformance;
use crate::conformance::subject::{Opened, Subject, config};
use crate::failover::until;
use crate::hosts::Silent;
use crate::server::Server;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use twat_cache::{Cache, Code, SetOptions, TTL_DEFAULT};

pub struct Cluster(Vec<Server>);

impl Cluster {
    fn start(start: fn(&[&str]) -> Server) -> Self {
        let nodes: Vec<Server> = (0..3)
            .map(|_| {
                start(&[
                    "--cluster-enabled",
                    "yes",
                    "--repl-diskless-sync-delay",
                    "0",
                    "--cluster-node-timeout",
                    "2000",
                    "--cluster-require-full-coverage",
                    "no",
                ])
            })
            .collect();
        let third = 16384 / 3;
        for (i, node) in nodes.iter().enumerate() {
            let (first, last) = (i * third, if i == 2 { 16383 } else { (i + 1) * third - 1 });
            assert_eq!(node.say(&format!("CLUSTER ADDSLOTSRANGE {first} {last}")), "+OK\r\n");
            assert_eq!(node.say(&format!("CLUSTER SET-CONFIG-EPOCH {}", i + 1)), "+OK\r\n");
        }
        for node in &nodes[1..] {
            assert_eq!(nodes[0].say(&format!("CLUSTER MEET 127.0.0.1 {}", node.port)), "+OK\r\n");
        }
        let end = Instant::now() + Duration::from_secs(60);
        let formed = |node: &Server| {
            let info = node.say("CLUSTER INFO");
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
                && info.contains("cluster_slots_ok:16384")
                // Each node must also know who serves what.
                && node.say("CLUSTER SLOTS").matches("127.0.0.1").count() == 3
        };
        while !nodes.iter().all(formed) {
            assert!(Instant::now() < end, "no cluster: {}", nodes[0].say("CLUSTER INFO"));
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(nodes)
    }

    fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", self.0[0].port, self.0[1].port)
    }
}

static SHARED: LazyLock<Cluster> =
    LazyLock::new(|| Cluster::start(Server::with_ending_with_its_parent));

fn open(cluster: &Cluster, options: &[(&str, &str)]) -> Cache {
    let mut config = config("redis", options);
    config.set("url", &cluster.url()).unwrap();
    config.set("timeout_ms", "5000").unwrap();
    config.set("connect_timeout_ms", "5000").unwrap();
    Cache::open(&config).expect("open")
}

fn subject() -> Subject {
    Subject {
        open: Box::new(|options| {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let name = format!("c{}", NEXT.fetch_add(1, Ordering::Relaxed));
            let mut options = options.to_vec();
            options.push(("namespace", &name));
            Opened::new(open(&SHARED, &options), None)
        }),
        wait: |ms| SHARED.0.iter().for_each(|node| node.pass(ms)),
        suspend: |ms| SHARED.0.iter().for_each(|node| node.pass(ms + 1000)),
        boot_time: false,
        bounded: false,
        evicts: false,
        evicts_at_once: false,
        sweeps: false,
        leases: false,
        exact_entries: false,
    }
}

mod promises {
    use super::{conformance, subject};
    conformance::every_promise!(subject);
}

#[test]
fn slots_that_move_are_followed_and_a_lost_node_takes_only_its_keys_along() {
    slots_move_and_a_node_is_lost(Cluster::start(Server::with));
}

/// As behind a proxy or in a container: redirections are `MOVED 3999 :6381`,
/// and stay on the host that was asked.
#[test]
fn nodes_that_know_no_host_of_their_own_are_followed_all_the_same() {
    let cluster = Cluster::start(Server::with);
    // Nodes that are to name themselves by a host name and have none say `?`.
    for node in &cluster.0 {
        let answer = node.say("CONFIG SET cluster-preferred-endpoint-type hostname");
        assert_eq!(answer, "+OK\r\n");
        assert!(node.say("CLUSTER SLOTS").contains("$1\r\n?"), "{}", node.say("CLUSTER SLOTS"));
    }
    let cache = open(&cluster, &[("namespace", "question mark")]);
    for n in 0..100_u32 {
        cache.set(&n.to_le_bytes(), b"value", TTL_DEFAULT).unwrap();
    }
    for node in &cluster.0 {
        let answer = node.say("CONFIG SET cluster-preferred-endpoint-type unknown-endpoint");
        assert_eq!(answer, "+OK\r\n");
        assert!(node.say("CLUSTER SLOTS").contains("$-1\r\n:"), "{}", node.say("CLUSTER SLOTS"));
    }
    slots_move_and_a_node_is_lost(cluster);
}

fn slots_move_and_a_node_is_lost(mut cluster: Cluster) {
    let cache = open(&cluster, &[("namespace", "moving")]);
    let keys: Vec<Vec<u8>> = (0..300_u32).map(|n| n.to_le_bytes().to_vec()).collect();
    let pairs: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &key[..])).collect();
    cache.set_many(&pairs, &SetOptions::default()).unwrap();
    let all: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let whole = |cache: &Cache| {
        let found = cache.get_many(&all).unwrap();
        found.iter().zip(&all).all(|(value, key)| value.as_deref() == Some(*key))
    };
    assert!(whole(&cache));

    // Half-way through a move: what is there is asked for, what is not, moved.
    let name = b"twat:moving:a key that moves";
    cache.set(b"a key that moves", b"value", TTL_DEFAULT).unwrap();
    let slot = String::from_utf8(cluster.0[0].command(&[b"CLUSTER", b"KEYSLOT", name])).unwrap();
    let slot: usize = slot[1..].trim().parse().unwrap();
    let from = (slot / (16384 / 3)).min(2);
    let to = (from + 1) % 3;
    let id = |node: &Server| {
        let answer = node.say("CLUSTER MYID");
        answer.lines().nth(1).expect("an id").to_owned()
    };
    let (source, target) = (&cluster.0[from], &cluster.0[to]);
    let (source_id, target_id) = (id(source), id(target));
    assert_eq!(target.say(&format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}")), "+OK\r\n");
    assert_eq!(source.say(&format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}")), "+OK\r\n");
    let port = target.port.to_string();
    let moved = source.command(&[b"MIGRATE", b"127.0.0.1", port.as_bytes(), name, b"0", b"5000"]);
    assert_eq!(moved, b"+OK\r\n");
    assert_eq!(cache.get(b"a key that moves").unwrap().as_deref(), Some(&b"value"[..]), "ASK");
    for node in [target, source] {
        assert_eq!(node.say(&format!("CLUSTER SETSLOT {slot} NODE {target_id}")), "+OK\r\n");
    }
    assert_eq!(cache.get(b"a key that moves").unwrap().as_deref(), Some(&b"value"[..]), "MOVED");
    cache.set(b"a key that moves", b"other", TTL_DEFAULT).unwrap();
    assert_eq!(cache.get(b"a key that moves").unwrap().as_deref(), Some(&b"other"[..]));

    cluster.0[2].kill();
    let (mut served, mut down) = (0, 0);
    for key in &all {
        match cache.get(key) {
            Ok(value) => {
                assert_eq!(value.as_deref(), Some(*key));
                served += 1;
            }
            Err(error) => {
                assert_eq!(error.code(), Code::Unavailable, "{error}");
                down += 1;
            }
        }
    }
    assert!(served > 100 && down > 20, "{served} served, {down} not");
}

#[test]
fn a_server_without_cluster_is_told() {
    let server = Server::start();
    let mut config = config("redis", &[]);
    config.set("url", &server.url().replace("redis://", "redis+cluster://")).unwrap();
    let cache = Cache::open(&config).unwrap();
    let error = cache.get(b"key").unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.text().contains("expected a cluster node"), "{error}");
}

#[test]
fn a_plain_url_to_a_node_of_a_cluster_says_which_url_to_use() {
    let mut config = config("redis", &[("timeout_ms", "5000"), ("connect_timeout_ms", "5000")]);
    config.set("url", &SHARED.0[0].url()).unwrap();
    let cache = Cache::open(&config).unwrap();
    let mut moved = 0;
    for n in 0..50_u8 {
        if let Err(error) = cache.get(&[n]) {
            assert_eq!(error.code(), Code::Unavailable, "{error}");
            assert!(error.text().contains("use redis+cluster://"), "{error}");
            moved += 1;
        }
    }
    assert!(moved > 10, "{moved} of 50 keys were elsewhere");
}

#[test]
fn a_silent_first_host_keeps_no_cluster_from_being_found() {
    let Some(silent) = Silent::at("127.0.0.3", 0) else {
        return println!("not run: 127.0.0.3 is no address of this machine");
    };
    let url = format!("redis+cluster://{},127.0.0.1:{}", silent.address(), SHARED.0[0].port);
    let mut config = config("redis", &[("timeout_ms", "5000"), ("connect_timeout_ms", "200")]);
    config.set("url", &url).unwrap();
    let cache = Cache::open(&config).unwrap();
    // Each call comes when the pause after the failure of the last is over.
    let mut served = 0;
    for _ in 0..4 {
        served += u32::from(cache.get(b"key").is_ok());
        std::thread::sleep(Duration::from_millis(400));
    }
    assert!(served >= 3, "{served} of 4 calls found the cluster");
}

#[test]
fn a_replica_that_takes_over_is_found_and_a_demoted_master_is_left() {
    let cluster = Cluster::start(Server::with);
    let replica = Server::with(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
    let master = &cluster.0[1];
    assert_eq!(replica.say(&format!("CLUSTER MEET 127.0.0.1 {}", master.port)), "+OK\r\n");
    let id = master.say("CLUSTER MYID").lines().nth(1).expect("an id").to_owned();
    until("the replica knows its master", || {
        replica.say(&format!("CLUSTER REPLICATE {id}")) == "+OK\r\n"
    });
    until("the replica follows", || {
        replica.say("INFO replication").contains("master_link_status:up")
    });
    let cache = open(&cluster, &[("namespace", "taken over")]);
    let keys: Vec<[u8; 4]> = (0..200_u32).map(u32::to_le_bytes).collect();
    for key in &keys {
        cache.set(key, key, TTL_DEFAULT).unwrap();
    }
    let whole = || keys.iter().filter(|key| cache.get(&key[..]).ok().flatten().is_some()).count();
    assert_eq!(whole(), keys.len());
    // Asked to, it takes over from a master that lives and becomes its replica.
    until("the replica has all", || replica.say("DBSIZE") == master.say("DBSIZE"));
    until("all know the replica", || {
        cluster.0.iter().all(|node| node.say("CLUSTER NODES").contains("slave"))
    });
    // The cluster gives up a vote after 5 seconds; then it can be asked again.
    let mut asked: Option<Instant> = None;
    until("it is the master", || {
        if asked.is_none_or(|at| at.elapsed() > Duration::from_secs(6)) {
            assert_eq!(replica.say("CLUSTER FAILOVER"), "+OK\r\n");
            asked = Some(Instant::now());
        }
        replica.say("ROLE").contains("master")
    });
    until("the old one follows", || master.say("ROLE").contains("slave"));
    until("all keys are served again", || whole() == keys.len());
    for key in &keys {
        cache.set(key, b"new", TTL_DEFAULT).unwrap();
    }
    let nodes = cache.info().unwrap()["nodes"].to_string();
    assert!(nodes.contains(&replica.port.to_string()), "{nodes}");
    assert!(!nodes.contains(&master.port.to_string()), "{nodes}");
    // Nothing rests towards the old master any more.
    until("the old master is left", || {
        !master.say("CLIENT LIST").contains(concat!("name=twat-cache-", env!("CARGO_PKG_VERSION")))
    });
}
