//! The redis engine against real servers, which these tests start themselves.
//! Without redis-server they fail, and say how to get one.

#![expect(unsafe_code, reason = "signals and forks")]

#[path = "redis/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "what other engines need")]
#[path = "conformance/mod.rs"]
mod conformance;
#[path = "redis/descriptors.rs"]
mod descriptors;
#[path = "redis/failover.rs"]
mod failover;
#[path = "redis/faults.rs"]
mod faults;
#[path = "redis/greeting.rs"]
mod greeting;
#[path = "redis/hosts.rs"]
mod hosts;
#[path = "redis/proxy.rs"]
mod proxy;
#[path = "redis/server.rs"]
mod server;
#[path = "redis/sharing.rs"]
mod sharing;
#[path = "redis/tls.rs"]
mod tls;
#[path = "redis/trust.rs"]
mod trust;

use conformance::subject::{Opened, Subject, config};
use server::Server;
use std::sync::LazyLock;
use twat_cache::{Cache, Config};

/// One server for the promises; each cache has a namespace of its own.
static SHARED: LazyLock<Server> = LazyLock::new(Server::ending_with_its_parent);

fn fresh(options: &[(&str, &str)]) -> Config {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let mut config = config("redis", options);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    config.set("url", &SHARED.url()).unwrap();
    config.set("namespace", &format!("n{n}")).unwrap();
    // The promises run side by side on a busy machine.
    config.set("timeout_ms", "5000").unwrap();
    config.set("connect_timeout_ms", "5000").unwrap();
    config
}

fn subject() -> Subject {
    Subject {
        open: Box::new(|options| Opened::new(Cache::open(&fresh(options)).expect("open"), None)),
        wait: |ms| SHARED.pass(ms),
        suspend: |ms| SHARED.pass(ms + 1000),
        boot_time: false,
        bounded: false,
        evicts: false,
        evicts_at_once: false,
        sweeps: false,
        leases: false,
        // They are counted by a walk of the server, of bounded length.
        exact_entries: false,
    }
}

mod promises {
    use super::{conformance, subject};
    conformance::every_promise!(subject);
}
