//! One server process: its pool of connections and its breaker.

use super::address::{Address, Login};
use super::call;
use super::connection::Connection;
use super::greet::{self, Failure, Style};
use super::resolve::Resolver;
use super::resp::Value;
use super::tls::Tls;
use super::words::{down, refused};
use crate::base::error::{Code, Error, Result};
use redis::Cmd;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first pause after a failure; it doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest: with the time of a try it stays below a second, in which a
/// server that is back must be found.
const LONGEST_PAUSE: Duration = Duration::from_millis(320);
/// How often all connections to a server are closed for its answers at the most:
/// one that stays a replica is to serve its readers.
const LEAVE_PAUSE: Duration = Duration::from_secs(1);
/// How long a server that closed the connection at HELLO is greeted without it.
const PLAIN_TIME: Duration = Duration::from_secs(60);

/// What all nodes of an engine have in common.
#[derive(Clone)]
pub struct Settings {
    pub login: Login,
    pub tls: Option<Tls>,
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub pool_size: usize,
    pub resolver: &'static Resolver,
}

#[derive(Default)]
struct Pool {
    /// Connections at rest, and since when; the last is the next to be used.
    idle: Vec<(Connection, Instant)>,
    /// Idle ones and those in use.
    open: usize,
}

struct Breaker {
    failures: u32,
    until: Instant,
    why: Error,
}

/// A server process as this process sees it.
pub struct Node {
    pub address: Address,
    settings: Settings,
    pool: Mutex<Pool>,
    freed: Condvar,
    /// How often the server was found to be no longer what it was: connections
    /// made before belong to another role.
    generation: AtomicU64,
    left_at: Mutex<Option<Instant>>,
    plain_until: Mutex<Option<Instant>>,
    /// Whether `breaker` holds something: spares the lock while all is well.
    tripped: AtomicBool,
    breaker: Mutex<Option<Breaker>>,
}

pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    /// A node to which nothing is connected yet.
    pub fn new(address: Address, settings: Settings) -> Self {
        Self {
            address,
            settings,
            pool: Mutex::default(),
            freed: Condvar::new(),
            generation: AtomicU64::new(0),
            left_at: Mutex::new(None),
            plain_until: Mutex::new(None),
            tripped: AtomicBool::new(false),
            breaker: Mutex::new(None),
        }
    }

    /// Why calls fail at once just now, if they do.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.breaker).as_ref().map(|breaker| breaker.why.text().to_owned())
    }

    /// Sends commands over one connection and returns their answers.
    pub fn request(&self, commands: &[&Cmd]) -> Result<Vec<Value>> {
        let mut lease = self.lease()?;
        let began = Instant::now();
        let answers = lease.request(commands, call::end(self.settings.timeout));
        call::spend(began);
        lease.finish(answers)
    }

    /// A connection of its own, outside the pool, and the generation it belongs to.
    pub fn connect(&self) -> Result<(Connection, u64)> {
        self.admit()?;
        let generation = self.generation();
        let connection = self.judge(self.open())?;
        Ok((connection, generation))
    }

    fn open(&self) -> Result<Connection> {
        let deadline = Instant::now() + self.settings.connect_timeout;
        let plain = lock(&self.plain_until).is_some_and(|until| Instant::now() < until);
        let style = if plain { Style::Plain } else { Style::Full };
        let greet = |style| greet::open(&self.address, &self.settings, style, deadline);
        let opened = match (greet(style), style) {
            (Err(first @ Failure { hung_up: true, .. }), Style::Full) => {
                match greet(Style::Plain) {
                    Ok(connection) => {
                        *lock(&self.plain_until) = Some(Instant::now() + PLAIN_TIME);
                        Ok(connection)
                    }
                    // What it says is more than that it closed the connection.
                    Err(second) => Err(if second.said { second } else { first }),
                }
            }
            (opened, _) => opened,
        };
        match opened {
            Ok(connection) => {
                self.note(connection.peer(), true);
                Ok(connection)
            }
            Err(failure) => {
                self.note(failure.peer, false);
                Err(failure.error)
            }
        }
    }

    /// Notes for the next connection whether an address served.
    fn note(&self, peer: Option<SocketAddr>, served: bool) {
        if let (Address::Tcp(host, _), Some(peer)) = (&self.address, peer) {
            self.settings.resolver.note(host, peer, served);
        }
    }

    /// Takes a connection for one call. Waits while all are in use, at the
    /// most as long as for an answer.
    pub fn lease(&self) -> Result<Lease<'_>> {
        self.admit()?;
        let (began, deadline) = (Instant::now(), call::end(self.settings.timeout));
        let mut pool = lock(&self.pool);
        loop {
            // Before a connection is taken: what is demoted later closes it.
            let generation = self.generation();
            let lease = |connection, rested| Lease {
                node: self,
                connection,
                sound: false,
                generation,
                rested,
            };
            if let Some((mut connection, since)) = pool.idle.pop() {
                if connection.rests() {
                    return Ok(lease(Some(connection), Some(since)));
                }
                pool.open -= 1;
                continue;
            }
            if pool.open < self.settings.pool_size {
                pool.open += 1;
                drop(pool);
                // From here on the place in the pool is the lease's to give back.
                let mut lease = lease(None, None);
                lease.connection = Some(self.judge(self.open())?);
                return Ok(lease);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let size = self.settings.pool_size;
                let reason = format!("all {size} connections of the pool are in use (pool_size)");
                return Err(down(&self.address, reason));
            }
            pool = self.freed.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner).0;
            call::spend(began);
        }
    }

    /// Which role of the server connections belong to; it changes with a failover.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Leaves a server that is no longer what it was (demoted to a replica,
    /// loading, without its master): all connections to it are closed, and the
    /// next one goes wherever the name leads then.
    pub fn leave(&self, peer: Option<SocketAddr>) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.note(peer, false);
        self.close_idle(|_| true);
    }

    /// The same after an answer. One that was connected to since fails for itself.
    fn leave_after_answer(&self, peer: Option<SocketAddr>) {
        let now = Instant::now();
        let mut left_at = lock(&self.left_at);
        if left_at.is_some_and(|at| now - at < LEAVE_PAUSE) {
            drop(left_at);
            return self.note(peer, false);
        }
        *left_at = Some(now);
        drop(left_at);
        self.leave(peer);
    }

    /// Closes the connections at rest since such times.
    fn close_idle(&self, closes: impl Fn(Instant) -> bool) {
        let mut pool = lock(&self.pool);
        let idle = std::mem::take(&mut pool.idle);
        let (closed, kept): (Vec<_>, _) = idle.into_iter().partition(|(_, since)| closes(*since));
        pool.idle = kept;
        pool.open -= closed.len();
        drop(pool);
        if !closed.is_empty() {
            self.freed.notify_all();
        }
    }

    /// Refuses at once while the breaker is open; lets one call try when its
    /// pause is over, and makes the others wait for what that finds.
    fn admit(&self) -> Result<()> {
        if !self.tripped.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut breaker = lock(&self.breaker);
        let Some(open) = breaker.as_mut() else { return Ok(()) };
        let now = Instant::now();
        if now < open.until {
            return Err(open.why.clone());
        }
        open.until = now + self.settings.connect_timeout + self.settings.timeout;
        Ok(())
    }

    /// Tells the breaker how a transfer ended.
    fn judge<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_) if self.tripped.load(Ordering::Acquire) => {
                *lock(&self.breaker) = None;
                self.tripped.store(false, Ordering::Release);
            }
            Ok(_) => {}
            Err(why) => self.trip(why),
        }
        result
    }

    fn trip(&self, why: &Error) {
        let mut breaker = lock(&self.breaker);
        let failures = breaker.as_ref().map_or(0, |open| open.failures).saturating_add(1);
        let pause = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(8)).min(LONGEST_PAUSE);
        *breaker = Some(Breaker { failures, until: Instant::now() + pause, why: why.clone() });
        self.tripped.store(true, Ordering::Release);
    }
}

