//! Damaged files, verified before LMDB maps them.

use crate::harness::*;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;
use twat_cache::{Code, SetOptions, TTL_DEFAULT};

const ENTRIES: u64 = 400;

fn key_of(n: u64) -> String {
    format!("{:03} {}", n, "k".repeat(n as usize % 200))
}

fn size_of(n: u64) -> usize {
    match n % 16 {
        0 => 60_000,
        1..4 => 6_000,
        _ => 40 + n as usize,
    }
}

fn write_all(cache: &twat_cache::Cache) {
    for n in 0..ENTRIES {
        let (key, tag) = (key_of(n), format!("tag {}", n % 5));
        let options = SetOptions {
            ttl_ms: if n % 3 == 0 { 3_600_000 } else { TTL_DEFAULT },
            tags: if n % 7 == 0 { &[tag.as_bytes()] } else { &[] },
            ..SetOptions::default()
        };
        cache.set_with(key.as_bytes(), &value(&key, 1, size_of(n)), &options).expect("a set");
    }
    // A second version, so that there are free pages and an older snapshot.
    for n in (0..ENTRIES).step_by(2) {
        let key = key_of(n);
        cache.set(key.as_bytes(), &value(&key, 2, size_of(n)), TTL_DEFAULT).expect("a set");
    }
}

/// Opens a damaged store as a user would, reads everything, then writes.
pub fn reader(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let config = config(dir, &[("inline_max_bytes", "20000"), ("check", &args["check"])]);
    let cache = match twat_cache::Cache::open(&config) {
        Ok(cache) => cache,
        Err(error) => return tell(format!("refused {error}")),
    };
    let (mut hits, mut misses, mut errors) = (0, 0, 0);
    for n in 0..ENTRIES {
        let key = key_of(n);
        match timely("get", || cache.get(key.as_bytes())) {
            Ok(Some(bytes)) => match version_of(&key, &bytes) {
                Ok(version) if version == 2 - n % 2 => hits += 1,
                Ok(version) => tell(format!("wrong {key}: version {version}")),
                Err(why) => tell(format!("wrong {why}")),
            },
            Ok(None) => misses += 1,
            // The one byte whose damage cannot be told from a newer library.
            Err(error) if error.code() == Code::Version => misses += 1,
            Err(error) => {
                tell(format!("error {key}: {:?} {error}", error.code()));
                errors += 1;
            }
        }
    }
    // Whatever these answer, they answer, and the store can be used again.
    let mut scan = cache.scan(b"0");
    while let Ok(scan) = &mut scan
        && let Ok(Some(_)) = scan.next_key()
    {}
    let _ = (cache.stats(), cache.expire(), cache.check(false), cache.invalidate_tag(b"tag 1"));
    let (mut refused, mut lost) = (0, 0);
    for n in 0..ENTRIES {
        let key = format!("new {n}");
        let bytes = value(&key, 3, size_of(n));
        match timely("set", || cache.set(key.as_bytes(), &bytes, TTL_DEFAULT)) {
            Ok(()) => match timely("get", || cache.get(key.as_bytes())) {
                Ok(Some(found)) if found[..] == bytes[..] => {}
                Ok(Some(found)) => tell(format!("wrong {key}: {} bytes", found.len())),
                Ok(None) => lost += 1,
                Err(_) => errors += 1,
            },
            Err(_) => refused += 1,
        }
    }
    let aside = std::fs::read_dir(dir.parent().unwrap())
        .unwrap()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().contains(".corrupt-"));
    let cleared = cache.clear().is_ok();
    tell(format!("read {hits} {misses} {errors} {refused} {lost} {aside} {cleared}"));
}

/// Fills a store and waits to be killed.
pub fn writer(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let cache = open(dir, &[("inline_max_bytes", "20000")]);
    write_all(&cache);
    tell("ready");
    std::thread::sleep(Duration::from_secs(60));
}

/// Changes nothing that a reader looks for, and says when it has written.
pub fn toucher(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[("inline_max_bytes", "20000")]);
    cache.set(b"another", b"value", TTL_DEFAULT).expect("a set");
    if args["end"] == "close" {
        return cache.close().expect("a close");
    }
    tell("ready");
    std::thread::sleep(Duration::from_secs(60));
}

/// Does one kind of damage to a store; tells what it did.
fn damage(store: &Path, random: &mut Random) -> String {
    let name = match random.below(12) {
        0 => "lock.mdb",
        1 => "boot.lock",
        _ => "data.mdb",
    };
    let options = std::fs::OpenOptions::new().read(true).write(true).open(store.join(name));
    let what = damage_file(&options.expect("a file"), random);
    format!("{name}: {what}")
}

