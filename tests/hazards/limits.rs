//! Full disks, limits, media that cannot be written, permissions.
#![expect(unsafe_code, reason = "umask, and ignoring SIGXFSZ as Python does")]

use crate::harness::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use twat_cache::{Cache, Code, Config, Error, TTL_DEFAULT};

/// Runs a role behind `unshare`, after a line of shell. None, with the reason
/// told, where this machine lets nobody do so.
pub fn unshared(flags: &str, setup: &str, role: &str, args: &Args) -> Option<Running> {
    let users = ["-U", "-r"];
    let ways: [&[&str]; 2] = [&users, &[]];
    let may = |way: &&[&str]| {
        let tried = Command::new("unshare").args(*way).args(flags.split(' ')).arg("true").output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let Some(way) = ways.into_iter().find(may) else {
        println!(
            "not run: this machine lets us not `unshare {flags}`, neither with -U -r nor as this user"
        );
        return None;
    };
    Some(unshared_as(way, flags, setup, role, args))
}

/// The same by one way: `unshare`'s arguments that choose the user.
pub fn unshared_as(way: &[&str], flags: &str, setup: &str, role: &str, args: &Args) -> Running {
    let inner = command(role, args);
    let mut outer = Command::new("unshare");
    outer.args(way).args(flags.split(' ')).arg("--").args(["sh", "-euc"]);
    outer
        .arg(format!("{setup}\nexec \"$@\""))
        .arg("sh")
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    outer.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    start(&mut outer)
}

/// Fills a store until the system refuses, then goes on; `room` makes room.
fn until_full(dir: &Path, cache: Cache, room: impl FnOnce()) {
    let mut acknowledged = Vec::new();
    let mut set = |n: u64| {
        let key = format!("key {n}");
        let size = [300, 4_000, 30_000][(n % 3) as usize];
        match timely("set", || cache.set(key.as_bytes(), &value(&key, n, size), TTL_DEFAULT)) {
            Ok(()) => {
                acknowledged.push(n);
                None
            }
            Err(error) => Some(error),
        }
    };
    let first = (0..5_000).find_map(&mut set).expect("a refusal in the end");
    // LMDB reports a write that was cut short as EIO, whatever the cause. Small
    // values are refused by it, large ones by the file system.
    let more: Vec<_> = (5_000..5_200).filter_map(&mut set).collect();
    for error in more.iter().chain([&first]) {
        assert!(matches!(error.code(), Code::Full | Code::Io), "{error}");
        assert!(
            ["No space", "limit", "too large"].iter().any(|why| error.text().contains(why)),
            "{error}"
        );
    }
    let (refused, by_lmdb) = (more.len(), |error: &Error| error.text().contains("the store"));
    assert!(more.iter().any(by_lmdb), "{more:?}");
    let count = acknowledged.len();
    tell(format!("{count} sets acknowledged, then: {first}; {refused} more refused"));
    let all_there = |cache: &Cache| {
        for n in &acknowledged {
            let key = format!("key {n}");
            let found = timely("get", || cache.get(key.as_bytes())).expect("a get").expect("a hit");
            assert_eq!(version_of(&key, &found), Ok(*n));
        }
    };
    all_there(&cache);
    room();
    let key = "with room";
    cache.set(key.as_bytes(), &value(key, 1, 30_000), TTL_DEFAULT).expect("a set with room");
    all_there(&cache);
    drop(cache);
    assert_walker_finds_it_sound(dir);
    let cache = open(dir, &[("check", "open")]);
    all_there(&cache);
    let found = cache.get(key.as_bytes()).expect("a get").expect("a hit");
    assert_eq!(version_of(key, &found), Ok(1));
    tell("done");
}

pub fn small_disk(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 1_000_000]).expect("ballast");
    let store = dir.join("store");
    let cache = open(&store, &[("inline_max_bytes", "10000")]);
    until_full(&store, cache, || std::fs::remove_file(&ballast).expect("room"));
}

#[test]
fn a_full_disk_fails_the_call_and_keeps_old_values() {
    let scene = Scene::new("tmpfs");
    let dir = scene.dir.display().to_string();
    let setup = format!("mount -t tmpfs -o size=6m tmpfs '{dir}'");
    let Some(child) = unshared("-m", &setup, "small-disk", &args([("dir", dir)])) else { return };
    let (told, status) = child.finish(HANG * 30);
    println!("{told:?}");
    assert!(
        status.success() && told.last().is_some_and(|line| line == "done"),
        "{told:?} {status}"
    );
}

fn limit_files(bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Fsize, Rlimit { current: Some(bytes), maximum: None }).expect("a limit");
}

/// The limit comes while the store is open; the signal is ignored, as Python
/// and Node do.
pub fn file_size_limit(args: &Args) {
    // SAFETY: ignoring a signal needs no handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let dir = Path::new(&args["dir"]);
    let cache = open(dir, &[("inline_max_bytes", "10000")]);
    limit_files(3 << 20);
    until_full(dir, cache, || limit_files(64 << 20));
}

