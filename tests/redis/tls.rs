//! TLS, with certificates made by openssl for the occasion.

use crate::server::{Server, free_port};
use std::path::{Path, PathBuf};
use std::process::Command;
use twat_cache::{Cache, Code, Config, TTL_DEFAULT};

pub fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .expect("openssl: 'apt-get install openssl'");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority and a certificate of it for 127.0.0.1.
pub fn certificates(directory: &Path) -> PathBuf {
    openssl(
        directory,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=authority -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE",
    );
    openssl(
        directory,
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj /CN=server -keyout server.key -out server.csr",
    );
    std::fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(
        directory,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile names -out server.pem",
    );
    directory.join("ca.pem")
}

/// Does nothing but for the test below, which runs it in a process of its own
/// since the environment names the authority.
#[test]
fn one_client() {
    let Ok(url) = std::env::var("TWAT_TEST_TLS_URL") else { return };
    let mut config = Config::new("redis").unwrap();
    config.set("url", &url).unwrap();
    config.set("timeout_ms", "5000").unwrap();
    config.set("connect_timeout_ms", "5000").unwrap();
    let cache = Cache::open(&config).expect("open");
    let large = vec![9; 3_000_000];
    let result = cache
        .set(b"key", b"value", TTL_DEFAULT)
        .and_then(|()| cache.set(b"large", &large, TTL_DEFAULT))
        .and_then(|()| cache.get(b"large"));
    match result {
        Ok(found) => {
            assert_eq!(found.as_deref(), Some(&large[..]));
            for _ in 0..100 {
                assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
            }
            println!("RESULT fine");
        }
        Err(error) => {
            assert_eq!(error.code(), Code::Unavailable);
            println!("RESULT {error}");
        }
    }
}

pub fn client(url: &str, authority: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::one_client", "--nocapture"])
        .env("TWAT_TEST_TLS_URL", url)
        .env("SSL_CERT_FILE", authority)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let result = text.split("RESULT ").nth(1).and_then(|rest| rest.lines().next());
    result.unwrap_or_else(|| panic!("no result in {text}")).to_owned()
}

#[test]
fn a_certificate_is_verified_and_then_all_is_as_without() {
    let (ours, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = certificates(ours.path());
    let other_authority = certificates(others.path());
    let port = free_port().to_string();
    let file = |name: &str| ours.path().join(name).to_str().unwrap().to_owned();
    let server = Server::with(&[
        "--tls-port",
        &port,
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
    ]);
    let url = format!("rediss://127.0.0.1:{port}");
    assert_eq!(client(&url, &authority), "fine");
    // What TLS says unasked (session tickets) does not end a connection.
    let stats = server.say("INFO stats");
    let made = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    let made: u32 = made.and_then(|n| n.trim().parse().ok()).expect("a figure");
    assert!(made < 10, "{made} connections for 103 calls");
    let refused = client(&url, &other_authority);
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    let other_name = client(&format!("rediss://localhost:{port}"), &authority);
    assert!(other_name.contains("invalid peer certificate"), "{other_name}");
    // TLS to a port that does not speak it, and the other way round.
    let plain_port = client(&format!("rediss://127.0.0.1:{}", server.port), &authority);
    assert!(plain_port.contains("redis at 127.0.0.1"), "{plain_port}");
    let plain_client = client(&format!("redis://127.0.0.1:{port}"), &authority);
    assert!(plain_client.contains("redis at 127.0.0.1"), "{plain_client}");
}
