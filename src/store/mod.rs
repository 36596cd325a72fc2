//! LMDB environments, blob files, locks.

pub mod blob;
pub mod blocks;
pub mod boot;
pub mod env_registry;
pub mod files;
pub mod txn;
pub mod walk;