/// A connection in use by one call. Goes back to the pool only when the call
/// has had all its answers: an answer that comes late belongs to nobody.
pub struct Lease<'a> {
    node: &'a Node,
    connection: Option<Connection>,
    sound: bool,
    generation: u64,
    /// Since when the connection was at rest before; `None` for a new one.
    rested: Option<Instant>,
}

impl Lease<'_> {
    /// Ends the call.
    pub fn finish(mut self, result: Result<Vec<Value>>) -> Result<Vec<Value>> {
        let node = self.node;
        let mut result = match result {
            // It concerns one value: the next call may be served.
            Err(error) if error.code() == Code::TooLarge => return Err(error),
            result => node.judge(result),
        };
        match &mut result {
            Ok(answers) => self.sound = self.may_rest(answers),
            // A firewall that forgot this one has forgotten those that were
            // silent for as long.
            Err(_) => {
                if let Some(rested) = self.rested {
                    node.close_idle(|since| since <= rested);
                }
            }
        }
        result
    }

    /// Whether the connection may serve another call. An answer may show that
    /// it may not, or that the server is to be left.
    fn may_rest(&self, answers: &mut [Value]) -> bool {
        let (mut left, mut closed) = (false, false);
        for answer in answers {
            let Value::ServerError(refusal) = answer else { continue };
            refusal.at = Some(self.node.address.to_string());
            match refusal.cause() {
                "READONLY" => left = true,
                // It serves nobody: the next calls need not ask.
                "LOADING" | "MASTERDOWN" => {
                    left = true;
                    self.node.trip(&refused(refusal));
                }
                // The server ends the connection after it.
                _ => closed |= refusal.detail().starts_with("Protocol error"),
            }
        }
        if left {
            self.node.leave_after_answer(self.peer());
        }
        !left && !closed
    }
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().unwrap_or_else(|| unreachable!("a lease holds a connection"))
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().unwrap_or_else(|| unreachable!("a lease holds a connection"))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut pool = lock(&self.node.pool);
        // Below the lock: `leave` raises the generation before it closes what rests.
        let current = self.node.generation() == self.generation;
        match self.connection.take() {
            Some(connection) if self.sound && current => {
                pool.idle.push((connection, Instant::now()));
            }
            closed => {
                pool.open -= 1;
                drop(pool);
                drop(closed);
            }
        }
        self.node.freed.notify_one();
    }
}
