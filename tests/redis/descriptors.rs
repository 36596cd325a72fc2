//! What a program that this process starts would find open.

use super::fresh;
use super::server::Server;
use twat_cache::{Cache, TTL_DEFAULT};

/// Flags of an open descriptor, as `/proc` tells them; None where it is closed.
fn flags(fd: &str) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

/// Sockets that an exec would leave open, and how many there are in all.
fn sockets() -> (Vec<String>, usize) {
    let (mut left_open, mut all) = (Vec::new(), 0);
    for entry in std::fs::read_dir("/proc/self/fd").expect("/proc").flatten() {
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        let name = entry.file_name().into_string().expect("a number");
        let Some(flags) = flags(&name) else { continue };
        if target.to_string_lossy().starts_with("socket:") {
            all += 1;
            if flags & libc::O_CLOEXEC as u32 == 0 {
                left_open.push(format!("{name} {}", target.display()));
            }
        }
    }
    (left_open, all)
}

#[test]
fn a_started_program_inherits_no_connection() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("socket");
    let path = path.to_str().expect("text");
    let _server = Server::with(&["--unixsocket", path]);
    let tcp = Cache::open(&fresh(&[])).expect("open");
    let mut config = fresh(&[]);
    config.set("url", &format!("unix://{path}")).expect("a URL");
    let unix = Cache::open(&config).expect("open");
    for cache in [&tcp, &unix] {
        cache.set(b"key", b"value", TTL_DEFAULT).expect("a set");
        cache.get(b"key").expect("a get");
    }
    let (left_open, all) = sockets();
    assert!(all >= 2 && left_open.is_empty(), "{left_open:?} of {all}");
}
