//! Servers and proxies that refuse a connection, or a part of its greeting.

use crate::faults::open;
use crate::proxy::{doorman, strict_proxy};
use crate::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use twat_cache::{Cache, Code, Config, TTL_DEFAULT};

const PATIENT: [(&str, &str); 2] = [("timeout_ms", "5000"), ("connect_timeout_ms", "5000")];

fn refusal(url: &str) -> String {
    let error = open(url, &PATIENT).get(b"key").unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    error.text().to_owned()
}

#[test]
fn a_server_with_all_its_clients_says_so() {
    let server = Server::with(&["--maxclients", "1"]);
    // The connection that found the server up may still be there.
    let _only = loop {
        let mut client = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        let mut answer = [0; 7];
        let _ = client.write_all(b"PING\r\n");
        if client.read_exact(&mut answer).is_ok() && &answer == b"+PONG\r\n" {
            break client;
        }
    };
    for _ in 0..200 {
        let text = refusal(&server.url());
        assert!(text.contains("max number of clients"), "{text}");
    }
}

#[test]
fn a_server_that_refuses_before_it_is_asked_is_quoted_in_words() {
    for (says, cause) in [
        (&b"-DENIED Redis is running in protected mode because\r\n"[..], "protected mode"),
        (b"-ERR max number of clients reached\r\n", "max number of clients"),
        (b"-ERR max number of clients + cluster connections reached\r\n", "max number of clients"),
        (b"-ERR this proxy is being drained\r\n", "this proxy is being drained"),
        (b"", "if it expects TLS, its url is rediss://"),
    ] {
        let text = refusal(&format!("redis://:hunter2@127.0.0.1:{}", doorman(says)));
        assert!(text.contains(cause), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_proxy_without_hello_or_client_is_used_without_them() {
    let server = Server::start();
    let locked = Server::with(&["--requirepass", "hunter2"]);
    for unknown in [&["HELLO"][..], &["CLIENT"], &["HELLO", "CLIENT"], &["HELLO", "CLIENT", "PING"]]
    {
        for refusal in ["", "-invalid request\r\n", "-ERR unknown command\r\n"] {
            // Without an answer, PING is not refused but the end.
            if refusal.is_empty() && unknown.contains(&"PING") {
                continue;
            }
            let port = strict_proxy(server.port, unknown, refusal);
            let cache = open(&format!("redis://127.0.0.1:{port}"), &PATIENT);
            works(&cache, &format!("{unknown:?} {refusal}"));
        }
    }
    let port = strict_proxy(locked.port, &["HELLO", "CLIENT"], "");
    works(&open(&format!("redis://:hunter2@127.0.0.1:{port}/3"), &PATIENT), "with a password");
    let text = refusal(&format!("redis://:wrong@127.0.0.1:{port}"));
    assert!(text.contains("refuses the login"), "{text}");
    let text = refusal(&format!("redis://127.0.0.1:{port}"));
    assert!(text.contains("demands a password"), "{text}");
}

fn works(cache: &Cache, what: &str) {
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(cache.get(b"key").unwrap().as_deref(), Some(&b"value"[..]), "{what}");
    assert_eq!(cache.get(b"none").unwrap(), None, "{what}");
}

#[test]
fn what_the_query_of_a_url_says_is_done() {
    let server = Server::start();
    let url = server.url().replace("/0", "?db=5&timeout=5s&connect_timeout=5s");
    let mut config = Config::new("redis").unwrap();
    config.set("url", &url).unwrap();
    Cache::open(&config).unwrap().set(b"key", b"value", TTL_DEFAULT).unwrap();
    assert!(server.say("INFO keyspace").contains("db5:keys=1"), "{}", server.say("INFO keyspace"));
}

#[test]
fn options_of_tls_need_tls_and_each_other() {
    for (url, options, cause) in [
        ("redis://h", &[("tls_ca", "/ca.pem")][..], "tls_ca: expected a url of rediss://"),
        ("redis://h", &[("tls_name", "x")], "tls_name: expected a url of rediss://"),
        ("redis://h?tls_ca=/ca.pem", &[], "tls_ca: expected a url of rediss://"),
        ("rediss://h", &[("tls_cert", "/c.pem")], "tls_cert: expected its tls_key"),
        ("rediss://h", &[("tls_key", "/c.key")], "tls_key: expected its tls_cert"),
        ("rediss://h", &[("tls_name", "a b")], "tls_name: expected a host name"),
        ("redis://user@h", &[], "a password alone is"),
    ] {
        let mut config = Config::new("redis").unwrap();
        config.set("url", url).unwrap();
        options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
        let Err(error) = Cache::open(&config) else { panic!("{url} {options:?} was opened") };
        assert_eq!(error.code(), Code::Config, "{error}");
        assert!(error.text().contains(cause), "{error}");
    }
}
