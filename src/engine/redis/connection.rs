//! One connection: pipelines, and what the server says unasked.

use super::address::Address;
use super::node::Settings;
use super::resp::{Found, Frame, Value, decode};
use super::socket::Socket;
use super::words::{closed_with, down, transport};
use crate::base::error::{Error, Result};
use redis::Cmd;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

/// What is read at once at the least.
const CHUNK: usize = 16 * 1024;
/// A receive buffer that grew beyond this is given back after its call.
const KEEP_BUFFER: usize = 1 << 20;

/// An open connection.
pub struct Connection {
    socket: Socket,
    address: Address,
    /// The address that the name led to.
    peer: Option<SocketAddr>,
    /// Received and not yet taken: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the server speaks RESP3, and so can push invalidations.
    pub resp3: bool,
}

/// How a connection ended.
pub enum Broken {
    Transport(io::Error),
    /// Bytes that are not the redis protocol.
    NotRedis,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Broken::Transport(error)
    }
}

impl Broken {
    /// Whether the other side closed or reset it.
    pub fn is_hang_up(&self) -> bool {
        use ErrorKind as E;
        let Broken::Transport(error) = self else { return false };
        matches!(
            error.kind(),
            E::UnexpectedEof | E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe
        )
    }

    /// Whether it only took too long.
    pub fn is_time_out(&self) -> bool {
        matches!(self, Broken::Transport(error) if error.kind() == ErrorKind::TimedOut)
    }
}

impl Connection {
    /// Connects. Nothing has been said yet.
    pub fn connect(address: &Address, settings: &Settings, deadline: Instant) -> Result<Self> {
        let (tls, resolver) = (settings.tls.as_ref(), settings.resolver);
        let (socket, peer) = Socket::connect(address, tls, resolver, deadline)?;
        let (buffer, address) = (Vec::new(), address.clone());
        Ok(Self { socket, address, peer, buffer, start: 0, end: 0, resp3: false })
    }

    /// The address that the name led to; none for a socket file.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether TLS is not spoken, or its handshake is done.
    pub fn is_ready(&self) -> bool {
        self.socket.is_ready()
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.socket.is_tls()
    }

    /// Whether the connection may serve another call.
    pub fn rests(&mut self) -> bool {
        self.start == self.end && self.socket.rests()
    }

    /// Sends commands and returns their answers, in their order. After an
    /// error the connection is of no further use: answers may still come.
    pub fn request(&mut self, commands: &[&Cmd], deadline: Instant) -> Result<Vec<Value>> {
        let (answers, broken) = self.exchange(commands, deadline);
        match (broken, answers.last()) {
            (None, _) => Ok(answers),
            (Some(broken), Some(Value::ServerError(last))) if broken.is_hang_up() => {
                Err(closed_with(&self.address, last))
            }
            (Some(broken), _) => Err(self.error(&broken)),
        }
    }

    /// Sends commands and returns the answers that come before the connection
    /// breaks, if it does: a server that refuses it says why before it closes.
    pub fn exchange(
        &mut self,
        commands: &[&Cmd],
        deadline: Instant,
    ) -> (Vec<Value>, Option<Broken>) {
        let mut answers = Vec::with_capacity(commands.len());
        let sent = self.try_send(commands, deadline);
        let sent = match sent {
            // No time is left for an answer.
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                return (answers, Some(error.into()));
            }
            sent => sent,
        };
        let received = self.try_receive(commands.len(), deadline, &mut answers);
        let broken = match (sent, received) {
            (_, Ok(())) => None,
            (Err(error), Err(_)) => Some(error.into()),
            (Ok(()), Err(broken)) => Some(broken),
        };
        (answers, broken)
    }

    /// Sends commands without waiting for their answers.
    pub fn send(&mut self, commands: &[&Cmd], deadline: Instant) -> Result<()> {
        self.try_send(commands, deadline).map_err(|error| transport(&self.address, &error))
    }

    fn try_send(&mut self, commands: &[&Cmd], deadline: Instant) -> io::Result<()> {
        self.socket.wait_until(deadline);
        let mut packed = Vec::new();
        for command in commands {
            command.write_packed_command(&mut packed);
        }
        self.socket.write_all(&packed).and_then(|()| self.socket.flush())
    }

    /// The answers to `n` commands that were sent.
    pub fn receive(&mut self, n: usize, deadline: Instant) -> Result<Vec<Value>> {
        let mut answers = Vec::with_capacity(n);
        self.try_receive(n, deadline, &mut answers).map_err(|broken| self.error(&broken))?;
        Ok(answers)
    }

    fn try_receive(
        &mut self,
        n: usize,
        deadline: Instant,
        answers: &mut Vec<Value>,
    ) -> std::result::Result<(), Broken> {
        self.socket.wait_until(deadline);
        while answers.len() < n {
            match self.next_value()? {
                Some(Value::Push(_)) => {}
                Some(answer) => answers.push(answer),
                None => return Err(io::Error::from(ErrorKind::TimedOut).into()),
            }
        }
        if self.start == self.end && self.buffer.len() > KEEP_BUFFER {
            self.buffer = Vec::new();
            (self.start, self.end) = (0, 0);
        }
        Ok(())
    }

    /// What the server has said by now, asked or not; `None` when nothing
    /// more is here.
    pub fn arrived(&mut self) -> Result<Option<Value>> {
        self.socket.do_not_wait();
        self.next_value().map_err(|broken| self.error(&broken))
    }

    /// What the server says next, asked or not, before the deadline.
    pub fn heard(&mut self, deadline: Instant) -> Result<Value> {
        self.socket.wait_until(deadline);
        match self.next_value() {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(transport(&self.address, &ErrorKind::TimedOut.into())),
            Err(broken) => Err(self.error(&broken)),
        }
    }

    /// The next value of the stream; `None` where a socket that does not wait
    /// has no whole one.
    fn next_value(&mut self) -> std::result::Result<Option<Value>, Broken> {
        let mut frame = Frame::default();
        let length = loop {
            match frame.look(&self.buffer[self.start..self.end]) {
                Found::End(length) => break length,
                Found::Nonsense => return Err(Broken::NotRedis),
                Found::More(need) => match self.fill(need) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                    Err(error) => return Err(error.into()),
                },
            }
        };
        let bytes = &self.buffer[self.start..self.start + length];
        let value = decode(bytes).ok_or(Broken::NotRedis)?;
        self.start += length;
        Ok(Some(value))
    }

    fn fill(&mut self, need: usize) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        // A length is only a claim: room grows with what has really come.
        let room = need.min(self.end + self.end.max(1 << 20)).max(self.end + CHUNK);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        match self.socket.read(&mut self.buffer[self.end..])? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            n => {
                self.end += n;
                Ok(())
            }
        }
    }

    /// The error of a connection that ended so.
    pub fn error(&self, broken: &Broken) -> Error {
        match broken {
            Broken::Transport(error) => transport(&self.address, error),
            // An alert of TLS: 21, then version 3.
            Broken::NotRedis if self.buffer[self.start..self.end].starts_with(&[21, 3]) => {
                down(&self.address, "what answers there speaks TLS; its url is rediss://")
            }
            Broken::NotRedis => {
                down(&self.address, "what answers there does not speak the redis protocol")
            }
        }
    }
}
