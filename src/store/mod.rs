//! LMDB environments, blob files, locks.

pub mod boot;
pub mod walk;
