//! Damaged files, judged before LMDB maps them.

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

fn fill(dir: &Path) {
    let cache = open(dir, &[("inline_max_bytes", "20000")]);
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

/// Does one kind of damage; tells what it did.
fn damage(file: &Path, random: &mut Random) -> String {
    let data = std::fs::OpenOptions::new().read(true).write(true).open(file).expect("data");
    let length = data.metadata().expect("metadata").len();
    let page = random.below(length / 4096) * 4096;
    let flip = |at: u64, bit: u64| {
        let mut byte = [0];
        data.read_exact_at(&mut byte, at).expect("a byte");
        byte[0] ^= 1 << bit;
        data.write_all_at(&byte, at).expect("a byte");
    };
    match random.below(6) {
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
            data.write_all_at(&[0; 4096], page).expect("a page");
            format!("zeros over page {}", page / 4096)
        }
        4 => {
            data.write_all_at(&random.bytes(4096), page).expect("a page");
            format!("noise over page {}", page / 4096)
        }
        _ => {
            let keep = random.below(length);
            data.set_len(keep).expect("a cut");
            format!("cut to {keep} of {length} bytes")
        }
    }
}

/// How many were wrong, crashed, hung, or could not be opened. A `killed` store
/// is one whose last writer never closed it, in this boot.
fn damaged_stores(check: &str, killed: bool, stores: u64, seed: u64) -> [u64; 4] {
    let scene = Scene::in_memory(&format!("damaged-{check}-{killed}"));
    let original = scene.stores().join("original");
    fill(&original);
    let stores = scaled(stores);
    let judged = check == "open" || !killed;
    scene.log(format!("{stores} damaged stores, check {check}, killed {killed}, seed {seed}"));
    let mut random = Random::new(seed);
    let (mut crashes, mut wrong, mut hangs, mut refused) = (0, 0, 0, 0);
    let (mut asides, mut kept, mut missed) = (0, 0, 0);
    for n in 0..stores {
        scene.progress(n, stores);
        let place = scene.stores().join(n.to_string());
        std::fs::create_dir(&place).expect("a directory");
        let copied = std::process::Command::new("cp").arg("-a").args([&original, &place]).status();
        assert!(copied.expect("cp").success());
        let store = place.join("original");
        if killed {
            let boot =
                std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot id");
            let mark = format!("{:63}\n", format!("dirty {}", boot.trim()));
            std::fs::write(store.join("boot.lock"), mark).expect("a mark");
        }
        let what = damage(&store.join("data.mdb"), &mut random);
        let child = spawn(
            "damage-reader",
            &args([("dir", store.display().to_string()), ("check", check.into())]),
        );
        let (told, status) = child.end(Duration::from_secs(6));
        let last = told.last().cloned().unwrap_or_default();
        scene.note(format!("{n}: {what}: {last}, {status:?}"));
        for line in told.iter().filter(|line| line.starts_with("wrong")) {
            scene.log(format!("{n}: {line}"));
            wrong += 1;
        }
        let figures: Vec<_> = last.split(' ').collect();
        match figures[..] {
            ["read", hits, _, errors, _, lost, aside, cleared] => {
                asides += u64::from(aside == "true");
                kept += u64::from(aside == "false");
                missed += u64::from(aside == "false" && hits.parse::<u64>().unwrap() < ENTRIES);
                if judged {
                    let found = (errors, lost, cleared);
                    assert_eq!(found, ("0", "0", "true"), "{n}: {what}: {told:?}");
                }
            }
            ["refused", ..] => refused += 1,
            _ if status.is_none() => hangs += 1,
            _ => crashes += 1,
        }
        let explained = status.is_none_or(|status| status.success() || status.signal().is_some());
        assert!(explained, "{n}: {what}: {told:?} {status:?}");
        std::fs::remove_dir_all(&place).ok();
    }
    scene.log(format!(
        "check {check}: {wrong} wrong, {crashes} crashes, {hangs} hangs, {refused} refused, {asides} set aside, {kept} kept, of these {missed} with misses"
    ));
    [wrong, crashes, hangs, refused]
}

#[test]
fn damaged_stores_serve_no_wrong_value_and_crash_nobody() {
    assert_eq!(damaged_stores("open", true, 200, 201), [0; 4]);
}

#[test]
fn a_closed_store_that_somebody_damaged_is_judged_without_being_asked() {
    assert_eq!(damaged_stores("auto", false, 60, 202), [0; 4]);
}

#[test]
fn damage_of_a_killed_store_within_one_boot_serves_no_wrong_value() {
    // Nobody judges: what remains are crashes of LMDB itself, and misses.
    let [wrong, crashes, hangs, refused] = damaged_stores("auto", true, 60, 203);
    assert_eq!((wrong, refused), (0, 0), "{crashes} crashes, {hangs} hangs");
}