fn damage_file(file: &std::fs::File, random: &mut Random) -> String {
    let length = file.metadata().expect("metadata").len();
    let page = random.below(length.div_ceil(4096)) * 4096;
    let flip = |at: u64, bit: u64| {
        let mut byte = [0];
        if file.read_exact_at(&mut byte, at).is_ok() {
            byte[0] ^= 1 << bit;
            file.write_all_at(&byte, at).expect("a byte");
        }
    };
    match random.below(10) {
        0 => {
            let (at, bit) = (page + random.below(16), random.below(8));
            flip(at, bit);
            format!("bit {bit} of byte {at}, a page's header")
        }
        1 => {
            let (at, bit) = (random.below(2) * 4096 + random.below(152), random.below(8));
            flip(at, bit);
            format!("bit {bit} of byte {at}, a meta page")
        }
        2 => {
            let count = random.below(8) + 1;
            let bits: Vec<_> =
                (0..count).map(|_| (random.below(length), random.below(8))).collect();
            bits.iter().for_each(|(at, bit)| flip(*at, *bit));
            format!("bits {bits:?}")
        }
        3 => {
            file.write_all_at(&[0; 4096], page).expect("a page");
            format!("zeros over page {}", page / 4096)
        }
        4 => {
            file.write_all_at(&random.bytes(4096), page).expect("a page");
            format!("noise over page {}", page / 4096)
        }
        5 => {
            let bytes = random.bytes(2);
            let at = page + random.below(24);
            file.write_all_at(&bytes, at).expect("two bytes");
            format!("{bytes:?} at {at}, a page's header")
        }
        6 => {
            let (at, bit) = (page + 16 + random.below(64), random.below(8));
            flip(at, bit);
            format!("bit {bit} of byte {at}, an offset of a node")
        }
        7 => {
            let mut other = [0; 4096];
            let from = random.below((length / 4096).max(1)) * 4096;
            if file.read_exact_at(&mut other, from).is_ok() {
                file.write_all_at(&other, page).expect("a page");
            }
            format!("page {} over page {}", from / 4096, page / 4096)
        }
        8 => {
            file.set_len(page).expect("a cut");
            format!("cut to page {}", page / 4096)
        }
        _ => {
            let keep = random.below(length);
            file.set_len(keep).expect("a cut");
            format!("cut to {keep} of {length} bytes")
        }
    }
}

/// What the last user of a store did before the damage.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Last {
    /// It was killed; the damaged store is a copy.
    KilledThenCopied,
    /// It was killed over the very file that is damaged.
    Killed,
    /// It closed the very file that is damaged.
    Closed,
}

/// What a reader found of a damaged store.
#[derive(Debug, Default)]
struct Tally {
    wrong: u64,
    crashes: u64,
    hangs: u64,
    refused: u64,
    set_aside: u64,
    kept: u64,
    missed: u64,
}

impl Tally {
    fn count(&mut self, what: &str, told: &[String], status: Option<std::process::ExitStatus>) {
        let last = told.last().map_or("", String::as_str);
        self.wrong += told.iter().filter(|line| line.starts_with("wrong")).count() as u64;
        let figures: Vec<_> = last.split(' ').collect();
        match figures[..] {
            ["read", hits, _, errors, _, lost, aside, cleared] => {
                self.set_aside += u64::from(aside == "true");
                self.kept += u64::from(aside == "false");
                let all = hits.parse::<u64>().expect("a number") == ENTRIES;
                self.missed += u64::from(aside == "false" && !all);
                assert_eq!((errors, lost, cleared), ("0", "0", "true"), "{what}: {told:?}");
            }
            ["refused", ..] => self.refused += 1,
            _ if status.is_none() => self.hangs += 1,
            _ => self.crashes += 1,
        }
        let explained = status.is_none_or(|status| status.success() || status.signal().is_some());
        assert!(explained, "{what}: {told:?} {status:?}");
    }
}

/// Damages copies of one store, each in its own way, and has a process open,
/// read and write each of them. `make soak` takes 4,000 in all.
fn damaged_stores(check: &str, last: Last, stores: u64, seed: u64) {
    let scene = Scene::in_memory(&format!("damaged-{check}-{last:?}"));
    let original = scene.stores().join("original");
    let dir = |store: &Path| ("dir", store.display().to_string());
    let mut writer = spawn("damage-writer", &args([dir(&original)]));
    writer.expect("ready");
    writer.kill();
    let stores = scaled(stores) * if is_soak() { 2 } else { 1 };
    scene.log(format!("{stores} damaged stores, check {check}, {last:?}, seed {seed}"));
    let (mut random, mut tally) = (Random::new(seed), Tally::default());
    for n in 0..stores {
        scene.progress(n, stores);
        let place = scene.stores().join(n.to_string());
        std::fs::create_dir(&place).expect("a directory");
        let copied = std::process::Command::new("cp").arg("-a").args([&original, &place]).status();
        assert!(copied.expect("cp").success());
        let store = place.join("original");
        if last != Last::KilledThenCopied {
            let end = if last == Last::Closed { "close" } else { "kill" };
            let mut toucher = spawn("damage-toucher", &args([dir(&store), ("end", end.into())]));
            match last {
                Last::Closed => assert!(toucher.finish(HANG * 10).1.success()),
                _ => {
                    toucher.expect("ready");
                    toucher.kill();
                }
            }
        }
        let what = damage(&store, &mut random);
        let child = spawn("damage-reader", &args([dir(&store), ("check", check.into())]));
        let (told, status) = child.end(Duration::from_secs(20));
        let said = told.last().cloned().unwrap_or_default();
        scene.note(format!("{n}: {what}: {said}, {status:?}"));
        tally.count(&format!("{n}: {what}"), &told, status);
        std::fs::remove_dir_all(&place).ok();
    }
    scene.log(format!("check {check}, {last:?}: {tally:?}"));
    let Tally { wrong, crashes, hangs, refused, .. } = tally;
    assert_eq!([wrong, crashes, hangs, refused], [0; 4]);
}

#[test]
fn damaged_stores_serve_no_wrong_value_and_crash_nobody() {
    damaged_stores("open", Last::KilledThenCopied, 30, 201);
}

#[test]
fn a_copy_of_a_killed_store_that_was_damaged_ends_nobody() {
    damaged_stores("auto", Last::KilledThenCopied, 70, 202);
}

#[test]
fn damage_of_a_killed_store_within_one_boot_ends_nobody() {
    damaged_stores("auto", Last::Killed, 50, 203);
}

#[test]
fn damage_of_a_closed_store_within_one_boot_ends_nobody() {
    damaged_stores("auto", Last::Closed, 50, 204);
}
