//! What an open accepts, refuses and shares.

use super::common::{config, get, open, refused};
use std::os::unix::fs::{PermissionsExt, symlink};
use twat_cache::{Cache, Code, TTL_DEFAULT};

#[test]
fn a_store_open_under_two_names_is_one_and_survives_either_close() {
    let dir = tempfile::tempdir().unwrap();
    let (store, alias) = (dir.path().join("store"), dir.path().join("alias"));
    let first = open(&store, &[]);
    symlink(&store, &alias).unwrap();
    let second = open(&alias, &[]);
    let third = open(&dir.path().join("alias/../store/."), &[]);
    first.set(b"k", b"v", TTL_DEFAULT).unwrap();
    second.close().unwrap();
    drop(third);
    for n in 0..100_u32 {
        first.set(&n.to_be_bytes(), b"v", TTL_DEFAULT).unwrap();
        assert_eq!(get(&first, b"k").unwrap(), b"v");
    }
    first.close().unwrap();
    assert_eq!(get(&open(&store, &[]), b"k").unwrap(), b"v");
}

#[test]
fn handles_come_and_go_on_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let path = dir.path();
            scope.spawn(move || {
                for n in 0..30_u8 {
                    let cache = open(path, &[]);
                    cache.set(&[thread], &[n], TTL_DEFAULT).unwrap();
                    assert_eq!(get(&cache, &[thread]).unwrap(), [n]);
                }
            });
        }
    });
}

#[test]
fn other_bounds_for_an_open_store_are_refused_with_both_values() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("max_entries", "77")]);
    for (name, other, ours) in [
        ("max_entries", "78", "77"),
        ("max_bytes", "70000000", "134217728"),
        ("policy", "fifo", "lru"),
        ("durability", "system", "process"),
        ("inline_max_bytes", "5", "32768"),
    ] {
        let mut options = vec![("max_entries", "77")];
        options.push((name, other));
        let error = refused(dir.path(), &options);
        assert_eq!(error.code(), Code::Config);
        for part in [name, other, ours] {
            assert!(error.text().contains(part), "{error}");
        }
    }
    drop(cache);
    let cache = open(dir.path(), &[("max_entries", "78")]);
    assert_eq!(cache.stats().unwrap().engine.max_entries, 78);
}

#[test]
fn a_smaller_bound_of_the_next_opener_holds() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("policy", "fifo")]);
    for n in 0..100_u32 {
        cache.set(&n.to_be_bytes(), b"v", TTL_DEFAULT).unwrap();
    }
    cache.close().unwrap();
    let cache = open(dir.path(), &[("max_entries", "10"), ("policy", "fifo")]);
    cache.set(b"new", b"v", TTL_DEFAULT).unwrap();
    assert_eq!(cache.stats().unwrap().engine.entries, 10);
}

#[test]
fn a_newer_store_is_a_version_error_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), &[]).set(b"k", b"v", TTL_DEFAULT).unwrap();
    let record = dir.path().join("version");
    let data = std::fs::read(dir.path().join("data.mdb")).unwrap();
    std::fs::write(&record, "twat-cache 4\n").unwrap();
    let error = refused(dir.path(), &[]);
    assert_eq!(error.code(), Code::Version);
    assert!(error.text().contains("found: 4"), "{error}");
    assert_eq!(std::fs::read(dir.path().join("data.mdb")).unwrap(), data);
    std::fs::write(&record, "twat-cache 3\n").unwrap();
    assert_eq!(get(&open(dir.path(), &[]), b"k").unwrap(), b"v");
}

#[test]
fn somebody_elses_lmdb_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let env = lmdb::Environment::new().open(dir.path()).unwrap();
    drop(env);
    let before = std::fs::read_dir(dir.path()).unwrap().count();
    let error = refused(dir.path(), &[]);
    assert!(error.code() == Code::Config && error.text().contains("data.mdb"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), before);
    std::fs::write(dir.path().join("version"), "something else").unwrap();
    assert!(refused(dir.path(), &[]).text().contains("record"));
}

#[test]
fn read_only_serves_hits_and_refuses_sets() {
    let dir = tempfile::tempdir().unwrap();
    let error = refused(dir.path(), &[("read_only", "true")]);
    assert!(error.code() == Code::Io && error.text().contains("read_only"), "{error}");
    open(dir.path(), &[]).set(b"k", b"v", TTL_DEFAULT).unwrap();
    let cache = open(dir.path(), &[("read_only", "true")]);
    assert_eq!(get(&cache, b"k").unwrap(), b"v");
    let error = cache.set(b"k", b"w", TTL_DEFAULT).unwrap_err();
    assert!(error.text().contains("read-only"), "{error}");
    assert!(cache.delete(b"k").is_err() && cache.clear().is_err());
    assert_eq!(cache.info().unwrap()["read_only"], true);
    assert_eq!(get(&cache, b"k").unwrap(), b"v");
}

