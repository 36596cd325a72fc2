//! Between client and server: connections that break in the middle of an
//! answer, dribble, or say nothing; and servers that are something else.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

/// A proxy on a port of its own. Its threads end with their connections.
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The port of the server behind it.
    server: AtomicU16,
    /// Connections made so far, and how many of them are forgotten: what is sent
    /// over those is lost, and their ends are not closed.
    made: AtomicU64,
    forgotten: AtomicU64,
    /// Bytes of answers still let through before the connection is cut;
    /// `u64::MAX` is all.
    answer_bytes: AtomicU64,
    /// Answers come one byte at a time, slowly.
    dribbles: AtomicBool,
    /// Answers come so many milliseconds late.
    late: AtomicU64,
}

impl Proxy {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let state = Arc::new(State {
            server: AtomicU16::new(server),
            answer_bytes: AtomicU64::new(u64::MAX),
            ..State::default()
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), state) = (client, shared.clone()) else { return };
                let server = ("127.0.0.1", state.server.load(Ordering::SeqCst));
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                let number = state.made.fetch_add(1, Ordering::SeqCst);
                let (from, to) =
                    (client.try_clone().expect("clone"), upstream.try_clone().expect("clone"));
                let shared = state.clone();
                std::thread::spawn(move || pass_on(from, to, number, &shared));
                std::thread::spawn(move || forward(upstream, client, number, &state));
            }
        });
        Self { port, state }
    }

    /// New connections go to another server; those that are open stay where they are.
    pub fn move_to(&self, server: u16) {
        self.state.server.store(server, Ordering::SeqCst);
    }

    /// Forgets all connections, as a firewall does those at rest.
    pub fn forget(&self) {
        self.state.forgotten.store(self.made(), Ordering::SeqCst);
    }

    /// How many connections were made.
    pub fn made(&self) -> u64 {
        self.state.made.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Lets so many more bytes of answers through, then cuts.
    pub fn cut_after(&self, bytes: u64) {
        self.state.answer_bytes.store(bytes, Ordering::SeqCst);
    }

    pub fn delay(&self, ms: u64) {
        self.state.late.store(ms, Ordering::SeqCst);
    }

    pub fn dribble(&self, dribbles: bool) {
        self.state.dribbles.store(dribbles, Ordering::SeqCst);
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, number: u64, state: &State) {
    let mut buffer = [0; 65536];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let is_forgotten = number < state.forgotten.load(Ordering::SeqCst);
        if !is_forgotten && to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn forward(mut from: TcpStream, mut to: TcpStream, number: u64, state: &State) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if number < state.forgotten.load(Ordering::SeqCst) {
            continue;
        }
        let left = state.answer_bytes.load(Ordering::SeqCst);
        let pass = n.min(usize::try_from(left).unwrap_or(n));
        if left != u64::MAX {
            state.answer_bytes.store(left - pass as u64, Ordering::SeqCst);
        }
        std::thread::sleep(Duration::from_millis(state.late.load(Ordering::SeqCst)));
        let slow = state.dribbles.load(Ordering::SeqCst);
        let step = if slow { 1 } else { pass.max(1) };
        for piece in buffer[..pass].chunks(step) {
            if slow {
                std::thread::sleep(Duration::from_millis(20));
            }
            if to.write_all(piece).is_err() {
                break;
            }
        }
        if pass < n {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Something that is not redis: says `greeting` to each line it hears, or,
/// where that is empty, nothing at all.
pub fn stranger(greeting: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            if greeting.is_empty() {
                held.push(client);
                continue;
            }
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(1..) = client.read(&mut buffer) {
                    let _ = client.write_all(greeting);
                }
            });
        }
    });
    port
}

/// A proxy that does not know some commands: it ends the connection, or answers
/// `refusal` to all that came with one.
pub fn strict_proxy(server: u16, unknown: &'static [&'static str], refusal: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let mut upstream = TcpStream::connect(("127.0.0.1", server)).expect("connect");
            let (mut from, mut to) =
                (upstream.try_clone().expect("clone"), client.try_clone().expect("clone"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || {
                let mut buffer = [0; 65536];
                while let Ok(n @ 1..) = client.read(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..n]);
                    let is_unknown = |word: &&str| text.contains(&format!("\r\n{word}\r\n"));
                    if !unknown.iter().any(is_unknown) {
                        let _ = upstream.write_all(&buffer[..n]);
                    } else if refusal.is_empty() {
                        break;
                    } else {
                        let commands = text.matches('*').count();
                        let _ = client.write_all(refusal.repeat(commands).as_bytes());
                    }
                }
                let _ = client.shutdown(Shutdown::Both);
                let _ = upstream.shutdown(Shutdown::Both);
            });
        }
    });
    port
}

/// A server that says something to each client unasked, and ends the connection.
pub fn doorman(says: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let _ = client.write_all(says);
        }
    });
    port
}
