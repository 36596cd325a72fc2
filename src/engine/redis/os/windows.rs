//! Sockets of Windows.

use super::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, RecvFlags, SocketType, recv, wsa_startup};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

/// A socket that does not block. (Child programs of Windows inherit nothing unasked.)
pub fn socket(family: AddressFamily) -> io::Result<OwnedFd> {
    // Each start is counted; the library is never unloaded, so nobody ends it.
    wsa_startup()?;
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Whether a connect that answered so goes on.
pub fn is_under_way(error: Errno) -> bool {
    matches!(error, Errno::WOULDBLOCK | Errno::INPROGRESS)
}

/// Windows asks after its own time.
pub fn set_keep_idle(_: &OwnedFd, _: Duration) -> rustix::io::Result<()> {
    Ok(())
}

/// Receives what has arrived, or fails with `WouldBlock`.
pub fn receive_now(from: &impl AsFd, into: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    let from = from.as_fd();
    ioctl_fionbio(from, true)?;
    let received = recv(from, into, flags);
    ioctl_fionbio(from, false)?;
    let (_, n) = received?;
    Ok(n)
}

/// There is none: see [`connect_unix`].
pub enum UnixStream {}

/// Refuses: socket files are left to Unix systems.
pub fn connect_unix(_: &Path) -> io::Result<UnixStream> {
    let text = "unix:// needs Linux or macOS; use redis:// or rediss://";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

impl UnixStream {
    pub fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        match *self {}
    }

    pub fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        match *self {}
    }
}

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match *self {}
    }
}

impl Read for UnixStream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for UnixStream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}
