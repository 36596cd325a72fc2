//! What a cache promises, run against every engine. A new engine is one line
//! in `conform!` below; what it may do otherwise stands in its [`Subject`].

#[path = "conformance/mod.rs"]
mod conformance;

use conformance::subject::{Subject, disk, memory, memory_with, null};

macro_rules! conform {
    ($($engine:ident: $subject:expr;)*) => {$(
        mod $engine {
            use super::*;
            fn subject() -> Subject { $subject }
            conformance::every_promise!(subject);
        }
    )*};
}

conform! {
    memory_lru: memory("lru");
    memory_mru: memory("mru");
    memory_fifo: memory("fifo");
    memory_lifo: memory("lifo");
    memory_lfu: memory("lfu");
    memory_rr: memory("rr");
    memory_sieve: memory("sieve");
    memory_s3fifo: memory("s3fifo");
    memory_unbounded: memory_with("lru", &[]);
    memory_by_bytes: memory_with("s3fifo", &[("max_bytes", "1000000000")]);
    memory_one_shard: memory_with("lru", &[("max_entries", "4096")]);
    memory_none: memory("none");
    memory_tinylfu: Subject { evicts_at_once: false, exact_entries: false, ..memory("tinylfu") };
    disk_lru: disk("disk", &[]);
    disk_lfu: disk("disk", &[("policy", "lfu")]);
    disk_fifo: disk("disk", &[("policy", "fifo"), ("namespace", "n")]);
    disk_rr: disk("disk", &[("policy", "rr")]);
    disk_lz4: disk("disk", &[("compression", "lz4"), ("compress_min_bytes", "10")]);
    disk_small_inline: disk("disk", &[("inline_max_bytes", "64"), ("verify", "always")]);
    disk_synced: disk("disk", &[("durability", "system")]);
    file: disk("file", &[]);
    file_zstd: disk("file", &[("compression", "zstd"), ("compress_min_bytes", "0")]);
}

#[test]
fn null_keeps_nothing_and_answers_every_call() {
    conformance::keeps_nothing(&null());
}
