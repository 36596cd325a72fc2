//! One connection: the greeting, pipelines, and what the server says unasked.

use super::address::{Address, Login};
use super::resp::{Found, Frame, Value, decode};
use super::socket::{Socket, unreachable};
use crate::error::{Code, Error, Result};
use redis::Cmd;
use rustls::ClientConfig;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Instant;

/// The name under which `CLIENT LIST` shows us.
const CLIENT_NAME: &str = concat!("twat-cache-", env!("CARGO_PKG_VERSION"));
/// What is read at once at the least.
const CHUNK: usize = 16 * 1024;
/// A receive buffer that grew beyond this is given back after its call.
const KEEP_BUFFER: usize = 1 << 20;

/// An open connection that has been greeted.
pub struct Connection {
    socket: Socket,
    address: Address,
    /// Received and not yet taken: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    resp3: bool,
}

impl Connection {
    /// Connects, greets (RESP3 where the server has it), logs in.
    pub fn open(
        address: &Address,
        login: &Login,
        tls: Option<&Arc<ClientConfig>>,
        deadline: Instant,
    ) -> Result<Self> {
        let socket = Socket::connect(address, tls, deadline)?;
        let (buffer, address) = (Vec::new(), address.clone());
        let mut this = Self { socket, address, buffer, start: 0, end: 0, resp3: false };
        this.greet(login, deadline)?;
        Ok(this)
    }

    fn greet(&mut self, login: &Login, deadline: Instant) -> Result<()> {
        let user = login.user.as_deref();
        let mut hello = redis::cmd("HELLO");
        hello.arg(3);
        if let Some(password) = &login.password {
            hello.arg("AUTH").arg(user.unwrap_or("default")).arg(password);
        }
        let mut first = vec![hello];
        let mut select = redis::cmd("SELECT");
        select.arg(login.database);
        let mut name = redis::cmd("CLIENT");
        name.arg("SETNAME").arg(CLIENT_NAME);
        first.push(name.clone());
        if login.database != 0 {
            first.push(select.clone());
        }
        let answers = self.request(&first.iter().collect::<Vec<_>>(), deadline)?;
        let hello = answers.first().and_then(refusal);
        self.resp3 = hello.is_none();
        let answers = match hello {
            None => answers,
            // A server before 6.0, or one told to refuse HELLO.
            Some("ERR" | "NOPROTO" | "NOPERM") => {
                let mut again = Vec::new();
                if let Some(password) = &login.password {
                    let mut auth = redis::cmd("AUTH");
                    user.map(|user| auth.arg(user));
                    auth.arg(password);
                    again.push(auth);
                }
                again.push(name);
                if login.database != 0 {
                    again.push(select);
                }
                self.request(&again.iter().collect::<Vec<_>>(), deadline)?
            }
            Some(code) => return Err(self.refused(code)),
        };
        // Texts of errors are not repeated here: some servers quote the whole
        // command, and with it the password. A refused SETNAME is harmless.
        let last = answers.len().saturating_sub(1);
        for (i, answer) in answers.iter().enumerate() {
            match refusal(answer) {
                Some(code) if is_login(code) => return Err(self.refused(code)),
                Some(code) if i == last && login.database != 0 => {
                    let (address, database) = (&self.address, login.database);
                    let text = format!(
                        "redis at {address}: the server refuses database {database}: {code}"
                    );
                    return Err(Error::new(Code::Unavailable, text));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn refused(&self, code: &str) -> Error {
        let text = match code {
            "WRONGPASS" | "NOAUTH" => format!(
                "redis at {}: the server refuses the login ({code}): check username and password",
                self.address
            ),
            _ => format!("redis at {}: the server refuses the greeting: {code}", self.address),
        };
        Error::new(Code::Unavailable, text)
    }

    /// Whether the server speaks RESP3, and so can push invalidations.
    pub fn is_resp3(&self) -> bool {
        self.resp3
    }

    /// Whether the connection may serve another call.
    pub fn rests(&mut self) -> bool {
        self.start == self.end && self.socket.rests()
    }

    /// Sends commands and returns their answers, in their order. After an
    /// error the connection is of no further use: answers may still come.
    pub fn request(&mut self, commands: &[&Cmd], deadline: Instant) -> Result<Vec<Value>> {
        self.send(commands, deadline)?;
        self.receive(commands.len(), deadline)
    }

    /// Sends commands without waiting for their answers.
    pub fn send(&mut self, commands: &[&Cmd], deadline: Instant) -> Result<()> {
        self.socket.wait_until(deadline);
        let mut packed = Vec::new();
        for command in commands {
            command.write_packed_command(&mut packed);
        }
        let sent = self.socket.write_all(&packed).and_then(|()| self.socket.flush());
        sent.map_err(|error| self.broken(&error))
    }

    /// The answers to `n` commands that were sent.
    pub fn receive(&mut self, n: usize, deadline: Instant) -> Result<Vec<Value>> {
        self.socket.wait_until(deadline);
        let mut answers = Vec::with_capacity(n);
        while answers.len() < n {
            match self.next_value()? {
                Some(Value::Push(_)) => {}
                Some(answer) => answers.push(answer),
                None => return Err(self.broken(&ErrorKind::TimedOut.into())),
            }
        }
        if self.start == self.end && self.buffer.len() > KEEP_BUFFER {
            self.buffer = Vec::new();
            (self.start, self.end) = (0, 0);
        }
        Ok(answers)
    }

    /// What the server has said by now, asked or not; `None` when nothing
    /// more is here.
    pub fn arrived(&mut self) -> Result<Option<Value>> {
        self.socket.do_not_wait();
        self.next_value()
    }

    /// What the server says next, asked or not, before the deadline.
    pub fn heard(&mut self, deadline: Instant) -> Result<Value> {
        self.socket.wait_until(deadline);
        self.next_value()?.ok_or_else(|| self.broken(&ErrorKind::TimedOut.into()))
    }

    /// The next value of the stream; `None` where a socket that does not wait
    /// has no whole one.
    fn next_value(&mut self) -> Result<Option<Value>> {
        let mut frame = Frame::default();
        let length = loop {
            match frame.look(&self.buffer[self.start..self.end]) {
                Found::End(length) => break length,
                Found::Nonsense => return Err(self.not_redis()),
                Found::More(need) => match self.fill(need) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                    Err(error) => return Err(self.broken(&error)),
                },
            }
        };
        let bytes = &self.buffer[self.start..self.start + length];
        let value = decode(bytes).ok_or_else(|| self.not_redis())?;
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

    fn broken(&self, error: &io::Error) -> Error {
        unreachable(&self.address, error)
    }

    fn not_redis(&self) -> Error {
        let text = format!(
            "redis at {}: what answers there does not speak the redis protocol",
            self.address
        );
        Error::new(Code::Unavailable, text)
    }
}

/// The code of an error answer.
fn refusal(answer: &Value) -> Option<&str> {
    match answer {
        Value::ServerError(error) => Some(error.code()),
        _ => None,
    }
}

fn is_login(code: &str) -> bool {
    matches!(code, "WRONGPASS" | "NOAUTH")
}
