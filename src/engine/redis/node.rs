//! One server process: its pool of connections and its breaker.

use super::address::{Address, Login};
use super::call;
use super::connection::Connection;
use super::resp::Value;
use crate::error::{Code, Error, Result};
use redis::Cmd;
use rustls::ClientConfig;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first pause after a failure; it doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest: with the time of a try it stays below a second, in which a
/// server that is back must be found.
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// What all nodes of an engine have in common.
#[derive(Clone)]
pub struct Settings {
    pub login: Login,
    pub tls: Option<Arc<ClientConfig>>,
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub pool_size: usize,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
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
    /// Whether `breaker` holds something: spares the lock while all is well.
    tripped: AtomicBool,
    breaker: Mutex<Option<Breaker>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

    /// A connection of its own, outside the pool.
    pub fn connect(&self) -> Result<Connection> {
        self.admit()?;
        self.judge(self.open())
    }

    fn open(&self) -> Result<Connection> {
        let deadline = Instant::now() + self.settings.connect_timeout;
        let Settings { login, tls, .. } = &self.settings;
        Connection::open(&self.address, login, tls.as_ref(), deadline)
    }

    /// Takes a connection for one call. Waits while all are in use, at the
    /// most as long as for an answer.
    pub fn lease(&self) -> Result<Lease<'_>> {
        self.admit()?;
        let (began, deadline) = (Instant::now(), call::end(self.settings.timeout));
        let mut pool = lock(&self.pool);
        loop {
            if let Some(mut connection) = pool.idle.pop() {
                if connection.rests() {
                    return Ok(Lease { node: self, connection: Some(connection), sound: false });
                }
                pool.open -= 1;
                continue;
            }
            if pool.open < self.settings.pool_size {
                pool.open += 1;
                drop(pool);
                // From here on the place in the pool is the lease's to give back.
                let mut lease = Lease { node: self, connection: None, sound: false };
                lease.connection = Some(self.judge(self.open())?);
                return Ok(lease);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!(
                    "redis at {}: all {} connections of the pool are in use",
                    self.address, self.settings.pool_size
                );
                return Err(Error::new(Code::Unavailable, text));
            }
            pool = self.freed.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner).0;
            call::spend(began);
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
}

impl Lease<'_> {
    /// Ends the call.
    pub fn finish<T>(mut self, result: Result<T>) -> Result<T> {
        self.sound = result.is_ok();
        self.node.judge(result)
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
        match self.connection.take() {
            Some(connection) if self.sound => pool.idle.push(connection),
            closed => {
                pool.open -= 1;
                drop(pool);
                drop(closed);
            }
        }
        self.node.freed.notify_one();
    }
}
