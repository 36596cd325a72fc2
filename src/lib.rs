//! twat-cache: one embeddable cache behind one C ABI.
//!
//! Two things flow through this crate: **bytes** (a key and a value on their
//! way to an engine) and **order** (which entry leaves when there is no room).
//! `ARCHITECTURE.md` draws the layers; `include/twat_cache.h` is the contract
//! that every language binding stands on.
//!
//! ```
//! use twat_cache::{Cache, Config};
//! let mut config = Config::new("memory")?;
//! config.set("max_entries", "1000")?;
//! let cache = Cache::open(&config)?;
//! cache.set(b"key", b"value", twat_cache::TTL_DEFAULT)?;
//! assert_eq!(cache.get(b"key")?.as_deref(), Some(&b"value"[..]));
//! # Ok::<(), twat_cache::Error>(())
//! ```

#[cfg(not(panic = "unwind"))]
compile_error!("twat-cache needs panic = \"unwind\": a panic must stop at the C boundary");

pub mod cache;
pub mod clock;
pub mod compress;
pub mod config;
mod counted;
pub mod engine;
pub mod envelope;
pub mod error;
pub mod ffi;
pub mod fork;
mod lock;
pub mod policy;
mod prefetch;
mod solo;
pub mod stats;
pub mod store;
pub mod value;

pub use cache::{Cache, SetOptions, TTL_DEFAULT, TTL_NEVER};
pub use config::Config;
pub use error::{Code, Error, Result};
pub use value::Value;
