//! Listening to what other clients change: client tracking in broadcast mode,
//! on a connection of its own, for the two prefixes of a namespace.

use super::connection::Connection;
use super::entry::unexpected;
use super::names::Names;
use super::node::Node;
use super::resp::Value;
use super::words::down;
use crate::base::error::{Error, Result};
use crate::engine::{Change, Listener};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Silence, of the server or of those who listen, after which the connection is
/// asked for a sign of life: a lost network looks like a server with nothing to
/// say.
const SILENCE: Duration = Duration::from_millis(500);
/// How long a call waits for that at the most: without it copies are asked
/// about, which costs less than waiting.
const CATCH_UP: Duration = Duration::from_millis(100);

/// A connection that is notified of changes.
pub struct Tracker {
    connection: Connection,
    node: Arc<Node>,
    /// The role of the server that the connection belongs to.
    generation: u64,
    names: Names,
    timeout: Duration,
    heard: Instant,
    /// When it was last listened to.
    polled: Instant,
    asked: Option<Instant>,
    /// The command whose answer is the sign of life.
    sign: redis::Cmd,
    /// Whose data the server had at the begin, where it says so.
    history: Option<History>,
}

/// Whose data a server has. A master that became a replica goes on and sends
/// what its new master changes, late or, cut off from that, not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct History {
    is_replica: bool,
    id: String,
}

impl History {
    /// Reads an answer to INFO.
    fn of(answer: &Value) -> Option<Self> {
        let Value::BulkString(text) = answer else { return None };
        let text = String::from_utf8_lossy(text);
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let id = field("master_replid").unwrap_or_default().to_owned();
        Some(Self { is_replica: field("role")? == "slave", id })
    }
}

impl Tracker {
    /// `None` where the server cannot notify.
    pub(super) fn open(node: &Arc<Node>, names: &Names, timeout: Duration) -> Result<Option<Self>> {
        let (mut connection, generation) = node.connect()?;
        if !connection.resp3 {
            return Ok(None);
        }
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST");
        for prefix in names.prefixes() {
            tracking.arg("PREFIX").arg(prefix);
        }
        let mut info = redis::cmd("INFO");
        info.arg("replication");
        let (answers, broken) = connection.exchange(&[&tracking, &info], Instant::now() + timeout);
        match broken {
            // A proxy that does not know the command.
            Some(broken) if broken.is_hang_up() => return Ok(None),
            Some(broken) => return Err(connection.error(&broken)),
            None => {}
        }
        let heard = Instant::now();
        let [Value::Okay, info_answer] = &answers[..] else { return Ok(None) };
        let history = History::of(info_answer);
        Ok(Some(Self {
            connection,
            node: node.clone(),
            generation,
            names: names.clone(),
            timeout,
            heard,
            polled: heard,
            asked: None,
            sign: if history.is_some() { info } else { redis::cmd("PING") },
            history,
        }))
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
            sign @ Value::BulkString(_) => {
                self.asked = None;
                self.compare(History::of(&sign))?;
            }
            other => return Err(unexpected(&other)),
        }
        Ok(())
    }

    /// Ends the subscription when the server has another history than at its begin.
    fn compare(&self, now: Option<History>) -> Result<()> {
        if now == self.history {
            return Ok(());
        }
        if now.is_some_and(|now| now.is_replica) {
            self.node.leave(self.connection.peer());
        }
        Err(self.moved())
    }

    fn moved(&self) -> Error {
        down(&self.node.address, "a failover ended the subscription; the next call makes a new one")
    }

    /// Takes in all that the server had to tell before now: what nobody read
    /// for long lies in more places than the socket, or the connection is dead
    /// and does not show it. The answer to a command comes after all of it.
    fn catch_up(&mut self, each: &mut dyn FnMut(Change<'_>)) -> Result<()> {
        let deadline = Instant::now() + self.timeout.min(CATCH_UP);
        let before = usize::from(self.asked.is_some());
        self.connection.send(&[&self.sign], deadline)?;
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
        if self.node.generation() != self.generation {
            return Err(self.moved());
        }
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
            Some(asked) if now - asked > self.timeout => {
                Err(down(&self.node.address, "no sign of life on the subscription"))
            }
            None if now - self.heard > SILENCE => {
                self.asked = Some(now);
                self.heard = now;
                self.connection.send(&[&self.sign], now + self.timeout)
            }
            _ => Ok(()),
        }
    }
}
