//! Memory shared between threads: values, counted allocations, locks.

pub mod counted;
pub mod lock;
pub mod prefetch;
pub mod solo;
pub mod value;
