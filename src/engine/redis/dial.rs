//! Connects to the first of several addresses that answers ("happy eyeballs",
//! RFC 8305): each next one is tried while those before it are still silent.

use super::os::{OwnedFd, is_under_way, set_keep_idle, socket};
use super::words::io_reason;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, connect, sockopt};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The pauses between two tries: a half of the time is for the last one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A connection at rest is asked for a sign of life by the kernel after this
/// time, so that firewalls do not forget it.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How many addresses an error names.
const SHOWN: usize = 4;

/// Connects before the deadline. The error says what is wrong with each address.
pub fn tcp(addresses: &[SocketAddr], deadline: Instant) -> Result<(TcpStream, SocketAddr), String> {
    let left = deadline.saturating_duration_since(Instant::now());
    let pause = (left / (2 * addresses.len().max(1) as u32)).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    let (mut waiting, mut failed) = (Vec::new(), Vec::new());
    let (mut next, mut next_at) = (addresses.iter(), Instant::now());
    loop {
        let now = Instant::now();
        if now >= deadline {
            failed.extend(waiting.drain(..).map(|(address, _)| (address, timed_out())));
        }
        if now >= deadline || (waiting.is_empty() && next.len() == 0) {
            return Err(all_failed(addresses, failed));
        }
        if (now >= next_at || waiting.is_empty())
            && let Some(address) = next.next()
        {
            next_at = now + pause;
            match begin(address) {
                Ok(socket) => waiting.push((*address, socket)),
                Err(error) => failed.push((*address, error)),
            }
            continue;
        }
        let until = if next.len() > 0 { next_at.min(deadline) } else { deadline };
        let ready = wait(&waiting, until.saturating_duration_since(now));
        for at in ready.into_iter().rev() {
            let (address, socket) = waiting.swap_remove(at);
            match ended(socket) {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => failed.push((address, error)),
            }
        }
    }
}

fn timed_out() -> io::Error {
    ErrorKind::TimedOut.into()
}

fn all_failed(addresses: &[SocketAddr], failed: Vec<(SocketAddr, io::Error)>) -> String {
    if let ([_], [(_, error)]) = (addresses, &failed[..]) {
        return io_reason(error);
    }
    let mut shown: Vec<String> = failed
        .iter()
        .take(SHOWN)
        .map(|(address, error)| format!("{}: {}", address.ip(), io_reason(error)))
        .collect();
    if failed.len() > SHOWN {
        shown.push("…".to_owned());
    }
    format!("none of its {} addresses answers ({})", addresses.len(), shown.join("; "))
}

/// Begins to connect.
fn begin(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = socket(family)?;
    match connect(&socket, address) {
        Err(error) if !is_under_way(error) => Err(error.into()),
        _ => Ok(socket),
    }
}

/// The sockets that are connected or failed, after at most so long.
fn wait(waiting: &[(SocketAddr, OwnedFd)], time: Duration) -> Vec<usize> {
    let mut fds: Vec<PollFd<'_>> =
        waiting.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::OUT)).collect();
    // Rounded up, or a rest below the kernel's clock would be polled for again and again.
    let time = Timespec::try_from(time + Duration::from_micros(100)).ok();
    match poll(&mut fds, time.as_ref()) {
        Ok(_) => fds
            .iter()
            .enumerate()
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(at, _)| at)
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// A socket that is connected or failed, as a stream that blocks.
fn ended(socket: OwnedFd) -> io::Result<TcpStream> {
    sockopt::socket_error(&socket)??;
    // Neither is needed for an answer: a kernel that refuses is no reason to fail.
    let _ = sockopt::set_socket_keepalive(&socket, true)
        .and_then(|()| set_keep_idle(&socket, KEEP_ALIVE));
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::net::TcpListener;

    /// An address that answers nothing: a listener whose queue is full.
    pub struct BlackHole {
        pub address: SocketAddr,
        _listener: OwnedFd,
        _queue: Vec<OwnedFd>,
    }

    impl BlackHole {
        pub fn at(ip: &str, port: u16) -> Self {
            let wanted: SocketAddr = format!("{ip}:{port}").parse().unwrap();
            let listener = socket(AddressFamily::INET).unwrap();
            rustix::net::bind(&listener, &wanted).unwrap();
            rustix::net::listen(&listener, 0).unwrap();
            let address: SocketAddr =
                rustix::net::getsockname(&listener).unwrap().try_into().unwrap();
            // What comes after the queue is full is dropped without an answer.
            let mut queue = Vec::new();
            loop {
                let waiting = vec![(address, begin(&address).unwrap())];
                let full = wait(&waiting, Duration::from_millis(200)).is_empty();
                queue.extend(waiting.into_iter().map(|(_, socket)| socket));
                if full {
                    return Self { address, _listener: listener, _queue: queue };
                }
            }
        }
    }

    #[test]
    fn silent_addresses_leave_time_for_the_one_that_answers() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let last = server.local_addr().unwrap();
        let holes: Vec<BlackHole> =
            (2..8).map(|n| BlackHole::at(&format!("127.0.0.{n}"), 0)).collect();
        let mut addresses: Vec<SocketAddr> = holes.iter().map(|hole| hole.address).collect();
        addresses.push(last);
        let begun = Instant::now();
        let (_, found) = tcp(&addresses, begun + Duration::from_millis(600)).unwrap();
        assert_eq!(found, last);
        let error = tcp(&addresses[..2], Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert!(
            error.starts_with("none of its 2 addresses answers (127.0.0.2: no answer"),
            "{error}"
        );
        let error = tcp(&addresses[..1], Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert_eq!(error, "no answer in time");
    }

    #[test]
    fn a_refusal_is_no_reason_to_wait_for_the_next_address() {
        let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [refusing, refusing, server.local_addr().unwrap()];
        let begun = Instant::now();
        tcp(&addresses, begun + Duration::from_secs(60)).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}
