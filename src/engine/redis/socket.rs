//! A socket with a deadline: every wait of a call ends when the call's time is
//! over, however the server dribbles. Time-outs of single reads, as client
//! libraries have them, start anew with each byte that arrives.

use super::address::Address;
use super::dial;
use super::os::{AsFd, BorrowedFd, UnixStream, connect_unix, receive_now};
use super::resolve::Resolver;
use super::tls::Tls;
use super::words::{down, transport};
use crate::base::error::Result;
use rustix::net::RecvFlags;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A time-out already set on a socket is kept when it is this near: one
/// system call less in each call.
const SLACK: Duration = Duration::from_millis(5);

enum Raw {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsFd for Raw {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Raw::Tcp(tcp) => tcp.as_fd(),
            Raw::Unix(unix) => unix.as_fd(),
        }
    }
}

/// The socket below TLS or the protocol.
pub struct Timed {
    raw: Raw,
    deadline: Instant,
    /// `None` reads only what has arrived.
    waiting: bool,
    armed: [Option<Duration>; 2],
}

const READ: usize = 0;
const WRITE: usize = 1;

impl Timed {
    fn arm(&mut self, which: usize) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let near = |armed: Duration| armed <= left + SLACK && armed + SLACK >= left;
        if !self.armed[which].is_some_and(near) {
            match (&self.raw, which) {
                (Raw::Tcp(tcp), READ) => tcp.set_read_timeout(Some(left))?,
                (Raw::Tcp(tcp), _) => tcp.set_write_timeout(Some(left))?,
                (Raw::Unix(unix), READ) => unix.set_read_timeout(Some(left))?,
                (Raw::Unix(unix), _) => unix.set_write_timeout(Some(left))?,
            }
            self.armed[which] = Some(left);
        }
        Ok(())
    }
}

/// Runs one transfer until it moves something, fails, or the time is over.
fn transfer(
    timed: &mut Timed,
    which: usize,
    mut run: impl FnMut(&mut Raw) -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        timed.arm(which)?;
        match run(&mut timed.raw) {
            // The kernel's time-out may end a little early: `arm` decides.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::TimedOut
                ) => {}
            done => return done,
        }
    }
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.waiting {
            return receive_now(&self.raw, into, RecvFlags::empty());
        }
        transfer(self, READ, |raw| match raw {
            Raw::Tcp(tcp) => tcp.read(into),
            Raw::Unix(unix) => unix.read(into),
        })
    }
}

impl Write for Timed {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        transfer(self, WRITE, |raw| match raw {
            Raw::Tcp(tcp) => tcp.write(from),
            Raw::Unix(unix) => unix.write(from),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connected stream, plain or over TLS.
pub enum Socket {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Socket {
    /// Connects; the TLS handshake is made by the first transfer. Returns the
    /// address that answered, too.
    pub fn connect(
        address: &Address,
        tls: Option<&Tls>,
        resolver: &Resolver,
        deadline: Instant,
    ) -> Result<(Self, Option<SocketAddr>)> {
        let failed = |reason: String| down(address, reason);
        let (raw, host, peer) = match address {
            Address::Tcp(host, port) => {
                let found = resolver.find(host, *port, deadline).map_err(failed)?;
                let (stream, peer) = dial::tcp(&found, deadline).map_err(failed)?;
                (Raw::Tcp(stream), host.as_str(), Some(peer))
            }
            Address::Unix(path) => {
                let stream = connect_unix(path).map_err(|error| transport(address, &error))?;
                (Raw::Unix(stream), "", None)
            }
        };
        let timed = Timed { raw, deadline, waiting: true, armed: [None; 2] };
        let Some(tls) = tls.filter(|_| peer.is_some()) else {
            return Ok((Socket::Plain(timed), peer));
        };
        let client = tls.client(host).map_err(|reason| failed(format!("TLS: {reason}")))?;
        Ok((Socket::Tls(Box::new(StreamOwned::new(client, timed))), peer))
    }

    /// Whether bytes of the protocol may pass: there is no TLS, or its
    /// handshake is done.
    pub fn is_ready(&self) -> bool {
        match self {
            Socket::Plain(_) => true,
            Socket::Tls(stream) => !stream.conn.is_handshaking(),
        }
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        matches!(self, Socket::Tls(_))
    }

    fn timed(&mut self) -> &mut Timed {
        match self {
            Socket::Plain(timed) => timed,
            Socket::Tls(stream) => &mut stream.sock,
        }
    }

    /// The transfers that follow wait until `deadline`.
    pub fn wait_until(&mut self, deadline: Instant) {
        let timed = self.timed();
        timed.deadline = deadline;
        timed.waiting = true;
    }

    /// The reads that follow take what has arrived and fail with `WouldBlock`.
    pub fn do_not_wait(&mut self) {
        self.timed().waiting = false;
    }

    /// Whether the connection rests: open, with nothing to read. What a
    /// server sends unasked is the end of a connection, or an answer to a
    /// call that gave up.
    pub fn rests(&mut self) -> bool {
        let peeked = receive_now(&self.timed().raw, &mut [0u8; 1], RecvFlags::PEEK);
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(timed) => timed.read(into),
            Socket::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(timed) => timed.write(from),
            Socket::Tls(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(timed) => timed.flush(),
            Socket::Tls(stream) => stream.flush(),
        }
    }
}