#[test]
fn a_file_size_limit_fails_the_call_and_keeps_old_values() {
    let scene = Scene::new("fsize");
    let arguments = args([("dir", scene.path("store").display().to_string())]);
    let (told, status) = spawn("file-size-limit", &arguments).finish(HANG * 30);
    println!("{told:?}");
    assert!(
        status.success() && told.last().is_some_and(|line| line == "done"),
        "{told:?} {status}"
    );
}

/// The limit is there before, and its signal would end the process.
pub fn under_file_size_limit(args: &Args) {
    limit_files(3 << 20);
    let dir = Path::new(&args["dir"]);
    let cache = open(dir, &[("inline_max_bytes", "10000")]);
    for n in 0..4_000_u64 {
        let key = format!("key {}", n % 3_000);
        let size = [300, 4_000, 30_000][(n % 3) as usize];
        cache.set(key.as_bytes(), &value(&key, n, size), TTL_DEFAULT).expect("a set");
        let found = cache.get(key.as_bytes()).expect("a get").expect("a hit");
        assert_eq!(version_of(&key, &found), Ok(n));
    }
    // Without the limit all of it would be there, in a larger file.
    assert!(cache.stats().expect("stats").engine.evictions > 0, "nothing had to leave");
    assert!(std::fs::metadata(dir.join("data.mdb")).expect("data").len() <= 3 << 20);
    let refused = cache.set(b"large", &vec![1; 4 << 20], TTL_DEFAULT).expect_err("a refusal");
    assert_eq!(refused.code(), Code::Full, "{refused}");
    let memory = Cache::open(&Config::new("memory").expect("an engine")).expect("a cache");
    memory.set(b"large", &vec![1; 4 << 20], TTL_DEFAULT).expect("a set");
    let unsaved = memory.export(&dir.join("../export")).expect_err("a refusal");
    assert_eq!(unsaved.code(), Code::Full, "{unsaved}");
    tell(format!("done {refused}"));
}

#[test]
fn a_store_opened_under_a_file_size_limit_stays_below_it() {
    let scene = Scene::new("under-fsize");
    let arguments = args([("dir", scene.path("store").display().to_string())]);
    let (told, status) = spawn("under-file-size-limit", &arguments).finish(HANG * 30);
    println!("{told:?}");
    assert!(
        status.success() && told.iter().any(|line| line.starts_with("done")),
        "{told:?} {status}"
    );
}

pub fn read_only_media(args: &Args) {
    let dir = Path::new(&args["dir"]);
    assert!(std::fs::write(dir.join("probe"), b"").is_err(), "the medium is read-only");
    let cache = open(dir, &[("inline_max_bytes", "4096")]);
    for n in 0..100_u64 {
        let key = format!("key {n}");
        let found = cache.get(key.as_bytes()).expect("a get").expect("a hit");
        assert_eq!(version_of(&key, &found), Ok(n));
    }
    let refused = cache.set(b"key", b"value", TTL_DEFAULT).expect_err("a refusal");
    assert!(cache.delete(b"key 1").is_err());
    assert!(cache.get(b"missing").expect("a get").is_none());
    let stats = cache.stats().expect("stats");
    assert!(stats.errors + stats.rejected >= 1, "a refused set is counted");
    tell(format!("done {:?} {refused}", refused.code()));
}

#[test]
fn a_store_on_a_read_only_mount_serves_hits_and_refuses_sets() {
    let scene = Scene::new("read-only");
    let store = scene.path("store");
    let cache = open(&store, &[("inline_max_bytes", "4096")]);
    for n in 0..100_u64 {
        let key = format!("key {n}");
        let size = if n % 10 == 0 { 9_000 } else { 100 };
        cache.set(key.as_bytes(), &value(&key, n, size), TTL_DEFAULT).expect("a set");
    }
    drop(cache);
    let dir = store.display().to_string();
    let setup = format!("mount --bind '{dir}' '{dir}'; mount -o remount,ro,bind '{dir}'");
    let Some(child) = unshared("-m", &setup, "read-only-media", &args([("dir", dir)])) else {
        return;
    };
    let (told, status) = child.finish(HANG * 10);
    println!("{told:?}");
    assert!(
        status.success() && told.iter().any(|line| line.starts_with("done")),
        "{told:?} {status}"
    );
}

pub fn pid_one(args: &Args) {
    assert_eq!(std::process::id(), 1, "the first of its namespace");
    let config = config(Path::new(&args["dir"]), &[]);
    let got = Cache::open(&config).and_then(|cache| {
        let found = cache.get(b"key")?;
        Ok((cache, found))
    });
    match &got {
        Ok((_, found)) => tell(format!("found {}", found.as_deref() == Some(b"value"))),
        Err(error) => tell(format!("refused {:?} {error}", error.code())),
    }
    if args["hold"] == "true" {
        std::thread::sleep(HANG * 10);
    }
}

