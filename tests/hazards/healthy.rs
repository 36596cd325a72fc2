//! Sound stores are kept, whatever happened to their owners.

use crate::harness::*;
use std::path::Path;
use twat_cache::{TTL_DEFAULT, integrity::boot};

#[test]
fn healthy_commits_reopened_at_random_moments_are_never_judged_damaged() {
    let scene = Scene::new("healthy");
    let (commits, seed) = (scaled(20_000), 301);
    scene.log(format!("{commits} commits, seed {seed}"));
    let mut random = Random::new(seed);
    let store = scene.path("store");
    let options = [
        ("inline_max_bytes", "8192"),
        ("max_bytes", "1500000"),
        ("map_size", "1073741824"),
        ("check", "open"),
    ];
    let mut cache = open(&store, &options);
    let (mut done, mut reopened, mut walked) = (0, 0, 0);
    while done < commits {
        let key = format!("key {}", random.below(3_000));
        let size = match random.below(60) {
            0 => random.below(40_000),
            1..6 => random.below(8_000),
            _ => random.below(300),
        } as usize;
        match random.below(12) {
            0 => drop(cache.delete(key.as_bytes()).expect("a delete")),
            _ if random.below(3_000) == 0 => cache.clear().expect("a clear"),
            _ => cache.set(key.as_bytes(), &value(&key, done, size), TTL_DEFAULT).expect("a set"),
        }
        done += 1;
        scene.progress(done, commits);
        if random.below(150) == 0 {
            assert_walker_finds_it_sound(&store);
            walked += 1;
        }
        if random.below(300) == 0 {
            drop(cache);
            cache = open(&store, &options);
            reopened += 1;
            let info = serde_json::to_string(&cache.info().expect("info")).expect("json");
            assert!(!info.contains("corrupt-"), "{info}");
        }
    }
    drop(cache);
    let beside = std::fs::read_dir(&scene.dir).expect("a directory").flatten();
    assert!(!beside.into_iter().any(|e| e.file_name().to_string_lossy().contains("corrupt")));
    assert_py_lmdb_finds_it_sound(&store);
    scene.log(format!("walked {walked} times, reopened {reopened} times"));
}

const ENTRIES: u64 = 2_000;

