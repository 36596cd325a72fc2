//! Orders fills of the first tier against invalidations.
//!
//! A reader that missed takes a ticket, reads below, and may put what it read
//! into the first tier only if nothing was invalidated since: an invalidation
//! that arrives between a miss and its fill wins. Nothing is awaited under
//! these locks but the first tier, which is memory.

use crate::engine::Engine;
use std::sync::{Mutex, PoisonError, RwLock};

/// Keys that share a lock and a count.
const STRIPES: usize = 64;

/// Counts of invalidations, by stripe and for all.
pub struct Guard {
    all: RwLock<u64>,
    stripes: [Mutex<u64>; STRIPES],
}

/// What was counted when a read began.
#[derive(Clone, Copy)]
pub struct Ticket {
    all: u64,
    one: u64,
    stripe: usize,
}

impl Default for Guard {
    fn default() -> Self {
        Self { all: RwLock::new(0), stripes: std::array::from_fn(|_| Mutex::new(0)) }
    }
}

impl Guard {
    /// A ticket for the key of this hash.
    pub fn ticket(&self, hash: u64) -> Ticket {
        let stripe = hash as usize % STRIPES;
        let all = *self.all.read().unwrap_or_else(PoisonError::into_inner);
        let one = *self.stripes[stripe].lock().unwrap_or_else(PoisonError::into_inner);
        Ticket { all, one, stripe }
    }

    /// Runs `fill` unless the key was invalidated since the ticket was taken.
    pub fn fill(&self, ticket: Ticket, fill: impl FnOnce()) {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let one = self.stripes[ticket.stripe].lock().unwrap_or_else(PoisonError::into_inner);
        if *all == ticket.all && *one == ticket.one {
            fill();
        }
    }

    /// Takes the key of this hash out of a tier.
    pub fn drop_key(&self, hash: u64, tier: &dyn Engine, key: &[u8]) {
        let _all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let stripe = &self.stripes[hash as usize % STRIPES];
        let mut one = stripe.lock().unwrap_or_else(PoisonError::into_inner);
        *one += 1;
        // Memory fails only when it is poisoned, and then gets fail, too.
        let _ = tier.delete(key);
    }

    /// Takes out what `how` removes, whatever keys that concerns.
    pub fn drop_many<T>(&self, how: impl FnOnce() -> T) -> T {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        *all += 1;
        how()
    }
}