#[test]
fn the_second_pid_one_of_another_namespace_gets_an_error_that_names_the_cause() {
    let scene = Scene::new("pid-namespaces");
    let store = scene.path("store");
    let cache = open(&store, &[]);
    cache.set(b"key", b"value", TTL_DEFAULT).expect("a set");
    let run = |hold: bool| {
        let arguments = args([("dir", store.display().to_string()), ("hold", hold.to_string())]);
        unshared("-p -f --kill-child", "", "pid-one", &arguments)
    };
    let Some(mut first) = run(true) else { return };
    assert_eq!(first.expect(""), "found true");
    let mut second = run(false).expect("a second namespace");
    let told = timely("the second one", || second.expect(""));
    println!("{told}");
    assert!(told.starts_with("refused") && told.to_lowercase().contains("pid namespace"), "{told}");
    drop(first);
    assert_eq!(run(false).expect("a third").expect(""), "found true", "the first one is gone");
}

pub fn masked(args: &Args) {
    // SAFETY: umask cannot fail; this process does nothing else meanwhile.
    unsafe { libc::umask(u32::from_str_radix(&args["umask"], 8).unwrap()) };
    let dir = Path::new(&args["dir"]);
    let cache =
        open(dir, &[("inline_max_bytes", "100"), ("dir_mode", "0750"), ("file_mode", "0640")]);
    cache.set(b"key", &value("key", 1, 5_000), TTL_DEFAULT).expect("a set");
    drop(cache);
    let cache = open(dir, &[("inline_max_bytes", "100")]);
    let found = cache.get(b"key").expect("a get").expect("a hit");
    assert_eq!(version_of("key", &found), Ok(1));
    tell("done");
}

/// What was asked for by mode holds whatever the umask: it is how users share a
/// store.
const MASKS: [(&str, u32, u32); 2] = [("077", 0o750, 0o640), ("022", 0o750, 0o640)];

#[test]
fn umask_077_makes_a_store_that_its_owner_can_use_and_nobody_else() {
    for (umask, directories, files) in MASKS {
        let scene = Scene::new(&format!("umask-{umask}"));
        let store = scene.path("store");
        let arguments = args([("dir", store.display().to_string()), ("umask", umask.into())]);
        let (told, status) = spawn("masked", &arguments).finish(HANG * 5);
        assert!(status.success(), "{told:?}");
        let mut pending = vec![store];
        while let Some(path) = pending.pop() {
            let metadata = path.symlink_metadata().expect("metadata");
            let is_value = path.components().any(|part| part.as_os_str() == "blobs");
            let expected = match metadata.is_dir() {
                true => directories,
                // Value files are mapped: nobody writes to them.
                false if is_value => files & 0o444,
                false => files,
            };
            let found = metadata.permissions().mode() & 0o777;
            assert_eq!(found, expected, "{}: {found:o}", path.display());
            if metadata.is_dir() {
                pending.extend(
                    std::fs::read_dir(&path).expect("a directory").flatten().map(|e| e.path()),
                );
            }
        }
    }
}

/// A store of its defaults where the process may have little address space.
pub fn under_address_limit(args: &Args) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit { current: Some(3_000_000 << 10), maximum: None };
    setrlimit(Resource::As, limit).expect("a limit");
    let dir = Path::new(&args["dir"]);
    let open = |name: &str, options: &[(&str, &str)]| {
        let mut config = Config::new("disk").expect("an engine");
        config.set("path", dir.join(name).to_str().expect("text")).expect("a path");
        options.iter().for_each(|(name, value)| config.set(name, value).expect("an option"));
        Cache::open(&config)
    };
    let error = open("default", &[]).err().expect("8 GiB of address space under a limit of 3");
    assert_eq!(error.code(), Code::NoMem, "{error}");
    for part in ["map_size", "max_bytes", "ulimit -v"] {
        assert!(error.text().contains(part), "{error}");
    }
    let small = open("small", &[("max_bytes", "100000000")]).expect("a halved map");
    small.set(b"key", b"value", TTL_DEFAULT).expect("a set");
    drop(small);
    // The bound is the store's, and needs no more than before.
    let again = open("small", &[]).expect("the same store");
    assert_eq!(again.get(b"key").expect("a get").as_deref(), Some(&b"value"[..]));
    tell("done");
}

#[test]
fn a_limit_of_address_space_halves_the_map_or_is_named_with_the_options() {
    let scene = Scene::new("address-space");
    let arguments = args([("dir", scene.dir.display().to_string())]);
    let (told, status) = spawn("under-address-limit", &arguments).finish(HANG * 10);
    assert!(status.success() && told == ["done"], "{told:?} {status}");
}
