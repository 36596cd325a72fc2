//! Files and directories that users name: special files, inherited bits.

use super::common::{blob_files, config, get, open};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use twat_cache::{Cache, Code, Config, SetOptions, TTL_DEFAULT};

fn memory(options: &[(&str, &str)]) -> Cache {
    let mut config = Config::new("memory").unwrap();
    options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    Cache::open(&config).unwrap()
}

fn fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn export_replaces_regular_files_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let cache = memory(&[]);
    cache.set(b"k", b"v", TTL_DEFAULT).unwrap();
    fifo(&at("fifo"));
    std::fs::write(at("target"), "precious").unwrap();
    symlink(at("target"), at("link")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    std::fs::create_dir(at("directory")).unwrap();
    let names = ["fifo", "link", "dangling", "socket", "directory"];
    for name in names {
        let error = cache.export(&at(name)).expect_err(name);
        assert!(error.code() == Code::Io && error.text().contains(name), "{error}");
    }
    assert!(at("fifo").symlink_metadata().unwrap().file_type().is_fifo());
    assert!(at("link").is_symlink() && at("dangling").is_symlink() && !at("nothing").exists());
    assert_eq!(std::fs::read(at("target")).unwrap(), b"precious");
    assert_eq!(cache.export(&at("target")).unwrap(), 1, "a regular file is replaced");
    assert_eq!(cache.import(&at("link")).unwrap(), 1);
    for name in ["fifo", "socket", "directory"] {
        assert_eq!(cache.import(&at(name)).expect_err(name).code(), Code::Io);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), names.len() + 1, "nothing is left");
}

#[test]
fn set_file_reads_no_special_file_and_none_that_cannot_fit() {
    let dir = tempfile::tempdir().unwrap();
    let (pipe, large) = (dir.path().join("fifo"), dir.path().join("large"));
    fifo(&pipe);
    // Read whole it would not fit into memory.
    std::fs::File::create(&large).unwrap().set_len(1 << 42).unwrap();
    let disk = open(&dir.path().join("store"), &[]);
    let null = Cache::open(&Config::new("null").unwrap()).unwrap();
    let options = SetOptions::default();
    for cache in [&memory(&[]), &disk, &null] {
        for path in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
            let error = cache.set_file(b"k", path, &options).unwrap_err();
            assert!(error.code() == Code::Io && error.text().contains("regular"), "{error}");
        }
    }
    for cache in [&memory(&[("max_bytes", "1000000")]), &disk] {
        assert_eq!(cache.set_file(b"k", &large, &options).unwrap_err().code(), Code::TooLarge);
    }
    null.set_file(b"k", &large, &options).unwrap();
}

#[test]
fn inherited_and_named_special_bits_of_directories_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o2775)).unwrap();
    for (name, dir_mode) in [("inherited", "0770"), ("named", "2770")] {
        let store = dir.path().join(name);
        let cache = open(&store, &[("dir_mode", dir_mode), ("file_mode", "0660")]);
        cache.set(b"k", &[1; 100_000], TTL_DEFAULT).unwrap();
        let file = &blob_files(&store)[0];
        for path in [&store, &store.join("blobs"), file.parent().unwrap()] {
            assert_eq!(mode(path), 0o2770, "{}", path.display());
            assert_eq!(path.metadata().unwrap().gid(), dir.path().metadata().unwrap().gid());
        }
        assert_eq!(mode(file), 0o440, "a value file is mapped, and nobody writes to it");
        assert_eq!(get(&cache, b"k").unwrap(), [1; 100_000]);
    }
    let mut refused = config(&dir.path().join("x"), &[]);
    refused.set("file_mode", "2660").unwrap_err();
    refused.set("dir_mode", "17777").unwrap_err();
}

