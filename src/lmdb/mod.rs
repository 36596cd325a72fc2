//! LMDB: one environment per store in a process, its transactions and readers.

pub mod env_registry;
pub mod txn;