#[test]
fn directories_and_files_have_the_permissions_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for (name, options, directory, file) in [
        ("default", &[][..], 0o700, 0o600),
        ("shared", &[("dir_mode", "0770"), ("file_mode", "0660")][..], 0o770, 0o660),
    ] {
        let store = dir.path().join(name);
        open(&store, options).set(b"k", &[1; 100_000], TTL_DEFAULT).unwrap();
        assert_eq!(mode(&store), directory);
        for name in ["data.mdb", "lock.mdb", "version"] {
            assert_eq!(mode(&store.join(name)), file, "{name}");
        }
    }
}

#[test]
fn what_info_tells() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[("namespace", "n")]);
    let info = cache.info().unwrap();
    assert_eq!(info["lmdb"], "0.9.24");
    assert_eq!(info["map_size"], 1 << 30);
    assert_eq!((&info["engine"], &info["namespace"]), (&"disk".into(), &"n".into()));
    for name in ["path", "readers", "max_readers", "file_size", "read_only", "last_transaction"] {
        assert!(info.contains_key(name), "{name}");
    }
}

#[test]
fn network_file_systems_are_refused_by_name() {
    // Only where one is mounted can this be shown: 9p, nfs, fuse, cifs.
    let Ok(mounts) = std::fs::read_to_string("/proc/mounts") else { return };
    for line in mounts.lines() {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (Some(place), Some(kind)) = (fields.next(), fields.next()) else { continue };
        let refusable = ["nfs", "nfs4", "cifs", "9p"].contains(&kind) || kind.starts_with("fuse.");
        if refusable && std::path::Path::new(place).is_dir() {
            let store = std::path::Path::new(place).join("twat-cache-test");
            let error = Cache::open(&config(&store, &[])).err().unwrap();
            assert!(error.text().contains("TWAT_CACHE_DIR"), "{error}");
            assert!(!store.exists());
        }
    }
}

/// The other user of the test below; by itself it does nothing.
#[test]
fn child_of_another_user() {
    let Some(dir) = std::env::var_os("TWAT_OTHER_USER_IN") else { return };
    let error = refused(std::path::Path::new(&dir), &[]);
    assert_eq!(error.code(), Code::Io);
    for part in ["belongs to user 0", "user 65534", "dir_mode"] {
        assert!(error.text().contains(part), "{error}");
    }
}

#[test]
fn another_users_store_is_an_error_that_says_whose_it_is() {
    use std::os::unix::process::CommandExt as _;
    if rustix::process::geteuid().as_raw() != 0 {
        eprintln!("only root can become another user: not shown here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let readable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), readable).unwrap();
    for (name, options) in [("closed", &[][..]), ("visible", &[("dir_mode", "0755")][..])] {
        let store = dir.path().join(name);
        open(&store, options).set(b"k", b"v", TTL_DEFAULT).unwrap();
        let program = dir.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let child = std::process::Command::new(&program)
            .args(["--exact", "opening::child_of_another_user"])
            .env("TWAT_OTHER_USER_IN", &store)
            .uid(65534)
            .gid(65534)
            .current_dir("/")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }
}

#[test]
fn while_a_store_is_judged_others_open_and_who_wants_it_waits() {
    use rustix::fs::{FlockOperation, flock};
    let place = tempfile::tempdir().unwrap();
    let (slow, other) = (place.path().join("slow"), place.path().join("other"));
    open(&slow, &[]).set(b"k", b"v", TTL_DEFAULT).unwrap();
    // As another process that judges it: nobody can enter.
    let judge = std::fs::File::open(slow.join("boot.lock")).unwrap();
    flock(&judge, FlockOperation::LockExclusive).unwrap();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&slow, &[]))).collect();
        std::thread::sleep(std::time::Duration::from_millis(200));
        for round in 0..3_u8 {
            let cache = open(&other, &[]);
            cache.set(&[round], b"v", TTL_DEFAULT).unwrap();
            cache.close().unwrap();
        }
        assert!(waiting.iter().all(|thread| !thread.is_finished()), "the others had to wait");
        flock(&judge, FlockOperation::Unlock).unwrap();
        let caches: Vec<_> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
        for cache in &caches {
            assert_eq!(get(cache, b"k").unwrap(), b"v");
        }
    });
}
