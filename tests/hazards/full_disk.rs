//! Disks with so few blocks left that a mapped page may get none: such a page
//! ends the process with SIGBUS when it is touched.

use crate::harness::*;
use crate::limits::{unshared, unshared_as};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use twat_cache::{Cache, Code, Error, TTL_DEFAULT};

/// Most KiB that are left free.
const FREE: u64 = 64;

/// Fills the disk up to so many KiB.
fn fill(dir: &Path, free: u64) {
    let mut ballast = std::fs::File::create(dir.join("ballast")).expect("ballast");
    for size in [65_536, 4_096, 512] {
        while ballast.write_all(&vec![1; size]).is_ok() {}
    }
    ballast.sync_all().expect("a sync");
    let len = ballast.metadata().expect("metadata").len();
    ballast.set_len(len.saturating_sub(free << 10)).expect("a shorter one");
    ballast.sync_all().expect("a sync");
}

fn expect_no_room(what: &str, error: &Error) {
    assert_eq!(error.code(), Code::Full, "{what}: {error}");
}

/// Opens, writes and reads; refusals are fine, signals are not.
fn use_store(dir: &Path) -> Result<(), Error> {
    let cache = Cache::open(&config(dir, &[("inline_max_bytes", "3000")]))?;
    for n in 0..6_u64 {
        let key = format!("key {n}");
        let size = [100, 2_000, 9_000][(n % 3) as usize];
        if let Err(error) = cache.set(key.as_bytes(), &value(&key, n, size), TTL_DEFAULT) {
            expect_no_room("set", &error);
        }
        if let Some(found) = cache.get(key.as_bytes())? {
            let touched: u64 = found.iter().map(|byte| u64::from(*byte)).sum();
            assert!(touched > 0 && version_of(&key, &found).is_ok(), "{key}");
        }
    }
    Ok(())
}

/// A process that only uses the store in one round, beside others.
pub fn one_of_many(args: &Args) {
    if let Err(error) = use_store(Path::new(&args["store"])) {
        expect_no_room("open", &error);
    }
    tell("done");
}

fn run_beside(store: &Path, many: usize) {
    let started: Vec<_> = (0..many)
        .map(|_| spawn("one-of-many", &args([("store", store.display().to_string())])))
        .collect();
    for running in started {
        let (told, status) = running.finish(HANG * 10);
        assert!(status.success() && told == ["done"], "{told:?} {status}");
    }
}

/// All numbers of free KiB on one small disk.
pub fn sweep(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let seed = dir.join("seed");
    use_store(&seed).expect("a store while there is room");
    let step: u64 = args["step"].parse().expect("a number");
    for free in (0..=FREE).step_by(step as usize) {
        for scene in ["new", "existing", "without lock.mdb", "with a sparse lock.mdb"] {
            let store = dir.join("store");
            std::fs::remove_dir_all(&store).ok();
            if scene != "new" {
                copy(&seed, &store);
            }
            if scene != "existing" {
                std::fs::remove_file(store.join("lock.mdb")).ok();
            }
            if scene == "with a sparse lock.mdb" {
                let lock = std::fs::File::create(store.join("lock.mdb")).expect("a lock");
                lock.set_len(65_664).expect("a sparse file");
            }
            fill(dir, free);
            if let Err(error) = use_store(&store) {
                expect_no_room(&format!("{free} KiB, {scene}"), &error);
            }
            if free % (step * 4) == 0 {
                run_beside(&store, 3);
            }
            std::fs::remove_file(dir.join("ballast")).expect("room");
        }
    }
    tell("done");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

/// Each number of free KiB in a soak, else some.
fn step() -> String {
    (if scaled(10) > 10 { 1 } else { 8 }).to_string()
}

/// A directory to mount a small disk on, and the arguments of the sweep there.
fn place(scene: &Scene) -> (String, Args) {
    let dir = scene.path("disk");
    std::fs::create_dir(&dir).expect("a directory");
    let dir = dir.display().to_string();
    (dir.clone(), args([("dir", dir), ("step", step())]))
}

fn expect_done(child: Running) {
    let (told, status) = child.finish(patience(HANG * 60));
    assert!(status.success() && told.last().is_some_and(|l| l == "done"), "{told:?} {status}");
}

#[test]
fn on_a_nearly_full_tmpfs_no_process_ends_by_a_signal() {
    let scene = Scene::new("full-tmpfs");
    let (dir, arguments) = place(&scene);
    let setup = format!("mount -t tmpfs -o size=2m tmpfs '{dir}'");
    if let Some(child) = unshared("-m", &setup, "full-disk-sweep", &arguments) {
        expect_done(child);
    }
}

/// Mounting an image needs root, mkfs.ext4 and a loop device.
#[test]
fn on_a_nearly_full_ext4_no_process_ends_by_a_signal() {
    let scene = Scene::new("full-ext4");
    let (dir, arguments) = place(&scene);
    let setup = format!(
        "truncate -s 4M '{dir}.img'; mkfs.ext4 -q -O ^has_journal -m 0 '{dir}.img'
         mount -o loop '{dir}.img' '{dir}'"
    );
    let tried = Command::new("unshare").args(["-m", "sh", "-euc", &setup]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        println!("not run: this machine lets us not mount an ext4 image");
        return;
    }
    expect_done(unshared_as(&[], "-m", &setup, "full-disk-sweep", &arguments));
}

#[test]
fn the_reserved_lock_file_has_the_size_that_lmdb_gives_it() {
    let scene = Scene::new("lock-size");
    let mut lmdb = lmdb::Environment::new();
    drop(lmdb.set_max_readers(1024).open(&scene.dir).expect("an environment"));
    let found = scene.path("lock.mdb").metadata().expect("a lock file").len();
    assert_eq!(twat_cache::files::blocks::lock_size(1024), found);
}
