//! Host names with several addresses, by the system's resolver: in a mount
//! namespace with a hosts file of its own. Needs root; without it the test says so.

use crate::server::Server;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};
use twat_cache::{Cache, Config, TTL_DEFAULT};

/// An address that answers nothing: a listener whose queue is full.
pub struct Silent {
    listener: TcpListener,
    queue: Vec<TcpStream>,
}

impl Silent {
    pub fn at(address: &str, port: u16) -> Option<Self> {
        let listener = TcpListener::bind((address, port)).ok()?;
        // SAFETY: a descriptor that is open.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let (address, mut queue) = (listener.local_addr().ok()?, Vec::new());
        let end = Instant::now() + Duration::from_secs(20);
        while let Ok(client) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            assert!(Instant::now() < end, "the queue is never full");
            queue.push(client);
        }
        Some(Self { listener, queue })
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

/// Does nothing but for the test below, which runs it with other hosts.
#[test]
fn one_named() {
    let Ok(url) = std::env::var("TWAT_TEST_NAMED_URL") else { return };
    let mut fastest_later = Duration::MAX;
    for round in 0..5 {
        // Caches of one process share what they know of a host.
        let mut config = Config::new("redis").unwrap();
        config.set("url", &url).unwrap();
        config.set("connect_timeout_ms", "2000").unwrap();
        config.set("timeout_ms", "2000").unwrap();
        let cache = Cache::open(&config).unwrap();
        let begun = Instant::now();
        cache.set(b"key", b"value", TTL_DEFAULT).unwrap_or_else(|error| panic!("{error}"));
        if round > 0 {
            fastest_later = fastest_later.min(begun.elapsed());
        }
    }
    println!("RESULT {}", fastest_later.as_millis());
}

#[test]
fn a_silent_first_address_is_passed_by_and_remembered() {
    let server = Server::start();
    let Some(silent) = Silent::at("127.0.0.2", server.port) else {
        return println!("not run: 127.0.0.2 is no address of this machine");
    };
    assert!(silent.address().ip().is_loopback() && !silent.queue.is_empty());
    let hosts = server.directory.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.2 cache.example\n127.0.0.1 cache.example\n").unwrap();
    let script = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&hosts)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "hosts::one_named", "--nocapture"])
        .env("TWAT_TEST_NAMED_URL", format!("redis://cache.example:{}", server.port))
        .output();
    let Ok(output) = output else { return println!("not run: there is no unshare") };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if ["unshare:", "mount:"].iter().any(|tool| errors.starts_with(tool)) {
        return println!("not run: mounts are not allowed here: {errors}");
    }
    assert!(output.status.success(), "{text}{errors}");
    let fastest = text.split("RESULT ").nth(1).and_then(|rest| rest.lines().next());
    let fastest: u64 = fastest.and_then(|ms| ms.parse().ok()).expect("a figure");
    // A pause for the silent address is a quarter of the time, at most 250 ms.
    assert!(fastest < 200, "all later caches waited {fastest} ms for the silent address");
}