/// Another user, who has the group as a supplementary one; by itself it does nothing.
#[test]
fn child_of_the_group() {
    let Some(dir) = std::env::var_os("TWAT_GROUP_STORE_IN") else { return };
    let cache = open(Path::new(&dir), &[]);
    assert_eq!(get(&cache, b"owner").unwrap(), [1; 100_000]);
    for n in 0..40_u8 {
        cache.set(&[n], &[n; 100_000], TTL_DEFAULT).unwrap();
    }
    cache.set(b"owner", &[2; 100_000], TTL_DEFAULT).unwrap();
}

#[test]
fn two_users_share_a_store_by_a_supplementary_group() {
    if rustix::process::geteuid().as_raw() != 0 {
        eprintln!("not run: only root can become another user");
        return;
    }
    const GROUP: u32 = 7654;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let parent = dir.path().join("parent");
    std::fs::create_dir(&parent).unwrap();
    std::os::unix::fs::chown(&parent, None, Some(GROUP)).unwrap();
    std::fs::set_permissions(&parent, std::fs::Permissions::from_mode(0o2775)).unwrap();
    let store = parent.join("store");
    let cache = open(&store, &[("dir_mode", "2770"), ("file_mode", "0660")]);
    cache.set(b"owner", &[1; 100_000], TTL_DEFAULT).unwrap();
    let program = dir.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    // util-linux's setpriv: the group is a supplementary one, the user's own is another.
    let child = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", &format!("--groups={GROUP}")])
        .arg(&program)
        .args(["--exact", "paths::child_of_the_group"])
        .env("TWAT_GROUP_STORE_IN", &store)
        .current_dir("/")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(get(&cache, b"owner").unwrap(), [2; 100_000]);
    for n in 0..40_u8 {
        assert_eq!(get(&cache, &[n]).unwrap(), [n; 100_000]);
        cache.set(&[n], &[0; 90_000], TTL_DEFAULT).unwrap();
    }
    for file in blob_files(&store) {
        assert_eq!(file.metadata().unwrap().gid(), GROUP);
        assert_eq!(
            file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o7777,
            0o2770
        );
    }
}

/// Whatever answers: it answers. A FIFO that is opened as a file waits for a writer forever.
#[test]
fn a_fifo_in_place_of_a_file_of_the_store_hangs_nobody() {
    for name in ["data.mdb", "version", "boot.lock", "lock.mdb", "blob", "draft"] {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path(), &[]);
        cache.set(b"large", &[7; 100_000], TTL_DEFAULT).unwrap();
        drop(cache);
        let place = match name {
            "blob" => blob_files(dir.path()).remove(0),
            "draft" => dir.path().join("blobs/tmp/00000000000000000000000000000000"),
            other => dir.path().join(other),
        };
        let _ = std::fs::remove_file(&place);
        fifo(&place);
        let (done, waits) = std::sync::mpsc::channel();
        let config = config(dir.path(), &[]);
        std::thread::spawn(move || {
            if let Ok(cache) = Cache::open(&config) {
                assert!(
                    cache.get(b"large").map_or(true, |value| value.is_none() || name != "blob")
                );
                for n in 0..100_u32 {
                    let _ = cache.set(&n.to_be_bytes(), &[8; 40_000], TTL_DEFAULT);
                }
                let _ = cache.check(true);
            }
            done.send(()).unwrap();
        });
        let answered = waits.recv_timeout(std::time::Duration::from_secs(30));
        assert!(answered.is_ok(), "{name}: it hangs, or a FIFO was read as a value");
    }
}

#[test]
fn export_writes_nothing_into_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path(), &[]);
    cache.set(b"k", b"v", TTL_DEFAULT).unwrap();
    for name in ["data.mdb", "lock.mdb", "export"] {
        let error = cache.export(&dir.path().join(name)).unwrap_err();
        assert!(
            error.code() == Code::Arg && error.text().contains("outside of a store"),
            "{error}"
        );
    }
    assert_eq!(get(&cache, b"k").unwrap(), b"v");
}
