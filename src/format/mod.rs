//! What durable engines store around a value (`docs/format.md`).

pub mod compress;
pub mod envelope;
