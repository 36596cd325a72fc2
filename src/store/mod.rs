//! LMDB environments, blob files, locks.

pub mod walk;
