//! Golden hit ratios on real traces: each policy has one answer.

use flate2::read::GzDecoder;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use twat_cache::Config;
use twat_cache::policy::host::HostPolicy;

/// FIFO, LRU, LFU, SIEVE, S3-FIFO, in percent (libcachesim 0.3.5).
const POLICIES: [&str; 5] = ["fifo", "lru", "lfu", "sieve", "s3fifo"];
const GOLDEN: [(&str, u64, [f64; 5]); 8] = [
    ("multi3", 1000, [32.97, 37.70, 39.16, 39.16, 51.37]),
    ("multi3", 1500, [37.67, 44.12, 46.48, 46.48, 55.60]),
    ("multi3", 2000, [39.65, 44.59, 46.69, 46.69, 59.10]),
    ("loop", 500, [0.00, 0.00, 0.00, 0.00, 44.42]),
    ("loop", 1000, [0.00, 0.00, 0.00, 0.00, 89.40]),
    ("web12", 1000, [60.82, 64.73, 54.87, 68.23, 69.00]),
    ("web12", 1200, [62.96, 66.85, 57.82, 70.18, 70.83]),
    ("web12", 2000, [68.65, 72.56, 68.18, 74.95, 75.39]),
];

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/traces");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("no traces at {}: nothing to compare", folder.display());
    None
}

fn trace(folder: &Path, name: &str) -> Vec<u64> {
    let path = folder.join(format!("{name}.txt.gz"));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect("a gzip file");
    let mut numbers = HashMap::new();
    let mut number = |key| {
        let next = numbers.len() as u64;
        *numbers.entry(key).or_insert(next)
    };
    text.lines().map(&mut number).collect()
}

/// Percent of accesses that hit: a get, and an insert after each miss.
fn hit_ratio(policy: &str, entries: u64, accesses: &[u64]) -> f64 {
    let mut config = Config::new("memory").expect("an engine");
    config.set("policy", policy).expect("a policy");
    config.set_u64("max_entries", entries).expect("a bound");
    let mut policy = HostPolicy::new(&config).expect("options that fit");
    let distinct = accesses.iter().max().map_or(0, |most| *most as usize + 1);
    // Slots by key (0: not in), and keys by the index that a slot carries.
    let (mut slot_of, mut key_of) = (vec![0_u64; distinct], vec![0_u64; distinct]);
    let (mut hits, mut held) = (0_u32, 0_u64);
    for key in accesses {
        let slot = &mut slot_of[*key as usize];
        if *slot != 0 {
            hits += 1;
            policy.hits(&[*slot]);
            continue;
        }
        *slot = policy.insert(*key, 1).expect("admitted");
        let new = *slot as u32;
        held += 1;
        while let Some(victim) = policy.next_evicted() {
            let left = key_of[victim as u32 as usize] as usize;
            assert_eq!(std::mem::take(&mut slot_of[left]), victim);
            held -= 1;
        }
        key_of[new as usize] = *key;
        assert!(held <= entries);
    }
    100.0 * f64::from(hits) / accesses.len() as f64
}

#[test]
fn every_golden_hit_ratio_holds_to_a_hundredth() {
    let Some(folder) = folder() else { return };
    let mut wrong = Vec::new();
    for name in ["multi3", "loop", "web12"] {
        let accesses = trace(&folder, name);
        for (_, entries, golden) in GOLDEN.iter().filter(|row| row.0 == name) {
            for (policy, golden) in POLICIES.iter().zip(golden) {
                let found = hit_ratio(policy, *entries, &accesses);
                if (found - golden).abs() > 0.01 {
                    wrong.push(format!("{name} @ {entries}, {policy}: {golden}, found {found:.3}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// README.md on S3-FIFO: where it is best, and where it is the wrong one.
#[test]
fn the_readme_says_where_s3fifo_wins_and_where_it_loses() {
    for (name, entries, [others @ .., s3fifo]) in &GOLDEN {
        let best = others.iter().fold(0.0, |best: f64, other| best.max(*other));
        assert!(*s3fifo >= best, "{name} @ {entries}: {s3fifo} and {best}");
    }
    // 1,500 keys forwards and backwards, as shared/traces/backforth.
    let passes = (0..20).map(|pass| pass % 2 == 0);
    let keys = |forwards| (0..1500).map(move |n| if forwards { n } else { 1499 - n });
    let accesses: Vec<u64> = passes.flat_map(keys).collect();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    for (policy, expected) in [("lru", 31.67), ("s3fifo", 3.17)] {
        let found = hit_ratio(policy, 500, &accesses);
        assert!((found - expected).abs() < 0.01, "{policy}: {found:.3}");
        assert!(readme.contains(&format!("{expected:.1} %")), "README.md: {policy} {expected:.1}");
    }
}
