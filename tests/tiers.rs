//! Tiers: each combination keeps the promises of a cache, and no process is
//! served what another one has replaced or deleted.

#![expect(unsafe_code, reason = "signals and forks")]

#[path = "tiers/coherence.rs"]
mod coherence;
#[expect(dead_code, reason = "what other engines need")]
#[path = "conformance/mod.rs"]
mod conformance;
#[path = "tiers/copies.rs"]
mod copies;
#[path = "redis/server.rs"]
mod server;

use conformance::subject::{Opened, Subject, config, shift_clocks, suspend_clocks};
use server::Server;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use twat_cache::{Cache, Config};

/// One server for the promises; each cache has a namespace of its own.
static SHARED: LazyLock<Server> = LazyLock::new(Server::ending_with_its_parent);

/// A stack, from its engines' names, over a fresh directory and namespace.
fn stack(names: &[&str], options: &[(&str, &str)], url: &str, directory: &TempDir) -> Config {
    let mut stack = config("tiered", options);
    for name in names {
        let mut tier = Config::new(name).expect("a known engine");
        if matches!(*name, "disk" | "file") {
            tier.set("path", directory.path().to_str().expect("a plain path")).expect("a path");
            tier.set("map_size", "1073741824").expect("a size");
            tier.set("max_bytes", "268435456").expect("a bound");
        }
        if *name == "redis" {
            tier.set("url", url).expect("a url");
            tier.set("timeout_ms", "5000").expect("a time");
            tier.set("connect_timeout_ms", "5000").expect("a time");
        }
        if *name == "memory" {
            tier.set("max_entries", "100000").expect("a bound");
        }
        stack.add_tier(tier).expect("a tier");
    }
    stack
}

fn subject(
    names: &'static [&'static str],
    own: &'static [(&'static str, &'static str)],
) -> Subject {
    let last = names[names.len() - 1];
    Subject {
        open: Box::new(move |options| {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let directory = tempfile::tempdir().expect("a directory");
            let mut stack = stack(names, options, &SHARED.url(), &directory);
            own.iter().for_each(|(name, value)| stack.set(name, value).expect("an option"));
            if last == "redis" {
                let n = NEXT.fetch_add(1, Ordering::Relaxed);
                stack.set("namespace", &format!("n{n}")).expect("a namespace");
            }
            Opened::new(Cache::open(&stack).expect("open"), Some(Box::new(directory)))
        }),
        wait: |ms| {
            SHARED.pass(ms);
            shift_clocks(ms);
        },
        suspend: |ms| {
            SHARED.pass(ms + 1000);
            suspend_clocks(ms);
        },
        // The last tier's.
        boot_time: names[names.len() - 1] == "memory",
        bounded: false,
        evicts: false,
        evicts_at_once: true,
        sweeps: last != "redis",
        leases: last != "redis",
        exact_entries: last != "redis",
    }
}

macro_rules! conform {
    ($($stack:ident: $names:expr, $own:expr;)*) => {$(
        mod $stack {
            use super::{Subject, conformance, subject};
            fn stack() -> Subject { subject(&$names, &$own) }
            conformance::every_promise!(stack);
        }
    )*};
}

conform! {
    memory_over_memory: ["memory", "memory"], [];
    memory_over_disk: ["memory", "disk"], [];
    memory_over_file: ["memory", "file"], [];
    memory_over_redis: ["memory", "redis"], [];
    memory_over_redis_always_asked: ["memory", "redis"], [("tier_ttl_ms", "0")];
    memory_over_disk_over_redis: ["memory", "disk", "redis"], [];
    only_small_ones_above: ["memory", "disk", "redis"], [("small_max_bytes", "8"), ("large", "around")];
}
