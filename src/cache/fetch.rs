//! Fetch: the value of a key, or the right to compute it.

use super::{Cache, SetOptions, check_key, ttl_of};
use crate::base::error::{Code, Error, Result};
use crate::base::fork;
use crate::engine::{Engine, Put, Stored};
use crate::lease::between::{Entered, Held};
use crate::lease::table::{Ticket, Turn};
use crate::lease::{LeaseHome, Leases};
use crate::mem::value::Value;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Waits are not longer than this: a year, which every clock can add.
const LONGEST_WAIT_MS: u64 = 365 * 24 * 3600 * 1000;

/// How [`Cache::fetch`] asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct FetchOptions {
    /// How long to wait for another one who computes the key; 0 does not wait.
    pub wait_ms: u64,
    /// Ask for the right to compute, whatever is stored.
    pub refresh: bool,
}

/// What [`Cache::fetch`] answers.
#[derive(Debug)]
pub enum Fetched {
    /// The stored value.
    Value(Value),
    /// Nothing is stored: compute it, and end the lease.
    Lease(Lease),
    /// Another one is still computing it.
    Pending,
}

/// The leases of one process over a cache.
pub(super) struct Home {
    kind: LeaseHome,
    /// For engines of this process alone.
    own: Leases,
    refused: Option<Error>,
    sets: AtomicU64,
}

impl Home {
    pub(super) fn of(engine: &dyn Engine) -> Self {
        let (kind, refused) = match engine.leases() {
            Ok(kind) => (kind, None),
            Err(error) => (LeaseHome::Nowhere, Some(error)),
        };
        Self { kind, own: Leases::default(), refused, sets: AtomicU64::new(0) }
    }

    /// Values that were stored by leases.
    pub(super) fn sets(&self) -> u64 {
        self.sets.load(Ordering::Relaxed)
    }

    fn leases(&self) -> Option<&Leases> {
        match &self.kind {
            LeaseHome::Process => Some(&self.own),
            LeaseHome::Store(leases) => Some(leases),
            LeaseHome::Nowhere => None,
        }
    }
}

impl Cache {
    /// A key is about to be changed, in an engine of this process alone. (A shared store
    /// notes it in its transaction.)
    #[inline]
    pub(super) fn void(&self, key: &[u8]) {
        if let Ok(process) = self.process() {
            process.home.own.table.void(key);
        }
    }

    /// The same of any key.
    pub(super) fn void_all(&self) {
        if let Ok(process) = self.process() {
            process.home.own.table.void_all();
        }
    }

    /// The value of a key, or a lease: the right to compute it, which one caller has among
    /// all that share the cache's storage.
    ///
    /// # Errors
    /// Those of a get; [`Code::Unsupported`] where the engine has no leases.
    #[inline]
    pub fn fetch(&self, key: &[u8], options: &FetchOptions) -> Result<Fetched> {
        if !options.refresh
            && let Some(value) = self.get(key)?
        {
            return Ok(Fetched::Value(value));
        }
        self.fetch_missing(key, options)
    }

    #[inline(never)]
    fn fetch_missing(&self, key: &[u8], options: &FetchOptions) -> Result<Fetched> {
        check_key(key)?;
        fork::notice();
        let process = self.process()?;
        let home = &process.home;
        if let Some(error) = &home.refused {
            return Err(error.clone());
        }
        let engine = self.arc()?;
        let lease = |ticket, held| {
            Fetched::Lease(Lease {
                generation: process.generation,
                engine: Arc::downgrade(engine),
                home: Arc::downgrade(home),
                key: key.to_vec(),
                ttl: self.ttl,
                ticket,
                held,
                state: AtomicU8::new(OPEN),
            })
        };
        let spot = engine.lease_spot(key);
        let Some(leases) = home.leases() else { return Ok(lease(None, None)) };
        let wait = Duration::from_millis(options.wait_ms.min(LONGEST_WAIT_MS));
        let until = Instant::now() + wait;
        let look = || if options.refresh { Ok(None) } else { self.call(|e| e.get(key)) };
        let ticket = loop {
            match leases.table.begin(&spot.name) {
                Turn::Taken(ticket) => break ticket,
                Turn::Failed => return Ok(Fetched::Pending),
                Turn::Busy(number) => {
                    if !leases.table.wait(&spot.name, number, until) {
                        return Ok(Fetched::Pending);
                    }
                    if let Some(value) = look()? {
                        return Ok(Fetched::Value(value));
                    }
                }
            }
        };
        // Ended where what follows fails.
        let begun = Begun { leases, ticket: Some(ticket) };
        // After the grant, or a value that came since the first look would be computed anew.
        let held = match &leases.between {
            None => match look()? {
                Some(value) => return Ok(Fetched::Value(value)),
                None => None,
            },
            Some(between) => match between.enter(&spot, until, look)? {
                Entered::Granted(held) => Some(held),
                Entered::Found(value) => return Ok(Fetched::Value(value)),
                Entered::TimedOut => return Ok(Fetched::Pending),
            },
        };
        Ok(lease(begun.keep(), held))
    }
}

