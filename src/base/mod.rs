//! What every other part stands on: errors, counters, clocks, `fork`.

pub mod clock;
pub mod error;
pub mod fork;
pub mod os;
pub mod stats;
