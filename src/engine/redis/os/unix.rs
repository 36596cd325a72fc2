//! Sockets of Linux, macOS and other Unix systems.

use super::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketType, connect, recv, sockopt};
use std::io;
pub use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A socket that does not block and that no child program inherits.
#[cfg(not(target_vendor = "apple"))]
pub fn socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

/// The same where a socket is not made with flags. A write to a closed one must
/// be an error: SIGPIPE would end the process.
#[cfg(target_vendor = "apple")]
pub fn socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    sockopt::set_socket_nosigpipe(&socket, true)?;
    Ok(socket)
}

/// Whether a connect that answered so goes on.
pub fn is_under_way(error: Errno) -> bool {
    matches!(error, Errno::INPROGRESS | Errno::INTR)
}

/// Asks for a sign of life after the connection rested for this time.
pub fn set_keep_idle(socket: &OwnedFd, time: Duration) -> rustix::io::Result<()> {
    sockopt::set_tcp_keepidle(socket, time)
}

/// Receives what has arrived, or fails with `WouldBlock`.
pub fn receive_now(from: &impl AsFd, into: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    let (_, n) = recv(from, into, flags | RecvFlags::DONTWAIT)?;
    Ok(n)
}

/// Connects to a socket file without waiting: a stopped server with a full
/// queue would hold a blocking connect forever.
pub fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let fd = socket(AddressFamily::UNIX)?;
    connect(&fd, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(false)?;
    Ok(stream)
}
