//! Listening to what other clients change: client tracking in broadcast mode,
//! on a connection of its own, for the two prefixes of a namespace.

use super::connection::Connection;
use super::entry::unexpected;
use super::names::Names;
use super::node::Node;
use super::resp::Value;
use crate::engine::{Change, Listener};
use crate::error::{Code, Error, Result};
use std::time::{Duration, Instant};

/// Silence, of the server or of those who listen, after which the connection is
/// asked for a sign of life: a lost network looks like a server with nothing to
/// say.
const SILENCE: Duration = Duration::from_millis(500);
/// How long a call waits for that at the most: without it copies are asked
/// about, which costs less than waiting.
const CATCH_UP: Duration = Duration::from_millis(100);

/// A connection that is told of changes.
pub struct Tracker {
    connection: Connection,
    names: Names,
    timeout: Duration,
    heard: Instant,
    /// When it was last listened to.
    polled: Instant,
    asked: Option<Instant>,
}

impl Tracker {
    /// `None` where the server cannot tell.
    pub(super) fn open(node: &Node, names: &Names, timeout: Duration) -> Result<Option<Self>> {
        let mut connection = node.connect()?;
        if !connection.is_resp3() {
            return Ok(None);
        }
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST");
        for prefix in names.prefixes() {
            tracking.arg("PREFIX").arg(prefix);
        }
        let answers = connection.request(&[&tracking], Instant::now() + timeout)?;
        let heard = Instant::now();
        Ok(match answers.first() {
            Some(Value::Okay) => Some(Self {
                connection,
                names: names.clone(),
                timeout,
                heard,
                polled: heard,
                asked: None,
            }),
            _ => None,
        })
    }

    fn tell(&self, data: &[Value], each: &mut dyn FnMut(Change<'_>)) {
        let Some(Value::Array(names)) = data.first() else {
            // FLUSHALL and FLUSHDB say nothing instead of a list.
            return each(Change::All);
        };
        for name in names {
            let Value::BulkString(name) = name else { continue };
            if let Some(key) = self.names.key_of(name) {
                each(Change::Key(key));
            } else if let Some(tag) = self.names.tag_of(name) {
                each(Change::Tag(tag));
            }
        }
    }
}

impl Tracker {
    fn take(&mut self, value: Value, each: &mut dyn FnMut(Change<'_>)) -> Result<()> {
        match value {
            Value::Push(said) => match &said[..] {
                [Value::BulkString(kind), data @ ..] if kind == b"invalidate" => {
                    self.tell(data, each)
                }
                _ => {}
            },
            // The sign of life.
            Value::SimpleString(_) => self.asked = None,
            other => return Err(unexpected(&other)),
        }
        Ok(())
    }

    /// Takes in all that the server had to tell before now: what nobody read
    /// for long lies in more places than the socket, or the connection is dead
    /// and does not show it. The answer to a PING comes after all of it.
    fn catch_up(&mut self, each: &mut dyn FnMut(Change<'_>)) -> Result<()> {
        let deadline = Instant::now() + self.timeout.min(CATCH_UP);
        let before = usize::from(self.asked.is_some());
        self.connection.send(&[&redis::cmd("PING")], deadline)?;
        for _ in 0..=before {
            self.asked = Some(Instant::now());
            while self.asked.is_some() {
                let value = self.connection.heard(deadline)?;
                self.take(value, each)?;
            }
        }
        Ok(())
    }
}

impl Listener for Tracker {
    fn poll(&mut self, each: &mut dyn FnMut(Change<'_>)) -> Result<()> {
        if self.polled.elapsed() > SILENCE {
            self.catch_up(each)?;
            self.heard = Instant::now();
        }
        let mut heard = false;
        while let Some(value) = self.connection.arrived()? {
            heard = true;
            self.take(value, each)?;
        }
        let now = Instant::now();
        self.polled = now;
        if heard {
            self.heard = now;
        }
        match self.asked {
            Some(asked) if now - asked > self.timeout => Err(Error::new(
                Code::Unavailable,
                "redis: no sign of life on the tracking connection",
            )),
            None if now - self.heard > SILENCE => {
                self.asked = Some(now);
                self.heard = now;
                self.connection.send(&[&redis::cmd("PING")], now + self.timeout)
            }
            _ => Ok(()),
        }
    }
}
