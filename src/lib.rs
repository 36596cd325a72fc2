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

pub mod base;
pub mod cache;
pub mod config;
pub mod engine;
pub mod ffi;
pub mod files;
pub mod format;
#[cfg(unix)]
pub mod integrity;
pub mod lease;
#[cfg(unix)]
pub mod lmdb;
pub mod mem;
pub mod policy;

pub use base::error::{Code, Error, Result};
pub use cache::{Cache, FetchOptions, Fetched, Lease, SetOptions, TTL_DEFAULT, TTL_NEVER};
pub use config::Config;
pub use mem::value::Value;
