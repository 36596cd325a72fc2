//! A name that leads to several servers, by a resolver of the test's own.

use super::address::{Address, Login};
use super::node::{Node, Settings};
use super::resolve::tests::fake;
use super::resp::Value;
use crate::base::error::Code;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A server that answers the same to every command, but for its greeting.
fn serve(listener: TcpListener, answer: &'static str) {
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = client.read(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                    let greets = text.contains("HELLO");
                    let says = if greets { "+OK\r\n" } else { answer };
                    let _ = client.write_all(says.repeat(text.matches('*').count()).as_bytes());
                }
            });
        }
    });
}

/// A name with two addresses and one port: the first server answers `answer`.
fn node(answer: &'static str) -> Node {
    // A port that is free at one address need not be at the other.
    let (first, second, port) = (0..100)
        .find_map(|_| {
            let first = TcpListener::bind("127.0.0.2:0").unwrap();
            let port = first.local_addr().unwrap().port();
            Some((first, TcpListener::bind(("127.0.0.1", port)).ok()?, port))
        })
        .unwrap();
    serve(first, answer);
    serve(second, "+PONG\r\n");
    let (_, resolver) = fake(&["127.0.0.2:0", "127.0.0.1:0"]);
    let settings = Settings {
        login: Login::default(),
        tls: None,
        connect_timeout: Duration::from_secs(20),
        timeout: Duration::from_secs(20),
        pool_size: 2,
        resolver: Box::leak(Box::new(resolver)),
    };
    Node::new(Address::Tcp("cache.example".into(), port), settings)
}

/// The other address of a name is used when the one that answers first turns
/// out to be no server for us.
#[test]
fn a_server_that_cannot_serve_gives_way_to_the_next_address_of_its_name() {
    for answer in [
        "-READONLY You can't write against a read only replica.\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-ERR Error running script (call to f_1): @user_script: 1: -READONLY You can't write\r\n",
    ] {
        let node = node(answer);
        let ping = redis::cmd("PING");
        let first = node.request(&[&ping]).unwrap();
        assert!(matches!(first[..], [Value::ServerError(_)]), "{answer}");
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            match node.request(&[&ping]) {
                Ok(answers) => break assert_eq!(answers, [Value::SimpleString("PONG".into())]),
                // The pause after a server that serves nobody.
                Err(error) => assert_eq!(error.code(), Code::Unavailable, "{error}"),
            }
            assert!(Instant::now() < end, "{answer}: the other address is not used");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