/// Fills a store in one boot, says so and waits to be killed.
pub fn before_reboot(args: &Args) {
    boot::set_boot_id("the boot before");
    let cache = open(Path::new(&args["dir"]), &[("inline_max_bytes", "4096")]);
    for n in 0..ENTRIES {
        let key = format!("key {n}");
        let size = if n % 50 == 0 { 9_000 } else { 200 };
        cache.set(key.as_bytes(), &value(&key, n, size), TTL_DEFAULT).expect("a set");
    }
    tell("ready");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

/// Ends as programs do, or is killed, without closing the store.
pub fn forgetful(args: &Args) {
    let cache = open(Path::new(&args["dir"]), &[]);
    cache.set(b"k", b"v", TTL_DEFAULT).expect("a set");
    std::mem::forget(cache);
    if args["end"] == "killed" {
        tell("ready");
        std::thread::sleep(HANG * 10);
    }
}

#[test]
fn a_store_is_verified_after_a_kill_and_not_after_a_program_that_forgot_to_close_it() {
    let scene = Scene::new("forgetful");
    let store = scene.path("store");
    for (end, verified) in [("exit", false), ("killed", true), ("exit", false)] {
        let arguments = args([("dir", store.display().to_string()), ("end", end.into())]);
        let mut program = spawn("forgetful", &arguments);
        if verified {
            program.expect("ready");
            program.kill();
        } else {
            assert!(program.finish(HANG * 5).1.success());
        }
        let cache = open(&store, &[]);
        let info = cache.info().expect("info");
        assert_eq!(info.contains_key("checked_at_open"), verified, "{end}: {info:?}");
        assert_eq!(cache.get(b"k").expect("a get").as_deref(), Some(&b"v"[..]));
    }
}

/// Opens it in the next one and counts what is there.
pub fn after_reboot(args: &Args) {
    boot::set_boot_id("the boot after");
    let cache = open(Path::new(&args["dir"]), &[("inline_max_bytes", "4096")]);
    let mut found = 0;
    for n in 0..ENTRIES {
        let key = format!("key {n}");
        if let Some(bytes) = cache.get(key.as_bytes()).expect("a get") {
            assert_eq!(version_of(&key, &bytes), Ok(n));
            found += 1;
        }
    }
    tell(format!("found {found}"));
    tell(serde_json::to_string(&cache.info().expect("info")).expect("json"));
}

fn rebooted(scene: &Scene, between: impl FnOnce(&Path)) -> Vec<String> {
    let store = scene.path("store");
    let arguments = args([("dir", store.display().to_string())]);
    let mut writer = spawn("before-reboot", &arguments);
    writer.expect("ready");
    writer.kill();
    between(&store);
    let (told, status) = spawn("after-reboot", &arguments).finish(HANG * 10);
    assert!(status.success(), "{told:?}");
    told
}

#[test]
fn a_reboot_that_killed_the_service_keeps_every_entry() {
    let scene = Scene::new("rebooted");
    let told = rebooted(&scene, |_| {});
    assert_eq!(told[0], format!("found {ENTRIES}"));
    assert!(!told[1].contains("corrupt-"), "{told:?}");
}

#[test]
fn a_store_that_a_power_cut_damaged_is_set_aside_and_reported() {
    use std::os::unix::fs::FileExt;
    let scene = Scene::new("power-cut");
    let told = rebooted(&scene, |store| {
        // Pages that were never written back read as zeros.
        let data =
            std::fs::OpenOptions::new().write(true).open(store.join("data.mdb")).expect("data");
        for page in 20..60 {
            data.write_all_at(&[0; 4096], page * 4096).expect("a page");
        }
    });
    assert_eq!(told[0], "found 0");
    assert!(told[1].contains(".corrupt-"), "info must report it: {told:?}");
    let aside = std::fs::read_dir(&scene.dir).expect("a directory").flatten();
    let aside: Vec<_> =
        aside.filter(|e| e.file_name().to_string_lossy().contains(".corrupt-")).collect();
    assert_eq!(aside.len(), 1);
    assert!(aside[0].path().join("data.mdb").exists());
}

#[test]
fn a_short_file_is_extended_and_keeps_its_entries() {
    let scene = Scene::new("short");
    let store = scene.path("store");
    let cache = open(&store, &[]);
    for n in 0..500_u64 {
        let key = format!("key {n}");
        cache.set(key.as_bytes(), &value(&key, n, 100), TTL_DEFAULT).expect("a set");
    }
    drop(cache);
    // As a commit that gave back its last pages before it wrote them would
    // leave the file: its meta page speaks of pages that are not there.
    let tail = free_tail(&store);
    scene.log(format!("{tail} free pages at the end"));
    let data = std::fs::OpenOptions::new().write(true).open(store.join("data.mdb")).expect("data");
    let whole = data.metadata().expect("metadata").len();
    data.set_len(whole - tail * 4096).expect("a cut");
    let cache = open(&store, &[]);
    assert!(tail == 0 || data.metadata().expect("metadata").len() >= whole);
    for n in 0..500_u64 {
        let key = format!("key {n}");
        let found = cache.get(key.as_bytes()).expect("a get").expect("a hit");
        assert_eq!(version_of(&key, &found), Ok(n));
    }
}

/// How many pages at the end of the file may go without harm, by trial.
fn free_tail(store: &Path) -> u64 {
    use twat_cache::integrity::walk::{Verdict, walk};
    let bytes = std::fs::read(store.join("data.mdb")).expect("data");
    (1..64)
        .take_while(|n| {
            let kept = &bytes[..bytes.len() - n * 4096];
            matches!(walk(kept), Ok(Verdict::Short { .. }))
        })
        .count() as u64
}