/// A turn that ends with the call unless it becomes a lease.
struct Begun<'a> {
    leases: &'a Leases,
    ticket: Option<Ticket>,
}

impl Begun<'_> {
    fn keep(mut self) -> Option<Ticket> {
        self.ticket.take()
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            self.leases.table.end(ticket, 0);
        }
    }
}

const OPEN: u8 = 0;
const ENDING: u8 = 1;
const ENDED: u8 = 2;

/// The right to compute a key. Ended by [`Lease::set`], [`Lease::fail`] or a drop, each of
/// which wakes those who wait for it. It does not keep its cache open.
pub struct Lease {
    generation: u64,
    engine: Weak<dyn Engine>,
    home: Weak<Home>,
    key: Vec<u8>,
    ttl: Option<NonZeroU64>,
    ticket: Option<Ticket>,
    held: Option<Held>,
    state: AtomicU8,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Lease {
    fn is_of_this_process(&self) -> bool {
        fork::notice();
        self.generation == fork::generation()
    }

    /// The engine and the leases, for as long as the lease may be used.
    fn parts(&self) -> Result<(Arc<dyn Engine>, Arc<Home>)> {
        if !self.is_of_this_process() {
            let text = "lease: expected the process that fetched it, got a forked child of it; \
                        fetch the key here";
            return Err(Error::new(Code::Closed, text));
        }
        match (self.engine.upgrade(), self.home.upgrade()) {
            (Some(engine), Some(home)) => Ok((engine, home)),
            _ => {
                let text = "lease: expected an open cache, got one that was closed";
                Err(Error::new(Code::Closed, text))
            }
        }
    }

    /// Marks the lease as ended; an error where it is already.
    fn close(&self) -> Result<()> {
        let closed = self.state.compare_exchange(OPEN, ENDING, Ordering::AcqRel, Ordering::Acquire);
        closed.map(drop).map_err(|_| {
            Error::arg("lease: expected one that is not ended, got one that was set or failed")
        })
    }

    /// Gives back what the lease holds and wakes who waits for it.
    fn leave(&self, home: &Home, retry_after_ms: u64) {
        if let Some(leases) = home.leases() {
            if let (Some(between), Some(held)) = (&leases.between, &self.held) {
                between.leave(held);
            }
            if let Some(ticket) = &self.ticket {
                leases.table.end(ticket, retry_after_ms);
            }
        }
        self.state.store(ENDED, Ordering::Release);
    }

    /// Stores the computed value and ends the lease; false where the key was written,
    /// deleted or invalidated since the grant, and nothing is stored.
    ///
    /// # Errors
    /// Those of a set; [`Code::Arg`] for a lease that was ended, [`Code::Closed`] in a forked
    /// child and after the cache was closed. The lease is ended in each case.
    pub fn set(&self, value: &[u8], options: &SetOptions<'_>) -> Result<bool> {
        let (engine, home) = self.parts()?;
        if options.add {
            return Err(Error::arg("options.flags: expected none for a lease, got TWAT_SET_ADD"));
        }
        self.close()?;
        let put = Put {
            ttl: ttl_of(options.ttl_ms, self.ttl),
            add: false,
            tags: options.tags,
            cost: options.cost,
            lease: self.held.as_ref().map(|held| &held.seen),
        };
        let store = || engine.put(&self.key, value, &put);
        let stored = match (&home.kind, &self.ticket) {
            // The store compares in its own transaction.
            (LeaseHome::Process, Some(ticket)) => home.own.table.while_current(ticket, store),
            _ => Some(store()),
        };
        self.leave(&home, 0);
        let stored = stored.unwrap_or(Ok(Stored::Void))? == Stored::Stored;
        home.sets.fetch_add(u64::from(stored), Ordering::Relaxed);
        Ok(stored)
    }

    /// Ends the lease after a failure. For `retry_after_ms` nobody in this process gets
    /// another one for the key; with 0 the next who waits gets one.
    ///
    /// # Errors
    /// [`Code::Arg`] for a lease that was ended, [`Code::Closed`] as [`Self::set`].
    pub fn fail(&self, retry_after_ms: u64) -> Result<()> {
        let (_, home) = self.parts()?;
        self.close()?;
        self.leave(&home, retry_after_ms);
        Ok(())
    }

    /// Whether a set would still be stored.
    ///
    /// # Errors
    /// As [`Self::fail`].
    pub fn renew(&self) -> Result<bool> {
        let (_, home) = self.parts()?;
        if self.state.load(Ordering::Acquire) != OPEN {
            return Err(Error::arg(
                "lease: expected one that is not ended, got one that was set or failed",
            ));
        }
        let Some(leases) = home.leases() else { return Ok(true) };
        Ok(match (&leases.between, &self.held, &self.ticket) {
            (Some(between), Some(held), _) => between.is_good(held),
            (_, _, Some(ticket)) => leases.table.is_current(ticket),
            _ => true,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A child must not free what its parent holds; a closed cache holds nothing.
        if self.is_of_this_process()
            && self.state.load(Ordering::Acquire) == OPEN
            && let Some(home) = self.home.upgrade()
        {
            self.leave(&home, 0);
        }
    }
}
