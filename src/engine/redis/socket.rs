//! A socket with a deadline: every wait of a call ends when the call's time is
//! over, however the server dribbles. Time-outs of single reads, as client
//! libraries have them, start anew with each byte that arrives.

use super::address::Address;
use super::node::lock;
use crate::error::{Code, Error, Result};
use rustix::net::RecvFlags;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
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
            let (_, n) = rustix::net::recv(&self.raw, into, RecvFlags::DONTWAIT)?;
            return Ok(n);
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
    /// Connects; the TLS handshake is made by the first transfer.
    pub fn connect(
        address: &Address,
        tls: Option<&Arc<ClientConfig>>,
        deadline: Instant,
    ) -> Result<Self> {
        let down = |error: io::Error| unreachable(address, &error);
        let raw = match address {
            Address::Tcp(host, port) => Raw::Tcp(tcp(host, *port, deadline).map_err(down)?),
            Address::Unix(path) => Raw::Unix(unix(path).map_err(down)?),
        };
        let timed = Timed { raw, deadline, waiting: true, armed: [None; 2] };
        let (Some(config), Address::Tcp(host, _)) = (tls, address) else {
            return Ok(Socket::Plain(timed));
        };
        let wrong = |error: &dyn std::fmt::Display| {
            Error::new(Code::Unavailable, format!("redis at {address}: TLS: {error}"))
        };
        let name = ServerName::try_from(host.clone()).map_err(|error| wrong(&error))?;
        let client = ClientConnection::new(config.clone(), name).map_err(|error| wrong(&error))?;
        Ok(Socket::Tls(Box::new(StreamOwned::new(client, timed))))
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
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peeked = rustix::net::recv(&self.timed().raw, &mut [0u8; 1], flags);
        matches!(peeked, Err(rustix::io::Errno::AGAIN))
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

/// The error of a connection that cannot be had or broke.
pub fn unreachable(address: &Address, error: &io::Error) -> Error {
    let what = match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "no answer in time".to_owned(),
        ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ => error.to_string(),
    };
    Error::new(Code::Unavailable, format!("redis at {address}: {what}"))
}

fn tcp(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host name has no address");
    for address in resolve(host, port, deadline)? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Looks a name up. The system's resolver takes no deadline, so it runs on a
/// thread of its own, which is left behind when the time is over.
fn resolve(host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    let shared = Arc::new((Mutex::new(None), Condvar::new()));
    let (answer, owned) = (Arc::clone(&shared), host.to_owned());
    std::thread::Builder::new().name("twat-resolve".into()).spawn(move || {
        let found = (owned.as_str(), port).to_socket_addrs().map(Iterator::collect);
        *lock(&answer.0) = Some(found);
        answer.1.notify_one();
    })?;
    let left = deadline.saturating_duration_since(Instant::now());
    let waited = shared.1.wait_timeout_while(lock(&shared.0), left, |found| found.is_none());
    let mut found = waited.unwrap_or_else(PoisonError::into_inner).0;
    found.take().unwrap_or_else(|| Err(ErrorKind::TimedOut.into()))
}

/// Connects to a socket file without waiting: a stopped server with a full
/// queue would hold a blocking connect for ever.
fn unix(path: &Path) -> io::Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&fd, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(false)?;
    Ok(stream)
}
