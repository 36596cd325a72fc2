//! LMDB environments, blob files, locks.
